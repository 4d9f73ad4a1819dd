# SPDX-License-Identifier: Apache-2.0
"""All that must hold between the parts of a document.

Each check takes the draft and gives the places and what is wrong there. It
says nothing about what the shape's check took out already.
"""

from __future__ import annotations

from collections.abc import Callable

from heat_vcluster.spec import draft, faults
from heat_vcluster.spec.checks import (
    addresses,
    dependencies,
    marks,
    names,
    servers,
    sources,
    survival,
    volumes,
)

Check = Callable[[draft.Draft], faults.Found]

CHECKS: tuple[Check, ...] = (
    names.repeated,
    names.too_long,
    names.miscounted,
    dependencies.references,
    dependencies.external_networks,
    dependencies.unknown,
    dependencies.cycles,
    servers.boot_source,
    servers.user_data,
    servers.devices,
    servers.unusable_networks,
    servers.floating_ips,
    servers.fixed_ips,
    servers.security_groups,
    marks.own_keys,
    volumes.two_sources,
    volumes.not_bootable,
    volumes.shared,
    addresses.ranges,
    addresses.gateways,
    addresses.pools,
    addresses.name_servers,
    addresses.overlaps,
    addresses.routers,
    addresses.sizes,
    sources.known,
    sources.fitting,
    survival.members,
    survival.strictness,
    survival.possible,
)
