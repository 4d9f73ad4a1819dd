# SPDX-License-Identifier: Apache-2.0
"""Work in the background: one thread for each verb on each cluster."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from heat_vcluster import exception

LOG = logging.getLogger(__name__)

#: Verb and cluster.
Key = tuple[str, str]
#: Gets an event to set once the record shows that the work has begun.
Work = Callable[[threading.Event], None]


@dataclasses.dataclass(slots=True)
class _Running:
    thread: threading.Thread
    has_begun: threading.Event
    next: threading.Event | None = None  # of the work asked for again


class Background:
    """Threads that are started when there is work, never before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Key, _Running] = {}

    def begin(self, key: Key, work: Work, again: bool) -> threading.Event:
        """Start the work; if the same is under way, leave it at that.

        ``again``: that which is under way may be too far gone to count, so
        the work is done once more after it. Returns the work's event.
        """
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                if again and running.next is None:
                    running.next = threading.Event()
                return running.next or running.has_begun
            has_begun = threading.Event()
            thread = threading.Thread(
                target=self._run,
                args=(key, work, has_begun),
                name=f'{key[0]}-{key[1][:8]}',
                daemon=True,
            )
            # Nobody is to find one that cannot be waited for yet.
            thread.start()
            self._running[key] = _Running(thread, has_begun)
        return has_begun

    def _run(self, key: Key, work: Work, has_begun: threading.Event) -> None:
        try:
            begins: threading.Event | None = has_begun
            while begins is not None:
                _attempt(key, work, begins)
                begins.set()
                begins = self._next(key)
        except BaseException:
            with self._lock:
                del self._running[key]
            raise

    def _next(self, key: Key) -> threading.Event | None:
        """Tell whether to go on; forget the thread in that moment if not."""
        with self._lock:
            running = self._running[key]
            if running.next is None:
                del self._running[key]
                return None
            running.has_begun, running.next = running.next, None
            return running.has_begun

    def threads(self, cluster_id: str | None = None) -> list[threading.Thread]:
        """Return those at work on one cluster, or on any."""
        with self._lock:
            return [
                running.thread
                for (_, about), running in self._running.items()
                if cluster_id in (None, about)
            ]

    def join(
        self, cluster_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Wait until nothing is done about one cluster, or about any."""
        until = time.monotonic() + (
            threading.TIMEOUT_MAX if timeout is None else timeout
        )
        for thread in self.threads(cluster_id):
            left = until - time.monotonic()
            thread.join(min(max(left, 0.0), threading.TIMEOUT_MAX))


def _attempt(key: Key, work: Work, has_begun: threading.Event) -> None:
    try:
        work(has_begun)
    except (exception.LeaseLost, exception.ClusterBusy) as busy:
        LOG.warning('%s of cluster %s: %s', *key, busy)
    except exception.CloudError as error:
        LOG.warning('%s of cluster %s is put off: %s', *key, error)
    except Exception:  # the edge of a thread
        LOG.exception('%s of cluster %s ended badly', *key)
