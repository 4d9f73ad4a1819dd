# SPDX-License-Identifier: Apache-2.0
"""Members that must share a domain, as one: the bundles of a problem.

Hard affinity is an equivalence: what must be together with what must be
together must be together. So at each scope the members fall into *bundles*,
and as every domain lies in one wider domain, a bundle at a scope lies in one
bundle at every wider scope. Found by union-find, without loss; two members
that must be together and must be apart are a contradiction at once, whatever
the capacity.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import unions


@dataclasses.dataclass(frozen=True, slots=True)
class Contradiction:
    """Rules that no placement on whatever cloud obeys together, minimal.

    ``rules`` are their names (see ``compiled``); ``apart`` is the rule
    that keeps ``members`` apart (or one of them from all others), ``chain``
    those that tie them, in order.
    """

    rules: tuple[str, ...]
    members: tuple[int, ...]
    apart: str
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Contracted:
    """The bundles at every scope, 0 = host.

    ``bundle_of[k][member]`` is the number of its bundle at scope k,
    ``bundles[k]`` lists the members of each. ``loose`` are the hard
    Together clauses that bundles do not say in full: some of their volumes
    may have no domain at the scope and then do not count.
    """

    bundle_of: tuple[Ints, ...]
    bundles: tuple[tuple[tuple[int, ...], ...], ...]
    loose: tuple[numbers.Clause, ...]
    contradiction: Contradiction | None


def contract(compiled: numbers.Compiled) -> Contracted:
    """Find the bundles; only hard clauses count."""
    knows = _Knowledge(compiled)
    ties, loose = _ties(compiled, knows)
    bundle_of, bundles = [], []
    for scope in range(len(compiled.scopes)):
        roots = _roots(compiled, ties, scope)
        numbered: dict[int, list[int]] = {}
        for member, root in enumerate(roots):
            numbered.setdefault(root, []).append(member)
        column = np.empty(len(roots), np.int64)
        for number, members in enumerate(numbered.values()):
            column[members] = number
        bundle_of.append(column)
        bundles.append(tuple(tuple(m) for m in numbered.values()))
    contradiction = _contradiction(compiled, bundle_of, ties, knows)
    return Contracted(
        tuple(bundle_of), tuple(bundles), tuple(loose), contradiction
    )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Tie:
    """Members of one clause that share a domain from ``scope`` on upwards.

    ``at`` has those scopes at which that is certain.
    """

    clause: numbers.Clause
    members: tuple[int, ...]
    at: tuple[int, ...]


class _Knowledge:
    """At which scopes a member is sure to have a domain."""

    def __init__(self, compiled: numbers.Compiled) -> None:
        self._compiled = compiled
        self._known = [
            [
                bool(len(shape.places))
                and bool(np.all(column[shape.places] != UNKNOWN))
                for shape in compiled.shapes
            ]
            for column in compiled.domain
        ]
        self._always = [
            [
                bool(np.all(column[: compiled.n_hosts] != UNKNOWN)),
                bool(np.all(column[compiled.n_hosts :] != UNKNOWN)),
            ]
            for column in compiled.domain
        ]

    def has_domain(self, member: int, scope: int) -> bool:
        return self._known[scope][int(self._compiled.shape_of[member])]

    def by_its_needs(self, member: int, scope: int) -> bool:
        """Tell whether that is so only as long as its needs are asked."""
        kind = 0 if self._compiled.is_server[member] else 1
        return kind == 1 and not self._always[scope][kind]


def _ties(
    compiled: numbers.Compiled, knows: _Knowledge
) -> tuple[list[_Tie], list[numbers.Clause]]:
    ties, loose = [], []
    for clause in compiled.hard:
        if clause.kind is not constraints.Together:
            continue
        sure = tuple(
            m for m in clause.members if knows.has_domain(m, clause.scope)
        )
        ties.append(_Tie(clause, sure, tuple(_upwards(compiled, clause))))
        if len(sure) < len(clause.members):
            loose.append(clause)
    return ties, loose


def _upwards(
    compiled: numbers.Compiled, clause: numbers.Clause
) -> Iterator[int]:
    yield clause.scope
    for scope in range(clause.scope, len(compiled.scopes) - 1):
        if not compiled.is_nested[scope]:
            return
        yield scope + 1


def _roots(
    compiled: numbers.Compiled, ties: list[_Tie], scope: int
) -> list[int]:
    members = range(len(compiled.members))
    tied = unions.Unions(members)
    for tie in ties:
        if scope in tie.at:
            tied.join(tie.members)
    return [tied.find(member) for member in members]


def _contradiction(
    compiled: numbers.Compiled,
    bundle_of: list[Ints],
    ties: list[_Tie],
    knows: _Knowledge,
) -> Contradiction | None:
    best: Contradiction | None = None
    for clause in compiled.hard:
        if clause.kind is constraints.AtMost and clause.limit == 1:
            pairs = _met(clause, bundle_of[clause.scope], knows)
        elif clause.kind is constraints.Alone:
            pairs = _intruding(clause, bundle_of[clause.scope], knows)
        else:
            continue
        for pair in pairs:
            found = _chain(compiled, ties, clause, pair, knows)
            if best is None or len(found.rules) < len(best.rules):
                best = found
    return best


def _met(
    clause: numbers.Clause, bundle_of: Ints, knows: _Knowledge
) -> Iterator[tuple[int, int]]:
    """Give members of different units that are in one bundle."""
    seen: dict[int, tuple[int, int]] = {}
    for number, unit in enumerate(clause.units):
        for member in unit:
            if not knows.has_domain(member, clause.scope):
                continue
            bundle = int(bundle_of[member])
            other = seen.setdefault(bundle, (number, member))
            if other[0] != number:
                yield other[1], member


def _intruding(
    clause: numbers.Clause, bundle_of: Ints, knows: _Knowledge
) -> Iterator[tuple[int, int]]:
    """Give members who are to be alone, with others in their bundle."""
    alone = set(clause.members)
    inside = {
        int(bundle_of[member]): member
        for member in reversed(clause.members)
        if knows.has_domain(member, clause.scope)
    }
    here = np.flatnonzero(np.isin(bundle_of, list(inside)))
    for member in here.tolist():
        if member not in alone and knows.has_domain(member, clause.scope):
            yield inside[int(bundle_of[member])], member


def _chain(
    compiled: numbers.Compiled,
    ties: list[_Tie],
    apart: numbers.Clause,
    ends: tuple[int, int],
    knows: _Knowledge,
) -> Contradiction:
    """Find the fewest clauses that tie the two: breadth first."""
    usable = [tie for tie in ties if apart.scope in tie.at]
    holds: dict[int, list[int]] = collections.defaultdict(list)
    for number, tie in enumerate(usable):
        for member in tie.members:
            holds[member].append(number)
    came: dict[int, tuple[int, int]] = {}
    reached, queue = {ends[0]}, collections.deque([ends[0]])
    used: set[int] = set()
    while queue and ends[1] not in reached:
        member = queue.popleft()
        for number in holds[member]:
            if number in used:
                continue
            used.add(number)
            for other in usable[number].members:
                if other not in reached:
                    reached.add(other)
                    came[other] = (member, number)
                    queue.append(other)
    members, chain = [ends[1]], []
    needs: dict[str, None] = {}
    member = ends[1]
    while member != ends[0]:
        before, number = came[member]
        clause = usable[number].clause
        chain.append(clause.rule)
        for either in (before, member):
            if knows.by_its_needs(either, clause.scope):
                needs[numbers.fit(compiled.members[either])] = None
        members.append(before)
        member = before
    rules = dict.fromkeys((*reversed(chain), apart.rule, *needs))
    return Contradiction(
        tuple(rules),
        tuple(reversed(members)),
        apart.rule,
        tuple(reversed(chain)),
    )
