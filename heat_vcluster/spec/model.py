# SPDX-License-Identifier: Apache-2.0
"""What a tenant asked for, as frozen values: the canonical document.

A ``GroupSpec`` is made by :mod:`heat_vcluster.spec.loader` only, so whoever
holds one may rely on it: names are unique, counted instances are written
out, every reference leads to something, and there are no cycles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """Something a member needs: another member, or an existing thing.

    With ``is_member`` the ``name`` is a member of the same document; else it
    is the name or id of something that exists in the cloud.
    """

    name: str
    is_member: bool


@dataclasses.dataclass(frozen=True, slots=True)
class FloatingIpSpec:
    """An address of an external network, led to a server's interface."""

    network: str  # name or id of an external network


@dataclasses.dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """One network interface of a server."""

    network: Reference
    fixed_ip: str | None = None
    security_groups: tuple[str, ...] | None = None  # None: the default ones
    floating_ip: FloatingIpSpec | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AttachmentSpec:
    """A volume attached to a server."""

    volume: Reference
    device: str | None = None  # e.g. /dev/vdb; None: nova chooses


@dataclasses.dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server. Exactly one of ``image`` and ``boot_volume`` is set."""

    flavor: str
    image: str | None = None
    boot_volume: Reference | None = None
    key_name: str | None = None
    networks: tuple[InterfaceSpec, ...] = ()
    volumes: tuple[AttachmentSpec, ...] = ()
    user_data: str | None = None  # plain text, not base64
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    config_drive: bool | None = None
    availability_zone: str | None = None
    tags: tuple[str, ...] = ()
    again: int = 0  # made of the same image anew, for so many times


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A volume; ``size`` in GiB.

    ``multiattach`` is the document's word that the volume type allows more
    than one attachment; whether that is so, only the cloud can tell.
    """

    size: int
    volume_type: str | None = None
    image: str | None = None
    snapshot_id: str | None = None
    availability_zone: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    multiattach: bool = False
    again: int = 0  # made of the same snapshot anew, for so many times


@dataclasses.dataclass(frozen=True, slots=True)
class SubnetSpec:
    """A subnet of a member network; addresses as text."""

    cidr: str
    name: str | None = None
    gateway: str | None = None  # None: the service's choice
    no_gateway: bool = False
    dns: tuple[str, ...] = ()
    allocation_pools: tuple[tuple[str, str], ...] = ()  # (start, end)
    dhcp: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class RouterSpec:
    """A router between the network's subnets and an external network."""

    external_network: str  # name or id


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network with its subnets and, if asked for, a router."""

    subnets: tuple[SubnetSpec, ...] = ()
    router: RouterSpec | None = None
    mtu: int | None = None
    port_security: bool | None = None


MemberSpec = ServerSpec | VolumeSpec | NetworkSpec


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One member: an instance of the document, counted ones written out.

    ``base`` is the name in the document (``web`` for ``web-0``), ``path``
    the place in it (``instances[3]``). ``depends_on`` has the names of all
    members that must be ready first, by reference or by ``depends_on``.
    """

    name: str
    type: str  # 'server' | 'volume' | 'network'
    spec: MemberSpec
    base: str
    index: int | None
    path: str
    depends_on: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Members under one policy.

    ``units`` are the entries of the group's members, each with the member
    names it stands for: a single member, or all below a nested group. Where
    the document names a counted instance, each copy is a unit of its own.
    ``options`` are the policy's own keys, e.g. ``{'max_per_domain': 2}``.
    ``weight`` is None for a hard group (``strict: true``); 0: no more than
    a set of members, but for what its options ask always (the floor of a
    proximity). ``scope`` of a policy that has none is ``host``.
    ``is_derived``: it is no group of the document, but follows from what
    else is asked there; its name is its place.
    """

    name: str
    policy: str
    scope: str
    units: tuple[tuple[str, ...], ...]
    weight: int | None
    options: Mapping[str, Any]
    path: str
    is_derived: bool = False

    @property
    def title(self) -> str:
        """What the tenant calls it."""
        kind = '' if self.is_derived else 'group '
        return f"{kind}'{self.name}'"

    def place(self, key: str) -> str:
        """Return where the document has a key of the group's spec."""
        return self.path if self.is_derived else f'{self.path}.spec.{key}'

    @property
    def is_hard(self) -> bool:
        return self.weight is None

    @property
    def members(self) -> tuple[str, ...]:
        """All members below, each once, in the order of the document."""
        return tuple(dict.fromkeys(n for unit in self.units for n in unit))


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What is to be left of an instance or a group.

    ``asked`` is a number of members, or a share as text (``60%``);
    ``least`` the number that it comes to.
    """

    name: str
    members: tuple[str, ...]
    asked: int | str
    least: int


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """So many domains at a scope may be lost, and what is to be left then."""

    count: int
    scope: str
    keep: tuple[Kept, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class GroupSpec:
    """The whole request, canonical and consistent.

    ``groups`` has those of the document, and behind them what ``survive``
    comes to. ``document`` is the canonical document as plain JSON values:
    loading it again gives an equal ``GroupSpec``. It is what the store keeps.
    """

    name: str | None
    members: tuple[Member, ...]
    groups: tuple[Group, ...]
    document: Mapping[str, Any] = dataclasses.field(repr=False)
    survive: tuple[Loss, ...] = ()
    _by_name: Mapping[str, Member] = dataclasses.field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        by_name = {member.name: member for member in self.members}
        object.__setattr__(self, '_by_name', by_name)

    def member(self, name: str) -> Member:
        """Return the member of that name; KeyError if there is none."""
        return self._by_name[name]

    def of_type(self, member_type: str) -> tuple[Member, ...]:
        return tuple(m for m in self.members if m.type == member_type)
