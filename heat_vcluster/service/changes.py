# SPDX-License-Identifier: Apache-2.0
"""How a cluster becomes another one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heat_vcluster import arguments, exception, states, views
from heat_vcluster import context as ctx
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import records
from heat_vcluster.engine import proposal
from heat_vcluster.service import desk, upkeep
from heat_vcluster.spec import counts, incarnations
from heat_vcluster.spec import model as spec

View = views.View
ClusterStatus = states.ClusterStatus

#: What one that is off needs before it can become another one.
FIRST = {ClusterStatus.STOPPED: 'start', ClusterStatus.SUSPENDED: 'resume'}


class Changes(upkeep.Upkeep):
    """An update, and what it would do."""

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
        go_on: Callable[[], None] | None = None
        if document is not None:
            wanted = self._load_allowed(document)
            go_on = self._change(
                context, cluster_id, wanted, remove or (), timeout
            )
            if go_on is None:
                name = name or wanted.name
        if (name, metadata, tags) != (None, None, None):
            self._store.update_cluster(
                cluster_id,
                context.project_id,
                name=name,
                metadata=metadata,
                tags=tags,
            )
        view = self.show(context, cluster_id)
        if go_on is not None:
            go_on()
        return view

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
        known = records.pseudonyms(domains)
        now = proposal.look(outside, rows, known)
        settled = proposal.settle(
            desk.load_stored,
            cluster.document,
            wanted.document,
            remove or (),
            lambda whole, choices: proposal.choose(
                outside, self._planner, now, whole, choices
            ),
        )
        proposal.check(desk.load_stored, cluster.document, settled)
        proposed = proposal.compare(
            desk.load_stored,
            cluster.document,
            settled,
            rows,
            cluster.changes + 1,
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
    ) -> Callable[[], None] | None:
        """Write down what is to be done; return what sets that going.

        None if the cluster is what is wanted.
        """
        cluster = self._store.get_cluster(cluster_id, context.project_id)
        if cluster.status is ClusterStatus.UPDATING and cluster.change:
            if wanted.document == cluster.change.asked:
                return lambda: None  # it is on its way
            if self._is_as_it_was(cluster, wanted):
                self._store.want_change_undone(cluster_id)
                return functools.partial(self.engine.hurry, cluster_id)
        if cluster.status is not ClusterStatus.ACTIVE:
            raise _not_changeable(cluster)
        counts.check_removal(cluster.document, wanted.document, remove)
        if not counts.shrinking(cluster.document, wanted.document):
            # Who is to be there is known; else it is checked once it is.
            grown = counts.grown(cluster.document, wanted.document)
            proposal.check(desk.load_stored, cluster.document, grown)
        if self._is_as_it_was(cluster, wanted) and not cluster.status_reason:
            return None
        self._write_change(context, cluster, wanted, remove, timeout)
        return functools.partial(self.engine.begin, cluster_id, context)

    def _is_as_it_was(
        self, cluster: records.ClusterRecord, wanted: spec.GroupSpec
    ) -> bool:
        """Tell whether a cluster is what is wanted, but for its name."""
        if counts.shrinking(cluster.document, wanted.document):
            return False
        grown = counts.grown(cluster.document, wanted.document)
        return _unnamed(grown) == _unnamed(cluster.document)

    def _write_change(
        self,
        context: ctx.Context,
        cluster: records.ClusterRecord,
        wanted: spec.GroupSpec,
        remove: Sequence[str],
        timeout: float | None,
    ) -> None:
        self.engine.check_open()
        trust_id = self._entrusted_anew(context, cluster)
        change = records.ChangeRecord(wanted.document, tuple(remove))
        more = len(wanted.members) - len(
            desk.load_stored(cluster.document).members
        )

        def write(trust_id: str | None) -> records.ClusterRecord:
            theirs = None
            if trust_id is not None:
                theirs = (trust_id, context.user_id)
            return self._store.begin_change(
                cluster.id,
                context.project_id,
                change,
                more_members=more,
                deadline=self._deadline(timeout),
                trust=theirs,
                request_id=context.request_id,
                limits=self._limits(context),
            )

        begun = self._recorded(trust_id, write)
        if begun.change != change:
            raise _not_changeable(begun)


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
