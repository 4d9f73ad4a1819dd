# SPDX-License-Identifier: Apache-2.0
"""Several services on one store: each cluster has one owner at a time."""

import dataclasses
import datetime
import threading
import time
import uuid

import sqlalchemy as sa

from heat_vcluster import db, exception, states
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import world
from heat_vcluster.engine import lease as leases
from tests import base as test_base
from tests.functional import base, documents

Kind = model.Kind


class LeaseTest(base.EngineTest):
    def outlive_lease(self, cluster):
        """Wait until the cluster's first lease would have run out."""
        store = db.Store(self.url)
        self.addCleanup(store.close)
        first = self.until(
            lambda: store.get_cluster(cluster).lease_until, 'a lease'
        )
        self.until(
            lambda: datetime.datetime.now(datetime.UTC) > first, 'the end'
        )

    def take_over(self, cluster):
        """Let somebody else have the cluster from now on; return his lease."""
        store = db.Store(self.url)
        self.addCleanup(store.close)
        with store._database.writing() as connection:
            connection.execute(
                sa.text('UPDATE clusters SET owner = NULL WHERE id = :id'),
                {'id': cluster},
            )
        return store.acquire(cluster, 'somebody', 3600.0)


class TwoServicesTest(LeaseTest):
    """``service`` and ``other`` know of each other by the store alone."""

    def setUp(self):
        super().setUp()
        self.other = self.make_service()

    def begin(self, **options):
        """Let the first service be in the midst of a build."""
        self.cloud.faults.stick(Kind.SERVER, 'web')
        cluster = self.create(documents.SMALL, **options)
        self.until(
            lambda: self.show(cluster)['members']['web']['id'],
            'the last server',
        )
        return cluster

    def test_delete_by_the_other_stops_the_build_first(self):
        cluster = self.begin()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        # The first removal of the rollback: it is not over before that.
        self.cloud.faults.before(
            'delete', None, lambda call: go_on.wait(self.patience)
        )
        self.other.delete(base.ANN, cluster)
        self.assertIn(
            self.show(cluster)['status'], ('CREATING', 'ROLLING_BACK')
        )
        go_on.set()
        self.assertIsNone(self.settle(cluster, service=self.other))
        self.assert_nothing_left()
        told = self.events(cluster)
        self.assertLess(told.index('failed'), told.index('delete'))
        self.assertIn('rollback', told)

    def test_other_is_shown_the_same(self):
        view = self.build(documents.SMALL)
        self.assertEqual(view, self.show(view['id'], service=self.other))
        self.assertEqual(
            self.service.list(base.ANN), self.other.list(base.ANN)
        )

    def test_create_said_to_both_is_one(self):
        cluster = self.begin()
        self.create(documents.SMALL, cluster_id=cluster, service=self.other)
        self.rest(cluster, self.other)
        self.cloud.faults.clear()
        self.assert_built(documents.SMALL, self.settle(cluster))
        self.assertEqual(1, self.events(cluster).count('create'))
        self.assertEqual(1, self.calls()['reserve'])

    def test_watch_of_the_other_leaves_the_living_alone(self):
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, lease_seconds=6.0)
        )
        self.other.engine.watch()
        cluster = self.begin()
        self.outlive_lease(cluster)
        self.assertEqual('CREATING', self.show(cluster)['status'])
        self.cloud.faults.clear()
        self.assert_built(documents.SMALL, self.settle(cluster))

    def test_overruled_owner_touches_nothing_any_more(self):
        """As after a long pause of its machine: somebody took over."""
        cluster = self.begin()
        lease = self.take_over(cluster)
        before = len(self.cloud.calls)
        self.cloud.faults.clear()
        self.rest(cluster)
        names = self.calls(before)
        self.assertNotIn('delete', names)
        self.assertFalse([n for n in names if n.startswith('ensure_')])
        view = self.show(cluster)
        self.assertEqual('CREATING', view['status'])
        self.assertNotEqual('ACTIVE', view['members']['web']['status'])
        self.other._store.surrender(lease)
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()

    def test_overruled_owner_does_not_roll_back_either(self):
        taken = threading.Event()

        def take_over(call):
            self.lease = self.take_over(call.arguments['owner'].cluster_id)
            self.before = len(self.cloud.calls)
            taken.set()

        self.cloud.faults.before('ensure_server', 'db', take_over)
        cluster = self.create(documents.SMALL)
        self.assertTrue(taken.wait(self.patience))
        self.rest(cluster)
        names = self.calls(self.before)
        for name in ('find', 'delete', 'release', 'release_holds'):
            self.assertNotIn(name, names)
        self.assertEqual(1, len(self.cloud.world.holds))
        self.other._store.surrender(self.lease)
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()

    def test_engine_that_goes_down_leaves_an_error(self):
        cluster = self.begin()
        self.service.stop(self.patience)
        view = self.show(cluster, service=self.other)
        self.assert_failed_at(view, 'going down')
        self.assert_nothing_left()

    def assert_failed_at(self, view, word):
        self.assertEqual('ERROR', view['status'])
        self.assertIn(word, view['status_reason'])

    def test_engine_that_goes_down_hands_a_delete_on(self):
        view = self.build(documents.SMALL)
        self.cloud.faults.stick(Kind.SERVER, 'db', phase='deleting')
        self.service.delete(base.ANN, view['id'])
        self.until(lambda: self.calls()['delete'], 'the first removal')
        self.service.stop(self.patience)
        view = self.show(view['id'], service=self.other)
        self.assert_failed_at(view, 'interrupted')
        self.cloud.faults.clear()
        self.other.delete(base.ANN, view['id'])
        self.assertIsNone(self.settle(view['id'], service=self.other))
        self.assert_nothing_left()


class StandstillTest(LeaseTest):
    """An engine stands still right before a call; then it is another's.

    It has passed all checks but that right before the call has its effect.
    """

    BUILDING = (
        'reserve',
        'ensure_network',
        'ensure_subnet',
        'ensure_router',
        'ensure_volume',
        'ensure_port',
        'ensure_server_group',
        'release',
        'ensure_server',
        'attach_volume',
        'ensure_floating_ip',
    )

    def setUp(self):
        super().setUp()
        self.asleep = 0.0
        self.patch(leases, 'now', lambda: time.monotonic() + self.asleep)

    def stand_still_at(self, name):
        self.woken = threading.Event()

        def sleep(call):
            self.lease = self.take_over(self.cluster)
            with self.cloud.world.lock:
                self.asleep += 2 * self.settings.lease_seconds
                self.there = self.what_is_there()
            self.woken.set()

        self.cloud.faults.before(name, None, sleep)

    def what_is_there(self):
        """Return all that a call of ours can change, and no progress."""
        with self.cloud.world.lock:
            return (
                {
                    each.id: (
                        each.state is world.State.DELETING,
                        [*getattr(each, 'links', ())],
                        getattr(each, 'next_status', None),
                    )
                    for each in self.cloud.world.items.values()
                },
                {*self.cloud.world.holds},
            )

    def assert_it_does_nothing(self):
        self.assertTrue(self.woken.wait(self.patience))
        self.rest(self.cluster)
        self.assertEqual(self.there, self.what_is_there())
        self.service._store.surrender(self.lease)
        self.assertIsNone(self.delete(self.cluster))
        self.assert_nothing_left()

    def begin(self):
        self.cluster = str(uuid.uuid4())
        self.create(documents.SMALL, cluster_id=self.cluster)

    def test_it_makes_nothing(self):
        for name in self.BUILDING:
            with self.subTest(name):
                self.stand_still_at(name)
                self.begin()
                self.assert_it_does_nothing()

    def test_it_rolls_nothing_back(self):
        for name in ('delete', 'release'):
            with self.subTest(name):
                self.cloud.faults.fail(
                    'ensure_port', error=exception.CloudError('neutron', 'no')
                )
                self.stand_still_at(name)
                self.begin()
                self.assert_it_does_nothing()

    def test_it_gives_no_plan_back(self):
        self.cluster = str(uuid.uuid4())
        self.service.plan(
            base.ANN, documents.SMALL, hold_seconds=60, plan_id=self.cluster
        )
        self.stand_still_at('release_holds')
        self.service.release_plan(base.ANN, self.cluster)
        self.assertTrue(self.woken.is_set())
        self.assertEqual(self.there, self.what_is_there())
        self.service._store.renew(self.lease, 0.0)
        self.service.engine.attend()
        self.rest(self.cluster)
        self.assert_nothing_left()

    def test_it_deletes_nothing(self):
        self.cluster = self.build(documents.SMALL)['id']
        self.stand_still_at('delete')
        self.service.delete(base.ANN, self.cluster)
        self.assert_it_does_nothing()

    def test_it_stops_nothing(self):
        self.cluster = self.build(documents.SMALL)['id']
        self.stand_still_at('change_power')
        self.service.stop_servers(base.ANN, self.cluster)
        self.assert_it_does_nothing()


class QueueTest(LeaseTest):
    """More clusters than are worked on at once."""

    settings = dataclasses.replace(base.FAST, operations=1, lease_seconds=6.0)

    def setUp(self):
        super().setUp()
        self.cloud.faults.stick(Kind.SERVER, 'first')
        self.first = self.create({'instances': [documents.server('first')]})
        self.until(
            lambda: self.show(self.first)['status'] == 'CREATING', 'the first'
        )
        self.second = self.create({'instances': [documents.server('second')]})

    def test_queued_cluster_is_not_taken_for_interrupted(self):
        other = self.make_service()
        self.outlive_lease(self.second)
        self.assertEqual((), other._store.unattended())
        other.engine.attend()
        self.assertEqual('PLANNING', self.show(self.second)['status'])
        record = other._store.get_cluster(self.second)
        self.assertIsNotNone(record.owner)
        self.cloud.faults.clear()
        self.assertEqual('ACTIVE', self.settle(self.first)['status'])
        self.assertEqual('ACTIVE', self.settle(self.second)['status'])

    def test_queued_cluster_can_be_deleted(self):
        before = len(self.cloud.calls)
        self.assertIsNone(self.delete(self.second))
        self.assertNotIn('resolve', self.calls(before))
        self.assertEqual('CREATING', self.show(self.first)['status'])
        self.assertIsNone(self.delete(self.first))
        self.assert_nothing_left()

    def test_time_runs_in_the_queue_too(self):
        third = self.create(documents.servers(1), timeout=0.3)
        view = self.settle(third)
        self.assert_failed(view, 'vcluster.timed_out', 'run out')
        self.assertIsNone(self.delete(third))


class WatchTest(base.EngineTest):
    """Clusters are looked after by whoever is there."""

    def test_first_look_after_a_restart_is_enough(self):
        cluster = self.build(documents.SMALL)['id']
        self.service.stop(self.patience)
        store = db.Store(self.url)
        self.addCleanup(store.close)
        lease = store.acquire(cluster, 'dead', 0.1)
        store.writer(lease).set_status(states.ClusterStatus.DELETING)
        self.service = self.make_service()
        self.show(cluster)
        error = states.ClusterStatus.ERROR
        self.until(
            lambda: store.get_cluster(cluster).status is error, 'the watch'
        )
        self.assert_failed(self.show(cluster), 'vcluster.interrupted', 'died')
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()


class StopTest(base.EngineTest):
    """A service that is stopped leaves no thread behind."""

    def test_threads_come_late_and_go(self):
        before = set(threading.enumerate())
        service = self.make_service()
        self.assertEqual(set(), set(threading.enumerate()) - before)
        view = self.settle(
            self.create(documents.SMALL, service=service), service=service
        )
        self.assertEqual('ACTIVE', view['status'])
        self.assertNotEqual(set(), set(threading.enumerate()) - before)
        service.stop(self.patience)
        self.until(
            lambda: set(threading.enumerate()) <= before, 'threads to end'
        )

    def test_stopped_service_begins_nothing(self):
        view = self.build(documents.SMALL)
        self.service.stop(self.patience)
        for verb in (
            lambda: self.create(documents.SMALL),
            lambda: self.service.delete(base.ANN, view['id']),
        ):
            self.assertRaises(exception.ClusterBusy, verb)
        (still,) = self.service.list(base.ANN)
        self.assertEqual(
            (view['id'], 'ACTIVE'), (still['id'], still['status'])
        )

    def test_stop_does_not_wait_for_ever(self):
        """What hangs is let go of, for others to settle later."""
        release = threading.Event()
        self.addCleanup(release.set)
        self.cloud.faults.before(
            'ensure_server', None, lambda call: release.wait(2 * self.patience)
        )
        cluster = self.create(documents.SMALL)
        self.until(lambda: self.calls()['ensure_server'], 'the hang')
        self.service.stop(0.3)
        self.assertFalse(release.is_set())
        self.assertNotEqual([], self.service.engine._background.threads())
        self.assertEqual('CREATING', self.show(cluster)['status'])
        calls = len(self.cloud.calls)
        release.set()
        self.rest(cluster)
        self.assertNotIn('delete', self.calls(calls))
        other = self.make_service()
        other.delete(base.ANN, cluster)
        self.assertIsNone(self.settle(cluster, service=other))
        self.assert_nothing_left()


class KeeperTest(test_base.TestCase):
    """The thread that keeps a lease, with a store that plays up."""

    class Store:
        """``trouble``: what a renewal meets, one after the other."""

        def __init__(self, *trouble):
            self.trouble = list(trouble)
            self.has_renewed = threading.Event()

        def is_cancel_requested(self, cluster_id):
            return False

        def renew(self, lease, seconds):
            error = self.trouble.pop(0) if self.trouble else None
            if error is not None:
                raise error
            self.has_renewed.set()

    def keep(self, store, seconds=0.3, age=0.0):
        signal = leases.Signal(float('inf'))
        owned = type('Lease', (), {'cluster_id': 'c' * 8})()
        begun = leases.now() - age
        keeper = leases.Keeper(store, owned, signal, seconds, begun)
        keeper.start()
        self.addCleanup(keeper.end)
        return keeper, signal

    def test_store_that_is_away_for_a_moment_is_asked_again(self):
        store = self.Store(OSError('away'))
        keeper, signal = self.keep(store, 6.0)
        self.assertTrue(store.has_renewed.wait(self.patience))
        self.assertFalse(keeper.is_lost.is_set())
        signal.check()

    def test_store_that_stays_away_means_that_the_lease_is_lost(self):
        keeper, signal = self.keep(self.Store(*[OSError('away')] * 99))
        self.assertTrue(keeper.is_lost.wait(self.patience))
        self.assertRaises(exception.Cancelled, signal.check)
        self.assertIsInstance(signal.reason, exception.LeaseLost)

    def test_nobody_is_asked_of_a_lease_that_is_fresh(self):
        keeper, _ = self.keep(self.Store(OSError('away')), 30.0)
        keeper.check()

    def test_lease_that_is_not_is_renewed_before_anything_is_done(self):
        store = self.Store()
        keeper, _ = self.keep(store, 30.0, age=25.0)
        keeper.check()
        self.assertTrue(store.has_renewed.is_set())

    def test_one_that_was_overruled_does_nothing(self):
        keeper, signal = self.keep(
            self.Store(exception.LeaseLost('gone')), 30.0, age=25.0
        )
        self.assertRaises(exception.LeaseLost, keeper.check)
        self.assertTrue(keeper.is_lost.is_set())
        self.assertEqual('gone', str(signal.reason))

    def test_what_others_are_to_go_on_with_is_ended_in_time(self):
        asleep = [0.0]
        self.patch(leases, 'now', lambda: time.monotonic() + asleep[0])
        keeper, _ = self.keep(self.Store(), 30.0)
        keeper.hand_over()
        asleep[0] = 25.0
        keeper.check()
        asleep[0] = 35.0
        self.assertRaises(exception.LeaseLost, keeper.check)

    def test_renewal_that_took_too_long_is_repeated(self):
        asleep = [0.0]
        self.patch(leases, 'now', lambda: time.monotonic() + asleep[0])
        store = self.Store()
        renew = store.renew

        def slow(*args):
            store.renew = renew
            asleep[0] += 40.0

        store.renew = slow
        keeper, _ = self.keep(store, 30.0, age=25.0)
        keeper.check()
        self.assertTrue(store.has_renewed.is_set())

    def test_lost_lease_is_heard_at_once(self):
        keeper, signal = self.keep(self.Store(exception.LeaseLost('gone')))
        self.assertTrue(keeper.is_lost.wait(self.patience))
        self.assertEqual('gone', str(signal.reason))
