# SPDX-License-Identifier: Apache-2.0
"""A cluster is copied by nova and cinder, built of that, and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster import VCluster, exception
from tests.acceptance import base, test_moments

SECONDS = 300
DATA = base.volume('data')
DB = base.server('db', networks=[], volumes=['data'])


class Snapshots(test_moments.MomentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.vcluster: VCluster = self.open()
        cluster_id = self.create(self.vcluster, DATA, DB)
        self.view = self.vcluster.wait(cluster_id, timeout=SECONDS)
        self.cluster_id = cluster_id

    def take(self) -> dict[str, Any]:
        made = self.vcluster.create_snapshot(self.cluster_id, name='before')
        self.vcluster.wait_settled(self.cluster_id, timeout=SECONDS)
        found = self.vcluster.snapshot(self.cluster_id, made['id'])
        self.assertEqual('AVAILABLE', found['status'])
        return found

    def assert_made_of(
        self, view: Mapping[str, Any], made: Mapping[str, Any]
    ) -> None:
        copies = {each['member']: each['id'] for each in made['members']}
        members = view['members']
        volume = self.alpha.block_storage.get_volume(members['data']['id'])
        self.assertEqual(copies['data'], volume.snapshot_id)
        server = self.alpha.compute.get_server(members['db']['id'])
        self.assertEqual(copies['db'], server.image.id)

    def test_it_is_restored_and_another_is_built_of_it(self) -> None:
        made = self.take()
        self.vcluster.restore(self.cluster_id, made['id'])
        restored = self.vcluster.wait(self.cluster_id, timeout=SECONDS)
        self.assert_made_of(restored, made)
        # The server is another one, which has an image of its own.
        again = self.take()
        self.assertNotEqual(made['members'], again['members'])
        self.vcluster.delete_snapshot(self.cluster_id, again['id'])
        self.vcluster.wait_settled(self.cluster_id, timeout=SECONDS)
        self.assertRaises(
            exception.SnapshotNotFound,
            self.vcluster.snapshot,
            self.cluster_id,
            again['id'],
        )

        # Deleted before its original, on which it may well be based.
        view = self.vcluster.create(made['document'], name=f'{self.name}-copy')
        self.addCleanup(self.delete, self.vcluster, str(view['id']))
        copy = self.vcluster.wait(view['id'], timeout=SECONDS)
        self.assert_made_of(copy, made)
