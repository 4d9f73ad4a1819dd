# SPDX-License-Identifier: Apache-2.0
"""Holds a document against its schema, and says in words what is wrong."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any, cast

import jsonschema
import jsonschema.validators

from heat_vcluster.spec import faults, paths
from heat_vcluster.spec import schema as schemas

# A value with such a fault is still of its kind: later checks can use it.
# What is too long is not: copies of it would cost too much.
_USABLE = frozenset(('pattern', 'minLength', 'minItems', 'not'))
_KINDS = {
    'object': 'a mapping',
    'array': 'a list',
    'string': 'text',
    'integer': 'a whole number',
    'number': 'a number',
    'boolean': 'true or false',
    'null': 'null',
}


def _unique_items(
    _validator: object, unique: bool, items: Any, _schema: object
) -> Iterator[jsonschema.ValidationError]:
    """Compare by text: the library's way takes the square of the length."""
    if unique and isinstance(items, list):
        texts = {json.dumps(item, sort_keys=True) for item in items}
        if len(texts) < len(items):
            yield jsonschema.ValidationError('has an item twice')


_Validator = cast(Any, jsonschema.validators).extend(
    jsonschema.Draft202012Validator, {'uniqueItems': _unique_items}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sound:
    """The part of a document that later checks can work with.

    What is of a wrong kind was taken out: a key is gone, a list has None in
    its place. ``broken`` has the places of what was taken out or is missing,
    and all places above them.
    """

    document: dict[str, Any]
    broken: frozenset[paths.Path]

    def is_broken(self, path: paths.Path) -> bool:
        """Tell whether anything at or below a place was taken out."""
        return path in self.broken


def check(
    document: Any, schema: schemas.Schema, found: faults.Faults
) -> Sound:
    """Return what of the document has its right shape; add all faults."""
    broken: set[paths.Path] = set()
    validator = _Validator(schema)
    for error in validator.iter_errors(document):
        for path, message, usable in _faults(error):
            found.add(path, message)
            if not usable:
                broken.add(path)
    sound = copy.deepcopy(document)
    for path in broken:
        if not path:
            sound = {}
            break
        _take_out(sound, path)
    above = {path[:length] for path in broken for length in range(len(path))}
    return Sound(sound, frozenset(broken | above))


def _take_out(document: Any, path: paths.Path) -> None:
    inner = document
    for step in path[:-1]:
        try:
            inner = inner[step]
        except (KeyError, IndexError, TypeError):
            return  # what holds it is out already
    last = path[-1]
    if isinstance(inner, dict):
        inner.pop(last, None)
    elif isinstance(inner, list) and isinstance(last, int):
        inner[last] = None


_Said = Iterator[tuple[paths.Path, str, bool]]


def _faults(error: jsonschema.ValidationError) -> _Said:
    """Give path, message and whether the value is usable nevertheless."""
    path = tuple(error.absolute_path)
    if 'propertyNames' in error.absolute_schema_path:
        key = str(error.instance)
        yield (*path, key), f'the key must be {_must_be(error)}', False
    elif error.validator == 'required':
        yield from _missing(error, path)
    elif error.validator == 'additionalProperties':
        yield from _unknown(error, path)
    elif error.validator == 'enum':
        yield path, _not_one_of(error), False
    elif error.validator == 'anyOf':
        yield path, _none_of(error), True
    elif error.validator == 'dependentRequired':
        yield from _alone(error, path)
    else:
        usable = error.validator in _USABLE
        said = faults.shown(error.instance)
        yield path, f'must be {_must_be(error)}; this is {said}', usable


def _missing(error: jsonschema.ValidationError, path: paths.Path) -> _Said:
    present = cast(Any, error.instance)
    for key in cast(list[str], error.validator_value):
        if key not in present:
            known = _schema(error).get('properties', {}).get(key, {})
            right = _right(known)
            what = f': {right}' if right else ''
            yield (*path, key), f'is missing{what}', False


def _unknown(error: jsonschema.ValidationError, path: paths.Path) -> _Said:
    known = list(_schema(error).get('properties', {}))
    for key in cast(dict[str, Any], error.instance):
        if key not in known:
            hint = faults.suggestion(key, known) or (
                f'; known here: {", ".join(known)}'
            )
            yield (*path, key), f'is not a known key{hint}', False


def _none_of(error: jsonschema.ValidationError) -> str:
    """Say which keys there are, where each way takes some of them."""
    ways = cast(list[dict[str, Any]], error.validator_value)
    known = [' and '.join(way['required']) for way in ways]
    return f'needs at least one of {", ".join(known)}'


def _alone(error: jsonschema.ValidationError, path: paths.Path) -> _Said:
    present = cast(dict[str, Any], error.instance)
    needs = cast(dict[str, list[str]], error.validator_value)
    for key, others in needs.items():
        missing = [other for other in others if other not in present]
        if key in present and missing:
            known = ' and '.join(f"'{other}'" for other in missing)
            yield (*path, key), f'has a meaning only with {known}', True


def _not_one_of(error: jsonschema.ValidationError) -> str:
    known = [str(value) for value in cast(list[Any], error.validator_value)]
    said = faults.shown(error.instance)
    hint = faults.suggestion(error.instance, known)
    return f'must be one of {", ".join(known)}; this is {said}{hint}'


def _schema(error: jsonschema.ValidationError) -> schemas.Schema:
    return cast(schemas.Schema, error.schema)


def _must_be(error: jsonschema.ValidationError) -> str:
    return _right(_schema(error)) or f'right by {error.validator}'


def _right(schema: schemas.Schema) -> str:
    """Return what would be right, in words; empty if the schema has none.

    A policy's own keys may come without our words for them.
    """
    if 'x-must-be' in schema:
        return str(schema['x-must-be'])
    if 'enum' in schema:
        return 'one of ' + ', '.join(map(str, schema['enum']))
    kinds = schema.get('type', ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    words = ' or '.join(_KINDS[kind] for kind in kinds)
    for key, limit in (('minimum', 'at least'), ('maximum', 'at most')):
        if key in schema:
            words += f', {limit} {schema[key]}'
    return words
