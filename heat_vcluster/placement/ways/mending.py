# SPDX-License-Identifier: Apache-2.0
"""Placing again what is left over and what stands in its way, exactly."""

from __future__ import annotations

from heat_vcluster.placement.finishing import mend as mends
from heat_vcluster.placement.ways.search import (
    INFEASIBLE,
    UNKNOWN_YET,
    Outcome,
    Search,
)

# Bundles left over up to which mending comes before counting.
VERY_FEW = 6
# Share of the time that is left, for those,
FIFTH = 0.2
# ... and for more of them.
HALF = 0.5


def mend_unlike(search: Search) -> Outcome:
    """Mend at once what counts would tell little of."""
    if search.are_alike or len(search.found.left) > VERY_FEW:
        return UNKNOWN_YET
    return mended(search, FIFTH * search.left())


def mend_few(search: Search) -> Outcome:
    """Mend few left over, unless counts to the end prove there is none."""
    if len(search.found.left) > VERY_FEW:
        return UNKNOWN_YET
    if search.is_refuted(None):
        return INFEASIBLE
    return mended(search, FIFTH * search.left())


def mend(search: Search) -> Outcome:
    """Mend, however many are left over."""
    return mended(search, HALF * search.left())


def mended(
    search: Search, seconds: float, *, briefly: bool = False
) -> Outcome:
    if not seconds:
        return UNKNOWN_YET
    search.tried.append('placing again what stands in the way')
    finished = mends.finish(
        search.compiled,
        search.contracted,
        search.found,
        deadline=seconds,
        seed=search.seed,
        index=search.index,
        briefly=briefly,
    )
    return search.valid(finished)
