# SPDX-License-Identifier: Apache-2.0
"""The fake cloud as its operator sees it: set up, watched, disturbed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster import context as ctx
from heat_vcluster.cloud import base, model
from heat_vcluster.cloud.fake import calls, existing, holds, networks, world
from heat_vcluster.cloud.fake import faults as fake_faults
from heat_vcluster.cloud.fake.removal import Removal
from heat_vcluster.cloud.fake.resolution import Resolver
from heat_vcluster.cloud.fake.trusts import Trusts
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec

#: name, VCPUs, MiB, GiB: those of the development cloud.
FLAVORS = (
    ('tiny', 1, 512, 1),
    ('small', 1, 2048, 10),
    ('medium', 2, 4096, 20),
    ('large', 4, 8192, 40),
    ('xlarge', 8, 16384, 80),
    ('c6', 6, 2048, 1),
    ('c8', 8, 2048, 1),
)
IMAGE = 'cirros'
PUBLIC_NETWORK = 'public'
PUBLIC_CIDR = '203.0.113.0/24'
OPERATOR = 'operator'  # the project of what is there from the start
GENERAL_TYPES = ('standard', 'multiattach')


class FakeTenant(
    Resolver, holds.Holds, existing.Existing, Removal, base.Cloud
):
    """The fake cloud as one tenant sees it."""


class FakeCloud(Trusts):
    """A whole cloud: ``racks`` dealt over ``zones``, hosts r1h1, r1h2, ...

    ``backends`` 'rack' or 'host': one volume pool for each, of ``pool_gb``
    (None: without bound); None: volumes cannot be steered. ``hosts`` and
    ``pools``, if given, are taken as they are in place of all that.
    ``claim_polls``: how often one must ask until a server claims its room;
    ``build_polls``: how often until it, or a volume, is ready or gone.
    ``trusts``: whether tenants may entrust us with acting for them.
    """

    def __init__(
        self,
        *,
        racks: int = 4,
        hosts_per_rack: int = 3,
        zones: int = 2,
        vcpus: int = 16,
        ram_mb: int = 32768,
        disk_gb: int = 500,
        backends: str | None = 'rack',
        pool_gb: int | None = 1000,
        hosts: Sequence[placement.Host] | None = None,
        pools: Sequence[placement.Pool] | None = None,
        levels: Sequence[str] = ('zone', 'rack'),
        claim_polls: int = 1,
        build_polls: int = 1,
        trusts: bool = False,
    ) -> None:
        self._check: Callable[[], None] = calls.allow
        self.has_trusts = trusts
        self.faults = fake_faults.Faults()
        self.world = world.World(
            claim_polls=claim_polls, build_polls=build_polls
        )
        self.world.levels = tuple(levels)
        self.scopes = (*levels, placement.HOST)
        self.named_scopes = tuple(each for each in levels if each == 'zone')
        total = {'VCPU': vcpus, 'MEMORY_MB': ram_mb, 'DISK_GB': disk_gb}
        if hosts is None:
            hosts = _rows(racks, hosts_per_rack, zones, total)
        if pools is None:
            pools = _pools(hosts, backends, pool_gb)
        self._set_up(hosts, pools)

    def _set_up(
        self,
        hosts: Iterable[placement.Host],
        pools: Iterable[placement.Pool],
    ) -> None:
        for host in hosts:
            self.world.hosts[host.name] = world.HostState(
                host.name, dict(host.domains), dict(host.total)
            )
            taken = {
                name: amount - host.free.get(name, amount)
                for name, amount in host.total.items()
            }
            if any(taken.values()):
                self.occupy(host.name, **taken)
        for pool in pools:
            self.world.pools[pool.name] = world.PoolState(
                pool.name,
                pool.free_gb,
                pool.types,
                dict(pool.domains),
                pool.host,
            )
        for flavor in FLAVORS:
            self.add_flavor(*flavor)
        self.world.images[self.world.new_id()] = IMAGE
        offered = {t for pool in pools for t in pool.types or ()}
        for name in (*GENERAL_TYPES, *sorted(offered - {*GENERAL_TYPES})):
            self.world.volume_types[name] = world.VolumeType(
                self.world.new_id(), name, name == 'multiattach'
            )
        self.add_network(OPERATOR, PUBLIC_NETWORK, PUBLIC_CIDR, external=True)

    # What the engine sees

    def open(self, context: ctx.Context) -> FakeTenant:
        groups = self.world.named('security_group', context.project_id)
        groups.setdefault('default', self.world.new_id())
        return FakeTenant(
            self.world, self.faults, context.project_id, self._check
        )

    def guarded(self, check: Callable[[], None]) -> FakeCloud:
        guarded = copy.copy(self)
        guarded._check = check
        return guarded

    def release_holds(self, hold_ids: Iterable[str]) -> None:
        ids = tuple(hold_ids)
        arguments = {'hold_ids': ids}
        with self.world.lock:
            members = self.world.members_of(arguments)
        call = self.faults.enter('release_holds', None, members, arguments)
        with self.world.lock:
            self._check()
            holds.release(self.world, ids)
        self.faults.leave(call)

    def missing_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        ids = frozenset(hold_ids)
        arguments = {'hold_ids': ids}
        call = self.faults.enter('missing_holds', None, frozenset(), arguments)
        with self.world.lock:
            missing = ids - self.world.holds.keys()
        self.faults.leave(call)
        return missing

    def hold_again(
        self, project_id: str, user_id: str, holds: Sequence[model.Hold]
    ) -> None:
        self.open(ctx.Context(project_id, user_id)).reserve(holds)

    # What a test looks at

    @property
    def calls(self) -> Sequence[fake_faults.Call]:
        """All calls so far, oldest first."""
        return tuple(self.faults.calls)

    def leftovers(self) -> tuple[world.Item | model.Hold | str, ...]:
        """Return all that tenants' calls have made and that still is.

        A trust is told by its id.
        """
        with self.world.lock:
            made = [i for i in self.world.items.values() if not i.is_preset]
            return (*made, *self.world.holds.values(), *self.world.trusts)

    def places(self, cluster_id: str) -> dict[str, str]:
        """Return member -> the host or pool where it really sits."""
        with self.world.lock:
            found: dict[str, str] = {}
            for item in self.world.items.values():
                if item.owner is None or item.owner.cluster_id != cluster_id:
                    continue
                if isinstance(item, world.Server) and item.host:
                    found[item.owner.member] = item.host
                if isinstance(item, world.Volume) and item.pool:
                    found[item.owner.member] = item.pool
            return found

    def domain(self, place: str, scope: str) -> str | None:
        """Return the domain of a host or pool at a scope."""
        host = self.world.hosts.get(place)
        if host is not None:
            return place if scope == placement.HOST else host.domains[scope]
        pool = self.world.pools[place]
        if scope == placement.HOST:
            return pool.host
        return pool.domains.get(scope)

    def item(self, thing_id: str) -> world.Item:
        """Return the inside of a thing; KeyError if it is no more."""
        return self.world.items[thing_id]

    def used(self, host: str) -> dict[str, int]:
        with self.world.lock:
            return dict(self.world.used(host))

    # What an operator or a rival does

    def disable_host(self, name: str) -> None:
        with self.world.lock:
            self.world.hosts[name].is_enabled = False

    def enable_host(self, name: str) -> None:
        with self.world.lock:
            self.world.hosts[name].is_enabled = True

    def occupy(self, host: str, **resources: int) -> str:
        """Let others take room, whether it is there or not; return an id."""
        with self.world.lock:
            rival = self.world.new_id()
            self.world.rivals[rival] = (host, resources)
            return rival

    def fill_host(self, host: str) -> str:
        """Let others take all that is free of a host; return an id."""
        with self.world.lock:
            return self.occupy(host, **self.world.free(host))

    def vacate(self, rival: str) -> None:
        with self.world.lock:
            del self.world.rivals[rival]

    def fill_pool(self, name: str) -> None:
        """Let others take all that is free of a pool that has a bound."""
        with self.world.lock:
            pool = self.world.pools[name]
            pool.foreign_gb += self.world.free_gb(pool) or 0

    def lose(self, thing_id: str, *, is_stale: bool = False) -> None:
        """Let a thing vanish, by somebody's doing behind our back.

        ``is_stale``: the volumes of a server are never told that it is gone.
        """
        with self.world.lock:
            lost = self.world.items.pop(thing_id)
            if is_stale and isinstance(lost, world.Server):
                for volume in self.world.of(world.Volume):
                    if volume.id in (*lost.links, lost.boot_volume_id):
                        volume.stale.add(thing_id)
            for port in self.world.of(world.Port):
                if port.device_id == thing_id:
                    port.device_id = None

    def migrate(self, server_id: str, host: str) -> None:
        """Let an operator move a server, or evacuate it.

        He minds neither rules nor room.
        """
        with self.world.lock:
            server = self.world.items[server_id]
            if not isinstance(server, world.Server):
                raise TypeError(f'{server_id} is no server')
            server.host = host

    def forbid_moves(self) -> None:
        """Let nobody but operators move servers, as nova has it."""
        with self.world.lock:
            self.world.may_migrate = False

    def spoil(self, thing_id: str, reason: str = 'it broke') -> None:
        """Let a server or volume that was ready end in failure."""
        with self.world.lock:
            thing = self.world.items[thing_id]
            thing.state, thing.reason = world.State.FAILED, reason

    def lose_holds(self) -> None:
        """Let all that is held be free, by an operator's audit."""
        with self.world.lock:
            self.world.holds.clear()

    def revoke_trusts(self) -> None:
        """Let nobody trust us any more, as when a user is removed."""
        with self.world.lock:
            self.world.trusts.clear()

    def set_quota(self, project_id: str, **limits: int) -> None:
        """Bound a project: any of ``world.QUOTAS``; -1 does not bound."""
        unknown = limits.keys() - set(world.QUOTAS)
        if unknown:
            raise ValueError(f'no such quota: {", ".join(sorted(unknown))}')
        with self.world.lock:
            self.world.limits(project_id).update(limits)

    def add_flavor(
        self, name: str, vcpus: int, ram_mb: int, disk_gb: int
    ) -> str:
        flavor = world.Flavor(
            self.world.new_id(), name, vcpus, ram_mb, disk_gb
        )
        self.world.flavors[flavor.id] = flavor
        return flavor.id

    def add_network(
        self,
        project_id: str,
        name: str,
        cidr: str,
        *,
        shared: bool = False,
        external: bool = False,
    ) -> str:
        """Let a network with one subnet be there already; return its id."""
        with self.world.lock:
            network = world.Network(
                id=self.world.new_id(),
                kind=model.Kind.NETWORK,
                project_id=project_id,
                name=name,
                is_preset=True,
                is_shared=shared,
                is_external=external,
            )
            self.world.items[network.id] = network
            subnet = networks.new_subnet(
                self.world,
                project_id,
                name,
                network.id,
                spec.SubnetSpec(cidr),
            )
            subnet.is_preset = True
            self.world.items[subnet.id] = subnet
            return network.id

    def add_volume(
        self,
        project_id: str,
        name: str,
        size_gb: int,
        *,
        volume_type: str | None = None,
        bootable: bool = False,
        pool: str | None = None,
    ) -> str:
        """Let a volume be there already; return its id."""
        with self.world.lock:
            volume = world.Volume(
                id=self.world.new_id(),
                kind=model.Kind.VOLUME,
                project_id=project_id,
                name=name,
                is_preset=True,
                size_gb=size_gb,
                type_name=volume_type,
                is_bootable=bootable,
                pool=pool,
            )
            self.world.items[volume.id] = volume
            return volume.id

    def add_server(
        self,
        project_id: str,
        name: str,
        host: str,
        *,
        networks: Sequence[str] = (),
        volumes: Sequence[str] = (),
        **asked: Any,
    ) -> str:
        """Let a tenant have made a server by himself; return its id.

        On ``networks`` and with ``volumes`` by their ids; ``asked`` is as in
        a document, by default small and of the one image.
        """
        with self.world.lock:
            side = self.open(ctx.Context(project_id, 'operator'))
            wanted = spec.ServerSpec(
                **{'flavor': 'small', 'image': IMAGE, **asked}
            )
            ports = [side.add_port(network) for network in networks]
            return existing.add_server(
                self.world, project_id, name, host, wanted, ports, volumes
            ).id

    def add_key(self, project_id: str, name: str) -> None:
        self.world.named('key', project_id)[name] = name

    def add_security_group(self, project_id: str, name: str) -> str:
        groups = self.world.named('security_group', project_id)
        return groups.setdefault(name, self.world.new_id())

    def add_snapshot(self, project_id: str, name: str) -> str:
        snapshots = self.world.named('snapshot', project_id)
        return snapshots.setdefault(name, self.world.new_id())


def _rows(
    racks: int, per_rack: int, zones: int, total: Mapping[str, int]
) -> tuple[placement.Host, ...]:
    """Racks are dealt in runs: with 2 zones, rack1 and rack2 are az1."""
    return tuple(
        placement.Host(
            f'r{rack}h{number}',
            {
                'zone': f'az{(rack - 1) * zones // racks + 1}',
                'rack': f'rack{rack}',
            },
            dict(total),
            dict(total),
        )
        for rack in range(1, racks + 1)
        for number in range(1, per_rack + 1)
    )


def _pools(
    hosts: Iterable[placement.Host], backends: str | None, size_gb: int | None
) -> tuple[placement.Pool, ...]:
    """Each backend offers the general types and one with its own name."""
    found: dict[str, placement.Pool] = {}
    for host in hosts:
        if backends is None:
            break
        if backends not in ('rack', 'host'):
            raise ValueError('backends must be rack, host or None')
        name = host.name if backends == 'host' else host.domains['rack']
        found.setdefault(
            name,
            placement.Pool(
                f'{name}@{name}#{name}',
                size_gb,
                frozenset({*GENERAL_TYPES, name}),
                dict(host.domains),
                host.name if backends == 'host' else None,
            ),
        )
    return tuple(found.values())
