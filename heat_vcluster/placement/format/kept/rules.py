# SPDX-License-Identifier: Apache-2.0
"""Reads rules as the solver sees them, and the provider's budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.format import scopes
from heat_vcluster.placement.format.faults import Faults, Names, join
from heat_vcluster.placement.format.groups import POLICIES
from heat_vcluster.placement.format.kept.cloud import Cloud
from heat_vcluster.placement.policies import base

KEYS = ('rules', 'budgets')
RESERVED = ('fit:', 'limit:')  # how no rule's name may begin


def read_rules(
    value: Any,
    path: str,
    cloud: Cloud,
    members: frozenset[str],
    faults: Faults,
) -> tuple[model.Rule, ...]:
    """Read rules over ``members``, all that there are."""
    reader = _Rules(cloud, members, faults)
    read = [
        reader.rule(rule, f'{path}[{number}]')
        for number, rule in enumerate(faults.list(value, path))
    ]
    return tuple(rule for rule in read if rule is not None)


class _Rules:
    def __init__(
        self, cloud: Cloud, members: frozenset[str], faults: Faults
    ) -> None:
        self._cloud = cloud
        self._members = members
        self._faults = faults
        self._kinds = policies.load()
        self._names = Names(faults)

    def rule(self, value: Any, path: str) -> model.Rule | None:
        keys = ('name', 'policy', 'scope', 'units', 'weight', 'options')
        found = self._faults.keys(value, path, keys)
        if found is None:
            return None
        name = self._names.read(found['name'], join(path, 'name'))
        for reserved in filter(name.startswith, RESERVED):
            self._faults.add(join(path, 'name'), f'begins with {reserved!r}')
        policy = found['policy']
        kind = self._kinds.get(policy) if type(policy) is str else None
        if kind is None:
            self._faults.add(join(path, 'policy'), f'no policy {policy!r}')
        scope = scopes.scope(
            found['scope'], join(path, 'scope'), self._cloud, self._faults
        )
        weight = self._weight(found['weight'], join(path, 'weight'), kind)
        units = self._units(found['units'], join(path, 'units'), kind)
        options = {}
        if kind is not None:
            options = dict(
                self._options(
                    found['options'], join(path, 'options'), kind, scope
                )
            )
        return model.Rule(
            name, str(policy), scope or model.HOST, units, weight, options
        )

    def _weight(
        self, value: Any, path: str, kind: base.Policy | None
    ) -> int | None:
        if value is not None:
            return self._faults.factor(value, path)
        if kind is not None and kind.never_strict:
            self._faults.add(path, f'{kind.name} is never hard')
        return None

    def _units(
        self, value: Any, path: str, kind: base.Policy | None
    ) -> tuple[tuple[str, ...], ...]:
        units = [
            self._unit(unit, f'{path}[{number}]')
            for number, unit in enumerate(self._faults.list(value, path))
        ]
        if value == []:
            self._faults.add(path, 'no members')
        if kind is not None and kind.disjoint_units:
            self._part(units, path)
        return tuple(units)

    def _unit(self, value: Any, path: str) -> tuple[str, ...]:
        names = self._faults.names(value, path)
        if names == ():
            self._faults.add(path, 'no members')
        for number, name in enumerate(names or ()):
            if name not in self._members:
                self._faults.add(f'{path}[{number}]', f'no member {name!r}')
        return names or ()

    def _part(self, units: list[tuple[str, ...]], path: str) -> None:
        """Tell of members that are in two units."""
        first: dict[str, int] = {}
        for number, unit in enumerate(units):
            for member in unit:
                if first.setdefault(member, number) != number:
                    self._faults.add(
                        f'{path}[{number}]',
                        f'{member!r} is in another of the units',
                    )

    def _options(
        self, value: Any, path: str, kind: base.Policy, scope: str | None
    ) -> Iterator[tuple[str, Any]]:
        """Give the options of a kind, as its own schema has them."""
        known = kind.schema['properties']
        needed = kind.schema.get('required', ())
        found = self._faults.keys(value, path, needed, tuple(known))
        for key, option in (found or {}).items():
            if key not in known:
                continue
            if option is None and key not in needed:
                yield key, None
            else:
                yield (
                    key,
                    self._option(option, join(path, key), kind, key, scope),
                )

    def _option(
        self,
        value: Any,
        path: str,
        kind: base.Policy,
        key: str,
        scope: str | None,
    ) -> Any:
        if key in kind.scope_keys:
            return scopes.scope(value, path, self._cloud, self._faults)
        if key in kind.domain_keys:
            return self._domains(value, path, scope)
        schema = kind.schema['properties'][key]
        if schema.get('type') == 'integer':
            # Groups of the format have any amount, as its other readers do.
            is_plain = kind.name in POLICIES
            least = 0 if is_plain else schema.get('minimum', 0)
            return self._faults.factor(value, path, least)
        return tuple(value) if type(value) is list else value

    def _domains(
        self, value: Any, path: str, scope: str | None
    ) -> tuple[str, ...]:
        names = self._faults.names(value, path) or ()
        for number, name in enumerate(names):
            if scope is not None:
                scopes.know(
                    name,
                    scope,
                    f'{path}[{number}]',
                    self._cloud,
                    self._faults,
                )
        return names


def read_budgets(
    value: Any, path: str, cloud: Cloud, faults: Faults
) -> tuple[model.Budget, ...]:
    reader = _Budgets(cloud, faults)
    read = [
        reader.budget(budget, f'{path}[{number}]')
        for number, budget in enumerate(faults.list(value, path))
    ]
    return tuple(budget for budget in read if budget is not None)


class _Budgets:
    def __init__(self, cloud: Cloud, faults: Faults) -> None:
        self._cloud = cloud
        self._faults = faults
        self._names = Names(faults)

    def budget(self, value: Any, path: str) -> model.Budget | None:
        found = self._faults.keys(value, path, ('name', 'scope', 'room'))
        if found is None:
            return None
        name = self._names.read(found['name'], join(path, 'name'))
        scope = scopes.scope(
            found['scope'], join(path, 'scope'), self._cloud, self._faults
        )
        at = join(path, 'room')
        # Of a domain that is not there, nothing can be taken either.
        room = {
            domain: self._amounts(amounts, join(at, domain))
            for domain, amounts in self._faults.mapping(
                found['room'], at
            ).items()
        }
        return model.Budget(name, scope or model.HOST, room)

    def _amounts(self, value: Any, path: str) -> Mapping[str, int]:
        known = self._cloud.resources()
        room = {}
        for resource, amount in self._faults.mapping(value, path).items():
            at = join(path, resource)
            if self._cloud.hosts is not None and resource not in known:
                self._faults.add(at, f'no host has any {resource!r}')
            room[resource] = self._faults.amount(amount, at) or 0
        return room
