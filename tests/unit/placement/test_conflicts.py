# SPDX-License-Identifier: Apache-2.0
"""A conflict conflicts, and nothing in it can be spared."""

from __future__ import annotations

import math
import time

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.counting import refutation
from heat_vcluster.placement.explanation import conflicts, skeleton
from heat_vcluster.placement.numbers import compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base, placement_oracle
from tests.unit.placement import clashes, worlds

VERDICTS = {
    model.Verdict.FEASIBLE: False,
    model.Verdict.INFEASIBLE: True,
}


def prove(posed: compiled.Compiled, seconds: float) -> bool | None:
    """Prove as the solver does: by counts, or member by member."""
    ends = time.monotonic() + seconds
    if refutation.prove(posed, contract.contract(posed), ends, 0):
        return True
    result = exact.solve(posed, goal=exact.Goal.ANY, seconds=seconds)
    return VERDICTS.get(result.verdict)


def find(problem: model.Problem, by=prove, seconds: float = 600.0):
    return conflicts.minimal(
        problem, policies.load(), by, time.monotonic() + seconds, 0
    )


class ConflictsTestCase(base.TestCase):
    def assert_is_minimal(self, problem, rules):
        rules = frozenset(rules)
        self.assertFalse(
            placement_oracle.is_feasible(problem, rules),
            f'{sorted(rules)} can all be obeyed',
        )
        spare = [
            rule
            for rule in sorted(rules)
            if not placement_oracle.is_feasible(problem, rules - {rule})
        ]
        self.assertEqual([], spare)


class EachKindTestCase(ConflictsTestCase):
    def test_conflicts_are_minimal_by_trying_everything(self):
        for make in clashes.ALL:
            clash = make()
            found = find(clash.problem)
            self.assertTrue(found.is_minimal, clash.name)
            self.assert_is_minimal(clash.problem, found.rules)
            if clash.rules is not None:
                self.assertEqual(clash.rules, set(found.rules))

    def test_they_are_the_same_each_time(self):
        for make in clashes.ALL:
            self.assertEqual(find(make().problem), find(make().problem))


class RandomTestCase(ConflictsTestCase):
    def test_conflicts_of_random_problems_are_minimal(self):
        found = 0
        for seed in range(60):
            problem = placement_oracle.tiny(seed, beyond=seed % 2 == 1)
            rules = placement_oracle.rule_names(problem)
            if placement_oracle.is_feasible(problem, rules):
                continue
            found += 1
            conflict = find(problem)
            self.assertTrue(conflict.is_minimal, seed)
            self.assert_is_minimal(problem, conflict.rules)
        self.assertGreater(found, 20)


class EffortTestCase(ConflictsTestCase):
    def test_rules_alike_take_few_tests(self):
        count = 60
        problem = clashes.pose(
            clashes.hosts(1, count - 1, 1),
            worlds.servers('m', 2 * count),
            worlds.rule(
                'anti-affinity',
                'rack',
                *clashes.names('m', 2 * count),
                name='apart',
            ),
        )
        found = find(problem)
        self.assertEqual(('apart',), found.rules)
        # Where the members' needs matter, too many of them are many rules.
        cloud = [
            *clashes.hosts(1, count - 1, 1, 5),
            *(clashes.host(1, n, 0, 1) for n in range(2 * count)),
        ]
        problem = clashes.pose(
            cloud,
            worlds.servers('m', 2 * count, 4),
            worlds.rule(
                'anti-affinity',
                'rack',
                *clashes.names('m', 2 * count),
                name='apart',
            ),
        )
        found = find(problem)
        self.assertTrue(found.is_minimal)
        self.assertEqual(count, len(found.rules))
        self.assertLess(found.tests, 8 + 4 * math.log2(count))

    def test_without_proofs_all_rules_are_named_rather_than_too_few(self):
        problem = clashes.fragments().problem
        found = find(problem, lambda posed, seconds: None)
        self.assertEqual(
            set(placement_oracle.rule_names(problem)), set(found.rules)
        )
        self.assertFalse(found.is_minimal)

    def test_without_time_all_rules_are_named_rather_than_too_few(self):
        problem = clashes.fragments().problem
        found = find(problem, seconds=0.0)
        self.assertEqual(
            set(placement_oracle.rule_names(problem)), set(found.rules)
        )
        self.assertFalse(found.is_minimal)

    def test_what_was_not_proven_is_not_called_minimal(self):
        problem = clashes.fragments().problem

        def only_infeasible(posed, seconds):
            return prove(posed, seconds) or None

        found = find(problem, only_infeasible)
        self.assertFalse(found.is_minimal)
        self.assertFalse(placement_oracle.is_feasible(problem, found.rules))


class SkeletonTestCase(base.TestCase):
    def view(self, problem, core=None):
        bones = skeleton.Skeleton(problem, policies.load())
        return bones.view(bones.everything if core is None else core)

    def test_whole_chains_change_places(self):
        view = self.view(clashes.chains().problem)
        chains = ['chain-0', 'chain-1']
        self.assertEqual(chains, view.orbit('chain-0', chains))
        dbs = ['fit:db-0', 'fit:db-1']
        self.assertEqual(dbs, view.orbit('fit:db-0', dbs))
        self.assertEqual([], view.orbit('fit:db-0', ['fit:lb-0', 'apart']))

    def test_likeness_is_not_enough_to_change_places(self):
        """Two triangles and a ring of six look alike from every corner."""
        pairs = ['ab', 'bc', 'ca', 'de', 'ef', 'fg', 'gh', 'hi', 'id']
        problem = clashes.pose(
            clashes.hosts(1, 1, 1),
            [worlds.server(name) for name in 'abcdefghi'],
            *(worlds.rule('affinity', 'host', *p, name=p) for p in pairs),
        )
        view = self.view(problem)
        members, _ = view.colours()
        self.assertEqual(1, len(set(members.values())))
        fits = [f'fit:{name}' for name in 'abcdefghi']
        self.assertEqual(fits[:3], view.orbit('fit:a', fits[:3]))
        self.assertEqual([], view.orbit('fit:a', fits[3:]))

    def test_members_that_make_no_difference_are_left_out(self):
        problem = clashes.cycle().problem
        view = self.view(problem, {'left', 'apart', 'fit:b-1'})
        # Nobody is where the others must not be but b-0; b-1 has a size.
        self.assertEqual({'a-0', 'a-1', 'b-0', 'b-1'}, set(view.members))
        # Without it, all of the group is where one of it is.
        view = self.view(problem, {'left'})
        self.assertEqual(('a-0',), view.members)

    def test_the_domains_of_a_level_rule_are_those_of_the_whole(self):
        problem = clashes.skew().problem
        view = self.view(problem, {'level'})
        posed = compiled.Compiled(view.problem(), policies.load(), view.core)
        (clause,) = posed.hard
        self.assertEqual(2, len(clause.domains))
