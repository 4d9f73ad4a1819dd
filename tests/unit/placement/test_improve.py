# SPDX-License-Identifier: Apache-2.0
"""Part by part a placement gets better, and never worse or invalid."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.better import improve
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(40)


def compile_it(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def value(made: compiled.Compiled, placement: np.ndarray) -> tuple[int, int]:
    return (
        amounts.soft_cost(made, placement),
        amounts.objective(made, placement),
    )


class TestTiny(base.TestCase):
    """All kinds of rules mixed; small enough to know the best."""

    def test_it_gets_to_the_best_that_there_is(self):
        for seed in SEEDS:
            for beyond in False, True:
                problem = oracle.tiny(seed, beyond)
                made = compile_it(problem)
                start = exact.solve(made, goal=exact.Goal.ANY).placement
                if start is None:
                    continue
                best = oracle.best(problem)
                found = improve.improve(
                    made,
                    start,
                    seconds=self.patience,
                    seed=seed,
                    bound=model.Bound(best.soft_cost, best.objective),
                )
                self.assertTrue(amounts.is_valid(made, found), seed)
                self.assertEqual(
                    (best.soft_cost, best.objective), value(made, found), seed
                )


class TestTrios(base.TestCase):
    """Eight racks of two hosts, and six trios that like to share a rack."""

    def setUp(self):
        super().setUp()
        trios = range(6)
        demands = [d for t in trios for d in worlds.servers(f't{t}', 3, 2)]
        rules = [
            worlds.rule(
                'affinity',
                'rack',
                *(f't{trio}-{number}' for number in range(3)),
                name=f'near-{trio}',
                weight=3,
            )
            for trio in trios
        ]
        rules.append(
            worlds.rule(
                'spread',
                'host',
                *(demand.member for demand in demands),
                name='level',
                max_per_domain=2,
            )
        )
        self.problem = model.Problem(
            worlds.snapshot(worlds.racks(8, 2, vcpu=4)),
            tuple(demands),
            tuple(rules),
            objective='pack',
        )
        self.made = compile_it(self.problem)
        # One of each trio in a rack of its own: valid, and dear.
        self.start = np.array(
            [(3 * trio + 5 * n) % 16 for trio in range(6) for n in range(3)]
        )
        self.assertTrue(amounts.is_valid(self.made, self.start))

    def improve(self, **options):
        return improve.improve(
            self.made, self.start, seconds=self.patience, **options
        )

    def test_soft_cost_comes_first_and_then_the_objective(self):
        found = self.improve(effort=2.0)
        self.assertTrue(amounts.is_valid(self.made, found))
        self.assertEqual(0, amounts.soft_cost(self.made, found))
        # Twelve hosts without sharing; nine if no trio needs two half hosts.
        self.assertLess(value(self.made, found), value(self.made, self.start))
        self.assertLessEqual(amounts.objective(self.made, found), 12)

    def test_equal_seeds_and_effort_give_equal_placements(self):
        one, other = (self.improve(effort=0.2, seed=3) for _ in range(2))
        self.assertEqual(one.tolist(), other.tolist())

    def test_at_the_bound_nothing_is_touched(self):
        cost, objective = value(self.made, self.start)
        found = self.improve(bound=model.Bound(cost, objective))
        self.assertEqual(self.start.tolist(), found.tolist())

    def test_without_time_nothing_is_touched(self):
        found = improve.improve(self.made, self.start, seconds=0)
        self.assertEqual(self.start.tolist(), found.tolist())

    def test_pinned_members_stay(self):
        names = self.made.place_names
        pinned = {
            member: names[int(place)]
            for member, place in zip(
                self.made.members[:3], self.start[:3], strict=True
            )
        }
        problem = model.Problem(
            self.problem.snapshot,
            self.problem.demands,
            self.problem.rules,
            pinned,
            'pack',
        )
        made = compile_it(problem)
        found = improve.improve(
            made, self.start, seconds=self.patience, effort=0.3
        )
        self.assertEqual(self.start[:3].tolist(), found[:3].tolist())
        self.assertTrue(np.all(found != UNKNOWN))
        self.assertLess(value(made, found), value(made, self.start))
