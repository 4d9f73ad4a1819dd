# SPDX-License-Identifier: Apache-2.0
"""What soft rules cost by who can meet whom, whatever else there is."""

from __future__ import annotations

import dataclasses

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.better import firm
from heat_vcluster.placement.bounds import meetings
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(600)


def racks(count: int, hosts: int, vcpu: int = 8) -> list[model.Host]:
    """Make racks of one zone."""
    return [
        worlds.host(f'r{rack}-h{number}', vcpu, rack=f'r{rack}', zone='z')
        for rack in range(count)
        for number in range(hosts)
    ]


def least(problem: model.Problem) -> int:
    made = compiled.Compiled(problem, policies.load())
    circles = meetings.least(made, seconds=60)
    return sum(circle.soft_cost for circle in circles)


class TestMeetings(base.TestCase):
    def test_no_placement_costs_less(self) -> None:
        told = tight = 0
        for seed in SEEDS:
            problem = oracle.tiny(seed)
            made = compiled.Compiled(problem, policies.load())
            found = exact.solve(made, goal=exact.Goal.CHEAPEST)
            if found.placement is None or not made.soft:
                continue
            bound = least(problem)
            self.assertLessEqual(bound, found.soft_cost, seed)
            told += bound > 0
            tight += bound == found.soft_cost > 0
        self.assertGreater(told, 10)
        self.assertGreater(tight, 5)

    def test_whatever_costs_so_much_breaks_no_clause_by_more(self) -> None:
        told = 0
        for seed in SEEDS:
            made = compiled.Compiled(oracle.tiny(seed), policies.load())
            circles = meetings.least(made, seconds=60)
            limits = [pair for circle in circles for pair in circle.limits]
            counted = {clause for clause, _ in limits}
            made.soft = tuple(c for c in made.soft if c in counted)
            found = exact.solve(made)
            bound = sum(circle.soft_cost for circle in circles)
            if found.placement is None or bound < found.soft_cost:
                continue
            for clause, limit in limits:
                broken = amounts.amount(made, clause, found.placement)
                self.assertLessEqual(broken, limit, (seed, clause))
            told += bound > 0
        self.assertGreater(told, 10)

    def test_the_other_wish_is_no_more_broken_than_it_must_be(self) -> None:
        # It costs as much to break one as the other; not to break both.
        circle, *_ = meetings.least(
            compiled.Compiled(self.pair(4), policies.load()), seconds=60
        )
        self.assertEqual(
            {'near': 2, 'apart': 1},
            {clause.rule: limit for clause, limit in circle.limits},
        )
        circle, *_ = meetings.least(
            compiled.Compiled(self.pair(3), policies.load()), seconds=60
        )
        self.assertEqual(
            {'near': 0, 'apart': 1},
            {clause.rule: limit for clause, limit in circle.limits},
        )

    def pair(self, weight: int, *more: model.Rule) -> model.Problem:
        """Two that want to be near, and not in one rack; ten wide racks."""
        return model.Problem(
            worlds.snapshot(racks(10, 4)),
            tuple(worlds.servers('vm', 2)),
            (
                worlds.rule(
                    'proximity', 'host', 'vm-0', 'vm-1', weight=2, name='near'
                ),
                worlds.rule(
                    'anti-affinity',
                    'rack',
                    'vm-0',
                    'vm-1',
                    weight=weight,
                    name='apart',
                ),
                *more,
            ),
        )

    def test_of_two_wishes_that_clash_the_cheaper_is_given_up(self) -> None:
        self.assertEqual(3, least(self.pair(3)))
        # Apart, they are on two hosts and in two racks.
        self.assertEqual(4, least(self.pair(9)))

    def test_a_rule_keeps_them_from_what_is_nearest(self) -> None:
        apart = worlds.rule('anti-affinity', 'host', 'vm-0', 'vm-1')
        self.assertEqual(2 + 1, least(self.pair(1, apart)))

    def test_more_than_a_host_takes_are_not_on_one(self) -> None:
        names = [f'vm-{n}' for n in range(3)]
        problem = model.Problem(
            worlds.snapshot(racks(4, 3, vcpu=8)),
            tuple(worlds.servers('vm', 3, vcpu=3)),
            (worlds.rule('proximity', 'host', *names, weight=5),),
        )
        self.assertEqual(5, least(problem))
        smaller = dataclasses.replace(
            problem, demands=tuple(worlds.servers('vm', 3, vcpu=2))
        )
        self.assertEqual(0, least(smaller))

    def test_who_is_alike_is_looked_at_once_and_counted_each_time(
        self,
    ) -> None:
        demands, rules = [], []
        for tag in 'abc':
            names = [f'{tag}-0', f'{tag}-1']
            demands += worlds.servers(tag, 2)
            rules += [
                worlds.rule(
                    'affinity', 'rack', *names, weight=2, name=f'{tag}-with'
                ),
                worlds.rule(
                    'anti-affinity', 'rack', *names, weight=7, name=f'{tag}-no'
                ),
            ]
        problem = model.Problem(
            worlds.snapshot(racks(5, 1)), tuple(demands), tuple(rules)
        )
        self.assertEqual(3 * 2, least(problem))

    def test_where_it_costs_least_says_by_how_much_rules_are_broken(
        self,
    ) -> None:
        made = compiled.Compiled(self.pair(3), policies.load())
        (circle,) = meetings.least(made, seconds=60)
        self.assertEqual(
            {'near': 0, 'apart': 1},
            {clause.rule: amount for clause, amount in circle.amounts},
        )
        wished = firm.wishful(made, circle.amounts)
        found = exact.solve(wished, goal=exact.Goal.CHEAPEST)
        self.assertEqual(3, found.soft_cost)
        self.assertGreater(len(wished.hard), len(made.hard))
        eased = firm.wishful(made, circle.relaxed().amounts)
        self.assertLess(len(eased.hard), len(wished.hard))
