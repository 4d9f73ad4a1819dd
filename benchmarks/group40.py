# SPDX-License-Identifier: Apache-2.0
"""The same 40 servers three ways, on one development cloud, in one run.

    heat    a ResourceGroup and a server group: anti-affinity with
            max_server_per_host, which is all that nova has for it
    ours    one OS::VCluster::Cluster, by "openstack stack create"
    direct  one POST /servers each, 8 at a time, into such a server group
    free    the same with no rule at all: what nova needs for the servers

At most 4 may be on a host, and there are 12 hosts. A way is measured from
its first call until no server is being built any more and (for stacks) the
stack has settled. Every server has a port on one network that is there
before. Run it with the Python of the cloud's virtualenv:

    eval "$(vcluster-devcloud env)"; python benchmarks/group40.py --rounds 3

The exit code is 0 only if ours had every server ACTIVE and the rule kept in
every round, and took at most 1.2 times as long as direct (by the medians).
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

sys.path.insert(0, str(Path(__file__).parents[1]))

from heat_vcluster.devcloud import settings

NAME = 'group40'
FLAVOR = 'tiny'
IMAGE = 'cirros'
AT_A_TIME = 8
LIMIT_SECONDS = 900
ALLOWED_RATIO = 1.2


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What came of one way in one round."""

    way: str
    seconds: float
    active: int
    most_on_a_host: int
    is_kept: bool


class Bench:
    """One cloud, one network, and the three ways to fill it."""

    def __init__(
        self, cloud: settings.Settings, servers: int, per_host: int
    ) -> None:
        self.cloud = cloud
        self.servers = servers
        self.per_host = per_host
        self.alpha = connect(cloud, 'alpha')
        self.admin = connect(cloud, 'admin')
        self.ways: dict[str, Callable[[], None]] = {
            'heat': self.heat,
            'ours': self.ours,
            'direct': self.direct,
            'free': self.free,
        }

    # Before and after

    def open(self) -> None:
        """Make the network that all servers stand on."""
        self.close()
        network = self.alpha.network.create_network(name=NAME)
        self.alpha.network.create_subnet(
            name=NAME,
            network_id=network.id,
            ip_version=4,
            cidr='10.140.0.0/22',
        )
        self.network_id = network.id

    def close(self) -> None:
        self.clear()
        for network in self.alpha.network.networks(name=NAME):
            self.alpha.network.delete_network(network)

    def clear(self) -> None:
        """Delete all servers and stacks of the benchmark, and wait."""
        heat, compute = self.alpha.orchestration, self.alpha.compute
        for stack in self.stacks():
            heat.delete_stack(stack)
        until(lambda: not list(self.stacks()), 'the stack is deleted')
        for server in self.built():
            compute.delete_server(server)
        until(lambda: not list(self.built()), 'the servers are deleted')
        for group in compute.server_groups():
            if group.name == NAME:
                compute.delete_server_group(group)

    def stacks(self) -> Iterator[Any]:
        for stack in self.alpha.orchestration.stacks():
            if stack.name == NAME:
                yield stack

    def built(self) -> list[Any]:
        """Our servers as the admin sees them: with their hosts."""
        return [
            server
            for server in self.admin.compute.servers(all_projects=True)
            if NAME in server.name
        ]

    # The ways

    def heat(self) -> None:
        self.create_stack(
            {
                'group': {
                    'type': 'OS::Nova::ServerGroup',
                    'properties': {
                        'name': NAME,
                        'policies': ['anti-affinity'],
                        'rules': {'max_server_per_host': self.per_host},
                    },
                },
                'servers': {
                    'type': 'OS::Heat::ResourceGroup',
                    'properties': {
                        'count': self.servers,
                        'resource_def': {
                            'type': 'OS::Nova::Server',
                            'properties': {
                                'name': f'{NAME}-%index%',
                                'flavor': FLAVOR,
                                'image': IMAGE,
                                'networks': [{'network': self.network_id}],
                                'scheduler_hints': {
                                    'group': {'get_resource': 'group'}
                                },
                            },
                        },
                    },
                },
            }
        )

    def ours(self) -> None:
        self.create_stack(
            {
                'cluster': {
                    'type': 'OS::VCluster::Cluster',
                    'properties': {
                        'name': NAME,
                        'instances': [
                            {
                                'name': 'server',
                                'type': 'server',
                                'count': self.servers,
                                'spec': {
                                    'flavor': FLAVOR,
                                    'image': IMAGE,
                                    'networks': [{'network': NAME}],
                                },
                            }
                        ],
                        'groups': [
                            {
                                'name': 'spread',
                                'spec': {
                                    'policy': 'spread',
                                    'scope': 'host',
                                    'max_per_domain': self.per_host,
                                },
                                'members': ['server'],
                            }
                        ],
                    },
                }
            }
        )

    def direct(self) -> None:
        group = self.alpha.compute.create_server_group(
            name=NAME,
            policy='anti-affinity',
            rules={'max_server_per_host': self.per_host},
        )
        self.create_servers(scheduler_hints={'group': group.id})

    def free(self) -> None:
        self.create_servers()

    def create_servers(self, **options: Any) -> None:
        flavor = self.alpha.compute.find_flavor(FLAVOR)
        image = self.alpha.image.find_image(IMAGE)

        def create(number: int) -> None:
            self.alpha.compute.create_server(
                name=f'{NAME}-{number}',
                flavor_id=flavor.id,
                image_id=image.id,
                networks=[{'uuid': self.network_id}],
                **options,
            )

        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(create, range(self.servers)))

    def create_stack(self, resources: dict[str, Any]) -> None:
        """``openstack stack create``, and the wait for the stack."""
        with tempfile.NamedTemporaryFile('w', suffix='.json') as template:
            json.dump(
                {
                    'heat_template_version': '2021-04-16',
                    'resources': resources,
                },
                template,
            )
            template.flush()
            subprocess.run(
                [
                    self.cloud.bin('openstack'),
                    'stack',
                    'create',
                    '-t',
                    template.name,
                    NAME,
                ],
                env=os.environ
                | {
                    'OS_CLIENT_CONFIG_FILE': str(self.cloud.clouds_yaml),
                    'OS_CLOUD': 'devcloud-alpha',
                },
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        until(self.has_settled, 'the stack has settled')

    def has_settled(self) -> bool:
        (stack,) = self.stacks()
        return not str(stack.status).endswith('IN_PROGRESS')

    # Measuring

    def measure(self, way: str) -> Result:
        begin = time.monotonic()
        self.ways[way]()
        until(
            lambda: all(one.status != 'BUILD' for one in self.built()),
            'no server is being built',
        )
        seconds = time.monotonic() - begin
        servers = [one for one in self.built() if one.status == 'ACTIVE']
        hosts = collections.Counter(one.hypervisor_hostname for one in servers)
        most = max(hosts.values(), default=0)
        is_kept = len(servers) == self.servers and most <= self.per_host
        return Result(way, seconds, len(servers), most, is_kept)


def connect(cloud: settings.Settings, account: str) -> Connection:
    found = openstack.config.OpenStackConfig(
        config_files=[str(cloud.clouds_yaml)], load_envvars=False
    ).get_one(f'devcloud-{account}', compute_default_microversion='2.90')
    return Connection(config=found)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f'not within {LIMIT_SECONDS} s: {what}')
        time.sleep(1.0)


def row(*cells: object) -> None:
    widths = (5, 7, 8, 7, 13, 6)
    print(
        '  '.join(
            f'{cell!s:>{width}}'
            for cell, width in zip(cells, widths, strict=True)
        ),
        flush=True,
    )


def report(results: Sequence[Result], servers: int) -> int:
    """Print the medians and the ratios; return the exit code."""
    seconds = {
        way: statistics.median(
            one.seconds for one in results if one.way == way
        )
        for way in dict.fromkeys(one.way for one in results)
    }
    print()
    for way, median in seconds.items():
        active = [str(one.active) for one in results if one.way == way]
        compared = (
            f'   ratio to direct {median / seconds["direct"]:.2f}'
            if 'direct' in seconds
            else ''
        )
        print(
            f'{way:<7} median {median:6.1f} s   ACTIVE '
            f'{", ".join(active)} of {servers}{compared}'
        )
    ours = [one for one in results if one.way == 'ours']
    is_good = all(one.is_kept for one in ours)
    if ours and 'direct' in seconds:
        is_good &= seconds['ours'] <= ALLOWED_RATIO * seconds['direct']
    print('reached' if is_good else 'NOT reached')
    return 0 if is_good else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--rounds', type=int, default=1)
    parser.add_argument('--servers', type=int, default=40)
    parser.add_argument('--per-host', type=int, default=4)
    parser.add_argument(
        '--ways',
        type=lambda text: text.split(','),
        default=['direct', 'ours', 'heat'],
        help='comma separated, of heat, ours, direct and free '
        '(default: direct,ours,heat)',
    )
    parser.add_argument(
        '--state-dir', type=Path, default=settings.default_state_dir()
    )
    options = parser.parse_args()
    bench = Bench(
        settings.Settings.load(options.state_dir),
        options.servers,
        options.per_host,
    )
    results: list[Result] = []
    bench.open()
    try:
        row('round', 'way', 'seconds', 'ACTIVE', 'most on host', 'rule')
        for number in range(options.rounds):
            # Each way comes first, in the middle and last in turn.
            turn = number % len(options.ways)
            for way in options.ways[turn:] + options.ways[:turn]:
                result = bench.measure(way)
                results.append(result)
                row(
                    number + 1,
                    way,
                    f'{result.seconds:.1f}',
                    result.active,
                    result.most_on_a_host,
                    'kept' if result.is_kept else 'BROKEN',
                )
                bench.clear()
    finally:
        bench.close()
    return report(results, options.servers)


if __name__ == '__main__':
    sys.exit(main())
