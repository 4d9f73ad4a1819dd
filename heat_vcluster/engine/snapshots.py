# SPDX-License-Identifier: Apache-2.0
"""A snapshot of a cluster is made, all of it or nothing, or is removed.

A volume cannot be deleted as long as there is a snapshot of it. So one that
goes out of a cluster stays behind until the last snapshot that it is in goes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import base, copying, flows, reasons, removal
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine import runner as runners
from heat_vcluster.engine.cleanup import Cleanup
from heat_vcluster.spec import model as spec

Status = states.SnapshotStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshotting:
    """One snapshot of one cluster, in the hands of one engine."""

    cluster: Any
    snapshot: records.SnapshotRecord
    wanted: spec.GroupSpec
    cloud: cloud.Cloud
    store: base.Store
    writer: base.Writer
    signal: leases.Signal
    pause: float
    runner: runners.Runner
    cleanup: Callable[[], Cleanup]

    def carry_on(self) -> None:
        """Do what its status says; raises what has kept it from that."""
        if self.snapshot.status is Status.CREATING:
            self._take()
        elif self.snapshot.status is Status.DELETING:
            self._remove()

    # -- making one -------------------------------------------------------

    def _take(self) -> None:
        self.writer.add_event(None, 'snapshot', 'begun')
        rows = self.store.get_members(self.cluster.id)
        wanted = self.snapshot.parts
        if not wanted:
            wanted = tuple(copying.parts(self.wanted, rows))
            # Before anything is made: whoever removes it knows of what.
            self._write(Status.CREATING, parts=wanted)
        copies = copying.Copying(
            self.cluster,
            self.snapshot,
            wanted,
            self.cloud,
            self.signal,
            self.pause,
        )
        try:
            self.runner.run(flows.copy(copies))
        except Exception as failure:
            if self.cleanup().is_abandoned():
                raise  # others complete it
            error = self.signal.reason or flows.cause(failure)
            self._take_back(error)
            raise error from failure
        self._write(
            Status.AVAILABLE,
            parts=tuple(copies.parts[p.member] for p in wanted),
        )
        self.writer.add_event(None, 'snapshot', 'done')

    def _take_back(self, error: BaseException) -> None:
        left = self._sweep()
        note = _remains(left)
        self._write(
            Status.ERROR,
            '. '.join(part for part in (reasons.words(error), note) if part),
            None if note else (),
        )

    # -- removing one -----------------------------------------------------

    def _remove(self) -> None:
        left = self._sweep()
        if left == []:
            left = self._sweep_kept()
        note = _remains(left)
        if note:
            self._write(Status.ERROR, note)
            raise exception.SnapshotLeft(self.snapshot.id, note)
        self.writer.drop_snapshot(self.snapshot.id)
        self.writer.add_event(None, 'snapshot', 'deleted')

    def _sweep(self) -> list[removal.Leftover] | None:
        return self._swept(
            model.OF_SNAPSHOTS,
            lambda thing: thing.owner.part != self.snapshot.id,
        )

    def _sweep_kept(self) -> list[removal.Leftover] | None:
        """Remove volumes that were here for the sake of this one alone."""
        members = {
            row.resource_id for row in self.store.get_members(self.cluster.id)
        }
        others = sources(
            each
            for each in self.store.get_snapshots(self.cluster.id)
            if each.id != self.snapshot.id
        )
        idle = sources([self.snapshot]) - others - members
        if not idle:
            return []
        return self._swept(
            {model.Kind.VOLUME}, lambda thing: thing.id not in idle
        )

    def _swept(
        self,
        kinds: Collection[model.Kind],
        spare: Callable[[model.Thing], bool],
    ) -> list[removal.Leftover] | None:
        """Remove such things; raises LeaseLost if others are to go on."""
        cleanup = self.cleanup()
        left = cleanup.sweep(self.cloud, kinds=kinds, spare=spare)
        if cleanup.is_abandoned():
            raise exception.LeaseLost('Another engine goes on with it')
        return left

    def _write(
        self,
        status: Status,
        reason: str | None = None,
        parts: tuple[records.SnapshotPart, ...] | None = None,
    ) -> None:
        self.writer.set_snapshot(self.snapshot.id, status, reason, parts)


def sources(snapshots: Any) -> frozenset[str]:
    """Return the ids of the volumes that there are snapshots of."""
    return frozenset(
        part.source
        for snapshot in snapshots
        for part in snapshot.parts
        if part.kind == model.Kind.VOLUME_SNAPSHOT
    )


def give_up(
    store: base.Store, writer: base.Writer, snapshot_id: str, reason: str
) -> None:
    """Say of a snapshot that nobody goes on with it."""
    found = store.get_snapshot(snapshot_id)
    if found and found.status in (Status.CREATING, Status.DELETING):
        writer.set_snapshot(
            snapshot_id,
            Status.ERROR,
            f'{reason}; delete it to have it removed',
        )


def _remains(left: list[removal.Leftover] | None) -> str:
    """Say what is left of a snapshot; empty if nothing is."""
    if left is None:
        return (
            'It could not be verified that nothing is left; delete the '
            'snapshot to have it looked for again'
        )
    if not left:
        return ''
    things = ', '.join(f'{one.thing.kind} {one.thing.id}' for one in left)
    return (
        f'{len(left)} left behind: {things} ({left[0].reason}); delete the '
        'snapshot again to have them removed'
    )
