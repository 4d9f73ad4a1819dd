# SPDX-License-Identifier: Apache-2.0
"""What every verb starts from: whose cluster it is, and what it may."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heat_vcluster import context as ctx
from heat_vcluster import exception, states, views
from heat_vcluster import quota as quotas
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import api as db
from heat_vcluster.db import records
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import decision
from heat_vcluster.engine import work as works
from heat_vcluster.planner import Planner
from heat_vcluster.spec import loader
from heat_vcluster.spec import model as spec

View = views.View
ClusterStatus = states.ClusterStatus


class Desk:
    """What the verbs work with, and how they find what they are asked for."""

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
        """Check a document of a request, also against the cloud's levels.

        Raises InvalidDocument with all faults.
        """
        if isinstance(document, spec.GroupSpec):
            document = document.document
        return loader.load(document, scopes=tuple(self._opener.scopes))

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
        return from_now(timeout or self._settings.create_timeout)

    def _entrusted(self, context: ctx.Context) -> str | None:
        """Return a new trust, if one can be had; it may be that it must."""
        trust_id = self._opener.entrust(context)
        if trust_id is None and self.engine.needs_trust:
            raise exception.TrustRefused(
                'The work is done by others than the one you talk to, who '
                'need a trust; it cannot be had with these credentials'
            )
        return trust_id

    def _entrusted_anew(
        self, context: ctx.Context, cluster: records.ClusterRecord
    ) -> str | None:
        """Return a new trust if that on record is none, or does not hold.

        Whether it holds is looked at only where the work needs it.
        """
        if cluster.trust_id is not None and not self.engine.needs_trust:
            return None
        try:
            self._as_its_user(context, cluster)
        except (exception.NotEntrusted, exception.TrustLost):
            return self._entrusted(context)
        return None

    def _let_work(
        self, context: ctx.Context, cluster: records.ClusterRecord
    ) -> None:
        """See that those who work by trusts have one that holds.

        If it was lost, the cluster is whose trust it gets now.
        """
        if not self.engine.needs_trust:
            return
        trust_id = self._entrusted_anew(context, cluster)
        if trust_id is None:
            return

        def write(trust_id: str | None) -> records.ClusterRecord:
            return self._store.set_trust(
                cluster.id,
                cluster.trust_id,
                trust_id=trust_id,
                user_id=context.user_id,
            )

        self._recorded(trust_id, write)

    def _recorded(
        self,
        trust_id: str | None,
        write: Callable[[str | None], records.ClusterRecord],
    ) -> records.ClusterRecord:
        """Have a cluster written with a trust; end one that it did not take.

        It was refused then, or had one of its own before.
        """
        taken: str | None = None
        try:
            cluster = write(trust_id)
            taken = cluster.trust_id
        finally:
            if trust_id is not None and taken != trust_id:
                self._opener.end_trust(trust_id)
        return cluster

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

    def _used(
        self, context: ctx.Context, outside: cloud.Cloud
    ) -> Mapping[str, Mapping[str, int]]:
        if not self._planner.counts_usage:
            return {}
        return decision.used(
            outside.usage(), self._store.get_project_holds(context.project_id)
        )


def load_stored(document: Mapping[str, Any]) -> spec.GroupSpec:
    """Return what a document asks for that was checked when it came.

    Its levels are not held against those that the cloud has by now: the
    cluster is there, whatever the operator calls them.
    """
    return loader.load(document)


def survive(cluster: records.ClusterRecord) -> Sequence[spec.Loss]:
    """Return what its document has on losses; mostly nothing."""
    if not cluster.document.get('survive'):
        return ()
    return load_stored(cluster.document).survive


def from_now(seconds: float) -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC)
    return now + datetime.timedelta(seconds=seconds)


def new_members(wanted: spec.GroupSpec) -> list[records.NewMember]:
    return [
        records.NewMember(member.name, member.type, {})
        for member in wanted.members
    ]
