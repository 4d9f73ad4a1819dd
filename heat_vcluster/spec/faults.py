# SPDX-License-Identifier: Apache-2.0
"""Finds the words for faults, and gathers them until all are known."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator

from heat_vcluster import exception
from heat_vcluster.spec import paths

MOST = 500
MOST_COMPARED = 2000  # names, to find what was meant

Found = Iterator[tuple[paths.Path, str]]


class Faults:
    """All that is wrong in one document, each thing once.

    A document with more than ``MOST`` faults is refused with these at once:
    its reader is helped enough, and to find the rest could take long.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[paths.Path, str], None] = {}
        self._written: dict[tuple[paths.Path, str], None] = {}
        self.places = paths.Places()

    def add(self, path: paths.Path, message: str) -> None:
        """Add a fault at a place of the canonical document."""
        self._found.setdefault((path, message))
        self._refuse_many()

    def add_written(self, path: paths.Path, message: str) -> None:
        """Add a fault at a place of the document as it was written."""
        self._written.setdefault((path, message))
        self._refuse_many()

    def _refuse_many(self) -> None:
        if len(self._found) + len(self._written) >= MOST:
            raise self.error()

    def extend(self, found: Iterable[tuple[paths.Path, str]]) -> None:
        """Add what one check found, at each place its first fault only.

        The copies of a counted instance share their place, and what is wrong
        with one is mostly wrong with all.
        """
        seen: set[paths.Path] = set()
        for path, message in found:
            if path not in seen:
                seen.add(path)
                self.add(path, message)

    def __bool__(self) -> bool:
        return bool(self._found or self._written)

    def error(self) -> exception.InvalidDocument:
        """Return the error with all faults, in the document's order."""
        places = self.places
        moved = {(places.written(p), m): None for p, m in self._found}
        written = sorted(
            self._written | moved, key=lambda fault: paths.order(fault[0])
        )
        told = [exception.Fault(paths.text(p), m) for p, m in written]
        if len(self._found) + len(self._written) >= MOST:
            more = f'there may be more faults than these {len(told)}'
            told.append(exception.Fault('', more))
        return exception.InvalidDocument(told)


class Hints:
    """Near misses of names, for a document that may be full of them.

    Names are slow to compare: where many lead nowhere, the first get a hint.
    """

    def __init__(self) -> None:
        self._left = MOST_COMPARED

    def near(self, name: str, known: Collection[str]) -> str:
        """Return the suggestion, or nothing if enough were given."""
        if self._left <= 0:
            return ''
        self._left -= len(known)
        return suggestion(name, known)


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for a near miss, else nothing."""
    spelled = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).lower(), spelled, n=1)
    return f"; did you mean '{spelled[near[0]]}'?" if near else ''


def shown(value: object, most: int = 60) -> str:
    """Return a value short enough to stand in a message."""
    words = {True: 'true', False: 'false', None: 'null'}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, dict):
        return 'a mapping'
    if isinstance(value, list):
        return 'a list'
    if isinstance(value, str):
        cut = value if len(value) <= most else value[: most - 3] + '...'
        return f"'{cut}'"
    if isinstance(value, int) and value.bit_length() > 4 * most:
        return 'a number too long to be written'
    return str(value)[:most]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return ``a, b, c`` of at most so many names."""
    names = list(names)
    rest = ', ...' if len(names) > most else ''
    return ', '.join(names[:most]) + rest
