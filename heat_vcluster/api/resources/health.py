# SPDX-License-Identifier: Apache-2.0
"""Whether this process can serve."""

from __future__ import annotations

from heat_vcluster import exception
from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.schemas import versions as schemas


class Health(Resource):
    @operation(
        Operation(
            'show_health',
            'Tell whether the service can serve',
            {
                200: Answer('It can', schemas.HEALTH_ANSWER),
                503: Answer('It cannot', schemas.HEALTH_ANSWER),
            },
        )
    )
    def on_get(self, call: Call) -> Reply:
        try:
            self.parts.service.ping()
        except exception.ServiceUnavailable:
            failing = {'status': 'failing', 'checks': {'database': 'failing'}}
            return Reply(failing, 503)
        return Reply({'status': 'ok', 'checks': {'database': 'ok'}})
