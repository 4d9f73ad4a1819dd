# SPDX-License-Identifier: Apache-2.0
"""All members on few hosts: the best there, and never worse than before."""

from __future__ import annotations

import dataclasses

from heat_vcluster.placement import columns, model, policies
from heat_vcluster.placement.better import confined
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(300)


class TestConfined(base.TestCase):
    def solve(
        self,
        made: compiled.Compiled,
        start: columns.Ints,
        among: columns.Flags | None = None,
        pairs: int = 1000,
    ) -> exact.Result | None:
        return confined.solve(
            made,
            start,
            among=confined.roomiest(made, 1) if among is None else among,
            pairs=pairs,
            seconds=10,
            effort=10,
            seed=0,
        )

    def test_it_is_valid_and_no_worse_than_before(self) -> None:
        better = 0
        for seed in SEEDS:
            problem = dataclasses.replace(oracle.tiny(seed), objective='pack')
            made = compiled.Compiled(problem, policies.load())
            start = exact.solve(made, goal=exact.Goal.ANY).placement
            if start is None:
                continue
            found = self.solve(made, start)
            assert found is not None
            assert found.placement is not None
            self.assertTrue(amounts.is_valid(made, found.placement), seed)
            before = amounts.value(made, start)
            after = amounts.value(made, found.placement)
            self.assertLessEqual(after, before, seed)
            better += after < before
        self.assertGreater(better, 10)

    def test_of_all_hosts_it_is_the_best(self) -> None:
        for seed in range(60):
            made = worlds.packed(oracle.tiny(seed))
            best = exact.solve(made)
            if best.placement is None:
                continue
            found = self.solve(
                made, best.placement, confined.roomiest(made, made.n_hosts)
            )
            assert found is not None
            self.assertEqual(
                (best.soft_cost, best.objective),
                (found.soft_cost, found.objective),
                seed,
            )

    def world(self) -> compiled.Compiled:
        """Ten servers, and one more that only hosts with little room take."""
        hosts = [
            worlds.host(f'{rack}-{number}', vcpu, rack=rack, zone='z0')
            for rack in ('r0', 'r1')
            for number, vcpu in enumerate((4, 8, 6, 2))
        ]
        servers = (
            *worlds.servers('s', 10),
            worlds.server('fast', on=['r0-3', 'r1-3']),
        )
        return worlds.packed(
            model.Problem(worlds.snapshot(hosts), servers, ())
        )

    def test_the_roomiest_of_each_rack_for_any_shape_are_taken(self) -> None:
        self.assertEqual(
            2 * [False, True, False, True],
            confined.roomiest(self.world(), 1).tolist(),
        )
        self.assertEqual(
            2 * [False, True, True, True],
            confined.roomiest(self.world(), 2).tolist(),
        )

    def test_those_that_take_most_are_taken_wherever_they_are(self) -> None:
        hosts = [
            worlds.host('r0-0', 8, RAM=2, rack='r0'),
            worlds.host('r0-1', 6, RAM=6, rack='r0'),
            worlds.host('r0-2', 4, RAM=9, rack='r0'),
            worlds.host('r1-0', 2, RAM=9, rack='r1'),
        ]
        made = worlds.packed(
            model.Problem(
                worlds.snapshot(hosts),
                (worlds.server('a', 2, RAM=1), worlds.server('b', 2, RAM=3)),
                (),
            )
        )
        self.assertEqual(
            [False, True, True, False], confined.largest(made, 2).tolist()
        )
        self.assertEqual(4 * [True], confined.largest(made, 9).tolist())

    def test_few_hosts_are_used(self) -> None:
        made = self.world()
        start = exact.solve(made, goal=exact.Goal.ANY).placement
        assert start is not None
        found = self.solve(made, start)
        assert found is not None
        self.assertEqual(3, found.objective)

    def test_too_many_pairs_are_not_begun(self) -> None:
        made = self.world()
        start = exact.solve(made, goal=exact.Goal.ANY).placement
        assert start is not None
        self.assertIsNone(self.solve(made, start, pairs=10))
