# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent import futures
from unittest import mock

import testtools
from keystoneauth1 import access, noauth
from keystoneauth1 import session as ks
from keystoneauth1.identity import access as identity
from keystoneauth1.identity import v3
from testtools import matchers

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import errors, pace, session, settings
from tests.unit.cloud.openstack.wire import HANG_UP, Wire


class ServiceTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.service = self.wire.service()
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(pace.time, 'sleep')
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
        self.assertRaises(errors.Unavailable, self.service.get, '/x')
        waited = sum(call.args[0] for call in self.sleep.call_args_list)
        allowed = settings.Settings().retry_seconds
        self.assertThat(waited, matchers.LessThan(allowed))
        self.assertThat(waited, matchers.GreaterThan(allowed / 2))

    def test_service_that_names_a_time_is_left_alone_until_then(self):
        later = {'Retry-After': '7'}
        self.wire.answer('POST', '/x', (429, {}, later), (200, {'id': 'a'}))
        self.service.post('/x', {})
        (waited,) = self.sleep.call_args.args
        self.assertThat(waited, matchers.GreaterThan(7))
        self.assertThat(waited, matchers.LessThan(8))

    def test_service_that_names_a_time_too_far_off_has_failed(self):
        later = {'Retry-After': '3600'}
        self.wire.answer('POST', '/x', (503, {}, later))
        self.assertRaises(errors.Unavailable, self.service.post, '/x', {})
        self.assertEqual(1, len(self.wire.seen))
        self.sleep.assert_not_called()

    def test_what_may_be_repeated_is_asked_again_after_a_failure(self):
        for status in (500, 502, 504):
            self.wire.answer('PUT', '/x', (status, {}), (200, {'id': 'a'}))
            self.assertEqual({'id': 'a'}, self.service.put('/x', {}))

    def test_refusals_are_final(self):
        for status in (400, 403, 404, 409):
            self.wire.answer('GET', f'/{status}', (status, {}))
            self.assertRaises(
                exception.CloudError, self.service.get, f'/{status}'
            )
        self.assertEqual(4, len(self.wire.seen))

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

    def test_who_is_guarded_is_asked_before_each_change(self):
        """Also where it is repeated: meanwhile he may have lost the right."""
        answers = [None, exception.LeaseLost('gone')]

        def check():
            answer = answers.pop(0)
            if answer is not None:
                raise answer

        guarded = self.service.guarded(check)
        self.wire.answer('POST', '/x', (503, {}))
        self.wire.answer('GET', '/x', (503, {}), (200, {'id': 'a'}))
        self.assertEqual({'id': 'a'}, guarded.get('/x'))
        self.assertEqual(2, len(answers))
        self.assertRaises(exception.LeaseLost, guarded.post, '/x', {})
        self.assertEqual([], answers)
        self.assertEqual(1, len(self.wire.asked('POST', '/x')))
        self.assertRaises(errors.Unavailable, self.service.post, '/x', {})

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


class TurnsTest(testtools.TestCase):
    def test_all_tenants_together_press_a_service_no_harder(self):
        wire = Wire(self)
        wire.answer('GET', '/x', (200, {}))
        crowd = threading.Barrier(2)
        # More than two at once would break it, fewer would hang.
        wire.gate = lambda: crowd.wait(60)
        turns = pace.Turns({'placement': 2})
        tenants = [wire.service(turns=turns) for _ in range(3)]
        with futures.ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(one.get, '/x') for one in 2 * tenants]
        self.assertEqual([{}] * 6, [each.result() for each in asked])
        self.assertEqual(2, wire.most_at_once)

    def test_services_do_not_wait_for_each_other(self):
        turns = pace.Turns({'nova': 1, 'placement': 1})
        with turns.turn('nova'), turns.turn('placement'):
            pass

    def test_who_waits_to_ask_again_keeps_nobody(self):
        wire = Wire(self)
        wire.answer('GET', '/x', (503, {}), (200, {}))
        wire.answer('GET', '/y', (200, {'id': 'y'}))
        service = wire.service(turns=pace.Turns({'placement': 1}))
        found = []

        def meanwhile(seconds):
            found.append(service.get('/y'))

        with mock.patch.object(pace.time, 'sleep', meanwhile):
            service.get('/x')
        self.assertEqual([{'id': 'y'}], found)


class IdentityTroubleTest(testtools.TestCase):
    """A service is well, but no token is to be had for it."""

    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        account = v3.Password(
            f'{self.wire.url}/v3', user_id='u', password='p', project_id='p'
        )
        self.service = session.Service(
            session.PLACEMENT,
            ks.Session(auth=account),
            settings.Settings(),
            errors.Secrets(),
        )
        self.service._adapter.endpoint_override = self.wire.url
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def test_token_that_comes_late_lets_even_a_create_go_on(self):
        token = {'token': {'methods': [], 'expires_at': '2999-01-01T00:00Z'}}
        self.wire.answer(
            'POST',
            '/v3/auth/tokens',
            (503, {}),
            (500, {}),
            (201, token, {'X-Subject-Token': 't'}),
        )
        self.wire.answer('POST', '/x', (200, {'id': 'a'}))
        self.assertEqual({'id': 'a'}, self.service.post('/x', {}))
        self.assertEqual(1, len(self.wire.asked('POST', '/x')))

    def test_refused_account_is_refused_at_once(self):
        self.wire.answer('POST', '/v3/auth/tokens', (401, {}))
        self.assertRaises(
            exception.CloudForbidden, self.service.post, '/x', {}
        )
        self.assertEqual(1, len(self.wire.seen))


class DiscoveryTest(testtools.TestCase):
    """The catalog has the address of neutron, without a version."""

    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        endpoint = {'interface': 'public', 'url': self.wire.url}
        token = access.create(
            body={
                'token': {
                    'methods': [],
                    'expires_at': '2999-01-01T00:00:00.000000Z',
                    'project': {'id': 'p', 'domain': {'id': 'd'}},
                    'catalog': [
                        {'type': 'network', 'id': 'n', 'endpoints': [endpoint]}
                    ],
                }
            },
            auth_token='token',
        )
        self.session = ks.Session(auth=identity.AccessInfoPlugin(token))
        version = {
            'id': 'v2.0',
            'status': 'CURRENT',
            'links': [{'rel': 'self', 'href': f'{self.wire.url}/v2.0/'}],
        }
        self.versions = (200, {'versions': [version]})
        patch = mock.patch.object(pace.time, 'sleep')
        self.sleep = patch.start()
        self.addCleanup(patch.stop)

    def service(self, api=session.NETWORK):
        return session.Service(
            api, self.session, settings.Settings(), errors.Secrets()
        )

    def test_service_silent_about_its_versions_has_lost_nothing(self):
        self.wire.answer('GET', '/', (503, {}), HANG_UP, self.versions)
        self.wire.answer('GET', '/v2.0/networks/n', (200, {'network': {}}))
        self.assertEqual({'network': {}}, self.service().get('/networks/n'))

    def test_service_that_stays_silent_is_not_found_empty(self):
        self.wire.answer('GET', '/', (503, {}))
        self.assertRaises(
            errors.Unavailable, self.service().get, '/networks/n'
        )

    def test_service_that_no_catalog_has_is_not_waited_for(self):
        self.assertRaises(
            exception.CloudError, self.service(session.VOLUME).get, '/volumes'
        )
        self.sleep.assert_not_called()


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
