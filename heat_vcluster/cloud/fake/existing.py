# SPDX-License-Identifier: Apache-2.0
"""What tenants of the fake cloud have made by themselves, and its marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heat_vcluster import exception
from heat_vcluster.cloud import existing, model
from heat_vcluster.cloud.fake.calls import called, changing
from heat_vcluster.cloud.fake.networks import Networks
from heat_vcluster.cloud.fake.volumes import Volumes, status_of
from heat_vcluster.cloud.fake.world import (
    FloatingIp,
    Item,
    Link,
    Port,
    Server,
    State,
    T,
    Volume,
    World,
    by_name_or_id,
)
from heat_vcluster.spec import model as spec


class Existing(Volumes, Networks):
    @called
    def existing_servers(self, name_or_id: str) -> tuple[existing.Server, ...]:
        mine = self._mine_of(Server)
        return tuple(
            self._seen_server(mine[each]) for each in _named(name_or_id, mine)
        )

    def _seen_server(self, server: Server) -> existing.Server:
        asked = server.asked
        return existing.Server(
            id=server.id,
            name=server.name,
            status=self._status_of(server),
            is_busy=server.next_status is not None
            or server.state is State.DELETING,
            flavor=server.flavor.name,
            flavor_id=server.flavor.id,
            image_id=server.image_id,
            key_name=asked.key_name,
            has_config_drive=bool(asked.config_drive),
            zone=self._zone_of(server),
            metadata=asked.metadata,
            tags=frozenset(asked.tags),
            interfaces=tuple(map(self._seen_port, server.port_ids)),
            attached=dict.fromkeys(server.links),
            doomed=frozenset(),
            owner=server.owner,
        )

    def _zone_of(self, server: Server) -> str | None:
        host = self._world.hosts.get(server.host or '')
        return host.domains.get('zone') if host else None

    def _seen_port(self, port_id: str) -> existing.Interface:
        port = self._need(Port, port_id, 'neutron')
        return existing.Interface(
            port.id,
            port.network_id,
            tuple(port.fixed_ips.values()),
            frozenset(port.security_group_ids),
            tuple(
                existing.Address(each.id, each.address, each.network_id)
                for each in self._world.of(FloatingIp)
                if each.port_id == port.id
            ),
        )

    @called
    def existing_volumes(self, name_or_id: str) -> tuple[existing.Volume, ...]:
        mine = self._mine_of(Volume)
        return tuple(
            self._seen_volume(mine[each]) for each in _named(name_or_id, mine)
        )

    def _seen_volume(self, volume: Volume) -> existing.Volume:
        asked = volume.asked or spec.VolumeSpec(volume.size_gb)
        kind = next(
            (
                each
                for each in self._world.volume_types.values()
                if each.name == volume.type_name
            ),
            None,
        )
        links = self._links(volume)
        return existing.Volume(
            id=volume.id,
            name=volume.name,
            status=status_of(volume, links),
            size_gb=volume.size_gb,
            type_name=volume.type_name,
            type_id=kind.id if kind else None,
            image_id=asked.image,
            snapshot_id=asked.snapshot_id,
            zone=asked.availability_zone,
            metadata=asked.metadata,
            is_bootable=volume.is_bootable,
            is_multiattach=kind is not None and kind.is_multiattach,
            attached_to=frozenset(server.id for server, _ in links),
            owner=volume.owner,
        )

    @changing
    def adopt(
        self, thing_kind: model.Kind, thing_id: str, owner: model.Owner
    ) -> None:
        item = self._world.items.get(thing_id)
        if item is None or item.project_id != self._project_id:
            raise exception.CloudError(
                'fake', f'{thing_kind} {thing_id} could not be found.'
            )
        item.owner = owner

    @changing
    def disown(
        self, thing_kind: model.Kind, thing_id: str, cluster_id: str
    ) -> None:
        item = self._world.items.get(thing_id)
        if (
            item is not None
            and item.project_id == self._project_id
            and item.owner is not None
            and item.owner.cluster_id == cluster_id
        ):
            item.owner = None
            if isinstance(item, Server):
                item.domains = {}

    def _mine_of(self, kind: type[T]) -> dict[str, T]:
        return {
            item.id: item
            for item in self._world.of(kind)
            if item.project_id == self._project_id
        }


def _named(name: str, things: Mapping[str, Item]) -> Iterable[str]:
    return by_name_or_id(name, ((i.id, i.name) for i in things.values()))


def add_server(
    world: World,
    project_id: str,
    name: str,
    host: str,
    asked: spec.ServerSpec,
    ports: Iterable[Port] = (),
    volume_ids: Iterable[str] = (),
) -> Server:
    """Let a server be there that its tenant has made; the lock is held.

    ``asked`` names the flavor and the image; the names of its networks and
    volumes are not read.
    """
    ports = tuple(ports)
    server = Server(
        id=world.new_id(),
        kind=model.Kind.SERVER,
        project_id=project_id,
        name=name,
        flavor=next(
            f for f in world.flavors.values() if f.name == asked.flavor
        ),
        asked=asked,
        asked_host=host,
        host=host,
        port_ids=tuple(port.id for port in ports),
        image_id=next(
            (i for i, called in world.images.items() if called == asked.image),
            None,
        ),
        boot_volume_id=None,
        links=dict.fromkeys(volume_ids, Link.ATTACHED),
    )
    world.items[server.id] = server
    for port in ports:
        port.device_id = server.id
    return server
