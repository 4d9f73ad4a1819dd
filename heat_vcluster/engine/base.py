# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of others: a store, a planner, and its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from heat_vcluster import exception, states
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import departures as leaving
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import moves
from heat_vcluster.placement import reach as reaches
from heat_vcluster.spec import model as spec

#: Of a member in one of these nothing was ever made.
NEVER_BUILT = (states.MemberStatus.PLANNED, states.MemberStatus.HELD)

#: A member that is to be built is in one of these once it failed, or once
#: what was made is being removed again.
FAILED = (
    states.MemberStatus.ERROR,
    states.MemberStatus.DELETING,
    states.MemberStatus.DELETED,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How the engine behaves; seconds where not said otherwise.

    All waits grow with ``poll_interval``: a small one makes a fast engine.
    """

    threads: int = 32  # tasks that run at once, over all clusters
    operations: int = 16  # clusters worked on at once
    handover_windows: int = 3  # open at once, over all clusters
    replan_attempts: int = 5  # further plans when the room was taken
    replace_attempts: int = 3  # further hosts tried for one member
    lease_seconds: float = 15.0
    poll_interval: float = 1.0
    create_timeout: float = 3600.0
    removal_timeout: float = 300.0  # for one thing to be gone
    watch_interval: float = 5.0  # between looks for engines that died
    audit_interval: float = 60.0  # between looks for holds that were lost


class Lease(Protocol):
    """The right to act on a cluster, until it expires or is surrendered."""

    @property
    def cluster_id(self) -> str: ...


class Writer(Protocol):
    """Writes under a lease; each raises LeaseLost once that is stale."""

    def set_status(
        self,
        status: states.ClusterStatus,
        reason: str | None = None,
        error_code: str | None = None,
    ) -> None: ...

    def expire_plan(self) -> bool: ...

    def clear_cancel(self) -> None: ...

    def set_member(
        self,
        name: str,
        status: states.MemberStatus | None = None,
        **values: Any,
    ) -> None: ...

    def set_members(
        self, changes: Mapping[str, Mapping[str, Any]]
    ) -> None: ...

    def tell(self, news: Sequence[records.News]) -> None: ...

    def set_plan(self, plan: placement.Plan | None) -> None: ...

    def set_compliance(self, found: Mapping[str, Any]) -> None: ...

    def commit_adoption(self, told: str) -> None: ...

    def begin_release(
        self, reason: str | None = None, error_code: str | None = None
    ) -> None: ...

    def decide_change(
        self,
        change: records.ChangeRecord,
        coming: Iterable[records.NewMember],
    ) -> None: ...

    def set_change(self, change: records.ChangeRecord) -> None: ...

    def commit_change(
        self, change: records.ChangeRecord, order: Sequence[str]
    ) -> None: ...

    def end_change(
        self, reason: str | None = None, error_code: str | None = None
    ) -> None: ...

    def set_domains(self, known: Mapping[str, Mapping[str, str]]) -> None: ...

    def add_holds(self, holds: Iterable[model.Hold]) -> None: ...

    def drop_holds(self, hold_ids: Iterable[str]) -> None: ...

    def add_leftover(
        self, kind: str, thing_id: str, member: str | None, reason: str
    ) -> None: ...

    def clear_leftovers(self) -> None: ...

    def set_snapshot(
        self,
        snapshot_id: str,
        status: states.SnapshotStatus,
        reason: str | None = None,
        parts: Iterable[records.SnapshotPart] | None = None,
    ) -> None: ...

    def drop_snapshot(self, snapshot_id: str | None = None) -> None: ...

    def add_event(
        self, member: str | None, kind: str, message: str
    ) -> None: ...


class Store(Protocol):
    """The truth about clusters, shared by all engines.

    ``writer`` gives a Writer for the time of a lease.
    """

    def get_cluster(self, cluster_id: str) -> Any: ...

    def get_members(self, cluster_id: str) -> Sequence[Any]: ...

    def get_holds(
        self, cluster_id: str, state: records.HoldState | None = None
    ) -> Sequence[Any]: ...

    def get_domains(self, cluster_id: str) -> Sequence[Any]: ...

    def get_snapshots(
        self, cluster_id: str
    ) -> Sequence[records.SnapshotRecord]: ...

    def get_snapshot(
        self, snapshot_id: str
    ) -> records.SnapshotRecord | None: ...

    def get_project_holds(self, project_id: str) -> Sequence[Any]: ...

    def acquire(self, cluster_id: str, owner: str, seconds: float) -> Any: ...

    def renew(self, lease: Any, seconds: float) -> None: ...

    def surrender(self, lease: Any) -> None: ...

    def writer(self, lease: Any) -> Any: ...

    def is_cancel_requested(self, cluster_id: str) -> bool: ...

    def unattended(self) -> Sequence[Any]: ...

    def held_plans(self) -> Sequence[Any]: ...

    def with_idle_holds(self) -> Sequence[str]: ...


class Planner(Protocol):
    """Turns what is wanted and what is there into a checked plan."""

    @property
    def counts_usage(self) -> bool:
        """Whether ``used`` has to be told."""

    def reach(
        self,
        wanted: spec.GroupSpec,
        demands: Sequence[placement.Demand],
        seed: str,
    ) -> reaches.Reach: ...

    def unknown(
        self, wanted: spec.GroupSpec, snapshot: placement.Snapshot
    ) -> Sequence[tuple[str, exception.Fault]]: ...

    def judge(
        self,
        wanted: spec.GroupSpec,
        demands: Sequence[placement.Demand],
        snapshot: placement.Snapshot,
        places: Mapping[str, str],
    ) -> tuple[tuple[placement.Breach, ...], placement.Plan]: ...

    def repair(
        self,
        wanted: spec.GroupSpec,
        demands: Sequence[placement.Demand],
        snapshot: placement.Snapshot,
        pinned: Mapping[str, str],
        here: Mapping[str, str],
    ) -> moves.Relocation: ...

    def secluded(
        self,
        wanted: spec.GroupSpec,
        snapshot: placement.Snapshot,
        places: Mapping[str, str],
    ) -> frozenset[str]: ...

    def departures(
        self,
        wanted: spec.GroupSpec,
        demands: Sequence[placement.Demand],
        snapshot: placement.Snapshot,
        pinned: Mapping[str, str],
        units: Sequence[leaving.Unit],
        number: int,
    ) -> tuple[leaving.Unit, ...]: ...

    def plan(
        self,
        wanted: spec.GroupSpec,
        demands: Sequence[placement.Demand],
        snapshot: placement.Snapshot,
        pinned: Mapping[str, str] = ...,
        *,
        used: Mapping[str, Mapping[str, int]] = ...,
        choices: solvers.Choices = ...,
        is_whole: bool = ...,
    ) -> placement.Plan: ...
