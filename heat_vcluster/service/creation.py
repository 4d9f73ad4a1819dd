# SPDX-License-Identifier: Apache-2.0
"""How a cluster begins: built from a document or a plan, or adopted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from heat_vcluster import arguments, states, views
from heat_vcluster import context as ctx
from heat_vcluster.db import records
from heat_vcluster.engine import adoption, inspection
from heat_vcluster.service import desk, reading
from heat_vcluster.spec import model as spec

View = views.View
ClusterStatus = states.ClusterStatus

#: A cluster in one of these waits for somebody to begin.
NOT_BEGUN = (
    ClusterStatus.PLANNING,
    ClusterStatus.HELD,
    ClusterStatus.ADOPTING,
)


class Creation(reading.Reading):
    """Every verb that makes a cluster of what was none."""

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
                members=desk.new_members(wanted),
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
        """Begin with what ``write`` records, together with a trust.

        What is shown was read before any of it is done.
        """
        self.engine.check_open()
        cluster = self._recorded(self._entrusted(context), write)
        view = self.show(context, cluster.id)
        if cluster.status in NOT_BEGUN:
            self.engine.begin(cluster.id, context)
        return view
