# SPDX-License-Identifier: Apache-2.0
"""A running cluster on its way to become another one, in one engine's hands.

What is new is built beside what is there; what can be changed in place is;
then, in one moment of the record, the new definition is the cluster's, and
what went out of it is removed. Until that moment all of it can be taken back,
and after it, it is gone on with: whoever finds it half done reads in the
status which of the two is due.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

from heat_vcluster import exception, metrics, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import grouping, model
from heat_vcluster.db import records
from heat_vcluster.engine import (
    base,
    confirming,
    flows,
    proposal,
    reasons,
    snapshots,
)
from heat_vcluster.engine import build as builds
from heat_vcluster.engine.change import CHANGED, OUTDATED, Change
from heat_vcluster.engine.cleanup import Cleanup
from heat_vcluster.members import base as members
from heat_vcluster.spec import difference
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus
Role = records.Role

#: What is removed before all else when a change is taken back.
FIRST = frozenset({model.Kind.FLOATING_IP, model.Kind.SERVER})


class Changing:
    """Carries a change on, or back; ``operation`` has its cluster's lease."""

    def __init__(
        self,
        record: Any,
        outside: cloud.Cloud,
        parts: Any,
        writer: base.Writer,
        prepare: Callable[..., Change],
        cleanup: Callable[[], Cleanup],
        turn: Callable[[], contextlib.AbstractContextManager[None]],
        check_ours: Callable[..., None],
        reason_of: Callable[
            [builds.Build | None, BaseException], BaseException
        ],
        check: Callable[[], None],
    ) -> None:
        self._record = record
        self._cloud = outside
        self._store: base.Store = parts.store
        self._parts = parts
        self._writer = writer
        self._prepare = prepare
        self._cleanup = cleanup
        self._turn = turn
        self._check_ours = check_ours
        self._reason_of = reason_of
        self._check = check

    def carry_on(self) -> None:
        if self._record.status is ClusterStatus.UPDATING:
            self._go_on()
        elif self._record.status is ClusterStatus.REVERTING:
            change = self._change(self._record.change)
            self._take_back(change, reasons.recorded(self._record))
        else:
            self._finish()

    # -- forward ----------------------------------------------------------

    def _go_on(self) -> None:
        change: Change | None = None
        try:
            with self._turn(), metrics.PHASES.labels('change').time():
                change = self._begun()
                self._check_members()
                self._parts.runner.run(flows.change(change), change)
                change.journal.flush()
                change.grow()
                self._writer.commit_change(
                    change.record_of_change,
                    [member.name for member in change.wanted.members],
                )
        except Exception as error:  # whatever it was, it is taken back
            self._check_ours(error)
            self._fail(change, error)
        else:
            self._finish()

    def _fail(self, change: Change | None, error: Exception) -> None:
        decided = self._store.get_cluster(self._record.id).change
        if change is None and decided.is_held:
            change = self._change(decided)  # some of it may be there
        reason = self._reason_of(change, error)
        if change is None:
            self._refuse(reason)
        else:
            self._take_back(change, reason)

    def _begun(self) -> Change:
        """Return the change once all of it is decided and held."""
        decided: records.ChangeRecord = self._record.change
        if decided.is_held:
            return self._change(decided)
        self._cleanup().give_back()
        now = self._look()
        if decided.document is None:
            self._writer.add_event(None, 'update', 'begun')
            decided = self._settled(now)
        change = self._change(decided)
        change.resolve()
        try:
            change.place_all(now)
        except Exception as error:
            self._check_ours(error)
            change.undo_reservation()
            raise
        return change

    def _look(self) -> proposal.Running:
        cluster_id = self._record.id
        domains = self._store.get_domains(cluster_id)
        return proposal.look(
            self._cloud,
            self._store.get_members(cluster_id),
            records.pseudonyms(domains),
        )

    def _settled(self, now: proposal.Running) -> records.ChangeRecord:
        """Decide who goes, and write down who comes."""
        asked: records.ChangeRecord = self._record.change
        document = proposal.settle(
            self._parts.load,
            self._record.document,
            asked.asked,
            asked.remove,
            lambda whole, choices: proposal.choose(
                self._cloud, self._parts.planner, now, whole, choices
            ),
        )
        proposal.check(self._parts.load, self._record.document, document)
        decided = dataclasses.replace(asked, document=document)
        change = self._change(decided)
        change.check_quota()
        self._writer.decide_change(
            decided,
            [
                records.NewMember(name, change.wanted.member(name).type, {})
                for name in change.proposed.coming
            ],
        )
        return decided

    def _change(self, decided: records.ChangeRecord) -> Change:
        """Make the site of a change that was decided.

        Raises InvalidDocument if it cannot be any more.
        """
        rows = self._store.get_members(self._record.id)
        proposed = proposal.compare(
            self._parts.load,
            self._record.document,
            decided.document or {},
            rows,
            self._record.changes,
        )
        change = self._prepare(proposed.new, number=self._record.changes)
        change.take(
            proposed,
            decided,
            rows,
            self._store.get_domains(self._record.id),
        )
        return change

    def _check_members(self) -> None:
        """Raise if a dead engine has seen one of those that come fail."""
        for row in self._store.get_members(self._record.id):
            if row.role is Role.COMING and row.status in base.FAILED:
                raise reasons.interrupted(row)

    def _finish(self) -> None:
        """Confirm what was resized; remove what went out of the definition."""
        self._forget_changes(CHANGED)
        rows = self._store.get_members(self._record.id)
        unconfirmed = confirming.confirm(
            [row for row in rows if row.role is not Role.GOING],
            self._cloud,
            self._writer,
            self._parts.settings,
            self._check_ours,
        )
        for row in rows:
            if row.role is Role.GOING and states.is_allowed(
                row.status, MemberStatus.DELETING
            ):
                self._writer.set_member(
                    row.name,
                    MemberStatus.DELETING,
                    event=('removing', 'it went out of the definition'),
                )
        record = self._store.get_cluster(self._record.id)
        new = self._parts.load(record.document)
        outdated = frozenset(record.change.outdated)
        groups = grouping.sayable(new) - outdated
        cleanup = self._cleanup()
        needed = snapshots.sources(self._store.get_snapshots(self._record.id))
        left = cleanup.sweep(
            self._cloud,
            groups | {r.name for r in rows if r.role is None},
            spare=lambda thing: thing.id in needed,
            recorded=cleanup.recorded(Role.GOING),
        )
        self._check_ours()
        self._tell_kept(rows, needed)
        self._regroup(outdated, new)
        cleanup.note(left)
        note = reasons.remains_of_change(left, unconfirmed=unconfirmed)
        self._writer.add_event(None, 'updated', note or 'it is as asked for')
        if difference.may_drift(record.document):
            self._tell_drift()
        if self._is_delete_next():
            self._writer.set_status(ClusterStatus.DELETING)
            return
        self._writer.end_change(
            note or None, states.LEFTOVERS if note else None
        )

    def _tell_drift(self) -> None:
        """Say which of the new rules do not hold where the members are."""
        try:
            self._check()
        except exception.CloudError as error:
            self._writer.add_event(None, 'not_checked', reasons.words(error))

    def _tell_kept(self, rows: Sequence[Any], needed: frozenset[str]) -> None:
        for row in rows:
            if row.role is Role.GOING and row.resource_id in needed:
                self._writer.add_event(
                    row.name,
                    'kept',
                    f'its volume {row.resource_id} stays until the '
                    'snapshots that it is in are deleted',
                )

    def _regroup(
        self, dropped: frozenset[str], wanted: spec.GroupSpec
    ) -> None:
        """Tell of the servers that were in groups that are dropped."""
        rules = {group.name for group in wanted.groups}
        for row in self._store.get_members(self._record.id):
            told = row.facts.get('server_groups', {})
            if not dropped.isdisjoint(told):
                now = {
                    rule: OUTDATED if rule in dropped else why
                    for rule, why in told.items()
                    if rule in rules
                }
                self._writer.set_member(row.name, facts={'server_groups': now})

    # -- back -------------------------------------------------------------

    def _refuse(self, error: BaseException) -> None:
        """Nothing was begun; say why, and leave the cluster as it is."""
        held = self._cleanup().release_holds()
        self._end(error, reasons.remains_of_change([], held))

    def _take_back(self, change: Change, error: BaseException) -> None:
        """Have exactly the cluster that there was before."""
        if not isinstance(error, exception.VClusterError):
            LOG.error('Cluster %s failed', self._record.id, exc_info=error)
        if self._is_delete_next():
            self._end(error, '')
            return
        self._writer.set_status(
            ClusterStatus.REVERTING, reasons.words(error), reasons.code(error)
        )
        metrics.ROLLBACKS.inc()
        cleanup = self._cleanup()
        old = change.proposed.old
        # Server groups are of rules.
        there = grouping.sayable(old) | {m.name for m in old.members}
        came = cleanup.recorded(Role.COMING)
        with metrics.PHASES.labels('rollback').time():
            held = cleanup.release_holds()
            # Servers first: what they have goes back to those that stay.
            if cleanup.sweep(self._cloud, there, FIRST, recorded=came) == []:
                came = tuple(each for each in came if each.kind not in FIRST)
            stuck = [*change.undo_in_place(), *change.remains()]
            left = cleanup.sweep(self._cloud, there, recorded=came)
        self._check_ours()
        cleanup.note(left)
        self._forget_changes(CHANGED, members.RESIZE)
        self._end(error, reasons.remains_of_change(left, held, stuck))

    def _forget_changes(self, *facts: str) -> None:
        """Let no later change set back what this one has changed."""
        self._writer.set_members(
            {
                row.name: {'facts': dict.fromkeys(facts)}
                for row in self._store.get_members(self._record.id)
                if any(row.facts.get(fact) for fact in facts)
            }
        )

    def _end(self, error: BaseException, note: str) -> None:
        """End as what was before; or let a delete that waits go on."""
        reason = f'The update failed: {reasons.words(error)}'
        whole = '. '.join(part for part in (reason, note) if part)
        self._writer.add_event(None, 'failed', whole)
        if self._is_delete_next():
            self._writer.set_status(
                ClusterStatus.DELETING, whole, reasons.code(error)
            )
        else:
            self._writer.end_change(whole, reasons.code(error))

    def _is_delete_next(self) -> bool:
        record = self._store.get_cluster(self._record.id)
        return (
            record.wanted is states.Wanted.ABSENT
            and not self._parts.stopping.is_set()
        )
