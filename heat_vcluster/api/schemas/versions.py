# SPDX-License-Identifier: Apache-2.0
"""The shapes of what is told to anybody: versions and health."""

from __future__ import annotations

from heat_vcluster.api.schemas import common

VERSION = common.mapping(
    {
        'id': {'const': 'v2.0'},
        'status': {'const': 'CURRENT'},
        'links': common.LINKS,
    }
)
VERSIONS_ANSWER = common.mapping({'versions': common.listing(VERSION)})
VERSION_ANSWER = common.mapping({'version': VERSION})
HEALTH_ANSWER = common.mapping(
    {
        'status': {'enum': ['ok', 'failing']},
        'checks': common.by_name({'enum': ['ok', 'failing']}),
    }
)
#: The document about all the others; its own shape is OpenAPI's to tell.
OPENAPI_ANSWER: common.Schema = {
    'type': 'object',
    'required': ['openapi', 'info', 'paths'],
}
