# SPDX-License-Identifier: Apache-2.0
"""What counts prove is so, and what they promise is kept or taken back."""

from __future__ import annotations

import dataclasses
import time
from unittest import mock

import fixtures

from heat_vcluster.placement import columns, model, policies
from heat_vcluster.placement.counting import (
    attempts,
    framing,
    likeness,
    packing,
    refutation,
    tally,
)
from heat_vcluster.placement.numbers import amounts, compiled, contract
from heat_vcluster.placement.programs import exact, linear
from tests import base
from tests import placement_oracle as oracle
from tests.unit.placement import worlds

SEEDS = range(60)
PLACING = 'heat_vcluster.placement.counting.attempts.FINENESS'
PACE = 'heat_vcluster.placement.counting.packing.PACE'
FORBID = tally.Tally.forbid
CLOSER = packing._pack_closer
PATIENCE = 60.0  # seconds that nothing here comes near


def compile_it(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def contracted(
    problem: model.Problem,
) -> tuple[compiled.Compiled, contract.Contracted]:
    made = compile_it(problem)
    return made, contract.contract(made)


def deadline() -> float:
    return time.monotonic() + PATIENCE


def packed(made: compiled.Compiled) -> tuple[columns.Ints | None, int]:
    """Pack from any placement on."""
    start = exact.solve(made, goal=exact.Goal.ANY).placement
    assert start is not None
    return packing.pack(made, start, deadline())


def both(seed: int) -> tuple[model.Problem, model.Problem]:
    return oracle.tiny(seed), oracle.tiny(seed, beyond=True)


def for_few_hosts(problem: model.Problem) -> model.Problem:
    """Leave the hard rules alone, and the wish for few hosts."""
    return dataclasses.replace(
        problem,
        objective='pack',
        rules=tuple(
            rule
            for rule in problem.rules
            if rule.weight is None or rule.policy == 'proximity'
        ),
    )


def apart(scope: str, *members: str, name: str = 'apart') -> model.Rule:
    return worlds.rule('anti-affinity', scope, *members, name=name)


def names(count: int, start: str = 's') -> list[str]:
    return [f'{start}-{number}' for number in range(count)]


class TestAgainstEverything(base.TestCase):
    """Every kind of rule mixed, and what only live clouds have."""

    def test_nothing_possible_is_ever_refuted(self):
        for seed in SEEDS:
            for problem in both(seed):
                if oracle.best(problem) is None:
                    continue
                made, bundles = contracted(problem)
                # From all members told apart to hardly any.
                for wide, few in ((9, 3_000), (2, 30), (99, 0)):
                    kinds = likeness.Likeness(made, bundles, wide, few)
                    for opened in ((), None):
                        counts = tally.Tally(framing.Frame(kinds), opened)
                        self.assertFalse(counts.impossible, seed)
                        outcome = counts.program.solve(deadline(), seed)
                        self.assertIsNot(
                            linear.Status.NONE, outcome.status, seed
                        )

    def test_most_of_what_is_impossible_is_proven(self):
        proven = impossible = 0
        for seed in SEEDS:
            for problem in both(seed):
                if oracle.best(problem) is None:
                    impossible += 1
                    made, bundles = contracted(problem)
                    proven += refutation.prove(made, bundles, deadline(), seed)
        self.assertGreater(impossible, 10)
        self.assertGreaterEqual(proven, 0.9 * impossible)

    def test_a_placement_obeys_and_a_proof_is_right(self):
        for seed in SEEDS:
            for problem in both(seed):
                made, bundles = contracted(problem)
                found = attempts.place(made, bundles, deadline(), seed)
                if isinstance(found, refutation.Proof):
                    self.assertIsNone(oracle.best(problem), seed)
                elif found is not None:
                    self.assertTrue(amounts.is_valid(made, found), seed)
                    self.assertIsNotNone(oracle.best(problem), seed)

    def test_the_counts_of_a_placement_are_a_solution(self):
        told = 0
        for seed in SEEDS:
            for problem in both(seed):
                made, bundles = contracted(problem)
                whole = exact.solve(made, goal=exact.Goal.ANY).placement
                if whole is None:
                    continue
                for opened in ((), None):
                    counts = tally.Tally(
                        framing.Frame.of(made, bundles), opened
                    )
                    counts.suggest(whole)
                    outcome = counts.program.solve(
                        deadline(),
                        seed,
                        fix_variables_to_their_hinted_value=True,
                    )
                    self.assertIsNot(linear.Status.NONE, outcome.status, seed)
                    told += outcome.values is not None
        self.assertGreater(told, len(SEEDS))

    def test_a_start_changes_no_verdict(self):
        for seed in SEEDS:
            problem = oracle.tiny(seed)
            made, bundles = contracted(problem)
            start = exact.solve(made, goal=exact.Goal.ANY).placement
            if start is None:
                continue
            start[seed % len(start)] = columns.UNKNOWN
            found = attempts.place(made, bundles, deadline(), seed, start)
            self.assertNotIsInstance(found, refutation.Proof, seed)
            if found is not None:
                self.assertTrue(amounts.is_valid(made, found), seed)

    def test_no_placement_is_below_the_bound_on_hosts(self):
        for seed in SEEDS:
            for problem in map(for_few_hosts, both(seed)):
                best = oracle.best(problem)
                if best is None or best.soft_cost:
                    continue
                made = compile_it(problem)
                found, bound = packed(made)
                self.assertLessEqual(bound, best.objective, seed)
                with mock.patch.object(packing, 'PACE', 0):
                    self.assertLessEqual(packed(made)[1], best.objective, seed)
                for whole in made, packing.by_size(made):
                    frame = framing.Frame.of(whole, contract.contract(whole))
                    counts = tally.Tally(frame, packs=True, flat=6)
                    self.assertLessEqual(
                        counts.program.relax(deadline()).bound,
                        best.objective,
                        seed,
                    )
                    for outcome in (
                        counts.program.solve(deadline(), seed),
                        counts.program.seek(deadline(), seed),
                    ):
                        self.assertLessEqual(
                            outcome.bound, best.objective, seed
                        )
                if found is not None:
                    self.assertTrue(amounts.is_valid(made, found), seed)
                    self.assertGreaterEqual(
                        amounts.objective(made, found), bound, seed
                    )


class TestProofs(base.TestCase):
    def refutes(self, problem: model.Problem) -> bool:
        made, bundles = contracted(problem)
        return refutation.prove(made, bundles, deadline())

    def test_one_member_more_than_racks(self):
        cloud = worlds.snapshot(worlds.racks(9, 4))
        for count, expected in ((9, False), (10, True)):
            problem = model.Problem(
                cloud,
                tuple(worlds.servers('s', count)),
                (apart('rack', *names(count)),),
            )
            self.assertEqual(expected, self.refutes(problem))

    def test_a_glance_proves_what_needs_no_search(self):
        cloud = worlds.snapshot(worlds.racks(9, 4))
        for count, expected in ((9, False), (10, True)):
            problem = model.Problem(
                cloud,
                tuple(worlds.servers('s', count)),
                (apart('rack', *names(count)),),
            )
            frame = framing.Frame.of(*contracted(problem))
            found = refutation.refute(frame, deadline(), effort=0.01)
            self.assertEqual(expected, found)

    def test_big_servers_where_there_is_much_room_in_small_pieces(self):
        cloud = worlds.snapshot(worlds.racks(10, 8, vcpu=6))
        problem = model.Problem(cloud, tuple(worlds.servers('s', 2, 7)), ())
        self.assertTrue(self.refutes(problem))

    def test_two_of_a_bundle_want_two_hosts_of_its_rack(self):
        """Room for two is not enough, where it is room on one host."""
        hosts = (
            worlds.host('a', 8, rack='r0', zone='z'),
            worlds.host('b', 1, rack='r0', zone='z'),
            worlds.host('c', 8, rack='r1', zone='z'),
        )
        members = ('s-0', 's-1')
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.servers('s', 2, 4)),
            (
                worlds.rule('affinity', 'rack', *members, name='near'),
                apart('host', *members),
            ),
        )
        self.assertTrue(self.refutes(problem))

    def test_more_tenants_than_idle_racks(self):
        hosts = [
            worlds.host(f'h{rack}', rack=f'r{rack}', zone='z')
            for rack in range(4)
        ]
        hosts[0] = dataclasses.replace(hosts[0], is_busy=True)
        for tenants, expected in ((3, False), (4, True)):
            problem = model.Problem(
                worlds.snapshot(hosts),
                tuple(worlds.servers('s', tenants)),
                tuple(
                    worlds.rule('exclusive', 'rack', name, name=f'own-{name}')
                    for name in names(tenants)
                ),
            )
            self.assertEqual(expected, self.refutes(problem))


class TestPacking(base.TestCase):
    def test_the_fewest_hosts_and_their_proof(self):
        """A 5 goes with a 3 on each host: four hosts, though 3 * 3 > 8."""
        problem = model.Problem(
            worlds.snapshot(worlds.racks(6, 10)),
            (*worlds.servers('big', 4, 5), *worlds.servers('small', 4, 3)),
            (),
            objective='pack',
        )
        made = compile_it(problem)
        found, bound = packed(made)
        self.assertTrue(amounts.is_valid(made, found))
        self.assertEqual((4, 4), (amounts.objective(made, found), bound))

    def test_by_size_members_may_be_wherever_any_may(self):
        hosts = worlds.racks(1, 3)
        problem = model.Problem(
            worlds.snapshot(hosts),
            (
                worlds.server('one', on=['r0-h0']),
                worlds.server('other', on=['r0-h2']),
                worlds.server('large', 2, on=['r0-h0', 'r0-h1']),
                worlds.server('there', on=['r0-h1']),
            ),
            (apart('rack', 'one', 'large'), apart('host', 'one', 'other')),
            pinned={'there': 'r0-h1'},
        )
        loose = packing.by_size(compile_it(problem))
        self.assertEqual(
            [[0, 2], [0, 2], [0, 1], [1]],
            [loose.places(member).tolist() for member in range(4)],
        )
        self.assertEqual([0], [clause.scope for clause in loose.hard])

    def test_members_apart_take_a_host_each(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(5, 5)),
            tuple(worlds.servers('s', 7)),
            (apart('host', *names(7)),),
            objective='pack',
        )
        made = compile_it(problem)
        found, bound = packed(made)
        self.assertEqual((7, 7), (amounts.objective(made, found), bound))

    def test_equal_problems_get_equal_answers(self):
        problem = oracle.tiny(7)
        answers = []
        for _ in range(2):
            made, bundles = contracted(problem)
            found = attempts.place(made, bundles, deadline(), seed=3)
            answers.append(None if found is None else repr(found))
        self.assertEqual(*answers)


class TestJigsaws(base.TestCase):
    def test_pieces_that_only_fit_one_way(self):
        """Each rack takes one pair of bundles and no other."""
        hosts, demands, rules = [], [], []
        for rack in range(6):
            for number in range(2):
                hosts.append(
                    worlds.host(
                        f'r{rack}-h{number}',
                        4 + rack,
                        rack=f'r{rack}',
                        zone=f'z{rack % 2}',
                    )
                )
            members = (f'a{rack}', f'b{rack}')
            demands += [worlds.server(name, 4 + rack) for name in members]
            rules.append(
                worlds.rule('affinity', 'rack', *members, name=f'g{rack}')
            )
        problem = model.Problem(
            worlds.snapshot(hosts), tuple(demands), tuple(rules)
        )
        made, bundles = contracted(problem)
        found = attempts.place(made, bundles, deadline())
        self.assertTrue(amounts.is_valid(made, found))

    def decoys(self, count: int) -> model.Problem:
        """Ask for so many each of two bundles of three servers apart.

        In half of the racks there is a host with room for both large servers
        of one bundle, and none for one of them anywhere else.
        """
        hosts, demands, rules = [], [], []
        for rack in range(2 * count):
            sizes = (8,) if rack < count else (4, 4)
            sizes += (1, 1, 1, 1)
            hosts += [
                worlds.host(f'r{rack}-h{n}', vcpu, rack=f'r{rack}')
                for n, vcpu in enumerate(sizes)
            ]
        for number in range(count):
            for name, sizes in (('p', (4, 4, 1)), ('q', (1, 1, 1))):
                members = names(len(sizes), f'{name}-{number}')
                demands += map(worlds.server, members, sizes)
                rules += [
                    worlds.rule(
                        'affinity', 'rack', *members, name=f'{members[0]}-t'
                    ),
                    apart('host', *members, name=f'{members[0]}-a'),
                ]
        return model.Problem(
            worlds.snapshot(hosts), tuple(demands), tuple(rules)
        )

    def test_they_are_packed_on_the_hosts_that_a_coarse_look_takes(self):
        self.useFixture(fixtures.MonkeyPatch(PACE, 0))
        closer = optimal = 0
        for count in range(2, 6):
            made = worlds.packed(self.decoys(count))
            bundles = contract.contract(made)
            coarse = likeness.Likeness(made, bundles, few=likeness.NONE)
            fine = likeness.Likeness(made, bundles)
            self.assertLess(len(coarse.kinds), len(fine.kinds))
            with mock.patch.object(
                packing, '_pack_closer', side_effect=CLOSER
            ) as looked:
                found, bound = packed(made)
            self.assertTrue(amounts.is_valid(made, found))
            best = exact.solve(made)
            self.assertEqual(best.objective, best.bound.objective)
            self.assertLessEqual(bound, best.objective)
            used = len(amounts.used_hosts(made, found))
            self.assertGreaterEqual(used, best.objective)
            optimal += used == best.objective
            closer += looked.call_count
        self.assertGreater(closer, 0)
        self.assertGreater(optimal, 0)

    def test_what_found_no_room_together_is_not_counted_again(self):
        # Too many rules for each to be counted by itself.
        self.useFixture(fixtures.MonkeyPatch(PLACING, (0,)))
        with mock.patch.object(
            tally.Tally, 'forbid', autospec=True, side_effect=FORBID
        ) as forbid:
            for count in range(2, 8):
                made, bundles = contracted(self.decoys(count))
                found = attempts.place(made, bundles, deadline())
                self.assertTrue(amounts.is_valid(made, found), count)
        self.assertGreater(forbid.call_count, 0)

    def test_nothing_is_forbidden_where_no_rule_looks_at_racks(self):
        self.useFixture(fixtures.MonkeyPatch(PLACING, (0,)))
        hosts = [
            worlds.host(f'h{n}', vcpu, rack=f'r{n}')
            for n, vcpu in enumerate((0, 2, 2))
        ]
        pairs = ((0, 1), (1, 2), (2, 0))
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(worlds.servers('s', 3)),
            tuple(
                apart('host', f's-{one}', f's-{other}', name=f'{one}{other}')
                for one, other in pairs
            ),
        )
        made, bundles = contracted(problem)
        self.assertIsNone(attempts.place(made, bundles, deadline()))

    def test_only_as_many_or_more_of_all_of_them_are_forbidden(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 1)),
            (*worlds.servers('s', 2), worlds.server('t', vcpu=2)),
            (worlds.rule('spread', 'rack', 's-0', 's-1', max_per_domain=2),),
        )
        frame = framing.Frame(likeness.Likeness(*contracted(problem)))
        pair, single = frame.likeness.kinds
        self.assertEqual((2, 1), (pair.count, single.count))
        for two, one, status in (
            (1, 1, linear.Status.NONE),
            (2, 1, linear.Status.NONE),
            (2, 0, linear.Status.BEST),
            (0, 1, linear.Status.BEST),
        ):
            counts = tally.Tally(frame, range(frame.n_blocks))
            counts.forbid(1, 0, {pair.number: 1, single.number: 1})
            for kind, many in ((pair, two), (single, one)):
                count = counts.at(kind.number, 1)
                (number,) = count.variables[count.domains == 0].tolist()
                counts.program.total([number], many, many)
            outcome = counts.program.solve(deadline(), 0)
            self.assertIs(status, outcome.status, (two, one))

    def test_what_is_to_spare_counts_only_where_someone_may_be(self):
        problem = model.Problem(
            worlds.snapshot(
                [worlds.host('a', 7), worlds.host('b', 4), worlds.host('c', 2)]
            ),
            tuple(worlds.servers('s', 3, 3)),
            (),
        )
        frame = framing.Frame(likeness.Likeness(*contracted(problem)))
        usable, spare = frame.usable(0)
        self.assertEqual([7, 4, 0], usable.tolist())
        self.assertEqual(2, spare)
