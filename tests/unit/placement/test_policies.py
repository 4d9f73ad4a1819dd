# SPDX-License-Identifier: Apache-2.0
"""Each kind of rule means what is written down for tenants."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import testtools

from heat_vcluster.placement import model, policies
from tests.unit.placement import worlds

KINDS = policies.load()


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Members with the domain of each by scope; a View with nothing behind.

    ``busy`` and ``level`` are names at the scope that is asked for.
    """

    of_member: Mapping[str, Mapping[str, str]]
    busy: frozenset[str] = frozenset()
    level: frozenset[str] = frozenset()
    scopes: Sequence[str] = ('host', 'rack', 'zone')

    def domains(self, members: Iterable[str], scope: str) -> Mapping[str, str]:
        found = {m: self.of_member.get(m, {}).get(scope) for m in members}
        return {m: d for m, d in found.items() if d is not None}

    def is_busy(self, scope: str, domain: str) -> bool:
        return domain in self.busy

    def others(self, members: Collection[str], scope: str) -> frozenset[str]:
        rest = [m for m in self.of_member if m not in members]
        return frozenset(self.domains(rest, scope).values())

    def level_domains(self, rule: model.Rule) -> frozenset[str]:
        return self.level


def racks(level: str = '', busy: str = '', **domains: str) -> Seen:
    """See the members in those racks; racks have one letter."""
    of_member = {m: {'rack': domain} for m, domain in domains.items()}
    return Seen(of_member, frozenset(busy), frozenset(level))


def spots(**paths: str) -> Seen:
    """See members at ``zone/rack/host``; a part left empty is not known."""
    of_member = {
        member: {
            scope: name
            for scope, name in zip(
                ('zone', 'rack', 'host'), path.split('/'), strict=True
            )
            if name
        }
        for member, path in paths.items()
    }
    return Seen(of_member)


class PolicyTestCase(testtools.TestCase):
    def assertBroken(self, by, rule, view, where=None):
        """The rule is broken by so much, in these domains of its scope."""
        kind = KINDS[rule.policy]
        self.assertEqual(by, kind.violation(rule, view))
        if where is not None:
            self.assertEqual(
                sorted((rule.scope, domain) for domain in where),
                sorted(kind.where(rule, view)),
            )
        # A hard rule is broken by all of it, a wish by nothing.
        if rule.weight is None and kind.has_scope:
            self.assertEqual(by, kind.broken(rule, view))
            soft = dataclasses.replace(rule, weight=1)
            self.assertEqual(0, kind.broken(soft, view))


class InstalledTestCase(testtools.TestCase):
    def test_six_kinds_under_their_own_names(self):
        self.assertEqual(
            {
                'affinity',
                'anti-affinity',
                'exclusive',
                'proximity',
                'spread',
                'survive',
            },
            set(KINDS),
        )
        for name, kind in KINDS.items():
            self.assertEqual(name, kind.name)

    def test_keys_that_only_one_kind_has(self):
        own = {
            name: set(kind.schema['properties'])
            for name, kind in KINDS.items()
        }
        self.assertEqual(
            {
                'affinity': set(),
                'anti-affinity': set(),
                'exclusive': set(),
                'proximity': {'at_least'},
                'spread': {
                    'max_per_domain',
                    'max_skew',
                    'domains',
                    'min_domains',
                },
                'survive': {'lose', 'keep'},
            },
            own,
        )

    def test_all_but_proximity_have_a_scope_and_can_be_strict(self):
        for name, kind in KINDS.items():
            self.assertEqual(name != 'proximity', kind.has_scope)
            self.assertEqual(name == 'proximity', kind.never_strict)


class AffinityTestCase(PolicyTestCase):
    rule = worlds.rule('affinity', 'rack', 'a', 'b', ('c', 'd'))

    def test_obeyed_in_one_domain(self):
        self.assertBroken(0, self.rule, racks(a='r', b='r', c='r', d='r'), '')

    def test_broken_by_each_domain_beyond_the_first(self):
        view = racks(a='r', b='s', c='t', d='s')
        self.assertBroken(2, self.rule, view, 'rst')

    def test_a_member_without_a_domain_does_not_count(self):
        self.assertBroken(0, self.rule, racks(a='r', b='r'))
        self.assertBroken(0, self.rule, racks())


class AntiAffinityTestCase(PolicyTestCase):
    rule = worlds.rule('anti-affinity', 'rack', 'a', 'b', ('c', 'd'))

    def test_members_of_one_unit_may_share(self):
        self.assertBroken(0, self.rule, racks(a='r', b='s', c='t', d='t'), '')
        self.assertBroken(0, self.rule, racks(a='r', b='s', c='t', d='u'))

    def test_broken_by_each_unit_beyond_the_first_in_a_domain(self):
        view = racks(a='r', b='r', c='r', d='t')
        self.assertBroken(2, self.rule, view, 'r')
        view = racks(a='r', b='s', c='r', d='s')
        self.assertBroken(2, self.rule, view, 'rs')

    def test_a_unit_is_in_a_domain_once_whatever_its_size(self):
        view = racks(a='r', b='s', c='r', d='r')
        self.assertBroken(1, self.rule, view, 'r')


class SpreadTestCase(PolicyTestCase):
    def rule(self, **options: Any) -> model.Rule:
        return worlds.rule('spread', 'rack', 'a', 'b', ('c', 'd'), **options)

    def test_up_to_the_limit_in_a_domain(self):
        rule = self.rule(max_per_domain=2)
        self.assertBroken(0, rule, racks(a='r', b='r', c='s', d='s'), '')

    def test_broken_by_each_member_beyond_the_limit(self):
        rule = self.rule(max_per_domain=2)
        self.assertBroken(1, rule, racks(a='r', b='r', c='r', d='s'), 'r')
        self.assertBroken(2, rule, racks(a='r', b='r', c='r', d='r'), 'r')

    def test_the_fullest_has_not_many_more_than_the_emptiest(self):
        rule = self.rule(max_skew=1)
        self.assertBroken(0, rule, racks('rs', a='r', b='r', c='s', d='s'))
        self.assertBroken(1, rule, racks('rs', a='r', b='r', c='r', d='s'))

    def test_an_empty_domain_counts_where_members_could_be(self):
        rule = self.rule(max_skew=1)
        view = racks('rst', a='r', b='r', c='s', d='s')
        self.assertBroken(1, rule, view, 'rs')

    def test_members_outside_those_domains_do_not_count(self):
        rule = self.rule(max_skew=0)
        self.assertBroken(0, rule, racks('rs', a='r', b='s', c='t', d='t'))
        self.assertBroken(0, rule, racks('', a='r', b='r', c='t', d='t'), '')

    def test_over_so_many_domains_at_the_least(self):
        rule = self.rule(min_domains=3)
        self.assertBroken(0, rule, racks(a='r', b='s', c='t', d='t'), '')
        self.assertBroken(1, rule, racks(a='r', b='s', c='r', d='s'), '')
        self.assertBroken(3, rule, racks())

    def test_all_limits_add_up(self):
        rule = self.rule(max_per_domain=2, max_skew=1, min_domains=3)
        view = racks('rs', a='r', b='r', c='r', d='r')
        # 2 beyond the limit, 4 to 0 where 1 is allowed, 2 racks missing.
        self.assertBroken(2 + 3 + 2, rule, view, 'r')

    def test_one_sentence_however_many_limits(self):
        rule = self.rule(max_per_domain=2, max_skew=0, min_domains=1)
        self.assertEqual(
            "spread group 'group' lets at most 2 of its 4 members share a "
            'rack and spreads its 4 members over the racks evenly and has '
            'its 4 members in at least 1 rack',
            KINDS['spread'].sentence(rule),
        )


class ExclusiveTestCase(PolicyTestCase):
    rule = worlds.rule('exclusive', 'rack', 'a', ('b', 'c'))

    def test_obeyed_where_nobody_else_is(self):
        view = racks(a='r', b='r', c='s', d='t')
        self.assertBroken(0, self.rule, view, '')

    def test_broken_by_each_domain_that_another_member_shares(self):
        view = racks(a='r', b='s', c='t', d='r', e='r', f='t')
        self.assertBroken(2, self.rule, view, 'rt')

    def test_broken_by_what_runs_there_already(self):
        view = racks(a='r', b='s', c='s', busy='su')
        self.assertBroken(1, self.rule, view, 's')

    def test_a_domain_shared_in_both_ways_counts_once(self):
        view = racks(a='r', b='r', c='r', d='r', busy='r')
        self.assertBroken(1, self.rule, view, 'r')


class ProximityTestCase(PolicyTestCase):
    def rule(self, **options: Any) -> model.Rule:
        return worlds.rule('proximity', 'host', 'a', 'b', weight=1, **options)

    def test_the_cost_counts_the_levels_that_are_left(self):
        kind, rule = KINDS['proximity'], self.rule()
        for cost, other in enumerate(('z/r/h', 'z/r/i', 'z/s/j', 'y/t/k')):
            view = spots(a='z/r/h', b=other)
            self.assertEqual(cost, kind.violation(rule, view))
            self.assertEqual(0, kind.broken(rule, view))

    def test_it_is_broken_where_they_part(self):
        kind, rule = KINDS['proximity'], self.rule()
        view = spots(a='z/r/h', b='z/s/i')
        self.assertEqual(
            {('rack', 'r'), ('rack', 's')}, set(kind.where(rule, view))
        )
        self.assertEqual((), kind.where(rule, spots(a='z/r/h', b='z/r/h')))

    def test_the_floor_holds_whatever_the_weight(self):
        kind = KINDS['proximity']
        rule = dataclasses.replace(self.rule(at_least='rack'), weight=0)
        self.assertEqual(0, kind.broken(rule, spots(a='z/r/h', b='z/r/i')))
        self.assertEqual(1, kind.broken(rule, spots(a='z/r/h', b='z/s/i')))
        self.assertEqual(2, kind.broken(rule, spots(a='z/r/h', b='y/s/i')))

    def test_a_volume_counts_at_the_levels_that_are_known(self):
        kind, rule = KINDS['proximity'], self.rule()
        self.assertEqual(0, kind.violation(rule, spots(a='z/r/h', b='z/r/')))
        self.assertEqual(2, kind.violation(rule, spots(a='z/r/h', b='z/s/')))

    def test_a_volume_that_cannot_be_counted_is_told(self):
        kind, rule = KINDS['proximity'], self.rule()
        self.assertEqual((), kind.uncounted(rule, spots(a='z/r/h', b='z//')))
        self.assertEqual(
            ('b',), kind.uncounted(rule, spots(a='z/r/h', b='//'))
        )
        rule = self.rule(at_least='rack')
        self.assertEqual(
            ('b',), kind.uncounted(rule, spots(a='z/r/h', b='z//'))
        )


class SurviveTestCase(PolicyTestCase):
    def rule(self, **options: Any) -> model.Rule:
        return worlds.rule('survive', 'rack', 'a', 'b', ('c', 'd'), **options)

    def test_the_worst_loss_counts(self):
        rule = self.rule(lose=1, keep=2)
        self.assertBroken(0, rule, racks(a='r', b='r', c='s', d='t'), '')
        self.assertBroken(1, rule, racks(a='r', b='r', c='r', d='t'), 'r')
        self.assertBroken(2, rule, racks(a='r', b='r', c='r', d='r'), 'r')

    def test_several_are_lost_together(self):
        rule = self.rule(lose=2, keep=1)
        self.assertBroken(0, rule, racks(a='r', b='r', c='s', d='t'), '')
        self.assertBroken(1, rule, racks(a='r', b='r', c='s', d='s'), 'rs')
        self.assertBroken(1, rule, racks(a='r', b='r', c='r', d='r'), 'r')

    def test_a_member_of_no_known_domain_is_told_and_not_lost(self):
        rule = self.rule(lose=1, keep=2)
        view = racks(a='r', b='r')
        self.assertBroken(0, rule, view)
        self.assertEqual(('c', 'd'), KINDS['survive'].uncounted(rule, view))

    def test_more_than_there_are_are_never_left(self):
        rule = self.rule(lose=1, keep=6)
        self.assertBroken(2, rule, racks())
        self.assertBroken(3, rule, racks(a='r', b='s'))


class SentenceTestCase(testtools.TestCase):
    def test_every_kind_says_what_it_asks_in_one_clause(self):
        for rule, said in (
            (
                worlds.rule('affinity', 'host', 'a', 'b'),
                "affinity group 'group' keeps its 2 members on one host",
            ),
            (
                worlds.rule('anti-affinity', 'rack', 'a', ('b', 'c')),
                "anti-affinity group 'group' keeps its 2 units apart by rack",
            ),
            (
                worlds.rule('spread', 'zone', 'a', 'b', max_skew=2),
                "spread group 'group' spreads its 2 members over the zones "
                'with a difference of at most 2',
            ),
            (
                worlds.rule('exclusive', 'host', 'a', 'b'),
                "exclusive group 'group' lets nothing else be on the hosts "
                'of its 2 members',
            ),
            (
                worlds.rule('proximity', 'host', 'a', 'b', weight=1),
                "proximity group 'group' keeps its 2 members as near as can "
                'be',
            ),
            (
                worlds.rule(
                    'proximity', 'host', 'a', 'b', weight=1, at_least='rack'
                ),
                "proximity group 'group' keeps its 2 members in one rack at "
                'the least',
            ),
            (
                worlds.rule('survive', 'rack', 'a', 'b', lose=1, keep=1),
                "survive group 'group' has at least 1 of its 2 members "
                'survive the loss of any one rack',
            ),
            (
                worlds.rule(
                    'survive',
                    'rack',
                    'a',
                    'b',
                    'c',
                    name='survive[0].keep.db',
                    lose=2,
                    keep=1,
                ),
                "'survive[0].keep.db' has at least 1 of its 3 members "
                'survive the loss of any 2 racks',
            ),
        ):
            self.assertEqual(said, KINDS[rule.policy].sentence(rule))
