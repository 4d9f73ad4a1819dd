# SPDX-License-Identifier: Apache-2.0
"""The API knows who asks by keystone's own middleware and a keystone."""

import logging
import pathlib

import fixtures

from heat_vcluster import conf as configuration
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import api, documents, keystone

COMPUTE = 'http://compute.test/v2.1'
FILE = """
[api]
validate_responses = true
[keystone_authtoken]
www_authenticate_uri = {url}
auth_type = password
auth_url = {url}
username = vcluster
password = a-secret
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
[service_auth]
timeout = 41
"""


class WatchedCloud(FakeCloud):
    """Keeps in mind in whose name it was opened."""

    def __init__(self):
        super().__init__(trusts=True)
        self.contexts = []

    def open(self, context):
        self.contexts.append(context)
        return super().open(context)


class KeystoneTest(api.ApiTest):
    def make_cloud(self):
        return WatchedCloud()

    def make_conf(self):
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        self.keystone = keystone.Keystone()
        self.addCleanup(self.keystone.stop)
        self.keystone.issue(
            *('token-of-ann', 'alpha', 'ann', 'member', 'reader'),
            catalog={'compute': COMPUTE},
        )
        self.keystone.issue('token-of-bob', 'beta', 'bob', 'member', 'reader')
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'conf')
        path.write_text(FILE.format(url=self.keystone.url))
        return configuration.load(config_files=[path])

    def test_the_right_token_is_let_in(self):
        answer = self.ask('GET', '/v2/alpha/vclusters', 'token-of-ann')
        self.assertEqual((200, {'vclusters': []}), answer.told)

    def test_the_token_of_another_project_is_not(self):
        answer = self.ask('GET', '/v2/alpha/vclusters', 'token-of-bob')
        self.assert_refused(404, 'vcluster.project_not_found', answer)

    def test_an_unknown_token_is_told_where_to_get_one(self):
        for token in ('nonsense', None):
            answer = self.ask('GET', '/v2/alpha/vclusters', token)
            self.assert_refused(401, 'vcluster.unauthorized', answer)
            self.assertEqual(
                f'Keystone uri="{self.keystone.url}"',
                answer.headers['www-authenticate'],
            )

    def test_a_bad_token_of_a_service_is_refused_as_one_of_a_user(self):
        answer = self.ask(
            'GET',
            '/v2/alpha/vclusters',
            'token-of-ann',
            HTTP_X_SERVICE_TOKEN='nonsense',
        )
        self.assert_refused(401, 'vcluster.unauthorized', answer)
        self.assertIn('www-authenticate', answer.headers)

    def test_without_keystone_nobody_is_called_unknown(self):
        self.keystone.stop()
        answer = self.ask('GET', '/v2/alpha/vclusters', 'token-of-ann')
        self.assert_refused(503, 'vcluster.unavailable', answer)
        self.assertIn('retry-after', answer.headers)

    def test_without_keystone_the_public_part_is_there(self):
        self.keystone.stop()
        answer = self.ask('GET', '/healthcheck', 'token-of-ann')
        self.assertEqual(200, answer.status)

    def test_the_cloud_is_asked_in_the_name_of_the_tenant(self):
        answer = self.ask(
            'POST',
            '/v2/alpha/vclusters/plan',
            'token-of-ann',
            {'vcluster': documents.servers(1)},
        )
        self.assertEqual(200, answer.status, answer.text)
        (context,) = self.cloud.contexts
        self.assertEqual(
            ('alpha', 'ann'), (context.project_id, context.user_id)
        )
        self.assertEqual('token-of-ann', context.auth.get_token())
        self.assertEqual(
            COMPUTE,
            context.auth.get_endpoint(service_type='compute'),
        )
        self.assertEqual(41, context.auth.timeout)
        access = context.auth.auth.get_access(context.auth)
        self.assertEqual(('ann', 'alpha'), (access.user_id, access.project_id))
        self.assertEqual(['member', 'reader'], access.role_names)
        self.assertEqual(
            answer.headers['x-openstack-request-id'], context.request_id
        )

    def test_the_token_of_an_outsider_is_used_for_nothing(self):
        told = self.ask(
            'POST',
            '/v2/alpha/vclusters',
            'token-of-ann',
            {'vcluster': documents.servers(1)},
        )
        cluster = told.body['vcluster']['id']
        self.settle(cluster)
        self.cloud.contexts.clear()
        self.keystone.issue('token-of-ada', 'ops', 'ada', 'admin')
        path = f'/v2/alpha/vclusters/{cluster}'
        answer = self.ask('DELETE', path, 'token-of-ada')
        self.assertEqual(202, answer.status, answer.text)
        self.assertIsNone(self.settle(cluster))
        self.assert_nothing_left()
        self.assertEqual([None], [c.auth for c in self.cloud.contexts])

    def test_no_secret_is_logged(self):
        self.ask('GET', '/v2/alpha/vclusters', 'token-of-ann')
        self.ask('GET', '/v2/alpha/vclusters', 'a-wrong-token')
        for secret in ('token-of-ann', 'a-wrong-token', 'a-secret'):
            self.assertNotIn(secret, self.log.output)
