# SPDX-License-Identifier: Apache-2.0
"""What a tenant has made by himself: read, and given our marks.

Each mark is made of several calls. The one that tells the cluster comes first
when it is put on, and goes last when it is taken off: whatever breaks in
between, who takes off a mark knows by it that there is something to take.
"""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.cloud import existing, model
from heat_vcluster.cloud.openstack import errors, network, tags
from heat_vcluster.cloud.openstack.compute import GONE, TASK, VOLUMES, Compute
from heat_vcluster.cloud.openstack.session import Services
from heat_vcluster.cloud.openstack.volume import BlockStorage

Body = Mapping[str, Any]
ZONE = 'OS-EXT-AZ:availability_zone'
PROJECT = 'os-vol-tenant-attr:tenant_id'


class Existing:
    """The things of one tenant, by his own rights."""

    def __init__(
        self,
        theirs: Services,
        project_id: str,
        compute: Compute,
        volume: BlockStorage,
    ) -> None:
        self._nova = theirs.compute
        self._cinder = theirs.volume
        self._neutron = theirs.network
        self._project_id = project_id
        self._compute = compute
        self._volume = volume

    # -- reading ----------------------------------------------------------

    def servers(self, name_or_id: str) -> tuple[existing.Server, ...]:
        found = self._compute.named(name_or_id)
        return tuple(
            self._server(one)
            for one in found
            if one['tenant_id'] == self._project_id
            and one['status'] not in GONE
        )

    def _server(self, one: Body) -> existing.Server:
        flavor = one['flavor']['original_name']
        attached = one.get(VOLUMES) or ()
        return existing.Server(
            id=one['id'],
            name=one['name'],
            status=one['status'],
            is_busy=one.get(TASK) is not None,
            flavor=flavor,
            flavor_id=self._flavors.get(flavor),
            image_id=one['image']['id'] if one['image'] else None,
            key_name=one.get('key_name'),
            has_config_drive=one.get('config_drive') in ('True', True),
            zone=one.get(ZONE) or None,
            metadata=one['metadata'],
            tags=frozenset(one.get('tags') or ()),
            interfaces=tuple(self._interfaces(one['id'])),
            attached=self._devices(one['id']) if attached else {},
            doomed=frozenset(
                each['id']
                for each in attached
                if each.get('delete_on_termination')
            ),
            owner=tags.from_metadata(one['metadata']),
        )

    @functools.cached_property
    def _flavors(self) -> Mapping[str, str]:
        return {one['name']: one['id'] for one in self._compute.flavors()}

    def _devices(self, server_id: str) -> dict[str, str | None]:
        body = self._nova.get(f'/servers/{server_id}/os-volume_attachments')
        return {
            one['volumeId']: one.get('device')
            for one in body['volumeAttachments']
        }

    def _interfaces(self, server_id: str) -> Iterator[existing.Interface]:
        ports = self._neutron.pages('/ports', 'ports', device_id=server_id)
        floating = self._floating([port['id'] for port in ports])
        for port in ports:
            yield existing.Interface(
                port['id'],
                port['network_id'],
                tuple(fixed['ip_address'] for fixed in port['fixed_ips']),
                frozenset(port.get('security_groups') or ()),
                tuple(
                    existing.Address(
                        one['id'],
                        one['floating_ip_address'],
                        one['floating_network_id'],
                    )
                    for one in floating
                    if one['port_id'] == port['id']
                ),
            )

    def _floating(self, ports: Sequence[str]) -> list[dict[str, Any]]:
        if not ports:
            return []
        return self._neutron.pages(
            '/floatingips', 'floatingips', port_id=[*ports]
        )

    def volumes(self, name_or_id: str) -> tuple[existing.Volume, ...]:
        return tuple(
            self._one_volume(one)
            for one in self._volume.named(name_or_id)
            if one.get(PROJECT) in (None, self._project_id)
        )

    def _one_volume(self, one: Body) -> existing.Volume:
        attached = (each.get('server_id') for each in one['attachments'])
        kind = one.get('volume_type')
        made_of = one.get('volume_image_metadata') or {}
        return existing.Volume(
            id=one['id'],
            name=one['name'] or '',
            status=one['status'],
            size_gb=one['size'],
            type_name=kind,
            type_id=self._types.get(kind) if kind else None,
            image_id=made_of.get('image_id'),
            snapshot_id=one.get('snapshot_id'),
            zone=one.get('availability_zone'),
            metadata=one['metadata'],
            is_bootable=one.get('bootable') == 'true',
            is_multiattach=bool(one.get('multiattach')),
            attached_to=frozenset(each for each in attached if each),
            owner=tags.from_metadata(one['metadata']),
        )

    @functools.cached_property
    def _types(self) -> Mapping[str, str]:
        return {one['name']: one['id'] for one in self._volume.types()}

    # -- marking ----------------------------------------------------------

    def adopt(
        self, kind: model.Kind, thing_id: str, owner: model.Owner
    ) -> None:
        if kind is model.Kind.SERVER:
            mark = tags.cluster_tag(owner.cluster_id)
            metadata = tags.metadata(owner)
            self._compute.mark(
                thing_id, model.Marks(metadata, tags=frozenset({mark}))
            )
        elif kind is model.Kind.VOLUME:
            self._volume.mark(thing_id, model.Marks(tags.metadata(owner)))
        elif kind in network.NAMES:
            for tag in tags.network_tags(owner):
                self._neutron.put(_tag(kind, thing_id, tag), None)
        else:
            raise AssertionError(f'a {kind} is not adopted')

    def disown(self, kind: model.Kind, thing_id: str, cluster_id: str) -> None:
        if kind is model.Kind.SERVER:
            self._disown_server(thing_id, cluster_id)
        elif kind is model.Kind.VOLUME:
            self._disown_volume(thing_id, cluster_id)
        elif kind in network.NAMES:
            self._disown_network(kind, thing_id, cluster_id)
        else:
            raise AssertionError(f'a {kind} cannot do without its mark')

    def _disown_server(self, server_id: str, cluster_id: str) -> None:
        found = self._compute.show(server_id)
        if found is None or not _is_of(cluster_id, found['metadata']):
            return
        mark = tags.cluster_tag(cluster_id)
        self._compute.mark(server_id, model.Marks(no_tags=frozenset({mark})))
        for keys in _in_turn(found['metadata']):
            self._compute.mark(server_id, model.Marks(no_metadata=keys))

    def _disown_volume(self, volume_id: str, cluster_id: str) -> None:
        try:
            found = self._cinder.get(f'/volumes/{volume_id}')['volume']
        except errors.NotFound:
            return
        if _is_of(cluster_id, found['metadata']):
            for keys in _in_turn(found['metadata']):
                self._volume.mark(volume_id, model.Marks(no_metadata=keys))

    def _disown_network(
        self, kind: model.Kind, thing_id: str, cluster_id: str
    ) -> None:
        one, many = network.NAMES[kind]
        try:
            found = self._neutron.get(f'/{many}/{thing_id}')[one]
        except errors.NotFound:
            return
        described = tags.from_description(found.get('description'))
        if described is not None and described.cluster_id == cluster_id:
            self._neutron.put(
                f'/{many}/{thing_id}', {one: {'description': ''}}
            )
        mark = tags.cluster_tag(cluster_id)
        if mark in found.get('tags', ()):
            for tag in (*filter(_is_of_member, found['tags']), mark):
                self._neutron.delete(_tag(kind, thing_id, tag))


def _is_of(cluster_id: str, metadata: Mapping[str, str]) -> bool:
    return metadata.get(tags.META_CLUSTER) == cluster_id


def _in_turn(metadata: Mapping[str, str]) -> Iterator[frozenset[str]]:
    """Give our keys in the order in which they may go."""
    others = {tags.META_MEMBER, tags.META_PART}
    yield frozenset(
        key
        for key in metadata
        if key in others or key.startswith(tags.META_DOMAIN)
    )
    yield frozenset({tags.META_CLUSTER})


def _is_of_member(tag: str) -> bool:
    return tag.startswith((tags.MEMBER, tags.PART))


def _tag(kind: model.Kind, thing_id: str, tag: str) -> str:
    many = network.NAMES[kind][1]
    return f'/{many}/{thing_id}/tags/{urllib.parse.quote(tag, safe="")}'
