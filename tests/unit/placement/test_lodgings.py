# SPDX-License-Identifier: Apache-2.0
"""Domains for all who must be alone, chosen at once."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.alone import lodgings
from heat_vcluster.placement.numbers import compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests.unit.placement import worlds

SEEDS = range(700)
FEASIBLE, INFEASIBLE = model.Verdict.FEASIBLE, model.Verdict.INFEASIBLE


def drawn(seed: int, scopes: Sequence[str] = ('rack',)) -> model.Problem:
    """Return parties that must be alone there, with rules of their own."""
    draw = random.Random(seed)
    hosts = [
        dataclasses.replace(
            worlds.host(f'r{rack}-{n}', draw.randint(1, 6), rack=f'r{rack}'),
            is_busy=draw.random() < 0.05,
        )
        for rack in range(draw.randint(2, 5))
        for n in range(draw.randint(1, 3))
    ]
    demands: list[model.ServerDemand] = []
    rules: list[model.Rule] = []
    for party in range(draw.randint(1, 3)):
        names = [f'p{party}-{n}' for n in range(draw.randint(1, 4))]
        demands += [worlds.server(n, draw.randint(1, 4)) for n in names]
        rules.append(
            worlds.rule(
                'exclusive',
                scopes[party % len(scopes)],
                *names,
                name=f'alone-{party}',
            )
        )
        if len(scopes) > 1 and draw.random() < 0.3:
            rules.append(
                worlds.rule('exclusive', 'host', *names, name=f'own-{party}')
            )
        rules += more(draw, party, names)
    draw.shuffle(rules)
    return model.Problem(worlds.snapshot(hosts), tuple(demands), tuple(rules))


def more(
    draw: random.Random, party: int, names: list[str]
) -> list[model.Rule]:
    """Return what else a party wants."""
    if len(names) < 2:
        return []
    some = names[: draw.randint(2, len(names))]
    found = []
    if draw.random() < 0.3:
        found.append(
            worlds.rule('affinity', 'rack', *some, name=f'near-{party}')
        )
    if draw.random() < 0.3:
        found.append(
            worlds.rule(
                'spread',
                'rack',
                *names,
                name=f'over-{party}',
                **draw.choice(({'min_domains': 2}, {'max_per_domain': 2})),
            )
        )
    if draw.random() < 0.3:
        found.append(
            worlds.rule('anti-affinity', 'host', *names, name=f'apart-{party}')
        )
    if draw.random() < 0.2:
        found.append(
            worlds.rule('affinity', 'host', *some[:2], name=f'one-{party}')
        )
    return found


def choose(
    made: compiled.Compiled,
) -> tuple[model.Verdict, dict[compiled.Clause, list[int]]]:
    contracted = contract.contract(made)
    if contracted.contradiction is not None or made.stuck():
        return INFEASIBLE, {}
    return lodgings.find(made, contracted, seconds=60)


class TestLodgings(base.TestCase):
    def test_domains_are_found_for_all_if_there_are_any(self) -> None:
        met = {FEASIBLE: 0, INFEASIBLE: 0}
        for seed in SEEDS:
            made = worlds.packed(drawn(seed))
            verdict, lodged = choose(made)
            self.assertIs(exact.solve(made).verdict, verdict, seed)
            met[verdict] += 1
            if verdict is FEASIBLE:
                self.placed(made, lodged)
        self.assertGreater(min(met.values()), 50)

    def placed(
        self,
        made: compiled.Compiled,
        lodged: dict[compiled.Clause, list[int]],
    ) -> None:
        """See that all find a place in the domains that they were given."""
        allowed = {
            member: [
                place
                for place in made.places(member).tolist()
                if made.domain[clause.scope][place] in domains
            ]
            for clause, domains in lodged.items()
            for member in clause.members
        }
        self.assertEqual(len(made.members), len(allowed))
        found = exact.solve(made, allowed=allowed, goal=exact.Goal.ANY)
        self.assertIs(FEASIBLE, found.verdict)

    def test_what_they_have_in_every_placement_is_for_nobody_else(self):
        met = {True: 0, False: 0}
        for seed in range(0, len(SEEDS), 7):
            problem = drawn(seed)
            made = worlds.packed(problem)
            taken = self.theirs(made).taken
            if choose(made)[0] is not FEASIBLE:
                continue
            for host in np.flatnonzero(~made.busy[0]).tolist():
                is_taken = self.is_missed(problem, host)
                self.assertEqual(is_taken, taken[host], (seed, host))
                met[is_taken] += 1
        self.assertGreater(min(met.values()), 40)

    def test_domains_taken_leave_fewer_to_who_wants_narrow_ones(self) -> None:
        narrow = 0
        for seed in SEEDS:
            problem = drawn(seed, scopes=('rack', 'host'))
            made = worlds.packed(problem)
            if exact.solve(made).verdict is not FEASIBLE:
                continue
            taken = self.theirs(made).taken
            for host in np.flatnonzero(taken).tolist():
                self.assertTrue(self.is_missed(problem, host), (seed, host))
            racks = made.domain[made.scopes.index('rack')][: made.n_hosts]
            narrow += any(
                taken[host] and not np.all(taken[racks == racks[host]])
                for host in range(made.n_hosts)
            )
        self.assertGreater(narrow, 8)

    def test_they_use_no_fewer_hosts(self) -> None:
        proven = 0
        for seed in range(0, len(SEEDS), 2):
            made = worlds.packed(drawn(seed, scopes=('rack', 'host')))
            found = exact.solve(made)
            if found.placement is None:
                continue
            theirs = self.theirs(made)
            self.assertLessEqual(theirs.hosts, found.objective, seed)
            proven += theirs.hosts == found.objective
        self.assertGreater(proven, 60)

    def test_a_host_takes_members_whole(self) -> None:
        names = [f's-{n}' for n in range(4)]
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 4, vcpu=7)),
            tuple(worlds.server(name, 4) for name in names),
            (worlds.rule('exclusive', 'rack', *names, name='alone'),),
        )
        self.assertEqual(4, self.theirs(worlds.packed(problem)).hosts)
        smaller = dataclasses.replace(
            problem,
            demands=tuple(
                worlds.server(name, 4 if number else 3)
                for number, name in enumerate(names)
            ),
        )
        self.assertEqual(3, self.theirs(worlds.packed(smaller)).hosts)

    def theirs(self, made: compiled.Compiled) -> lodgings.Theirs:
        return lodgings.theirs(made, contract.contract(made), seconds=60)

    def is_missed(self, problem: model.Problem, number: int) -> bool:
        """Tell whether all find no place if somebody else is on a host."""
        hosts = tuple(
            dataclasses.replace(host, is_busy=host.is_busy or each == number)
            for each, host in enumerate(problem.snapshot.hosts)
        )
        snapshot = dataclasses.replace(problem.snapshot, hosts=hosts)
        other = dataclasses.replace(problem, snapshot=snapshot)
        return exact.solve(worlds.packed(other)).verdict is INFEASIBLE

    def test_nothing_is_said_of_who_has_a_place_already(self) -> None:
        problem = dataclasses.replace(
            model.Problem(
                worlds.snapshot(worlds.racks(2, 1)),
                tuple(worlds.servers('s', 2)),
                (worlds.rule('exclusive', 'rack', 's-0', name='alone'),),
            ),
            pinned={'s-1': 'r0-h0'},
        )
        verdict, lodged = choose(worlds.packed(problem))
        self.assertEqual((model.Verdict.UNKNOWN, {}), (verdict, lodged))

    def test_who_has_too_much_choice_finds_something_by_himself(self) -> None:
        problem = model.Problem(
            worlds.snapshot(worlds.racks(lodgings.PAIRS + 1, 1)),
            (worlds.server('s'),),
            (worlds.rule('exclusive', 'rack', 's', name='alone'),),
        )
        verdict, _ = choose(worlds.packed(problem))
        self.assertIs(model.Verdict.UNKNOWN, verdict)

    def test_room_is_taken_for_granted_where_it_takes_long_to_tell(
        self,
    ) -> None:
        # One for each host, of which no two are alike, and one more.
        hosts = [worlds.host(f'h{n}', 11 + n, rack='r0') for n in range(11)]
        demands = worlds.servers('s', len(hosts) + 1, 11)
        names = [demand.member for demand in demands]
        problem = model.Problem(
            worlds.snapshot(hosts),
            tuple(demands),
            (
                worlds.rule('exclusive', 'rack', *names, name='alone'),
                worlds.rule('affinity', 'rack', *names, name='together'),
            ),
        )
        made = worlds.packed(problem)
        self.assertIs(INFEASIBLE, exact.solve(made).verdict)
        self.assertIs(FEASIBLE, choose(made)[0])
