# SPDX-License-Identifier: Apache-2.0
"""A placement made better part by part: large neighbourhood search.

Again and again a few members are taken out and put back as well as can be,
by the exact search, with all others fixed and few places allowed. Which ones:
those of a soft clause that costs, all of a few racks, what sits on the
emptiest or the fullest hosts. What did well is tried more often.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.better.neighbourhoods import Neighbourhoods, Way
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Compiled
from heat_vcluster.placement.numbers.remainder import Index
from heat_vcluster.placement.programs import exact

# Deterministic seconds of the solver that one part may take.
EFFORT = 0.1
# Pairs of members and places in one part. Small parts are cheap, larger ones
# get where small ones cannot: after so many rounds in vain comes the next
# size, and after the last, or when they take too long, the first again.
SIZES = (200, 400, 800, 1600, 3200)
# ... and to do with a host less takes several, so packing begins with this.
PACKING = 3
ROUNDS_IN_VAIN = 40
# About seconds that a pair takes to set up.
SETUP = 1e-5
# How often places are chosen by nearness when it is not all that counts.
NEARNESS = 0.4
# How ways of choosing are drawn: what is remembered, and the share of the best
# that those that did nothing of late get all the same.
MEMORY = 0.9
HOPE = 0.3
LEAST_WORTH = 1e-9
# The soft cost gets all the time, until this share of it was in vain.
IN_VAIN = 0.3
LEAST_IN_VAIN = 0.3  # deterministic seconds


def improve(
    compiled: Compiled,
    placement: Ints,
    *,
    seconds: float,
    seed: int = 0,
    bound: model.Bound | None = None,
    effort: float | None = None,
    index: Index | None = None,
) -> Ints:
    """Return a valid placement no worse than the one given, which is valid.

    Stops when the bound is reached, or after ``seconds``, or after so much
    ``effort`` on the solver's deterministic clock.
    """
    search = _Search(
        compiled, Index(compiled) if index is None else index, placement, seed
    )
    search.run(
        time.monotonic() + seconds,
        model.Bound(0, 0) if bound is None else bound,
        effort,
    )
    return search.placement


class _Course:
    """Ways of choosing members for one goal; what they were worth of late.

    ``size`` is that of the next part. ``spent``: effort since the soft cost
    was last lowered.
    """

    def __init__(
        self, goal: exact.Goal, ways: Sequence[Way], level: int = 0
    ) -> None:
        self.goal = goal
        self.ways = ways
        self.spent = 0.0
        self._worth = np.ones(len(ways))
        self._level = level
        self._vain = 0
        self._unsolved = 0

    @property
    def size(self) -> int:
        return SIZES[self._level]

    def draw(self, random: np.random.Generator) -> int:
        share = HOPE + self._worth / max(self._worth.max(), LEAST_WORTH)
        return int(random.choice(len(share), p=share / share.sum()))

    def learn(
        self, way: int, is_gain: bool, is_solved: bool, effort: float
    ) -> None:
        self.spent += effort
        gain = float(is_gain) / effort
        self._worth[way] = MEMORY * self._worth[way] + (1 - MEMORY) * gain
        self._vain = 0 if is_gain else self._vain + 1
        self._unsolved += not is_solved
        if self._vain >= ROUNDS_IN_VAIN:
            is_last = self._level == len(SIZES) - 1
            is_slow = self._unsolved > ROUNDS_IN_VAIN // 2
            self._level = 0 if is_last or is_slow else self._level + 1
            self._vain = self._unsolved = 0


def _is_solved(result: exact.Result, goal: exact.Goal) -> bool:
    """Tell whether nothing better is in that part, proven."""
    if result.verdict is not model.Verdict.FEASIBLE:
        return False
    if result.bound.soft_cost < result.soft_cost:
        return False
    return goal is exact.Goal.CHEAPEST or (
        result.bound.objective is not None
        and result.bound.objective >= result.objective
    )


class _Search:
    def __init__(
        self, compiled: Compiled, index: Index, placement: Ints, seed: int
    ) -> None:
        self.placement = placement
        self.rounds = 0
        self._spent = 0.0
        self._compiled = compiled
        self._index = index
        self._random = np.random.default_rng(seed)
        self._parts = Neighbourhoods(compiled, index, self._random)
        self._cheaper, self._better = self._courses()
        costs = [
            (clause.weight or 0) * amounts.amount(compiled, clause, placement)
            for clause in compiled.soft
        ]
        self._costs = np.array(costs, np.int64)
        self._value = (
            int(self._costs.sum()),
            amounts.objective(compiled, placement),
        )
        self._parts.stand(placement, self._costs)

    def _courses(self) -> tuple[_Course, _Course]:
        parts = self._parts
        is_pack = self._compiled.problem.objective == 'pack'
        cheaper = (
            parts.gather,
            parts.costly,
            parts.mates,
            parts.racks,
            parts.anyone,
        )
        better = (
            parts.emptiest if is_pack else parts.fullest,
            parts.racks,
            parts.anyone,
        )
        return (
            _Course(exact.Goal.CHEAPEST, cheaper),
            _Course(exact.Goal.BEST, better, PACKING if is_pack else 0),
        )

    def run(
        self, ends: float, bound: model.Bound, effort: float | None
    ) -> None:
        while not self._is_best(bound):
            left = ends - time.monotonic()
            if left <= 0 or (effort is not None and self._spent >= effort):
                return
            self._round(self._course(bound), left)

    def _is_best(self, bound: model.Bound) -> bool:
        soft_cost, objective = self._value
        if self._parts.is_empty:
            return True
        if soft_cost > bound.soft_cost:
            return False
        return bound.objective is not None and objective <= bound.objective

    def _course(self, bound: model.Bound) -> _Course:
        """Choose what to go for: soft cost first, but not in vain for ever."""
        cheaper, better = self._cheaper, self._better
        if self._value[0] <= bound.soft_cost:
            return better
        enough = max(LEAST_IN_VAIN, IN_VAIN * self._spent)
        if cheaper.spent > enough and better.spent < cheaper.spent:
            return better
        return cheaper

    def _round(self, course: _Course, left: float) -> None:
        self.rounds += 1
        before = self._value
        way, size = course.draw(self._random), course.size
        members = self._parts.take(course.ways[way](), size)
        result = self._solve(members, size, course.goal, left)
        self._accept(result)
        effort = result.effort + SETUP * size
        self._spent += effort
        is_solved = _is_solved(result, course.goal)
        course.learn(way, self._value < before, is_solved, effort)
        if self._value[0] < before[0]:
            self._cheaper.spent = self._better.spent = 0.0

    def _solve(
        self,
        members: Sequence[int],
        pairs: int,
        goal: exact.Goal,
        left: float,
    ) -> exact.Result:
        fixed = self.placement.copy()
        fixed[list(members)] = UNKNOWN
        is_near = goal is exact.Goal.CHEAPEST or (
            self._random.random() < NEARNESS
        )
        choose = self._parts.near if is_near else self._parts.promising
        return exact.solve(
            self._compiled,
            fixed=fixed,
            choice=choose(members, pairs),
            costs=self._costs,
            hint=self.placement,
            goal=goal,
            seconds=left,
            effort=EFFORT,
            seed=int(self._random.integers(1 << 30)),
            index=self._index,
        )

    def _accept(self, result: exact.Result) -> None:
        if result.placement is None or result.costs is None:
            return
        value = (result.soft_cost, result.objective)
        if value <= self._value:
            self.placement, self._value = result.placement, value
            self._costs = result.costs
            self._parts.stand(self.placement, self._costs)
