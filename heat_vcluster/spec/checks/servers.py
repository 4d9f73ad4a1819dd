# SPDX-License-Identifier: Apache-2.0
"""What a server asks for can be had together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths, schema
from heat_vcluster.spec.checks import addresses

_Interface = tuple[drafts.Copy, paths.Path, dict[str, Any]]


def _servers(draft: drafts.Draft) -> Iterator[drafts.Copy]:
    return (copy for copy in draft.copies if copy.type == 'server')


def boot_source(draft: drafts.Draft) -> faults.Found:
    for server in _servers(draft):
        path = (*server.path, 'spec')
        sources = [k for k in ('image', 'boot_volume') if k in server.spec]
        if len(sources) == 2:
            yield (
                (*path, 'boot_volume'),
                "a server boots from 'image' or from 'boot_volume', not "
                'from both',
            )
        is_broken = draft.sound.is_broken
        if not sources and not any(
            is_broken((*path, key)) for key in ('image', 'boot_volume')
        ):
            yield (
                path,
                "has nothing to boot from: set 'image', or 'boot_volume' to "
                'a volume that is made from an image or a snapshot',
            )


def user_data(draft: drafts.Draft) -> faults.Found:
    for server in _servers(draft):
        size = len(server.spec.get('user_data', '').encode())
        if size > schema.MAX_USER_DATA:
            yield (
                (*server.path, 'spec', 'user_data'),
                f'has {size} bytes; at most {schema.MAX_USER_DATA} are '
                'allowed',
            )


def devices(draft: drafts.Draft) -> faults.Found:
    for server in _servers(draft):
        seen: set[str] = set()
        for path, entry in server.entries('volumes'):
            device = entry.get('device')
            if device in seen:
                yield (
                    (*path, 'device'),
                    f'{device} is taken by another volume of this server',
                )
            elif device is not None:
                seen.add(device)


def _interfaces(draft: drafts.Draft) -> Iterator[_Interface]:
    for server in _servers(draft):
        for path, entry in server.entries('networks'):
            if 'network' in entry:
                yield server, path, entry


def _network(draft: drafts.Draft, entry: dict[str, Any]) -> drafts.Copy | None:
    """Return the member that the interface is on, None if it is none."""
    copy = draft.by_name.get(entry['network'])
    return copy if copy is not None and copy.type == 'network' else None


def unusable_networks(draft: drafts.Draft) -> faults.Found:
    for _, path, entry in _interfaces(draft):
        network = _network(draft, entry)
        if network is None or network.spec.get('subnets'):
            continue
        if not draft.sound.is_broken((*network.path, 'spec', 'subnets')):
            yield (
                (*path, 'network'),
                f"'{network.name}' has no subnet, so a server gets no "
                'address there; give the network a subnet',
            )


def floating_ips(draft: drafts.Draft) -> faults.Found:
    for _, path, entry in _interfaces(draft):
        network = _network(draft, entry)
        if 'floating_ip' not in entry or network is None:
            continue
        place = (*path, 'floating_ip')
        spec = (*network.path, 'spec')
        if 'router' not in network.spec:
            if not draft.sound.is_broken((*spec, 'router')):
                yield (
                    place,
                    f"'{network.name}' has no router, so no floating "
                    f"address can reach it; give the network a 'router'",
                )
        elif not draft.sound.is_broken((*spec, 'subnets')) and not any(
            network_range is None or network_range.version == 4
            for network_range in addresses.ranges_of(network)
        ):
            yield (
                place,
                f"'{network.name}' has no IPv4 subnet; floating addresses "
                'are IPv4',
            )


def fixed_ips(draft: drafts.Draft) -> faults.Found:
    owners: dict[tuple[str, object], drafts.Copy] = {}
    for server, path, entry in _interfaces(draft):
        if 'fixed_ip' not in entry:
            continue
        place = (*path, 'fixed_ip')
        address = addresses.address(entry['fixed_ip'])
        if address is None:
            yield place, addresses.NO_ADDRESS
            continue
        owner = owners.setdefault((entry['network'], address), server)
        network = _network(draft, entry)
        if owner is not server:
            yield place, _used_twice(address, owner, server)
        elif network is not None:
            problem = addresses.no_room_for(address, network)
            if problem:
                yield place, problem


def _used_twice(
    address: object, owner: drafts.Copy, server: drafts.Copy
) -> str:
    if owner.path == server.path:
        return (
            f"every copy of '{server.base}' would have {address}; write "
            f'{drafts.INDEX} in it, such as 10.0.0.1{drafts.INDEX}'
        )
    return f"{address} is the address of '{owner.name}' already"


def security_groups(draft: drafts.Draft) -> faults.Found:
    for server in _servers(draft):
        common = server.spec.get('security_groups')
        broken = draft.sound.is_broken((*server.path, 'spec', 'networks'))
        if common and not server.spec.get('networks') and not broken:
            yield (
                (*server.path, 'spec', 'security_groups'),
                'there is no interface they could be for; give the server '
                "'networks'",
            )
    for server, path, entry in _interfaces(draft):
        network = _network(draft, entry)
        if network is None or network.spec.get('port_security', True):
            continue
        own = entry.get('security_groups')
        common = server.spec.get('security_groups')
        if own or (own is None and common):
            yield (
                (*path, 'security_groups') if own else path,
                f"'{network.name}' has no port security, so security groups "
                "cannot be used there; set 'security_groups' to []",
            )
