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
import functools
import time
from collections.abc import Collection, Iterable

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import (
    casting,
    footprint,
    likeness,
    tally,
)
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import exact, linear

CUTS = 20  # times that members who found no room together are told apart
ATTEMPTS = 40  # times that blocks are opened before it is given up
PAIRS = 100_000  # of member and place at the most, to sort members out
SMALL = 30_000  # pairs of kind and place for which all is opened at once
SORTING = 5.0  # seconds of CP-SAT's own clock for that
COUNTABLE = 150_000  # pairs up to which all is opened at all, for memory
FINEST = 400_000  # where few hosts are chosen
COARSELY = 2_000  # pairs in a second with small rules left out
DEGREE = 0.7  # share of the time for that
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
COARSE = 0  # ... at a glance beside the first of these:
PLACING = (6_000, 60_000)  # ... where any placement will do
SMALLISH = 8_000  # variables up to which CP-SAT is asked first
EFFORT = 0.05  # of CP-SAT's own clock, before another solver is asked
LOOK = 0.2  # ... where any solution of few variables will do:
AGAIN = 0.3  # ... and if it was not found by that, otherwise
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
        attempts = _Attempts(contracted, kinds, deadline, seed)
        found = attempts.glance()
        if found is None and few == PLACING[0]:
            coarse = _coarser(kinds, contracted)
            if coarse is not None:
                found = _Attempts(contracted, coarse, deadline, seed).glance()
        if found is None:
            found = attempts.found()
        is_last = not kinds.is_coarse or time.monotonic() > deadline
        if found is not None or is_last:
            return found
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
        self._everything = set(range(self._frame.n_blocks))
        self._opened: set[int] = set()
        is_small = self._frame.n_pairs <= SMALL
        self._open(self._everything if is_small else ())

    def _open(self, blocks: Iterable[int]) -> None:
        """Count single hosts in these, too."""
        self._opened.update(blocks)
        self._outcome = linear.UNSOLVED
        self._cast = casting.Cast()
        vars(self).pop('_counts', None)

    @functools.cached_property
    def _counts(self) -> tally.Tally:
        return tally.Tally(self._frame, sorted(self._opened))

    def glance(self) -> Ints | Proof | None:
        """Look for a placement, or the proof of none, for a moment."""
        if self._opened and self._frame.n_pairs > SMALLISH:
            return None
        if not self._counts.impossible:
            self._outcome = _look(
                self._counts.program, self._deadline, self._seed
            )
        return self._read()

    def found(self) -> Ints | Proof | None:
        """Look for it on, after a glance, until all that can be is opened."""
        for attempt in range(ATTEMPTS):
            if time.monotonic() > self._deadline:
                return None
            if attempt:
                self._seed += 1
                found = self.glance()
                if found is not None:
                    return found
            if self._outcome.values is None:
                self._outcome = _persist(
                    self._counts.program, self._deadline, self._seed
                )
                found = self._read()
                if found is not None or self._outcome.values is None:
                    return found
            more = self._cast.failed.keys() - self._opened
            if not more:
                found = self._found_otherwise()
                all_are_open = self._opened == self._everything
                if (
                    found is not None
                    or all_are_open
                    or self._frame.n_pairs > COUNTABLE
                ):
                    return found
                more = self._everything
            self._open(more)
        return None

    def _read(self) -> Ints | Proof | None:
        """Return what the counts say, if they do and members are found."""
        if (
            self._counts.impossible
            or self._outcome.status is linear.Status.NONE
        ):
            return Proof()
        if self._outcome.values is None:
            return None
        self._cast = self._caster.cast(
            self._counts, self._outcome.values, self._deadline, self._seed
        )
        whole = self._cast.whole
        if whole is None or not amounts.is_valid(self._frame.compiled, whole):
            return None
        return whole

    def _found_otherwise(self) -> Ints | None:
        """Look for a placement near counts that none was found for."""
        values = self._outcome.values
        assert values is not None  # noqa: S101
        found = self._count_otherwise(self._counts, values, self._seed)
        if found is not None:
            return found
        reach = self._caster.reach(self._counts, values)
        return _sort_out(
            self._frame.compiled, reach, self._deadline, self._seed
        )

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
            if not cast.failed or not all(
                self._forbid(counts, *failed) for failed in cast.failed.items()
            ):
                return None
            # What is none now is no proof: others might take the same room.
            outcome = _solve(counts.program, self._deadline, seed)
            if outcome.values is None:
                return None
            values = outcome.values
        return None

    def _forbid(
        self, counts: tally.Tally, block: int, members: Collection[int]
    ) -> bool:
        """Let those who found no room together not be counted there again.

        Not all of their bundles at the narrowest scope, that is, or others
        like them. False: no domains are told apart at that scope.
        """
        frame = self._frame
        if 1 not in frame.seen or 1 not in frame.likeness.scopes:
            return False
        place = int(np.argmax(frame.block_of == block))
        domain = int(frame.compiled.domain[1][place])
        if domain == UNKNOWN:
            return False
        bundle_of = self._contracted.bundle_of[1]
        kind_at = frame.likeness.kind_at[1]
        bundles = {int(bundle_of[m]) for m in members}
        many = collections.Counter(kind_at[bundle] for bundle in bundles)
        counts.forbid(1, domain, many)
        return True

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
    left = deadline - time.monotonic()
    if frame.n_pairs <= left * PACE:
        placement, bound = _among_all(frame, contracted, deadline, seed)
    else:
        kinds = _coarser(frame.likeness, contracted)
        coarse = None if kinds is None else tally.Frame(kinds)
        if coarse is not None and coarse.n_pairs <= left * COARSELY:
            placement, bound = _by_degrees(
                coarse, contracted, start, deadline, seed
            )
        else:
            placement, bound = _among_some(
                frame, contracted, start, deadline, seed
            )
    return placement, max(bound, _least(frame, contracted))


def _coarser(
    kinds: likeness.Likeness, contracted: contract.Contracted
) -> likeness.Likeness | None:
    """Return the kinds without small rules; None: these are as coarse."""
    coarse = likeness.Likeness(kinds.compiled, contracted, few=COARSE)
    return coarse if len(coarse.kinds) < len(kinds.kinds) else None


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


def _by_degrees(
    coarse: tally.Frame,
    contracted: contract.Contracted,
    start: Ints,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Look at all hosts coarsely, and closer at those of use then."""
    counts = tally.Tally(coarse, packs=True)
    left = deadline - time.monotonic()
    outcome = _fewest(counts, time.monotonic() + left * DEGREE, seed)
    if outcome.values is not None:
        caster = casting.Casting(coarse, contracted)
        whole = caster.cast(counts, outcome.values, deadline, seed).whole
        if whole is not None and amounts.is_valid(coarse.compiled, whole):
            return whole, outcome.bound
    compiled, placement = coarse.compiled, None
    if outcome.values is not None:
        among = np.zeros(compiled.n_hosts, np.bool_)
        for given in tally.by_host(counts, outcome.values).values():
            among[[place for place in given if place < len(among)]] = True
        placement = _pack_closer(compiled, contracted, among, deadline, seed)
    if placement is None and time.monotonic() < deadline:
        among = _promising(counts, outcome, start)
        placement = _pack_closer(compiled, contracted, among, deadline, seed)
    return placement, outcome.bound


def _pack_closer(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    among: Flags,
    deadline: float,
    seed: int,
) -> Ints | None:
    """Pack on some of the hosts, telling members apart as far as need be."""
    for few in _fineness(compiled, among):
        kinds = likeness.Likeness(compiled, contracted, few=few)
        chosen = tally.Frame(kinds, among)
        placement, _ = _pack(chosen, contracted, deadline, seed)
        is_late = time.monotonic() > deadline
        if placement is not None or not kinds.is_coarse or is_late:
            return placement
    return None


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
    placement = _pack_closer(compiled, contracted, among, deadline, seed)
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
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Solve exactly for a while, if that is any use, then the other way."""
    outcome = linear.UNSOLVED
    if program.n_variables <= SMALLISH:
        outcome = program.solve(deadline, seed, max_deterministic_time=EFFORT)
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


def _look(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution, or the proof that there is none, for a moment.

    That is, exactly; which is no use where there are many variables.
    """
    if program.n_variables > SMALLISH:
        return linear.UNSOLVED
    effort = LOOK if program.n_variables <= COMPACT else EFFORT
    return program.solve(deadline, seed, max_deterministic_time=effort)


def _persist(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find it the other way, and then exactly, for as long as it takes.

    Of few variables exactly before, too, but without all that goes before
    that: what takes one of them seconds is often done at once by the other.
    """
    outcome = linear.UNSOLVED
    if program.n_variables <= COMPACT:
        outcome = program.solve(
            deadline,
            seed,
            max_deterministic_time=AGAIN,
            cp_model_probing_level=0,
        )
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.seek(deadline, seed)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.solve(deadline, seed)
    return outcome


def _solve(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution, or the proof that there is none."""
    outcome = _look(program, deadline, seed)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = _persist(program, deadline, seed)
    return outcome
