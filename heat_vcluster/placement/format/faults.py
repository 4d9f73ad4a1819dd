# SPDX-License-Identifier: Apache-2.0
"""Tells what is wrong in a document, each thing with its place in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from heat_vcluster.placement.columns import Ints

# Far above any real amount, and a thousand of them still add up in 64 bits
# when counted in per mille.
MOST = 10**12
# Of what is multiplied: a weight, and a limit that it is given up by. Far
# above any real one, and the costs of a thousand groups are added up exactly.
MOST_FACTOR = 10**6
SHOWN = 5  # faults told of one list; a long one is mostly wrong throughout


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place such as ``request.groups[3].scope``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f'{self.path}: {self.message}' if self.path else self.message


class BadProblem(ValueError):
    """The document is malformed; ``faults`` has all that is wrong."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__('; '.join(map(str, self.faults)))


class Faults:
    """Gathers faults while a document is read.

    What a method cannot read it tells of and answers with None, so that the
    reading goes on.
    """

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        self.found.append(Fault(path, message))

    def check(self) -> None:
        """Raise BadProblem if anything was wrong."""
        if self.found:
            raise self.error()

    def error(self) -> BadProblem:
        return BadProblem(self.found)

    def keys(
        self,
        value: Any,
        path: str,
        required: Sequence[str],
        optional: Sequence[str] = (),
    ) -> Mapping[str, Any] | None:
        """Return an object that has all it needs, and nothing unknown."""
        if type(value) is not dict:
            self.add(path, 'not an object')
            return None
        missing = [key for key in required if key not in value]
        unknown = [k for k in value if k not in required and k not in optional]
        for key in missing:
            self.add(path, f'{key!r} is missing')
        for key in unknown:
            self.add(join(path, key), 'unknown key')
        return None if missing else value

    def mapping(self, value: Any, path: str) -> Mapping[str, Any]:
        """Return an object whose keys are names; empty if it is none."""
        if type(value) is not dict:
            self.add(path, 'not an object')
            return {}
        if '' in value:
            self.add(path, 'an empty key')
        return value

    def list(self, value: Any, path: str) -> Sequence[Any]:
        """Return a list; empty if it is none."""
        if type(value) is list:
            return value
        self.add(path, 'not a list')
        return ()

    def name(self, value: Any, path: str) -> str | None:
        if type(value) is str and value:
            return value
        self.add(path, 'not a name')
        return None

    def names(self, value: Any, path: str) -> tuple[str, ...] | None:
        """Return a list of different names."""
        if type(value) is not list:
            self.add(path, 'not a list of names')
            return None
        if set(map(type, value)) <= {str} and '' not in (seen := set(value)):
            if len(seen) == len(value):
                return tuple(value)
            self._repeated(value, path)
            return None
        self.each(
            value, path, lambda n: type(n) is str and n != '', 'not a name'
        )
        return None

    def _repeated(self, names: Sequence[str], path: str) -> None:
        first: dict[str, int] = {}
        found = [
            (number, name)
            for number, name in enumerate(names)
            if first.setdefault(name, number) != number
        ]
        for number, name in found[:SHOWN]:
            self.add(f'{path}[{number}]', f'{name!r} is there twice')

    def amount(
        self, value: Any, path: str, least: int = 0, most: int = MOST
    ) -> int | None:
        """Return an integer in these bounds."""
        if type(value) is int and least <= value <= most:
            return value
        self.add(path, _not_amount(least, most))
        return None

    def factor(self, value: Any, path: str, least: int = 0) -> int | None:
        """Return an integer that may be a weight, or a limit of a group."""
        return self.amount(value, path, least, MOST_FACTOR)

    def amounts(
        self,
        value: Any,
        path: str,
        below: int | None = None,
        least: int = 0,
    ) -> Ints | None:
        """Return a list of amounts, or of indices less than ``below``.

        ``least`` is -1 where an index may be not known.
        """
        if type(value) is not list:
            self.add(path, 'not a list')
            return None
        most = MOST if below is None else below - 1
        found = _integers(value)
        if found is not None and (
            not value or (found.min() >= least and found.max() <= most)
        ):
            return found
        self.each(
            value,
            path,
            lambda n: type(n) is int and least <= n <= most,
            _not_amount(0, MOST)
            if below is None
            else _not_index(least, below),
        )
        return None

    def each(
        self,
        values: Sequence[Any],
        path: str,
        is_right: Callable[[Any], bool],
        message: str,
    ) -> None:
        """Tell of the values that are not right, of the first few of them."""
        wrong = [i for i, value in enumerate(values) if not is_right(value)]
        for index in wrong[:SHOWN]:
            self.add(f'{path}[{index}]', message)
        if len(wrong) > SHOWN:
            self.add(path, f'and {len(wrong) - SHOWN} more: {message}')


class Names:
    """Reads names of which none may be there twice."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._seen: set[str] = set()

    def read(self, value: Any, path: str) -> str:
        """Return the name; empty if it is none."""
        name = self._faults.name(value, path) or ''
        if name and name in self._seen:
            self._faults.add(path, f'{name!r} is there twice')
        self._seen.add(name)
        return name


def _integers(values: Sequence[Any]) -> Ints | None:
    """Return them as an array, if all are integers of 64 bits."""
    if not set(map(type, values)) <= {int}:
        return None
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return None


def _not_amount(least: int, most: int) -> str:
    return f'not an integer from {least} to {most}'


def _not_index(least: int, below: int) -> str:
    what = f'not an index below {below}'
    return f'{what}, nor {least} for none' if least < 0 else what


def join(path: str, key: str) -> str:
    """Return the place of a key, in one line whatever the key is."""
    key = key if key.isprintable() else ascii(key)
    return f'{path}.{key}' if path else key
