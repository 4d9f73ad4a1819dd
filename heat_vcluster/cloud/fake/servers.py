# SPDX-License-Identifier: Apache-2.0
"""The fake compute service.

A server takes its room not when it is asked for but when it is scheduled,
some polls later: that is the window in which a rival may be quicker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model
from heat_vcluster.cloud.fake import faults
from heat_vcluster.cloud.fake.calls import Side, called, changing
from heat_vcluster.cloud.fake.world import (
    Link,
    Port,
    Server,
    ServerGroup,
    State,
    Volume,
)

NOVA = 'nova'
NO_VALID_HOST = (
    'No valid host was found. There are not enough hosts available.'
)
PROGRESS = {
    State.BUILDING: (model.Progress.BUILDING, 'BUILD'),
    State.READY: (model.Progress.READY, 'ACTIVE'),
    State.FAILED: (model.Progress.FAILED, 'ERROR'),
}

#: What it takes, and what it comes to.
POWER = {
    model.Power.STOP: ('ACTIVE', 'SHUTOFF'),
    model.Power.START: ('SHUTOFF', 'ACTIVE'),
    model.Power.SUSPEND: ('ACTIVE', 'SUSPENDED'),
    model.Power.RESUME: ('SUSPENDED', 'ACTIVE'),
}


class Servers(Side):
    @changing
    def ensure_server_group(
        self, owner: model.Owner, wanted: grouping.ServerGroup
    ) -> str:
        there = self._world.tagged(ServerGroup, owner, self._project_id)
        if there is not None:
            return there.id
        self._charge(NOVA, server_groups=1)
        group = ServerGroup(
            id=self._world.new_id(),
            kind=model.Kind.SERVER_GROUP,
            project_id=self._project_id,
            name=f'vcluster:{owner.cluster_id} {owner.member}',
            owner=owner,
            policy=wanted.policy,
            most=wanted.most,
        )
        self._world.items[group.id] = group
        return group.id

    @changing
    def ensure_server(
        self, owner: model.Owner, wanted: model.ServerRequest
    ) -> str:
        there = self._world.tagged(Server, owner, self._project_id)
        if there is not None:
            return there.id
        flavor = self._world.flavors.get(wanted.flavor_id)
        if flavor is None:
            raise exception.CloudError(
                NOVA, f'Flavor {wanted.flavor_id} could not be found.'
            )
        self._check_parts(wanted)
        self._charge(NOVA, instances=1, cores=flavor.vcpus, ram=flavor.ram_mb)
        server = Server(
            id=self._world.new_id(),
            kind=model.Kind.SERVER,
            project_id=self._project_id,
            name=wanted.name,
            owner=owner,
            state=State.BUILDING,
            polls=self._world.build_polls,
            claim_polls=self._world.claim_polls,
            flavor=flavor,
            asked=wanted.spec,
            asked_host=wanted.host,
            port_ids=tuple(wanted.port_ids),
            image_id=wanted.image_id,
            boot_volume_id=wanted.boot_volume_id,
            domains=dict(wanted.domains),
            group_id=wanted.group_id,
        )
        self._world.items[server.id] = server
        return server.id

    def _is_image(self, image_id: str) -> bool:
        return image_id in self._world.images_for(self._project_id)

    def _check_parts(self, wanted: model.ServerRequest) -> None:
        """Refuse what nova's API refuses at once."""
        if wanted.host not in self._world.hosts:
            raise exception.CloudError(
                NOVA, 'The requested host could not be found.'
            )
        if (wanted.image_id is None) == (wanted.boot_volume_id is None):
            raise exception.CloudError(
                NOVA, 'Either an image or a boot volume, and not both.'
            )
        if wanted.image_id and not self._is_image(wanted.image_id):
            raise exception.CloudError(
                NOVA, f'Image {wanted.image_id} could not be found.'
            )
        if wanted.group_id is not None:
            self._need(ServerGroup, wanted.group_id, NOVA)
            most = self._world.group_members
            if most is not None and len(self._grouped(wanted)) >= most:
                raise exception.CloudError(
                    NOVA, 'Quota exceeded, too many servers in group'
                )
        for port_id in wanted.port_ids:
            if self._need(Port, port_id, NOVA).device_id is not None:
                raise exception.CloudError(
                    NOVA, f'Port {port_id} is still in use.'
                )
        if wanted.boot_volume_id is not None:
            volume = self._need(Volume, wanted.boot_volume_id, NOVA)
            if not volume.is_bootable:
                raise exception.CloudError(
                    NOVA, f'Block Device {volume.id} is not bootable.'
                )
            self._check_attachable(volume)

    def _grouped(self, of: model.ServerRequest | Server) -> list[Server]:
        """Return the servers that are in its group, but itself."""
        return [
            server
            for server in self._world.of(Server)
            if server.group_id == of.group_id and server is not of
        ]

    def _suits_group(self, server: Server, place: str) -> bool:
        """Tell whether nova's filters let its group have it there.

        Who sits nowhere, as he found no place, does not count.
        """
        group = self._own(ServerGroup, server.group_id or '')
        if group is None:
            return True
        if not self._world.heeds_groups:
            return False
        where = [s.host for s in self._grouped(server) if s.host is not None]
        if group.policy == grouping.AFFINITY:
            return not where or place in where
        return where.count(place) < group.most

    def _check_attachable(self, volume: Volume) -> None:
        kind = self._world.volume_types.get(volume.type_name or '')
        is_shared = kind is not None and kind.is_multiattach
        is_taken = bool(volume.stale) or any(
            volume.id in server.links or volume.id == server.boot_volume_id
            for server in self._world.of(Server)
        )
        if volume.state is not State.READY or (is_taken and not is_shared):
            raise exception.CloudError(
                NOVA,
                f'Invalid volume: volume {volume.id} status must be '
                'available.',
            )

    @called
    def is_claimed(self, server_id: str) -> bool:
        server = self._own(Server, server_id)
        if server is None:
            return False
        self._schedule(server)
        return server.host is not None

    @called
    def server_state(self, server_id: str) -> model.ServerState:
        server = self._own(Server, server_id)
        if server is not None:
            self._advance_server(server)
        if server is None or server.id not in self._world.items:
            return model.ServerState(model.Progress.GONE, 'DELETED')
        return model.ServerState(
            PROGRESS[_shown(server)][0],
            self._status_of(server),
            server.reason,
            server.has_no_valid_host,
            server.host,
            frozenset(server.links),
        )

    def _status_of(self, server: Server) -> str:
        if _shown(server) is State.READY:
            return server.status
        return PROGRESS[_shown(server)][1]

    @called
    def locate(self, server_id: str) -> model.Seat | None:
        server = self._own(Server, server_id)
        if server is None or server.host is None:
            return None
        return model.Seat(server.host, server.resources)

    @called
    def shared_hosts(
        self, hosts: Collection[str], server_ids: Collection[str]
    ) -> frozenset[str]:
        taken = {
            *(hold.place for hold in self._world.holds.values()),
            *(
                place
                for place, resources in self._world.rivals.values()
                if any(resources.values())
            ),
            *(
                server.host
                for server in self._world.of(Server)
                if server.id not in server_ids
            ),
        }
        return frozenset(hosts) & taken

    @changing
    def change_power(self, server_id: str, power: model.Power) -> None:
        server = self._need(Server, server_id, NOVA)
        before, after = POWER[power]
        if after in (server.status, server.next_status):
            return
        if server.state is not State.READY or server.status != before:
            raise exception.CloudError(
                NOVA,
                f"Cannot '{power}' instance {server_id} while it is in "
                f'vm_state {server.status}',
            )
        server.next_status = after

    @changing
    def migrate(self, server_id: str, host: str, *, live: bool) -> None:
        server = self._need(Server, server_id, NOVA)
        if not self._world.may_migrate:
            raise exception.CloudForbidden(
                NOVA,
                "Policy doesn't allow os_compute_api:os-migrate-server:"
                f'{"migrate_live" if live else "migrate"}:host to be '
                'performed.',
            )
        if host not in self._world.hosts:
            raise exception.CloudError(NOVA, 'Compute host is not there.')
        if server.next_host == host:
            return
        if server.state is not State.READY or server.status != 'ACTIVE':
            raise exception.CloudError(
                NOVA,
                f"Cannot 'os-migrateLive' instance {server_id} while it is "
                f'in vm_state {server.status}',
            )
        server.next_host = host
        server.status = 'MIGRATING'

    @changing
    def is_moving(self, server_id: str) -> bool:
        server = self._own(Server, server_id)
        if server is None or server.next_host is None:
            return False
        if self._faults.is_stuck(server.kind, server.member, faults.MOVE):
            return True
        is_good = self._world.fits(server.next_host, server.resources)
        if is_good and not self._faults.ruined(faults.MOVE, server.member):
            server.host = server.next_host
        server.next_host, server.status = None, 'ACTIVE'
        return True

    @changing
    def resize(self, server_id: str, flavor_id: str) -> None:
        server = self._need(Server, server_id, NOVA)
        flavor = self._world.flavors.get(flavor_id)
        if flavor is None:
            raise exception.CloudError(
                NOVA, f'Flavor {flavor_id} could not be found.'
            )
        if flavor in (server.flavor, server.next_flavor):
            return
        if server.state is not State.READY or server.status != 'ACTIVE':
            raise exception.CloudError(
                NOVA,
                f"Cannot 'resize' instance {server_id} while it is in "
                f'vm_state {server.status}',
            )
        self._charge(
            NOVA,
            cores=max(flavor.vcpus - server.flavor.vcpus, 0),
            ram=max(flavor.ram_mb - server.flavor.ram_mb, 0),
        )
        server.next_flavor = flavor
        server.status = 'RESIZE'

    @called
    def resize_state(self, server_id: str) -> model.Resize:
        server = self._need(Server, server_id, NOVA)
        self._advance_resize(server)
        return model.Resize(
            server.flavor.id,
            is_under_way=server.next_flavor is not None,
            is_open=server.before is not None,
        )

    @changing
    def confirm_resize(self, server_id: str) -> None:
        server = self._need(Server, server_id, NOVA)
        if server.before is not None:
            server.before, server.status = None, 'ACTIVE'

    @changing
    def revert_resize(self, server_id: str) -> None:
        server = self._need(Server, server_id, NOVA)
        if server.before is not None:
            server.flavor, server.host = server.before
            server.before, server.status = None, 'ACTIVE'

    def _advance_resize(self, server: Server) -> None:
        """Give the server its new flavor, on a host that has the room."""
        flavor = server.next_flavor
        if flavor is None or self._faults.is_stuck(
            server.kind, server.member, faults.RESIZE
        ):
            return
        server.next_flavor, server.status = None, 'ACTIVE'
        wanted = server.takes(flavor)
        order = (*self._world.resizes_to, server.host, *self._world.hosts)
        hosts = [
            host
            for host in order
            if host is not None
            and self._world.hosts[host].is_enabled
            and self._world.fits(host, wanted)
            and self._suits_group(server, host)
        ]
        if not hosts or self._faults.ruined(faults.RESIZE, server.member):
            return
        if not self._world.confirms_resizes:
            server.before = (server.flavor, server.host or '')
            server.status = 'VERIFY_RESIZE'
        server.flavor, server.host = flavor, hosts[0]

    @changing
    def attach_volume(
        self, server_id: str, volume_id: str, device: str | None
    ) -> None:
        server = self._need(Server, server_id, NOVA)
        volume = self._need(Volume, volume_id, NOVA)
        if volume_id in server.links:
            return
        if server.state is not State.READY:
            raise exception.CloudError(
                NOVA,
                f"Cannot 'attach_volume' instance {server_id} while it is "
                f'in vm_state {server.state}',
            )
        self._check_attachable(volume)
        server.links[volume_id] = Link.ATTACHING

    @changing
    def detach_volume(self, server_id: str, volume_id: str) -> None:
        server = self._own(Server, server_id)
        if server is None or volume_id not in server.links:
            return
        if volume_id == server.boot_volume_id:
            raise exception.CloudError(
                NOVA, 'Cannot detach a root device volume'
            )
        server.links[volume_id] = Link.DETACHING

    @changing
    def drop_attachment(self, server_id: str, volume_id: str) -> None:
        volume = self._own(Volume, volume_id)
        if volume is not None and server_id not in self._world.items:
            volume.stale.discard(server_id)

    @changing
    def tell_domains(self, server_id: str, domains: Mapping[str, str]) -> None:
        self._need(Server, server_id, NOVA).domains = dict(domains)

    @changing
    def mark_server(self, server_id: str, marks: model.Marks) -> None:
        server = self._need(Server, server_id, NOVA)
        server.asked = dataclasses.replace(
            server.asked,
            metadata=marked(server.asked.metadata, marks),
            tags=tuple(
                dict.fromkeys(
                    tag
                    for tag in (*server.asked.tags, *sorted(marks.tags))
                    if tag not in marks.no_tags
                )
            ),
        )

    # How it goes on, one step for each question asked

    def _schedule(self, server: Server) -> None:
        """Give the server its room, or find that there is none."""
        if server.state is not State.BUILDING or server.host is not None:
            return
        if server.claim_polls > 0:
            server.claim_polls -= 1
            return
        host = self._world.hosts.get(server.asked_host)
        is_good = (
            host is not None
            and host.is_enabled
            and self._world.fits(host.name, server.resources)
            and self._suits_group(server, host.name)
        )
        if not is_good:
            server.state = State.FAILED
            server.reason = NO_VALID_HOST
            server.has_no_valid_host = True
            return
        server.host = server.asked_host
        for port_id in server.port_ids:
            port = self._own(Port, port_id)
            if port is not None:
                port.device_id = server.id
        if server.boot_volume_id is not None:
            server.links[server.boot_volume_id] = Link.ATTACHED

    def _advance_server(self, server: Server) -> None:
        if server.state is State.BUILDING:
            self._advance_building(server)
        elif server.state is State.DELETING:
            self._advance_deleting(server)
        else:
            self._advance_power(server)
            self._advance_links(server)

    def _advance_power(self, server: Server) -> None:
        if server.next_status is None or self._faults.is_stuck(
            server.kind, server.member, faults.POWER
        ):
            return
        server.reason = self._faults.ruined(faults.POWER, server.member)
        if server.reason:
            server.state = State.FAILED
        else:
            server.status = server.next_status
        server.next_status = None

    def _advance_building(self, server: Server) -> None:
        if server.host is None:
            self._schedule(server)
        elif server.polls > 0:
            server.polls -= 1
        elif not self._faults.is_stuck(
            server.kind, server.member, faults.BUILDING
        ):
            server.reason = self._faults.ruined(server.kind, server.member)
            server.state = State.FAILED if server.reason else State.READY

    def _advance_deleting(self, server: Server) -> None:
        if self._faults.is_stuck(server.kind, server.member, faults.DELETING):
            return
        if server.polls > 0:
            server.polls -= 1
            return
        for port in self._world.of(Port):
            if port.device_id == server.id:
                port.device_id = None
        del self._world.items[server.id]

    def _advance_links(self, server: Server) -> None:
        for volume_id, link in list(server.links.items()):
            if link is Link.DETACHING or (
                link is Link.ATTACHING
                and self._faults.ruined(faults.ATTACHMENT, server.member)
            ):
                del server.links[volume_id]
            elif link is Link.ATTACHING:
                server.links[volume_id] = Link.ATTACHED

    def _begin_delete_server(self, server: Server) -> None:
        if server.state is not State.DELETING:
            server.was, server.state = server.state, State.DELETING
            server.polls = self._world.build_polls


def marked(before: Mapping[str, str], marks: model.Marks) -> dict[str, str]:
    return {
        key: text
        for key, text in {**before, **marks.metadata}.items()
        if key not in marks.no_metadata
    }


def _shown(server: Server) -> State:
    """As nova shows it: only its task state says that one is going."""
    return server.was if server.state is State.DELETING else server.state
