# SPDX-License-Identifier: Apache-2.0
"""A proxy for HTTP behind which the services of a cloud stumble."""

from __future__ import annotations

import collections
import http.client
import json
import random
import threading
from collections.abc import Callable
from http import server
from typing import Any
from urllib import parse

#: The part of all requests that meet with trouble.
PART = 0.24


class Stumbling:
    """Passes requests on, most of the time.

    All goes well until something else than ``spared`` (an URL) is asked: how
    a program gets its first token is its own affair.
    ``met`` counts what trouble there was; ``made`` counts what the services
    really made, by path and name, whatever answer arrived.
    """

    def __init__(self, seed: int, spared: str) -> None:
        self._draw = random.Random(seed)
        self._spared = spared
        self._has_begun = False
        self._lock = threading.Lock()
        self.met: collections.Counter[str] = collections.Counter()
        self.made: collections.Counter[tuple[str, str]] = collections.Counter()
        self._troubles: tuple[Callable[[Any], None], ...] = (
            self._too_many,
            self._unavailable,
            self._lost_request,
            self._lost_answer,
            self._bad_gateway,
            self._broken,
        )
        self._to_come: list[Callable[[Any], None]] = []
        self._server = server.ThreadingHTTPServer(
            ('127.0.0.1', 0), self._handler()
        )
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        self._thread = threading.Thread(
            target=self._server.serve_forever, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # Troubles

    def _too_many(self, request: Any) -> None:
        request.read()
        request.reply(429, b'{}', {'Retry-After': '1'})

    def _unavailable(self, request: Any) -> None:
        request.read()
        request.reply(503, b'<html>no server is available</html>')

    def _lost_request(self, request: Any) -> None:
        request.read()
        request.hang_up()

    def _lost_answer(self, request: Any) -> None:
        self._pass_on(request)
        request.hang_up()

    def _bad_gateway(self, request: Any) -> None:
        self._pass_on(request)
        request.reply(502, b'<html>bad gateway</html>')

    def _broken(self, request: Any) -> None:
        request.read()
        request.reply(500, b'{"message": "it broke"}')

    # Passing on

    def _handle(self, request: Any) -> None:
        with self._lock:
            if not request.path.startswith(self._spared):
                self._has_begun = True
            is_lucky = self._draw.random() > PART
            trouble = None if is_lucky else self._next_trouble()
        if trouble is not None:
            trouble(request)
        else:
            request.reply(*self._pass_on(request))

    def _next_trouble(self) -> Callable[[Any], None] | None:
        """Return one of those that were not met since all of them were."""
        if not self._has_begun:
            return None
        if not self._to_come:
            self._to_come = self._draw.sample(
                self._troubles, len(self._troubles)
            )
        trouble = self._to_come.pop()
        self.met[trouble.__name__] += 1
        return trouble

    def _pass_on(self, request: Any) -> tuple[int, bytes, dict[str, str]]:
        body = request.read()
        where = parse.urlsplit(request.path)
        connection = http.client.HTTPConnection(where.netloc, timeout=300)
        path = parse.urlunsplit(('', '', where.path, where.query, ''))
        connection.request(request.command, path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if request.command == 'POST' and answer.status < 300:
            self._note(where.path, body)
        kept = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ('content-length', 'connection', 'date')
        }
        return answer.status, content, kept

    def _note(self, path: str, body: bytes) -> None:
        try:
            asked = json.loads(body)
        except ValueError:
            return
        for thing in asked.values() if isinstance(asked, dict) else ():
            for one in thing if isinstance(thing, list) else [thing]:
                if isinstance(one, dict) and 'name' in one:
                    with self._lock:
                        self.made[path, one['name']] += 1

    def _handler(self) -> type[server.BaseHTTPRequestHandler]:
        stumbling = self

        class Handler(server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *args: Any) -> None:
                pass

            def _answer(self) -> None:
                stumbling._handle(self)

            def read(self) -> bytes:
                return self.rfile.read(
                    int(self.headers.get('Content-Length') or 0)
                )

            def hang_up(self) -> None:
                self.close_connection = True
                self.connection.close()

            def reply(
                self,
                status: int,
                body: bytes,
                headers: dict[str, str] | None = None,
            ) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer
            do_HEAD = _answer

        return Handler
