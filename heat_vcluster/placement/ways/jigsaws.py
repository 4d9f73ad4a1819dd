# SPDX-License-Identifier: Apache-2.0
"""Where hosts must be filled to the brim: filling, counting, exchanging."""

from __future__ import annotations

import time

from heat_vcluster.placement.finishing import jigsaw
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.ways import counts, mending, whole
from heat_vcluster.placement.ways.search import (
    UNKNOWN_YET,
    Outcome,
    Search,
)

# For few left over room is made so many times as often as in haste;
BRIMFUL = 6
# ... and bundles change places so many times before anything is counted;
EXCHANGES = 15
# ... and exchanging takes this share of the time that is left,
SHARE = 0.6
# ... or this, where nothing is counted before, as there are more pairs of
# kind and place than so many: too many to be opened to single hosts at once,
MOSTLY = 0.85
COUNTABLE = 30_000
# ... or than so many where rules look at domains above the host, too.
DIVIDED = 8_000
# Counting takes this part of the time where they look at single hosts only:
# there it finds most.
UNDIVIDED = 0.8


def fill_to_the_brim(search: Search) -> Outcome:
    """Fill hosts up exactly, in haste at first, and on for few.

    Often that will do, and it takes a fraction.
    """
    if search.pairs <= whole.MEDIUM or not counts.is_jigsaw(search):
        return UNKNOWN_YET
    search.tried.append('filling hosts to the brim')
    found = search.place(search.trouble or None, brims=True)
    is_nearly = len(found.left) <= mending.VERY_FEW and not found.unmet
    if is_nearly and search.trouble:
        often = BRIMFUL * search.trouble
        found = found.go_on(search.left(), often) or found
    search.brimmed = found
    return (
        _exchange(search, found, 1.0, EXCHANGES) if is_nearly else UNKNOWN_YET
    )


def count(search: Search) -> Outcome:
    """Count, where there is little enough to count."""
    if search.brimmed is None or not _is_countable(search):
        return UNKNOWN_YET
    return counts.count(
        search, UNDIVIDED if _is_undivided(search) else counts.HALF
    )


def exchange(search: Search) -> Outcome:
    """Let bundles change places until all have one."""
    if search.brimmed is None:
        return UNKNOWN_YET
    share = SHARE if _is_countable(search) else MOSTLY
    return _exchange(search, search.brimmed, share)


def _is_undivided(search: Search) -> bool:
    """Tell whether no rule looks at domains above the host."""
    return search.frame.n_blocks == 1


def _is_countable(search: Search) -> bool:
    most = COUNTABLE if _is_undivided(search) else DIVIDED
    return search.frame.n_pairs <= most


def _exchange(
    search: Search, found: greedy.Found, share: float, turns: int | None = None
) -> Outcome:
    """Let bundles change places, for a share of the time that is left."""
    if search.is_done(found):
        return search.first(found.placement)
    search.tried.append('letting bundles change places')
    finished = jigsaw.finish(
        search.compiled,
        search.contracted,
        found.placement,
        deadline=time.monotonic() + share * search.left(),
        seed=search.seed,
        turns=turns,
    )
    return search.valid(finished)
