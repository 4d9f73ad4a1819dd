# SPDX-License-Identifier: Apache-2.0
"""Problems that were saved come out as it is known that they do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from heat_vcluster.placement import checker, joint, model, policies
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.numbers import compiled
from heat_vcluster.placement.programs import exact
from tests import base

SAVED = Path(__file__).parents[2] / 'problems'


def read(path):
    return json.loads(gzip.decompress(path.read_bytes()))


class SavedProblemsTestCase(base.TestCase):
    """One test for each file; see below."""

    def assertComesOut(self, document):
        problem = documents.problem_from(document)
        known = document['meta']
        answer = joint.JointSolver().solve(
            problem, deadline=300.0, explain=False
        )
        self.assertEqual(known['expected'], answer.verdict)
        if answer.verdict is model.Verdict.INFEASIBLE:
            return
        report = checker.check(problem, answer.plan, bound=answer.bound)
        self.assertEqual((), report.violations)
        if 'optimum' in known:
            best = known['optimum']
            self.assertLessEqual(answer.bound.soft_cost, best['soft_cost'])
            self.assertGreaterEqual(report.soft_cost, best['soft_cost'])

    def assertConflicts(self, problem, rules):
        """The rules conflict, and would not without any one of them."""
        numbers = compiled.Compiled(problem, policies.load())
        self.assertEqual('infeasible', verdict_of(numbers, rules))
        for name in rules:
            rest = [other for other in rules if other != name]
            self.assertEqual('feasible', verdict_of(numbers, rest), name)


def verdict_of(numbers, rules):
    """Return whether those rules alone can be obeyed."""
    if numbers.restricted(rules).stuck():
        return 'infeasible'
    result = exact.solve(
        numbers.restricted(rules), goal=exact.Goal.ANY, seconds=300.0
    )
    return str(result.verdict)


def _comes_out(path):
    def test(self):
        self.assertComesOut(read(path))

    return test


def _conflicts(path):
    def test(self):
        document = read(path)
        rules = document['meta']['certificate']['rules']
        self.assertConflicts(documents.problem_from(document), rules)

    return test


for _path in sorted(SAVED.glob('*.json.gz')):
    _name = _path.name.removesuffix('.json.gz').replace('-', '_')
    setattr(SavedProblemsTestCase, f'test_{_name}', _comes_out(_path))
    if 'certificate' in read(_path)['meta']:
        setattr(
            SavedProblemsTestCase,
            f'test_rules_that_conflict_in_{_name}',
            _conflicts(_path),
        )
