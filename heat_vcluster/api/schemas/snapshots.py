# SPDX-License-Identifier: Apache-2.0
"""The shapes of a cluster's snapshots."""

from __future__ import annotations

from heat_vcluster import states
from heat_vcluster.api.schemas import clusters, common

_VIEW = {
    'id': common.UUID,
    'cluster_id': common.UUID,
    'name': common.nullable(common.TEXT),
    'status': {'enum': [str(status) for status in states.SnapshotStatus]},
    'status_reason': common.nullable(common.TEXT),
    'created_at': common.TIME,
    'members': {
        **common.listing(
            common.mapping(
                {
                    'member': common.TEXT,
                    'kind': {'enum': ['image', 'volume_snapshot']},
                    'id': common.nullable(common.TEXT),
                }
            )
        ),
        'description': 'What it has of each member; no id as long as it is '
        'not made.',
    },
}
LISTED_SNAPSHOT = common.mapping(_VIEW)
SNAPSHOT = common.mapping(
    {
        **_VIEW,
        'document': {
            **common.nullable({'type': 'object'}),
            'description': 'What makes another such cluster, by an ordinary '
            'create; null unless it is AVAILABLE.',
        },
    }
)

SNAPSHOT_ANSWER = common.mapping({'snapshot': common.named('Snapshot')})
SNAPSHOTS_ANSWER = common.mapping(
    {'snapshots': common.listing(common.named('ListedSnapshot'))}
)

CREATE_BODY = common.mapping(
    {
        'snapshot': common.mapping(
            {
                'id': {
                    **common.UUID,
                    'description': 'Of your choice. A repeated create with '
                    'the same id is the same snapshot.',
                },
                'name': common.WORD,
            },
            [],
            **{'x-must-be': 'a mapping of id, name'},
        )
    }
)
RESTORE_BODY = common.mapping(
    {
        'timeout': {
            **common.SECONDS,
            'description': 'Seconds after which an unfinished restore is '
            'taken back.',
        }
    },
    [],
)
RESTORE_ANSWER = clusters.CLUSTER_ANSWER
