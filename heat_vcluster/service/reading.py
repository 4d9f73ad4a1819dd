# SPDX-License-Identifier: Apache-2.0
"""What there is to know of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster import arguments, exception, states, views
from heat_vcluster import context as ctx
from heat_vcluster.service import desk
from heat_vcluster.spec import incarnations

View = views.View
ClusterStatus = states.ClusterStatus


class Reading(desk.Desk):
    """Every verb that only tells."""

    def show(self, context: ctx.Context, cluster_id: str) -> View:
        self.engine.watch()  # the first to look may be so since a restart
        cluster = self._find(context, cluster_id)
        return views.show_cluster(
            cluster,
            self._store.get_members(cluster_id),
            self._store.get_leftovers(cluster_id),
            desk.survive(cluster),
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
            desk.load_stored(cluster.document).groups,
            self._opener.scopes,
        )

    def limits(self, context: ctx.Context) -> View:
        """What the project may have of each, and what it has."""
        used = self._store.count_usage(context.project_id)
        return {
            resource: {'limit': limit, 'used': used[resource]}
            for resource, limit in self._limits(context).items()
        }
