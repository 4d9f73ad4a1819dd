# SPDX-License-Identifier: Apache-2.0
"""Two definitions between which each kind of fate is met, both ways."""

from tests.functional import documents

_NET = documents.SMALL['instances'][0]


def _volume(name, size=1):
    return {'name': name, 'type': 'volume', 'spec': {'size': size}}


_GROUPS = [
    documents.group('affinity', 'db', 'data', scope='rack'),
    documents.group('anti-affinity', 'db', 'web', scope='rack'),
]

BEFORE = {
    'name': 'small',
    'update_policy': {'batch_size': 1, 'replace_on': ['flavor']},
    'instances': [
        _NET,
        _volume('data'),
        documents.server('db', networks=['net'], volumes=['data']),
        documents.server('web', networks=['net'], metadata={'is': 'old'}),
        documents.server('extra'),
    ],
    'groups': _GROUPS,
}
#: The server db is replaced and takes its volume along; web is changed in
#: place, and gets a volume that comes; the server extra goes.
AFTER = {
    'name': 'small',
    'update_policy': {'batch_size': 1, 'replace_on': ['flavor']},
    'instances': [
        _NET,
        _volume('data'),
        _volume('more'),
        documents.server(
            'db', flavor='medium', networks=['net'], volumes=['data']
        ),
        documents.server(
            'web',
            networks=['net'],
            metadata={'is': 'new', 'role': 'front'},
            security_groups=['open'],
            volumes=['more'],
        ),
    ],
    'groups': _GROUPS,
}
