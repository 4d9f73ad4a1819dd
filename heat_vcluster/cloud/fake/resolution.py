# SPDX-License-Identifier: Apache-2.0
"""What a document's names mean in the fake cloud, and what it will take."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model, offers, sampling
from heat_vcluster.cloud.fake import world as fake_world
from heat_vcluster.cloud.fake.calls import Side, called
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import reach as reaches
from heat_vcluster.spec import model as spec


class Resolver(Side):
    @called
    def resolve(
        self, wanted: spec.GroupSpec, *, is_begun: bool = False
    ) -> model.Resolution:
        names = _Names(self._world, self._project_id)
        for member in wanted.members:
            names.read(member)
        faults = [*names.faults]
        if not is_begun:
            faults.extend(self._quota_faults(wanted, names))
        if faults:
            raise exception.InvalidDocument(dict.fromkeys(faults))
        demands = tuple(self._demands(wanted, names))
        return model.Resolution(
            demands=demands,
            flavors=names.found['flavor'],
            images=names.found['image'],
            networks=names.found['network'],
            volumes=names.found['volume'],
            volume_types=names.found['volume type'],
            security_groups=names.found['security group'],
            choices=self._choices(wanted, demands),
            grouping=grouping.choose(wanted, self._room(is_begun)),
            disks={
                key: (flavor.disk_gb, 0)
                for flavor in self._world.flavors.values()
                for key in (flavor.name, flavor.id)
            },
        )

    def _room(self, is_begun: bool) -> grouping.Room:
        """Return what quotas leave to server groups, if that is looked at."""
        if is_begun:
            return grouping.Room()
        return grouping.Room(
            self._world.quota_left(self._project_id, 'server_groups'),
            self._world.group_members,
        )

    def _choices(
        self, wanted: spec.GroupSpec, demands: Iterable[placement.Demand]
    ) -> Mapping[str, tuple[offers.Offer, ...]]:
        resources = {
            demand.member: demand.resources
            for demand in demands
            if isinstance(demand, placement.ServerDemand)
        }
        return {
            member.name: offers.instead(
                resources[member.name],
                (
                    (
                        flavor.name,
                        flavor.resources(
                            boots_from_volume=member.spec.boot_volume
                            is not None
                        ),
                    )
                    for flavor in self._world.flavors.values()
                ),
            )
            for member in wanted.members
            if isinstance(member.spec, spec.ServerSpec)
        }

    def _demands(
        self, wanted: spec.GroupSpec, names: _Names
    ) -> Iterator[placement.Demand]:
        for member in wanted.members:
            asked = member.spec
            if isinstance(asked, spec.ServerSpec):
                flavor = self._world.flavors[
                    names.found['flavor'][asked.flavor]
                ]
                yield placement.ServerDemand(
                    member.name,
                    flavor.resources(
                        boots_from_volume=asked.boot_volume is not None
                    ),
                    self._hosts_in(asked.availability_zone),
                )
            elif (
                isinstance(asked, spec.VolumeSpec)
                and self._world.pools
                # It is made where the snapshot is: nothing to decide.
                and asked.snapshot_id is None
            ):
                yield placement.VolumeDemand(
                    member.name, asked.size, asked.volume_type
                )

    def _hosts_in(self, zone: str | None) -> frozenset[str] | None:
        if zone is None:
            return None
        return frozenset(
            host.name
            for host in self._world.hosts.values()
            if host.domains.get('zone') == zone
        )

    def _quota_faults(
        self, wanted: spec.GroupSpec, names: _Names
    ) -> Iterator[exception.Fault]:
        for name, amount in self._needs(wanted, names).items():
            left = self._world.quota_left(self._project_id, name)
            if left is not None and amount > left:
                yield exception.Fault(
                    '', f'it takes {amount} {name}, the quota leaves {left}'
                )

    def _needs(
        self, wanted: spec.GroupSpec, names: _Names
    ) -> Mapping[str, int]:
        needs: collections.Counter[str] = collections.Counter()
        for member in wanted.members:
            asked = member.spec
            if isinstance(asked, spec.ServerSpec):
                flavor_id = names.found['flavor'].get(asked.flavor)
                flavor = self._world.flavors.get(flavor_id or '')
                needs.update(
                    instances=1,
                    cores=flavor.vcpus if flavor else 0,
                    ram=flavor.ram_mb if flavor else 0,
                    ports=len(asked.networks),
                    floating_ips=sum(
                        nic.floating_ip is not None for nic in asked.networks
                    ),
                )
            elif isinstance(asked, spec.VolumeSpec):
                needs.update(volumes=1, gigabytes=asked.size)
            else:
                needs.update(
                    networks=1,
                    subnets=len(asked.subnets),
                    routers=int(asked.router is not None),
                )
        return needs

    @called
    def snapshot(
        self,
        demands: Sequence[placement.Demand],
        shown: frozenset[str] | None = None,
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        return (
            self._world.snapshot(shown),
            tuple(self._with_candidates(demand) for demand in demands),
        )

    def readings(
        self, demands: Sequence[placement.Demand], reach: reaches.Reach
    ) -> Iterator[model.Reading]:
        """Read domain by domain of a level, if there are many."""
        level = self._level(reach)
        hosts = self._hosts_by(level)
        servers = [d for d in demands if isinstance(d, placement.ServerDemand)]
        sections = [
            sampling.Section(name, _upwards(inside[0], level), len(inside))
            for name, inside in sorted(hosts.items())
        ]
        for names in sampling.widening(sections, len(servers), reach):
            shown = frozenset(h.name for name in names for h in hosts[name])
            everything = None if reach.even else shown
            found, narrowed = self.snapshot(demands, everything)
            yield model.Reading(
                found,
                tuple(_cut(demand, shown) for demand in narrowed),
                is_whole=False,
            )
        yield model.Reading(*self.snapshot(demands), is_whole=True)

    def _level(self, reach: reaches.Reach) -> str | None:
        levels = self._world.levels
        entire = [level for level in levels if level in reach.entire]
        return (*entire[:1], *reversed(levels), None)[0]

    def _hosts_by(
        self, level: str | None
    ) -> Mapping[str, list[fake_world.HostState]]:
        found = collections.defaultdict(list)
        with self._world.lock:
            for host in self._world.hosts.values():
                if level is not None and level in host.domains:
                    found[host.domains[level]].append(host)
        return found

    @called
    def usage(self) -> Mapping[str, Mapping[str, int]]:
        usage: dict[str, collections.Counter[str]] = {}
        for server in self._world.of(fake_world.Server):
            if server.project_id == self._project_id and server.host:
                usage.setdefault(server.host, collections.Counter()).update(
                    server.resources
                )
        return usage

    def _with_candidates(self, demand: placement.Demand) -> placement.Demand:
        """Narrow a demand to where it may go by itself, right now."""
        if isinstance(demand, placement.ServerDemand):
            enabled = [h for h in self._world.hosts.values() if h.is_enabled]
            able = frozenset(
                host.name
                for host in enabled
                if self._world.fits(host.name, demand.resources)
            )
            suitable = frozenset(
                host.name
                for host in enabled
                if _could(host.total, demand.resources)
            )
            demand = dataclasses.replace(demand, suitable=suitable)
        else:
            able = frozenset(
                pool.name
                for pool in self._world.pools.values()
                if self._world.takes(pool, demand.size_gb, demand.type)
            )
        if demand.candidates is not None:
            able &= demand.candidates
        return dataclasses.replace(demand, candidates=able)


def _could(total: Mapping[str, int], resources: Mapping[str, int]) -> bool:
    return all(amount <= total.get(n, 0) for n, amount in resources.items())


def _upwards(host: fake_world.HostState, level: str | None) -> dict[str, str]:
    """Return the domains of a host down to a level."""
    found: dict[str, str] = {}
    for scope, domain in host.domains.items():
        found[scope] = domain
        if scope == level:
            break
    return found


def _cut(demand: placement.Demand, shown: frozenset[str]) -> placement.Demand:
    if isinstance(demand, placement.VolumeDemand):
        return demand
    candidates = demand.candidates
    return dataclasses.replace(
        demand,
        candidates=shown if candidates is None else shown & candidates,
    )


class _Names:
    """Looks names up, and notes the fault where one means nothing."""

    def __init__(self, world: fake_world.World, project_id: str) -> None:
        self._world = world
        self._project_id = project_id
        self.found: dict[str, dict[str, str]] = {
            what: {}
            for what in (
                'flavor',
                'image',
                'network',
                'volume',
                'volume type',
                'security group',
            )
        }
        self.faults: list[exception.Fault] = []

    def read(self, member: spec.Member) -> None:
        path = f'{member.path}.spec'
        if isinstance(member.spec, spec.ServerSpec):
            self._read_server(member.spec, path)
        elif isinstance(member.spec, spec.VolumeSpec):
            self._read_volume(member.spec, path)
        elif member.spec.router is not None:
            self._find_network(
                member.spec.router.external_network,
                f'{path}.router.external_network',
                is_external=True,
            )

    def _read_server(self, asked: spec.ServerSpec, path: str) -> None:
        self._find(
            'flavor',
            asked.flavor,
            f'{path}.flavor',
            ((f.id, f.name) for f in self._world.flavors.values()),
        )
        if asked.image is not None:
            self._find_image(asked.image, f'{path}.image')
        if asked.key_name is not None:
            keys = self._world.named('key', self._project_id)
            if asked.key_name not in keys:
                self._miss('key pair', asked.key_name, f'{path}.key_name')
        zone = asked.availability_zone
        zones = {h.domains.get('zone') for h in self._world.hosts.values()}
        if zone is not None and zone not in zones:
            self._miss('availability zone', zone, f'{path}.availability_zone')
        if asked.boot_volume is not None:
            self._find_volume(asked.boot_volume, f'{path}.boot_volume')
        for number, attachment in enumerate(asked.volumes):
            place = f'{path}.volumes[{number}].volume'
            self._find_volume(attachment.volume, place)
        for number, nic in enumerate(asked.networks):
            self._read_interface(nic, f'{path}.networks[{number}]')

    def _read_interface(self, nic: spec.InterfaceSpec, path: str) -> None:
        if not nic.network.is_member:
            self._find_network(nic.network.name, f'{path}.network')
        groups = self._world.named('security_group', self._project_id)
        for name in nic.security_groups or ():
            self._find(
                'security group',
                name,
                f'{path}.security_groups',
                ((i, n) for n, i in groups.items()),
            )
        if nic.floating_ip is not None:
            self._find_network(
                nic.floating_ip.network,
                f'{path}.floating_ip',
                is_external=True,
            )

    def _read_volume(self, asked: spec.VolumeSpec, path: str) -> None:
        types = self._world.volume_types
        if asked.image is not None:
            self._find_image(asked.image, f'{path}.image')
        if asked.volume_type is not None:
            self._find(
                'volume type',
                asked.volume_type,
                f'{path}.volume_type',
                ((t.id, t.name) for t in types.values()),
            )
        if asked.multiattach and not self._is_multiattach(asked.volume_type):
            self.faults.append(
                exception.Fault(
                    f'{path}.multiattach',
                    'the volume type does not allow it',
                )
            )
        zone = asked.availability_zone
        if zone is not None and zone not in self._world.volume_zones:
            self._miss('availability zone', zone, f'{path}.availability_zone')
        snapshots = self._world.snapshots_for(self._project_id)
        snapshot = asked.snapshot_id
        if snapshot is not None and snapshot not in snapshots:
            self._miss('snapshot', snapshot, f'{path}.snapshot_id')

    def _is_multiattach(self, wanted: str | None) -> bool:
        return any(
            kind.is_multiattach and wanted in (kind.id, kind.name)
            for kind in self._world.volume_types.values()
        )

    def _find_image(self, name: str, path: str) -> None:
        images = self._world.images_for(self._project_id)
        self._find('image', name, path, images.items())

    def _find_volume(self, wanted: spec.Reference, path: str) -> None:
        if not wanted.is_member:
            self._find(
                'volume',
                wanted.name,
                path,
                (
                    (volume.id, volume.name)
                    for volume in self._world.of(fake_world.Volume)
                    if volume.project_id == self._project_id
                ),
            )

    def _find_network(
        self, name: str, path: str, *, is_external: bool = False
    ) -> None:
        visible = [
            network
            for network in self._world.of(fake_world.Network)
            if network.is_external
            or network.is_shared
            or network.project_id == self._project_id
        ]
        self._find(
            'network',
            name,
            path,
            ((n.id, n.name) for n in visible if n.is_external)
            if is_external
            else ((n.id, n.name) for n in visible),
            'external network' if is_external else 'network',
        )

    def _find(
        self,
        what: str,
        name: str,
        path: str,
        things: Iterable[tuple[str, str]],
        words: str | None = None,
    ) -> None:
        ids = fake_world.by_name_or_id(name, things)
        if len(ids) == 1:
            self.found[what][name] = ids[0]
        elif ids:
            self.faults.append(
                exception.Fault(
                    path,
                    f'{len(ids)} {words or what}s have the name {name!r}; '
                    'say the id',
                )
            )
        else:
            self._miss(words or what, name, path)

    def _miss(self, what: str, name: str, path: str) -> None:
        self.faults.append(
            exception.Fault(path, f'there is no {what} {name!r}')
        )
