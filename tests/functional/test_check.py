# SPDX-License-Identifier: Apache-2.0
"""A check tells what members really are, and where, against the rules."""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents, upkeep

SPREAD = documents.servers(
    4, documents.group('spread', 'm', scope='rack', max_skew=1)
)
ALONE = {
    'instances': [documents.server('m'), documents.server('n')],
    'groups': [documents.group('exclusive', 'm', scope='host')],
}


class CheckTest(upkeep.UpkeepCase):
    def check(self, cluster_id):
        view = self.do('check', cluster_id)
        self.assertEqual('ACTIVE', view['status'])
        self.assertIsNone(view['error_code'], view['status_reason'])
        return view

    def test_what_was_just_built_is_compliant(self):
        before = self.build(documents.SMALL)
        self.assertIsNone(before['compliance'])
        view = self.check(before['id'])
        found = view['compliance']
        self.assertEqual('COMPLIANT', found['status'])
        self.assertEqual(([], []), (found['rules'], found['members']))
        self.assertEqual(before['members'], view['members'])
        self.assertEqual(before['placement'], view['placement'])
        self.assertEqual('checked', self.events(view['id'])[-1])

    def test_rebalancer_against_groups(self):
        """An operator's rebalancer moves members together."""
        view = self.build(documents.servers(3, documents.APART))
        places = self.cloud.places(view['id'])
        self.cloud.migrate(self.server(view, 'm-1'), places['m-0'])
        found = self.check(view['id'])
        self.assertEqual('DRIFTED', found['compliance']['status'])
        (rule,) = found['compliance']['rules']
        self.assertEqual('anti-affinity-of-m', rule['group'])
        self.assertEqual(['m-0', 'm-1'], rule['members'])
        self.assertEqual(1, rule['violation'])
        hosts = {n: m['domains']['host'] for n, m in found['members'].items()}
        self.assertEqual(hosts['m-0'], hosts['m-1'])
        self.assertEqual([hosts['m-0']], rule['where'])
        self.assertEqual([], found['compliance']['members'])
        topology = self.service.topology(base.ANN, view['id'])
        self.assertEqual([False], [r['holds'] for r in topology['rules']])
        self.assertIn('drifted', self.events(view['id']))

    def test_a_move_that_breaks_no_rule_is_followed(self):
        view = self.build(documents.servers(2, documents.APART))
        used = {*self.cloud.places(view['id']).values()}
        other = next(h for h in self.cloud.world.hosts if h not in used)
        self.cloud.migrate(self.server(view, 'm-0'), other)
        found = self.check(view['id'])
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        was, now = (
            each['members']['m-0']['domains']['host'] for each in (view, found)
        )
        self.assertNotEqual(was, now)

    def test_a_wish_that_is_given_up_by_a_move_is_no_drift(self):
        wish = documents.group('anti-affinity', 'm', scope='host', weight=5)
        view = self.build(documents.servers(2, wish))
        places = self.cloud.places(view['id'])
        self.cloud.migrate(self.server(view, 'm-1'), places['m-0'])
        found = self.check(view['id'])
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assertEqual(5, found['placement']['soft_cost'])

    def test_a_member_that_is_gone_or_failed_is_told(self):
        view = self.build(documents.SMALL)
        self.cloud.lose(self.server(view, 'web'))
        self.cloud.spoil(self.server(view, 'db'))
        found = self.check(view['id'])
        self.assertEqual('DEGRADED', found['compliance']['status'])
        reasons = {
            fault['member']: fault['reason']
            for fault in found['compliance']['members']
        }
        self.assertEqual({'db', 'web'}, {*reasons})
        self.assertEqual('its server is gone', reasons['web'])
        self.assertIn('ERROR: it broke', reasons['db'])
        self.assertEqual('ERROR', found['members']['web']['status'])
        self.assertEqual({}, found['members']['web']['domains'])
        self.assertIn('degraded', self.events(view['id'], 'web'))

    def test_parts_that_are_gone_are_told(self):
        view = self.build(documents.SMALL)
        member = self.service._store.get_members(view['id'])
        facts = {row.name: row.facts for row in member}
        self.cloud.lose(facts['db']['floating_ips'][0]['id'])
        self.cloud.lose(facts['net']['router_id'])
        self.cloud.item(self.server(view, 'db')).links.clear()
        found = self.check(view['id'])['compliance']
        self.assertEqual(
            [
                ('net', 'its router is gone'),
                ('db', 'volume data is not attached to its server'),
            ],
            [(f['member'], f['reason']) for f in found['members']],
        )

    def test_what_is_well_again_is_told_as_such(self):
        view = self.build(documents.servers(2, documents.APART))
        places = self.cloud.places(view['id'])
        self.cloud.migrate(self.server(view, 'm-1'), places['m-0'])
        self.check(view['id'])
        self.cloud.migrate(self.server(view, 'm-1'), places['m-1'])
        found = self.check(view['id'])
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assertEqual(view['members'], found['members'])

    def test_strangers_break_what_is_exclusive(self):
        view = self.build(ALONE)
        self.assertEqual(
            'COMPLIANT', self.check(view['id'])['compliance']['status']
        )
        host = self.cloud.places(view['id'])['m']
        self.cloud.occupy(host, VCPU=1)
        found = self.check(view['id'])['compliance']
        self.assertEqual(['m'], found['rules'][0]['members'])

    def test_evenness_counts_the_racks_that_could_have_a_member(self):
        view = self.build(SPREAD)
        self.assertEqual(
            'COMPLIANT', self.check(view['id'])['compliance']['status']
        )
        places = self.cloud.places(view['id'])
        self.cloud.migrate(self.server(view, 'm-1'), places['m-0'])
        found = self.check(view['id'])['compliance']
        self.assertEqual('DRIFTED', found['status'])

    def test_what_a_name_meant_may_be_gone(self):
        """A check needs no image; what needs a flavor is left out."""
        view = self.build(SPREAD)
        self.cloud.world.images.clear()
        found = self.check(view['id'])['compliance']
        self.assertEqual('COMPLIANT', found['status'])
        self.assertEqual(['spread-of-m'], found['not_judged'])

    def test_only_what_is_built_is_checked(self):
        self.cloud.faults.stick('server')
        cluster_id = self.create(documents.servers(1))
        self.until(
            lambda: self.show(cluster_id)['status'] == 'CREATING', 'the build'
        )
        error = self.assertRaises(
            exception.WrongStatus, self.service.check, base.ANN, cluster_id
        )
        self.assertIn('is CREATING', str(error))
        self.assertRaises(
            exception.ClusterNotFound, self.service.check, base.BOB, cluster_id
        )

    def test_a_delete_ends_a_check(self):
        view = self.build(documents.SMALL)
        self.cloud.faults.before(
            'server_state',
            None,
            lambda call: self.service.delete(base.ANN, view['id']),
        )
        self.service.check(base.ANN, view['id'])
        self.until(lambda: self.show(view['id']) is None, 'the delete')
        self.assert_nothing_left()


class FailingCheckTest(upkeep.FailingCase):
    def test_a_fault_at_every_call(self):
        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            if view['error_code'] is not None:
                self.assertIn('check: fake: it is', view['status_reason'])
            self.assertEqual(
                {'ACTIVE'}, {m['status'] for m in view['members'].values()}
            )

        failed = self.fail_every_call(
            documents.SMALL, 'check', judge, lambda view: None
        )
        self.assertGreater(failed, 5)


class DyingCheckTest(upkeep.DyingCase):
    def test_an_heir_with_a_trust_goes_on(self):
        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual('DEGRADED', view['compliance']['status'])

        def spoil(view):
            self.cloud.spoil(self.server(view, 'web'))

        self.die_everywhere(documents.SMALL, 'check', judge, spoil)


class DyingCheckWithoutTrustTest(upkeep.DyingCase):
    trusts = False

    def test_an_heir_without_one_says_so(self):
        self.cluster = self.build(documents.SMALL)['id']
        self.assertTrue(self.die(lambda s: s.check(base.ANN, self.cluster), 3))
        self.assertEqual('CHECKING', self.show(self.cluster)['status'])
        view = self.settle_by_heir()
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.interrupted', view['error_code'])
        self.assertIn('check: its engine died', view['status_reason'])
        self.assertIsNone(view['compliance'])
        self.delete_by_heir()


class OneHostTest(upkeep.UpkeepCase):
    def make_cloud(self):
        return FakeCloud(racks=1, hosts_per_rack=1)

    def test_volumes_that_cannot_be_steered_count_nowhere(self):
        view = self.build(
            {
                'instances': [
                    {'name': 'v', 'type': 'volume', 'spec': {'size': 1}}
                ],
            }
        )
        self.cloud.world.pools.clear()
        view = self.do('check', view['id'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
