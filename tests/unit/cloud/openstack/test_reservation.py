# SPDX-License-Identifier: Apache-2.0
from unittest import mock

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import errors, reservation
from tests.unit.cloud.openstack.wire import HANG_UP, Wire

TENANT = reservation.Tenant('project', 'user')
HELD = (200, {'allocations': {'p': {'resources': {'VCPU': 1}}}})
NOTHING = (200, {'allocations': {}})


def refusal(text, code='placement.undefined_code'):
    return 409, {'errors': [{'status': 409, 'detail': text, 'code': code}]}


RACE = refusal(
    'Inventory and/or allocations changed while attempting to allocate',
    reservation.CONCURRENT,
)
EXISTS = refusal(
    'consumer generation conflict - expected 3 but got None',
    reservation.CONCURRENT,
)
FULL = refusal(
    'Unable to allocate inventory: Unable to create allocation for VCPU'
)


class ReserveTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.service = self.wire.service()
        patch = mock.patch.object(reservation.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def reserve(self, *ids, chunk=100):
        reservation.reserve(
            self.service, TENANT, {i: {'p': {'VCPU': 1}} for i in ids}, chunk
        )

    def posts(self):
        return [set(body) for body in self.wire.asked('POST', '/allocations')]

    def released(self):
        return {s[1] for s in self.wire.seen if s[0] == 'DELETE'}

    def test_all_members_go_in_one_request(self):
        self.wire.answer('POST', '/allocations', (204, None))
        self.reserve('a', 'b')
        (body,) = self.wire.asked('POST', '/allocations')
        self.assertEqual(
            {
                'allocations': {'p': {'resources': {'VCPU': 1}}},
                'project_id': 'project',
                'user_id': 'user',
                'consumer_generation': None,
                'consumer_type': 'VCLUSTER_HOLD',
            },
            body['a'],
        )
        self.assertEqual({'a', 'b'}, set(body))

    def test_race_is_run_again(self):
        self.wire.answer('POST', '/allocations', RACE, RACE, (204, None))
        self.reserve('a')
        self.assertEqual([{'a'}] * 3, self.posts())

    def test_endless_race_is_a_conflict(self):
        self.wire.answer('POST', '/allocations', RACE)
        self.assertRaises(exception.ReservationConflict, self.reserve, 'a')
        self.assertEqual(reservation.RACES, len(self.posts()))

    def test_no_room_is_final(self):
        self.wire.answer('POST', '/allocations', FULL)
        error = self.assertRaises(
            exception.ReservationConflict, self.reserve, 'a'
        )
        self.assertNotIn('VCPU', str(error))
        self.assertEqual(1, len(self.posts()))

    def test_hold_that_is_there_is_not_taken_twice(self):
        self.wire.answer('POST', '/allocations', EXISTS, (204, None))
        self.wire.answer('GET', '/allocations/a', HELD)
        self.wire.answer('GET', '/allocations/b', NOTHING)
        self.reserve('a', 'b')
        self.assertEqual([{'a', 'b'}, {'b'}], self.posts())

    def test_lost_answer_is_looked_up(self):
        self.wire.answer('POST', '/allocations', HANG_UP)
        self.wire.answer('GET', '/allocations/a', HELD)
        self.reserve('a')
        self.assertEqual(1, len(self.posts()))

    def test_chunk_that_fails_undoes_those_before(self):
        self.wire.answer('POST', '/allocations', (204, None), FULL)
        self.assertRaises(
            exception.ReservationConflict, self.reserve, *'abc', chunk=2
        )
        self.assertEqual({f'/allocations/{i}' for i in 'abc'}, self.released())

    def test_misuse_is_no_conflict(self):
        self.wire.answer('POST', '/allocations', (400, {'errors': []}))
        self.assertRaises(errors.Refused, self.reserve, 'a')


class ReleaseTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        patch = mock.patch.object(reservation.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def test_unknown_holds_are_no_error(self):
        reservation.release(self.wire.service(), ['a'])
        self.assertEqual(1, len(self.wire.seen))

    def test_one_that_fails_does_not_keep_the_others(self):
        self.wire.answer('DELETE', '/allocations/a', (403, {}))
        self.wire.answer('DELETE', '/allocations/b', RACE, (204, None))
        self.assertRaises(
            exception.CloudForbidden,
            reservation.release,
            self.wire.service(),
            ['a', 'b'],
        )
        self.assertEqual(2, len(self.wire.asked('DELETE', '/allocations/b')))
