# SPDX-License-Identifier: Apache-2.0
"""What is really in the development cloud, by its admin's own view.

Nothing here shares code with the product: it asks nova, cinder, neutron and
placement what they have, and where.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

from heat_vcluster.devcloud import processes, services
from heat_vcluster.devcloud.settings import Settings

VARIABLE = 'VCLUSTER_ACCEPTANCE_STATE'
PLACEMENT_VERSION = '1.38'
#: nova takes a server's allocation back a moment after the server is gone.
SETTLE_SECONDS = 120.0


class NoCloud(Exception):
    """There is no development cloud to test on."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Thing:
    """Something that exists: two snapshots are compared by kind and id."""

    kind: str
    id: str
    text: str = dataclasses.field(default='', compare=False)

    def __str__(self) -> str:
        return f'{self.kind} {self.id} {self.text}'


def settings() -> Settings:
    state = os.environ.get(VARIABLE)
    if not state:
        raise NoCloud(f'{VARIABLE} must name the state of a running cloud')
    return Settings.load(Path(state))


def connect(cloud: Settings, account: str) -> Connection:
    found = openstack.config.OpenStackConfig(
        config_files=[str(cloud.clouds_yaml)], load_envvars=False
    ).get_one(f'devcloud-{account}', compute_default_microversion='2.96')
    return Connection(config=found)


def until(
    condition: Callable[[], Any], what: str, seconds: float = 400
) -> Any:
    """Poll until the condition holds; return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds:.0f} s: {what}')
        time.sleep(0.5)


class World:
    """The whole cloud, as its admin."""

    def __init__(self, cloud: Settings) -> None:
        self.settings = cloud
        self.admin = connect(cloud, 'admin')

    # All there is

    def everything(self) -> frozenset[Thing]:
        """All tenants' things of every kind that a cluster can leave."""
        return frozenset(
            thing
            for kind in (
                self._servers,
                self._server_groups,
                self._network_things,
                self._volumes,
                self._volume_snapshots,
                self._images,
                self._attachments,
                self._allocations,
            )
            for thing in kind()
        )

    def _servers(self) -> Iterator[Thing]:
        for one in self.admin.compute.servers(all_projects=True):
            yield Thing('server', one.id, f'{one.name} {one.status}')

    def _server_groups(self) -> Iterator[Thing]:
        for one in self.admin.compute.server_groups(all_projects=True):
            yield Thing('server group', one.id, one.name)

    def _network_things(self) -> Iterator[Thing]:
        network = self.admin.network
        for kind, found in (
            ('floating ip', network.ips()),
            ('port', network.ports()),
            ('router', network.routers()),
            ('subnet', network.subnets()),
            ('network', network.networks()),
            ('security group', network.security_groups()),
        ):
            for one in found:
                yield Thing(kind, one.id, f'{one.name} {one.description}')

    def _volumes(self) -> Iterator[Thing]:
        for one in self.admin.block_storage.volumes(all_projects=True):
            yield Thing('volume', one.id, f'{one.name} {one.status}')

    def _volume_snapshots(self) -> Iterator[Thing]:
        for one in self.admin.block_storage.snapshots(all_projects=True):
            yield Thing('volume snapshot', one.id, f'{one.name} {one.status}')

    def _images(self) -> Iterator[Thing]:
        for one in self.admin.image.images():
            yield Thing('image', one.id, f'{one.name} {one.status}')

    def _attachments(self) -> Iterator[Thing]:
        answer = self.admin.block_storage.get(
            '/attachments?all_tenants=1', microversion='3.27'
        )
        for one in answer.json()['attachments']:
            yield Thing('attachment', one['id'], one['volume_id'])

    def _allocations(self) -> Iterator[Thing]:
        """Consumers of all providers, be they servers or holds."""
        for host in self.providers():
            for consumer, resources in self.consumers(host).items():
                yield Thing('allocation', f'{consumer} on {host}', resources)

    # Where things are

    def host_of(self, server_id: str) -> str:
        host = self.admin.compute.get_server(server_id).hypervisor_hostname
        assert host, f'server {server_id} is on no host'
        return str(host)

    def pool_of(self, volume_id: str) -> str:
        pool = self.admin.block_storage.get_volume(volume_id).host
        assert pool, f'volume {volume_id} is in no pool'
        return str(pool)

    def rack_of_host(self) -> dict[str, str]:
        """As nova's aggregates have it."""
        return self._domains('rack')

    def zone_of_host(self) -> dict[str, str]:
        return self._domains('availability_zone')

    def _domains(self, key: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for aggregate in self.admin.compute.aggregates():
            if key in aggregate.metadata:
                for host in aggregate.hosts:
                    assert host not in found, f'{host} has two of {key}'
                    found[host] = aggregate.metadata[key]
        return found

    def rack_of(self, member: Mapping[str, Any]) -> str:
        """The rack of a member, given its type and id."""
        racks = self.rack_of_host()
        if member['type'] == 'server':
            return racks[self.host_of(member['id'])]
        # rack1@rack1#rack1, or r1h1@r1h1#r1h1 with a backend per host.
        backend = self.pool_of(member['id']).partition('@')[0]
        return racks.get(backend, backend)

    # Room, by placement

    def providers(self) -> dict[str, str]:
        """Host name -> id of its provider."""
        answer = self._placement('/resource_providers')
        return {
            one['name']: one['uuid'] for one in answer['resource_providers']
        }

    def consumers(self, host: str) -> dict[str, str]:
        provider = self.providers()[host]
        answer = self._placement(f'/resource_providers/{provider}/allocations')
        return {
            consumer: str(allocation['resources'])
            for consumer, allocation in answer['allocations'].items()
        }

    def free(self, host: str, resource_class: str = 'VCPU') -> int:
        base = f'/resource_providers/{self.providers()[host]}'
        inventory = self._placement(f'{base}/inventories')['inventories']
        used = self._placement(f'{base}/usages')['usages']
        one = inventory[resource_class]
        room = (one['total'] - one['reserved']) * one['allocation_ratio']
        return int(room) - int(used[resource_class])

    def occupy(self, host: str, vcpus: int) -> str:
        """Take room on a host as someone else would; return the consumer."""
        consumer = str(uuid.uuid4())
        answer = self.admin.placement.put(
            f'/allocations/{consumer}',
            json={
                'allocations': {
                    self.providers()[host]: {'resources': {'VCPU': vcpus}}
                },
                'project_id': self.admin.current_project_id,
                'user_id': self.admin.current_user_id,
                'consumer_generation': None,
                'consumer_type': 'RIVAL',
            },
            microversion=PLACEMENT_VERSION,
        )
        assert answer.status_code == 204, answer.text
        return consumer

    def vacate(self, consumer: str) -> None:
        self.admin.placement.delete(
            f'/allocations/{consumer}', microversion=PLACEMENT_VERSION
        )

    def _placement(self, path: str) -> dict[str, Any]:
        answer = self.admin.placement.get(path, microversion=PLACEMENT_VERSION)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    # What an operator does

    def migrate(self, server_id: str, host: str) -> None:
        """Move a server, live, to where he likes; wait until it is there."""
        answer = self.admin.compute.post(
            f'/servers/{server_id}/action',
            json={'os-migrateLive': {'host': host, 'block_migration': 'auto'}},
            microversion='2.96',
        )
        assert answer.status_code == 202, answer.text

        def is_there() -> bool:
            found = self.admin.compute.get_server(server_id)
            return (found.status, found.hypervisor_hostname) == (
                'ACTIVE',
                host,
            )

        until(is_there, f'the server is on {host}')

    def set_enabled(self, host: str, is_enabled: bool) -> None:
        """Open or close a host; returns when placement knows as well."""
        compute = self.admin.compute
        (service,) = compute.services(host=host, binary='nova-compute')
        if is_enabled:
            compute.enable_service(service)
        else:
            compute.disable_service(service, disabled_reason='acceptance')
        path = f'/resource_providers/{self.providers()[host]}/traits'
        until(
            lambda: (
                ('COMPUTE_STATUS_DISABLED' in self._placement(path)['traits'])
                != is_enabled
            ),
            f'placement knows that {host} is enabled: {is_enabled}',
        )

    def set_volume_quota(self, project: str, volumes: int) -> None:
        self.admin.set_volume_quotas(project, volumes=volumes)

    def volume_quota(self, project: str) -> int:
        return int(self.admin.get_volume_quotas(project).volumes)

    def kill(self, service: str) -> None:
        """End a service between two instructions: it cannot tidy up."""
        group = processes.running(self.settings, service)
        assert group, f'{service} does not run'
        os.killpg(group, signal.SIGKILL)
        until(lambda: not _is_alive(group), 'its port is free')

    def start(self, service: str) -> None:
        """Start a service that was killed; returns once it answers."""
        found = services.find(service)
        processes.start(self.settings, found)
        processes.wait_healthy(self.settings, [found], SETTLE_SECONDS)

    def driver(self, *arguments: str) -> None:
        """Run a command of vcluster-devcloud on this cloud."""
        result = subprocess.run(
            [
                str(self.settings.python),
                '-m',
                'heat_vcluster.devcloud',
                *arguments[:1],
                '--state-dir',
                str(self.settings.state_dir),
                *arguments[1:],
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


def _is_alive(group: int) -> bool:
    """Tell whether a process of the group is left."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(group, os.WNOHANG)  # one that this process has started
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def by_value(domains: Mapping[str, str]) -> dict[str, list[str]]:
    """Domain -> the members in it."""
    found = collections.defaultdict(list)
    for member, domain in domains.items():
        found[domain].append(member)
    return dict(found)
