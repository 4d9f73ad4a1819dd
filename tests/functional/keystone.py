# SPDX-License-Identifier: Apache-2.0
"""As much of keystone as is asked for by clients, and by those they ask."""

import json

from keystoneauth1 import fixture

from heat_vcluster.wsgi import server

ACCOUNT = 'the-account-of-the-service'


class Keystone:
    """Whoever logs in has one token; of that, and those it did ``issue``, it
    tells whose they are.

    ``catalog``: type of a service -> its URL, the same for all interfaces.
    ``url`` is where it listens.
    """

    def __init__(self, token=ACCOUNT, project_id='service', catalog=()):
        self._login = token
        self._tokens = {}
        self._listening = server.Server(
            self._answer, '127.0.0.1', 0, threads=4, stop_seconds=5
        )
        self._listening.start()
        self.stop = self._listening.stop
        self.url = f'{self._listening.address}/v3'
        self.issue(
            token,
            project_id,
            'service',
            catalog={'identity': self.url, **dict(catalog)},
        )

    def issue(self, token, project_id, user_id, *roles, catalog=()):
        made = fixture.V3Token(user_id=user_id, project_id=project_id)
        for role in roles:
            made.add_role(name=role)
        for kind, url in dict(catalog).items():
            made.add_service(kind).add_standard_endpoints(
                public=url, internal=url, admin=url, region='here'
            )
        self._tokens[token] = made

    def _answer(self, env, start_response):
        asked = env['REQUEST_METHOD'], env['PATH_INFO'].rstrip('/')
        headers = [('Content-Type', 'application/json')]
        known = self._tokens.get(env.get('HTTP_X_SUBJECT_TOKEN'))
        status, body = '404 Not Found', {}
        if asked == ('GET', '/v3'):
            status, body = '200 OK', {'version': fixture.V3Discovery(self.url)}
        elif asked == ('POST', '/v3/auth/tokens'):
            status, body = '201 Created', self._tokens[self._login]
            headers.append(('X-Subject-Token', self._login))
        elif asked == ('GET', '/v3/auth/tokens') and known:
            status, body = '200 OK', known
        start_response(status, headers)
        return [json.dumps(body).encode()]
