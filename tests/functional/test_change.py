# SPDX-License-Identifier: Apache-2.0
"""A running cluster becomes another one, or stays exactly what it is."""

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import base, changes, documents

Kind = model.Kind
APART = documents.group('anti-affinity', 'm', scope='rack')


class ScaleTest(changes.ChangeCase):
    def test_more_come_and_those_that_are_there_stay(self):
        view = self.build(changes.counted(2, APART))
        before = self.ids(view)
        after = self.change(view['id'], changes.counted(3, APART))
        self.assert_is(after, 'm-0', 'm-1', 'm-2')
        self.assertLessEqual(before.items(), self.ids(after).items())
        racks = {m['domains']['rack'] for m in after['members'].values()}
        self.assertEqual(3, len(racks))

    def test_fewer(self):
        view = self.build(changes.counted(3, APART))
        before = self.ids(view)
        after = self.change(view['id'], changes.counted(2, APART))
        self.assert_is(after, 'm-0', 'm-1')
        self.assertEqual(
            {name: before[name] for name in ('m-0', 'm-1')}, self.ids(after)
        )

    def test_those_named_go(self):
        view = self.build(changes.counted(3, APART))
        before = self.ids(view)
        after = self.change(
            view['id'], changes.counted(2, APART), remove=['m-0']
        )
        self.assert_is(after, 'm-1', 'm-2')
        again = self.change(view['id'], changes.counted(3, APART))
        self.assert_is(again, 'm-0', 'm-1', 'm-2')
        self.assertNotEqual(before['m-0'], self.ids(again)['m-0'])

    def test_the_same_again_changes_nothing(self):
        view = self.build(changes.counted(2, APART))
        calls = len(self.cloud.calls)
        after = self.change(view['id'], changes.counted(2, APART))
        self.assertEqual(view, after)
        self.assertEqual(calls, len(self.cloud.calls))

    def test_one_that_is_not_active_cannot_change(self):
        self.cloud.faults.ruin(Kind.SERVER, 'm-0')
        view = self.build(changes.counted(1))
        self.assertRaises(
            exception.NotChangeable,
            self.service.update,
            base.ANN,
            view['id'],
            document=changes.counted(2),
        )

    def test_a_failure_leaves_the_old_one(self):
        view = self.build(changes.counted(2, APART))
        before = self.things()
        self.cloud.faults.ruin(Kind.SERVER, 'm-2~1', reason='no disk')
        after = self.change(view['id'], changes.counted(3, APART))
        self.assertEqual('ACTIVE', after['status'])
        self.assertEqual('vcluster.member_failed', after['error_code'])
        self.assertIn('member m-2: no disk', after['status_reason'])
        self.assert_whole(after, 'm-0', 'm-1')
        self.assertEqual(before, self.things())
        again = self.change(view['id'], changes.counted(3, APART))
        self.assert_is(again, 'm-0', 'm-1', 'm-2')
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_no_room_is_told_before_anything_is_touched(self):
        view = self.build(changes.counted(4, APART))
        before = self.things()
        calls = len(self.cloud.calls)
        after = self.change(view['id'], changes.counted(5, APART))
        self.assertEqual('vcluster.no_valid_placement', after['error_code'])
        self.assertIn('anti-affinity-of-m', after['status_reason'])
        self.assertNotIn('~', after['status_reason'])
        self.assertEqual(before, self.things())
        made = self.calls(calls)
        self.assertNotIn('reserve', made)
        self.assertFalse([n for n in made if n.startswith('ensure')])

    def test_plan_says_what_will_be(self):
        view = self.build(changes.counted(2, APART))
        calls = len(self.cloud.calls)
        plan = self.service.plan_change(
            base.ANN, view['id'], changes.counted(3, APART)
        )
        self.assertEqual('feasible', plan['verdict'])
        self.assertEqual(
            ['kept', 'kept', 'added'], [c['action'] for c in plan['changes']]
        )
        self.assertEqual({'m-0', 'm-1', 'm-2'}, {*plan['members']})
        for name in ('m-0', 'm-1'):
            self.assertEqual(
                view['members'][name]['domains'],
                plan['members'][name]['domains'],
            )
        self.assertNotIn('reserve', self.calls(calls))


class DefinitionTest(changes.ChangeCase):
    """What becomes of members whose own definition is another one."""

    document = documents.SMALL

    def setUp(self):
        super().setUp()
        self.cloud.add_security_group('alpha', 'open')
        self.view = self.build(self.document)
        self.before = self.ids(self.view)

    def become(self, document):
        after = self.change(self.view['id'], document)
        self.assert_is(after, *self.view['members'])
        kept = self.before.items() & self.ids(after).items()
        return after, {name for name, _ in kept}

    def test_metadata_and_groups_are_changed_in_place(self):
        document = changes.with_spec(
            self.document,
            'web',
            metadata={'role': 'front'},
            tags=['blue'],
            security_groups=['open'],
        )
        after, kept = self.become(document)
        self.assertEqual({'net', 'data', 'db', 'web'}, kept)
        server = self.cloud.item(after['members']['web']['id'])
        self.assertEqual({'role': 'front'}, server.asked.metadata)
        self.assertEqual(('blue',), server.asked.tags)
        (port,) = server.port_ids
        groups = self.cloud.world.named('security_group', 'alpha')
        self.assertEqual(
            (groups['open'],), self.cloud.item(port).security_group_ids
        )
        self.become(self.document)
        self.assertEqual({}, server.asked.metadata)
        self.assertEqual((), server.asked.tags)
        self.assertEqual(
            (groups['default'],), self.cloud.item(port).security_group_ids
        )

    def test_volume_grows(self):
        document = changes.with_spec(self.document, 'data', size=5)
        after, kept = self.become(document)
        self.assertEqual({'net', 'data', 'db', 'web'}, kept)
        volume = self.cloud.item(after['members']['data']['id'])
        self.assertEqual(5, volume.size_gb)

    def test_volume_that_has_grown_when_another_cannot_is_told(self):
        def become_full(call):
            self.cloud.set_quota('alpha', gigabytes=12)

        document = {
            **self.document,
            'instances': [
                *self.document['instances'],
                {'name': 'log', 'type': 'volume', 'spec': {'size': 1}},
            ],
        }
        self.view = self.change(self.view['id'], document)
        larger = changes.with_spec(document, 'data', size=10)
        larger = changes.with_spec(larger, 'log', size=10)
        self.cloud.faults.after('extend_volume', 'data', become_full)
        after = self.change(self.view['id'], larger)
        self.assertEqual('vcluster.quota_exceeded', after['error_code'])
        self.assertIn('member log: ', after['status_reason'])
        self.assertIn(
            'Not set back: data (it has 10 GiB now', after['status_reason']
        )
        self.assertEqual(self.view['instances'], after['instances'])
        self.assert_whole(after, *self.view['members'])

    def test_other_flavor_makes_another_server_with_the_same_volume(self):
        document = changes.replacing(
            changes.with_spec(self.document, 'db', flavor='medium'), 'flavor'
        )
        after, kept = self.become(document)
        self.assertEqual({'net', 'data', 'web'}, kept)
        server = self.cloud.item(after['members']['db']['id'])
        self.assertEqual('medium', server.flavor.name)
        self.assertIn(self.before['data'], server.links)
        self.assertEqual([], self.broken_now(document, after))

    def test_other_volume_is_attached_to_the_same_server(self):
        document = changes.replacing(
            changes.with_spec(self.document, 'data', volume_type='standard'),
            'volume_type',
        )
        after, kept = self.become(document)
        self.assertEqual({'net', 'db', 'web'}, kept)
        server = self.cloud.item(after['members']['db']['id'])
        self.assertEqual([after['members']['data']['id']], [*server.links])

    def test_other_network_replaces_what_is_on_it(self):
        document = changes.replacing(
            changes.with_spec(
                self.document, 'net', subnets=[{'cidr': '10.61.0.0/24'}]
            ),
            *('subnets', 'networks'),
        )
        after, kept = self.become(document)
        self.assertEqual({'data'}, kept)
        for name in ('db', 'web'):
            address = after['members'][name]['addresses'][0]
            self.assertTrue(address.startswith('10.61.'), address)

    def test_nothing_is_replaced_unless_the_document_says_so(self):
        before = self.things()
        document = changes.with_spec(
            self.document, 'net', subnets=[{'cidr': '10.61.0.0/24'}]
        )
        document = changes.with_spec(document, 'db', user_data='x')
        document = changes.replacing(document, 'subnets', 'user_data')
        for verb in (
            lambda: self.service.update(
                base.ANN, self.view['id'], document=document
            ),
            lambda: self.service.plan_change(
                base.ANN, self.view['id'], document
            ),
        ):
            error = self.assertRaises(exception.InvalidDocument, verb)
            (fault,) = error.faults
            self.assertEqual('instances[3].spec.networks', fault.path)
            self.assertIn('built on is replaced: net', fault.message)
            self.assertIn('update_policy.replace_on', fault.message)
        after = self.service.show(base.ANN, self.view['id'])
        self.assertEqual(self.view, after)
        self.assertEqual(before, self.things())

    def test_it_is_refused_too_once_it_is_known_who_goes(self):
        view = self.build(changes.counted(2))
        before = self.things()
        after = self.change(view['id'], changes.counted(1, user_data='x'))
        self.assertEqual('vcluster.invalid_document', after['error_code'])
        self.assertIn('instances[0].spec.user_data', after['status_reason'])
        self.assertEqual(before, self.things())
        self.assert_whole(after, *view['members'])

    def test_rule_that_holds_already_touches_nothing(self):
        calls = len(self.cloud.calls)
        document = {
            **self.document,
            'groups': [
                *self.document['groups'],
                documents.group('anti-affinity', 'web', 'db', scope='host'),
            ],
        }
        after, kept = self.become(document)
        self.assertEqual({*self.before}, kept)
        self.assertEqual(len(document['groups']), len(after['groups']))
        made = self.calls(calls)
        self.assertNotIn('reserve', made)
        self.assertNotIn('delete', made)

    def test_rule_that_what_runs_breaks_is_refused(self):
        before = self.things()
        together = documents.group('affinity', 'web', 'db', scope='rack')
        document = {**self.document, 'groups': [together]}
        after = self.change(self.view['id'], document)
        self.assertEqual('vcluster.no_valid_placement', after['error_code'])
        self.assertIn('affinity-of-web', after['status_reason'])
        self.assertEqual(self.view['groups'], after['groups'])
        self.assertEqual(before, self.things())
