# SPDX-License-Identifier: Apache-2.0
"""The solver: several ways to an answer, each where it is the best.

What is impossible by the rules alone shows at once. Small problems are
solved whole, to the optimum. Large ones get a first plan by a greedy search,
or a proof that there is none, or a plan, by counting; then the plan is made
better for as long as the caller has patience. See README.rst beside this.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping


from heat_vcluster.placement import (
    amounts,
    base,
    constraints,
    contract,
    exact,
    greedy,
    mend,
    model,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement import policies as policy_kinds
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.policies import base as policy_base
from heat_vcluster.placement.remainder import Index

# Pairs of a kind of member and a place up to which a problem is solved whole.
SMALL = 1500
# ... and up to which the whole is tried before parts of it.
MEDIUM = 12000
# Seconds that making a first plan better may take, unless the caller says.
PATIENCE = 2.0


class JointSolver(base.Solver):
    """Places whole groups on clouds of up to 100,000 hosts."""

    def __init__(
        self,
        kinds: Mapping[str, policy_base.Policy] | None = None,
    ) -> None:
        self._kinds = policy_kinds.load() if kinds is None else kinds

    def solve(
        self,
        problem: model.Problem,
        *,
        deadline: float = 10.0,
        seed: int = 0,
        patience: float = PATIENCE,
        explain: bool = True,
    ) -> model.Answer:
        return _Run(
            problem, self._kinds, deadline, seed, patience, explain
        ).answer()


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """A verdict with the placement and what bounds it."""

    verdict: model.Verdict
    placement: Ints | None = None
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)


class _Run:
    """One problem on its way to an answer."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policy_base.Policy],
        deadline: float,
        seed: int,
        patience: float,
        explain: bool,
    ) -> None:
        self._began = time.monotonic()
        self._ends = self._began + deadline
        self._problem = problem
        self._kinds = kinds
        self._seed = seed
        self._patience = patience
        self._explain = explain
        self._seconds: dict[str, float] = {}
        self._tried: list[str] = []

    def answer(self) -> model.Answer:
        self._compiled = numbers.Compiled(self._problem, self._kinds)
        self._note('compiled')
        outcome = self._decide()
        if outcome.verdict is model.Verdict.FEASIBLE:
            return self._told(outcome)
        if outcome.verdict is model.Verdict.UNKNOWN:
            return model.Answer(
                outcome.verdict,
                tried=tuple(self._tried),
                seconds=self._seconds,
            )
        self._note('proof')
        return model.Answer(outcome.verdict, seconds=self._seconds)

    def _note(self, what: str) -> None:
        self._seconds.setdefault(what, time.monotonic() - self._began)

    def _left(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)

    # -- a first answer -------------------------------------------------------

    def _decide(self) -> _Outcome:
        compiled = self._compiled
        if compiled.stuck():
            return _Outcome(model.Verdict.INFEASIBLE)
        contracted = contract.contract(compiled)
        if contracted.contradiction is not None:
            return _Outcome(model.Verdict.INFEASIBLE)
        pairs = _pairs(compiled)
        if pairs <= SMALL:
            return self._solve_whole()
        index = Index(compiled)
        found = greedy.place(
            compiled, contracted, deadline=self._left(), seed=self._seed
        )
        self._tried.append('placing the largest bundles first')
        self._note('greedy')
        if found.is_whole:
            return self._first(found.placement)
        whole = None
        if pairs <= MEDIUM:
            whole = self._any(index, 1.0)
        if whole is None:
            self._tried.append('placing again what stands in the way')
            whole = mend.finish(
                compiled,
                contracted,
                found,
                deadline=self._left(),
                seed=self._seed,
                index=index,
            )
        if whole is None:
            whole = self._any(index, None)
        if whole is None:
            return _Outcome(self._verdict)
        return self._first(whole)

    def _first(self, placement: Ints) -> _Outcome:
        self._note('first_plan')
        return _Outcome(model.Verdict.FEASIBLE, placement)

    def _any(self, index: Index, effort: float | None) -> Ints | None:
        """Look for any placement of all members at once."""
        self._tried.append('all members at once')
        result = exact.solve(
            self._compiled,
            goal=exact.Goal.ANY,
            seconds=self._left(),
            effort=effort,
            seed=self._seed,
            index=index,
        )
        self._verdict = result.verdict
        return result.placement

    def _solve_whole(self) -> _Outcome:
        self._tried.append('all members at once')
        result = exact.solve(
            self._compiled, seconds=self._left(), seed=self._seed
        )
        if result.placement is not None:
            self._note('first_plan')
        return _Outcome(result.verdict, result.placement, result.bound)

    # -- words -----------------------------------------------------------------

    def _told(self, outcome: _Outcome) -> model.Answer:
        assert outcome.placement is not None  # noqa: S101
        self._note('done')
        plan = _plan(self._compiled, outcome.placement)
        return model.Answer(
            outcome.verdict, plan, outcome.bound, seconds=self._seconds
        )


def _pairs(compiled: numbers.Compiled) -> int:
    """Return about how many variables the whole problem has."""
    return sum(
        len(compiled.shapes[int(shape)].places) for shape in compiled.shape_of
    )


def _plan(compiled: numbers.Compiled, placement: Ints) -> model.Plan:
    names = {
        member: compiled.place_names[int(place)]
        for member, place in zip(compiled.members, placement, strict=True)
        if place != UNKNOWN
    }
    names.update(compiled.problem.pinned)
    given_up = tuple(_given_up(compiled, placement))
    return model.Plan(
        names,
        sum(violation.cost for violation in given_up),
        amounts.objective(compiled, placement),
        given_up,
        tuple(_unsteered(compiled, placement)),
    )


def _given_up(
    compiled: numbers.Compiled, placement: Ints
) -> list[model.Violation]:
    broken: dict[str, tuple[int, int]] = {}
    for clause in compiled.soft:
        amount = amounts.amount(compiled, clause, placement)
        if amount:
            before, cost = broken.get(clause.rule, (0, 0))
            weight = clause.weight or 0
            broken[clause.rule] = (before + amount, cost + amount * weight)
    return [
        model.Violation(rule, amount, cost)
        for rule, (amount, cost) in broken.items()
    ]


def _unsteered(
    compiled: numbers.Compiled, placement: Ints
) -> list[tuple[str, str]]:
    """Return the (rule, member) pairs where the member does not count.

    It counts where a domain of it is known: at the rule's scope (the floor
    of proximity), or for bare proximity at any.
    """
    scopes: dict[str, tuple[int, ...]] = {}
    for clause in (*compiled.soft, *compiled.hard):
        if clause.kind is constraints.Near:
            scopes.setdefault(clause.rule, tuple(range(len(compiled.scopes))))
    for clause in reversed((*compiled.soft, *compiled.hard)):
        if clause.kind is not constraints.Near:
            scopes[clause.rule] = (clause.scope,)
    found = []
    for rule in compiled.problem.rules:
        at = scopes.get(rule.name, ())
        for member in rule.members if at else ():
            number = compiled.numbers.get(member)
            place = UNKNOWN if number is None else int(placement[number])
            if place == UNKNOWN or all(
                compiled.domain[scope][place] == UNKNOWN for scope in at
            ):
                found.append((rule.name, member))
    return found


def is_better(compiled: numbers.Compiled, one: Ints, other: Ints) -> bool:
    """Return whether one placement is strictly better than another."""
    return _value(compiled, one) < _value(compiled, other)


def _value(compiled: numbers.Compiled, placement: Ints) -> tuple[int, int]:
    return (
        amounts.soft_cost(compiled, placement),
        amounts.objective(compiled, placement),
    )
