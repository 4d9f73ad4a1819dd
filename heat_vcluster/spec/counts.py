# SPDX-License-Identifier: Apache-2.0
"""Which copies of a counted instance there are, once its count has changed.

Copies keep their numbers for life: of three, the first may go and the other
two are still ``web-1`` and ``web-2``. The document says so by ``indexes``
beside the ``count``, wherever they are not simply the first ones.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.spec import draft

Document = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Shrinking:
    """Counted instances of which the same numbers have to go.

    They are tied by ``%index%``, or it is one alone. ``running`` are the
    numbers that there are, ``number`` of them are to go; ``free`` are those
    that may.
    """

    bases: tuple[str, ...]
    running: tuple[int, ...]
    number: int
    free: tuple[int, ...]

    def copies(self, index: int) -> tuple[str, ...]:
        return tuple(f'{base}-{index}' for base in self.bases)


def indexes(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of a counted instance's copies."""
    return tuple(entry.get('indexes') or range(entry['count']))


def grown(running: Document, wanted: Document) -> dict[str, Any]:
    """Return the document with the numbers that its copies will have.

    Whoever runs keeps his number; new ones get the lowest that are free.
    Where there are fewer than before, all that run are still in it: see
    ``shrinking``.
    """
    before = _counted(running)
    found = []
    for entry in wanted['instances']:
        there = before.get(entry['name'])
        if 'count' not in entry or 'indexes' in entry or there is None:
            found.append(entry)
            continue
        numbers = list(indexes(there))
        fresh = (n for n in range(10**6) if n not in numbers)
        while len(numbers) < entry['count']:
            numbers.append(next(fresh))
        found.append(_with(entry, numbers))
    return {**wanted, 'instances': found}


def shrinking(running: Document, wanted: Document) -> tuple[Shrinking, ...]:
    """Return of which instances some copies have to go, tied ones as one.

    Copies that the document names themselves stay, if that is possible.
    """
    before = _counted(running)
    fewer = {
        entry['name']: entry
        for entry in wanted['instances']
        if 'count' in entry
        and 'indexes' not in entry
        and entry['name'] in before
        and entry['count'] < len(indexes(before[entry['name']]))
    }
    named = _named(wanted)
    found: list[Shrinking] = []
    for bases in _tied(fewer):
        numbers = indexes(before[bases[0]])
        alike = {
            (indexes(before[base]), fewer[base]['count']) for base in bases
        }
        if len(alike) > 1:
            # Their numbers differ: each loses its last ones.
            found.extend(
                _last(base, indexes(before[base]), fewer[base]['count'])
                for base in bases
            )
            continue
        free = tuple(
            n
            for n in numbers
            if not any(f'{base}-{n}' in named for base in bases)
        )
        number = len(numbers) - fewer[bases[0]]['count']
        if len(free) < number:
            free = numbers
        found.append(Shrinking(bases, numbers, number, free))
    return tuple(found)


def without(document: Document, gone: Iterable[str]) -> dict[str, Any]:
    """Return the document without these copies of counted instances."""
    gone = frozenset(gone)
    found = []
    for entry in document['instances']:
        if 'count' in entry:
            left = [
                n for n in indexes(entry) if f'{entry["name"]}-{n}' not in gone
            ]
            found.append(_with(entry, left))
        else:
            found.append(entry)
    return {**document, 'instances': found}


def check_removal(
    running: Document, wanted: Document, remove: Iterable[str]
) -> None:
    """Raise InvalidRequest unless exactly such copies may be chosen to go."""
    before = _counted(running)
    named: dict[str, int] = {}
    faults = []
    for place, name in enumerate(remove):
        base, _, number = name.rpartition('-')
        copies = indexes(before[base]) if base in before else ()
        if not number.isdigit() or int(number) not in copies:
            faults.append(
                exception.Fault(
                    f'remove[{place}]',
                    f"there is no copy '{name}' of a counted instance",
                )
            )
        else:
            named[base] = named.get(base, 0) + 1
    counts = {
        entry['name']: entry.get('count', 1) for entry in wanted['instances']
    }
    for base, asked in named.items():
        fewer = len(indexes(before[base])) - counts.get(base, 0)
        if base in counts and asked > fewer:
            faults.append(
                exception.Fault(
                    'remove',
                    f"{asked} copies of '{base}' are named, but its count "
                    f'makes {max(fewer, 0)} go',
                )
            )
    if faults:
        raise exception.InvalidRequest(faults)


def _counted(document: Document) -> dict[str, Mapping[str, Any]]:
    return {
        entry['name']: entry
        for entry in document['instances']
        if 'count' in entry
    }


def _with(entry: Mapping[str, Any], numbers: list[int]) -> dict[str, Any]:
    """Return an instance with these copies, told as briefly as can be."""
    numbers = sorted(numbers)
    bare = {key: value for key, value in entry.items() if key != 'indexes'}
    bare['count'] = len(numbers)
    if numbers != list(range(len(numbers))):
        bare['indexes'] = numbers
    return bare


def _last(base: str, numbers: tuple[int, ...], count: int) -> Shrinking:
    return Shrinking(
        (base,), numbers, len(numbers) - count, tuple(numbers[count:])
    )


def _tied(fewer: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the instances, those together that name each other's copies."""
    sets = [{base} for base in fewer]
    for base, entry in fewer.items():
        text = json.dumps([entry.get('spec'), entry.get('depends_on')])
        for other in fewer:
            if f'"{other}-{draft.INDEX}"' in text:
                one = next(s for s in sets if base in s)
                two = next(s for s in sets if other in s)
                if one is not two:
                    one |= two
                    sets.remove(two)
    return [tuple(base for base in fewer if base in each) for each in sets]


def _named(document: Document) -> frozenset[str]:
    """Return all texts of a document that may name a member."""
    found: set[str] = set()
    waiting: list[Any] = [document['instances'], document.get('groups', [])]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return frozenset(found)
