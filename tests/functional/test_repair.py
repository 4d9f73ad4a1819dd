# SPDX-License-Identifier: Apache-2.0
"""Servers that were moved out of the rules are moved back, safely."""

from heat_vcluster import exception
from tests.functional import base, documents, rules, upkeep

THREE = documents.servers(3, documents.APART)
RACKS = documents.servers(
    3, documents.group('anti-affinity', 'm', scope='rack')
)
PAIR = {
    'instances': [
        {'name': 'data', 'type': 'volume', 'spec': {'size': 1}},
        documents.server('db', volumes=['data']),
        documents.server('web', depends_on=['db']),
    ],
    'groups': [
        documents.group('affinity', 'db', 'data', scope='rack'),
        documents.group('anti-affinity', 'db', 'web', scope='host'),
    ],
}


class RepairTest(upkeep.UpkeepCase):
    def drift(self, document, **moved):
        """Build, and move members (m_1='m_0') to where another one is."""
        view = self.build(document)
        places = self.cloud.places(view['id'])
        for name, peer in moved.items():
            self.cloud.migrate(
                self.server(view, name.replace('_', '-')),
                places.get(peer.replace('_', '-'), peer),
            )
        return view

    def repair(self, cluster_id, document, **asked):
        """Repair; return which members were moved, in order."""
        since = len(self.cloud.calls)
        view = self.do('repair', cluster_id, **asked)
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assert_built(document, view)
        return [
            member
            for call in self.cloud.calls[since:]
            if call.name == 'migrate'
            for member in call.members
        ]

    def plan(self, cluster_id):
        planned = self.service.plan_repair(base.ANN, cluster_id)
        told = repr(planned)
        for name in (*self.cloud.world.hosts, *self.cloud.world.pools):
            self.assertNotIn(f"'{name}'", told)
        return planned

    def test_rebalancer_against_groups(self):
        """What an operator's rebalancer moved together is moved apart."""
        view = self.drift(THREE, m_1='m_0')
        found = self.do('check', view['id'])['compliance']
        self.assertEqual('DRIFTED', found['status'])
        planned = self.plan(view['id'])
        self.assertTrue(planned['is_least'])
        (move,) = planned['moves']
        self.assertIn(move['member'], ('m-0', 'm-1'))
        self.assertNotEqual(move['from']['host'], move['to']['host'])
        since = len(self.cloud.calls)
        self.assertEqual([move['member']], self.repair(view['id'], THREE))
        self.assertFalse({'reserve', 'delete'} & {*self.calls(since)})
        now = self.show(view['id'])['members'][move['member']]['domains']
        self.assertEqual(move['to'], now)
        self.assertIn('move', self.events(view['id'], move['member']))

    def test_a_plan_changes_nothing(self):
        view = self.drift(THREE, m_1='m_0')
        before = self.cloud.places(view['id'])
        since = len(self.cloud.calls)
        self.plan(view['id'])
        self.assertEqual(before, self.cloud.places(view['id']))
        self.assertNotIn('migrate', self.calls(since))
        self.assertIsNone(self.show(view['id'])['compliance'])

    def test_all_in_one_place_takes_one_move_less_than_there_are(self):
        view = self.drift(RACKS, m_1='m_0', m_2='m_0')
        self.assertEqual(2, len(self.repair(view['id'], RACKS)))

    def test_no_move_breaks_a_rule_more_than_before(self):
        view = self.drift(RACKS, m_1='m_0', m_2='m_0')
        broken = []

        def look(call):
            broken.append(len(self.broken(RACKS, view['id'])))

        self.cloud.faults.after('is_moving', None, look, times=None)
        self.repair(view['id'], RACKS)
        self.assertEqual(sorted(broken, reverse=True), broken)
        self.assertEqual(0, broken[-1])
        self.assertGreater(broken[0], 0)

    def test_a_server_goes_back_to_its_volume_which_stays(self):
        view = self.build(PAIR)
        places = self.cloud.places(view['id'])
        rack = self.cloud.domain(places['db'], 'rack')
        other = next(
            host.name
            for host in self.cloud.world.hosts.values()
            if host.domains['rack'] != rack and host.name != places['web']
        )
        self.cloud.migrate(self.server(view, 'db'), other)
        self.assertEqual(['db'], self.repair(view['id'], PAIR))
        self.assertEqual(places['data'], self.cloud.places(view['id'])['data'])

    def test_where_all_is_well_nothing_moves(self):
        view = self.build(THREE)
        self.assertEqual(
            {'moves': [], 'is_least': True}, self.plan(view['id'])
        )
        self.assertEqual([], self.repair(view['id'], THREE))

    def test_they_may_be_moved_cold(self):
        view = self.drift(THREE, m_1='m_0')
        since = len(self.cloud.calls)
        self.repair(view['id'], THREE, cold=True)
        (call,) = (c for c in self.cloud.calls[since:] if c.name == 'migrate')
        self.assertFalse(call.arguments['live'])

    def test_without_the_right_to_it_nothing_is_changed(self):
        view = self.drift(THREE, m_1='m_0')
        before = self.cloud.places(view['id'])
        self.cloud.forbid_moves()
        view = self.do('repair', view['id'])
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.forbidden', view['error_code'])
        self.assertIn('migrate_live:host', view['status_reason'])
        self.assertIn('operator guide', view['status_reason'])
        self.assertEqual('DRIFTED', view['compliance']['status'])
        self.assertEqual(before, self.cloud.places(view['id']))

    def test_a_place_that_others_take_meanwhile_is_no_loss(self):
        view = self.drift(THREE, m_1='m_0')
        self.cloud.faults.before(
            'migrate',
            None,
            lambda call: self.cloud.fill_host(call.arguments['host']),
        )
        view = self.do('repair', view['id'])
        self.assertIn('did not move its server', view['status_reason'])
        self.assertEqual('DRIFTED', view['compliance']['status'])
        self.assertEqual(1, len(self.repair(view['id'], THREE)))

    def test_no_place_is_told_with_the_rules_that_clash(self):
        view = self.drift(THREE, m_1='m_0')
        for host in self.cloud.world.hosts:
            self.cloud.fill_host(host)
        self.assertRaises(
            exception.NoValidPlacement,
            self.service.plan_repair,
            base.ANN,
            view['id'],
        )
        view = self.do('repair', view['id'])
        self.assertEqual('vcluster.no_valid_placement', view['error_code'])
        self.assertIn('anti-affinity-of-m', view['status_reason'])

    def test_one_that_is_at_fault_is_not_moved(self):
        view = self.drift(THREE, m_1='m_0')
        self.cloud.spoil(self.server(view, 'm-0'))
        view = self.do('repair', view['id'])
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.assertEqual('DEGRADED', view['compliance']['status'])
        self.assertEqual([], view['compliance']['rules'])
        moved = [
            member
            for call in self.cloud.calls
            if call.name == 'migrate'
            for member in call.members
        ]
        self.assertEqual(['m-1'], moved)

    def test_strangers_are_left_to_themselves(self):
        """The exclusive one moves away from who came to its host."""
        document = {
            'instances': [documents.server('m'), documents.server('n')],
            'groups': [documents.group('exclusive', 'm', scope='host')],
        }
        view = self.build(document)
        self.cloud.occupy(self.cloud.places(view['id'])['m'], VCPU=1)
        self.assertEqual(['m'], self.repair(view['id'], document))

    def test_asked_for_again_it_is_the_same_or_refused(self):
        view = self.drift(THREE, m_1='m_0')
        self.cloud.faults.stick('server', phase='move')
        self.service.repair(base.ANN, view['id'])
        self.until(lambda: self.calls()['migrate'], 'the move')
        again = self.service.repair(base.ANN, view['id'])
        self.assertEqual('REPAIRING', again['status'])
        for other in ({'cold': True}, {'rebuild': True}):
            self.assertRaises(
                exception.WrongStatus,
                self.service.repair,
                base.ANN,
                view['id'],
                **other,
            )
        self.cloud.faults.clear()
        after = self.settle(view['id'])
        self.assertEqual('COMPLIANT', after['compliance']['status'])

    def test_a_delete_ends_it(self):
        view = self.drift(THREE, m_1='m_0')
        self.cloud.faults.stick('server', phase='move')
        self.service.repair(base.ANN, view['id'])
        self.until(lambda: self.calls()['migrate'], 'the move')
        self.service.delete(base.ANN, view['id'])
        self.cloud.faults.clear()
        self.until(lambda: self.show(view['id']) is None, 'the delete')
        self.assert_nothing_left()


class RebuildTest(upkeep.UpkeepCase):
    drift = RepairTest.drift

    def test_they_are_made_again_with_what_they_had(self):
        view = self.drift(THREE, m_1='m_0')
        planned = self.service.plan_repair(base.ANN, view['id'])
        (name,) = (move['member'] for move in planned['moves'])
        before = view['members']
        after = self.do('repair', view['id'], rebuild=True)
        self.assertIsNone(after['status_reason'])
        self.assertEqual('COMPLIANT', after['compliance']['status'])
        self.assert_built(THREE, after)
        self.assertEqual(0, self.calls()['migrate'])
        members = after['members']
        self.assertNotEqual(before[name]['id'], members[name]['id'])
        self.assertEqual(before[name]['addresses'], members[name]['addresses'])
        for other in {*members} - {name}:
            self.assertEqual(before[other]['id'], members[other]['id'])

    def test_where_all_rules_hold_nothing_is_made(self):
        view = self.build(THREE)
        after = self.do('repair', view['id'], rebuild=True)
        self.assertEqual(view['members'], after['members'])


class FailingRebuildTest(upkeep.FailingCase):
    def move_together(self, view):
        self.cloud.migrate(
            self.server(view, 'm-1'), self.cloud.places(view['id'])['m-0']
        )

    def test_a_fault_at_every_call(self):
        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            if view['error_code'] is not None:
                self.assertIn('repair: ', view['status_reason'])

        failed = self.fail_every_call(
            THREE, 'repair', judge, self.move_together, rebuild=True
        )
        self.assertGreater(failed, 8)


class DyingRebuildTest(upkeep.DyingCase):
    move_together = FailingRebuildTest.move_together

    def test_an_heir_with_a_trust_goes_on(self):
        def judge(view):
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual('COMPLIANT', view['compliance']['status'])
            self.assert_built(THREE, view)

        self.die_everywhere(
            THREE, 'repair', judge, self.move_together, rebuild=True
        )


class FailingRepairTest(upkeep.FailingCase):
    def move_together(self, view):
        place = self.cloud.places(view['id'])['m-0']
        for name in ('m-1', 'm-2'):
            self.cloud.migrate(self.server(view, name), place)

    def test_a_fault_at_every_call(self):
        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            if view['error_code'] is not None:
                self.assertIn('repair: ', view['status_reason'])

        failed = self.fail_every_call(
            THREE, 'repair', judge, self.move_together
        )
        self.assertGreater(failed, 8)


class DyingRepairTest(upkeep.DyingCase):
    drift = RepairTest.drift
    move_together = FailingRepairTest.move_together

    def test_an_heir_with_a_trust_goes_on(self):
        def judge(view):
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual('COMPLIANT', view['compliance']['status'])
            self.assert_built(THREE, view)

        self.die_everywhere(THREE, 'repair', judge, self.move_together)

    def test_the_dead_leaves_no_rule_broken_more(self):
        for number in range(4, 40):
            view = self.drift(THREE, m_1='m_0', m_2='m_0')
            self.cluster = view['id']
            before = self.count()
            has_died = self.die(
                lambda s: s.repair(base.ANN, self.cluster), number
            )
            self.assertLessEqual(self.count(), before)
            self.settle_by_heir()
            self.delete_by_heir()
            if not has_died:
                return

    def count(self):
        return len(
            rules.broken(
                THREE, self.cloud.places(self.cluster), self.cloud.domain
            )
        )
