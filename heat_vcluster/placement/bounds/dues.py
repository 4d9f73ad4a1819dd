# SPDX-License-Identifier: Apache-2.0
"""The least that soft clauses can cost, by counts of members that look alike.

A relaxation: who is with whom is not asked, but how many of each colour are
where. So its optimum is a proven bound of the soft cost, and where it leaves
nothing placeable there is no placement.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.bounds import seating
from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.numbers import amounts, colours
from heat_vcluster.placement.numbers.compiled import Compiled
from heat_vcluster.placement.numbers.remainder import Index, Remainder
from heat_vcluster.placement.programs import exact
from heat_vcluster.placement.programs.program import INFINITY, Sum

# Pairs of like and place up to which they are counted: beyond, the making
# alone takes longer than there is time, and gigabytes.
COUNTABLE = 50_000


@dataclasses.dataclass(frozen=True, slots=True)
class Dues:
    """What the soft clauses cost at the least.

    ``soft_cost``: no placement has less, proven. ``is_tight``: the counts
    could not tell more, however long. ``placement``: a valid one near the
    counts, if there was time for it and it worked out.
    """

    verdict: model.Verdict
    soft_cost: int = 0
    is_tight: bool = False
    placement: Ints | None = None


def least(
    compiled: Compiled,
    *,
    seconds: float,
    effort: float | None = None,
    seed: int = 0,
    index: Index | None = None,
) -> Dues:
    """Bound the soft cost from below; INFEASIBLE is a proof as well."""
    ends = time.monotonic() + seconds
    index = Index(compiled) if index is None else index
    rest = Remainder(index, None, None, True)
    if rest.is_hopeless:
        return Dues(model.Verdict.INFEASIBLE)
    coloured = colours.colour(rest)
    if sum(len(like.places) for like in coloured.likes) > COUNTABLE:
        return Dues(model.Verdict.UNKNOWN)
    counted = _Counted(rest.coarse(coloured.likes, coloured.single), coloured)
    counted.program.minimize(counted.cost)
    found = counted.program.search(ends - time.monotonic(), seed, effort)
    placement = None
    if found.verdict is model.Verdict.FEASIBLE:
        placement = seating.seat(
            rest,
            counted.counts(found.values),
            seconds=ends - time.monotonic(),
            seed=seed,
        )
    return Dues(
        found.verdict, max(found.bound, 0), found.is_optimal, placement
    )


def _settled_cost(rest: Remainder) -> int:
    """Return what soft clauses cost that no free member is in."""
    index = rest.index
    return sum(
        (index.clauses[number].weight or 0)
        * amounts.amount(rest.compiled, index.clauses[number], rest.at)
        for number in rest.settled
        if number >= index.n_hard
    )


class _Counted(exact.Formulation):
    """The program of the colours; clauses of an orbit are counted together."""

    def __init__(self, rest: Remainder, coloured: colours.Coloured) -> None:
        super().__init__(rest, exact.Goal.CHEAPEST, _settled_cost(rest))
        self._orbits = coloured.orbits
        self._homes: dict[tuple[int, int], dict[int, int]] = {}
        for number, orbit in enumerate(coloured.orbits):
            self._count_orbit(number, orbit)

    def counts(self, values: Sequence[int]) -> seating.Counts:
        return seating.Counts(
            self.rest.likes,
            self._orbits,
            [
                {place: values[v] for place, v in at.items()}
                for at in self.at_place
            ],
            {
                key: {domain: values[v] for domain, v in homes.items()}
                for key, homes in self._homes.items()
            },
        )

    def _count_orbit(self, number: int, orbit: colours.Orbit) -> None:
        kind, weight = orbit.clause.kind, orbit.clause.weight
        if weight is None:
            if kind is constraints.Together:
                self._keep_together(number, orbit)
            elif kind is constraints.AtMost:
                self._keep_apart(orbit)
        elif kind is constraints.Together:
            self.cost.add(self._split(number, orbit), weight)
        elif kind is constraints.AtMost:
            self.cost.add_sum(self._crowded(orbit), weight)
        elif kind is constraints.Alone:
            self.cost.add_sum(self._disturbed(orbit), weight)
        elif kind is constraints.Near:
            self.cost.add_sum(self._far(number, orbit), weight)

    def _sure_parts(self, orbit: colours.Orbit, scope: int) -> dict[int, int]:
        return {
            like: part
            for like, part in orbit.parts.items()
            if self.is_sure(like, scope)
        }

    def _keep_together(self, number: int, orbit: colours.Orbit) -> None:
        """Hard: whole clauses in a domain, so many of each like in it."""
        scope, n = orbit.clause.scope, len(orbit.numbers)
        parts = self._sure_parts(orbit, scope)
        if not parts:
            return
        reach = self.by_reach(list(parts), scope)
        here = {
            domain: self.program.whole(0, n)
            for domain, able in reach.items()
            if len(able) == len(parts)
        }
        self._homes[number, scope] = here
        self.program.require(self.program.count(here.values()), n, n)
        for domain, able in reach.items():
            for like in able:
                count = Sum().add_sum(self.count(like, scope, domain))
                if domain in here:
                    count.add(here[domain], -parts[like])
                self.program.require(count, 0, 0)

    def _split(self, number: int, orbit: colours.Orbit) -> int:
        """Return a variable: at least the domains that clauses use too many.

        A clause that is not intact uses two. And a domain has at least as
        many of the clauses as it takes to have that many of one like.
        """
        n, scope = len(orbit.numbers), orbit.clause.scope
        parts = self._sure_parts(orbit, scope)
        size = sum(parts.values())
        split = self.program.whole(0, n * max(size - 1, 0))
        if size < 2:
            return split
        used = Sum(-n)
        for domain, able in self.by_reach(list(parts), scope).items():
            here = self.program.whole(0, n)
            used.add(here)
            for like in able:
                over = Sum().add_sum(self.count(like, scope, domain))
                self.program.require(
                    over.add(here, -parts[like]), -INFINITY, 0
                )
        self.program.require(used.add(split, -1), -INFINITY, 0)
        self._count_intact(number, orbit, scope, split)
        return split

    def _count_intact(
        self, number: int, orbit: colours.Orbit, scope: int, others: int
    ) -> None:
        """Have each clause in one domain at the scope or among the others.

        ``others`` is a variable. A domain has a clause if it has that many
        of each like for it.
        """
        n, parts = len(orbit.numbers), self._sure_parts(orbit, scope)
        intact = Sum(-n).add(others)
        homes = self._homes.setdefault((number, scope), {})
        for domain, able in self.by_reach(list(parts), scope).items():
            if len(able) < len(parts):
                continue
            whole = homes[domain] = self.program.whole(0, n)
            intact.add(whole)
            for like in able:
                lack = Sum().add_sum(self.count(like, scope, domain), -1)
                self.program.require(
                    lack.add(whole, parts[like]), -INFINITY, 0
                )
        self.program.require(intact, 0, INFINITY)

    def _keep_apart(self, orbit: colours.Orbit) -> None:
        if any(len(unit) > 1 for unit in orbit.clause.units):
            return
        scope = orbit.clause.scope
        most = orbit.clause.limit * len(orbit.numbers)
        for domain, able in self.by_reach(list(orbit.parts), scope).items():
            here = Sum()
            for like in able:
                here.add_sum(self.count(like, scope, domain))
            self.program.require(here, -INFINITY, most)

    def _crowded(self, orbit: colours.Orbit) -> Sum:
        """Return the units in any domain beyond what all clauses let in."""
        amount = Sum()
        if any(len(unit) > 1 for unit in orbit.clause.units):
            return amount
        scope = orbit.clause.scope
        most = orbit.clause.limit * len(orbit.numbers)
        for domain, able in self.by_reach(list(orbit.parts), scope).items():
            here, high = Sum(-most), -most
            for like in able:
                here.add_sum(self.count(like, scope, domain))
                high += self.most_in(like, scope, domain)
            if high > 0:
                amount.add(self.program.excess(here, high))
        return amount

    def _disturbed(self, orbit: colours.Orbit) -> Sum:
        """Return the uses of domains where others are already."""
        scope, n = orbit.clause.scope, len(orbit.numbers)
        taken = self.rest.taken_by_others(orbit.numbers[0])
        amount = Sum()
        for domain, able in self.by_reach(list(orbit.parts), scope).items():
            if not taken[domain]:
                continue
            here = self.program.whole(0, n)
            amount.add(here)
            for like in able:
                over = Sum().add_sum(self.count(like, scope, domain))
                over.add(here, -orbit.parts[like])
                self.program.require(over, -INFINITY, 0)
        return amount

    def _far(self, number: int, orbit: colours.Orbit) -> Sum:
        """Return the distances.

        At each scope: the clauses that are apart there, and no fewer than at
        wider ones.
        """
        n = len(orbit.numbers)
        amount, wider = Sum(), None
        for scope in reversed(range(len(self.rest.compiled.scopes))):
            apart = self.program.whole(0, n)
            if sum(self._sure_parts(orbit, scope).values()) > 1:
                self._count_intact(number, orbit, scope, apart)
            if wider is not None:
                order = Sum().add(wider).add(apart, -1)
                self.program.require(order, -INFINITY, 0)
            amount.add(apart)
            wider = apart
        return amount
