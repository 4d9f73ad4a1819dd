# SPDX-License-Identifier: Apache-2.0
"""A service on a real socket that answers what the test tells it to."""

import collections
import json
import threading
from http import server
from urllib import parse

from keystoneauth1 import noauth
from keystoneauth1 import session as ks

from heat_vcluster.cloud.openstack import errors, session, settings

HANG_UP = object()


class Wire:
    """Answers by (method, path); the last answer is given for ever.

    An answer is (status, body), (status, body, headers), HANG_UP for a
    connection that breaks, or a function that returns one of these. ``seen``
    has (method, path, query, body) of all requests; ``most_at_once`` is how
    many were being answered at a time.
    """

    def __init__(self, test):
        self._answers = collections.defaultdict(list)
        self.seen = []
        self.most_at_once = 0
        self.gate = None  # called before each answer, if anything
        self._open = 0
        self._lock = threading.Lock()
        self._server = server.ThreadingHTTPServer(
            ('127.0.0.1', 0), self._handler()
        )
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self._server.server_close)
        test.addCleanup(self._server.shutdown)

    def answer(self, method, path, *answers):
        self._answers[method, path].extend(answers)

    def forget(self, method, path):
        """Answer 404 from now on."""
        del self._answers[method, path]

    def service(self, api=session.PLACEMENT, secrets=None, turns=None):
        keystone = ks.Session(auth=noauth.NoAuth(endpoint=self.url))
        return session.Service(
            api,
            keystone,
            settings.Settings(request_timeout=60),
            secrets or errors.Secrets(),
            turns,
        )

    def asked(self, method, path):
        """Return the bodies of the requests of that kind."""
        return [s[3] for s in self.seen if s[:2] == (method, path)]

    def _next(self, method, path):
        answers = self._answers[method, path]
        if not answers:
            return 404, {'error': {'message': f'no {path} here'}}
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer() if callable(answer) else answer

    def _handler(wire):
        class Handler(server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *args):
                pass

            def _answer(self):
                with wire._lock:
                    wire._open += 1
                    wire.most_at_once = max(wire.most_at_once, wire._open)
                try:
                    if wire.gate is not None:
                        wire.gate()
                    self._really_answer()
                finally:
                    with wire._lock:
                        wire._open -= 1

            def _really_answer(self):
                length = int(self.headers.get('Content-Length') or 0)
                text = self.rfile.read(length)
                where = parse.urlsplit(self.path)
                wire.seen.append(
                    (
                        self.command,
                        where.path,
                        parse.parse_qs(where.query),
                        json.loads(text) if text else None,
                    )
                )
                answer = wire._next(self.command, where.path)
                if answer is HANG_UP:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, body, *more = answer
                sent = b'' if body is None else json.dumps(body).encode()
                if isinstance(body, str):
                    sent = body.encode()
                self.send_response(status)
                self.send_header('Content-Length', str(len(sent)))
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

        return Handler
