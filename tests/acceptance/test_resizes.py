# SPDX-License-Identifier: Apache-2.0
"""Servers get another flavor in place, or have their own again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from heat_vcluster import exception, library
from tests.acceptance import base, built, world

#: More than any quota allows, in GiB.
HUGE = 10**6
#: One that the compute service holds, too: it chooses where they go.
APART = base.group('apart', 'anti-affinity', 'host', ['db', 'web'])


class ResizeTest(built.BuiltTestCase):
    def setUp(self) -> None:
        super().setUp()
        cloud = self.world.settings
        self.clusters = library.VCluster.openstack(
            self.alpha,
            world.connect(cloud, 'vcluster'),
            levels={
                'zone': 'availability_zone',
                'rack': 'aggregate:rack',
            },
            pinning='json_filter',
            pool_domains='rack:^[^@]+@(?P<domain>[^#]+)#',
        )
        self.addCleanup(self.clusters.close)
        view = self.clusters.create(self.document(), name=self.name)
        self.cluster_id = view['id']
        self.addCleanup(self.remove)
        self.first = self.clusters.wait(self.cluster_id)

    def remove(self) -> None:
        self.clusters.delete(self.cluster_id)
        self.clusters.wait_deleted(self.cluster_id)

    def document(self, flavor: str = 'tiny', size: int = 1) -> Any:
        return {
            'instances': [
                base.network('net'),
                base.volume('data', size=size),
                base.server('db', flavor, networks=['net'], volumes=['data']),
                base.server('web', flavor, networks=['net']),
            ],
            'groups': [APART],
        }

    def flavors(self, members: Mapping[str, Any]) -> set[str]:
        return {
            self.alpha.compute.get_server(members[name]['id']).flavor[
                'original_name'
            ]
            for name in ('db', 'web')
        }

    def update(self, **other: Any) -> Any:
        self.clusters.update(self.cluster_id, document=self.document(**other))
        with contextlib.suppress(exception.ClusterFailed):
            return self.clusters.wait(self.cluster_id)
        return self.clusters.show(self.cluster_id)

    def assert_same(self, members: Mapping[str, Any]) -> None:
        for name, member in self.first['members'].items():
            for key in ('id', 'addresses'):
                self.assertEqual(member[key], members[name][key], name)
        self.assert_built(members)
        self.assert_attached(members, 'data', 'db')
        hosts = {
            name: self.world.host_of(members[name]['id'])
            for name in ('db', 'web')
        }
        self.assert_apart(hosts)

    def test_they_are_the_same_servers_with_another_flavor(self) -> None:
        view = self.update(flavor='small')
        self.assertIsNone(view['status_reason'])
        self.assert_same(view['members'])
        self.assertEqual({'small'}, self.flavors(view['members']))

    def test_a_failure_after_the_resize_gives_the_old_flavor_back(
        self,
    ) -> None:
        before = self.things()
        view = self.update(flavor='small', size=HUGE)
        self.assertIn('member data: ', view['status_reason'])
        self.assertNotIn('Not set back', view['status_reason'])
        self.assertEqual(self.first['members'], view['members'])
        self.assert_same(view['members'])
        self.assertEqual({'tiny'}, self.flavors(view['members']))
        self.assertEqual(before, self.things())

    def things(self) -> set[tuple[str, str, str]]:
        """All that is there; nova attaches anew whatever it moves."""
        return {
            (
                each.kind,
                '' if each.kind == 'attachment' else each.id,
                each.text,
            )
            for each in self.world.everything()
        }
