# SPDX-License-Identifier: Apache-2.0
"""The least that soft clauses cost, counted by colour, is never too much."""

from __future__ import annotations

import random
from collections.abc import Iterator

import fixtures

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.bounds import dues
from heat_vcluster.placement.numbers import (
    amounts,
    colours,
    compiled,
    remainder,
)
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(60)
POLICIES = ('affinity', 'anti-affinity', 'spread', 'exclusive', 'proximity')


def compile_it(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def parties(seed: int) -> model.Problem:
    """Draw two or three parties alike, under rules alike, in a few racks."""
    draw = random.Random(seed)
    hosts = [
        worlds.host(
            f'r{rack}h{number}',
            draw.randint(1, 5),
            rack=f'r{rack}',
            zone=f'z{rack % 2}',
        )
        for rack in range(draw.randint(2, 4))
        for number in range(draw.randint(1, 3))
    ]
    pools = [
        worlds.pool('p0', 6, rack='r0', zone='z0'),
        worlds.pool('p1', 6, at='r1h0', rack='r1', zone='z1'),
        worlds.pool('p2', 4),
    ]
    pools = pools[: draw.randint(0, 3)]
    types = [
        (draw.randint(1, 2), draw.randint(0, 3), draw.random() < 0.3)
        for _ in range(draw.randint(1, 3))
    ]
    count = draw.randint(2, 3)
    demands: list[model.Demand] = []
    for party in range(count):
        for kind, (copies, size, is_volume) in enumerate(types):
            for copy in range(copies):
                name = f'{kind}-{party}-{copy}'
                demands.append(
                    model.VolumeDemand(name, size)
                    if is_volume and pools
                    else worlds.server(name, size)
                )
    names = [demand.member for demand in demands]
    rules = tuple(_rules(draw, count, names))
    return model.Problem(worlds.snapshot(hosts, pools), tuple(demands), rules)


def _rules(
    draw: random.Random, count: int, names: list[str]
) -> Iterator[model.Rule]:
    for rule in range(draw.randint(1, 3)):
        policy = draw.choice(POLICIES)
        scope = draw.choice(('host', 'rack', 'zone'))
        options = {'max_per_domain': 1} if policy == 'spread' else {}
        is_hard = draw.random() < 0.3 and policy != 'proximity'
        weight = None if is_hard else draw.randint(1, 5)
        kinds = draw.sample(('0', '1', '2'), draw.randint(1, 3))
        for party in range(count):
            members = [
                name
                for name in names
                if name.split('-')[0] in kinds
                and name.split('-')[1] == str(party)
            ]
            if members:
                yield worlds.rule(
                    policy,
                    'host' if policy == 'proximity' else scope,
                    *members,
                    name=f'{rule}-{party}',
                    weight=weight,
                    **options,
                )


class TestDues(base.TestCase):
    def judge(self, problem: model.Problem, seed: int) -> None:
        made = compile_it(problem)
        best = exact.solve(made, goal=exact.Goal.CHEAPEST)
        found = dues.least(made, seconds=self.patience, seed=seed)
        if best.placement is None:
            self.assertIsNone(found.placement, seed)
            return
        self.assertIsNot(model.Verdict.INFEASIBLE, found.verdict, seed)
        self.assertLessEqual(found.soft_cost, best.soft_cost, seed)
        if found.placement is not None:
            self.assertTrue(amounts.is_valid(made, found.placement), seed)

    def test_of_rules_mixed_it_is_no_more_than_the_least(self):
        for seed in SEEDS:
            self.judge(oracle.tiny(seed), seed)
            self.judge(oracle.tiny(seed, beyond=True), seed)

    def test_what_is_too_much_to_count_is_not_known(self):
        made = compile_it(parties(1))
        before = dues.least(made, seconds=self.patience)
        self.assertIsNot(model.Verdict.UNKNOWN, before.verdict)
        patch = 'heat_vcluster.placement.bounds.dues.COUNTABLE'
        self.useFixture(fixtures.MonkeyPatch(patch, 0))
        after = dues.least(made, seconds=self.patience)
        self.assertEqual(dues.Dues(model.Verdict.UNKNOWN), after)

    def test_of_parties_alike_it_is_no_more_than_the_least(self):
        for seed in SEEDS:
            self.judge(parties(seed), seed)


class TestTrios(base.TestCase):
    """Four racks that take two servers each; three trios want one rack."""

    def setUp(self):
        super().setUp()
        demands = [d for t in range(3) for d in worlds.servers(f't{t}', 3, 2)]
        rules = [
            worlds.rule(
                'affinity',
                'rack',
                *(f't{trio}-{number}' for number in range(3)),
                name=f'near-{trio}',
                weight=5,
            )
            for trio in range(3)
        ]
        self.made = compile_it(
            model.Problem(
                worlds.snapshot(worlds.racks(5, 1, vcpu=4)),
                tuple(demands),
                tuple(rules),
            )
        )

    def test_members_and_rules_alike_have_one_colour(self):
        index = remainder.Index(self.made)
        rest = remainder.Remainder(index, None, None, True)
        coloured = colours.colour(rest)
        self.assertEqual([9], [len(like.members) for like in coloured.likes])
        (orbit,) = coloured.orbits
        self.assertEqual(3, len(orbit.numbers))
        self.assertEqual({0: 3}, orbit.parts)

    def test_each_trio_is_known_to_be_split(self):
        found = dues.least(self.made, seconds=self.patience)
        self.assertEqual(15, found.soft_cost)
        self.assertTrue(found.is_tight)

    def test_it_seats_them_as_the_counts_say(self):
        found = dues.least(self.made, seconds=self.patience)
        self.assertTrue(amounts.is_valid(self.made, found.placement))
