# SPDX-License-Identifier: Apache-2.0
"""A cluster is changed and looked after by turns; each finds the other's."""

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import world
from tests.functional import base, changed, changes, documents, upkeep

APART = documents.group('anti-affinity', 'm', scope='rack')


class WholeLifeTest(changes.ChangeCase, upkeep.UpkeepCase):
    def check(self, cluster_id):
        view = self.do('check', cluster_id)
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.assertNotIn('~', repr(view['compliance']))
        return view['compliance']['status']

    def replaced(self):
        """Return a cluster of three whose servers are not the first ones."""
        view = self.build(changes.counted(3, APART))
        view = self.change(
            view['id'],
            changes.replacing(
                changes.counted(3, APART, flavor='medium'), 'flavor'
            ),
        )
        self.assert_is(view, 'm-0', 'm-1', 'm-2')
        self.assertEqual('COMPLIANT', self.check(view['id']))
        return view

    def move_together(self, view):
        where = self.places(view)
        self.cloud.migrate(self.server(view, 'm-1'), where['m-0'])

    def test_servers_that_were_replaced_are_moved_back(self):
        view = self.replaced()
        self.move_together(view)
        self.assertEqual('DRIFTED', self.check(view['id']))
        planned = self.service.plan_repair(base.ANN, view['id'])
        (move,) = planned['moves']
        self.assertIn(move['member'], view['members'])
        after = self.do('repair', view['id'])
        self.assertEqual('COMPLIANT', after['compliance']['status'])
        self.assert_is(after, 'm-0', 'm-1', 'm-2')
        self.assertEqual(self.ids(view), self.ids(after))

    def test_one_that_was_replaced_is_made_again(self):
        view = self.replaced()
        self.cloud.lose(self.server(view, 'm-1'))
        self.assertEqual('DEGRADED', self.check(view['id']))
        after = self.do('heal', view['id'])
        self.assertEqual('COMPLIANT', after['compliance']['status'])
        self.assert_is(after, 'm-0', 'm-1', 'm-2')
        for name in ('m-0', 'm-2'):
            self.assertEqual(view['members'][name], after['members'][name])

    def test_servers_that_were_replaced_rest_and_run_again(self):
        view = self.replaced()
        for verb, status in (
            ('stop', 'STOPPED'),
            ('start', 'ACTIVE'),
            ('suspend', 'SUSPENDED'),
            ('resume', 'ACTIVE'),
        ):
            self.assertEqual(status, self.do(verb, view['id'])['status'])
            self.assertEqual('COMPLIANT', self.check(view['id']))

    def test_what_was_healed_and_repaired_is_changed(self):
        self.cloud.add_security_group('alpha', 'open')
        view = self.build(changed.BEFORE)
        self.cloud.lose(self.server(view, 'web'))
        self.do('heal', view['id'])
        after = self.change(view['id'], changed.AFTER)
        self.assert_is(after, 'net', 'data', 'more', 'db', 'web')
        self.assertEqual('COMPLIANT', self.check(view['id']))
        again = self.change(view['id'], changed.BEFORE)
        self.assert_is(again, 'net', 'data', 'db', 'web', 'extra')
        self.assertEqual('COMPLIANT', self.check(view['id']))
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_one_that_rests_is_not_changed(self):
        view = self.replaced()
        for off, on in (('stop', 'start'), ('suspend', 'resume')):
            self.do(off, view['id'])
            before = self.things()
            for ask in (self.service.plan_change, self.change_by_document):
                error = self.assertRaises(
                    exception.NotChangeable,
                    ask,
                    base.ANN,
                    view['id'],
                    changes.counted(2, APART),
                )
                self.assertIn(f': {on} it first', str(error))
            self.assertEqual(before, self.things())
            self.do(on, view['id'])

    def change_by_document(self, context, cluster_id, document):
        self.service.update(context, cluster_id, document=document)

    def test_what_is_to_be_survived_follows_each_change(self):
        def wanted(count):
            return {
                **changes.counted(count),
                'survive': [{'lose': '1 rack', 'keep': {'m': 2}}],
            }

        view = self.build(wanted(3))
        (loss,) = view['survival']
        self.assertEqual({'least': 2, 'total': 3}, self.left(loss))
        view = self.change(view['id'], wanted(4))
        self.assert_is(view, 'm-0', 'm-1', 'm-2', 'm-3')
        (loss,) = view['survival']
        self.assertTrue(loss['holds'])
        self.assertGreaterEqual(self.left(loss)['least'], 2)
        self.move_together(view)
        self.cloud.migrate(self.server(view, 'm-2'), self.places(view)['m-0'])
        self.check(view['id'])
        (loss,) = self.show(view['id'])['survival']
        self.assertFalse(loss['holds'])

    def left(self, loss):
        left = loss['left']['m']
        return {'least': left['least'], 'total': left['total']}

    def test_a_server_that_was_moved_knows_where_it_is(self):
        """Also if it could not be told at first."""
        view = self.replaced()
        self.move_together(view)
        self.cloud.faults.fail('tell_domains', error=upkeep.REFUSAL)
        self.check(view['id'])
        self.assertIn('untold', self.events(view['id'], 'm-1'))
        self.assertNotEqual(*self.known(view['id'], 'm-1'))
        self.check(view['id'])
        self.assertEqual(*self.known(view['id'], 'm-1'))
        calls = len(self.cloud.calls)
        self.check(view['id'])
        self.assertNotIn('tell_domains', self.calls(calls))

    def known(self, cluster_id, name):
        """Return where a server is, and where it thinks that it is."""
        member = self.show(cluster_id)['members'][name]
        return member['domains'], self.cloud.item(member['id']).domains


class ServerGroupsTest(changes.ChangeCase):
    """Server groups go by the rules: they stay, change and go with them."""

    APART = documents.group('anti-affinity', 'm', scope='host')

    def groups(self):
        return {
            item.owner.member: item.id
            for item in self.cloud.world.of(world.ServerGroup)
        }

    def group_ids(self, view):
        return [
            self.cloud.item(member['id']).group_id
            for member in view['members'].values()
        ]

    def test_who_comes_is_in_the_group_of_those_that_stay(self):
        view = self.build(changes.counted(2, self.APART))
        ((rule, group_id),) = self.groups().items()
        view = self.change(view['id'], changes.counted(3, self.APART))
        self.assert_is(view, 'm-0', 'm-1', 'm-2')
        self.assertEqual({rule: group_id}, self.groups())
        self.assertEqual([group_id] * 3, self.group_ids(view))
        (told,) = view['server_groups']
        self.assertTrue(told['held'])

    def test_group_goes_with_its_rule(self):
        view = self.build(changes.counted(2, self.APART))
        view = self.change(view['id'], changes.counted(2))
        self.assert_is(view, 'm-0', 'm-1')
        self.assertEqual({}, self.groups())
        self.assertEqual([], view['server_groups'])

    def test_group_of_a_rule_that_changed_holds_nobody_any_more(self):
        name = self.APART['name']
        view = self.build(changes.counted(2, self.APART))
        two = documents.group('spread', 'm', scope='host', max_per_domain=2)
        view = self.change(
            view['id'], changes.counted(3, {**two, 'name': name})
        )
        self.assert_is(view, 'm-0', 'm-1', 'm-2')
        self.assertEqual({}, self.groups())
        (told,) = view['server_groups']
        self.assertEqual((name, False), (told['group'], told['held']))

    def test_group_of_a_rule_that_comes_is_there_in_the_end(self):
        view = self.build(changes.counted(2))
        wanted = changes.counted(2, self.APART)
        wanted['instances'].append(documents.server('n', count=2))
        wanted['groups'].append(
            documents.group('anti-affinity', 'n', scope='host')
        )
        view = self.change(view['id'], wanted)
        self.assert_is(view, 'm-0', 'm-1', 'n-0', 'n-1')
        ((rule, group_id),) = self.groups().items()
        self.assertEqual('anti-affinity-of-n', rule)
        self.assertEqual([None] * 2 + [group_id] * 2, self.group_ids(view))
        told = {one['group']: one['held'] for one in view['server_groups']}
        self.assertTrue(told[rule])

    def test_failure_leaves_the_groups_that_there_were(self):
        view = self.build(changes.counted(2))
        before = self.things()
        self.cloud.faults.ruin(model.Kind.SERVER, 'm-2~1')
        self.change(view['id'], changes.counted(3, self.APART))
        self.assertEqual(before, self.things())
        view = self.change(view['id'], changes.counted(2, self.APART))
        self.assert_is(view, 'm-0', 'm-1')
