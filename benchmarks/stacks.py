# SPDX-License-Identifier: Apache-2.0
"""One cluster scaled on a development cloud: by plain Heat, and by us.

Both are stacks, updated by Heat's API; a time is from the call until the stack
is settled. They take turns in who is first.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

from benchmarks import plain_heat
from heat_vcluster.devcloud import settings

NAME = 'life'
CLUSTER = 'OS::VCluster::Cluster'
LIMIT_SECONDS = 600.0
BEFORE, AFTER = 3, 5
WAYS = ('plain Heat', 'ours')


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Of one stack: seconds, and the servers that both templates share."""

    way: str
    create: float
    update: float
    kept: int


def document(count: int, network: str, is_apart: bool = True) -> Any:
    """Return so many servers, apart or two to a host at most."""
    asked = (
        {'policy': 'anti-affinity', 'scope': 'host'}
        if is_apart
        else {'policy': 'spread', 'scope': 'host', 'max_per_domain': 2}
    )
    return {
        'instances': [
            {
                'name': 'web',
                'type': 'server',
                'count': count,
                'spec': {
                    'image': 'cirros',
                    'flavor': 'tiny',
                    'networks': [{'network': network}],
                },
            }
        ],
        'groups': [{'name': 'rule', 'spec': asked, 'members': ['web']}],
    }


def template(way: str, wanted: Any) -> Any:
    if way == 'plain Heat':
        return plain_heat.template(wanted)
    return {
        'heat_template_version': '2021-04-16',
        'resources': {'cluster': {'type': CLUSTER, 'properties': wanted}},
    }


class Bench:
    """Stacks of one tenant on one network."""

    def __init__(self, state_dir: Path) -> None:
        cloud = settings.Settings.load(state_dir)
        config = openstack.config.OpenStackConfig(
            config_files=[str(cloud.clouds_yaml)], load_envvars=False
        )
        self.cloud = Connection(config=config.get_one('devcloud-alpha'))

    def open(self) -> None:
        self.close()
        network = self.cloud.network.create_network(name=NAME)
        self.cloud.network.create_subnet(
            name=NAME,
            network_id=network.id,
            ip_version=4,
            cidr='10.141.0.0/24',
        )

    def close(self) -> None:
        """Remove what is there of this benchmark, and nothing else."""
        for stack in self.stacks():
            self.cloud.orchestration.delete_stack(stack)
        until(lambda: not list(self.stacks()), 'the stacks are deleted')
        for network in self.cloud.network.networks(name=NAME):
            self.cloud.network.delete_network(network)

    def stacks(self) -> Iterator[Any]:
        for stack in self.cloud.orchestration.stacks():
            if stack.name == NAME:
                yield stack

    def servers(self) -> set[str]:
        (network,) = self.cloud.network.networks(name=NAME)
        ports = self.cloud.network.ports(network_id=network.id)
        return {
            port.device_id
            for port in ports
            if port.device_owner.startswith('compute:')
        }

    def measure(self, way: str, before: Any, after: Any) -> Result:
        heat = self.cloud.orchestration
        create = self.seconds(
            lambda: heat.create_stack(
                name=NAME, template=template(way, before)
            )
        )
        old = self.servers()
        (stack,) = self.stacks()
        update = self.seconds(
            lambda: heat.update_stack(stack, template=template(way, after))
        )
        kept = len(old & self.servers())
        self.remove()
        return Result(way, create, update, kept)

    def seconds(self, act: Any) -> float:
        begin = time.monotonic()
        act()
        until(self.is_settled, 'the stack is settled')
        (stack,) = self.stacks()
        if not stack.status.endswith('_COMPLETE'):
            raise SystemExit(f'{stack.status}: {stack.status_reason}')
        return time.monotonic() - begin

    def is_settled(self) -> bool:
        (stack,) = self.stacks()
        return not stack.status.endswith('IN_PROGRESS')

    def remove(self) -> None:
        for stack in self.stacks():
            self.cloud.orchestration.delete_stack(stack)
        until(lambda: not list(self.stacks()), 'the stack is deleted')


def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f'not within {LIMIT_SECONDS:.0f} s: {what}')
        time.sleep(0.25)


def show_seconds(state_dir: Path, rounds: int) -> None:
    bench = Bench(state_dir)
    bench.open()
    changes = {
        f'scale {BEFORE} to {AFTER}': (
            document(BEFORE, NAME),
            document(AFTER, NAME),
        ),
        'another rule': (
            document(BEFORE, NAME),
            document(BEFORE, NAME, is_apart=False),
        ),
    }
    try:
        for title, (before, after) in changes.items():
            found = [
                bench.measure(way, before, after)
                for number in range(rounds)
                for way in (WAYS if number % 2 == 0 else WAYS[::-1])
            ]
            show(title, found)
    finally:
        bench.close()


def show(title: str, found: list[Result]) -> None:
    print(f'{title}; medians of {len(found) // len(WAYS)}, in seconds')
    medians = {}
    for way in WAYS:
        own = [each for each in found if each.way == way]
        medians[way] = statistics.median(each.update for each in own)
        kept = min(each.kept for each in own)
        create = statistics.median(each.create for each in own)
        print(
            f'  {way:<12}create {create:5.1f}  update {medians[way]:5.1f}  '
            f'kept {kept} of {BEFORE}'
        )
    ratio = medians['ours'] / medians['plain Heat']
    print(f'  ours takes {ratio:.2f} times as long to update')
