# SPDX-License-Identifier: Apache-2.0
"""A large cloud is looked at in parts, and no rule is worse off for it."""

from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.placement import reach
from tests.functional import base, documents

RACKS = 24
CLUSTER = '6f1c2a52-6d0e-4c55-9a7e-5b1f0a3f7c11'


class WideningTest(base.EngineTest):
    """Twenty-four racks of two hosts in three zones: rack1 to rack8, ..."""

    def make_cloud(self):
        return FakeCloud(racks=RACKS, hosts_per_rack=2, zones=3)

    def fill(self, racks):
        for rack in racks:
            for number in (1, 2):
                self.cloud.fill_host(f'r{rack}h{number}')

    def racks(self, view):
        return {
            self.cloud.domain(place, 'rack')
            for place in self.cloud.places(view['id']).values()
        }

    def shown(self):
        """Return how many hosts each reading was of; None: all."""
        return [
            call.arguments.get('shown') and len(call.arguments['shown'])
            for call in self.cloud.calls
            if call.name == 'snapshot'
        ]

    def test_few_racks_suffice(self):
        document = documents.servers(4, documents.APART)
        self.assert_built(document, self.build(document))
        self.assertEqual([16], self.shown())

    def test_last_free_rack_is_found(self):
        # One that this cluster does not look at at first.
        first = next(
            self.cloud.open(base.ANN).readings((), reach.Reach(seed=CLUSTER))
        )
        seen = {host.domain('rack') for host in first.snapshot.hosts}
        free = min({f'rack{n}' for n in range(1, RACKS + 1)} - seen)
        self.fill(set(range(1, RACKS + 1)) - {int(free[4:])})
        document = documents.servers(
            2, documents.group('affinity', 'm', scope='rack')
        )
        view = self.build(document, cluster_id=CLUSTER)
        self.assert_built(document, view)
        self.assertEqual({free}, self.racks(view))
        self.assertEqual([8, 8, None], self.shown())

    def test_full_cloud_refuses_by_all_of_it(self):
        self.fill(range(1, RACKS + 1))
        view = self.build(documents.servers(2))
        self.assert_failed(view, 'vcluster.no_valid_placement')
        self.assertIsNone(self.shown()[-1])
        self.assert_nothing_left()

    def test_soft_rule_is_not_given_up_for_want_of_a_look(self):
        # Together on one host they fit only where nobody else is.
        for rack in range(1, RACKS + 1):
            for number in (1, 2):
                if (rack, number) != (5, 1):
                    self.cloud.occupy(f'r{rack}h{number}', VCPU=6)
        document = documents.servers(
            2,
            documents.group(
                'affinity', 'm', scope='host', strict=False, weight=5
            ),
            flavor='c8',
        )
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual({'r5h1'}, {*self.cloud.places(view['id']).values()})
        self.assertEqual(0, view['placement']['soft_cost'])

    def test_rule_that_no_look_can_keep_is_given_up(self):
        for rack in range(1, RACKS + 1):
            for number in (1, 2):
                self.cloud.occupy(f'r{rack}h{number}', VCPU=6)
        document = documents.servers(
            2,
            documents.group(
                'affinity', 'm', scope='host', strict=False, weight=5
            ),
            flavor='c8',
        )
        view = self.build(document)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual(5, view['placement']['soft_cost'])
        self.assertIsNone(self.shown()[-1])

    def test_member_that_lost_its_place_finds_another(self):
        document = documents.servers(3, documents.APART)
        taken = []

        def take(call):
            taken.append(call.arguments['wanted'].host)
            self.cloud.fill_host(taken[-1])

        self.cloud.faults.before('ensure_server', 'm-1', take)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual(1, len(taken))
        self.assertNotIn(taken[0], self.cloud.places(view['id']).values())

    def test_equal_plans_are_equal(self):
        document = documents.servers(6, documents.APART)
        plans = [self.service.plan(base.ANN, document) for _ in range(2)]
        self.assertEqual(plans[0], plans[1])
