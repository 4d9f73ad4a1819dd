# SPDX-License-Identifier: Apache-2.0
"""The values that pass between the engine and a cloud."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from heat_vcluster.cloud import grouping, offers
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec


class Kind(enum.StrEnum):
    """What can be made in a cloud, in the order in which it is removed."""

    FLOATING_IP = 'floating_ip'
    SERVER = 'server'
    SERVER_GROUP = 'server_group'
    PORT = 'port'
    IMAGE = 'image'
    VOLUME_SNAPSHOT = 'volume_snapshot'
    VOLUME = 'volume'
    ROUTER = 'router'
    SUBNET = 'subnet'
    NETWORK = 'network'


#: What a snapshot of a cluster is made of: it is of no member.
OF_SNAPSHOTS = frozenset({Kind.IMAGE, Kind.VOLUME_SNAPSHOT})
OF_MEMBERS = frozenset(Kind) - OF_SNAPSHOTS


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """For which part of which member a thing is made: its lookup tag.

    ``part`` tells things of one kind apart within one member: ``nic-0``,
    ``subnet-1``; empty for the member's own thing. What is made for a
    snapshot has the snapshot's id there.
    """

    cluster_id: str
    member: str
    part: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class Thing:
    """Something that really is in the cloud, found by its tag."""

    kind: Kind
    id: str
    owner: Owner


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """Room set aside for one member: one consumer in placement."""

    id: str  # uuid of the consumer
    member: str
    place: str  # host name as in the snapshot
    resources: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Resolution:
    """What the names in a document mean in this cloud, at this moment.

    ``flavors`` .. ``volume_types`` map names as written to ids; ``demands``
    has one entry per server and volume that takes part in placement.
    ``choices`` has the smaller flavors that each server might have instead,
    ``disks`` the GB of each flavor's root disk and of its ephemeral one, by
    name and by id.
    ``grouping`` are the server groups that the quotas leave room for.
    """

    demands: tuple[placement.Demand, ...]
    flavors: Mapping[str, str]
    images: Mapping[str, str]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    volume_types: Mapping[str, str]
    security_groups: Mapping[str, str]
    choices: Mapping[str, tuple[offers.Offer, ...]] = dataclasses.field(
        default_factory=dict
    )
    grouping: grouping.Grouping = dataclasses.field(
        default_factory=grouping.Grouping
    )
    disks: Mapping[str, tuple[int, int]] = dataclasses.field(
        default_factory=dict
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """Capacity of a part of the cloud, or of all of it (``is_whole``).

    ``demands`` have ``candidates`` set to where each may go in that part.
    What fits into a part fits; that it does not fit proves nothing unless
    the part is all.
    """

    snapshot: placement.Snapshot
    demands: tuple[placement.Demand, ...]
    is_whole: bool


@dataclasses.dataclass(frozen=True, slots=True)
class PortRequest:
    name: str
    network_id: str
    fixed_ip: str | None = None
    security_group_ids: tuple[str, ...] | None = None  # None: default
    port_security: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    id: str
    addresses: tuple[str, ...]
    mac_address: str


@dataclasses.dataclass(frozen=True, slots=True)
class FloatingIp:
    id: str
    address: str


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeRequest:
    """``pool``: the planned place, or None where it cannot be steered."""

    name: str
    spec: spec.VolumeSpec
    pool: str | None = None
    image_id: str | None = None
    type_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ServerRequest:
    """``host``: the planned place, by its name in the snapshot.

    Exactly one of ``image_id`` and ``boot_volume_id`` is set. ``port_ids``
    in the order of the interfaces; none: the server has no network.
    ``domains``: level -> the pseudonym of where it will be, for the server
    itself to read. ``group_id``: the server group it is to be in.
    """

    name: str
    spec: spec.ServerSpec
    host: str
    flavor_id: str
    port_ids: tuple[str, ...]
    image_id: str | None = None
    boot_volume_id: str | None = None
    domains: Mapping[str, str] = dataclasses.field(default_factory=dict)
    group_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """What is to be set and dropped of a thing's own words.

    ``metadata`` and ``tags`` are set, those in ``no_metadata`` (keys) and
    ``no_tags`` dropped; all others stay, ours among them.
    """

    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    no_metadata: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    no_tags: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not any(
            (self.metadata, self.no_metadata, self.tags, self.no_tags)
        )


class Progress(enum.StrEnum):
    """How far a server or volume is."""

    BUILDING = 'building'
    READY = 'ready'
    FAILED = 'failed'
    GONE = 'gone'


class Power(enum.StrEnum):
    """What can be asked of a server that is built."""

    STOP = 'stop'
    START = 'start'
    SUSPEND = 'suspend'
    RESUME = 'resume'


@dataclasses.dataclass(frozen=True, slots=True)
class ServerState:
    """``no_valid_host``: the failure is that its place was taken.

    Or that the service would not have it there, for the sake of its group.

    ``host`` is where it really sits (None if unknown to our rights);
    ``reason`` the service's own words for a failure.
    """

    progress: Progress
    status: str  # the service's own, e.g. ACTIVE
    reason: str | None = None
    no_valid_host: bool = False
    host: str | None = None
    attached: frozenset[str] = frozenset()  # ids of attached volumes


@dataclasses.dataclass(frozen=True, slots=True)
class Resize:
    """How a server stands with its flavor.

    ``flavor_id`` is what it has now; None: one that is not offered any more.
    ``is_open``: it runs resized, and that can be confirmed or taken back.
    """

    flavor_id: str | None
    is_under_way: bool = False
    is_open: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Seat:
    """Where a server really is, and what is accounted to it there."""

    host: str  # as in the snapshot
    resources: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeState:
    progress: Progress
    status: str
    reason: str | None = None
    pool: str | None = None  # where it really is; None if not told
    attached_to: frozenset[str] = frozenset()  # server ids
    size_gb: int | None = None  # None if not told


@dataclasses.dataclass(frozen=True, slots=True)
class CopyState:
    """How far an image of a server, or a snapshot of a volume, is.

    ``reason``: the service's own words for a failure.
    """

    progress: Progress
    status: str
    reason: str | None = None
