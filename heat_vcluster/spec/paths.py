# SPDX-License-Identifier: Apache-2.0
"""Places in a document: how they are written, and where they came from."""

from __future__ import annotations

import dataclasses
import re

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r'[A-Za-z_][\w-]*\Z', re.ASCII)


def text(path: Path) -> str:
    """Return a path for people: ``instances[3].spec.flavor``."""
    written = ''
    for step in path:
        if isinstance(step, int):
            written += f'[{step}]'
        elif _PLAIN_KEY.match(step):
            written += f'.{step}' if written else step
        else:
            written += f'[{step!r}]'
    return written


def order(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key: as a reader meets the places of a document."""
    return tuple(_step_order(step) for step in path)


def _step_order(step: str | int) -> tuple[int, int, str]:
    if isinstance(step, int):
        return (0, step, '')
    first = ('name', 'type', 'instances', 'spec')
    return (1, first.index(step) if step in first else len(first), step)


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Leads from the canonical document back to the one that was written.

    Only what has another place is kept; all below a place moves with it.
    """

    moved: dict[Path, Path] = dataclasses.field(default_factory=dict)

    def record(self, canonical: Path, written: Path) -> None:
        if canonical != written:
            self.moved[canonical] = written

    def written(self, canonical: Path) -> Path:
        for length in range(len(canonical), -1, -1):
            origin = self.moved.get(canonical[:length])
            if origin is not None:
                return origin + canonical[length:]
        return canonical
