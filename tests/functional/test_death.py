# SPDX-License-Identifier: Apache-2.0
"""An engine dies at any moment; another one cleans up after it.

Nobody has entrusted us: it may not go on in the tenant's name.
"""

from heat_vcluster import exception
from tests.functional import base, deaths, documents
from tests.functional.deaths import ENOUGH


class DeathTest(deaths.DeathCase):
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
        watcher.engine.attend()
        self.rest(self.cluster, watcher)
        self.assertEqual('CREATING', self.show(self.cluster)['status'])
        self.cloud.faults.clear()
        self.assert_built(documents.SMALL, self.settle(self.cluster))

    def test_one_that_cannot_be_settled_does_not_keep_others_waiting(self):
        self.assertTrue(self.create_and_die(16))
        first, held = self.cluster, {*self.cloud.world.holds}

        def refuse(call):
            if held & {*call.arguments['hold_ids']}:
                raise exception.CloudError('placement', 'away')

        self.assertTrue(self.create_and_die(17))
        self.assertEqual(2, len(self.cloud.world.holds))
        self.cloud.faults.before('release_holds', None, refuse, times=None)
        second, self.cluster = self.cluster, first
        self.assertEqual('CREATING', self.settle_by_heir()['status'])
        self.rest(second, self.heir)
        self.assert_failed(self.show(second), 'vcluster.interrupted')
        self.assertEqual(held, {*self.cloud.world.holds})
        self.cloud.faults.clear()
        self.assert_failed(self.settle_by_heir(), 'vcluster.interrupted')
        self.assertEqual({}, self.cloud.world.holds)
