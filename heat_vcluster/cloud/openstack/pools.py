# SPDX-License-Identifier: Apache-2.0
"""Cinder's pools: how much is free, for which types, and where they sit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster.cloud.openstack import places, settings
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.placement import model as placement

_UNBOUNDED = ('infinite', 'unknown')


def read(service: Service) -> tuple[Mapping[str, Any], ...]:
    """Return all pools as cinder's scheduler sees them now."""
    body = service.get('/scheduler-stats/get_pools', detail='true')
    return tuple(body['pools'])


def listed(names: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """Return pools that are known by their names alone."""
    return tuple(
        {
            'name': name,
            'capabilities': {
                'volume_backend_name': name.partition('@')[2].partition('#')[0]
            },
        }
        for name in names
    )


def type_backends(
    types: Iterable[Mapping[str, Any]],
) -> dict[str, frozenset[str]]:
    """Return volume type -> backend names, as far as the types tell.

    Cinder shows this extra spec to administrators, and to whom the operator
    opened it. (Its own answer to "which pools for this type?" is no way
    round: in cinder 29 that question fails for pools of finite size.)
    """
    found = {}
    for kind in types:
        wanted = (kind.get('extra_specs') or {}).get('volume_backend_name')
        names = _choices(wanted or '')
        if names:
            found[kind['name']] = names
    return found


def _choices(wanted: str) -> frozenset[str]:
    """Read a plain name or ``<or> a <or> b``; empty: not understood."""
    words = [word.strip() for word in wanted.split('<or>') if word.strip()]
    if any('<' in word for word in words):
        return frozenset()
    return frozenset(words)


def of_type(
    pools: tuple[Mapping[str, Any], ...], backends: frozenset[str] | None
) -> frozenset[str] | None:
    """Return the names of the pools of these backends; None: any."""
    if backends is None:
        return None
    return frozenset(
        pool['name']
        for pool in pools
        if pool['capabilities'].get('volume_backend_name') in backends
    )


def is_up(pool: Mapping[str, Any]) -> bool:
    return bool(pool['capabilities'].get('backend_state', 'up') == 'up')


def free_gb(capabilities: Mapping[str, Any]) -> int | None:
    """Return what new volumes may take; None: no bound is told.

    As cinder's CapacityFilter counts (cinder/scheduler/sched_utils.py,
    calculate_capacity_factors).
    """
    free = capabilities.get('free_capacity_gb', 'unknown')
    total = capabilities.get('total_capacity_gb', 'unknown')
    reserved = float(capabilities.get('reserved_percentage') or 0) / 100
    if free in _UNBOUNDED:
        return None
    if total in _UNBOUNDED:
        return 0 if reserved else None
    usable = float(total) - math.floor(float(total) * reserved)
    provisioned = float(capabilities.get('provisioned_capacity_gb') or 0)
    if capabilities.get('thin_provisioning_support'):
        ratio = float(capabilities.get('max_over_subscription_ratio') or 1)
        return max(math.floor(usable * ratio - provisioned), 0)
    return max(math.floor(min(float(free), usable - provisioned)), 0)


def place(
    name: str, options: settings.Settings, known: places.Topology
) -> tuple[str | None, dict[str, str]]:
    """Return the host a pool is local to, if any, and its domains."""
    rule = options.pool_domains
    if rule is None:
        return None, {}
    if rule.pattern is None:
        host = known.named(name.partition('@')[0])
        return None, dict(host.domains) if host else {}
    match = rule.pattern.search(name)
    domain = match and match.group('domain')
    if not domain or rule.level is None:
        return None, {}
    if rule.level == placement.HOST:
        host = known.named(domain)
        return (host.name, dict(host.domains)) if host else (None, {})
    return None, _upwards(domain, rule.level, options, known)


def _upwards(
    domain: str,
    level: str,
    options: settings.Settings,
    known: places.Topology,
) -> dict[str, str]:
    """Return the domain and those around it, learned from its hosts.

    Nothing is told where the name is not that of exactly one domain.
    """
    meant = known.called(level, domain)
    if len(meant) != 1:
        return {}
    inside = known.inside(level, meant[0])
    names = options.level_names
    found: dict[str, str] = {}
    for wider in names[: names.index(level) + 1]:
        values = {host.domains.get(wider) for host in inside}
        value = values.pop()
        if not values and value is not None:
            found[wider] = value
    return found


def snapshot(
    pools: tuple[Mapping[str, Any], ...],
    options: settings.Settings,
    known: places.Topology,
) -> tuple[placement.Pool, ...]:
    """Return the pools that are up, in the order of their names."""
    found = []
    for pool in sorted(pools, key=lambda p: str(p['name'])):
        if is_up(pool):
            host, domains = place(pool['name'], options, known)
            found.append(
                placement.Pool(
                    pool['name'],
                    free_gb(pool['capabilities']),
                    domains=domains,
                    host=host,
                )
            )
    return tuple(found)
