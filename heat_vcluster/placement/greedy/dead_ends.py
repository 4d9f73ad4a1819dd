# SPDX-License-Identifier: Apache-2.0
"""Where a bundle found no place, so that those like it need not look.

A domain that could not take a bundle cannot take another that needs the
same, until something leaves the domain; and never, if it was cleared of all
that stood there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import Flags, Ints
from heat_vcluster.placement.greedy.standing import Node
from heat_vcluster.placement.greedy.state import Item, State, Tally
from heat_vcluster.placement.numbers.breadth import Breadth, Reached, broad

# What these forbid a member they forbid until somebody leaves.
LASTING = (constraints.AtMost, constraints.Alone)


class DeadEnds:
    """Which domains failed for which signs since something last left them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._failed: dict[tuple[int, Hashable], Ints] = {}
        self._closed: dict[tuple[int, Hashable], Flags] = {}

    def fail(self, scope: int, sign: Hashable, domain: int) -> None:
        """Note that what has this sign finds no place in the domain."""
        if (scope, sign) not in self._failed:
            self._failed[scope, sign] = np.full(
                len(self._state.left_at[scope]), -1, np.int64
            )
        self._failed[scope, sign][domain] = self._state.n_left

    def close(self, scope: int, sign: Hashable, domain: int) -> None:
        """Note that it found no place there though all others were away."""
        if sign is not None:
            if (scope, sign) not in self._closed:
                self._closed[scope, sign] = np.zeros(
                    len(self._state.left_at[scope]), np.bool_
                )
            self._closed[scope, sign][domain] = True

    def close_narrow(self, nodes: Iterable[Node], reached: Reached) -> None:
        """Close the domains that are too narrow for the nodes or their parts.

        ``reached``: of item kinds, if nobody else is there.
        """
        compiled = self._state.compiled
        wide = [node for node in nodes if node.parts]
        for node in {n.sign or n.key: n for n in wide}.values():
            asked = breadths(self._state, node)
            enough = broad(compiled, node.scope, asked, reached)
            for domain in np.flatnonzero(~enough).tolist():
                self.close(node.scope, node.sign, domain)
            self.close_narrow(node.parts, reached)

    def bar_closed(self, scope: int, sign: Hashable, free: Flags) -> None:
        """Leave out those that take it no more when they are cleared."""
        closed = self._closed.get((scope, sign))
        if closed is not None:
            free &= ~closed

    def bar(self, scope: int, sign: Hashable, free: Flags) -> None:
        """Leave out, of domains at a scope, those in which it would fail."""
        self.bar_closed(scope, sign, free)
        failed = self._failed.get((scope, sign))
        if failed is not None:
            free &= failed < self._state.left_at[scope]


def breadths(state: State, node: Node) -> list[Breadth]:
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


def sign(
    state: State, scope: int, items: Sequence[Item], shape: Hashable
) -> Hashable:
    """Return what is the same of bundles that fail in the same domains.

    ``shape`` says the kinds of the items in their order, and what bundles
    they are in. None: some rule may forbid today what it allows tomorrow,
    though nothing left.
    """
    inside: dict[int, tuple[Tally, list[tuple[int, int]]]] = {}
    for position, item in enumerate(items):
        for member in (*item.servers, *item.volumes):
            for tally in state.hard_of[member]:
                _, here = inside.setdefault(id(tally), (tally, []))
                here.append((position, member))
    rules: list[tuple[object, ...]] = []
    for number, (tally, here) in inside.items():
        if tally.scope >= scope and _is_same_for_all(tally, here):
            continue
        if len(here) == len(tally.clause.members):
            clause = tally.clause
            rules.append(
                (
                    clause.kind.__name__,
                    clause.scope,
                    clause.limit,
                    clause.lost,
                    clause.domains,
                    _pattern(tally, here),
                )
            )
        elif tally.scope < scope and tally.kind in LASTING:
            rules.append((number, _pattern(tally, here)))
        else:
            return None
    return shape, frozenset(rules)


def _is_same_for_all(tally: Tally, here: Sequence[tuple[int, int]]) -> bool:
    """Tell whether what forbids a domain to one forbids it to all of these.

    They share a domain at the rule's scope anyway: who comes first opens it
    to the others. ``here`` has (position, member).
    """
    if tally.kind is constraints.AtLeast:
        return len({tally.bundle_of[member] for _, member in here}) == 1
    if tally.kind is constraints.AtMost:
        return len({tally.unit_of[member] for _, member in here}) == 1
    return len(here) == 1 or tally.kind in (
        constraints.Together,
        constraints.Alone,
    )


def _pattern(
    tally: Tally, here: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return (position, unit) with the units numbered as they come."""
    units: dict[int, int] = {}
    return tuple(
        (position, units.setdefault(tally.unit_of[member], len(units)))
        for position, member in here
    )
