# SPDX-License-Identifier: Apache-2.0
"""The service layer: every verb on plans and clusters, for one tenant."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Unpack

from heat_vcluster import arguments, exception, states, views
from heat_vcluster import context as ctx
from heat_vcluster import quota as quotas
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import api as db
from heat_vcluster.db import records
from heat_vcluster.engine import (
    adoption,
    decision,
    inspection,
    proposal,
    repairing,
)
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import work as works
from heat_vcluster.planner import Planner
from heat_vcluster.spec import counts, incarnations, loader, restoring
from heat_vcluster.spec import model as spec

View = views.View
ClusterStatus = states.ClusterStatus

#: A cluster in one of these waits for somebody to begin.
NOT_BEGUN = (
    ClusterStatus.PLANNING,
    ClusterStatus.HELD,
    ClusterStatus.ADOPTING,
)
#: What one that is off needs before it can become another one.
FIRST = {ClusterStatus.STOPPED: 'start', ClusterStatus.SUSPENDED: 'resume'}


class Service:
    """All verbs; what the front doors share. Safe for many threads.

    ``engine`` carries out what a verb has written down: in this process or
    in others.
    """

    def __init__(
        self,
        store: db.Store,
        opener: cloud.CloudOpener,
        planner: Planner,
        engine: works.Work,
        settings: engine_base.Settings | None = None,
        quota: quotas.Quota | None = None,
    ) -> None:
        self._store = store
        self._opener = opener
        self._planner = planner
        self._settings = settings or engine_base.Settings()
        self._quota = quota or quotas.Quota()
        self.engine = engine

    def load(self, document: Any) -> spec.GroupSpec:
        """Check a document; raises InvalidDocument with all faults."""
        return load(self._opener, document)

    # -- plans ------------------------------------------------------------

    def plan(
        self,
        context: ctx.Context,
        document: Any,
        *,
        hold_seconds: float | None = None,
        plan_id: str | None = None,
    ) -> View:
        """Decide where everything would go; build nothing.

        With ``hold_seconds`` the room is held that long, under a ``plan_id``
        of the caller's choice if need be.
        """
        wanted = self._load_allowed(document)
        arguments.check(id=plan_id, hold_seconds=hold_seconds)
        try:
            if hold_seconds is None:
                return self._decide(context, wanted)
            return self._hold(context, wanted, hold_seconds, plan_id)
        except exception.NoValidPlacement as refusal:
            return views.show_refusal(refusal)

    def _decide(self, context: ctx.Context, wanted: spec.GroupSpec) -> View:
        outside = self._opener.open(context)
        found = outside.resolve(wanted)
        made = decision.decide(
            outside,
            self._planner,
            wanted,
            found.demands,
            seed=context.project_id,
            used=self._used(context, outside),
            choices=found.choices,
        )
        return views.show_plan(made.plan, made.snapshot, wanted.survive)

    def _used(
        self, context: ctx.Context, outside: cloud.Cloud
    ) -> Mapping[str, Mapping[str, int]]:
        if not self._planner.counts_usage:
            return {}
        return decision.used(
            outside.usage(), self._store.get_project_holds(context.project_id)
        )

    def _hold(
        self,
        context: ctx.Context,
        wanted: spec.GroupSpec,
        seconds: float,
        plan_id: str | None,
    ) -> View:
        if seconds > self._quota.max_hold_seconds:
            raise exception.InvalidRequest(
                [
                    exception.Fault(
                        'hold_seconds',
                        f'it may be {self._quota.max_hold_seconds} at most',
                    )
                ]
            )
        self.engine.check_open()
        plan = self._store.create_cluster(
            id=plan_id or str(uuid.uuid4()),
            project_id=context.project_id,
            user_id=context.user_id,
            document=wanted.document,
            members=_new_members(wanted),
            name=wanted.name,
            expires_at=_from_now(seconds),
            request_id=context.request_id,
            limits=self._limits(context),
        )
        if plan.status is ClusterStatus.PLANNING:
            self.engine.watch()
            self.engine.hold(plan.id, context)
        return self.show_plan(context, plan.id)

    def show_plan(self, context: ctx.Context, plan_id: str) -> View:
        self.engine.watch()
        plan = self._store.get_plan(plan_id, context.project_id)
        return views.show_held_plan(
            plan, self._store.get_members(plan_id), _survive(plan)
        )

    def release_plan(self, context: ctx.Context, plan_id: str) -> None:
        """Give back what is held; the room is free for all on return."""
        self._store.drop_plan(plan_id, context.project_id)
        self.engine.watch()
        self.engine.release(plan_id)

    # -- clusters ---------------------------------------------------------

    def create(
        self,
        context: ctx.Context,
        document: Any,
        *,
        cluster_id: str | None = None,
        **wishes: Unpack[arguments.Wishes],
    ) -> View:
        """Record a cluster and begin to build it."""
        wanted = self._load_allowed(document)
        wishes['name'] = wishes.get('name') or wanted.name
        recorded = self._check_wishes(context, cluster_id, **wishes)

        def write(trust_id: str | None) -> records.ClusterRecord:
            return self._store.create_cluster(
                id=cluster_id or str(uuid.uuid4()),
                project_id=context.project_id,
                document=wanted.document,
                members=_new_members(wanted),
                trust_id=trust_id,
                **recorded,
            )

        return self._build(context, write)

    def create_planned(
        self,
        context: ctx.Context,
        plan_id: str,
        **wishes: Unpack[arguments.Wishes],
    ) -> View:
        """Begin to build exactly a held plan; the cluster has its id."""
        recorded = self._check_wishes(context, **wishes)

        def write(trust_id: str | None) -> records.ClusterRecord:
            return self._store.claim_plan(
                plan_id,
                context.project_id,
                trust_id=trust_id,
                **recorded,
            )

        return self._build(context, write)

    def adopt(
        self,
        context: ctx.Context,
        document: Any,
        members: Mapping[str, str],
        *,
        allow_drifted: bool = False,
        cluster_id: str | None = None,
        **wishes: Unpack[arguments.Wishes],
    ) -> View:
        """Record a cluster of what is there, and begin to bring it under it.

        ``members`` has the id or name of each member's real thing. Raises
        InvalidDocument, and RulesBroken unless that is allowed.
        """
        wanted = self._load_allowed(document)
        wishes['name'] = wishes.get('name') or wanted.name
        arguments.check(members=members)
        recorded = self._check_wishes(context, cluster_id, **wishes)
        cluster_id = cluster_id or str(uuid.uuid4())
        standing, found = self._look(context, wanted, members, cluster_id)
        if not allow_drifted:
            adoption.refuse_broken(found, wanted)

        def write(trust_id: str | None) -> records.ClusterRecord:
            return self._store.create_cluster(
                id=cluster_id,
                project_id=context.project_id,
                document=wanted.document,
                members=[each.new for each in standing],
                status=ClusterStatus.ADOPTING,
                action={'drifted': allow_drifted},
                trust_id=trust_id,
                **recorded,
            )

        return self._build(context, write)

    def plan_adoption(
        self, context: ctx.Context, document: Any, members: Mapping[str, str]
    ) -> View:
        """Say what an adoption would find; nothing is changed.

        Raises InvalidDocument.
        """
        wanted = self._load_allowed(document)
        arguments.check(members=members)
        standing, found = self._look(
            context, wanted, members, str(uuid.uuid4())
        )
        return adoption.show(found, wanted, standing)

    def _look(
        self,
        context: ctx.Context,
        wanted: spec.GroupSpec,
        members: Mapping[str, str],
        cluster_id: str,
    ) -> tuple[tuple[adoption.Standing, ...], inspection.Finding]:
        outside = self._opener.open(context)
        standing = adoption.look(outside, wanted, members, cluster_id)
        return standing, adoption.judge(
            outside, self._planner, wanted, standing, cluster_id
        )

    def _check_wishes(
        self,
        context: ctx.Context,
        cluster_id: str | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Return what is written of any cluster, planned before or not."""
        arguments.check(
            id=cluster_id,
            name=name,
            timeout=timeout,
            metadata=metadata,
            tags=tags,
        )
        return {
            'user_id': context.user_id,
            'name': name,
            'metadata': metadata,
            'tags': tags or (),
            'deadline': self._deadline(timeout),
            'request_id': context.request_id,
            'limits': self._limits(context),
        }

    def _build(
        self,
        context: ctx.Context,
        write: Callable[[str | None], records.ClusterRecord],
    ) -> View:
        """Begin with what ``write`` records, together with a trust."""
        self.engine.check_open()
        trust_id = self._entrusted(context)
        recorded: str | None = None
        try:
            cluster = write(trust_id)
            recorded = cluster.trust_id
        finally:
            # Refused, or recorded before with a trust of its own.
            if trust_id is not None and recorded != trust_id:
                self._opener.end_trust(trust_id)
        if cluster.status in NOT_BEGUN:
            self.engine.watch()
            self.engine.begin(cluster.id, context)
        return self.show(context, cluster.id)

    def _entrusted(self, context: ctx.Context) -> str | None:
        """Return a new trust, if one can be had; it may be that it must."""
        trust_id = self._opener.entrust(context)
        if trust_id is None and self.engine.needs_trust:
            raise exception.TrustRefused(
                'The work is done by others than the one you talk to, who '
                'need a trust; it cannot be had with these credentials'
            )
        return trust_id

    def update(
        self,
        context: ctx.Context,
        cluster_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        document: Any = None,
        remove: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> View:
        """Change what is not None; begin to become what a document says.

        Where the document is what the cluster is already, a change that is
        under way is taken back.
        """
        arguments.check(
            name=name,
            metadata=metadata,
            tags=tags,
            remove=remove,
            timeout=timeout,
        )
        self._find(context, cluster_id)
        if document is not None:
            wanted = self._load_allowed(document)
            if not self._change(
                context, cluster_id, wanted, remove or (), timeout
            ):
                name = name or wanted.name
        if (name, metadata, tags) != (None, None, None):
            self._store.update_cluster(
                cluster_id,
                context.project_id,
                name=name,
                metadata=metadata,
                tags=tags,
            )
        return self.show(context, cluster_id)

    def plan_change(
        self,
        context: ctx.Context,
        cluster_id: str,
        document: Any,
        *,
        remove: Sequence[str] | None = None,
    ) -> View:
        """Say what an update would do to each member; change nothing."""
        wanted = self._load_allowed(document)
        arguments.check(remove=remove)
        cluster = self._find(context, cluster_id)
        if cluster.status is not ClusterStatus.ACTIVE:
            raise _not_changeable(cluster)
        rows = self._store.get_members(cluster_id)
        domains = self._store.get_domains(cluster_id)
        outside = self._opener.open(context)
        known = {(row.scope, row.real): row.pseudonym for row in domains}
        now = proposal.look(outside, rows, known)
        settled = proposal.settle(
            self.load,
            cluster.document,
            wanted.document,
            remove or (),
            lambda whole, choices: proposal.choose(
                outside, self._planner, now, whole, choices
            ),
        )
        proposal.check(self.load, cluster.document, settled)
        proposed = proposal.compare(
            self.load, cluster.document, settled, rows, cluster.changes + 1
        )
        fates = [views.show_fate(each) for each in proposed.fates.verdicts]
        try:
            view = self._decide_change(context, outside, proposed, now)
        except exception.NoValidPlacement as refusal:
            view = views.show_refusal(refusal)
            if proposed.is_of_rules:
                view |= self._moves_to(outside, cluster, proposed.new, rows)
        return {**view, 'changes': fates}

    def _moves_to(
        self,
        outside: cloud.Cloud,
        cluster: records.ClusterRecord,
        wanted: spec.GroupSpec,
        rows: Sequence[records.MemberRecord],
    ) -> View:
        """Say which moves would have those that run obey; none if none do."""
        try:
            return self._plan_repair(outside, cluster, wanted, rows)
        except exception.NoValidPlacement:
            return {}

    def _decide_change(
        self,
        context: ctx.Context,
        outside: cloud.Cloud,
        proposed: proposal.Proposal,
        now: proposal.Running,
    ) -> View:
        found = proposal.resolve(outside, proposed.new, proposed.staying)
        proposal.check_disks(proposed, found)
        coming = incarnations.only(proposed.new, proposed.coming)
        if coming.members:
            outside.resolve(coming)  # whether the quotas suffice
        made = proposal.decide(
            outside,
            self._planner,
            proposed,
            now,
            found,
            seed=context.project_id,
            used=self._used(context, outside),
        )
        return views.show_plan(
            made.plan, made.snapshot, proposed.new.survive, now.known
        )

    def _change(
        self,
        context: ctx.Context,
        cluster_id: str,
        wanted: spec.GroupSpec,
        remove: Sequence[str],
        timeout: float | None,
    ) -> bool:
        """Begin with what is to be done; tell whether anything is."""
        cluster = self._store.get_cluster(cluster_id, context.project_id)
        if cluster.status is ClusterStatus.UPDATING and cluster.change:
            if wanted.document == cluster.change.asked:
                return True  # it is on its way
            if self._is_as_it_was(cluster, wanted):
                self._store.want_change_undone(cluster_id)
                self.engine.hurry(cluster_id)
                return True
        if cluster.status is not ClusterStatus.ACTIVE:
            raise _not_changeable(cluster)
        counts.check_removal(cluster.document, wanted.document, remove)
        if not counts.shrinking(cluster.document, wanted.document):
            # Who is to be there is known; else it is checked once it is.
            grown = counts.grown(cluster.document, wanted.document)
            proposal.check(self.load, cluster.document, grown)
        if self._is_as_it_was(cluster, wanted) and not cluster.status_reason:
            return False
        self._begin_change(context, cluster, wanted, remove, timeout)
        return True

    def _is_as_it_was(
        self, cluster: records.ClusterRecord, wanted: spec.GroupSpec
    ) -> bool:
        """Tell whether a cluster is what is wanted, but for its name."""
        if counts.shrinking(cluster.document, wanted.document):
            return False
        grown = counts.grown(cluster.document, wanted.document)
        return _unnamed(grown) == _unnamed(cluster.document)

    def _begin_change(
        self,
        context: ctx.Context,
        cluster: records.ClusterRecord,
        wanted: spec.GroupSpec,
        remove: Sequence[str],
        timeout: float | None,
    ) -> None:
        self.engine.check_open()
        trust_id = None
        if cluster.trust_id is None:
            trust_id = self._entrusted(context)
        recorded: str | None = None
        change = records.ChangeRecord(wanted.document, tuple(remove))
        more = len(wanted.members) - len(self.load(cluster.document).members)
        try:
            begun = self._store.begin_change(
                cluster.id,
                context.project_id,
                change,
                more_members=more,
                deadline=self._deadline(timeout),
                trust_id=trust_id,
                request_id=context.request_id,
                limits=self._limits(context),
            )
            recorded = begun.trust_id
        finally:
            if trust_id is not None and recorded != trust_id:
                self._opener.end_trust(trust_id)
        if begun.change != change:
            raise _not_changeable(begun)
        self.engine.watch()
        self.engine.begin(cluster.id, context)

    def show(self, context: ctx.Context, cluster_id: str) -> View:
        self.engine.watch()  # the first to look may be so since a restart
        cluster = self._find(context, cluster_id)
        return views.show_cluster(
            cluster,
            self._store.get_members(cluster_id),
            self._store.get_leftovers(cluster_id),
            _survive(cluster),
        )

    def list(
        self,
        context: ctx.Context,
        *,
        name: str | None = None,
        status: str | None = None,
        tags: Sequence[str] | None = None,
        sort: str | None = None,
        limit: int | None = None,
        marker: str | None = None,
        all_projects: bool = False,
    ) -> Sequence[View]:
        """Return summaries of the tenant's clusters, or of all there are."""
        arguments.check(
            name=name,
            status=status,
            tags=tags,
            sort=sort,
            limit=limit,
            marker=marker,
        )
        project_id = None if all_projects else context.project_id
        if marker is not None:
            self._check_marker(marker, project_id)
        found = self._store.list_clusters(
            project_id,
            name=name,
            status=None if status is None else ClusterStatus(status),
            tags=tags or (),
            sort=arguments.parse_sort(sort),
            limit=limit,
            marker=marker,
        )
        counts = self._store.count_members([each.id for each in found])
        return [
            views.show_summary(cluster, *counts[cluster.id])
            for cluster in found
        ]

    def _check_marker(self, marker: str, project_id: str | None) -> None:
        try:
            self._store.get_cluster(marker, project_id)
        except exception.ClusterNotFound as error:
            fault = exception.Fault('marker', 'there is no such cluster')
            raise exception.InvalidRequest([fault]) from error

    # -- upkeep -----------------------------------------------------------

    def check(self, context: ctx.Context, cluster_id: str) -> View:
        """Begin to look what its members are, and where; return at once."""
        return self._act(context, cluster_id, ClusterStatus.CHECKING)

    def heal(self, context: ctx.Context, cluster_id: str) -> View:
        """Begin to make servers that are lost again."""
        return self._act(context, cluster_id, ClusterStatus.HEALING)

    def repair(
        self,
        context: ctx.Context,
        cluster_id: str,
        *,
        cold: bool = False,
        rebuild: bool = False,
    ) -> View:
        """Begin to move servers until all rules hold, or to rebuild them."""
        return self._act(
            context,
            cluster_id,
            ClusterStatus.REPAIRING,
            cold=cold,
            rebuild=rebuild,
        )

    def plan_repair(self, context: ctx.Context, cluster_id: str) -> View:
        """Say which moves a repair would make now; change nothing.

        Raises WrongStatus, NoValidPlacement.
        """
        cluster = self._find(context, cluster_id)
        homes = states.HOMES[ClusterStatus.REPAIRING]
        if cluster.status not in homes:
            raise exception.WrongStatus(cluster_id, cluster.status, homes)
        if context.is_outsider:
            context = self._as_its_user(context, cluster)
        rows = self._store.get_members(cluster_id)
        wanted = proposal.inside(self.load, cluster.document, rows)
        outside = self._opener.open(context)
        return self._plan_repair(outside, cluster, wanted, rows)

    def _plan_repair(
        self,
        outside: cloud.Cloud,
        cluster: records.ClusterRecord,
        wanted: spec.GroupSpec,
        rows: Sequence[records.MemberRecord],
    ) -> View:
        found = inspection.Inspection(
            cluster.id,
            wanted,
            rows,
            outside,
            self._planner,
            cluster.status,
        ).run()
        planned = repairing.plan(
            cluster.id, wanted, outside, self._planner, found
        )
        known = {
            (row.scope, row.real): row.pseudonym
            for row in self._store.get_domains(cluster.id)
        }
        return repairing.show(planned, found, known)

    def stop_servers(self, context: ctx.Context, cluster_id: str) -> View:
        """Begin to stop its servers, what depends on others first."""
        return self._act(context, cluster_id, ClusterStatus.STOPPING)

    def start_servers(self, context: ctx.Context, cluster_id: str) -> View:
        return self._act(context, cluster_id, ClusterStatus.STARTING)

    def suspend(self, context: ctx.Context, cluster_id: str) -> View:
        return self._act(context, cluster_id, ClusterStatus.SUSPENDING)

    def resume(self, context: ctx.Context, cluster_id: str) -> View:
        return self._act(context, cluster_id, ClusterStatus.RESUMING)

    def _act(
        self,
        context: ctx.Context,
        cluster_id: str,
        status: ClusterStatus,
        **asked: Any,
    ) -> View:
        """Begin what has such a status, and show it.

        Raises WrongStatus, NotEntrusted, TrustLost.
        """

        def begin(**action: Any) -> None:
            self._store.begin_action(cluster_id, status, **action, **asked)

        self._begin(context, cluster_id, states.HOMES[status], begin)
        return self.show(context, cluster_id)

    def _begin(
        self,
        context: ctx.Context,
        cluster_id: str,
        homes: Collection[ClusterStatus],
        begin: Callable[..., None],
    ) -> None:
        """Have written down by ``begin`` what is due, and done then.

        By the trust of its user for an outsider.
        """
        cluster = self._find(context, cluster_id)
        self.engine.check_open()
        self.engine.watch()
        acting = context
        if context.is_outsider:
            acting = self._as_its_user(context, cluster)
        begin(
            homes=homes,
            deadline=self._deadline(None),
            request_id=context.request_id,
        )
        self.engine.begin(cluster_id, acting)

    def release(self, context: ctx.Context, cluster_id: str) -> None:
        """Begin to give it up; its members are left alone.

        Raises HasSnapshots, and as the verbs above do. It is no more in the
        end.
        """
        self._find(context, cluster_id)
        if self._store.get_snapshots(cluster_id):
            raise exception.HasSnapshots(cluster_id)
        self._begin(
            context,
            cluster_id,
            states.RELEASABLE,
            functools.partial(
                self._store.begin_action, cluster_id, ClusterStatus.RELEASING
            ),
        )

    # -- snapshots --------------------------------------------------------

    def create_snapshot(
        self,
        context: ctx.Context,
        cluster_id: str,
        *,
        snapshot_id: str | None = None,
        name: str | None = None,
    ) -> View:
        """Begin to copy what its members have on their disks."""
        arguments.check(id=snapshot_id, name=name)
        self._find(context, cluster_id)
        chosen = snapshot_id or str(uuid.uuid4())
        there = self._store.get_snapshot(chosen)
        if there is not None and there.cluster_id != cluster_id:
            raise exception.SnapshotExists(chosen)
        if there is None:
            self._begin(
                context,
                cluster_id,
                states.HOMES[ClusterStatus.SNAPSHOTTING],
                functools.partial(
                    self._store.begin_snapshot, cluster_id, chosen, name
                ),
            )
        return self.snapshot(context, cluster_id, chosen)

    def snapshots(
        self, context: ctx.Context, cluster_id: str
    ) -> Sequence[View]:
        self.engine.watch()
        self._find(context, cluster_id)
        return [
            views.show_snapshot(each)
            for each in self._store.get_snapshots(cluster_id)
        ]

    def snapshot(
        self, context: ctx.Context, cluster_id: str, snapshot_id: str
    ) -> View:
        """Show one, with the document that it can be built by.

        An update of its own cluster to that makes all of it anew.
        """
        self.engine.watch()
        found = self._find_snapshot(context, cluster_id, snapshot_id)
        document = None
        if found.status is states.SnapshotStatus.AVAILABLE:
            running = self._store.get_cluster(cluster_id).document
            document = restoring.anew(running, _document_of(found))
        return {**views.show_snapshot(found), 'document': document}

    def restore(
        self,
        context: ctx.Context,
        cluster_id: str,
        snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> View:
        """Begin to become what a snapshot has, by an update to that."""
        found = self.snapshot(context, cluster_id, snapshot_id)
        if found['document'] is None:
            raise exception.SnapshotNotReady(snapshot_id, found['status'])
        return self.update(
            context, cluster_id, document=found['document'], timeout=timeout
        )

    def delete_snapshot(
        self, context: ctx.Context, cluster_id: str, snapshot_id: str
    ) -> None:
        """Begin to remove all that it is made of."""
        self._find_snapshot(context, cluster_id, snapshot_id)
        self._begin(
            context,
            cluster_id,
            states.HOMES[ClusterStatus.SNAPSHOTTING],
            functools.partial(
                self._store.begin_snapshot_removal, cluster_id, snapshot_id
            ),
        )

    def _find_snapshot(
        self, context: ctx.Context, cluster_id: str, snapshot_id: str
    ) -> records.SnapshotRecord:
        self._find(context, cluster_id)
        found = self._store.get_snapshot(snapshot_id)
        if found is None or found.cluster_id != cluster_id:
            raise exception.SnapshotNotFound(cluster_id, snapshot_id)
        return found

    # -- the end of one ---------------------------------------------------

    def delete(self, context: ctx.Context, cluster_id: str) -> None:
        """Begin to delete; work that builds it is stopped first.

        For an outsider by the trust of its user; raises NotEntrusted and
        TrustLost.
        """
        cluster = self._find(context, cluster_id)
        is_begun = cluster.status is ClusterStatus.DELETING
        self.engine.watch()
        if context.is_outsider:
            if is_begun:
                return  # whoever finds it left alone goes on by the trust
            context = self._as_its_user(context, cluster)
        if not is_begun:
            self._store.want_absent(cluster_id)
            self.engine.hurry(cluster_id)
        self.engine.begin(cluster_id, context)

    def _as_its_user(
        self, context: ctx.Context, cluster: records.ClusterRecord
    ) -> ctx.Context:
        if cluster.trust_id is None:
            raise exception.NotEntrusted(
                'The user of this cluster has not let the service act for '
                'him: it takes a token of his project'
            )
        its_user = self._opener.trusted(
            cluster.project_id, cluster.user_id, cluster.trust_id
        )
        return dataclasses.replace(its_user, request_id=context.request_id)

    # -- what there is to know of one -------------------------------------

    def members(self, context: ctx.Context, cluster_id: str) -> Sequence[View]:
        cluster = self._find(context, cluster_id)
        return [
            {
                'member': incarnations.shown(member.name),
                **views.show_member(cluster, member),
            }
            for member in views.visible(self._store.get_members(cluster_id))
        ]

    def member(self, context: ctx.Context, cluster_id: str, name: str) -> View:
        for view in self.members(context, cluster_id):
            if view['member'] == name:
                return view
        raise exception.MemberNotFound(cluster_id, name)

    def events(
        self,
        context: ctx.Context,
        cluster_id: str,
        after: int = 0,
        limit: int | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """What happened to a cluster; also after it was deleted."""
        arguments.check(after=after, limit=limit)
        self._get(context, cluster_id)
        return [
            views.show_event(event)
            for event in self._store.get_events(cluster_id, after, limit)
        ]

    def topology(self, context: ctx.Context, cluster_id: str) -> View:
        """Where the members sit, and which rules hold there."""
        cluster = self._find(context, cluster_id)
        return views.show_topology(
            cluster,
            views.visible(self._store.get_members(cluster_id)),
            self.load(cluster.document).groups,
            self._opener.scopes,
        )

    # -- the service itself -----------------------------------------------

    def limits(self, context: ctx.Context) -> View:
        """What the project may have of each, and what it has."""
        used = self._store.count_usage(context.project_id)
        return {
            resource: {'limit': limit, 'used': used[resource]}
            for resource, limit in self._limits(context).items()
        }

    def ping(self) -> None:
        """Raise ServiceUnavailable unless the database answers."""
        self._store.ping()

    def stop(self, timeout: float = 60.0) -> None:
        """Stop the work of this process and wait for it."""
        self.engine.stop(timeout)
        self._store.close()

    # -- below ------------------------------------------------------------

    def _load_allowed(self, document: Any) -> spec.GroupSpec:
        wanted = self.load(document)
        self._planner.check(wanted)
        return wanted

    def _get(
        self, context: ctx.Context, cluster_id: str
    ) -> records.ClusterRecord:
        """Return a cluster that is or was; a held plan is none."""
        cluster = self._store.get_cluster(cluster_id, context.project_id)
        if cluster.is_plan:
            raise exception.ClusterNotFound(cluster_id)
        return cluster

    def _find(
        self, context: ctx.Context, cluster_id: str
    ) -> records.ClusterRecord:
        cluster = self._get(context, cluster_id)
        if cluster.status is ClusterStatus.DELETED:
            raise exception.ClusterNotFound(cluster_id)
        return cluster

    def _limits(self, context: ctx.Context) -> dict[str, int]:
        return self._quota.limits(self._store.get_limits(context.project_id))

    def _deadline(self, timeout: float | None) -> datetime.datetime:
        return _from_now(timeout or self._settings.create_timeout)


def load(opener: cloud.CloudOpener, document: Any) -> spec.GroupSpec:
    """Check a document against what the cloud has levels of."""
    if isinstance(document, spec.GroupSpec):
        document = document.document
    return loader.load(document, scopes=tuple(opener.scopes))


def _survive(cluster: records.ClusterRecord) -> Sequence[spec.Loss]:
    """Return what its document has on losses; mostly nothing.

    The levels of the document are not held against those that the cloud has
    by now: the cluster is there, whatever the operator calls them.
    """
    if not cluster.document.get('survive'):
        return ()
    return loader.load(cluster.document).survive


def _document_of(snapshot: records.SnapshotRecord) -> dict[str, Any]:
    """Return what makes a cluster of a snapshot."""
    keys = {'image': 'image', 'volume_snapshot': 'snapshot_id'}
    sources = {
        incarnations.shown(part.member): {keys[part.kind]: part.id}
        for part in snapshot.parts
    }
    return restoring.document(snapshot.document, sources)


def _not_changeable(
    cluster: records.ClusterRecord,
) -> exception.NotChangeable:
    first = FIRST.get(cluster.status)
    return exception.NotChangeable(
        f'Cluster {cluster.id} is {cluster.status}; only one that is ACTIVE '
        f'can become another one{f": {first} it first" if first else ""}'
    )


def _unnamed(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != 'name'}


def _new_members(wanted: spec.GroupSpec) -> list[records.NewMember]:
    return [
        records.NewMember(member.name, member.type, {})
        for member in wanted.members
    ]


def _from_now(seconds: float) -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC)
    return now + datetime.timedelta(seconds=seconds)
