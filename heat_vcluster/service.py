# SPDX-License-Identifier: Apache-2.0
"""The service layer: plan, create, show, list, delete, for one tenant."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster import context as ctx
from heat_vcluster import exception, states, views
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import api as db
from heat_vcluster.db import records
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import decision
from heat_vcluster.engine import engine as engines
from heat_vcluster.planner import Planner
from heat_vcluster.spec import loader
from heat_vcluster.spec import model as spec

View = views.View


class Service:
    """All verbs; what the front doors share. Safe for many threads."""

    def __init__(
        self,
        store: db.Store,
        opener: cloud.CloudOpener,
        planner: Planner,
        settings: engine_base.Settings | None = None,
    ) -> None:
        self._store = store
        self._opener = opener
        self._planner = planner
        self._settings = settings or engine_base.Settings()
        self.engine = engines.Engine(
            store, opener, planner, self.load, self._settings
        )

    # -- verbs ------------------------------------------------------------

    def load(self, document: Any) -> spec.GroupSpec:
        """Check a document; raises InvalidDocument with all faults."""
        if isinstance(document, spec.GroupSpec):
            document = document.document
        return loader.load(document, scopes=tuple(self._opener.scopes))

    def plan(self, context: ctx.Context, document: Any) -> View:
        """Decide where everything would go; hold and build nothing."""
        wanted = self.load(document)
        self._planner.check(wanted)
        outside = self._opener.open(context)
        found = outside.resolve(wanted)
        used = None
        if self._planner.counts_usage:
            used = decision.used(
                outside.usage(),
                self._store.get_project_holds(context.project_id),
            )
        made = decision.decide(
            outside,
            self._planner,
            wanted,
            found.demands,
            seed=context.project_id,
            used=used,
            choices=found.choices,
        )
        return views.show_plan(made.plan, made.snapshot)

    def create(
        self,
        context: ctx.Context,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> View:
        """Record a cluster and begin to build it."""
        wanted = self.load(document)
        self._planner.check(wanted)
        self.engine.check_open()
        cluster = self._store.create_cluster(
            id=cluster_id or str(uuid.uuid4()),
            project_id=context.project_id,
            user_id=context.user_id,
            document=wanted.document,
            members=[
                records.NewMember(member.name, member.type, {})
                for member in wanted.members
            ],
            name=name or wanted.name,
            deadline=self._deadline(timeout),
        )
        if cluster.status is states.ClusterStatus.PLANNING:
            self.engine.watch()
            self.engine.create(cluster.id, context)
        return self.show(context, cluster.id)

    def show(self, context: ctx.Context, cluster_id: str) -> View:
        self.engine.watch()  # the first to look may be so since a restart
        cluster = self._find(context, cluster_id)
        return views.show_cluster(
            cluster,
            self._store.get_members(cluster_id),
            self._store.get_leftovers(cluster_id),
        )

    def list(self, context: ctx.Context) -> Sequence[View]:
        return [
            views.show_cluster(
                cluster,
                self._store.get_members(cluster.id),
                self._store.get_leftovers(cluster.id),
            )
            for cluster in self._store.list_clusters(context.project_id)
        ]

    def delete(self, context: ctx.Context, cluster_id: str) -> None:
        """Begin to delete; work that builds it is stopped first."""
        cluster = self._find(context, cluster_id)
        if cluster.status is not states.ClusterStatus.DELETING:
            self._store.request_cancel(cluster_id)
            self.engine.hurry(cluster_id)
        self.engine.watch()
        self.engine.delete(cluster_id, context)

    def events(
        self, context: ctx.Context, cluster_id: str, after: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        """What happened to a cluster; also after it was deleted."""
        self._store.get_cluster(cluster_id, context.project_id)
        return [
            views.show_event(event)
            for event in self._store.get_events(cluster_id, after)
        ]

    def stop(self, timeout: float = 60.0) -> None:
        """Stop the work of this process (it is rolled back) and wait."""
        self.engine.stop(timeout)
        self._store.close()

    # -- below ------------------------------------------------------------

    def _find(
        self, context: ctx.Context, cluster_id: str
    ) -> records.ClusterRecord:
        cluster = self._store.get_cluster(cluster_id, context.project_id)
        if cluster.status is states.ClusterStatus.DELETED:
            raise exception.ClusterNotFound(cluster_id)
        return cluster

    def _deadline(self, timeout: float | None) -> datetime.datetime:
        seconds = timeout or self._settings.create_timeout
        now = datetime.datetime.now(datetime.UTC)
        return now + datetime.timedelta(seconds=seconds)
