# SPDX-License-Identifier: Apache-2.0
"""The jobboard, by its URL: where engines find what others have asked for.

A board only hands over. Who may act on a cluster is told by its lease in the
store, so a claim that is lost, or a job that comes twice, does no harm.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from importlib import util
from typing import Any

from taskflow import exceptions as task_errors
from taskflow.jobs import backends

from heat_vcluster import exception

LOG = logging.getLogger(__name__)

NAME = 'heat-vcluster'
#: Scheme -> our own place within the server, and how TaskFlow calls it.
ROOMS = {
    'redis': ('namespace', NAME),
    'etcd': ('path', f'/{NAME}'),
    'zookeeper': ('path', f'/{NAME}'),
}

#: Scheme -> the package that TaskFlow speaks to such a server with.
PACKAGES = {'redis': 'redis', 'etcd': 'etcd3gw', 'zookeeper': 'kazoo'}

#: What a server of this machine may be named by instead of a host.
SOCKET = 'unix_socket_path'

Configuration = dict[str, Any]


def configuration(url: str) -> Configuration:
    """Return what TaskFlow needs to reach a board.

    ``redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]``, ``etcd://HOST[:PORT]`` or
    ``zookeeper://HOST[:PORT][,HOST[:PORT]...]``; what stands behind ``?`` is
    passed on to TaskFlow. Raises InvalidConfiguration, which does not tell
    the URL: it may have a password.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        option, room = ROOMS[parts.scheme]
        more = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=False))
        if not parts.hostname and SOCKET not in more:
            raise ValueError('no host')  # TaskFlow would ask this machine
        found = {
            'board': parts.scheme,
            option: room,
            **_address(parts),
            **more,
        }
    except (KeyError, ValueError):
        raise exception.InvalidConfiguration(
            f'[work]/jobboard is not one of {", ".join(ROOMS)}://HOST...'
        ) from None
    return {key: value for key, value in found.items() if value}


def check_installed(found: Configuration) -> None:
    """Raise InvalidConfiguration if there is nothing to speak to it with."""
    package = PACKAGES.get(found['board'])  # it may be overruled, behind "?"
    if package and util.find_spec(package) is None:
        raise exception.InvalidConfiguration(
            f'[work]/jobboard: the package {package} is not installed'
        )


def _address(parts: urllib.parse.SplitResult) -> Mapping[str, Any]:
    if parts.scheme == 'zookeeper':
        # Its version is asked by a word that servers refuse unless told
        # otherwise, since 3.5; and whatever speaks is new enough by now.
        return {'hosts': parts.netloc, 'check_compatible': 'false'}
    address = {'host': parts.hostname, 'port': parts.port}
    if parts.scheme == 'redis':
        unquote = urllib.parse.unquote
        int(parts.path.strip('/') or 0)  # a database of it has a number
        return {
            **address,
            'username': unquote(parts.username or ''),
            'password': unquote(parts.password or ''),
            'db': parts.path.strip('/'),
        }
    return address


class Jobs:
    """One process's line to a board, opened at its first use.

    ``claim_seconds``: how long a claim lasts that nobody keeps alive, where
    the board has such a time (ZooKeeper has its sessions). All methods raise
    ServiceUnavailable if the board does not answer; the line is opened anew
    then. ``fetch`` makes the board of a name and a configuration.
    """

    def __init__(
        self,
        found: Configuration,
        claim_seconds: float,
        fetch: Callable[[str, Configuration], Any] = backends.fetch,
    ) -> None:
        self._configuration = found
        self._claim_seconds = claim_seconds
        self._fetch = fetch
        self._lock = threading.Lock()
        self._board: Any = None

    @property
    def claim_seconds(self) -> float:
        return self._claim_seconds

    def post(self, cluster_id: str, request_id: str | None) -> None:
        """Ask whoever is free to do what is due to the cluster."""
        details = {'cluster_id': cluster_id, 'request_id': request_id}
        with self._talking() as board:
            board.post(cluster_id, details=details)

    def claim(self, who: str) -> Any:
        """Claim the first job that nobody has; None if there is none."""
        with self._talking() as board:
            # No board tells reliably by itself that there is a free one:
            # their waiting ends for jobs that others are at work on.
            for job in board.iterjobs(only_unclaimed=True, ensure_fresh=True):
                with contextlib.suppress(
                    task_errors.UnclaimableJob, task_errors.NotFound
                ):
                    board.claim(job, who, **self._expiry(job))
                    return job
        return None

    def _expiry(self, job: Any) -> Mapping[str, int]:
        """Claims in Redis last for ever by default, also those of the dead."""
        if hasattr(job, 'extend_expiry'):
            return {'expiry': max(1, round(self._claim_seconds))}
        return {}

    def extend(self, job: Any) -> None:
        """Keep a claim for ``claim_seconds`` from now, if it is still ours."""
        with self._talking():
            if self._expiry(job):
                job.extend_expiry(**self._expiry(job))

    def consume(self, job: Any, who: str) -> None:
        """Take a job that is done off the board; lost claims are fine."""
        with self._talking() as board, contextlib.suppress(*LOST):
            board.consume(job, who)

    def abandon(self, job: Any, who: str) -> None:
        """Leave a job to others; lost claims are fine."""
        with self._talking() as board, contextlib.suppress(*LOST):
            board.abandon(job, who)

    def close(self) -> None:
        with self._lock:
            board, self._board = self._board, None
        if board is not None:
            with contextlib.suppress(Exception):  # it may be away
                board.close()

    @contextlib.contextmanager
    def _talking(self) -> Iterator[Any]:
        try:
            yield self._open()
        except Exception as error:  # each board has errors of its own
            LOG.warning('The jobboard fails: %s', type(error).__name__)
            self.close()
            raise exception.ServiceUnavailable(
                'The jobboard does not answer'
            ) from error

    def _open(self) -> Any:
        with self._lock:
            if self._board is None:
                board = self._fetch(NAME, dict(self._configuration))
                board.connect()
                self._board = board
            return self._board


#: How boards say that a claim has run out, or is another's by now. That the
#: board is away is said the same way by some; then the next call tells.
LOST = (task_errors.JobFailure, task_errors.NotFound)
