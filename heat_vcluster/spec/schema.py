# SPDX-License-Identifier: Apache-2.0
"""The shape of the canonical document, as JSON Schema 2020-12.

``x-must-be`` is our own keyword: the words for what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

DIALECT = 'https://json-schema.org/draft/2020-12/schema'
TEXT = r'^[^\u0000]*$'  # which every database can hold
NAME = r'^[A-Za-z][A-Za-z0-9_.-]{0,62}$(?!\n)'
TYPES = ('server', 'volume', 'network')
SHARE = r'^([1-9][0-9]?|100)%$(?!\n)'
MAX_WEIGHT = 1000
MAX_INDEX = 10**6
MAX_NUMBER = 10**6  # of anything that has no limit of its own
_MOST = 1000  # groups, and entries of one
_MOST_LOSSES = 100

# In bytes. Nova's own limit is 65535, of the base64 form.
MAX_USER_DATA = 65535 // 4 * 3

# Of the 50 tags that nova lets a server have, some are the product's own.
_MAX_TAGS = 40

# Of the 128 that a server has by default, too.
_MAX_METADATA = 100

_NAME_RULE = (
    'a name: a letter, then at most 62 letters, digits, hyphens, dots '
    'and underscores'
)


def _text(must_be: str, most: int = 255) -> Schema:
    return {
        'type': 'string',
        'minLength': 1,
        'maxLength': most,
        'pattern': TEXT,
        'x-must-be': must_be,
    }


def _texts(must_be: str, item: str) -> Schema:
    return {
        'type': 'array',
        'items': _text(item),
        'uniqueItems': True,
        'x-must-be': must_be,
    }


def _mapping(
    properties: Schema, required: Iterable[str] = (), must_be: str = ''
) -> Schema:
    return {
        'type': 'object',
        'properties': properties,
        'required': list(required),
        'additionalProperties': False,
        'x-must-be': must_be or f'a mapping of {", ".join(properties)}',
    }


def _listing(items: Schema, must_be: str) -> Schema:
    return {'type': 'array', 'items': items, 'x-must-be': must_be}


def _whole(what: str, least: int = 1) -> Schema:
    return {
        'type': 'integer',
        'minimum': least,
        'maximum': MAX_NUMBER,
        'x-must-be': f'a whole number{what} from {least} to {MAX_NUMBER}',
    }


_FLAG: Schema = {'type': 'boolean', 'x-must-be': 'true or false'}
_WEIGHT: Schema = {
    'type': 'integer',
    'minimum': 0,
    'maximum': MAX_WEIGHT,
    'x-must-be': f'a whole number from 0 to {MAX_WEIGHT}',
}
_ADDRESS = _text('an IP address')
_MEMBER_NAME: Schema = {
    'type': 'string',
    'pattern': NAME,
    'x-must-be': _NAME_RULE,
}
_METADATA: Schema = {
    'type': 'object',
    'maxProperties': _MAX_METADATA,
    'propertyNames': {
        'pattern': r'^[a-zA-Z0-9_:. -]{1,255}$(?!\n)',
        'x-must-be': (
            '1 to 255 letters, digits, spaces, hyphens, underscores, colons '
            'and dots'
        ),
    },
    'additionalProperties': {
        'type': 'string',
        'maxLength': 255,
        'x-must-be': 'text of at most 255 characters',
    },
    'x-must-be': f'a mapping of at most {_MAX_METADATA} names to texts',
}
_SECURITY_GROUPS = _texts(
    'a list of security groups, each once', 'the name or id of a group'
)
_ZONE = _text('the name of an availability zone')

_INTERFACE = _mapping(
    {
        'network': _text('the name of a member, or a name or id'),
        'fixed_ip': _ADDRESS,
        'security_groups': _SECURITY_GROUPS,
        'floating_ip': _text('the name or id of an external network'),
    },
    ['network'],
    'the name of a network, or a mapping of network, fixed_ip, '
    'security_groups, floating_ip',
)
_ATTACHMENT = _mapping(
    {
        'volume': _text('the name of a member, or a name or id'),
        'device': {
            'type': 'string',
            'pattern': r'^/dev/[a-z]{1,4}[0-9]*$(?!\n)',
            'x-must-be': 'a device such as /dev/vdb',
        },
    },
    ['volume'],
    'the name of a volume, or a mapping of volume, device',
)
_SERVER = _mapping(
    {
        'flavor': _text('the name or id of a flavor'),
        'image': _text('the name or id of an image'),
        'boot_volume': _text('the name of a member, or a name or id'),
        'key_name': _text('the name of a key pair'),
        'networks': _listing(_INTERFACE, 'a list of networks'),
        'volumes': _listing(_ATTACHMENT, 'a list of volumes'),
        'user_data': {
            'type': 'string',
            'maxLength': MAX_USER_DATA,
            'x-must-be': f'text of at most {MAX_USER_DATA} bytes',
        },
        'metadata': _METADATA,
        'security_groups': _SECURITY_GROUPS,
        'config_drive': _FLAG,
        'availability_zone': _ZONE,
        'tags': {
            'type': 'array',
            'maxItems': _MAX_TAGS,
            'uniqueItems': True,
            'items': {
                'type': 'string',
                'pattern': r'^[^,/]{1,60}$(?!\n)',
                'x-must-be': 'at most 60 characters without comma or slash',
            },
            'x-must-be': f'a list of at most {_MAX_TAGS} tags, each once',
        },
    },
    ['flavor'],
)
_VOLUME = _mapping(
    {
        'size': {
            'type': 'integer',
            'minimum': 1,
            'maximum': 2**31 - 1,
            'x-must-be': 'a whole number of GiB, at least 1',
        },
        'volume_type': _text('the name or id of a volume type'),
        'image': _text('the name or id of an image'),
        'snapshot_id': _text('the id of a snapshot'),
        'availability_zone': _ZONE,
        'metadata': _METADATA,
        'multiattach': _FLAG,
    },
    ['size'],
)
_POOL = _mapping({'start': _ADDRESS, 'end': _ADDRESS}, ['start', 'end'])
_SUBNET = _mapping(
    {
        'cidr': _text('an address range such as 10.0.0.0/24'),
        'name': _text('the name of a subnet'),
        'gateway': {
            'type': ['string', 'null'],
            'x-must-be': 'an IP address, or null for no gateway',
        },
        'dns': _texts(
            'a list of name servers, each once', 'the address of a server'
        ),
        'allocation_pools': _listing(_POOL, 'a list of start and end'),
        'dhcp': _FLAG,
    },
    ['cidr'],
)
_NETWORK = _mapping(
    {
        'subnets': _listing(_SUBNET, 'a list of subnets'),
        'router': _mapping(
            {'external_network': _text('the name or id of a network')},
            ['external_network'],
        ),
        'mtu': {
            'type': 'integer',
            'minimum': 68,
            'maximum': 65535,
            'x-must-be': 'a whole number of bytes from 68 to 65535',
        },
        'port_security': _FLAG,
    }
)
_SPECS: dict[str, Schema] = {
    'server': _SERVER,
    'volume': _VOLUME,
    'network': _NETWORK,
}
#: What is always changed in place.
_LIGHT = ('metadata', 'tags', 'security_groups', 'volumes')
#: For what a member may have to be replaced; ``any``: for all of these.
REPLACE_ON = (
    'any',
    'type',
    *dict.fromkeys(
        name
        for kind in _SPECS.values()
        for name in kind['properties']
        if name not in _LIGHT
    ),
)
_UPDATE_POLICY = _mapping(
    {
        'replace_on': {
            'type': 'array',
            'items': {'enum': list(REPLACE_ON)},
            'uniqueItems': True,
            'x-must-be': "a list of properties, each once, or 'any'",
        },
        'batch_size': _whole(' of servers'),
        'min_in_service': _whole(' of servers', 0),
        'pause_seconds': {
            'type': 'integer',
            'minimum': 0,
            'maximum': 24 * 3600,
            'x-must-be': 'a whole number of seconds, a day at most',
        },
        'allow_drifted': {'type': 'boolean', 'x-must-be': 'true or false'},
    }
)
_UPDATE_POLICY['dependentRequired'] = {
    'min_in_service': ['batch_size'],
    'pause_seconds': ['batch_size'],
}
_SOURCE = _mapping(
    {
        'image': _text('the name or id of an image'),
        'snapshot_id': _text('the id of a snapshot'),
        'again': _whole(''),
    }
)


def document(
    policies: Mapping[str, Any], scopes: Iterable[str] | None = None
) -> Schema:
    """Return the schema of the whole document.

    ``policies`` maps a policy's name to its kind: ``schema``, and if need
    be the other attributes, as of ``placement.policies.base.Policy``.
    ``scopes`` are the levels that exist, None if that is not known.
    """
    whole = _mapping(
        {
            'name': _text('the name of the cluster'),
            'instances': {
                **_listing(_instance(), 'a list of instances'),
                'minItems': 1,
                'x-must-be': 'a list of at least one instance',
            },
            'update_policy': _UPDATE_POLICY,
            'groups': {
                **_listing(_group(policies, scopes), ''),
                'maxItems': _MOST,
                'x-must-be': f'a list of at most {_MOST} groups',
            },
            'survive': {
                **_listing(_loss(scopes), ''),
                'maxItems': _MOST_LOSSES,
                'x-must-be': f'a list of at most {_MOST_LOSSES} losses, each '
                'with what is to be left',
            },
            'sources': {
                'type': 'object',
                'additionalProperties': _SOURCE,
                'x-must-be': 'a mapping of members to the image or snapshot '
                'that each is made of',
            },
        },
        ['instances'],
    )
    return {'$schema': DIALECT, 'title': 'A virtual cluster', **whole}


def _instance() -> Schema:
    schema = _mapping(
        {
            'name': _MEMBER_NAME,
            'type': {'enum': list(TYPES)},
            'count': _whole(' of copies'),
            'indexes': {
                'type': 'array',
                'items': {
                    'type': 'integer',
                    'minimum': 0,
                    'maximum': MAX_INDEX,
                    'x-must-be': f'a whole number from 0 to {MAX_INDEX}',
                },
                'minItems': 1,
                'maxItems': _MOST,
                'uniqueItems': True,
                'x-must-be': 'a list of the numbers of the copies, each once',
            },
            'spec': {'type': 'object', 'x-must-be': 'a mapping'},
            'depends_on': _texts(
                'a list of names, each once', 'the name of an instance'
            ),
        },
        ['name', 'type', 'spec'],
    )
    schema['allOf'] = [
        _when('type', kind, {'properties': {'spec': spec}})
        for kind, spec in _SPECS.items()
    ]
    return schema


def _when(key: str, value: str, then: Schema) -> Schema:
    condition = {
        'type': 'object',
        'properties': {key: {'const': value}},
        'required': [key],
    }
    return {'if': condition, 'then': then}


def _group(
    policies: Mapping[str, Any], scopes: Iterable[str] | None
) -> Schema:
    spec: Schema = {
        'type': 'object',
        # Of any policy, also of one that there is not.
        'properties': {
            'policy': {'enum': sorted(policies)},
            **_common(scopes),
        },
        'required': ['policy'],
        'allOf': [
            _when('policy', name, _rule(policies[name], scopes))
            for name in sorted(policies)
        ],
        'x-must-be': 'a mapping of policy, scope, strict, weight, ...',
    }
    return _mapping(
        {
            'name': _MEMBER_NAME,
            'spec': spec,
            'members': {
                'type': 'array',
                'items': _text('the name of an instance or a group'),
                'minItems': 1,
                'maxItems': _MOST,
                'x-must-be': f'a list of 1 to {_MOST} names',
            },
        },
        ['name', 'spec', 'members'],
    )


def _loss(scopes: Iterable[str] | None) -> Schema:
    """Return the schema of an entry of ``survive``."""
    return _mapping(
        {
            'lose': _mapping(
                {
                    'count': _whole(' of domains'),
                    'scope': _scope(scopes),
                },
                ['count', 'scope'],
                "a number and a level such as '1 rack', or a mapping of "
                'count and scope',
            ),
            'keep': {
                'type': 'object',
                'minProperties': 1,
                'maxProperties': _MOST,
                'additionalProperties': {
                    'type': ['integer', 'string'],
                    'minimum': 1,
                    'maximum': MAX_NUMBER,
                    'pattern': SHARE,
                    'x-must-be': 'a whole number of members, from 1 to '
                    f'{MAX_NUMBER}, or a share of them such as 60%',
                },
                'x-must-be': 'a mapping of instances and groups to how many '
                'of their members are left',
            },
            'strict': _FLAG,
            'weight': _WEIGHT,
        },
        ['lose', 'keep'],
    )


def _common(scopes: Iterable[str] | None) -> Schema:
    """Return the keys that every policy has."""
    return {
        'scope': _scope(scopes),
        'strict': _FLAG,
        'weight': _WEIGHT,
    }


def _scope(scopes: Iterable[str] | None) -> Schema:
    if scopes is None:
        return _text('the name of a level, such as host or rack')
    return {'enum': list(scopes)}


def _rule(policy: Any, scopes: Iterable[str] | None) -> Schema:
    """Return the schema of a group's spec under one policy.

    A kind without scope does not know the key; one that is a wish always
    cannot be strict.
    """
    asked: Mapping[str, Any] = policy.schema
    common = dict.fromkeys(_common(None), True)
    if not getattr(policy, 'has_scope', True):
        del common['scope']
    own = dict(asked.get('properties', {}))
    for key in getattr(policy, 'scope_keys', ()):
        own[key] = {**own[key], **_scope(scopes)}
    whole = _mapping(
        {'policy': True, **common, **own},
        ['policy', *asked.get('required', ())],
    )
    if getattr(policy, 'never_strict', False):
        whole['properties']['strict'] = {
            'not': {'const': True},
            'x-must-be': 'false or left out: this policy is always a wish',
        }
    for key in ('anyOf', 'dependentRequired'):
        if key in asked:
            whole[key] = asked[key]
    return whole
