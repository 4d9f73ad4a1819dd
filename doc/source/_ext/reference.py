# SPDX-License-Identifier: Apache-2.0
"""Writes the reference of the REST API from what the API itself declares.

``vcluster-api`` has every operation, ``vcluster-shapes`` what goes in and
out, ``vcluster-errors`` the codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from heat_vcluster.api import errors, openapi, policies

DOCUMENT = openapi.document('')
SCHEMAS = DOCUMENT['components']['schemas']
RULES = {rule.name: rule for rule in [*policies.BASE, *policies.RULES]}
BY_FRAMEWORK = {
    404: 'There is nothing at the address',
    405: 'The address does not take the method',
    413: 'The body is too large',
    415: 'The body is neither JSON nor YAML',
}
TOLD_ELSEWHERE = ('Definition', 'Document', 'Error')


class Written(Directive):
    """Shows what ``lines`` gives, as if it stood in the page."""

    def lines(self) -> Iterator[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        content = StringList(list(self.lines()), self.name)
        shown = nodes.section()
        shown.document = self.state.document
        self.state.nested_parse(content, 0, shown, match_titles=True)
        return shown.children


class Operations(Written):
    def lines(self) -> Iterator[str]:
        for path, methods in DOCUMENT['paths'].items():
            for method, operation in methods.items():
                yield from _title(operation['summary'], '-')
                yield from ('', f'``{method.upper()} {path}``', '')
                yield from _rule(method.upper(), path)
                yield from _query(operation)
                yield from _body(operation)
                yield from _table(('Status', 'Meaning', 'Body'))
                for status, answer in sorted(operation['responses'].items()):
                    shape = _content(answer)
                    yield from _row(status, answer['description'], shape)
                yield ''


class Shapes(Written):
    def lines(self) -> Iterator[str]:
        for name, schema in SCHEMAS.items():
            if name in TOLD_ELSEWHERE:
                continue
            yield from ('', f'.. _api-{name.lower()}:', '')
            yield from _title(name, '-')
            yield from _table(('Key', 'Value', ''))
            for key, value in schema['properties'].items():
                told = value.get('description', '').replace('`', '``')
                yield from _row(f'``{key}``', _kind(value), told)
            yield ''


class Errors(Written):
    def lines(self) -> Iterator[str]:
        yield from _table(('Code', 'Status', 'Meaning'))
        for kind, status in errors.STATUSES.items():
            yield from _row(
                f'``{kind.code}``', str(status), kind.__doc__.splitlines()[0]
            )
        for status, code in errors.CODES.items():
            if status in BY_FRAMEWORK:
                yield from _row(
                    f'``{code}``', str(status), BY_FRAMEWORK[status]
                )
        code, _ = errors.INTERNAL
        yield from _row(f'``{code}``', '500', 'A defect of the service')


def _title(text: str, line: str) -> Iterator[str]:
    yield from (text, line * len(text), '')


def _table(head: tuple[str, ...]) -> Iterator[str]:
    yield from ('.. list-table::', '   :header-rows: 1', '')
    yield from _row(*head)


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f'   {" " if number else "*"} - {cell}'


def _rule(method: str, path: str) -> Iterator[str]:
    for rule in policies.RULES:
        if {'method': method, 'path': path} in rule.operations:
            base = RULES[rule.check_str.removeprefix('rule:')]
            yield f'Policy ``{rule.name}``; by default ``{base.check_str}``.'
            yield ''


def _query(operation: dict[str, Any]) -> Iterator[str]:
    asked = [
        parameter
        for parameter in operation.get('parameters', ())
        if parameter['in'] == 'query'
    ]
    if not asked:
        return
    yield from _table(('Query', 'Value', ''))
    for parameter in asked:
        told = parameter['description'].replace('`', '``')
        yield from _row(
            f'``{parameter["name"]}``', _kind(parameter['schema']), told
        )
    yield ''


def _body(operation: dict[str, Any]) -> Iterator[str]:
    if 'requestBody' in operation:
        yield f'Body: {_content(operation["requestBody"])}.'
        yield ''


def _content(holder: dict[str, Any]) -> str:
    content = holder.get('content')
    if content is None:
        return ''
    return _kind(content['application/json']['schema'])


def _kind(schema: dict[str, Any]) -> str:
    """Say in words what a value is."""
    if '$ref' in schema:
        name = schema['$ref'].rpartition('/')[2]
        if name in ('Definition', 'Document'):
            return ':doc:`a document </user/document>`'
        if name == 'Error':
            return ':ref:`an error <api-errors>`'
        return f':ref:`{name} <api-{name.lower()}>`'
    if 'anyOf' in schema:
        return ' or '.join(map(_kind, schema['anyOf']))
    if 'enum' in schema:
        return ', '.join(f'``{value}``' for value in schema['enum'])
    if 'const' in schema:
        return f'``{json.dumps(schema["const"])}``'
    if schema.get('type') == 'array':
        return f'a list: {_kind(schema["items"])}'
    if schema.get('properties'):
        return '; '.join(
            f'``{key}``: {_kind(value)}'
            for key, value in schema['properties'].items()
        )
    if isinstance(schema.get('additionalProperties'), dict):
        return f'by name: {_kind(schema["additionalProperties"])}'
    words = {'string': 'text', 'integer': 'a whole number', 'null': 'null'}
    kind = schema.get('format') or schema.get('type', 'anything')
    return words.get(kind, {'boolean': 'true or false'}.get(kind, kind))


def setup(app: Any) -> dict[str, bool]:
    app.add_directive('vcluster-api', Operations)
    app.add_directive('vcluster-shapes', Shapes)
    app.add_directive('vcluster-errors', Errors)
    return {'parallel_read_safe': True}
