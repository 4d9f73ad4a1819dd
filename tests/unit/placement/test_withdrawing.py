# SPDX-License-Identifier: Apache-2.0
"""Who would be alone moves where nobody is; all others stay."""

from __future__ import annotations

import dataclasses

import numpy as np

from heat_vcluster.placement import columns, constraints, model, policies
from heat_vcluster.placement.better import withdrawing
from heat_vcluster.placement.numbers import amounts, compiled, remainder
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(600)


def withdraw(
    made: compiled.Compiled, start: columns.Ints
) -> columns.Ints | None:
    return withdrawing.withdraw(
        made,
        start,
        seconds=60,
        effort=60,
        seed=0,
        index=remainder.Index(made),
    )


class TestWithdrawing(base.TestCase):
    def test_it_is_valid_and_costs_no_more_and_nobody_else_moves(self) -> None:
        moved = 0
        for seed in SEEDS:
            made = compiled.Compiled(oracle.tiny(seed), policies.load())
            start = exact.solve(made, goal=exact.Goal.ANY).placement
            if start is None:
                continue
            found = withdraw(made, start)
            if found is None:
                continue
            self.assertTrue(amounts.is_valid(made, found), seed)
            before = amounts.soft_cost(made, start)
            after = amounts.soft_cost(made, found)
            self.assertLessEqual(after, before, seed)
            wanting = {
                member
                for clause in made.soft
                if clause.kind is constraints.Alone
                for member in clause.members
            }
            for member in np.flatnonzero(found != start).tolist():
                self.assertIn(member, wanting)
            moved += after < before
        self.assertGreater(moved, 5)

    def crowd(self, idle: int) -> compiled.Compiled:
        """Four who would be alone, with another one on the only busy host."""
        hosts = [
            dataclasses.replace(host, is_busy=not number)
            for number, host in enumerate(worlds.racks(1, idle + 1, vcpu=8))
        ]
        names = [f'shy-{n}' for n in range(4)]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (*map(worlds.server, names), worlds.server('other')),
            tuple(
                worlds.rule('exclusive', 'host', name, name=name, weight=n + 1)
                for n, name in enumerate(names)
            ),
        )
        return compiled.Compiled(problem, policies.load())

    def test_as_many_as_there_is_room_for_and_the_costliest(self) -> None:
        start = np.zeros(5, np.int64)
        for idle, cost in ((0, 10), (1, 6), (3, 1), (4, 0), (200, 0)):
            made = self.crowd(idle)
            self.assertEqual(10, amounts.soft_cost(made, start))
            found = withdraw(made, start)
            assert found is not None
            self.assertEqual(cost, amounts.soft_cost(made, found))
            self.assertEqual(0, found[4])

    def test_nobody_moves_who_is_alone(self) -> None:
        made = self.crowd(4)
        self.assertIsNone(withdraw(made, np.array([1, 2, 3, 4, 0])))
