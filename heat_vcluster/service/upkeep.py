# SPDX-License-Identifier: Apache-2.0
"""What is done to a cluster as it is, up to its end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from heat_vcluster import context as ctx
from heat_vcluster import exception, states, views
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import records
from heat_vcluster.engine import inspection, proposal, repairing
from heat_vcluster.service import desk, reading
from heat_vcluster.spec import model as spec

Begun = TypeVar('Begun')
View = views.View
ClusterStatus = states.ClusterStatus


class Upkeep(reading.Reading):
    """Looked after, switched off and on, given up, deleted."""

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
        wanted = proposal.inside(desk.load_stored, cluster.document, rows)
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
        known = records.pseudonyms(self._store.get_domains(cluster.id))
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

    def delete(self, context: ctx.Context, cluster_id: str) -> None:
        """Begin to delete; work that builds it is stopped first.

        For an outsider by the trust of its user; raises NotEntrusted and
        TrustLost, and for others TrustRefused.
        """
        cluster = self._find(context, cluster_id)
        is_begun = cluster.status is ClusterStatus.DELETING
        self.engine.watch()
        if context.is_outsider:
            if is_begun:
                return  # whoever finds it left alone goes on by the trust
            context = self._as_its_user(context, cluster)
        else:
            self._let_work(context, cluster)
        if not is_begun:
            self._store.want_absent(cluster_id)
            self.engine.hurry(cluster_id)
        self.engine.begin(cluster_id, context)

    def _act(
        self,
        context: ctx.Context,
        cluster_id: str,
        status: ClusterStatus,
        **asked: Any,
    ) -> View:
        """Begin what has such a status, and show it.

        Raises WrongStatus, NotEntrusted, TrustLost, TrustRefused.
        """

        def begin(**action: Any) -> View:
            self._store.begin_action(cluster_id, status, **action, **asked)
            return self.show(context, cluster_id)

        return self._begin(context, cluster_id, states.HOMES[status], begin)

    def _begin(
        self,
        context: ctx.Context,
        cluster_id: str,
        homes: Collection[ClusterStatus],
        begin: Callable[..., Begun],
    ) -> Begun:
        """Have written down by ``begin`` what is due, and done then.

        By the trust of its user for an outsider. Returns what ``begin``
        does: what is shown from there was read before any of it is done.
        """
        cluster = self._find(context, cluster_id)
        self.engine.check_open()
        self.engine.watch()
        acting = context
        if context.is_outsider:
            acting = self._as_its_user(context, cluster)
        else:
            self._let_work(context, cluster)
        begun = begin(
            homes=homes,
            deadline=self._deadline(None),
            request_id=context.request_id,
        )
        self.engine.begin(cluster_id, acting)
        return begun
