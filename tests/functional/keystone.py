# SPDX-License-Identifier: Apache-2.0
"""As much of keystone as a client asks for: one token, with a catalog."""

import json

from keystoneauth1 import fixture

from heat_vcluster.wsgi import server


class Keystone:
    """Gives whoever asks the same token.

    ``catalog``: type of a service -> its URL, the same for all interfaces.
    """

    def __init__(self, token_id, project_id, catalog):
        self._token_id = token_id
        self._project_id = project_id
        self._catalog = catalog
        self._server = server.Server(
            self, '127.0.0.1', 0, threads=2, stop_seconds=5
        )
        self._server.start()
        self.stop = self._server.stop
        self.url = f'{self._server.address}/v3'

    def __call__(self, env, start_response):
        asked = env['REQUEST_METHOD'], env['PATH_INFO'].rstrip('/')
        if asked == ('GET', '/v3'):
            status, body = '200 OK', {'version': fixture.V3Discovery(self.url)}
        elif asked == ('POST', '/v3/auth/tokens'):
            status, body = '201 Created', self._token()
        else:
            status, body = '404 Not Found', {}
        headers = [
            ('Content-Type', 'application/json'),
            ('X-Subject-Token', self._token_id),
        ]
        start_response(status, headers)
        return [json.dumps(body).encode()]

    def _token(self):
        token = fixture.V3Token(project_id=self._project_id)
        for kind, url in self._catalog.items():
            token.add_service(kind).add_standard_endpoints(
                public=url, internal=url, admin=url, region='here'
            )
        return token
