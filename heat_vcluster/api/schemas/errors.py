# SPDX-License-Identifier: Apache-2.0
"""The shape of every refusal."""

from __future__ import annotations

from heat_vcluster.api.schemas import common

DETAIL = common.mapping(
    {
        'path': {
            **common.TEXT,
            'description': 'Where, such as `instances[3].spec.flavor`; empty '
            'for the whole.',
        },
        'message': common.TEXT,
    }
)
ERROR = common.mapping(
    {
        'error': common.mapping(
            {
                'code': {
                    'type': 'string',
                    'pattern': r'^vcluster\.[a-z_]+$',
                    'description': 'Stable, for programs.',
                },
                'message': {**common.TEXT, 'description': 'For people.'},
                'details': common.listing(DETAIL),
                'request_id': common.nullable(common.TEXT),
            }
        )
    }
)
