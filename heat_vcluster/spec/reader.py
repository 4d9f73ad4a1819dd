# SPDX-License-Identifier: Apache-2.0
"""Reads YAML and JSON text to plain values, losing nothing on the way.

The usual parsers keep the last of two equal keys, and a member is lost
without a word. Here every key is kept until the whole document was seen.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import yaml

from heat_vcluster.spec import faults, paths

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_VALUES = 200_000  # after aliases are written out
MAX_BITS = 63  # of a whole number, as every database and solver has them

_TAG = 'tag:yaml.org,2002:'
_SCALARS = frozenset(_TAG + t for t in ('null', 'bool', 'int', 'float', 'str'))
_LITERAL = frozenset(_TAG + t for t in ('merge', 'value'))  # << and =


class Unreadable(Exception):
    """The text is no document at all."""


class Pairs(list[tuple[Any, Any]]):
    """A mapping as it was written: every key, also the repeated ones."""


def read(source: Mapping[str, Any] | str | os.PathLike[str]) -> Any:
    """Return the values of a document; mappings come as :class:`Pairs`.

    Raises Unreadable, or OSError for a file that cannot be opened.
    """
    if isinstance(source, os.PathLike):
        return parse(_file_text(source))
    if isinstance(source, str):
        return parse(source)
    return source


def _file_text(path: os.PathLike[str]) -> str:
    with open(path, 'rb') as file:
        content = file.read(MAX_BYTES + 1)
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        if len(content) > MAX_BYTES:
            raise Unreadable(_too_long()) from error
        raise Unreadable('must be UTF-8 text') from error


def _too_long() -> str:
    return f'must not be longer than {MAX_BYTES // 1024} KiB'


def parse(text: str) -> Any:
    """Return the values of YAML or JSON text; may raise Unreadable."""
    if len(text.encode('utf-8', 'surrogatepass')) > MAX_BYTES:
        raise Unreadable(_too_long())
    try:
        if text.lstrip().startswith('{'):
            try:
                return json.loads(
                    text, object_pairs_hook=Pairs, parse_constant=_refuse
                )
            except ValueError:
                pass  # it may be YAML in flow style; else YAML says what is so
        return _yaml_values(text)
    except RecursionError as error:
        raise Unreadable('is nested too deep') from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


class _Loader(yaml.SafeLoader):
    """Composes nodes only; dates stay text, as in JSON."""

    yaml_implicit_resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag != _TAG + 'timestamp'
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _yaml_values(text: str) -> Any:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return None if node is None else _Writer(loader).value(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (
            f'line {mark.line + 1}, column {mark.column + 1}: ' if mark else ''
        )
        what = error.problem or error.context
        raise Unreadable(f'is not YAML or JSON: {where}{what}') from error
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise Unreadable(f'is not YAML or JSON: {first}') from error


class _Writer:
    """Turns YAML nodes to values; an aliased node gives one shared value."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._written: dict[int, Any] = {}
        self._merged = 0

    def value(self, node: yaml.Node) -> Any:
        if id(node) in self._written:
            return self._written[id(node)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node)
        return self._mapping(node)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag in _LITERAL:
            return node.value
        if node.tag not in _SCALARS:
            raise _refused(node, f'the tag {node.tag} is not allowed')
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            raise _refused(node, 'not a value of its kind') from error

    def _sequence(self, node: yaml.SequenceNode) -> list[Any]:
        if node.tag != _TAG + 'seq':
            raise _refused(node, f'the tag {node.tag} is not allowed')
        values: list[Any] = []
        self._written[id(node)] = values
        values.extend(self.value(item) for item in node.value)
        return values

    def _mapping(self, node: yaml.Node) -> Pairs:
        if node.tag != _TAG + 'map':
            raise _refused(node, f'the tag {node.tag} is not allowed')
        pairs = Pairs()
        self._written[id(node)] = pairs
        merged: list[Pairs] = []
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + 'merge':
                if merged:
                    problem = 'the key << is repeated; merge a list instead'
                    raise _refused(key_node, problem)
                merged = self._merge_sources(value_node)
            else:
                pairs.append((self._key(key_node), self.value(value_node)))
        self._merge(pairs, merged)
        return pairs

    def _key(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise _refused(node, 'a key must be text')
        key = self._scalar(node)
        if isinstance(key, int) and not _is_storable(key):
            raise _refused(node, 'a key must be text')
        return key

    def _merge_sources(self, node: yaml.Node) -> list[Pairs]:
        many = isinstance(node, yaml.SequenceNode)
        sources = self.value(node) if many else [self.value(node)]
        if not all(isinstance(source, Pairs) for source in sources):
            raise _refused(node, 'only mappings can be merged by <<')
        return list(sources)

    def _merge(self, pairs: Pairs, sources: list[Pairs]) -> None:
        """Add what is missing; a mapping's own keys and earlier ones win."""
        present = {key for key, _ in pairs}
        for source in sources:
            self._merged += len(source)
            if self._merged > MAX_VALUES:
                raise Unreadable('has too many merged values')
            missing = [pair for pair in source if pair[0] not in present]
            pairs.extend(missing)  # also what the source itself repeats
            present.update(key for key, _ in missing)


def _is_storable(number: int) -> bool:
    return number.bit_length() <= MAX_BITS


def _refused(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


class _Plain:
    """Writes values out as new dicts, lists and scalars of JSON."""

    def __init__(self, found: faults.Faults) -> None:
        self._faults = found
        self._left = MAX_VALUES

    def value(self, value: Any, path: paths.Path) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Unreadable('has too many values, aliases written out')
        if len(path) > MAX_DEPTH:
            raise Unreadable('is nested too deep')
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value, path)
            case int():
                return self._whole(int(value), path)
            case float():
                return self._number(value, path)
            case Pairs():
                return self._mapping(value, path)
            case Mapping():
                return self._mapping(Pairs(value.items()), path)
            case list() | tuple():
                return [self.value(v, (*path, i)) for i, v in enumerate(value)]
        kind = type(value).__name__
        self._faults.add_written(path, f'must be a value of JSON, not {kind}')
        return None

    def _text(self, value: str, path: paths.Path) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            self._faults.add_written(path, 'must be text that UTF-8 can hold')
        return str(value)

    def _number(self, value: float, path: paths.Path) -> float | int | None:
        if not math.isfinite(value):
            self._faults.add_written(path, 'must be a finite number')
            return None
        if value.is_integer():
            return self._whole(int(value), path)
        return float(value)

    def _whole(self, value: int, path: paths.Path) -> int | None:
        if not _is_storable(value):
            self._faults.add_written(
                path, f'must be a number of at most {MAX_BITS} bits'
            )
            return None
        return value

    def _mapping(self, pairs: Pairs, path: paths.Path) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, value in pairs:
            if not isinstance(key, str):
                said = faults.shown(key)
                self._faults.add_written(
                    path, f'the key {said} must be text: write it in quotes'
                )
                continue
            place = (*path, self._text(key, path))
            plain = self.value(value, place)
            if key in written:
                self._faults.add_written(
                    place,
                    'this key is repeated; a mapping has each key once '
                    '(several things of one kind go in a list)',
                )
            else:
                written[str(key)] = plain
        return written


def plain(value: Any, found: faults.Faults) -> Any:
    """Return ``value`` as plain JSON values, every fault added to ``found``.

    Of a repeated key the first value is kept, so that checks can go on.
    Raises Unreadable where the document would grow without bound.
    """
    return _Plain(found).value(value, ())
