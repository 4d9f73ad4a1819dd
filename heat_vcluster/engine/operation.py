# SPDX-License-Identifier: Apache-2.0
"""What is done about one cluster while one engine has its lease.

What is due follows from the record alone, so that it is the same for the
engine that begins a cluster and for one that finds it half made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from heat_vcluster import context as ctx
from heat_vcluster import exception, metrics, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import (
    adopting,
    base,
    change,
    changing,
    flows,
    healing,
    janitor,
    proposal,
    reasons,
    releasing,
    runner,
    snapshots,
    upkeep,
)
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.cleanup import Cleanup
from heat_vcluster.spec import model as spec

LOG = logging.getLogger(__name__)

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What all operations of an engine share.

    ``load`` turns a stored document back into a GroupSpec; ``turns`` bounds
    the clusters that are built at once, ``windows`` the open hand-overs.
    """

    store: base.Store
    opener: cloud.CloudOpener
    planner: base.Planner
    load: Callable[[Any], spec.GroupSpec]
    settings: base.Settings
    runner: runner.Runner
    turns: threading.Semaphore
    windows: threading.Semaphore
    stopping: threading.Event


class Operation:
    """One cluster in the hands of one engine.

    ``context`` None: the tenant is not there, and only a trust of his lets
    anything be done in his name.
    """

    def __init__(
        self,
        parts: Parts,
        record: Any,
        context: ctx.Context | None,
        writer: base.Writer,
        signal: leases.Signal,
        keeper: leases.Keeper,
    ) -> None:
        self._parts = parts
        self._store = parts.store
        self._record = record
        self._context = context
        self._writer = writer
        self._signal = signal
        self._keeper = keeper

    # -- what is due ------------------------------------------------------

    def carry_on(self, has_begun: threading.Event) -> None:
        """Do what the record says; returns when nothing more is due.

        ``has_begun`` is set once a removal is on record as under way.
        Raises LeaseLost when others are to go on, and CloudError when it is
        to be tried later.
        """
        if self._record.status is ClusterStatus.DELETED:
            return
        if self._record.is_plan:
            self.drop_plan()
            return
        try:
            if self._record.wanted is states.Wanted.ABSENT:
                self._remove(has_begun)
            elif self._record.status is ClusterStatus.PLANNING:
                self._build_new()
            elif self._record.status is ClusterStatus.HELD:
                self._build_planned()
            elif self._record.status is ClusterStatus.CREATING:
                self._resume()
            elif self._record.status in states.CHANGING:
                self._change()
            elif self._record.status is ClusterStatus.ROLLING_BACK:
                self._resume_roll_back()
            elif self._record.status in states.UPKEEP:
                self._look_after()
            elif self._record.status is ClusterStatus.ADOPTING:
                self._adopt()
            elif self._record.status is ClusterStatus.RELEASING:
                self._let_go(self._recorded())
            elif self._record.status is ClusterStatus.DELETING:
                self._remove(has_begun)
        except (exception.Interrupted, exception.TrustLost) as error:
            self._give_up(error)

    def stop(self) -> None:
        """Come to an end: others go on if they can, else roll back."""
        if self._record.trust_id is not None:
            self._keeper.hand_over()
        else:
            self.cancel(exception.Cancelled('The engine is going down'))

    def cancel(self, reason: exception.Cancelled) -> None:
        """Stop building, and roll back."""
        self._signal.stop(reason)

    def _open(self) -> cloud.Cloud:
        """Open the cloud as the tenant.

        Without him there raises Interrupted or TrustLost if he has not
        entrusted us, or does so no more.
        """
        opener, record = self._parts.opener, self._record
        if self._context is not None:
            return opener.open(self._context)
        if record.trust_id is None:
            raise exception.Interrupted(reasons.INTERRUPTED)
        return opener.open(
            opener.trusted(record.project_id, record.user_id, record.trust_id)
        )

    # -- plans that are held ----------------------------------------------

    def hold_plan(self) -> None:
        """Hold the room for a plan; what cannot be held is DELETED."""
        build = self._prepare()
        try:
            build.resolve()
            build.reserve(then=ClusterStatus.HELD)
        except Exception as error:
            self._check_ours(error)
            with contextlib.suppress(exception.CloudError):
                self.drop_plan()
            raise reason_of(build, self._signal, error) from error

    def drop_plan(self) -> None:
        """Give back the room of a plan; raises CloudError if refused.

        Takes no rights of the tenant: nothing was made of it.
        """
        if self._record.status is not ClusterStatus.HELD:
            self._writer.set_status(ClusterStatus.DELETING)
        elif not self._writer.expire_plan():
            return  # it was claimed just now
        cleanup = self._cleanup(self._parts.stopping.is_set)
        cleanup.give_back()
        cleanup.close([])
        self._end()

    def hold_again(self) -> None:
        """Hold what is lost of a plan that is still to be had."""
        record = self._record
        if not record.is_plan or record.status is not ClusterStatus.HELD:
            return
        lost = janitor.lost(self._store, self._parts.opener, record.id)
        if lost:
            janitor.hold_again(self._parts.opener, self._writer, record, lost)

    # -- building ---------------------------------------------------------

    def _build_new(self) -> None:
        """Plan, hold and build; what a dead engine held is given back."""
        self._writer.add_event(None, 'create', 'begun')
        self._build(flows.create, self._reset)

    def _build_planned(self) -> None:
        self._writer.set_status(ClusterStatus.CREATING)
        self._writer.add_event(None, 'create', 'begun')
        self._build(flows.resume, self._load)

    def _resume(self) -> None:
        for member in self._store.get_members(self._record.id):
            if member.status in base.FAILED:
                self._roll_back(self._open(), reasons.interrupted(member))
                return
        self._build(flows.resume, self._load)

    def _reset(self, build: Build) -> None:
        self._cleanup(build.abandoned.is_set).give_back()
        build.remember(self._store.get_domains(self._record.id))

    def _load(self, build: Build) -> None:
        build.load(
            self._store.get_members(self._record.id),
            self._store.get_domains(self._record.id),
        )

    def _build(
        self,
        flow: Callable[[Build], Any],
        begin: Callable[[Build], None],
    ) -> None:
        try:
            build = self._prepare()
            begin(build)
        except (
            exception.CloudError,
            exception.Interrupted,
            exception.TrustLost,
        ):
            raise
        except Exception as error:
            LOG.exception('Cluster %s cannot be built', self._record.id)
            self._give_up(error)
            return
        try:
            with self._turn(), metrics.PHASES.labels('build').time():
                if build.steps:
                    self._parts.runner.run(flow(build), build)
        except Exception as error:  # whatever it was, it is rolled back
            self._check_ours(error)
            self._roll_back(
                build.cloud,
                reason_of(build, self._signal, error),
                is_held=build.is_held,
            )
        else:
            build.journal.flush()
            self._writer.add_event(None, 'active', 'every member is ready')
            self._writer.set_status(
                ClusterStatus.DELETING
                if self._is_delete_next()
                else ClusterStatus.ACTIVE
            )

    def _prepare(self) -> Build:
        wanted = self._parts.load(self._record.document)
        return Build(*self._build_parts(wanted, self._open()))

    def _build_parts(
        self, wanted: spec.GroupSpec, outside: cloud.Cloud
    ) -> tuple[Any, ...]:
        record, parts = self._record, self._parts
        return (
            record.id,
            record.built_as or record.id,
            record.project_id,
            wanted,
            outside,
            parts.planner,
            self._store,
            self._writer,
            self._signal,
            parts.windows,
            parts.settings,
            self._keeper.is_lost,
        )

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until few enough clusters are built at the same time."""
        while not self._parts.turns.acquire(timeout=0.2):
            self._signal.check()
        try:
            self._signal.check()
            yield
        finally:
            self._parts.turns.release()

    # -- changing ---------------------------------------------------------

    def _change(self) -> None:
        try:
            outside = self._open()
        except (exception.Interrupted, exception.TrustLost) as error:
            if not self._has_nothing_of_a_change():
                raise
            self._cleanup(self._parts.stopping.is_set).give_back()
            reason = f'The update failed: {reasons.words(error)}'
            self._writer.add_event(None, 'failed', reason)
            self._writer.end_change(reason, reasons.code(error))
            return
        changing.Changing(
            self._record,
            outside,
            self._parts,
            self._writer,
            functools.partial(self._prepare_change, outside),
            lambda: self._cleanup(self._keeper.is_lost.is_set),
            self._turn,
            self._check_ours,
            lambda build, error: reason_of(build, self._signal, error),
            functools.partial(self._check_changed, outside),
        ).carry_on()

    def _check_changed(self, outside: cloud.Cloud) -> None:
        """Check a cluster that has become another one, as it is now."""
        record = self._store.get_cluster(self._record.id)
        wanted = proposal.inside(
            self._parts.load,
            record.document,
            self._store.get_members(record.id),
        )
        work = self._upkeep(wanted, outside)
        work.keep(work.inspect())

    def _has_nothing_of_a_change(self) -> bool:
        """Tell whether a change has touched nothing yet."""
        record = self._record
        is_begun = record.status is ClusterStatus.UPDATING
        return is_begun and not record.change.is_held

    def _prepare_change(
        self, outside: cloud.Cloud, wanted: spec.GroupSpec, number: int
    ) -> change.Change:
        return change.Change(
            *self._build_parts(wanted, outside), number=number
        )

    # -- rolling back -----------------------------------------------------

    def _resume_roll_back(self) -> None:
        self._roll_back(self._open(), reasons.recorded(self._record))

    def _roll_back(
        self, outside: cloud.Cloud, error: BaseException, is_held: bool = True
    ) -> None:
        """Finish what the reverts began: nothing may be left."""
        if not isinstance(error, exception.VClusterError):
            LOG.error('Cluster %s failed', self._record.id, exc_info=error)
        if is_held:
            metrics.ROLLBACKS.inc()
            self._writer.set_status(
                ClusterStatus.ROLLING_BACK,
                reasons.words(error),
                reasons.code(error),
            )
        cleanup = self._cleanup(self._keeper.is_lost.is_set)
        with metrics.PHASES.labels('rollback').time():
            held = cleanup.release_holds()
            left = cleanup.clear(outside) if is_held else []
        self._check_ours()
        cleanup.close(left)
        self._fail(error, reasons.remains(left, held))

    def _fail(self, error: BaseException, note: str) -> None:
        """End in ERROR; or, if a delete waits for it, let that go on."""
        reason = reasons.words(error)
        whole = '. '.join(part for part in (reason, note) if part)
        self._writer.add_event(None, 'failed', whole)
        self._writer.set_status(
            ClusterStatus.DELETING
            if self._is_delete_next()
            else ClusterStatus.ERROR,
            whole,
            reasons.code(error),
        )

    def _is_delete_next(self) -> bool:
        """Tell whether somebody waits for the cluster to delete it."""
        is_asked = self._store.is_cancel_requested(self._record.id)
        return is_asked and not self._parts.stopping.is_set()

    # -- looking after it ---------------------------------------------------

    def _look_after(self) -> None:
        record, parts = self._record, self._parts
        try:
            wanted = proposal.inside(
                parts.load, record.document, self._store.get_members(record.id)
            )
            with self._turn():
                then = self._upkeep(wanted, self._open()).run()
        except Exception as failure:  # the edge: it goes back to what it was
            self._check_ours(failure)
            error = flows.cause(failure)
            if not isinstance(error, exception.VClusterError):
                LOG.exception('Cluster %s: upkeep failed', record.id)
            self._come_home(self._signal.reason or error)
        else:
            self._writer.set_status(
                ClusterStatus.DELETING if self._is_delete_next() else then
            )

    def _upkeep(
        self, wanted: spec.GroupSpec, outside: cloud.Cloud
    ) -> upkeep.Upkeep:
        parts = self._parts
        return upkeep.Upkeep(
            self._record,
            wanted,
            outside,
            parts.planner,
            self._store,
            self._writer,
            self._signal,
            parts.settings,
            parts.runner,
            lambda: Build(*self._build_parts(wanted, self._open())),
            lambda: self._cleanup(self._keeper.is_lost.is_set),
        )

    def _come_home(self, error: BaseException) -> None:
        """Say why what was asked for was not done.

        What is half made has no engine any more: its room is given back, as
        far as that can be done now, and it is looked for the next time.
        """
        self._cleanup(self._keeper.is_lost.is_set).release_holds()
        rows = self._store.get_members(self._record.id)
        self._writer.set_members(healing.given_up(rows, None))
        reason = upkeep.failed(self._record, error)
        if self._record.status is ClusterStatus.SNAPSHOTTING:
            snapshots.give_up(
                self._store,
                self._writer,
                self._record.action['snapshot'],
                reason,
            )
        self._writer.add_event(None, 'failed', reason)
        self._writer.set_status(
            ClusterStatus.DELETING
            if self._is_delete_next()
            else upkeep.home_of(self._record),
            reason,
            reasons.code(error),
        )

    # -- adopting, and giving up --------------------------------------------

    def _adopt(self) -> None:
        outside = self._open()
        try:
            wanted = self._parts.load(self._record.document)
            with self._turn():
                adopting.Adopting(
                    self._record, self._upkeep(wanted, outside)
                ).run()
        except Exception as failure:  # the edge: whatever it was, marks go
            self._check_ours(failure)
            error = self._signal.reason or flows.cause(failure)
            if not isinstance(error, exception.VClusterError):
                LOG.exception('Cluster %s: adoption failed', self._record.id)
            self._let_go(error, outside)

    def _recorded(self) -> BaseException | None:
        """Return why a cluster that is given up was not adopted, if so."""
        if self._record.status_reason is None:
            return None
        return reasons.recorded(self._record)

    def _let_go(
        self,
        error: BaseException | None,
        outside: cloud.Cloud | None = None,
        has_begun: threading.Event | None = None,
    ) -> None:
        """Take all marks off, and leave all things alone.

        ``error``: why it was not adopted. Else, or if it is not wanted
        anyway, nothing of the cluster is left in the end. ``has_begun`` is
        set once it is on record as under way.
        """
        writer = self._writer
        if outside is None and not self._is_all_deleted():
            outside = self._open()
        if error is None:
            writer.begin_release()
        else:
            writer.begin_release(reasons.words(error), reasons.code(error))
        if has_begun is not None:
            has_begun.set()
        note = '' if outside is None else self._take_marks_off(outside)
        self._end_release(error, note)

    def _take_marks_off(self, outside: cloud.Cloud) -> str:
        """Return what is left, in words; nothing if nothing is."""
        self._writer.add_event(None, 'release', 'begun')
        cleanup = self._cleanup(self._keeper.is_lost.is_set)
        held = cleanup.release_holds()
        rows = self._store.get_members(self._record.id)
        left = releasing.release(
            outside, self._parts.settings, self._record.id, rows
        )
        self._check_ours()
        cleanup.note(left)
        self._writer.set_members(dict(releasing.closed(rows, left)))
        return reasons.remains_of_release(left, held)

    def _end_release(self, error: BaseException | None, note: str) -> None:
        wanted = self._store.get_cluster(self._record.id).wanted
        is_over = error is None or wanted is states.Wanted.ABSENT
        if is_over and not note:
            self._end('its members are left alone')
            return
        said = (error and reasons.words(error), note)
        whole = '. '.join(part for part in said if part)
        self._writer.add_event(None, 'failed', whole)
        code = reasons.code(error) if error else states.LEFTOVERS
        self._writer.set_status(ClusterStatus.ERROR, whole, code)

    # -- removing ---------------------------------------------------------

    def _remove(self, has_begun: threading.Event) -> None:
        """Remove all of it; but nothing of what is not the cluster's."""
        if self._is_left_alone():
            self._let_go(None, has_begun=has_begun)
            return
        writer = self._writer
        try:
            outside = None if self._is_cleared() else self._open()
            writer.set_status(ClusterStatus.DELETING)
            has_begun.set()
            writer.add_event(None, 'delete', 'begun')
            if outside is None:
                self._end()
            else:
                self._clear(outside)
        except (
            exception.LeaseLost,
            exception.Interrupted,
            exception.TrustLost,
        ):
            raise
        except Exception as error:  # the edge: say so, do not hang
            if self._context is None:
                raise  # nobody waits: it is tried again
            LOG.exception('Deleting cluster %s failed', self._record.id)
            reason = reasons.words(error)
            writer.set_status(ClusterStatus.DELETING)
            writer.add_event(None, 'failed', reason)
            writer.set_status(
                ClusterStatus.ERROR,
                f'delete: {reason}; delete again to go on',
                reasons.code(error),
            )

    def _is_left_alone(self) -> bool:
        """Tell whether its members were not adopted yet, or given up."""
        return (
            self._record.status is ClusterStatus.RELEASING
            or releasing.is_left_alone(
                self._store.get_members(self._record.id)
            )
        )

    def _is_cleared(self) -> bool:
        """Tell whether an engine died when all but the word was done."""
        return (
            self._record.status is ClusterStatus.DELETING
            and self._is_all_deleted()
        )

    def _is_all_deleted(self) -> bool:
        return all(
            member.status is MemberStatus.DELETED
            for member in self._store.get_members(self._record.id)
        ) and not self._store.get_holds(
            self._record.id, records.HoldState.HELD
        )

    def _clear(self, outside: cloud.Cloud) -> None:
        for member in self._store.get_members(self._record.id):
            if states.is_allowed(member.status, MemberStatus.DELETING):
                self._writer.set_member(member.name, MemberStatus.DELETING)
        cleanup = self._cleanup(
            lambda: (
                self._keeper.is_lost.is_set() or self._parts.stopping.is_set()
            )
        )
        held = cleanup.release_holds()
        left = cleanup.clear(outside, kinds=self._kinds())
        self._check_ours()
        cleanup.close(left)
        note = reasons.remains(left, held)
        if note:
            self._writer.add_event(None, 'failed', note)
            self._writer.set_status(
                ClusterStatus.ERROR, note, states.LEFTOVERS
            )
        else:
            self._end()

    def _kinds(self) -> frozenset[model.Kind]:
        """Return what there may be of the cluster: each costs a call."""
        if self._store.get_snapshots(self._record.id):
            return frozenset(model.Kind)
        return model.OF_MEMBERS

    def _end(self, told: str = 'nothing is left') -> None:
        """Nothing is left. The trust goes first: who ends it again is none
        the worse, and nobody would come back for it.
        """
        trust_id = self._store.get_cluster(self._record.id).trust_id
        if trust_id is not None:
            self._parts.opener.end_trust(trust_id)
        self._writer.drop_snapshot()
        self._writer.add_event(None, 'deleted', told)
        self._writer.set_status(ClusterStatus.DELETED)

    # -- nobody to act for ------------------------------------------------

    def _give_up(self, error: Exception) -> None:
        """Give back the holds of a cluster and say why no more is done.

        What was built stays until the cluster is deleted: that takes the
        tenant's own rights. Raises CloudError: for the sake of the room it
        is tried again.
        """
        cleanup = self._cleanup(self._parts.stopping.is_set)
        cleanup.give_back()
        reason = reasons.words(error)
        if self._record.status in states.GIVING_UP:
            # Before the word of it: a delete is to leave its members alone.
            self._writer.begin_release()
            reason = reasons.INTERRUPTED_ADOPTION
        self._writer.add_event(None, 'interrupted', reason)
        if self._record.status in states.SETTLED:
            # It was to be deleted, and waits to be asked again.
            self._writer.set_status(
                self._record.status,
                f'delete: {reason}; delete again to go on',
                reasons.code(error),
            )
            self._writer.clear_cancel()
            return
        if self._record.status not in states.GIVING_UP:
            cleanup.interrupt()
        self._writer.set_status(
            ClusterStatus.ERROR, reason, reasons.code(error)
        )

    def free(self) -> None:
        """Give back holds that could not be given back at the end."""
        self._cleanup(self._parts.stopping.is_set).give_back()
        self._writer.add_event(None, 'released', 'what was held is free again')

    # -- below ------------------------------------------------------------

    def _check_ours(self, error: BaseException | None = None) -> None:
        """Raise LeaseLost if others go on with it."""
        if self._keeper.is_lost.is_set():
            raise exception.LeaseLost(str(self._signal.reason)) from error

    def _cleanup(self, is_abandoned: Callable[[], bool]) -> Cleanup:
        return Cleanup(
            self._record.id,
            self._store,
            self._writer,
            self._parts.opener,
            self._parts.settings,
            self._parts.runner.run,
            is_abandoned,
        )


def reason_of(
    build: Build | None, signal: leases.Signal, error: BaseException
) -> BaseException:
    """Return what began it all: not the failures that it led to.

    Without a ``build`` it had not come as far as that.
    """
    if build is not None and build.cause is not None:
        return build.cause
    if isinstance(signal.reason, exception.TimedOut):
        return reasons.timed_out(build.late if build is not None else ())
    return signal.reason or error
