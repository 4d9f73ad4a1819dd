# SPDX-License-Identifier: Apache-2.0
"""Who must be apart inside a domain needs as many narrower ones there."""

from __future__ import annotations

from heat_vcluster.placement import (
    breadth,
    compiled,
    contract,
    greedy,
    model,
    policies,
    state,
)
from heat_vcluster.placement.standing import Node
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
        return breadth.least(placement, Node(ZONE, tuple(placement.items)))

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

    def narrow(self, count: int) -> list[bool]:
        numbers = world()
        placement = state.State(numbers, contract.contract(numbers))
        fitting = [
            placement.kind(item).counts(RACK) for item in placement.items
        ]
        found: list[bool] = breadth.too_narrow(
            numbers, ZONE, {RACK: count}, {RACK: fitting}
        ).tolist()
        return found

    def test_only_domains_with_room_count(self) -> None:
        self.assertEqual([False, False], self.narrow(2))
        self.assertEqual([True, False], self.narrow(3))
        self.assertEqual([True, True], self.narrow(4))

    def test_no_room_is_made_where_there_are_too_few(self) -> None:
        found = self.placed(world(pairs='abcd'))
        self.assertFalse(found.is_whole)
        self.assertEqual(0, found.search._room.tried)

    def test_who_finds_enough_is_placed(self) -> None:
        self.assertTrue(self.placed(world()).is_whole)

    def placed(self, numbers: compiled.Compiled) -> greedy.Found:
        return greedy.place(numbers, contract.contract(numbers), deadline=5)
