# SPDX-License-Identifier: Apache-2.0
"""A keystone that knows a few tokens, on a socket, as far as ours asks it."""

import json

from keystoneauth1 import fixture

from heat_vcluster.wsgi import server

COMPUTE = 'http://compute.test/v2.1'
ACCOUNT = 'the-account-of-the-service'


class Keystone:
    """``issue`` tokens, ``stop`` it; ``url`` is where it listens."""

    def __init__(self):
        self._tokens = {ACCOUNT: fixture.V3Token(user_id='service')}
        self._listening = server.Server(
            self._answer, '127.0.0.1', 0, threads=4, stop_seconds=5
        )
        self._listening.start()
        self.url = f'{self._listening.address}/v3'
        self.stop = self._listening.stop
        self._tokens[ACCOUNT].set_project_scope()
        self._tokens[ACCOUNT].add_service('identity').add_standard_endpoints(
            internal=self.url, public=self.url, region='here'
        )

    def issue(self, token, project_id, user_id, *roles):
        made = fixture.V3Token(user_id=user_id, project_id=project_id)
        for role in roles:
            made.add_role(name=role)
        made.add_service('compute').add_standard_endpoints(
            public=COMPUTE, region='here'
        )
        self._tokens[token] = made

    def _answer(self, env, start_response):
        method, path = env['REQUEST_METHOD'], env['PATH_INFO']
        headers = [('Content-Type', 'application/json')]
        status, body = '200 OK', {}
        if path.rstrip('/') == '/v3':
            body = {'version': fixture.V3Discovery(self.url)}
        elif method == 'POST':
            status, body = '201 Created', self._tokens[ACCOUNT]
            headers.append(('X-Subject-Token', ACCOUNT))
        elif env.get('HTTP_X_SUBJECT_TOKEN') in self._tokens:
            body = self._tokens[env['HTTP_X_SUBJECT_TOKEN']]
        else:
            status = '404 Not Found'
        start_response(status, headers)
        return [json.dumps(body).encode()]
