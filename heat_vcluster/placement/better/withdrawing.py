# SPDX-License-Identifier: Apache-2.0
"""Who would be alone moves into domains where nobody is, and nobody else does.

All of them at once, exactly, each with some of the idle domains to choose: a
small problem, however large the cloud is.
"""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.remainder import Index
from heat_vcluster.placement.programs import exact

# Places that each may choose, beside its own.
CHOICE = 40


def withdraw(
    compiled: Compiled,
    placement: Ints,
    *,
    seconds: float,
    effort: float,
    seed: int,
    index: Index,
) -> Ints | None:
    """Return a placement that costs no more; None: nobody would move.

    ``placement`` is a valid one. Those move who are in a soft Alone clause
    that is broken. For the rest see ``exact.solve``.
    """
    broken = [
        clause
        for clause in compiled.soft
        if clause.kind is constraints.Alone
        and clause.weight
        and amounts.amount(compiled, clause, placement)
    ]
    moving = sorted({m for clause in broken for m in clause.members})
    if not moving or seconds <= 0:
        return None
    fixed = placement.copy()
    fixed[moving] = UNKNOWN
    allowed = {m: {int(placement[m])} for m in moving}
    draw = np.random.default_rng(seed)
    for clause in broken:
        idle = _idle(compiled, clause, fixed)
        for member in clause.members:
            places = compiled.places(member)
            places = places[idle[places]]
            if len(places) > CHOICE:
                places = draw.choice(places, CHOICE, replace=False)
            allowed[member].update(places.tolist())
    return exact.solve(
        compiled,
        fixed=fixed,
        allowed={m: sorted(places) for m, places in allowed.items()},
        hint=placement,
        goal=exact.Goal.CHEAPEST,
        seconds=seconds,
        effort=effort,
        seed=seed,
        index=index,
    ).placement


def _idle(compiled: Compiled, clause: Clause, fixed: Ints) -> Flags:
    """Return, by place, whether nobody is in its domain who stays."""
    column = compiled.domain[clause.scope]
    taken = compiled.busy[clause.scope].copy()
    here = column[fixed[fixed != UNKNOWN]]
    taken[here[here != UNKNOWN]] = True
    found: Flags = (column != UNKNOWN) & ~taken[column]
    return found
