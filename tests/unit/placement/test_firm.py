# SPDX-License-Identifier: Apache-2.0
"""Soft clauses made hard: obeyed by who obeyed them, and as dear as then."""

from __future__ import annotations

from collections.abc import Iterator

from heat_vcluster.placement import policies
from heat_vcluster.placement.better import firm
from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle

SEEDS = range(75)


def solved() -> Iterator[tuple[int, compiled.Compiled, Ints, int]]:
    """Give seed, problem, any placement and the best soft cost."""
    for seed in SEEDS:
        problem = oracle.tiny(seed)
        made = compiled.Compiled(problem, policies.load())
        anything = exact.solve(made, goal=exact.Goal.ANY).placement
        best = oracle.best(problem)
        if best is not None and anything is not None:
            yield seed, made, anything, best.soft_cost


class TestFirm(base.TestCase):
    def test_the_placement_itself_obeys(self):
        dear = 0
        for seed, made, placement, _ in solved():
            dear += amounts.soft_cost(made, placement) > 0
            kept = firm.firm(made, placement)
            self.assertTrue(amounts.is_valid(kept, placement), seed)
            self.assertEqual((), kept.soft)
        self.assertGreater(dear, 10)

    def test_what_costs_nothing_is_kept_exactly(self):
        firmed = 0
        for seed, made, _, cost in solved():
            placement = exact.solve(made).placement
            if cost or not made.soft:
                continue
            firmed += 1
            kept = firm.firm(made, placement)
            found = exact.solve(kept)
            self.assertEqual(0, amounts.soft_cost(made, found.placement), seed)
            whole = exact.solve(made)
            self.assertEqual(whole.objective, found.objective, seed)
        self.assertGreater(firmed, 5)

    def test_whoever_obeys_does_not_cost_more(self):
        for seed, made, placement, _ in solved():
            found = exact.solve(firm.firm(made, placement)).placement
            self.assertLessEqual(
                amounts.soft_cost(made, found),
                amounts.soft_cost(made, placement),
                seed,
            )

    def test_whoever_breaks_no_more_obeys_what_is_certain(self):
        harder = 0
        for seed, made, placement, _ in solved():
            best = exact.solve(made).placement
            broken = [
                (
                    clause,
                    max(
                        amounts.amount(made, clause, one)
                        for one in (placement, best)
                    ),
                )
                for clause in made.soft
            ]
            certain = firm.certain(made, broken)
            harder += len(certain.hard) > len(made.hard)
            self.assertTrue(amounts.is_valid(certain, placement), seed)
            self.assertTrue(amounts.is_valid(certain, best), seed)
        self.assertGreater(harder, 10)
