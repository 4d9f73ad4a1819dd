# SPDX-License-Identifier: Apache-2.0
"""Whatever fails while servers are resized: all of them are, or none is."""

import contextlib

from heat_vcluster import exception
from heat_vcluster.cloud.fake import CloudDeath, FakeCloud
from tests.functional import base, changes, deaths, documents, numbered

APART = documents.group('anti-affinity', 'm', scope='rack')
#: More calls, or writes, than there are in such a change.
ENOUGH = 150
REASON = 'the disk of the service is full'


def definition(flavor, size=1):
    """Two servers, of which one has a volume that may only grow."""
    return {
        'instances': [
            {'name': 'data', 'type': 'volume', 'spec': {'size': size}},
            documents.server(
                'm', count=2, flavor=flavor, metadata={'is': flavor}
            ),
            documents.server('db', flavor='small', volumes=['data']),
        ],
        'groups': [APART],
    }


def broken():
    return exception.CloudError('fake', REASON)


class ResizedCase(changes.ChangeCase):
    """``wide`` and ``small`` have disks of one size: it goes both ways."""

    def begin(self):
        self.cloud.add_flavor('wide', vcpus=2, ram_mb=1024, disk_gb=1)
        self.cloud.add_flavor('narrow', vcpus=1, ram_mb=512, disk_gb=1)
        self.view = self.build(definition('narrow'))
        self.before = self.things()

    def assert_resized(self, view, flavor):
        self.assertEqual(self.ids(self.view), self.ids(view))
        for name in ('m-0', 'm-1'):
            server = self.cloud.item(view['members'][name]['id'])
            self.assertEqual(flavor, server.flavor.name)
            self.assertEqual({'is': flavor}, server.asked.metadata)
            self.assertEqual('ACTIVE', server.status)
            self.assertIsNone(server.before)
        self.assertEqual([], self.broken_now(definition(flavor), view))
        for row in self.service._store.get_members(view['id']):
            self.assertFalse({'resize', 'changed'} & {*row.facts})


class EveryCallTest(ResizedCase):
    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def setUp(self):
        super().setUp()
        self.begin()
        self.flavors = ['narrow', 'wide']

    def every_call(self, late):
        failures = 0
        for number in range(1, ENOUGH):
            old, new = self.flavors
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            view = self.change(self.view['id'], definition(new))
            if view['error_code'] is None:
                self.assert_whole(view)
                self.assert_resized(view, new)
                if self.cloud.faults.hit is None:
                    self.assertGreater(failures, 15)
                    return
                self.flavors.reverse()
                self.before = self.things()
            else:
                failures += 1
                self.assertIn(REASON, view['status_reason'])
                self.assert_old(view, old)
        self.fail('a change has more calls than expected')

    def assert_old(self, view, flavor):
        self.assert_whole(view)
        self.assert_resized(view, flavor)
        self.assertEqual(self.before, self.things())

    def test_call_that_fails_without_effect(self):
        self.every_call(late=False)

    def test_call_that_fails_after_its_effect(self):
        self.every_call(late=True)

    def test_call_of_a_revert_that_fails(self):
        for number in range(1, ENOUGH):
            self.cloud.faults.clear()
            self.ruin_late(number)
            view = self.change(self.view['id'], definition('wide', size=2))
            self.assertIn(REASON, view['status_reason'])
            self.assert_old(view, 'narrow')
            if self.cloud.faults.hit is None:
                self.assertGreater(number, 10)
                return
        self.fail('a revert has more calls than expected')

    def ruin_late(self, number):
        """Let the very last step fail, and the n-th call after that."""

        def fail(call):
            late = number % 2 == 1
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            raise broken()

        self.cloud.faults.before('extend_volume', None, fail)


class DeathTest(deaths.DeathCase, ResizedCase):
    """Whoever lives on is entrusted, and goes on with the resizes."""

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def setUp(self):
        super().setUp()
        self.begin()
        self.cluster = self.view['id']
        self.rest(self.cluster)

    def now(self):
        spec = self.show(self.cluster)['instances'][1]['spec']
        return spec['flavor']

    def update(self, doomed):
        with contextlib.suppress(exception.NotChangeable):
            doomed.update(
                base.ANN, self.cluster, document=definition(self.other)
            )

    def assert_goes_on(self):
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        view = self.show(self.cluster)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertIsNone(view['status_reason'])
        self.assert_whole(view)
        self.assert_resized(view, self.now())

    def every(self, die):
        for number in range(1, ENOUGH):
            self.other = 'wide' if self.now() == 'narrow' else 'narrow'
            has_died = die(number)
            self.assert_goes_on()
            if not has_died:
                self.assertGreater(number, 20)
                return
        self.fail('a change has more of them than expected')

    def test_before_a_call(self):
        self.every(lambda number: self.die(self.update, number))

    def test_after_a_write(self):
        self.every(self.die_after_a_write)

    def die_after_a_write(self, number):
        store, doomed = self.life(write=(number, 'after'))
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

    def test_who_is_asked_to_stop_gives_the_old_flavors_back(self):
        self.other = 'wide'
        self.assertTrue(self.die(self.update, 2, name='resize', at='after'))
        self.service.update(
            base.ANN, self.cluster, document=definition('narrow')
        )
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        view = self.show(self.cluster)
        self.assertEqual('vcluster.cancelled', view['error_code'])
        self.assert_resized(view, 'narrow')
        self.assertEqual(self.before, self.things())
