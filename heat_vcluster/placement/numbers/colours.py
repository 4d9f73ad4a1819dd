# SPDX-License-Identifier: Apache-2.0
"""Members and clauses that look alike, though they may not be exchanged.

Colours are refined until all members of one colour see the same: the same
size and places, and clauses of the same colours in the same way; and all
clauses of one colour have as many members of each colour. So what is counted
by colour says nothing of who is with whom, but loses little else.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from heat_vcluster.placement.numbers.compiled import Clause
from heat_vcluster.placement.numbers.remainder import Like, Remainder


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """Clauses of one colour, by number; ``clause`` is one of them.

    ``parts`` maps each like to how many of it every one of the clauses has;
    all its members are in clauses of the orbit.
    """

    numbers: tuple[int, ...]
    clause: Clause
    parts: dict[int, int]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Coloured:
    """Members and clauses by colour.

    ``likes`` are members of one colour; ``single`` the clauses that are
    alone in theirs, ``orbits`` the others that can be counted.
    """

    likes: tuple[Like, ...]
    single: tuple[int, ...]
    orbits: tuple[Orbit, ...]


def colour(rest: Remainder) -> Coloured:
    """Colour what is left to decide of a problem."""
    colours, of_clause = _refine(rest)
    groups: dict[int, list[int]] = {}
    for member in rest.free:
        groups.setdefault(colours[member], []).append(member)
    likes = tuple(
        _like(rest, number, members)
        for number, members in enumerate(groups.values())
    )
    like_of = {m: like.number for like in likes for m in like.members}
    orbits: dict[int, list[int]] = {}
    for number in rest.clauses:
        orbits.setdefault(of_clause[number], []).append(number)
    single = [
        numbers[0]
        for numbers in orbits.values()
        if len(numbers) == 1 and _is_whole(rest, numbers[0], likes, like_of)
    ]
    several = [
        _orbit(rest, numbers, like_of)
        for numbers in orbits.values()
        if len(numbers) > 1
    ]
    return Coloured(
        likes,
        tuple(sorted(single)),
        tuple(
            orbit
            for orbit in several
            if all(
                part * len(orbit.numbers) == len(likes[like].members)
                for like, part in orbit.parts.items()
            )
        ),
    )


def _like(rest: Remainder, number: int, members: Sequence[int]) -> Like:
    first = members[0]
    return Like(
        number,
        tuple(members),
        bool(rest.compiled.is_server[first]),
        rest.compiled.size(first),
        rest.candidates[first],
    )


def _orbit(
    rest: Remainder, numbers: Sequence[int], like_of: dict[int, int]
) -> Orbit:
    clause = rest.index.clauses[numbers[0]]
    parts = collections.Counter(
        like_of[m] for m in clause.members if m in like_of
    )
    return Orbit(tuple(numbers), clause, dict(parts))


def _is_whole(
    rest: Remainder,
    number: int,
    likes: Sequence[Like],
    like_of: dict[int, int],
) -> bool:
    """Tell whether every unit has all or none of each like."""
    for unit in rest.index.clauses[number].units:
        if len(unit) == 1:
            continue
        free = collections.Counter(like_of[m] for m in unit if m in like_of)
        if any(n < len(likes[like].members) for like, n in free.items()):
            return False
    return True


def _refine(rest: Remainder) -> tuple[dict[int, int], dict[int, int]]:
    """Return member -> colour and clause -> colour, stable."""
    index, compiled = rest.index, rest.compiled
    first_of_member = _number(
        (
            m,
            (
                bool(compiled.is_server[m]),
                compiled.size(m),
                rest.candidates[m].tobytes(),
            ),
        )
        for m in rest.free
    )
    first_of_clause = _number(
        (number, _look(rest, number)) for number in rest.clauses
    )
    wanted = frozenset(rest.clauses)
    roles = {
        m: [role for role in index.roles[m] if role[0] in wanted]
        for m in rest.free
    }
    colours, of_clause = first_of_member, first_of_clause
    count = 0
    while count != len(set(colours.values())):
        count = len(set(colours.values()))
        units = {
            number: [
                tuple(sorted(colours[m] for m in unit if m in colours))
                for unit in index.clauses[number].units
            ]
            for number in rest.clauses
        }
        of_clause = _number(
            (number, (first_of_clause[number], tuple(sorted(units[number]))))
            for number in rest.clauses
        )
        colours = _number(
            (
                m,
                (
                    colours[m],
                    tuple(
                        sorted(
                            (of_clause[c], units[c][u] if u >= 0 else ())
                            for c, u in roles[m]
                        )
                    ),
                ),
            )
            for m in rest.free
        )
    return colours, of_clause


def _look(rest: Remainder, number: int) -> tuple[object, ...]:
    """Return what tells a clause from others, but for its members."""
    clause = rest.index.clauses[number]
    has_fixed = len(rest.free_of(clause)) < len(clause.members)
    return (
        clause.kind.__name__,
        clause.scope,
        clause.limit,
        clause.lost,
        clause.domains,
        clause.weight,
        number if has_fixed else -1,
    )


def _number(keyed: Iterable[tuple[int, object]]) -> dict[int, int]:
    """Return item -> the number of its key, in order of appearance."""
    numbers: dict[object, int] = {}
    return {item: numbers.setdefault(key, len(numbers)) for item, key in keyed}
