# SPDX-License-Identifier: Apache-2.0
"""What is left over finds a place among some others, done anew."""

from __future__ import annotations

from unittest import mock

import numpy as np

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.finishing import mend
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests.unit.placement import worlds


class TestMending(base.TestCase):
    """Three of 2 and two of 3 on two hosts of 6: only one way is whole."""

    def setUp(self) -> None:
        super().setUp()
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 1, vcpu=6)),
            (*worlds.servers('s', 3, vcpu=2), *worlds.servers('t', 2, vcpu=3)),
            (
                worlds.rule(
                    'spread', 'rack', 't-0', 't-1', 's-0', min_domains=2
                ),
            ),
        )
        self.made = compiled.Compiled(problem, policies.load())

    def mended(
        self, placement: list[int], *left: int, briefly: bool = False
    ) -> np.ndarray | None:
        return mend.finish(
            self.made,
            contract.contract(self.made),
            greedy.Found(np.array(placement), tuple((m,) for m in left), ()),
            deadline=60,
            briefly=briefly,
        )

    def test_those_left_find_a_place_one_by_one(self) -> None:
        with mock.patch.object(
            exact, 'solve', side_effect=exact.solve
        ) as solve:
            whole = self.mended([0, 1, UNKNOWN, 0, UNKNOWN], 2, 4)
        self.assertTrue(amounts.is_valid(self.made, whole))
        first = solve.call_args_list[0].kwargs
        self.assertEqual({4}, set(first['later']))

    def test_it_is_soon_given_up_if_it_is_done_briefly(self) -> None:
        nothing = exact.Result(model.Verdict.UNKNOWN)
        calls = []
        for briefly in (True, False):
            with mock.patch.object(
                exact, 'solve', return_value=nothing
            ) as solve:
                start = [0, 1, 1, 0, UNKNOWN]
                self.assertIsNone(self.mended(start, 4, briefly=briefly))
            calls.append(solve.call_count)
            efforts = {c.kwargs['effort'] for c in solve.call_args_list}
            wanted = mend.AT_ONCE if briefly else mend.EFFORT
            self.assertEqual({wanted}, efforts)
        self.assertEqual(2 * mend.BRIEF, calls[0])
        self.assertEqual(2 * mend.ROUNDS, calls[1])
