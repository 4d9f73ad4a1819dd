# SPDX-License-Identifier: Apache-2.0
"""The engine: works on clusters in the background, one operation each."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from heat_vcluster import context as ctx
from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import (
    background,
    base,
    janitor,
    operation,
    patience,
    runner,
    work,
)
from heat_vcluster.engine import lease as leases
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

#: How long a verb waits until the record shows that its work has begun.
BEGIN_SECONDS = 5.0
#: Between two attempts to get a cluster that others are at work on, as a
#: part of the poll interval.
TAKEOVER_PAUSE = 0.3
#: What holding a plan again takes at most, while placement stumbles.
AUDIT_SECONDS = 60.0
#: What is begun about a cluster that runs.
AT_WORK = states.UPKEEP | {
    states.ClusterStatus.UPDATING,
    states.ClusterStatus.RELEASING,
}
#: By these others have it, or it is tried again.
PUT_OFF = (
    exception.ClusterBusy,
    exception.CloudError,
    exception.LeaseLost,
)
ON_REQUEST = 'It was stopped on request'


class Engine(work.Work):
    """Builds and removes clusters; any number may share one store.

    ``load`` turns a stored document back into a GroupSpec. Threads are
    started at the first operation, never before: whoever holds an engine
    may still fork.
    """

    def __init__(
        self,
        store: base.Store,
        opener: cloud.CloudOpener,
        planner: base.Planner,
        load: Callable[[Any], spec.GroupSpec],
        settings: base.Settings | None = None,
    ) -> None:
        self._store = store
        self._settings = settings or base.Settings()
        self._name = f'{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}'
        self._stopping = threading.Event()
        self._runner = runner.Runner(self._settings.threads)
        self._parts = operation.Parts(
            store,
            opener,
            planner,
            load,
            self._settings,
            self._runner,
            threading.Semaphore(self._settings.operations),
            threading.Semaphore(self._settings.handover_windows),
            self._stopping,
        )
        self._lock = threading.Lock()
        self._background = background.Background()
        self._operations: dict[str, operation.Operation] = {}
        self._idle = threading.Condition()
        self._keepers: set[leases.Keeper] = set()
        self._watch: threading.Thread | None = None
        self._next_audit = 0.0

    # -- verbs ------------------------------------------------------------

    def check_open(self) -> None:
        """Raise ClusterBusy if this engine begins nothing any more."""
        if self._stopping.is_set():
            raise exception.ClusterBusy('This engine is going down')

    def begin(self, cluster_id: str, context: ctx.Context) -> None:
        """Begin to do what is due; returns at once.

        A cluster that is not wanted is DELETING then, unless somebody is at
        work on it: that has to end first, which is waited for in the
        background.
        """
        self.check_open()
        record = self._store.get_cluster(cluster_id)
        is_wanted = record.wanted is states.Wanted.PRESENT
        if is_wanted and record.status in AT_WORK:
            self._background.begin(
                ('upkeep', cluster_id),
                lambda has_begun: self.carry_on(cluster_id, context),
                # The one before it may be in its last moments.
                again=True,
            )
            return
        if is_wanted:
            self._background.begin(
                ('create', cluster_id),
                lambda has_begun: self.carry_on(cluster_id, context),
                again=False,
            )
            return
        has_begun = self._background.begin(
            ('delete', cluster_id),
            lambda has_begun: self.carry_on(
                cluster_id, context, is_patient=True, has_begun=has_begun
            ),
            # It may be in its last moments, or not have begun yet.
            again=record.status not in states.IN_PROGRESS,
        )
        has_begun.wait(BEGIN_SECONDS)

    def carry_on(
        self,
        cluster_id: str,
        context: ctx.Context | None = None,
        *,
        is_patient: bool = False,
        has_begun: threading.Event | None = None,
    ) -> None:
        """Do what the record says is due, and return when it is done.

        Without a ``context`` by the trust on record. ``is_patient``: if the
        cluster is to be removed, whoever works on it is waited for;
        ``has_begun`` is set once a removal is under way. Raises ClusterBusy,
        LeaseLost when others are to go on, CloudError when it is put off.
        """
        has_begun = has_begun or threading.Event()
        seconds = self._patience(cluster_id, is_patient)
        with self._operating(
            cluster_id, context, seconds, has_begun
        ) as working:
            working.carry_on(has_begun)

    def _patience(self, cluster_id: str, is_patient: bool) -> float:
        """Return how long to wait for a cluster that others have."""
        record = self._store.get_cluster(cluster_id)
        if record.wanted is states.Wanted.ABSENT:
            return 2 * self._settings.removal_timeout if is_patient else 0.0
        if record.status is states.ClusterStatus.HELD:
            return AUDIT_SECONDS  # as a plan it may be looked after just now
        if record.status in AT_WORK:
            return AUDIT_SECONDS  # whoever had it before is about to let go
        return 0.0

    def hurry(self, cluster_id: str) -> None:
        """Tell work on the cluster in this process to stop, right now.

        Others hear it from the store, a second later.
        """
        working = self._operations.get(cluster_id)
        if working is not None:
            working.cancel(exception.Cancelled(ON_REQUEST))

    def hold(self, cluster_id: str, context: ctx.Context) -> None:
        self.check_open()
        with self._operating(cluster_id, context) as working:
            working.hold_plan()

    def release(self, cluster_id: str) -> None:
        """Give back a plan; what is refused now is tried again later."""
        try:
            with self._operating(cluster_id) as working:
                working.drop_plan()
        except PUT_OFF as error:
            LOG.warning('Plan %s is released later: %s', cluster_id, error)

    def join(self, cluster_id: str, timeout: float | None = None) -> None:
        """Wait until this engine does nothing about the cluster."""
        self._background.join(cluster_id, timeout)

    def watch(self) -> None:
        """Look after clusters whose engine died, from now on."""
        with self._lock:
            if self._watch is None and not self._stopping.is_set():
                self._watch = threading.Thread(
                    target=self._look_after, name='vcluster-watch', daemon=True
                )
                self._watch.start()

    def stop(self, timeout: float = 60.0) -> None:
        """Stop what runs and wait for it.

        What others can go on with is left for them, at the next step; the
        rest is rolled back. What has not ended when the time is over is
        left as it is, for others to find once its lease has expired.
        """
        self._stopping.set()
        until = time.monotonic() + timeout
        for working in list(self._operations.values()):
            working.stop()
        self._background.join(timeout=timeout)
        with self._idle:
            self._idle.wait_for(
                lambda: not self._operations, until - time.monotonic()
            )
        with self._lock:
            for keeper in self._keepers:
                keeper.is_lost.set()
        self._runner.stop()
        if self._watch is not None:
            self._watch.join(1.0)

    def attend(self) -> None:
        """Begin what is due to clusters that have no engine; at once.

        As many at a time as are built at a time. Holds that could not be
        given back when a cluster ended are given back now, too.
        """
        for record in self._store.unattended():
            if len(self._background.threads()) >= self._settings.operations:
                break
            if not self._background.threads(record.id):
                self._attend(record.id)
        for cluster_id in self._store.with_idle_holds():
            self._free(cluster_id)
        if time.monotonic() >= self._next_audit:
            self.audit()

    def audit(self) -> None:
        """Look whether plans are really held, and hold them again."""
        self._next_audit = time.monotonic() + self._settings.audit_interval
        for plan in self._store.held_plans():
            try:
                # Who wants to build it is not kept away by a mere look.
                if janitor.lost(self._store, self._parts.opener, plan.id):
                    with self._operating(plan.id) as working:
                        working.hold_again()
            except PUT_OFF as error:
                LOG.warning('Plan %s is looked at later: %s', plan.id, error)

    def _attend(self, cluster_id: str) -> None:
        self._background.begin(
            ('resume', cluster_id),
            lambda has_begun: self.carry_on(cluster_id),
            again=False,
        )

    # -- owning a cluster -------------------------------------------------

    @contextlib.contextmanager
    def _operating(
        self,
        cluster_id: str,
        context: ctx.Context | None = None,
        wait_seconds: float = 0.0,
        has_begun: threading.Event | None = None,
    ) -> Iterator[operation.Operation]:
        """Have the cluster's lease within the block, and keep it alive."""
        lease, begun = self._acquire(cluster_id, wait_seconds, has_begun)
        record = self._store.get_cluster(cluster_id)
        is_wanted = record.wanted is states.Wanted.PRESENT
        signal = leases.Signal(self._deadline(record))
        keeper = leases.Keeper(
            self._store,
            lease,
            signal,
            self._settings.lease_seconds,
            begun,
            hears_cancel=is_wanted,
        )
        patient = functools.partial(
            patience.bear, is_lost=keeper.is_lost, settings=self._settings
        )
        working = operation.Operation(
            dataclasses.replace(
                self._parts,
                store=patient(self._store),
                opener=self._parts.opener.guarded(keeper.check),
            ),
            record,
            context,
            patient(self._store.writer(lease)),
            signal,
            keeper,
        )
        with self._keeping(lease, keeper):
            with self._idle:
                self._operations[cluster_id] = working
            try:
                if is_wanted and record.cancel_requested:
                    working.cancel(exception.Cancelled(ON_REQUEST))
                if self._stopping.is_set():
                    working.stop()
                yield working
            finally:
                with self._idle:
                    del self._operations[cluster_id]
                    self._idle.notify_all()

    @contextlib.contextmanager
    def _keeping(self, lease: Any, keeper: leases.Keeper) -> Iterator[None]:
        with self._lock:
            self._keepers.add(keeper)
        keeper.start()
        try:
            yield
        finally:
            keeper.end()
            with self._lock:
                self._keepers.discard(keeper)
            if keeper.is_handed_over:
                self._store.renew(lease, 0.0)  # as that of a dead engine
            else:
                self._store.surrender(lease)

    def _acquire(
        self,
        cluster_id: str,
        wait_seconds: float,
        has_begun: threading.Event | None = None,
    ) -> tuple[Any, float]:
        """Take the cluster, waiting for its present owner to finish.

        Returns the lease, and when it was asked for.
        """
        owner = f'{self._name}:{uuid.uuid4()}'
        pause = TAKEOVER_PAUSE * self._settings.poll_interval
        until = time.monotonic() + wait_seconds
        while True:
            begun = leases.now()
            try:
                return self._store.acquire(
                    cluster_id, owner, self._settings.lease_seconds
                ), begun
            except exception.ClusterBusy:
                if has_begun is not None and self._is_in_progress(cluster_id):
                    has_begun.set()
                if time.monotonic() > until or self._stopping.wait(pause):
                    raise

    def _is_in_progress(self, cluster_id: str) -> bool:
        """Tell a cluster at work from one that is about to be let go."""
        record = self._store.get_cluster(cluster_id)
        return record.status in states.IN_PROGRESS

    def _deadline(self, record: Any) -> float:
        seconds = self._settings.create_timeout
        if record.deadline is not None:
            now = datetime.datetime.now(datetime.UTC)
            seconds = (record.deadline - now).total_seconds()
        return time.monotonic() + seconds

    # -- clusters that have no engine -------------------------------------

    def _look_after(self) -> None:
        while not self._stopping.wait(self._settings.watch_interval):
            try:
                self.attend()
            except Exception:  # the edge of a thread: the store may be away
                LOG.exception('Could not look for interrupted clusters')

    def _free(self, cluster_id: str) -> None:
        try:
            with self._operating(cluster_id) as working:
                working.free()
        except PUT_OFF as error:
            LOG.warning('Holds of %s stay for now: %s', cluster_id, error)
