# SPDX-License-Identifier: Apache-2.0
"""Many clusters at once, by two services, in a cloud that plays up."""

import dataclasses
import random

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents

CLUSTERS = 16


class CrowdTest(base.EngineTest):
    """What one cluster meets is nothing to the others."""

    settings = dataclasses.replace(base.FAST, threads=12, operations=4)

    def make_cloud(self):
        return FakeCloud(racks=4, hosts_per_rack=4)

    def setUp(self):
        super().setUp()
        self.services = [self.service, self.make_service()]
        self.dice = random.Random(2026)

    def any_service(self):
        return self.dice.choice(self.services)

    def begin_all(self):
        return [
            self.create(documents.SMALL, service=self.any_service())
            for _ in range(CLUSTERS)
        ]

    def end(self, clusters):
        for cluster in clusters:
            service = self.any_service()
            service.delete(base.ANN, cluster)
        for cluster in clusters:
            self.until(lambda c=cluster: self.show(c) is None, cluster)
        self.assert_nothing_left()

    def test_all_are_built_side_by_side(self):
        clusters = self.begin_all()
        for cluster in clusters:
            self.assert_rules(self.settle(cluster))
        self.assertEqual({}, self.cloud.world.holds)
        self.end(clusters)

    def assert_rules(self, view):
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertEqual([], self.broken(documents.SMALL, view['id']))

    def test_some_fail_some_are_deleted_and_some_are_built(self):
        faults = self.cloud.faults
        faults.fail(
            'ensure_port', error=exception.CloudError('neutron', 'no'), times=2
        )
        faults.fail_late(
            'ensure_volume', error=exception.CloudError('cinder', 'no')
        )
        faults.ruin(model.Kind.SERVER, 'db', times=2)
        faults.before(
            'ensure_server',
            'web',
            lambda call: self.cloud.fill_host(call.arguments['wanted'].host),
            times=2,
        )
        faults.lose_reservations(times=3)
        faults.refuse_delete(model.Kind.NETWORK, times=5)
        clusters = self.begin_all()
        deleted = self.dice.sample(clusters, 4)
        for cluster in deleted:
            self.any_service().delete(base.ANN, cluster)
        statuses = []
        for cluster in clusters:
            if cluster in deleted:
                self.until(lambda c=cluster: self.show(c) is None, 'the end')
                continue
            view = self.settle(cluster)
            statuses.append(view['status'])
            if view['status'] == 'ACTIVE':
                self.assert_rules(view)
            else:
                self.assertEqual([], view['leftovers'])
                self.assertEqual({}, self.cloud.places(cluster))
        self.assertEqual({}, self.cloud.world.holds)
        self.assertGreaterEqual(statuses.count('ACTIVE'), CLUSTERS - 4 - 7)
        self.end(set(clusters) - set(deleted))
