# SPDX-License-Identifier: Apache-2.0
"""What a tenant has made by himself, as far as a document could say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from heat_vcluster.cloud import model


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A floating IP that leads to a port; ``network_id`` is external."""

    id: str
    address: str
    network_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Interface:
    """A port of a server."""

    id: str
    network_id: str
    addresses: tuple[str, ...]
    security_group_ids: frozenset[str]
    floating_ips: tuple[Address, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, whoever made it.

    ``is_busy``: something is being done to it. ``flavor_id`` is None if the
    flavor is no more, ``image_id`` if it boots from a volume. ``attached``
    has all its volumes, that one too: id -> device; ``doomed`` those that go
    when it goes. ``owner``: the member that it is already.
    """

    id: str
    name: str
    status: str
    is_busy: bool
    flavor: str
    flavor_id: str | None
    image_id: str | None
    key_name: str | None
    has_config_drive: bool
    zone: str | None
    metadata: Mapping[str, str]
    tags: frozenset[str]
    interfaces: tuple[Interface, ...]
    attached: Mapping[str, str | None]
    doomed: frozenset[str]
    owner: model.Owner | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume, whoever made it; ``type_id`` None if it has no type."""

    id: str
    name: str
    status: str
    size_gb: int
    type_name: str | None
    type_id: str | None
    image_id: str | None
    snapshot_id: str | None
    zone: str | None
    metadata: Mapping[str, str]
    is_bootable: bool
    is_multiattach: bool
    attached_to: frozenset[str]
    owner: model.Owner | None
