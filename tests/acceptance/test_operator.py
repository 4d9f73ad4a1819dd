# SPDX-License-Identifier: Apache-2.0
"""What an operator does beside us: audits, and looks for orphans."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fixtures

from heat_vcluster import VCluster, conf, context
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.engine import base as engine_base
from tests.acceptance import base, test_cloud_contract

#: It looks for lost holds when it is told to, not by itself meanwhile.
SETTINGS = engine_base.Settings(poll_interval=0.2, watch_interval=3600.0)
#: A network with a router, two servers, one of them with a volume.
DOCUMENT = {
    'instances': [
        {
            'name': 'net',
            'type': 'network',
            'spec': {
                'subnets': [{'cidr': '10.91.0.0/24'}],
                'router': {'external_network': 'public'},
            },
        },
        base.volume('data'),
        base.server('web', networks=['net']),
        base.server(
            'db',
            networks=[
                {'network': 'net', 'floating_ip': {'network': 'public'}}
            ],
            volumes=[{'volume': 'data'}],
        ),
    ],
    'groups': [],
}
PLAN = {'instances': [base.server('m', count=3)], 'groups': []}


class OperatorTest(base.AcceptanceTestCase):
    """A program of a tenant, with a database of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.opener = OpenStackOpener.from_config(
            conf.load(
                config_files=[
                    test_cloud_contract.config_file(
                        self.world.settings.state_dir
                    )
                ]
            )
        )
        self.program = self.open('one')

    def url(self, name: str) -> str:
        return f'sqlite:///{self.folder / name}.sqlite'

    def open(self, name: str) -> VCluster:
        session = self.alpha.session
        tenant = context.Context(
            session.get_project_id(), session.get_user_id(), session
        )
        made = VCluster(
            self.opener,
            tenant,
            database=self.url(name),
            settings=SETTINGS,
        )
        self.addCleanup(made.close)
        return made

    def hold(self) -> str:
        plan = self.program.hold(PLAN, 3600)
        self.addCleanup(self.program.release_plan, plan['id'])
        return str(plan['id'])

    def holds(self) -> set[str]:
        return {
            thing.id
            for thing in self.world.everything() - self.before
            if thing.kind == 'allocation'
        }

    # The audit

    def test_room_that_an_audit_takes_is_held_again(self) -> None:
        self.hold()
        held = self.holds()
        self.assertEqual(3, len(held))
        cloud = self.world.settings
        ran = subprocess.run(
            [
                cloud.bin('nova-manage'),
                '--config-file',
                str(cloud.etc('nova') / 'nova.conf'),
                'placement',
                'audit',
                '--delete',
            ],
            env=os.environ | {'OS_NOVA_DISABLE_EVENTLET_PATCHING': '1'},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(4, ran.returncode, ran.stdout + ran.stderr)
        self.assertEqual(set(), self.holds())
        engine: Any = self.program._service.engine
        engine.audit()
        self.assertEqual(held, self.holds())

    # Orphans

    def orphans(self, name: str, *arguments: str, code: int) -> list[str]:
        """Run the command on a database; return the kinds that it lists."""
        path = self.folder / f'{name}.conf'
        path.write_text(f'[database]\nconnection = {self.url(name)}\n')
        ran = subprocess.run(
            [
                sys.executable,
                '-m',
                'heat_vcluster.cmd.manage',
                'orphans',
                '--os-cloud=devcloud-admin',
                f'--config-file={path}',
                f'--project={self.alpha.current_project_id}',
                *arguments,
            ],
            env=os.environ
            | {'OS_CLIENT_CONFIG_FILE': str(self.world.settings.clouds_yaml)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(code, ran.returncode, ran.stdout + ran.stderr)
        return sorted(
            line.split()[1]
            for line in ran.stdout.splitlines()
            if line.startswith(self.alpha.current_project_id)
        )

    def test_what_another_database_knows_is_an_orphan_of_this(self) -> None:
        made = self.program.create(DOCUMENT)
        self.program.wait(made['id'], timeout=300)
        self.program.hold(PLAN, 3600)
        self.assertEqual([], self.orphans('one', code=0))
        # One that has seen a cluster; an empty one is taken for a mistake.
        other = self.open('other')
        seen = other.create({'instances': [base.network('net')], 'groups': []})
        other.wait(seen['id'], timeout=300)
        other.delete(seen['id'])
        other.wait_deleted(seen['id'], timeout=300)
        self.assertEqual(
            ['floating_ip']
            + 3 * ['hold']
            + ['network', 'port', 'port', 'router']
            + ['server', 'server', 'subnet', 'volume'],
            self.orphans('other', code=2),
        )
        self.orphans('other', '--delete', '--yes', code=0)
        self.assertEqual([], self.orphans('other', code=0))
        # Its own program finds nothing to remove, and ends the trust.
        self.program.delete(made['id'])
        self.program.wait_deleted(made['id'], timeout=300)
        self.assert_nothing_left()
