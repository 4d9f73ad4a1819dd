# SPDX-License-Identifier: Apache-2.0
"""How much a project may have, and has."""

from __future__ import annotations

from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.schemas import limits as schemas


class Limits(Resource):
    @operation(
        Operation(
            'show_limits',
            "Show a project's limits and what it uses of them",
            {200: Answer('All of them', schemas.LIMITS_ANSWER)},
            'limits:show',
        )
    )
    def on_get(self, call: Call) -> Reply:
        return Reply({'limits': self.parts.service.limits(call.context)})
