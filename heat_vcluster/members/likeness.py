# SPDX-License-Identifier: Apache-2.0
"""Whether what a tenant has made is what a document says it should be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.cloud import existing, model
from heat_vcluster.spec import model as spec

Found = Iterator[tuple[str, str]]  # path in the member's spec, and message


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What a member is held against.

    ``ids``: member -> the id of the real thing that it is to be.
    """

    resolution: model.Resolution
    ids: Mapping[str, str]

    def volume(self, reference: spec.Reference) -> str | None:
        """Return the id of a volume; None if it is not known."""
        if reference.is_member:
            return self.ids.get(reference.name)
        return self.resolution.volumes[reference.name]

    def network(self, reference: spec.Reference) -> str | None:
        if reference.is_member:
            return self.ids.get(reference.name)
        return self.resolution.networks[reference.name]


# -- servers ------------------------------------------------------------------


def server(
    there: existing.Server, asked: spec.ServerSpec, around: Around
) -> Found:
    """Give all in which a server is not what is asked for."""
    names = around.resolution
    if there.flavor_id != names.flavors[asked.flavor]:
        yield 'flavor', f'is {there.flavor!r}, not {asked.flavor!r}'
    yield from _source(there, asked, around)
    if there.key_name != asked.key_name:
        yield 'key_name', _instead(there.key_name, asked.key_name)
    wanted = asked.config_drive
    if wanted is not None and there.has_config_drive != wanted:
        yield 'config_drive', 'is there' if not wanted else 'is not there'
    if asked.availability_zone not in (None, there.zone):
        yield (
            'availability_zone',
            _instead(there.zone, asked.availability_zone),
        )
    yield from _metadata(there.metadata, asked.metadata)
    for tag in sorted(set(asked.tags) - there.tags):
        yield 'tags', f'has no {tag!r}'
    yield from _interfaces(there, asked, around)
    yield from _volumes(there, asked, around)


def _source(
    there: existing.Server, asked: spec.ServerSpec, around: Around
) -> Found:
    if asked.boot_volume is None:
        wanted = around.resolution.images[asked.image or '']
        if there.image_id is None:
            yield 'image', 'is none: it boots from a volume'
        elif there.image_id != wanted:
            yield 'image', f'is {there.image_id}, not {asked.image!r}'
    elif there.image_id is not None:
        yield 'boot_volume', 'is none: it boots from an image'


def _metadata(there: Mapping[str, str], asked: Mapping[str, str]) -> Found:
    for key, text in asked.items():
        if there.get(key) != text:
            yield f'metadata.{key}', _instead(there.get(key), text)


def _interfaces(
    there: existing.Server, asked: spec.ServerSpec, around: Around
) -> Found:
    matched = match(there.interfaces, asked, around)
    for number, nic in enumerate(asked.networks):
        path = f'networks[{number}]'
        port = matched[number]
        if port is None:
            with_what = f' with {nic.fixed_ip}' if nic.fixed_ip else ''
            yield path, f'has no interface on {nic.network.name!r}{with_what}'
            continue
        yield from _interface(port, nic, around, path)
    more = len(there.interfaces) - len([p for p in matched if p])
    if more:
        yield 'networks', f'has {more} more interfaces than these'


def _interface(
    port: existing.Interface,
    nic: spec.InterfaceSpec,
    around: Around,
    path: str,
) -> Found:
    if nic.security_groups is not None:
        known = around.resolution.security_groups
        wanted = {known[group] for group in nic.security_groups}
        if port.security_group_ids != wanted:
            names = {known[name]: name for name in known}
            has = sorted(names.get(i, i) for i in port.security_group_ids)
            yield (
                f'{path}.security_groups',
                f'are {", ".join(has) or "none"}',
            )
    if nic.floating_ip and not _floating(port, nic, around):
        yield (
            f'{path}.floating_ip',
            f'has none of {nic.floating_ip.network!r}',
        )


def match(
    ports: Sequence[existing.Interface], asked: spec.ServerSpec, around: Around
) -> list[existing.Interface | None]:
    """Return the port that each interface of a document is; None: none.

    Those with an address of their own choose first.
    """
    free = list(ports)
    found: list[existing.Interface | None] = [None] * len(asked.networks)
    order = sorted(
        range(len(asked.networks)),
        key=lambda number: asked.networks[number].fixed_ip is None,
    )
    for number in order:
        nic = asked.networks[number]
        for port in free:
            if port.network_id == around.network(nic.network) and (
                nic.fixed_ip is None or nic.fixed_ip in port.addresses
            ):
                found[number] = port
                free.remove(port)
                break
    return found


def _floating(
    port: existing.Interface, nic: spec.InterfaceSpec, around: Around
) -> existing.Address | None:
    if nic.floating_ip is None:
        return None
    wanted = around.resolution.networks[nic.floating_ip.network]
    for address in port.floating_ips:
        if address.network_id == wanted:
            return address
    return None


def _volumes(
    there: existing.Server, asked: spec.ServerSpec, around: Around
) -> Found:
    wanted: dict[str | None, str] = {}
    boot = asked.boot_volume
    if boot is not None:
        wanted[around.volume(boot)] = boot.name
        if around.volume(boot) not in there.attached:
            yield 'boot_volume', f'is not {boot.name!r}'
    for number, attachment in enumerate(asked.volumes):
        name, path = attachment.volume.name, f'volumes[{number}]'
        volume = around.volume(attachment.volume)
        wanted[volume] = name
        if volume not in there.attached:
            yield path, f'{name!r} is not attached to it'
        elif attachment.device not in (None, there.attached[volume or '']):
            device = there.attached[volume or '']
            yield f'{path}.device', f'is {device}, not {attachment.device}'
    for volume in there.attached:
        if volume not in wanted:
            yield 'volumes', f'has volume {volume} too, which is not in these'
        elif volume in there.doomed:
            yield (
                'volumes',
                f'{wanted[volume]!r} is to be deleted with it '
                '(delete_on_termination), so that it could not be kept',
            )


def server_facts(
    there: existing.Server, asked: spec.ServerSpec, around: Around
) -> dict[str, Any]:
    """Return what is recorded of a server that is as asked, as if built."""
    ports = [p for p in match(there.interfaces, asked, around) if p]
    facts: dict[str, Any] = {'server_id': there.id}
    if ports:
        facts['ports'] = [
            {'id': port.id, 'addresses': list(port.addresses)}
            for port in ports
        ]
    floating = [
        {'id': each.id, 'address': each.address, 'part': f'fip-{number}'}
        for number, (port, nic) in enumerate(
            zip(ports, asked.networks, strict=True)
        )
        if (each := _floating(port, nic, around))
    ]
    if floating:
        facts['floating_ips'] = floating
    return facts


# -- volumes ------------------------------------------------------------------


def volume(
    there: existing.Volume,
    asked: spec.VolumeSpec,
    around: Around,
    users: Iterable[str],
) -> Found:
    """Give all in which a volume is not what is asked for.

    ``users`` are the ids of the servers that it is to be attached to.
    """
    names = around.resolution
    if there.size_gb != asked.size:
        yield 'size', f'is {there.size_gb}, not {asked.size}'
    kind = asked.volume_type
    if kind is not None and there.type_id != names.volume_types[kind]:
        yield 'volume_type', _instead(there.type_name, kind)
    if asked.image and there.image_id not in (
        asked.image,
        names.images[asked.image],
    ):
        yield 'image', _instead(there.image_id, asked.image)
    if asked.snapshot_id not in (None, there.snapshot_id):
        yield 'snapshot_id', _instead(there.snapshot_id, asked.snapshot_id)
    if asked.availability_zone not in (None, there.zone):
        yield (
            'availability_zone',
            _instead(there.zone, asked.availability_zone),
        )
    if asked.multiattach and not there.is_multiattach:
        yield 'multiattach', 'is not so'
    yield from _metadata(there.metadata, asked.metadata)
    for server_id in sorted(there.attached_to - set(users)):
        yield '', f'is attached to server {server_id}, which is no member'


def _instead(there: str | None, asked: str | None) -> str:
    is_there = 'is none' if there is None else f'is {there!r}'
    return f'{is_there}, not {asked!r}' if asked is not None else is_there
