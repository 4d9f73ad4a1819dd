# SPDX-License-Identifier: Apache-2.0
"""An engine dies at any moment; by a trust another one goes on for it."""

import collections

from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, deaths, documents
from tests.functional.deaths import ENOUGH


class ResumeTest(deaths.DeathCase):
    def make_cloud(self):
        return FakeCloud(trusts=True)

    def assert_complete(self, view):
        """It is ACTIVE, whole, and nothing is there twice."""
        self.assert_built(documents.SMALL, view)
        made = collections.Counter(
            (thing.kind, thing.owner)
            for thing in self.cloud.open(base.ANN).find(self.cluster)
        )
        self.assertEqual({1}, set(made.values()), made)
        self.assertEqual(9, len(made))
        self.assertEqual(1, len(self.cloud.world.trusts))

    def every_call_of_a_create(self, at):
        # The first call is for the trust: nothing is on record before it.
        for number in range(2, ENOUGH):
            has_died = self.create_and_die(number, at=at)
            view = self.settle_by_heir()
            self.assert_complete(view)
            told = self.events(self.cluster, None)
            self.assertEqual(1, told.count('active'))
            if not has_died:
                self.assertGreater(number, 25)
                return
            self.delete_by_heir()
        self.fail('a build has more calls than expected')

    def test_death_before_any_call_of_a_create(self):
        self.every_call_of_a_create('before')

    def test_death_after_any_call_of_a_create(self):
        self.every_call_of_a_create('after')

    def test_death_in_a_delete(self):
        for number in range(1, ENOUGH):
            self.cluster = self.create(documents.SMALL)
            self.settle(self.cluster)
            has_died = self.die(
                lambda doomed: doomed.delete(base.ANN, self.cluster), number
            )
            self.assertIsNone(self.settle_by_heir())
            self.assert_nothing_left()
            if not has_died:
                self.assertGreater(number, 15)
                return
        self.fail('a delete has more calls than expected')

    def test_death_in_a_rollback(self):
        for number in range(1, ENOUGH, 2):
            self.cloud.faults.ruin(model.Kind.SERVER, 'web')
            self.cloud.faults.before(
                'find',
                None,
                lambda call, n=number: self.cloud.faults.crash_at(n),
            )
            has_died = self.create_and_die(1000 + number)
            self.cloud.faults.clear()
            view = self.settle_by_heir()
            self.assert_failed(view, 'vcluster.member_failed', 'member web')
            self.assertEqual(
                {'DELETED'}, {m['status'] for m in view['members'].values()}
            )
            (left,) = self.cloud.leftovers()
            self.assertEqual([left], [*self.cloud.world.trusts])
            self.delete_by_heir()
            if not has_died:
                self.assertGreater(number, 15)
                return
        self.fail('a rollback has more calls than expected')
