# SPDX-License-Identifier: Apache-2.0
"""Which way is asked to make a plan better, and what comes of it."""

from __future__ import annotations

import fixtures
import numpy as np

from heat_vcluster.placement import (
    amounts,
    betterment,
    compiled,
    dues,
    exact,
    model,
    policies,
    remainder,
)
from tests import base
from tests.unit.placement import worlds


def couples(count: int) -> compiled.Compiled:
    """Return so many couples, each rather in one rack, and room for all.

    Hosts 0 to 2 are in one rack, 3 to 5 in the other.
    """
    numbers = range(count)
    problem = model.Problem(
        worlds.snapshot(worlds.racks(2, 3, vcpu=2 * count)),
        tuple(d for n in numbers for d in worlds.servers(f'c{n}', 2)),
        tuple(
            worlds.rule(
                'affinity',
                'rack',
                f'c{n}-0',
                f'c{n}-1',
                name=f'near-{n}',
                weight=3,
            )
            for n in numbers
        ),
        objective='pack',
    )
    return compiled.Compiled(problem, policies.load())


class TestBrokenWishes(base.TestCase):
    """Couples that are all apart; counts say nothing of what it must cost."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.dues.least',
                lambda *args, **more: dues.Dues(model.Verdict.UNKNOWN),
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.exact.solve', self.note
            )
        )
        self.wholes = 0

    def note(self, *args, real=exact.solve, **more):
        self.wholes += more.get('fixed') is None
        return real(*args, **more)

    def better(self, made):
        start = np.tile([0, 3], len(made.members) // 2)
        self.assertTrue(amounts.is_valid(made, start))
        placement, _ = betterment.better(
            made,
            start,
            model.Bound(0, 1),
            seconds=self.patience,
            seed=0,
            index=remainder.Index(made),
        )
        self.assertTrue(amounts.is_valid(made, placement))
        return amounts.value(made, placement)

    def test_many_are_mended_part_by_part(self):
        count = betterment.SEVERAL + 1
        self.assertEqual((0, 1), self.better(couples(count)))
        self.assertEqual(0, self.wholes)

    def test_few_are_mended_all_at_once(self):
        self.assertEqual((0, 1), self.better(couples(2)))
        self.assertEqual(1, self.wholes)
