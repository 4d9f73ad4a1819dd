# SPDX-License-Identifier: Apache-2.0
"""One cluster being changed: what comes is built among those that stay."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from heat_vcluster import exception, metrics, states
from heat_vcluster.cloud import grouping, model
from heat_vcluster.db import records
from heat_vcluster.engine import build as builds
from heat_vcluster.engine import (
    decision,
    landing,
    proposal,
    reasons,
    removal,
)
from heat_vcluster.members import base as members
from heat_vcluster.members import server
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

T = TypeVar('T')

#: The fact that a member that runs is being changed: written down before.
CHANGED = 'changed'
#: Why a rule that changes has no server group any more.
OUTDATED = 'the rule has changed since its servers were made'


class Change(builds.Build):
    """The site of one change: members that come, among those that stay."""

    def __init__(self, *parts: Any, number: int) -> None:
        super().__init__(*parts)
        self.failing = states.ClusterStatus.REVERTING
        self._number = number
        self._is_undoing = False
        self._record: records.ChangeRecord | None = None
        self._now: proposal.Running | None = None
        self._before = placement.Snapshot((), ())
        self._worked: set[int] = set()  # batches with servers resized now

    # -- what it is about -------------------------------------------------

    def take(
        self,
        proposed: proposal.Proposal,
        record: records.ChangeRecord,
        rows: Sequence[records.MemberRecord],
        domains: Iterable[records.DomainRecord],
    ) -> None:
        """Go on from what is on record of a change that was decided."""
        self.proposed = proposed
        self.wanted = proposed.new
        self._record = record
        self.load(rows, domains)
        assert self._snapshot is not None  # noqa: S101  (it was loaded)
        self._before = self._snapshot
        self._take_up_resizes()
        ready = self._finished & frozenset(proposed.coming)
        self._finished = ready | frozenset(proposed.staying)

    def _take_up_resizes(self) -> None:
        """Know again where those are to be that get another flavor."""
        places = dict(self._plan.placement)
        for name in self.proposed.resizing:
            fact = self.facts(name).get(members.RESIZE) or {}
            if 'place' in fact:
                places[name] = fact['place']
                self._domains[name] = fact['domains']
        self._plan = dataclasses.replace(self._plan, placement=places)

    def resolve(self) -> None:
        """Find out what the names mean, of what is touched by the change."""
        self._signal.check()
        if hasattr(self, 'resolution'):
            return
        with metrics.PHASES.labels('resolve').time():
            self.resolution = self._resolved()

    def _resolved(self) -> model.Resolution:
        found = proposal.resolve(
            self.cloud, self.proposed.new, self._unchanged()
        )
        before = incarnations.only(
            _with_new_flavors(self.proposed),
            [each.member for each in self.proposed.in_place],
        )
        if before.members:
            known = self.cloud.resolve(before, is_begun=True)
            found = _with_names(found, known)
        if not self._is_undoing:
            proposal.check_disks(self.proposed, found)
        return found

    def _unchanged(self) -> frozenset[str]:
        changed = {each.member for each in self.proposed.in_place}
        return frozenset(self.proposed.staying) - changed

    def check_quota(self) -> None:
        """Raise InvalidDocument if what comes would be over a quota."""
        fresh = incarnations.only(self.proposed.new, self.proposed.coming)
        if fresh.members:
            self.cloud.resolve(fresh, is_begun=False)

    def _type_of(self, member: str) -> str:
        for wanted in (self.proposed.new, self.proposed.old):
            with contextlib.suppress(KeyError):
                return wanted.member(member).type
        raise KeyError(member)

    def server_group(self, member: str) -> str | None:
        """As ever, but the group of a rule that changes holds the old one."""
        group = self.resolution.grouping.of(member)
        if group is not None and group.rule in self._outdated:
            self._tell_ungrouped(group.rule, OUTDATED)
            return None
        return super().server_group(member)

    @functools.cached_property
    def _outdated(self) -> frozenset[str]:
        """The rules that have a server group that says another one."""
        old, new = self.proposed.old, self.proposed.new
        return grouping.sayable(old) - grouping.lasting(old, new)

    # -- places -----------------------------------------------------------

    def place_all(self, now: proposal.Running) -> None:
        """Decide where what comes is to be, and hold all of it."""
        self._now = now
        if self.proposed.fates.touches_placement:
            self._reserve_unless_drifted()
            self._note_resizes()
        self._record = dataclasses.replace(
            self.record_of_change,
            is_held=True,
            outdated=tuple(sorted(self._outdated)),
        )
        self._writer.set_change(self._record)

    def _reserve_unless_drifted(self) -> None:
        try:
            self.reserve(states.ClusterStatus.UPDATING)
        except exception.NoValidPlacement:
            if not self.proposed.may_drift:
                raise

    def _decide_all(self) -> decision.Decision:
        assert self._now is not None  # noqa: S101  (place_all came first)
        return proposal.decide(
            self.cloud,
            self._planner,
            self.proposed,
            self._now,
            self.resolution,
            seed=self.cluster_id,
            used=self._used(),
            check=self._signal.check,
        )

    def _without_place(
        self, demands: Sequence[placement.Demand]
    ) -> Sequence[placement.Demand]:
        fresh = {*self.proposed.coming, *self.proposed.resizing}
        return [demand for demand in demands if demand.member in fresh]

    def _is_to_be(self, member: str) -> bool:
        return member not in self.proposed.resizing

    def _is_unbuilt(self, member: str) -> bool:
        if member in self.proposed.resizing:
            return 'flavor' not in self.facts(member).get(members.RESIZE, {})
        return super()._is_unbuilt(member)

    def _hold_again(self, demands: Sequence[placement.Demand]) -> None:
        """As ever; who is resized may find room elsewhere by himself."""
        for demand in demands:
            if demand.member in self.proposed.resizing:
                self._hold(self._plan, [demand])
        super()._hold_again(
            [d for d in demands if d.member not in self.proposed.resizing]
        )

    def _note_resizes(self) -> None:
        """Keep where those are to be that get another flavor."""
        for name in self.proposed.resizing:
            if self.place(name) is not None:
                self._note_resize(name)

    def _note_resize(self, member: str) -> None:
        fact = {
            **(self.facts(member).get(members.RESIZE) or {}),
            'place': self.place(member),
            'domains': dict(self.domains(member)),
        }
        self.record(member, **{members.RESIZE: fact})

    def _write_plan(self, disguised: placement.Plan) -> None:
        """Keep it with the change: the cluster has its own until then."""
        self._record = dataclasses.replace(
            self.record_of_change, plan=disguised
        )
        self._writer.set_change(self._record)

    @property
    def record_of_change(self) -> records.ChangeRecord:
        assert self._record is not None  # noqa: S101
        return self._record

    # -- in place ---------------------------------------------------------

    def is_late(self, step: members.Step) -> bool:
        """Tell whether a step has to wait for what others give up."""
        if step.name != server.ATTACHMENTS:
            return False
        asked = self.wanted.member(step.member).spec
        given_up = {
            attachment.volume
            for member in self.proposed.old.members
            if isinstance(member.spec, spec.ServerSpec)
            for attachment in member.spec.volumes
        }
        return isinstance(asked, spec.ServerSpec) and any(
            attachment.volume in given_up for attachment in asked.volumes
        )

    @property
    def stages(self) -> int:
        """Return in how many stages it goes: the batches, and the rest."""
        return len(self.proposed.batches) + 1

    def stage_of(self, member: str) -> int:
        for stage, batch in enumerate(self.proposed.batches):
            if member in batch:
                return stage
        return len(self.proposed.batches)

    def _stage_of_running(self, member: str) -> int:
        """Return when one that runs is changed: with whoever replaces it."""
        name = incarnations.shown(member)
        for stage, batch in enumerate(self.proposed.batches):
            if name in map(incarnations.shown, batch):
                return stage
        return len(self.proposed.batches)

    def change_in_place(self, stage: int) -> None:
        """Change those that stay; what each was is known by its document."""
        pairs = [
            each
            for each in self.proposed.in_place
            if self._stage_of_running(each.member) == stage
        ]
        for each in pairs:
            self._signal.check()
            self.record(each.member, **{CHANGED: True})
        self._apply(pairs)
        for each in pairs:
            self._resize(each, stage)
        for each in pairs:
            self.tell(each.member, 'changed', 'it is changed in place')

    def _resize(self, each: proposal.InPlace, stage: int) -> None:
        """Resize one server, and see that it is where it may be."""
        if each.member not in self.proposed.resizing:
            return
        self._worked.add(stage)
        self._one(each, 'resize')
        self._named(each.member, lambda: self._land(each.member))

    def _land(self, member: str) -> None:
        """Go by where a resized server is, if all strict rules hold there.

        The compute service has chosen it. Raises MemberFailed.
        """
        seat = self.cloud.locate(self.facts(member)['server_id'])
        if seat is None:
            raise exception.MemberFailed(
                member, 'it cannot be told where its server was resized'
            )
        if seat.host == self.place(member):
            return
        found = landing.judge(
            self.cloud,
            self._planner,
            self.proposed.new,
            self.resolution.demands,
            self._before,
            {**self._plan.placement, member: seat.host},
            seat.host,
            self._servers(),
        )
        if found.broken:
            raise exception.MemberFailed(
                member,
                'the compute service put its resized server where '
                f'{", ".join(found.broken)} would not hold',
            )
        self._keep(found.plan, found.snapshot)
        self._note_resize(member)
        self.tell(
            member,
            'moved',
            'the compute service resized it at another place than planned, '
            'where the rules hold too',
        )

    def _servers(self) -> frozenset[str]:
        return frozenset(
            facts['server_id']
            for facts in self._facts.values()
            if facts.get('server_id')
        )

    def end_batch(self, stage: int, has_work: bool) -> None:
        """Pause before the next batch, unless it was over long ago."""
        has_work = has_work or stage in self._worked
        if not has_work or stage == len(self.proposed.batches) - 1:
            return
        policy = self.proposed.document['update_policy']
        until = time.monotonic() + policy.get('pause_seconds', 0)
        self._writer.add_event(
            None, 'batch', f'batch {stage + 1} is in service'
        )
        while (left := until - time.monotonic()) > 0:
            self._signal.check()
            self._signal.sleep(min(left, 1.0))

    def _apply(self, pairs: Sequence[proposal.InPlace]) -> None:
        for verb in ('let_go', 'change'):
            for each in pairs:
                self._one(each, verb)

    def _one(self, each: proposal.InPlace, verb: str) -> None:
        kind = members.member_type(self._type_of(each.member))
        self._named(
            each.member,
            lambda: getattr(kind, verb)(
                self, each.member, each.before, each.after
            ),
        )

    def _named(self, member: str, work: Callable[[], None]) -> None:
        """Do it; let what goes wrong name the member."""
        try:
            if not self._is_undoing:
                self._signal.check()
            work()
        except (
            exception.Cancelled,
            exception.LeaseLost,
            exception.MemberFailed,
        ):
            raise
        except Exception as error:
            if not isinstance(error, exception.VClusterError):
                LOG.exception('Changing %s failed', member)
            raise exception.MemberFailed(
                member, reasons.words(error), code=reasons.code(error)
            ) from error

    def grow(self) -> None:
        """Do what cannot be undone, when all else is done."""
        for each in self.proposed.in_place:
            self._one(each, 'grow')

    def undo(self, step: members.Step) -> None:
        """Leave it to the sweep, which goes by what hangs on what."""

    def undo_in_place(self) -> list[str]:
        """Set back what was changed; return what could not be. Never raises.

        As often as a removal is tried.
        """
        pairs = [
            proposal.InPlace(each.member, each.after, each.before)
            for each in self.proposed.in_place
            if self.facts(each.member).get(CHANGED)
        ]
        if not pairs:
            return []
        self._is_undoing = True
        for _ in range(removal.ATTEMPTS - 1):
            try:
                self._take_back_resizes()
                self.resolve_again()
                self._apply(pairs)
            except exception.LeaseLost:
                raise
            except Exception as error:
                LOG.warning('Setting back failed: %s', error)
                time.sleep(self._settings.poll_interval)
            else:
                return []
        return self._set_back_each(pairs)

    def _take_back_resizes(self) -> None:
        for each in self.proposed.in_place:
            self._one(each, 'take_back')

    def remains(self) -> list[str]:
        """Say what cannot be set back, member by member. Never raises."""
        said = []
        for each in self.proposed.in_place:
            kind = members.member_type(self._type_of(each.member))
            try:
                what = kind.remains(self, each.member, each.before, each.after)
            except exception.CloudError as error:
                what = f'not known: {reasons.words(error)}'
            if what is not None:
                said.append(f'{incarnations.shown(each.member)} ({what})')
        return said

    def resolve_again(self) -> None:
        if not hasattr(self, 'resolution'):
            self.resolution = self._resolved()

    def _set_back_each(self, pairs: Sequence[proposal.InPlace]) -> list[str]:
        """Set back as many as can be; say what cannot."""
        stuck: dict[str, str] = {}
        for each in self.proposed.in_place:
            try:
                self._one(each, 'take_back')
            except exception.LeaseLost:
                raise
            except Exception as error:
                stuck.setdefault(each.member, reasons.words(error))
        try:
            self.resolve_again()
        except Exception as error:
            return [
                f'{incarnations.shown(each.member)} ({reasons.words(error)})'
                for each in pairs
            ]
        for verb in ('let_go', 'change'):
            for each in pairs:
                try:
                    self._one(each, verb)
                except exception.LeaseLost:
                    raise
                except Exception as error:
                    stuck.setdefault(each.member, reasons.words(error))
        return [
            f'{incarnations.shown(name)} ({why})'
            for name, why in stuck.items()
        ]

    def wait(self, check: Callable[[], T | None], quick: bool = False) -> T:
        """Poll; while something is set back, no request to stop counts."""
        if not self._is_undoing:
            return super().wait(check, quick)
        until = time.monotonic() + self._settings.removal_timeout
        while True:
            result = check()
            if result is not None:
                return result
            if self.abandoned.is_set():
                raise exception.LeaseLost('Another engine goes on with it')
            if time.monotonic() > until:
                raise exception.TimedOut('The time allowed has run out')
            time.sleep(builds.FIRST_PAUSE * self._settings.poll_interval)


def _with_new_flavors(proposed: proposal.Proposal) -> spec.GroupSpec:
    """Return what there was; of flavors that go nothing has to be known."""
    new = {m.name: m.spec for m in proposed.new.members}

    def current(member: spec.Member) -> spec.Member:
        before, after = member.spec, new.get(member.name)
        if isinstance(before, spec.ServerSpec) and isinstance(
            after, spec.ServerSpec
        ):
            before = dataclasses.replace(before, flavor=after.flavor)
        return dataclasses.replace(member, spec=before)

    old = proposed.old
    return dataclasses.replace(old, members=tuple(map(current, old.members)))


def _with_names(
    one: model.Resolution, other: model.Resolution
) -> model.Resolution:
    """Return the first with the names that only the other knows."""
    return dataclasses.replace(
        one,
        flavors={**other.flavors, **one.flavors},
        images={**other.images, **one.images},
        networks={**other.networks, **one.networks},
        volumes={**other.volumes, **one.volumes},
        volume_types={**other.volume_types, **one.volume_types},
        security_groups={**other.security_groups, **one.security_groups},
    )
