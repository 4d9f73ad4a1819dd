# SPDX-License-Identifier: Apache-2.0
"""Trusts, with a keystone that answers as the test tells it to."""

from unittest import mock

import fixtures
import testtools
from keystoneauth1 import access, noauth
from keystoneauth1 import session as ks
from keystoneauth1.identity import access as identity

from heat_vcluster import conf, context, exception
from heat_vcluster.cloud.openstack import OpenStackOpener, pace
from tests.unit.cloud.openstack.wire import HANG_UP, Wire

TRUSTS = '/v3/OS-TRUST/trusts'
TOKENS = '/v3/auth/tokens'
GONE = (404, {'error': {'code': 404, 'message': 'no such trust'}})
REFUSED = (401, {'error': {'code': 401, 'message': 'not authenticated'}})
TRUST = {'id': 'trust', 'project_id': 'project', 'trustor_user_id': 'user'}

CONFIG = """
[service_auth]
auth_type = {auth_type}
auth_url = {url}/v3
username = vcluster
password = secret
application_credential_id = ours
application_credential_secret = secret
user_domain_id = default
project_name = service
project_domain_id = default
[trust]
enabled = {enabled}
"""


class TrustsTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.keystone = Wire(self)
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def opener(self, auth_type='v3password', enabled=True):
        folder = self.useFixture(fixtures.TempDir())
        path = folder.join('vcluster.conf')
        with open(path, 'w') as file:
            file.write(
                CONFIG.format(
                    url=self.keystone.url,
                    auth_type=auth_type,
                    enabled=enabled,
                )
            )
        return OpenStackOpener.from_config(conf.load(config_files=[path]))

    def token(self, user='vcluster-id', project='service-id', **more):
        endpoint = {
            'interface': 'public',
            'region_id': 'R',
            'url': f'{self.keystone.url}/v3',
        }
        return {
            'token': {
                'methods': ['password'],
                'expires_at': '2999-01-01T00:00:00.000000Z',
                'user': {'id': user, 'name': user, 'domain': {'id': 'd'}},
                'project': {'id': project, 'domain': {'id': 'd'}},
                'roles': [{'id': 'member-id', 'name': 'member'}],
                'catalog': [
                    {'type': 'identity', 'id': 'k', 'endpoints': [endpoint]}
                ],
                **more,
            }
        }

    def know(self, *answers):
        """Let keystone tell its version, and answer who asks for tokens."""
        version = {
            'id': 'v3.14',
            'status': 'stable',
            'links': [{'rel': 'self', 'href': f'{self.keystone.url}/v3'}],
        }
        self.keystone.answer('GET', '/v3', (200, {'version': version}))
        self.keystone.answer('GET', '/v3/', (200, {'version': version}))
        self.keystone.answer('POST', TOKENS, *answers)

    def issued(self, **token):
        return 201, self.token(**token), {'X-Subject-Token': 'a-token'}


class EntrustTest(TrustsTestCase):
    def setUp(self):
        super().setUp()
        self.know(self.issued())

    def user(self, **token):
        found = access.create(
            body=self.token(user='user', project='project', **token),
            auth_token='users-token',
        )
        session = ks.Session(auth=identity.AccessInfoPlugin(found))
        return context.Context('project', 'user', session)

    def test_user_trusts_us_with_what_his_token_is_good_for(self):
        self.keystone.answer('POST', TRUSTS, (201, {'trust': TRUST}))
        self.assertEqual('trust', self.opener().entrust(self.user()))
        (body,) = self.keystone.asked('POST', TRUSTS)
        self.assertEqual(
            {
                'trustor_user_id': 'user',
                'trustee_user_id': 'vcluster-id',
                'project_id': 'project',
                'roles': [{'id': 'member-id'}],
                'impersonation': True,
                'allow_redelegation': False,
            },
            body['trust'],
        )

    def test_credentials_that_may_not_have_no_trust(self):
        self.keystone.answer('POST', TRUSTS, (403, {}))
        self.assertIsNone(self.opener().entrust(self.user()))

    def test_token_of_a_trust_is_not_tried(self):
        user = self.user(**{'OS-TRUST:trust': {'id': 'another'}})
        self.assertIsNone(self.opener().entrust(user))
        self.assertEqual([], self.keystone.asked('POST', TRUSTS))

    def test_token_of_another_project_is_not_used(self):
        user = context.Context('elsewhere', 'user', self.user().auth)
        self.assertIsNone(self.opener().entrust(user))
        self.assertEqual([], self.keystone.asked('POST', TRUSTS))

    def test_session_that_tells_nothing_of_its_user(self):
        session = ks.Session(auth=noauth.NoAuth())
        user = context.Context('project', 'user', session)
        self.assertIsNone(self.opener().entrust(user))

    def test_operator_wants_none(self):
        self.assertIsNone(self.opener(enabled=False).entrust(self.user()))
        self.assertEqual([], self.keystone.seen)

    def test_account_that_cannot_act_by_trusts(self):
        opener = self.opener(auth_type='v3applicationcredential')
        self.assertIsNone(opener.entrust(self.user()))

    def test_keystone_that_does_not_answer_is_an_error(self):
        self.keystone.answer('POST', TRUSTS, HANG_UP)
        self.assertRaises(
            exception.CloudError, self.opener().entrust, self.user()
        )


class TrustedTest(TrustsTestCase):
    def trusted(self):
        return self.opener().trusted('project', 'user', 'trust')

    def asked_for(self):
        bodies = self.keystone.asked('POST', TOKENS)
        return [body['auth'].get('scope') for body in bodies]

    def test_token_is_asked_for_by_the_trust_alone(self):
        self.know(self.issued(user='user', project='project'))
        self.keystone.answer('GET', f'{TRUSTS}/trust', (200, {'trust': TRUST}))
        found = self.trusted()
        self.assertEqual(
            ('project', 'user'), (found.project_id, found.user_id)
        )
        self.assertEqual('a-token', found.auth.get_token())
        self.assertEqual(
            [{'OS-TRUST:trust': {'id': 'trust'}}], self.asked_for()
        )

    def test_trust_whose_user_is_gone_is_lost(self):
        self.know(REFUSED, self.issued())
        self.assertRaises(exception.TrustLost, self.trusted)
        self.assertEqual(
            [{'OS-TRUST:trust': {'id': 'trust'}}, None], self.asked_for()
        )

    def test_disabled_user_may_not_be_acted_for(self):
        self.know((403, {}), self.issued())
        self.assertRaises(exception.TrustLost, self.trusted)

    def test_trust_that_was_deleted_just_now_is_lost(self):
        self.know(self.issued())
        self.keystone.answer('GET', f'{TRUSTS}/trust', GONE)
        self.assertRaises(exception.TrustLost, self.trusted)

    def test_trust_of_another_user_is_none(self):
        self.know(self.issued())
        other = {**TRUST, 'trustor_user_id': 'somebody'}
        self.keystone.answer('GET', f'{TRUSTS}/trust', (200, {'trust': other}))
        self.assertRaises(exception.TrustLost, self.trusted)

    def test_our_own_wrong_password_loses_no_trust(self):
        self.know(REFUSED)
        error = self.assertRaises(exception.CloudError, self.trusted)
        self.assertNotIn('secret', str(error))

    def test_keystone_that_is_away_loses_no_trust(self):
        self.know((503, {}))
        self.assertRaises(exception.CloudError, self.trusted)

    def test_keystone_that_stumbles_is_asked_again(self):
        self.know((500, {}), HANG_UP, self.issued())
        self.keystone.answer(
            'GET', f'{TRUSTS}/trust', (502, {}), (200, {'trust': TRUST})
        )
        self.assertEqual('user', self.trusted().user_id)

    def test_nothing_secret_is_shown(self):
        self.know(self.issued())
        self.keystone.answer('GET', f'{TRUSTS}/trust', (200, {'trust': TRUST}))
        opener = self.opener()
        shown = repr(opener.trusted('project', 'user', 'trust'))
        self.assertNotIn('secret', shown + repr(vars(opener._trusts)))


class EndTest(TrustsTestCase):
    def test_it_is_ended_as_the_user_who_made_it(self):
        self.know(self.issued(user='user', project='project'))
        self.keystone.answer('DELETE', f'{TRUSTS}/trust', (204, None))
        self.opener().end_trust('trust')
        (scope,) = [
            body['auth']['scope']
            for body in self.keystone.asked('POST', TOKENS)
        ]
        self.assertEqual({'OS-TRUST:trust': {'id': 'trust'}}, scope)
        self.assertEqual(
            1, len(self.keystone.asked('DELETE', f'{TRUSTS}/trust'))
        )

    def test_gone_already_is_fine(self):
        self.know(REFUSED)
        self.opener().end_trust('trust')

    def test_keystone_that_is_away_is_borne(self):
        self.know(HANG_UP)
        self.opener().end_trust('trust')
