# SPDX-License-Identifier: Apache-2.0
"""The store: what is known of each cluster, and who may write to it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from heat_vcluster import exception, states
from heat_vcluster.db import connection as db_connection
from heat_vcluster.db import migration, models, records
from heat_vcluster.db import writer as db_writer

#: A cluster in progress that nobody ever leased is given this long, before
#: it counts as interrupted: its creator may be about to take the lease.
GRACE = datetime.timedelta(seconds=30)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Store:
    """All clusters of one database.

    For use by any number of threads and processes, also across a fork.
    Reads are never refused; an engine writes through ``writer`` alone.
    """

    def __init__(self, url: str, *, clock: db_writer.Clock = _now) -> None:
        """``url`` as SQLAlchemy takes it; nothing is opened yet."""
        self._database = db_connection.Database(url)
        self._clock = clock
        self._is_upgraded = False

    def upgrade(self) -> None:
        """Bring the tables to what this release needs; at first use, too."""
        migration.upgrade(self._database)
        self._is_upgraded = True

    def close(self) -> None:
        self._database.close()

    # Clusters

    def create_cluster(
        self,
        *,
        id: str,
        project_id: str,
        user_id: str,
        document: Mapping[str, Any],
        members: Sequence[records.NewMember],
        name: str | None = None,
        deadline: datetime.datetime | None = None,
    ) -> records.ClusterRecord:
        """Write a new cluster down: PLANNING, its members PLANNED.

        Said again, with the same project and document, it returns what is
        there (even DELETED by now); ClusterExists if the id is another's.
        """
        now = self._clock()
        cluster = {
            'id': id,
            'name': name,
            'project_id': project_id,
            'user_id': user_id,
            'document': dict(document),
            'status': states.ClusterStatus.PLANNING.value,
            'fence': 0,
            'cancel_requested': False,
            'deadline': deadline,
            'created_at': now,
            'updated_at': now,
        }
        rows = [
            _new_member(id, position, member)
            for position, member in enumerate(members)
        ]
        try:
            with self._open().writing() as connection:
                connection.execute(sa.insert(models.clusters), cluster)
                if rows:
                    connection.execute(sa.insert(models.members), rows)
        except sa.exc.IntegrityError:
            return self._same_cluster(id, project_id, document)
        return self.get_cluster(id)

    def _same_cluster(
        self, id: str, project_id: str, document: Mapping[str, Any]
    ) -> records.ClusterRecord:
        there = self.get_cluster(id)
        wanted = json.loads(json.dumps(document))
        if there.project_id != project_id or there.document != wanted:
            raise exception.ClusterExists(f'The id {id} is taken')
        return there

    def get_cluster(
        self, cluster_id: str, project_id: str | None = None
    ) -> records.ClusterRecord:
        """Return one cluster; with ``project_id`` only if it is its own.

        Raises ClusterNotFound. A deleted one is still found, by its status.
        """
        wanted = sa.select(models.clusters).where(
            models.clusters.c.id == cluster_id
        )
        if project_id is not None:
            wanted = wanted.where(models.clusters.c.project_id == project_id)
        found = self._rows(wanted)
        if not found:
            raise exception.ClusterNotFound(cluster_id)
        return records.cluster_from_row(found[0])

    def list_clusters(
        self,
        project_id: str | None = None,
        *,
        with_deleted: bool = False,
        limit: int | None = None,
    ) -> tuple[records.ClusterRecord, ...]:
        """Return the clusters of a project, or of all; oldest first."""
        wanted = sa.select(models.clusters).order_by(
            models.clusters.c.created_at, models.clusters.c.id
        )
        if project_id is not None:
            wanted = wanted.where(models.clusters.c.project_id == project_id)
        if not with_deleted:
            wanted = wanted.where(models.clusters.c.deleted_at.is_(None))
        if limit is not None:
            wanted = wanted.limit(limit)
        return tuple(map(records.cluster_from_row, self._rows(wanted)))

    def purge(self, before: datetime.datetime) -> int:
        """Forget clusters that were deleted before a time; tell how many."""
        with self._open().writing() as connection:
            gone: int = connection.execute(
                sa.delete(models.clusters).where(
                    models.clusters.c.deleted_at < before
                )
            ).rowcount
            return gone

    # What belongs to a cluster; empty for an unknown one

    def get_members(self, cluster_id: str) -> tuple[records.MemberRecord, ...]:
        """Return the members in the order of the document."""
        table = models.members
        wanted = (
            sa.select(table)
            .where(table.c.cluster_id == cluster_id)
            .order_by(table.c.position)
        )
        return tuple(map(records.member_from_row, self._rows(wanted)))

    def get_holds(
        self, cluster_id: str, state: records.HoldState | None = None
    ) -> tuple[records.HoldRecord, ...]:
        table = models.holds
        wanted = (
            sa.select(table)
            .where(table.c.cluster_id == cluster_id)
            .order_by(table.c.created_at, table.c.id)
        )
        if state is not None:
            wanted = wanted.where(table.c.state == state.value)
        return tuple(map(records.hold_from_row, self._rows(wanted)))

    def get_project_holds(
        self, project_id: str
    ) -> tuple[records.HoldRecord, ...]:
        """Return what is held for all clusters of a project."""
        table = models.holds
        wanted = (
            sa.select(table)
            .join(models.clusters, models.clusters.c.id == table.c.cluster_id)
            .where(
                models.clusters.c.project_id == project_id,
                table.c.state == records.HoldState.HELD.value,
            )
            .order_by(table.c.created_at, table.c.id)
        )
        return tuple(map(records.hold_from_row, self._rows(wanted)))

    def get_domains(self, cluster_id: str) -> tuple[records.DomainRecord, ...]:
        table = models.domains
        wanted = (
            sa.select(table.c.scope, table.c.real, table.c.pseudonym)
            .where(table.c.cluster_id == cluster_id)
            .order_by(table.c.scope, table.c.real)
        )
        return tuple(
            records.DomainRecord(**row._mapping) for row in self._rows(wanted)
        )

    def get_leftovers(
        self, cluster_id: str
    ) -> tuple[records.LeftoverRecord, ...]:
        table = models.leftovers
        wanted = (
            sa.select(table)
            .where(table.c.cluster_id == cluster_id)
            .order_by(table.c.at, table.c.kind, table.c.thing_id)
        )
        return tuple(
            records.LeftoverRecord(**row._mapping)
            for row in self._rows(wanted)
        )

    def get_events(
        self, cluster_id: str, after: int = 0, limit: int | None = None
    ) -> tuple[records.EventRecord, ...]:
        """Return the events with a higher id than ``after``, in order."""
        table = models.events
        wanted = (
            sa.select(table)
            .where(table.c.cluster_id == cluster_id, table.c.id > after)
            .order_by(table.c.id)
        )
        if limit is not None:
            wanted = wanted.limit(limit)
        return tuple(
            records.EventRecord(**row._mapping) for row in self._rows(wanted)
        )

    # Stopping

    def request_cancel(self, cluster_id: str) -> None:
        """Ask whoever works on the cluster to stop; no lease is needed."""
        with self._open().writing() as connection:
            asked = connection.execute(
                sa.update(models.clusters)
                .where(models.clusters.c.id == cluster_id)
                .values(cancel_requested=True)
            )
            if asked.rowcount != 1:
                raise exception.ClusterNotFound(cluster_id)

    def is_cancel_requested(self, cluster_id: str) -> bool:
        return self.get_cluster(cluster_id).cancel_requested

    # The lease

    def acquire(
        self, cluster_id: str, owner: str, seconds: float
    ) -> records.Lease:
        """Take the cluster if it is free, expired or the owner's already.

        Every acquisition overrules all earlier leases, the same owner's
        too. Raises ClusterBusy, ClusterNotFound.
        """
        table = models.clusters
        now = self._clock()
        is_free = sa.or_(
            table.c.owner.is_(None),
            table.c.owner == owner,
            table.c.lease_until < now,
        )
        with self._open().writing() as connection:
            taken = connection.execute(
                sa.update(table)
                .where(table.c.id == cluster_id, is_free)
                .values(
                    owner=owner,
                    lease_until=now + datetime.timedelta(seconds=seconds),
                    fence=table.c.fence + 1,
                )
            )
            fence = connection.scalar(
                sa.select(table.c.fence).where(table.c.id == cluster_id)
            )
        if fence is None:
            raise exception.ClusterNotFound(cluster_id)
        if taken.rowcount != 1:
            raise exception.ClusterBusy(
                f'Another engine is at work on cluster {cluster_id}'
            )
        return records.Lease(cluster_id, owner, fence)

    def renew(self, lease: records.Lease, seconds: float) -> None:
        """Keep the lease for that long from now; LeaseLost if overruled.

        A lease that ran out unnoticed is still good while nobody took it.
        """
        until = self._clock() + datetime.timedelta(seconds=seconds)
        if not self._set_lease(lease, lease_until=until):
            raise exception.LeaseLost(
                f'Cluster {lease.cluster_id} has another engine now'
            )

    def surrender(self, lease: records.Lease) -> None:
        """Give the cluster free; one that was overruled changes nothing."""
        self._set_lease(lease, owner=None, lease_until=None)

    def writer(self, lease: records.Lease) -> db_writer.Writer:
        return db_writer.Writer(self._open(), lease, self._clock)

    def interrupted(
        self, grace: datetime.timedelta = GRACE
    ) -> tuple[records.ClusterRecord, ...]:
        """Return clusters in progress that no living engine works on.

        Their lease has expired, or there is none and nothing was written
        for ``grace``.
        """
        table = models.clusters
        now = self._clock()
        wanted = (
            sa.select(table)
            .where(
                table.c.status.in_(
                    [each.value for each in states.IN_PROGRESS]
                ),
                sa.or_(
                    table.c.lease_until < now,
                    sa.and_(
                        table.c.owner.is_(None),
                        table.c.updated_at <= now - grace,
                    ),
                ),
            )
            .order_by(table.c.created_at, table.c.id)
        )
        return tuple(map(records.cluster_from_row, self._rows(wanted)))

    def with_idle_holds(self) -> tuple[str, ...]:
        """Return ids of settled clusters whose holds were not given back.

        Nobody works on them, and nobody would come back to the holds.
        """
        table = models.clusters
        wanted = (
            sa.select(table.c.id)
            .join(models.holds, models.holds.c.cluster_id == table.c.id)
            .where(
                models.holds.c.state == records.HoldState.HELD.value,
                table.c.owner.is_(None),
                table.c.status.not_in(
                    [each.value for each in states.IN_PROGRESS]
                ),
            )
            .distinct()
        )
        return tuple(row.id for row in self._rows(wanted))

    # Below

    def _open(self) -> db_connection.Database:
        if not self._is_upgraded:
            self.upgrade()
        return self._database

    def _rows(self, statement: Any) -> Sequence[Any]:
        with self._open().reading() as connection:
            rows: Sequence[Any] = connection.execute(statement).all()
            return rows

    def _set_lease(self, lease: records.Lease, **values: Any) -> bool:
        table = models.clusters
        with self._open().writing() as connection:
            done = connection.execute(
                sa.update(table)
                .where(
                    table.c.id == lease.cluster_id,
                    table.c.owner == lease.owner,
                    table.c.fence == lease.fence,
                )
                .values(**values)
            )
            return bool(done.rowcount == 1)


def _new_member(
    cluster_id: str, position: int, member: records.NewMember
) -> dict[str, Any]:
    return {
        'cluster_id': cluster_id,
        'name': member.name,
        'type': member.type,
        'position': position,
        'desired': dict(member.desired),
        'status': states.MemberStatus.PLANNED.value,
        'domains': {},
        'facts': {},
    }
