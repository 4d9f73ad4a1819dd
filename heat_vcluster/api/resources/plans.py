# SPDX-License-Identifier: Apache-2.0
"""Plans: made, and where asked for held until they are built or expire."""

from __future__ import annotations

from typing import Any

from heat_vcluster import arguments
from heat_vcluster.api import bodies
from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.resources import clusters
from heat_vcluster.api.schemas import plans as schemas
from heat_vcluster.spec import reader


class Plans(Resource):
    @operation(
        Operation(
            'plan_vcluster',
            'Say where everything would go, and hold the room if asked to',
            {
                200: Answer('Nothing is held', schemas.PLAN_ANSWER),
                201: Answer(
                    'The room is held', schemas.PLAN_ANSWER, has_location=True
                ),
            },
            'plans:create',
            (403, 404, 409, 502),
            body=schemas.PLAN_BODY,
        )
    )
    def on_post(self, call: Call) -> Reply:
        wanted, around = bodies.unwrap(
            call.body(), schemas.AROUND['properties']
        )
        asked = bodies.insisted(around, schemas.AROUND)
        if 'cluster_id' in asked:
            return self._plan_change(call, wanted, asked)
        held = {'hold_seconds': asked.get('hold_seconds')}
        document, beside = clusters.split(self.parts.service, wanted)
        plan = self.parts.service.plan(
            call.context, document, plan_id=beside.get('id'), **held
        )
        if plan['id'] is None:
            return Reply({'plan': plan}, 200)
        return Reply({'plan': plan}, 201, call.link('plan', plan['id']))

    def _plan_change(
        self, call: Call, wanted: reader.Pairs, asked: dict[str, Any]
    ) -> Reply:
        arguments.check_not_held(asked.get('hold_seconds'))
        document, _ = clusters.split(self.parts.service, wanted)
        plan = self.parts.service.plan_change(
            call.context,
            asked['cluster_id'],
            document,
            remove=asked.get('remove'),
        )
        return Reply({'plan': plan}, 200)


class Plan(Resource):
    @operation(
        Operation(
            'show_plan',
            'Show a held plan',
            {200: Answer('As it is held', schemas.PLAN_ANSWER)},
            'plans:show',
            (404, 410),
        )
    )
    def on_get(self, call: Call, plan_id: str) -> Reply:
        plan = self.parts.service.show_plan(call.context, plan_id)
        return Reply({'plan': plan})

    @operation(
        Operation(
            'release_plan',
            'Give back the room of a held plan',
            {204: Answer('It is given back')},
            'plans:delete',
            (404, 409, 410, 502),
        )
    )
    def on_delete(self, call: Call, plan_id: str) -> Reply:
        self.parts.service.release_plan(call.context, plan_id)
        return Reply()
