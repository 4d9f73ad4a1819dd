# SPDX-License-Identifier: Apache-2.0
"""Hosts that must be filled to the brim, and bundles that change places."""

from __future__ import annotations

import collections
import time

import numpy as np

from heat_vcluster.placement import format as documents
from heat_vcluster.placement import model, policies
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.finishing import jigsaw
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, brim, compiled, contract
from tests import base
from tests.unit.placement import worlds
from tests.unit.placement.test_saved_problems import SAVED, read

EVERYWHERE = np.array([True])


def a_host_of(*free, sizes, asked):
    """Return what is known of one host that takes all these sizes."""
    columns = [np.array([amount]) for amount in free]
    return brim.Brim(columns, [(s, EVERYWHERE) for s in sizes], asked)


class BrimTestCase(base.TestCase):
    def test_a_rest_that_nobody_fills_is_seen(self):
        host = a_host_of(10, sizes=((3,), (4,)), asked=(10,))
        self.assertTrue(host.can_fill(0, (10,)))
        self.assertTrue(host.can_fill(0, (7,)))
        self.assertFalse(host.can_fill(0, (5,)))

    def test_what_is_to_spare_may_be_lost(self):
        host = a_host_of(10, sizes=((3,), (4,)), asked=(9,))
        self.assertEqual((1,), host.spare)
        self.assertTrue(host.can_fill(0, (5,)))
        self.assertFalse(
            a_host_of(10, sizes=((4,),), asked=(9,)).can_fill(0, (6,))
        )

    def test_all_resources_must_be_full_at_once(self):
        host = a_host_of(4, 4, sizes=((1, 3), (3, 1), (2, 1)), asked=(4, 4))
        self.assertEqual(({(3, 1): 1, (1, 3): 1},), host.fills(0, (4, 4)))
        self.assertFalse(host.can_fill(0, (2, 3)))


class JigsawTestCase(base.TestCase):
    def finished(self, problem, placement=None):
        """Return a whole placement, begun from this one, or from nothing."""
        numbers = compiled.Compiled(problem, policies.load())
        if placement is None:
            placement = np.full(len(numbers.members), UNKNOWN)
        found = jigsaw.finish(
            numbers,
            contract.contract(numbers),
            placement,
            deadline=time.monotonic() + 300,
        )
        return numbers, found

    def test_saved_jigsaws_are_done_from_nothing(self):
        for name in ('chains', 'mixed', 'nested', 'tiers', 'flat'):
            document = read(SAVED / f'{name}-small-exact-20.json.gz')
            numbers, found = self.finished(documents.problem_from(document))
            self.assertIsNotNone(found, name)
            self.assertTrue(amounts.is_valid(numbers, found), name)

    def test_which_walk_is_fast_makes_no_difference(self):
        for name, value in (('FEW', 999), ('WALKS', 4), ('LEFT', 1)):
            self.patch(jigsaw, name, value)
        for breadth in 'FIRST', 'FEWEST', 'SELDOM':
            self.patch(jigsaw, breadth, 2)
        document = read(SAVED / 'mixed-small-exact-20.json.gz')
        problem = documents.problem_from(document)
        take_turn, found = jigsaw._Walk._take_turn, collections.Counter()
        for slow in range(-1, 4):

            def take(walk, left, slow=slow):
                if walk._seed == slow:
                    time.sleep(0.05)
                take_turn(walk, left)

            self.patch(jigsaw._Walk, '_take_turn', take)
            found[self.finished(problem)[1].tobytes()] += 1
        self.assertEqual([5], [*found.values()])

    def test_who_stands_in_the_way_changes_places(self):
        # Two racks of one host each. What fits anywhere is where the pair,
        # which must be together, should be.
        problem = model.Problem(
            worlds.snapshot(
                [
                    worlds.host('a', 4, rack='r0', zone='z'),
                    worlds.host('b', 2, rack='r1', zone='z'),
                ]
            ),
            (*worlds.servers('pair', 2, 2), *worlds.servers('one', 2, 1)),
            (worlds.rule('affinity', 'rack', 'pair-0', 'pair-1'),),
        )
        numbers = compiled.Compiled(problem, policies.load())
        placement = np.full(len(numbers.members), UNKNOWN)
        for member in ('one-0', 'one-1'):
            placement[numbers.numbers[member]] = 0
        numbers, found = self.finished(problem, placement)
        self.assertTrue(amounts.is_valid(numbers, found))
        self.assertEqual(0, found[numbers.numbers['pair-0']])

    def test_who_must_be_alone_is_left_to_other_ways(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('a', 1, rack='r', zone='z')]),
            tuple(worlds.servers('vm', 1)),
            (worlds.rule('exclusive', 'host', 'vm-0'),),
        )
        self.assertIsNone(self.finished(problem)[1])

    def test_greedy_leaves_no_rest_that_nobody_fills(self):
        document = read(SAVED / 'mixed-small-exact-20.json.gz')
        numbers = compiled.Compiled(
            documents.problem_from(document), policies.load()
        )
        contracted = contract.contract(numbers)
        found = greedy.place(numbers, contracted, deadline=60, brims=True)
        board = jigsaw.boards.Board(numbers, contracted, found.placement)
        for host in np.flatnonzero(board.brim.usable).tolist():
            self.assertTrue(board.brim.can_fill(host, board.rest(host)))
