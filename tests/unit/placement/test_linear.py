# SPDX-License-Identifier: Apache-2.0
"""What is proven in floating point holds in whole numbers."""

from __future__ import annotations

import random
import time
from unittest import mock

import numpy as np

from heat_vcluster.placement.programs import linear
from tests import base

SEEDS = range(80)
PATIENCE = 60.0  # seconds that nothing here comes near


def deadline() -> float:
    return time.monotonic() + PATIENCE


def drawn(seed: int) -> linear.Program:
    """Draw a small program in which everything costs something."""
    draw = random.Random(seed)
    program = linear.Program()
    count = draw.randint(2, 6)
    program.variables(draw.randint(1, 5) for _ in range(count))
    for _ in range(draw.randint(1, 5)):
        # A variable may be in a row more than once.
        numbers = draw.choices(range(count), k=draw.randint(1, 2 * count))
        factors = [draw.randint(-2, 9) for _ in numbers]
        low = draw.randint(-3, 9)
        bounds = draw.choice(
            [
                {'low': low},
                {'high': low + 9},
                {'low': low, 'high': low + draw.randrange(5)},
            ]
        )
        program.row(numbers, factors, **bounds)
    program.minimise(range(count), [draw.randint(1, 4) for _ in range(count)])
    return program


def best(program: linear.Program) -> int | None:
    outcome = program.solve(deadline(), 0)
    return outcome.objective if outcome.values is not None else None


class TestRelaxed(base.TestCase):
    def test_nothing_is_below(self):
        tight = total = 0
        for seed in SEEDS:
            program = drawn(seed)
            least = best(program)
            if least is not None:
                found = program.relax(deadline()).bound
                self.assertLessEqual(found, least, seed)
                tight += found == least
                total += 1
        self.assertGreater(tight, total / 2)
        self.assertLess(tight, total)

    def test_whatever_the_prices_are(self):
        random_ = np.random.default_rng(0)
        above = 0
        for seed in SEEDS:
            program = drawn(seed)
            least = best(program)
            if least is None:
                continue
            for _ in range(20):
                prices = random_.normal(0, 0.3, program.n_rows)
                priced = mock.Mock(return_value=(prices, None))
                with mock.patch.object(program, '_prices', priced):
                    found = program.relax(deadline()).bound
                self.assertLessEqual(found, least, seed)
                above += found > 0
        self.assertGreater(above, 0)

    def test_no_time_proves_nothing(self):
        program = drawn(1)
        self.assertEqual(0, program.relax(time.monotonic() - 1).bound)

    def test_nothing_wanted_is_bounded_by_nothing(self):
        program = linear.Program()
        program.variables([3, 3])
        program.total([0, 1], low=2)
        self.assertEqual(0, program.relax(deadline()).bound)


class TestBothWays(base.TestCase):
    def test_they_come_to_what_one_comes_to(self):
        impossible = 0
        for seed in SEEDS:
            program = drawn(seed)
            alone = program.solve(deadline(), 0)
            both = program.solve_both_ways(deadline(), 0)
            self.assertIs(alone.status, both.status, seed)
            self.assertEqual(alone.objective, both.objective, seed)
            self.assertEqual(alone.bound, both.bound, seed)
            impossible += both.status is linear.Status.NONE
        self.assertLess(0, impossible)
        self.assertLess(impossible, len(SEEDS))

    def test_who_is_done_ends_the_other(self):
        # Rows that halve odd sums, nearly: neither finds that soon.
        draw = random.Random(0)
        program = linear.Program()
        program.variables([1] * 60)
        for _ in range(6):
            factors = [draw.randrange(100) for _ in range(60)]
            half = sum(factors) // 2
            program.row(range(60), factors, half, half)
        program.minimise(range(60), range(60))
        done = linear.Outcome(
            linear.Status.BEST, np.zeros(60, np.int64), objective=7, bound=7
        )
        ends = deadline()
        with mock.patch.object(program, 'seek', return_value=done):
            found = program.solve_both_ways(ends, 0)
        self.assertLess(time.monotonic(), ends)
        self.assertIs(done.values, found.values)

    def test_the_better_of_two(self):
        values = np.zeros(1, np.int64)
        none = linear.Outcome(linear.Status.NONE)
        poor = linear.Outcome(linear.Status.FOUND, values, 5, 2)
        good = linear.Outcome(linear.Status.FOUND, values, 4, 1)
        for one, other in ((poor, good), (good, poor)):
            found = one.or_better(other)
            self.assertEqual((4, 2), (found.objective, found.bound))
        for one, other in (
            (none, linear.UNSOLVED),
            (linear.UNSOLVED, none),
        ):
            self.assertIs(linear.Status.NONE, one.or_better(other).status)
        found = linear.UNSOLVED.or_better(poor)
        self.assertIs(linear.Status.FOUND, found.status)
