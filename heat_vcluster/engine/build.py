# SPDX-License-Identifier: Apache-2.0
"""One cluster being built: its places, its holds and what is made so far."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import logging
import random
import threading
import uuid
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, TypeVar, cast

from heat_vcluster import exception, metrics, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import grouping, model
from heat_vcluster.db import records
from heat_vcluster.engine import (
    base,
    decision,
    gate,
    journal,
    lease,
    reasons,
    remembered,
    removal,
)
from heat_vcluster.members import base as members
from heat_vcluster.members import server as servers
from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import columns, pseudonyms
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)
MemberStatus = states.MemberStatus
T = TypeVar('T')

#: The first pause between two polls and the longest, as parts of the poll
#: interval; the longest for a slow wait grows with the crowd, see below.
QUICK_PAUSES = (0.3, 1.0)
FIRST_PAUSE = 0.3
#: Within these parts of it a new plan waits for those who were quicker.
REPLAN_PAUSES = (0.05, 0.5)
#: With many members waiting at once each is asked for less often, so that
#: the cloud is asked about this many times a second in all.
POLLS_PER_SECOND = 12


class Build(members.Site):
    """The site of one run; see ``members.base.Site`` for its promises."""

    def __init__(
        self,
        cluster_id: str,
        cluster_name: str,
        project_id: str,
        wanted: spec.GroupSpec,
        outside: cloud.Cloud,
        planner: base.Planner,
        store: base.Store,
        writer: base.Writer,
        signal: lease.Signal,
        windows: threading.Semaphore,
        settings: base.Settings,
        abandoned: threading.Event,
    ) -> None:
        self.cluster_id = cluster_id
        self.cluster_name = cluster_name
        self.project_id = project_id
        self.wanted = wanted
        self.cloud = outside
        self.attempts = settings.replace_attempts + 1
        self.cause: BaseException | None = None
        self.late: set[str] = set()  # members not ready when time ran out
        self.is_held = False
        # A part of a cluster that is built: what failed is not undone here.
        self.keeps = False
        #: What the cluster is once something failed.
        self.failing = states.ClusterStatus.ROLLING_BACK
        self.abandoned = abandoned
        self._planner = planner
        self._store = store
        self._writer = writer
        self.journal = journal.Journal(writer)
        self._signal = signal
        self._windows = windows
        self._settings = settings
        self._lock = threading.Lock()
        self._gate = gate.Gate()
        self._facts: dict[str, dict[str, Any]] = {}
        self._holds: dict[str, model.Hold] = {}
        self._tried: dict[str, set[str]] = {}
        self._known: Mapping[tuple[str, str], str] = {}
        self._domains: dict[str, Mapping[str, str]] = {}
        self._plan = placement.Plan({})
        self._snapshot: placement.Snapshot | None = None
        self._begun: set[str] = set()
        self._group_lock = threading.Lock()
        self._group_ids: dict[str, str | None] = {}  # by rule
        self._waiting = 0
        self._finished: frozenset[str] = frozenset()
        self._found_begun: frozenset[str] = frozenset()  # members on record
        self._turning = threading.Lock()
        self._has_turned = False  # on record, once something failed

    def remember(self, domains: Iterable[records.DomainRecord]) -> None:
        """Call places what they have been called before."""
        self._known = records.pseudonyms(domains)

    def load(
        self,
        rows: Sequence[records.MemberRecord],
        domains: Iterable[records.DomainRecord],
        again: Collection[str] | None = None,
    ) -> None:
        """Go on from what is on record of a build that was begun.

        ``again``: of a cluster that is built, the members to be made again;
        the others keep what they have.
        """
        self.remember(domains)
        self._snapshot = remembered.snapshot(rows, self._known)
        self._facts = {row.name: dict(row.facts) for row in rows}
        self._domains = {row.name: dict(row.domains) for row in rows}
        self._plan = placement.Plan(
            {row.name: row.place for row in rows if row.place is not None}
        )
        self.keeps = again is not None
        self._finished = frozenset(
            row.name
            for row in rows
            if (
                row.status is MemberStatus.ACTIVE
                if again is None
                else row.name not in again
            )
        )
        self._found_begun = frozenset(
            row.name for row in rows if row.status not in base.NEVER_BUILT
        )
        self.is_held = True

    @functools.cached_property
    def steps(self) -> tuple[members.Step, ...]:
        """What is to be done: every step of every unfinished member."""
        finished = members.ready(self.wanted, self._finished)
        return tuple(
            dataclasses.replace(step, requires=step.requires - finished)
            for step in members.all_steps(self.wanted)
            if step.member not in self._finished
        )

    # -- before anything is built -----------------------------------------

    def resolve(self) -> None:
        """Find out what the document's names mean in this cloud."""
        self._signal.check()
        with metrics.PHASES.labels('resolve').time():
            self.resolution = self.cloud.resolve(
                self.wanted, is_begun=bool(self._found_begun)
            )

    def reserve(
        self, then: states.ClusterStatus = states.ClusterStatus.CREATING
    ) -> None:
        """Decide where everything goes, and hold all of it or nothing.

        Room that goes to others between the reading and the hold leads to
        a new plan on fresh capacity, ``replan_attempts`` times at most.
        The cluster is ``then`` what it is said to be.
        """
        for _ in range(self._settings.replan_attempts + 1):
            self._signal.check()
            made = self._decide_all()
            if self._hold(made.plan, self._without_place(made.demands)):
                self._keep(made.plan, made.snapshot, MemberStatus.HELD)
                self.is_held = True
                self._writer.set_status(then)
                for rule, _, why in self.resolution.grouping.lacking:
                    self._tell_ungrouped(rule, why)
                return
            self._writer.add_event(
                None, 'replanned', 'the room went to others; planning again'
            )
            part = random.uniform(*REPLAN_PAUSES)  # noqa: S311
            self._signal.sleep(part * self._settings.poll_interval)
        raise exception.ReservationConflict(
            'The room that was planned went to others '
            f'{self._settings.replan_attempts + 1} times in a row'
        )

    def _decide_all(self) -> decision.Decision:
        return self._decide(
            self.resolution.demands, choices=self.resolution.choices
        )

    def _without_place(
        self, demands: Sequence[placement.Demand]
    ) -> Sequence[placement.Demand]:
        """Return the demands of those who do not sit somewhere already."""
        return demands

    def _decide(
        self,
        demands: Sequence[placement.Demand],
        pinned: Mapping[str, str] | None = None,
        look: Callable[[model.Reading], model.Reading] = lambda r: r,
        choices: solvers.Choices | None = None,
    ) -> decision.Decision:
        """Plan; the cluster's id is the seed of where to look first."""

        def checked(reading: model.Reading) -> model.Reading:
            self._signal.check()
            return look(reading)

        return decision.decide(
            self.cloud,
            self._planner,
            self.wanted,
            demands,
            seed=self.cluster_id,
            pinned=pinned,
            used=self._used(),
            choices=choices,
            look=checked,
        )

    def _used(self) -> Mapping[str, Mapping[str, int]]:
        if not self._planner.counts_usage:
            return {}
        return decision.used(
            self.cloud.usage(), self._store.get_project_holds(self.project_id)
        )

    def take_up(self) -> None:
        """Put right what a dead engine left, so that the steps may run.

        What is there by tag is adopted; what is not built yet is held, at
        its place if that can still be had, else it is to move.
        """
        self._signal.check()
        there = collections.defaultdict(list)
        for thing in removal.find(self.cloud, self._settings, self.cluster_id):
            there[thing.owner.member].append(thing)
        for member in self.wanted.members:
            if member.name not in self._finished:
                self._signal.check()
                kind = members.member_type(member.type)
                kind.take_up(self, member.name, there[member.name])
        self._restore_holds()

    def place_again(self) -> None:
        """Find places for what is made again, all at once, and hold them.

        The others are where they really are. Nothing is touched before it
        is known that there is a place; then what failed is removed, as its
        room may be what is needed.
        """
        again = [
            demand
            for demand in self.resolution.demands
            if demand.member not in self._finished
        ]
        room = self._own_room(again)
        made = self._decide_again(again, room)
        if not self._hold(made.plan, made.demands):
            self._clear_away(again)
            for _ in range(self._settings.replan_attempts + 1):
                self._signal.check()
                made = self._decide_again(again, {})
                if self._hold(made.plan, made.demands):
                    break
            else:
                raise exception.ReservationConflict(
                    'The room that was planned went to others each time'
                )
        self._keep(made.plan, made.snapshot, MemberStatus.HELD)
        self._clear_away(again)

    def _clear_away(self, again: Sequence[placement.Demand]) -> None:
        for demand in again:
            if isinstance(demand, placement.ServerDemand):
                self._signal.check()
                self.remove(demand.member, {model.Kind.SERVER})
                asked = self.wanted.member(demand.member).spec
                servers.await_volumes(self, cast(spec.ServerSpec, asked))

    def _own_room(
        self, again: Sequence[placement.Demand]
    ) -> dict[str, Mapping[str, int]]:
        """Return what servers that failed take still, by host."""
        room: dict[str, Mapping[str, int]] = {}
        for demand in again:
            for thing in removal.find(
                self.cloud,
                self._settings,
                self.cluster_id,
                demand.member,
                {model.Kind.SERVER},
            ):
                seat = self.cloud.locate(thing.id)
                if seat is not None:
                    taken = collections.Counter(room.get(seat.host, {}))
                    taken.update(seat.resources)
                    room[seat.host] = dict(taken)
        return room

    def _decide_again(
        self,
        again: Sequence[placement.Demand],
        room: Mapping[str, Mapping[str, int]],
    ) -> decision.Decision:
        before = self._snapshot
        assert before is not None  # noqa: S101  (it was loaded)
        members_again = {demand.member for demand in again}
        others = {
            name: place
            for name, place in self._plan.placement.items()
            if name not in members_again
        }

        def look(reading: model.Reading) -> model.Reading:
            merged = merge(reading.snapshot, before, set(others.values()))
            return with_room(
                dataclasses.replace(reading, snapshot=merged), room
            )

        return self._decide(again, others, look)

    def _restore_holds(self) -> None:
        """Leave exactly those without a server held; each at its place."""
        unbuilt = {
            demand.member: demand
            for demand in self.resolution.demands
            if isinstance(demand, placement.ServerDemand)
            and self._is_unbuilt(demand.member)
        }
        on_record = self._store.get_holds(
            self.cluster_id, records.HoldState.HELD
        )
        there = self.cloud.find_holds([hold.id for hold in on_record])
        good = {
            hold.member: hold
            for hold in on_record
            if hold.id in there
            and hold.member in unbuilt
            and hold.place == self.place(hold.member)
        }
        kept = {hold.id for hold in good.values()}
        stale = [hold.id for hold in on_record if hold.id not in kept]
        self.cloud.release(stale)
        self._writer.drop_holds(stale)
        self._holds = {
            name: model.Hold(hold.id, name, hold.place, hold.resources)
            for name, hold in good.items()
        }
        self._hold_again([unbuilt[name] for name in unbuilt.keys() - good])

    def _is_unbuilt(self, member: str) -> bool:
        """Tell whether its room is to be held: nothing else takes it."""
        if member in self._finished:
            return False
        facts = self.facts(member)
        kind = members.member_type(self.wanted.member(member).type)
        is_made = kind.resource_id(facts) is not None
        return not is_made and not facts.get(members.PLACE_LOST)

    def _hold_again(self, demands: Sequence[placement.Demand]) -> None:
        """Hold lost places; who finds his taken has to move."""
        if not demands or self._hold(self._plan, demands):
            return
        for demand in demands:
            if not self._hold(self._plan, [demand]):
                self.record(demand.member, place_lost=True)
                self.tell(demand.member, 'space_lost', 'its place was taken')

    def _hold(
        self, plan: placement.Plan, demands: Iterable[placement.Demand]
    ) -> bool:
        """Hold the places of these servers, all or none."""
        holds = [
            model.Hold(
                str(uuid.uuid4()),
                demand.member,
                plan.placement[demand.member],
                demand.resources,
            )
            for demand in demands
            if isinstance(demand, placement.ServerDemand)
        ]
        if not holds:
            return True
        # Written down first: after a crash the ids are known.
        self._writer.add_holds(holds)
        with self._lock:
            self._holds.update({hold.member: hold for hold in holds})
        try:
            with metrics.PHASES.labels('hold').time():
                self.cloud.reserve(holds)
        except exception.ReservationConflict:
            metrics.HOLDS.labels('refused').inc(len(holds))
            self._forget(holds)
            return False
        metrics.HOLDS.labels('held').inc(len(holds))
        return True

    def _forget(self, holds: Iterable[model.Hold]) -> None:
        self._writer.drop_holds([hold.id for hold in holds])
        with self._lock:
            for hold in holds:
                self._holds.pop(hold.member, None)

    def _keep(
        self,
        plan: placement.Plan,
        snapshot: placement.Snapshot,
        status: MemberStatus | None = None,
    ) -> None:
        """Write down the plan, under the names the tenant will see.

        Held members get the status, if one is given.
        """
        before = self._plan.placement
        self._plan = plan
        self._snapshot = snapshot
        ordered = {
            member.name: plan.placement[member.name]
            for member in self.wanted.members
            if member.name in plan.placement
        }
        named = pseudonyms.assign(ordered, snapshot, self._known)
        self._known = named.known
        self._domains = dict(named.of_member)
        self._writer.set_domains(by_scope(named.known))
        self._write_plan(pseudonyms.disguise(plan, named.known))
        self._writer.set_members(
            {
                member: {
                    'status': status if member in self._holds else None,
                    'place': place,
                    'domains': named.of_member[member],
                }
                for member, place in ordered.items()
                if before.get(member) != place and self._is_to_be(member)
            }
        )

    def _is_to_be(self, member: str) -> bool:
        """Tell whether it is nowhere else than where it is planned."""
        return True

    def _write_plan(self, disguised: placement.Plan) -> None:
        self._writer.set_plan(disguised)

    def release_all(self) -> None:
        """Give back whatever is still held."""
        with self._lock:
            holds = list(self._holds.values())
        if not holds:
            return
        self.cloud.release([hold.id for hold in holds])
        self._forget(holds)

    # -- what steps may ask -----------------------------------------------

    def place(self, member: str) -> str | None:
        return self._plan.placement.get(member)

    def domains(self, member: str) -> Mapping[str, str]:
        return self._domains.get(member, {})

    def server_group(self, member: str) -> str | None:
        group = self.resolution.grouping.of(member)
        if group is None or self.facts(member).get(members.UNGROUPED):
            return None
        with self._group_lock:
            if group.rule not in self._group_ids:
                self._group_ids[group.rule] = self._make_group(group)
            return self._group_ids[group.rule]

    def _make_group(self, group: grouping.ServerGroup) -> str | None:
        owner = model.Owner(self.cluster_id, group.rule)
        try:
            return self.cloud.ensure_server_group(owner, group)
        except exception.CloudError as error:
            self._tell_ungrouped(group.rule, reasons.words(error))
            return None

    def _tell_ungrouped(self, rule: str, why: str) -> None:
        self._writer.add_event(
            None, 'ungrouped', f"no server group holds '{rule}': {why}"
        )

    def facts(self, member: str) -> Mapping[str, Any]:
        with self._lock:
            return dict(self._facts.get(member, {}))

    def record(self, member: str, **facts: Any) -> None:
        with self._lock:
            kept = self._facts.setdefault(member, {})
            kept.update(facts)
            kind = members.member_type(self._type_of(member))
            resource_id = kind.resource_id(kept)
            changed = {'facts': facts, 'resource_id': resource_id}
            # While nobody else can record more of it: the last one stays.
            self.journal.add(records.News(member, values=changed))
        self.journal.flush()

    def _type_of(self, member: str) -> str:
        return self.wanted.member(member).type

    def tell(self, member: str, kind: str, message: str) -> None:
        self.journal.write(records.News(member, event=(kind, message)))

    def wait(self, check: Callable[[], T | None], quick: bool = False) -> T:
        with self._lock:
            self._waiting += 1
        try:
            return self._poll(check, quick)
        finally:
            with self._lock:
                self._waiting -= 1

    def _poll(self, check: Callable[[], T | None], quick: bool) -> T:
        first = QUICK_PAUSES[0] if quick else FIRST_PAUSE
        pause = first * self._settings.poll_interval
        while True:
            result = check()
            if result is not None:
                return result
            self._signal.check()
            self._signal.sleep(pause)
            pause = min(pause * 1.4, self._longest_pause(quick))

    def _longest_pause(self, quick: bool) -> float:
        if quick:
            return QUICK_PAUSES[1] * self._settings.poll_interval
        crowd = self._waiting / POLLS_PER_SECOND
        return max(self._settings.poll_interval, crowd)

    @contextlib.contextmanager
    def handover(self) -> Iterator[None]:
        while not self._windows.acquire(timeout=0.2):
            self._signal.check()
        try:
            with self._gate.passing(self._signal.check):
                self._signal.check()
                yield
        finally:
            self._windows.release()

    def release(self, member: str) -> None:
        with self._lock:
            hold = self._holds.get(member)
        if hold is not None:
            self.cloud.release([hold.id])
            self._forget([hold])

    def retake(self, member: str) -> bool:
        demand = self._demand(member)
        return self._hold(self._plan, [demand])

    def _demand(self, member: str) -> placement.Demand:
        return next(d for d in self.resolution.demands if d.member == member)

    def move(self, member: str) -> None:
        metrics.PLACES_LOST.inc()
        with self._gate.alone(self._signal.check):
            lost = self._plan.placement[member]
            tried = self._tried.setdefault(member, set())
            tried.add(lost)
            for _ in range(self._settings.replan_attempts + 1):
                self._signal.check()
                if self._move_once(member, frozenset(tried)):
                    self.tell(member, 'moved', 'it has another place now')
                    return
        raise exception.ReservationConflict(
            'its place was taken, and so was every other one planned for it'
        )

    def _move_once(self, member: str, tried: frozenset[str]) -> bool:
        before = self._snapshot
        assert before is not None  # noqa: S101  (reserve came first)
        demand = self._demand(member)
        others = {
            name: place
            for name, place in self._plan.placement.items()
            if name != member
        }

        def look(reading: model.Reading) -> model.Reading:
            merged = merge(reading.snapshot, before, set(others.values()))
            barred = [without(d, merged, tried) for d in reading.demands]
            return dataclasses.replace(
                reading, snapshot=merged, demands=tuple(barred)
            )

        made = self._decide([demand], others, look)
        if not self._hold(made.plan, made.demands):
            return False
        self._keep(made.plan, made.snapshot)
        return True

    def remove(self, member: str, kinds: Iterable[model.Kind]) -> None:
        things = removal.find(
            self.cloud, self._settings, self.cluster_id, member, kinds
        )
        for thing in things:
            left = removal.remove(
                self.cloud,
                thing,
                self._settings,
                self.abandoned.is_set,
                is_patient=False,
            )
            if left is not None:
                raise exception.MemberFailed(
                    member,
                    f'its {thing.kind} cannot be removed: {left.reason}',
                )

    # -- failure and rollback ---------------------------------------------

    def perform(self, step: members.Step) -> None:
        """Do one step; the first failure stops all others."""
        try:
            self._signal.check()
            # What is there of a member that is not begun is not looked for.
            self.journal.settle(step.member)
            with self._lock:
                self._begun.add(step.symbol)
            step.execute(self)
        except exception.Cancelled:
            with self._lock:
                self.late.add(step.member)
            raise
        except exception.LeaseLost as error:
            self.abandon(error)
            raise
        except exception.MemberFailed as error:
            self.fail(error)
            raise
        except Exception as error:
            if not isinstance(error, exception.VClusterError):
                LOG.exception('%s failed', step.symbol)
            named = exception.MemberFailed(
                step.member, reasons.words(error), code=reasons.code(error)
            )
            self.fail(named)
            raise named from error

    def abandon(self, error: exception.LeaseLost) -> None:
        """Leave everything as it is: it belongs to somebody else now."""
        self.abandoned.set()
        self._signal.stop(error)

    def fail(self, error: exception.MemberFailed) -> None:
        """Stop all else; the first failure is why, on record from now on."""
        with self._lock:
            is_first = self.cause is None
            if is_first:
                self.cause = error
        self._signal.stop(error)
        if is_first:
            self._turn_back(error)

    def _turn_back(self, error: BaseException | None) -> None:
        """Have it on record that it fails, before anything is removed.

        Else whoever went on from the record would take members for ready
        that are no more. Where it cannot be written all is left as it is.
        """
        with self._turning:
            if self._has_turned or self.keeps or self.abandoned.is_set():
                return
            try:
                self._writer.set_status(
                    self.failing, reasons.words(error), reasons.code(error)
                )
            except (
                exception.LeaseLost,
                exception.ServiceUnavailable,
            ) as away:
                self.abandon(exception.LeaseLost(str(away)))
            else:
                self._has_turned = True

    def undo(self, step: members.Step) -> None:
        """Remove what a step made. Never raises: a sweep comes last."""
        if not step.makes or not self._may_be_begun(step):
            return
        try:
            self._turn_back(self.cause or self._signal.reason)
            if self._has_turned and not self.abandoned.is_set():
                self.remove(step.member, step.makes)
        except Exception as error:  # reverts never raise
            LOG.warning(
                'Undoing %s failed (%s); the sweep will try again',
                step.symbol,
                type(error).__name__,
            )

    def _may_be_begun(self, step: members.Step) -> bool:
        """Tell whether we began with it, or an engine before us may have.

        What it left of a member is in the way of what that member needs.
        """
        return step.symbol in self._begun or step.member in self._found_begun

    def undo_reservation(self) -> None:
        """Give the holds back. Never raises: they are in the store."""
        if self.abandoned.is_set():
            return
        try:
            self.release_all()
        except Exception as error:  # reverts never raise
            LOG.warning('Releasing holds failed: %s', type(error).__name__)


def merge(
    fresh: placement.Snapshot,
    before: placement.Snapshot,
    ours: Collection[str] = (),
) -> placement.Snapshot:
    """Add places that the fresh reading no longer offers, as full ones.

    Members that sit there still count in the rules. The hosts that are
    ``ours`` by now are as busy with others as they were before.
    """
    hosts = frozenset(columns.of(fresh.hosts, fresh.levels).names)
    if ours:
        fresh = _busy_as_before(fresh, before, ours)
    pools = {pool.name for pool in fresh.pools}
    gone = [
        dataclasses.replace(host, free=dict.fromkeys(host.free, 0))
        for host in before.hosts
        if host.name not in hosts
    ]
    return dataclasses.replace(
        fresh,
        hosts=(*fresh.hosts, *gone) if gone else fresh.hosts,
        pools=fresh.pools
        + tuple(
            dataclasses.replace(pool, free_gb=0)
            for pool in before.pools
            if pool.name not in pools
        ),
    )


def _busy_as_before(
    fresh: placement.Snapshot,
    before: placement.Snapshot,
    ours: Collection[str],
) -> placement.Snapshot:
    was = {h.name: h.is_busy for h in before.hosts if h.name in ours}
    table = columns.of(fresh.hosts, fresh.levels)
    return dataclasses.replace(fresh, hosts=table.with_busy(was.get))


def with_room(
    reading: model.Reading, room: Mapping[str, Mapping[str, int]]
) -> model.Reading:
    """Show hosts as they will be once this room on them is given back."""
    if not room:
        return reading
    table = columns.of(reading.snapshot.hosts, reading.snapshot.levels)
    numbers = {name: number for number, name in enumerate(table.names)}
    free = {name: column.copy() for name, column in table.free.items()}
    for host, resources in room.items():
        for name, amount in resources.items():
            if host in numbers and name in free:
                free[name][numbers[host]] += amount
    hosts = table.changed(free=free)
    return dataclasses.replace(
        reading,
        snapshot=dataclasses.replace(reading.snapshot, hosts=hosts),
        demands=tuple(
            _with_candidates(demand, hosts, numbers, room)
            for demand in reading.demands
        ),
    )


def _with_candidates(
    demand: placement.Demand,
    hosts: columns.HostColumns,
    numbers: Mapping[str, int],
    room: Iterable[str],
) -> placement.Demand:
    if demand.candidates is None or not isinstance(
        demand, placement.ServerDemand
    ):
        return demand
    more = {
        host
        for host in room
        if host in numbers and hosts.has_room(numbers[host], demand.resources)
    }
    return dataclasses.replace(demand, candidates=demand.candidates | more)


def without(
    demand: placement.Demand,
    snapshot: placement.Snapshot,
    places: frozenset[str],
) -> placement.Demand:
    """Bar a demand from places that were tried in vain."""
    allowed = demand.candidates
    if allowed is None:
        allowed = frozenset(host.name for host in snapshot.hosts)
    return dataclasses.replace(demand, candidates=allowed - places)


def by_scope(
    known: Mapping[tuple[str, str], str],
) -> dict[str, dict[str, str]]:
    """Nest pseudonyms: scope -> real name -> pseudonym."""
    nested: dict[str, dict[str, str]] = {}
    for (scope, real), pseudonym in known.items():
        nested.setdefault(scope, {})[real] = pseudonym
    return nested
