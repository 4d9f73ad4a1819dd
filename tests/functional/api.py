# SPDX-License-Identifier: Apache-2.0
"""The real API on a whole service on the fake cloud."""

import io
import json
from wsgiref import util

from heat_vcluster import conf as configuration
from heat_vcluster.api import app
from tests.functional import base

ANN = 'alpha:ann:member'
RITA = 'alpha:rita:reader'
BOB = 'beta:bob:member'
ADA = 'ops:ada:admin'


def configured(**options):
    """Return a configuration as tests of the API want it."""
    conf = configuration.load(config_files=[])
    wanted = {'auth': 'noauth', 'validate_responses': True, **options}
    for name, value in wanted.items():
        conf.set_override(name, value, 'api')
    return conf


class Answer:
    """What came back, read as JSON where it is."""

    def __init__(self, status, headers, content):
        self.status = int(status.split()[0])
        self.headers = {name.lower(): value for name, value in headers}
        self.text = content.decode()
        self.body = json.loads(self.text) if self.text else None
        self.told = (self.status, self.body)


class ApiTest(base.EngineTest):
    """``ask`` goes through all that stands in front of the service."""

    def setUp(self):
        super().setUp()
        self.conf = self.make_conf()
        self.app = app.make_app(self.service, self.conf)

    def make_conf(self):
        return configured()

    def ask(self, method, path, token=ANN, body=None, **more):
        """Send a request; ``body`` is written as JSON unless it is bytes.

        ``more`` goes into the environment of the WSGI application.
        """
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        path, _, query = path.partition('?')
        env = {
            'REQUEST_METHOD': method,
            'PATH_INFO': path,
            'QUERY_STRING': query,
            'HTTP_HOST': 'vcluster.test',
            **({} if token is None else {'HTTP_X_AUTH_TOKEN': token}),
            **({} if body is None else {'CONTENT_TYPE': 'application/json'}),
            'CONTENT_LENGTH': str(len(body or b'')),
            'wsgi.input': io.BytesIO(body or b''),
            **more,
        }
        util.setup_testing_defaults(env)
        head = []
        content = b''.join(self.app(env, lambda *given: head.extend(given)))
        return Answer(*head[:2], content)

    def assert_refused(self, status, code, answer):
        self.assertEqual(status, answer.status, answer.text)
        told = answer.body['error']
        self.assertEqual(code, told['code'])
        self.assertEqual(
            answer.headers['x-openstack-request-id'], told['request_id']
        )
