# SPDX-License-Identifier: Apache-2.0
"""The search by counts: proofs, jigsaws, and bounds for large problems.

Kinds of members are counted by domain (``tally``), which takes a small
part of the variables that members by place would. What the counts cannot be
is proven impossible; what they can be is tried with the members themselves.
"""

from __future__ import annotations

from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement import contract, likeness, linear, tally


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
    kinds = likeness.Likeness(compiled, contracted)
    blocks = tally.Blocks(compiled)
    for opened in ((), None):
        program = tally.Tally(kinds, blocks, opened)
        if program.impossible:
            return True
        outcome = program.program.solve(deadline, seed)
        if outcome.status is linear.Status.NONE:
            return True
        if outcome.status is linear.Status.UNKNOWN:
            return False
    return False
