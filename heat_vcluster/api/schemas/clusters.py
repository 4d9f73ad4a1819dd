# SPDX-License-Identifier: Apache-2.0
"""The shapes of clusters, and of what one may ask about them."""

from __future__ import annotations

from heat_vcluster import arguments, registry, states
from heat_vcluster.api.schemas import common
from heat_vcluster.spec import schema as spec

_MOST_TAGS = arguments.MOST_TAGS
_MOST_METADATA = arguments.MOST_METADATA

METADATA: common.Schema = {
    'type': 'object',
    'propertyNames': common.WORD,
    'additionalProperties': common.text(arguments.NAME_LENGTH, 0),
    'maxProperties': _MOST_METADATA,
    'x-must-be': f'a mapping of at most {_MOST_METADATA} names to texts',
}
TAG = common.text(arguments.TAG_LENGTH)
TAGS = common.listing(
    TAG,
    maxItems=_MOST_TAGS,
    uniqueItems=True,
    **{'x-must-be': f'a list of at most {_MOST_TAGS} tags, each once'},
)

_SETTABLE = {'name': common.WORD, 'metadata': METADATA, 'tags': TAGS}
_KEPT_BESIDE = {
    'metadata': METADATA,
    'tags': TAGS,
    'timeout': {
        **common.SECONDS,
        'description': 'Seconds after which an unfinished build is undone.',
    },
}
#: What a create may have beside the document.
BESIDE = common.mapping(
    {
        'id': {
            **common.UUID,
            'description': 'Of your choice. A repeated create with the same '
            'id is the same cluster.',
        },
        **_KEPT_BESIDE,
    },
    [],
)
#: A create by a held plan.
OF_PLAN = common.mapping(
    {'plan_id': common.UUID, 'name': common.WORD, **_KEPT_BESIDE}, ['plan_id']
)
UPDATE = common.mapping(_SETTABLE, [])
REMOVE = {
    **common.listing(common.WORD, uniqueItems=True),
    'description': 'Copies of counted instances that are to go, where the '
    'count becomes less. The others that go are chosen by the rules.',
    'x-must-be': 'a list of names of members, each once',
}
#: What a new definition may have beside the document.
BESIDE_CHANGE = common.mapping({**_KEPT_BESIDE, 'remove': REMOVE}, [])


def document() -> common.Schema:
    """Return the document's own schema, with what may stand beside it."""
    whole = spec.document(registry.load('policies'))
    del whole['$schema']
    own: common.Schema = BESIDE['properties']
    return {
        **whole,
        'title': 'What is wanted',
        'description': 'The canonical spelling; the others that the user '
        'guide tells are taken as well. A repeated key is refused.',
        'properties': {**whole['properties'], **own},
    }


def definition() -> common.Schema:
    """Return the document's own schema, with what a change may have."""
    whole = spec.document(registry.load('policies'))
    del whole['$schema']
    own: common.Schema = BESIDE_CHANGE['properties']
    return {
        **whole,
        'title': 'What is wanted from now on',
        'properties': {**whole['properties'], **own},
    }


CREATE_BODY = common.mapping(
    {
        'vcluster': {
            'anyOf': [common.named('Document'), common.named('PlanToBuild')]
        }
    }
)
VALIDATE_BODY = common.mapping({'vcluster': common.named('Document')})
UPDATE_BODY = common.mapping(
    {
        'vcluster': {
            'anyOf': [common.named('Changes'), common.named('Definition')]
        }
    }
)

COMPLIANCE = common.mapping(
    {
        'status': {
            'enum': [str(status) for status in states.Compliance],
            'description': 'The worst of what was found: a rule that does '
            'not hold where members are now (DRIFTED), a member that is not '
            'what it should be (DEGRADED).',
        },
        'checked_at': common.TIME,
        'rules': common.listing(
            common.mapping(
                {
                    'group': common.TEXT,
                    'policy': common.TEXT,
                    'violation': common.NUMBER,
                    'members': common.TEXTS,
                    'where': {
                        **common.TEXTS,
                        'description': 'Pseudonyms of the domains.',
                    },
                }
            )
        ),
        'members': common.listing(
            common.mapping({'member': common.TEXT, 'reason': common.TEXT})
        ),
        'not_judged': {
            **common.TEXTS,
            'description': 'Groups that could not be looked at, as a name '
            'in the document means nothing any more.',
        },
    }
)
REPAIR_BODY = common.mapping(
    {
        'cold': {
            **common.FLAG,
            'description': 'Servers may be off while they move; by default '
            'they move live.',
            'x-must-be': 'true or false',
        },
        'rebuild': {
            **common.FLAG,
            'description': 'Instead of moving servers, make them again: what '
            'is on their own disks is lost.',
            'x-must-be': 'true or false',
        },
        'dry_run': {
            **common.FLAG,
            'description': 'Only say which moves there would be.',
            'x-must-be': 'true or false',
        },
    },
    [],
)
MOVES: common.Schema = {
    'moves': common.listing(
        common.mapping(
            {
                'member': common.TEXT,
                'from': common.by_name(common.TEXT),
                'to': common.by_name(common.TEXT),
            }
        )
    ),
    'is_least': {
        **common.FLAG,
        'description': 'It is proven that no fewer would do.',
    },
}
REPAIR_ANSWER = common.mapping({'repair': common.mapping(MOVES)})
_STATUS = {'enum': [str(status) for status in states.ClusterStatus]}
_COMMON_VIEW = {
    'id': common.UUID,
    'name': common.nullable(common.TEXT),
    'project_id': common.TEXT,
    'user_id': common.TEXT,
    'status': _STATUS,
    'status_reason': common.nullable(common.TEXT),
    'error_code': common.nullable(common.TEXT),
    'created_at': common.TIME,
    'updated_at': common.TIME,
    'compliance': {
        **common.nullable(common.named('Compliance')),
        'description': 'What the last check found; null if there was none.',
    },
    'metadata': common.by_name(common.TEXT),
    'tags': common.TEXTS,
    'links': common.LINKS,
}
LEFTOVER = common.mapping(
    {
        'member': common.nullable(common.TEXT),
        'kind': common.TEXT,
        'id': common.TEXT,
        'reason': common.TEXT,
    }
)
CLUSTER = common.mapping(
    {
        **_COMMON_VIEW,
        'members': common.by_name(common.named('Member')),
        'placement': common.nullable(common.named('Placement')),
        'survival': common.listing(common.named('Survival')),
        'server_groups': {
            **common.listing(
                common.mapping(
                    {
                        'group': common.TEXT,
                        'held': common.FLAG,
                        'why': common.nullable(common.TEXT),
                    }
                )
            ),
            'description': 'Rules over hosts that a server group of nova '
            'could hold, and why it does not.',
        },
        'leftovers': {
            **common.listing(LEFTOVER),
            'description': 'What could not be removed, and why.',
        },
        'instances': common.listing({'type': 'object'}),
        'groups': common.listing({'type': 'object'}),
        'survive': common.listing({'type': 'object'}),
        'update_policy': common.nullable({'type': 'object'}),
        'sources': {
            **common.nullable(common.by_name({'type': 'object'})),
            'description': 'Members that are made of something of their '
            'own: an image or a snapshot.',
        },
    }
)
SUMMARY = common.mapping(
    {
        **_COMMON_VIEW,
        'member_count': common.NUMBER,
        'members_active': common.NUMBER,
    }
)
CLUSTER_ANSWER = common.mapping({'vcluster': common.named('VCluster')})
CLUSTERS_ANSWER = common.mapping(
    {
        'vclusters': common.listing(common.named('Summary')),
        'vclusters_links': {
            **common.LINKS,
            'description': 'The next page, if there is one.',
        },
    },
    ['vclusters'],
)

#: As ``db.listing`` has them.
SORT_KEYS = ('created_at', 'updated_at', 'name', 'status', 'id')
_DIRECTIONS = '|'.join(arguments.DIRECTIONS)
_SORT_KEY = rf'({"|".join(SORT_KEYS)})(:({_DIRECTIONS}))?'

LIST_QUERY: dict[str, common.Schema] = {
    'name': common.WORD,
    'status': _STATUS,
    'tag': {
        **common.listing(TAG, maxItems=_MOST_TAGS),
        'description': 'May be repeated: clusters that have all of them.',
    },
    'sort': {
        'type': 'string',
        'pattern': rf'^{_SORT_KEY}(,{_SORT_KEY}){{0,4}}$(?!\n)',
        'description': 'KEY:DIRECTION,... By default `created_at:asc`.',
        'x-must-be': f'KEY:DIRECTION,... of the keys '
        f'{", ".join(SORT_KEYS)} and the directions '
        f'{", ".join(arguments.DIRECTIONS)}',
    },
    'limit': {
        **common.POSITION,
        'description': 'The most entries in the answer. The service has a '
        'limit of its own, and goes by the lower one.',
    },
    'marker': {
        **common.UUID,
        'description': 'The id of the last cluster of the page before.',
    },
    'all_projects': {
        **common.FLAG,
        'description': 'Those of all projects: for administrators.',
        'x-must-be': 'true or false',
    },
}
