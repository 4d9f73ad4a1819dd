# SPDX-License-Identifier: Apache-2.0
"""The problem member by member as one integer program: exact, for few.

For small problems whole, and for parts of large ones: most members fixed,
few places allowed. Members that nothing tells apart are counted, which loses
nothing; every clause is there with its exact amount.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Compiled
from heat_vcluster.placement.numbers.remainder import (
    Choice,
    Index,
    Like,
    Remainder,
)
from heat_vcluster.placement.programs import clauses, program
from heat_vcluster.placement.programs.counts import Counts
from heat_vcluster.placement.programs.program import INFINITY, Sum


class Goal(enum.Enum):
    """How far to go. Each includes those before it."""

    ANY = 1  # soft clauses play no part
    CHEAPEST = 2  # the least soft cost
    BEST = 3  # and of that cost, the least objective


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What the search came to; costs are of the whole problem.

    ``placement`` is by member, UNKNOWN where one has no place, and set if
    FEASIBLE; so is ``costs``, by soft clause. ``bound`` says what no placement
    can beat that keeps to what was fixed and allowed; ``is_complete``: that is
    every placement there is, and so with INFEASIBLE. ``effort`` is in seconds
    of the solver's deterministic clock.
    """

    verdict: model.Verdict
    placement: Ints | None = None
    soft_cost: int = 0
    objective: int = 0
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)
    is_complete: bool = True
    effort: float = 0.0
    costs: Ints | None = None


def solve(
    compiled: Compiled,
    *,
    allowed: Mapping[int, Sequence[int]] | None = None,
    fixed: Ints | None = None,
    hint: Ints | None = None,
    goal: Goal = Goal.BEST,
    seconds: float = 10.0,
    effort: float | None = None,
    seed: int = 0,
    soft_below: int | None = None,
    soft_bound: int = 0,
    index: Index | None = None,
    choice: Choice | None = None,
    costs: Ints | None = None,
    later: Collection[int] = (),
) -> Result:
    """Place the free members as well as can be.

    ``allowed`` maps members to the places they may take (others: any);
    ``fixed`` has the place of each member that has one already (UNKNOWN:
    free); ``hint`` a placement to begin from. ``soft_below``: only a lower
    soft cost counts as a solution; ``soft_bound``: none has less, which is
    known (of the whole problem). ``effort`` limits the time by the
    solver's own deterministic clock. ``index`` saves the making of one.
    ``choice`` thins out the places that sizes and clauses leave to members.
    ``costs`` has what each soft clause costs while none of its members moves;
    given that, fixed members are taken to obey the hard ones among them.
    Who comes ``later`` gets no place now (see ``Remainder``).
    """
    ends = time.monotonic() + seconds
    index = Index(compiled) if index is None else index
    rest = Remainder(
        index, fixed, allowed, goal is not Goal.ANY, choice, later
    )
    is_complete = (allowed is None and choice is None and not later) and (
        fixed is None or bool(np.all(index.start(None) == rest.at))
    )
    search = _Search(rest, goal, seed, ends, effort, costs)
    result = search.run(hint, soft_below, soft_bound)
    return dataclasses.replace(result, is_complete=is_complete)


class _Search:
    """The program of a remainder, minimized goal by goal."""

    def __init__(
        self,
        rest: Remainder,
        goal: Goal,
        seed: int,
        ends: float,
        effort: float | None,
        costs: Ints | None,
    ) -> None:
        self._rest = rest
        self._costs = costs
        self._goal = goal
        self._seed = seed
        self._ends = ends
        self._effort = effort
        self._spent = 0.0

    def run(
        self, hint: Ints | None, soft_below: int | None, soft_bound: int
    ) -> Result:
        rest = self._rest
        if rest.is_hopeless or self._breaks_settled():
            return Result(model.Verdict.INFEASIBLE)
        built = Formulation(rest, self._goal, self._settled_cost())
        if soft_below is not None:
            built.program.require(built.cost, -INFINITY, soft_below - 1)
        if soft_bound and built.cost.variables:
            built.program.require(built.cost, soft_bound, INFINITY)
        if hint is not None:
            built.hint(hint)
        if self._goal is Goal.ANY:
            return self._any(built)
        return self._cheapest(built, soft_bound)

    def _breaks_settled(self) -> bool:
        """Tell whether fixed members alone break a hard clause."""
        rest = self._rest
        return self._costs is None and any(
            amounts.amount(rest.compiled, rest.index.clauses[number], rest.at)
            for number in rest.settled
            if number < rest.index.n_hard
        )

    def _settled_cost(self) -> int:
        """Return what soft clauses cost that no free member is in."""
        rest, n_hard = self._rest, self._rest.index.n_hard
        soft = [number for number in rest.settled if number >= n_hard]
        if self._costs is not None:
            return sum(int(self._costs[number - n_hard]) for number in soft)
        return sum(self._cost(number, rest.at) for number in soft)

    def _cost(self, number: int, placement: Ints) -> int:
        clause = self._rest.index.clauses[number]
        return (clause.weight or 0) * amounts.amount(
            self._rest.compiled, clause, placement
        )

    def _costs_of(self, placement: Ints) -> Ints:
        """Return what each soft clause costs."""
        n_hard, count = self._rest.index.n_hard, len(self._rest.index.clauses)
        if self._costs is None or self._goal is Goal.ANY:
            costs = np.zeros(count - n_hard, np.int64)
            changed: Sequence[int] = range(n_hard, count)
        else:
            costs = self._costs.copy()
            changed = [n for n in self._rest.clauses if n >= n_hard]
        for number in changed:
            costs[number - n_hard] = self._cost(number, placement)
        return costs

    def _search(self, built: Formulation) -> program.Found:
        effort = self._effort
        found = built.program.search(
            self._ends - time.monotonic(),
            self._seed,
            None if effort is None else max(effort - self._spent, 0.01),
        )
        self._spent += found.effort
        return found

    def _any(self, built: Formulation) -> Result:
        found = self._search(built)
        if found.verdict is not model.Verdict.FEASIBLE:
            return Result(found.verdict, effort=self._spent)
        return self._result(built.placement(found.values), model.Bound())

    def _cheapest(self, built: Formulation, soft_bound: int) -> Result:
        cost, objective = built.cost, built.objective
        if not cost.variables and objective is not None:
            return self._best(built, None)
        built.program.minimize(cost)
        found = self._search(built)
        bound = model.Bound(max(found.bound, soft_bound))
        if found.verdict is not model.Verdict.FEASIBLE:
            return Result(found.verdict, bound=bound, effort=self._spent)
        placement = built.placement(found.values)
        result = self._result(placement, bound)
        if objective is None:
            return result
        built.program.require(cost, -INFINITY, result.soft_cost)
        built.hint(placement)
        return self._best(built, result)

    def _best(self, built: Formulation, before: Result | None) -> Result:
        """Minimize the objective; the soft cost can get no higher."""
        assert built.objective is not None  # noqa: S101
        built.program.minimize(built.objective)
        found = self._search(built)
        soft_bound = (
            built.cost.constant if before is None else before.bound.soft_cost
        )
        if found.verdict is not model.Verdict.FEASIBLE:
            if before is not None:
                least = None
                if before.soft_cost == soft_bound:
                    least = max(found.bound, 0)
                return dataclasses.replace(
                    before,
                    bound=model.Bound(soft_bound, least),
                    effort=self._spent,
                )
            return Result(
                found.verdict,
                bound=model.Bound(soft_bound),
                effort=self._spent,
            )
        result = self._result(
            built.placement(found.values), model.Bound(soft_bound)
        )
        if result.soft_cost > soft_bound:
            return result
        bound = model.Bound(soft_bound, max(found.bound, 0))
        return dataclasses.replace(result, bound=bound)

    def _result(self, placement: Ints, bound: model.Bound) -> Result:
        costs = self._costs_of(placement)
        return Result(
            model.Verdict.FEASIBLE,
            placement,
            int(costs.sum()),
            amounts.objective(self._rest.compiled, placement),
            bound,
            effort=self._spent,
            costs=costs,
        )


class Formulation(Counts):
    """A remainder as an integer program.

    ``cost`` is the soft cost, and ``objective`` the objective (None: not
    asked for): at least, and exactly once minimized.
    """

    def __init__(self, rest: Remainder, goal: Goal, settled_cost: int) -> None:
        super().__init__(rest, with_hosts=goal is Goal.BEST)
        self.cost = Sum(settled_cost).add_sum(clauses.Amounts(self).ask())
        self.objective = self._objective() if goal is Goal.BEST else None

    def _objective(self) -> Sum:
        if self._compiled.problem.objective == 'pack':
            fresh = [flag for flag in self.used.values() if flag >= 0]
            used = self.program.count(fresh)
            used.constant = len(self.hosts_before)
            return used
        return Sum().add(self._highest_fill())

    def _highest_fill(self) -> int:
        """Return a variable no less than any fill that counts."""
        rest, compiled = self.rest, self._compiled
        lowest = amounts.objective(compiled, rest.at)
        on: dict[int, list[tuple[Like, int]]] = {}
        for like, variables in zip(rest.likes, self.at_place, strict=True):
            if like.is_server:
                for place, variable in variables.items():
                    on.setdefault(place, []).append((like, variable))
        fills: list[tuple[Sum, int]] = []  # taken, of how much
        highest = lowest
        for host, found in sorted(on.items()):
            for number, total in enumerate(compiled.total):
                cap = int(total[host])
                if cap <= 0:
                    continue
                before = cap - int(rest.host_room[number][host])
                taken, most = Sum().add(self.used[host], before), before
                for like, variable in found:
                    if like.size[number]:
                        taken.add(variable, like.size[number])
                        most += (
                            like.size[number] * self.most[like.number][host]
                        )
                most = min(most, max(cap, before))
                if _fill(most, cap) > lowest:
                    fills.append((taken, cap))
                    highest = max(highest, _fill(most, cap))
        level = self.program.follow(
            lowest,
            highest,
            lambda values: max(
                [lowest, *(_fill(t.value(values), cap) for t, cap in fills)]
            ),
        )
        for taken, cap in fills:
            scaled = Sum().add_sum(taken, 1000).add(level, -cap)
            self.program.require(scaled, -INFINITY, 0)
        return level


def _fill(taken: int, cap: int) -> int:
    """Return the fill in per mille, rounded up."""
    return -(-1000 * taken // cap)
