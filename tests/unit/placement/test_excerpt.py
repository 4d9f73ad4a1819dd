# SPDX-License-Identifier: Apache-2.0
"""A part of a cloud: large enough, and true of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import numpy as np

from heat_vcluster.placement import columns, model, policies
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import (
    amounts,
    compiled,
    contract,
    excerpt,
)
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

LEAST = 0.1


def cloud(busy: Sequence[int] = ()) -> tuple[model.Host, ...]:
    """Make two zones of 20 racks with 4 hosts each, some of them busy."""
    return tuple(
        model.Host(
            f'r{rack}-h{number}',
            {'rack': f'r{rack}', 'zone': f'z{rack // 20}'},
            {'VCPU': 8},
            {'VCPU': 8},
            is_busy=rack in busy,
        )
        for rack in range(40)
        for number in range(4)
    )


def compile_it(
    count: int, *rules: model.Rule, busy: Sequence[int] = ()
) -> compiled.Compiled:
    problem = model.Problem(
        worlds.snapshot(cloud(busy)), tuple(worlds.servers('s', count)), rules
    )
    return compiled.Compiled(problem, policies.load())


def racks(part: excerpt.Excerpt | None) -> list[int]:
    """Return the racks in the part, once for each of their hosts."""
    assert part is not None
    numbers: list[int] = part.compiled.domain[1].tolist()
    return numbers


class TestWhich(base.TestCase):
    def of(self, made: compiled.Compiled) -> excerpt.Excerpt | None:
        return excerpt.of(made, 0, LEAST)

    def test_whole_racks_as_many_from_each_zone(self) -> None:
        found = racks(self.of(compile_it(2)))
        self.assertEqual(4 * len(set(found)), len(found))
        zones = [rack // 20 for rack in set(found)]
        self.assertEqual([2, 2], [zones.count(0), zones.count(1)])

    def test_the_more_members_the_more_hosts(self) -> None:
        found = racks(self.of(compile_it(10)))
        self.assertEqual(excerpt.ENOUGH * 10, len(found))

    def test_what_is_nearly_all_of_it_is_not_worth_it(self) -> None:
        self.assertIsNone(self.of(compile_it(40)))

    def test_there_are_racks_for_all_who_are_apart(self) -> None:
        apart = worlds.rule('anti-affinity', 'rack', 's-0', 's-1', 's-2')
        found = racks(self.of(compile_it(3, apart)))
        self.assertEqual(excerpt.DOMAINS * 3, len(set(found)))

    def test_idle_racks_are_there_for_who_must_be_alone(self) -> None:
        alone = worlds.rule('exclusive', 'rack', 's-0')
        busy = [rack for rack in range(40) if rack not in (7, 33)]
        found = racks(self.of(compile_it(2, alone, busy=busy)))
        self.assertLessEqual({7, 33}, set(found))

    def test_each_who_must_be_alone_has_several_idle_racks(self) -> None:
        rules = [
            worlds.rule('exclusive', 'rack', f's-{n}', name=f'alone-{n}')
            for n in range(3)
        ]
        idle = set(range(0, 40, 3))
        busy = [rack for rack in range(40) if rack not in idle]
        found = set(racks(self.of(compile_it(3, *rules, busy=busy))))
        self.assertGreaterEqual(len(found & idle), excerpt.DOMAINS * 3)

    def test_rules_that_want_every_rack_used_are_not_broken(self) -> None:
        names = [f's-{number}' for number in range(6)]
        even = worlds.rule('spread', 'rack', *names, max_skew=1)
        few = racks(self.of(compile_it(6, even)))
        self.assertGreaterEqual(len(set(few)), 6)
        names = [f's-{number}' for number in range(15)]
        for rule in (
            worlds.rule('spread', 'rack', *names[:9], max_skew=1),
            worlds.rule('spread', 'host', *names, max_skew=1),
        ):
            with mock.patch.object(excerpt, 'ENOUGH', 1):
                self.assertIsNone(self.of(compile_it(15, rule)))

    def test_who_sits_somewhere_is_in_it(self) -> None:
        problem = model.Problem(
            worlds.snapshot(cloud()),
            tuple(worlds.servers('s', 2)),
            (worlds.rule('affinity', 'rack', 's-0', 'old'),),
            pinned={'old': 'r39-h3'},
        )
        part = self.of(compiled.Compiled(problem, policies.load()))
        assert part is not None
        self.assertIn('r39-h3', part.compiled.place_names)


@mock.patch.object(excerpt, 'MANY', 1)
@mock.patch.object(excerpt, 'ENOUGH', 1)
@mock.patch.object(excerpt, 'DOMAINS', 1)
@mock.patch.object(excerpt, 'MOST', 1.0)
class TestTruth(base.TestCase):
    def test_rules_and_room_are_the_same_in_the_part_and_in_all(self) -> None:
        parts = 0
        for seed in range(400):
            made = compiled.Compiled(oracle.tiny(seed), policies.load())
            contracted = contract.contract(made)
            part = excerpt.of(made, seed, LEAST)
            if part is None or contracted.contradiction or made.stuck():
                continue
            found = greedy.place(
                part.compiled, contracted, deadline=9.0
            ).placement
            whole = part.in_whole(found)
            parts += len(part.places) < made.n_places
            self.same(part, made, found, whole)
        self.assertGreater(parts, 50)

    def same(
        self,
        part: excerpt.Excerpt,
        made: compiled.Compiled,
        found: columns.Ints,
        whole: columns.Ints,
    ) -> None:
        self.assertEqual(
            [made.place_names[place] for place in part.places],
            list(part.compiled.place_names),
        )
        for clause in (*made.hard, *made.soft):
            self.assertEqual(
                amounts.amount(made, clause, whole),
                amounts.amount(part.compiled, clause, found),
            )
        self.assertTrue(amounts.has_room(made, whole))
        self.assertEqual(
            amounts.objective(made, whole),
            amounts.objective(part.compiled, found),
        )
        for shape, all_of_it in zip(
            part.compiled.shapes, made.shapes, strict=True
        ):
            self.assertTrue(
                np.isin(part.places[shape.places], all_of_it.places).all()
            )
