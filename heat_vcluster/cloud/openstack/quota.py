# SPDX-License-Identifier: Apache-2.0
"""Whether the tenant's quotas can suffice for a whole document.

Only what a tenant may read of them. A quota that is used up by others in the
meantime, and those per volume type, are told by the services themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heat_vcluster.spec import model as spec

Limits = Callable[[], Mapping[str, int]]

#: Field of Total -> (name for people, nova's limit, nova's usage).
_COMPUTE = {
    'servers': ('servers', 'maxTotalInstances', 'totalInstancesUsed'),
    'cores': ('VCPUs', 'maxTotalCores', 'totalCoresUsed'),
    'ram_mb': ('MiB of memory', 'maxTotalRAMSize', 'totalRAMUsed'),
}
_VOLUME = {
    'volumes': ('volumes', 'maxTotalVolumes', 'totalVolumesUsed'),
    'gigabytes': (
        'GiB of volumes',
        'maxTotalVolumeGigabytes',
        'totalGigabytesUsed',
    ),
}
#: Field of Total -> (name for people, neutron's name).
_NETWORK = {
    'networks': ('networks', 'network'),
    'subnets': ('subnets', 'subnet'),
    'routers': ('routers', 'router'),
    'ports': ('ports', 'port'),
    'floating_ips': ('floating IPs', 'floatingip'),
}


@dataclasses.dataclass(slots=True)
class Total:
    """What a document needs in all; grows while it is read."""

    servers: int = 0
    cores: int = 0
    ram_mb: int = 0
    volumes: int = 0
    gigabytes: int = 0
    networks: int = 0
    subnets: int = 0
    routers: int = 0
    ports: int = 0
    floating_ips: int = 0

    def add_server(self, flavor: Mapping[str, Any], interfaces: int) -> None:
        self.servers += 1
        self.cores += int(flavor['vcpus'])
        self.ram_mb += int(flavor['ram'])
        self.ports += interfaces

    def add_volume(self, size: int) -> None:
        self.volumes += 1
        self.gigabytes += size

    def add_network(self, asked: spec.NetworkSpec) -> None:
        self.networks += 1
        self.subnets += len(asked.subnets)
        if asked.router:
            self.routers += 1
            self.ports += len(asked.subnets)


def shortfalls(
    total: Total,
    compute: Limits | None,
    volume: Limits | None,
    network: Callable[[], Mapping[str, Mapping[str, int]]],
) -> Iterator[str]:
    """Yield a sentence for each quota that cannot suffice."""
    for limits, table in ((compute, _COMPUTE), (volume, _VOLUME)):
        known = limits() if limits else {}
        for field, (what, limit, usage) in table.items():
            yield from _compare(
                what,
                getattr(total, field),
                known.get(limit, -1),
                known.get(usage, 0),
            )
    needed = any(getattr(total, field) for field in _NETWORK)
    quotas = network() if needed else {}
    for field, (what, name) in _NETWORK.items():
        found = quotas.get(name, {})
        used = found.get('used', 0) + found.get('reserved', 0)
        yield from _compare(
            what, getattr(total, field), found.get('limit', -1), used
        )


def _compare(what: str, need: int, limit: int, used: int) -> Iterator[str]:
    """A limit below zero is none."""
    if need and 0 <= limit < used + need:
        yield (
            f'needs {need} {what}, but the quota of the project leaves '
            f'{max(limit - used, 0)} of {limit}'
        )
