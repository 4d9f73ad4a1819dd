# SPDX-License-Identifier: Apache-2.0
"""The verbs every front door speaks, wherever the service may run."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

View = dict[str, Any]


class Client(abc.ABC):
    """One tenant's access to the service; answers are views.

    A *cluster view* is made by :mod:`heat_vcluster.views`: ``id``, ``name``,
    ``project_id``, ``user_id``, ``status``, ``status_reason``,
    ``error_code``, ``created_at``, ``updated_at``, ``metadata``, ``tags``,
    ``compliance``, ``members`` (name -> member view), ``placement``,
    ``survival``, ``server_groups``, ``leftovers``, ``instances``, ``groups``,
    ``survive``, ``update_policy``, ``sources``. A *plan view* has ``verdict``
    (``feasible``, ``infeasible`` or ``unknown``), ``members``, ``placement``,
    ``survival``, ``reasons``, ``repairs``, ``rules``, and if it is held
    ``id`` and ``expires_at``. No view holds a host's real name.

    Any verb raises InvalidRequest for arguments that cannot be meant.
    """

    @abc.abstractmethod
    def validate(self, document: Any) -> None:
        """Check a document without any call to the cloud.

        Raises InvalidDocument with all faults.
        """

    # -- plans ------------------------------------------------------------

    @abc.abstractmethod
    def plan(
        self,
        document: Any,
        *,
        hold_seconds: float | None = None,
        cluster_id: str | None = None,
        remove: Sequence[str] | None = None,
    ) -> View:
        """Say where everything would go; build nothing.

        With a ``cluster_id`` what an ``update`` of that cluster would do:
        the view has ``changes``, one for each member: ``member``, ``type``,
        ``action`` (``kept``, ``changed``, ``replaced``, ``added`` or
        ``removed``), ``properties`` (those that differ) and ``reason``. Where
        those that run break the new rules, and nothing comes, also the
        ``moves`` after which they would not, as ``plan_repair`` has them. Not
        to be held.

        With ``hold_seconds`` a feasible plan is held that long: nobody else
        gets its room, and ``create_planned`` builds exactly that. That there
        is no placement is no error but the verdict. Raises InvalidDocument,
        LimitExceeded, ReservationConflict.
        """

    @abc.abstractmethod
    def show_plan(self, plan_id: str) -> View:
        """Show a held plan; raises PlanNotFound, PlanExpired."""

    @abc.abstractmethod
    def release_plan(self, plan_id: str) -> None:
        """Give back the room of a held plan; PlanNotFound, PlanExpired."""

    # -- clusters ---------------------------------------------------------

    @abc.abstractmethod
    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> View:
        """Begin to build a cluster and return at once.

        With a ``cluster_id`` of the caller's choice (a uuid) a repeated call
        is the same cluster. ``timeout`` in seconds bounds the whole build.
        Raises InvalidDocument, ClusterExists, LimitExceeded, TrustRefused.
        """

    @abc.abstractmethod
    def create_planned(
        self,
        plan_id: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> View:
        """Begin to build a held plan; the cluster has the plan's id.

        A repeated call is the same cluster. Raises PlanNotFound,
        PlanExpired, LimitExceeded, TrustRefused.
        """

    @abc.abstractmethod
    def update(
        self,
        cluster_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        document: Any = None,
        remove: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> View:
        """Change what is not None, each as a whole; raises ClusterNotFound.

        What the cluster is made of keeps the names it was given. With a
        ``document`` begin to become what it says, all of it or nothing, and
        return at once: the cluster is UPDATING, and in the end ACTIVE. If
        it cannot be, it is what it was before, and ``status_reason`` and
        ``error_code`` say why. ``remove`` names the copies that go where a
        count becomes less; ``timeout`` (seconds) bounds the whole. The
        document that the cluster has already takes back a change that is
        under way. Raises InvalidDocument, NotChangeable, LimitExceeded,
        TrustRefused.
        """

    @abc.abstractmethod
    def adopt(
        self,
        document: Any,
        members: Mapping[str, str],
        *,
        allow_drifted: bool = False,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> View:
        """Begin to bring what is there under a cluster; return at once.

        ``members`` has the id or name of the server or volume that each
        member of the document is. It is ADOPTING, then ACTIVE, and its
        members are as those that were built; or ERROR, and nothing of them
        was changed. Raises InvalidDocument if they are not what the document
        says, and RulesBroken if strict rules do not hold where they are,
        unless ``allow_drifted``: then it is DRIFTED, for ``repair``. The
        other arguments and errors are those of ``create``.
        """

    @abc.abstractmethod
    def plan_adoption(self, document: Any, members: Mapping[str, str]) -> View:
        """Say what an ``adopt`` would find; nothing is changed.

        ``members``: name -> ``id``, ``type`` and ``domains``; ``compliance``
        as that of a check. Raises InvalidDocument.
        """

    @abc.abstractmethod
    def release(self, cluster_id: str) -> None:
        """Begin to give a cluster up, and leave its members alone.

        Return at once. It is RELEASING, and then no more: all members go on
        as they are, under no rules. Raises WrongStatus unless it is ACTIVE,
        STOPPED or SUSPENDED.
        """

    @abc.abstractmethod
    def show(self, cluster_id: str) -> View:
        """Raises ClusterNotFound, also once it is deleted."""

    @abc.abstractmethod
    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        tags: Sequence[str] | None = None,
        sort: str | None = None,
        limit: int | None = None,
        marker: str | None = None,
        all_projects: bool = False,
    ) -> Sequence[View]:
        """Clusters of the tenant, oldest first; those with all the tags.

        Cluster views without ``members``, ``placement``, ``leftovers``,
        ``instances``, ``groups``, but with ``member_count`` and
        ``members_active``. ``sort`` is ``key:direction,...``; keys are
        ``created_at``, ``updated_at``, ``name``, ``status``, ``id``.
        ``marker`` is the id of the last one of the page before.
        """

    @abc.abstractmethod
    def check(self, cluster_id: str) -> View:
        """Begin to look what its members are and where; return at once.

        It is CHECKING meanwhile. Then ``compliance`` has ``status``
        (``COMPLIANT``; ``DRIFTED``: ``rules`` do not hold where members are
        now; ``DEGRADED``: ``members`` are not what they should be) and
        ``checked_at``; a ``status_reason`` tells why it could not be looked
        at. Raises WrongStatus unless the cluster is built.
        """

    @abc.abstractmethod
    def heal(self, cluster_id: str) -> View:
        """Begin to make servers that are gone or in ERROR again.

        In places that fit the rules with all others where they really are,
        with their volumes, ports and addresses. It is HEALING, then ACTIVE,
        and ``compliance`` is that of a check at the end. Where it fails a
        ``status_reason`` tells why, and the cluster is as it was: what is
        half made is removed. Raises WrongStatus unless it is ACTIVE.
        """

    @abc.abstractmethod
    def repair(
        self, cluster_id: str, *, cold: bool = False, rebuild: bool = False
    ) -> View:
        """Begin to move servers until all strict rules hold again.

        As few as can be, one after the other, in an order in which no rule
        is ever broken more than before. ``cold``: they are off meanwhile;
        without, they are moved live. ``rebuild``: instead of moving them
        they are made again, all at once, as ``heal`` does with those that
        are lost. It is REPAIRING, then ACTIVE, and
        ``compliance`` is that of a check at the end; a ``status_reason``
        tells what could not be moved, or that the service has no right to.
        Raises WrongStatus unless it is ACTIVE.
        """

    @abc.abstractmethod
    def plan_repair(self, cluster_id: str) -> View:
        """Say which moves a repair would make now; nothing is changed.

        ``moves``: in their order, each with ``member`` and the domains that
        it moves ``from`` and ``to``; ``is_least``: no fewer would do.
        Raises WrongStatus, NoValidPlacement.
        """

    @abc.abstractmethod
    def stop(self, cluster_id: str) -> View:
        """Begin to stop its servers; return at once.

        What depends on a server is stopped before it. It is STOPPING, then
        STOPPED; or what it was, if not all could be stopped, with a
        ``status_reason``: those that were stay so, and ``stop`` goes on.
        Raises WrongStatus unless it is ACTIVE or STOPPED.
        """

    @abc.abstractmethod
    def start(self, cluster_id: str) -> View:
        """Begin to start its servers, in the order of their dependencies.

        It is STARTING, then ACTIVE; all else as for ``stop``.
        """

    @abc.abstractmethod
    def suspend(self, cluster_id: str) -> View:
        """Begin to suspend its servers, in the order of ``stop``.

        It is SUSPENDING, then SUSPENDED; raises WrongStatus unless it is
        ACTIVE or SUSPENDED.
        """

    @abc.abstractmethod
    def resume(self, cluster_id: str) -> View:
        """Begin to resume them: it is RESUMING, then ACTIVE."""

    # -- snapshots --------------------------------------------------------

    @abc.abstractmethod
    def create_snapshot(
        self,
        cluster_id: str,
        *,
        snapshot_id: str | None = None,
        name: str | None = None,
    ) -> View:
        """Begin to copy what its members have on disks; return at once.

        An image of each server that does not boot from a volume, a snapshot
        of each volume; all of them, or none. A *snapshot view* has ``id``,
        ``cluster_id``, ``name``, ``status`` (``CREATING``, then
        ``AVAILABLE``, or ``ERROR``), ``status_reason``, ``created_at``,
        ``members`` (each ``member``, ``kind``, ``id``) and ``document``,
        which makes another such cluster. The cluster is SNAPSHOTTING
        meanwhile. With a ``snapshot_id`` of the caller's choice (a uuid) a
        repeated call is the same snapshot. Raises WrongStatus unless the
        cluster is ACTIVE, STOPPED or SUSPENDED; SnapshotExists.
        """

    @abc.abstractmethod
    def snapshots(self, cluster_id: str) -> Sequence[View]:
        """Its snapshots, oldest first, without their ``document``."""

    @abc.abstractmethod
    def snapshot(self, cluster_id: str, snapshot_id: str) -> View:
        """Raises SnapshotNotFound, also once it is deleted."""

    @abc.abstractmethod
    def restore(
        self,
        cluster_id: str,
        snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> View:
        """Begin to become what a snapshot has, all of it or nothing.

        As by an ``update`` with its document, for which all that is in it
        is made anew. Raises SnapshotNotReady, and what ``update`` does.
        """

    @abc.abstractmethod
    def delete_snapshot(self, cluster_id: str, snapshot_id: str) -> None:
        """Begin to remove all that it is made of; return at once.

        The cluster is SNAPSHOTTING meanwhile. Poll ``snapshot`` until
        SnapshotNotFound; status ERROR: something could not be removed, and
        it is to be deleted again. Raises WrongStatus.
        """

    # -- the end of one, and what there is to know ------------------------

    @abc.abstractmethod
    def delete(self, cluster_id: str) -> None:
        """Begin to delete, whatever state it is in, and return at once.

        Poll ``show`` until ClusterNotFound; status ERROR with ``leftovers``
        means that something could not be removed. Repeating is harmless;
        raises ClusterNotFound if there is nothing to delete.
        """

    @abc.abstractmethod
    def members(self, cluster_id: str) -> Sequence[View]:
        """Member views in the order of the document; ``member`` names it."""

    @abc.abstractmethod
    def member(self, cluster_id: str, name: str) -> View:
        """One of those; raises ClusterNotFound, MemberNotFound."""

    @abc.abstractmethod
    def events(
        self, cluster_id: str, after: int = 0, limit: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """What happened, oldest first: ``id``, ``at``, ``member``,
        ``kind``, ``message``; only those with an id above ``after``.
        """

    @abc.abstractmethod
    def topology(self, cluster_id: str) -> View:
        """Where the members sit: ``levels`` (widest first), ``domains``,
        ``unplaced``, ``rules``.

        A domain has ``level``, ``name`` (a pseudonym), ``domains`` in it and
        the ``members`` of which nothing narrower is known. A rule has
        ``name``, ``policy``, ``scope``, ``strict``, ``weight``, ``members``
        and whether it ``holds`` (None as long as nothing is placed).
        """

    @abc.abstractmethod
    def limits(self) -> View:
        """``clusters``, ``members``, ``held_plans``: each with ``limit``
        (-1: none) and ``used``.
        """
