# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the plan and the last server, at its moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from heat_vcluster import VCluster, exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.context import Context
from tests.acceptance import base, hooks, world

POOL_DOMAINS = {
    'rack': 'rack:^[^@]+@(?P<domain>[^#]+)#',
    'host': 'host:^[^@]+@(?P<domain>[^#]+)#',
}
LEVELS = {'zone': 'availability_zone', 'rack': 'aggregate:rack'}
SECONDS = 400


class MomentTestCase(base.AcceptanceTestCase):
    """The product as a library, on the real cloud, as tenant alpha."""

    def open(self, **after: Callable[..., None]) -> VCluster:
        opener = OpenStackOpener.from_connection(
            world.connect(self.world.settings, 'vcluster'),
            levels=LEVELS,
            pinning='json_filter',
            pool_domains=POOL_DOMAINS[self.world.settings.backends],
        )
        session = self.alpha.session
        vcluster = VCluster(
            hooks.HookedOpener(opener, after),  # type: ignore[arg-type]
            Context(session.get_project_id(), session.get_user_id(), session),
        )
        self.addCleanup(vcluster.close)
        return vcluster

    def create(self, vcluster: VCluster, *instances: Any) -> str:
        """Begin to build; whatever comes of it, it is deleted."""
        view = vcluster.create({'instances': list(instances)}, name=self.name)
        cluster_id = str(view['id'])
        self.addCleanup(self.delete, vcluster, cluster_id)
        return cluster_id

    def delete(self, vcluster: VCluster, cluster_id: str) -> None:
        vcluster.delete(cluster_id)
        vcluster.wait_deleted(cluster_id, timeout=SECONDS)

    def assert_fails(
        self, vcluster: VCluster, cluster_id: str, *words: str
    ) -> None:
        """It ends in ERROR for the reason given; all of it is rolled back."""
        error = self.assertRaises(
            exception.ClusterFailed,
            vcluster.wait,
            cluster_id,
            timeout=SECONDS,
        )
        for word in words:
            self.assertIn(word, str(error))
        self.assertEqual([], list(vcluster.show(cluster_id)['leftovers']))
        self.assert_nothing_left()

    def hosts(self, view: Any) -> dict[str, str]:
        """Server -> the host it is really on."""
        return {
            name: self.world.host_of(member['id'])
            for name, member in view['members'].items()
            if member['type'] == 'server'
        }


class HostDisabledAfterThePlan(MomentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.disabled: list[str] = []

    def disable(self, holds: Sequence[model.Hold]) -> None:
        host = holds[0].place
        self.addCleanup(self.world.set_enabled, host, True)
        self.world.set_enabled(host, False)
        self.disabled.append(host)

    def test_its_members_are_placed_again(self) -> None:
        vcluster = self.open(reserve=hooks.Once(self.disable))
        cluster_id = self.create(vcluster, base.server('node', count=4))
        view = vcluster.wait(cluster_id, timeout=SECONDS)
        self.assertEqual(1, len(self.disabled))
        self.assertNotIn(self.disabled[0], self.hosts(view).values())

    def test_with_no_other_host_all_is_rolled_back(self) -> None:
        self.leave_free({'r2h2': 2})
        vcluster = self.open(reserve=hooks.Once(self.disable))
        cluster_id = self.create(
            vcluster,
            base.network('net'),
            base.volume('data'),
            base.server('node', count=2, networks=['net'], volumes=[]),
        )
        self.assert_fails(vcluster, cluster_id, 'node-')
        self.assertEqual(['r2h2'], self.disabled)


class RivalBetweenReleaseAndBoot(MomentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.places: dict[str, str] = {}  # hold -> host
        self.filled: list[str] = []

    def remember(self, holds: Sequence[model.Hold]) -> None:
        self.places |= {hold.id: hold.place for hold in holds}

    def fill(self, hold_ids: Collection[str]) -> None:
        """Take all that is free on the host, before nova is asked."""
        for hold_id in hold_ids:
            host = self.places[hold_id]
            self.occupy(host, self.world.free(host))
            self.filled.append(host)

    def test_the_member_is_placed_again(self) -> None:
        vcluster = self.open(
            reserve=self.remember, release=hooks.Once(self.fill)
        )
        cluster_id = self.create(vcluster, base.server('node', count=4))
        view = vcluster.wait(cluster_id, timeout=SECONDS)
        self.assertEqual(1, len(self.filled))
        self.assertEqual(4, len(self.hosts(view)))
        events = [event['kind'] for event in vcluster.follow(cluster_id)]
        self.assertEqual(1, events.count('space_lost'), events)

    def test_with_no_other_host_all_is_rolled_back(self) -> None:
        self.leave_free({'r2h2': 2})
        vcluster = self.open(
            reserve=self.remember, release=hooks.Once(self.fill)
        )
        cluster_id = self.create(
            vcluster,
            base.network('net'),
            base.volume('data'),
            base.server('node', count=2, networks=['net']),
        )
        self.assert_fails(vcluster, cluster_id, 'node-')
        self.assertEqual(['r2h2'], self.filled)


class QuotaExceededHalfway(MomentTestCase):
    def lower(self, holds: object) -> None:
        project = self.alpha.current_project_id
        before = self.world.volume_quota(project)
        self.addCleanup(self.world.set_volume_quota, project, before)
        self.world.set_volume_quota(project, 1)

    def test_all_is_rolled_back(self) -> None:
        """The quota is lowered once the names are resolved: one of three
        volumes can be made.
        """
        vcluster = self.open(reserve=self.lower)
        cluster_id = self.create(
            vcluster,
            base.network('net'),
            base.volume('data', count=3),
            base.server(
                'node',
                count=3,
                networks=['net'],
                volumes=['data-%index%'],
            ),
        )
        self.assert_fails(vcluster, cluster_id, 'data-', 'quota')
