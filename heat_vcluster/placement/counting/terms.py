# SPDX-License-Identifier: Apache-2.0
"""Counts by domain, and what several of them come to in each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from heat_vcluster.placement.columns import Ints


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Count:
    """The counts of one kind at one scope: a variable for each domain.

    ``highest`` are their upper bounds. Sorted by domain.
    """

    domains: Ints
    variables: Ints
    highest: Ints


class Terms:
    """Counts with factors, to be read domain by domain."""

    def __init__(self) -> None:
        self._counts: list[tuple[Count, int]] = []

    def add(self, count: Count, factor: int) -> None:
        self._counts.append((count, factor))

    def rows(
        self, bounds: Ints | None = None
    ) -> Iterator[tuple[int, list[int], list[int], int]]:
        """Give domain, variables, factors, and the most they can come to.

        With ``bounds``, by domain: only where that is more.
        """
        if not any(len(c.domains) for c, _ in self._counts):
            return
        domains = np.concatenate([c.domains for c, _ in self._counts])
        variables = np.concatenate([c.variables for c, _ in self._counts])
        factors = np.concatenate(
            [np.full(len(c.domains), f) for c, f in self._counts]
        )
        highest = np.concatenate(
            [c.highest * max(f, 0) for c, f in self._counts]
        )
        order = np.argsort(domains, kind='stable')
        domains = domains[order]
        starts = np.flatnonzero(np.diff(domains, prepend=-2))
        ends = np.append(starts[1:], len(domains))
        numbers, by = variables[order].tolist(), factors[order].tolist()
        most = np.add.reduceat(highest[order], starts)
        if bounds is not None:
            beyond = most > bounds[domains[starts]]
            starts, ends, most = starts[beyond], ends[beyond], most[beyond]
        for start, end, high in zip(
            starts.tolist(), ends.tolist(), most.tolist(), strict=True
        ):
            yield (
                int(domains[start]),
                numbers[start:end],
                by[start:end],
                high,
            )
