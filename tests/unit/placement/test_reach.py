# SPDX-License-Identifier: Apache-2.0
import testtools

from heat_vcluster.placement import model, policies, reach

NAMES = tuple('abcdef')


def rule(policy, scope, weight=None, units=None, **options):
    units = units or tuple((name,) for name in NAMES)
    return model.Rule('g', policy, scope, units, weight, options)


class ReachTest(testtools.TestCase):
    def reach(self, *rules, **options):
        return reach.of(rules, policies.load(), **options)

    def test_hard_rules_need_so_many_domains(self):
        for one, expected in (
            (rule('anti-affinity', 'rack'), 6),
            (rule('anti-affinity', 'rack', units=(('a', 'b'), ('c',))), 2),
            (rule('spread', 'rack', max_per_domain=4), 2),
            (rule('spread', 'rack', min_domains=3), 3),
        ):
            self.assertEqual(expected, self.reach(one).domains['rack'])

    def test_most_of_several_rules_counts(self):
        found = self.reach(
            rule('spread', 'rack', max_per_domain=2),
            rule('spread', 'rack', min_domains=5),
            rule('spread', 'zone', min_domains=2),
        )
        self.assertEqual(
            (5, 2), (found.domains['rack'], found.domains['zone'])
        )

    def test_soft_rules_and_affinity_need_none(self):
        found = self.reach(
            rule('anti-affinity', 'rack', 3), rule('affinity', 'rack')
        )
        self.assertEqual({1}, {1, *found.domains.values()})

    def test_some_rules_look_at_all_of_a_domain(self):
        found = self.reach(
            rule('exclusive', 'rack', 1),
            rule('exclusive', 'host'),
            rule('spread', 'zone', max_skew=1),
            measured=['row'],
        )
        self.assertEqual({'rack', 'row'}, found.entire)
        self.assertEqual({'row'}, found.measured)
        self.assertEqual({'zone'}, found.even)

    def test_mere_sets_ask_nothing(self):
        self.assertEqual(
            reach.Reach(), self.reach(rule('exclusive', 'rack', 0))
        )
