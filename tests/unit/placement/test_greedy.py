# SPDX-License-Identifier: Apache-2.0
"""Short cuts of the first plan: they find what looking at all would."""

from __future__ import annotations

import gc
import random
import weakref
from unittest import mock

import fixtures
import numpy as np

from heat_vcluster.placement import columns, model, policies
from heat_vcluster.placement.greedy import greedy, placing, state
from heat_vcluster.placement.numbers import amounts, compiled, contract
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds


def compile_it(*demands: model.Demand, rule: model.Rule) -> compiled.Compiled:
    """Have the demands in a cloud of nine hosts, and two pools."""
    snapshot = worlds.snapshot(
        worlds.racks(3, 3), [worlds.pool('p0', 9), worlds.pool('p1', 9)]
    )
    problem = model.Problem(snapshot, demands, (rule,), objective='pack')
    return compiled.Compiled(problem, policies.load())


@mock.patch.object(placing, 'MANY', 2)
class TestSamples(base.TestCase):
    def place(self, *demands: model.Demand, rule: model.Rule) -> greedy.Found:
        numbers = compile_it(*demands, rule=rule)
        return greedy.place(numbers, contract.contract(numbers), deadline=9.0)

    def test_what_the_sample_does_not_offer_is_found_elsewhere(self) -> None:
        servers = worlds.servers('s', 9)
        rule = worlds.rule(
            'anti-affinity', 'host', *(server.member for server in servers)
        )
        found = self.place(*servers, rule=rule)
        self.assertTrue(found.is_whole)
        self.assertEqual(list(range(9)), sorted(found.placement.tolist()))

    def test_hosts_in_use_are_seen_outside_of_the_sample(self) -> None:
        first = worlds.server('first', 4, on=['r1-h1'])
        found = self.place(
            first,
            worlds.server('second'),
            rule=worlds.rule('affinity', 'host', 'first'),
        )
        self.assertEqual([4, 4], found.placement.tolist())


class TestKinds(base.TestCase):
    def check(self, many: int) -> None:
        """Put and take at random; where things fit is kept up."""
        draw = random.Random(7)
        numbers = compile_it(
            *worlds.servers('s', 5, vcpu=3),
            *(model.VolumeDemand(f'v-{k}', 4) for k in range(3)),
            rule=worlds.rule('affinity', 'rack', 's-0'),
        )
        with mock.patch.object(state, 'MANY', many):
            here = state.State(numbers, contract.contract(numbers))
            for _ in range(60):
                item = draw.choice(here.items)
                fits = here.kind(item).fits
                self.assertEqual(
                    (here.room(item) & here.may(item)).tolist(), fits.tolist()
                )
                racks = numbers.domain[1][fits]
                self.assertEqual(
                    np.bincount(racks[racks >= 0], minlength=3).tolist(),
                    here.kind(item).counts(1).tolist(),
                )
                if here.is_placed(item):
                    here.take(item)
                elif np.any(fits):
                    here.put(item, int(draw.choice(np.flatnonzero(fits))))

    def test_place_by_place(self) -> None:
        self.check(many=0)

    def test_all_places_at_once(self) -> None:
        self.check(many=1000)


class TestMemory(base.TestCase):
    def test_a_search_is_gone_once_nobody_wants_it(self) -> None:
        """In a large cloud it has megabytes, and packing makes many."""
        numbers = compile_it(
            *worlds.servers('s', 5, vcpu=3),
            rule=worlds.rule('affinity', 'rack', 's-0', 's-1'),
        )
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        found = greedy.place(numbers, contract.contract(numbers), deadline=9.0)
        search = weakref.ref(found.search)
        self.assertIsNotNone(search())
        del found
        self.assertIsNone(search())


class TestGoingOn(base.TestCase):
    def test_room_is_made_for_those_left_where_that_is_allowed(self) -> None:
        whole = 0
        for seed in range(240, 250):
            numbers = compiled.Compiled(oracle.tiny(seed), policies.load())
            contracted = contract.contract(numbers)
            if contracted.contradiction is not None or numbers.stuck():
                continue
            found = greedy.place(numbers, contracted, deadline=9.0, trouble=0)
            if found.is_whole:
                continue
            again = found.go_on(9.0, trouble=0)
            assert again is not None
            self.assertEqual(found.left, again.left, seed)
            again = found.go_on(9.0, trouble=9, gentle=0)
            assert again is not None
            if again.is_whole:
                whole += 1
                self.assertTrue(amounts.is_valid(numbers, again.placement))
        self.assertGreater(whole, 0)


class TestTurns(base.TestCase):
    def test_who_has_hardly_any_choice_comes_first(self) -> None:
        """Among larger ones that may go to all of six racks."""
        hosts = worlds.racks(6, 2, vcpu=8)
        demands = [
            worlds.server('small-0', on=['r5-h0']),
            worlds.server('small-1', on=['r5-h1']),
        ]
        demands += [
            d for n in range(4) for d in worlds.servers(f'l{n}', 2, vcpu=6)
        ]
        pairs = [('small-0', 'small-1')]
        pairs += [(f'l{n}-0', f'l{n}-1') for n in range(4)]
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(demands),
            tuple(
                worlds.rule('affinity', 'rack', *pair, name=pair[0])
                for pair in pairs
            ),
        )
        made = compiled.Compiled(problem, policies.load())
        found = greedy.place(made, contract.contract(made), deadline=60)
        self.assertTrue(found.is_whole)
        order = [root.items[0].servers[0] for root in found.search._all]
        weights = [root.weight for root in found.search._all]
        self.assertEqual('small-0', made.members[order[0]])
        self.assertEqual(min(weights), weights[0])
        self.assertEqual(sorted(weights[1:], reverse=True), weights[1:])


class TestShortCuts(base.TestCase):
    """What is told of one place is what is told of all at once."""

    def test_a_rule_says_the_same_of_one_place_and_of_all(self) -> None:
        draw, seen = random.Random(3), set[bool]()
        for seed in range(60):
            numbers = compiled.Compiled(oracle.tiny(seed), policies.load())
            here = state.State(numbers, contract.contract(numbers))
            for item in here.items:
                fits = np.flatnonzero(here.kind(item).fits)
                allowed = here.allowed(item, fits).tolist()
                for place, may in zip(fits.tolist(), allowed, strict=True):
                    seen.add(may)
                    put = here.put_if_allowed(item, place)
                    self.assertEqual(may, put, (seed, item, place))
                    if put:
                        here.undo(item)
                if any(allowed):
                    here.put(item, int(draw.choice(fits[allowed])))
        self.assertEqual({True, False}, seen)

    def test_what_is_lent_is_free_until_it_is_given_back(self) -> None:
        numbers = compile_it(
            worlds.server('big', 6),
            worlds.server('small', 3),
            rule=worlds.rule('affinity', 'rack', 'big'),
        )
        here = state.State(numbers, contract.contract(numbers))
        big, small = here.items
        here.put(big, 0)
        self.assertFalse(here.kind(small).fits[0])
        loan = here.lend([big.number])
        self.assertTrue(here.kind(small).fits[0])
        self.assertEqual([], here.give_back(loan))
        self.assertFalse(here.kind(small).fits[0])

    def test_a_place_is_short_of_what_was_lent_and_taken(self) -> None:
        numbers = compile_it(
            worlds.server('big', 6),
            worlds.server('small', 3),
            rule=worlds.rule('affinity', 'rack', 'big'),
        )
        here = state.State(numbers, contract.contract(numbers))
        big, small = here.items
        here.put(big, 0)
        loan = here.lend([big.number])
        here.put(small, 0)
        self.assertEqual([0], here.give_back(loan))
        self.assertEqual([0, 1], here.standing_at(0))
        here.take(big)
        self.assertFalse(here.is_short(0))


class Clock:
    """Goes on by a second each time that somebody looks."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic(self) -> int:
        self.now += 1
        return self.now


class TestOutOfTime(base.TestCase):
    def test_whoever_has_no_place_is_left_whenever_it_ends(self):
        cut = 0
        for seed in range(60):
            made = compiled.Compiled(oracle.tiny(seed), policies.load())
            bundles = contract.contract(made)
            for seconds in range(1, 20):
                clock = Clock()
                for module in ('greedy', 'placing'):
                    patch = f'heat_vcluster.placement.greedy.{module}.time'
                    self.useFixture(fixtures.MonkeyPatch(patch, clock))
                found = greedy.place(
                    made, bundles, deadline=seconds, trouble=3
                )
                without = np.flatnonzero(found.placement == columns.UNKNOWN)
                left = {member for bundle in found.left for member in bundle}
                self.assertLessEqual(set(without.tolist()), left, seed)
                self.assert_has_room(made, found.placement)
                cut += bool(left)
        self.assertGreater(cut, 50)

    def assert_has_room(
        self, made: compiled.Compiled, placement: columns.Ints
    ) -> None:
        """No host is given more than is free on it, whenever it ends."""
        for resource, free in enumerate(made.free):
            taken = np.zeros(made.n_hosts, np.int64)
            for member in np.flatnonzero(made.is_server).tolist():
                place = int(placement[member])
                if place != columns.UNKNOWN:
                    taken[place] += made.size(member)[resource]
            self.assertFalse(np.any((taken > free) & (taken > 0)))


class TestRoomiest(base.TestCase):
    def test_hosts_are_opened_from_either_end(self) -> None:
        hosts = [worlds.host(f'h{number}', 4 + number) for number in range(3)]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (worlds.server('s', 3),),
            (),
            objective='pack',
        )
        made = compiled.Compiled(problem, policies.load())
        bundles = contract.contract(made)
        for roomy, host in ((False, 0), (True, 2)):
            found = greedy.place(made, bundles, deadline=9.0, roomy=roomy)
            self.assertEqual([host], found.placement.tolist())


class TestPinned(base.TestCase):
    def test_who_is_pinned_and_alone_is_not_moved_nor_anybody_for_it(
        self,
    ) -> None:
        made = compiled.Compiled(
            oracle.tiny(235, beyond=True), policies.load()
        )
        found = greedy.place(
            made, contract.contract(made), deadline=60.0, gentle=0
        )
        standing = found.placement[
            [m for m, s in enumerate(made.shape_of) if made.shapes[s].fixed]
        ]
        self.assertTrue(len(standing))
        self.assertNotIn(columns.UNKNOWN, standing.tolist())


def three_servers(*rules: model.Rule) -> compiled.Compiled:
    """Have three servers in a zone: r0 is small, r1 has room for all."""
    hosts = [
        worlds.host('r0-h0', 4, rack='r0', zone='z'),
        worlds.host('r1-h0', 9, rack='r1', zone='z'),
        worlds.host('r1-h1', 9, rack='r1', zone='z'),
    ]
    zone = worlds.rule('affinity', 'zone', 's-0', 's-1', 's-2', name='zone')
    problem = model.Problem(
        worlds.snapshot(hosts),
        tuple(worlds.servers('s', 3, 4)),
        (zone, *rules),
        objective='pack',
    )
    return compiled.Compiled(problem, policies.load())


class TestNear(base.TestCase):
    def place(self, *rules: model.Rule) -> list[int]:
        numbers = three_servers(*rules)
        found = greedy.place(numbers, contract.contract(numbers), deadline=9.0)
        self.assertTrue(found.is_whole)
        return sorted(found.placement.tolist())

    def near(self) -> model.Rule:
        return worlds.rule(
            'proximity', 'host', 's-0', 's-1', 's-2', name='near', weight=1
        )

    def test_who_must_share_a_zone_shares_a_rack_if_that_is_wished(self):
        self.assertEqual([0, 1, 1], self.place())
        self.assertEqual([1, 1, 2], self.place(self.near()))

    def test_who_finds_no_such_rack_shares_what_he_must(self):
        apart = worlds.rule('anti-affinity', 'host', 's-0', 's-1', 's-2')
        self.assertEqual([0, 1, 2], self.place(self.near(), apart))

    def test_a_look_beside_those_who_are_near_finds_the_best_of_all(self):
        looks = []
        beside = placing.Placing._beside

        def count(*of: object) -> int | None:
            looks.append(beside(*of))
            return looks[-1]

        for seed in range(60):
            numbers = self.drawn(seed)
            contracted = contract.contract(numbers)
            placements = []
            for look in (count, lambda *_: None):
                with mock.patch.object(placing.Placing, '_beside', look):
                    found = greedy.place(numbers, contracted, deadline=9.0)
                placements.append(found.placement.tolist())
            self.assertEqual(*placements)
        self.assertGreater(len([look for look in looks if look]), 20)

    def drawn(self, seed: int) -> compiled.Compiled:
        """Draw a zone in racks, too full for one rack to take all."""
        draw = random.Random(seed)
        hosts = [
            worlds.host(
                f'r{rack}-h{n}', draw.randint(1, 9), rack=f'r{rack}', zone='z'
            )
            for rack in range(4)
            for n in range(3)
        ]
        names = [f's-{number}' for number in range(7)]
        some = draw.sample(names, 4)
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.server(name, draw.randint(1, 4)) for name in names),
            (
                worlds.rule('affinity', 'zone', *names, name='zone'),
                worlds.rule('proximity', 'host', *names, name='n', weight=2),
                worlds.rule('proximity', 'host', *some, name='m', weight=1),
                worlds.rule(
                    'anti-affinity', 'rack', *some[:2], name='a', weight=1
                ),
            ),
            objective=draw.choice(('pack', 'balance')),
        )
        return compiled.Compiled(problem, policies.load())
