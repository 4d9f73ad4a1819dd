# SPDX-License-Identifier: Apache-2.0
"""From a document's groups to a checked plan, or to an error that tells."""

from __future__ import annotations

import testtools

from heat_vcluster import exception, planner
from heat_vcluster.placement import base, joint, model
from heat_vcluster.spec import model as spec_model
from tests.unit.placement import worlds


def group(policy, scope, *units, name='group', weight=None, **options):
    rule = worlds.rule(
        policy, scope, *units, name=name, weight=weight, **options
    )
    return spec_model.Group(
        rule.name,
        rule.policy,
        rule.scope,
        rule.units,
        rule.weight,
        rule.options,
        'groups[0]',
    )


def document(*groups):
    """The members matter to the planner by their demands only."""
    return spec_model.GroupSpec('test', (), groups, {})


class Answering(base.Solver):
    """A solver that says what it is told to."""

    def __init__(self, answer):
        self.answer = answer
        self.problem = None
        self.wishes = {}

    def solve(self, problem, **wishes):
        self.problem = problem
        self.wishes = wishes
        return self.answer


class PlannerTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.planner = planner.Planner(joint.JointSolver(), deadline=5.0)
        self.snapshot = worlds.snapshot(worlds.racks(3, 2))

    def test_a_plan_obeys_the_groups_of_the_document(self):
        plan = self.planner.plan(
            document(group('anti-affinity', 'rack', 'a-0', 'a-1', 'a-2')),
            worlds.servers('a', 3),
            self.snapshot,
        )
        racks = {place[:2] for place in plan.placement.values()}
        self.assertEqual({'r0', 'r1', 'r2'}, racks)

    def test_no_placement_is_an_error_with_rules_and_two_kinds_of_reason(self):
        error = self.assertRaises(
            exception.NoValidPlacement,
            self.planner.plan,
            document(group('anti-affinity', 'rack', *'abcd', name='dbs')),
            [worlds.server(name) for name in 'abcd'],
            self.snapshot,
        )
        self.assertTrue(error.proven)
        self.assertEqual(('dbs',), error.rules)
        self.assertEqual(
            (
                "anti-affinity group 'dbs' keeps its 4 members apart by rack: "
                'that takes 4 racks, and 3 qualify',
            ),
            error.reasons,
        )
        self.assertIn('dbs', str(error))
        self.assertNotIn('r0', str(error))
        self.assertIn('r0, r1, r2', error.operator_reasons[0])

    def test_levels_and_domains_that_there_are_not(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.planner.plan,
            document(
                group('proximity', 'host', 'a', weight=1, at_least='row'),
                group('spread', 'rack', 'a', max_skew=0, domains=['r0', 'x']),
                group('affinity', 'row', 'a'),
            ),
            [worlds.server('a')],
            self.snapshot,
        )
        self.assertEqual(
            [
                'groups[0].spec.at_least',
                'groups[0].spec.scope',
                'groups[0].spec.domains[1]',
            ],
            [fault.path for fault in error.faults],
        )

    def test_the_scope_of_a_kind_that_has_none_is_not_looked_at(self):
        problem = self.planner.problem(
            document(group('proximity', 'nonsense', 'a', weight=1)),
            [worlds.server('a')],
            self.snapshot,
        )
        self.assertEqual('proximity', problem.rules[0].policy)

    def test_a_bound_that_the_plan_itself_refutes_is_a_defect(self):
        solver = Answering(
            model.Answer(
                model.Verdict.FEASIBLE,
                model.Plan({'a': 'r0-h0'}),
                model.Bound(1),
            )
        )
        error = self.assertRaises(
            exception.InvalidPlan,
            planner.Planner(solver).plan,
            document(),
            [worlds.server('a')],
            self.snapshot,
        )
        self.assertIn('the bound says', error.violations[0])

    def test_out_of_time_is_an_error_that_claims_no_proof(self):
        solver = Answering(model.Answer(model.Verdict.UNKNOWN))
        error = self.assertRaises(
            exception.NoValidPlacement,
            planner.Planner(solver).plan,
            document(),
            [],
            self.snapshot,
        )
        self.assertFalse(error.proven)
        self.assertIn('time', str(error))

    def test_out_of_time_says_what_was_tried(self):
        solver = Answering(
            model.Answer(model.Verdict.UNKNOWN, tried=('this', 'and that'))
        )
        error = self.assertRaises(
            exception.NoValidPlacement,
            planner.Planner(solver).plan,
            document(),
            [],
            self.snapshot,
        )
        self.assertIn('(tried: this, and that)', str(error))
        self.assertEqual((), error.repairs)

    def test_what_would_fit_is_told_with_the_reasons(self):
        error = self.assertRaises(
            exception.NoValidPlacement,
            self.planner.plan,
            document(group('anti-affinity', 'rack', *'abcd', name='dbs')),
            [worlds.server(name) for name in 'abcd'],
            self.snapshot,
        )
        self.assertIn("make anti-affinity group 'dbs' soft", error.repairs)
        _, told = str(error).split('. What would fit: ')
        for repair in error.repairs[: exception.REPAIRS_TOLD]:
            self.assertIn(repair, told)
        self.assertEqual(error.repairs, error.because('more').repairs)

    def test_flavors_that_servers_might_have_are_among_what_would_fit(self):
        error = self.assertRaises(
            exception.NoValidPlacement,
            self.planner.plan,
            document(),
            worlds.servers('a', 7, 8),
            self.snapshot,
            choices={f'a-{n}': [('half', {'VCPU': 4})] for n in range(7)},
        )
        self.assertIn(
            'give a-0 and the 6 like it the flavor half', error.repairs
        )

    def test_time_is_spent_on_plans_that_are_used_and_words_that_are_read(
        self,
    ):
        solver = Answering(
            model.Answer(model.Verdict.FEASIBLE, model.Plan({'a': 'r0-h0'}))
        )
        made = planner.Planner(solver, deadline=8.0, patience=0.5)
        posed = document(), [worlds.server('a')], self.snapshot
        made.plan(*posed)
        self.assertEqual(8.0, solver.wishes['deadline'])
        self.assertEqual(0.5, solver.wishes['patience'])
        self.assertTrue(solver.wishes.get('explain', True))
        made.plan(*posed, is_whole=False)
        self.assertEqual(0.5, solver.wishes['patience'])
        self.assertFalse(solver.wishes['explain'])

    def test_a_plan_that_fails_the_check_is_never_handed_out(self):
        plan = model.Plan({'a': 'r0-h0', 'b': 'r0-h1'})
        solver = Answering(model.Answer(model.Verdict.FEASIBLE, plan))
        error = self.assertRaises(
            exception.InvalidPlan,
            planner.Planner(solver).plan,
            document(group('anti-affinity', 'rack', 'a', 'b')),
            [worlds.server('a'), worlds.server('b')],
            self.snapshot,
        )
        self.assertEqual(1, len(error.violations))
        self.assertNotIn('r0', str(error))

    def test_a_level_the_cloud_does_not_have_names_the_group(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.planner.plan,
            document(group('spread', 'row', 'a', name='far')),
            [worlds.server('a')],
            self.snapshot,
        )
        (fault,) = error.faults
        self.assertEqual('groups[0].spec.scope', fault.path)
        self.assertIn("group 'far'", fault.message)
        self.assertIn('zone, rack, host', fault.message)

    def test_pinned_members_keep_their_place(self):
        plan = self.planner.plan(
            document(group('affinity', 'host', 'a', 'b')),
            [worlds.server('b')],
            self.snapshot,
            {'a': 'r2-h1'},
        )
        self.assertEqual({'a': 'r2-h1', 'b': 'r2-h1'}, plan.placement)

    def test_networks_have_no_place_and_no_part(self):
        problem = self.planner.problem(
            document(
                group('affinity', 'rack', 'a', ('net', 'b')),
                group('affinity', 'rack', 'net', name='only-net'),
            ),
            [worlds.server('a'), worlds.server('b')],
            self.snapshot,
        )
        (rule,) = problem.rules
        self.assertEqual((('a',), ('b',)), rule.units)

    def test_a_pool_local_to_a_host_is_wherever_its_host_is(self):
        problem = self.planner.problem(
            document(),
            [],
            worlds.snapshot(
                self.snapshot.hosts, [worlds.pool('lvm', at='r1-h0')]
            ),
        )
        (pool,) = problem.snapshot.pools
        self.assertEqual('r1', pool.domain('rack'))
        self.assertEqual('r1-h0', pool.domain('host'))

    def test_the_objective_and_options_reach_the_solver(self):
        solver = Answering(
            model.Answer(model.Verdict.FEASIBLE, model.Plan({'a': 'r0-h0'}))
        )
        planner.Planner(solver, objective='pack').plan(
            document(group('spread', 'rack', 'a', weight=3, max_per_domain=2)),
            [worlds.server('a')],
            self.snapshot,
        )
        self.assertEqual('pack', solver.problem.objective)
        (rule,) = solver.problem.rules
        self.assertEqual(3, rule.weight)
        self.assertEqual({'max_per_domain': 2}, rule.options)

    def test_soft_groups_that_gave_way_are_told(self):
        plan = self.planner.plan(
            document(
                group('anti-affinity', 'rack', *'abcd', name='far', weight=2)
            ),
            [worlds.server(name) for name in 'abcd'],
            self.snapshot,
        )
        self.assertEqual((model.Violation('far', 1, 2),), plan.given_up)
