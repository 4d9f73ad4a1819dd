# SPDX-License-Identifier: Apache-2.0
"""Who must be apart inside a domain needs as many narrower ones there."""

from __future__ import annotations

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.counting import framing, likeness
from heat_vcluster.placement.greedy import dead_ends, greedy, state
from heat_vcluster.placement.greedy.standing import Node
from heat_vcluster.placement.numbers import breadth, compiled, contract
from tests import base
from tests.unit.placement import worlds

ZONE = 2
RACK = 1


def world(
    policy: str = 'anti-affinity', pairs: str = 'abc', **options: int
) -> compiled.Compiled:
    """Ask for pairs in one zone: z0 has two racks and z1 three.

    A fourth rack of z1 has no room for anybody. ``policy``, ``options``:
    what is said of the pairs in a rack.
    """
    hosts = [
        worlds.host(f'{zone}{rack}-{n}', vcpu, rack=zone + rack, zone=zone)
        for zone, rack, vcpu in (
            *(('z0', str(number), 8) for number in range(2)),
            *(('z1', str(number), 8) for number in range(3)),
            ('z1', '3', 1),
        )
        for n in range(2)
    ]
    members = [worlds.servers(name, 2, vcpu=2) for name in pairs]
    units = [tuple(member.member for member in pair) for pair in members]
    problem = model.Problem(
        worlds.snapshot(hosts),
        tuple(member for pair in members for member in pair),
        (
            *(
                worlds.rule('affinity', 'rack', *unit, name=f'pair{number}')
                for number, unit in enumerate(units)
            ),
            worlds.rule('affinity', 'zone', *units, name='zone'),
            worlds.rule(policy, 'rack', *units, name='apart', **options),
        ),
    )
    return compiled.Compiled(problem, policies.load())


class TestBreadth(base.TestCase):
    def counts(self, numbers: compiled.Compiled) -> dict[int, int]:
        placement = state.State(numbers, contract.contract(numbers))
        node = Node(ZONE, tuple(placement.items))
        found = dead_ends.breadths(placement, node)
        self.assertLessEqual(len(found), 1)
        return {one.scope: one.domains for one in found}

    def test_units_that_are_apart_take_a_domain_each(self) -> None:
        counts = self.counts(world())
        self.assertEqual({RACK: 3}, counts)

    def test_of_members_several_may_share_one(self) -> None:
        counts = self.counts(world(policy='spread', max_per_domain=2))
        self.assertEqual({RACK: 3}, counts)
        counts = self.counts(world(policy='spread', max_per_domain=4))
        self.assertEqual({RACK: 2}, counts)

    def test_what_may_all_share_one_needs_no_breadth(self) -> None:
        counts = self.counts(world(policy='spread', max_per_domain=6))
        self.assertEqual({}, counts)

    def broad(self, count: int) -> list[bool]:
        numbers = world()
        placement = state.State(numbers, contract.contract(numbers))
        kind = placement.items[0].kind
        found: list[bool] = breadth.broad(
            numbers,
            ZONE,
            [breadth.Breadth(RACK, frozenset([kind]), count)],
            lambda _, scope: (
                placement.kind(placement.items[0]).counts(scope) > 0
            ),
        ).tolist()
        return found

    def test_only_domains_with_room_count(self) -> None:
        self.assertEqual([True, True], self.broad(2))
        self.assertEqual([False, True], self.broad(3))
        self.assertEqual([False, False], self.broad(4))

    def test_hosts_count_too_and_only_those_for_who_is_apart(self) -> None:
        # In r0 only one host takes a large one; r1 has two of them.
        hosts = [
            worlds.host(f'{rack}-{n}', vcpu, rack=rack)
            for rack, sizes in (('r0', (8, 2, 2)), ('r1', (5, 5)))
            for n, vcpu in enumerate(sizes)
        ]
        problem = model.Problem(
            worlds.snapshot(hosts),
            (*worlds.servers('large', 2, vcpu=4), worlds.server('small')),
            (
                worlds.rule('anti-affinity', 'host', 'large-0', 'large-1'),
                worlds.rule(
                    'affinity', 'rack', 'large-0', 'large-1', 'small', name='t'
                ),
            ),
        )
        numbers = compiled.Compiled(problem, policies.load())
        contracted = contract.contract(numbers)
        placement = state.State(numbers, contracted)
        (found,) = dead_ends.breadths(
            placement, Node(RACK, tuple(placement.items))
        )
        self.assertEqual((0, 2), (found.scope, found.domains))
        frame = framing.Frame(likeness.Likeness(numbers, contracted))
        bundle = frame.likeness.kind_at[RACK][0]
        self.assertEqual([False, True], frame.may[bundle].tolist())

    def test_no_room_is_made_where_there_are_too_few(self) -> None:
        found = self.placed(world(pairs='abcd'))
        self.assertFalse(found.is_whole)
        self.assertEqual(0, found.search._room.tried)

    def test_who_finds_enough_is_placed(self) -> None:
        self.assertTrue(self.placed(world()).is_whole)

    def placed(self, numbers: compiled.Compiled) -> greedy.Found:
        return greedy.place(numbers, contract.contract(numbers), deadline=5)
