# SPDX-License-Identifier: Apache-2.0
"""In how many narrower domains a bundle is, and which domains have as many.

Parts that must be apart inside a domain take one narrower domain each. Where
there are fewer that any of them could go to, no room need be looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.dead_ends import DeadEnds
from heat_vcluster.placement.standing import Node
from heat_vcluster.placement.state import State, Tally


def close(
    ends: DeadEnds,
    state: State,
    nodes: Iterable[Node],
    fitting: Callable[[int, int], Ints],
) -> None:
    """Close the domains that are too narrow for the nodes or their parts.

    ``fitting``: for an item kind and a scope, by domain, how many places take
    one, if nobody else is there.
    """
    wide = [node for node in nodes if node.parts]
    for node in {n.sign or n.key: n for n in wide}.values():
        counts = least(state, node)
        if counts:
            kinds = {item.kind for item in node.items}
            narrow = too_narrow(
                state.compiled,
                node.scope,
                counts,
                {
                    scope: [fitting(kind, scope) for kind in sorted(kinds)]
                    for scope in counts
                },
            )
            for domain in np.flatnonzero(narrow).tolist():
                ends.close(node.scope, node.sign, domain)
        close(ends, state, node.parts, fitting)


def least(state: State, node: Node) -> dict[int, int]:
    """Return scope -> in how many domains there the node is, if several.

    At the least, by those rules that keep its servers apart inside one
    domain at the node's own scope.
    """
    units: dict[int, tuple[Tally, set[int]]] = {}
    for item in node.items:
        for member in item.servers:
            for tally in state.hard_of[member]:
                if (
                    tally.kind is constraints.AtMost
                    and tally.limit
                    and 0 < tally.scope < node.scope
                ):
                    _, here = units.setdefault(id(tally), (tally, set()))
                    here.add(tally.unit_of[member])
    found: dict[int, int] = {}
    for tally, here in units.values():
        count = -(-len(here) // tally.limit)
        if count > max(1, found.get(tally.scope, 0)):
            found[tally.scope] = count
    return found


def too_narrow(
    compiled: numbers.Compiled,
    scope: int,
    counts: Mapping[int, int],
    fitting: Mapping[int, Sequence[Ints]],
) -> Flags:
    """Return the domains at a scope with fewer narrower ones than that.

    ``counts`` as of :func:`least`; ``fitting``, by scope as those and kind by
    kind: how many places take one of it, by domain. Only domains with such a
    place count.
    """
    found = np.zeros(compiled.n_domains[scope], np.bool_)
    for narrow, count in counts.items():
        inside = np.logical_or.reduce([n > 0 for n in fitting[narrow]])
        above = compiled.above(narrow, scope)[inside]
        here = np.bincount(above[above != UNKNOWN], minlength=len(found))
        found |= here < count
    return found
