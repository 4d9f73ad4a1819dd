# SPDX-License-Identifier: Apache-2.0
"""All members at once, as one integer program: up to so many of them."""

from __future__ import annotations

from heat_vcluster.placement.programs import exact
from heat_vcluster.placement.ways.search import (
    GLANCE,
    INFEASIBLE,
    UNKNOWN_YET,
    Outcome,
    Search,
)

# Pairs of members and places up to which a problem is solved whole,
SMALL = 1500
# ... any plan of the whole is looked for before room is made by turns,
NARROW = 5000
# ... or after that,
MEDIUM = 12000
# ... it is tried with some persistence,
WIDE = 120000
# ... it is tried at all: beyond, the making alone takes too long.
LARGE = 300000
# Deterministic seconds for the whole of a medium problem.
EFFORT = 1.0
# ... and for that of a wide one.
PERSISTENCE = 8.0


def solve_small(search: Search) -> Outcome:
    """Solve all of it to the optimum, as far as little time goes.

    Unless only a verdict is asked for.
    """
    if search.pairs > SMALL or not search.haste:
        return UNKNOWN_YET
    if search.is_refuted(GLANCE):
        return INFEASIBLE
    search.tried.append('all members at once')
    result = exact.solve(
        search.compiled,
        seconds=search.left(),
        effort=EFFORT,
        seed=search.seed,
    )
    if result.placement is not None:
        search.note('first_plan')
    return Outcome(result.verdict, result.placement, result.bound)


def solve_narrow(search: Search) -> Outcome:
    return _any(search, EFFORT) if search.pairs <= NARROW else UNKNOWN_YET


def solve_medium(search: Search) -> Outcome:
    if NARROW < search.pairs <= MEDIUM:
        return _any(search, EFFORT)
    return UNKNOWN_YET


def solve_wide(search: Search) -> Outcome:
    return _any(search, PERSISTENCE) if search.pairs <= WIDE else UNKNOWN_YET


def solve_large(search: Search) -> Outcome:
    return _any(search, None) if search.pairs <= LARGE else UNKNOWN_YET


def _any(search: Search, effort: float | None) -> Outcome:
    """Look for any placement of all members at once."""
    if not search.left():
        return UNKNOWN_YET
    search.tried.append('all members at once')
    result = exact.solve(
        search.compiled,
        goal=exact.Goal.ANY,
        seconds=search.left(),
        effort=effort,
        seed=search.seed,
        index=search.index,
    )
    if result.placement is None:
        return Outcome(result.verdict)
    return search.first(result.placement)
