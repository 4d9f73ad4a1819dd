# SPDX-License-Identifier: Apache-2.0
"""What it costs that there are fewer idle domains than who want them."""

from __future__ import annotations

import collections
import dataclasses

from heat_vcluster.placement import constraints, model, policies
from heat_vcluster.placement.better import firm
from heat_vcluster.placement.bounds import solitude
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(600)


def bounded(problem: model.Problem) -> tuple[int, int]:
    """Return the bound, and what being alone costs in the cheapest plan."""
    made = compiled.Compiled(problem, policies.load())
    made.soft = tuple(c for c in made.soft if c.kind is constraints.Alone)
    found = exact.solve(made, goal=exact.Goal.CHEAPEST)
    if found.placement is None:
        return 0, 0
    bound = solitude.least(made, contract.contract(made), seconds=60)
    return bound.soft_cost, found.soft_cost


def busy(hosts: tuple[model.Host, ...], *names: str) -> list[model.Host]:
    return [
        dataclasses.replace(host, is_busy=host.name in names) for host in hosts
    ]


class TestSolitude(base.TestCase):
    def test_no_placement_costs_less(self) -> None:
        told = 0
        for seed in SEEDS:
            bound, cost = bounded(oracle.tiny(seed))
            self.assertLessEqual(bound, cost, seed)
            told += bound > 0
        self.assertGreater(told, 5)

    def test_whatever_costs_so_much_obeys_what_is_kept(self) -> None:
        kinds = collections.Counter[object]()
        for seed in range(200):
            problem = worlds.recluses(seed)
            for objective in ('pack', 'balance'):
                made = compiled.Compiled(
                    dataclasses.replace(problem, objective=objective),
                    policies.load(),
                )
                told = solitude.least(
                    made, contract.contract(made), seconds=60
                )
                cheapest = exact.solve(made)
                if not told.kept or cheapest.placement is None:
                    continue
                if told.soft_cost < cheapest.soft_cost:
                    continue
                sure = firm.certain(made, [(c, 0) for c in told.kept])
                self.assertTrue(
                    amounts.is_valid(sure, cheapest.placement), seed
                )
                if told.soft_cost:
                    kinds.update(clause.kind for clause in told.kept)
        self.assertGreater(kinds[constraints.Alone], 5)
        self.assertGreater(kinds[constraints.Together], 5)

    def test_who_shares_a_domain_has_none_to_himself(self) -> None:
        # The idle rack is for who would pay more; two who go without pay
        # once if they are together.
        hosts = busy(worlds.racks(3, 1), 'r0-h0', 'r1-h0')
        names = ('b-0', 'b-1')
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.server(name) for name in ('a-0', *names)),
            (
                self.alone('rack', 'a', 5),
                worlds.rule('exclusive', 'rack', *names, weight=3, name='b'),
            ),
        )
        made = compiled.Compiled(problem, policies.load())
        told = solitude.least(made, contract.contract(made), seconds=60)
        self.assertEqual(
            {('a', constraints.Alone), ('b', constraints.Together)},
            {(clause.rule, clause.kind) for clause in told.kept},
        )

    def alone(self, scope: str, tag: str, weight: int | None) -> model.Rule:
        return worlds.rule(
            'exclusive', scope, f'{tag}-0', weight=weight, name=tag
        )

    def problem(
        self, hosts: list[model.Host], *rules: model.Rule
    ) -> model.Problem:
        return model.Problem(
            worlds.snapshot(hosts),
            tuple(
                worlds.server(name) for rule in rules for name in rule.members
            ),
            rules,
        )

    def test_of_two_who_want_one_idle_rack_the_cheaper_goes_without(
        self,
    ) -> None:
        problem = self.problem(
            busy(worlds.racks(3, 1), 'r0-h0', 'r1-h0'),
            self.alone('rack', 'a', 5),
            self.alone('rack', 'b', 3),
        )
        self.assertEqual((3, 3), bounded(problem))

    def test_who_must_have_it_comes_before_who_would_like_to(self) -> None:
        problem = self.problem(
            busy(worlds.racks(3, 1), 'r0-h0', 'r1-h0'),
            self.alone('rack', 'a', 5),
            self.alone('rack', 'b', None),
        )
        self.assertEqual((5, 5), bounded(problem))

    def test_an_owned_rack_leaves_no_idle_host(self) -> None:
        hosts = busy(worlds.racks(2, 2), 'r1-h0', 'r1-h1')
        both = (
            self.alone('rack', 'a', None),
            self.alone('host', 'b', 4),
        )
        self.assertEqual((4, 4), bounded(self.problem(hosts, *both)))
        hosts = busy(worlds.racks(2, 2), 'r1-h0')
        self.assertEqual((0, 0), bounded(self.problem(hosts, *both)))

    def test_what_is_too_small_is_no_choice(self) -> None:
        hosts = [
            worlds.host('small', 1, rack='r0'),
            *busy((worlds.host('large', 8, rack='r1'),), 'large'),
        ]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (worlds.server('a-0', 2),),
            (self.alone('host', 'a', 6),),
        )
        self.assertEqual((6, 6), bounded(problem))

    def test_who_must_spread_out_needs_several(self) -> None:
        hosts = busy(worlds.racks(3, 1), 'r2-h0')
        names = ('a-0', 'a-1')
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.server(name) for name in (*names, 'b-0')),
            (
                worlds.rule('exclusive', 'rack', *names, name='a'),
                self.alone('rack', 'b', 4),
            ),
        )
        self.assertEqual((0, 0), bounded(problem))
        for policy, option in (
            ('spread', {'min_domains': 2}),
            ('spread', {'max_per_domain': 1}),
        ):
            spread = worlds.rule(policy, 'rack', *names, name='s', **option)
            rules = *problem.rules, spread
            several = dataclasses.replace(problem, rules=rules)
            self.assertEqual((4, 4), bounded(several))
