# SPDX-License-Identifier: Apache-2.0
"""Hosts left out of sight: fewer are used, and all rules are obeyed."""

from __future__ import annotations

import dataclasses
import random
import time

import numpy as np

from heat_vcluster.placement import columns, model, policies
from heat_vcluster.placement.better import thinning
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(60)
PATIENCE = 60.0  # seconds that nothing here comes near


def compile_it(problem: model.Problem) -> compiled.Compiled:
    packed = dataclasses.replace(problem, objective='pack')
    return compiled.Compiled(packed, policies.load())


def thin(made: compiled.Compiled, start: columns.Ints) -> columns.Ints:
    return thinning.thin(made, start, time.monotonic() + PATIENCE)


def in_zones(seed: int) -> model.Problem:
    """Make groups of 3 to 5, each in a zone, each member in another rack."""
    draw = random.Random(seed)
    hosts = [
        worlds.host(
            f'z{zone}r{rack}h{number}',
            draw.randint(2, 16),
            rack=f'z{zone}r{rack}',
            zone=f'z{zone}',
        )
        for zone in range(8)
        for rack in range(5)
        for number in range(10)
    ]
    groups = [
        [f's{group}-{number}' for number in range(3 + group % 3)]
        for group in range(16)
    ]
    rules = [
        worlds.rule(policy, scope, *names, name=f'{scope}-{number}')
        for number, names in enumerate(groups)
        for policy, scope in (('affinity', 'zone'), ('anti-affinity', 'rack'))
    ]
    servers = [worlds.server(name, 2) for names in groups for name in names]
    return model.Problem(worlds.snapshot(hosts), tuple(servers), tuple(rules))


class TestThinning(base.TestCase):
    def test_it_is_valid_and_uses_no_more_hosts(self):
        fewer = 0
        for seed in SEEDS:
            made = compile_it(oracle.tiny(seed))
            start = exact.solve(made, goal=exact.Goal.ANY).placement
            if start is None:
                continue
            found = thin(made, start)
            self.assertTrue(amounts.is_valid(made, found), seed)
            before = amounts.objective(made, start)
            after = amounts.objective(made, found)
            self.assertLessEqual(after, before, seed)
            fewer += after < before
        self.assertGreater(fewer, 0)

    def test_the_roomiest_hosts_are_taken(self):
        hosts = [
            worlds.host(f'{rack}-{number}', 2 + 6 * (rack == 'large'))
            for rack in ('small', 'large')
            for number in range(10)
        ]
        problem = model.Problem(
            worlds.snapshot(hosts), tuple(worlds.servers('s', 20, 2)), ()
        )
        made = compile_it(problem)
        start = np.arange(20, dtype=np.int64)
        self.assertEqual(20, amounts.objective(made, start))
        self.assertEqual(5, amounts.objective(made, thin(made, start)))

    def test_the_best_hosts_of_each_shape_come_first(self):
        hosts = [worlds.host(f'h{number}', 2 + number) for number in range(6)]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (worlds.server('a', 6), worlds.server('b', 2, on=['h0', 'h1'])),
            (),
        )
        order = thinning.order(compile_it(problem)).tolist()
        self.assertEqual({5, 1}, set(order[:2]))

    def test_few_domains_take_what_belongs_together(self):
        # By the roomiest hosts alone it comes to one more.
        made = compile_it(in_zones(seed=1))
        found = greedy.place(made, contract.contract(made), deadline=PATIENCE)
        self.assertTrue(found.is_whole)
        self.assertEqual(
            9, amounts.objective(made, thin(made, found.placement))
        )
