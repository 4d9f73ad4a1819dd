# SPDX-License-Identifier: Apache-2.0
"""Copies of what members have on their disks."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from typing import Any

from heat_vcluster import arguments, exception, states, views
from heat_vcluster import context as ctx
from heat_vcluster.db import records
from heat_vcluster.service import changes
from heat_vcluster.spec import incarnations, restoring

View = views.View
ClusterStatus = states.ClusterStatus


class Snapshots(changes.Changes):
    """Made, told, restored and removed."""

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
        if there is not None:
            return self.snapshot(context, cluster_id, chosen)

        def begin(**action: Any) -> View:
            self._store.begin_snapshot(cluster_id, chosen, name, **action)
            return self.snapshot(context, cluster_id, chosen)

        homes = states.HOMES[ClusterStatus.SNAPSHOTTING]
        return self._begin(context, cluster_id, homes, begin)

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


def _document_of(snapshot: records.SnapshotRecord) -> dict[str, Any]:
    """Return what makes a cluster of a snapshot."""
    keys = {'image': 'image', 'volume_snapshot': 'snapshot_id'}
    sources = {
        incarnations.shown(part.member): {keys[part.kind]: part.id}
        for part in snapshot.parts
    }
    return restoring.document(snapshot.document, sources)
