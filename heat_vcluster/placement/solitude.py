# SPDX-License-Identifier: Apache-2.0
"""The least that wishes to be alone cost, by the idle domains there are.

An idle domain is for one of those who want to be alone there, and not all of
them can take it; who is alone in a wide one leaves nothing in it to those who
would be alone in a narrow one. So it is a matching: who gets none pays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from heat_vcluster.placement import amounts, constraints, exact
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.compiled import Clause, Compiled
from heat_vcluster.placement.contract import Contracted
from heat_vcluster.placement.program import INFINITY, Program, Sum
from heat_vcluster.placement.takes import Takes

# Deterministic seconds for the matching: it takes tenths in large clouds.
EFFORT = 1.0
# Pairs of member and place up to which those who want to be alone are placed
# exactly, without the others, and a part of the time that this may take.
FEW = 50_000
SHARE = 0.5


def least(
    compiled: Compiled,
    contracted: Contracted,
    placement: Ints,
    *,
    seconds: float,
    seed: int = 0,
) -> int:
    """Return what soft Alone clauses cost at the least, proven.

    ``placement``: a valid one; what it costs need not be bounded.
    """
    wishes = list(_Wishes(compiled, contracted).alike())
    if not any(wish.weight for wish in wishes):
        return 0
    top = max(wish.scope for wish in wishes)
    cost = _Matching(compiled, wishes, top).least(seconds, seed)
    return max(cost, _exactly(compiled, placement, cost, seconds, seed))


def _exactly(
    compiled: Compiled, placement: Ints, known: int, seconds: float, seed: int
) -> int:
    """Bound it by who wants to be alone, and nobody else, to the end.

    All of theirs has to be met at once then. More is not known of it than
    ``known``, unless this is worth the time.
    """
    few = compiled.among(
        {
            member
            for clause in (*compiled.hard, *compiled.soft)
            if clause.kind is constraints.Alone
            for member in clause.members
        }
    )
    few.soft = tuple(c for c in few.soft if c.kind is constraints.Alone)
    hint = placement[[compiled.numbers[name] for name in few.members]]
    if few.n_pairs > FEW or amounts.soft_cost(few, hint) <= known:
        return known
    return exact.solve(
        few,
        hint=hint,
        goal=exact.Goal.CHEAPEST,
        seconds=seconds,
        effort=SHARE * seconds,
        seed=seed,
    ).bound.soft_cost


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """So many clauses that may have the same domains at a scope."""

    scope: int
    weight: int | None
    options: Flags
    count: int


class _Wishes:
    """Clauses of which no two have a member in common, by what they want."""

    def __init__(self, compiled: Compiled, contracted: Contracted) -> None:
        self._compiled, self._contracted = compiled, contracted
        self._takes = Takes(compiled)

    def alike(self) -> Iterator[_Wish]:
        groups: dict[tuple[int, int | None, bytes], list[Flags]] = {}
        for clause in self._disjoint():
            options = self._options(clause)
            if options is None:
                continue
            key = clause.scope, clause.weight, options.tobytes()
            groups.setdefault(key, []).append(options)
        for key, group in groups.items():
            scope, weight, _ = key
            yield _Wish(scope, weight, group[0], len(group))

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

    def _options(self, clause: Clause) -> Flags | None:
        """Return the domains that may be its own.

        Each member has to be in one of those, with all that must be with it;
        so it is enough to look at who has the least choice. None: maybe all
        of them lie nowhere, and want nothing.
        """
        scope = clause.scope
        mine = ~self._compiled.busy[scope] & ~self._taken(clause)
        options = []
        for number in {
            int(self._contracted.bundle_of[scope][m])
            for m in clause.members
            if self._takes.is_sure(m, scope)
        }:
            bundle = self._contracted.bundles[scope][number]
            options.append(mine & self._may_take(bundle, scope))
        if not options:
            return None
        return min(options, key=lambda flags: int(flags.sum()))

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
        asked = np.sum([self._takes.asked(m) for m in members], axis=0)
        for amount, room in zip(asked, self._takes.room(scope), strict=True):
            may &= room >= amount
        return may


class _Matching:
    """How many of each wish are given, by domain of the widest scope."""

    def __init__(
        self, compiled: Compiled, wishes: list[_Wish], top: int
    ) -> None:
        self._compiled, self._top = compiled, top
        self._program = Program()
        self._cost = Sum()
        owned: dict[int, Sum] = {}
        inside: dict[tuple[int, int], Sum] = {}
        for wish in wishes:
            for domain, given in self._give(wish).items():
                if wish.scope == top:
                    owned.setdefault(domain, Sum()).add(given)
                else:
                    key = wish.scope, domain
                    inside.setdefault(key, Sum()).add(given)
        for of in owned.values():
            self._program.require(of, 0, 1)
        self._share(wishes, owned, inside)

    def least(self, seconds: float, seed: int) -> int:
        self._program.minimize(self._cost)
        return max(self._program.search(seconds, seed, EFFORT).bound, 0)

    def _give(self, wish: _Wish) -> dict[int, int]:
        """Return variables: how many have their own in each wide domain."""
        wide = self._above(wish.scope)[np.flatnonzero(wish.options)]
        domains, counts = np.unique(wide, return_counts=True)
        given = {
            int(domain): self._program.whole(0, min(wish.count, int(count)))
            for domain, count in zip(domains, counts, strict=True)
        }
        total = Program.count(given.values())
        if wish.weight is None:
            self._program.require(total, wish.count, wish.count)
        else:
            without = self._program.whole(0, wish.count)
            total.add(without)
            self._program.require(total, wish.count, INFINITY)
            self._cost.add(without, wish.weight)
        return given

    def _share(
        self,
        wishes: list[_Wish],
        owned: Mapping[int, Sum],
        inside: Mapping[tuple[int, int], Sum],
    ) -> None:
        """Have narrow domains be for one each, and not in an owned one."""
        for scope in {wish.scope for wish in wishes} - {self._top}:
            any_of = np.any(
                [wish.options for wish in wishes if wish.scope == scope],
                axis=0,
            )
            wide = self._above(scope)[any_of]
            for domain, count in zip(
                *map(np.ndarray.tolist, np.unique(wide, return_counts=True)),
                strict=True,
            ):
                of = Sum().add_sum(inside[scope, domain])
                if domain != UNKNOWN and domain in owned:
                    of.add_sum(owned[domain], count)
                self._program.require(of, 0, count)

    def _above(self, scope: int) -> Ints:
        """Return, by domain, the one of the widest scope that it lies in.

        UNKNOWN where that is not known, or not the same for all of it.
        """
        compiled = self._compiled
        nested = compiled.is_nested[scope : self._top]
        if scope < self._top and not all(nested):
            return np.full(compiled.n_domains[scope], UNKNOWN, np.int64)
        return compiled.above(scope, self._top)
