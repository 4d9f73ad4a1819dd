# SPDX-License-Identifier: Apache-2.0
"""The check refuses every kind of bad plan, and says what a good one costs."""

from __future__ import annotations

import dataclasses

import testtools
from testtools import matchers

from heat_vcluster.placement import checker, model
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
