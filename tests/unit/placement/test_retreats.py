# SPDX-License-Identifier: Apache-2.0
"""Hosts of those who must be alone, and hosts of all others."""

from __future__ import annotations

import dataclasses

import numpy as np

from heat_vcluster.placement import constraints, model, policies
from heat_vcluster.placement.alone import retreats
from heat_vcluster.placement.better import firm
from heat_vcluster.placement.counting import packing
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(600)


def fewest(made: compiled.Compiled) -> int:
    """Solve the whole, exactly."""
    found = exact.solve(made)
    return found.objective if found.placement is not None else -1


def bounded(made: compiled.Compiled) -> tuple[int, int] | None:
    """Return the hosts of who must be alone, and of others, at the least."""
    start = exact.solve(made, goal=exact.Goal.ANY).placement
    if start is None:
        return None
    found = retreats.find(made, start, seconds=60)
    if found is None:
        return None
    return found.hosts, packing.fewest(found.rest)


class TestRetreats(base.TestCase):
    def test_no_placement_uses_fewer_hosts(self) -> None:
        told = 0
        for seed in SEEDS:
            made = worlds.packed(oracle.tiny(seed))
            bounds = bounded(made)
            if bounds is not None:
                self.assertLessEqual(sum(bounds), fewest(made), seed)
                told += sum(bounds) > packing.fewest(made)
        self.assertGreater(told, 0)

    def settle(
        self, made: compiled.Compiled
    ) -> tuple[model.Verdict, dict[int, int]]:
        return retreats.settle(
            made, contract.contract(made), seconds=60, effort=60
        )

    def test_who_must_be_alone_is_placed_first(self) -> None:
        proven = settled = 0
        for seed in SEEDS:
            made = worlds.packed(oracle.tiny(seed))
            verdict, places = self.settle(made)
            whole = exact.solve(made, goal=exact.Goal.ANY)
            if verdict is model.Verdict.INFEASIBLE:
                self.assertIs(whole.verdict, verdict, seed)
                proven += 1
            if places:
                left = exact.solve(made.settled(places))
                if left.placement is not None:
                    self.assertTrue(
                        amounts.is_valid(made, left.placement), seed
                    )
                    for member, place in places.items():
                        self.assertEqual(place, left.placement[member])
                    settled += 1
        self.assertGreater(proven, 0)
        self.assertGreater(settled, 5)

    def test_it_is_known_how_they_share_what_just_fits_them(self) -> None:
        # Racks of 5 and 4: only 3 + 2 and 2 + 2 fill them.
        hosts = [
            *(
                worlds.host(f'r0-{n}', size, rack='r0')
                for n, size in enumerate((3, 2))
            ),
            *(worlds.host(f'r1-{n}', 2, rack='r1') for n in range(2)),
        ]
        sizes = {'a': 2, 'b': 2, 'c': 2, 'd': 3}
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.server(name, size) for name, size in sizes.items()),
            (
                self.alone(*sizes, scope='rack'),
                worlds.rule(
                    'spread', 'rack', *sizes, name='two', min_domains=2
                ),
            ),
        )
        made = worlds.packed(problem)
        verdict, places = self.settle(made)
        self.assertIs(model.Verdict.FEASIBLE, verdict)
        self.assertEqual({0, 1, 2, 3}, {*places.values()})
        small = model.Problem(
            worlds.snapshot(hosts[1:]), problem.demands, problem.rules
        )
        verdict, places = self.settle(worlds.packed(small))
        self.assertEqual((model.Verdict.INFEASIBLE, {}), (verdict, places))

    def alone(self, *names: str, scope: str = 'host') -> model.Rule:
        return worlds.rule('exclusive', scope, *names, name=names[0])

    def test_hosts_are_shared_with_their_own_only(self) -> None:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 6, vcpu=4)),
            tuple(
                worlds.server(name, 2)
                for name in ('a', 'b', 'c', 'd', 'e', 'f', 'g')
            ),
            (self.alone('a', 'b', 'c'), self.alone('d')),
        )
        made = worlds.packed(problem)
        self.assertEqual((3, 2), bounded(made))
        self.assertEqual(5, fewest(made))

    def test_what_was_made_hard_holds_for_the_others_too(self) -> None:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 6, vcpu=4)),
            tuple(worlds.server(name) for name in 'abc'),
            (
                self.alone('a'),
                worlds.rule('affinity', 'rack', 'b', 'c', name='must'),
                worlds.rule(
                    'affinity', 'host', 'b', 'c', name='wish', weight=2
                ),
            ),
        )
        made = compiled.Compiled(
            dataclasses.replace(problem, objective='pack'), policies.load()
        )
        start = np.array([0, 1, 2])
        found = retreats.find(made, start, seconds=60)
        assert found is not None
        self.assertEqual(['must'], [c.rule for c in found.rest.hard])
        self.assertEqual(['wish'], [c.rule for c in found.rest.soft])
        sure = firm.certain(made, [(made.soft[0], 0)])
        found = retreats.find(sure, start, seconds=60)
        assert found is not None
        self.assertEqual(['must', 'wish'], [c.rule for c in found.rest.hard])
        clause = found.rest.hard[-1]
        self.assertIs(constraints.Together, clause.kind)
        self.assertEqual((0, 1), clause.members)
        self.assertEqual((), found.rest.soft)

    def test_all_of_a_party_may_have_to_be_in_one_domain(self) -> None:
        # The roomy hosts lie apart: together it takes three of the small.
        hosts = [
            *(worlds.host(f'r{n}-roomy', 6, rack=f'r{n}') for n in range(3)),
            *(worlds.host(f'r3-{n}', 2, rack='r3') for n in range(4)),
        ]
        names = ('a', 'b', 'c')
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.server(name, 2) for name in names),
            (
                self.alone(*names, scope='rack'),
                worlds.rule('affinity', 'rack', *names, name='together'),
            ),
        )
        self.assertEqual((1, 0), bounded(worlds.packed(problem)))
        small = dataclasses.replace(
            problem,
            demands=tuple(
                worlds.server(name, 2, on=[h.name for h in hosts[3:]])
                for name in names
            ),
        )
        self.assertEqual((3, 0), bounded(worlds.packed(small)))

    def test_a_busy_domain_is_for_none_of_them(self) -> None:
        hosts = [
            dataclasses.replace(
                worlds.host('roomy', 8, rack='r0'), is_busy=True
            ),
            *(worlds.host(f'small-{n}', 2, rack='r1') for n in range(3)),
        ]
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.servers('s', 2, 2)),
            (self.alone('s-0', 's-1'),),
        )
        made = worlds.packed(problem)
        self.assertEqual((2, 0), bounded(made))
        used = amounts.used_hosts(made, exact.solve(made).placement)
        self.assertEqual(2, len(used))

    def test_nothing_is_said_of_who_has_a_place_already(self) -> None:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 3)),
            tuple(worlds.servers('s', 2)),
            (self.alone('s-0'),),
        )
        self.assertEqual((1, 1), bounded(worlds.packed(problem)))
        pinned = dataclasses.replace(problem, pinned={'s-1': 'r0-h0'})
        self.assertIsNone(bounded(worlds.packed(pinned)))
