# SPDX-License-Identifier: Apache-2.0
"""The moves back into the rules are safe, and none are fewer.

Held against trying every sequence of safe moves, with what rules come to told
by the oracle, which shares no code with the product.
"""

from __future__ import annotations

import dataclasses

import hypothesis
from hypothesis import strategies as st

from heat_vcluster.placement import joint, model, moves
from tests import base, placement_oracle
from tests.unit.placement import worlds


def rule(name, policy, members, scope='host', units=None, **options):
    return model.Rule(
        name,
        policy,
        scope,
        units or tuple((member,) for member in members),
        None,
        options,
    )


class World:
    """Servers of some size on hosts; ``here`` says which is where."""

    def __init__(self, hosts, here, sizes, rules, pinned=None):
        free = {host.name: host.free['VCPU'] for host in hosts}
        for member, place in here.items():
            free[place] -= sizes[member]
        self.here = here
        self.problem = model.Problem(
            model.Snapshot(
                ('rack',),
                tuple(
                    dataclasses.replace(h, free={'VCPU': free[h.name]})
                    for h in hosts
                ),
            ),
            tuple(model.ServerDemand(m, {'VCPU': sizes[m]}) for m in here),
            tuple(rules),
            pinned or {},
        )
        self.sizes = sizes
        self.free = free

    def amounts(self, at):
        search = placement_oracle._Search(self.problem, None)
        search.at = {**self.problem.pinned, **at}
        return {
            each.name: search._grown(each, hard=True) + search._late(each)
            for each in search.hard
        }

    def safe(self, at, member, target):
        """Return the placement after a move; None if it is not safe."""
        free = dict(self.free)
        for name, place in at.items():
            free[self.here[name]] += self.sizes[name]
            free[place] -= self.sizes[name]
        if free[target] < self.sizes[member]:
            return None
        after = {**at, member: target}
        before = self.amounts(at)
        worse = any(n > before[r] for r, n in self.amounts(after).items())
        return None if worse else after

    def fewest(self):
        """Return the length of the shortest safe sequence, or None."""
        ends, seen, length = [dict(self.here)], set(), 0
        while ends:
            further = []
            for at in ends:
                if not any(self.amounts(at).values()):
                    return length
                for member in at:
                    for target in self.free:
                        if target == at[member]:
                            continue
                        after = self.safe(at, member, target)
                        key = after and tuple(after.values())
                        if after and key not in seen:
                            seen.add(key)
                            further.append(after)
            ends, length = further, length + 1
        return None

    def relocate(self):
        return moves.relocate(
            self.problem, self.here, joint.JointSolver(), deadline=60.0
        )


@st.composite
def drawn(draw):
    hosts = worlds.racks(draw(st.integers(2, 3)), draw(st.integers(1, 2)), 3)
    names = [host.name for host in hosts]
    members = [f'm{n}' for n in range(draw(st.integers(2, 4)))]
    sizes = {member: draw(st.integers(1, 2)) for member in members}
    left = dict.fromkeys(names, 3)
    here = {}
    for member in members:
        fitting = [n for n in names if left[n] >= sizes[member]]
        hypothesis.assume(fitting)
        here[member] = draw(st.sampled_from(fitting))
        left[here[member]] -= sizes[member]
    rules = []
    for number in range(draw(st.integers(1, 3))):
        some = draw(
            st.lists(st.sampled_from(members), min_size=2, unique=True)
        )
        policy = draw(
            st.sampled_from(
                ['anti-affinity', 'affinity', 'spread', 'exclusive']
            )
        )
        options = {'max_per_domain': 1} if policy == 'spread' else {}
        scope = draw(st.sampled_from(['host', 'rack']))
        rules.append(rule(f'{policy}{number}', policy, some, scope, **options))
    return World(hosts, here, sizes, rules)


class RandomTest(base.TestCase):
    @hypothesis.settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(drawn())
    def test_no_safe_sequence_is_shorter(self, world):
        found, fewest = world.relocate(), world.fewest()
        if fewest is None:
            self.assertIsNone(found.moves)
            return
        self.assertIsNotNone(found.moves, 'there is a safe sequence')
        at = dict(world.here)
        for move in found.moves:
            self.assertEqual(at[move.member], move.source)
            at = world.safe(at, move.member, move.target)
            self.assertIsNotNone(at, 'a move that is not safe')
        self.assertEqual(set(), {n for n in world.amounts(at).values() if n})
        self.assertGreaterEqual(len(found.moves), fewest)
        self.assertTrue(found.is_least)
        self.assertEqual(fewest, len(found.moves))


class StoryTest(base.TestCase):
    def moved(self, world):
        found = world.relocate()
        self.assertTrue(found.is_least)
        return [(m.member, m.source, m.target) for m in found.moves]

    def test_where_all_is_well_nothing_moves(self):
        world = World(
            worlds.racks(2, 1),
            {'a': 'r0-h0', 'b': 'r1-h0'},
            {'a': 1, 'b': 1},
            [rule('apart', 'anti-affinity', 'ab')],
        )
        self.assertEqual([], self.moved(world))

    def test_one_of_two_that_met_goes_back(self):
        world = World(
            worlds.racks(2, 1),
            {'a': 'r0-h0', 'b': 'r0-h0'},
            {'a': 1, 'b': 1},
            [rule('apart', 'anti-affinity', 'ab')],
        )
        ((member, source, target),) = self.moved(world)
        self.assertIn(member, 'ab')
        self.assertEqual(('r0-h0', 'r1-h0'), (source, target))

    def test_room_is_made_before_it_is_taken(self):
        """``c`` has to leave r1-h0 before a or b fits there."""
        world = World(
            [
                worlds.host('r0-h0', 4, rack='r0'),
                worlds.host('r1-h0', 2, rack='r1'),
                worlds.host('r2-h0', 1, rack='r2'),
            ],
            {'a': 'r0-h0', 'b': 'r0-h0', 'c': 'r1-h0'},
            {'a': 2, 'b': 2, 'c': 1},
            [rule('apart', 'anti-affinity', 'ab')],
        )
        first, second = self.moved(world)
        self.assertEqual(('c', 'r1-h0', 'r2-h0'), first)
        self.assertEqual('r1-h0', second[2])

    def test_a_swap_takes_a_detour_by_a_third_host(self):
        """Each is where the other should be, and there is room for one."""
        world = World(
            worlds.racks(3, 1, 1),
            {'a': 'r0-h0', 'b': 'r1-h0'},
            {'a': 1, 'b': 1},
            [
                rule('near x', 'affinity', 'ax'),
                rule('near y', 'affinity', 'by'),
            ],
            pinned={'x': 'r1-h0', 'y': 'r0-h0'},
        )
        self.assertEqual(3, len(self.moved(world)))

    def test_among_many_hosts_no_more_move_than_were_moved(self):
        """Where each of three rules is broken by one, three moves do."""
        hosts = worlds.racks(8, 25)
        here = {
            f'g{group}-{number}': f'r{number}-h{group}'
            for group in range(5)
            for number in range(6)
        }
        rules = [
            rule(
                f'apart-{group}',
                'anti-affinity',
                [f'g{group}-{number}' for number in range(6)],
                'rack',
            )
            for group in range(5)
        ]
        for group in range(3):
            here[f'g{group}-0'] = here[f'g{group}-1']
        world = World(hosts, here, dict.fromkeys(here, 1), rules)
        moved = self.moved(world)
        self.assertEqual(
            {'g0', 'g1', 'g2'}, {member[:2] for member, _, _ in moved}
        )
        self.assertEqual(3, len(moved))

    def test_no_place_at_all_has_a_reason(self):
        world = World(
            worlds.racks(1, 1),
            {'a': 'r0-h0', 'b': 'r0-h0'},
            {'a': 1, 'b': 1},
            [rule('apart', 'anti-affinity', 'ab')],
        )
        found = world.relocate()
        self.assertIsNone(found.moves)
        self.assertEqual(model.Verdict.INFEASIBLE, found.answer.verdict)
        self.assertIn('apart', ' '.join(found.answer.reasons))

    def test_no_room_on_the_way_is_no_way(self):
        world = World(
            worlds.racks(2, 1, 1),
            {'a': 'r0-h0', 'b': 'r1-h0'},
            {'a': 1, 'b': 1},
            [
                rule('near x', 'affinity', 'ax'),
                rule('near y', 'affinity', 'by'),
            ],
            pinned={'x': 'r1-h0', 'y': 'r0-h0'},
        )
        found = world.relocate()
        self.assertEqual((None, None), (found.moves, found.answer))
