# SPDX-License-Identifier: Apache-2.0
"""In how many narrower domains a bundle is, and which domains have as many.

Parts that must be apart inside a domain take one narrower domain each. Where
there are fewer that any of them could go to, no room need be looked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags
from heat_vcluster.placement.dead_ends import DeadEnds
from heat_vcluster.placement.standing import Node
from heat_vcluster.placement.state import State, Tally


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


def close(
    ends: DeadEnds,
    state: State,
    nodes: Iterable[Node],
    reached: Reached,
) -> None:
    """Close the domains that are too narrow for the nodes or their parts.

    ``reached``: of item kinds, if nobody else is there.
    """
    wide = [node for node in nodes if node.parts]
    for node in {n.sign or n.key: n for n in wide}.values():
        enough = broad(state.compiled, node.scope, least(state, node), reached)
        for domain in np.flatnonzero(~enough).tolist():
            ends.close(node.scope, node.sign, domain)
        close(ends, state, node.parts, reached)


def least(state: State, node: Node) -> list[Breadth]:
    """Return in how many domains the node is, where that is several.

    At the least, by those rules that keep its servers apart inside one
    domain at the node's own scope.
    """
    units: dict[int, tuple[Tally, set[int], set[int]]] = {}
    for item in node.items:
        for member in item.servers:
            for tally in state.hard_of[member]:
                if (
                    tally.kind is constraints.AtMost
                    and tally.limit
                    and tally.scope < node.scope
                ):
                    _, here, kinds = units.setdefault(
                        id(tally), (tally, set(), set())
                    )
                    here.add(tally.unit_of[member])
                    kinds.add(item.kind)
    return [
        Breadth(tally.scope, frozenset(kinds), count)
        for tally, here, kinds in units.values()
        if (count := -(-len(here) // tally.limit)) > 1
    ]
