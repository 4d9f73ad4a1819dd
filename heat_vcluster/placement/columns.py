# SPDX-License-Identifier: Apache-2.0
"""Hosts as columns: what tens of thousands of them take to be read fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement import model

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNKNOWN = -1  # the number of a domain that is not known


class HostColumns(Sequence[model.Host]):
    """Hosts that read as a sequence of Host, held by column.

    ``domains`` maps each level to the names of its domains (some may be
    empty) and, host by host, the number of its domain (UNKNOWN: not known).
    ``free`` and ``total`` map resource classes to amounts. ``traitset``
    numbers the rows of ``traitsets``. Values, never changed once made.
    """

    def __init__(
        self,
        names: Sequence[str],
        domains: Mapping[str, tuple[Sequence[str], Ints]],
        free: Mapping[str, Ints],
        total: Mapping[str, Ints],
        traitsets: Sequence[frozenset[str]],
        traitset: Ints,
        is_busy: Flags,
    ) -> None:
        self.names = names
        self.domains = domains
        self.free = free
        self.total = total
        self.traitsets = traitsets
        self.traitset = traitset
        self.is_busy = is_busy

    def changed(
        self,
        free: Mapping[str, Ints] | None = None,
        is_busy: Flags | None = None,
    ) -> HostColumns:
        """Return the same hosts with these columns in place of their own."""
        return HostColumns(
            self.names,
            self.domains,
            self.free if free is None else free,
            self.total,
            self.traitsets,
            self.traitset,
            self.is_busy if is_busy is None else is_busy,
        )

    def with_busy(self, is_busy: Callable[[str, bool], bool]) -> HostColumns:
        """Mark hosts as busy anew, each by its name and its mark so far."""
        marks = self.is_busy.copy()
        for number, name in enumerate(self.names):
            marks[number] = is_busy(name, bool(marks[number]))
        return self.changed(is_busy=marks)

    def has_room(self, number: int, resources: Mapping[str, int]) -> bool:
        """Tell whether so much of each is free on a host, by its number."""
        return all(
            name in self.free and bool(self.free[name][number] >= amount)
            for name, amount in resources.items()
        )

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> model.Host: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[model.Host, ...]: ...

    def __getitem__(
        self, index: int | slice
    ) -> model.Host | tuple[model.Host, ...]:
        if isinstance(index, slice):
            return tuple(map(self._host, range(*index.indices(len(self)))))
        return self._host(range(len(self))[index])

    def __iter__(self) -> Iterator[model.Host]:
        return map(self._host, range(len(self)))

    def _host(self, number: int) -> model.Host:
        return model.Host(
            self.names[number],
            {
                level: names[column[number]]
                for level, (names, column) in self.domains.items()
                if column[number] != UNKNOWN
            },
            {key: int(column[number]) for key, column in self.free.items()},
            {key: int(column[number]) for key, column in self.total.items()},
            self.traitsets[self.traitset[number]],
            bool(self.is_busy[number]),
        )


def of(hosts: Sequence[model.Host], levels: Iterable[str]) -> HostColumns:
    """Return the hosts as columns; themselves if they are."""
    if isinstance(hosts, HostColumns):
        return hosts
    domains = {}
    for level in levels:
        names: dict[str, int] = {}
        column = np.full(len(hosts), UNKNOWN, np.int64)
        for number, host in enumerate(hosts):
            name = host.domains.get(level)
            if name is not None:
                column[number] = names.setdefault(name, len(names))
        domains[level] = (tuple(names), column)
    traitsets: dict[frozenset[str], int] = {frozenset(): 0}
    traitset = [
        traitsets.setdefault(host.traits, len(traitsets)) for host in hosts
    ]
    return HostColumns(
        tuple(host.name for host in hosts),
        domains,
        _amounts([host.free for host in hosts]),
        _amounts([host.total for host in hosts]),
        tuple(traitsets),
        np.array(traitset, np.int64),
        np.array([host.is_busy for host in hosts], np.bool_),
    )


def _amounts(rows: Sequence[Mapping[str, int]]) -> dict[str, Ints]:
    classes = sorted({key for row in rows for key in row})
    return {
        key: np.array([row.get(key, 0) for row in rows], np.int64)
        for key in classes
    }


def by_domain(column: Ints, count: int) -> Sequence[Ints]:
    """Return domain -> the places in it; ``column``: place -> domain."""
    order = np.argsort(column, kind='stable')
    bounds = np.searchsorted(column[order], np.arange(count + 1))
    return _Slices(order, bounds)


class _Slices(Sequence[Ints]):
    """Cuts one array into many without making them all."""

    def __init__(self, order: Ints, bounds: Ints) -> None:
        self._order, self._bounds = order, bounds

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._order[self._bounds[index] : self._bounds[index + 1]]
