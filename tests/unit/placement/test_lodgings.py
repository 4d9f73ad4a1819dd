# SPDX-License-Identifier: Apache-2.0
"""Domains for all who must be alone, chosen at once."""

from __future__ import annotations

import dataclasses
import random

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.alone import lodgings
from heat_vcluster.placement.numbers import compiled, contract
from heat_vcluster.placement.programs import exact
from tests import base
from tests.unit.placement import worlds

SEEDS = range(700)
FEASIBLE, INFEASIBLE = model.Verdict.FEASIBLE, model.Verdict.INFEASIBLE


def drawn(seed: int) -> model.Problem:
    """Return parties that must be alone in racks, with rules of their own."""
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
            worlds.rule('exclusive', 'rack', *names, name=f'alone-{party}')
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
            contracted = contract.contract(made)
            scope, taken = lodgings.taken(made, contracted, seconds=60)
            if choose(made)[0] is not FEASIBLE:
                continue
            for domain in np.flatnonzero(~made.busy[scope]).tolist():
                without = self.without(problem, made, scope, domain)
                is_taken = exact.solve(without).verdict is INFEASIBLE
                self.assertIs(is_taken, domain in taken, (seed, domain))
                met[is_taken] += 1
        self.assertGreater(min(met.values()), 20)

    def without(
        self,
        problem: model.Problem,
        made: compiled.Compiled,
        scope: int,
        domain: int,
    ) -> compiled.Compiled:
        """Return the problem with a domain that somebody else is in."""
        hosts = tuple(
            dataclasses.replace(host, is_busy=True)
            if made.domain[scope][number] == domain
            else host
            for number, host in enumerate(problem.snapshot.hosts)
        )
        return worlds.packed(
            dataclasses.replace(
                problem,
                snapshot=dataclasses.replace(problem.snapshot, hosts=hosts),
            )
        )

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
