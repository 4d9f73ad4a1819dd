# SPDX-License-Identifier: Apache-2.0
"""The engine: works on clusters in the background, one operation each."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import futurist
from taskflow import engines

from heat_vcluster import context as ctx
from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import background, base, flows, reasons
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.cleanup import Cleanup
from heat_vcluster.engine.listener import Recorder
from heat_vcluster.members import base as members
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus

#: How long a verb waits until the record shows that its work has begun.
BEGIN_SECONDS = 5.0
#: Between two attempts to get a cluster that others are at work on, as a
#: part of the poll interval.
TAKEOVER_PAUSE = 0.3
ON_REQUEST = 'It was stopped on request'


class Engine:
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
        self._opener = opener
        self._planner = planner
        self._load = load
        self._settings = settings or base.Settings()
        self._name = f'{socket.gethostname()}:{os.getpid()}:{uuid.uuid4()}'
        self._windows = threading.Semaphore(self._settings.handover_windows)
        self._turns = threading.Semaphore(self._settings.operations)
        self._lock = threading.Lock()
        self._background = background.Background()
        self._signals: dict[str, leases.Signal] = {}
        self._keepers: set[leases.Keeper] = set()
        self._pool: Any = None
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    # -- verbs ------------------------------------------------------------

    def create(self, cluster_id: str, context: ctx.Context) -> None:
        """Begin to build a recorded cluster; returns at once."""
        self.check_open()
        self._background.begin(
            ('create', cluster_id),
            lambda has_begun: self._create(cluster_id, context),
            again=False,
        )

    def delete(self, cluster_id: str, context: ctx.Context) -> None:
        """Begin to remove a cluster; returns at once.

        It is DELETING then, unless somebody is at work on it: that has to
        end first, which is waited for in the background.
        """
        self.check_open()
        record = self._store.get_cluster(cluster_id)
        has_begun = self._background.begin(
            ('delete', cluster_id),
            lambda has_begun: self._delete(cluster_id, context, has_begun),
            # It may be in its last moments, or not have begun yet.
            again=record.status not in states.IN_PROGRESS,
        )
        has_begun.wait(BEGIN_SECONDS)

    def hurry(self, cluster_id: str) -> None:
        """Tell work on the cluster in this process to stop, right now.

        Others hear it from the store, a second later.
        """
        signal = self._signals.get(cluster_id)
        if signal is not None:
            signal.stop(exception.Cancelled(ON_REQUEST))

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
        """Stop what runs (it is rolled back) and wait for it.

        What has not ended when the time is over is left as it is, for
        others to settle once its lease has expired.
        """
        self._stopping.set()
        for signal in list(self._signals.values()):
            signal.stop(exception.Cancelled('The engine is going down'))
        self._background.join(timeout=timeout)
        with self._lock:
            for keeper in self._keepers:
                keeper.is_lost.set()
            if self._pool is not None:
                self._pool.shutdown(wait=False)
        if self._watch is not None:
            self._watch.join(1.0)

    def settle_interrupted(self) -> None:
        """Give back the holds of clusters whose engine died, and say so.

        What was built stays until the cluster is deleted: that takes the
        tenant's own rights. Holds that could not be given back when a
        cluster ended are given back now, too.
        """
        for record in self._store.interrupted():
            self._look_into(record.id, self._settle)
        for cluster_id in self._store.with_idle_holds():
            self._look_into(cluster_id, self._free)

    # -- owning a cluster -------------------------------------------------

    def check_open(self) -> None:
        """Raise ClusterBusy if this engine begins nothing any more."""
        if self._stopping.is_set():
            raise exception.ClusterBusy('This engine is going down')

    @contextlib.contextmanager
    def _owning(
        self, lease: Any, signal: leases.Signal, hears_cancel: bool
    ) -> Iterator[leases.Keeper]:
        """Keep the lease alive within the block, give it up after."""
        keeper = leases.Keeper(
            self._store,
            lease,
            signal,
            self._settings.lease_seconds,
            hears_cancel,
        )
        with self._lock:
            self._keepers.add(keeper)
        keeper.start()
        try:
            yield keeper
        finally:
            keeper.end()
            with self._lock:
                self._keepers.discard(keeper)
            self._store.surrender(lease)

    def _acquire(
        self,
        cluster_id: str,
        patience: float,
        has_begun: threading.Event | None = None,
    ) -> Any:
        """Take the cluster, waiting for its present owner to finish."""
        owner = f'{self._name}:{uuid.uuid4()}'
        pause = TAKEOVER_PAUSE * self._settings.poll_interval
        until = time.monotonic() + patience
        while True:
            try:
                return self._store.acquire(
                    cluster_id, owner, self._settings.lease_seconds
                )
            except exception.ClusterBusy:
                if has_begun is not None and self._is_in_progress(cluster_id):
                    has_begun.set()
                if time.monotonic() > until or self._stopping.wait(pause):
                    raise

    def _is_in_progress(self, cluster_id: str) -> bool:
        """Tell a cluster at work from one that is about to be let go."""
        record = self._store.get_cluster(cluster_id)
        return record.status in states.IN_PROGRESS

    # -- create -----------------------------------------------------------

    def _create(self, cluster_id: str, context: ctx.Context) -> None:
        """Own the cluster from now on, even while it waits for its turn."""
        lease = self._acquire(cluster_id, patience=0.0)
        record = self._store.get_cluster(cluster_id)
        signal = leases.Signal(self._deadline(record))
        self._signals[cluster_id] = signal
        try:
            with self._owning(lease, signal, True) as keeper:
                if record.cancel_requested:
                    signal.stop(exception.Cancelled(ON_REQUEST))
                if self._stopping.is_set():
                    signal.stop(exception.Cancelled('The engine goes down'))
                if record.status is ClusterStatus.PLANNING:
                    self._build(record, context, lease, signal, keeper)
        finally:
            self._signals.pop(cluster_id, None)

    def _deadline(self, record: Any) -> float:
        seconds = self._settings.create_timeout
        if record.deadline is not None:
            now = datetime.datetime.now(datetime.UTC)
            seconds = (record.deadline - now).total_seconds()
        return time.monotonic() + seconds

    def _build(
        self,
        record: Any,
        context: ctx.Context,
        lease: Any,
        signal: leases.Signal,
        keeper: leases.Keeper,
    ) -> None:
        writer = self._store.writer(lease)
        writer.add_event(None, 'create', 'begun')
        try:
            build = self._prepare(record, context, writer, signal, keeper)
        except Exception as error:  # nothing has been made: only say so
            LOG.exception('Cluster %s cannot be built', record.id)
            self._fail(record.id, writer, error, '')
            return
        try:
            with self._turn(signal):
                self._run(flows.create(build), writer, build)
        except Exception as error:  # whatever it was, it is rolled back
            if keeper.is_lost.is_set():
                raise exception.LeaseLost(str(signal.reason)) from error
            self._roll_back(build, writer, reason_of(build, signal, error))
        else:
            writer.add_event(None, 'active', 'every member is ready')
            writer.set_status(
                ClusterStatus.DELETING
                if self._is_delete_next(record.id)
                else ClusterStatus.ACTIVE
            )

    def _prepare(
        self,
        record: Any,
        context: ctx.Context,
        writer: base.Writer,
        signal: leases.Signal,
        keeper: leases.Keeper,
    ) -> Build:
        return Build(
            record.id,
            record.name or record.id,
            record.project_id,
            self._load(record.document),
            self._opener.open(context),
            self._planner,
            self._store,
            writer,
            signal,
            self._windows,
            self._settings,
            keeper.is_lost,
        )

    @contextlib.contextmanager
    def _turn(self, signal: leases.Signal) -> Iterator[None]:
        """Wait until few enough clusters are built at the same time."""
        while not self._turns.acquire(timeout=0.2):
            signal.check()
        try:
            signal.check()
            yield
        finally:
            self._turns.release()

    def _run(
        self,
        flow: Any,
        writer: base.Writer | None = None,
        build: Build | None = None,
    ) -> None:
        """Run a graph; that of a build with all that happens recorded."""
        with self._lock:
            if self._pool is None:
                self._pool = futurist.ThreadPoolExecutor(
                    max_workers=self._settings.threads
                )
        engine = engines.load(flow, engine='parallel', executor=self._pool)
        if writer is None or build is None:
            engine.run()
            return
        steps = members.all_steps(build.wanted)
        with Recorder(engine, writer, steps, build.abandon):
            engine.run()

    def _roll_back(
        self, build: Build, writer: base.Writer, error: BaseException
    ) -> None:
        """Finish what the reverts began: nothing may be left."""
        if not isinstance(error, exception.VClusterError):
            LOG.error('Cluster %s failed', build.cluster_id, exc_info=error)
        if build.is_held:
            writer.set_status(ClusterStatus.ROLLING_BACK, reasons.words(error))
        cleanup = self._cleanup(
            build.cluster_id, writer, build.abandoned.is_set
        )
        held = cleanup.release_holds()
        left = cleanup.sweep(build.cloud) if build.is_held else []
        cleanup.close(left)
        self._fail(
            build.cluster_id, writer, error, reasons.remains(left, held)
        )

    def _fail(
        self,
        cluster_id: str,
        writer: base.Writer,
        error: BaseException,
        note: str,
    ) -> None:
        """End in ERROR; or, if a delete waits for it, let that go on."""
        reason = reasons.words(error)
        whole = '. '.join(part for part in (reason, note) if part)
        writer.add_event(None, 'failed', whole)
        writer.set_status(
            ClusterStatus.DELETING
            if self._is_delete_next(cluster_id)
            else ClusterStatus.ERROR,
            whole,
            reasons.code(error),
        )

    def _is_delete_next(self, cluster_id: str) -> bool:
        """Tell whether somebody waits for the cluster to delete it."""
        is_asked = self._store.is_cancel_requested(cluster_id)
        return is_asked and not self._stopping.is_set()

    # -- delete -----------------------------------------------------------

    def _delete(
        self, cluster_id: str, context: ctx.Context, has_begun: threading.Event
    ) -> None:
        lease = self._acquire(
            cluster_id, 2 * self._settings.removal_timeout, has_begun
        )
        signal = leases.Signal(float('inf'))
        with self._owning(lease, signal, False) as keeper:
            record = self._store.get_cluster(cluster_id)
            if record.status is ClusterStatus.DELETED:
                return
            writer = self._store.writer(lease)
            writer.set_status(ClusterStatus.DELETING)
            has_begun.set()
            writer.add_event(None, 'delete', 'begun')
            try:
                self._remove(record, context, writer, keeper)
            except exception.LeaseLost:
                raise
            except Exception as error:  # the edge: say so, do not hang
                LOG.exception('Deleting cluster %s failed', cluster_id)
                reason = reasons.words(error)
                writer.add_event(None, 'failed', reason)
                writer.set_status(
                    ClusterStatus.ERROR,
                    f'delete: {reason}; delete again to go on',
                    reasons.code(error),
                )

    def _remove(
        self,
        record: Any,
        context: ctx.Context,
        writer: base.Writer,
        keeper: leases.Keeper,
    ) -> None:
        for member in self._store.get_members(record.id):
            if states.is_allowed(member.status, MemberStatus.DELETING):
                writer.set_member(member.name, MemberStatus.DELETING)
        cleanup = self._cleanup(
            record.id,
            writer,
            lambda: keeper.is_lost.is_set() or self._stopping.is_set(),
        )
        held = cleanup.release_holds()
        left = cleanup.sweep(self._opener.open(context))
        cleanup.close(left)
        note = reasons.remains(left, held)
        if note:
            writer.add_event(None, 'failed', note)
            writer.set_status(ClusterStatus.ERROR, note, 'vcluster.leftovers')
        else:
            writer.add_event(None, 'deleted', 'nothing is left')
            writer.set_status(ClusterStatus.DELETED)

    def _cleanup(
        self,
        cluster_id: str,
        writer: base.Writer,
        is_abandoned: Callable[[], bool],
    ) -> Cleanup:
        return Cleanup(
            cluster_id,
            self._store,
            writer,
            self._opener,
            self._settings,
            self._run,
            is_abandoned,
        )

    # -- clusters whose engine died ---------------------------------------

    def _look_after(self) -> None:
        while not self._stopping.wait(self._settings.watch_interval):
            try:
                self.settle_interrupted()
            except Exception:  # the edge of a thread: the store may be away
                LOG.exception('Could not look for interrupted clusters')

    def _look_into(
        self, cluster_id: str, act: Callable[[str, base.Writer], None]
    ) -> None:
        """Act on a cluster that nobody works on, unless somebody does."""
        try:
            lease = self._acquire(cluster_id, patience=0.0)
        except exception.ClusterBusy:
            return
        try:
            act(cluster_id, self._store.writer(lease))
        except exception.VClusterError:
            LOG.exception('Could not settle cluster %s', cluster_id)
        finally:
            self._store.surrender(lease)

    def _free(self, cluster_id: str, writer: base.Writer) -> None:
        cleanup = self._cleanup(cluster_id, writer, self._stopping.is_set)
        if cleanup.release_holds() is None:
            writer.add_event(None, 'released', 'what was held is free again')

    def _settle(self, cluster_id: str, writer: base.Writer) -> None:
        cleanup = self._cleanup(cluster_id, writer, self._stopping.is_set)
        if cleanup.release_holds() is not None:
            return  # it is looked after again, for the sake of the room
        cleanup.interrupt()
        writer.add_event(None, 'interrupted', reasons.INTERRUPTED)
        writer.set_status(
            ClusterStatus.ERROR, reasons.INTERRUPTED, 'vcluster.interrupted'
        )


def reason_of(
    build: Build, signal: leases.Signal, error: BaseException
) -> BaseException:
    """Return what began it all: not the failures that it led to."""
    if build.cause is not None:
        return build.cause
    if isinstance(signal.reason, exception.TimedOut):
        return reasons.timed_out(build.late)
    return signal.reason or error
