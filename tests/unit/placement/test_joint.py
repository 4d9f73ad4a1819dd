# SPDX-License-Identifier: Apache-2.0
"""The stories that any solver of ours has to get right."""

from __future__ import annotations

import dataclasses
import time

import testtools

from heat_vcluster.placement import checker, joint, model, policies
from heat_vcluster.placement.numbers import compiled
from heat_vcluster.placement.ways import order
from tests.unit.placement import worlds


class SolverTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.solver = joint.JointSolver()

    def plan(self, problem: model.Problem) -> model.Plan:
        answer = self.solver.solve(problem)
        self.assertEqual(model.Verdict.FEASIBLE, answer.verdict)
        self.assertEqual((), checker.check(problem, answer.plan).violations)
        return answer.plan

    def refusal(self, problem: model.Problem) -> model.Answer:
        answer = self.solver.solve(problem)
        self.assertEqual(model.Verdict.INFEASIBLE, answer.verdict)
        self.assertIsNone(answer.plan)
        return answer


class PartsTestCase(SolverTestCase):
    """Clouds that are not whole, or not laid out yet."""

    def test_pools_may_be_on_hosts_that_are_not_looked_at(self):
        hosts = worlds.racks(1, 2)
        names = [
            f'r{rack}-h{number}' for rack in range(3) for number in (0, 1)
        ]
        pools = [
            worlds.pool(f'p-{name}', 20, at=name, rack=name[:2])
            for name in names
        ]
        plan = self.plan(
            model.Problem(
                worlds.snapshot(hosts, pools),
                (worlds.server('db'), model.VolumeDemand('data', 10)),
                (worlds.rule('affinity', 'host', 'db', 'data'),),
            )
        )
        self.assertEqual(f'p-{plan.placement["db"]}', plan.placement['data'])

    def test_a_level_may_have_no_domain(self):
        pools = [worlds.pool(f'p{number}', 20) for number in range(2)]
        alone = worlds.rule('exclusive', 'host', 'v0', name='alone')
        spread = worlds.rule('spread', 'rack', 'v1', min_domains=1)
        problem = model.Problem(
            worlds.snapshot((), pools),
            (model.VolumeDemand('v0', 1), model.VolumeDemand('v1', 1)),
            (alone, spread),
        )
        self.assertEqual(('group',), self.refusal(problem).rules)
        some = dataclasses.replace(problem, rules=(alone,))
        self.assertEqual(2, len(self.plan(some).placement))


class StoriesTestCase(SolverTestCase):
    def test_u1_a_volume_sits_with_its_server(self):
        hosts = worlds.racks(3, 2)
        pools = [worlds.pool(f'p{r}', 100, rack=f'r{r}') for r in range(3)]
        pools[0] = worlds.pool('p0', 9, rack='r0')
        pools[2] = worlds.pool('p2', 9, rack='r2')
        plan = self.plan(
            model.Problem(
                worlds.snapshot(hosts, pools),
                (worlds.server('vm'), model.VolumeDemand('data', 10)),
                (worlds.rule('affinity', 'rack', 'vm', 'data'),),
            )
        )
        self.assertEqual('p1', plan.placement['data'])
        self.assertIn('r1-', plan.placement['vm'])

    def test_u2_redundant_pairs_each_together_and_apart_from_another(self):
        hosts = worlds.racks(2, 1)
        pools = [worlds.pool(f'p{r}', 10, rack=f'r{r}') for r in range(2)]
        plan = self.plan(
            model.Problem(
                worlds.snapshot(hosts, pools),
                (
                    *worlds.servers('db', 2),
                    model.VolumeDemand('vol-0', 10),
                    model.VolumeDemand('vol-1', 10),
                ),
                (
                    worlds.rule(
                        'affinity', 'rack', 'db-0', 'vol-0', name='pair-0'
                    ),
                    worlds.rule(
                        'affinity', 'rack', 'db-1', 'vol-1', name='pair-1'
                    ),
                    worlds.rule(
                        'anti-affinity', 'rack', 'db-0', 'db-1', name='dbs'
                    ),
                ),
            )
        )
        self.assertEqual(
            {'r0-h0': 'p0', 'r1-h0': 'p1'},
            {
                plan.placement['db-0']: plan.placement['vol-0'],
                plan.placement['db-1']: plan.placement['vol-1'],
            },
        )

    def test_u3_peers_apart_and_chains_together(self):
        problem = web_cluster(worlds.racks(4, 3))
        plan = self.plan(problem)
        rack = {m: place[:2] for m, place in plan.placement.items()}
        for chain in (('lb-0', 'db-0', 'web-0'), ('lb-1', 'db-1', 'web-2')):
            self.assertEqual(1, len({rack[m] for m in chain}))
        self.assertNotEqual(rack['lb-0'], rack['lb-1'])
        self.assertNotEqual(rack['db-0'], rack['db-1'])

    def test_u5_spread_over_racks_of_unknown_number(self):
        members = worlds.servers('node', 7)
        names = [m.member for m in members]
        plan = self.plan(
            model.Problem(
                worlds.snapshot(worlds.racks(3, 2)),
                tuple(members),
                (worlds.rule('spread', 'rack', *names, max_per_domain=3),),
            )
        )
        racks = [place[:2] for place in plan.placement.values()]
        self.assertLessEqual(max(map(racks.count, racks)), 3)

    def test_u7_one_by_one_would_paint_itself_into_a_corner(self):
        plan = self.plan(
            model.Problem(
                worlds.snapshot(
                    [
                        worlds.host('small', 10, total=32),
                        worlds.host('large', 12, total=32),
                    ]
                ),
                (
                    worlds.server('a', 8),
                    worlds.server('b', 6),
                    worlds.server('c', 6),
                ),
                (),
            )
        )
        self.assertEqual(
            {'a': 'small', 'b': 'large', 'c': 'large'}, plan.placement
        )


def web_cluster(hosts: tuple[model.Host, ...]) -> model.Problem:
    """U3: two chains of load balancer, database and two web servers."""
    webs = [f'web-{n}' for n in range(4)]
    return model.Problem(
        worlds.snapshot(hosts),
        (
            *worlds.servers('lb', 2),
            *worlds.servers('db', 2, 4),
            *worlds.servers('web', 4, 2),
        ),
        (
            worlds.rule('anti-affinity', 'rack', 'lb-0', 'lb-1', name='lbs'),
            worlds.rule('anti-affinity', 'rack', 'db-0', 'db-1', name='dbs'),
            worlds.rule('anti-affinity', 'host', *webs, name='webs'),
            worlds.rule(
                'affinity', 'rack', 'lb-0', 'db-0', *webs[:2], name='left'
            ),
            worlds.rule(
                'affinity', 'rack', 'lb-1', 'db-1', *webs[2:], name='right'
            ),
        ),
    )


class ChoiceTestCase(SolverTestCase):
    """Among plans that obey all, which one."""

    def test_soft_rules_give_way_by_weight(self):
        """One host is too small for both wishes: the heavy one is met."""
        plan = self.plan(
            model.Problem(
                worlds.snapshot([worlds.host('h0', 2), worlds.host('h1', 2)]),
                tuple(worlds.servers('a', 2)),
                (
                    worlds.rule(
                        'affinity',
                        'host',
                        'a-0',
                        'a-1',
                        name='near',
                        weight=1,
                    ),
                    worlds.rule(
                        'anti-affinity',
                        'host',
                        'a-0',
                        'a-1',
                        name='far',
                        weight=5,
                    ),
                ),
            )
        )
        self.assertEqual(2, len(set(plan.placement.values())))
        self.assertEqual((model.Violation('near', 1, 1),), plan.given_up)
        self.assertEqual(1, plan.soft_cost)

    def test_balance_keeps_the_fullest_host_low(self):
        problem = model.Problem(
            worlds.snapshot(
                [
                    worlds.host('full', 10, total=100),
                    worlds.host('idle', 100),
                    worlds.host('half', 50, total=100),
                ]
            ),
            tuple(worlds.servers('a', 5, 10)),
            (),
        )
        self.assertEqual({'idle'}, set(self.plan(problem).placement.values()))

    def test_pack_uses_few_hosts(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(3, 3, vcpu=8)),
            tuple(worlds.servers('a', 8)),
            (),
            objective='pack',
        )
        self.assertEqual(1, len(set(self.plan(problem).placement.values())))

    def test_pinned_members_stay_and_others_mind_them(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 1, vcpu=1)),
            tuple(worlds.servers('a', 2)),
            (worlds.rule('anti-affinity', 'rack', 'a-0', 'a-1'),),
            pinned={'a-0': 'r1-h0'},
        )
        self.assertEqual(
            {'a-0': 'r1-h0', 'a-1': 'r0-h0'}, self.plan(problem).placement
        )

    def test_equal_problem_and_seed_give_an_equal_plan(self):
        problem = web_cluster(worlds.racks(4, 3))
        first = self.solver.solve(problem, seed=7)
        again = joint.JointSolver().solve(problem, seed=7)
        untimed = [
            dataclasses.replace(answer, seconds={})
            for answer in (first, again)
        ]
        self.assertEqual(*untimed)

    def test_nothing_asked_is_nothing_placed(self):
        problem = model.Problem(worlds.snapshot([]), (), ())
        self.assertEqual({}, self.plan(problem).placement)


class RefusalTestCase(SolverTestCase):
    """No placement: which rules, and in whose words."""

    def test_too_few_racks(self):
        hosts = worlds.racks(4, 2)
        members = worlds.servers('db', 5)
        names = [m.member for m in members]
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(hosts),
                tuple(members),
                (worlds.rule('anti-affinity', 'rack', *names, name='dbs'),),
            )
        )
        self.assertEqual(('dbs',), answer.rules)
        self.assertEqual(
            (
                "anti-affinity group 'dbs' keeps its 5 members apart by "
                'rack: that takes 5 racks, and 4 qualify',
            ),
            answer.reasons,
        )

    def test_racks_that_cannot_take_the_members_do_not_qualify(self):
        hosts = [
            worlds.host('h0', 1, rack='r0'),
            worlds.host('h1', 2, rack='r1'),
            worlds.host('h2', 3, rack='r2'),
            worlds.host('h3', 3, rack='r2'),
        ]
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(hosts),
                tuple(worlds.servers('db', 2, 3)),
                (worlds.rule('anti-affinity', 'rack', 'db-0', 'db-1'),),
            )
        )
        self.assertEqual({'group', 'fit:db-0', 'fit:db-1'}, set(answer.rules))
        self.assertEqual(
            (
                "anti-affinity group 'group' keeps its 2 members apart by "
                'rack; for db-0, db-1 (3 vCPU each), that takes 2 racks, '
                'and 1 qualifies',
            ),
            answer.reasons,
        )

    def test_a_member_larger_than_any_host(self):
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(worlds.racks(2, 2)),
                (worlds.server('db-0', 99), worlds.server('web-0')),
                (worlds.rule('anti-affinity', 'rack', 'db-0', 'web-0'),),
            )
        )
        self.assertEqual(('fit:db-0',), answer.rules)
        self.assertEqual(
            ('db-0 (99 vCPU): no host can take it',), answer.reasons
        )
        self.assertIn('at most 8 vCPU free', answer.operator_reasons[0])

    def test_not_enough_room_for_all(self):
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(worlds.racks(2, 1, vcpu=4)),
                tuple(worlds.servers('a', 3, 3)),
                (),
            )
        )
        self.assertEqual({'fit:a-0', 'fit:a-1', 'fit:a-2'}, set(answer.rules))

    def test_rules_that_contradict_each_other_whatever_the_cloud(self):
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(worlds.racks(5, 5)),
                tuple(worlds.servers('a', 4)),
                (
                    worlds.rule('affinity', 'rack', 'a-0', 'a-1', name='x'),
                    worlds.rule('affinity', 'rack', 'a-1', 'a-2', name='y'),
                    worlds.rule(
                        'anti-affinity', 'rack', 'a-0', 'a-2', name='z'
                    ),
                    worlds.rule(
                        'anti-affinity', 'rack', 'a-0', 'a-3', name='other'
                    ),
                ),
            )
        )
        self.assertEqual({'x', 'y', 'z'}, set(answer.rules))

    def test_hosts_off_the_map_do_not_take_members_of_rules(self):
        hosts = [worlds.host('h0', rack='r0'), worlds.host('lost')]
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(hosts),
                tuple(worlds.servers('a', 2)),
                (worlds.rule('anti-affinity', 'rack', 'a-0', 'a-1'),),
            )
        )
        self.assertEqual(('group',), answer.rules)
        self.assertIn(
            'and 1 host whose rack is not known',
            answer.operator_reasons[0],
        )

    def test_the_tenant_reads_no_host_rack_or_pool_name(self):
        hosts = [
            worlds.host('secret-host', 4, rack='secret-rack'),
            worlds.host('secret-lost', 4),
        ]
        pools = [worlds.pool('secret-pool', 5, rack='secret-rack')]
        for demands, scope in (
            (worlds.servers('a', 3, 2), 'rack'),
            (worlds.servers('a', 3, 3), 'host'),
            (worlds.servers('a', 3, 9), 'host'),
            (
                [
                    worlds.server('a-0'),
                    model.VolumeDemand('a-1', 9),
                    model.VolumeDemand('a-2', 9),
                ],
                'rack',
            ),
        ):
            names = [d.member for d in demands]
            answer = self.refusal(
                model.Problem(
                    worlds.snapshot(hosts, pools),
                    tuple(demands),
                    (worlds.rule('anti-affinity', scope, *names),),
                )
            )
            self.assertNotIn('secret', ' '.join(answer.reasons))
            self.assertTrue(answer.reasons)
            self.assertTrue(answer.operator_reasons)

    def test_out_of_time_is_not_a_proof(self):
        problem = web_cluster(worlds.racks(4, 3))
        answer = self.solver.solve(problem, deadline=0.0)
        self.assertEqual(model.Verdict.UNKNOWN, answer.verdict)


class EqualMembersTestCase(SolverTestCase):
    """What searches that name members one by one choke on."""

    def test_forty_servers_at_most_four_to_a_host(self):
        members = worlds.servers('a', 40)
        names = [m.member for m in members]
        plan = self.plan(
            model.Problem(
                worlds.snapshot(worlds.racks(4, 3, vcpu=16)),
                tuple(members),
                (worlds.rule('spread', 'host', *names, max_per_domain=4),),
            )
        )
        self.assertEqual(set(names), set(plan.placement))

    def test_a_proof_with_many_equal_members(self):
        """Named one by one, this is a pigeonhole."""
        members = worlds.servers('a', 49)
        names = [m.member for m in members]
        answer = self.refusal(
            model.Problem(
                worlds.snapshot(worlds.racks(8, 6)),
                tuple(members),
                (worlds.rule('anti-affinity', 'host', *names),),
            )
        )
        self.assertEqual(
            (
                "anti-affinity group 'group' keeps its 49 members apart by "
                'host: that takes 49 hosts, and 48 qualify',
            ),
            answer.reasons,
        )


class OrderTestCase(testtools.TestCase):
    """Which ways a problem takes, and which it is spared."""

    def tried(self, spare: int) -> list[str]:
        """Place 14 + 10 + 9 and 12 + 11 + 10 on 12 hosts each.

        With so much to spare on each of the hosts.
        """
        members = [
            member
            for number, size in enumerate((14, 10, 9, 12, 11, 10))
            for member in worlds.servers(f'{number}-', 12, size)
        ]
        problem = model.Problem(
            worlds.snapshot(worlds.racks(4, 6, vcpu=33 + spare)),
            tuple(members),
            (),
        )
        search = order.search(
            compiled.Compiled(problem, policies.load()),
            time.monotonic() + 10,
            seed=0,
        )
        self.assertEqual(model.Verdict.FEASIBLE, search.decide().verdict)
        return search.tried

    def test_a_medium_jigsaw_of_members_alike_is_counted_at_once(self):
        self.assertIn(
            'counting kinds of members, then casting them', self.tried(0)
        )

    def test_with_room_to_spare_nobody_counts(self):
        self.assertEqual(
            ['placing the largest bundles first'], self.tried(spare=16)
        )
