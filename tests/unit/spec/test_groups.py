# SPDX-License-Identifier: Apache-2.0
"""Groups: units, nesting, and what cannot be meant."""

from heat_vcluster import registry
from heat_vcluster.spec import loader
from tests.unit.spec import base


class UnitsTest(base.SpecTest):
    def units(self, *entries, name='g'):
        loaded = base.load(*entries)
        [group] = [g for g in loaded.groups if g.name == name]
        return group.units

    def test_members_and_counted_instances(self):
        self.assertEqual(
            (('a',), ('db-0',), ('db-1',)),
            self.units(
                base.server('a'),
                base.server('db', count=2),
                base.group('g', 'a', 'db'),
            ),
        )

    def test_a_group_is_one_unit(self):
        entries = (
            base.server('db', count=2),
            base.volume('data', count=2),
            base.server('web'),
            base.group('pairs', 'pair-0', 'pair-1', policy='anti-affinity'),
            base.group('pair-0', 'db-0', 'data-0'),
            base.group('pair-1', 'db-1', 'data-1'),
            base.group('g', 'web', 'pairs'),
        )
        self.assertEqual(
            (('db-0', 'data-0'), ('db-1', 'data-1')),
            self.units(*entries, name='pairs'),
        )
        self.assertEqual(
            (('web',), ('db-0', 'data-0', 'db-1', 'data-1')),
            self.units(*entries),
        )

    def test_a_member_below_two_inner_groups_counts_once(self):
        loaded = base.load(
            base.server('a'),
            base.server('b'),
            base.server('c'),
            base.group('x', 'a', 'b'),
            base.group('y', 'b', 'c'),
            base.group('g', 'x', 'y'),
        )
        self.assertEqual((('a', 'b'), ('b', 'c')), loaded.groups[2].units)
        self.assertEqual(('a', 'b', 'c'), loaded.groups[2].members)


class RuleTest(base.SpecTest):
    def rule(self, **rule):
        [group] = base.load(
            base.volume('v'), base.group('g', 'v', **rule)
        ).groups
        return group

    def test_hard_at_scope_host_by_default(self):
        group = self.rule()
        self.assertTrue(group.is_hard)
        self.assertEqual(('affinity', 'host'), (group.policy, group.scope))
        self.assertTrue(self.rule(strict=True).is_hard)

    def test_soft(self):
        self.assertEqual(1, self.rule(strict=False).weight)
        self.assertEqual(7, self.rule(strict=False, weight=7).weight)
        self.assertEqual(7, self.rule(weight=7).weight)

    def test_a_strict_group_has_no_weight(self):
        self.assert_faults(
            {'groups[0].spec.weight': "set 'strict' to false"},
            base.volume('v'),
            base.group('g', 'v', strict=True, weight=7),
        )

    def test_an_unknown_policy_hides_no_other_fault(self):
        self.assert_faults(
            {
                'groups[0].spec.policy': "did you mean 'affinity'?",
                'groups[0].spec.scope': "did you mean 'rack'?",
            },
            base.volume('v'),
            base.group('g', 'v', policy='afinity', scope='rak'),
            scopes=('rack', 'host'),
        )

    def test_options_are_the_keys_of_the_policy(self):
        group = self.rule(
            policy='spread', scope='rack', max_per_domain=2, weight=3
        )
        self.assertEqual({'max_per_domain': 2}, group.options)


class MembersTest(base.SpecTest):
    def test_unknown(self):
        self.assert_faults(
            {
                'groups[0].members[0]': "'wbe'; did you mean 'web'?",
                'groups[0].members[1]': "'db-2'; did you mean 'db-",
                'groups[0].members[2]': "'xyz'; there are web, db-0, db-1, "
                'db, g',
            },
            base.server('web'),
            base.server('db', count=2),
            base.group('g', 'wbe', 'db-2', 'xyz'),
        )

    def test_named_twice(self):
        self.assert_faults(
            {
                'groups[0].members[1]': "'a' is named twice in this group",
                'groups[1].members[1]': "'db-1' is named twice: by 'db' and "
                "by 'db-1'",
                'groups[2].members[1]': "'g' is named twice",
            },
            base.server('a'),
            base.server('db', count=2),
            base.group('g', 'a', 'a'),
            base.group('h', 'db', 'db-1'),
            base.group('i', 'g', 'g'),
        )

    def test_networks_are_not_placed(self):
        self.assert_faults(
            {
                'groups[0].members[1]': 'only servers and volumes',
                'groups[0].members[2]': 'only servers and volumes',
            },
            base.server('a'),
            base.network('n'),
            base.network('m', count=2),
            base.group('g', 'a', 'n', 'm'),
        )

    def test_a_group_in_itself(self):
        self.assert_faults(
            {'groups[0].members[0]': 'a group cannot be in itself: g has g'},
            base.server('a'),
            base.group('g', 'g', 'a'),
        )
        found = self.faults_of(
            base.document(
                base.server('a'),
                base.group('g', 'a', 'h'),
                base.group('h', 'i'),
                base.group('i', 'g'),
            )
        )
        self.assertEqual(1, len(found), found)
        self.assertIn('a group cannot be in itself', found[0][1])


class OverlapTest(base.SpecTest):
    ENTRIES = (
        base.server('a'),
        base.server('b'),
        base.group('x', 'a', 'b'),
    )

    def test_units_that_are_kept_apart(self):
        self.assert_faults(
            {'groups[1].members[1]': "'a' is in 'a' and in 'x'"},
            *self.ENTRIES,
            base.group('g', 'a', 'x', policy='anti-affinity'),
        )

    def test_units_of_other_policies_may_overlap(self):
        base.load(*self.ENTRIES, base.group('g', 'a', 'x'))

    def test_installed_anti_affinity_keeps_apart(self):
        source = base.document(
            *self.ENTRIES, base.group('g', 'a', 'x', policy='anti-affinity')
        )
        policies = registry.load('policies')
        self.assertEqual(
            ['groups[1].members[1]'],
            [path for path, _ in self.faults_of(source, policies=policies)],
        )
        source['groups'][1]['spec']['policy'] = 'affinity'
        self.assertEqual(2, len(loader.load(source).groups))
