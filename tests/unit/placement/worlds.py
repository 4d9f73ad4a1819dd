# SPDX-License-Identifier: Apache-2.0
"""Tiny clouds and requests, and all that can be done with them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from typing import Any

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.numbers import compiled


def host(
    name: str,
    vcpu: int = 8,
    *,
    total: int | None = None,
    rack: str | None = None,
    zone: str | None = None,
    **resources: int,
) -> model.Host:
    """Make a host; a level that is not given is not known."""
    domains = {'zone': zone, 'rack': rack}
    free = {'VCPU': vcpu, **resources}
    return model.Host(
        name,
        {level: name for level, name in domains.items() if name is not None},
        free,
        {**free, 'VCPU': vcpu if total is None else total},
    )


def racks(count: int, hosts: int, vcpu: int = 8) -> tuple[model.Host, ...]:
    """Make racks r0, r1, ... with hosts r0-h0, r0-h1, ... each."""
    return tuple(
        host(f'r{rack}-h{number}', vcpu, rack=f'r{rack}')
        for rack in range(count)
        for number in range(hosts)
    )


def pool(
    name: str,
    free_gb: int | None = 100,
    *,
    types: Iterable[str] | None = None,
    at: str | None = None,
    rack: str | None = None,
    zone: str | None = None,
) -> model.Pool:
    domains = {'zone': zone, 'rack': rack}
    return model.Pool(
        name,
        free_gb,
        None if types is None else frozenset(types),
        {level: name for level, name in domains.items() if name is not None},
        at,
    )


def snapshot(
    hosts: Iterable[model.Host], pools: Iterable[model.Pool] = ()
) -> model.Snapshot:
    return model.Snapshot(('zone', 'rack'), tuple(hosts), tuple(pools))


def server(
    name: str, vcpu: int = 1, on: Iterable[str] | None = None, **more: int
) -> model.ServerDemand:
    return model.ServerDemand(
        name, {'VCPU': vcpu, **more}, None if on is None else frozenset(on)
    )


def servers(name: str, count: int, vcpu: int = 1) -> list[model.ServerDemand]:
    return [server(f'{name}-{number}', vcpu) for number in range(count)]


def rule(
    policy: str,
    scope: str,
    *units: str | tuple[str, ...],
    name: str = 'group',
    weight: int | None = None,
    **options: Any,
) -> model.Rule:
    """Make a rule; a unit that is a name is that member alone."""
    return model.Rule(
        name,
        policy,
        scope,
        tuple((u,) if isinstance(u, str) else u for u in units),
        weight,
        options,
    )


def packed(problem: model.Problem) -> compiled.Compiled:
    """Compile what few hosts are wanted for, without its soft rules."""
    hard = tuple(rule for rule in problem.rules if rule.weight is None)
    wanted = dataclasses.replace(problem, objective='pack', rules=hard)
    return compiled.Compiled(wanted, policies.load())


def recluses(seed: int) -> model.Problem:
    """Return parties that want to be alone, and few idle domains."""
    draw = random.Random(seed)
    hosts = [
        dataclasses.replace(each, is_busy=draw.random() < 0.5)
        for each in racks(4, 2, vcpu=4)
    ]
    demands: list[model.ServerDemand] = []
    rules = []
    for party in range(draw.randint(2, 4)):
        names = [f'p{party}-{n}' for n in range(draw.randint(1, 3))]
        demands += [server(n, draw.randint(1, 3)) for n in names]
        weight = draw.choice((None, 1, 2, 5))
        rules.append(
            rule(
                'exclusive',
                draw.choice(('rack', 'host')),
                *names,
                weight=weight,
                name=f'alone-{party}',
            )
        )
    return model.Problem(snapshot(hosts), tuple(demands), tuple(rules))
