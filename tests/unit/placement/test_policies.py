# SPDX-License-Identifier: Apache-2.0
"""Each kind of rule means what is written down for tenants."""

from __future__ import annotations

import testtools

from heat_vcluster.placement import policies
from tests.unit.placement import worlds

KINDS = policies.load()


def violation(rule, **domains):
    return KINDS[rule.policy].violation(rule, domains)


class PolicyTestCase(testtools.TestCase):
    def test_the_three_kinds_are_installed_under_their_own_names(self):
        self.assertEqual({'affinity', 'anti-affinity', 'spread'}, set(KINDS))
        for name, kind in KINDS.items():
            self.assertEqual(name, kind.name)

    def test_only_spread_has_a_key_of_its_own_and_needs_it(self):
        self.assertEqual(
            ['max_per_domain'], KINDS['spread'].schema['required']
        )
        for name in ('affinity', 'anti-affinity'):
            self.assertEqual({}, KINDS[name].schema['properties'])


class AffinityTestCase(testtools.TestCase):
    rule = worlds.rule('affinity', 'rack', 'a', 'b', ('c', 'd'))

    def test_obeyed_in_one_domain(self):
        self.assertEqual(0, violation(self.rule, a='r', b='r', c='r', d='r'))

    def test_broken_by_each_domain_beyond_the_first(self):
        self.assertEqual(2, violation(self.rule, a='r', b='s', c='t', d='s'))

    def test_a_member_without_a_domain_does_not_count(self):
        self.assertEqual(0, violation(self.rule, a='r', b='r'))
        self.assertEqual(0, violation(self.rule))


class AntiAffinityTestCase(testtools.TestCase):
    rule = worlds.rule('anti-affinity', 'rack', 'a', 'b', ('c', 'd'))

    def test_members_of_one_unit_may_share(self):
        self.assertEqual(0, violation(self.rule, a='r', b='s', c='t', d='t'))
        self.assertEqual(0, violation(self.rule, a='r', b='s', c='t', d='u'))

    def test_broken_by_each_unit_beyond_the_first_in_a_domain(self):
        self.assertEqual(2, violation(self.rule, a='r', b='r', c='r', d='t'))
        self.assertEqual(2, violation(self.rule, a='r', b='s', c='r', d='s'))

    def test_a_unit_is_in_a_domain_once_whatever_its_size(self):
        self.assertEqual(1, violation(self.rule, a='r', b='s', c='r', d='r'))


class SpreadTestCase(testtools.TestCase):
    rule = worlds.rule(
        'spread', 'rack', 'a', 'b', ('c', 'd'), max_per_domain=2
    )

    def test_obeyed_up_to_the_limit(self):
        self.assertEqual(0, violation(self.rule, a='r', b='r', c='s', d='s'))

    def test_broken_by_each_member_beyond_the_limit(self):
        self.assertEqual(1, violation(self.rule, a='r', b='r', c='r', d='s'))
        self.assertEqual(2, violation(self.rule, a='r', b='r', c='r', d='r'))

    def test_the_domains_needed_are_rounded_up(self):
        rule = worlds.rule('spread', 'rack', *'abcde', max_per_domain=2)
        self.assertEqual(3, KINDS['spread'].domains_needed(rule))
