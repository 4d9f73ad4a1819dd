# SPDX-License-Identifier: Apache-2.0
"""What is to survive a loss can do so at all, wherever it is placed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths, schema
from heat_vcluster.spec.checks import groups


def members(draft: drafts.Draft) -> faults.Found:
    for path, _, name, _ in _kept(draft):
        problem = groups.not_placed(draft, name)
        if problem:
            yield path, problem


def strictness(draft: drafts.Draft) -> faults.Found:
    for path, entry in _entries(draft):
        if entry.get('strict') and 'weight' in entry:
            yield (
                (*path, 'weight'),
                'what is strict has no weight; leave it out, or set '
                "'strict' to false",
            )


def possible(draft: drafts.Draft) -> faults.Found:
    """Refuse to keep more than the mildest loss leaves.

    Where domains are lost that have members, each takes one with it.
    """
    for path, entry, name, asked in _kept(draft):
        lose = entry.get('lose', {})
        scope = lose.get('scope', 'domain')
        if 'count' in lose and groups.not_placed(draft, name) is None:
            problem = _too_many(draft, name, lose['count'], scope, asked)
            if problem:
                yield path, problem
    for group in draft.groups:
        spec = group.spec
        if spec.get('policy') == 'survive' and {'lose', 'keep'} <= {*spec}:
            scope = spec.get('scope', 'host')
            problem = _too_many(
                draft, group.name, spec['lose'], scope, spec['keep']
            )
            if problem:
                yield (*group.path, 'spec', 'keep'), problem


def _too_many(
    draft: drafts.Draft, name: str, lose: int, scope: str, asked: int | str
) -> str | None:
    members = draft.below(name)
    if not members or not draft.unclear.isdisjoint(members):
        return None
    count = len(members)
    least, most = at_least(asked, count), max(count - lose, 0)
    if least <= most:
        return None
    lost = f'{lose} {scope}{"" if lose == 1 else "s"}'
    comes_to = f' ({asked})' if isinstance(asked, str) else ''
    return (
        f"'{name}' has {count} member{'' if count == 1 else 's'}: the loss of "
        f'{lost} can leave {most} of them at the most, not {least}{comes_to}'
    )


def at_least(asked: int | str, count: int) -> int:
    """Return how many of so many members a number or a share comes to."""
    if isinstance(asked, int):
        return asked
    return -(-count * int(asked.removesuffix('%')) // 100)


def _entries(
    draft: drafts.Draft,
) -> Iterator[tuple[paths.Path, dict[str, Any]]]:
    for place, entry in enumerate(draft.sound.document.get('survive', ())):
        if entry is not None:
            yield ('survive', place), entry


def _kept(
    draft: drafts.Draft,
) -> Iterator[tuple[paths.Path, dict[str, Any], str, int | str]]:
    """Give the place of each number, its entry, the name, and the number.

    A text that is no share counts as the least there is.
    """
    for path, entry in _entries(draft):
        for name, asked in entry.get('keep', {}).items():
            is_share = isinstance(asked, int) or re.match(schema.SHARE, asked)
            yield (*path, 'keep', name), entry, name, asked if is_share else 1
