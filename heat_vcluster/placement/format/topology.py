# SPDX-License-Identifier: Apache-2.0
"""Reads the cloud of a problem: levels, domains, hosts and pools."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.format.faults import Faults, join

# The resources of the format, and the classes they are.
RESOURCES = {
    'vcpu': 'VCPU',
    'ram_mb': 'MEMORY_MB',
    'disk_gb': 'DISK_GB',
}
_COLUMNS = (
    'name',
    'domain',
    'traitset',
    'busy',
    *RESOURCES,
    *(f'cap_{resource}' for resource in RESOURCES),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """The levels, widest first, and what each domain lies in.

    ``parents`` maps a level to the index of each of its domains' parent in
    the next wider level; the widest level has none.
    """

    levels: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, Ints]

    def above(self, level: str, index: int) -> dict[str, str]:
        """Return level -> domain for a domain and all it lies in."""
        found = {}
        for wider in reversed(self.levels[: self.levels.index(level) + 1]):
            found[wider] = self.names[wider][index]
            if wider in self.parents:
                index = int(self.parents[wider][index])
        return found


class Cloud:
    """A topology as far as it could be read: a part is None if not."""

    def __init__(
        self,
        tree: Tree | None = None,
        hosts: columns.HostColumns | None = None,
        pools: tuple[model.Pool, ...] | None = None,
    ) -> None:
        self.tree = tree
        self.hosts = hosts
        self.pools = pools
        self._names: dict[str, frozenset[str]] = {}

    @property
    def levels(self) -> tuple[str, ...] | None:
        return None if self.tree is None else self.tree.levels

    def has(self, scope: str, name: str) -> bool:
        """Tell whether there is that domain; of parts not read: yes."""
        if scope not in self._names:
            if scope == model.HOST:
                if self.hosts is None:
                    return True
                names: Sequence[str] = self.hosts.names
            else:
                if self.tree is None:
                    return True
                names = self.tree.names[scope]
            self._names[scope] = frozenset(names)
        return name in self._names[scope]


def read(document: Any, path: str, faults: Faults) -> Cloud:
    parts = ('levels', 'domains', 'hosts', 'traitsets', 'pools')
    found = faults.keys(document, path, parts)
    if found is None:
        return Cloud()
    tree = _tree(found, path, faults)
    traitsets = _traitsets(found['traitsets'], join(path, 'traitsets'), faults)
    hosts = _hosts(
        found['hosts'], join(path, 'hosts'), tree, traitsets, faults
    )
    pools = _pools(found['pools'], join(path, 'pools'), tree, hosts, faults)
    return Cloud(tree, hosts, pools)


def _tree(found: Mapping[str, Any], path: str, faults: Faults) -> Tree | None:
    levels = faults.names(found['levels'], join(path, 'levels'))
    if levels is None:
        return None
    if not levels:
        faults.add(join(path, 'levels'), 'at least one level is needed')
        return None
    if model.HOST in levels:
        faults.add(join(path, 'levels'), "'host' is there of itself")
        return None
    at = join(path, 'domains')
    by_level = faults.keys(found['domains'], at, levels)
    if by_level is None:
        return None
    names: dict[str, tuple[str, ...]] = {}
    parents: dict[str, Ints] = {}
    wider: int | None = None
    for level in levels:
        read = _level(by_level[level], join(at, level), wider, faults)
        if read is None:
            return None
        names[level], parent = read
        if parent is not None:
            parents[level] = parent
        wider = len(names[level])
    return Tree(levels, names, parents)


def _level(
    value: Any, path: str, wider: int | None, faults: Faults
) -> tuple[tuple[str, ...], Ints | None] | None:
    """Read the domains of one level; ``wider``: how many lie above."""
    found = faults.keys(value, path, ('name', 'parent'))
    if found is None:
        return None
    names = faults.names(found['name'], join(path, 'name'))
    at, parents = join(path, 'parent'), found['parent']
    if not _are_columns(found, ('name', 'parent'), path, faults):
        return None
    if wider is None:
        before = len(faults.found)
        faults.each(
            parents, at, lambda p: p is None, 'nothing is wider: must be null'
        )
        read = None
        if len(faults.found) > before:
            return None
    else:
        read = faults.amounts(parents, at, wider)
        if read is None:
            return None
    return None if names is None else (names, read)


def _are_columns(
    found: Mapping[str, Any], keys: Sequence[str], path: str, faults: Faults
) -> bool:
    """Tell whether these are lists, all as long as the first."""
    right = True
    for key in keys:
        if type(found[key]) is not list:
            faults.add(join(path, key), 'not a list')
            right = False
        elif type(found[keys[0]]) is list and len(found[key]) != len(
            found[keys[0]]
        ):
            faults.add(
                join(path, key),
                f'{len(found[key])} long, {keys[0]} {len(found[keys[0]])}',
            )
            right = False
    return right


def _traitsets(
    value: Any, path: str, faults: Faults
) -> tuple[frozenset[str], ...] | None:
    if type(value) is not list:
        faults.add(path, 'not a list')
        return None
    read = [
        faults.names(traits, f'{path}[{number}]')
        for number, traits in enumerate(value)
    ]
    if any(traits is None for traits in read):
        return None
    return tuple(frozenset(traits or ()) for traits in read)


def _hosts(
    value: Any,
    path: str,
    tree: Tree | None,
    traitsets: tuple[frozenset[str], ...] | None,
    faults: Faults,
) -> columns.HostColumns | None:
    found = faults.keys(value, path, _COLUMNS)
    if found is None or not _are_columns(found, _COLUMNS, path, faults):
        return None
    names = faults.names(found['name'], join(path, 'name'))
    free, total = _room(found, path, faults)
    traitset = domain = None
    if traitsets is not None:
        traitset = faults.amounts(
            found['traitset'], join(path, 'traitset'), len(traitsets)
        )
    if tree is not None:
        domain = faults.amounts(
            found['domain'],
            join(path, 'domain'),
            len(tree.names[tree.levels[-1]]),
        )
    are_flags = set(map(type, found['busy'])) <= {bool}
    if not are_flags:
        faults.each(
            found['busy'],
            join(path, 'busy'),
            lambda b: type(b) is bool,
            'neither true nor false',
        )
    if (
        tree is None
        or names is None
        or domain is None
        or traitset is None
        or traitsets is None
        or not are_flags
        or len(free) + len(total) < 2 * len(RESOURCES)
    ):
        return None
    return columns.HostColumns(
        names,
        _domains(tree, domain),
        free,
        total,
        traitsets,
        traitset,
        np.array(found['busy'], np.bool_),
    )


def _room(
    found: Mapping[str, Any], path: str, faults: Faults
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Read free amounts and totals, by resource class."""
    free, total = {}, {}
    for resource, name in RESOURCES.items():
        at, cap = join(path, resource), f'cap_{resource}'
        left = faults.amounts(found[resource], at)
        whole = faults.amounts(found[cap], join(path, cap))
        if left is None or whole is None:
            continue
        over = left > whole
        if np.any(over):
            faults.each(over.tolist(), at, lambda o: not o, f'more than {cap}')
        free[name], total[name] = left, whole
    return free, total


def _domains(
    tree: Tree, narrowest: Ints
) -> dict[str, tuple[tuple[str, ...], Ints]]:
    """Return each level's names and, host by host, the domain's number."""
    found = {}
    column = narrowest
    for level in reversed(tree.levels):
        found[level] = (tree.names[level], column)
        if level in tree.parents:
            column = tree.parents[level][column]
    return {level: found[level] for level in tree.levels}


def _pools(
    value: Any,
    path: str,
    tree: Tree | None,
    hosts: columns.HostColumns | None,
    faults: Faults,
) -> tuple[model.Pool, ...] | None:
    keys = ('name', 'free_gb', 'types', 'domain')
    found = faults.keys(value, path, keys)
    if found is None or not _are_columns(found, keys, path, faults):
        return None
    names = faults.names(found['name'], join(path, 'name'))
    free = faults.amounts(found['free_gb'], join(path, 'free_gb'))
    types = [
        faults.names(offered, f'{join(path, "types")}[{number}]')
        for number, offered in enumerate(found['types'])
    ]
    numbers = (
        None
        if hosts is None
        else {name: number for number, name in enumerate(hosts.names)}
    )
    where = [
        _place(
            spot, f'{join(path, "domain")}[{number}]', tree, numbers, faults
        )
        for number, spot in enumerate(found['domain'])
    ]
    if names is None or free is None or numbers is None or hosts is None:
        return None
    for number, name in enumerate(names):
        if name in numbers:
            faults.add(
                f'{join(path, "name")}[{number}]', f'{name!r} is a host, too'
            )
    return tuple(
        model.Pool(
            name,
            int(room),
            frozenset(offered or ()),
            domains if host is None else dict(hosts[numbers[host]].domains),
            host,
        )
        for name, room, offered, (domains, host) in zip(
            names, free, types, where, strict=True
        )
    )


def _place(
    value: Any,
    path: str,
    tree: Tree | None,
    hosts: Mapping[str, int] | None,
    faults: Faults,
) -> tuple[dict[str, str], str | None]:
    """Read where a pool is: its domains, and the host it is local to."""
    nowhere: tuple[dict[str, str], None] = {}, None
    if value is None:
        return nowhere
    if type(value) is dict and set(value) == {'host'}:
        host = faults.name(value['host'], join(path, 'host'))
        if host is None or hosts is None:
            return nowhere
        if host not in hosts:
            faults.add(join(path, 'host'), f'no host {host!r}')
            return nowhere
        return {}, host
    found = faults.keys(value, path, ('level', 'index'))
    if found is None or tree is None:
        return nowhere
    level, index = found['level'], found['index']
    if type(level) is not str or level not in tree.levels:
        faults.add(join(path, 'level'), f'no level {level!r}')
        return nowhere
    below = len(tree.names[level])
    if type(index) is not int or not 0 <= index < below:
        faults.add(join(path, 'index'), f'not an index below {below}')
        return nowhere
    return tree.above(level, index), None
