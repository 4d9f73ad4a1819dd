# SPDX-License-Identifier: Apache-2.0
"""The moment between hold and claim: what is lost in it, and what is kept."""

import dataclasses
import threading

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.placement import model as placement
from tests.functional import base, documents

Kind = model.Kind


#: Two that are taken first, and one that is smaller than they are.
TRIO = tuple(
    placement.Host(
        name,
        {},
        {'VCPU': free, 'MEMORY_MB': 64000, 'DISK_GB': 900},
        {'VCPU': free, 'MEMORY_MB': 64000, 'DISK_GB': 900},
    )
    for name, free in (('h-1', 15), ('h-2', 15), ('h-3', 8))
)


class WindowTest(base.EngineTest):
    def use_one_window(self):
        """Let no other member be between hold and claim."""
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, handover_windows=1)
        )


class HandoverTest(WindowTest):
    """Four servers apart by host, on racks of two hosts each."""

    document = documents.servers(
        4,
        documents.APART,
        documents.group('spread', 'm', scope='rack', max_per_domain=1),
    )

    def make_cloud(self):
        return FakeCloud(racks=5, hosts_per_rack=2)

    def host_of(self, call):
        return call.arguments['wanted'].host

    def steal(self, call):
        """A rival fills the host for which a server is being asked."""
        self.cloud.fill_host(self.host_of(call))

    def held(self):
        return {hold.member for hold in self.cloud.world.holds.values()}

    def test_lost_member_is_placed_again_while_all_others_stay_held(self):
        self.use_one_window()
        seen = {}

        def before_move(call):
            self.steal(call)
            seen['host'] = self.host_of(call)

        def at_reservation(call):
            (hold,) = call.arguments['holds']
            seen['moved'] = hold.member
            seen['held'] = self.held()
            seen['built'] = {
                name: host
                for name, host in self.cloud.places(self.cluster).items()
                if name != 'm-2'
            }

        self.cloud.faults.before('ensure_server', 'm-2', before_move)
        self.cloud.faults.after('reserve', None, self.order(at_reservation))
        self.cluster = self.create(self.document)
        view = self.settle(self.cluster)
        self.assert_built(self.document, view)
        self.assertEqual('m-2', seen['moved'])
        self.assertNotEqual(
            seen['host'], self.cloud.places(self.cluster)['m-2']
        )
        self.assertEqual(
            {'m-0', 'm-1', 'm-2', 'm-3'}, seen['held'] | {*seen['built']}
        )
        self.assertIn('m-2', seen['held'])
        self.assertEqual(
            seen['built'],
            {
                name: self.cloud.places(self.cluster)[name]
                for name in seen['built']
            },
        )
        told = self.events(self.cluster, 'm-2')
        self.assertLess(told.index('space_lost'), told.index('moved'))
        self.assertLess(told.index('moved'), told.index('server'))
        self.assertNotIn('moved', self.events(self.cluster, 'm-1'))

    def order(self, action):
        """Let an action wait for the second reservation: the first is that
        of the whole cluster.
        """

        def second(call):
            self.cloud.faults.after('reserve', None, action)

        return second

    def test_others_are_held_with_one_window_until_their_turn(self):
        self.use_one_window()
        seen = []

        def count(call):
            seen.append(len(self.held()))

        self.cloud.faults.before('ensure_server', None, count, times=None)
        self.assert_built(self.document, self.build(self.document))
        self.assertEqual([3, 2, 1, 0], seen)

    def test_windows_are_few_over_all_clusters(self):
        open_now, most = set(), []

        def opens(call):
            open_now.add(frozenset(call.arguments['hold_ids']))
            most.append(len(open_now))

        def closes(call):
            open_now.pop()

        self.cloud.faults.after('release', None, opens, times=None)
        claimed = self.cloud.world.claim_polls
        self.assertEqual(1, claimed)
        # The second look of each server is that which finds it claimed.
        looks = {}

        def look(call):
            server = call.arguments['server_id']
            looks[server] = looks.get(server, 0) + 1
            if looks[server] == claimed + 1:
                closes(call)

        self.cloud.faults.before('is_claimed', None, look, times=None)
        clusters = [self.create(documents.servers(6)) for _ in range(3)]
        for cluster in clusters:
            self.assertEqual('ACTIVE', self.settle(cluster)['status'])
        self.assertEqual(18, len(most))
        self.assertLessEqual(max(most), self.settings.handover_windows)

    def test_host_that_is_disabled_after_the_plan_is_left(self):
        def disable(call):
            for hold in call.arguments['holds']:
                if hold.member in ('m-1', 'm-3'):
                    self.cloud.disable_host(hold.place)

        self.cloud.faults.after('reserve', None, disable)
        view = self.build(self.document)
        self.assert_built(self.document, view)
        for host in self.cloud.places(view['id']).values():
            self.assertTrue(self.cloud.world.hosts[host].is_enabled)

    def test_place_that_was_refused_is_not_tried_again(self):
        """However free it looks: nova knows better, and does not say why."""
        asked = []

        def disable(call):
            asked.append(self.host_of(call))
            self.cloud.disable_host(asked[-1])

        def enable(call):
            for host in asked:
                self.cloud.enable_host(host)

        self.cloud.faults.before('ensure_server', 'm-0', disable, times=3)
        self.cloud.faults.before('snapshot', None, enable, times=None)
        document = documents.servers(1)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual(3, len({*asked}), asked)
        self.assertNotIn(self.cloud.places(view['id'])['m-0'], asked)

    def test_several_members_lose_their_places_at_once(self):
        self.cloud.faults.before('ensure_server', None, self.steal, times=3)
        view = self.build(self.document)
        self.assert_built(self.document, view)
        told = self.events(view['id'])
        self.assertEqual(3, told.count('space_lost'))
        self.assertEqual(3, told.count('moved'))

    def test_lost_member_does_not_take_the_room_of_a_peer(self):
        """The peer's looks free, just then: its hold is given up already,
        and the server that is to have it has not claimed it yet.
        """
        self.cloud = FakeCloud(hosts=TRIO, pools=(), levels=())
        self.service = self.make_service()
        document = documents.servers(2, flavor='c8')
        moved = threading.Event()
        waiting = threading.Event()

        def dawdle(call):
            waiting.set()
            moved.wait(0.3)

        def steal(call):
            waiting.wait(self.patience)
            self.cloud.fill_host(self.host_of(call))

        def see_move(call):
            if len(call.arguments['holds']) == 1:
                moved.set()

        self.cloud.faults.before('ensure_server', 'm-0', steal)
        self.cloud.faults.before('is_claimed', 'm-1', dawdle, times=2)
        self.cloud.faults.after('reserve', None, see_move, times=None)
        view = self.build(document)
        self.assert_built(document, view)
        told = self.events(view['id'])
        self.assertEqual(1, told.count('space_lost'))
        self.assertEqual(1, told.count('moved'))

    def test_place_is_lost_again_and_again_and_found_at_last(self):
        self.cloud.faults.before('ensure_server', 'm-0', self.steal, times=3)
        document = documents.servers(1)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual(3, self.events(view['id']).count('moved'))
        asked = [
            self.host_of(call)
            for call in self.cloud.calls
            if call.name == 'ensure_server'
        ]
        self.assertEqual(4, len({*asked}), asked)

    def test_place_is_lost_too_often(self):
        self.cloud.faults.before(
            'ensure_server', 'm-0', self.steal, times=None
        )
        view = self.build(documents.servers(1))
        self.assert_failed(
            view, 'vcluster.member_failed', 'member m-0', 'taken', '4 times'
        )
        self.assert_nothing_left()
        told = self.events(view['id'])
        self.assertEqual(4, told.count('space_lost'))
        self.assertEqual(3, told.count('moved'))

    def test_lost_member_has_no_other_place(self):
        everywhere = documents.servers(
            10, documents.group('anti-affinity', 'm', scope='host')
        )
        self.cloud.faults.before('ensure_server', 'm-7', self.steal)
        view = self.build(everywhere)
        self.assert_failed(
            view,
            'vcluster.no_valid_placement',
            'member m-7',
            'No placement obeys these rules',
        )
        self.assert_nothing_left()
        self.assertIsNone(self.delete(view['id']))

    def test_every_other_place_is_taken_before_it_is_held(self):
        def lose_all(call):
            self.steal(call)
            self.cloud.faults.lose_reservations(times=None)

        self.cloud.faults.before('ensure_server', 'm-0', lose_all)
        view = self.build(documents.servers(1))
        self.assert_failed(
            view, 'vcluster.reservation_conflict', 'member m-0', 'taken'
        )
        self.assert_nothing_left()
        attempts = self.settings.replan_attempts + 1
        self.assertEqual(1 + attempts, self.calls()['reserve'])

    def test_server_without_a_place_that_will_not_go(self):
        """It is not left beside the one that is built in its stead."""
        self.cloud.faults.before('ensure_server', 'm-0', self.steal)
        self.cloud.faults.refuse_delete(
            Kind.SERVER,
            error=exception.CloudForbidden('nova', 'not today'),
            times=1,
        )
        view = self.build(documents.servers(1))
        self.assert_failed(
            view, 'vcluster.member_failed', 'member m-0', 'not today'
        )
        self.assert_nothing_left()

    def test_failure_of_another_kind_is_not_tried_elsewhere(self):
        self.cloud.faults.ruin(Kind.SERVER, 'm-1', reason='kernel panic')
        view = self.build(self.document)
        self.assert_failed(view, 'vcluster.member_failed', 'kernel panic')
        self.assertNotIn('moved', self.events(view['id']))
        self.assertNotIn('space_lost', self.events(view['id']))


class ReservationTest(WindowTest):
    """Others are quicker than the hold."""

    document = documents.servers(3, documents.APART)

    def test_plan_is_made_again_on_fresh_capacity(self):
        taken = []

        def fill(call):
            hosts = {hold.place for hold in call.arguments['holds']}
            taken.extend(hosts)
            for host in hosts:
                self.cloud.fill_host(host)

        self.cloud.faults.before('reserve', None, fill, times=2)
        view = self.build(self.document)
        self.assert_built(self.document, view)
        used = {*self.cloud.places(view['id']).values()}
        self.assertEqual(set(), used & {*taken})
        self.assertEqual(2, self.events(view['id']).count('replanned'))
        self.assertEqual(3, self.calls()['snapshot'])

    def test_reservation_is_lost_a_bounded_number_of_times(self):
        self.cloud.faults.lose_reservations(times=None)
        view = self.build(self.document)
        self.assert_failed(view, 'vcluster.reservation_conflict', '6 times')
        self.assertEqual(6, self.calls()['reserve'])
        self.assertEqual(6, self.calls()['snapshot'])
        self.assertNotIn('ensure_server', self.calls())
        self.assertIsNone(self.delete(view['id']))

    def test_rivals_take_all_there_is(self):
        def fill_all(call):
            for host in self.cloud.world.hosts:
                self.cloud.fill_host(host)

        self.cloud.faults.before('reserve', None, fill_all)
        view = self.build(self.document)
        self.assert_failed(view, 'vcluster.no_valid_placement')
        self.assertEqual(1, self.calls()['reserve'])
        self.assert_nothing_left()

    def compete(self):
        """Let four clusters want room for two; return how many got it.

        No more do than there is room for, and no half ones.
        """
        document = documents.servers(3, documents.APART, flavor='large')
        clusters = [self.create(document) for _ in range(4)]
        views = [self.settle(cluster) for cluster in clusters]
        won = [view for view in views if view['status'] == 'ACTIVE']
        for view in won:
            self.assertEqual([], self.broken(document, view['id']))
        # Three servers each, and the server group of their rule.
        self.assertEqual(4 * len(won), len(self.cloud.leftovers()))
        for view in views:
            if view['status'] == 'ERROR':
                self.assertIn(
                    view['error_code'],
                    (
                        'vcluster.no_valid_placement',
                        'vcluster.reservation_conflict',
                    ),
                )
        return len(won)

    def make_room_for_two(self):
        self.cloud = FakeCloud(racks=1, hosts_per_rack=3, zones=1, vcpus=8)

    def test_clusters_compete_for_the_last_room(self):
        """As many are built as there is room for."""
        self.make_room_for_two()
        self.use_one_window()
        self.assertEqual(2, self.compete())

    def test_with_windows_open_at_once_a_third_may_take_the_room_of_two(self):
        """Between release and claim it can get what both just let go of."""
        self.make_room_for_two()
        self.service = self.make_service()
        self.assertIn(self.compete(), (1, 2))
