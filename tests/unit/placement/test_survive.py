# SPDX-License-Identifier: Apache-2.0
"""What is to survive a loss does so, or it is proven that it cannot."""

from __future__ import annotations

import random

import fixtures

from heat_vcluster.placement import joint, losses, model
from heat_vcluster.placement.ways import whole
from tests import base, placement_verdicts
from tests.unit.placement import worlds

SEEDS = range(40)
PATIENCE = 120.0


def survive(*members, lose=1, keep=1, scope='rack', weight=None, name='kept'):
    return worlds.rule(
        'survive',
        scope,
        *members,
        name=name,
        weight=weight,
        lose=lose,
        keep=keep,
    )


def drawn(seed: int) -> model.Problem:
    """Draw servers and volumes that are to survive this and that."""
    draw = random.Random(seed)
    hosts = worlds.racks(draw.choice((2, 3, 4)), draw.choice((1, 2)), 4)
    pools = [
        worlds.pool(f'p{n}', rack=draw.choice(('r0', 'r1', None)))
        for n in range(draw.choice((0, 0, 2)))
    ]
    demands = [
        worlds.server(f's{n}', draw.choice((1, 1, 2)))
        for n in range(draw.choice((3, 4, 5)))
    ]
    if pools:
        demands += [model.VolumeDemand(f'v{n}', 1) for n in range(2)]
    names = [demand.member for demand in demands]
    rules = [
        survive(
            *draw.sample(names, draw.randint(2, len(names))),
            lose=draw.choice((1, 2, 2)),
            keep=draw.choice((1, 1, 2, 3)),
            scope=draw.choice(('rack', 'rack', 'host')),
            weight=draw.choice((None, None, 1, 3)),
            name=f'kept-{number}',
        )
        for number in range(draw.choice((1, 2, 2)))
    ]
    if draw.random() < 0.4:
        rules.append(worlds.rule('affinity', 'rack', *names[:2], name='near'))
    return model.Problem(
        worlds.snapshot(hosts, pools), tuple(demands), tuple(rules)
    )


def solve(problem, **more):
    return joint.JointSolver().solve(
        problem, deadline=PATIENCE, **{'patience': PATIENCE, **more}
    )


class AgainstEverythingTest(base.TestCase):
    def test_solved_whole(self):
        verdicts = set()
        for seed in SEEDS:
            problem = drawn(seed)
            answer = solve(problem)
            self.assertEqual(
                [], placement_verdicts.faults(problem, answer), seed
            )
            verdicts.add(answer.verdict)
        self.assertEqual(2, len(verdicts))

    def test_solved_as_what_is_large(self):
        for size in ('SMALL', 'MEDIUM', 'LARGE'):
            patch = f'{whole.__name__}.{size}'
            self.useFixture(fixtures.MonkeyPatch(patch, -1))
        for seed in SEEDS:
            problem = drawn(seed)
            answer = solve(problem, patience=0.1, explain=False)
            self.assertEqual(
                [],
                placement_verdicts.faults(problem, answer, is_whole=False),
                seed,
            )


class StoryTest(base.TestCase):
    def problem(self, count, racks, rule, hosts=2, vcpu=8):
        snapshot = worlds.snapshot(worlds.racks(racks, hosts, vcpu))
        demands = worlds.servers('db', count)
        return model.Problem(snapshot, tuple(demands), (rule,))

    def names(self, count):
        return [f'db-{number}' for number in range(count)]

    def counts(self, plan):
        racks = [place.partition('-')[0] for place in plan.placement.values()]
        return sorted((racks.count(rack) for rack in {*racks}), reverse=True)

    def test_uneven_counts_are_used_where_nothing_else_will_do(self):
        # Two of the racks may take three: no limit of one rack says that.
        rule = survive(*self.names(5), lose=2, keep=2)
        answer = solve(self.problem(5, 4, rule))
        self.assertEqual([2, 1, 1, 1], self.counts(answer.plan))

    def test_too_few_racks_are_told_in_the_words_of_the_entry(self):
        rule = survive(
            *self.names(5), lose=2, keep=2, name='survive[0].keep.db'
        )
        answer = solve(self.problem(5, 3, rule))
        self.assertEqual(('survive[0].keep.db',), answer.rules)
        self.assertEqual(
            (
                "'survive[0].keep.db' has at least 2 of its 5 members "
                'survive the loss of any 2 racks: that takes 4 racks, and 3 '
                'qualify',
            ),
            answer.reasons,
        )
        texts = [repair.text for repair in answer.repairs]
        self.assertIn(
            "let keep of 'survive[0].keep.db' be 1 instead of 2", texts
        )
        self.assertIn("make 'survive[0].keep.db' soft", texts)

    def test_many_members_leave_just_enough(self):
        names = self.names(160)
        for keep, verdict in (
            (80, model.Verdict.FEASIBLE),
            (81, model.Verdict.INFEASIBLE),
        ):
            rule = survive(*names, lose=2, keep=keep)
            problem = self.problem(160, 4, rule, hosts=60, vcpu=2)
            answer = solve(problem, patience=1.0, explain=False)
            self.assertIs(verdict, answer.verdict, answer.tried)
            if answer.plan is not None:
                self.assertEqual([40] * 4, self.counts(answer.plan))

    def test_a_wish_is_given_up_by_as_little_as_can_be(self):
        rule = survive(*self.names(4), lose=2, keep=2, weight=5)
        answer = solve(self.problem(4, 3, rule))
        # 2, 1 and 1: two racks take three, and one is left of two.
        self.assertEqual(5, answer.plan.soft_cost)

    def test_volumes_nowhere_in_particular_are_told(self):
        pools = [worlds.pool('everywhere')]
        snapshot = worlds.snapshot(worlds.racks(2, 1), pools)
        volumes = tuple(model.VolumeDemand(f'v{n}', 1) for n in range(2))
        rule = survive('v0', 'v1')
        answer = solve(model.Problem(snapshot, volumes, (rule,)))
        self.assertEqual(
            (('kept', 'v0'), ('kept', 'v1')), answer.plan.unsteered
        )


class MeasureTest(base.TestCase):
    def test_the_largest_are_lost(self):
        left = losses.measure(6, ['a', 'a', 'b', 'c', 'c', 'c'], 1)
        self.assertEqual((3, 6, 0, 50), self.seen(left))
        left = losses.measure(6, ['a', 'a', 'b', 'c', 'c', 'c'], 2)
        self.assertEqual((1, 6, 0, 16), self.seen(left))

    def test_what_is_not_there_or_may_be_anywhere_is_not_left(self):
        left = losses.measure(6, ['a', 'b', 'c', None], 1)
        self.assertEqual((2, 6, 1, 33), self.seen(left))
        self.assertEqual((0, 3, 0, 0), self.seen(losses.measure(3, [], 1)))

    def seen(self, left):
        return left.least, left.total, left.unknown, left.share
