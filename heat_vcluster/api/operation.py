# SPDX-License-Identifier: Apache-2.0
"""What an operation is: declared once, for the run and for OpenAPI."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib import parse

import falcon
import jsonschema

from heat_vcluster import context as ctx
from heat_vcluster import service as services
from heat_vcluster.api import access, bodies, queries
from heat_vcluster.api.schemas import common, components
from heat_vcluster.spec import reader


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """``schema`` None: without a body."""

    description: str
    schema: common.Schema | None = None
    has_location: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """``rule`` None: for anybody. ``refusals``: which there are beside
    those that any operation of its kind has.
    """

    id: str
    summary: str
    answers: Mapping[int, Answer]
    rule: str | None = None
    refusals: tuple[int, ...] = ()
    query: Mapping[str, common.Schema] = dataclasses.field(
        default_factory=dict
    )
    body: common.Schema | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    max_limit: int = 1000
    max_body_bytes: int = reader.MAX_BYTES
    validate_responses: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What all resources work with.

    ``describe`` makes the OpenAPI document for the address of the API.
    """

    service: services.Service
    access: access.Access
    settings: Settings
    describe: Callable[[str], dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request to one operation; ``query`` is read and checked."""

    request: falcon.Request
    parts: Parts
    query: dict[str, Any]
    allowed: ctx.Context | None

    @property
    def context(self) -> ctx.Context:
        if self.allowed is None:
            raise AssertionError('an operation for anybody acts for nobody')
        return self.allowed

    def body(self) -> reader.Pairs:
        return bodies.read(self.request, self.parts.settings.max_body_bytes)

    def link(
        self, *path: str, project_id: str | None = None, query: Any = None
    ) -> str:
        """Return an address below the clusters of the project asked for.

        Or below those of another one, in a list of all projects.
        """
        project_id = project_id or self.context.project_id
        steps = (project_id, 'vclusters', *path)
        where = '/'.join(parse.quote(step, safe='') for step in steps)
        what = f'?{parse.urlencode(query, doseq=True)}' if query else ''
        return f'{self.request.prefix}/v2/{where}{what}'


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers; ``status`` 0: the only one it has."""

    body: Any = None
    status: int = 0
    location: str | None = None


class Resource:
    """An address, with an ``on_METHOD`` for each operation."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts


Run = Callable[..., Reply]


def operation(declared: Operation) -> Callable[[Run], Callable[..., None]]:
    """Make of ``run(self, call, ids...)`` what falcon calls."""

    def decorate(run: Run) -> Callable[..., None]:
        @functools.wraps(run)
        def respond(
            self: Resource,
            request: falcon.Request,
            response: falcon.Response,
            project_id: str | None = None,
            **ids: Any,
        ) -> None:
            call = _call(self.parts, declared, request, project_id)
            told = {name: str(value) for name, value in ids.items()}
            reply = run(self, call, **told)
            status = reply.status or next(iter(declared.answers))
            if self.parts.settings.validate_responses:
                _check(declared, status, reply.body)
            _write(response, status, reply)

        respond.operation = declared  # type: ignore[attr-defined]
        return respond

    return decorate


def _call(
    parts: Parts,
    declared: Operation,
    request: falcon.Request,
    project_id: str | None,
) -> Call:
    allowed = None
    if declared.rule is not None:
        allowed = parts.access.admit(request, declared.rule, project_id or '')
    return Call(request, parts, queries.read(request, declared.query), allowed)


def _check(declared: Operation, status: int, body: Any) -> None:
    """Raises ValidationError for an answer that was not announced."""
    schema = declared.answers[status].schema
    if schema is None:
        schema = {'const': None}
    _validator(json.dumps(schema, sort_keys=True)).validate(
        json.loads(json.dumps(body))
    )


@functools.cache
def _validator(schema: str) -> Any:
    return jsonschema.Draft202012Validator(
        {**json.loads(schema), 'components': {'schemas': components.schemas()}}
    )


def _write(response: falcon.Response, status: int, reply: Reply) -> None:
    response.status = status
    if reply.location:
        response.location = reply.location
    if reply.body is not None:
        response.content_type = falcon.MEDIA_JSON
        response.text = json.dumps(reply.body)
