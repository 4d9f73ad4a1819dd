# SPDX-License-Identifier: Apache-2.0
"""What a refusal says, and how it gets by with little time."""

from __future__ import annotations

import testtools

from heat_vcluster.placement import cpsat, explain, model, policies
from tests.unit.placement import worlds


def refuse(hosts, demands, rules=(), pools=(), pinned=None):
    answer = cpsat.CpSatSolver().solve(
        model.Problem(
            worlds.snapshot(hosts, pools),
            tuple(demands),
            tuple(rules),
            pinned or {},
        )
    )
    assert answer.verdict is model.Verdict.INFEASIBLE
    return answer


class SentencesTestCase(testtools.TestCase):
    def test_a_volume_that_no_pool_takes(self):
        answer = refuse(
            [worlds.host('h0')],
            [model.VolumeDemand('data', 10, 'nvme')],
            pools=[worlds.pool('p0', types=['ssd'])],
        )
        self.assertEqual(
            ('data: no storage pool can take it',), answer.reasons
        )

    def test_all_members_without_a_place_are_told_at_once(self):
        answer = refuse(
            [worlds.host('h0', 2)],
            [worlds.server('a', 3), worlds.server('b', 4), worlds.server('c')],
        )
        self.assertEqual(
            ('a: no host can take it', 'b: no host can take it'),
            answer.reasons,
        )

    def test_hosts_off_the_map_are_told_from_hosts_that_are_full(self):
        answer = refuse(
            [worlds.host('lost', 8), worlds.host('h0', 1, rack='r0')],
            [worlds.server('a', 4)],
            [worlds.rule('affinity', 'rack', 'a', name='dbs')],
        )
        self.assertEqual(
            (
                'a: no host whose rack is known can take it, '
                "as needed by group 'dbs'",
            ),
            answer.reasons,
        )
        self.assertEqual({'dbs', 'fit:a'}, set(answer.rules))

    def test_members_kept_in_place_are_told(self):
        answer = refuse(
            worlds.racks(2, 1),
            worlds.servers('a', 2),
            [worlds.rule('affinity', 'rack', 'a-0', 'a-1', name='near')],
            pinned={'a-0': 'r0-h0', 'a-1': 'r1-h0'},
        )
        self.assertEqual(('near',), answer.rules)
        self.assertIn('a-0, a-1: kept in place', answer.reasons)

    def test_long_lists_are_cut(self):
        answer = refuse([worlds.host('h0', 1)], worlds.servers('a', 9))
        (reason,) = answer.reasons
        # Two of the nine are one too many already.
        self.assertEqual(2, len(answer.rules))
        self.assertIn('there is not room for all of them at once', reason)
        answer = refuse([worlds.host('h0', 1)], worlds.servers('a', 9, 2))
        self.assertEqual(
            ('a-0, a-1, a-2, a-3, a-4, a-5 and 3 more: no host can take it',),
            answer.reasons,
        )

    def test_without_time_all_rules_are_named_rather_than_too_few(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 2)),
            tuple(worlds.servers('a', 2)),
            (
                worlds.rule('anti-affinity', 'rack', 'a-0', 'a-1', name='x'),
                worlds.rule('affinity', 'zone', 'a-0', 'a-1', name='y'),
            ),
        )
        answer = explain.refusal(
            problem, policies.load(), lambda kept: True, lambda: False
        )
        self.assertEqual({'x', 'y', 'fit:a-0', 'fit:a-1'}, set(answer.rules))
