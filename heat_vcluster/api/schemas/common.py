# SPDX-License-Identifier: Apache-2.0
"""The small shapes that the others are made of.

``x-must-be`` are the words for what would be right: see ``spec.schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster import arguments
from heat_vcluster.spec import schema as spec

Schema = dict[str, Any]

_HEX = '[0-9a-f]'


def named(name: str) -> Schema:
    """Return a reference to one of the shapes that have a name."""
    return {'$ref': f'#/components/schemas/{name}'}


def mapping(
    properties: Mapping[str, Any],
    required: Iterable[str] | None = None,
    **more: Any,
) -> Schema:
    """Return a mapping of these keys and no others; by default all of them."""
    return {
        'type': 'object',
        'properties': dict(properties),
        'required': list(properties if required is None else required),
        'additionalProperties': False,
        **more,
    }


def listing(items: Schema, **more: Any) -> Schema:
    return {'type': 'array', 'items': items, **more}


def by_name(values: Schema) -> Schema:
    """Return a mapping of any names to such values."""
    return {'type': 'object', 'additionalProperties': values}


def nullable(schema: Schema) -> Schema:
    return {'anyOf': [schema, {'type': 'null'}]}


def whole(least: int, most: int, must_be: str) -> Schema:
    return {
        'type': 'integer',
        'minimum': least,
        'maximum': most,
        'x-must-be': must_be,
    }


TEXT: Schema = {'type': 'string'}
NUMBER: Schema = {'type': 'integer'}
FLAG: Schema = {'type': 'boolean'}
TEXTS = listing(TEXT)
TIME: Schema = {'type': 'string', 'format': 'date-time'}
UUID: Schema = {
    'type': 'string',
    'format': 'uuid',
    'pattern': rf'^{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}$(?!\n)',
    'x-must-be': 'a uuid: 32 lower-case hex digits with four hyphens',
}
LINK = mapping({'rel': TEXT, 'href': {'type': 'string', 'format': 'uri'}})
LINKS = listing(LINK)
SECONDS = whole(
    1,
    arguments.LONGEST,
    f'a whole number of seconds from 1 to {arguments.LONGEST}',
)
POSITION = whole(1, arguments.LARGEST_ID, 'a whole number, at least 1')


def text(most: int, least: int = 1) -> Schema:
    """Return text that every database can hold."""
    return {
        'type': 'string',
        'minLength': least,
        'maxLength': most,
        'pattern': spec.TEXT,
        'x-must-be': f'text of {least} to {most} characters, without NUL',
    }


WORD = text(arguments.NAME_LENGTH)
