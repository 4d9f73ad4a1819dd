# SPDX-License-Identifier: Apache-2.0
"""Writes the OpenAPI 3.1 document of what the routes declare."""

from __future__ import annotations

import re
from typing import Any

from heat_vcluster.api import errors, routes
from heat_vcluster.api.operation import Answer, Operation
from heat_vcluster.api.schemas import common, components

_JSON = 'application/json'
_YAML = 'application/yaml'

_REFUSALS = {
    400: 'It cannot be meant',
    401: 'It is not known who asks',
    403: 'It is not allowed, or more than is allowed',
    404: 'There is no such thing, for whoever asks',
    409: 'It is not possible now, or not with what is there',
    410: 'The plan is no longer held',
    413: 'The body is too large',
    415: 'The body is of another kind',
    500: 'A defect of the service',
    502: 'A service of the cloud has refused or failed',
    503: 'Not now',
}
_EVERYWHERE = (400, 500, 503)
_WITH_TOKEN = (401, 403, 404)
_WITH_BODY = (413, 415)

_HEADERS = {
    'X-Openstack-Request-Id': {
        'description': 'By which the log of the service has the request.',
        'required': True,
        'schema': common.TEXT,
    }
}
_LOCATION = {
    'Location': {
        'description': 'Where it is found.',
        'required': True,
        'schema': {'type': 'string', 'format': 'uri'},
    }
}
_RETRY = {
    'Retry-After': {
        'description': 'Seconds after which to ask again.',
        'schema': {'type': 'string', 'const': str(errors.RETRY_SECONDS)},
    }
}


def document(address: str) -> dict[str, Any]:
    """Return the document for the API at an address without ``/v2``."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, declared in routes.operations():
        paths.setdefault(path, {})[method] = _operation(path, declared)
    return {
        'openapi': '3.1.0',
        'info': {
            'title': 'Virtual clusters',
            'version': 'v2.0',
            'description': 'Groups of servers, volumes and networks under '
            'placement rules: placed jointly, their room held first, built '
            'whole or not at all. Addresses may end in a slash.',
            'license': {'name': 'Apache-2.0'},
        },
        'servers': [{'url': address or '/'}],
        'paths': paths,
        'components': {
            'schemas': components.schemas(),
            'securitySchemes': {
                'token': {
                    'type': 'apiKey',
                    'in': 'header',
                    'name': 'X-Auth-Token',
                    'description': 'A token of keystone for the project.',
                }
            },
        },
    }


def _operation(path: str, declared: Operation) -> dict[str, Any]:
    parameters = [*_path_parameters(path), *_query(declared)]
    written: dict[str, Any] = {
        'operationId': declared.id,
        'summary': declared.summary,
        'responses': _responses(declared),
        'security': [{'token': []}] if declared.rule else [],
    }
    if parameters:
        written['parameters'] = parameters
    if declared.body is not None:
        content = {'schema': declared.body}
        written['requestBody'] = {
            'required': True,
            'content': {_JSON: content, _YAML: content},
        }
    return written


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            'name': name,
            'in': 'path',
            'required': True,
            'schema': common.UUID if _is_ours(name) else common.WORD,
        }
        for name in re.findall(r'{(\w+)}', path)
    ]


def _is_ours(name: str) -> bool:
    return name in ('cluster_id', 'plan_id', 'snapshot_id')


def _query(declared: Operation) -> list[dict[str, Any]]:
    return [
        {
            'name': name,
            'in': 'query',
            'required': False,
            'schema': schema,
            'description': schema.get(
                'description', schema.get('x-must-be', '')
            ),
        }
        for name, schema in declared.query.items()
    ]


def _responses(declared: Operation) -> dict[str, Any]:
    answers = {
        str(status): _answer(answer)
        for status, answer in declared.answers.items()
    }
    refusals = {
        str(status): _refusal(status)
        for status in sorted(_refused(declared))
        if status not in declared.answers
    }
    return {**answers, **refusals}


def _refused(declared: Operation) -> set[int]:
    return {
        *_EVERYWHERE,
        *declared.refusals,
        *(_WITH_TOKEN if declared.rule else ()),
        *(_WITH_BODY if declared.body is not None else ()),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    headers = {**_HEADERS, **(_LOCATION if answer.has_location else {})}
    written: dict[str, Any] = {
        'description': answer.description,
        'headers': headers,
    }
    if answer.schema is not None:
        written['content'] = {_JSON: {'schema': answer.schema}}
    return written


def _refusal(status: int) -> dict[str, Any]:
    return {
        'description': _REFUSALS[status],
        'headers': {**_HEADERS, **(_RETRY if status == 503 else {})},
        'content': {_JSON: {'schema': common.named('Error')}},
    }
