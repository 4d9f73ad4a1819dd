# SPDX-License-Identifier: Apache-2.0
import numpy as np
import testtools

from heat_vcluster.placement import columns, limits, model


def host(name, rack, free, total=16):
    domains = {'rack': rack} if rack else {}
    return model.Host(name, domains, {'VCPU': free}, {'VCPU': total})


HOSTS = (
    host('h1', 'r1', 16),
    host('h2', 'r1', 5),
    host('h3', 'r2', 0),
    host('h4', None, 9),
)
PROBLEM = model.Problem(model.Snapshot(('rack',), HOSTS), (), ())


def read(headroom=(), domain=(), share=(), bans=()):
    return limits.Limits(
        limits.parse_bans(bans),
        limits.parse_amounts(headroom),
        limits.parse_levels(domain),
        limits.parse_levels(share),
    )


class HeadroomTest(testtools.TestCase):
    def free(self, *texts):
        bounded = read(headroom=texts).apply(PROBLEM, {})
        return [host.free['VCPU'] for host in bounded.snapshot.hosts]

    def test_so_much_of_a_host_is_not_there(self):
        self.assertEqual([14, 3, 0, 7], self.free('VCPU=2'))

    def test_per_cent_are_of_the_total_and_rounded_up(self):
        self.assertEqual([14, 3, 0, 7], self.free('*=7%'))

    def test_other_resources_stay(self):
        self.assertEqual([16, 5, 0, 9], self.free('MEMORY_MB=100%'))

    def test_domain_keeps_so_much_free(self):
        (budget,) = read(domain=['rack:VCPU=25%']).apply(PROBLEM, {}).budgets
        self.assertEqual('rack', budget.scope)
        self.assertEqual(
            # 21 of 32 are free, 8 stay so; 0 of 16, and 4 were to be.
            {'r1': {'VCPU': 13}, 'r2': {'VCPU': 0}},
            budget.room,
        )

    def test_there_is_none_while_no_host_has_such_a_domain(self):
        some = np.array([16])
        hosts = columns.HostColumns(
            ('h1',),
            {},
            {'VCPU': some},
            {'VCPU': some},
            (frozenset(),),
            np.array([0]),
            np.array([False]),
        )
        problem = model.Problem(model.Snapshot(('rack',), hosts), (), ())
        for bounded in (
            read(domain=['rack:VCPU=25%']),
            read(share=['rack:VCPU=25%']),
        ):
            self.assertEqual((), bounded.apply(problem, {}).budgets)


class ShareTest(testtools.TestCase):
    def room(self, used, *texts):
        (budget,) = read(share=texts).apply(PROBLEM, used).budgets
        return budget.room

    def test_what_the_tenant_has_counts(self):
        used = {'h2': {'VCPU': 6}, 'h3': {'VCPU': 1}, 'gone': {'VCPU': 9}}
        self.assertEqual(
            {'r1': {'VCPU': 10}, 'r2': {'VCPU': 7}},
            self.room(used, 'rack:*=50%'),
        )

    def test_who_has_more_already_gets_nothing(self):
        self.assertEqual(
            {'VCPU': 0}, self.room({'h1': {'VCPU': 9}}, 'rack:VCPU=8')['r1']
        )

    def test_per_cent_are_rounded_down(self):
        self.assertEqual({'VCPU': 10}, self.room({}, 'rack:VCPU=33%')['r1'])

    def test_without_limits_the_problem_is_the_same(self):
        self.assertIs(PROBLEM, limits.Limits().apply(PROBLEM, {}))
        self.assertIs(PROBLEM, read(bans=['affinity@host']).apply(PROBLEM, {}))


class BanTest(testtools.TestCase):
    def test_bans_meet_what_they_say(self):
        some = read(bans=['affinity@host:strict', 'exclusive@*'])
        for policy, scope, is_strict, expected in (
            ('affinity', 'host', True, True),
            ('affinity', 'host', False, False),
            ('affinity', 'rack', True, False),
            ('exclusive', 'host', False, True),
            ('exclusive', 'rack', True, True),
        ):
            self.assertEqual(
                expected, some.bans_rule(policy, scope, is_strict=is_strict)
            )


class ParseTest(testtools.TestCase):
    def test_what_cannot_be_meant_is_named(self):
        for parse, text in (
            (limits.parse_bans, 'affinity'),
            (limits.parse_bans, 'affinity@host:hard'),
            (limits.parse_bans, '@host'),
            (limits.parse_amounts, 'VCPU'),
            (limits.parse_amounts, 'VCPU=much'),
            (limits.parse_amounts, 'VCPU=-1'),
            (limits.parse_amounts, 'VCPU=101%'),
            (limits.parse_amounts, 'VCPU=nan'),
            (limits.parse_amounts, 'VCPU=nan%'),
            (limits.parse_amounts, 'VCPU=inf'),
            (limits.parse_amounts, 'VCPU=1e300'),
            (limits.parse_levels, 'VCPU=1'),
        ):
            error = self.assertRaises(ValueError, parse, [text])
            self.assertIn(text.rpartition('=')[2], str(error))

    def test_resources_are_named_as_placement_names_them(self):
        for parse, text, name in (
            (limits.parse_amounts, 'VCPUS=2', "'VCPUS'"),
            (limits.parse_amounts, 'vcpu=2', "'vcpu'"),
            (limits.parse_levels, 'rack:RAM=1', "'RAM'"),
        ):
            error = self.assertRaises(ValueError, parse, [text])
            self.assertIn(f'there is no resource {name}', str(error))
            self.assertIn('VCPU, PCPU, MEMORY_MB', str(error))

    def test_who_says_two_things_is_not_understood(self):
        for parse, texts in (
            (limits.parse_amounts, ['VCPU=2', 'VCPU=20']),
            (limits.parse_levels, ['rack:VCPU=2', 'rack:VCPU=20']),
        ):
            error = self.assertRaises(ValueError, parse, texts)
            self.assertIn('VCPU has two amounts', str(error))

    def test_operators_have_resources_of_their_own(self):
        found = limits.parse_amounts(['CUSTOM_LICENCE=1', '*=5%'])
        self.assertEqual({'CUSTOM_LICENCE', '*'}, found.keys())
