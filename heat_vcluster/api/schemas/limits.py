# SPDX-License-Identifier: Apache-2.0
"""The shape of a project's limits."""

from __future__ import annotations

from heat_vcluster.api.schemas import common

LIMIT = common.mapping(
    {
        'limit': {**common.NUMBER, 'description': '-1: without bound.'},
        'used': common.NUMBER,
    }
)
LIMITS_ANSWER = common.mapping(
    {
        'limits': common.mapping(
            {'clusters': LIMIT, 'members': LIMIT, 'held_plans': LIMIT}
        )
    }
)
