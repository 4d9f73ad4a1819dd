# SPDX-License-Identifier: Apache-2.0
"""In how many narrower domains a bundle is, and which domains have as many.

Parts that must be apart inside a domain take one narrower domain each. Where
there are fewer that any of them could go to, no room need be looked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags
from heat_vcluster.placement.numbers import compiled as numbers


@dataclasses.dataclass(frozen=True, slots=True)
class Breadth:
    """So many domains at a scope has a bundle, each with one of the kinds.

    Kinds are of whoever counts, by number.
    """

    scope: int
    kinds: frozenset[int]
    domains: int


# Tells, by domain at a scope, whether it could take one of a kind.
Reached = Callable[[int, int], Flags]


def broad(
    compiled: numbers.Compiled,
    scope: int,
    breadths: Iterable[Breadth],
    reached: Reached,
) -> Flags:
    """Return the domains at a scope with narrower ones enough for all."""
    found = np.ones(compiled.n_domains[scope], np.bool_)
    for breadth in breadths:
        inside = np.logical_or.reduce(
            [reached(kind, breadth.scope) for kind in breadth.kinds]
        )
        above = compiled.above(breadth.scope, scope)[inside]
        here = np.bincount(above[above != UNKNOWN], minlength=len(found))
        found &= here >= breadth.domains
    return found
