# SPDX-License-Identifier: Apache-2.0
"""Reads the groups of a request, as rules over the members below them."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format import scopes
from heat_vcluster.placement.format.faults import (
    MOST_FACTOR,
    Faults,
    join,
)
from heat_vcluster.placement.format.topology import Cloud

# Policy -> the keys that only it has.
POLICIES: Mapping[str, tuple[str, ...]] = {
    'affinity': (),
    'anti-affinity': (),
    'spread': ('max_per_domain', 'max_skew', 'min_domains', 'domains'),
    'exclusive': (),
    'proximity': ('at_least',),
}
# No group has more members: what is above that forbids nothing either.
HIGHEST = 'max_per_domain', 'max_skew'
RESERVED = 'fit:'  # how no group's id may begin


class Groups:
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
        weight = self._faults.factor(
            found.get('weight', 0), join(path, 'weight')
        )
        if policy == 'proximity' and is_hard:
            self._faults.add(join(path, 'hard'), 'proximity is never hard')
        scope: str | None = model.HOST
        if policy != 'proximity':
            scope = scopes.scope(
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
                read: Any = scopes.scope(value, at, self._cloud, self._faults)
            elif key == 'domains':
                read = self._faults.names(value, at)
                for number, name in enumerate(read or ()):
                    if scope is not None:
                        scopes.know(
                            name,
                            scope,
                            f'{at}[{number}]',
                            self._cloud,
                            self._faults,
                        )
            elif key in HIGHEST:
                read = self._faults.amount(value, at)
                read = None if read is None else min(read, MOST_FACTOR)
            else:
                read = self._faults.factor(value, at)
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
