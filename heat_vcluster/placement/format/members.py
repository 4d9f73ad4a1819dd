# SPDX-License-Identifier: Apache-2.0
"""Reads the members of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format import scopes
from heat_vcluster.placement.format.faults import Faults, join
from heat_vcluster.placement.format.topology import RESOURCES, Cloud


def read(
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
    level = scopes.scope(found['level'], join(path, 'level'), cloud, faults)
    name = faults.name(found['name'], join(path, 'name'))
    if level is None or name is None:
        return None
    scopes.know(name, level, join(path, 'name'), cloud, faults)
    return level, name
