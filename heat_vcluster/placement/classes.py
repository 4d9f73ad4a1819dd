# SPDX-License-Identifier: Apache-2.0
"""The search by counts: proofs, jigsaws, and bounds for large problems.

Kinds of members are counted by domain (``tally``), which takes a small
part of the variables that members by place would. What the counts cannot be
is proven impossible; what they can be is tried with the members themselves.
"""

from __future__ import annotations

import dataclasses
import time

from heat_vcluster.placement import (
    amounts,
    casting,
    contract,
    exact,
    likeness,
    linear,
    tally,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement.columns import Ints

ATTEMPTS = 40  # times that blocks are opened before it is given up
PAIRS = 100_000  # of member and place at the most, to sort members out
SMALL = 30_000  # pairs of kind and place for which all is opened at once
SORTING = 5.0  # seconds of CP-SAT's own clock for that
FIRST = 0.3  # share of the time that CP-SAT has before another solver
FINENESS = (3_000, 60_000)  # pairs of kind and place that small rules cost
EFFORT = 0.5  # of CP-SAT's own clock, before another solver is asked


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """There is no placement, proven."""


def prove(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> bool:
    """Tell whether there is no placement, proven; False: not known.

    ``deadline`` is as of ``time.monotonic``. Blocks of hosts are looked at
    as a whole first, then all hosts one by one.
    """
    if contracted.contradiction is not None or compiled.stuck():
        return True
    frame = tally.Frame(likeness.Likeness(compiled, contracted))
    for opened in ((), None):
        program = tally.Tally(frame, opened)
        if program.impossible:
            return True
        outcome = program.program.solve(deadline, seed)
        if outcome.status is linear.Status.NONE:
            return True
        if outcome.status is linear.Status.UNKNOWN:
            return False
    return False


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
    for few in FINENESS:
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
        self._frame = tally.Frame(kinds)
        self._caster = casting.Casting(self._frame, contracted)
        self._deadline, self._seed = deadline, seed

    def found(self) -> Ints | Proof | None:
        frame = self._frame
        everything = set(range(frame.n_blocks))
        pairs = sum(int((fits > 0).sum()) for fits in frame.fits.values())
        opened: set[int] = everything if pairs <= SMALL else set()
        for attempt in range(ATTEMPTS):
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
            if cast.placement is not None and amounts.is_valid(
                frame.compiled, cast.placement
            ):
                return cast.placement
            failed = set(cast.failed or ())
            if failed - opened:
                opened |= failed
                continue
            found = _sort_out(
                self._caster, counts, outcome.values, self._deadline, seed
            )
            if found is not None:
                return found
            if opened == everything:
                return None
            opened = everything
        return None


def _sort_out(
    caster: casting.Casting,
    counts: tally.Tally,
    values: Ints,
    deadline: float,
    seed: int,
) -> Ints | None:
    """Place members one by one, where members like them were counted."""
    reach = caster.reach(counts, values)
    if sum(map(len, reach.values())) > PAIRS:
        return None
    result = exact.solve(
        caster.compiled,
        allowed=reach,
        goal=exact.Goal.ANY,
        seconds=max(0.0, deadline - time.monotonic()),
        effort=SORTING,
        seed=seed,
    )
    return result.placement


def pack(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> tuple[Ints | None, int]:
    """Use the fewest hosts; return a placement and a bound, proven.

    No placement that obeys the hard rules uses fewer hosts than the bound,
    whatever its soft cost. Soft rules play no part in the placement.
    """
    frame = tally.Frame(likeness.Likeness(compiled, contracted))
    counts = tally.Tally(frame, packs=True)
    if counts.impossible:
        return None, 0
    left = deadline - time.monotonic()
    outcome = counts.program.solve(time.monotonic() + left * FIRST, seed)
    if outcome.status is linear.Status.NONE:
        return None, 0
    if outcome.status is not linear.Status.BEST:
        other = counts.program.seek(
            time.monotonic() + left * (1 - FIRST) * 0.9, seed
        )
        outcome = _better(outcome, other)
    if outcome.values is None:
        return None, outcome.bound
    caster = casting.Casting(frame, contracted)
    cast = caster.cast(counts, outcome.values, deadline, seed)
    placement = cast.placement
    if placement is None or not amounts.is_valid(compiled, placement):
        placement = _sort_out(caster, counts, outcome.values, deadline, seed)
    return placement, outcome.bound


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
    """Solve by both solvers: exactly for a while, then by floating point."""
    outcome = program.solve(deadline, seed, max_deterministic_time=EFFORT)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.seek(deadline, seed)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.solve(deadline, seed)
    return outcome
