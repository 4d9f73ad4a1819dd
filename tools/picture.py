# SPDX-License-Identifier: Apache-2.0
"""Draws where the members of a stack's cluster really are.

Run by the Python of the development cloud's virtualenv, in the surroundings
that ``vcluster-devcloud env`` prints:

    python tools/picture.py STACK

The members are asked of Heat as the tenant, their places of nova and cinder
as the admin: a tenant never sees the real names.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import openstack

RESOURCE = 'cluster'


@dataclasses.dataclass(frozen=True, slots=True)
class Rack:
    """What stands in one rack: hosts with their servers, and volumes."""

    name: str
    zone: str
    hosts: Mapping[str, Sequence[str]]
    volumes: Sequence[str]
    pseudonym: str | None


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith('-'):
        print(__doc__)
        return 0 if arguments in (['-h'], ['--help']) else 2
    tenant = openstack.connect(cloud=os.environ['OS_CLOUD'])
    admin = openstack.connect(cloud='devcloud-admin')
    members = find_members(tenant, arguments[0])
    print('\n'.join(table(members)))
    print()
    print('\n'.join(picture(find_racks(admin, members))))
    return 0


def find_members(tenant: Any, stack_name: str) -> dict[str, Any]:
    heat = tenant.orchestration
    stack = heat.find_stack(stack_name, ignore_missing=False)
    answer = heat.get(f'/stacks/{stack.name}/{stack.id}/resources/{RESOURCE}')
    openstack.exceptions.raise_from_response(answer)
    members: dict[str, Any] = answer.json()['resource']['attributes'][
        'members'
    ]
    return members


def find_racks(admin: Any, members: Mapping[str, Any]) -> list[Rack]:
    """Every rack of the cloud, also those with no member in them."""
    rack_of = domains(admin, 'rack')
    zone_of = domains(admin, 'availability_zone')
    servers = collections.defaultdict(list)
    volumes = collections.defaultdict(list)
    pseudonyms: dict[str, str] = {}
    for name, member in members.items():
        if member['type'] == 'server':
            host = admin.compute.get_server(member['id']).hypervisor_hostname
            servers[host].append(name)
            pseudonyms[rack_of[host]] = member['domains'].get('rack')
        elif member['type'] == 'volume':
            backend = admin.block_storage.get_volume(member['id']).host
            place = backend.partition('@')[0]
            volumes[rack_of.get(place, place)].append(name)
    return [
        Rack(
            rack,
            zone_of[hosts[0]],
            {host: servers[host] for host in hosts},
            volumes[rack],
            pseudonyms.get(rack),
        )
        for rack, hosts in sorted(grouped(rack_of).items())
    ]


def domains(admin: Any, key: str) -> dict[str, str]:
    """Host -> its rack or zone, by the host aggregates."""
    return {
        host: aggregate.metadata[key]
        for aggregate in admin.compute.aggregates()
        if key in aggregate.metadata
        for host in aggregate.hosts
    }


def grouped(domain_of: Mapping[str, str]) -> dict[str, list[str]]:
    found = collections.defaultdict(list)
    for host in sorted(domain_of):
        found[domain_of[host]].append(host)
    return dict(found)


# Drawing


def table(members: Mapping[str, Any]) -> Iterable[str]:
    yield 'What the tenant sees (equal names mean the same place):'
    yield ''
    rows = [('member', 'type', 'status', 'rack', 'host', 'addresses')]
    rows += [
        (
            name,
            member['type'],
            member['status'],
            (member.get('domains') or {}).get('rack', '-'),
            (member.get('domains') or {}).get('host', '-'),
            ' '.join(member.get('addresses') or ()) or '-',
        )
        for name, member in members.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        text = '  '.join(f'{cell:<{width}}' for cell, width in cells)
        yield f'  {text.rstrip()}'


def picture(racks: Sequence[Rack]) -> Iterable[str]:
    yield 'What the operator sees (behind "=", the name that the tenant sees):'
    columns = shutil.get_terminal_size((80, 24)).columns
    names = [
        name
        for rack in racks
        for found in (*rack.hosts.values(), rack.volumes)
        for name in found
    ]
    width = max(16, *(len(name) + 6 for name in names or ['']))
    per_row = max(1, columns // (width + 1))
    for start in range(0, len(racks), per_row):
        some = racks[start : start + per_row]
        yield ''
        yield from beside([draw(rack, width) for rack in some], width)


def draw(rack: Rack, width: int) -> list[str]:
    """One rack as lines of equal width."""
    inner = width - 2
    told = f' = {rack.pseudonym}' if rack.pseudonym else ''
    lines = [f'{rack.name}{told}'.ljust(width), f'({rack.zone})'.ljust(width)]
    for host, servers in rack.hosts.items():
        lines.append('+' + f'- {host} '.ljust(inner, '-') + '+')
        lines += [f'|  {name}'.ljust(inner + 1) + '|' for name in servers]
        lines += ['|' + ' ' * inner + '|'] if not servers else []
    lines.append('+' + '- volumes '.ljust(inner, '=') + '+')
    lines += [f'|  {name}'.ljust(inner + 1) + '|' for name in rack.volumes]
    lines.append('+' + '-' * inner + '+')
    return lines


def beside(blocks: Sequence[Sequence[str]], width: int) -> Iterable[str]:
    for row in itertools.zip_longest(*blocks, fillvalue=' ' * width):
        yield ' '.join(row).rstrip()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
