# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong while things are adopted, they stay what they were.

The stories go through every call and every write, so one that is added later
is covered too.
"""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import adoptions, base, deaths, numbered, upkeep

ENOUGH = 100
REASON = 'the disk of the service is full'


def broken():
    return exception.CloudError('fake', REASON)


class FaultCase(adoptions.AdoptionCase):
    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def every_call(self, begin, judge, least):
        """``begin()`` asks for it and returns a cluster, or None: refused.

        ``judge(view, has_failed)`` tells what must hold once it is over.
        """
        for late in (False, True):
            failures = 0
            for number in range(1, ENOUGH):
                cluster = self.prepare()
                self.cloud.faults.at(
                    number, numbered.raising(broken), late=late
                )
                try:
                    begin(cluster)
                    view = self.settle(cluster)
                    self.rest(cluster)
                except exception.CloudError:
                    view = None
                hit = self.cloud.faults.hit
                self.cloud.faults.cancel()
                failures += judge(view, cluster)
                if hit is None:
                    break
            else:
                self.fail('it has more calls than expected')
            self.assertGreaterEqual(number, least)

    def prepare(self):
        self.count = getattr(self, 'count', 0) + 1
        return f'00000000-0000-0000-0000-{self.count:012}'


class AdoptFaultsTest(FaultCase):
    def test_call_that_fails(self):
        """It is adopted after all, or not at all; then it can be."""
        self.every_call(self.ask, self.judge, least=20)

    def ask(self, cluster):
        self.begin(cluster_id=cluster)

    def judge(self, view, cluster):
        if view is None:  # it was refused at once
            self.assertIsNone(self.show(cluster))
            self.assert_untouched()
            return True
        if view['error_code'] is None:
            self.assert_adopted(view)
            self.service.release(base.ANN, cluster)
            self.assertIsNone(self.settle(cluster))
            self.rest(cluster)
            self.assert_untouched()
            return False
        self.assertEqual('vcluster.cloud_error', view['error_code'])
        self.assertEqual('ERROR', view['status'])
        self.assertIn(REASON, view['status_reason'])
        self.assertEqual([], view['leftovers'])
        self.assert_untouched()
        self.assertIsNone(self.delete(cluster))
        self.assert_untouched()
        return True

    def test_marks_that_cannot_be_taken_off(self):
        """They are told of, and a delete goes on; nothing is removed."""
        self.cloud.faults.fail('locate', member='web', error=broken(), times=1)
        self.cloud.faults.clear()
        self.cloud.faults.fail('tell_domains', error=broken())
        self.cloud.faults.fail('disown', error=broken(), times=None)
        view = self.adopt()
        self.assertEqual('ERROR', view['status'])
        self.assertIn(self.named['db'], view['status_reason'])
        self.assertIn('its members stay', view['status_reason'])
        self.assertEqual(5, len(view['leftovers']))
        self.rest(view['id'])
        again = self.delete(view['id'])
        self.assertEqual(5, len(again['leftovers']))
        self.rest(view['id'])
        self.assertEqual(self.theirs, self.things())
        self.cloud.faults.clear()
        self.assertIsNone(self.delete(view['id']))
        self.assert_untouched()
        self.assert_adopted(self.adopt())

    def test_what_remains_cannot_be_seen(self):
        self.cloud.faults.fail('tell_domains', error=broken())
        self.cloud.faults.after(
            'tell_domains',
            None,
            lambda call: None,
        )
        self.cloud.faults.before('disown', None, self.blind)
        view = self.adopt()
        self.assertEqual('ERROR', view['status'])
        self.assertIn('could not be verified', view['status_reason'])
        self.assert_untouched()
        self.rest(view['id'])
        self.cloud.faults.clear()
        self.assertIsNone(self.delete(view['id']))
        self.assert_untouched()

    def blind(self, call):
        self.cloud.faults.fail('find', error=broken(), times=None)

    def test_a_delete_while_it_is_adopted_removes_nothing(self):
        cluster = self.prepare()

        def give_up(call):
            self.service.delete(base.ANN, cluster)

        for name in ('adopt', 'tell_domains'):
            cluster = self.prepare()
            self.cloud.faults.clear()
            self.cloud.faults.after(name, 'web', give_up)
            self.begin(cluster_id=cluster)
            self.assertIsNone(self.settle(cluster))
            self.rest(cluster)
            self.assert_untouched()

    def test_what_is_changed_meanwhile_is_not_adopted(self):
        def change(call):
            self.cloud.item(self.named['web']).status = 'SHUTOFF'

        # The last call of the look that is the service's own.
        self.cloud.faults.after('snapshot', None, change)
        view = self.adopt()
        self.assert_failed(view, 'vcluster.invalid_document', 'SHUTOFF')
        self.assertEqual(set(), self.marked())


class ReleaseFaultsTest(FaultCase):
    def prepare(self):
        cluster = super().prepare()
        self.assert_adopted(self.adopt(cluster_id=cluster))
        self.rest(cluster)
        return cluster

    def test_call_that_fails(self):
        """One failure is nothing: it is tried again."""
        self.every_call(self.ask, self.judge, least=6)

    def ask(self, cluster):
        self.service.release(base.ANN, cluster)

    def judge(self, view, cluster):
        self.assertIsNone(view)
        self.assert_untouched()
        return False

    def test_a_delete_after_a_release_removes_nothing(self):
        cluster = self.prepare()
        self.cloud.faults.fail('disown', error=broken(), times=None)
        self.ask(cluster)
        view = self.settle(cluster)
        self.assertEqual('ERROR', view['status'])
        self.assertEqual('vcluster.leftovers', view['error_code'])
        self.rest(cluster)
        self.cloud.faults.clear()
        self.assertIsNone(self.delete(cluster))
        self.assert_untouched()


class DeathCase(deaths.DeathCase, adoptions.AdoptionCase):
    trusts = True
    every = 1

    def make_cloud(self):
        return FakeCloud(trusts=self.trusts)

    def every_moment(self, act, judge, every=1):
        """Die after each call, and before each write, or at some of them."""
        for how, first in (('after', 1), ('write', 2)):
            for number in range(first, ENOUGH, every):
                has_died = self.die_once(act, how, number)
                view = self.show(self.cluster)
                if view is not None and view['status'] in upkeep.IN_PROGRESS:
                    view = self.settle_by_heir()
                judge(view)
                if not has_died:
                    self.assertGreater(number, 3)
                    break
            else:
                self.fail('it has more moments than expected')

    def die_once(self, act, how, number):
        self.count = getattr(self, 'count', 0) + 1
        self.cluster = f'00000000-0000-0000-0000-{self.count:012}'
        self.prepare()

        def begin(doomed):
            act(doomed)

        if how == 'write':
            return self.die(begin, ENOUGH * 10, write=(number, 'before'))
        return self.die(begin, number, at=how)

    def prepare(self):
        """Let there be what it takes."""

    def adopt_it(self, doomed):
        self.begin(service=doomed, cluster_id=self.cluster)

    def release_it(self, doomed):
        doomed.release(base.ANN, self.cluster)

    def leave_alone(self, service):
        service.release(base.ANN, self.cluster)
        self.assertIsNone(self.settle(self.cluster, service=service))
        self.rest(self.cluster, service)
        self.assert_untouched()


class AdoptDeathTest(DeathCase):
    def test_an_heir_goes_on(self):
        self.every_moment(self.adopt_it, self.judge, self.every)

    def judge(self, view):
        if view is None:  # it had not been recorded yet
            self.assert_untouched()
            return
        self.assert_adopted(view)
        self.leave_alone(self.heir)


class LonelyAdoptDeathTest(DeathCase):
    """Nobody may go on; what its tenant asks for then takes the marks off."""

    trusts = False
    every = 2

    def test_a_delete_takes_the_marks_off(self):
        self.every_moment(self.adopt_it, self.judge, self.every)

    def judge(self, view):
        self.assertEqual(self.theirs, self.things())
        if view is None:
            self.assert_untouched()
        elif view['status'] == 'ACTIVE':
            self.assert_adopted(view)
            self.leave_alone(self.heir)
        else:
            self.assertEqual('ERROR', view['status'])
            self.assertEqual('vcluster.interrupted', view['error_code'])
            self.assertIn('its members stay', view['status_reason'])
            self.heir.delete(base.ANN, self.cluster)
            self.assertIsNone(self.settle(self.cluster, service=self.heir))
            self.rest(self.cluster, self.heir)
            self.assert_untouched()


class ReleaseDeathTest(DeathCase):
    def prepare(self):
        self.begin(service=self.heir, cluster_id=self.cluster)
        self.assert_adopted(self.settle(self.cluster, service=self.heir))
        self.rest(self.cluster, self.heir)

    def test_an_heir_goes_on(self):
        self.every_moment(self.release_it, self.judge, self.every)

    def judge(self, view):
        if view is not None:
            self.assert_adopted(view)
            self.leave_alone(self.heir)
        self.assert_untouched()


class LonelyReleaseDeathTest(ReleaseDeathTest):
    trusts = False
    every = 2

    def judge(self, view):
        """Asked for, it is never forgotten: a delete removes nothing."""
        if view is not None and view['status'] == 'ERROR':
            self.assertIn('its members stay', view['status_reason'])
            self.heir.delete(base.ANN, self.cluster)
            self.assertIsNone(self.settle(self.cluster, service=self.heir))
            self.rest(self.cluster, self.heir)
            view = None
        super().judge(view)
