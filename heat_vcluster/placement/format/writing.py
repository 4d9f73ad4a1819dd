# SPDX-License-Identifier: Apache-2.0
"""Writes a problem in the words of vcluster-problem/1 alone.

A live problem may say more than the format can: hosts whose rack is not
known, a list of the hosts that a server may take, members that have a place
already. Here that is put into the format's words as nearly as they allow,
for readers that know nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format.clouds import Cloud, different
from heat_vcluster.placement.format.groups import POLICIES
from heat_vcluster.placement.format.topology import RESOURCES

FORMAT = 'vcluster-problem/1'


def plain(problem: model.Problem) -> dict[str, Any]:
    """Return the document; it is well formed whatever the problem has."""
    cloud = Cloud(problem.snapshot, problem.demands)
    return {
        'format': FORMAT,
        'resources': list(RESOURCES),
        'topology': cloud.topology(),
        'request': {
            'members': list(_members(problem, cloud)),
            'groups': list(_groups(problem)),
            'objective': {'then': problem.objective},
        },
    }


def _members(problem: model.Problem, cloud: Cloud) -> Iterator[dict[str, Any]]:
    pinned = problem.pinned
    for demand in problem.demands:
        place = pinned.get(demand.member)
        if place is not None:
            is_server = isinstance(demand, model.ServerDemand)
            yield _pinned(demand.member, is_server, place, cloud)
        elif isinstance(demand, model.ServerDemand):
            yield _server(demand, cloud)
        else:
            yield _volume(demand, cloud)
    pools = {pool.name for pool in problem.snapshot.pools}
    for name in undemanded(problem):
        yield _pinned(name, pinned[name] not in pools, pinned[name], cloud)


def undemanded(problem: model.Problem) -> list[str]:
    """Return the members of which nothing but their place is known."""
    demands = {demand.member for demand in problem.demands}
    return [name for name in problem.pinned if name not in demands]


def _pinned(
    name: str, is_server: bool, place: str, cloud: Cloud
) -> dict[str, Any]:
    """Write one that sits there already: it takes no more room."""
    within = {'within': cloud.within(place)}
    if is_server:
        sizes = dict.fromkeys(RESOURCES, 0)
        return {'name': name, 'kind': 'server', **sizes, **within}
    return {'name': name, 'kind': 'volume', 'size_gb': 0, **within}


def _server(demand: model.ServerDemand, cloud: Cloud) -> dict[str, Any]:
    require = sorted(demand.require)
    if demand.candidates is not None:
        require.append(cloud.marks[demand.candidates])
    return {
        'name': demand.member,
        'kind': 'server',
        **{
            key: demand.resources.get(resource, 0)
            for key, resource in RESOURCES.items()
        },
        **({'require': require} if require else {}),
        **({'forbid': sorted(demand.forbid)} if demand.forbid else {}),
        **_bound_to(demand, cloud),
    }


def _volume(demand: model.VolumeDemand, cloud: Cloud) -> dict[str, Any]:
    kind = demand.type
    if demand.candidates is not None:
        kind = cloud.type_of(kind, demand.candidates) or None
    return {
        'name': demand.member,
        'kind': 'volume',
        'size_gb': demand.size_gb,
        **({'type': kind} if kind else {}),
        **_bound_to(demand, cloud),
    }


def _bound_to(demand: model.Demand, cloud: Cloud) -> dict[str, Any]:
    if demand.within is None or not cloud.has(*demand.within):
        return {}
    level, name = demand.within
    return {'within': {'level': level, 'name': name}}


def _groups(problem: model.Problem) -> Iterator[dict[str, Any]]:
    """Give the rules as groups, and a set for each unit that is no group."""
    members = {d.member for d in problem.demands} | problem.pinned.keys()
    taken = {*members, *(rule.name for rule in problem.rules)}
    rules = [
        rule
        for rule in map(_in_its_words, problem.rules)
        if rule.policy in POLICIES
        and rule.name not in members
        and rule.options.keys() <= set(POLICIES[rule.policy])
    ]
    # Of groups of the same members one that is no shell is named.
    shells_first = sorted(rules, key=_is_shell, reverse=True)
    by_members = {rule.members: rule for rule in shells_first}
    sets: dict[tuple[str, ...], str] = {}
    for rule in rules:
        more = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in rule.options.items()
            if value is not None
        }
        named = []
        for unit in rule.units:
            if len(unit) == 1:
                named.append(unit[0])
                continue
            inner = by_members.get(unit)
            # No group may come to contain itself.
            if inner is not None and _is_shell(inner) and _is_shell(rule):
                inner = None
            group = sets.get(unit) if inner is None else inner.name
            if group is None:
                (group,) = different(['set'], list(taken))
                taken.add(group)
                sets[unit] = group
                yield _set(group, unit)
            named.append(group)
        is_hard = rule.weight is None and rule.policy != 'proximity'
        scope = {} if rule.policy == 'proximity' else {'scope': rule.scope}
        yield {
            'id': rule.name,
            'policy': rule.policy,
            **scope,
            'members': list(dict.fromkeys(named)),
            'hard': is_hard,
            **({} if is_hard else {'weight': rule.weight or 0}),
            **more,
        }


def _in_its_words(rule: model.Rule) -> model.Rule:
    """Say the loss of one domain as a spread, which is the same if hard."""
    if rule.policy != 'survive' or rule.weight is not None:
        return rule
    most = len(rule.members) - rule.options['keep']
    if rule.options['lose'] != 1 or most < 1:
        return rule
    return dataclasses.replace(
        rule, policy='spread', options={'max_per_domain': most}
    )


def _is_shell(rule: model.Rule) -> bool:
    """Tell whether one unit has all the members that the rule has."""
    return any(len(unit) == len(rule.members) for unit in rule.units)


def _set(name: str, members: Sequence[str]) -> dict[str, Any]:
    return {
        'id': name,
        'policy': 'affinity',
        'scope': model.HOST,
        'members': list(members),
        'hard': False,
        'weight': 0,
    }
