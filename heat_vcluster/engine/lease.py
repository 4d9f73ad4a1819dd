# SPDX-License-Identifier: Apache-2.0
"""Keeps the right to act on a cluster alive, and hears requests to stop."""

from __future__ import annotations

import logging
import threading
import time

from heat_vcluster import exception
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)


class Signal:
    """Why work on a cluster has to stop, if it has to.

    The first reason given stays. ``deadline`` is of ``time.monotonic()``.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._raised = threading.Event()
        self._reason: BaseException | None = None
        self._lock = threading.Lock()

    def stop(self, reason: BaseException) -> None:
        with self._lock:
            if self._reason is None:
                self._reason = reason
        self._raised.set()

    @property
    def reason(self) -> BaseException | None:
        return self._reason

    def check(self) -> None:
        """Raise if the work has to stop."""
        if time.monotonic() > self.deadline:
            self.stop(exception.TimedOut('The time allowed has run out'))
        if self._reason is not None:
            raise exception.Cancelled(str(self._reason)) from self._reason

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until a reason to stop comes up."""
        self._raised.wait(seconds)


class Keeper(threading.Thread):
    """Renews a lease until told to end; raises the signal when it is lost.

    Also asks the store, each second, whether a stop was requested by
    somebody else. A store that does not answer is asked again until the
    lease would have expired; then it counts as lost.
    """

    def __init__(
        self,
        store: base.Store,
        lease: base.Lease,
        signal: Signal,
        seconds: float,
        hears_cancel: bool = True,
    ) -> None:
        super().__init__(name=f'lease-{lease.cluster_id[:8]}', daemon=True)
        self.is_lost = threading.Event()
        self.is_handed_over = False
        self._store = store
        self._lease = lease
        self._signal = signal
        self._seconds = seconds
        self._hears_cancel = hears_cancel
        self._done = threading.Event()

    def run(self) -> None:
        renewed = time.monotonic()
        while not self._done.wait(min(1.0, self._seconds / 4)):
            try:
                self._hear_cancel()
                if time.monotonic() - renewed > self._seconds / 3:
                    self._store.renew(self._lease, self._seconds)
                    renewed = time.monotonic()
            except exception.LeaseLost as lost:
                self._lose(lost)
                return
            except Exception:  # the edge of a thread: the store may be away
                LOG.exception('Could not renew the lease; trying again')
                if time.monotonic() - renewed > self._seconds:
                    self._lose(exception.LeaseLost('The store is away'))
                    return

    def _hear_cancel(self) -> None:
        if self._hears_cancel and self._store.is_cancel_requested(
            self._lease.cluster_id
        ):
            self._signal.stop(exception.Cancelled('It was stopped on request'))

    def _lose(self, reason: exception.LeaseLost) -> None:
        self.is_lost.set()
        self._signal.stop(reason)

    def hand_over(self) -> None:
        """Let go of all work at its next step, for others to go on with."""
        self.is_handed_over = True
        self._lose(exception.LeaseLost('Another engine is to go on with it'))

    def end(self) -> None:
        self._done.set()
        self.join()
