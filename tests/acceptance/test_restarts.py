# SPDX-License-Identifier: Apache-2.0
"""Services are restarted while a cluster is built on them."""

from __future__ import annotations

import threading
from pathlib import Path

import fixtures

from heat_vcluster import VCluster, conf, context, exception
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.engine import base as engine_base
from tests.acceptance import base, test_cloud_contract

DOCUMENT = {
    'instances': [
        base.network('net'),
        base.volume('data', count=2),
        base.server('node', count=6, networks=['net']),
    ],
    'groups': [],
}


class RestartTest(base.AcceptanceTestCase):
    """Not of neutron: it lets itself be asked before it knows its policies.

    The first requests of a process that has threads may be refused (403).
    """

    def setUp(self) -> None:
        super().setUp()
        cloud = self.world.settings
        path = test_cloud_contract.config_file(cloud.state_dir)
        session = self.alpha.session
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.program = VCluster(
            OpenStackOpener.from_config(conf.load(config_files=[path])),
            context.Context(
                session.get_project_id(), session.get_user_id(), session
            ),
            database=f'sqlite:///{folder / "vcluster.sqlite"}',
            settings=engine_base.Settings(poll_interval=0.5),
        )
        self.addCleanup(self.program.close)

    def build_during_restart(self, service: str) -> str:
        """Restart it once the first member is being built."""
        made = self.program.create(DOCUMENT)
        self.addCleanup(self.program.wait_deleted, made['id'], timeout=300)
        self.addCleanup(self.program.delete, made['id'])
        restart = threading.Thread(
            target=self.world.driver, args=('restart', service)
        )
        for event in self.program.follow(made['id']):
            if event['member'] is not None and restart.ident is None:
                restart.start()
        restart.join()
        return str(made['id'])

    def assert_active(self, cluster_id: str) -> None:
        view = self.program.wait(cluster_id, timeout=300)
        self.assertEqual(
            {'ACTIVE'}, {each['status'] for each in view['members'].values()}
        )

    def test_nova(self) -> None:
        """It goes on; or nova gave up servers that it had begun to start.

        A compute service that comes up again puts those in ERROR. Then
        nothing is left of the cluster.
        """
        cluster_id = self.build_during_restart('nova')
        try:
            self.assert_active(cluster_id)
        except exception.ClusterFailed as error:
            self.assertIn('the server failed', str(error))
            view = self.program.show(cluster_id)
            self.assertEqual([], list(view['leftovers']))
            self.assert_nothing_left()

    def test_keystone(self) -> None:
        self.assert_active(self.build_during_restart('keystone'))
