# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a cluster: made, listed, shown, restored, deleted."""

from __future__ import annotations

from heat_vcluster.api import bodies
from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.resources.clusters import linked
from heat_vcluster.api.schemas import snapshots as schemas


class Snapshots(Resource):
    @operation(
        Operation(
            'create_snapshot',
            "Make an image of each server's disk and a snapshot of each "
            'volume, all or none',
            {
                202: Answer(
                    'It is being made',
                    schemas.SNAPSHOT_ANSWER,
                    has_location=True,
                )
            },
            'snapshots:create',
            (404, 409, 502),
            body=schemas.CREATE_BODY,
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        asked = bodies.insisted(call.body(), schemas.CREATE_BODY)['snapshot']
        made = self.parts.service.create_snapshot(
            call.context,
            cluster_id,
            snapshot_id=asked.get('id'),
            name=asked.get('name'),
        )
        where = call.link(cluster_id, 'snapshots', made['id'])
        return Reply({'snapshot': made}, location=where)

    @operation(
        Operation(
            'list_snapshots',
            "List a cluster's snapshots, the oldest first",
            {200: Answer('All of them', schemas.SNAPSHOTS_ANSWER)},
            'snapshots:list',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str) -> Reply:
        found = self.parts.service.snapshots(call.context, cluster_id)
        return Reply({'snapshots': list(found)})


class Snapshot(Resource):
    @operation(
        Operation(
            'show_snapshot',
            'Show a snapshot, with the document that makes another such '
            'cluster',
            {200: Answer('The snapshot', schemas.SNAPSHOT_ANSWER)},
            'snapshots:show',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str, snapshot_id: str) -> Reply:
        found = self.parts.service.snapshot(
            call.context, cluster_id, snapshot_id
        )
        return Reply({'snapshot': found})

    @operation(
        Operation(
            'delete_snapshot',
            'Delete a snapshot with all that it is made of',
            {202: Answer('It is being removed')},
            'snapshots:delete',
            (404, 409, 502),
        )
    )
    def on_delete(
        self, call: Call, cluster_id: str, snapshot_id: str
    ) -> Reply:
        self.parts.service.delete_snapshot(
            call.context, cluster_id, snapshot_id
        )
        return Reply()


class Restore(Resource):
    @operation(
        Operation(
            'restore_snapshot',
            'Let a cluster become again what it was at a snapshot, all of it '
            'or nothing',
            {202: Answer('It is on its way', schemas.RESTORE_ANSWER)},
            'snapshots:restore',
            (403, 404, 409, 502),
            body=schemas.RESTORE_BODY,
        )
    )
    def on_post(self, call: Call, cluster_id: str, snapshot_id: str) -> Reply:
        asked = bodies.insisted(call.body(), schemas.RESTORE_BODY)
        view = self.parts.service.restore(
            call.context, cluster_id, snapshot_id, **asked
        )
        return Reply({'vcluster': linked(call, view)})
