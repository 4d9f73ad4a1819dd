# SPDX-License-Identifier: Apache-2.0
"""Which versions of the API there are, and what is in them."""

from __future__ import annotations

from typing import Any

from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.schemas import versions as schemas


class Versions(Resource):
    @operation(
        Operation(
            'list_versions',
            'List the versions of the API',
            {200: Answer('All of them', schemas.VERSIONS_ANSWER)},
        )
    )
    def on_get(self, call: Call) -> Reply:
        return Reply({'versions': [_version(call)]})


class Version(Resource):
    @operation(
        Operation(
            'show_version',
            'Show this version of the API',
            {200: Answer('This one', schemas.VERSION_ANSWER)},
        )
    )
    def on_get(self, call: Call) -> Reply:
        return Reply({'version': _version(call)})


class OpenApi(Resource):
    @operation(
        Operation(
            'show_openapi',
            'Show the description of the API, for programs',
            {200: Answer('An OpenAPI document', schemas.OPENAPI_ANSWER)},
        )
    )
    def on_get(self, call: Call) -> Reply:
        return Reply(call.parts.describe(call.request.prefix))


def _version(call: Call) -> dict[str, Any]:
    href = f'{call.request.prefix}/v2/'
    return {
        'id': 'v2.0',
        'status': 'CURRENT',
        'links': [{'rel': 'self', 'href': href}],
    }
