# SPDX-License-Identifier: Apache-2.0
"""Cells of places, and the variables: how many of a kind each has.

In a full program each place is a cell, in a coarse one all places of a
*block* are; hosts alike may be one as well.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import framing, likeness, stowage, terms
from heat_vcluster.placement.programs import linear

MIXING = 6  # steps of room from which on mixes are looked at


class Cells:
    """The variables of a program of counts, with these blocks ``opened``.

    None: all are. ``at(kind, scope)`` has the variables of a kind; at scope 0
    those of single hosts only. ``cells(kind)`` has those of an atom by cell:
    ``place_of[cell]`` is the place, or UNKNOWN for several hosts or pools,
    and ``sample[cell]`` one of its places. ``impossible``: seen to have no
    solution while they were written down. ``flat``: hosts much alike, by so
    many steps of room, are one cell wherever they are.
    """

    def __init__(
        self,
        frame: framing.Frame,
        opened: Collection[int] | None = None,
        flat: int = 0,
    ) -> None:
        self.frame = frame
        self.likeness = frame.likeness
        self.compiled = frame.compiled
        self.flat = flat
        self.is_full = opened is None and not flat
        self._is_open = np.ones(frame.n_blocks, np.bool_)
        if opened is not None:
            self._is_open[:] = False
            self._is_open[list(opened)] = True
        self.program = linear.Program()
        self.impossible = False
        self._counts: dict[tuple[int, int], terms.Count] = {}
        self._lay_out()
        self._add_counts()

    def _lay_out(self) -> None:
        """Number the cells: open hosts, alike ones as one, and blocks."""
        compiled, block_of = self.compiled, self.frame.block_of
        n_hosts, n_places = compiled.n_hosts, compiled.n_places
        places = np.arange(n_places)
        is_open = self._is_open[block_of]
        # Of what is closed, the hosts of a block, and its pools.
        keys = n_places + 2 * block_of + (places >= n_hosts)
        keys[is_open] = places[is_open]
        self.mixed = np.zeros(n_places, np.bool_)
        if np.any(is_open[:n_hosts]) and (
            not self.flat or self.flat >= MIXING
        ):
            alike = self.frame.stowage.alike
            self.mixed[:n_hosts] = is_open[:n_hosts] & (alike != UNKNOWN)
            if not stowage.tells_hosts_apart(self.likeness):
                mixed = np.flatnonzero(self.mixed)
                keys[mixed] = (
                    n_places
                    + 2 * self.frame.n_blocks
                    + alike[mixed] * self.frame.n_blocks
                    + block_of[mixed]
                )
        if self.flat:
            self._merge(keys)
        _, first, self._cell_of, self.sizes = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        self.n_cells = len(first)
        self.sample: Ints = first
        alone = is_open[first] & (self.sizes == 1)
        self.place_of = np.where(alone, first, UNKNOWN)
        self.domain = [column[first] for column in compiled.domain]
        self.domain[0] = np.where(alone, self.domain[0], UNKNOWN)

    def _merge(self, keys: Ints) -> None:
        """Have one cell for hosts alike, wherever they are."""
        n_hosts, n_places = self.compiled.n_hosts, self.compiled.n_places
        mixed = self.mixed[:n_hosts]
        alike = np.zeros(n_hosts, np.int64)
        if np.any(mixed):
            alike = self.frame.stowage.alike
        keys[:n_hosts] = np.where(
            mixed,
            n_places + alike,
            2 * n_places + self.frame.much_alike(self.flat),
        )

    def highest(self, by_host: Ints) -> Ints:
        """Return the highest by cell of what is said host by host."""
        found = np.zeros(self.n_cells, np.int64)
        np.maximum.at(found, self._cell_of[: len(by_host)], by_host)
        return found

    def gathered(self, by_place: Ints) -> Ints:
        """Add up by cell what is said place by place, or host by host."""
        cells = self._cell_of[: len(by_place)]
        # Exact: floats hold whole numbers up to 2 ** 53.
        summed = np.bincount(cells, by_place, minlength=self.n_cells)
        return summed.astype(np.int64)

    def _add_counts(self) -> None:
        self._cells: dict[int, terms.Count] = {}
        for kind in self.likeness.kinds:
            if self.flat and (kind.scope or kind.pooled):
                continue
            if kind.scope:
                domains = np.flatnonzero(self.frame.may[kind.number])
                highest = np.full(len(domains), kind.count)
                count = self.new(domains, highest)
                self._counts[kind.number, kind.scope] = count
            else:
                summed = self.gathered(self.frame.fits[kind.number])
                cells = np.flatnonzero(summed)
                highest = np.minimum(summed[cells], kind.count)
                count = self.new(cells, highest)
                self._cells[kind.number] = count
            if int(highest.sum()) < kind.count:
                self.impossible = True
            self.program.total(
                count.variables.tolist(), kind.count, kind.count
            )

    def new(self, domains: Ints, highest: Ints) -> terms.Count:
        first = self.program.variables(highest.tolist())
        variables = np.arange(first, first + len(domains))
        return terms.Count(domains, variables, highest)

    def cells(self, kind: int) -> terms.Count:
        """Return the counts of an atom by cell: in full by place."""
        return self._cells[kind]

    def at(self, kind: int, scope: int) -> terms.Count:
        """Return the counts of a kind at its own scope or a wider one."""
        key = kind, scope
        if key not in self._counts:
            self._counts[key] = self._summed(kind, scope)
        return self._counts[key]

    def _summed(self, kind: int, scope: int) -> terms.Count:
        inner, outer = self._below(kind, scope)
        known = outer != UNKNOWN
        domains, where = np.unique(outer[known], return_inverse=True)
        variables = inner.variables[known]
        highest = inner.highest[known]
        if len(domains) == len(variables):
            order = np.argsort(where)
            return terms.Count(domains, variables[order], highest[order])
        most = np.bincount(where, highest, minlength=len(domains))
        count = self.new(
            domains,
            np.minimum(most.astype(np.int64), self.likeness.kinds[kind].count),
        )
        for total, parts in zip(
            count.variables.tolist(), _split(where, variables), strict=True
        ):
            self.program.row([*parts, total], [1] * len(parts) + [-1], 0, 0)
        return count

    def _below(self, number: int, scope: int) -> tuple[terms.Count, Ints]:
        """Return narrower counts of a kind, and the domains they lie in."""
        kind, compiled = self.likeness.kinds[number], self.compiled
        if kind.scope:
            count = self.at(number, scope - 1)
            return count, compiled.parent[scope - 1][count.domains]
        count = self._cells[number]
        outer = self.domain[scope][count.domains]
        if scope < 2 or scope - 1 not in self.frame.seen:
            return count, outer
        inner = self.domain[scope - 1][count.domains]
        beyond = (inner == UNKNOWN) & (outer != UNKNOWN)
        if np.any(beyond) or not compiled.is_nested[scope - 1]:
            return count, outer
        count = self.at(number, scope - 1)
        return count, compiled.parent[scope - 1][count.domains]

    def cell_of(self, places: Ints) -> Ints:
        return self._cell_of[places]

    def is_mixed(self, cell: int) -> bool:
        return bool(self.mixed[self.sample[cell]])

    def places_of(self, cell: int) -> list[int]:
        found: list[int] = np.flatnonzero(self._cell_of == cell).tolist()
        return found

    @functools.cached_property
    def on_hosts(self) -> list[likeness.Kind]:
        return [k for k in self.likeness.kinds if not k.scope and not k.pooled]


def _split(where: Ints, variables: Ints) -> Iterator[list[int]]:
    """Give the variables of each number in ``where``, from 0 on."""
    if not len(where):
        return
    order = np.argsort(where, kind='stable')
    numbers = variables[order].tolist()
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))
    ends = [*starts[1:].tolist(), len(numbers)]
    for start, end in zip(starts.tolist(), ends, strict=True):
        yield numbers[start:end]
