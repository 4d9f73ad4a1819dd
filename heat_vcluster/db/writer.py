# SPDX-License-Identifier: Apache-2.0
"""What an engine may write about the cluster it has the lease of.

Every method is one transaction that first proves the lease: an engine that
was overruled cannot overwrite what its successor found.
"""

from __future__ import annotations

import contextlib
import datetime
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
from heat_vcluster.cloud import model as cloud
from heat_vcluster.db import connection as db_connection
from heat_vcluster.db import models, records, snapshots
from heat_vcluster.placement import model as placement

Clock = Callable[[], datetime.datetime]

#: So many members are asked for by their names; of more, all are read.
FEW = 200


class Writer:
    """Fenced writes to one cluster. All raise LeaseLost once overruled."""

    def __init__(
        self,
        database: db_connection.Database,
        lease: records.Lease,
        clock: Clock,
    ) -> None:
        self.lease = lease
        self._database = database
        self._clock = clock

    # The cluster

    @db_connection.again
    def set_status(
        self,
        status: states.ClusterStatus,
        reason: str | None = None,
        error_code: str | None = None,
    ) -> None:
        """Move the cluster; both words are replaced, None clears them.

        Raises IllegalMove for a move that states.CLUSTER_MOVES lacks.
        """
        with self._fenced() as connection:
            old = connection.scalar(
                sa.select(models.clusters.c.status).where(self._is_cluster)
            )
            _check_move(states.ClusterStatus(old), status)
            values: dict[str, Any] = {
                'status': status.value,
                'status_reason': reason,
                'error_code': error_code,
            }
            if status is states.ClusterStatus.DELETING:
                values['cancel_requested'] = False  # what it was meant for
            if status is states.ClusterStatus.DELETED:
                values['deleted_at'] = self._clock()
            if status not in states.UPKEEP:
                values['action'] = None  # it is over
            self._set_cluster(connection, **values)

    def _move_cluster(
        self, connection: Any, status: states.ClusterStatus, **values: Any
    ) -> None:
        old = connection.scalar(
            sa.select(models.clusters.c.status).where(self._is_cluster)
        )
        _check_move(states.ClusterStatus(old), status)
        self._set_cluster(connection, status=status.value, **values)

    @db_connection.again
    def expire_plan(self) -> bool:
        """Move a held plan to DELETING; False if it was claimed."""
        with self._fenced() as connection:
            expired = connection.execute(
                sa.update(models.clusters)
                .where(
                    self._is_cluster,
                    models.clusters.c.status
                    == states.ClusterStatus.HELD.value,
                    models.clusters.c.expires_at.is_not(None),
                )
                .values(
                    status=states.ClusterStatus.DELETING.value,
                    cancel_requested=False,
                )
            )
            return bool(expired.rowcount == 1)

    @db_connection.again
    def set_plan(self, plan: placement.Plan | None) -> None:
        raw = None if plan is None else records.plan_to_json(plan)
        with self._fenced() as connection:
            self._set_cluster(connection, plan=raw)

    @db_connection.again
    def set_compliance(self, found: Mapping[str, Any]) -> None:
        """Keep what a check found, as it is shown."""
        with self._fenced() as connection:
            self._set_cluster(connection, compliance=dict(found))

    @db_connection.again
    def set_deadline(self, deadline: datetime.datetime | None) -> None:
        with self._fenced() as connection:
            self._set_cluster(connection, deadline=deadline)

    @db_connection.again
    def clear_cancel(self) -> None:
        """Take back a request to stop: what it was meant for is over."""
        with self._fenced() as connection:
            self._set_cluster(connection, cancel_requested=False)

    @db_connection.again
    def set_domains(self, known: Mapping[str, Mapping[str, str]]) -> None:
        """Keep pseudonyms, as scope -> real name -> pseudonym.

        What is kept already stays; ValueError for an attempt to rename.
        """
        with self._fenced() as connection:
            kept = {
                (row.scope, row.real): row.pseudonym
                for row in connection.execute(
                    self._mine(sa.select(models.domains), models.domains)
                )
            }
            fresh = []
            for scope, names in known.items():
                for real, pseudonym in names.items():
                    if kept.get((scope, real), pseudonym) != pseudonym:
                        raise ValueError(f'{scope} {real} has its pseudonym')
                    if (scope, real) not in kept:
                        fresh.append(
                            self._row(
                                scope=scope, real=real, pseudonym=pseudonym
                            )
                        )
            if fresh:
                connection.execute(sa.insert(models.domains), fresh)

    # Adopting, and giving up

    @db_connection.again
    def commit_adoption(self, told: str) -> None:
        """Let what was left alone so far be the cluster's: ACTIVE."""
        with self._fenced() as connection:
            self._move_cluster(
                connection,
                states.ClusterStatus.ACTIVE,
                status_reason=None,
                error_code=None,
                action=None,
            )
            self._set_facts(connection, {records.LEFT_ALONE: None})
            self._add_events(connection, [(None, 'active', told)])

    @db_connection.again
    def begin_release(
        self, reason: str | None = None, error_code: str | None = None
    ) -> None:
        """Let no member be the cluster's any more: RELEASING.

        ``reason``: why it was not adopted. From now on nothing of it is ever
        removed.
        """
        with self._fenced() as connection:
            self._move_cluster(
                connection,
                states.ClusterStatus.RELEASING,
                status_reason=reason,
                error_code=error_code,
                action=None,
                cancel_requested=False,
            )
            self._set_facts(connection, {records.LEFT_ALONE: True})

    def _set_facts(self, connection: Any, facts: Mapping[str, Any]) -> None:
        """Write the same facts of all members."""
        table = models.members
        asked = self._mine(sa.select(table.c.name), table)
        self._write(
            connection,
            [
                records.News(row.name, values={'facts': facts})
                for row in connection.execute(asked)
            ],
        )

    # A change of it

    @db_connection.again
    def decide_change(
        self,
        change: records.ChangeRecord,
        coming: Iterable[records.NewMember],
    ) -> None:
        """Write down what will be, and those members that are to come."""
        rows = [
            self._row(
                name=member.name,
                type=member.type,
                position=position,
                desired=dict(member.desired),
                status=states.MemberStatus.PLANNED.value,
                domains={},
                facts={},
                role=records.Role.COMING.value,
            )
            for position, member in enumerate(coming)
        ]
        with self._fenced() as connection:
            self._set_cluster(
                connection, change=records.change_to_json(change)
            )
            if rows:
                connection.execute(sa.insert(models.members), rows)

    @db_connection.again
    def set_change(self, change: records.ChangeRecord) -> None:
        with self._fenced() as connection:
            self._set_cluster(
                connection, change=records.change_to_json(change)
            )

    @db_connection.again
    def commit_change(
        self, change: records.ChangeRecord, order: Sequence[str]
    ) -> None:
        """Let what was decided be the cluster, all in one moment.

        ``order`` names those that are its members from now on; all others
        are going. Raises IllegalMove as ``set_status`` does.
        """
        document = dict(change.document or {})
        with self._fenced() as connection:
            before = connection.scalar(
                sa.select(models.clusters.c.document).where(self._is_cluster)
            )
            values: dict[str, Any] = {'document': document}
            if change.plan is not None:
                values['plan'] = records.plan_to_json(change.plan)
            if document.get('name') not in (None, before.get('name')):
                values['name'] = document['name']
            self._move_cluster(
                connection, states.ClusterStatus.FINISHING, **values
            )
            table = models.members
            mine = self._mine(sa.update(table), table)
            connection.execute(mine.values(role=records.Role.GOING.value))
            for position, name in enumerate(order):
                connection.execute(
                    mine.where(table.c.name == name).values(
                        role=None, position=position
                    )
                )

    @db_connection.again
    def end_change(
        self, reason: str | None = None, error_code: str | None = None
    ) -> None:
        """Forget a change, and whoever was coming or going in it: ACTIVE."""
        with self._fenced() as connection:
            self._move_cluster(
                connection,
                states.ClusterStatus.ACTIVE,
                status_reason=reason,
                error_code=error_code,
                change=None,
                cancel_requested=False,
            )
            table = models.members
            connection.execute(
                self._mine(sa.delete(table), table).where(
                    table.c.role.is_not(None)
                )
            )

    # Its members

    @db_connection.again
    def set_member(
        self,
        name: str,
        status: states.MemberStatus | None = None,
        *,
        event: tuple[str, str] | None = None,
        **values: Any,
    ) -> None:
        """Write what became of a member; KeyError if there is none.

        ``values`` are its ``reason``, ``resource_id``, ``place``,
        ``domains`` and ``facts``: these go over those that are there, key
        by key; a value None drops its key. ``event`` is a kind and a message
        to note with it. Raises IllegalMove as ``set_status`` does.
        """
        self._tell([records.News(name, status, event, values)])

    @db_connection.again
    def set_members(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Write about many members at once, all or nothing.

        ``changes`` are what ``set_member`` takes, by the member's name.
        """
        self._tell([_news(name, **values) for name, values in changes.items()])

    @db_connection.again
    def tell(self, news: Sequence[records.News]) -> None:
        """Write what became of members, in this order, all or nothing.

        Raises as ``set_member`` does.
        """
        self._tell(news)

    def _tell(self, news: Sequence[records.News]) -> None:
        with self._fenced() as connection:
            self._write(connection, news)

    def _write(self, connection: Any, news: Sequence[records.News]) -> None:
        by_kind: dict[frozenset[str], list[dict[str, Any]]] = {}
        for name, values in self._changed(connection, news).items():
            by_kind.setdefault(frozenset(values), []).append(
                {'its_name': name, **values}
            )
        for kind, rows in by_kind.items():
            connection.execute(
                self._mine(sa.update(models.members), models.members)
                .where(models.members.c.name == sa.bindparam('its_name'))
                .values({key: sa.bindparam(key) for key in kind}),
                rows,
            )
        self._add_events(
            connection,
            [(each.member, *each.event) for each in news if each.event],
        )

    def _changed(
        self, connection: Any, news: Sequence[records.News]
    ) -> dict[str, dict[str, Any]]:
        """Return what is to be written of each member in the end."""
        names = {
            each.member
            for each in news
            if each.member is not None
            and (each.status is not None or each.values)
        }
        known = self._known(connection, names)
        changed: dict[str, dict[str, Any]] = {}
        for each in news:
            if each.member not in names:
                continue
            assert each.member is not None  # noqa: S101  (names has none)
            status, facts = known[each.member]
            values = dict(each.values)
            if each.status is not None:
                _check_move(status, each.status)
                values['status'] = each.status.value
                status = each.status
            if 'facts' in values:
                facts = values['facts'] = _merge(facts, values['facts'])
            known[each.member] = status, facts
            if values:
                changed.setdefault(each.member, {}).update(values)
        return changed

    def _known(
        self, connection: Any, names: Collection[str]
    ) -> dict[str, tuple[states.MemberStatus, Mapping[str, Any]]]:
        """Return the status and the facts of members; KeyError for others."""
        if not names:
            return {}
        table = models.members
        asked = self._mine(
            sa.select(table.c.name, table.c.status, table.c.facts), table
        )
        if len(names) <= FEW:
            asked = asked.where(table.c.name.in_(names))
        known = {
            row.name: (states.MemberStatus(row.status), row.facts)
            for row in connection.execute(asked)
        }
        for name in names:
            known[name]  # there has to be one
        return known

    # Its holds

    @db_connection.again
    def add_holds(self, holds: Iterable[cloud.Hold]) -> None:
        """Write holds down, before the room is asked for.

        One that is there by its id is replaced.
        """
        now = self._clock()
        rows = [
            self._row(
                id=hold.id,
                member=hold.member,
                place=hold.place,
                resources=dict(hold.resources),
                state=records.HoldState.HELD.value,
                created_at=now,
            )
            for hold in holds
        ]
        if not rows:
            return
        with self._fenced() as connection:
            connection.execute(
                self._mine(sa.delete(models.holds), models.holds).where(
                    models.holds.c.id.in_([row['id'] for row in rows])
                )
            )
            connection.execute(sa.insert(models.holds), rows)

    @db_connection.again
    def drop_holds(self, hold_ids: Iterable[str]) -> None:
        """Write down that the room was given back; unknown ids pass."""
        ids = list(hold_ids)
        if not ids:
            return
        with self._fenced() as connection:
            connection.execute(
                self._mine(sa.update(models.holds), models.holds)
                .where(models.holds.c.id.in_(ids))
                .values(state=records.HoldState.RELEASED.value)
            )

    # Its snapshots

    @db_connection.again
    def set_snapshot(
        self,
        snapshot_id: str,
        status: states.SnapshotStatus,
        reason: str | None = None,
        parts: Iterable[records.SnapshotPart] | None = None,
    ) -> None:
        """Write what became of a snapshot; no ``parts``: they stay."""
        with self._fenced() as connection:
            snapshots.change(connection, snapshot_id, status, reason, parts)

    @db_connection.again
    def drop_snapshot(self, snapshot_id: str | None = None) -> None:
        """Forget one; with None all: nothing is left of them."""
        cluster_id = self.lease.cluster_id
        with self._fenced() as connection:
            snapshots.remove(connection, cluster_id, snapshot_id)

    # What is left, what happened

    @db_connection.again
    def add_leftover(
        self, kind: str, thing_id: str, member: str | None, reason: str
    ) -> None:
        """Write down what could not be removed; the last reason stays."""
        with self._fenced() as connection:
            self._remove_leftover(connection, kind, thing_id)
            connection.execute(
                sa.insert(models.leftovers),
                self._row(
                    kind=str(kind),
                    thing_id=thing_id,
                    member=member,
                    reason=reason,
                    at=self._clock(),
                ),
            )

    @db_connection.again
    def remove_leftover(self, kind: str, thing_id: str) -> None:
        """It is gone after all; unknown is no error."""
        with self._fenced() as connection:
            self._remove_leftover(connection, kind, thing_id)

    @db_connection.again
    def clear_leftovers(self) -> None:
        with self._fenced() as connection:
            connection.execute(
                self._mine(sa.delete(models.leftovers), models.leftovers)
            )

    @db_connection.again
    def add_event(self, member: str | None, kind: str, message: str) -> None:
        """Note what happened, now. ``member`` None: to the whole cluster."""
        with self._fenced() as connection:
            self._add_events(connection, [(member, kind, message)])

    def _add_events(
        self, connection: Any, events: Sequence[tuple[str | None, str, str]]
    ) -> None:
        if not events:
            return
        now = self._clock()
        connection.execute(
            sa.insert(models.events),
            [
                self._row(
                    at=now, member=member, kind=str(kind), message=message
                )
                for member, kind, message in events
            ],
        )

    # Below

    @contextlib.contextmanager
    def _fenced(self) -> Iterator[Any]:
        with self._database.writing() as connection:
            # The update locks the row: rivals for the lease wait for us.
            proof = connection.execute(
                sa.update(models.clusters)
                .where(
                    self._is_cluster,
                    models.clusters.c.owner == self.lease.owner,
                    models.clusters.c.fence == self.lease.fence,
                )
                .values(updated_at=self._clock())
            )
            if proof.rowcount != 1:
                raise exception.LeaseLost(
                    f'Cluster {self.lease.cluster_id} has another engine now'
                )
            yield connection

    @property
    def _is_cluster(self) -> Any:
        return models.clusters.c.id == self.lease.cluster_id

    def _set_cluster(self, connection: Any, **values: Any) -> None:
        connection.execute(
            sa.update(models.clusters).where(self._is_cluster).values(**values)
        )

    def _mine(self, statement: Any, table: Any) -> Any:
        return statement.where(table.c.cluster_id == self.lease.cluster_id)

    def _row(self, **values: Any) -> dict[str, Any]:
        return {'cluster_id': self.lease.cluster_id, **values}

    def _remove_leftover(
        self, connection: Any, kind: str, thing_id: str
    ) -> None:
        connection.execute(
            self._mine(sa.delete(models.leftovers), models.leftovers).where(
                models.leftovers.c.kind == str(kind),
                models.leftovers.c.thing_id == thing_id,
            )
        )


def _news(
    name: str,
    status: states.MemberStatus | None = None,
    event: tuple[str, str] | None = None,
    **values: Any,
) -> records.News:
    return records.News(name, status, event, values)


def _check_move(
    old: states.ClusterStatus | states.MemberStatus,
    new: states.ClusterStatus | states.MemberStatus,
) -> None:
    if not states.is_allowed(old, new):
        raise exception.IllegalMove(f'{old} may not become {new}')


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**old, **new}
    return {key: value for key, value in merged.items() if value is not None}
