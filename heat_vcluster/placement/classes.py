# SPDX-License-Identifier: Apache-2.0
"""The search by counts: proofs, jigsaws, and bounds for large problems.

Kinds of members are counted by domain (``tally``), which takes a small
part of the variables that members by place would. What the counts cannot be
is proven impossible; what they can be is tried with the members themselves.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import time
from collections.abc import Collection

import numpy as np

from heat_vcluster.placement import (
    amounts,
    casting,
    constraints,
    contract,
    exact,
    footprint,
    likeness,
    linear,
    tally,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement.columns import Flags, Ints

CUTS = 20  # times that members who found no room together are told apart
ATTEMPTS = 40  # times that blocks are opened before it is given up
PAIRS = 100_000  # of member and place at the most, to sort members out
SMALL = 30_000  # pairs of kind and place for which all is opened at once
SORTING = 5.0  # seconds of CP-SAT's own clock for that
COUNTABLE = 150_000  # pairs up to which all is opened at all, for memory
FINEST = 400_000  # where few hosts are chosen
PACE = 800  # pairs of kind and host in a second that packing can look at
ROUGH = (6, 4, 2, 1)  # steps of room, by which hosts are much alike
FINER = (6, 12, 24)  # steps for the time that is left
QUICK = 1_600  # variables a second with which a rough packing ends
ROUGHEST = 6_000  # variables up to which it is worth beginning
RELAXED = 4_000  # pairs of kind and host in a second that real numbers take
CHOSEN = 40  # hosts then, at the least,
TIMES = 3  # and so many times as many as are in use in a rough packing
SHARE = 0.75  # of the time left, for counts: members come after
FIRST = 0.3  # share of the time for the bound then
GLANCE = 0.15  # ... and for that on sizes alone, before
FINENESS = (3_000, 60_000)  # pairs of kind and place that small rules cost
PLACING = (6_000, 60_000)  # ... where any placement will do
SMALLISH = 8_000  # variables up to which CP-SAT is asked first
EFFORT = 0.05  # of CP-SAT's own clock, before another solver is asked
LOOK = 0.15  # ... where any solution of few variables will do:
COMPACT = 5_000  # so many


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """There is no placement, proven."""


def frame_of(
    compiled: numbers.Compiled, contracted: contract.Contracted
) -> tally.Frame:
    """Return what counts of the kinds of members are made from."""
    return tally.Frame(likeness.Likeness(compiled, contracted))


def refute(
    frame: tally.Frame,
    deadline: float,
    seed: int = 0,
    effort: float | None = None,
) -> bool:
    """Tell whether blocks of hosts, each as a whole, rule out a placement.

    ``deadline`` is as of ``time.monotonic``; ``effort`` in deterministic
    seconds, None: without end. True is a proof; False: not known.
    """
    return _is_none(frame, (), deadline, seed, effort) is True


def prove(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> bool:
    """Tell whether there is no placement, proven; False: not known.

    As :func:`refute`, and then by all hosts one by one, unless that takes
    too much memory.
    """
    if contracted.contradiction is not None or compiled.stuck():
        return True
    frame = frame_of(compiled, contracted)
    for opened in ((), None):
        if opened is None and frame.n_pairs > COUNTABLE:
            break
        none = _is_none(frame, opened, deadline, seed)
        if none is not False:
            return none is True
    return False


def _is_none(
    frame: tally.Frame,
    opened: Collection[int] | None,
    deadline: float,
    seed: int,
    effort: float | None = None,
) -> bool | None:
    """Tell whether no counts obey the rules; None: time ran out."""
    if time.monotonic() > deadline:
        return None
    counts = tally.Tally(frame, opened)
    if counts.impossible:
        return True
    limits = {} if effort is None else {'max_deterministic_time': effort}
    outcome = counts.program.solve(deadline, seed, **limits)
    if outcome.status is linear.Status.UNKNOWN:
        return None
    return outcome.status is linear.Status.NONE


def place(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> Ints | Proof | None:
    """Find a placement that obeys all hard rules; soft ones play no part.

    Counts by block come first; blocks whose members then find no room
    together are opened, so that the counts see their hosts. None: not found
    before ``deadline``, or given up.
    """
    if contracted.contradiction is not None or compiled.stuck():
        return Proof()
    for few in PLACING:
        kinds = likeness.Likeness(compiled, contracted, few=few)
        found = _Attempts(contracted, kinds, deadline, seed).found()
        if found is not None or time.monotonic() > deadline:
            return found
        if not kinds.is_coarse:
            break
    return None


class _Attempts:
    """Counts of one fineness, tried until members can be found for them."""

    def __init__(
        self,
        contracted: contract.Contracted,
        kinds: likeness.Likeness,
        deadline: float,
        seed: int,
    ) -> None:
        self._contracted = contracted
        self._frame = tally.Frame(kinds)
        self._caster = casting.Casting(self._frame, contracted)
        self._deadline, self._seed = deadline, seed

    def found(self) -> Ints | Proof | None:
        frame = self._frame
        everything = set(range(frame.n_blocks))
        opened: set[int] = everything if frame.n_pairs <= SMALL else set()
        for attempt in range(ATTEMPTS):
            if time.monotonic() > self._deadline:
                return None
            counts = tally.Tally(frame, sorted(opened))
            if counts.impossible:
                return Proof()
            seed = self._seed + attempt
            outcome = _solve(counts.program, self._deadline, seed)
            if outcome.status is linear.Status.NONE:
                return Proof()
            if outcome.values is None:
                return None
            cast = self._caster.cast(
                counts, outcome.values, self._deadline, seed
            )
            if cast.whole is not None and amounts.is_valid(
                frame.compiled, cast.whole
            ):
                return cast.whole
            if cast.failed.keys() - opened:
                opened |= cast.failed.keys()
                continue
            found = self._count_otherwise(counts, outcome.values, seed)
            if found is not None:
                return found
            reach = self._caster.reach(counts, outcome.values)
            found = _sort_out(frame.compiled, reach, self._deadline, seed)
            if found is not None:
                return found
            if opened == everything or frame.n_pairs > COUNTABLE:
                return None
            opened = everything
        return None

    def _count_otherwise(
        self, counts: tally.Tally, values: Ints, seed: int
    ) -> Ints | None:
        """Count again, but for what found no room together, a few times.

        The volumes that nothing ties are placed when all others have a
        place: counts say too little of which of them goes where.
        """
        caster = self._caster.without_strays()
        for _ in range(CUTS):
            cast = caster.cast(counts, values, self._deadline, seed)
            if cast.whole is not None:
                return self._strays_last(caster, cast.whole, seed)
            if not cast.failed or len(self._frame.likeness.scopes) < 2:
                return None
            for block, members in cast.failed.items():
                self._forbid(counts, block, members)
            # What is none now is no proof: others might take the same room.
            outcome = _solve(counts.program, self._deadline, seed)
            if outcome.values is None:
                return None
            values = outcome.values
        return None

    def _forbid(
        self, counts: tally.Tally, block: int, members: Collection[int]
    ) -> None:
        """Let those who found no room together not be counted there again.

        Not all of their bundles at the narrowest scope, that is, or others
        like them.
        """
        frame = self._frame
        bundle_of, kind_at = (
            self._contracted.bundle_of[1],
            frame.likeness.kind_at[1],
        )
        bundles = {int(bundle_of[m]) for m in members}
        place = int(np.argmax(frame.block_of == block))
        counts.forbid(
            1,
            int(frame.compiled.domain[1][place]),
            collections.Counter(kind_at[bundle] for bundle in bundles),
        )

    def _strays_last(
        self, caster: casting.Casting, placement: Ints, seed: int
    ) -> Ints | None:
        """Place those whom the caster left out, when others have a place."""
        compiled = self._frame.compiled
        strays = {
            member: compiled.places(member).tolist()
            for member in np.flatnonzero(
                self._caster.present & ~caster.present
            ).tolist()
        }
        if strays:
            return _sort_out(compiled, strays, self._deadline, seed, placement)
        return placement if amounts.is_valid(compiled, placement) else None


def _sort_out(
    compiled: numbers.Compiled,
    reach: dict[int, list[int]],
    deadline: float,
    seed: int,
    fixed: Ints | None = None,
) -> Ints | None:
    """Place members one by one, where members like them were counted.

    ``fixed``: the place of who has one already, UNKNOWN of others.
    """
    if sum(map(len, reach.values())) > PAIRS:
        return None
    result = exact.solve(
        compiled,
        allowed=reach,
        fixed=fixed,
        goal=exact.Goal.ANY,
        seconds=max(0.0, deadline - time.monotonic()),
        effort=SORTING,
        seed=seed,
    )
    return result.placement


def pack(
    compiled: numbers.Compiled, start: Ints, deadline: float, seed: int = 0
) -> tuple[Ints | None, int]:
    """Use the fewest hosts; return a placement and a bound, proven.

    No placement that obeys the hard rules uses fewer hosts than the bound,
    whatever its soft cost. Soft rules play no part in the placement.
    ``start``: a placement that is known, which helps where there are more
    hosts than can be looked at.
    """
    contracted = contract.contract(compiled)
    frame = frame_of(compiled, contracted)
    if frame.n_pairs <= (deadline - time.monotonic()) * PACE:
        placement, bound = _among_all(frame, contracted, deadline, seed)
    else:
        placement, bound = _among_some(
            frame, contracted, start, deadline, seed
        )
    return placement, max(bound, _least(frame, contracted))


def fewest(compiled: numbers.Compiled) -> int:
    """Return a bound of what is used, soon known: by rules or by room."""
    contracted = contract.contract(compiled)
    return _least(frame_of(compiled, contracted), contracted)


def _least(frame: tally.Frame, contracted: contract.Contracted) -> int:
    by_rules = footprint.fewest(frame.compiled, contracted)
    return max(by_rules, _by_room(frame))


def _among_all(
    frame: tally.Frame,
    contracted: contract.Contracted,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Look at all hosts, telling members apart as far as time allows."""
    finer = tally.Frame(
        likeness.Likeness(frame.compiled, contracted, few=FINENESS[-1])
    )
    if finer.n_pairs <= (deadline - time.monotonic()) * PACE:
        frame = finer
    return _pack(frame, contracted, deadline, seed)


def _among_some(
    frame: tally.Frame,
    contracted: contract.Contracted,
    start: Ints,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Bound first, where hosts are too many, then pack on some of them."""
    compiled = frame.compiled
    left = deadline - time.monotonic()
    blurred = by_size(compiled)
    bounding = frame_of(blurred, contract.contract(blurred))
    bound = _at_least(bounding, left, seed)
    if time.monotonic() > deadline:
        return None, bound
    counts = _rough(frame, left, ROUGHEST)
    if counts is None or time.monotonic() > deadline:
        return None, bound
    rough = _fewest(counts, time.monotonic() + left * FIRST, seed)
    among = _promising(counts, rough, start)
    if rough.bound > bound:
        bounding, bound = frame, rough.bound
    placement = None
    for few in _fineness(compiled, among):
        kinds = likeness.Likeness(compiled, contracted, few=few)
        chosen = tally.Frame(kinds, among)
        placement, _ = _pack(chosen, contracted, deadline, seed)
        is_late = time.monotonic() > deadline
        if placement is not None or not kinds.is_coarse or is_late:
            break
    for steps in FINER:
        # What time is left may tell more of what cannot be.
        if time.monotonic() > deadline or (
            placement is not None
            and len(amounts.used_hosts(compiled, placement)) <= bound
        ):
            break
        finer = tally.Tally(bounding, packs=True, flat=steps)
        bound = max(bound, _fewest(finer, deadline, seed).bound)
    return placement, bound


def _at_least(frame: tally.Frame, left: float, seed: int) -> int:
    """Bound the hosts in use: in real numbers at first, which takes least."""
    counts: tally.Tally | None
    if frame.n_pairs <= left * RELAXED:
        counts = tally.Tally(frame, packs=True)
    else:
        counts = _rough(frame, left, int(left * RELAXED))
    if counts is None or counts.impossible:
        return 0
    now = time.monotonic()
    bound = counts.program.relax(now + left * FIRST).bound
    outcome = _fewest(counts, time.monotonic() + left * GLANCE, seed)
    return max(bound, outcome.bound)


def by_size(compiled: numbers.Compiled) -> numbers.Compiled:
    """Return a problem that every placement of this one is one of.

    Members of one size may be wherever any of them may, and no rule looks
    beyond single hosts: so there are few kinds to count.
    """
    found = copy.copy(compiled)
    alike: dict[object, list[numbers.Shape]] = {}
    for shape in compiled.shapes:
        only = shape.number if shape.fixed else None
        key = shape.is_server, shape.size, only
        alike.setdefault(key, []).append(shape)
    numbered = np.zeros(len(compiled.shapes), np.int64)
    shapes = []
    for number, several in enumerate(alike.values()):
        numbered[[shape.number for shape in several]] = number
        places = np.unique(np.concatenate([s.places for s in several]))
        shapes.append(
            dataclasses.replace(several[0], number=number, places=places)
        )
    found.shapes, found.shape_of = tuple(shapes), numbered[compiled.shape_of]
    found.hard = tuple(
        clause
        for clause in compiled.hard
        if clause.scope == 0
        and clause.kind in (constraints.Together, constraints.AtMost)
    )
    return found


def _by_room(frame: tally.Frame) -> int:
    """Return how many of the roomiest hosts it takes, by each resource."""
    found = 0
    for number in range(len(frame.likeness.free)):
        usable, spare = frame.usable(number)
        room = np.cumsum(np.sort(usable)[::-1])
        asked = int(usable.sum()) - spare
        if asked > 0:
            found = max(found, int(np.searchsorted(room, asked)) + 1)
    return found


def _rough(
    frame: tally.Frame, left: float, roughest: float
) -> tally.Tally | None:
    """Count hosts much alike as one, as exactly as time allows.

    Or not at all if that takes more than ``roughest`` variables.
    """
    for steps in ROUGH:
        most = FIRST * left * QUICK if steps > ROUGH[-1] else roughest
        counts = tally.Tally(frame, packs=True, flat=steps, most=most)
        if counts.is_written:
            return counts
    return None


def _fineness(compiled: numbers.Compiled, among: Flags) -> tuple[int, ...]:
    pairs = len(compiled.members) * int(among.sum())
    return (FINENESS[0], FINEST) if pairs <= SMALL else FINENESS


def _pack(
    frame: tally.Frame,
    contracted: contract.Contracted,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    counts = tally.Tally(frame, packs=True)
    left = deadline - time.monotonic()
    outcome = _fewest(counts, time.monotonic() + SHARE * left, seed)
    if outcome.values is None:
        return None, outcome.bound
    caster = casting.Casting(frame, contracted)
    cast = caster.cast(counts, outcome.values, deadline, seed)
    placement = cast.whole
    if placement is not None and amounts.is_valid(frame.compiled, placement):
        return placement, outcome.bound
    reach = caster.reach(counts, outcome.values)
    for places in (reach, _all_in_use(frame.compiled, reach)):
        placement = _sort_out(frame.compiled, places, deadline, seed)
        if placement is not None:
            break
    return placement, outcome.bound


def _all_in_use(
    compiled: numbers.Compiled, reach: dict[int, list[int]]
) -> dict[int, list[int]]:
    """Return, by member, all hosts that anybody reaches and it may have."""
    hosts = {
        place
        for member, places in reach.items()
        if compiled.is_server[member]
        for place in places
    }
    return {
        member: [p for p in compiled.places(member).tolist() if p in hosts]
        if compiled.is_server[member]
        else compiled.places(member).tolist()
        for member in reach
    }


def _fewest(counts: tally.Tally, deadline: float, seed: int) -> linear.Outcome:
    """Have as few hosts in use as can be: by both solvers in turn."""
    if counts.impossible:
        return linear.Outcome(linear.Status.NONE)
    return _by_both(counts.program, deadline, seed)


def _by_both(
    program: linear.Program,
    deadline: float,
    seed: int,
    effort: float = EFFORT,
) -> linear.Outcome:
    """Solve exactly for a while, if that is any use, then the other way."""
    outcome = linear.Outcome(linear.Status.UNKNOWN)
    if program.n_variables <= SMALLISH:
        outcome = program.solve(deadline, seed, max_deterministic_time=effort)
        if outcome.status in (linear.Status.NONE, linear.Status.BEST):
            return outcome
    return _better(outcome, program.seek(deadline, seed))


def _promising(
    counts: tally.Tally, rough: linear.Outcome, start: Ints
) -> Flags:
    """Choose hosts: like those in use in a rough packing, the roomiest.

    And those that ``start`` uses, so that there is a placement.
    """
    compiled = counts.compiled
    among = np.zeros(compiled.n_hosts, np.bool_)
    among[amounts.used_hosts(compiled, start)] = True
    room = sum(
        free / max(1, int(free.max(initial=0))) for free in compiled.free
    )
    order = np.argsort(-room, kind='stable')
    if rough.values is not None:
        cells = counts.cells_in_use(rough.values)
        inside = np.isin(counts.cell_of(order), cells)
        among[order[inside][: max(CHOSEN, TIMES * rough.objective)]] = True
    among[order[: CHOSEN // 4]] = True
    return among


def _better(one: linear.Outcome, other: linear.Outcome) -> linear.Outcome:
    """Return the better values of the two, with the better bound."""
    found = [o for o in (one, other) if o.values is not None]
    bound = max(one.bound, other.bound)
    if not found:
        return dataclasses.replace(one, bound=bound)
    best = min(found, key=lambda outcome: outcome.objective)
    return dataclasses.replace(best, bound=bound)


def _solve(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution, or the proof that there is none."""
    effort = LOOK if program.n_variables <= COMPACT else EFFORT
    outcome = _by_both(program, deadline, seed, effort)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.solve(deadline, seed)
    return outcome
