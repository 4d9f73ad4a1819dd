# SPDX-License-Identifier: Apache-2.0
"""What small rules, which no count tells apart, say when they are added up.

Fifty pairs that are each to be apart let any one domain have fifty of those
members at the most. That is little beside the pairs themselves, but it is
said of kinds, and keeps counts from what no dealing out could mend.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator

from heat_vcluster.placement import constraints
from heat_vcluster.placement.counting import likeness
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import unions


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Any one domain at the scope has units of these weights up to the limit.

    ``weights``: kind -> how much a unit of it counts.
    """

    scope: int
    weights: dict[int, int]
    limit: int


def add_up(kinds: likeness.Likeness) -> Iterator[Sum]:
    """Give the sums of the rules that no count says one by one."""
    by_scope: dict[int, list[numbers.Clause]] = {}
    for clause in kinds.dropped:
        if clause.kind is constraints.AtMost:
            by_scope.setdefault(clause.scope, []).append(clause)
    for scope, clauses in by_scope.items():
        for group in _groups(kinds, clauses):
            found = _sum(kinds, scope, group)
            if found.weights:
                yield found


def _groups(
    kinds: likeness.Likeness, clauses: list[numbers.Clause]
) -> list[list[numbers.Clause]]:
    """Return them apart where they have no kind in common."""
    joined = unions.Unions(range(len(kinds.kinds)))
    inside = [list(kinds.bundles_in(clause)) for clause in clauses]
    kind_at = kinds.kind_at
    for clause, bundles in zip(clauses, inside, strict=True):
        joined.join([kind_at[clause.scope][b] for b in bundles])
    found: dict[int, list[numbers.Clause]] = {}
    for clause, bundles in zip(clauses, inside, strict=True):
        if bundles:
            root = joined.find(kind_at[clause.scope][bundles[0]])
            found.setdefault(root, []).append(clause)
    return list(found.values())


def _sum(
    kinds: likeness.Likeness, scope: int, clauses: list[numbers.Clause]
) -> Sum:
    """Count each unit of a kind as often as the least of them is counted."""
    counted: collections.Counter[int] = collections.Counter()
    for clause in clauses:
        counted.update(kinds.bundles_in(clause))
    weights = {}
    for number in sorted({kinds.kind_at[scope][b] for b in counted}):
        bundles = kinds.bundles_of(number, scope)
        least = min(counted[bundle] for bundle in bundles)
        if least:
            weights[number] = least
    return Sum(scope, weights, sum(map(kinds.cap, clauses)))
