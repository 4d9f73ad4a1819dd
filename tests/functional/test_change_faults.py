# SPDX-License-Identifier: Apache-2.0
"""Whatever fails in a change: the old cluster, or the new one, never both.

The stories go through every call of a change, so a call that is added later
is covered too.
"""

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import changed, changes, numbered

Kind = model.Kind
#: More calls than there are in a change, under any order of its threads.
ENOUGH = 200
REASON = 'the disk of the service is full'


def broken():
    return exception.CloudError('fake', REASON)


class FaultCase(changes.ChangeCase):
    """``things`` of ``before`` are what there has to be after a failure."""

    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def setUp(self):
        super().setUp()
        self.cloud.add_security_group('alpha', 'open')
        self.view = self.build(changed.BEFORE)
        self.before = self.things()

    def assert_old(self, view, *words):
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        for word in ('The update failed', *words):
            self.assertIn(word, view['status_reason'])
        self.assertEqual(self.view['members'], view['members'])
        self.assertEqual(self.view['instances'], view['instances'])
        self.assertEqual(self.view['placement'], view['placement'])
        self.assertEqual([], view['leftovers'])
        self.assert_whole(view, 'net', 'data', 'db', 'web', 'extra')
        self.assertEqual(self.before, self.things())

    def assert_new(self, view):
        self.assert_is(view, 'net', 'data', 'more', 'db', 'web')
        self.assertEqual([], self.broken_now(changed.AFTER, view))
        servers = {
            name: self.cloud.item(view['members'][name]['id'])
            for name in ('db', 'web')
        }
        self.assertEqual('medium', servers['db'].flavor.name)
        self.assertEqual(
            {'is': 'new', 'role': 'front'}, servers['web'].asked.metadata
        )
        for server, volume in (('db', 'data'), ('web', 'more')):
            self.assertEqual(
                [view['members'][volume]['id']], [*servers[server].links]
            )

    def go_back(self):
        """Become what there was, in other members."""
        self.cloud.faults.cancel()
        self.view = self.change(self.view['id'], changed.BEFORE)
        self.assert_is(self.view, 'net', 'data', 'db', 'web', 'extra')
        self.before = self.things()


class EveryCallTest(FaultCase):
    """The first, second, ... call of one change goes wrong."""

    def every_call(self, late):
        failures = 0
        for number in range(1, ENOUGH):
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            view = self.change(self.view['id'], changed.AFTER)
            hit = self.cloud.faults.hit
            if view['error_code'] is None:
                self.assert_new(view)
                if hit is None:
                    self.assertGreater(failures, 25)
                    return
                self.go_back()
            else:
                failures += 1
                self.assertEqual('vcluster.cloud_error', view['error_code'])
                self.assert_old(view, REASON)
                self.assertNotIn('~', view['status_reason'])
        self.fail('a change has more calls than expected')

    def test_call_that_fails_without_effect(self):
        self.every_call(late=False)

    def test_call_that_fails_after_its_effect(self):
        self.every_call(late=True)


class EveryCallOfARevertTest(FaultCase):
    """The cloud also refuses while all is set back."""

    def every_call(self, late):
        for number in range(1, ENOUGH):
            self.cloud.faults.clear()
            self.ruin_late(number, late)
            view = self.change(self.view['id'], changed.AFTER)
            self.assert_old(view, REASON)
            if self.cloud.faults.hit is None:
                self.assertGreater(number, 15)
                return
        self.fail('a revert has more calls than expected')

    def test_call_of_a_revert_that_fails_without_effect(self):
        self.every_call(late=False)

    def test_call_of_a_revert_that_fails_after_its_effect(self):
        self.every_call(late=True)

    def ruin_late(self, number, late):
        """Let the last step fail, and the n-th call after that."""

        def fail(call):
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            raise broken()

        self.cloud.faults.before(
            'attach_volume', f'db~{self.next_change()}', fail
        )

    def next_change(self):
        record = self.service._store.get_cluster(self.view['id'])
        return record.changes + 1
