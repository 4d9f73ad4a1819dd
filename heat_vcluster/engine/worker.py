# SPDX-License-Identifier: Apache-2.0
"""Does what is asked for on a jobboard, so many clusters at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from typing import Any

from heat_vcluster import exception
from heat_vcluster.engine import engine, jobs

LOG = logging.getLogger(__name__)

#: How often a claim is renewed in the time that it lasts.
RENEWALS = 3


class Worker:
    """The jobs of one process; ``run`` claims them until ``stop``.

    ``at_once``: jobs at a time; ``poll_seconds``: between two looks at a
    board without a free job.
    """

    def __init__(
        self,
        here: engine.Engine,
        board: jobs.Jobs,
        *,
        at_once: int,
        poll_seconds: float,
    ) -> None:
        self._engine = here
        self._board = board
        self._poll_seconds = poll_seconds
        self._name = f'{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}'
        self._free = threading.Semaphore(at_once)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._claiming = threading.Lock()  # held while ``run`` runs
        self._running: dict[threading.Thread, Any] = {}

    def run(self) -> None:
        """Claim jobs and begin with them; returns once told to stop."""
        with self._claiming:
            self._engine.watch()
            keeper = threading.Thread(
                target=self._keep_claims, name='vcluster-claims', daemon=True
            )
            keeper.start()
            while not self._stopping.is_set():
                if not self._begin_next():
                    self._stopping.wait(self._poll_seconds)
            keeper.join()

    def stop(self, timeout: float = 60.0) -> None:
        """Hand over what runs: to the next engine that has the time."""
        self._stopping.set()
        until = time.monotonic() + timeout
        self._engine.stop(timeout)
        with self._lock:
            threads = list(self._running)
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        # Whoever still talks to the board would open it once more.
        if self._claiming.acquire(timeout=max(until - time.monotonic(), 0.0)):
            self._claiming.release()
        self._board.close()

    def _begin_next(self) -> bool:
        """Begin with a job; tell whether there may be more to begin with."""
        if not self._free.acquire(timeout=self._poll_seconds):
            return True
        job = None
        # What keeps it away is told in the log, and it is tried again.
        with contextlib.suppress(exception.ServiceUnavailable):
            job = self._board.claim(self._name)
        if job is None:
            self._free.release()
            return False
        thread = threading.Thread(
            target=self._carry_out, args=(job,), name='vcluster-job'
        )
        with self._lock:
            self._running[thread] = job
        thread.start()
        return True

    def _carry_out(self, job: Any) -> None:
        try:
            self._do(job.details)
        finally:
            with self._lock:
                del self._running[threading.current_thread()]
            self._free.release()
            self._put_away(job)

    def _do(self, details: Any) -> None:
        cluster_id = str(details.get('cluster_id'))
        LOG.info(
            'Cluster %s, asked for by request %s',
            cluster_id,
            details.get('request_id'),
        )
        try:
            self._engine.carry_on(cluster_id, is_patient=True)
        except (
            exception.ClusterBusy,
            exception.ClusterNotFound,
            exception.CloudError,
            exception.LeaseLost,
        ) as error:
            LOG.warning('Cluster %s: %s', cluster_id, error)
        except Exception:  # the edge of a thread
            LOG.exception('Work on cluster %s ended badly', cluster_id)

    def _put_away(self, job: Any) -> None:
        """A job is done once: what is still due is found by who watches.

        Unless this process goes down: others are to go on at once.
        """
        away = self._board.consume
        if self._stopping.is_set():
            away = self._board.abandon
        try:
            away(job, self._name)
        except exception.ServiceUnavailable:
            LOG.warning('A job stays on the board: it will be done in vain')

    def _keep_claims(self) -> None:
        """In a thread of its own: work may take longer than a claim lasts."""
        while not self._stopping.wait(self._board.claim_seconds / RENEWALS):
            with self._lock:
                running = list(self._running.values())
            for job in running:
                try:
                    self._board.extend(job)
                except exception.ServiceUnavailable:
                    LOG.warning('A claim may run out; the lease still holds')
