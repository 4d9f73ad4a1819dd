# SPDX-License-Identifier: Apache-2.0
"""What is asked of a volume twice: it is under way, or an answer got lost."""

import types
from unittest import mock

import testtools

from heat_vcluster import context
from heat_vcluster.cloud.openstack import (
    cloud,
    errors,
    pace,
    session,
    settings,
)
from tests.unit.cloud.openstack.wire import HANG_UP, Wire

ATTACHMENT = '/servers/s/os-volume_attachments/v'
ACTION = '/volumes/v/action'
REFUSED = (400, {'badRequest': {'code': 400, 'message': 'status'}})


class VolumeTest(testtools.TestCase):
    """Of a size of 1, in use by the server s."""

    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        one = self.wire.service(session.VOLUME)
        self.cloud = cloud.OpenStackCloud(
            types.SimpleNamespace(
                options=settings.Settings(), secrets=errors.Secrets()
            ),
            session.Services(one, one, one, one, one, one),
            context.Context('alpha', 'ann'),
        )
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def see(self, *states, server='s'):
        """Let it have a (status, size), one after the other."""
        answers = [
            (
                200,
                {
                    'volume': {
                        'status': status,
                        'size': size,
                        'attachments': [{'server_id': server}],
                    }
                },
            )
            for status, size in states
        ]
        self.wire.answer('GET', '/volumes/v', *answers)


class DetachTest(VolumeTest):
    def detach(self):
        self.cloud.detach_volume('s', 'v')

    def test_one_that_is_on_its_way_is_no_error(self):
        self.wire.answer('DELETE', ATTACHMENT, REFUSED)
        self.see(('detaching', 1))
        self.detach()

    def test_one_that_is_off_by_now_is_no_error(self):
        self.wire.answer('DELETE', ATTACHMENT, REFUSED)
        self.see(('in-use', 1), server='another')
        self.detach()

    def test_refusal_of_another_kind_is_told(self):
        self.wire.answer('DELETE', ATTACHMENT, REFUSED)
        self.see(('in-use', 1))
        self.assertRaises(errors.Refused, self.detach)

    def test_nothing_is_looked_at_without_need(self):
        self.wire.answer('DELETE', ATTACHMENT, (202, None))
        self.detach()
        self.assertEqual(1, len(self.wire.seen))


class ExtendTest(VolumeTest):
    def extend(self):
        self.cloud.extend_volume('v', 2)

    def asked(self):
        return self.wire.asked('POST', ACTION)

    def test_it_is_asked_for(self):
        self.see(('available', 1))
        self.wire.answer('POST', ACTION, (202, None))
        self.extend()
        self.assertEqual([{'os-extend': {'new_size': 2}}], self.asked())

    def test_one_that_is_as_large_is_not_asked_for(self):
        self.see(('available', 2))
        self.extend()
        self.assertEqual([], self.asked())

    def test_one_that_is_on_its_way_is_not_asked_for_again(self):
        self.see(('extending', 1))
        self.extend()
        self.assertEqual([], self.asked())

    def test_lost_answer_is_looked_up(self):
        self.see(('in-use', 1), ('extending', 1))
        self.wire.answer('POST', ACTION, HANG_UP)
        self.extend()
        self.assertEqual(1, len(self.asked()))

    def test_lost_request_is_sent_again(self):
        self.see(('in-use', 1))
        self.wire.answer('POST', ACTION, (502, {}), (202, None))
        self.extend()
        self.assertEqual(2, len(self.asked()))

    def test_refusal_is_told(self):
        self.see(('error_extending', 1))
        self.wire.answer('POST', ACTION, REFUSED)
        self.assertRaises(errors.Refused, self.extend)
