# SPDX-License-Identifier: Apache-2.0
"""On tiny random problems the solver says what trying everything says."""

from __future__ import annotations

import hypothesis
import testtools
from hypothesis import strategies as st

from heat_vcluster.placement import checker, cpsat, model
from tests.unit.placement import worlds

RACKS = {'r0': 'z0', 'r1': 'z0', 'r2': 'z1', None: None}


@st.composite
def hosts(draw):
    count = draw(st.integers(1, 4))
    made = []
    for number in range(count):
        # Mostly known, mostly with room: else nothing but size matters.
        rack = draw(st.sampled_from(['r0', 'r0', 'r1', 'r1', 'r2', None]))
        vcpu = draw(st.integers(1, 7))
        made.append(
            worlds.host(
                f'h{number}',
                vcpu,
                total=vcpu + draw(st.integers(0, 4)),
                rack=rack,
                zone=RACKS[rack],
                CUSTOM_GPU=draw(st.sampled_from([0, 1, 2, 2])),
            )
        )
    return made


@st.composite
def pools(draw, host_list):
    count = draw(st.integers(0, 3))
    made = []
    for number in range(count):
        near = draw(st.sampled_from([*host_list, *RACKS]))
        local = near if isinstance(near, model.Host) else None
        rack = local.domain('rack') if local else near
        made.append(
            worlds.pool(
                f'p{number}',
                draw(st.sampled_from([None, 1, 2, 3, 4])),
                types=draw(st.sampled_from([None, (), ('ssd',), ('ssd',)])),
                at=local.name if local else None,
                rack=rack,
                zone=RACKS[rack],
            )
        )
    return made


def candidates(draw, places):
    """Mostly any place, at times some of them."""
    if not places or draw(st.integers(0, 3)):
        return None
    names = [place.name for place in places]
    return draw(st.sets(st.sampled_from(names), min_size=1))


@st.composite
def units(draw, members):
    """Some members, alone or in groups, none of them twice."""
    least = min(2, len(members))
    chosen = draw(
        st.lists(st.sampled_from(members), min_size=least, unique=True)
    )
    cuts = draw(st.lists(st.booleans(), min_size=len(chosen)))
    made: list[tuple[str, ...]] = []
    for member, joins in zip(chosen, cuts, strict=False):
        if joins and made and draw(st.booleans()):
            made[-1] = (*made[-1], member)
        else:
            made.append((member,))
    return made


@st.composite
def rules(draw, members):
    made = []
    for number in range(draw(st.integers(1, 4))):
        policy = draw(st.sampled_from(['affinity', 'anti-affinity', 'spread']))
        options = (
            {'max_per_domain': draw(st.integers(1, 2))}
            if policy == 'spread'
            else {}
        )
        made.append(
            worlds.rule(
                policy,
                draw(st.sampled_from(['host', 'rack', 'zone'])),
                *draw(units(members)),
                name=f'g{number}',
                weight=draw(st.sampled_from([None, 0, 1, 2, 5])),
                **options,
            )
        )
    return made


@st.composite
def problems(draw):
    host_list = draw(hosts())
    pool_list = draw(pools(host_list))
    demands = [
        worlds.server(
            f's{number}',
            draw(st.sampled_from([1, 1, 2, 3])),
            on=candidates(draw, host_list),
            CUSTOM_GPU=draw(st.sampled_from([0, 0, 0, 1])),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    for number in range(draw(st.integers(0, 2))):
        names = candidates(draw, pool_list)
        demands.append(
            model.VolumeDemand(
                f'v{number}',
                draw(st.integers(1, 2)),
                draw(st.sampled_from([None, None, None, 'ssd'])),
                None if names is None else frozenset(names),
            )
        )
    pinned = {}
    if not draw(st.integers(0, 3)):
        place = draw(st.sampled_from([*(h.name for h in host_list), 'gone']))
        pinned = {'s0': place}
    return model.Problem(
        worlds.snapshot(host_list, pool_list),
        tuple(demands),
        tuple(draw(rules([d.member for d in demands]))),
        pinned,
        draw(st.sampled_from(['balance', 'pack'])),
    )


class ExhaustiveTestCase(testtools.TestCase):
    solver = cpsat.CpSatSolver()

    @hypothesis.settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(problems())
    def test_verdict_cost_and_conflict_are_right(self, problem):
        least = worlds.least_cost(problem)
        answer = self.solver.solve(problem)
        if least is None:
            self.assertEqual(model.Verdict.INFEASIBLE, answer.verdict)
            self.assertConflicts(problem, answer)
        else:
            self.assertEqual(model.Verdict.FEASIBLE, answer.verdict)
            report = checker.check(problem, answer.plan)
            self.assertEqual((), report.violations)
            self.assertTrue(answer.is_cheapest)
            self.assertEqual(least, answer.plan.soft_cost)

    def assertConflicts(self, problem, answer):
        """The rules named clash, and would not without any one of them."""
        kept = set(answer.rules)
        self.assertIsNone(worlds.least_cost(worlds.relaxed(problem, kept)))
        for name in answer.rules:
            part = worlds.relaxed(problem, kept - {name})
            self.assertIsNotNone(worlds.least_cost(part), name)
        self.assertTrue(answer.reasons)
        self.assertTrue(answer.operator_reasons)
