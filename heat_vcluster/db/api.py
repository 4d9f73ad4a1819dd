# SPDX-License-Identifier: Apache-2.0
"""The store: what is known of each cluster, and who may write to it."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any

import sqlalchemy as sa

from heat_vcluster import exception, states
from heat_vcluster.db import connection as db_connection
from heat_vcluster.db import listing, migration, models, records, usage
from heat_vcluster.db import snapshots as rows_of_snapshots
from heat_vcluster.db import writer as db_writer

_ABSENT = {'wanted': states.Wanted.ABSENT.value, 'cancel_requested': True}

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

    def ping(self) -> None:
        """Raise ServiceUnavailable unless the database answers."""
        self._rows(sa.select(1))

    def close(self) -> None:
        self._database.close()

    # Clusters

    @db_connection.again
    def create_cluster(
        self,
        *,
        id: str,
        project_id: str,
        user_id: str,
        document: Mapping[str, Any],
        members: Sequence[records.NewMember],
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] = (),
        deadline: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
        trust_id: str | None = None,
        request_id: str | None = None,
        limits: Mapping[str, int] | None = None,
        status: states.ClusterStatus = states.ClusterStatus.PLANNING,
        action: Mapping[str, Any] | None = None,
    ) -> records.ClusterRecord:
        """Write a new cluster down: PLANNING, its members PLANNED.

        Or in another ``status``, to be begun with an ``action``. Raises
        InvalidRequest for a member whose real thing another cluster of the
        project has; two can never have it.

        With ``expires_at`` it is a plan to be held. Said again, with the
        same project and document, it returns what is there (even DELETED by
        now); ClusterExists if the id is another's. ``limits`` (see
        :mod:`heat_vcluster.db.usage`) cannot be passed by two at once;
        raises LimitExceeded.
        """
        now = self._clock()
        cluster = {
            'id': id,
            'name': name,
            'project_id': project_id,
            'user_id': user_id,
            'built_as': name,
            'metadata': dict(metadata or {}),
            'document': dict(document),
            'status': status.value,
            'action': dict(action) if action else None,
            'fence': 0,
            'cancel_requested': False,
            'wanted': states.Wanted.PRESENT.value,
            'deadline': deadline,
            'expires_at': expires_at,
            'trust_id': trust_id,
            'request_id': request_id,
            'changes': 0,
            'created_at': now,
            'updated_at': now,
        }
        rows = [
            _new_member(id, position, member)
            for position, member in enumerate(members)
        ]
        asked = {
            usage.HELD_PLANS if expires_at else usage.CLUSTERS: 1,
            usage.MEMBERS: len(rows),
        }
        # Another project may be quicker to take the id.
        with (
            contextlib.suppress(sa.exc.IntegrityError),
            self._in_turn(project_id) as connection,
        ):
            if not _has(connection, models.clusters.c.id == id):
                usage.check(connection, project_id, asked, limits or {})
                _check_free(connection, project_id, members)
                connection.execute(sa.insert(models.clusters), cluster)
                if rows:
                    connection.execute(sa.insert(models.members), rows)
                _set_tags(connection, id, tags)
        there = self.get_cluster(id)
        if not _is_same(there, cluster):
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
        found = self._clusters(wanted)
        if not found:
            raise exception.ClusterNotFound(cluster_id)
        return found[0]

    def list_clusters(
        self,
        project_id: str | None = None,
        *,
        name: str | None = None,
        status: states.ClusterStatus | None = None,
        tags: Sequence[str] = (),
        sort: listing.Sort = listing.OLDEST_FIRST,
        limit: int | None = None,
        marker: str | None = None,
        with_deleted: bool = False,
    ) -> tuple[records.ClusterRecord, ...]:
        """Return the clusters of a project, or of all; never held plans.

        ``tags``: those that have all of them. ``sort`` takes the keys in
        ``listing.SORT_KEYS``. ``marker`` is the id of the last one of the
        page before; nothing follows an unknown one.
        """
        wanted = listing.query(
            project_id=project_id,
            name=name,
            status=status,
            tags=tags,
            with_deleted=with_deleted,
        )
        if marker is not None:
            wanted = listing.after(wanted, sort, marker)
        return self._clusters(listing.in_order(wanted, sort).limit(limit))

    @db_connection.again
    def update_cluster(
        self,
        cluster_id: str,
        project_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> records.ClusterRecord:
        """Change what is the tenant's alone; None leaves it as it is.

        No lease is needed: no engine reads it. Raises ClusterNotFound.
        """
        table = models.clusters
        values: dict[str, Any] = {'updated_at': self._clock()}
        if name is not None:
            values['name'] = name
        if metadata is not None:
            values['metadata'] = dict(metadata)
        with self._open().writing() as connection:
            changed = connection.execute(
                sa.update(table)
                .where(
                    table.c.id == cluster_id,
                    table.c.project_id == project_id,
                    table.c.deleted_at.is_(None),
                )
                .values(**values)
            )
            if changed.rowcount != 1:
                raise exception.ClusterNotFound(cluster_id)
            if tags is not None:
                _set_tags(connection, cluster_id, tags)
        return self.get_cluster(cluster_id)

    @db_connection.again
    def set_trust(
        self,
        cluster_id: str,
        before: str | None,
        *,
        trust_id: str | None,
        user_id: str,
    ) -> records.ClusterRecord:
        """Have a cluster worked on by another trust, and be that user's.

        Only while its trust is that from ``before``; else it is returned as
        it is. Raises ClusterNotFound.
        """
        table = models.clusters
        with self._open().writing() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.id == cluster_id, table.c.trust_id == before)
                .values(trust_id=trust_id, user_id=user_id)
            )
        return self.get_cluster(cluster_id)

    @db_connection.again
    def begin_change(
        self,
        cluster_id: str,
        project_id: str,
        change: records.ChangeRecord,
        *,
        more_members: int = 0,
        deadline: datetime.datetime | None = None,
        trust: tuple[str, str] | None = None,
        request_id: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> records.ClusterRecord:
        """Write down that a cluster is to become another one: UPDATING.

        Only if it is ACTIVE; else it is returned as it is. With a ``trust``,
        its id and the user whose it is, it is his, and worked on by that,
        from now on. Raises LimitExceeded, ClusterNotFound.
        """
        table = models.clusters
        values: dict[str, Any] = {
            'status': states.ClusterStatus.UPDATING.value,
            'status_reason': None,
            'error_code': None,
            'change': records.change_to_json(change),
            'changes': table.c.changes + 1,
            'cancel_requested': False,
            'deadline': deadline,
            'request_id': request_id,
            'updated_at': self._clock(),
        }
        if trust is not None:
            values['trust_id'], values['user_id'] = trust
        is_ready = sa.and_(
            table.c.id == cluster_id,
            table.c.project_id == project_id,
            table.c.status == states.ClusterStatus.ACTIVE.value,
            table.c.wanted == states.Wanted.PRESENT.value,
        )
        with self._in_turn(project_id) as connection:
            if _has(connection, is_ready):
                if more_members > 0:
                    asked = {usage.MEMBERS: more_members}
                    usage.check(connection, project_id, asked, limits or {})
                connection.execute(
                    sa.update(table).where(is_ready).values(**values)
                )
        return self.get_cluster(cluster_id, project_id)

    # Held plans

    def get_plan(self, plan_id: str, project_id: str) -> records.ClusterRecord:
        """Return a plan that is held; raises PlanNotFound, PlanExpired."""
        found = self._find_plan(plan_id, project_id)
        if found.claimed_at is not None:
            raise exception.PlanNotFound(plan_id)
        return found

    @db_connection.again
    def claim_plan(
        self,
        plan_id: str,
        project_id: str,
        *,
        user_id: str,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] = (),
        deadline: datetime.datetime | None = None,
        trust_id: str | None = None,
        request_id: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> records.ClusterRecord:
        """Turn a held plan into a cluster that is to be built by it.

        It stays HELD until an engine begins, but does not expire. Said
        again it returns what has become of it. Without a ``name`` it has
        that of the plan. Raises PlanNotFound, PlanExpired, LimitExceeded.
        """
        now = self._clock()
        there = self._find_plan(plan_id, project_id)
        is_open = _is_open_plan(plan_id, now)
        with self._in_turn(project_id) as connection:
            if _has(connection, is_open):
                usage.check(
                    connection, project_id, {usage.CLUSTERS: 1}, limits or {}
                )
                connection.execute(
                    sa.update(models.clusters)
                    .where(is_open)
                    .values(
                        user_id=user_id,
                        name=name or there.name,
                        built_as=name or there.name,
                        metadata=dict(metadata or {}),
                        deadline=deadline,
                        trust_id=trust_id,
                        request_id=request_id,
                        expires_at=None,
                        claimed_at=now,
                        updated_at=now,
                    )
                )
                _set_tags(connection, plan_id, tags)
        return self._find_plan(plan_id, project_id)

    @db_connection.again
    def drop_plan(self, plan_id: str, project_id: str) -> None:
        """Let nobody build a held plan any more: it is to be released.

        Raises PlanNotFound, also when it was claimed, and PlanExpired.
        """
        self.get_plan(plan_id, project_id)
        with self._open().writing() as connection:
            dropped = connection.execute(
                sa.update(models.clusters)
                .where(_is_open_plan(plan_id, self._clock()))
                .values(**_ABSENT)
            )
        if dropped.rowcount != 1:
            raise exception.PlanNotFound(plan_id)

    def _find_plan(
        self, plan_id: str, project_id: str
    ) -> records.ClusterRecord:
        """Return a plan that is held, or what was made of it."""
        try:
            found = self.get_cluster(plan_id, project_id)
        except exception.ClusterNotFound:
            raise exception.PlanNotFound(plan_id) from None
        if found.claimed_at is not None:
            return found
        is_wanted = found.wanted is states.Wanted.PRESENT
        if found.expires_at is None or not is_wanted:
            raise exception.PlanNotFound(plan_id)
        if found.expires_at <= self._clock():
            raise exception.PlanExpired(plan_id)
        if found.status is not states.ClusterStatus.HELD:
            raise exception.PlanNotFound(plan_id)
        return found

    # Limits

    def count_usage(self, project_id: str) -> dict[str, int]:
        """Return what a project has of each of ``usage.RESOURCES``."""
        with self._open().reading() as connection:
            return usage.count(connection, project_id)

    def count_statuses(self) -> dict[str, int]:
        """Return status -> number of clusters, held plans among them."""
        table = models.clusters
        wanted = (
            sa.select(table.c.status, sa.func.count())
            .where(table.c.deleted_at.is_(None))
            .group_by(table.c.status)
        )
        return {row[0]: row[1] for row in self._rows(wanted)}

    def get_limits(self, project_id: str) -> dict[str, int]:
        """Return what was set for this project alone; -1: no limit."""
        table = models.project_limits
        wanted = sa.select(table).where(table.c.project_id == project_id)
        return {row.resource: row.amount for row in self._rows(wanted)}

    @db_connection.again
    def set_limit(
        self, project_id: str, resource: str, amount: int | None
    ) -> None:
        """Limit one project; None: by the configuration again.

        Raises ValueError unless it is one of ``usage.RESOURCES``.
        """
        if resource not in usage.RESOURCES:
            raise ValueError(f'{resource} is not limited')
        table = models.project_limits
        row = {'project_id': project_id, 'resource': resource}
        with self._in_turn(project_id) as connection:
            connection.execute(sa.delete(table).filter_by(**row))
            if amount is not None:
                connection.execute(sa.insert(table), {**row, 'amount': amount})

    @db_connection.again
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

    def count_members(
        self, cluster_ids: Sequence[str]
    ) -> dict[str, tuple[int, int]]:
        """Return for each cluster: how many members, how many ACTIVE."""
        table = models.members
        is_active = table.c.status == states.MemberStatus.ACTIVE.value
        wanted = (
            sa.select(
                table.c.cluster_id,
                sa.func.count(),
                sa.func.count(sa.case((is_active, 1))),
            )
            .where(table.c.cluster_id.in_(cluster_ids), table.c.role.is_(None))
            .group_by(table.c.cluster_id)
        )
        found = {row[0]: (row[1], row[2]) for row in self._rows(wanted)}
        return {each: found.get(each, (0, 0)) for each in cluster_ids}

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

    def get_project_trusts(self, project_id: str) -> frozenset[str]:
        """Return the trusts by which clusters of a project are worked on."""
        table = models.clusters
        wanted = sa.select(table.c.trust_id).where(
            table.c.project_id == project_id,
            table.c.trust_id.is_not(None),
            table.c.status != states.ClusterStatus.DELETED.value,
        )
        return frozenset(row.trust_id for row in self._rows(wanted))

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

    # Upkeep

    @db_connection.again
    def begin_action(
        self,
        cluster_id: str,
        status: states.ClusterStatus,
        *,
        homes: Collection[states.ClusterStatus],
        deadline: datetime.datetime,
        request_id: str | None = None,
        also: Callable[[Any], None] = lambda connection: None,
        **arguments: Any,
    ) -> None:
        """Move a cluster from one of its ``homes`` to what is to be done.

        No lease is needed. Raises WrongStatus if it is in no such home, or
        is not wanted any more; one that is in ``status`` already, by the same
        ``arguments``, stays. ``also`` writes in the same moment.
        """
        table = models.clusters
        there = self.get_cluster(cluster_id)
        asked = {k: v for k, v in (there.action or {}).items() if k != 'home'}
        if there.status is status and asked == arguments:
            return
        moved = 0
        if there.status in homes:
            with self._open().writing() as connection:
                moved = connection.execute(
                    sa.update(table)
                    .where(
                        table.c.id == cluster_id,
                        table.c.status == there.status.value,
                        table.c.wanted == states.Wanted.PRESENT.value,
                    )
                    .values(
                        status=status.value,
                        status_reason=None,
                        error_code=None,
                        action={'home': there.status.value, **arguments},
                        deadline=deadline,
                        request_id=request_id,
                        updated_at=self._clock(),
                    )
                ).rowcount
                if moved == 1:
                    also(connection)
        if moved != 1:
            raise exception.WrongStatus(cluster_id, there.status, homes)

    # Snapshots

    def begin_snapshot(
        self,
        cluster_id: str,
        snapshot_id: str,
        name: str | None,
        **action: Any,
    ) -> None:
        """Write down that one is to be made, as ``begin_action`` does."""
        clusters = models.clusters

        def also(connection: Any) -> None:
            rows_of_snapshots.add(
                connection,
                cluster_id,
                snapshot_id,
                name,
                connection.scalar(
                    sa.select(clusters.c.document).where(
                        clusters.c.id == cluster_id
                    )
                ),
                self._clock(),
            )

        self.begin_action(
            cluster_id,
            states.ClusterStatus.SNAPSHOTTING,
            also=also,
            snapshot=snapshot_id,
            **action,
        )

    def begin_snapshot_removal(
        self, cluster_id: str, snapshot_id: str, **action: Any
    ) -> None:
        """Write down that one is to be removed; not while it is made."""

        def also(connection: Any) -> None:
            rows_of_snapshots.change(
                connection, snapshot_id, states.SnapshotStatus.DELETING
            )

        self.begin_action(
            cluster_id,
            states.ClusterStatus.SNAPSHOTTING,
            also=also,
            snapshot=snapshot_id,
            removal=True,
            **action,
        )

    def get_snapshots(
        self, cluster_id: str
    ) -> tuple[records.SnapshotRecord, ...]:
        """Return a cluster's snapshots, the oldest first."""
        return tuple(
            records.snapshot_from_row(row)
            for row in self._rows(rows_of_snapshots.of_cluster(cluster_id))
        )

    def get_snapshot(self, snapshot_id: str) -> records.SnapshotRecord | None:
        """Return the snapshot of that id, whose ever; None: there is none."""
        found = self._rows(rows_of_snapshots.by_id(snapshot_id))
        return records.snapshot_from_row(found[0]) if found else None

    # Stopping

    def want_absent(self, cluster_id: str) -> None:
        """Have the cluster removed; whoever builds it is to stop.

        No lease is needed. The request to stop is over once it is DELETING.
        """
        self._update(cluster_id, **_ABSENT)

    def want_change_undone(self, cluster_id: str) -> None:
        """Have a change that is under way taken back, if it still can be."""
        with self._open().writing() as connection:
            connection.execute(
                sa.update(models.clusters)
                .where(
                    models.clusters.c.id == cluster_id,
                    models.clusters.c.status
                    == states.ClusterStatus.UPDATING.value,
                )
                .values(cancel_requested=True)
            )

    def is_cancel_requested(self, cluster_id: str) -> bool:
        """Tell whether work on the cluster is to stop; asked often."""
        table = models.clusters
        found = self._rows(
            sa.select(table.c.cancel_requested).where(table.c.id == cluster_id)
        )
        if not found:
            raise exception.ClusterNotFound(cluster_id)
        return bool(found[0].cancel_requested)

    # The lease

    @db_connection.again
    def acquire(
        self, cluster_id: str, owner: str, seconds: float
    ) -> records.Lease:
        """Take the cluster if it is free, expired or the owner's already.

        Every acquisition overrules all earlier leases, the same owner's
        too. Raises ClusterBusy, ClusterNotFound.
        """
        table = models.clusters
        now = self._clock()
        is_free = sa.or_(_has_no_engine(now), table.c.owner == owner)
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

    def unattended(
        self, grace: datetime.timedelta = GRACE
    ) -> tuple[records.ClusterRecord, ...]:
        """Return what needs an engine and has none that lives.

        Clusters in progress; claimed plans that nobody has begun to build;
        those to be removed that nobody has begun to remove: their lease has
        expired, or there is none and nothing was written for ``grace``. And
        held plans that have expired, at once.
        """
        table = models.clusters
        now = self._clock()
        is_expired_plan = sa.and_(
            table.c.expires_at <= now,
            table.c.status != states.ClusterStatus.DELETED.value,
        )
        is_claimed = sa.and_(
            table.c.expires_at.is_(None),
            table.c.status == states.ClusterStatus.HELD.value,
        )
        # A removal that failed stays until it is asked for again.
        is_unwanted = sa.and_(
            table.c.wanted == states.Wanted.ABSENT.value,
            table.c.cancel_requested.is_(True),
            table.c.status != states.ClusterStatus.DELETED.value,
        )
        is_due = sa.or_(
            table.c.status.in_([each.value for each in states.IN_PROGRESS]),
            is_claimed,
            is_unwanted,
        )
        is_silent = sa.or_(
            table.c.owner.is_not(None), table.c.updated_at <= now - grace
        )
        return self._clusters(
            sa.select(table)
            .where(
                _has_no_engine(now),
                sa.or_(is_expired_plan, sa.and_(is_due, is_silent)),
            )
            .order_by(table.c.created_at, table.c.id)
        )

    def held_plans(self) -> tuple[records.ClusterRecord, ...]:
        """Return the plans that somebody may have built, of all projects."""
        table = models.clusters
        return self._clusters(
            sa.select(table)
            .where(_is_open(self._clock()))
            .order_by(table.c.created_at, table.c.id)
        )

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
                _has_no_engine(self._clock()),
                table.c.status.in_([each.value for each in states.SETTLED]),
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

    def _clusters(self, statement: Any) -> tuple[records.ClusterRecord, ...]:
        with self._open().reading() as connection:
            rows = connection.execute(statement).all()
            tags = _get_tags(connection, [row.id for row in rows])
        return tuple(
            records.cluster_from_row(row, tags.get(row.id, ())) for row in rows
        )

    @contextlib.contextmanager
    def _in_turn(self, project_id: str) -> Iterator[Any]:
        """Write while nobody else counts what the project has."""
        table = models.projects
        if not self._rows(sa.select(table.c.id).filter_by(id=project_id)):
            with (
                contextlib.suppress(sa.exc.IntegrityError),
                self._open().writing() as connection,
            ):
                connection.execute(
                    sa.insert(table), {'id': project_id, 'turn': 0}
                )
        with self._open().writing() as connection:
            usage.take_turn(connection, project_id)
            yield connection

    @db_connection.again
    def _update(self, cluster_id: str, **values: Any) -> None:
        with self._open().writing() as connection:
            changed = connection.execute(
                sa.update(models.clusters)
                .where(models.clusters.c.id == cluster_id)
                .values(**values)
            )
            if changed.rowcount != 1:
                raise exception.ClusterNotFound(cluster_id)

    @db_connection.again
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


def _has_no_engine(now: datetime.datetime) -> Any:
    """Hold for clusters that are nobody's, or whose engine has died."""
    table = models.clusters
    return sa.or_(table.c.owner.is_(None), table.c.lease_until < now)


def _is_open_plan(plan_id: str, now: datetime.datetime) -> Any:
    return sa.and_(models.clusters.c.id == plan_id, _is_open(now))


def _is_open(now: datetime.datetime) -> Any:
    """Hold for plans that are held and were not claimed or released."""
    table = models.clusters
    return sa.and_(
        table.c.status == states.ClusterStatus.HELD.value,
        table.c.wanted == states.Wanted.PRESENT.value,
        table.c.expires_at > now,
    )


def _has(connection: Any, condition: Any) -> bool:
    """Tell whether there is such a cluster."""
    found = connection.scalar(sa.select(models.clusters.c.id).where(condition))
    return found is not None


def _is_same(there: records.ClusterRecord, asked: Mapping[str, Any]) -> bool:
    """Tell whether a create that finds its id taken is a repeated one."""
    return (
        there.project_id == asked['project_id']
        and there.is_plan == (asked['expires_at'] is not None)
        and there.document == json.loads(json.dumps(asked['document']))
    )


def _get_tags(
    connection: Any, cluster_ids: Sequence[str]
) -> dict[str, list[str]]:
    """Return the tags of each cluster that has any, in order."""
    table = models.tags
    found: dict[str, list[str]] = {}
    if cluster_ids:
        rows = connection.execute(
            sa.select(table)
            .where(table.c.cluster_id.in_(cluster_ids))
            .order_by(table.c.tag)
        )
        for row in rows:
            found.setdefault(row.cluster_id, []).append(row.tag)
    return found


def _set_tags(connection: Any, cluster_id: str, tags: Iterable[str]) -> None:
    table = models.tags
    connection.execute(sa.delete(table).filter_by(cluster_id=cluster_id))
    rows = [{'cluster_id': cluster_id, 'tag': tag} for tag in {*tags}]
    if rows:
        connection.execute(sa.insert(table), rows)


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
        'facts': dict(member.facts),
        'resource_id': member.resource_id,
        'place': member.place,
    }


def _check_free(
    connection: Any, project_id: str, members: Sequence[records.NewMember]
) -> None:
    """Raise InvalidRequest for real things that another cluster has."""
    wanted = {m.resource_id: m.name for m in members if m.resource_id}
    if not wanted:
        return
    table, clusters = models.members, models.clusters
    rows = connection.execute(
        sa.select(table.c.resource_id, table.c.cluster_id)
        .join(clusters, clusters.c.id == table.c.cluster_id)
        .where(
            clusters.c.project_id == project_id,
            clusters.c.deleted_at.is_(None),
            table.c.resource_id.in_(wanted),
        )
    )
    faults = [
        exception.Fault(
            f'members.{wanted[row.resource_id]}',
            f'{row.resource_id} is a member of cluster {row.cluster_id}',
        )
        for row in rows
    ]
    if faults:
        raise exception.InvalidRequest(faults)
