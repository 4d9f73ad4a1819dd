# SPDX-License-Identifier: Apache-2.0
"""Which rules become server groups, and which of them when not all can."""

import testtools

from heat_vcluster import load
from heat_vcluster.cloud import grouping
from tests.functional import documents


def group(name, policy, *members, **spec):
    return {
        'name': name,
        'spec': {'policy': policy, **spec},
        'members': list(members),
    }


def choose(*groups, survive=(), **room):
    document = {
        'instances': [
            documents.server('a', count=3),
            documents.server('b', count=2),
            {
                'name': 'v',
                'type': 'volume',
                'count': 3,
                'spec': {'size': 1},
            },
        ],
        'groups': list(groups),
        'survive': list(survive),
    }
    return grouping.choose(load(document), grouping.Room(**room))


class SayableTest(testtools.TestCase):
    def made(self, *groups, **more):
        return [
            (g.rule, g.policy, len(g.servers), g.most)
            for g in choose(*groups, **more).groups
        ]

    def test_strict_rules_over_hosts(self):
        for spec, made in (
            ({'policy': 'anti-affinity'}, ('anti-affinity', 3, 1)),
            ({'policy': 'affinity'}, ('affinity', 3, 1)),
            (
                {'policy': 'spread', 'max_per_domain': 2},
                ('anti-affinity', 3, 2),
            ),
            (
                {'policy': 'survive', 'lose': 1, 'keep': 1},
                ('anti-affinity', 3, 2),
            ),
        ):
            self.assertEqual(
                [('g', *made)],
                self.made({'name': 'g', 'spec': spec, 'members': ['a']}),
            )

    def test_a_survival_of_the_document_is_one(self):
        self.assertEqual(
            [('survive[0].keep.a', 'anti-affinity', 3, 1)],
            self.made(survive=[{'lose': '1 host', 'keep': {'a': 2}}]),
        )

    def test_volumes_in_a_rule_are_nothing_to_nova(self):
        self.assertEqual(
            [('g', 'affinity', 2, 1)],
            self.made(group('g', 'affinity', 'a-0', 'v-0', 'b-0')),
        )
        pairs = [
            group(f'p{n}', 'affinity', f'a-{n}', f'v-{n}', weight=0)
            for n in range(3)
        ]
        self.assertEqual(
            [('g', 'anti-affinity', 3, 1)],
            self.made(*pairs, group('g', 'anti-affinity', 'p0', 'p1', 'p2')),
        )

    def test_what_server_groups_have_no_words_for(self):
        for spec, members in (
            ({'policy': 'anti-affinity', 'scope': 'rack'}, ['a']),
            ({'policy': 'anti-affinity', 'weight': 5}, ['a']),
            ({'policy': 'anti-affinity'}, ['a-0', 'v-0']),
            ({'policy': 'exclusive'}, ['a']),
            ({'policy': 'proximity', 'at_least': 'host'}, ['a']),
            ({'policy': 'spread', 'max_per_domain': 3}, ['a']),
            ({'policy': 'spread', 'max_per_domain': 1, 'max_skew': 1}, ['a']),
            ({'policy': 'survive', 'lose': 2, 'keep': 1}, ['a']),
        ):
            found = choose({'name': 'g', 'spec': spec, 'members': members})
            self.assertEqual(grouping.Grouping(), found, spec)

    def test_units_that_may_share_a_host(self):
        found = choose(
            group('pair', 'affinity', 'b', weight=0),
            group('g', 'anti-affinity', 'a-0', 'pair'),
        )
        self.assertEqual(grouping.Grouping(), found)


class ChoiceTest(testtools.TestCase):
    def test_a_server_is_in_one_group_and_what_parts_most_comes_first(self):
        found = choose(
            group('near', 'affinity', 'a-0', 'b-0'),
            group('two', 'spread', 'a', 'b', max_per_domain=2),
            group('apart', 'anti-affinity', 'a'),
            group('others', 'affinity', 'b'),
        )
        self.assertEqual(['apart', 'others'], [g.rule for g in found.groups])
        taken = grouping.TAKEN.format('apart')
        self.assertEqual(
            {'near': taken, 'two': taken},
            {rule: why for rule, _, why in found.lacking},
        )
        self.assertEqual('apart', found.of('a-1').rule)
        self.assertEqual('others', found.of('b-1').rule)
        self.assertEqual(
            {'apart': None, 'near': taken, 'two': taken}, found.rules_of('a-0')
        )

    def test_a_rule_that_another_implies_is_held_with_it(self):
        found = choose(
            group('apart', 'anti-affinity', 'a'),
            group('two', 'spread', 'a-0', 'a-1', 'a-2', max_per_domain=2),
            group('some', 'anti-affinity', 'a-0', 'a-1'),
        )
        self.assertEqual(['apart'], [g.rule for g in found.groups])
        self.assertEqual(
            {'apart': None, 'two': None, 'some': None}, found.rules_of('a-0')
        )
        self.assertEqual({'apart': None, 'two': None}, found.rules_of('a-2'))

    def test_quotas_leave_room_for_some(self):
        rules = (
            group('near', 'affinity', 'b'),
            group('apart', 'anti-affinity', 'a'),
        )
        found = choose(*rules, groups=1)
        self.assertEqual(['apart'], [g.rule for g in found.groups])
        self.assertEqual({'near': grouping.NO_GROUPS}, found.rules_of('b-0'))
        found = choose(*rules, members=2)
        self.assertEqual(['near'], [g.rule for g in found.groups])
        self.assertEqual(
            {'apart': grouping.TOO_MANY.format(3, 2)}, found.rules_of('a-0')
        )
        self.assertIsNone(choose(*rules, groups=0).of('a-0'))
