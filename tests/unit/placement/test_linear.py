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
