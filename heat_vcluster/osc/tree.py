# SPDX-License-Identifier: Apache-2.0
"""A cluster's topology as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Topology = Mapping[str, Any]
Members = Mapping[str, Mapping[str, Any]]

READY = 'ACTIVE'

#: What leads to a branch and to the last one, and what runs on below them.
BRANCH, LAST = ('├─ ', '│  '), ('└─ ', '   ')


def lines(topology: Topology, members: Members) -> Iterator[str]:
    """Yield the domains as a tree with the members in them, and the rules.

    ``members``: by name; a status other than ACTIVE is told.
    """
    for domain in topology['domains']:
        yield from _domain(domain, members, '', ('', ''))
    if waiting := without_place(topology, members):
        yield f'without a place: {_told(waiting, members)}'
    if topology['rules']:
        yield ''
        yield from map(rule, topology['rules'])


def without_place(topology: Topology, members: Members) -> list[str]:
    """Return the members that have no place; networks need none."""
    return [
        name
        for name in topology['unplaced']
        if members.get(name, {}).get('type') != 'network'
    ]


def rule(each: Mapping[str, Any]) -> str:
    """Say what a rule asks for, of whom, and what came of it."""
    strength = 'hard' if each['strict'] else 'soft'
    scope = f' at {each["scope"]}' if each['scope'] else ''
    # None as long as nothing is placed.
    holds = {True: 'kept', False: 'GIVEN UP', None: 'asked'}[each['holds']]
    members = ', '.join(each['members'])
    kind = f'{strength} {each["policy"]}{scope}'
    return f'{each["name"]}: {kind}, {holds}: {members}'


def _domain(
    domain: Mapping[str, Any],
    members: Members,
    before: str,
    lead: tuple[str, str],
) -> Iterator[str]:
    here = _told(domain['members'], members)
    yield f'{before}{lead[0]}{domain["name"]}{f": {here}" if here else ""}'
    inner: Sequence[Any] = domain['domains']
    for number, each in enumerate(inner, 1):
        further = LAST if number == len(inner) else BRANCH
        yield from _domain(each, members, before + lead[1], further)


def _told(names: Sequence[str], members: Members) -> str:
    return ', '.join(_member(name, members.get(name, {})) for name in names)


def _member(name: str, member: Mapping[str, Any]) -> str:
    status = member.get('status', READY)
    return name if status == READY else f'{name} ({status})'
