# SPDX-License-Identifier: Apache-2.0
"""One engine at a time may write to a cluster."""

import datetime

from heat_vcluster import exception, states
from heat_vcluster.cloud import model as cloud
from heat_vcluster.db import records
from heat_vcluster.placement import model as placement
from tests.unit.db import base

Cluster = states.ClusterStatus
NO_GRACE = datetime.timedelta(0)
CHANGE = records.ChangeRecord({'instances': []})


class LeaseTest(base.StoreTest):
    def test_second_engine_is_told_that_the_cluster_is_busy(self):
        cluster = self.create()
        self.lease(cluster, 'engine-1', 15)
        self.clock.pass_seconds(14)
        self.assertRaises(
            exception.ClusterBusy, self.lease, cluster, 'engine-2'
        )

    def test_expired_lease_can_be_taken_over(self):
        cluster = self.create()
        old = self.lease(cluster, 'engine-1', 15)
        self.clock.pass_seconds(16)
        new = self.lease(cluster, 'engine-2')
        self.assertGreater(new.fence, old.fence)
        self.assertRaises(exception.LeaseLost, self.store.renew, old, 15)
        self.store.renew(new, 15)

    def test_renewed_lease_lasts(self):
        cluster = self.create()
        lease = self.lease(cluster, 'engine-1', 15)
        self.clock.pass_seconds(14)
        self.store.renew(lease, 15)
        self.clock.pass_seconds(14)
        self.assertRaises(
            exception.ClusterBusy, self.lease, cluster, 'engine-2'
        )

    def test_same_owner_overrules_its_own_earlier_lease(self):
        cluster = self.create()
        old = self.lease(cluster)
        new = self.lease(cluster)
        self.store.writer(new).add_event(None, 'note', 'mine')
        self.assertRaises(
            exception.LeaseLost,
            self.store.writer(old).add_event,
            None,
            'note',
            'late',
        )

    def test_surrendered_cluster_is_free_at_once(self):
        cluster = self.create()
        lease = self.lease(cluster)
        self.store.surrender(lease)
        self.lease(cluster, 'engine-2')

    def test_overruled_surrender_takes_nothing_away(self):
        cluster = self.create()
        old = self.lease(cluster, 'engine-1', 1)
        self.clock.pass_seconds(2)
        new = self.lease(cluster, 'engine-2')
        self.store.surrender(old)
        self.store.renew(new, 15)

    def test_unknown_cluster_cannot_be_leased(self):
        self.assertRaises(
            exception.ClusterNotFound, self.store.acquire, 'none', 'e', 1
        )

    def test_every_write_of_an_overruled_engine_is_refused(self):
        cluster = self.create()
        late = self.store.writer(self.lease(cluster, 'engine-1', 1))
        self.clock.pass_seconds(2)
        self.lease(cluster, 'engine-2')
        before = (
            self.store.get_cluster(cluster.id),
            self.store.get_members(cluster.id),
        )
        hold = cloud.Hold('h', 'a', 'p', {'VCPU': 1})
        writes = {
            'set_status': (Cluster.ERROR,),
            'expire_plan': (),
            'set_plan': (placement.Plan(placement={}),),
            'set_compliance': ({'status': 'COMPLIANT'},),
            'set_deadline': (self.clock.now,),
            'clear_cancel': (),
            'set_domains': ({'rack': {'r': 'rack-1'}},),
            'set_member': ('a', states.MemberStatus.HELD),
            'set_members': ({'a': {'place': 'host-1'}},),
            'tell': ([records.News('a', event=('note', 'late'))],),
            'commit_adoption': ('it is ours',),
            'begin_release': (),
            'add_holds': ([hold],),
            'drop_holds': (['h'],),
            'add_leftover': ('port', 'p', 'a', 'why'),
            'remove_leftover': ('port', 'p'),
            'clear_leftovers': (),
            'add_event': (None, 'note', 'late'),
            'decide_change': (CHANGE, ()),
            'set_change': (CHANGE,),
            'commit_change': (CHANGE, ['a']),
            'end_change': (),
            'set_snapshot': ('s', states.SnapshotStatus.ERROR),
            'drop_snapshot': ('s',),
        }
        public = {n for n in dir(late) if not n.startswith('_')} - {'lease'}
        self.assertEqual(public, set(writes))
        for name, arguments in writes.items():
            self.assertRaises(
                exception.LeaseLost, getattr(late, name), *arguments
            )
        after = (
            self.store.get_cluster(cluster.id),
            self.store.get_members(cluster.id),
        )
        self.assertEqual(before, after)
        self.assertEqual((), self.store.get_events(cluster.id))
        self.assertEqual((), self.store.get_holds(cluster.id))


class UnattendedTest(base.StoreTest):
    def unattended(self, **options):
        return [each.id for each in self.store.unattended(**options)]

    def test_cluster_under_a_living_lease_is_not(self):
        self.lease(self.create(), seconds=15)
        self.clock.pass_seconds(14)
        self.assertEqual([], self.unattended(grace=NO_GRACE))

    def test_cluster_whose_engine_fell_silent_is(self):
        cluster = self.create()
        self.lease(cluster, seconds=15)
        self.clock.pass_seconds(16)
        self.assertEqual([cluster.id], self.unattended())

    def test_cluster_nobody_took_is_given_a_little_time(self):
        cluster = self.create()
        self.assertEqual([], self.unattended())
        self.clock.pass_seconds(31)
        self.assertEqual([cluster.id], self.unattended())

    def test_finished_cluster_is_not(self):
        cluster = self.create()
        lease = self.lease(cluster, seconds=1)
        self.store.writer(lease).set_status(Cluster.ERROR, 'no room')
        self.clock.pass_seconds(60)
        self.assertEqual([], self.unattended())


class IdleHoldsTest(base.StoreTest):
    def setUp(self):
        super().setUp()
        self.cluster = self.create()
        self.its_lease = self.lease(self.cluster, seconds=15)
        writer = self.store.writer(self.its_lease)
        writer.add_holds([cloud.Hold('h', 'a', 'host', {'VCPU': 1})])
        writer.set_status(Cluster.ERROR, 'its hold could not be given back')

    def test_they_are_left_to_an_engine_that_lives(self):
        self.clock.pass_seconds(14)
        self.assertEqual((), self.store.with_idle_holds())

    def test_they_are_found_once_it_has_let_go(self):
        self.store.surrender(self.its_lease)
        self.assertEqual((self.cluster.id,), self.store.with_idle_holds())

    def test_they_are_found_if_it_died_before_that(self):
        self.clock.pass_seconds(16)
        self.assertEqual((self.cluster.id,), self.store.with_idle_holds())
