# SPDX-License-Identifier: Apache-2.0
"""Services die and come back while a cluster is built on them."""

from __future__ import annotations

import threading
from pathlib import Path

import fixtures

from heat_vcluster import VCluster, conf, context
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.engine import base as engine_base
from tests.acceptance import base, hooks, test_cloud_contract

DOCUMENT = {
    'instances': [
        base.network('net'),
        base.volume('data', count=2),
        base.server('node', count=6, networks=['net']),
    ],
    'groups': [],
}


class RestartTest(base.AcceptanceTestCase):
    """A service is away from the moment at which all room is held.

    Servers that nova was starting as it went down are lost to it, as its
    messages are here, so none is yet.
    """

    def program(self, service: str) -> VCluster:
        """Open the product; the service dies after the first reservation."""
        cloud = self.world.settings
        path = test_cloud_contract.config_file(cloud.state_dir)
        session = self.alpha.session
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.starting = threading.Thread(
            target=self.world.start, args=(service,)
        )

        def die(holds: object) -> None:
            self.world.kill(service)
            self.starting.start()

        opener = OpenStackOpener.from_config(conf.load(config_files=[path]))
        program = VCluster(
            hooks.HookedOpener(  # type: ignore[arg-type]
                opener, {'reserve': hooks.Once(die)}
            ),
            context.Context(
                session.get_project_id(), session.get_user_id(), session
            ),
            database=f'sqlite:///{folder / "vcluster.sqlite"}',
            settings=engine_base.Settings(poll_interval=0.5),
        )
        self.addCleanup(program.close)
        return program

    def build_without(self, service: str) -> None:
        program = self.program(service)
        made = program.create(DOCUMENT)
        self.addCleanup(program.wait_deleted, made['id'], timeout=300)
        self.addCleanup(program.delete, made['id'])
        view = program.wait(made['id'], timeout=300)
        self.starting.join()
        self.assertEqual(
            {'ACTIVE'}, {each['status'] for each in view['members'].values()}
        )

    def test_nova(self) -> None:
        self.build_without('nova')

    def test_keystone(self) -> None:
        self.build_without('keystone')
