# SPDX-License-Identifier: Apache-2.0
"""The check refuses every kind of bad plan, and says what a good one costs."""

from __future__ import annotations

import dataclasses

import testtools
from testtools import matchers

from heat_vcluster.placement import checker, columns, joint, model
from tests.unit.placement import worlds


def trap() -> model.Problem:
    """The worked example of the rules' definition.

    Hosts with 10 and 12 VCPU free in rack r0, one with 9 in r1; a database
    of 8, two web servers of 6 and a volume, all in one rack; the web
    servers rather on different hosts.
    """
    return model.Problem(
        worlds.snapshot(
            [
                worlds.host('h0', 10, total=32, zone='z0', rack='r0'),
                worlds.host('h1', 12, total=32, zone='z0', rack='r0'),
                worlds.host('h2', 9, total=32, zone='z0', rack='r1'),
            ],
            [
                worlds.pool(
                    'r0-pool', 500, types=['ssd'], zone='z0', rack='r0'
                ),
                worlds.pool('archive', 9000, types=['hdd']),
            ],
        ),
        (
            worlds.server('db', 8),
            worlds.server('web0', 6),
            worlds.server('web1', 6),
            model.VolumeDemand('data', 200, 'ssd'),
        ),
        (
            worlds.rule(
                'anti-affinity', 'host', 'web0', 'web1', name='webs', weight=3
            ),
            worlds.rule(
                'affinity', 'rack', 'db', ('web0', 'web1'), 'data', name='cell'
            ),
        ),
    )


GOOD = {'db': 'h0', 'web0': 'h1', 'web1': 'h1', 'data': 'r0-pool'}


class CheckerTestCase(testtools.TestCase):
    def assertRefused(self, problem, words, **changes):
        report = checker.judge(problem, {**GOOD, **changes})
        self.assertThat(
            report.violations,
            matchers.AnyMatch(matchers.Contains(words)),
        )

    def test_the_good_plan_passes_and_its_price_is_told(self):
        report = checker.judge(trap(), GOOD)
        self.assertEqual((), report.violations)
        self.assertEqual(3, report.soft_cost)
        self.assertEqual((model.Violation('webs', 1, 3),), report.given_up)
        self.assertEqual((), report.unsteered)

    def test_a_plan_that_claims_a_lower_price_is_refused(self):
        plan = model.Plan(GOOD)
        self.assertEqual(2, len(checker.check(trap(), plan).violations))

    def test_a_plan_that_tells_the_truth_passes(self):
        plan = model.Plan(GOOD, 3, 1000, (model.Violation('webs', 1, 3),))
        self.assertEqual((), checker.check(trap(), plan).violations)

    def test_too_much_on_one_host(self):
        self.assertRefused(trap(), 'VCPU free', db='h1')

    def test_each_resource_class_counts_by_itself(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('h0', 8, CUSTOM_GPU=1)]),
            (
                worlds.server('a', 1, CUSTOM_GPU=1),
                worlds.server('b', 1, CUSTOM_GPU=1),
            ),
            (),
        )
        report = checker.judge(problem, {'a': 'h0', 'b': 'h0'})
        self.assertEqual(
            ('h0 has 1 CUSTOM_GPU free, 2 taken',), report.violations
        )

    def test_a_resource_the_host_does_not_have(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('h0', 8)]),
            (worlds.server('a', 1, CUSTOM_GPU=1),),
            (),
        )
        self.assertEqual(
            1, len(checker.judge(problem, {'a': 'h0'}).violations)
        )

    def test_a_hard_rule_broken(self):
        self.assertRefused(trap(), 'affinity cell', web1='h2')

    def test_the_wrong_volume_type(self):
        self.assertRefused(trap(), 'needs type ssd', data='archive')

    def test_too_much_in_one_pool(self):
        problem = trap()
        small = worlds.pool('r0-pool', 199, rack='r0')
        problem = dataclasses.replace(
            problem, snapshot=worlds.snapshot(problem.snapshot.hosts, [small])
        )
        self.assertRefused(problem, '199 GiB free, 200 taken')

    def test_a_pool_that_tells_no_bound_takes_all(self):
        problem = trap()
        endless = worlds.pool('r0-pool', None, rack='r0')
        problem = dataclasses.replace(
            problem,
            snapshot=worlds.snapshot(problem.snapshot.hosts, [endless]),
        )
        self.assertEqual((), checker.judge(problem, GOOD).violations)

    def test_a_place_that_is_no_candidate(self):
        problem = dataclasses.replace(
            trap(),
            demands=(worlds.server('db', 8, on=['h1']), *trap().demands[1:]),
        )
        self.assertRefused(problem, 'db may not be at h0')

    def test_a_place_that_does_not_exist(self):
        self.assertRefused(trap(), 'does not exist', db='h9')
        self.assertRefused(trap(), 'does not exist', data='h0')

    def test_a_member_too_many_or_too_few(self):
        self.assertRefused(trap(), 'was not asked for', extra='h0')
        few = {m: p for m, p in GOOD.items() if m != 'db'}
        self.assertIn('db has no place', checker.judge(trap(), few).violations)

    def test_a_pinned_member_that_moved(self):
        problem = dataclasses.replace(trap(), pinned={'web0': 'h0'})
        self.assertRefused(problem, 'pinned')

    def test_a_pinned_member_counts_in_rules_and_takes_no_room(self):
        problem = model.Problem(
            worlds.snapshot(
                [worlds.host('h0', 0, total=8), worlds.host('h1', 8)]
            ),
            (worlds.server('a', 8), worlds.server('b', 8)),
            (worlds.rule('anti-affinity', 'host', 'a', 'b'),),
            pinned={'a': 'h0'},
        )
        self.assertEqual(
            (), checker.judge(problem, {'a': 'h0', 'b': 'h1'}).violations
        )

    def test_a_server_whose_rack_a_rule_needs_and_nobody_knows(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('lost')]),
            (worlds.server('a'),),
            (worlds.rule('anti-affinity', 'rack', 'a', weight=1),),
        )
        report = checker.judge(problem, {'a': 'lost'})
        self.assertIn('rack is not known', report.violations[0])

    def test_a_volume_whose_rack_nobody_knows_is_told_not_refused(self):
        problem = model.Problem(
            worlds.snapshot(
                [worlds.host('h0', rack='r0')], [worlds.pool('p')]
            ),
            (worlds.server('a'), model.VolumeDemand('v', 1)),
            (worlds.rule('affinity', 'rack', 'a', 'v'),),
        )
        report = checker.judge(problem, {'a': 'h0', 'v': 'p'})
        self.assertEqual((), report.violations)
        self.assertEqual((('group', 'v'),), report.unsteered)

    def test_without_pools_volumes_take_no_part(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('h0', rack='r0')]),
            (worlds.server('a'), model.VolumeDemand('v', 1)),
            (worlds.rule('affinity', 'rack', 'a', 'v'),),
        )
        report = checker.judge(problem, {'a': 'h0'})
        self.assertEqual((), report.violations)
        self.assertEqual((('group', 'v'),), report.unsteered)

    def test_a_rule_of_weight_0_is_only_a_set(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('lost')]),
            (worlds.server('a'), worlds.server('b')),
            (worlds.rule('anti-affinity', 'rack', 'a', 'b', weight=0),),
        )
        report = checker.judge(problem, {'a': 'lost', 'b': 'lost'})
        self.assertEqual(checker.Report((), 0, 250, (), ()), report)

    def test_so_is_one_without_any_limit(self):
        for weight in (None, 1):
            problem = model.Problem(
                worlds.snapshot([worlds.host('lost')], [worlds.pool('p')]),
                (worlds.server('a'), model.VolumeDemand('v', 1)),
                (worlds.rule('spread', 'rack', 'a', 'v', weight=weight),),
            )
            answer = joint.JointSolver().solve(problem, deadline=60.0)
            self.assertEqual((), answer.plan.unsteered)
            report = checker.check(problem, answer.plan)
            self.assertEqual((), report.violations)


def single(*rules, **changes) -> model.Problem:
    """Pose one server ``a`` beside two hosts in racks r0 and r1."""
    hosts = [
        dataclasses.replace(
            worlds.host('h0', 4, total=8, rack='r0', zone='z'),
            traits=frozenset({'SSD'}),
        ),
        dataclasses.replace(
            worlds.host('h1', 8, total=8, rack='r1', zone='z'),
            is_busy=True,
        ),
    ]
    demand = dataclasses.replace(worlds.server('a', 2), **changes)
    return model.Problem(worlds.snapshot(hosts), (demand,), rules)


class NeedsTestCase(testtools.TestCase):
    def violations(self, problem, **placement):
        return checker.judge(problem, placement).violations

    def test_a_trait_that_the_host_lacks(self):
        problem = single(require=frozenset({'SSD'}))
        self.assertEqual((), self.violations(problem, a='h0'))
        self.assertEqual(
            ('a needs SSD, which h1 lacks',), self.violations(problem, a='h1')
        )

    def test_a_trait_that_the_host_must_not_have(self):
        problem = single(forbid=frozenset({'SSD'}))
        self.assertEqual((), self.violations(problem, a='h1'))
        self.assertEqual(
            ('a must not have SSD, which h0 has',),
            self.violations(problem, a='h0'),
        )

    def test_a_domain_that_the_member_is_bound_to(self):
        problem = single(within=('rack', 'r1'))
        self.assertEqual((), self.violations(problem, a='h1'))
        self.assertEqual(
            ('a must be within rack r1 and is in r0',),
            self.violations(problem, a='h0'),
        )

    def test_a_pool_without_a_known_domain_is_within_none(self):
        volume = model.VolumeDemand('v', 1, within=('rack', 'r0'))
        problem = model.Problem(
            worlds.snapshot([], [worlds.pool('p')]), (volume,), ()
        )
        self.assertEqual(
            ('v must be within rack r0 and is in no known one',),
            self.violations(problem, v='p'),
        )

    def test_what_the_provider_leaves_of_a_domain(self):
        budget = model.Budget('share', 'rack', {'r0': {'VCPU': 3}})
        demands = (worlds.server('a', 2), worlds.server('b', 2))
        problem = dataclasses.replace(
            single(), demands=demands, budgets=(budget,)
        )
        self.assertEqual((), self.violations(problem, a='h1', b='h1'))
        self.assertEqual((), self.violations(problem, a='h0', b='h1'))
        self.assertEqual(
            ('share: rack r0 has 3 VCPU left to this request, 4 taken',),
            self.violations(problem, a='h0', b='h0'),
        )

    def test_a_pinned_server_takes_nothing_of_the_providers_share(self):
        budget = model.Budget('share', 'rack', {'r0': {'VCPU': 1}})
        problem = dataclasses.replace(
            single(), pinned={'a': 'h0'}, budgets=(budget,)
        )
        self.assertEqual((), self.violations(problem, a='h0'))


class DomainsOfSkewTestCase(testtools.TestCase):
    """Over which domains a spread is even."""

    def broken(self, problem, **placement):
        report = checker.judge(problem, placement)
        self.assertEqual((), report.violations)
        return sum(v.amount for v in report.given_up)

    def rule(self, *members, **options):
        return worlds.rule(
            'spread', 'rack', *members, weight=1, max_skew=0, **options
        )

    def test_a_domain_counts_where_a_host_could_take_a_server(self):
        self.assertEqual(1, self.broken(single(self.rule('a')), a='h1'))

    def test_a_domain_without_the_trait_does_not_count(self):
        problem = single(self.rule('a'), require=frozenset({'SSD'}))
        self.assertEqual(0, self.broken(problem, a='h0'))

    def test_a_full_domain_counts_and_one_too_small_does_not(self):
        for vcpu, skew in ((8, 1), (9, 0)):
            large = worlds.server('b', vcpu)
            hosts = [
                worlds.host('h0', 9, rack='r0'),
                worlds.host('h1', 0, total=8, rack='r1'),
            ]
            problem = model.Problem(
                worlds.snapshot(hosts), (large,), (self.rule('b'),)
            )
            self.assertEqual(skew, self.broken(problem, b='h0'))

    def test_what_the_cloud_itself_tells_goes_before_totals(self):
        problem = single(self.rule('a'), suitable=frozenset({'h0'}))
        self.assertEqual(0, self.broken(problem, a='h0'))

    def test_domains_that_are_named_count_alone(self):
        problem = single(self.rule('a', domains=('r1',)))
        self.assertEqual(0, self.broken(problem, a='h1'))

    def test_a_pool_that_offers_the_type_makes_its_domain_count(self):
        rule = self.rule('v')
        volume = model.VolumeDemand('v', 1, 'ssd')
        pools = [
            worlds.pool('p', types=['ssd'], rack='r0'),
            worlds.pool('q', 0, types=['ssd'], rack='r1'),
            worlds.pool('r', types=['hdd'], rack='r2'),
        ]
        for some, skew in ((pools, 1), (pools[::2], 0)):
            problem = model.Problem(
                worlds.snapshot([], some), (volume,), (rule,)
            )
            self.assertEqual(skew, self.broken(problem, v='p'))


class WholeTestCase(testtools.TestCase):
    """What only a whole placement can tell."""

    def test_a_busy_host_is_shared_at_every_scope(self):
        for scope, broken in (('host', 0), ('rack', 0), ('zone', 1)):
            problem = single(worlds.rule('exclusive', scope, 'a', weight=2))
            report = checker.judge(problem, {'a': 'h0'})
            self.assertEqual(2 * broken, report.soft_cost, scope)
        problem = single(worlds.rule('exclusive', 'host', 'a'))
        report = checker.judge(problem, {'a': 'h1'})
        self.assertEqual(
            ('exclusive group is broken by 1: host h1',), report.violations
        )

    def test_any_other_member_of_the_request_shares(self):
        problem = single(worlds.rule('exclusive', 'rack', 'a'))
        problem = dataclasses.replace(
            problem, demands=(*problem.demands, worlds.server('b', 2))
        )
        report = checker.judge(problem, {'a': 'h0', 'b': 'h0'})
        self.assertIn('exclusive group is broken', report.violations[0])
        self.assertEqual(
            (), checker.judge(problem, {'a': 'h0', 'b': 'h1'}).violations
        )

    def test_the_floor_of_a_proximity_holds_and_its_cost_is_told(self):
        rule = worlds.rule(
            'proximity', 'host', 'a', 'b', weight=3, at_least='zone'
        )
        problem = single(rule)
        problem = dataclasses.replace(
            problem, demands=(*problem.demands, worlds.server('b', 2))
        )
        report = checker.judge(problem, {'a': 'h0', 'b': 'h1'})
        self.assertEqual((), report.violations)
        self.assertEqual((model.Violation('group', 2, 6),), report.given_up)
        self.assertEqual(
            (('rack', 'r0'), ('rack', 'r1')), report.given_up[0].where
        )
        narrow = dataclasses.replace(rule, options={'at_least': 'rack'})
        problem = dataclasses.replace(problem, rules=(narrow,))
        report = checker.judge(problem, {'a': 'h0', 'b': 'h1'})
        self.assertIn('proximity group is broken by 1', report.violations[0])

    def test_the_objective_is_hosts_used_or_the_highest_fill(self):
        for objective, value in (('pack', 2), ('balance', 750)):
            problem = dataclasses.replace(
                single(),
                demands=(worlds.server('a', 2), worlds.server('b', 3)),
                objective=objective,
            )
            report = checker.judge(problem, {'a': 'h0', 'b': 'h1'})
            self.assertEqual(value, report.objective)

    def test_the_fill_is_rounded_up(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('h', 3)]),
            (worlds.server('a', 1),),
            (),
        )
        self.assertEqual(334, checker.judge(problem, {'a': 'h'}).objective)

    def test_an_objective_claimed_has_to_be_exact(self):
        plan = model.Plan({'a': 'h0'}, 0, 749)
        self.assertEqual(
            ('the plan claims objective 749, it is 750',),
            checker.check(single(), plan).violations,
        )
        plan = dataclasses.replace(plan, objective=750)
        self.assertEqual((), checker.check(single(), plan).violations)

    def test_a_bound_that_the_plan_itself_refutes(self):
        plan = model.Plan({'a': 'h0'}, 0, 750)
        for bound, refuted in (
            (model.Bound(0, 750), False),
            (model.Bound(0, 751), True),
            (model.Bound(1), True),
            (model.Bound(0), False),
        ):
            report = checker.check(single(), plan, bound=bound)
            self.assertEqual(refuted, bool(report.violations), bound)

    def test_hosts_by_column_read_the_same(self):
        problem = trap()
        snapshot = problem.snapshot
        table = columns.of(snapshot.hosts, snapshot.levels)
        problem = dataclasses.replace(
            problem, snapshot=dataclasses.replace(snapshot, hosts=table)
        )
        for placement in (GOOD, {**GOOD, 'web1': 'h2'}, {**GOOD, 'db': 'x'}):
            self.assertEqual(
                checker.judge(trap(), placement),
                checker.judge(problem, placement),
            )


class BreachesTestCase(testtools.TestCase):
    """Which rules do not hold, where, and for whom."""

    def broken(self, rule, **at):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(3, 2)), (), (rule,), at
        )
        return checker.breaches(problem, at)

    def test_only_those_who_meet_are_named(self):
        rule = worlds.rule('anti-affinity', 'rack', 'a', 'b', 'c')
        (found,) = self.broken(rule, a='r0-h0', b='r0-h1', c='r1-h0')
        self.assertEqual(
            model.Breach('group', 1, (('rack', 'r0'),), ('a', 'b')), found
        )

    def test_where_no_domain_is_to_blame_all_are_named(self):
        rule = worlds.rule('spread', 'rack', 'a', 'b', min_domains=2)
        (found,) = self.broken(rule, a='r0-h0', b='r0-h1')
        self.assertEqual(((), ('a', 'b')), (found.where, found.members))

    def test_a_member_that_is_nowhere_counts_nowhere(self):
        rule = worlds.rule('anti-affinity', 'host', 'a', 'b', 'gone')
        self.assertEqual((), self.broken(rule, a='r0-h0', b='r0-h1'))

    def test_a_wish_is_never_broken(self):
        rule = worlds.rule('affinity', 'host', 'a', 'b', weight=3)
        self.assertEqual((), self.broken(rule, a='r0-h0', b='r0-h1'))
