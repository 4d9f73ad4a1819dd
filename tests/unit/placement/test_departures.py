# SPDX-License-Identifier: Apache-2.0
"""Who of several alike goes."""

import itertools
import random

from heat_vcluster.placement import checker, departures, model
from tests import base


def problem(racks, *rules):
    """Return servers ``m0``, ``m1``, ... one on a host, in these racks."""
    hosts = tuple(
        model.Host(f'h{number}', {'rack': rack}, {'VCPU': 4}, {'VCPU': 4})
        for number, rack in enumerate(racks)
    )
    names = [f'm{number}' for number in range(len(racks))]
    return model.Problem(
        model.Snapshot(('rack',), hosts),
        tuple(model.ServerDemand(name, {'VCPU': 1}) for name in names),
        tuple(
            model.Rule(
                f'r{n}',
                policy,
                'rack',
                tuple((m,) for m in names),
                weight,
                own,
            )
            for n, (policy, weight, own) in enumerate(rules)
        ),
        {name: f'h{number}' for number, name in enumerate(names)},
    )


EVEN = ('spread', None, {'max_skew': 1})
WISH = ('anti-affinity', 3, {})


class DeparturesTest(base.TestCase):
    def gone(self, racks, number, *rules):
        posed = problem(racks, *rules)
        units = [(name,) for name in posed.pinned]
        chosen = departures.choose(posed, units, number)
        return sorted(name for unit in chosen for name in unit)

    def test_the_last_ones_go_if_all_is_equal(self):
        self.assertEqual(['m2'], self.gone('abc', 1))
        self.assertEqual(['m1', 'm2'], self.gone('abc', 2))

    def test_it_goes_where_there_are_most(self):
        self.assertEqual(['m1'], self.gone('aabc', 1, EVEN))
        self.assertEqual(['m3'], self.gone('abcc', 1, EVEN))

    def test_a_wish_decides_where_no_rule_does(self):
        self.assertEqual(['m1'], self.gone('aabc', 1, WISH))

    def test_a_rule_weighs_more_than_any_wish(self):
        """By the wish it would be one of b; by the rule one of a."""
        found = self.gone('aaabb', 1, EVEN, WISH)
        self.assertLess(found, ['m3'])

    def test_those_that_are_tied_go_together(self):
        posed = problem('aabb', EVEN)
        chosen = departures.choose(posed, [('m0', 'm2'), ('m1', 'm3')], 1)
        self.assertEqual((('m1', 'm3'),), chosen)

    def test_where_not_all_choices_are_tried_the_rule_holds_too(self):
        racks = [*'aaaaaaaaaaaabbbbbbbbbbcccccccc']
        random.Random(4).shuffle(racks)
        posed = problem(racks, EVEN)
        units = [(name,) for name in posed.pinned]
        chosen = departures.choose(posed, units, 12)
        left = departures.without(
            posed, {name for unit in chosen for name in unit}
        )
        self.assertEqual(18, len(left.pinned))
        self.assertEqual(0, checker.judge(left, left.pinned).soft_cost)

    def test_it_is_never_worse_than_any_other_choice(self):
        drawn = random.Random(7)
        for _ in range(20):
            racks = [drawn.choice('abc') for _ in range(6)]
            posed = problem(racks, EVEN, WISH)
            units = [(name,) for name in posed.pinned]

            def cost(gone, posed=posed):
                left = departures.without(
                    posed, {name for unit in gone for name in unit}
                )
                return checker.judge(left, left.pinned).soft_cost

            best = min(map(cost, itertools.combinations(units, 3)))
            self.assertEqual(best, cost(departures.choose(posed, units, 3)))
