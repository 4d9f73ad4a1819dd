# SPDX-License-Identifier: Apache-2.0
"""An engine dies at a change: before the new cluster is, it is the old one.

Wherever it dies: before every call to the cloud, and before every write of
the record. There is no other moment.
"""

import contextlib

from heat_vcluster import exception
from heat_vcluster.cloud.fake import CloudDeath, FakeCloud, world
from heat_vcluster.engine import change
from tests.functional import (
    base,
    changed,
    changes,
    deaths,
    documents,
    upkeep,
)

#: More calls, or writes, than there are in a change.
ENOUGH = 200


class ChangeDeathCase(deaths.DeathCase, changes.ChangeCase):
    """Whoever lives on is entrusted, and goes on with the change."""

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def setUp(self):
        super().setUp()
        self.cloud.add_security_group('alpha', 'open')
        self.cluster = self.build(changed.BEFORE)['id']
        self.rest(self.cluster)

    def update(self, doomed):
        with contextlib.suppress(exception.NotChangeable):
            doomed.update(base.ANN, self.cluster, document=self.wanted)

    @property
    def wanted(self):
        """What it is not now: it goes back and forth."""
        names = {i['name'] for i in self.show(self.cluster)['instances']}
        return changed.BEFORE if 'more' in names else changed.AFTER

    def settle_change(self):
        """Let the heir do what is due; the cluster is whole then."""
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        view = self.show(self.cluster)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assert_whole(view)
        return view

    def assert_goes_on(self, wanted):
        """What was begun is complete in the end: nothing has failed."""
        view = self.settle_change()
        self.assertIsNone(view['status_reason'])
        self.assertEqual(
            {i['name'] for i in wanted['instances']}, {*view['members']}
        )
        self.assertEqual([], self.broken_now(wanted, view))


class EveryCallTest(ChangeDeathCase):
    def test_before_a_call(self):
        for number in range(1, ENOUGH):
            wanted = self.wanted
            has_died = self.die(self.update, number)
            self.assert_goes_on(wanted)
            if not has_died:
                self.assertGreater(number, 35)
                return
        self.fail('a change has more calls than expected')


class EveryCallOfARevertTest(ChangeDeathCase):
    """The last step fails; whoever dies of what follows, all is as it was."""

    def test_before_a_call(self):
        before = self.show(self.cluster)
        things = self.things()
        first = self.calls_until_failure()
        for number in range(first + 1, ENOUGH):
            self.refuse_last_step()
            has_died = self.die(self.update, number)
            view = self.settle_change()
            self.assertEqual('vcluster.cloud_error', view['error_code'])
            self.assertEqual(before['members'], view['members'])
            self.assertEqual(before['instances'], view['instances'])
            self.assertEqual(things, self.things())
            if not has_died:
                self.assertGreater(number, first + 8)
                return
        self.fail('a revert has more calls than expected')

    def calls_until_failure(self):
        since = len(self.cloud.calls)
        last = self.refuse_last_step()
        self.change(self.cluster, self.wanted)
        (failing,) = (
            number
            for number, call in enumerate(self.cloud.calls[since:], 1)
            if call.name == 'attach_volume' and last in call.members
        )
        return failing

    def refuse_last_step(self):
        """Let the new ``db`` never get its volume; return its name."""
        record = self.service._store.get_cluster(self.cluster)
        last = f'db~{record.changes + 1}'
        self.cloud.faults.clear()
        self.cloud.faults.fail(
            'attach_volume', member=last, error=upkeep.REFUSAL, times=None
        )
        return last


class StoppedHeirTest(ChangeDeathCase):
    """Who finds a change half done is asked at once to take it back."""

    def test_all_that_the_dead_one_made_is_taken_back(self):
        view = self.show(self.cluster)
        things = self.things()
        self.assertTrue(
            self.die(self.update, 1, name='attach_volume', at='after')
        )
        self.assertNotEqual(things, self.things())
        self.service.update(base.ANN, self.cluster, document=changed.BEFORE)
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        after = self.show(self.cluster)
        self.assertEqual('vcluster.cancelled', after['error_code'])
        self.assertEqual(view['members'], after['members'])
        self.assertEqual(things, self.things())
        self.assert_whole(after)

    def test_nobody_may_act_any_more(self):
        """Nothing was touched yet, so nothing is wrong with the cluster."""
        view = self.show(self.cluster)
        self.assertTrue(self.die(self.update, 1))
        self.cloud.revoke_trusts()
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        after = self.show(self.cluster)
        self.assertEqual('ACTIVE', after['status'])
        self.assertEqual('vcluster.trust_lost', after['error_code'])
        self.assertEqual(view['members'], after['members'])


class ServerGroupTest(deaths.DeathCase, changes.ChangeCase):
    """A rule changes under its name: what held the old one goes, anyhow."""

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def document(self, **spec):
        rule = documents.group('spread', 'm', scope='host', **spec)
        return changes.counted(3, rule)

    def update(self, doomed):
        wanted = self.document(max_per_domain=2)
        doomed.update(base.ANN, self.cluster, document=wanted)

    def test_whenever_an_engine_dies(self):
        for number in range(1, ENOUGH):
            view = self.build(self.document(max_per_domain=1))
            self.cluster = view['id']
            self.assertTrue(view['server_groups'][0]['held'])
            self.rest(self.cluster)
            has_died = self.die(self.update, ENOUGH, write=(number, 'after'))
            self.heir.engine.attend()
            self.rest(self.cluster, self.heir)
            after = self.show(self.cluster)
            self.assert_is(after, *view['members'])
            self.assertEqual([], [*self.cloud.world.of(world.ServerGroup)])
            (told,) = after['server_groups']
            self.assertEqual(change.OUTDATED, told['why'])
            self.delete_by_heir()
            if not has_died:
                self.assertGreater(number, 6)
                return
        self.fail('a change has more writes than expected')


class EveryWriteTest(ChangeDeathCase):
    def test_before_a_write(self):
        for number in range(1, ENOUGH):
            wanted = self.wanted
            has_died = self.die_at_write(number)
            self.assert_goes_on(wanted)
            if not has_died:
                self.assertGreater(number, 30)
                return
        self.fail('a change has more writes than expected')

    def die_at_write(self, number):
        store, doomed = self.life(write=(number, 'before'))
        with contextlib.suppress(CloudDeath):
            self.update(doomed)
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
