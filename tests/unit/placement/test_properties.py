# SPDX-License-Identifier: Apache-2.0
"""On tiny random problems the solver says what trying everything says."""

from __future__ import annotations

import dataclasses

import fixtures
import hypothesis
from hypothesis import strategies as st

from heat_vcluster.placement import joint, model
from tests import base, placement_oracle, placement_verdicts


def problems(beyond):
    """Give problems of all rules mixed, which hypothesis can make smaller."""
    return st.builds(
        placement_oracle.drawn,
        st.randoms(use_true_random=False),
        st.just(beyond),
    )


def tries(count):
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


class TinyProblemsTestCase(base.TestCase):
    # As long as it takes, however slow the machine is.
    deadline = 300.0

    def solve(self, problem, **more):
        solver = joint.JointSolver()
        more = {'patience': self.deadline, **more}
        return solver.solve(problem, deadline=self.deadline, **more)

    @tries(300)
    @hypothesis.given(problems(beyond=False))
    def test_answers_are_true(self, problem):
        answer = self.solve(problem, explain=False)
        self.assertEqual([], placement_verdicts.faults(problem, answer))

    @tries(200)
    @hypothesis.given(problems(beyond=True))
    def test_answers_are_true_beyond_what_a_document_can_say(self, problem):
        answer = self.solve(problem, explain=False)
        self.assertEqual([], placement_verdicts.faults(problem, answer))

    @tries(100)
    @hypothesis.given(problems(beyond=True))
    def test_why_not_is_a_minimal_conflict_and_repairs_fit(self, problem):
        answer = self.solve(problem)
        self.assertEqual([], placement_verdicts.faults(problem, answer))
        if answer.verdict is model.Verdict.INFEASIBLE:
            self.assertTrue(answer.rules)
            self.assertTrue(answer.is_minimal)
            self.assertTrue(answer.reasons)
            self.assertTrue(answer.operator_reasons)

    @tries(50)
    @hypothesis.given(problems(beyond=True), st.integers(0, 3))
    def test_the_same_question_gets_the_same_answer(self, problem, seed):
        once = self.solve(problem, seed=seed)
        again = self.solve(problem, seed=seed)
        self.assertEqual(
            dataclasses.replace(once, seconds={}),
            dataclasses.replace(again, seconds={}),
        )


class LargeWaysTestCase(base.TestCase):
    """What is done for large problems says nothing wrong of tiny ones."""

    def setUp(self):
        super().setUp()
        # Nothing is small enough to be solved whole.
        for size in (
            'ways.whole.SMALL',
            'ways.whole.MEDIUM',
            'ways.whole.LARGE',
            'betterment.MEDIUM',
        ):
            patch = f'heat_vcluster.placement.{size}'
            self.useFixture(fixtures.MonkeyPatch(patch, -1))

    @tries(200)
    @hypothesis.given(problems(beyond=True))
    def test_plans_proofs_and_bounds_are_true(self, problem):
        answer = joint.JointSolver().solve(
            problem, deadline=2.0, patience=0.1, explain=False
        )
        faults = placement_verdicts.faults(problem, answer, is_whole=False)
        self.assertEqual([], faults)
