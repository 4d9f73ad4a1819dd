# SPDX-License-Identifier: Apache-2.0
"""What can be done about a cluster that is built: one address each."""

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


class Stop(Resource):
    @operation(
        Operation(
            'stop_vcluster',
            "Stop a cluster's servers, what depends on others first",
            {202: Answer('They are being stopped', schemas.CLUSTER_ANSWER)},
            'clusters:stop',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.stop_servers(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})


class Start(Resource):
    @operation(
        Operation(
            'start_vcluster',
            "Start a cluster's servers in the order of their dependencies",
            {202: Answer('They are being started', schemas.CLUSTER_ANSWER)},
            'clusters:start',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.start_servers(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})


class Suspend(Resource):
    @operation(
        Operation(
            'suspend_vcluster',
            "Suspend a cluster's servers, what depends on others first",
            {202: Answer('They are being suspended', schemas.CLUSTER_ANSWER)},
            'clusters:suspend',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.suspend(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})


class Resume(Resource):
    @operation(
        Operation(
            'resume_vcluster',
            "Resume a cluster's servers in the order of their dependencies",
            {202: Answer('They are being resumed', schemas.CLUSTER_ANSWER)},
            'clusters:resume',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.resume(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})


class Heal(Resource):
    @operation(
        Operation(
            'heal_vcluster',
            'Make servers that are gone or in ERROR again, with their '
            'volumes, ports and addresses',
            {202: Answer('It is being healed', schemas.CLUSTER_ANSWER)},
            'clusters:heal',
            (404, 409, 502),
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.heal(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})


class Repair(Resource):
    @operation(
        Operation(
            'repair_vcluster',
            'Move servers until all strict rules hold, or say which would '
            'be moved',
            {
                202: Answer('It is being repaired', schemas.CLUSTER_ANSWER),
                200: Answer('What would be moved', schemas.REPAIR_ANSWER),
            },
            'clusters:repair',
            (404, 409, 502),
            body=schemas.REPAIR_BODY,
        )
    )
    def on_post(self, call: Call, cluster_id: str) -> Reply:
        asked = bodies.insisted(call.body(), schemas.REPAIR_BODY)
        serve = self.parts.service
        if asked.get('dry_run'):
            planned = serve.plan_repair(call.context, cluster_id)
            return Reply({'repair': planned}, status=200)
        view = serve.repair(
            call.context,
            cluster_id,
            cold=asked.get('cold', False),
            rebuild=asked.get('rebuild', False),
        )
        return Reply({'vcluster': linked(call, view)})
