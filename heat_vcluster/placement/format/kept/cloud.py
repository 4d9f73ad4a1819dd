# SPDX-License-Identifier: Apache-2.0
"""Reads the parts that tell of the cloud: levels, columns of hosts, pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.format import topology
from heat_vcluster.placement.format.faults import Faults, Names, join

KEYS = ('levels', 'free', 'total', 'domains', 'traits', 'pools')


class Cloud:
    """The cloud as it was, as far as it could be read: a part is None if not.

    What is not kept is that of the document.
    """

    def __init__(
        self,
        levels: tuple[str, ...] | None,
        hosts: columns.HostColumns | None,
        pools: tuple[model.Pool, ...] | None,
    ) -> None:
        self.levels = levels
        self.hosts = hosts
        self.pools = pools
        self._names: dict[str, frozenset[str]] = {}

    @property
    def is_read(self) -> bool:
        return self.hosts is not None and self.pools is not None

    def has(self, scope: str, name: str) -> bool:
        """Tell whether a host or a pool is there; of parts not read: yes."""
        if self.hosts is None or self.pools is None:
            return True
        if scope not in self._names:
            names: Sequence[str] = self.hosts.names
            if scope != model.HOST:
                names, _ = self.hosts.domains.get(scope, ((), None))
            of_pools = (pool.domain(scope) for pool in self.pools)
            self._names[scope] = frozenset(
                (*names, *(name for name in of_pools if name is not None))
            )
        return name in self._names[scope]

    def resources(self) -> frozenset[str]:
        """Return all classes that hosts have any amount of."""
        hosts = self.hosts
        return frozenset((*hosts.free, *hosts.total) if hosts else ())


def read(
    parts: Mapping[str, Any], path: str, plain: topology.Cloud, faults: Faults
) -> Cloud:
    levels = plain.levels
    if 'levels' in parts:
        levels = _levels(parts['levels'], join(path, 'levels'), faults)
    hosts, pools = plain.hosts, plain.pools
    if hosts is not None:
        hosts = _hosts(parts, path, hosts, levels, faults)
    if 'pools' in parts:
        pools = _Pools(levels, faults).read(
            parts['pools'], join(path, 'pools')
        )
    return Cloud(levels, hosts, pools)


def _levels(value: Any, path: str, faults: Faults) -> tuple[str, ...] | None:
    levels = faults.names(value, path)
    if levels is not None and model.HOST in levels:
        faults.add(path, "'host' is there of itself")
        return None
    return levels


def _hosts(
    parts: Mapping[str, Any],
    path: str,
    plain: columns.HostColumns,
    levels: tuple[str, ...] | None,
    faults: Faults,
) -> columns.HostColumns | None:
    before = len(faults.found)
    count = len(plain)
    free, total = (
        _by_class(parts[key], join(path, key), count, faults)
        if key in parts
        else written
        for key, written in (('free', plain.free), ('total', plain.total))
    )
    if len(faults.found) == before:
        _compare(free, total, join(path, 'free'), faults)
    domains = plain.domains
    if 'domains' in parts:
        domains = _domains(
            parts['domains'], join(path, 'domains'), count, levels, faults
        )
    traitsets, traitset = plain.traitsets, plain.traitset
    if 'traits' in parts:
        traitsets, traitset = _traits(
            parts['traits'], join(path, 'traits'), plain, faults
        )
    if len(faults.found) > before:
        return None
    return columns.HostColumns(
        plain.names, domains, free, total, traitsets, traitset, plain.is_busy
    )


def _column(
    value: Any,
    path: str,
    count: int,
    faults: Faults,
    below: int | None = None,
    least: int = 0,
) -> Ints | None:
    """Read one number for each host."""
    column = faults.amounts(value, path, below, least)
    if column is not None and len(column) != count:
        faults.add(path, f'{len(column)} long, there are {count} hosts')
        return None
    return column


def _by_class(
    value: Any, path: str, count: int, faults: Faults
) -> dict[str, Ints]:
    read = {
        resource: _column(numbers, join(path, resource), count, faults)
        for resource, numbers in faults.mapping(value, path).items()
    }
    return {key: column for key, column in read.items() if column is not None}


def _compare(
    free: Mapping[str, Ints],
    total: Mapping[str, Ints],
    path: str,
    faults: Faults,
) -> None:
    """Tell of what more is free of than there is in all."""
    for resource in free.keys() & total.keys():
        over = free[resource] > total[resource]
        if over.any():
            faults.each(
                over.tolist(),
                join(path, resource),
                lambda o: not o,
                'more than there is in all',
            )


def _domains(
    value: Any,
    path: str,
    count: int,
    levels: tuple[str, ...] | None,
    faults: Faults,
) -> dict[str, tuple[tuple[str, ...], Ints]]:
    read = {}
    for level, domains in faults.mapping(value, path).items():
        at = join(path, level)
        if levels is not None and level not in levels:
            faults.add(at, f'no level {level!r}')
        found = faults.keys(domains, at, ('name', 'number'))
        if found is None:
            continue
        names = faults.names(found['name'], join(at, 'name'))
        if names is None:
            continue
        column = _column(
            found['number'],
            join(at, 'number'),
            count,
            faults,
            len(names),
            UNKNOWN,
        )
        if column is not None:
            read[level] = names, column
    return read


def _traits(
    value: Any, path: str, plain: columns.HostColumns, faults: Faults
) -> tuple[Sequence[frozenset[str]], Ints]:
    found = faults.keys(value, path, ('sets', 'number'))
    if found is not None:
        at = join(path, 'sets')
        sets = [
            faults.names(traits, f'{at}[{number}]')
            for number, traits in enumerate(faults.list(found['sets'], at))
        ]
        column = _column(
            found['number'],
            join(path, 'number'),
            len(plain),
            faults,
            len(sets),
        )
        if column is not None:
            return tuple(frozenset(each or ()) for each in sets), column
    return plain.traitsets, plain.traitset


class _Pools:
    """Reads pools one by one."""

    def __init__(self, levels: tuple[str, ...] | None, faults: Faults) -> None:
        self._levels = levels
        self._faults = faults
        self._names = Names(faults)

    def read(self, value: Any, path: str) -> tuple[model.Pool, ...] | None:
        before = len(self._faults.found)
        read = [
            self._pool(pool, f'{path}[{number}]')
            for number, pool in enumerate(self._faults.list(value, path))
        ]
        if len(self._faults.found) > before:
            return None
        return tuple(pool for pool in read if pool is not None)

    def _pool(self, value: Any, path: str) -> model.Pool | None:
        faults = self._faults
        found = faults.keys(
            value, path, ('name', 'free_gb', 'types', 'domains', 'host')
        )
        if found is None:
            return None
        free, types, host = found['free_gb'], found['types'], found['host']
        if free is not None:
            free = faults.amount(free, join(path, 'free_gb'))
        if types is not None:
            types = faults.names(types, join(path, 'types'))
        if host is not None:
            host = faults.name(host, join(path, 'host'))
        return model.Pool(
            self._names.read(found['name'], join(path, 'name')),
            free,
            None if types is None else frozenset(types),
            self._place(found['domains'], join(path, 'domains')),
            host,
        )

    def _place(self, value: Any, path: str) -> dict[str, str]:
        domains = {}
        for level, domain in self._faults.mapping(value, path).items():
            at = join(path, level)
            if self._levels is not None and level not in self._levels:
                self._faults.add(at, f'no level {level!r}')
            domains[level] = self._faults.name(domain, at) or ''
        return domains
