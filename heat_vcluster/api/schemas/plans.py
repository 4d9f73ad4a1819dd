# SPDX-License-Identifier: Apache-2.0
"""The shapes of plans, and of where members are."""

from __future__ import annotations

from heat_vcluster.api.schemas import clusters, common

PLACEMENT = common.mapping(
    {
        'soft_cost': {
            **common.NUMBER,
            'description': 'What the wishes that do not hold cost together.',
        },
        'given_up': common.listing(
            common.mapping(
                {
                    'group': common.TEXT,
                    'violation': common.NUMBER,
                    'cost': common.NUMBER,
                    'where': common.TEXTS,
                }
            )
        ),
        'not_applied': common.listing(
            common.mapping({'group': common.TEXT, 'member': common.TEXT})
        ),
    }
)
SURVIVAL = common.mapping(
    {
        'lose': common.mapping({'count': common.NUMBER, 'scope': common.TEXT}),
        'keep': {
            **common.by_name({'anyOf': [common.NUMBER, common.TEXT]}),
            'description': 'As it was asked.',
        },
        'left': {
            **common.nullable(
                common.by_name(
                    common.mapping(
                        {
                            'least': common.NUMBER,
                            'total': common.NUMBER,
                            'unknown': common.NUMBER,
                        }
                    )
                )
            ),
            'description': 'What is left of each whichever domains are lost, '
            'where the members are now. Of `unknown` it is not known in '
            'which domain they are: they count as lost. Null as long as '
            'nothing is placed.',
        },
        'holds': common.nullable(common.FLAG),
        'says': {
            **common.nullable(common.TEXT),
            'description': 'The same in words.',
        },
    }
)
FATE = common.mapping(
    {
        'member': common.TEXT,
        'type': common.TEXT,
        'action': {
            'enum': ['kept', 'changed', 'replaced', 'added', 'removed']
        },
        'properties': {
            **common.TEXTS,
            'description': 'Those that differ, as the document calls them.',
        },
        'reason': common.nullable(common.TEXT),
    }
)
_PLAN: common.Schema = {
    'id': {
        **common.nullable(common.UUID),
        'description': 'Of a plan whose room is held; else null.',
    },
    'verdict': {
        'enum': ['feasible', 'infeasible', 'unknown'],
        'description': '`infeasible` is proven; `unknown` means that the '
        'time for the search ran out.',
    },
    'expires_at': common.nullable(common.TIME),
    'members': common.by_name(
        common.mapping({'domains': common.by_name(common.TEXT)})
    ),
    'placement': common.nullable(common.named('Placement')),
    'survival': common.listing(common.named('Survival')),
    'reasons': common.TEXTS,
    'repairs': {
        **common.TEXTS,
        'description': 'Changes that would fit, the least first.',
    },
    'rules': {
        **common.TEXTS,
        'description': 'The groups that cannot all be obeyed.',
    },
}
PLAN = common.mapping(
    {
        **_PLAN,
        'changes': {
            **common.listing(common.named('Fate')),
            'description': 'Of an update: what becomes of each member.',
        },
        **clusters.MOVES,
    },
    _PLAN,
)
PLAN_BODY = common.mapping(
    {
        'vcluster': common.named('Document'),
        'hold_seconds': {
            **common.SECONDS,
            'description': 'Hold the room of the plan for so long.',
        },
        'cluster_id': {
            **common.UUID,
            'description': 'Say what an update of this cluster would do.',
        },
        'remove': clusters.REMOVE,
    },
    ['vcluster'],
)
AROUND = common.mapping(
    {
        'hold_seconds': common.SECONDS,
        'cluster_id': common.UUID,
        'remove': clusters.REMOVE,
    },
    [],
)
PLAN_ANSWER = common.mapping({'plan': common.named('Plan')})

DOMAIN = common.mapping(
    {
        'level': common.TEXT,
        'name': {**common.TEXT, 'description': 'A pseudonym.'},
        'domains': common.listing(common.named('Domain')),
        'members': {
            **common.TEXTS,
            'description': 'Those of which nothing narrower is known.',
        },
    }
)
RULE = common.mapping(
    {
        'name': common.TEXT,
        'policy': common.TEXT,
        'scope': common.nullable(common.TEXT),
        'strict': common.FLAG,
        'weight': common.nullable({'type': 'number'}),
        'members': common.TEXTS,
        'holds': {
            **common.nullable(common.FLAG),
            'description': 'Null as long as there is no plan.',
        },
    }
)
TOPOLOGY = common.mapping(
    {
        'levels': {**common.TEXTS, 'description': 'The widest first.'},
        'domains': common.listing(common.named('Domain')),
        'unplaced': common.TEXTS,
        'rules': common.listing(RULE),
    }
)
TOPOLOGY_ANSWER = common.mapping({'topology': common.named('Topology')})
