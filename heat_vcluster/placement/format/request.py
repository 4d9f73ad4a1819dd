# SPDX-License-Identifier: Apache-2.0
"""Reads the request of a problem: members, groups and the objective."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format.faults import Faults, join
from heat_vcluster.placement.format.topology import RESOURCES, Cloud

# Policy -> the keys that only it has.
POLICIES: Mapping[str, tuple[str, ...]] = {
    'affinity': (),
    'anti-affinity': (),
    'spread': ('max_per_domain', 'max_skew', 'min_domains', 'domains'),
    'exclusive': (),
    'proximity': ('at_least',),
}
OBJECTIVES = ('pack', 'balance')
RESERVED = 'fit:'  # how no group's id may begin


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    demands: tuple[model.Demand, ...] = ()
    rules: tuple[model.Rule, ...] = ()
    objective: str = 'balance'


def read(document: Any, path: str, cloud: Cloud, faults: Faults) -> Request:
    parts = ('members', 'groups', 'objective')
    found = faults.keys(document, path, parts)
    if found is None:
        return Request()
    demands, names = _members(
        found['members'], join(path, 'members'), cloud, faults
    )
    rules = _Groups(cloud, names, faults).read(
        found['groups'], join(path, 'groups')
    )
    objective = _objective(found['objective'], join(path, 'objective'), faults)
    return Request(demands, rules, objective)


def _objective(value: Any, path: str, faults: Faults) -> str:
    found = faults.keys(value, path, ('then',))
    if found is not None:
        if found['then'] in OBJECTIVES:
            return str(found['then'])
        faults.add(join(path, 'then'), f'neither of {", ".join(OBJECTIVES)}')
    return OBJECTIVES[0]


# Members


def _members(
    value: Any, path: str, cloud: Cloud, faults: Faults
) -> tuple[tuple[model.Demand, ...], frozenset[str]]:
    """Return the demands, and the names of all members, read or not."""
    if type(value) is not list:
        faults.add(path, 'not a list')
        return (), frozenset()
    names: set[str] = set()
    demands = []
    for number, member in enumerate(value):
        at = f'{path}[{number}]'
        if type(member) is not dict:
            faults.add(at, 'not an object')
            continue
        name = member.get('name')
        if type(name) is str and name:
            if name in names:
                faults.add(join(at, 'name'), f'{name!r} is there twice')
            names.add(name)
        demand = _demand(member, at, cloud, faults)
        if demand is not None:
            demands.append(demand)
    return tuple(demands), frozenset(names)


def _demand(
    member: Mapping[str, Any], path: str, cloud: Cloud, faults: Faults
) -> model.Demand | None:
    kind = member.get('kind')
    if kind == 'server':
        return _server(member, path, cloud, faults)
    if kind == 'volume':
        return _volume(member, path, cloud, faults)
    faults.add(join(path, 'kind'), 'neither server nor volume')
    return None


def _server(
    member: Mapping[str, Any], path: str, cloud: Cloud, faults: Faults
) -> model.ServerDemand | None:
    found = faults.keys(
        member,
        path,
        ('name', 'kind', *RESOURCES),
        ('require', 'forbid', 'within'),
    )
    if found is None:
        return None
    name = faults.name(found['name'], join(path, 'name'))
    amounts = {
        resource: faults.amount(found[key], join(path, key))
        for key, resource in RESOURCES.items()
    }
    require, forbid = (
        faults.names(found.get(key, []), join(path, key))
        for key in ('require', 'forbid')
    )
    within = _within(found.get('within'), join(path, 'within'), cloud, faults)
    return model.ServerDemand(
        name or '',
        {resource: amount or 0 for resource, amount in amounts.items()},
        None,
        frozenset(require or ()),
        frozenset(forbid or ()),
        within,
    )


def _volume(
    member: Mapping[str, Any], path: str, cloud: Cloud, faults: Faults
) -> model.VolumeDemand | None:
    found = faults.keys(
        member, path, ('name', 'kind', 'size_gb'), ('type', 'within')
    )
    if found is None:
        return None
    name = faults.name(found['name'], join(path, 'name'))
    size = faults.amount(found['size_gb'], join(path, 'size_gb'))
    kind = found.get('type')
    if kind is not None:
        kind = faults.name(kind, join(path, 'type'))
    within = _within(found.get('within'), join(path, 'within'), cloud, faults)
    return model.VolumeDemand(name or '', size or 0, kind, None, within)


def _within(
    value: Any, path: str, cloud: Cloud, faults: Faults
) -> tuple[str, str] | None:
    if value is None:
        return None
    found = faults.keys(value, path, ('level', 'name'))
    if found is None:
        return None
    level = _scope(found['level'], join(path, 'level'), cloud, faults)
    name = faults.name(found['name'], join(path, 'name'))
    if level is None or name is None:
        return None
    _know(name, level, join(path, 'name'), cloud, faults)
    return level, name


def _scope(value: Any, path: str, cloud: Cloud, faults: Faults) -> str | None:
    """Return a scope; None: there is no such one, or no telling."""
    if type(value) is not str or not value:
        faults.add(path, 'not a name')
        return None
    if value == model.HOST:
        return value
    if cloud.tree is None:
        return None
    if value not in cloud.tree.levels:
        faults.add(path, f'no level {value!r}')
        return None
    return value


def _know(
    name: str, scope: str, path: str, cloud: Cloud, faults: Faults
) -> None:
    """Tell of a domain that the cloud does not have."""
    if not cloud.has(scope, name):
        faults.add(path, f'no {scope} {name!r}')


# Groups


class _Groups:
    """The groups of one request while they are read."""

    def __init__(
        self, cloud: Cloud, members: frozenset[str], faults: Faults
    ) -> None:
        self._cloud = cloud
        self._members = members
        self._faults = faults
        # By id: what the group names, and its place in the document.
        self._named: dict[str, tuple[str, ...]] = {}
        self._paths: dict[str, str] = {}
        self._below: dict[str, tuple[str, ...]] = {}

    def read(self, value: Any, path: str) -> tuple[model.Rule, ...]:
        if type(value) is not list:
            self._faults.add(path, 'not a list')
            return ()
        rules = [
            self._rule(group, f'{path}[{number}]')
            for number, group in enumerate(value)
        ]
        self._resolve()
        return tuple(
            dataclasses.replace(rule, units=self._units(rule))
            for rule in rules
            if rule is not None
        )

    def _rule(self, group: Any, path: str) -> model.Rule | None:
        """Read one group; its units are found when all are read."""
        if type(group) is not dict:
            self._faults.add(path, 'not an object')
            return None
        name = self._id(group, path)
        policy, is_hard = group.get('policy'), group.get('hard')
        if type(policy) is not str or policy not in POLICIES:
            self._faults.add(join(path, 'policy'), f'no policy {policy!r}')
            return None
        if type(is_hard) is not bool:
            self._faults.add(join(path, 'hard'), 'neither true nor false')
            return None
        needed = ['id', 'policy', 'members', 'hard']
        more = [*POLICIES[policy]]
        if policy != 'proximity':
            needed.append('scope')
        (more if is_hard else needed).append('weight')
        found = self._faults.keys(group, path, needed, more)
        if found is None or name is None:
            return None
        weight = self._faults.amount(
            found.get('weight', 0), join(path, 'weight')
        )
        if policy == 'proximity' and is_hard:
            self._faults.add(join(path, 'hard'), 'proximity is never hard')
        scope: str | None = model.HOST
        if policy != 'proximity':
            scope = _scope(
                found['scope'], join(path, 'scope'), self._cloud, self._faults
            )
        return model.Rule(
            name,
            policy,
            scope or model.HOST,
            (),
            None if is_hard else weight or 0,
            dict(self._options(found, path, scope)),
        )

    def _id(self, group: Mapping[str, Any], path: str) -> str | None:
        """Read the id, and keep what the group names by it."""
        at = join(path, 'id')
        if 'id' not in group:
            self._faults.add(path, "'id' is missing")
            return None
        name = self._faults.name(group['id'], at)
        if name is None:
            return None
        if name.startswith(RESERVED):
            self._faults.add(at, f'begins with {RESERVED!r}')
        if name in self._members:
            self._faults.add(at, f'{name!r} is a member')
        if name in self._named:
            self._faults.add(at, f'{name!r} is there twice')
            return None
        named = None
        if 'members' in group:
            named = self._faults.names(group['members'], join(path, 'members'))
            if named == ():
                self._faults.add(join(path, 'members'), 'no members')
        self._named[name] = named or ()
        self._paths[name] = path
        return name

    def _options(
        self, group: Mapping[str, Any], path: str, scope: str | None
    ) -> Iterator[tuple[str, Any]]:
        """Give what the policy has of its own and is not left out."""
        for key in POLICIES[group['policy']]:
            value, at = group.get(key), join(path, key)
            if value is None:
                continue
            if key == 'at_least':
                read: Any = _scope(value, at, self._cloud, self._faults)
            elif key == 'domains':
                read = self._faults.names(value, at)
                for number, name in enumerate(read or ()):
                    if scope is not None:
                        _know(
                            name,
                            scope,
                            f'{at}[{number}]',
                            self._cloud,
                            self._faults,
                        )
            else:
                read = self._faults.amount(value, at)
            if read is not None:
                yield key, read

    def _resolve(self) -> None:
        """Find all members below each group, inner groups first."""
        for name, named in self._named.items():
            for number, one in enumerate(named):
                if one not in self._members and one not in self._named:
                    self._faults.add(
                        f'{self._paths[name]}.members[{number}]',
                        f'no member or group {one!r}',
                    )
        inner = {
            name: [one for one in named if one in self._named]
            for name, named in self._named.items()
        }
        try:
            for name in graphlib.TopologicalSorter(inner).static_order():
                self._below[name] = self._all(name)
        except graphlib.CycleError as error:
            loop = error.args[1]
            self._faults.add(
                f'{self._paths[loop[0]]}.members',
                f'a group contains itself: {" < ".join(loop)}',
            )

    def _all(self, name: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                member
                for one in self._named[name]
                for member in self._unit(one)
            )
        )

    def _unit(self, name: str) -> tuple[str, ...]:
        if name in self._members:
            return (name,)
        return self._below.get(name, ())

    def _units(self, rule: model.Rule) -> tuple[tuple[str, ...], ...]:
        units = tuple(self._unit(name) for name in self._named[rule.name])
        if rule.policy == 'anti-affinity':
            self._part(rule, units)
        return tuple(unit for unit in units if unit)

    def _part(
        self, rule: model.Rule, units: Sequence[tuple[str, ...]]
    ) -> None:
        """Tell of members that are in two units."""
        first: dict[str, int] = {}
        for number, unit in enumerate(units):
            for member in unit:
                if first.setdefault(member, number) != number:
                    self._faults.add(
                        f'{self._paths[rule.name]}.members[{number}]',
                        f'{member!r} is in another of the units',
                    )
