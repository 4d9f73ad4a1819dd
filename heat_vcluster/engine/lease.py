# SPDX-License-Identifier: Apache-2.0
"""Keeps the right to act on a cluster alive, and hears requests to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from heat_vcluster import exception
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)

#: What a lease is measured by. Like that of ``time.monotonic()`` it goes on
#: while a process is stopped; and, where there is one, also while the machine
#: is suspended. In a guest that its host pauses it may stand still.
CLOCK = getattr(time, 'CLOCK_BOOTTIME', time.CLOCK_MONOTONIC)
#: The part of a lease after which it is renewed; and that after which nothing
#: is done before it is. What is left then is for what is done to arrive, and
#: for clocks that do not quite agree.
RENEWED_AFTER = 1 / 3
PROVEN_AFTER = 2 / 3


def now() -> float:
    return time.clock_gettime(CLOCK)


class Signal:
    """Why work on a cluster has to stop, if it has to.

    The first reason given stays. ``deadline`` is of ``time.monotonic()``;
    ``prove`` is called at each check, and may give a reason.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.prove: Callable[[], None] = lambda: None
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
        self.prove()
        if self._reason is not None:
            raise exception.Cancelled(str(self._reason)) from self._reason

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until a reason to stop comes up."""
        self._raised.wait(seconds)


class Keeper(threading.Thread):
    """Renews a lease until told to end; raises the signal when it is lost.

    Also asks the store, each second, whether a stop was requested by
    somebody else. A store that does not answer is asked again until the
    lease would have expired; then it counts as lost. Who stood still for
    long asks before he acts again, by ``prove`` or ``check``. ``begun``: of
    ``now()``, before the lease was had.
    """

    def __init__(
        self,
        store: base.Store,
        lease: base.Lease,
        signal: Signal,
        seconds: float,
        begun: float,
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
        self._until = begun + seconds
        self._renewing = threading.Lock()
        signal.prove = self.prove

    def run(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            try:
                self._hear_cancel()
            except Exception:  # the edge of a thread: the store may be away
                LOG.exception('Could not hear whether to stop')
            self._renew(RENEWED_AFTER)
            if self.is_lost.is_set():
                return

    def prove(self) -> None:
        """Make sure that the lease has not run out; else it is lost."""
        self._renew(PROVEN_AFTER)

    def check(self) -> None:
        """Raise LeaseLost if the lease has run out; then it is lost, too.

        The store is not asked of one that was renewed not long ago. Of one
        that is handed over the rest may be used.
        """
        self.prove()
        while self._left() <= 0:
            if self.is_lost.is_set():
                raise exception.LeaseLost('The lease has run out')
            self.prove()  # the answer that it was renewed came too late

    def _left(self) -> float:
        return self._until - now()

    def _renew(self, after: float) -> None:
        """Renew a lease once that part is over; lost if it cannot be."""
        enough = (1 - after) * self._seconds
        if self._left() >= enough:
            return  # without waiting for who renews it just now
        with self._renewing:
            if self._left() >= enough or self.is_lost.is_set():
                return
            begun = now()
            try:
                self._store.renew(self._lease, self._seconds)
                self._until = begun + self._seconds
            except exception.LeaseLost as lost:
                self._until = begun
                self._lose(lost)
            except Exception:  # the store may be away
                LOG.exception('Could not renew the lease')
                if self._left() <= 0:
                    self._lose(exception.LeaseLost('The store is away'))

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
