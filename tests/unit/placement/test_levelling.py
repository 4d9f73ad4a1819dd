# SPDX-License-Identifier: Apache-2.0
"""How full hosts must be: nothing stays below the bound, plans reach it."""

from __future__ import annotations

import dataclasses
import time

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.better import levelling
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(60)
PATIENCE = 60.0  # seconds that nothing here comes near


def compile_it(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def balancing(problem: model.Problem) -> model.Problem:
    """Leave the hard rules alone, and the wish for hosts that are not full."""
    return dataclasses.replace(
        problem,
        objective='balance',
        rules=tuple(rule for rule in problem.rules if rule.weight is None),
    )


class TestLevelling(base.TestCase):
    def test_nothing_stays_below_the_bound_and_plans_come_near(self):
        tight = seen = 0
        for seed in SEEDS:
            for beyond in (False, True):
                problem = balancing(oracle.tiny(seed, beyond=beyond))
                best = oracle.best(problem)
                if best is None or best.soft_cost:
                    continue
                made = compile_it(problem)
                start = exact.solve(made, goal=exact.Goal.ANY).placement
                found, bound = levelling.level(
                    made, start, time.monotonic() + PATIENCE
                )
                self.assertTrue(amounts.is_valid(made, found), seed)
                fill = amounts.objective(made, found)
                self.assertLessEqual(bound, best.objective, seed)
                self.assertGreaterEqual(fill, best.objective, seed)
                seen += 1
                tight += bound == fill
        self.assertGreater(seen, 20)
        self.assertGreater(tight, 0.8 * seen)

    def test_a_host_that_is_fuller_is_for_nobody_else(self):
        hosts = (
            worlds.host('full', 2, total=10),
            worlds.host('empty', 10, total=10),
        )
        problem = model.Problem(
            worlds.snapshot(hosts), (worlds.server('s', 0),), ()
        )
        made = compile_it(problem)
        self.assertEqual([0, 1], made.places(0).tolist())
        self.assertEqual([1], levelling.capped(made, 799).places(0).tolist())
        self.assertEqual(
            [0, 1], levelling.capped(made, 800).places(0).tolist()
        )

    def test_room_is_what_the_fill_leaves(self):
        hosts = (worlds.host('h', 7, total=10),)
        problem = model.Problem(
            worlds.snapshot(hosts), tuple(worlds.servers('s', 2)), ()
        )
        made = compile_it(problem)
        for fill, room in ((300, 0), (399, 0), (400, 1), (999, 6), (1000, 7)):
            self.assertEqual([room], levelling.capped(made, fill).free[0])

    def test_many_alike_on_many_hosts_are_bounded_exactly(self):
        # Sixty members on fifty hosts: some host has two of them.
        problem = model.Problem(
            worlds.snapshot(worlds.racks(10, 5, vcpu=10)),
            tuple(worlds.servers('s', 60)),
            (),
            objective='balance',
        )
        made = compile_it(problem)
        start = exact.solve(made, goal=exact.Goal.ANY).placement
        found, bound = levelling.level(
            made, start, time.monotonic() + PATIENCE
        )
        self.assertEqual((200, 200), (amounts.objective(made, found), bound))
