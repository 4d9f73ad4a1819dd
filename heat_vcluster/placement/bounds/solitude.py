# SPDX-License-Identifier: Apache-2.0
"""The least that wishes to be alone cost, by the idle domains there are.

An idle domain is for one of those who want to be alone there, and not all of
them can take it; who is alone in a wide one leaves nothing in it to those who
would be alone in a narrow one. So it is a matching: of rules and domains, so
many of these as a rule needs for its members. Whose wish gets none pays.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Floats, Ints
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.contract import Contracted
from heat_vcluster.placement.numbers.takes import Takes
from heat_vcluster.placement.programs import linear

# Who has more choice than so many domains is taken to find one.
MANY = 20_000
# Variables up to which the matching is solved in whole numbers, too: it takes
# seconds beyond, and tells hardly more.
FEW = 5000
# Kinds of bundles of one rule up to which all sets of them are looked at.
KINDS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Solitude:
    """What soft Alone clauses cost at the least, proven.

    ``broken`` has by how much each is broken, 0 or 1, where they cost about
    so much: as far as that is known. Whatever costs just so much obeys all of
    ``kept``.
    """

    soft_cost: int
    broken: tuple[tuple[Clause, int], ...] = ()
    kept: tuple[Clause, ...] = ()


def least(
    compiled: Compiled,
    contracted: Contracted,
    *,
    seconds: float,
    seed: int = 0,
) -> Solitude:
    """Bound what all soft Alone clauses cost; ``seconds`` it may take."""
    claims = list(_Claims(compiled, contracted).all())
    if not any(claim.clause.weight for claim in claims):
        return Solitude(0)
    ends = time.monotonic() + seconds
    alike = _alike(compiled, claims)
    matching = _Matching(compiled, claims, alike)
    relaxed = matching.program.relax(ends)
    bound = relaxed.bound
    values: Floats | Ints | None = relaxed.values
    if matching.program.n_variables <= FEW:
        outcome = matching.program.seek(ends, seed)
        bound = max(bound, outcome.bound)
        values = values if outcome.values is None else outcome.values
    if values is None:
        return Solitude(bound)
    broken = tuple(matching.broken(values))
    kept: tuple[Clause, ...] = ()
    if matching.program.n_variables <= FEW:
        kept = tuple(_kept(compiled, claims, alike, broken, bound, ends, seed))
    return Solitude(bound, broken, kept)


def _kept(
    compiled: Compiled,
    claims: Sequence[_Claim],
    alike: Mapping[int, _Alike],
    broken: Sequence[tuple[Clause, int]],
    bound: int,
    ends: float,
    seed: int,
) -> Iterator[Clause]:
    """Give what is obeyed by all that costs no more than the bound.

    Who is alone in all of it; and who is together, as he shares a domain,
    which costs more in each further one, and has none to himself.
    """
    takes = Takes(compiled)
    for clause, amount in broken:
        if time.monotonic() > ends:
            return
        other = _Matching(compiled, claims, alike)
        if not amount:
            kept = clause
            other.break_off(clause)
        elif all(takes.is_sure(m, clause.scope) for m in clause.members):
            kept = dataclasses.replace(clause, kind=constraints.Together)
            other.let_in(clause)
        else:
            continue
        if other.program.relax(ends).bound > bound:
            yield kept
            continue
        found = other.program.solve(ends, seed)
        if found.status is linear.Status.NONE or found.bound > bound:
            yield kept


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """A clause, and how many of its bundles each domain takes.

    ``rows`` has that for some sets of the bundles, each with how many these
    are: [domain], nothing where it may not be alone. ``domains``: so many of
    its own it has at the least, by other rules.
    """

    clause: Clause
    rows: tuple[tuple[Ints, int], ...]
    domains: int

    def options(self) -> Ints:
        """Return the domains that take any of the bundles."""
        return np.flatnonzero(
            np.any([takes > 0 for takes, _ in self.rows], axis=0)
        )


class _Claims:
    """Clauses of which no two have a member in common, by what they want."""

    def __init__(self, compiled: Compiled, contracted: Contracted) -> None:
        self._compiled, self._contracted = compiled, contracted
        self._takes = Takes(compiled)

    def all(self) -> Iterator[_Claim]:
        for clause in self._disjoint():
            claim = _Claim(
                clause,
                tuple(self._rows(clause)),
                self._domains_asked(clause),
            )
            if claim.rows and len(claim.options()) <= MANY:
                yield claim

    def _disjoint(self) -> Iterator[Clause]:
        """Give the hard clauses, then the costliest, as far as they do."""
        alone = [
            clause
            for clause in (*self._compiled.hard, *self._compiled.soft)
            if clause.kind is constraints.Alone
        ]
        alone.sort(
            key=lambda c: (c.weight is not None, -(c.weight or 0), -c.scope)
        )
        seen: set[int] = set()
        for clause in alone:
            if seen.isdisjoint(clause.members):
                seen.update(clause.members)
                yield clause

    def _domains_asked(self, clause: Clause) -> int:
        """Return in how many domains hard rules want its members."""
        mine, scope = set(clause.members), clause.scope
        asked = 1
        for other in self._compiled.hard:
            members = other.members
            if other.scope != scope or not mine.issuperset(members):
                continue
            if not all(self._takes.is_sure(m, scope) for m in members):
                continue
            if other.kind is constraints.AtLeast:
                asked = max(asked, other.limit)
            elif other.kind is constraints.AtMost and other.limit:
                asked = max(asked, -(-len(other.units) // other.limit))
        return asked

    def _rows(self, clause: Clause) -> Iterator[tuple[Ints, int]]:
        """Give what domains take of the clause's bundles, of those alike too.

        A bundle that may lie nowhere wants nothing.
        """
        scope = clause.scope
        mine = ~self._compiled.busy[scope] & ~self._taken(clause)
        kinds: dict[object, list[tuple[int, ...]]] = {}
        may: dict[object, Flags] = {}
        for number in sorted(
            {
                int(self._contracted.bundle_of[scope][m])
                for m in clause.members
                if self._takes.is_sure(m, scope)
            }
        ):
            bundle = self._contracted.bundles[scope][number]
            flags = mine & self._may_take(bundle, scope)
            asked = tuple(self._asked(bundle))
            key = flags.tobytes(), asked
            kinds.setdefault(key, []).append(asked)
            may[key] = flags
        for chosen in _sets(list(kinds)):
            bundles = [asked for key in chosen for asked in kinds[key]]
            takes = np.sum(
                [may[key] * np.int64(len(kinds[key])) for key in chosen],
                axis=0,
            )
            yield self._at_once(scope, bundles, takes), len(bundles)

    def _at_once(
        self, scope: int, bundles: Sequence[tuple[int, ...]], most: Ints
    ) -> Ints:
        """Return how many of the bundles each domain takes, the smallest."""
        takes = most
        for asked, room in zip(
            zip(*bundles, strict=True), self._takes.room(scope), strict=True
        ):
            together = np.cumsum(np.sort(asked))
            takes = np.minimum(
                takes, np.searchsorted(together, room, side='right')
            )
        return takes

    def _taken(self, clause: Clause) -> Flags:
        """Return the domains with somebody else who stays there."""
        column = self._compiled.domain[clause.scope]
        taken = np.zeros(self._compiled.n_domains[clause.scope] + 1, np.bool_)
        for shape in self._compiled.shapes:
            if shape.fixed and len(shape.places):
                inside = np.flatnonzero(
                    self._compiled.shape_of == shape.number
                ).tolist()
                if not set(inside) <= set(clause.members):
                    taken[column[shape.places[0]]] = True
        return taken[:-1]

    def _may_take(self, members: tuple[int, ...], scope: int) -> Flags:
        """Return the domains with room for all of these, as far as is seen."""
        may = np.ones(self._compiled.n_domains[scope], np.bool_)
        shapes: dict[int, list[int]] = {}
        for member in members:
            shapes.setdefault(self._takes.shape(member), []).append(member)
        for alike in shapes.values():
            may &= self._takes.slots(alike[0], scope) >= len(alike)
        for amount, room in zip(
            self._asked(members), self._takes.room(scope), strict=True
        ):
            may &= room >= amount
        return may

    def _asked(self, members: tuple[int, ...]) -> list[int]:
        asked = [self._takes.asked(member) for member in members]
        return [sum(amounts) for amounts in zip(*asked, strict=True)]


def _sets(kinds: Sequence[object]) -> Iterator[tuple[object, ...]]:
    """Give all sets of kinds, or where that is too many one each, and all."""
    for size in range(1, len(kinds) + 1):
        if len(kinds) <= KINDS or size in (1, len(kinds)):
            yield from itertools.combinations(kinds, size)


class _Matching:
    """How many of which domains are whose.

    Domains in the same wider ones that take as many of all bundles are
    counted as one. Not so those in which there are narrower ones of others.
    """

    def __init__(
        self,
        compiled: Compiled,
        claims: Sequence[_Claim],
        alike: Mapping[int, _Alike],
    ) -> None:
        self.program = linear.Program()
        self._pays: dict[int, Clause] = {}
        self._own: dict[Clause, range] = {}
        # Scope -> set of domains alike -> the variables of those who could
        # have some.
        self._owned: dict[int, dict[int, list[int]]] = {}
        self._alike = alike
        for claim in claims:
            self._claim(claim)
        self._share(compiled)
        weights = [clause.weight or 0 for clause in self._pays.values()]
        self.program.minimise(list(self._pays), weights)

    def broken(self, values: Ints | Floats) -> Iterator[tuple[Clause, int]]:
        for pays, clause in self._pays.items():
            yield clause, round(float(values[pays]))

    def break_off(self, clause: Clause) -> None:
        """Have it be broken."""
        pays = [n for n, other in self._pays.items() if other == clause]
        self.program.total(pays, low=1)

    def let_in(self, clause: Clause) -> None:
        """Have it have a domain to itself, be it broken or not."""
        self.program.total(self._own[clause], low=1)

    def _claim(self, claim: _Claim) -> None:
        clause, program = claim.clause, self.program
        alike = self._alike[clause.scope]
        sets = np.unique(alike.set_of[claim.options()])
        first = program.variables(alike.sizes[sets].tolist())
        self._own[clause] = range(first, first + len(sets))
        owned = self._owned.setdefault(clause.scope, {})
        for number, each in enumerate(sets.tolist(), first):
            owned.setdefault(each, []).append(number)
        pays = []
        if clause.weight is not None:
            pays = [program.variables([1])]
            self._pays[pays[0]] = clause
        for takes, count in claim.rows:
            here = takes[alike.samples[sets]]
            numbers = (first + np.flatnonzero(here)).tolist() + pays
            factors = here[here > 0].tolist() + [count] * len(pays)
            program.row(numbers, factors, low=count)
            # It needs one at least, whatever part of the bundles that takes.
            program.total(numbers, low=1)
        if claim.domains > 1:
            everywhere = list(self._own[clause])
            factors = [1] * len(sets) + [claim.domains] * len(pays)
            program.row(everywhere + pays, factors, low=claim.domains)

    def _share(self, compiled: Compiled) -> None:
        """Have each domain be for one, and none in it for any other."""
        for scope, owned in self._owned.items():
            alike = self._alike[scope]
            wider = [
                (wide, compiled.above(scope, wide))
                for wide in self._owned
                if wide > scope and all(compiled.is_nested[scope:wide])
            ]
            for each, numbers in owned.items():
                size = int(alike.sizes[each])
                above: list[int] = []
                for wide, column in wider:
                    domain = int(column[alike.samples[each]])
                    if domain != UNKNOWN:
                        around = int(self._alike[wide].set_of[domain])
                        above += self._owned[wide].get(around, [])
                self.program.row(
                    numbers + above,
                    [1] * len(numbers) + [size] * len(above),
                    high=size,
                )


class _Alike:
    """Domains of a scope in sets, of which none needs to be told apart.

    ``set_of[domain]``; of each set its ``sizes`` and one of ``samples``.
    """

    def __init__(
        self, compiled: Compiled, claims: Sequence[_Claim], scope: int
    ) -> None:
        count = compiled.n_domains[scope]
        scopes = {claim.clause.scope for claim in claims}
        signs = [
            takes
            for claim in claims
            if claim.clause.scope == scope
            for takes, _ in claim.rows
        ]
        if scope > min(scopes):
            signs = [np.arange(count)]
        signs += [
            compiled.above(scope, wide)
            for wide in scopes
            if wide > scope and all(compiled.is_nested[scope:wide])
        ]
        set_of = np.zeros(count, np.int64)
        for sign in signs:
            # One at a time: all of them take much memory.
            width = int(sign.max(initial=0)) + 2
            keys = set_of * width + sign + 1
            _, set_of = np.unique(keys, return_inverse=True)
        self.set_of: Ints = set_of
        _, self.samples, self.sizes = np.unique(
            set_of, return_index=True, return_counts=True
        )


def _alike(compiled: Compiled, claims: Sequence[_Claim]) -> dict[int, _Alike]:
    """Return the sets of domains of each scope that is claimed."""
    return {
        scope: _Alike(compiled, claims, scope)
        for scope in {claim.clause.scope for claim in claims}
    }
