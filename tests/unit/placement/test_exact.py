# SPDX-License-Identifier: Apache-2.0
"""Member by member, the search finds what trying everything finds."""

from __future__ import annotations

import dataclasses
import random

import numpy as np

from heat_vcluster.placement import checker, model, policies
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(80)


def compile_it(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def names(made: compiled.Compiled, result: exact.Result) -> dict[str, str]:
    """Return member -> place, of those that have one."""
    return {
        member: made.place_names[int(place)]
        for member, place in zip(made.members, result.placement, strict=True)
        if place != UNKNOWN
    }


def both(seed: int) -> tuple[model.Problem, model.Problem]:
    return oracle.tiny(seed), oracle.tiny(seed, beyond=True)


class TestAgainstEverything(base.TestCase):
    """Every kind of rule mixed, and what only live clouds have."""

    def test_verdict_cost_and_objective_are_those_of_the_best(self):
        for seed in SEEDS:
            for problem in both(seed):
                best = oracle.best(problem)
                found = exact.solve(compile_it(problem), seed=seed)
                if best is None:
                    self.assertIs(
                        model.Verdict.INFEASIBLE, found.verdict, seed
                    )
                    continue
                wanted = (best.soft_cost, best.objective)
                self.assertEqual(
                    wanted, (found.soft_cost, found.objective), seed
                )
                self.assertEqual(model.Bound(*wanted), found.bound, seed)

    def test_what_it_places_passes_the_check(self):
        for seed in SEEDS:
            for problem in both(seed):
                made = compile_it(problem)
                for goal in exact.Goal:
                    found = exact.solve(made, goal=goal, seed=seed)
                    if found.placement is None:
                        continue
                    placement = {**problem.pinned, **names(made, found)}
                    report = checker.judge(problem, placement)
                    self.assertEqual((), report.violations, seed)
                    self.assertEqual(report.soft_cost, found.soft_cost, seed)
                    self.assertTrue(amounts.is_valid(made, found.placement))

    def test_fixing_members_is_as_allowing_them_one_place(self):
        for seed in SEEDS:
            for problem in both(seed):
                draw = random.Random(seed)
                made = compile_it(problem)
                start = exact.solve(made, goal=exact.Goal.ANY, seed=seed)
                if start.placement is None:
                    continue
                fixed = start.placement.copy()
                free = [m for m in range(len(fixed)) if draw.random() < 0.5]
                fixed[free] = UNKNOWN
                allowed = {
                    member: [int(place)]
                    for member, place in enumerate(fixed)
                    if place != UNKNOWN
                }
                one = exact.solve(made, fixed=fixed, hint=start.placement)
                other = exact.solve(made, allowed=allowed)
                for found in one, other:
                    self.assertTrue(amounts.is_valid(made, found.placement))
                self.assertEqual(
                    (one.soft_cost, one.objective, one.bound),
                    (other.soft_cost, other.objective, other.bound),
                )
                self.assertTrue(
                    np.all((fixed == UNKNOWN) | (fixed == one.placement))
                )

    def test_below_the_least_soft_cost_there_is_nothing(self):
        for seed in SEEDS:
            made = compile_it(oracle.tiny(seed))
            best = exact.solve(made, seed=seed)
            if best.placement is None:
                continue
            below = exact.solve(made, soft_below=best.soft_cost)
            self.assertIs(model.Verdict.INFEASIBLE, below.verdict)
            again = exact.solve(made, soft_below=best.soft_cost + 1)
            self.assertEqual(best.objective, again.objective)


class TestParts(base.TestCase):
    """Two racks of two hosts, 4 vCPU each; three servers of 2."""

    def setUp(self):
        super().setUp()
        self.problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 2, vcpu=4)),
            tuple(worlds.servers('web', 3, vcpu=2)),
            (worlds.rule('anti-affinity', 'host', 'web-0', 'web-1'),),
            objective='pack',
        )
        self.made = compile_it(self.problem)

    def test_a_whole_search_says_that_it_is_one(self):
        found = exact.solve(self.made)
        self.assertTrue(found.is_complete)
        self.assertEqual(2, found.objective)

    def test_no_placement_of_a_part_proves_nothing_of_the_whole(self):
        nowhere_else = {member: [0] for member in range(3)}
        found = exact.solve(self.made, allowed=nowhere_else)
        self.assertIs(model.Verdict.INFEASIBLE, found.verdict)
        self.assertFalse(found.is_complete)

    def test_what_is_fixed_takes_room(self):
        fixed = np.array([0, UNKNOWN, 0])
        found = exact.solve(self.made, fixed=fixed, allowed={1: [0, 2]})
        self.assertEqual([0, 2, 0], found.placement.tolist())

    def test_who_comes_later_has_no_place_and_is_not_asked_for(self):
        self.problem = dataclasses.replace(
            self.problem,
            rules=(
                worlds.rule(
                    'spread',
                    'rack',
                    *(f'web-{number}' for number in range(3)),
                    min_domains=2,
                ),
            ),
        )
        self.made = compile_it(self.problem)
        inside = {member: [0, 1] for member in range(3)}
        found = exact.solve(self.made, allowed=inside)
        self.assertIs(model.Verdict.INFEASIBLE, found.verdict)
        found = exact.solve(
            self.made, allowed=inside, later=[2], goal=exact.Goal.ANY
        )
        self.assertIs(model.Verdict.FEASIBLE, found.verdict)
        self.assertFalse(found.is_complete)
        self.assertEqual(UNKNOWN, found.placement[2])
        self.assertLess(max(found.placement[:2]), 2)

    def test_two_fixed_together_that_must_be_apart_are_no_placement(self):
        found = exact.solve(self.made, fixed=np.array([1, 1, UNKNOWN]))
        self.assertIs(model.Verdict.INFEASIBLE, found.verdict)

    def test_more_fixed_than_there_is_room_for_is_no_placement(self):
        fixed = np.array([2, UNKNOWN, 2])
        self.made.free[self.made.resources.index('VCPU')][2] = 3
        found = exact.solve(self.made, fixed=fixed)
        self.assertIs(model.Verdict.INFEASIBLE, found.verdict)

    def test_without_time_it_says_nothing(self):
        found = exact.solve(self.made, seconds=0)
        self.assertIs(model.Verdict.UNKNOWN, found.verdict)
        self.assertIsNone(found.placement)

    def test_equal_seeds_give_equal_placements(self):
        one, other = (exact.solve(self.made, seed=7) for _ in range(2))
        self.assertEqual(one.placement.tolist(), other.placement.tolist())
