# SPDX-License-Identifier: Apache-2.0
"""Reads what stands behind the ``?``: typed, and nothing unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import falcon

from heat_vcluster import exception
from heat_vcluster.api.schemas import common
from heat_vcluster.spec import faults, shape

_WHOLE = re.compile(r'-?[0-9]{1,30}', re.ASCII)
_FLAGS = {'true': True, 'false': False}


def read(
    request: falcon.Request, known: Mapping[str, common.Schema]
) -> dict[str, Any]:
    """Return name -> value; raises InvalidRequest with all faults."""
    found = faults.Faults()
    values = {
        name: _value(written, known.get(name, {}))
        for name, written in _written(request).items()
    }
    shape.check(values, common.mapping(known, []), found)
    if found:
        raise exception.InvalidRequest(found.error().faults)
    return values


def _written(request: falcon.Request) -> dict[str, str | list[str]]:
    written: dict[str, str | list[str]] = falcon.uri.parse_query_string(
        request.query_string, keep_blank=True, csv=False
    )
    return written


def _value(written: str | list[str], schema: common.Schema) -> Any:
    """Give what cannot be of its kind back as text: the schema says so."""
    texts = written if isinstance(written, list) else [written]
    if schema.get('type') == 'array':
        return texts
    if len(texts) > 1:
        return texts
    (text,) = texts
    if schema.get('type') == 'integer' and _WHOLE.fullmatch(text):
        return int(text)
    if schema.get('type') == 'boolean':
        return _FLAGS.get(text.lower(), text)
    return text
