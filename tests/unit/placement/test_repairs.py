# SPDX-License-Identifier: Apache-2.0
"""What is proposed instead fits, and less would not."""

from __future__ import annotations

import dataclasses
import time

from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import model, policies
from heat_vcluster.placement.explanation import conflicts, repairs
from heat_vcluster.placement.numbers import compiled
from heat_vcluster.placement.programs import exact
from tests import base, placement_oracle, placement_verdicts
from tests.unit.placement import clashes, test_conflicts, worlds


class Attempts:
    """Solves what it is asked, and keeps the problems that had a plan."""

    def __init__(self) -> None:
        self.asked = 0
        self.solved: list[model.Problem] = []

    def __call__(
        self, problem: model.Problem, seconds: float
    ) -> model.Answer | None:
        self.asked += 1
        posed = compiled.Compiled(problem, policies.load())
        result = exact.solve(posed, seconds=seconds)
        if result.placement is None:
            return model.Answer(result.verdict)
        self.solved.append(problem)
        plan = model.Plan({}, result.soft_cost)
        return model.Answer(result.verdict, plan)


def propose(
    problem: model.Problem,
    choices: solvers.Choices | None = None,
    attempts: Attempts | None = None,
    seconds: float = 600.0,
    explain: bool = False,
) -> repairs.Proposals:
    return repairs.propose(
        problem,
        policies.load(),
        test_conflicts.find(problem),
        attempts or Attempts(),
        time.monotonic() + seconds,
        choices,
        (lambda posed, seconds: test_conflicts.find(posed))
        if explain
        else None,
    )


def spread(count: int, racks: int, **options: object) -> model.Problem:
    """Members of one group over racks with a host each."""
    return clashes.pose(
        clashes.hosts(1, racks, 1),
        worlds.servers('a', count),
        worlds.rule('spread', 'rack', *clashes.names('a', count), **options),
    )


class RepairsTestCase(base.TestCase):
    def texts(self, problem, choices=None):
        return [r.text for r in propose(problem, choices).repairs]

    def test_each_kind_of_conflict_has_repairs_that_fit(self):
        for make in clashes.ALL:
            clash = make()
            attempts = Attempts()
            found = propose(clash.problem, attempts=attempts).repairs
            if clash.name == 'homeless':  # two members: no single change
                self.assertEqual((), found)
                continue
            self.assertNotEqual((), found, clash.name)
            for problem in attempts.solved:
                self.assertIsNotNone(
                    placement_oracle.best(problem), clash.name
                )
            self.assertEqual(
                len(found), len({(r.kind, r.subject) for r in found})
            )

    def test_only_what_is_in_the_conflict_is_changed(self):
        found = propose(clashes.pigeonhole().problem).repairs
        self.assertEqual(
            {('soften', 'ha-racks'), ('fewer', 'ha-0')},
            {(r.kind, r.subject) for r in found},
        )

    def test_members_are_left_out_from_behind(self):
        (repair,) = propose(clashes.fragments().problem).repairs
        self.assertEqual('have 4 instead of 5 members like big-0', repair.text)
        self.assertEqual((1, ('big-4',)), (repair.value, repair.members))

    def test_no_more_is_left_out_than_must_be(self):
        problem = clashes.pose(
            [clashes.host(0, 0, n, 7) for n in range(3)],
            worlds.servers('big', 12, 4),
        )
        (repair,) = propose(problem).repairs
        self.assertEqual(9, repair.value)

    def test_the_limit_is_raised_as_little_as_will_do(self):
        found = propose(spread(7, 2, max_per_domain=1)).repairs
        limits = [r for r in found if r.kind == 'relax']
        self.assertEqual(
            [('max_per_domain', 4)], [(r.option, r.value) for r in limits]
        )
        self.assertEqual(
            "let max_per_domain of spread group 'group' be 4 instead of 1",
            limits[0].text,
        )

    def test_the_skew_is_raised_as_little_as_will_do(self):
        found = propose(spread(7, 3, max_skew=0)).repairs
        self.assertIn(('max_skew', 1), [(r.option, r.value) for r in found])

    def test_domains_are_lowered_as_little_as_will_do(self):
        found = propose(spread(6, 4, min_domains=6)).repairs
        self.assertIn(('min_domains', 4), [(r.option, r.value) for r in found])

    def test_no_more_domains_are_tried_than_there_are_members(self):
        attempts = Attempts()
        found = propose(spread(3, 2, min_domains=10**6), attempts=attempts)
        limits = [r for r in found.repairs if r.kind == 'relax']
        self.assertEqual(
            [('min_domains', 2)], [(r.option, r.value) for r in limits]
        )
        self.assertLess(attempts.asked, 10)

    def test_a_floor_is_widened_before_it_is_dropped(self):
        problem = clashes.pose(
            clashes.hosts(1, 2, 2, 5),
            worlds.servers('a', 2, 4),
            worlds.rule(
                'proximity',
                'host',
                'a-0',
                'a-1',
                weight=1,
                at_least='host',
            ),
        )
        found = propose(problem).repairs
        self.assertEqual(
            [
                ('relax', 'at_least', 'rack'),
                ('soften', None, None),
                ('fewer', None, 1),
            ],
            sorted(
                ((r.kind, r.option, r.value) for r in found),
                key=lambda told: repairs.KINDS.index(told[0]),
            ),
        )

    def test_another_flavor_is_the_nearest_that_fits(self):
        choices = {
            name: [
                ('tiny', {'VCPU': 1}),
                ('small', {'VCPU': 3}),
                ('large', {'VCPU': 8}),
            ]
            for name in clashes.names('big', 5)
        }
        problem = clashes.fragments().problem
        found = propose(problem, choices).repairs
        (repair,) = [r for r in found if r.kind == 'resize']
        self.assertEqual('small', repair.value)
        self.assertEqual(tuple(clashes.names('big', 5)), repair.members)
        self.assertEqual(
            'give big-0 and the 4 like it the flavor small', repair.text
        )

    def test_a_flavor_has_to_do_for_all_members_alike(self):
        choices = {
            name: [('small', {'VCPU': 3})] for name in clashes.names('big', 5)
        }
        problem = clashes.fragments().problem
        kinds = [r.kind for r in propose(problem, choices).repairs]
        self.assertIn('resize', kinds)
        choices['big-3'] = []
        kinds = [r.kind for r in propose(problem, choices).repairs]
        self.assertNotIn('resize', kinds)

    def test_the_least_change_comes_first_and_then_the_cheapest(self):
        for make in clashes.ALL:
            found = propose(make().problem).repairs
            ones = [r for r in found if r.kind in ('fewer', 'soften')]
            ones = [r for r in ones if r.value in (1, None)]
            self.assertEqual(
                sorted(r.soft_cost for r in ones),
                [r.soft_cost for r in ones],
            )

    def test_two_conflicts_are_mended_by_a_change_for_each(self):
        problem = clashes.pose(
            clashes.hosts(1, 2, 1, 2),
            worlds.servers('a', 4),
            worlds.rule('affinity', 'host', 'a-0', 'a-1', name='one'),
            worlds.rule('affinity', 'host', 'a-2', 'a-3', name='two'),
            worlds.rule('anti-affinity', 'host', 'a-0', 'a-1', name='ten'),
            worlds.rule('anti-affinity', 'host', 'a-2', 'a-3', name='six'),
        )
        self.assertEqual((), propose(problem).repairs)
        (repair,) = propose(problem, explain=True).repairs
        self.assertEqual('several', repair.kind)
        steps = {(step.kind, step.subject) for step in repair.value}
        self.assertEqual(2, len(steps))
        self.assertEqual({'soften'}, {kind for kind, _ in steps})
        mended = placement_verdicts.repaired(problem, repair)
        self.assertEqual(
            repair.soft_cost, placement_oracle.best(mended).soft_cost
        )

    def test_all_members_without_a_place_are_left_out_together(self):
        (repair,) = propose(clashes.homeless().problem, explain=True).repairs
        self.assertEqual('leave out fat, and leave out fatter', repair.text)
        self.assertEqual(('fat', 'fatter'), repair.members)

    def test_groups_alike_are_softened_if_one_is_not_enough(self):
        """Three want a rack to themselves, and no rack is idle."""
        groups = [
            worlds.rule('exclusive', 'rack', f'a-{n}', name=f'alone-{n}')
            for n in range(3)
        ]
        cloud = [
            dataclasses.replace(h, is_busy=True)
            for h in clashes.hosts(1, 3, 1)
        ]
        problem = clashes.pose(cloud, worlds.servers('a', 3), *groups)
        (repair,) = propose(problem, explain=True).repairs
        self.assertEqual(3, len(repair.value))
        self.assertIsNotNone(
            placement_oracle.best(placement_verdicts.repaired(problem, repair))
        )

    def test_what_there_was_no_time_to_try_is_told(self):
        attempts = Attempts()
        proposals = propose(
            clashes.pigeonhole().problem, attempts=attempts, seconds=0.0
        )
        self.assertEqual((), proposals.repairs)
        self.assertEqual(0, attempts.asked)
        self.assertEqual(
            {
                "making anti-affinity group 'ha-racks' soft",
                'fewer members like ha-0',
            },
            set(proposals.untried),
        )

    def test_nothing_is_proposed_that_was_not_proven(self):
        found = repairs.propose(
            clashes.pigeonhole().problem,
            policies.load(),
            test_conflicts.find(clashes.pigeonhole().problem),
            lambda problem, seconds: None,
            time.monotonic() + 600,
        )
        self.assertEqual((), found.repairs)


class RandomTestCase(base.TestCase):
    def test_repairs_of_random_problems_fit(self):
        proposed = 0
        for seed in range(40):
            problem = placement_oracle.tiny(seed)
            rules = placement_oracle.rule_names(problem)
            if placement_oracle.is_feasible(problem, rules):
                continue
            attempts = Attempts()
            found = propose(problem, attempts=attempts).repairs
            proposed += len(found)
            costs = set()
            for changed in attempts.solved:
                best = placement_oracle.best(changed)
                self.assertIsNotNone(best, seed)
                costs.add(best.soft_cost)
            self.assertLessEqual({r.soft_cost for r in found}, costs)
        self.assertGreater(proposed, 10)


class ConflictTestCase(base.TestCase):
    def test_rules_outside_the_conflict_are_left_alone(self):
        problem = clashes.zone().problem
        other = conflicts.Conflict((), False)
        self.assertEqual(
            (),
            repairs.propose(
                problem,
                policies.load(),
                other,
                Attempts(),
                time.monotonic() + 600,
            ).repairs,
        )
