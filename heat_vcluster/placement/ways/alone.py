# SPDX-License-Identifier: Apache-2.0
"""Those who must be alone first, exactly, and then the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.alone import retreats
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.ways.search import (
    INFEASIBLE,
    UNKNOWN_YET,
    Outcome,
    Search,
)

# Deterministic seconds for who must be alone.
EFFORT = 1.0
# Share of the time that is left, for all others when these are settled.
OTHERS = 0.9


def settle_in_large(search: Search) -> Outcome:
    """Place them first where it takes less than a glance at counts."""
    return settle(search) if search.is_large else UNKNOWN_YET


def settle_in_smaller(search: Search) -> Outcome:
    """Place them first after that glance, where it is the other way."""
    return UNKNOWN_YET if search.is_large else settle(search)


def settle(search: Search) -> Outcome:
    """Place those who must be alone exactly, and then the others."""
    verdict, places = retreats.settle(
        search.compiled,
        search.contracted,
        seconds=search.left(),
        effort=EFFORT,
        seed=search.seed,
    )
    if verdict is model.Verdict.INFEASIBLE:
        return INFEASIBLE
    if places:
        search.tried.append('placing first those who must be alone')
        settled = search.compiled.settled(places)
        search.keep(search.place(search.trouble, compiled=settled))
        if not search.is_done(search.found):
            return place_others(search, places)
    return search.placed()


def place_others(search: Search, settled: Mapping[int, int]) -> Outcome:
    """Place all others as a problem of its own.

    ``settled``: member -> place.
    """
    rest, numbers = retreats.others(search.compiled, settled)
    others = search.rest(rest, OTHERS * search.left())
    outcome = others.decide()
    search.tried += others.tried
    if outcome.placement is None:
        return UNKNOWN_YET
    placement = np.full(len(search.compiled.members), UNKNOWN, np.int64)
    placement[numbers] = outcome.placement
    placement[list(settled)] = list(settled.values())
    return search.valid(placement)
