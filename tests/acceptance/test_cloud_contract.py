# SPDX-License-Identifier: Apache-2.0
"""The real cloud keeps the contract that the fake one keeps."""

from __future__ import annotations

from concurrent import futures
from pathlib import Path

import testtools

from heat_vcluster import conf, context
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import OpenStackOpener
from tests.acceptance import world
from tests.functional import cloud_contract

#: What a host tells of itself to have a volume connected.
CONNECTOR = {
    'host': 'gone',
    'initiator': 'iqn.2026-01.org.example:gone',
    'ip': '127.0.0.1',
    'multipath': False,
    'os_type': 'linux',
    'platform': 'x86_64',
}


class OpenStackTest(cloud_contract.CloudContract, testtools.TestCase):
    pause = 0.2

    def setUp(self) -> None:
        cloud = world.settings()
        self.opener = OpenStackOpener.from_config(
            conf.load(config_files=[config_file(cloud.state_dir)])
        )
        self.context = self.context_of(cloud, 'alpha')
        self.storage = world.connect(cloud, 'alpha').block_storage
        self.cloud = self.opener.open(self.context)
        self.other_cloud = self.opener.open(self.context_of(cloud, 'beta'))
        super().setUp()

    def context_of(self, cloud, account):
        session = world.connect(cloud, account).session
        return context.Context(
            session.get_project_id(), session.get_user_id(), session
        )

    def leave_attached(self, server_id, volume_id):
        made = self.storage.post(
            '/attachments',
            json={
                'attachment': {
                    'instance_uuid': server_id,
                    'volume_uuid': volume_id,
                    'connector': CONNECTOR,
                }
            },
            microversion='3.44',
        )
        self.assertEqual(200, made.status_code, made.text)
        completed = self.storage.post(
            f'/attachments/{made.json()["attachment"]["id"]}/action',
            json={'os-complete': {}},
            microversion='3.44',
        )
        self.assertEqual(204, completed.status_code, completed.text)

    def test_holds_of_many_at_once_do_not_get_in_each_others_way(self):
        snapshot, demand = self.look()
        hosts = [host.name for host in snapshot.hosts]
        crowds = [
            [self.hold('m', host, demand.resources) for host in hosts]
            for _ in range(6)
        ]
        with futures.ThreadPoolExecutor(len(crowds)) as pool:
            list(pool.map(self.cloud.reserve, crowds))
        held = self.cloud.find_holds(self.hold_ids)
        self.assertEqual(set(self.hold_ids), held)

    def test_host_is_told_to_us_though_not_to_tenants(self):
        server_id, host = self.make_server()
        self.assertEqual(host, self.cloud.server_state(server_id).host)

    def test_volume_without_its_pool_says_why(self):
        volume_id = self.request_volume(pool='none@such#pool')
        state = self.settled_volume(volume_id)
        self.assertEqual(model.Progress.FAILED, state.progress)
        self.assertIn('backend', state.reason)


def config_file(state_dir: Path) -> Path:
    """The file that the cloud's own heat-engine reads."""
    return state_dir / 'etc' / 'vcluster' / 'heat-vcluster.conf'
