# SPDX-License-Identifier: Apache-2.0
"""A web server of threads in this process, for one application."""

from __future__ import annotations

import logging
import threading
from typing import Any

from cheroot import wsgi

LOG = logging.getLogger(__name__)

#: Connections that may wait for a thread.
BACKLOG = 128


class Server:
    """Listens from ``start`` to ``stop``; port 0 means any that is free."""

    def __init__(
        self,
        application: Any,
        host: str,
        port: int,
        *,
        threads: int,
        stop_seconds: float,
    ) -> None:
        self._server = _server(
            (host, port),
            application,
            numthreads=threads,
            request_queue_size=BACKLOG,
            shutdown_timeout=stop_seconds,
        )
        self._server.error_log = _log
        self._thread = threading.Thread(
            target=self._server.serve, name='server', daemon=True
        )

    @property
    def address(self) -> str:
        host, port = self._server.bind_addr[:2]
        return (
            f'http://[{host}]:{port}'
            if ':' in host
            else (f'http://{host}:{port}')
        )

    def start(self) -> None:
        """Listen, and return at once; raises OSError if that cannot be."""
        self._server.prepare()
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; wait for those that have begun."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()


def _server(*arguments: Any, **options: Any) -> Any:
    return wsgi.Server(*arguments, **options)


def _log(message: str = '', level: int = 20, traceback: bool = False) -> None:
    LOG.log(level, '%s', message, exc_info=traceback)
