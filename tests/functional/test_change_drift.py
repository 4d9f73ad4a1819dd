# SPDX-License-Identifier: Apache-2.0
"""New rules that the running members break: refused, or drifted from."""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, changes, documents, numbered

TOGETHER = documents.group('affinity', 'm', scope='rack')
APART = documents.group('anti-affinity', 'm', scope='rack')


def drifting(document):
    return {**document, 'update_policy': {'allow_drifted': True}}


class DriftTest(changes.ChangeCase):
    def make_cloud(self):
        return FakeCloud(racks=3)

    def setUp(self):
        super().setUp()
        self.view = self.build(changes.counted(2, TOGETHER))
        self.cluster = self.view['id']

    def test_they_are_refused_and_the_dry_run_tells_the_moves(self):
        wanted = changes.counted(2, APART)
        plan = self.service.plan_change(base.ANN, self.cluster, wanted)
        self.assertEqual('infeasible', plan['verdict'])
        [move] = plan['moves']
        self.assertTrue(plan['is_least'])
        self.assertNotEqual(move['from']['rack'], move['to']['rack'])
        after = self.change(self.cluster, wanted)
        self.assertIn('The update failed', after['status_reason'])
        self.assertEqual(self.view['groups'], after['groups'])
        self.assertEqual(self.ids(self.view), self.ids(after))

    def test_taken_with_drift_they_are_repaired(self):
        wanted = drifting(changes.counted(2, APART))
        after = self.change(self.cluster, wanted)
        self.assertEqual('ACTIVE', after['status'])
        self.assertIsNone(after['status_reason'])
        self.assertEqual(self.ids(self.view), self.ids(after))
        self.assertEqual('DRIFTED', after['compliance']['status'])
        [rule] = after['compliance']['rules']
        self.assertEqual('anti-affinity', rule['policy'])
        self.service.repair(base.ANN, self.cluster)
        repaired = self.settle(self.cluster)
        self.assertEqual('COMPLIANT', repaired['compliance']['status'])
        self.assertEqual(self.ids(self.view), self.ids(repaired))

    def test_who_comes_gets_no_place_by_that(self):
        wanted = drifting(changes.counted(3, APART))
        after = self.change(self.cluster, wanted)
        self.assertIn('The update failed', after['status_reason'])
        self.assertEqual(self.ids(self.view), self.ids(after))
        plan = self.service.plan_change(base.ANN, self.cluster, wanted)
        self.assertNotIn('moves', plan)

    def test_who_goes_may_go(self):
        self.view = self.change(self.cluster, changes.counted(3, TOGETHER))
        after = self.change(
            self.cluster, drifting(changes.counted(2, APART)), remove=['m-0']
        )
        self.assertEqual({'m-1', 'm-2'}, {*after['members']})
        self.assertEqual('DRIFTED', after['compliance']['status'])
        self.assertEqual(
            {'m-1', 'm-2'}, {*after['compliance']['rules'][0]['members']}
        )

    def test_rules_that_hold_are_compliant(self):
        near = documents.group('affinity', 'm', scope='zone')
        after = self.change(self.cluster, drifting(changes.counted(2, near)))
        self.assertEqual('COMPLIANT', after['compliance']['status'])


class FailingDriftTest(changes.ChangeCase):
    def make_cloud(self):
        cloud = FakeCloud(racks=3)
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def test_it_is_the_old_or_the_new_whichever_call_fails(self):
        before = changes.counted(2, TOGETHER)
        wanted = drifting(changes.counted(2, APART))
        view = self.build(before)
        ids, outcomes = self.ids(view), set()
        for number in range(1, 60):
            self.cloud.faults.at(
                number,
                numbered.raising(lambda: exception.CloudError('x', 'broken')),
            )
            after = self.change(view['id'], wanted)
            is_hit = self.cloud.faults.hit is not None
            self.cloud.faults.cancel()
            self.assertEqual('ACTIVE', after['status'])
            self.assertEqual(ids, self.ids(after))
            policy = after['groups'][0]['spec']['policy']
            outcomes.add(policy)
            if not is_hit:
                break
            if policy == 'affinity':
                self.assertIn('broken', after['status_reason'])
            self.change(view['id'], before)
        self.assertEqual({'affinity', 'anti-affinity'}, outcomes)
        self.assertEqual('DRIFTED', after['compliance']['status'])
