# SPDX-License-Identifier: Apache-2.0
"""Which domains are kept for those who must be alone."""

from __future__ import annotations

import testtools

from heat_vcluster.placement import model
from heat_vcluster.placement import policies as policy_kinds
from heat_vcluster.placement.greedy import greedy, seclusion, state
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from tests.unit.placement import worlds

KINDS = policy_kinds.load()


def alone(name, *members, scope='host'):
    return worlds.rule('exclusive', scope, members, name=name)


def compile_(hosts, members, rules):
    problem = model.Problem(
        worlds.snapshot(hosts), tuple(members), tuple(rules)
    )
    compiled = numbers.Compiled(problem, KINDS)
    return compiled, contract.contract(compiled)


class SeclusionTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.asked = []

    def kept(self, hosts, members, rules):
        """Return member -> the host that is kept for it."""
        compiled, contracted = compile_(hosts, members, rules)

        def takes(party, domain):
            """Note who is asked about, and take all that sizes allow."""
            names = ' '.join(compiled.members[m] for m in party.members)
            self.asked.append((names, compiled.place_names[domain]))
            return True

        state_ = state.State(compiled, contracted)
        found = seclusion.keep(state_, contracted, 0, takes)
        return {
            compiled.members[state_.items[item].servers[0]]: (
                compiled.place_names[domain]
            )
            for (item, _), domain in found.items()
        }

    def test_who_has_a_choice_leaves_the_domain_to_who_has_none(self):
        hosts = [worlds.host(f'h{i}', 4 + i) for i in range(3)]
        members = [
            worlds.server('a', on=['h0', 'h1']),
            worlds.server('b', on=['h0', 'h2']),
            worlds.server('c', on=['h0']),
        ]
        self.assertEqual(
            {'a': 'h1', 'b': 'h2', 'c': 'h0'},
            self.kept(hosts, members, [alone(n, n) for n in 'abc']),
        )

    def test_one_domain_is_enough_for_all_of_a_rule(self):
        hosts = [worlds.host('small', 1), worlds.host('large', 2)]
        members = worlds.servers('s', 2)
        self.assertEqual(
            {'s-0': 'large', 's-1': 'large'},
            self.kept(hosts, members, [alone('s', 's-0', 's-1')]),
        )
        self.assertEqual([('s-0 s-1', 'large')], self.asked)

    def test_they_are_apart_where_others_need_the_large_domain(self):
        hosts = [worlds.host(f'h{i}', 1) for i in range(3)]
        hosts.append(worlds.host('large', 2))
        members = [
            *worlds.servers('s', 2),
            worlds.server('thin'),
            worlds.server('fat', 2),
        ]
        rules = [alone('s', 's-0', 's-1'), alone('pair', 'thin', 'fat')]
        kept = self.kept(hosts, members, rules)
        self.assertEqual('large', kept['fat'])
        self.assertEqual(4, len(set(kept.values())))

    def test_some_share_where_there_are_domains_for_some(self):
        hosts = [worlds.host('small', 1), worlds.host('large', 2)]
        members = worlds.servers('s', 3)
        rules = [alone('s', 's-0', 's-1', 's-2')]
        kept = self.kept(hosts, members, rules)
        self.assertEqual(['large', 'large', 'small'], sorted(kept.values()))

    def test_no_rule_takes_more_domains_than_it_must(self):
        hosts = [worlds.host(f'h{i}', 2) for i in range(4)]
        members = [*worlds.servers('a', 4), *worlds.servers('b', 4)]
        rules = [
            alone(name, *(f'{name}-{i}' for i in range(4))) for name in 'ab'
        ]
        kept = self.kept(hosts, members, rules)
        self.assertEqual(8, len(kept))
        self.assertEqual(2, len({kept[f'a-{i}'] for i in range(4)}))

    def test_who_has_no_choice_is_not_matched(self):
        hosts = [worlds.host('h0', 2), worlds.host('h1', 2)]
        members = [
            worlds.server('a-0', on=['h1']),
            worlds.server('a-1', on=['h1']),
            worlds.server('b', on=['h0']),
        ]
        rules = [alone('a', 'a-0', 'a-1'), alone('b', 'b')]
        kept = self.kept(hosts, members, rules)
        self.assertEqual({'a-0': 'h1', 'a-1': 'h1', 'b': 'h0'}, kept)
        self.assertEqual([], self.asked)

    def test_a_volume_that_has_a_choice_is_matched(self):
        hosts = [worlds.host(f'h{i}', 2, rack=f'r{i}') for i in range(2)]
        pools = [worlds.pool(f'p{i}', rack=f'r{i}') for i in range(2)]
        members = (worlds.server('s', on=['h0']), model.VolumeDemand('v', 1))
        rules = tuple(alone(n, n, scope='rack') for n in 'sv')
        problem = model.Problem(worlds.snapshot(hosts, pools), members, rules)
        compiled = numbers.Compiled(problem, KINDS)
        kept = seclusion.keep(
            state.State(compiled, contract.contract(compiled)),
            contract.contract(compiled),
            1,
            lambda party, domain: True,
        )
        self.assertEqual([0, 1], sorted(kept.values()))

    def test_two_who_want_one_domain_are_matched(self):
        hosts = [worlds.host('h0', 2), worlds.host('h1', 2)]
        members = [
            worlds.server('a', on=['h0']),
            worlds.server('b', on=['h0']),
        ]
        rules = [alone('a', 'a'), alone('b', 'b')]
        self.assertEqual({'a': 'h0'}, self.kept(hosts, members, rules))

    def test_who_finds_no_domain_takes_nobody_elses(self):
        hosts = [worlds.host('h0', 2), worlds.host('tiny', 1)]
        members = [worlds.server('a', 2), worlds.server('b', 2)]
        kept = self.kept(hosts, members, [alone('a', 'a'), alone('b', 'b')])
        self.assertEqual({'a': 'h0'}, kept)


class FirstPlanTestCase(testtools.TestCase):
    def test_the_many_leave_the_few_large_hosts_to_the_large(self):
        """Three at a time would fit there, and the large fit nowhere else."""
        hosts = [
            *(worlds.host(f'large{i}', 4, MEMORY_MB=9) for i in range(3)),
            *(worlds.host(f'small{i}', 1, MEMORY_MB=9) for i in range(9)),
        ]
        large = [worlds.server(f'l{i}', 4, MEMORY_MB=i + 1) for i in range(3)]
        small = [s for i in range(3) for s in worlds.servers(f's{i}', 3)]
        rules = [alone(f'l{i}', f'l{i}') for i in range(3)]
        for i in range(3):
            rules.append(alone(f's{i}', f's{i}-0', f's{i}-1', f's{i}-2'))
        compiled, contracted = compile_(hosts, [*small, *large], rules)
        found = greedy.place(compiled, contracted, deadline=60, trouble=0)
        self.assertTrue(found.is_whole)
        self.assertTrue(amounts.is_valid(compiled, found.placement))
