# SPDX-License-Identifier: Apache-2.0
"""Which domains many bundles could go to, so that others leave them be.

Each bundle is one in all, shared out evenly over the domains that could take
it if they were empty. Who goes where the sum is least takes the fewest
chances from others: those of whom there are many places have many to choose
from. Small differences count for nothing: there, how well it fits does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from heat_vcluster.placement.columns import Floats, Ints
from heat_vcluster.placement.greedy.standing import Node

#: Less than that is as good as nobody.
LEAST = 1e-3


class Crowding:
    """How many bundles there are for each domain, by scope."""

    def __init__(
        self,
        n_domains: Sequence[int],
        roots: Iterable[Node],
        eligible: Callable[[Node, int], Sequence[int]],
    ) -> None:
        """``eligible``: the domains that could take a root, at its scope."""
        self._by_scope: dict[int, Floats] = {}
        self._choice: dict[int, int] = {}  # by key of the root
        alike: dict[tuple[int, object], list[Node]] = {}
        for root in roots:
            if root.parts:
                sign = root.key if root.sign is None else root.sign
                alike.setdefault((root.scope, sign), []).append(root)
        for (scope, _), those in alike.items():
            domains = eligible(those[0], scope)
            self._choice.update((root.key, len(domains)) for root in those)
            if len(domains):
                count = n_domains[scope]
                crowd = self._by_scope.setdefault(scope, np.zeros(count))
                crowd[domains] += len(those) / len(domains)

    def choice(self, root: Node) -> int | None:
        """Return how many domains there are for a bundle; None: not known."""
        return self._choice.get(root.key)

    def at(self, scope: int, domains: Ints) -> Floats:
        """Return how crowded each of these domains is: one more is twice."""
        crowd = self._by_scope.get(scope)
        if crowd is None:
            return np.zeros(len(domains))
        found: Floats = np.log2(np.maximum(crowd[domains], LEAST)).round()
        return found
