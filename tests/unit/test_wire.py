# SPDX-License-Identifier: Apache-2.0

import json

import requests
from keystoneauth1 import access, adapter, fixture, session, token_endpoint
from keystoneauth1.identity import access as known

from heat_vcluster import exception, http, wire
from tests import base


class Answers(requests.adapters.BaseAdapter):
    """Answers as the test says; the last answer stays."""

    def __init__(self, *answers):
        super().__init__()
        self.requests = []
        self._answers = [*answers]

    def send(self, request, **options):
        self.requests.append(request)
        answer = self._answers[0]
        if self._answers[1:]:
            self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.request = request
        response.url = request.url
        response.status_code, response.headers, body = answer
        text = body if isinstance(body, str) else json.dumps(body)
        response._content = text.encode()
        return response

    def close(self):
        pass


def error(status, code, message='why', details=(), **headers):
    told = {'code': code, 'message': message, 'details': details}
    headers = {name.replace('_', '-'): text for name, text in headers.items()}
    return status, headers, {'error': {**told, 'request_id': 'req-1'}}


FINE = 200, {}, {'vcluster': {'id': 'x'}}
BUSY = error(503, 'vcluster.unavailable', Retry_After='7')


class WireTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = base.SleptTime(speed=1e6)
        self.patch(wire, 'time', self.clock)

    def client(self, *answers, patience=60.0):
        self.answers = Answers(*answers)
        carrier = requests.Session()
        carrier.mount('http://', self.answers)
        auth = token_endpoint.Token('http://service/v2/alpha', 'secret')
        asking = session.Session(auth, session=carrier)
        return http.HttpClient(
            adapter.Adapter(asking, 'vcluster'), patience=patience
        )

    @property
    def asked(self):
        return [f'{r.method} {r.path_url}' for r in self.answers.requests]


class RetryTest(WireTest):
    def test_what_may_be_repeated_is_when_the_service_says(self):
        client = self.client(BUSY, BUSY, FINE)
        self.assertEqual({'id': 'x'}, client.show('x'))
        self.assertEqual(['GET /v2/alpha/vclusters/x'] * 3, self.asked)
        self.assertEqual(14.0, self.clock.monotonic())

    def test_where_it_does_not_say_the_pauses_grow(self):
        client = self.client(*[(503, {}, '')] * 4, FINE)
        client.show('x')
        self.assertEqual(1 + 2 + 4 + 8, self.clock.monotonic())

    def test_a_service_that_starts_is_waited_for(self):
        client = self.client(requests.ConnectionError('refused'), FINE)
        self.assertEqual({'id': 'x'}, client.show('x'))

    def test_patience_ends(self):
        client = self.client(BUSY, patience=10.0)
        told = self.assertRaises(
            exception.ServiceUnavailable, client.show, 'x'
        )
        self.assertEqual('req-1', told.request_id)
        self.assertEqual(2, len(self.asked))

    def test_a_create_has_an_id_and_so_can_be_repeated(self):
        client = self.client(BUSY, FINE)
        client.create({'instances': []})
        first, second = (json.loads(r.body) for r in self.answers.requests)
        self.assertEqual(first, second)
        self.assertTrue(first['vcluster']['id'])

    def test_a_plan_is_repeated_but_not_with_a_hold(self):
        document = {'instances': []}
        client = self.client(BUSY, (200, {}, {'plan': {'id': None}}))
        client.plan(document)
        for refusal in (BUSY, requests.ConnectionError('lost')):
            client = self.client(refusal, FINE)
            self.assertRaises(
                exception.ServiceUnavailable,
                client.plan,
                document,
                hold_seconds=1,
            )
            self.assertEqual(1, len(self.asked))

    def test_what_is_wrong_is_not_asked_for_again(self):
        client = self.client(error(404, 'vcluster.not_found'), FINE)
        self.assertRaises(exception.ClusterNotFound, client.show, 'x')
        self.assertEqual(1, len(self.asked))

    def test_an_address_that_is_no_service_is_not_waited_for(self):
        client = self.client(requests.exceptions.SSLError('no certificate'))
        self.assertRaises(exception.ServiceUnavailable, client.show, 'x')
        self.assertEqual(1, len(self.asked))


class ErrorsTest(WireTest):
    def told(self, answer):
        return self.assertRaises(
            exception.VClusterError, self.client(answer).show, 'x'
        )

    def test_every_error_of_ours_comes_back_as_its_class(self):
        waiting = [exception.VClusterError]
        while waiting:
            kind = waiting.pop()
            # Modules of a cloud have classes of their own, without codes.
            waiting.extend(
                each
                for each in kind.__subclasses__()
                if each.__module__ == exception.__name__
            )
            told = self.told(error(400, kind.code))
            self.assertIs(kind, type(told))
            self.assertEqual(kind.code, told.code)
            self.assertIn('why', str(told))

    def test_faults_keep_their_places(self):
        faults = [{'path': 'instances[0]', 'message': 'is wrong'}]
        told = self.told(
            error(400, 'vcluster.invalid_document', details=faults)
        )
        self.assertEqual(
            (exception.Fault('instances[0]', 'is wrong'),), told.faults
        )
        self.assertIn('\ninstances[0]: is wrong', str(told))

    def test_reasons_of_no_placement_are_kept(self):
        reasons = [{'path': '', 'message': 'too few racks'}]
        told = self.told(
            error(409, 'vcluster.no_valid_placement', details=reasons)
        )
        self.assertEqual(('too few racks',), told.reasons)

    def test_an_error_of_a_newer_service_keeps_its_code(self):
        told = self.told(error(418, 'vcluster.teapot', 'short and stout'))
        self.assertIs(exception.ServiceError, type(told))
        self.assertEqual('vcluster.teapot', told.code)
        self.assertEqual('short and stout', str(told))

    def test_what_a_proxy_answers_is_no_news_of_a_cluster(self):
        for body in ('<html>', {'error': 'x'}, {'error': {}}, [], ''):
            told = self.told((404, {'X-Openstack-Request-Id': 'req-2'}, body))
            self.assertIs(exception.ServiceError, type(told))
            self.assertIn('404', str(told))
            self.assertEqual('req-2', told.request_id)

    def test_an_answer_of_something_else_is_told_as_that(self):
        for body in ('<html>', {}, []):
            client = self.client((200, {}, body))
            told = self.assertRaises(exception.ServiceError, client.show, 'x')
            self.assertIn('is the endpoint right?', str(told))

    def test_the_token_is_in_no_error(self):
        for answer in (BUSY, requests.ConnectionError('x'), (500, {}, '')):
            client = self.client(answer, patience=0.0)
            told = self.assertRaises(exception.VClusterError, client.show, 'x')
            self.assertNotIn('secret', repr(told) + str(told))


class RootTest(base.TestCase):
    def root(self, endpoint, project_id='alpha'):
        token = fixture.V3Token(project_id=project_id)
        if endpoint:
            token.add_service('vcluster').add_standard_endpoints(
                public=endpoint
            )
        reference = access.create(body=token, auth_token='secret')
        asking = session.Session(known.AccessInfoPlugin(reference))
        return wire.root(adapter.Adapter(asking, 'vcluster'))

    def test_an_endpoint_may_be_registered_as_one_likes(self):
        for endpoint, root in (
            ('http://a:1', 'http://a:1/v2/alpha'),
            ('http://a:1/', 'http://a:1/v2/alpha'),
            ('http://a/vcluster', 'http://a/vcluster/v2/alpha'),
            ('http://a/v2', 'http://a/v2/alpha'),
            ('http://a/v2/', 'http://a/v2/alpha'),
            ('http://a/v2/alpha', 'http://a/v2/alpha'),
            ('http://a/vcluster/v2/alpha/', 'http://a/vcluster/v2/alpha'),
        ):
            self.assertEqual(root, self.root(endpoint))

    def test_without_an_endpoint_there_is_no_service(self):
        told = self.assertRaises(exception.ServiceUnavailable, self.root, None)
        self.assertIn('no endpoint of type vcluster', str(told))

    def test_without_a_project_the_endpoint_has_to_name_it(self):
        auth = token_endpoint.Token('http://a/v2', 'secret')
        asking = adapter.Adapter(session.Session(auth), 'vcluster')
        told = self.assertRaises(
            exception.ServiceUnavailable, wire.root, asking
        )
        self.assertIn('/v2/PROJECT_ID', str(told))

    def test_a_name_stays_one_part_of_a_path(self):
        self.assertEqual('a%2F..%3Fb%20%23', wire.part('a/..?b #'))
