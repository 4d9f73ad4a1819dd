# SPDX-License-Identifier: Apache-2.0
"""Which way comes first: what a problem looks like decides."""

from __future__ import annotations

import itertools
import random
import time
from unittest import mock

import fixtures

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.counting import framing, kindred, likeness, tally
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import compiled, excerpt
from heat_vcluster.placement.numbers.contract import contract
from heat_vcluster.placement.ways import alone, order, whole
from heat_vcluster.placement.ways import search as searches
from tests import base
from tests.unit.placement import worlds

GREEDY = 'placing the largest bundles first'
WHOLE = 'all members at once'
FEW = 'few of the hosts'
AT_ONCE = 'counting kinds of members at once'


def search(
    problem: model.Problem, seconds: float = 60.0, **more: int
) -> searches.Search:
    made = compiled.Compiled(problem, policies.load())
    return order.search(made, time.monotonic() + seconds, 0, **more)


def unlike(
    n_hosts: int, each: int, spare: int, seed: int = 7
) -> model.Problem:
    """Cut each of the hosts, all of one size, into members of any size."""
    draw = random.Random(seed)
    size = 1000 * each

    def cut() -> list[int]:
        cuts = [0, *sorted(draw.sample(range(1, size), each - 1)), size]
        return [end - start for start, end in itertools.pairwise(cuts)]

    sizes = [
        amounts
        for _ in range(n_hosts)
        for amounts in zip(cut(), cut(), strict=True)
    ]
    members = [
        worlds.server(f's{number}', vcpu, MEMORY_MB=memory)
        for number, (vcpu, memory) in enumerate(sizes)
    ]
    room = size + spare
    hosts = [
        worlds.host(f'h{number}', room, MEMORY_MB=room)
        for number in range(n_hosts)
    ]
    return model.Problem(worlds.snapshot(hosts), tuple(members), ())


class TestOrder(base.TestCase):
    def test_a_small_impossible_problem_is_counted_before_it_is_searched(self):
        names = [f's-{number}' for number in range(9)]
        asked = search(
            model.Problem(
                worlds.snapshot(worlds.racks(8, 2)),
                tuple(worlds.servers('s', 9)),
                (worlds.rule('anti-affinity', 'rack', *names),),
            )
        )
        self.assertEqual(model.Verdict.INFEASIBLE, asked.decide().verdict)
        self.assertEqual([], asked.tried)

    def test_who_only_wants_a_verdict_gets_no_best_plan(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 2)),
            tuple(worlds.servers('s', 4)),
            (),
        )
        for haste, way in ((searches.HASTE, WHOLE), (0, GREEDY)):
            asked = search(problem, haste=haste)
            self.assertEqual(model.Verdict.FEASIBLE, asked.decide().verdict)
            self.assertEqual([way], asked.tried)

    def test_members_all_different_are_not_counted(self):
        mended = 'placing again what stands in the way'
        for spare, seed, last in ((260, 2, GREEDY), (220, 7, mended)):
            asked = search(unlike(40, 4, spare, seed))
            self.assertEqual(model.Verdict.FEASIBLE, asked.decide().verdict)
            self.assertEqual(last, asked.tried[-1])

    def test_nothing_is_begun_when_time_is_up(self):
        asked = search(unlike(40, 3, 0), seconds=0.0)
        self.assertEqual(model.Verdict.UNKNOWN, asked.decide().verdict)
        self.assertNotIn(WHOLE, asked.tried)


class TestCounts(base.TestCase):
    def test_many_kinds_are_bounded_by_few_sets_of_them(self):
        problem = unlike(30, 4, 0)
        made = compiled.Compiled(problem, policies.load())
        kinds = likeness.Likeness(made, contract(made))
        counts = tally.Tally(framing.Frame(kinds), ())
        # A total for each kind, and by two resources what is free, and sets.
        most = len(kinds.kinds) + 2 + 2 * kindred.LARGEST
        self.assertLessEqual(counts.program.n_rows, most)


class TestOthers(base.TestCase):
    """One is alone in a rack; the others are placed without it."""

    def problem(self, *more: model.Rule) -> model.Problem:
        return model.Problem(
            worlds.snapshot(worlds.racks(2, 2, vcpu=2)),
            (worlds.server('alone'), *worlds.servers('s', 4)),
            (worlds.rule('exclusive', 'rack', 'alone', name='alone'), *more),
        )

    def test_all_others_find_a_place_elsewhere(self) -> None:
        asked = search(self.problem())
        outcome = alone.place_others(asked, {0: 0})
        self.assertIs(model.Verdict.FEASIBLE, outcome.verdict)
        self.assertEqual(0, outcome.placement[0])
        self.assertEqual([2, 2, 3, 3], sorted(outcome.placement[1:]))

    def test_that_there_is_no_place_for_them_proves_nothing(self) -> None:
        names = [f's-{number}' for number in range(4)]
        apart = worlds.rule('anti-affinity', 'host', *names)
        asked = search(self.problem(apart))
        outcome = alone.place_others(asked, {0: 0})
        self.assertIs(model.Verdict.UNKNOWN, outcome.verdict)

    def test_a_rule_about_both_is_not_forgotten(self) -> None:
        both = worlds.rule('affinity', 'rack', 'alone', 's-0', name='both')
        outcome = alone.place_others(search(self.problem(both)), {0: 0})
        self.assertIs(model.Verdict.UNKNOWN, outcome.verdict)


class TestSomeRoom(base.TestCase):
    """The largest takes the host that both of the small ones need."""

    def setUp(self) -> None:
        super().setUp()
        # Nothing is small enough to be solved whole.
        self.useFixture(fixtures.MonkeyPatch(f'{whole.__name__}.SMALL', -1))

    def tried(self, **more: int) -> list[str]:
        hosts = [worlds.host(f'h{n}', 7, rack=f'r{n}') for n in range(2)]
        asked = search(
            model.Problem(
                worlds.snapshot(hosts),
                (
                    worlds.server('large', 6),
                    worlds.server('small', 3, on=['h0']),
                    worlds.server('tiny', 2, on=['h0']),
                ),
                (),
            ),
            **more,
        )
        self.assertEqual(model.Verdict.FEASIBLE, asked.decide().verdict)
        return asked.tried

    def test_who_is_left_over_gets_a_place_before_anybody_counts(self) -> None:
        self.assertEqual([GREEDY], self.tried())

    def test_who_wants_a_proof_makes_no_room_before(self) -> None:
        self.assertIn(
            'counting kinds of members by domain', self.tried(haste=0)
        )


class TestFewHosts(base.TestCase):
    """Of many hosts a few are looked at first, if that is worth it."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(f'{searches.__name__}.SOON', 10))
        self.useFixture(fixtures.MonkeyPatch(f'{whole.__name__}.SMALL', 0))

    def tried(self, *rules: model.Rule) -> list[str]:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(40, 4)),
            tuple(worlds.servers('s', 6)),
            rules,
        )
        asked = search(problem)
        outcome = asked.decide()
        self.assertEqual(model.Verdict.FEASIBLE, outcome.verdict)
        return asked.tried

    def test_a_plan_that_is_found_there_is_one(self):
        self.assertEqual([FEW], self.tried())

    def test_all_are_looked_at_where_few_do_not_do(self):
        # There are four racks in the part.
        self.useFixture(fixtures.MonkeyPatch(f'{excerpt.__name__}.ENOUGH', 1))
        self.useFixture(fixtures.MonkeyPatch(f'{excerpt.__name__}.DOMAINS', 0))
        names = [f's-{number}' for number in range(6)]
        apart = worlds.rule('anti-affinity', 'rack', *names)
        self.assertEqual([FEW, GREEDY], self.tried(apart))

    def test_all_are_looked_at_for_who_would_be_near(self):
        near = worlds.rule('affinity', 'rack', 's-0', 's-1', weight=1)
        self.assertEqual([GREEDY], self.tried(near))


class TestScarceRoom(base.TestCase):
    """Wishes that tie many are looked at second where room is scarce."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(f'{searches.__name__}.SOON', 10))
        self.useFixture(fixtures.MonkeyPatch(f'{whole.__name__}.SMALL', 0))

    def sparing(self, *, vcpu: int, tied: int) -> list[bool]:
        """Tell of each time all were placed whether that spared room."""
        names = [f's-{number}' for number in range(tied)]
        asked = search(
            model.Problem(
                # Ten times the room, but of no use to anybody.
                worlds.snapshot(
                    (*worlds.racks(6, 2, vcpu), *worlds.racks(20, 60, 1))
                ),
                tuple(worlds.servers('s', 12, 2)),
                (worlds.rule('affinity', 'rack', *names, weight=1),),
            )
        )
        with mock.patch.object(greedy, 'place', wraps=greedy.place) as place:
            outcome = asked.decide()
        self.assertEqual(model.Verdict.FEASIBLE, outcome.verdict)
        return [call.kwargs['sparing'] for call in place.call_args_list]

    def test_there_is_room_enough(self) -> None:
        self.assertEqual([False], self.sparing(vcpu=20, tied=9))

    def test_few_are_tied(self) -> None:
        self.assertEqual([False], self.sparing(vcpu=3, tied=4))

    def test_many_are_tied_and_room_is_scarce(self) -> None:
        self.assertEqual([True], self.sparing(vcpu=3, tied=9))


class TestVolumesBesideServers(base.TestCase):
    """Members are counted before any is placed, where that is little."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(f'{searches.__name__}.SOON', 10))
        self.useFixture(fixtures.MonkeyPatch(f'{whole.__name__}.SMALL', 0))

    def tried(self, scope: str, count: int = 8, **more: int) -> list[str]:
        hosts = worlds.racks(6, 2)
        pools = [
            worlds.pool(f'p-{host.name}', 20, at=host.name) for host in hosts
        ]
        disks = [model.VolumeDemand(f'd-{n}', 15) for n in range(count)]
        pairs = [
            worlds.rule('affinity', scope, f's-{n}', f'd-{n}', name=f'g-{n}')
            for n in range(count)
        ]
        asked = search(
            model.Problem(
                worlds.snapshot(hosts, pools),
                (*worlds.servers('s', count), *disks),
                tuple(pairs),
            ),
            **more,
        )
        self.verdict = asked.decide().verdict
        return asked.tried

    def test_they_share_hosts(self) -> None:
        self.assertEqual([AT_ONCE], self.tried('host'))
        self.assertIs(model.Verdict.FEASIBLE, self.verdict)

    def test_that_there_is_no_room_is_proven_by_that(self) -> None:
        self.assertEqual([AT_ONCE], self.tried('host', 13))
        self.assertIs(model.Verdict.INFEASIBLE, self.verdict)

    def test_they_share_racks(self) -> None:
        self.assertNotIn(AT_ONCE, self.tried('rack'))

    def test_a_verdict_alone_is_wanted(self) -> None:
        self.assertNotIn(AT_ONCE, self.tried('host', haste=0))
