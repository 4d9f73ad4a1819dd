# SPDX-License-Identifier: Apache-2.0
"""An engine dies at any moment; another one cleans up after it."""

import contextlib
import dataclasses
import datetime
import threading

from heat_vcluster import db, exception, planner, service
from heat_vcluster.cloud.fake import CloudDeath
from heat_vcluster.placement import joint
from tests.functional import base, documents, mortal

ENOUGH = 60
HOUR = datetime.timedelta(hours=1)


def later():
    """The time at which every lease of now has run out."""
    return datetime.datetime.now(datetime.UTC) + HOUR


class DeathTest(base.EngineTest):
    """``heir`` lives an hour later, on the same store as those that die."""

    # Nobody settles anything but by order: to the clock of the heir even
    # the living would look dead.
    settings = dataclasses.replace(base.FAST, watch_interval=3600.0)

    def setUp(self):
        super().setUp()
        self.heir = self.assemble(db.Store(self.url, clock=later))
        self.addCleanup(self.heir.stop, 5.0)
        self.silence_deaths()

    def silence_deaths(self):
        """Threads that die of a CloudDeath are what is asked for here."""
        before = threading.excepthook

        def hook(args):
            if args.exc_type is not CloudDeath:
                before(args)

        threading.excepthook = hook
        self.addCleanup(setattr, threading, 'excepthook', before)

    def assemble(self, store):
        return service.Service(
            store,
            self.cloud,
            planner.Planner(joint.JointSolver()),
            self.settings,
        )

    def life(self):
        """Begin a process that the fake cloud can kill."""
        store = mortal.MortalStore(self.url, self.cloud.faults)
        return store, self.assemble(store)

    def bury(self, store, dead):
        """Make sure that nothing of a dead process moves any more."""
        store.bury()
        dead.engine._stopping.set()
        for signal in list(dead.engine._signals.values()):
            signal.stop(exception.Cancelled('dead'))
        self.rest(self.cluster, dead)
        if dead.engine._pool is not None:
            dead.engine._pool.shutdown(wait=False)
        self.cloud.faults.revive()

    def die(self, act, number, at='before', name=None):
        """Let ``act(service)`` meet its death; tell whether it did."""
        store, doomed = self.life()
        self.cloud.faults.crash_at(number, name, at=at)
        with contextlib.suppress(CloudDeath):
            act(doomed)
        self.until(
            lambda: (
                self.cloud.faults.is_dead
                or not doomed.engine._background.threads()
            ),
            'death, or the end of the work',
        )
        has_died = self.cloud.faults.is_dead
        self.bury(store, doomed)
        return has_died

    def create_and_die(self, number, **options):
        self.cluster = f'00000000-0000-0000-0000-{number:012}'

        def act(doomed):
            doomed.create(base.ANN, documents.SMALL, cluster_id=self.cluster)

        return self.die(act, number, **options)

    def settle_by_heir(self):
        self.heir.engine.settle_interrupted()
        return self.show(self.cluster)

    def delete_by_heir(self):
        self.heir.delete(base.ANN, self.cluster)
        self.assertIsNone(self.settle(self.cluster, service=self.heir))
        self.assert_nothing_left()

    def every_call_of_a_create(self, at):
        for number in range(1, ENOUGH):
            has_died = self.create_and_die(number, at=at)
            view = self.settle_by_heir()
            if not has_died:
                self.assertEqual('ACTIVE', view['status'])
                self.assertGreater(number, 25)
                return
            self.assert_failed(view, 'vcluster.interrupted', 'died', 'delete')
            self.assertEqual({}, self.cloud.world.holds)
            statuses = {m['status'] for m in view['members'].values()}
            self.assertLessEqual(statuses, {'ACTIVE', 'ERROR', 'DELETED'})
            self.assertEqual('interrupted', self.events(self.cluster)[-1])
            self.delete_by_heir()
        self.fail('a build has more calls than expected')

    def test_death_before_any_call_of_a_create(self):
        self.every_call_of_a_create('before')

    def test_death_after_any_call_of_a_create(self):
        self.every_call_of_a_create('after')

    def test_delete_does_not_wait_for_the_watch(self):
        self.assertTrue(self.create_and_die(20))
        self.assertIn(self.show(self.cluster)['status'], 'CREATING')
        self.delete_by_heir()

    def test_death_in_a_delete(self):
        for number in range(1, ENOUGH, 2):
            self.cluster = self.create(documents.SMALL)
            self.settle(self.cluster)
            has_died = self.die(
                lambda doomed: doomed.delete(base.ANN, self.cluster), number
            )
            if not has_died:
                self.assertIsNone(self.show(self.cluster))
                self.assertGreater(number, 15)
                return
            self.assertEqual('DELETING', self.show(self.cluster)['status'])
            view = self.settle_by_heir()
            self.assert_failed(view, 'vcluster.interrupted', 'delete')
            self.delete_by_heir()
        self.fail('a delete has more calls than expected')

    def test_death_in_a_rollback(self):
        for number in range(1, ENOUGH, 3):
            self.cloud.faults.ruin('server', 'web')
            self.cloud.faults.before(
                'find',
                None,
                lambda call, n=number: self.cloud.faults.crash_at(n),
            )
            has_died = self.create_and_die(1000 + number)
            self.cloud.faults.clear()
            view = self.settle_by_heir()
            self.assertEqual('ERROR', view['status'])
            self.assertEqual({}, self.cloud.world.holds)
            self.delete_by_heir()
            if not has_died:
                self.assertGreater(number, 15)
                return
        self.fail('a rollback has more calls than expected')

    def test_the_living_are_left_alone(self):
        """A lease that still runs is no death, whatever the watch sees."""
        self.cloud.faults.stick('server', 'web')
        self.cluster = self.create(documents.SMALL)
        self.until(
            lambda: 'building' in repr(self.cloud.leftovers()), 'the server'
        )
        watcher = self.make_service()
        watcher.engine.settle_interrupted()
        self.assertEqual('CREATING', self.show(self.cluster)['status'])
        self.cloud.faults.clear()
        self.assert_built(documents.SMALL, self.settle(self.cluster))

    def test_one_that_cannot_be_settled_does_not_keep_others_waiting(self):
        self.assertTrue(self.create_and_die(16))
        first = self.cluster
        self.assertTrue(self.create_and_die(17))
        self.assertEqual(2, len(self.cloud.world.holds))
        self.cloud.faults.fail(
            'release_holds',
            error=exception.CloudError('placement', 'away'),
            times=3,
        )
        self.heir.engine.settle_interrupted()
        self.assertEqual('CREATING', self.show(first)['status'])
        self.assert_failed(self.show(self.cluster), 'vcluster.interrupted')
        self.assertEqual(1, len(self.cloud.world.holds))
        self.heir.engine.settle_interrupted()
        self.assert_failed(self.show(first), 'vcluster.interrupted')
        self.assertEqual({}, self.cloud.world.holds)
