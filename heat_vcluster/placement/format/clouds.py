# SPDX-License-Identifier: Apache-2.0
"""Writes a snapshot as the topology of a document."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.format.faults import MOST
from heat_vcluster.placement.format.topology import RESOURCES

NOT_KNOWN = 'unknown'  # the domain of hosts whose domain is not known


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """The domains of a level as written, and where hosts and pools are."""

    names: list[str]
    parents: list[int | None]
    hosts: Ints
    pools: list[int | None]


class Cloud:
    """A snapshot on its way into the format."""

    def __init__(
        self, snapshot: model.Snapshot, demands: Sequence[model.Demand]
    ) -> None:
        self.hosts = columns.of(snapshot.hosts, snapshot.levels)
        self.pools = snapshot.pools
        self.levels = snapshot.levels or ('cloud',)
        self._tree = self._nest()
        self.numbers = {n: i for i, n in enumerate(self.hosts.names)}
        self.pool_names = different(
            [pool.name for pool in self.pools], self.numbers
        )
        self._demands = demands
        self.marks = _marks(demands)

    def topology(self) -> dict[str, Any]:
        return {
            'levels': list(self.levels),
            'domains': {
                level: {
                    'name': self._tree[level].names,
                    'parent': self._tree[level].parents,
                }
                for level in self.levels
            },
            **self._hosts(),
            'pools': self._pools(),
        }

    def has(self, scope: str, name: str) -> bool:
        if scope == model.HOST:
            return name in self.numbers
        return scope in self._tree and name in self._tree[scope].names

    def _nest(self) -> dict[str, Level]:
        """Let every domain lie in one wider domain.

        The domains keep their numbers. One that lies in several is written
        once more for each further one.
        """
        tree: dict[str, Level] = {}
        wider = Level(
            [''],
            [],
            np.zeros(len(self.hosts), np.int64),
            [None] * len(self.pools),
        )
        for number, level in enumerate(self.levels):
            wider = self._level(level, wider)
            tree[level] = wider
            if not number:
                wider.parents[:] = [None] * len(wider.names)
        return tree

    def _level(self, level: str, wider: Level) -> Level:
        none = np.full(len(self.hosts), UNKNOWN, np.int64)
        known, column = self.hosts.domains.get(level, ((), none))
        names = list(known)
        numbers = {name: number for number, name in enumerate(names)}
        for pool in self.pools:
            name = pool.domains.get(level)
            if name is not None and name not in numbers:
                numbers[name] = len(names)
                names.append(name)
        if names and not wider.names:
            wider.names.append(NOT_KNOWN)
            wider.parents.append(0)
        # Domain and parent as one number each, as hosts have them.
        step = len(names) + 1
        both, which = np.unique(
            wider.hosts * step + column + 1, return_inverse=True
        )
        pairs = [(int(n) % step - 1, int(n) // step) for n in both]
        parents: list[int | None] = [None] * len(names)
        index: dict[tuple[int, int], int] = {}

        def place(number: int, parent: int) -> int:
            if (number, parent) not in index:
                if number != UNKNOWN and parents[number] is None:
                    index[number, parent] = number
                    parents[number] = parent
                else:
                    index[number, parent] = len(names)
                    names.append(
                        NOT_KNOWN if number == UNKNOWN else names[number]
                    )
                    parents.append(parent)
            return index[number, parent]

        placed = np.array([place(*pair) for pair in pairs], np.int64)
        pools: list[int | None] = []
        for pool, parent in zip(self.pools, wider.pools, strict=True):
            name = pool.domains.get(level)
            if name is None:
                pools.append(None)
                continue
            number = numbers[name]
            if parent is None:
                parent = parents[number] or 0
            pools.append(place(number, parent))
        return Level(
            different(names, ()),
            [parent or 0 for parent in parents],
            placed[which] if len(both) else none,
            pools,
        )

    def _hosts(self) -> dict[str, Any]:
        hosts = self.hosts
        none = np.zeros(len(hosts), np.int64)
        written: dict[str, Any] = {
            'name': list(hosts.names),
            'domain': self._tree[self.levels[-1]].hosts.tolist(),
            'busy': hosts.is_busy.tolist(),
        }
        for key, resource in RESOURCES.items():
            total = np.clip(hosts.total.get(resource, none), 0, MOST)
            free = np.clip(hosts.free.get(resource, none), 0, total)
            written[key] = free.tolist()
            written[f'cap_{key}'] = total.tolist()
        traitsets, traitset = self._traits()
        return {
            'hosts': {**written, 'traitset': traitset},
            'traitsets': traitsets,
        }

    def _traits(self) -> tuple[list[list[str]], list[int]]:
        """Return the sets of traits, the marks among them, by host."""
        hosts = self.hosts
        marked: dict[int, list[str]] = {}
        for names, mark in self.marks.items():
            for name in names:
                if name in self.numbers:
                    marked.setdefault(self.numbers[name], []).append(mark)
        traitsets = [sorted(traits) for traits in hosts.traitsets]
        traitset = hosts.traitset.tolist()
        fresh: dict[tuple[str, ...], int] = {}
        for number in sorted(marked):
            traits = (*traitsets[traitset[number]], *sorted(marked[number]))
            if traits not in fresh:
                fresh[traits] = len(traitsets)
                traitsets.append(list(traits))
            traitset[number] = fresh[traits]
        return traitsets, traitset

    def _pools(self) -> dict[str, Any]:
        asked = dict.fromkeys(
            demand.type
            for demand in self._demands
            if isinstance(demand, model.VolumeDemand) and demand.type
        )
        narrow: dict[tuple[str | None, frozenset[str]], None] = {
            (demand.type, demand.candidates): None
            for demand in self._demands
            if isinstance(demand, model.VolumeDemand)
            and demand.candidates is not None
        }
        types = []
        for pool in self.pools:
            offered = sorted(asked if pool.types is None else pool.types)
            offered += [
                self.type_of(kind, names)
                for kind, names in narrow
                if pool.name in names
                and (kind is None or pool.types is None or kind in pool.types)
            ]
            types.append(list(dict.fromkeys(offered)))
        written: dict[str, Any] = {
            'name': self.pool_names,
            'free_gb': [
                MOST if pool.free_gb is None else max(0, pool.free_gb)
                for pool in self.pools
            ],
            'types': types,
            'domain': [
                self._place(number) for number in range(len(self.pools))
            ],
        }
        if not self.pools and any(
            isinstance(demand, model.VolumeDemand) for demand in self._demands
        ):
            # Volumes are not steered: any place does.
            written = {
                'name': different(['anywhere'], self.numbers),
                'free_gb': [MOST],
                'types': [list(asked)],
                'domain': [None],
            }
        return written

    def type_of(self, kind: str | None, names: frozenset[str]) -> str:
        """Return a type that only the named pools offer, for the kind."""
        if not self.pools:
            return kind or ''
        return f'{kind or "any"}@{self.marks[names]}'

    def _place(self, number: int) -> dict[str, Any] | None:
        host = self.pools[number].host
        if host is not None and host in self.numbers:
            return {'host': host}
        for level in reversed(self.levels):
            index = self._tree[level].pools[number]
            if index is not None:
                return {'level': level, 'index': index}
        return None

    def within(self, place: str) -> dict[str, str] | None:
        """Return the narrowest domain of a host or pool, to pin one by it."""
        if place in self.numbers:
            return {'level': model.HOST, 'name': place}
        for number, pool in enumerate(self.pools):
            if pool.name == place:
                spot = self._place(number)
                if spot is None:
                    return None
                if 'host' in spot:
                    return {'level': model.HOST, 'name': spot['host']}
                names = self._tree[spot['level']].names
                return {'level': spot['level'], 'name': names[spot['index']]}
        return None


def _marks(demands: Sequence[model.Demand]) -> dict[frozenset[str], str]:
    """Return a trait for each list of places that members are bound to."""
    lists = dict.fromkeys(
        demand.candidates
        for demand in demands
        if demand.candidates is not None
    )
    return {names: f'CANDIDATES_{i}' for i, names in enumerate(lists)}


def different(
    names: Sequence[str], taken: Mapping[str, Any] | Sequence[str]
) -> list[str]:
    """Return the names, each that is there already with a number behind."""
    seen = set(taken)
    found = []
    for name in names:
        number, fresh = 1, name
        while fresh in seen:
            number += 1
            fresh = f'{name} ({number})'
        seen.add(fresh)
        found.append(fresh)
    return found
