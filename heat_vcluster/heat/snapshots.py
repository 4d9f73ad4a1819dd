# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a stack, as far as its cluster is concerned."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from heat.common import exception as heat_exception
from heat.engine import resource

from heat_vcluster import client, exception, states

CLUSTER_ID = 'cluster_id'
SNAPSHOT_ID = 'snapshot_id'

Status = states.SnapshotStatus
#: Of a cluster in one of these no snapshot can be removed: all that there
#: are go with it.
ON_ITS_WAY_OUT = (
    states.ClusterStatus.DELETING,
    states.ClusterStatus.ERROR,
)


class SnapshotFailed(heat_exception.Error):
    """A snapshot could not be made or removed, and why."""


@dataclasses.dataclass(slots=True)
class Removal:
    """``is_asked``: an ERROR that is there from then on is the answer."""

    cluster_id: str
    snapshot_id: str
    is_asked: bool = False


class Snapshots(resource.Resource):
    """What Heat does for a snapshot; the ids are in the resource's data."""

    SOURCES = 'sources'

    def handle_snapshot(self) -> str:
        snapshot_id = str(uuid.uuid4())
        # Kept before the call: whatever happens then, a delete finds it.
        self.data_set(CLUSTER_ID, self.resource_id)
        self.data_set(SNAPSHOT_ID, snapshot_id)
        self.client().create_snapshot(
            self.resource_id, snapshot_id=snapshot_id, name=self.stack.name
        )
        return snapshot_id

    def check_snapshot_complete(self, snapshot_id: str) -> bool:
        view = self.client().snapshot(self.resource_id, snapshot_id)
        if view['status'] == Status.CREATING:
            return False
        if view['status'] != Status.AVAILABLE:
            raise SnapshotFailed(_failure(view))
        return True

    def handle_delete_snapshot(
        self, snapshot: Mapping[str, Any]
    ) -> Removal | None:
        data = snapshot['resource_data'] or {}
        if SNAPSHOT_ID not in data:
            return None
        return Removal(data[CLUSTER_ID], data[SNAPSHOT_ID])

    def check_delete_snapshot_complete(self, removal: Removal | None) -> bool:
        if removal is None:
            return True
        with self.client_plugin().ignore_not_found:
            return self._is_removed(removal)
        return True

    def _is_removed(self, removal: Removal) -> bool:
        """Ask for it as soon as the cluster is at nothing else."""
        view = self.client().snapshot(removal.cluster_id, removal.snapshot_id)
        if view['status'] == Status.DELETING:
            return False
        cluster = self.client().show(removal.cluster_id)
        if cluster['status'] in ON_ITS_WAY_OUT:
            return True
        if removal.is_asked:
            raise SnapshotFailed(_failure(view))
        with contextlib.suppress(exception.WrongStatus):
            self.client().delete_snapshot(
                removal.cluster_id, removal.snapshot_id
            )
            removal.is_asked = True
        return False

    def handle_restore(self, defn: Any, restore_data: Any) -> Any:
        """Have all that is in the snapshot made anew, by an update."""
        data = restore_data['resource_data']
        view = self.client().snapshot(data[CLUSTER_ID], data[SNAPSHOT_ID])
        if view['status'] != Status.AVAILABLE:
            raise SnapshotFailed(_failure(view))
        document = view['document']
        asked = {
            k: v for k, v in self.properties.data.items() if v is not None
        }
        asked['instances'] = _numbered(
            asked['instances'], document['instances']
        )
        asked[self.SOURCES] = document['sources']
        asked[self.UPDATE_POLICY] = document['update_policy']
        return defn.freeze(properties=asked)


def _numbered(asked: Any, had: Sequence[Mapping[str, Any]]) -> Any:
    """Return a template's instances with the numbers that copies had.

    What leads to other resources in them stays as it is written.
    """
    if not isinstance(asked, list) or len(asked) != len(had):
        return list(had)
    return [
        {**entry, 'indexes': there['indexes']}
        if 'indexes' in there and isinstance(entry, Mapping)
        else entry
        for entry, there in zip(asked, had, strict=True)
    ]


def _failure(view: client.View) -> str:
    return str(view['status_reason'] or f'The snapshot is {view["status"]}')
