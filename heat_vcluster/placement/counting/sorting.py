# SPDX-License-Identifier: Apache-2.0
"""Members placed one by one, among the places of those like them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import exact

PAIRS = 100_000  # of member and place at the most, to sort members out
EFFORT = 5.0  # seconds of CP-SAT's own clock for that


def sort_out(
    compiled: numbers.Compiled,
    reach: Mapping[int, Sequence[int]],
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
        effort=EFFORT,
        seed=seed,
    )
    return result.placement
