# SPDX-License-Identifier: Apache-2.0
"""Address ranges, gateways and pools of member networks fit together.

The limits are neutron's own, so that nothing is refused halfway.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network

NO_ADDRESS = 'must be an IP address, such as 10.0.0.5'
_NO_RANGE = 'must be an address range with its length, such as 10.0.0.0/24'
_IPV6_MTU = 1280

_Subnet = tuple[paths.Path, dict[str, Any]]


def address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text) if '%' not in text else None
    except ValueError:
        return None


def _range(text: str) -> Range | None:
    """Return the range of a cidr, also one with bits set behind its length."""
    head, _, length = text.partition('/')
    if not length.isdecimal() or '%' in head:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def ranges_of(network: drafts.Copy) -> list[Range | None]:
    """Return the ranges of a network's subnets, None for a faulty one."""
    return [
        _range(entry['cidr']) if 'cidr' in entry else None
        for _, entry in network.entries('subnets')
    ]


def _subnets(draft: drafts.Draft) -> Iterator[_Subnet]:
    for copy in draft.copies:
        if copy.type == 'network':
            yield from copy.entries('subnets')


def _ranged(draft: drafts.Draft) -> Iterator[tuple[_Subnet, Range]]:
    for path, entry in _subnets(draft):
        network = _range(entry.get('cidr', ''))
        if network is not None:
            yield (path, entry), network


def ranges(draft: drafts.Draft) -> faults.Found:
    for path, entry in _subnets(draft):
        if 'cidr' not in entry:
            continue
        place = (*path, 'cidr')
        network = _range(entry['cidr'])
        if network is None:
            yield place, _NO_RANGE
        elif str(network.network_address) != str(
            address(entry['cidr'].partition('/')[0])
        ):
            yield place, f'has bits set behind its length; write {network}'
        elif entry.get('dhcp', True):
            problem = _no_dhcp(network)
            if problem:
                yield place, f"{problem}; choose another or 'dhcp: false'"


def _no_dhcp(network: Range) -> str | None:
    if network.prefixlen > network.max_prefixlen - 2:
        return 'is too small for DHCP'
    if network.is_multicast or network.is_loopback:
        return 'is a multicast or loopback range, where DHCP cannot work'
    if int(network.network_address) == 0:
        return 'begins at the zero address, where DHCP cannot work'
    return None


def _usable(network: Range) -> tuple[Address, Address]:
    """Return the first and the last address that a port may have."""
    first, last = network[0], network[-1]
    if network.num_addresses <= 2:
        return first, last
    return network[1], network[-2] if network.version == 4 else last


def _outside(inner: Address, network: Range) -> str | None:
    first, last = _usable(network)
    if inner.version == network.version and int(first) <= int(inner) <= int(
        last
    ):
        return None
    return f'{inner} is not in the range {first} to {last} of {network}'


def _gateway(entry: dict[str, Any], network: Range) -> Address | None:
    """Return the gateway, neutron's own choice if none is named."""
    if 'gateway' not in entry:
        return _usable(network)[0]
    return address(entry['gateway'] or '')


def gateways(draft: drafts.Draft) -> faults.Found:
    for (path, entry), network in _ranged(draft):
        if entry.get('gateway') is None:
            continue
        gateway = address(entry['gateway'])
        problem = (
            f'{NO_ADDRESS}, or null for no gateway'
            if gateway is None
            else _outside(gateway, network)
        )
        if problem:
            yield (*path, 'gateway'), problem


def _pools(
    path: paths.Path, entry: dict[str, Any]
) -> Iterator[tuple[paths.Path, Address | None, Address | None]]:
    for place, pool in enumerate(entry.get('allocation_pools', ())):
        if pool is not None and {'start', 'end'} <= set(pool):
            start, end = address(pool['start']), address(pool['end'])
            yield (*path, 'allocation_pools', place), start, end


def pools(draft: drafts.Draft) -> faults.Found:
    for (path, entry), network in _ranged(draft):
        seen: list[tuple[int, int]] = []
        for place, start, end in _pools(path, entry):
            problems = list(_pool_ends(place, start, end, network))
            yield from problems
            if problems or start is None or end is None:
                continue
            if any(int(start) <= b and a <= int(end) for a, b in seen):
                yield place, 'overlaps with an earlier pool'
            seen.append((int(start), int(end)))
            gateway = entry.get('gateway') and address(entry['gateway'])
            if gateway and int(start) <= int(gateway) <= int(end):
                yield place, f'has the gateway {gateway} in it; leave it out'


def _pool_ends(
    place: paths.Path,
    start: Address | None,
    end: Address | None,
    network: Range,
) -> faults.Found:
    for key, inner in (('start', start), ('end', end)):
        problem = NO_ADDRESS if inner is None else _outside(inner, network)
        if problem:
            yield (*place, key), problem
    if start is not None and end is not None and int(start) > int(end):
        yield place, f'ends before it starts: {start} to {end}'


def name_servers(draft: drafts.Draft) -> faults.Found:
    for path, entry in _subnets(draft):
        for place, server in enumerate(entry.get('dns', ())):
            if server is not None and address(server) is None:
                yield (*path, 'dns', place), NO_ADDRESS


def overlaps(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        if copy.type != 'network':
            continue
        known = [
            (path, network)
            for path, entry in copy.entries('subnets')
            if (network := _range(entry.get('cidr', ''))) is not None
        ]
        for (_, one), (path, other) in itertools.combinations(known, 2):
            if one.version == other.version and one.overlaps(other):
                yield (
                    (*path, 'cidr'),
                    f'overlaps with {one}, a subnet of the same network',
                )


def routers(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        if copy.type != 'network' or 'router' not in copy.spec:
            continue
        spec = (*copy.path, 'spec')
        if not copy.spec.get('subnets') and not draft.sound.is_broken(
            (*spec, 'subnets')
        ):
            yield (
                (*spec, 'router'),
                'there is no subnet it could lead to; give the network one',
            )
        for path, entry in copy.entries('subnets'):
            if 'gateway' in entry and entry['gateway'] is None:
                yield (
                    (*path, 'gateway'),
                    'a subnet on a router needs a gateway; leave the key out '
                    'for the first address',
                )


def sizes(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        if copy.type == 'network' and 'mtu' in copy.spec:
            has_ipv6 = any(r and r.version == 6 for r in ranges_of(copy))
            if has_ipv6 and copy.spec['mtu'] < _IPV6_MTU:
                yield (
                    (*copy.path, 'spec', 'mtu'),
                    f'must be at least {_IPV6_MTU}, for there is an IPv6 '
                    'subnet',
                )


def no_room_for(inner: Address, network: drafts.Copy) -> str | None:
    """Say why a port on a member network cannot have the address."""
    known = [
        (entry, subnet)
        for _, entry in network.entries('subnets')
        if (subnet := _range(entry.get('cidr', ''))) is not None
    ]
    if not known or None in ranges_of(network):
        return None  # said elsewhere
    for entry, subnet in known:
        if _outside(inner, subnet) is None:
            has_router = 'router' in network.spec or 'gateway' in entry
            if has_router and inner == _gateway(entry, subnet):
                return f"{inner} is the gateway of '{network.name}'"
            return None
    listed = faults.listed(str(subnet) for _, subnet in known)
    return f"{inner} is in no subnet of '{network.name}' ({listed})"
