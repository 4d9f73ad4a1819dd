# SPDX-License-Identifier: Apache-2.0
"""Servers get another flavor while they stay what they are."""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import faults
from heat_vcluster.engine import removal
from tests.functional import base, changes, documents

APART = documents.group('anti-affinity', 'm', scope='rack')
RESIZE = ('resize', 'confirm_resize', 'revert_resize')


class ResizeCase(changes.ChangeCase):
    def setUp(self):
        super().setUp()
        self.view = self.build(changes.counted(2, APART))
        self.before = self.things()

    def servers(self, view):
        return {
            name: self.cloud.item(member['id'])
            for name, member in view['members'].items()
        }

    def resize(self, document=None):
        return self.change(
            self.view['id'],
            document or changes.counted(2, APART, flavor='medium'),
        )

    def assert_resized(self, view):
        self.assert_is(view, 'm-0', 'm-1')
        self.assertEqual(self.ids(self.view), self.ids(view))
        for name, member in view['members'].items():
            server = self.cloud.item(member['id'])
            self.assertEqual('medium', server.flavor.name)
            self.assertEqual('ACTIVE', server.status)
            self.assertIsNone(server.before)
            self.assertEqual(
                self.cloud.domain(server.host, 'rack'),
                self.real_rack(view, name),
            )
            self.assertEqual(member['domains'], server.domains)
        document = changes.counted(2, APART, flavor='medium')
        self.assertEqual([], self.broken_now(document, view))

    def real_rack(self, view, name):
        """Return the rack that a pseudonym of the member's stands for."""
        known = {
            row.pseudonym: row.real
            for row in self.service._store.get_domains(view['id'])
            if row.scope == 'rack'
        }
        return known[view['members'][name]['domains']['rack']]

    def assert_old(self, view, *words):
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        for word in ('The update failed', *words):
            self.assertIn(word, view['status_reason'])
        self.assertEqual(self.view['members'], view['members'])
        self.assertEqual(self.view['instances'], view['instances'])
        self.assert_whole(view, 'm-0', 'm-1')
        self.assertEqual(self.before, self.things())
        for row in self.service._store.get_members(view['id']):
            self.assertNotIn('resize', row.facts)


class ResizeTest(ResizeCase):
    def test_they_stay_the_same_servers_at_their_places(self):
        places = self.places(self.view)
        after = self.resize()
        self.assert_resized(after)
        self.assertEqual(places, self.places(after))

    def test_a_dry_run_says_changed(self):
        plan = self.service.plan_change(
            base.ANN,
            self.view['id'],
            changes.counted(2, APART, flavor='medium'),
        )
        self.assertEqual('feasible', plan['verdict'])
        self.assertEqual(
            [('changed', ['flavor'])] * 2,
            [(c['action'], c['properties']) for c in plan['changes']],
        )

    def test_the_room_is_held_before_anything_is_touched(self):
        calls = len(self.cloud.calls)
        self.resize()
        made = [call.name for call in self.cloud.calls[calls:]]
        self.assertLess(made.index('reserve'), made.index('resize'))
        self.assertEqual(1, made.count('reserve'))

    def test_without_room_for_both_flavors_it_is_refused_and_said(self):
        for host in self.cloud.world.hosts:
            self.cloud.fill_host(host)
        self.before = self.things()
        calls = len(self.cloud.calls)
        after = self.resize()
        self.assert_old(after, 'No placement', 'has the old one until the end')
        self.assertFalse({*RESIZE} & {*self.calls(calls)})

    def test_one_whose_host_is_full_goes_to_another(self):
        places = self.places(self.view)
        self.cloud.fill_host(places['m-0'])
        after = self.resize()
        self.assert_resized(after)
        moved = self.places(after)
        self.assertNotEqual(places['m-0'], moved['m-0'])
        self.assertEqual(places['m-1'], moved['m-1'])

    def test_another_place_than_planned_is_taken_if_the_rules_hold(self):
        host = self.free_host(self.view)
        self.cloud.world.resizes_to = (host,)
        alone = changes.with_spec(self.pair(), 'm', flavor='medium')
        self.view = self.build(self.pair())
        after = self.change(self.view['id'], alone)
        self.assert_is(after, 'm', 'other')
        self.assertEqual(host, self.places(after)['m'])
        self.assertEqual([], self.broken_now(alone, after))

    def pair(self):
        return {
            'instances': [documents.server('m'), documents.server('other')],
            'groups': [
                documents.group('anti-affinity', 'm', 'other', scope='rack')
            ],
        }

    def test_where_a_strict_rule_would_not_hold_it_is_taken_back(self):
        """Both are put on one host: the second one must not be there."""
        self.cloud.world.resizes_to = (self.free_host(self.view),)
        after = self.resize()
        self.assert_old(
            after, 'member m-1', 'anti-affinity-of-m would not hold'
        )
        self.assert_secret(after)

    def free_host(self, view):
        racks = {
            self.cloud.domain(host, 'rack')
            for host in self.places(view).values()
        }
        return next(
            host
            for host in self.cloud.world.hosts
            if self.cloud.domain(host, 'rack') not in racks
        )

    def test_one_alone_goes_where_it_is_put(self):
        self.view = self.build(changes.counted(1))
        host = self.free_host(self.view)
        self.cloud.world.resizes_to = (host,)
        after = self.change(
            self.view['id'], changes.counted(1, flavor='medium')
        )
        self.assert_is(after, 'm-0')
        self.assertEqual(self.ids(self.view), self.ids(after))
        self.assertEqual({'m-0': host}, self.places(after))
        self.assertIn('moved', self.events(after['id']))
        server = self.cloud.item(after['members']['m-0']['id'])
        self.assertEqual(after['members']['m-0']['domains'], server.domains)
        self.assertEqual(
            self.cloud.domain(host, 'rack'), self.real_rack(after, 'm-0')
        )

    def test_a_batch_is_in_service_before_the_next(self):
        policy = {'batch_size': 1, 'min_in_service': 1}
        document = changes.counted(2, APART, flavor='medium')
        after = self.resize({**document, 'update_policy': policy})
        self.assert_resized(after)
        self.assertEqual(1, self.events(after['id']).count('batch'))

    def test_one_at_a_time_is_out_of_service(self):
        under_way = []

        def look(call):
            under_way.append(
                sum(s.next_flavor is not None for s in self.all_servers())
            )

        self.cloud.faults.after('resize', None, look, times=None)
        self.assert_resized(self.resize())
        self.assertEqual([1, 1], under_way)

    def all_servers(self):
        return [
            item
            for item in self.cloud.world.items.values()
            if item.kind == 'server'
        ]

    def test_the_flavor_may_be_said_to_replace(self):
        after = self.resize(
            changes.replacing(
                changes.counted(2, APART, flavor='medium'), 'flavor'
            )
        )
        self.assert_is(after, 'm-0', 'm-1')
        self.assertFalse(
            {*self.ids(self.view).values()} & {*self.ids(after).values()}
        )

    def test_a_disk_never_becomes_smaller(self):
        self.view = self.resize()
        self.before = self.things()
        document = changes.counted(2, APART, flavor='small')
        error = self.assertRaises(
            exception.InvalidDocument,
            self.service.plan_change,
            base.ANN,
            self.view['id'],
            document,
        )
        self.assertEqual(
            ['instances[0].spec.flavor'], [f.path for f in error.faults]
        )
        self.assert_old(self.resize(document), 'cannot become smaller')


class FailureTest(ResizeCase):
    def test_one_that_is_not_resized_takes_all_back(self):
        self.cloud.faults.ruin(faults.RESIZE, 'm-1')
        self.assert_old(self.resize(), 'member m-1', 'did not give its server')

    def test_what_fails_after_the_resizes_takes_them_back(self):
        document = changes.counted(3, APART, flavor='medium')
        self.cloud.faults.fail(
            'resize',
            error=exception.CloudError('nova', 'no more'),
            member='m-1',
        )
        self.assert_old(self.change(self.view['id'], document), 'no more')

    def test_one_that_nova_confirms_by_itself_is_told(self):
        self.cloud.world.confirms_resizes = True
        self.cloud.faults.fail(
            'resize',
            error=exception.CloudError('nova', 'no more'),
            member='m-1',
        )
        after = self.resize()
        self.assertEqual('ACTIVE', after['status'])
        self.assertIn('no more', after['status_reason'])
        self.assertIn('Not set back: m-0 (its server', after['status_reason'])
        self.assertNotIn('m-1 (', after['status_reason'])

    def test_one_that_cannot_be_confirmed_is_told_and_tried_again(self):
        self.cloud.faults.fail(
            'confirm_resize',
            error=exception.CloudError('nova', 'its host is away'),
            member='m-1',
            times=removal.ATTEMPTS,
        )
        after = self.resize()
        self.assertEqual('ACTIVE', after['status'])
        self.assertEqual('vcluster.leftovers', after['error_code'])
        self.assertIn('m-1 (nova: its host is away)', after['status_reason'])
        statuses = {n: s.status for n, s in self.servers(after).items()}
        self.assertEqual({'m-0': 'ACTIVE', 'm-1': 'VERIFY_RESIZE'}, statuses)
        document = changes.counted(2, APART, flavor='medium')
        document['instances'][0]['spec']['metadata'] = {'a': 'b'}
        self.assert_resized(self.change(self.view['id'], document))

    def test_what_somebody_else_left_open_is_not_touched(self):
        server = self.servers(self.view)['m-0']
        server.before = (server.flavor, server.host)
        server.status = 'VERIFY_RESIZE'
        self.before = self.things()
        after = self.resize()
        self.assertIn('was resized before', after['status_reason'])
        self.assertEqual(self.before, self.things())
