# SPDX-License-Identifier: Apache-2.0
"""The shapes of what is there and is to be brought under a cluster."""

from __future__ import annotations

from heat_vcluster.api.schemas import common

BESIDE = common.mapping(
    {
        'members': {
            'type': 'object',
            'propertyNames': common.WORD,
            'additionalProperties': common.WORD,
            'description': 'Name of a member -> ID or name of the server or '
            'volume that it is.',
            'x-must-be': 'a mapping of members to IDs or names',
        },
        'allow_drifted': {
            **common.FLAG,
            'description': 'Also where strict rules do not hold: the cluster '
            'is DRIFTED then.',
            'x-must-be': 'true or false',
        },
        'dry_run': {
            **common.FLAG,
            'description': 'Only say what would be found.',
            'x-must-be': 'true or false',
        },
    },
    ['members'],
)
BODY = common.mapping(
    {'vcluster': common.named('Document'), **BESIDE['properties']},
    ['vcluster', 'members'],
)
ANSWER = common.mapping(
    {
        'adoption': common.mapping(
            {
                'members': common.by_name(
                    common.mapping(
                        {
                            'id': common.TEXT,
                            'type': common.TEXT,
                            'domains': common.by_name(common.TEXT),
                        }
                    )
                ),
                'compliance': common.named('Compliance'),
            }
        )
    }
)
