# SPDX-License-Identifier: Apache-2.0
"""All that is in the fake cloud, and how much room is where.

Nothing here knows tenants' rights or what services refuse: see the modules
beside this one. Everything is guarded by one lock, ``World.lock``.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from heat_vcluster.cloud import model
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec

#: A quota that does not bound.
UNLIMITED = -1
QUOTAS = (
    'instances',
    'server_groups',
    'cores',
    'ram',
    'volumes',
    'gigabytes',
    'networks',
    'subnets',
    'routers',
    'ports',
    'floating_ips',
    'images',
    'volume_snapshots',
)


#: The arguments of calls that are the id of something.
IDS = (
    'thing_id',
    'server_id',
    'volume_id',
    'port_id',
    'image_id',
    'snapshot_id',
)


class State(enum.StrEnum):
    BUILDING = 'building'
    READY = 'ready'
    FAILED = 'failed'
    DELETING = 'deleting'


class Link(enum.StrEnum):
    """How far a volume is on its way to a server, or from it."""

    ATTACHING = 'attaching'
    ATTACHED = 'attached'
    DETACHING = 'detaching'


# What the operator set up


@dataclasses.dataclass(slots=True)
class HostState:
    name: str
    domains: Mapping[str, str]
    total: Mapping[str, int]
    is_enabled: bool = True


@dataclasses.dataclass(slots=True)
class PoolState:
    """``size_gb`` None: it tells no bound; ``types`` None: any."""

    name: str
    size_gb: int | None
    types: frozenset[str] | None
    domains: Mapping[str, str]
    host: str | None = None
    foreign_gb: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    id: str
    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int

    def resources(self, *, boots_from_volume: bool) -> dict[str, int]:
        """Return what nova claims for a server of it, zeros left out."""
        disk = 0 if boots_from_volume else self.disk_gb
        asked = {
            'VCPU': self.vcpus,
            'MEMORY_MB': self.ram_mb,
            'DISK_GB': disk,
        }
        return {name: amount for name, amount in asked.items() if amount}


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeType:
    id: str
    name: str
    is_multiattach: bool = False


# What tenants make


@dataclasses.dataclass(slots=True, kw_only=True)
class Item:
    """``owner`` None: nobody's member. ``is_preset``: there from the start.

    ``polls``: how often it must be asked for until its state changes.
    """

    id: str
    kind: model.Kind
    project_id: str
    name: str
    owner: model.Owner | None = None
    is_preset: bool = False
    state: State = State.READY
    reason: str | None = None
    polls: int = 0

    @property
    def member(self) -> str | None:
        return self.owner.member if self.owner else None


@dataclasses.dataclass(slots=True, kw_only=True)
class Server(Item):
    """``asked_host`` is where it was sent, ``host`` where it sits."""

    flavor: Flavor
    asked: spec.ServerSpec
    asked_host: str
    port_ids: tuple[str, ...]
    image_id: str | None
    boot_volume_id: str | None
    domains: Mapping[str, str] = dataclasses.field(default_factory=dict)
    group_id: str | None = None
    claim_polls: int = 0
    host: str | None = None
    has_no_valid_host: bool = False
    status: str = 'ACTIVE'  # while it is ready, as nova shows it
    was: State = State.READY  # before it was deleted, and is still shown
    next_status: str | None = None  # it is on its way to that
    next_host: str | None = None  # it moves there
    next_flavor: Flavor | None = None  # it is resized to that
    # What it goes back to unless its resize is confirmed: it takes room.
    before: tuple[Flavor, str] | None = None
    links: dict[str, Link] = dataclasses.field(default_factory=dict)

    @property
    def resources(self) -> dict[str, int]:
        return self.takes(self.flavor)

    def takes(self, flavor: Flavor) -> dict[str, int]:
        return flavor.resources(
            boots_from_volume=self.boot_volume_id is not None
        )


@dataclasses.dataclass(slots=True, kw_only=True)
class ServerGroup(Item):
    """``most``: so many of its servers may share a host (anti-affinity)."""

    policy: str
    most: int


@dataclasses.dataclass(slots=True, kw_only=True)
class Volume(Item):
    size_gb: int
    type_name: str | None
    asked_pool: str | None = None
    pool: str | None = None
    is_bootable: bool = False
    asked: spec.VolumeSpec | None = None
    #: Servers that are gone, and did not let go of it.
    stale: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True, kw_only=True)
class Copy(Item):
    made_of: str  # id of the server or volume


@dataclasses.dataclass(slots=True, kw_only=True)
class Image(Copy):
    pass


@dataclasses.dataclass(slots=True, kw_only=True)
class VolumeSnapshot(Copy):
    size_gb: int
    pool: str | None


@dataclasses.dataclass(slots=True, kw_only=True)
class Network(Item):
    is_shared: bool = False
    is_external: bool = False
    port_security: bool = True
    mtu: int | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Subnet(Item):
    network_id: str
    cidr: str
    gateway: str | None
    pools: tuple[tuple[str, str], ...] = ()
    asked: spec.SubnetSpec | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class Router(Item):
    external_network_id: str
    subnet_ids: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True, kw_only=True)
class Port(Item):
    """``fixed_ips``: subnet id -> address; ``device_id``: a server's."""

    network_id: str
    mac_address: str
    fixed_ips: dict[str, str]
    port_security: bool
    security_group_ids: tuple[str, ...]
    device_id: str | None = None


@dataclasses.dataclass(slots=True, kw_only=True)
class FloatingIp(Item):
    network_id: str
    address: str
    port_id: str


T = TypeVar('T', bound=Item)


class World:
    """The state. Callers hold ``lock`` while they look or change."""

    def __init__(self, *, claim_polls: int, build_polls: int) -> None:
        self.lock = threading.RLock()
        self.claim_polls = claim_polls
        self.build_polls = build_polls
        self.levels: tuple[str, ...] = ()
        self.hosts: dict[str, HostState] = {}
        self.pools: dict[str, PoolState] = {}
        self.flavors: dict[str, Flavor] = {}
        self.images: dict[str, str] = {}
        self.volume_types: dict[str, VolumeType] = {}
        self.volume_zones: set[str] = {'nova'}
        self.items: dict[str, Item] = {}
        self.holds: dict[str, model.Hold] = {}
        self.rivals: dict[str, tuple[str, Mapping[str, int]]] = {}
        self.may_migrate = True
        # Where servers that are resized go first, if there is room.
        self.resizes_to: tuple[str, ...] = ()
        self.confirms_resizes = False  # by itself, before it is asked to
        self.trusts: dict[str, tuple[str, str]] = {}  # id: project, user
        # How many servers a group may have; whether any filter heeds groups.
        self.group_members: int | None = None
        self.heeds_groups = True
        self._quotas: dict[str, dict[str, int]] = {}
        self._named: dict[tuple[str, str], dict[str, str]] = {}

    def new_id(self) -> str:
        return str(uuid.uuid4())

    # Things

    def of(self, kind: type[T]) -> Iterator[T]:
        return (
            item
            for item in list(self.items.values())
            if isinstance(item, kind)
        )

    def own(self, kind: type[T], thing_id: str, project_id: str) -> T | None:
        """Return a thing that the project may touch."""
        item = self.items.get(thing_id)
        if isinstance(item, kind) and item.project_id == project_id:
            return item
        return None

    def tagged(
        self, kind: type[T], owner: model.Owner, project_id: str
    ) -> T | None:
        """Return the owner's thing, unless it failed or is on its way out."""
        for item in self.of(kind):
            if (
                item.owner == owner
                and item.project_id == project_id
                and item.state in (State.BUILDING, State.READY)
            ):
                return item
        return None

    def members_of(self, arguments: Mapping[str, Any]) -> frozenset[str]:
        """Return the members that a call with such arguments is about."""
        owner, asked = arguments.get('owner'), arguments.get('member')
        if owner is not None:
            return frozenset({owner.member})
        if asked is not None:
            return frozenset({asked})
        ids = [arguments.get(name) for name in IDS]
        holds = [
            *arguments.get('holds', ()),
            *(
                self.holds[hold_id]
                for hold_id in arguments.get('hold_ids', ())
                if hold_id in self.holds
            ),
        ]
        found = [self.items[i].member for i in ids if i in self.items]
        return frozenset(
            name
            for name in (*found, *(hold.member for hold in holds))
            if name is not None
        )

    def images_for(self, project_id: str) -> dict[str, str]:
        """Return id -> name of what a project may make servers of."""
        own = {
            image.id: image.name
            for image in self.of(Image)
            if image.project_id == project_id and image.state is State.READY
        }
        return {**self.images, **own}

    def snapshots_for(self, project_id: str) -> frozenset[str]:
        """Return the ids of what a project may make volumes of."""
        return frozenset(self.named('snapshot', project_id).values()) | {
            snapshot.id
            for snapshot in self.of(VolumeSnapshot)
            if snapshot.project_id == project_id
            and snapshot.state is State.READY
        }

    # Names that belong to a project: keys, security groups, snapshots

    def named(self, what: str, project_id: str) -> dict[str, str]:
        """Return name -> id of the project's own, to read or to change."""
        return self._named.setdefault((what, project_id), {})

    # Room

    def used(self, host: str) -> collections.Counter[str]:
        """Return what holds, servers and rivals take of a host."""
        used: collections.Counter[str] = collections.Counter()
        for hold in self.holds.values():
            if hold.place == host:
                used.update(hold.resources)
        for server in self.of(Server):
            if server.host == host:
                used.update(server.resources)
            if server.before is not None and server.before[1] == host:
                used.update(server.takes(server.before[0]))
        for place, resources in self.rivals.values():
            if place == host:
                used.update(resources)
        return used

    def free(self, host: str) -> dict[str, int]:
        used = self.used(host)
        return {
            name: amount - used[name]
            for name, amount in self.hosts[host].total.items()
        }

    def fits(self, host: str, resources: Mapping[str, int]) -> bool:
        free = self.free(host)
        return all(
            amount <= free.get(name, 0) for name, amount in resources.items()
        )

    def free_gb(self, pool: PoolState) -> int | None:
        if pool.size_gb is None:
            return None
        used = sum(
            volume.size_gb
            for volume in self.of(Volume)
            if volume.pool == pool.name
        )
        return max(pool.size_gb - pool.foreign_gb - used, 0)

    def takes(
        self, pool: PoolState, size_gb: int, type_name: str | None
    ) -> bool:
        """Tell whether a volume may go into a pool now."""
        free = self.free_gb(pool)
        return (free is None or size_gb <= free) and offers(pool, type_name)

    def snapshot(
        self, shown: Collection[str] | None = None
    ) -> placement.Snapshot:
        """Return capacity now, of these hosts or all."""
        return placement.Snapshot(
            self.levels,
            tuple(
                placement.Host(
                    host.name,
                    host.domains,
                    self.free(host.name),
                    host.total,
                    is_busy=any(self.used(host.name).values()),
                )
                for host in self.hosts.values()
                if shown is None or host.name in shown
            ),
            tuple(
                placement.Pool(
                    pool.name,
                    self.free_gb(pool),
                    pool.types,
                    pool.domains,
                    pool.host,
                )
                for pool in self.pools.values()
            ),
        )

    # Quotas

    def limits(self, project_id: str) -> dict[str, int]:
        """Return the project's quotas, to read or to change."""
        return self._quotas.setdefault(
            project_id, dict.fromkeys(QUOTAS, UNLIMITED)
        )

    def quota_left(self, project_id: str, name: str) -> int | None:
        """Return what is left of a quota; None: as much as one likes."""
        limit = self.limits(project_id)[name]
        if limit == UNLIMITED:
            return None
        return limit - self._usage(project_id)[name]

    def _usage(self, project_id: str) -> Mapping[str, int]:
        usage: collections.Counter[str] = collections.Counter()
        for item in self.items.values():
            if item.project_id == project_id and not item.is_preset:
                usage.update(_counts(item))
        return usage


def offers(pool: PoolState, type_name: str | None) -> bool:
    return pool.types is None or type_name is None or type_name in pool.types


def _counts(item: Item) -> dict[str, int]:
    """Return how much of which quotas a thing takes."""
    if isinstance(item, Server):
        return {
            'instances': 1,
            'cores': item.flavor.vcpus,
            'ram': item.flavor.ram_mb,
        }
    if isinstance(item, Volume):
        return {'volumes': 1, 'gigabytes': item.size_gb}
    if isinstance(item, VolumeSnapshot):
        return {'volume_snapshots': 1, 'gigabytes': item.size_gb}
    return {f'{item.kind}s': 1}


def by_name_or_id(
    wanted: str, things: Iterable[tuple[str, str]]
) -> tuple[str, ...]:
    """Return the ids that a name or id may mean; ``things``: (id, name)."""
    things = list(things)
    exact = tuple(i for i, _ in things if i == wanted)
    return exact or tuple(i for i, name in things if name == wanted)
