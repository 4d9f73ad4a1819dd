# SPDX-License-Identifier: Apache-2.0
"""What can be done about a cluster that is built: one address each."""

from __future__ import annotations

from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.resources.clusters import linked
from heat_vcluster.api.schemas import clusters as schemas


class Check(Resource):
    @operation(
        Operation(
            'check_vcluster',
            "Look what a cluster's members are, and whether its rules hold "
            'where they are now',
            {202: Answer('It is being checked', schemas.CLUSTER_ANSWER)},
            'clusters:check',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.check(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})
