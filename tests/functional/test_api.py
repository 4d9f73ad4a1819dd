# SPDX-License-Identifier: Apache-2.0
"""What stories cannot tell: bytes, sockets, and what fails below."""

import http.client
import json
import pathlib
import shutil

from heat_vcluster import exception
from heat_vcluster.wsgi import server
from tests.functional import api, documents

CLUSTERS = '/v2/alpha/vclusters'
NETWORK = {'instances': [{'name': 'net', 'type': 'network', 'spec': {}}]}


class BodyTest(api.ApiTest):
    """The configured bound is the least there may be."""

    def make_conf(self):
        return api.configured(max_body_bytes=1024)

    def test_a_large_body_is_refused(self):
        answer = self.ask('POST', CLUSTERS, body=b'{' + b' ' * 1024)
        self.assert_refused(413, 'vcluster.too_large', answer)
        self.assertEqual('close', answer.headers['connection'])

    def test_a_body_just_as_large_as_allowed_is_read(self):
        body = json.dumps({'vcluster': NETWORK}).encode().ljust(1024)
        self.assertEqual(202, self.ask('POST', CLUSTERS, body=body).status)

    def test_other_bytes_than_utf8_are_refused(self):
        body = b'{"vcluster": {"name": "caf\xe9"}}'
        answer = self.ask('POST', CLUSTERS, body=body)
        self.assert_refused(400, 'vcluster.invalid_request', answer)

    def test_half_a_character_is_refused(self):
        body = b'{"vcluster": {"name": "\\ud800"}}'
        answer = self.ask('POST', CLUSTERS, body=body)
        self.assert_refused(400, 'vcluster.invalid_document', answer)

    def test_a_nul_in_a_name_is_refused_wherever_there_is_one(self):
        cluster = self.build(documents.servers(1))['id']
        named = {'vcluster': {**documents.servers(1), 'name': 'a\0b'}}
        for method, address, body in (
            ('POST', CLUSTERS, named),
            ('POST', f'{CLUSTERS}/plan', {**named, 'hold_seconds': 60}),
            ('PUT', f'{CLUSTERS}/{cluster}', named),
        ):
            answer = self.ask(method, address, body=body)
            self.assert_refused(400, 'vcluster.invalid_document', answer)

    def test_a_nesting_without_end_is_refused(self):
        # Deep enough for the parsers, and within the bound.
        body = b'{"vcluster":' + b'[' * 1000
        for kind in ('application/json', 'application/yaml'):
            answer = self.ask('POST', CLUSTERS, body=body, CONTENT_TYPE=kind)
            self.assert_refused(400, 'vcluster.invalid_request', answer)

    def test_a_nul_in_an_address_is_nowhere(self):
        answer = self.ask('GET', f'{CLUSTERS}\0')
        self.assert_refused(404, 'vcluster.no_such_address', answer)


class SocketTest(api.ApiTest):
    """Over a real connection, where a body may come in chunks."""

    def make_conf(self):
        return api.configured(max_body_bytes=1024)

    def setUp(self):
        super().setUp()
        listening = server.Server(
            self.app, '127.0.0.1', 0, threads=2, stop_seconds=5
        )
        listening.start()
        self.addCleanup(listening.stop)
        where = listening.address.removeprefix('http://')
        self.connection = http.client.HTTPConnection(where)
        self.addCleanup(self.connection.close)

    def send(self, body):
        self.connection.request(
            'POST',
            CLUSTERS,
            body,
            {'X-Auth-Token': api.ANN, 'Content-Type': 'application/json'},
            encode_chunked=not isinstance(body, bytes),
        )
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def test_a_body_in_chunks_is_read(self):
        body = json.dumps({'vcluster': NETWORK}).encode()
        status, told = self.send(iter([body[:9], body[9:]]))
        self.assertEqual(202, status, told)

    def test_chunks_without_end_are_refused(self):
        status, told = self.send(iter([b' ' * 512] * 3))
        self.assertEqual(413, status, told)
        self.assertEqual('vcluster.too_large', told['error']['code'])

    def test_after_a_refused_body_the_next_request_is_heard(self):
        self.send(b' ' * 100_000)
        status, _ = self.send(json.dumps({'vcluster': NETWORK}).encode())
        self.assertEqual(202, status)


class BelowTest(api.ApiTest):
    """What the cloud or the database does is told as what it is."""

    def plan(self):
        return self.ask(
            'POST', f'{CLUSTERS}/plan', body={'vcluster': documents.SMALL}
        )

    def test_what_the_cloud_refuses(self):
        for status, code, error in (
            (502, 'vcluster.cloud_error', exception.CloudError),
            (403, 'vcluster.forbidden', exception.CloudForbidden),
            (403, 'vcluster.quota_exceeded', exception.QuotaExceeded),
        ):
            self.cloud.faults.fail('resolve', error=error('nova', 'No.'))
            answer = self.plan()
            self.assert_refused(status, code, answer)
            self.assertEqual('nova: No.', answer.body['error']['message'])

    def test_of_a_defect_nothing_is_told(self):
        self.cloud.faults.fail('resolve', error=ValueError('r1h1 has 4'))
        answer = self.plan()
        self.assert_refused(500, 'vcluster.internal', answer)
        self.assertNotIn('r1h1', answer.text)

    def test_an_answer_that_breaks_its_schema_is_a_defect(self):
        self.patch(self.service, 'limits', lambda context: {'clusters': 1})
        answer = self.ask('GET', '/v2/alpha/limits')
        self.assert_refused(500, 'vcluster.internal', answer)

    def test_without_a_database(self):
        self.ask('GET', CLUSTERS)
        self.service._store.close()  # else what is open would do still
        shutil.rmtree(pathlib.Path(self.url.removeprefix('sqlite:///')).parent)
        answer = self.ask('GET', CLUSTERS)
        self.assert_refused(503, 'vcluster.unavailable', answer)
        self.assertIn('retry-after', answer.headers)

    def test_health_tells_of_the_database(self):
        def ping():
            raise exception.ServiceUnavailable('It does not answer')

        self.patch(self.service, 'ping', ping)
        self.assertEqual(
            (503, {'status': 'failing', 'checks': {'database': 'failing'}}),
            self.ask('GET', '/healthcheck').told,
        )


class ProxyTest(api.ApiTest):
    """Links lead where the caller came from, if the operator says so."""

    def links(self):
        answer = self.ask(
            'GET',
            '/v2',
            HTTP_X_FORWARDED_PROTO='https',
            HTTP_X_FORWARDED_HOST='cloud.test',
        )
        return answer.body['version']['links'][0]['href']

    def test_headers_of_a_proxy_count_if_there_is_one(self):
        self.conf.set_override(
            'enable_proxy_headers_parsing', True, 'oslo_middleware'
        )
        self.assertEqual('https://cloud.test/v2/', self.links())

    def test_else_they_do_not(self):
        self.assertEqual('http://vcluster.test/v2/', self.links())
