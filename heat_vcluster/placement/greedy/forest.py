# SPDX-License-Identifier: Apache-2.0
"""Bundles as trees: what must share a domain, and what in it a narrower one.

The hardest trees come first. Roots that wishes tie together are one tree,
which may be taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.greedy import dead_ends
from heat_vcluster.placement.greedy.standing import Node
from heat_vcluster.placement.greedy.state import Item, State
from heat_vcluster.placement.numbers import amounts, contract, unions
from heat_vcluster.placement.numbers import compiled as numbers

# What being alone at a scope adds to the weight of a bundle.
SECLUSION = 50.0
# What sharing a narrow domain adds to it, by scope, where room is scarce.
NARROWNESS = 20.0


class Forest:
    """Makes the trees of a problem.

    ``scarcity`` has item kind -> about what share of all room it takes.
    ``sparing``: room is scarce; no wish ties roots then, and those that must
    share a narrow domain are heavier.
    """

    def __init__(
        self, state: State, contracted: contract.Contracted, *, sparing: bool
    ) -> None:
        self._state, self._compiled = state, state.compiled
        self._contracted = contracted
        self._sparing = sparing
        self.top = nested_up_to(state.compiled)
        self.scarcity = self._find_scarcity()

    def _find_scarcity(self) -> dict[int, float]:
        """Return item kind -> about what share of all room it takes.

        The larger of two: items of the kind beside the slots for them, and
        the amount all volumes take beside what is free where it fits.
        """
        compiled, state = self._compiled, self._state
        demand: dict[int, int] = {}
        gb = 0
        for item in state.items:
            demand[item.kind] = demand.get(item.kind, 0) + 1
            if not item.is_anchored:
                gb += compiled.size(item.volumes[0])[0]
        found: dict[int, float] = {}
        for item in state.items:
            if item.kind in found:
                continue
            fits = state.kind(item).places
            if item.is_anchored:
                slots = float(
                    np.sum(amounts.slots(item.size, state.free, fits))
                )
                found[item.kind] = demand[item.kind] / max(slots, 0.5)
            else:
                size = compiled.size(item.volumes[0])[0]
                free = state.pool_free[fits - compiled.n_hosts]
                slots = float(np.sum(free // max(size, 1)))
                found[item.kind] = max(
                    demand[item.kind] / max(slots, 0.5),
                    gb / max(float(np.sum(free)), 0.5),
                )
        return found

    def roots(self) -> list[Node]:
        state, contracted = self._state, self._contracted
        roots = []
        for members in contracted.bundles[self.top]:
            numbers_ = sorted(
                {int(state.item_of[m]) for m in members} - {UNKNOWN}
            )
            if numbers_:
                items = [state.items[n] for n in numbers_]
                roots.append(self.node(items, self.top))
        if not self._sparing:
            return self._wish(roots)
        for root in roots:
            if root.parts:
                root.weight += NARROWNESS * (self.top + 1 - root.scope)
        return roots

    def node(self, items: Sequence[Item], scope: int) -> Node:
        if len(items) == 1:
            return Node(0, tuple(items), weight=self._weight(items))
        parts: dict[int, list[Item]] = {}
        narrower = self._contracted.bundle_of[scope - 1]
        for item in items:
            first = (*item.servers, *item.volumes)[0]
            parts.setdefault(int(narrower[first]), []).append(item)
        if len(parts) == 1:
            return self.node(items, scope - 1)
        nodes = [self.node(part, scope - 1) for part in parts.values()]
        return self._whole(scope, nodes)

    def _whole(
        self, scope: int, parts: list[Node], *, wished: bool = False
    ) -> Node:
        """Return the node of which these are the parts."""
        parts = sorted(parts, key=lambda node: -node.weight)
        items = tuple(item for part in parts for item in part.items)
        node = Node(scope, items, tuple(parts), wished, self._weight(items))
        node.sign = dead_ends.sign(self._state, scope, items, node.shape)
        return node

    def _weight(self, items: Sequence[Item]) -> float:
        """Return the promise of trouble: how many, how scarce their places."""
        scarce = [self.scarcity[item.kind] for item in items]
        weight = 4 * max(scarce) + sum(scarce) + 0.01 * len(items)
        if self._state.alone:
            # What must be alone finds less the more the others have taken.
            scopes = [self._state.secluded(item) for item in items]
            widest = max((max(s) + 1 for s in scopes if s), default=0)
            weight += SECLUSION * widest
        return weight

    def _wish(self, roots: list[Node]) -> list[Node]:
        """Join roots that soft clauses would have together."""
        owner = {
            item.number: index
            for index, root in enumerate(roots)
            for item in root.items
        }
        joined = unions.Unions(range(len(roots)))
        scopes = dict.fromkeys(range(len(roots)), 0)
        narrow: dict[int, int] = {}
        for scope, members in sorted(self._wishes(), key=lambda w: w[0]):
            items = {int(self._state.item_of[m]) for m in members} - {UNKNOWN}
            first = owner[min(items)] if items else UNKNOWN
            if items and len(items) == len(roots[first].items):
                narrow.setdefault(first, scope)
            indices = sorted({joined.find(owner[i]) for i in items})
            if len(indices) > 1:
                widest = max(scope, *(scopes[i] for i in indices))
                joined.join(indices)
                scopes[indices[0]] = widest
        found = []
        for group in joined.sets():
            nodes = [roots[index] for index in group]
            if len(nodes) == 1:
                scope = narrow.get(group[0], self.top)
                found.append(self._narrower(nodes[0], scope))
                continue
            scope = min(scopes[joined.find(group[0])], self.top)
            found.append(self._whole(scope, nodes, wished=True))
        return found

    def _narrower(self, root: Node, scope: int) -> Node:
        """Return the root in a narrower domain, as long as there is one."""
        if not root.parts or not 0 < scope < root.scope:
            return root
        node = self.node(root.items, scope)
        node.wished, node.otherwise = True, root
        return node

    def _wishes(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        for clause in self._contracted.loose:
            yield clause.scope, clause.members
        for clause in self._compiled.soft:
            if not clause.weight:
                continue
            if clause.kind is constraints.Together and clause.scope:
                yield clause.scope, clause.members
            elif clause.kind is constraints.Near:
                yield min(1, self.top), clause.members


def nested_up_to(compiled: numbers.Compiled) -> int:
    """Return the widest scope up to which every domain lies in one wider."""
    top = 0
    for nested in compiled.is_nested:
        if not nested:
            break
        top += 1
    return top
