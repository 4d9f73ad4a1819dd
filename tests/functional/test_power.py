# SPDX-License-Identifier: Apache-2.0
"""Servers are stopped and started as they depend on each other."""

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import base, documents, upkeep

#: ``web`` needs ``app`` by way of a volume, ``app`` needs ``db``.
TIERS = {
    'instances': [
        documents.server('db'),
        documents.server('app', depends_on=['db']),
        {
            'name': 'data',
            'type': 'volume',
            'spec': {'size': 1},
            'depends_on': ['app'],
        },
        documents.server('web', depends_on=['data']),
        documents.server('cron'),
    ],
    'groups': [],
}
TO = {
    'stop': ('STOPPED', 'SHUTOFF'),
    'suspend': ('SUSPENDED', 'SUSPENDED'),
    'start': ('ACTIVE', 'ACTIVE'),
    'resume': ('ACTIVE', 'ACTIVE'),
}
BACK = {'stop': 'start', 'suspend': 'resume'}


class PowerTest(upkeep.UpkeepCase):
    def asked(self, since):
        """Return whose power was asked for, in order."""
        return [
            member
            for call in self.cloud.calls[since:]
            if call.name == 'change_power'
            for member in call.members
        ]

    def statuses(self, view):
        return {name: m['status'] for name, m in view['members'].items()}

    def shown(self, view):
        return {
            self.cloud.item(m['id']).status
            for m in view['members'].values()
            if m['type'] == 'server'
        }

    def go(self, verb, cluster_id):
        since = len(self.cloud.calls)
        view = self.do(verb, cluster_id)
        cluster, server = TO[verb]
        self.assertEqual(cluster, view['status'], view['status_reason'])
        self.assertIsNone(view['error_code'])
        self.assertEqual({server}, self.shown(view))
        statuses = self.statuses(view)
        self.assertEqual('ACTIVE', statuses.pop('data'))
        self.assertEqual({cluster}, {*statuses.values()})
        return self.asked(since)

    def test_off_and_on_in_the_order_of_dependencies(self):
        cluster_id = self.build(TIERS)['id']
        for off, on in BACK.items():
            order = self.go(off, cluster_id)
            self.assertEqual({'db', 'app', 'web', 'cron'}, {*order})
            order.remove('cron')
            self.assertEqual(['web', 'app', 'db'], order)
            order = self.go(on, cluster_id)
            order.remove('cron')
            self.assertEqual(['db', 'app', 'web'], order)

    def test_one_waits_until_the_other_is_really_off(self):
        cluster_id = self.build(TIERS)['id']
        self.cloud.faults.stick('server', 'web', phase='power')
        self.service.stop_servers(base.ANN, cluster_id)
        self.until(
            lambda: (
                self.show(cluster_id)['members']['cron']['status'] == 'STOPPED'
            ),
            'the one that needs none',
        )
        self.assertNotIn('app', self.asked(0))
        self.assertEqual('STOPPING', self.show(cluster_id)['status'])
        self.cloud.faults.clear()
        self.assertEqual('STOPPED', self.settle(cluster_id)['status'])

    def test_the_answer_is_of_before_any_of_it_is_done(self):
        cluster_id = self.build(TIERS)['id']
        self.end_before_the_answer()
        view = self.service.stop_servers(base.ANN, cluster_id)
        self.assertEqual('STOPPING', view['status'])
        self.assertEqual('STOPPED', self.show(cluster_id)['status'])
        self.service.start_servers(base.ANN, cluster_id)
        made = self.service.create_snapshot(base.ANN, cluster_id)
        self.assertEqual('CREATING', made['status'])
        there = self.service.snapshot(base.ANN, cluster_id, made['id'])
        self.assertEqual('AVAILABLE', there['status'])

    def test_said_again_it_asks_nobody(self):
        cluster_id = self.build(TIERS)['id']
        for verb in ('stop', 'start', 'suspend', 'resume'):
            self.assertEqual(4, len(self.go(verb, cluster_id)))
            self.assertEqual([], self.go(verb, cluster_id))

    def test_what_fails_leaves_the_rest_as_it_is_and_can_be_taken_back(self):
        cluster_id = self.build(TIERS)['id']
        self.cloud.faults.fail(
            'change_power',
            member='app',
            error=exception.CloudError('nova', 'not now'),
        )
        view = self.do('stop', cluster_id)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.cloud_error', view['error_code'])
        self.assertIn('stop: member app: nova: not now', view['status_reason'])
        statuses = self.statuses(view)
        self.assertEqual(
            ('STOPPED', 'ACTIVE'), (statuses['web'], statuses['db'])
        )
        self.go('start', cluster_id)
        self.go('stop', cluster_id)

    def test_one_that_breaks_on_the_way_is_told(self):
        cluster_id = self.build(TIERS)['id']
        self.cloud.faults.ruin('power', 'db', reason='no more disk')
        view = self.do('stop', cluster_id)
        self.assertIn('member db: no more disk', view['status_reason'])
        view = self.do('check', cluster_id)
        self.assertEqual('DEGRADED', view['compliance']['status'])

    def test_a_check_knows_that_they_are_off(self):
        cluster_id = self.build(TIERS)['id']
        for off, on in BACK.items():
            self.go(off, cluster_id)
            view = self.do('check', cluster_id)
            self.assertEqual(TO[off][0], view['status'])
            self.assertEqual('COMPLIANT', view['compliance']['status'])
            self.go(on, cluster_id)
        server_id = self.server(view, 'db')
        cloud = self.cloud.open(base.ANN)
        cloud.change_power(server_id, model.Power.STOP)
        cloud.server_state(server_id)
        view = self.do('check', cluster_id)
        self.assertEqual(
            [{'member': 'db', 'reason': 'its server is SHUTOFF'}],
            view['compliance']['members'],
        )
        self.go('start', cluster_id)

    def test_not_everything_is_allowed_at_every_moment(self):
        cluster_id = self.build(TIERS)['id']
        self.go('suspend', cluster_id)
        for verb in ('stop', 'start'):
            error = self.assertRaises(
                exception.WrongStatus,
                self.ask,
                self.service,
                verb,
                cluster_id,
            )
            self.assertIn('is SUSPENDED', str(error))

    def test_what_is_off_is_deleted_all_the_same(self):
        for off in BACK:
            cluster_id = self.build(TIERS)['id']
            self.go(off, cluster_id)
            self.assertIsNone(self.delete(cluster_id))
            self.assert_nothing_left()


class FailingPowerTest(upkeep.FailingCase):
    def test_a_fault_at_every_call(self):
        def judge(view):
            self.assertIn(view['status'], ('ACTIVE', 'STOPPED'))
            if view['error_code']:
                self.assertIn('stop: member', view['status_reason'])

        failed = self.fail_every_call(
            TIERS, 'stop', judge, lambda view: self.do('start', view['id'])
        )
        self.assertGreater(failed, 8)


class DyingPowerTest(upkeep.DyingCase):
    def test_an_heir_with_a_trust_goes_on(self):
        def judge(view):
            self.assertEqual('STOPPED', view['status'], view['status_reason'])
            self.assertEqual(
                {'SHUTOFF'},
                {
                    self.cloud.item(m['id']).status
                    for m in view['members'].values()
                    if m['type'] == 'server'
                },
            )

        def start(view):
            self.do('start', view['id'], service=self.heir)
            self.rest(self.cluster, self.heir)

        self.die_everywhere(TIERS, 'stop', judge, start)


class DyingPowerWithoutTrustTest(upkeep.DyingCase):
    trusts = False

    def test_what_was_done_is_on_record_and_can_be_gone_on_with(self):
        self.cluster = self.build(TIERS)['id']
        self.assertTrue(
            self.die(lambda s: s.stop_servers(base.ANN, self.cluster), 9)
        )
        view = self.settle_by_heir()
        self.assertEqual('ACTIVE', view['status'])
        self.assertIn('stop: its engine died', view['status_reason'])
        view = self.do('stop', self.cluster, service=self.heir)
        self.assertEqual('STOPPED', view['status'])
        self.delete_by_heir()
