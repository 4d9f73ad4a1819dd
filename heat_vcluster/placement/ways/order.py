# SPDX-License-Identifier: Apache-2.0
"""Who is asked when, for a verdict: in the order of what it costs.

What is impossible by the rules alone shows at once. Small problems are
solved whole, to the optimum. Large ones get a first plan by a greedy search,
or a proof that there is none, or a plan, by counting. See README.rst above.
"""

from __future__ import annotations

from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.ways import (
    alone,
    counts,
    jigsaws,
    mending,
    placing,
    whole,
)
from heat_vcluster.placement.ways.search import HASTE, Search, Way

# Each knows when it is not for it.
ORDER: tuple[Way, ...] = (
    whole.solve_small,
    counts.count_first,
    placing.place_in_an_excerpt,
    placing.place_in_haste,
    placing.make_some_room,
    counts.look_in_a_part,
    placing.place_sparingly,
    alone.settle_in_large,
    counts.glance,
    alone.settle_in_smaller,
    counts.count_soon,
    jigsaws.fill_to_the_brim,
    jigsaws.count,
    jigsaws.exchange,
    mending.mend_unlike,
    whole.solve_narrow,
    placing.place_by_turns,
    counts.count_medium,
    whole.solve_medium,
    mending.mend_few,
    counts.count,
    whole.solve_wide,
    mending.mend,
    counts.count_all_hosts,
    whole.solve_large,
)


def search(
    compiled: numbers.Compiled,
    ends: float,
    seed: int,
    began: float | None = None,
    haste: int = HASTE,
) -> Search:
    """Return the search for a verdict; ``ends`` as of ``time.monotonic``.

    ``haste``: 0 for who wants a proof rather than a plan.
    """
    return Search(compiled, ORDER, ends, seed, began, haste)
