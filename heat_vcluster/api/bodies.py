# SPDX-License-Identifier: Apache-2.0
"""Reads the bodies of requests, JSON or YAML, losing no repeated key."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import falcon

from heat_vcluster import exception
from heat_vcluster.api.schemas import common
from heat_vcluster.spec import faults, reader, shape

ENVELOPE = 'vcluster'
MEDIA_TYPES = (falcon.MEDIA_JSON, 'application/yaml')


def read(request: falcon.Request, most_bytes: int) -> reader.Pairs:
    """Return the body's own keys and values, as they were written.

    Raises InvalidRequest, or falcon's errors for a body that is too large
    or of another kind.
    """
    media_type = (request.content_type or '').partition(';')[0].strip()
    if media_type.lower() not in MEDIA_TYPES:
        raise falcon.HTTPUnsupportedMediaType(
            description=f'Send one of {", ".join(MEDIA_TYPES)}'
        )
    text = _text(request, most_bytes)
    try:
        values = (
            _json(text)
            if media_type.lower() == falcon.MEDIA_JSON
            else reader.parse(text)
        )
    except reader.Unreadable as error:
        raise refusal('', str(error)) from error
    if not isinstance(values, reader.Pairs):
        raise refusal('', f'must be a mapping with the key {ENVELOPE}')
    return values


def _text(request: falcon.Request, most_bytes: int) -> str:
    content = _stream(request).read(most_bytes + 1)
    if len(content) > most_bytes:
        raise falcon.HTTPContentTooLarge(
            description=f'A body has at most {most_bytes} bytes',
            # The rest is not read, so no other request can follow it.
            headers={'Connection': 'close'},
        )
    try:
        return str(content, 'utf-8-sig')
    except UnicodeDecodeError as error:
        raise refusal('', 'must be UTF-8 text') from error


def _stream(request: falcon.Request) -> Any:
    """Return the body, which ends where it ends also if sent in chunks."""
    if request.env.get('wsgi.input_terminated'):
        return request.stream
    return request.bounded_stream


def _json(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=reader.Pairs, parse_constant=_refuse
        )
    except RecursionError as error:
        raise reader.Unreadable('is nested too deep') from error
    except ValueError as error:
        raise reader.Unreadable(f'is not JSON: {error}') from error


def _refuse(constant: str) -> None:
    raise ValueError(f'{constant} is no number of JSON')


def refusal(path: str, message: str) -> exception.InvalidRequest:
    return exception.InvalidRequest([exception.Fault(path, message)])


def unwrap(
    body: reader.Pairs, beside: Collection[str] = ()
) -> tuple[reader.Pairs, reader.Pairs]:
    """Return what is in the envelope, and what stands beside it.

    ``beside`` are the keys that may. Raises InvalidRequest.
    """
    keys = [key for key, _ in body]
    for key in keys:
        if keys.count(key) > 1:
            raise refusal(str(key), 'this key is repeated')
        if key not in (ENVELOPE, *beside):
            known = ', '.join((ENVELOPE, *beside))
            raise refusal(str(key), f'is not a known key; known here: {known}')
    inside, outside = part(body, (ENVELOPE,))
    if not inside or not isinstance(inside[0][1], reader.Pairs):
        raise refusal(ENVELOPE, 'must be there, and be a mapping')
    return inside[0][1], outside


def part(
    pairs: reader.Pairs, keys: Collection[str]
) -> tuple[reader.Pairs, reader.Pairs]:
    """Return what has one of these keys, and what has not."""
    own = reader.Pairs(pair for pair in pairs if pair[0] in keys)
    rest = reader.Pairs(pair for pair in pairs if pair[0] not in keys)
    return own, rest


def checked(
    pairs: reader.Pairs, schema: common.Schema
) -> tuple[dict[str, Any], tuple[exception.Fault, ...]]:
    """Return plain values and all that is wrong with them."""
    found = faults.Faults()
    try:
        values = reader.plain(pairs, found)
    except reader.Unreadable as error:
        return {}, (exception.Fault('', str(error)),)
    shape.check(values, schema, found)
    return values, found.error().faults if found else ()


def insisted(pairs: reader.Pairs, schema: common.Schema) -> dict[str, Any]:
    """As ``checked``, but raises InvalidRequest if anything is wrong."""
    values, wrong = checked(pairs, schema)
    if wrong:
        raise exception.InvalidRequest(wrong)
    return values
