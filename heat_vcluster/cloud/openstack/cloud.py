# SPDX-License-Identifier: Apache-2.0
"""The real cloud as one tenant sees it, with the rights of our service."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from heat_vcluster import context as ctx
from heat_vcluster.cloud import base, existing, grouping, model
from heat_vcluster.cloud.openstack import (
    errors,
    made,
    reservation,
    resolution,
    tags,
    usage,
)
from heat_vcluster.cloud.openstack.capacity import Capacity, Site
from heat_vcluster.cloud.openstack.compute import Compute
from heat_vcluster.cloud.openstack.existing import Existing
from heat_vcluster.cloud.openstack.groups import ServerGroups
from heat_vcluster.cloud.openstack.network import Networking
from heat_vcluster.cloud.openstack.session import Services
from heat_vcluster.cloud.openstack.snapshots import Images, VolumeSnapshots
from heat_vcluster.cloud.openstack.volume import BlockStorage
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import reach as reaches
from heat_vcluster.spec import model as spec


class OpenStackCloud(base.Cloud):
    """Everything the engine asks of an OpenStack, for one tenant.

    Capacity, levels, pools and holds are asked for as our service; all that
    is the tenant's is made with the tenant's token, and ours beside it.
    """

    def __init__(
        self, site: Site, theirs: Services, context: ctx.Context
    ) -> None:
        self._site = site
        self._project_id = context.project_id
        known = made.Made(self._find_kind, site.options.retry_seconds)
        self._compute = Compute(theirs.compute, known, site.secrets)
        self._groups = ServerGroups(theirs.compute, known)
        self._volume = BlockStorage(
            theirs.volume,
            known,
            site.secrets,
            pins=site.options.pin_volumes,
        )
        self._network = Networking(theirs.network, context.project_id, known)
        self._existing = Existing(
            theirs, context.project_id, self._compute, self._volume
        )
        self._images = theirs.image
        self._server_images = Images(theirs.compute, theirs.image, known)
        self._volume_snapshots = VolumeSnapshots(
            theirs.volume, known, site.secrets
        )
        self._nova = theirs.compute
        self._capacity = Capacity(
            site, reservation.Tenant(context.project_id, context.user_id)
        )

    # -- what is there ----------------------------------------------------

    def resolve(
        self, wanted: spec.GroupSpec, *, is_begun: bool = False
    ) -> model.Resolution:
        sources = resolution.Sources(
            self._compute, self._volume, self._network, self._images
        )
        resolver = resolution.Resolver(
            sources,
            self._project_id,
            groups_servers=self._site.options.server_groups,
        )
        found = resolver.resolve(wanted, checks_quotas=not is_begun)
        self._capacity.remember(resolver.needs, resolver.backends)
        return found

    def snapshot(
        self, demands: Sequence[placement.Demand]
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        return self._capacity.snapshot(demands)

    def readings(
        self, demands: Sequence[placement.Demand], reach: reaches.Reach
    ) -> Iterator[model.Reading]:
        return self._capacity.readings(demands, reach)

    def usage(self) -> Mapping[str, Mapping[str, int]]:
        return usage.read(
            self._nova, self._project_id, self._site.hosts().names
        )

    # -- the hold ---------------------------------------------------------

    def reserve(self, holds: Sequence[model.Hold]) -> None:
        self._capacity.reserve(holds)

    def release(self, hold_ids: Iterable[str]) -> None:
        reservation.release(self._site.services.placement, tuple(hold_ids))

    def find_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        return reservation.find(self._site.services.placement, hold_ids)

    # -- networks ---------------------------------------------------------

    def ensure_network(
        self, owner: model.Owner, name: str, wanted: spec.NetworkSpec
    ) -> str:
        return self._network.ensure_network(owner, name, wanted)

    def ensure_subnet(
        self,
        owner: model.Owner,
        name: str,
        network_id: str,
        wanted: spec.SubnetSpec,
    ) -> str:
        return self._network.ensure_subnet(owner, name, network_id, wanted)

    def ensure_router(
        self,
        owner: model.Owner,
        name: str,
        external_network_id: str,
        subnet_ids: Sequence[str],
    ) -> str:
        return self._network.ensure_router(
            owner, name, external_network_id, subnet_ids
        )

    def ensure_port(
        self, owner: model.Owner, wanted: model.PortRequest
    ) -> model.Port:
        return self._network.ensure_port(owner, wanted)

    def ensure_floating_ip(
        self, owner: model.Owner, external_network_id: str, port_id: str
    ) -> model.FloatingIp:
        return self._network.ensure_floating_ip(
            owner, external_network_id, port_id
        )

    # -- volumes and servers ----------------------------------------------

    def ensure_volume(
        self, owner: model.Owner, wanted: model.VolumeRequest
    ) -> str:
        return self._volume.ensure(owner, wanted)

    def volume_state(self, volume_id: str) -> model.VolumeState:
        return self._volume.state(volume_id)

    def ensure_server_group(
        self, owner: model.Owner, wanted: grouping.ServerGroup
    ) -> str:
        return self._groups.ensure(owner, wanted)

    def ensure_server(
        self, owner: model.Owner, wanted: model.ServerRequest
    ) -> str:
        return self._compute.ensure(owner, wanted)

    def is_claimed(self, server_id: str) -> bool:
        service = self._site.services.placement
        return bool(reservation.allocations(service, server_id))

    def server_state(self, server_id: str) -> model.ServerState:
        """Return the state; the host is known once the server is ready.

        Nova tells the host to administrators only; placement tells us.
        """
        state = self._compute.state(server_id)
        if state.progress is model.Progress.READY:
            host = self._capacity.host_of(server_id)
            return dataclasses.replace(state, host=host)
        if state.reason is not None:
            self._site.hosts()  # so that their names are known as secrets
            reason = self._site.secrets.hide(state.reason)
            return dataclasses.replace(state, reason=reason)
        return state

    def locate(self, server_id: str) -> model.Seat | None:
        return self._capacity.seat_of(server_id)

    def shared_hosts(
        self, hosts: Collection[str], server_ids: Collection[str]
    ) -> frozenset[str]:
        return self._capacity.shared(hosts, server_ids)

    def change_power(self, server_id: str, power: model.Power) -> None:
        self._compute.change_power(server_id, power)

    def migrate(self, server_id: str, host: str, *, live: bool) -> None:
        self._compute.migrate(server_id, host, live=live)

    def is_moving(self, server_id: str) -> bool:
        return self._compute.is_moving(server_id)

    def resize(self, server_id: str, flavor_id: str) -> None:
        self._compute.resize(server_id, flavor_id)

    def resize_state(self, server_id: str) -> model.Resize:
        return self._compute.resize_state(server_id)

    def confirm_resize(self, server_id: str) -> None:
        self._compute.end_resize(server_id, 'confirmResize')

    def revert_resize(self, server_id: str) -> None:
        self._compute.end_resize(server_id, 'revertResize')

    def attach_volume(
        self, server_id: str, volume_id: str, device: str | None
    ) -> None:
        self._compute.attach(server_id, volume_id, device)

    def detach_volume(self, server_id: str, volume_id: str) -> None:
        try:
            self._compute.detach(server_id, volume_id)
        except errors.Refused:
            # Nova refuses it, too, while it is under way.
            if not self._volume.is_detached(server_id, volume_id):
                raise

    def drop_attachment(self, server_id: str, volume_id: str) -> None:
        # Asked by us, cinder would not look whether nova has it in use.
        if self._compute.show(server_id) is None:
            self._volume.drop_attachment(server_id, volume_id)

    # -- changing what is there -------------------------------------------

    def mark_server(self, server_id: str, marks: model.Marks) -> None:
        self._compute.mark(server_id, marks)

    def tell_domains(self, server_id: str, domains: Mapping[str, str]) -> None:
        marks = model.Marks(metadata=tags.domains(domains))
        self._compute.mark(server_id, marks)

    def mark_volume(self, volume_id: str, marks: model.Marks) -> None:
        self._volume.mark(volume_id, marks)

    def secure_port(
        self, port_id: str, security_group_ids: Sequence[str] | None
    ) -> None:
        self._network.secure(port_id, security_group_ids)

    def extend_volume(self, volume_id: str, size_gb: int) -> None:
        self._volume.extend(volume_id, size_gb)

    # -- what others have made ---------------------------------------------

    def existing_servers(self, name_or_id: str) -> tuple[existing.Server, ...]:
        return self._existing.servers(name_or_id)

    def existing_volumes(self, name_or_id: str) -> tuple[existing.Volume, ...]:
        return self._existing.volumes(name_or_id)

    def adopt(
        self, thing_kind: model.Kind, thing_id: str, owner: model.Owner
    ) -> None:
        self._existing.adopt(thing_kind, thing_id, owner)

    def disown(
        self, thing_kind: model.Kind, thing_id: str, cluster_id: str
    ) -> None:
        self._existing.disown(thing_kind, thing_id, cluster_id)

    # -- snapshots --------------------------------------------------------

    def ensure_image(
        self, owner: model.Owner, name: str, server_id: str
    ) -> str:
        return self._server_images.ensure(owner, name, server_id)

    def image_state(self, image_id: str) -> model.CopyState:
        return self._server_images.state(image_id)

    def ensure_volume_snapshot(
        self, owner: model.Owner, name: str, volume_id: str
    ) -> str:
        return self._volume_snapshots.ensure(owner, name, volume_id)

    def volume_snapshot_state(self, snapshot_id: str) -> model.CopyState:
        return self._volume_snapshots.state(snapshot_id)

    # -- removal ----------------------------------------------------------

    def find(
        self,
        cluster_id: str,
        member: str | None = None,
        kinds: Collection[model.Kind] | None = None,
    ) -> tuple[model.Thing, ...]:
        return tuple(
            thing
            for kind in model.Kind
            if kind in (model.OF_MEMBERS if kinds is None else kinds)
            for thing in self._find_kind(kind, cluster_id)
            if member is None or thing.owner.member == member
        )

    def _find_kind(
        self, kind: model.Kind, cluster_id: str
    ) -> tuple[model.Thing, ...]:
        if kind is model.Kind.SERVER:
            return self._compute.find(cluster_id)
        if kind is model.Kind.SERVER_GROUP:
            return self._groups.find(cluster_id)
        if kind is model.Kind.VOLUME:
            return self._volume.find(cluster_id)
        if kind is model.Kind.IMAGE:
            return self._server_images.find(cluster_id)
        if kind is model.Kind.VOLUME_SNAPSHOT:
            return self._volume_snapshots.find(cluster_id)
        return self._network.find(kind, cluster_id)

    def delete(self, thing_kind: model.Kind, thing_id: str) -> None:
        if thing_kind is model.Kind.SERVER:
            self._compute.delete(thing_id)
        elif thing_kind is model.Kind.SERVER_GROUP:
            self._groups.delete(thing_id)
        elif thing_kind is model.Kind.VOLUME:
            self._volume.delete(thing_id)
        elif thing_kind is model.Kind.IMAGE:
            self._server_images.delete(thing_id)
        elif thing_kind is model.Kind.VOLUME_SNAPSHOT:
            self._volume_snapshots.delete(thing_id)
        else:
            self._network.delete(thing_kind, thing_id)

    def is_gone(self, thing_kind: model.Kind, thing_id: str) -> bool:
        if thing_kind is model.Kind.SERVER:
            # Nova gives the room back a moment after the server is gone.
            return self._compute.show(thing_id) is None and not (
                self.is_claimed(thing_id)
            )
        if thing_kind is model.Kind.SERVER_GROUP:
            return self._groups.show(thing_id) is None
        if thing_kind is model.Kind.VOLUME:
            return self._volume.is_gone(thing_id)
        if thing_kind is model.Kind.IMAGE:
            return self._server_images.show(thing_id) is None
        if thing_kind is model.Kind.VOLUME_SNAPSHOT:
            return self._volume_snapshots.show(thing_id) is None
        return self._network.is_gone(thing_kind, thing_id)
