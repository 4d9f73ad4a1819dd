# SPDX-License-Identifier: Apache-2.0
"""The search by counts: proofs, jigsaws, and bounds for large problems.

Kinds of members are counted by domain (``tally``), which takes a small
part of the variables that members by place would. What the counts cannot be
is proven impossible; what they can be is tried with the members themselves.
"""

from __future__ import annotations

import dataclasses

from heat_vcluster.placement import (
    amounts,
    casting,
    contract,
    likeness,
    linear,
    tally,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement.columns import Ints

ATTEMPTS = 40  # times that blocks are opened before it is given up


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
    frame = tally.Frame(likeness.Likeness(compiled, contracted))
    caster = casting.Casting(frame, contracted)
    opened: set[int] = set()
    for attempt in range(ATTEMPTS):
        counts = tally.Tally(frame, sorted(opened))
        if counts.impossible:
            return Proof()
        outcome = counts.program.solve(deadline, seed + attempt)
        if outcome.status is linear.Status.NONE:
            return Proof()
        if outcome.values is None:
            return None
        cast = caster.cast(counts, outcome.values, deadline, seed + attempt)
        if cast.placement is not None:
            if amounts.is_valid(compiled, cast.placement):
                return cast.placement
            return None
        if cast.failed is None or opened.issuperset(cast.failed):
            return None
        opened.update(cast.failed)
    return None
