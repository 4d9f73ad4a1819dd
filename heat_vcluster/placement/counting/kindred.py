# SPDX-License-Identifier: Apache-2.0
"""Which kinds of members it is worth to bound together, as a set."""

from __future__ import annotations

from collections.abc import Sequence

from heat_vcluster.placement.counting import likeness

PAIRS = 20  # kinds up to which all pairs of them are sets
LARGEST = 20  # sets of the largest kinds, by each resource

Kinds = tuple[likeness.Kind, ...]


def sets(kinds: Sequence[likeness.Kind]) -> list[Kinds]:
    """Choose sets of kinds: the largest by each resource, and pairs."""
    found: dict[frozenset[int], Kinds] = {}
    for number in range(len(kinds[0].size) if kinds else 0):
        ordered = sorted(kinds, key=lambda k: -k.size[number])
        for end in _steps([kind.size[number] for kind in ordered]):
            chosen = tuple(ordered[:end])
            found[frozenset(k.number for k in chosen)] = chosen
    if len(kinds) <= PAIRS:
        for i, one in enumerate(kinds):
            for other in kinds[:i]:
                key = frozenset((one.number, other.number))
                found[key] = one, other
    return list(found.values())


def _steps(sizes: Sequence[int]) -> list[int]:
    """Return after how many of them the falling sizes take a step.

    Not more than ``LARGEST`` of those steps, the last of them always.
    """
    ends = [
        end
        for end in range(2, len(sizes) + 1)
        if end == len(sizes) or sizes[end] < sizes[end - 1]
    ]
    width = max(1, -(-len(ends) // LARGEST))
    return ends[(len(ends) - 1) % width :: width]
