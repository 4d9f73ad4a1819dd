# SPDX-License-Identifier: Apache-2.0
"""What every test on the development cloud starts from and ends with."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import fixtures
import yaml

from tests import base
from tests.acceptance import world

TEMPLATES = Path(__file__).parents[2] / 'templates'
#: What hangs, fails: the longest stack here takes a quarter of it.
SHELL_SECONDS = 400
TEST_SECONDS = 900
CLUSTER_TYPE = 'OS::VCluster::Cluster'


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What the ``openstack`` shell answered."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        return f'{self.output}\n{self.errors}'


class AcceptanceTestCase(base.TestCase):
    """The whole cloud before and after a test is the same.

    ``alpha`` is the tenant at work, ``beta`` the one who looks on.
    """

    world: ClassVar[world.World]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cloud = world.settings()
        cls.world = world.World(cloud)
        cls.alpha = world.connect(cloud, 'alpha')
        cls.beta = world.connect(cloud, 'beta')
        # Neutron makes a tenant's default group when it is first looked for.
        for tenant in (cls.alpha, cls.beta):
            list(tenant.network.security_groups())

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.Timeout(TEST_SECONDS, gentle=True))
        self.before = self.world.everything()
        self.rivals: set[str] = set()
        # The first cleanup runs last: the rivals and stacks are gone then.
        self.addCleanup(self.assert_nothing_left)
        self.name = f'acceptance-{self.id().rpartition(".")[2]}'

    def assert_nothing_left(self) -> None:
        """Compare the whole cloud with what it was before the test.

        The room that the test itself took as a rival does not count.
        """
        deadline = time.monotonic() + world.SETTLE_SECONDS
        while True:
            now = self.world.everything()
            left = [
                thing
                for thing in sorted(now - self.before)
                if thing.id.partition(' ')[0] not in self.rivals
            ]
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        self.assertEqual([], list(map(str, left)), 'left behind')
        missing = sorted(self.before - now)
        self.assertEqual([], list(map(str, missing)), 'taken from others')

    # The shell

    def openstack(self, *arguments: str, account: str = 'alpha') -> Said:
        """Run the real ``openstack`` command as a tenant."""
        cloud = self.world.settings
        surroundings = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('OS_', 'PYTHON'))
        }
        result = subprocess.run(
            [cloud.bin('openstack'), *arguments],
            env=surroundings
            | {
                'OS_CLIENT_CONFIG_FILE': str(cloud.clouds_yaml),
                'OS_CLOUD': f'devcloud-{account}',
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SHELL_SECONDS,
        )
        return Said(result.returncode, result.stdout, result.stderr)

    def ask(self, *arguments: str, account: str = 'alpha') -> Any:
        """Run the shell and return what it answers, as values."""
        said = self.openstack(*arguments, '-f', 'json', account=account)
        self.assertEqual(0, said.code, said.text)
        return json.loads(said.output)

    # Stacks

    def create_stack(
        self,
        template: Path,
        parameters: Mapping[str, object] | None = None,
        wait: bool = True,
    ) -> Said:
        """Create the test's stack; whatever comes of it, it is deleted."""
        self.addCleanup(self.delete_stack)
        given = [
            word
            for name, value in (parameters or {}).items()
            for word in ('--parameter', f'{name}={value}')
        ]
        return self.openstack(
            'stack',
            'create',
            *(['--wait', '--poll', '1'] if wait else []),
            '-t',
            str(template),
            *given,
            self.name,
        )

    def create_active_stack(
        self, template: Path, parameters: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Create the stack and return its cluster's members."""
        said = self.create_stack(template, parameters)
        self.assertEqual(0, said.code, said.text)
        self.assertEqual('CREATE_COMPLETE', self.stack_status())
        return self.members()

    def delete_stack(self) -> None:
        """Delete the test's stack and wait; there may be none."""
        stack = self.stack()
        if stack is None:
            return
        self.alpha.orchestration.delete_stack(stack)
        self.await_no_stack()

    def await_no_stack(self) -> None:
        world.until(
            lambda: self.stack_status() in (None, 'DELETE_FAILED'),
            'the stack is deleted',
        )
        if self.stack_status() is not None:
            self.fail(self.reason())

    def stack(self) -> Any:
        """The test's stack; None if there is none."""
        for stack in self.alpha.orchestration.stacks():
            if stack.name == self.name:
                return stack
        return None

    def stack_status(self) -> str | None:
        stack = self.stack()
        return None if stack is None else str(stack.status)

    def reason(self) -> str:
        """Why the stack is as it is, in Heat's words to the tenant."""
        return str(self.stack().status_reason)

    def cluster_resource(self) -> dict[str, Any]:
        """The resource as Heat shows it to the tenant, attributes too."""
        found: dict[str, Any] = self.ask_heat('resources/cluster')['resource']
        return found

    def ask_heat(self, path: str) -> Any:
        """What Heat answers the tenant about the test's stack."""
        stack = self.stack()
        return self.alpha.orchestration.get(
            f'/stacks/{stack.name}/{stack.id}/{path}'
        ).json()

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster_resource()['attributes'][
            'members'
        ]
        return found

    def attempts(self) -> int:
        """How often Heat began to create the cluster."""
        return sum(
            event['resource_name'] == 'cluster'
            and event['resource_status'] == 'CREATE_IN_PROGRESS'
            for event in self.ask_heat('events')['events']
        )

    def write_template(
        self,
        instances: Sequence[Mapping[str, Any]],
        groups: Sequence[Mapping[str, Any]] = (),
    ) -> Path:
        """A template with one cluster in it."""
        template = {
            'heat_template_version': '2021-04-16',
            'resources': {
                'cluster': {
                    'type': CLUSTER_TYPE,
                    'properties': {
                        'instances': list(instances),
                        'groups': list(groups),
                    },
                }
            },
        }
        directory = self.useFixture(fixtures.TempDir()).path
        path = Path(directory, 'template.yaml')
        path.write_text(yaml.safe_dump(template))
        return path

    # The rest of the world

    def leave_free(self, vcpus: Mapping[str, int]) -> None:
        """Let rivals take all VCPUs but these; hosts not named are full."""
        for host in self.world.settings.host_names:
            taken = self.world.free(host) - vcpus.get(host, 0)
            self.assertGreaterEqual(taken, 0, f'{host} is not free enough')
            if taken:
                self.occupy(host, taken)

    def occupy(self, host: str, vcpus: int) -> str:
        consumer = self.world.occupy(host, vcpus)
        self.rivals.add(consumer)
        self.addCleanup(self.vacate, consumer)
        return consumer

    def vacate(self, consumer: str) -> None:
        self.world.vacate(consumer)
        self.rivals.discard(consumer)

    def racks(
        self, members: Mapping[str, Mapping[str, Any]], *names: str
    ) -> dict[str, str]:
        """Member -> the rack it is really in."""
        return {name: self.world.rack_of(members[name]) for name in names}

    def assert_apart(self, domains: Mapping[str, str]) -> None:
        self.assertEqual(
            len(domains), len(set(domains.values())), f'not apart: {domains}'
        )

    def assert_together(self, domains: Mapping[str, str]) -> None:
        self.assertEqual(
            1, len(set(domains.values())), f'not together: {domains}'
        )

    def assert_spread(self, domains: Mapping[str, str], most: int) -> None:
        for domain, names in world.by_value(domains).items():
            self.assertLessEqual(len(names), most, f'{domain}: {names}')


def server(name: str, flavor: str = 'tiny', **spec: Any) -> dict[str, Any]:
    count = spec.pop('count', None)
    return {
        'name': name,
        'type': 'server',
        'spec': {'image': 'cirros', 'flavor': flavor, **spec},
    } | ({'count': count} if count else {})


def volume(name: str, count: int | None = None, **spec: Any) -> dict[str, Any]:
    return {
        'name': name,
        'type': 'volume',
        'spec': {'size': 1, **spec},
    } | ({'count': count} if count else {})


def network(name: str, cidr: str = '10.90.0.0/24') -> dict[str, Any]:
    return {
        'name': name,
        'type': 'network',
        'spec': {'subnets': [{'cidr': cidr}]},
    }


def group(
    name: str, policy: str, scope: str, members: Sequence[str], **own: Any
) -> dict[str, Any]:
    return {
        'name': name,
        'spec': {'policy': policy, 'scope': scope, **own},
        'members': list(members),
    }
