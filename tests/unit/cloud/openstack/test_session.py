# SPDX-License-Identifier: Apache-2.0
from unittest import mock

import testtools
from keystoneauth1 import noauth
from keystoneauth1 import session as ks

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import errors, session
from tests.unit.cloud.openstack.wire import HANG_UP, Wire


class ServiceTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.service = self.wire.service()
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(session.time, 'sleep')
        self.sleep = patch.start()
        self.addCleanup(patch.stop)

    def test_busy_service_is_asked_again(self):
        self.wire.answer(
            'POST', '/x', (503, {}), (429, {}), (200, {'id': 'a'})
        )
        self.assertEqual({'id': 'a'}, self.service.post('/x', {}))
        self.assertEqual(3, len(self.wire.seen))
        self.assertEqual(2, self.sleep.call_count)

    def test_service_that_stays_busy_is_given_up(self):
        self.wire.answer('GET', '/x', (503, {}))
        self.assertRaises(errors.Unclear, self.service.get, '/x')
        self.assertEqual(session.ATTEMPTS, len(self.wire.seen))

    def test_reading_survives_a_broken_connection(self):
        self.wire.answer('GET', '/x', HANG_UP, (200, {'id': 'a'}))
        self.assertEqual({'id': 'a'}, self.service.get('/x'))

    def test_creating_is_not_repeated_blindly(self):
        self.wire.answer('POST', '/x', HANG_UP, (200, {'id': 'a'}))
        self.assertRaises(errors.Unclear, self.service.post, '/x', {})
        self.assertEqual(1, len(self.wire.asked('POST', '/x')))

    def test_answer_500_to_a_create_leaves_it_open(self):
        self.wire.answer('POST', '/x', (500, {}))
        self.assertRaises(errors.Unclear, self.service.post, '/x', {})

    def test_nonsense_is_an_error_of_the_service(self):
        self.wire.answer('GET', '/x', (200, '<html>proxy</html>'))
        self.assertRaises(exception.CloudError, self.service.get, '/x')

    def test_gone_already_is_no_error_to_delete(self):
        self.wire.answer('DELETE', '/x/1', (204, None))
        self.assertTrue(self.service.delete('/x/1'))
        self.assertFalse(self.service.delete('/x/2'))

    def test_service_that_is_not_there(self):
        service = self.wire.service()
        service._adapter.endpoint_override = 'http://127.0.0.1:1'
        error = self.assertRaises(errors.Unclear, service.get, '/x')
        self.assertEqual('placement: it does not answer', str(error))

    def test_all_pages_are_read(self):
        more = [{'rel': 'next', 'href': 'http://elsewhere'}]
        self.wire.answer(
            'GET',
            '/servers',
            (200, {'servers': [{'id': '1'}], 'servers_links': more}),
            (200, {'servers': [{'id': '2'}], 'servers_links': more}),
            (200, {'servers': [{'id': '3'}]}),
        )
        items = self.service.pages('/servers', 'servers', name='x')
        self.assertEqual(['1', '2', '3'], [item['id'] for item in items])
        self.assertEqual(
            [
                {'name': ['x']},
                {'name': ['x'], 'marker': ['1']},
                {'name': ['x'], 'marker': ['2']},
            ],
            [query for _, _, query, _ in self.wire.seen],
        )


class TenantSessionTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.ours = ks.Session(auth=noauth.NoAuth(endpoint='http://x'))

    def test_tenant_verifies_as_it_did(self):
        user = ks.Session(
            auth=noauth.NoAuth(endpoint='http://x'), verify='/its/ca.pem'
        )
        made = session.tenant_session(user, self.ours, {})
        self.assertEqual('/its/ca.pem', made.verify)
        self.assertIs(user.auth, made.auth.user_auth)
        self.assertIs(self.ours.auth, made.auth.service_auth)

    def test_connection_is_as_good_as_its_session(self):
        user = ks.Session(auth=noauth.NoAuth(endpoint='http://x'))
        connection = mock.Mock(session=user)
        made = session.tenant_session(connection, self.ours, {})
        self.assertIs(user.auth, made.auth.user_auth)

    def test_context_without_a_session_is_told(self):
        self.assertRaises(
            exception.InvalidConfiguration,
            session.tenant_session,
            None,
            self.ours,
            {},
        )
