# SPDX-License-Identifier: Apache-2.0
"""What nova is told of a server; attaching, where it is at something else."""

from unittest import mock

import testtools

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    compute,
    errors,
    made,
    pace,
    session,
)
from heat_vcluster.spec import model as spec
from tests.unit.cloud.openstack.wire import HANG_UP, Wire

PATH = '/servers/s/os-volume_attachments'
NONE = (200, {'volumeAttachments': []})
ATTACHED = (200, {'volumeAttachments': [{'volumeId': 'v'}]})
BUSY = (409, {'conflictingRequest': {'code': 409, 'message': 'task_state'}})


class CreateTest(testtools.TestCase):
    def test_a_server_is_told_where_it_is_and_whose_it_is(self):
        wire = Wire(self)
        wire.answer('POST', '/servers', (202, {'server': {'id': 's'}}))
        nova = compute.Compute(
            wire.service(session.COMPUTE),
            made.Made(lambda kind, cluster: (), 1.0),
            errors.Secrets(),
        )
        nova.ensure(
            model.Owner('c', 'db-0'),
            model.ServerRequest(
                'shop-db-0',
                spec.ServerSpec('f', image='i', metadata={'role': 'db'}),
                'compute-17',
                'f-id',
                (),
                image_id='i-id',
                domains={'rack': 'rack-2', 'host': 'host-3'},
            ),
        )
        (body,) = wire.asked('POST', '/servers')
        self.assertEqual(
            {
                'role': 'db',
                'vcluster:rack': 'rack-2',
                'vcluster:host': 'host-3',
                'vcluster_id': 'c',
                'vcluster_member': 'db-0',
            },
            body['server']['metadata'],
        )
        self.assertEqual('compute-17', body['server']['hypervisor_hostname'])


class StateTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.compute = compute.Compute(
            self.wire.service(session.COMPUTE),
            made.Made(lambda kind, cluster: (), 1.0),
            errors.Secrets(),
        )
        self.wire.answer('GET', '/servers/detail', (200, {'servers': []}))
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def answer(self, *servers):
        answers = [(200, {'server': server}) for server in servers]
        self.wire.answer('GET', '/servers/s', *answers)

    def test_the_fault_may_come_after_the_status(self):
        told = {'status': 'ERROR', 'fault': {'message': compute.NO_HOST}}
        self.answer({'status': 'ERROR'}, {'status': 'ERROR'}, told)
        state = self.compute.state('s')
        self.assertEqual(model.Progress.FAILED, state.progress)
        self.assertTrue(state.no_valid_host)

    def test_one_that_has_none_has_failed_all_the_same(self):
        self.answer({'status': 'ERROR'})
        state = self.compute.state('s')
        self.assertEqual(model.Progress.FAILED, state.progress)
        self.assertFalse(state.no_valid_host)
        self.assertEqual('the server failed', state.reason)


class PowerTest(testtools.TestCase):
    ACTION = '/servers/s/action'

    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.compute = compute.Compute(
            self.wire.service(session.COMPUTE),
            made.Made(lambda kind, cluster: (), 1.0),
            errors.Secrets(),
        )
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def see(self, *states):
        answers = [
            (200, {'server': {'status': status, compute.TASK: task}})
            for status, task in states
        ]
        self.wire.answer('GET', '/servers/s', *answers)

    def stop(self):
        self.compute.change_power('s', model.Power.STOP)

    def asked(self):
        return len(self.wire.asked('POST', self.ACTION))

    def test_lost_answer_is_looked_up(self):
        self.see(('ACTIVE', None), ('ACTIVE', 'powering-off'))
        self.wire.answer('POST', self.ACTION, HANG_UP)
        self.stop()
        self.assertEqual(1, self.asked())

    def test_lost_request_is_sent_again(self):
        self.see(('ACTIVE', None))
        self.wire.answer('POST', self.ACTION, (502, {}), (202, None))
        self.stop()
        self.assertEqual(2, self.asked())

    def test_request_that_was_under_way_all_the_time_is_waited_for(self):
        self.see(('ACTIVE', None), ('ACTIVE', None), ('SHUTOFF', None))
        self.wire.answer('POST', self.ACTION, (504, {}), BUSY)
        self.stop()
        self.assertEqual(2, self.asked())

    def test_server_at_something_else_is_waited_for(self):
        self.see(('ACTIVE', 'rebooting'), ('ACTIVE', None))
        self.wire.answer('POST', self.ACTION, BUSY, (202, None))
        self.stop()
        self.assertEqual(2, self.asked())

    def test_one_that_is_at_nothing_and_refuses_is_told(self):
        self.see(('PAUSED', None))
        self.wire.answer('POST', self.ACTION, BUSY)
        self.assertRaises(errors.Conflict, self.stop)
        self.assertEqual(1, self.asked())


class DeleteTest(testtools.TestCase):
    """Nova may keep servers for a while (``reclaim_instance_interval``)."""

    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.compute = compute.Compute(
            self.wire.service(session.COMPUTE),
            made.Made(lambda kind, cluster: (), 1.0),
            errors.Secrets(),
        )
        self.wire.answer('DELETE', '/servers/s', (204, None))

    def see(self, status):
        self.wire.answer('GET', '/servers/s', (200, {'server': status}))

    def changes(self):
        return [
            (method, body)
            for method, _, _, body in self.wire.seen
            if method != 'GET'
        ]

    def test_one_that_is_there_is_deleted(self):
        self.see({'status': 'ACTIVE'})
        self.compute.delete('s')
        self.assertEqual([('DELETE', None)], self.changes())

    def test_one_that_is_kept_is_deleted_for_good(self):
        self.see({'status': 'SOFT_DELETED'})
        self.wire.answer('POST', '/servers/s/action', (202, None))
        self.compute.delete('s')
        self.assertEqual([('POST', {'forceDelete': None})], self.changes())

    def test_one_that_is_reclaimed_just_now_is_no_error(self):
        self.see({'status': 'SOFT_DELETED'})
        self.compute.delete('s')
        self.assertEqual([('POST', {'forceDelete': None})], self.changes())

    def test_one_that_is_gone_is_no_error(self):
        self.compute.delete('s')


class AttachTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        service = self.wire.service(session.COMPUTE)
        self.compute = compute.Compute(
            service, made.Made(lambda kind, cluster: (), 1.0), errors.Secrets()
        )
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def attach(self):
        self.compute.attach('s', 'v', None)

    def asked(self):
        return len(self.wire.asked('POST', PATH))

    def test_server_at_something_else_is_waited_for(self):
        self.wire.answer('GET', PATH, NONE)
        self.wire.answer('POST', PATH, BUSY, BUSY, (200, {}))
        self.attach()
        self.assertEqual(3, self.asked())

    def test_server_that_stays_busy_is_told(self):
        self.wire.answer('GET', PATH, NONE)
        self.wire.answer('POST', PATH, BUSY)
        self.assertRaises(errors.Conflict, self.attach)

    def test_lost_answer_is_looked_up(self):
        self.wire.answer('GET', PATH, NONE, ATTACHED)
        self.wire.answer('POST', PATH, HANG_UP)
        self.attach()
        self.assertEqual(1, self.asked())

    def test_lost_request_is_sent_again(self):
        self.wire.answer('GET', PATH, NONE)
        self.wire.answer('POST', PATH, (502, {}), (200, {}))
        self.attach()
        self.assertEqual(2, self.asked())

    def test_attached_already_is_not_asked_for(self):
        self.wire.answer('GET', PATH, ATTACHED)
        self.attach()
        self.assertEqual(0, self.asked())

    def test_detaching_waits_for_the_server_too(self):
        self.wire.answer('DELETE', f'{PATH}/v', BUSY, (202, None))
        self.compute.detach('s', 'v')
        self.assertEqual(2, len(self.wire.seen))

    def test_detached_already_is_no_error(self):
        self.wire.answer('DELETE', f'{PATH}/v', (404, {}))
        self.compute.detach('s', 'v')
