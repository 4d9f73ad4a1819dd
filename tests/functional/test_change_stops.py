# SPDX-License-Identifier: Apache-2.0
"""What ends a change early, and what happens beside one."""

import threading

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, changed, changes, deaths, documents


class StopTest(changes.ChangeCase):
    def setUp(self):
        super().setUp()
        self.cloud.add_security_group('alpha', 'open')
        self.view = self.build(changed.BEFORE)
        self.cluster = self.view['id']
        self.before = self.things()

    def halt(self, name, member):
        """Let a change begin, and come to a stand at a call."""
        reached, go_on = threading.Event(), threading.Event()

        def stand(call):
            reached.set()
            go_on.wait(self.patience)

        self.cloud.faults.before(name, member, stand)
        self.addCleanup(go_on.set)
        self.service.update(base.ANN, self.cluster, document=changed.AFTER)
        self.assertTrue(reached.wait(self.patience))
        return go_on

    def assert_old(self, code):
        view = self.settle(self.cluster)
        self.rest(self.cluster)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual(code, view['error_code'])
        self.assertEqual(self.view['members'], view['members'])
        self.assertEqual(self.before, self.things())
        self.assert_whole(view, *self.view['members'])

    def test_the_document_that_it_has_takes_a_change_back(self):
        go_on = self.halt('ensure_server', 'db~1')
        view = self.service.update(
            base.ANN, self.cluster, document=changed.BEFORE
        )
        self.assertEqual('UPDATING', view['status'])
        go_on.set()
        self.assert_old('vcluster.cancelled')

    def test_the_same_document_again_is_the_same_change(self):
        go_on = self.halt('ensure_server', 'db~1')
        self.service.update(base.ANN, self.cluster, document=changed.AFTER)
        go_on.set()
        view = self.settle(self.cluster)
        self.rest(self.cluster)
        self.assert_is(view, 'net', 'data', 'more', 'db', 'web')
        self.assertEqual(
            1, self.service._store.get_cluster(view['id']).changes
        )

    def test_another_document_has_to_wait(self):
        go_on = self.halt('ensure_server', 'db~1')
        self.assertRaises(
            exception.NotChangeable,
            self.service.update,
            base.ANN,
            self.cluster,
            document=documents.servers(1),
        )
        go_on.set()
        self.assertIsNone(self.settle(self.cluster)['status_reason'])

    def test_while_it_is_under_way_the_old_members_are_shown(self):
        go_on = self.halt('ensure_server', 'db~1')
        view = self.show(self.cluster)
        self.assertEqual('UPDATING', view['status'])
        shown = self.ids(view)
        for name, member_id in self.ids(self.view).items():
            self.assertEqual(member_id, shown.pop(name))
        self.assertEqual(['more'], [*shown])  # it comes
        go_on.set()
        self.settle(self.cluster)

    def test_the_time_allowed_runs_out(self):
        self.cloud.faults.stick(model.Kind.SERVER, 'db~1')
        self.service.update(
            base.ANN, self.cluster, document=changed.AFTER, timeout=1
        )
        self.assert_old('vcluster.timed_out')

    def test_the_time_may_be_over_before_it_begins(self):
        self.service.update(
            base.ANN, self.cluster, document=changed.AFTER, timeout=0.001
        )
        self.assert_old('vcluster.timed_out')
        self.assertNotIn('update', self.events(self.cluster))

    def test_a_delete_stops_it_and_leaves_nothing(self):
        go_on = self.halt('attach_volume', 'db~1')
        self.service.delete(base.ANN, self.cluster)
        go_on.set()
        self.until(
            lambda: self.show(self.cluster) is None, 'the end of the delete'
        )
        self.assert_nothing_left()

    def test_an_engine_that_goes_down_takes_it_back(self):
        """Nobody could go on with it: there is no trust."""
        self.cloud.faults.stick(model.Kind.SERVER, 'db~1')
        self.service.update(base.ANN, self.cluster, document=changed.AFTER)
        self.until(lambda: self.calls()['ensure_server'] > 3, 'the new server')
        self.service.stop(self.patience)
        self.service = self.make_service()
        self.assert_old('vcluster.cancelled')

    def test_what_cannot_be_removed_is_told_and_tried_again(self):
        self.cloud.faults.refuse_delete(model.Kind.SERVER, 'extra')
        self.service = self.make_service(
            settings=base.engine_base.Settings(
                poll_interval=0.01, removal_timeout=0.2
            )
        )
        after = self.change(self.cluster, changed.AFTER)
        self.assertEqual('vcluster.leftovers', after['error_code'])
        (left,) = after['leftovers']
        self.assertEqual(('server', 'extra'), (left['kind'], left['member']))
        self.assertNotIn('extra', after['members'])
        self.cloud.faults.clear()
        document = changes.with_spec(changed.AFTER, 'web', metadata={})
        self.assert_is(self.change(self.cluster, document))

    def test_a_member_that_an_operator_has_moved_counts_where_it_is(self):
        """Its new rack has no place for another one."""
        apart = documents.group('anti-affinity', 'm', scope='rack')
        view = self.build(changes.counted(2, apart))
        server = self.cloud.item(view['members']['m-0']['id'])
        racks = {self.cloud.domain(h, 'rack') for h in self.cloud.world.hosts}
        taken = {
            self.cloud.domain(place, 'rack')
            for place in self.places(view).values()
        }
        free = sorted(racks - taken)[-1]
        server.host = next(
            host
            for host in self.cloud.world.hosts
            if self.cloud.domain(host, 'rack') == free
        )
        after = self.change(view['id'], changes.counted(4, apart))
        self.assertEqual('ACTIVE', after['status'], after['status_reason'])
        self.assertIsNone(after['status_reason'])
        self.assertEqual([], self.broken_now(changes.counted(4, apart), after))
        self.assertNotEqual(
            view['members']['m-0']['domains'],
            after['members']['m-0']['domains'],
        )

    def test_a_member_that_was_moved_out_of_sight_is_told(self):
        """No rule can judge where it is, so nobody is placed beside it."""
        view = self.build(changes.counted(2))
        self.cloud.item(view['members']['m-0']['id']).host = 'nowhere'
        after = self.change(view['id'], changes.counted(3))
        self.assertEqual('vcluster.member_failed', after['error_code'])
        self.assertIn('member m-0: it was moved', after['status_reason'])
        self.assertEqual(view['members'], after['members'])

    def test_a_member_that_is_lost_is_told(self):
        self.cloud.lose(self.view['members']['web']['id'])
        after = self.change(self.cluster, changed.AFTER)
        self.assertEqual('vcluster.member_failed', after['error_code'])
        self.assertIn('member web: ', after['status_reason'])

    def test_an_image_that_is_gone_keeps_nobody_from_coming(self):
        view = self.build(changes.counted(1))
        self.cloud.world.images.clear()
        image = self.cloud.world.new_id()
        self.cloud.world.images[image] = 'newer'
        document = changes.counted(1)
        document['instances'].append(documents.server('other', image='newer'))
        self.assert_is(self.change(view['id'], document), 'm-0', 'other')

    def test_limits_of_the_service_count(self):
        self.service._store.set_limit('alpha', 'members', 6)
        self.assertRaises(
            exception.LimitExceeded,
            self.service.update,
            base.ANN,
            self.cluster,
            document=changes.counted(8),
        )
        self.assertEqual('ACTIVE', self.show(self.cluster)['status'])

    def test_a_quota_that_cannot_suffice_is_told_before(self):
        self.cloud.set_quota('alpha', instances=3)
        after = self.change(self.cluster, changed.AFTER)
        self.assertEqual('vcluster.invalid_document', after['error_code'])
        self.assertEqual(self.before, self.things())


class DeathWithoutTrustTest(deaths.DeathCase, changes.ChangeCase):
    """Nobody may act for the tenant: it is said, and delete works."""

    def make_cloud(self):
        return FakeCloud(trusts=False)

    def test_it_is_told_and_can_be_deleted(self):
        self.cloud.add_security_group('alpha', 'open')
        self.cluster = self.build(changed.BEFORE)['id']
        self.rest(self.cluster)

        def update(doomed):
            doomed.update(base.ANN, self.cluster, document=changed.AFTER)

        self.assertTrue(self.die(update, 1, name='attach_volume'))
        view = self.settle_by_heir()
        self.assertEqual('ERROR', view['status'])
        self.assertEqual('vcluster.interrupted', view['error_code'])
        self.assertEqual({}, dict(self.cloud.world.holds))
        self.delete_by_heir()
