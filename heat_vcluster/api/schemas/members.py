# SPDX-License-Identifier: Apache-2.0
"""The shapes of a cluster's members and of what happened to them."""

from __future__ import annotations

from heat_vcluster import arguments, states
from heat_vcluster.api.schemas import common

_VIEW = {
    'id': {
        **common.nullable(common.TEXT),
        'description': 'Of the server, volume or network; null until there '
        'is one.',
    },
    'name': common.TEXT,
    'type': {'enum': ['server', 'volume', 'network']},
    'status': {'enum': [str(status) for status in states.MemberStatus]},
    'reason': common.nullable(common.TEXT),
    'addresses': {
        **common.TEXTS,
        'description': 'Fixed ones in the order of the interfaces, then '
        'floating ones.',
    },
    'floating_addresses': common.TEXTS,
    'domains': {
        **common.by_name(common.TEXT),
        'description': 'Level to pseudonym. Equal means same, within one '
        'cluster.',
    },
}
#: As in a cluster, where its name in the document is its key.
MEMBER = common.mapping(_VIEW)
#: As it stands alone.
LISTED_MEMBER = common.mapping({'member': common.TEXT, **_VIEW})
EVENT = common.mapping(
    {
        'id': common.NUMBER,
        'at': common.TIME,
        'member': common.nullable(common.TEXT),
        'kind': common.TEXT,
        'message': common.TEXT,
    }
)

MEMBERS_ANSWER = common.mapping(
    {'members': common.listing(common.named('ListedMember'))}
)
MEMBER_ANSWER = common.mapping({'member': common.named('ListedMember')})
EVENTS_ANSWER = common.mapping(
    {'events': common.listing(common.named('Event'))}
)

EVENTS_QUERY = {
    'after': common.whole(
        0, arguments.LARGEST_ID, 'the id of an event, or 0 for all'
    ),
    'limit': common.POSITION,
}
