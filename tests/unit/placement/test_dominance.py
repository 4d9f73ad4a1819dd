# SPDX-License-Identifier: Apache-2.0
"""Hosts that others do for are left out, and nothing is lost by that."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.better import dominance
from heat_vcluster.placement.numbers import amounts, compiled
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(300)


class TestDominance(base.TestCase):
    def test_the_fewest_hosts_are_among_those_that_are_needed(self) -> None:
        left_out = 0
        for seed in SEEDS:
            made = worlds.packed(oracle.tiny(seed))
            best = exact.solve(made).placement
            if best is None:
                continue
            fewest = amounts.objective(made, best)
            hosts = dominance.needed(made, fewest)
            if hosts is None or np.all(hosts):
                continue
            left_out += 1
            self.assertEqual(fewest, self.fewest_on(made, hosts), seed)
        self.assertGreater(left_out, 10)

    def fewest_on(
        self, made: compiled.Compiled, hosts: columns.Flags
    ) -> int | None:
        allowed = dominance.reach(made, hosts)
        found = exact.solve(made, allowed=allowed).placement
        return None if found is None else amounts.objective(made, found)

    def needed(self, *rules: model.Rule, most: int = 2) -> list[bool] | None:
        """Two servers; in each of two racks hosts with 8, 4, 2 and 2."""
        hosts = [
            worlds.host(f'{rack}-{number}', vcpu, rack=rack, zone='z0')
            for rack in ('r0', 'r1')
            for number, vcpu in enumerate((8, 4, 2, 2))
        ]
        problem = model.Problem(
            worlds.snapshot(hosts), tuple(worlds.servers('s', 2, 2)), rules
        )
        found = dominance.needed(worlds.packed(problem), most)
        return None if found is None else found.tolist()

    def test_room_beyond_what_all_take_does_not_count(self) -> None:
        # Of 8 and 4 alike the first ones are taken, wherever they are.
        self.assertEqual([True, True, *6 * [False]], self.needed())

    def test_hosts_of_other_domains_dominate_nothing(self) -> None:
        rule = worlds.rule('anti-affinity', 'rack', 's-0', 's-1')
        self.assertEqual(2 * [True, True, False, False], self.needed(rule))

    def test_who_must_be_alone_on_a_host_tells_hosts_apart(self) -> None:
        rule = worlds.rule('exclusive', 'host', 's-0')
        self.assertIsNone(self.needed(rule))
