# SPDX-License-Identifier: Apache-2.0
"""Where one bundle failed, those that need the same are not tried again."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.greedy import dead_ends, state
from heat_vcluster.placement.numbers import compiled, contract
from tests import base
from tests.unit.placement import worlds

RACK = 1


def world(*rules: model.Rule) -> compiled.Compiled:
    """Make three racks of two hosts for six servers a-0 to c-1."""
    demands = [s for name in 'abc' for s in worlds.servers(name, 2)]
    snapshot = worlds.snapshot(worlds.racks(3, 2))
    problem = model.Problem(snapshot, tuple(demands), rules)
    return compiled.Compiled(problem, policies.load())


def signs(*rules: model.Rule) -> list[object]:
    """Return the signs of a, b and c, as bundles that share a rack."""
    numbers = world(*rules)
    placement = state.State(numbers, contract.contract(numbers))
    items = placement.items
    return [
        dead_ends.sign(placement, RACK, items[k : k + 2], 'shape')
        for k in (0, 2, 4)
    ]


class TestDeadEnds(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        numbers = world()
        self.state = state.State(numbers, contract.contract(numbers))
        self.ends = dead_ends.DeadEnds(self.state)

    def leave(self, place: int) -> None:
        """Have somebody come to a place and leave it."""
        self.state.put(self.state.items[0], place)
        self.state.take(self.state.items[0])

    def free(self, sign: str) -> list[bool]:
        free = np.ones(3, np.bool_)
        self.ends.bar(RACK, sign, free)
        found: list[bool] = free.tolist()
        return found

    def test_only_what_is_alike_fails_there(self) -> None:
        self.ends.fail(RACK, 'one', 1)
        self.assertEqual([True, False, True], self.free('one'))
        self.assertEqual([True, True, True], self.free('another'))

    def test_who_leaves_a_domain_opens_that_one(self) -> None:
        self.ends.fail(RACK, 'one', 0)
        self.ends.fail(RACK, 'one', 1)
        self.leave(3)  # a host of the second rack
        self.assertEqual([False, True, True], self.free('one'))

    def test_an_attempt_taken_back_opens_nothing(self) -> None:
        self.ends.fail(RACK, 'one', 0)
        self.state.put(self.state.items[0], 0)
        self.state.undo(self.state.items[0])
        self.assertEqual([False, True, True], self.free('one'))

    def test_what_fails_in_a_cleared_domain_fails_for_ever(self) -> None:
        self.ends.close(RACK, 'one', 1)
        self.leave(3)  # a host of the second rack
        self.assertEqual([True, False, True], self.free('one'))
        self.assertEqual([True, True, True], self.free('another'))

    def test_it_may_fail_there_again(self) -> None:
        self.leave(0)
        self.ends.fail(RACK, 'one', 0)
        self.assertEqual([False, True, True], self.free('one'))


class TestSign(base.TestCase):
    def test_without_rules_all_that_needs_the_same_is_alike(self) -> None:
        self.assertEqual(1, len(set(signs())))

    def test_rules_within_are_alike_by_what_they_say(self) -> None:
        a, b, c = signs(
            worlds.rule('anti-affinity', 'host', 'a-0', 'a-1', name='a'),
            worlds.rule('anti-affinity', 'host', 'b-0', 'b-1', name='b'),
        )
        self.assertEqual(a, b)
        self.assertNotEqual(a, c)

    def test_who_must_avoid_others_on_hosts_is_like_nobody_else(self) -> None:
        a, b, c = signs(
            worlds.rule('anti-affinity', 'host', 'a-0', 'b-0', name='a'),
            worlds.rule('anti-affinity', 'host', 'b-1', 'c-1', name='b'),
        )
        self.assertEqual(3, len({a, b, c}))
        self.assertNotIn(None, (a, b, c))

    def test_one_rule_for_all_racks_makes_no_difference(self) -> None:
        a, b, c = signs(
            worlds.rule('anti-affinity', 'rack', 'a-0', 'b-0', name='a')
        )
        self.assertEqual({a}, {a, b, c})

    def test_a_level_over_hosts_may_allow_later_what_it_forbids(self) -> None:
        a, b, c = signs(
            worlds.rule('spread', 'host', 'a-0', 'b-0', name='a', max_skew=1)
        )
        self.assertEqual([None, None], [a, b])
        self.assertIsNotNone(c)

    def test_two_of_a_spread_over_racks_are_not_alike(self) -> None:
        a, b, c = signs(
            worlds.rule(
                'spread', 'rack', 'a-0', 'a-1', 'b-0', name='a', max_skew=1
            )
        )
        self.assertIsNone(a)
        self.assertEqual(b, c)
