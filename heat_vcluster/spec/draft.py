# SPDX-License-Identifier: Apache-2.0
"""A document with its counted instances written out, not yet checked.

It may be faulty: names repeated, references leading nowhere, parts missing.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from heat_vcluster.spec import faults, paths, shape

INDEX = '%index%'
_OF_WHAT = ('image', 'snapshot_id')
_COPY = re.compile(r'(?P<base>.+)-(?P<index>[0-9]+)\Z', re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Copy:
    """An instance that is not counted, or one copy of a counted one.

    ``type`` is None where the document's own is of no use.
    """

    name: str
    type: str | None
    base: str
    index: int | None
    path: paths.Path
    spec: Mapping[str, Any]
    depends_on: tuple[str | None, ...]

    def entries(self, key: str) -> Iterator[tuple[paths.Path, dict[str, Any]]]:
        """Give the usable entries of one of the spec's lists."""
        for place, entry in enumerate(self.spec.get(key, ())):
            if entry is not None:
                yield (*self.path, 'spec', key, place), entry


@dataclasses.dataclass(frozen=True, slots=True)
class Grouping:
    """A group as the document has it."""

    name: str
    path: paths.Path
    spec: Mapping[str, Any]
    members: tuple[str | None, ...]

    def entries(self) -> Iterator[tuple[paths.Path, str]]:
        for place, name in enumerate(self.members):
            if name is not None:
                yield (*self.path, 'members', place), name


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """All copies and groups, and what each name stands for.

    Of equal names the first one counts. ``counted`` maps the name of a
    counted instance to those of its copies; ``unclear`` has the instances
    whose count is of no use. ``inside`` maps the name of a group to all
    members that are in it, by whatever groups.
    """

    sound: shape.Sound
    copies: tuple[Copy, ...]
    groups: tuple[Grouping, ...]
    by_name: Mapping[str, Copy]
    counted: Mapping[str, tuple[str, ...]]
    by_group: Mapping[str, Grouping]
    unclear: frozenset[str]
    inside: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )
    hints: faults.Hints = dataclasses.field(default_factory=faults.Hints)

    def copies_of(self, name: str) -> tuple[str, ...]:
        """Return the members that a name stands for, none if unknown."""
        if name in self.by_name:
            return (name,)
        return self.counted.get(name, ())

    def below(self, name: str) -> tuple[str, ...]:
        """Return all members that an entry of a group stands for."""
        return self.copies_of(name) or self.inside.get(name, ())

    def counted_base(self, name: str) -> str | None:
        """Return ``web`` for ``web-7`` if web is a counted instance."""
        match = _COPY.match(name)
        base = match['base'] if match else None
        if base in self.counted or base in self.unclear:
            return base
        return None

    def names(self) -> list[str]:
        return [*self.by_name, *self.counted, *self.by_group]


def make(sound: shape.Sound) -> Draft:
    """Return the draft of a document's sound part."""
    copies: list[Copy] = []
    sources = sound.document.get('sources', {})
    counted: dict[str, tuple[str, ...]] = {}
    unclear: set[str] = set()
    for path, entry in entries(sound.document, 'instances'):
        written = [
            _sourced(copy, sources.get(copy.name, {}))
            for copy in _copies(entry, path)
        ]
        copies.extend(written)
        if 'count' in entry:
            counted.setdefault(
                entry['name'], tuple(copy.name for copy in written)
            )
        elif sound.is_broken((*path, 'count')):
            unclear.add(entry['name'])
    groups = tuple(
        Grouping(
            entry['name'],
            path,
            entry.get('spec', {}),
            tuple(entry.get('members', ())),
        )
        for path, entry in entries(sound.document, 'groups')
    )
    draft = Draft(
        sound,
        tuple(copies),
        groups,
        _first_of_each_name(copies),
        counted,
        _first_of_each_name(groups),
        frozenset(unclear),
    )
    return dataclasses.replace(draft, inside=_inside(draft))


def _inside(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Return the members of each group, made of those of its groups.

    Each is in it once, in the order in which it is met. Where groups are in a
    circle, which a check refuses, some lack members.
    """
    found: dict[str, tuple[str, ...]] = {}
    begun: set[str] = set()
    waiting = [*draft.by_group]
    while waiting:
        name = waiting[-1]
        inner = [each for _, each in draft.by_group[name].entries()]
        if name not in begun:
            begun.add(name)
            waiting.extend(draft.by_group.keys() & set(inner) - begun)
            continue
        waiting.pop()
        if name not in found:
            members: dict[str, None] = {}
            for each in inner:
                here = draft.copies_of(each) or found.get(each, ())
                members.update(dict.fromkeys(here))
            found[name] = tuple(members)
    return found


def size(document: Mapping[str, Any]) -> int:
    """Return how many characters the instances have, written out."""
    return sum(
        entry.get('count', 1) * len(json.dumps(entry))
        for _, entry in entries(document, 'instances')
    )


_Named = TypeVar('_Named', Copy, Grouping)


def _first_of_each_name(named: Iterable[_Named]) -> dict[str, _Named]:
    found: dict[str, _Named] = {}
    for one in named:
        found.setdefault(one.name, one)
    return found


def total(document: Mapping[str, Any]) -> int:
    """Return how many members the document asks for."""
    return sum(
        entry.get('count', 1) for _, entry in entries(document, 'instances')
    )


def entries(
    document: Mapping[str, Any], key: str
) -> Iterator[tuple[paths.Path, dict[str, Any]]]:
    """Give the entries that have a name, each with its place."""
    for place, entry in enumerate(document.get(key, ())):
        if entry is not None and 'name' in entry:
            yield (key, place), entry


def _copies(entry: dict[str, Any], path: paths.Path) -> list[Copy]:
    base = entry['name']
    spec = entry.get('spec', {})
    needs = tuple(entry.get('depends_on', ()))
    kind = entry.get('type')
    if 'count' not in entry:
        return [Copy(base, kind, base, None, path, spec, needs)]
    return [
        Copy(
            f'{base}-{index}',
            kind,
            base,
            index,
            path,
            _indexed(spec, index),
            tuple(_indexed(name, index) for name in needs),
        )
        for index in entry.get('indexes', range(entry['count']))
        if index is not None
    ]


#: What a source may say, of each type of member.
SOURCES = {'server': 'image', 'volume': 'snapshot_id'}


def _sourced(copy: Copy, source: Mapping[str, Any]) -> Copy:
    """Return it made of its own source in place of what all copies have."""
    key = SOURCES.get(copy.type or '')
    if key not in source or 'boot_volume' in copy.spec:
        return copy
    bare = {k: v for k, v in copy.spec.items() if k not in _OF_WHAT}
    return dataclasses.replace(copy, spec={**bare, **source})


def _indexed(value: Any, index: int) -> Any:
    """Return the value with ``%index%`` replaced in all its texts."""
    match value:
        case str():
            return value.replace(INDEX, str(index))
        case dict():
            return {key: _indexed(v, index) for key, v in value.items()}
        case list():
            return [_indexed(item, index) for item in value]
    return value
