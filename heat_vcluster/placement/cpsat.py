# SPDX-License-Identifier: Apache-2.0
"""The search: one CP-SAT model over counts of members that are alike."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping

from ortools.sat.python import cp_model

from heat_vcluster.placement import base, counts, explain, ground, model
from heat_vcluster.placement import policies as policy_kinds
from heat_vcluster.placement.policies import base as policy_base

# After a first plan, the search for a better one stops here: seconds of the
# solver's own deterministic clock, so that equal problems end equally.
IMPROVEMENT = 2.0
# A fill or a number of hosts this near to the optimum is as good.
GAP = 0.05
# Seconds that finding out which rules clash may take.
EXPLANATION = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What one search came to.

    ``spent`` is in seconds of the deterministic clock; ``is_best``: no plan
    is better by the search's goal.
    """

    verdict: model.Verdict
    values: Mapping[tuple[int, int], int] = dataclasses.field(
        default_factory=dict
    )
    penalties: Mapping[str, int] = dataclasses.field(default_factory=dict)
    goals: tuple[int, ...] = ()
    is_best: bool = False
    spent: float = 0.0


class CpSatSolver(base.Solver):
    """Exact; meant for some hundred members on some hundred hosts.

    First any plan, which has all of the deadline; then, within a short
    limit, one with less soft cost, then fewer volumes out of their rules'
    sight, then the better objective.
    """

    def __init__(
        self,
        kinds: Mapping[str, policy_base.Policy] | None = None,
        *,
        improvement: float = IMPROVEMENT,
    ) -> None:
        self._kinds = policy_kinds.load() if kinds is None else kinds
        self._improvement = improvement

    def solve(
        self, problem: model.Problem, *, deadline: float = 10.0, seed: int = 0
    ) -> model.Answer:
        ends = time.monotonic() + deadline
        prepared = ground.Ground(problem)
        if prepared.stuck():
            return self._refuse(problem, seed)
        search = _Search(
            counts.CountModel(prepared, self._kinds), problem.objective, seed
        )
        found = search.any(ends - time.monotonic())
        if found.verdict is model.Verdict.INFEASIBLE:
            return self._refuse(problem, seed)
        if found.verdict is model.Verdict.UNKNOWN:
            return model.Answer(found.verdict)
        found, is_cheapest = search.better(found, self._improvement, ends)
        plan = _plan(prepared, search.counted, found)
        bound = model.Bound(plan.soft_cost if is_cheapest else 0)
        return model.Answer(found.verdict, plan, bound)

    def _refuse(self, problem: model.Problem, seed: int) -> model.Answer:
        ends = time.monotonic() + EXPLANATION

        def conflicts(kept: Collection[str]) -> bool:
            part = ground.Ground(problem, kept)
            if part.stuck():
                return True
            counted = counts.CountModel(part, self._kinds)
            search = _Search(counted, problem.objective, seed)
            found = search.any(max(ends - time.monotonic(), 0.0))
            return found.verdict is model.Verdict.INFEASIBLE

        def has_time() -> bool:
            return time.monotonic() < ends

        return explain.refusal(problem, self._kinds, conflicts, has_time)


class _Search:
    """The solver at work on one model, goal by goal."""

    def __init__(
        self, counted: counts.CountModel, objective: str, seed: int
    ) -> None:
        self.counted = counted
        self._seed = seed
        self._goals = (
            counted.soft_cost(),
            counted.unsteered(),
            counted.hosts_used()
            if objective == 'pack'
            else counted.highest_fill(),
        )
        self._gaps = (0.0, 0.0, GAP)

    def any(self, seconds: float) -> _Found:
        """Find any plan, or prove that there is none."""
        return self._run(seconds, None, 0.0)

    def better(
        self, found: _Found, limit: float, ends: float
    ) -> tuple[_Found, bool]:
        """Improve a plan; tell also whether its soft cost is the least."""
        is_cheapest = False
        for number, goal in enumerate(self._goals):
            is_best = found.goals[number] == 0
            seconds = ends - time.monotonic()
            if not is_best and limit > 0 and seconds > 0:
                self.counted.hint(found.values)
                self.counted.model.minimize(goal)
                tried = self._run(seconds, limit, self._gaps[number])
                limit -= tried.spent
                if tried.verdict is model.Verdict.FEASIBLE:
                    found, is_best = tried, tried.is_best
            if number == 0:
                is_cheapest = is_best
            self.counted.require(goal <= found.goals[number])
        return found, is_cheapest

    def _run(self, seconds: float, limit: float | None, gap: float) -> _Found:
        solver = cp_model.CpSolver()
        # One thread: creates run side by side, and only so is the answer
        # the same every time. The default mix of strategies on few threads
        # is known to fail at simple pigeonholes that the linear relaxation
        # sees through at once, hence its full use.
        solver.parameters.num_workers = 1
        solver.parameters.linearization_level = 2
        solver.parameters.random_seed = self._seed
        solver.parameters.max_time_in_seconds = max(seconds, 0.0)
        solver.parameters.relative_gap_limit = gap
        if limit is not None:
            solver.parameters.max_deterministic_time = limit
        status = solver.solve(self.counted.model)
        if status == cp_model.INFEASIBLE:
            return _Found(model.Verdict.INFEASIBLE)
        spent = solver.response_proto.deterministic_time
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return _Found(model.Verdict.UNKNOWN, spent=spent)
        return _Found(
            model.Verdict.FEASIBLE,
            self.counted.values(solver),
            {
                name: solver.value(penalty)
                for name, penalty in self.counted.penalties.items()
            },
            tuple(solver.value(goal) for goal in self._goals),
            status == cp_model.OPTIMAL,
            spent,
        )


def _plan(
    prepared: ground.Ground, counted: counts.CountModel, found: _Found
) -> model.Plan:
    weights = {rule.name: rule.weight or 0 for rule in prepared.rules}
    given_up = tuple(
        model.Violation(name, amount, amount * weights[name])
        for name, amount in found.penalties.items()
        if amount
    )
    placement = counted.placement(found.values)
    return model.Plan(
        placement,
        sum(violation.cost for violation in given_up),
        None,
        given_up,
        tuple(prepared.unsteered(placement)),
    )
