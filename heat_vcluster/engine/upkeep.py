# SPDX-License-Identifier: Apache-2.0
"""What is done about a cluster that is built: checked, for a start.

Each verb is a status of the cluster while it is done; at its end the cluster
is what it was before, or what was asked for, and its reason tells a failure.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import (
    base,
    build,
    flows,
    healing,
    inspection,
    power,
    reasons,
    repairing,
    snapshots,
    telling,
)
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine import runner as runners
from heat_vcluster.engine.cleanup import Cleanup
from heat_vcluster.members import base as members
from heat_vcluster.placement import moves, pseudonyms
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

#: The fact of a member whose server we have asked to be moved.
MOVING = 'moving'
#: What is missing where the compute service forbids a move.
RIGHTS = (
    'repairs need a right that this cloud has not given to the service: its '
    'operator guide tells which'
)

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Upkeep:
    """One cluster that is built, in the hands of one engine."""

    record: Any
    wanted: spec.GroupSpec
    cloud: cloud.Cloud
    planner: base.Planner
    store: base.Store
    writer: base.Writer
    signal: leases.Signal
    settings: base.Settings
    runner: runners.Runner
    prepare: Callable[[], build.Build]
    cleanup: Callable[[], Cleanup]

    @property
    def home(self) -> ClusterStatus:
        """What the cluster was when the verb was asked for."""
        return home_of(self.record)

    def run(self) -> ClusterStatus:
        """Do what the status says; return what the cluster is then."""
        return _VERBS[self.record.status](self)

    # -- power ------------------------------------------------------------

    def change_power(self) -> ClusterStatus:
        wish = power.WISHES[self.record.status]
        self.writer.add_event(None, wish.power, 'begun')
        self.runner.run(
            flows.change_power(
                power.Change(
                    wish,
                    self.wanted,
                    self.store.get_members(self.record.id),
                    self.cloud,
                    self.writer,
                    self.signal,
                    self.settings.poll_interval,
                )
            )
        )
        self.writer.add_event(None, wish.power, 'done')
        return wish.home

    # -- snapshots --------------------------------------------------------

    def snapshot(self) -> ClusterStatus:
        """Make a snapshot, or remove one, as its own record says."""
        found = self.store.get_snapshot(self.record.action['snapshot'])
        if found is not None:  # else whoever died had removed it
            snapshots.Snapshotting(
                self.record,
                found,
                self.wanted,
                self.cloud,
                self.store,
                self.writer,
                self.signal,
                self.settings.poll_interval,
                self.runner,
                self.cleanup,
            ).carry_on()
        return self.home

    # -- check ------------------------------------------------------------

    def check(self) -> ClusterStatus:
        self.writer.add_event(None, 'check', 'begun')
        self.keep(self.inspect())
        return self.home

    def inspect(
        self, check: Callable[[], None] | None = None
    ) -> inspection.Finding:
        """Look at everything; nothing is changed. ``check`` may stop it."""
        check = check or self.signal.check
        look = inspection.Inspection(
            self.record.id,
            self.wanted,
            self.store.get_members(self.record.id),
            self.cloud,
            self.planner,
            self.home,
        )
        check()
        self.runner.run(flows.inspect(look, check))
        check()
        return look.conclude()

    def keep(self, found: inspection.Finding) -> None:
        """Let the record follow what was found, and tell of it."""
        named = pseudonyms.assign(found.places, found.snapshot, self._known())
        self.writer.set_domains(build.by_scope(named.known))
        self.writer.set_plan(pseudonyms.disguise(found.plan, named.known))
        self.writer.set_members(
            {
                row.name: self._changes(row, found, named.of_member)
                for row in self._rows()
            }
        )
        for row in self._rows():
            if row.type == 'server' and row.name not in found.faults:
                self._tell_domains(row)
        shown = inspection.show(found, self.wanted, named.known, now())
        self.writer.set_compliance(shown)
        self._tell(shown)

    def _rows(self) -> list[Any]:
        """Return what is on record of the members; some may be going."""
        there = {member.name for member in self.wanted.members}
        rows = self.store.get_members(self.record.id)
        return [row for row in rows if row.name in there]

    def _changes(
        self,
        row: Any,
        found: inspection.Finding,
        domains: Mapping[str, Mapping[str, str]],
    ) -> dict[str, Any]:
        fault = found.faults.get(row.name)
        return {
            'facts': _told(row),
            'status': MemberStatus.ERROR if fault else self._well(row),
            'reason': fault,
            'place': found.places.get(row.name),
            'domains': dict(domains.get(row.name, {})),
        }

    def _tell_domains(self, row: Any) -> None:
        """Let a server that was moved know where it is."""
        if row.domains in ({}, row.facts.get(members.TOLD) or row.domains):
            return
        if telling.tell_domains(
            self.cloud, self.writer, row.name, row.resource_id, row.domains
        ):
            self.writer.set_member(
                row.name, facts={members.TOLD: dict(row.domains)}
            )

    def _well(self, row: Any) -> MemberStatus:
        if row.type != 'server':
            return MemberStatus.ACTIVE
        return inspection.WELL[inspection.SERVER_STATUS[self.home]]

    # -- repair -----------------------------------------------------------

    def repair(self) -> ClusterStatus:
        """Move servers, one after the other, until all rules hold.

        Each move is safe, so that one that fails, or an engine that dies,
        leaves no rule broken more than before.
        """
        self.writer.add_event(None, 'repair', 'begun')
        if (self.record.action or {}).get('rebuild'):
            return self._rebuild()
        rows = self.store.get_members(self.record.id)
        servers = {row.name: row.resource_id for row in rows}
        for row in rows:
            if MOVING in row.facts:  # by an engine that died
                self._await_move(row.resource_id)
                self.writer.set_member(row.name, facts={MOVING: None})
        found = self.inspect()
        self.keep(found)
        planned = repairing.plan(
            self.record.id, self.wanted, self.cloud, self.planner, found
        )
        try:
            for move in planned.moves:
                self._move(move, servers[move.member])
        finally:
            if planned.moves:
                self.keep(self.inspect(lambda: None))
        return self.home

    def _rebuild(self) -> ClusterStatus:
        """Make servers again where the rules hold, instead of moving them.

        With them those that are lost: by an attempt that failed, say.
        """
        self.cut_off(self.prepare())
        found = self.inspect()
        self.keep(found)
        again, _ = healing.sort(
            self.wanted, found.lost, self.store.get_members(self.record.id)
        )
        planned = repairing.plan(
            self.record.id, self.wanted, self.cloud, self.planner, found
        )
        again |= {move.member for move in planned.moves}
        if again:
            self._make_again(again)
            self.keep(self.inspect())
        return self.home

    def _move(self, move: moves.Move, server_id: str) -> None:
        self.signal.check()
        self.writer.set_member(
            move.member, facts={MOVING: True}, event=('move', 'begun')
        )
        try:
            self.cloud.migrate(
                server_id, move.target, live=not self.record.action.get('cold')
            )
            self._await_move(server_id)
            seat = self.cloud.locate(server_id)
        except exception.CloudForbidden as error:
            raise exception.MemberFailed(
                move.member, f'{error}; {RIGHTS}', code=error.code
            ) from error
        except exception.CloudError as error:
            raise exception.MemberFailed(
                move.member, str(error), code=error.code
            ) from error
        self.writer.set_member(move.member, facts={MOVING: None})
        if seat is None or seat.host != move.target:
            raise exception.MemberFailed(
                move.member, 'the compute service did not move its server'
            )
        self.writer.add_event(move.member, 'move', 'done')

    def _await_move(self, server_id: str) -> None:
        while self.cloud.is_moving(server_id):
            self.signal.check()
            self.signal.sleep(self.settings.poll_interval)

    # -- heal -------------------------------------------------------------

    def heal(self) -> ClusterStatus:
        """Make servers that are lost again, by the rules as they are.

        What another engine had half made is removed first. A cluster of
        which something cannot be healed is told of at the end, when all
        else is.
        """
        self.writer.add_event(None, 'heal', 'begun')
        self.cut_off(self.prepare())
        found = self.inspect()
        self.keep(found)
        again, hopeless = healing.sort(
            self.wanted, found.lost, self.store.get_members(self.record.id)
        )
        if again:
            self._make_again(again)
            self.keep(self.inspect())
        if hopeless:
            name, reason = next(iter(hopeless.items()))
            raise exception.MemberFailed(name, reason)
        return self.home

    def _make_again(self, again: frozenset[str]) -> None:
        self.writer.set_members(
            {
                row.name: healing.begun(row)
                for row in self.store.get_members(self.record.id)
                if row.name in again
            }
        )
        made = self.prepare()
        made.load(
            self.store.get_members(self.record.id),
            self.store.get_domains(self.record.id),
            again,
        )
        try:
            self.runner.run(flows.heal(made), made)
            made.journal.flush()
        except Exception as failure:
            if made.abandoned.is_set():
                raise
            error = made.cause or self.signal.reason or flows.cause(failure)
            self._leave(made, error)
            raise error from failure
        self.writer.set_members(dict.fromkeys(again, healing.FINISHED))

    def _leave(self, made: build.Build, error: BaseException) -> None:
        """Remove what is half made, and say how the cluster is now."""
        LOG.warning('Healing of %s failed: %s', self.record.id, error)
        self.cleanup().release_holds()
        self.cut_off(made, reasons.words(error))
        try:
            self.keep(self.inspect(lambda: None))
        except exception.CloudError as trouble:
            LOG.warning('%s cannot be looked at: %s', self.record.id, trouble)

    def cut_off(self, made: build.Build, reason: str | None = None) -> None:
        """Remove what is half made of members; they are in ERROR then.

        Of one that is still PLANNED nothing was made: what is there is what
        was there before.
        """
        rows = self.store.get_members(self.record.id)
        half_made = [row for row in rows if healing.is_half_made(row)]
        if half_made:
            self.cleanup().give_back()
        for row in half_made:
            if row.status is not MemberStatus.PLANNED:
                try:
                    made.remove(row.name, {model.Kind.SERVER})
                except exception.VClusterError as trouble:
                    LOG.warning(
                        '%s of %s: %s', row.name, self.record.id, trouble
                    )
        self.writer.set_members(healing.given_up(rows, reason))

    def _known(self) -> dict[tuple[str, str], str]:
        return records.pseudonyms(self.store.get_domains(self.record.id))

    def _tell(self, shown: Mapping[str, Any]) -> None:
        for fault in shown['members']:
            self.writer.add_event(fault['member'], 'degraded', fault['reason'])
        for rule in shown['rules']:
            self.writer.add_event(None, 'drifted', words_of(rule))
        self.writer.add_event(None, 'checked', shown['status'])


def _told(row: Any) -> dict[str, Any]:
    """Return what a server has been told of its place, before it is another.

    At first that is where it was made.
    """
    if row.type != 'server':
        return {}
    return {members.TOLD: row.facts.get(members.TOLD) or dict(row.domains)}


def home_of(record: Any) -> ClusterStatus:
    return ClusterStatus((record.action or {}).get('home', 'ACTIVE'))


def words_of(rule: Mapping[str, Any]) -> str:
    """Say which rule does not hold, for whom and where."""
    where = f' ({", ".join(rule["where"])})' if rule['where'] else ''
    return (
        f'{rule["policy"]} group {rule["group"]} does not hold for '
        f'{", ".join(rule["members"])}{where}'
    )


def failed(record: Any, error: BaseException) -> str:
    """Say that what was asked for could not be done, and why."""
    if isinstance(error, exception.Interrupted):
        words = 'its engine died while it was at work; ask for it again'
    else:
        words = reasons.words(error)
    return f'{NAMES[record.status]}: {words}'


def now() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return now.isoformat(timespec='milliseconds')


_VERBS = {
    ClusterStatus.CHECKING: Upkeep.check,
    ClusterStatus.HEALING: Upkeep.heal,
    ClusterStatus.REPAIRING: Upkeep.repair,
    ClusterStatus.SNAPSHOTTING: Upkeep.snapshot,
    **dict.fromkeys(power.WISHES, Upkeep.change_power),
}

#: The verb that leads to a status.
NAMES = {
    ClusterStatus.CHECKING: 'check',
    ClusterStatus.HEALING: 'heal',
    ClusterStatus.REPAIRING: 'repair',
    ClusterStatus.SNAPSHOTTING: 'snapshot',
    **{status: str(wish.power) for status, wish in power.WISHES.items()},
}
