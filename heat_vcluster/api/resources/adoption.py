# SPDX-License-Identifier: Apache-2.0
"""Clusters of what is there: adopted, and given up again."""

from __future__ import annotations

from heat_vcluster import exception
from heat_vcluster.api import bodies
from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.resources.clusters import faults_of, linked, split
from heat_vcluster.api.schemas import adoption as schemas
from heat_vcluster.api.schemas import clusters


class Adoption(Resource):
    @operation(
        Operation(
            'adopt_vcluster',
            'Bring servers and volumes that are there under a cluster, or '
            'say what would be found',
            {
                202: Answer(
                    'They are being adopted',
                    clusters.CLUSTER_ANSWER,
                    has_location=True,
                ),
                200: Answer('What would be found', schemas.ANSWER),
            },
            'clusters:adopt',
            (403, 404, 409, 502),
            body=schemas.BODY,
        )
    )
    def on_post(self, call: Call) -> Reply:
        wanted, outside = bodies.unwrap(
            call.body(), schemas.BESIDE['properties']
        )
        asked, wrong = bodies.checked(outside, schemas.BESIDE)
        try:
            document, beside = split(self.parts.service, wanted)
        except exception.InvalidDocument as error:
            raise exception.InvalidDocument((*wrong, *error.faults)) from error
        if wrong:
            raise exception.InvalidDocument(
                (*wrong, *faults_of(self.parts.service, document))
            )
        members = asked['members']
        if asked.get('dry_run'):
            view = self.parts.service.plan_adoption(
                call.context, document, members
            )
            return Reply({'adoption': view}, status=200)
        view = self.parts.service.adopt(
            call.context,
            document,
            members,
            allow_drifted=asked.get('allow_drifted', False),
            cluster_id=beside.pop('id', None),
            **beside,
        )
        shown = linked(call, view)
        return Reply({'vcluster': shown}, location=shown['links'][0]['href'])


class Release(Resource):
    @operation(
        Operation(
            'release_vcluster',
            'Give a cluster up, and leave its members alone',
            {202: Answer('It is being given up')},
            'clusters:release',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        self.parts.service.release(call.context, cluster_id)
        return Reply()
