# SPDX-License-Identifier: Apache-2.0
"""Members that must be apart take hosts, however small they are."""

from __future__ import annotations

import itertools

from heat_vcluster.placement import model
from heat_vcluster.placement.counting import footprint
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(400)


def fewest(made: compiled.Compiled) -> int:
    return footprint.fewest(made, contract.contract(made))


class TestFootprint(base.TestCase):
    def test_no_placement_uses_fewer(self) -> None:
        tight = by_rules = 0
        for seed in SEEDS:
            made = worlds.packed(oracle.tiny(seed))
            found = exact.solve(made).placement
            if found is None:
                continue
            used, bound = amounts.objective(made, found), fewest(made)
            self.assertLessEqual(bound, used, seed)
            tight += bound == used
            by_rules += bound > 1
        self.assertGreater(by_rules, 5)
        self.assertGreater(tight, by_rules)

    def fewest_of_pairs(self, per_rack: int) -> int:
        """Five pairs, each apart in a rack; so many of them in one rack."""
        pairs = [worlds.servers(name, 2) for name in 'abcde']
        units = [tuple(each.member for each in pair) for pair in pairs]
        problem = model.Problem(
            worlds.snapshot(worlds.racks(5, 4)),
            tuple(itertools.chain(*pairs)),
            (
                *(
                    worlds.rule('anti-affinity', 'host', *unit, name=f'h{n}')
                    for n, unit in enumerate(units)
                ),
                *(
                    worlds.rule('affinity', 'rack', *unit, name=f'r{n}')
                    for n, unit in enumerate(units)
                ),
                worlds.rule(
                    'spread',
                    'rack',
                    *(unit[0] for unit in units),
                    name='racks',
                    max_per_domain=per_rack,
                ),
            ),
        )
        return fewest(worlds.packed(problem))

    def test_it_sums_what_bundles_in_different_domains_need(self) -> None:
        self.assertEqual(10, self.fewest_of_pairs(1))

    def test_those_in_one_domain_may_share_their_hosts(self) -> None:
        self.assertEqual(6, self.fewest_of_pairs(2))
        self.assertEqual(2, self.fewest_of_pairs(5))
