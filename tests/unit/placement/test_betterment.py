# SPDX-License-Identifier: Apache-2.0
"""Which way is asked to make a plan better, and what comes of it."""

from __future__ import annotations

import dataclasses

import fixtures
import numpy as np

from heat_vcluster.placement import betterment, model, policies
from heat_vcluster.placement.bounds import dues, meetings
from heat_vcluster.placement.numbers import amounts, compiled, remainder
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
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


def better(
    made: compiled.Compiled, start: np.ndarray, known: model.Bound, seconds
) -> tuple[np.ndarray, model.Bound]:
    return betterment.better(
        made,
        start,
        known,
        seconds=seconds,
        seed=0,
        index=remainder.Index(made),
    )


def begun(
    made: compiled.Compiled, start: np.ndarray
) -> betterment._Betterment:
    """Return a search of which nothing is done yet."""
    return betterment._Betterment(
        made, start, model.Bound(0), 60.0, 0, remainder.Index(made)
    )


class TestWishesThatGoTogether(base.TestCase):
    def test_who_would_meet_does_and_that_it_costs_nothing_less_is_known(
        self,
    ) -> None:
        """Each couple would be near, and must not be on one host."""
        count = 5
        names = [(f'c{n}-0', f'c{n}-1') for n in range(count)]
        hosts = [
            worlds.host(f'h{n}', 4, rack=f'r{n // 4}', zone='z')
            for n in range(40)
        ]
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(d for n in range(count) for d in worlds.servers(f'c{n}', 2)),
            tuple(
                rule
                for n, pair in enumerate(names)
                for rule in (
                    worlds.rule(
                        'proximity', 'host', *pair, name=f'near-{n}', weight=3
                    ),
                    worlds.rule('anti-affinity', 'host', *pair, name=f'a{n}'),
                )
            ),
            objective='pack',
        )
        made = compiled.Compiled(problem, policies.load())
        start = np.array([4 * m for m in range(2 * count)])
        self.assertTrue(amounts.is_valid(made, start))
        placement, bound = better(made, start, model.Bound(), self.patience)
        self.assertEqual(3 * count, amounts.soft_cost(made, placement))
        self.assertEqual(3 * count, bound.soft_cost)


class TestBrokenWishes(base.TestCase):
    """Couples that are all apart; counts say nothing of what it must cost."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.bounds.dues.least',
                lambda *args, **more: dues.Dues(model.Verdict.UNKNOWN),
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.bounds.meetings.least',
                lambda *args, **more: [],
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.programs.exact.solve', self.note
            )
        )
        self.wholes = 0

    def note(self, *args, real=exact.solve, **more):
        self.wholes += more.get('fixed') is None
        return real(*args, **more)

    def better(self, made):
        start = np.tile([0, 3], len(made.members) // 2)
        self.assertTrue(amounts.is_valid(made, start))
        placement, _ = better(made, start, model.Bound(0, 1), self.patience)
        self.assertTrue(amounts.is_valid(made, placement))
        return amounts.value(made, placement)

    def test_many_are_mended_part_by_part(self):
        count = betterment.SEVERAL + 1
        self.assertEqual((0, 1), self.better(couples(count)))
        self.assertEqual(0, self.wholes)

    def test_few_are_mended_all_at_once(self):
        self.assertEqual((0, 1), self.better(couples(2)))
        self.assertEqual(1, self.wholes)


class TestBounds(base.TestCase):
    """Whatever is known of a plan holds of the best one."""

    def better(self, problem: model.Problem, seed: int) -> bool:
        """Tell whether it is known that the plan is the best."""
        made = compiled.Compiled(
            dataclasses.replace(problem, objective='pack'), policies.load()
        )
        best = exact.solve(made)
        start = exact.solve(made, goal=exact.Goal.ANY).placement
        if start is None:
            return False
        placement, bound = better(made, start, model.Bound(0), 0.5)
        self.assertTrue(amounts.is_valid(made, placement), seed)
        least = best.soft_cost, best.objective
        self.assertGreaterEqual(amounts.value(made, placement), least, seed)
        self.assertLessEqual(
            (bound.soft_cost, bound.objective or 0), least, seed
        )
        return (bound.soft_cost, bound.objective) == least

    def test_where_the_whole_is_not_solved(self) -> None:
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.placement.betterment.MEDIUM', -1
            )
        )
        proven = 0
        for seed in range(60):
            proven += self.better(worlds.recluses(seed), seed)
            proven += self.better(oracle.tiny(seed), seed)
        self.assertGreater(proven, 40)


class TestTheLeastCost(base.TestCase):
    """Two pairs, near or apart; one rule of each pair is broken."""

    def problem(self, hosts: list[model.Host]) -> compiled.Compiled:
        rules = []
        for tag in 'ab':
            names = f'{tag}-0', f'{tag}-1'
            rules += [
                worlds.rule(
                    'affinity', 'host', *names, weight=2, name=f'{tag}-one'
                ),
                worlds.rule(
                    'anti-affinity', 'host', *names, weight=5, name=f'{tag}-no'
                ),
            ]
        demands = (*worlds.servers('a', 2), *worlds.servers('b', 2))
        return compiled.Compiled(
            model.Problem(worlds.snapshot(hosts), demands, tuple(rules)),
            policies.load(),
        )

    def search(self, hosts: list[model.Host]) -> betterment._Betterment:
        made = self.problem(hosts)
        start = np.zeros(4, np.int64)
        self.assertEqual(10, amounts.soft_cost(made, start))
        search = begun(made, start)
        search._circles = meetings.least(made, seconds=60)
        search._least = sum(c.soft_cost for c in search._circles)
        self.assertEqual(4, search._least)
        search._raise_cost(4)
        search._solve_cheapest()
        return search

    def test_a_placement_of_it_is_found_at_once(self) -> None:
        search = self.search(worlds.racks(1, 4, vcpu=4))
        self.assertEqual((4, 4), (search._value[0], search.closed().soft_cost))

    def test_that_there_is_none_raises_what_is_known(self) -> None:
        # The roomiest host is as roomy as before, and there is no other.
        hosts = [worlds.host('h0', 4, rack='r0'), worlds.host('h1', 1)]
        search = self.search(hosts)
        self.assertEqual((10, 5), (search._value[0], search._bound.soft_cost))


class TestThoseWhoMayShare(base.TestCase):
    def test_they_are_packed_where_nobody_has_to_be_alone(self) -> None:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 3, vcpu=4)),
            (worlds.server('alone'), *worlds.servers('s', 4)),
            (
                worlds.rule('exclusive', 'host', 'alone', name='alone'),
                worlds.rule(
                    'affinity', 'rack', 's-0', 's-1', name='wish', weight=3
                ),
            ),
            objective='pack',
        )
        made = compiled.Compiled(problem, policies.load())
        start = np.array([0, 1, 2, 3, 4])
        self.assertEqual((0, 5), amounts.value(made, start))
        search = begun(made, start)
        search._pack_others()
        self.assertTrue(amounts.is_valid(made, search.placement))
        self.assertEqual((0, 2), amounts.value(made, search.placement))
        self.assertEqual(0, search.placement[0])

    def test_who_goes_without_shares_one_host_at_no_more_cost(self) -> None:
        hosts = [
            dataclasses.replace(host, is_busy=number > 0)
            for number, host in enumerate(worlds.racks(2, 3, vcpu=5))
        ]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (
                worlds.server('alone'),
                *worlds.servers('shy', 2, 2),
                *worlds.servers('s', 2, 3),
            ),
            (
                worlds.rule('exclusive', 'host', 'alone', name='alone'),
                worlds.rule(
                    'exclusive', 'host', 'shy-0', 'shy-1', name='shy', weight=3
                ),
            ),
            objective='pack',
        )
        made = compiled.Compiled(problem, policies.load())
        start = np.array([0, 1, 1, 2, 3])
        self.assertEqual((3, 4), amounts.value(made, start))
        search = begun(made, start)
        search._bound_cost()
        search._count_others()
        # 2 + 3 twice would do for the four; it would cost 6.
        self.assertEqual(model.Bound(3, 4), search.closed())
