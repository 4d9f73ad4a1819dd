# SPDX-License-Identifier: Apache-2.0
"""Groups: units, nesting, and what cannot be meant."""

import hypothesis
from hypothesis import strategies as st

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

    def test_the_members_of_a_group_are_found_once(self):
        """Groups that all name all groups of the next layer are many."""
        loaded = base.load(
            base.server('a', count=2),
            base.group('g', 'i', 'j'),
            base.group('h', 'i', 'j'),
            base.group('i', 'k'),
            base.group('j', 'k'),
            base.group('k', 'a'),
        )
        one, other = loaded.groups[:2]
        self.assertEqual((('a-0', 'a-1'),) * 2, one.units)
        for unit, same in zip(one.units, other.units, strict=True):
            self.assertIs(unit, same)

    def test_a_chain_of_groups_may_be_long(self):
        chain = [base.group(f'g{n}', f'g{n + 1}') for n in range(999)]
        loaded = base.load(base.server('a'), *chain, base.group('g999', 'a'))
        self.assertEqual({(('a',),)}, {group.units for group in loaded.groups})


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
        self.assertEqual(0, self.rule(weight=0).weight)

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

    def test_of_many_unknown_only_the_first_are_compared(self):
        found = self.faults_of(
            base.document(
                *(base.server(f'server-number-{n}') for n in range(300)),
                base.group('g', *(f'server-nomber-{n}' for n in range(300))),
            )
        )
        hints = ['did you mean' in message for _, message in found]
        self.assertEqual(300, len(hints))
        self.assertTrue(hints[0])
        self.assertLess(sum(hints), 10)

    def test_groups_of_groups_that_come_to_too_many(self):
        inner = [base.group(f'i{n}', 'a') for n in range(40)]
        outer = [
            base.group(f'o{n}', *(each['name'] for each in inner))
            for n in range(26)
        ]
        self.assert_faults(
            {'groups': 'have 1080000 members, each counted wherever'},
            base.server('a', count=1000),
            *inner,
            *outer,
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


class InstalledTest(base.SpecTest):
    """The kinds of rule that come with the product, key by key."""

    KINDS = registry.load('policies')
    MEMBERS = (base.server('web', count=3), base.volume('v'))

    def load_group(self, spec, members=('web',), scopes=None):
        """Load a document with one group; loading it again is no change."""
        entry = {'name': 'g', 'spec': spec, 'members': list(members)}
        source = base.document(*self.MEMBERS, entry)
        loaded = loader.load(source, scopes=scopes)
        self.assertEqual(loaded, loader.load(loaded.document))
        return loaded.groups[0]

    def refused(self, expected, **spec):
        """The group's spec has exactly these faults: key -> words in it."""
        self.assert_faults(
            {
                '.'.join(filter(None, ('groups[0].spec', key))): words
                for key, words in expected.items()
            },
            *self.MEMBERS,
            {'name': 'g', 'spec': spec, 'members': ['web']},
            policies=self.KINDS,
            scopes=('zone', 'rack', 'host'),
        )

    def test_spread_takes_any_of_its_limits(self):
        for limits in (
            {'max_per_domain': 2},
            {'max_skew': 0},
            {'min_domains': 2},
            {'max_skew': 1, 'min_domains': 2, 'max_per_domain': 3},
            {'max_skew': 1, 'domains': ['east', 'west']},
        ):
            group = self.load_group(
                {'policy': 'spread', 'scope': 'zone', **limits}
            )
            self.assertEqual(limits, dict(group.options))
            self.assertTrue(group.is_hard)

    def test_spread_needs_one_limit(self):
        self.refused(
            {'': 'at least one of max_per_domain, max_skew, min_domains'},
            policy='spread',
        )

    def test_domains_are_of_the_skew(self):
        self.refused(
            {'domains': "has a meaning only with 'max_skew'"},
            policy='spread',
            scope='zone',
            max_per_domain=1,
            domains=['east'],
        )

    def test_limits_of_the_wrong_kind_are_all_told(self):
        self.refused(
            {
                'max_per_domain': 'from 1 to 1000000; this is 0',
                'max_skew': 'a whole number of members from 0',
                'min_domains': 'a whole number of domains from 1',
                'domains': 'names of domains, each once',
                'scope': "did you mean 'rack'?",
            },
            policy='spread',
            scope='rak',
            max_per_domain=0,
            max_skew='1',
            min_domains=0,
            domains=[],
        )

    def test_limits_have_bounds(self):
        for policy, keys in (
            ('spread', ('max_per_domain', 'max_skew', 'min_domains')),
            ('survive', ('lose', 'keep')),
        ):
            self.refused(
                dict.fromkeys(keys, 'to 1000000; this is 1000001'),
                policy=policy,
                scope='zone',
                **dict.fromkeys(keys, 10**6 + 1),
            )

    def test_names_of_domains_have_no_nul(self):
        self.refused(
            {'domains[0]': 'the name of a domain'},
            policy='spread',
            scope='zone',
            max_skew=1,
            domains=['a\0b'],
        )

    def test_exclusive_is_strict_or_not_like_others(self):
        hard = self.load_group({'policy': 'exclusive', 'scope': 'rack'})
        self.assertEqual((None, 'rack'), (hard.weight, hard.scope))
        soft = self.load_group({'policy': 'exclusive', 'strict': False})
        self.assertEqual((1, 'host'), (soft.weight, soft.scope))

    def test_proximity_is_always_a_wish_and_has_no_scope(self):
        for spec, weight in (
            ({}, 1),
            ({'strict': False}, 1),
            ({'weight': 7}, 7),
            ({'weight': 0, 'at_least': 'zone'}, 0),
        ):
            group = self.load_group({'policy': 'proximity', **spec})
            self.assertEqual(weight, group.weight)
            self.assertEqual(
                spec.get('at_least'), group.options.get('at_least')
            )
        self.assertEqual({}, self.load_group({'policy': 'proximity'}).options)

    def test_proximity_with_what_it_cannot_have(self):
        self.refused(
            {
                'scope': 'is not a known key',
                'strict': 'this policy is always a wish',
                'at_least': "did you mean 'rack'?",
            },
            policy='proximity',
            scope='rack',
            strict=True,
            at_least='rak',
        )

    def test_a_key_of_another_kind(self):
        self.refused(
            {'at_least': 'is not a known key', 'max_skew': 'is not a known'},
            policy='exclusive',
            at_least='rack',
            max_skew=1,
        )

    def test_older_spellings_of_new_kinds(self):
        loaded = loader.load(
            {
                'vcluster': {
                    'instances': {'instance': list(self.MEMBERS)},
                    'groupings': {
                        'grouping': [
                            {
                                'name': 'near',
                                'spec': {'rule': 'proximity', 'weight': 2},
                                'membersRef': '["web", "v"]',
                            },
                            {
                                'name': 'even',
                                'spec': {'rule': 'spread', 'max_skew': 1},
                                'membersRef': ['web'],
                            },
                        ]
                    },
                }
            }
        )
        self.assertEqual(
            [('proximity', 2), ('spread', None)],
            [(group.policy, group.weight) for group in loaded.groups],
        )
        self.assertEqual(
            ('web-0', 'web-1', 'web-2', 'v'), loaded.groups[0].members
        )


SCOPES = ('zone', 'rack', 'host')
_LIMITS = st.fixed_dictionaries(
    {},
    optional={
        'max_per_domain': st.integers(1, 5),
        'max_skew': st.integers(0, 3),
        'min_domains': st.integers(1, 4),
    },
).filter(bool)


@st.composite
def rules(draw):
    """Draw the spec of a group that is right, whoever is in it.

    ``survive`` asks for as many members as are to be lost and left.
    """
    policies = {*registry.load('policies')} - {'survive'}
    policy = draw(st.sampled_from(sorted(policies)))
    rule = {'policy': policy}
    if policy == 'proximity':
        if draw(st.booleans()):
            rule['at_least'] = draw(st.sampled_from(SCOPES))
    elif draw(st.booleans()):
        rule['scope'] = draw(st.sampled_from(SCOPES))
    if policy == 'spread':
        rule |= draw(_LIMITS)
        if 'max_skew' in rule and draw(st.booleans()):
            names = st.sampled_from(['east', 'west', 'r1'])
            rule['domains'] = draw(st.lists(names, min_size=1, unique=True))
    if draw(st.booleans()):
        rule['strict'] = policy != 'proximity' and draw(st.booleans())
    if not rule.get('strict') and draw(st.booleans()):
        rule['weight'] = draw(st.integers(0, 1000))
    return rule


@st.composite
def documents(draw):
    """Draw a document with groups over members and over earlier groups.

    A counted instance is named whole or by its copies; units that must not
    overlap do not, as every entry is used in one group only.
    """
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    instances = [
        draw(st.sampled_from([base.server, base.volume]))(
            f'm{number}', count=count or None
        )
        for number, count in enumerate(counts)
    ]
    names = [each['name'] for each in instances]
    groups = []
    for number in range(draw(st.integers(0, 4))):
        if not names:
            break
        chosen = draw(
            st.lists(st.sampled_from(names), min_size=1, unique=True)
        )
        names = [name for name in names if name not in chosen]
        groups.append(
            {
                'name': f'g{number}',
                'spec': draw(rules()),
                'members': chosen,
            }
        )
        names.append(f'g{number}')
    return {'instances': instances, 'groups': groups}


class AnyDocumentTest(base.SpecTest):
    @hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
    @hypothesis.given(documents())
    def test_loads_and_its_canonical_document_loads_to_the_same(
        self, document
    ):
        loaded = loader.load(document, scopes=SCOPES)
        self.assertEqual(loaded, loader.load(loaded.document, scopes=SCOPES))
        for written, group in zip(
            document['groups'], loaded.groups, strict=True
        ):
            asked = written['spec']
            self.assertEqual(asked['policy'], group.policy)
            self.assertEqual(asked.get('scope', 'host'), group.scope)
            self.assertEqual(
                asked.get('strict', 'weight' not in asked)
                and asked['policy'] != 'proximity',
                group.is_hard,
            )
            for key, value in asked.items():
                if key not in ('policy', 'scope', 'strict', 'weight'):
                    self.assertEqual(value, group.options[key])

    @hypothesis.settings(max_examples=100, deadline=None, derandomize=True)
    @hypothesis.given(
        documents().filter(lambda document: document['groups']),
        st.data(),
    )
    def test_one_key_gone_wrong_is_found_at_its_place(self, document, data):
        number = data.draw(st.integers(0, len(document['groups']) - 1))
        spec = document['groups'][number]['spec']
        key = data.draw(
            st.sampled_from([k for k in sorted(spec) if k != 'policy'] or [''])
        )
        hypothesis.assume(key)
        spec[key] = {'no': 'such value'}
        places = [
            path
            for path, _ in self.faults_of(
                document, policies=registry.load('policies'), scopes=SCOPES
            )
        ]
        self.assertEqual([f'groups[{number}].spec.{key}'], places)
