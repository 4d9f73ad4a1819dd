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
from heat_vcluster.engine import base, flows, removal
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.listener import Recorder, words
from heat_vcluster.members import base as members
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus

#: How often everything of a cluster is looked for and removed again before
#: what is still there counts as left.
SWEEPS = 3
#: Seconds between two looks for clusters whose engine died.
LOOK_INTERVAL = 5.0
INTERRUPTED = (
    'its engine died while it was at work; delete removes what was made'
)


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
        self._running: dict[tuple[str, str], threading.Thread] = {}
        self._signals: dict[str, leases.Signal] = {}
        self._pool: Any = None
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    # -- verbs ------------------------------------------------------------

    def create(self, cluster_id: str, context: ctx.Context) -> None:
        """Begin to build a recorded cluster; returns at once."""
        self._begin('create', cluster_id, context, self._create)

    def delete(self, cluster_id: str, context: ctx.Context) -> None:
        """Begin to remove a cluster; returns at once.

        Waits in the background until whoever builds it has rolled back.
        """
        self._begin('delete', cluster_id, context, self._delete)

    def hurry(self, cluster_id: str) -> None:
        """Tell work on the cluster in this process to stop, right now.

        Others hear it from the store, a second later.
        """
        signal = self._signals.get(cluster_id)
        if signal is not None:
            signal.stop(exception.Cancelled('It was stopped on request'))

    def join(self, cluster_id: str, timeout: float | None = None) -> None:
        """Wait until this engine does nothing about the cluster."""
        with self._lock:
            threads = [
                thread
                for (_, running), thread in self._running.items()
                if running == cluster_id
            ]
        for thread in threads:
            thread.join(timeout)

    def watch(self) -> None:
        """Look after clusters whose engine died, from now on."""
        with self._lock:
            if self._watch is None:
                self._watch = threading.Thread(
                    target=self._look_after, name='vcluster-watch', daemon=True
                )
                self._watch.start()

    def stop(self, timeout: float = 60.0) -> None:
        """Stop what runs (it is rolled back) and wait for it."""
        self._stopping.set()
        for signal in list(self._signals.values()):
            signal.stop(exception.Cancelled('The engine is going down'))
        until = time.monotonic() + timeout
        for thread in list(self._running.values()):
            thread.join(max(0.0, until - time.monotonic()))
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    # -- operations in the background -------------------------------------

    def _begin(
        self,
        verb: str,
        cluster_id: str,
        context: ctx.Context,
        operation: Callable[[str, ctx.Context], None],
    ) -> None:
        if self._stopping.is_set():
            raise exception.ClusterBusy('This engine is going down')
        key = (verb, cluster_id)
        with self._lock:
            if key in self._running:
                return
            if self._pool is None:
                self._pool = futurist.ThreadPoolExecutor(
                    max_workers=self._settings.threads
                )
            thread = threading.Thread(
                target=self._work,
                args=(key, context, operation),
                name=f'{verb}-{cluster_id[:8]}',
                daemon=True,
            )
            self._running[key] = thread
        thread.start()

    def _work(
        self,
        key: tuple[str, str],
        context: ctx.Context,
        operation: Callable[[str, ctx.Context], None],
    ) -> None:
        try:
            operation(key[1], context)
        except (exception.LeaseLost, exception.ClusterBusy):
            LOG.warning('%s of cluster %s: others are at work on it', *key)
        except Exception:  # the edge of a thread
            LOG.exception('%s of cluster %s ended badly', *key)
        finally:
            with self._lock:
                self._running.pop(key, None)

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
        keeper.start()
        try:
            yield keeper
        finally:
            keeper.end()
            self._store.surrender(lease)

    def _acquire(self, cluster_id: str, patience: float) -> Any:
        """Take the cluster, waiting for its present owner to finish."""
        owner = f'{self._name}:{uuid.uuid4()}'
        until = time.monotonic() + patience
        while True:
            try:
                return self._store.acquire(
                    cluster_id, owner, self._settings.lease_seconds
                )
            except exception.ClusterBusy:
                if time.monotonic() > until or self._stopping.wait(0.3):
                    raise

    # -- create -----------------------------------------------------------

    def _create(self, cluster_id: str, context: ctx.Context) -> None:
        with self._turns:
            lease = self._acquire(cluster_id, patience=0.0)
            record = self._store.get_cluster(cluster_id)
            signal = leases.Signal(self._deadline(record))
            self._signals[cluster_id] = signal
            try:
                with self._owning(lease, signal, True) as keeper:
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
        wanted = self._load(record.document)
        outside = self._opener.open(context)
        build = Build(
            record.id,
            record.name or record.id,
            wanted,
            outside,
            self._planner,
            writer,
            signal,
            self._windows,
            self._settings,
            keeper.is_lost,
        )
        try:
            self._run(flows.create(build), Recorder, writer, wanted)
        except Exception as error:  # whatever it was, it is rolled back
            if keeper.is_lost.is_set():
                raise exception.LeaseLost(str(signal.reason)) from error
            self._roll_back(build, writer, reason_of(build, signal, error))
        else:
            writer.set_status(ClusterStatus.ACTIVE)
            writer.add_event(None, 'active', 'every member is ready')

    def _run(
        self,
        flow: Any,
        recorder: Any = None,
        writer: base.Writer | None = None,
        wanted: spec.GroupSpec | None = None,
    ) -> None:
        engine = engines.load(flow, engine='parallel', executor=self._pool)
        if recorder is None or writer is None or wanted is None:
            engine.run()
            return
        with recorder(engine, writer, members.all_steps(wanted)):
            engine.run()

    def _roll_back(
        self, build: Build, writer: base.Writer, error: BaseException
    ) -> None:
        """Finish what the reverts began: nothing may be left."""
        if not isinstance(error, exception.VClusterError):
            LOG.error('Cluster %s failed', build.cluster_id, exc_info=error)
        reason = words(error)
        if build.is_held:
            writer.set_status(ClusterStatus.ROLLING_BACK, reason)
        build.undo_reservation()
        left: list[removal.Leftover] | None = []
        if build.is_held:
            left = self._sweep(
                build.cloud, build.cluster_id, build.abandoned.is_set
            )
        self._close_members(build.cluster_id, writer, left)
        note = remains(left)
        writer.set_status(
            ClusterStatus.ERROR,
            '. '.join(part for part in (reason, note) if part),
            getattr(error, 'code', exception.VClusterError.code),
        )
        writer.add_event(None, 'failed', reason)

    # -- delete -----------------------------------------------------------

    def _delete(self, cluster_id: str, context: ctx.Context) -> None:
        lease = self._acquire(
            cluster_id, patience=2 * self._settings.removal_timeout
        )
        signal = leases.Signal(float('inf'))
        with self._owning(lease, signal, False) as keeper:
            record = self._store.get_cluster(cluster_id)
            if record.status is ClusterStatus.DELETED:
                return
            writer = self._store.writer(lease)
            writer.set_status(ClusterStatus.DELETING)
            writer.add_event(None, 'delete', 'begun')
            try:
                self._remove(record, context, writer, keeper)
            except exception.LeaseLost:
                raise
            except Exception as error:  # the edge: say so, do not hang
                LOG.exception('Deleting cluster %s failed', cluster_id)
                writer.set_status(
                    ClusterStatus.ERROR,
                    f'delete: {words(error)}; delete again to go on',
                    getattr(error, 'code', exception.VClusterError.code),
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
        self._release_holds(record.id, writer)
        left = self._sweep(
            self._opener.open(context), record.id, keeper.is_lost.is_set
        )
        self._close_members(record.id, writer, left)
        note = remains(left)
        if note:
            writer.set_status(ClusterStatus.ERROR, note, 'vcluster.leftovers')
        else:
            writer.add_event(None, 'deleted', 'nothing is left')
            writer.set_status(ClusterStatus.DELETED)

    def _release_holds(self, cluster_id: str, writer: base.Writer) -> None:
        """By our own rights: a tenant's token may have run out by now."""
        held = [
            hold.id
            for hold in self._store.get_holds(cluster_id)
            if hold.state == 'held'
        ]
        self._opener.release_holds(held)
        writer.drop_holds(held)

    # -- nothing may be left ----------------------------------------------

    def _sweep(
        self,
        outside: cloud.Cloud,
        cluster_id: str,
        is_abandoned: Callable[[], bool],
    ) -> list[removal.Leftover] | None:
        """Remove everything that bears the cluster's tag.

        Returns what refused to go; None if the cloud would not even tell.
        """
        left: list[removal.Leftover] = []
        for _ in range(SWEEPS):
            try:
                things = outside.find(cluster_id)
            except exception.CloudError:
                LOG.exception('Cannot look for things of %s', cluster_id)
                time.sleep(1.0)
                continue
            if not things:
                return []
            left = []
            self._run(
                flows.remove(
                    outside,
                    things,
                    self._settings.removal_timeout,
                    left,
                    is_abandoned,
                )
            )
            if left or is_abandoned():
                return left
        return left or None

    def _close_members(
        self,
        cluster_id: str,
        writer: base.Writer,
        left: list[removal.Leftover] | None,
    ) -> None:
        """Write what became of each member, and of what is left."""
        leftovers = {item.thing.owner.member: item for item in left or ()}
        writer.clear_leftovers()
        for item in left or ():
            writer.add_leftover(
                item.thing.kind,
                item.thing.id,
                item.thing.owner.member,
                item.reason,
            )
        for member in self._store.get_members(cluster_id):
            if not states.is_allowed(member.status, MemberStatus.DELETED):
                writer.set_member(member.name, MemberStatus.DELETING)
            if left is None or member.name in leftovers:
                if member.status not in (
                    MemberStatus.PLANNED,
                    MemberStatus.HELD,
                ):
                    writer.set_member(member.name, MemberStatus.ERROR)
            else:
                writer.set_member(
                    member.name, MemberStatus.DELETED, resource_id=None
                )

    # -- clusters whose engine died ---------------------------------------

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_INTERVAL):
            try:
                self.settle_interrupted()
            except Exception:  # the edge of a thread: the store may be away
                LOG.exception('Could not look for interrupted clusters')

    def settle_interrupted(self) -> None:
        """Give back the holds of clusters whose engine died, and say so.

        What was built stays until the cluster is deleted: that takes the
        tenant's own rights.
        """
        for record in self._store.interrupted():
            try:
                lease = self._acquire(record.id, patience=0.0)
            except exception.ClusterBusy:
                continue
            try:
                writer = self._store.writer(lease)
                self._release_holds(record.id, writer)
                writer.set_status(
                    ClusterStatus.ERROR, INTERRUPTED, 'vcluster.interrupted'
                )
                writer.add_event(None, 'interrupted', INTERRUPTED)
            finally:
                self._store.surrender(lease)


def reason_of(
    build: Build, signal: leases.Signal, error: BaseException
) -> BaseException:
    """Return what began it all: not the failures that it led to."""
    return build.cause or signal.reason or error


def remains(left: list[removal.Leftover] | None) -> str:
    """Say what is left and who cleans it; empty if nothing is."""
    if left is None:
        return (
            'It could not be verified that nothing is left; '
            'delete the cluster to have it looked for again'
        )
    if not left:
        return ''
    named = ', '.join(f'{item.thing.kind} {item.thing.id}' for item in left)
    return (
        f'{len(left)} left behind: {named} ({left[0].reason}); '
        'delete the cluster again to have them removed'
    )
