# SPDX-License-Identifier: Apache-2.0
"""The solver: several ways to an answer, each where it is the best.

A verdict first (``ways``); then a plan is made better for as long as the
caller has patience (``betterment``), or it is found out why there is none.
See README.rst beside this.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

from heat_vcluster.placement import base, betterment, model, telling
from heat_vcluster.placement import policies as policy_kinds
from heat_vcluster.placement.explanation import conflicts, reasons, repairs
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.policies import base as policy_base
from heat_vcluster.placement.ways import order
from heat_vcluster.placement.ways.search import Outcome, Search

# Seconds that making a first plan better may take, unless the caller says.
PATIENCE = 2.0
# Seconds that finding out which rules clash, and what would fit, may take.
EXPLANATION = 10.0
REPAIRS = 5.0


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
        patience: float | None = None,
        explain: bool = True,
        choices: base.Choices | None = None,
    ) -> model.Answer:
        began = time.monotonic()
        compiled = numbers.Compiled(problem, self._kinds)
        search = order.search(compiled, began + deadline, seed, began)
        outcome = search.decide()
        if outcome.verdict is model.Verdict.FEASIBLE:
            outcome = _better(
                compiled,
                outcome,
                search,
                PATIENCE if patience is None else patience,
                seed,
            )
            return _told(compiled, outcome, search.seconds)
        if outcome.verdict is model.Verdict.UNKNOWN:
            return model.Answer(
                outcome.verdict,
                tried=tuple(dict.fromkeys(search.tried)),
                seconds=search.seconds,
            )
        search.note('proof')
        answer = model.Answer(outcome.verdict, seconds=search.seconds)
        if not explain:
            return answer
        return _Explanation(problem, self._kinds, seed, choices).of(
            answer, search
        )


class _Explanation:
    """Why there is no plan, and what would fit instead."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policy_base.Policy],
        seed: int,
        choices: base.Choices | None,
    ) -> None:
        self._problem = problem
        self._kinds = kinds
        self._seed = seed
        self._choices = choices

    def of(self, answer: model.Answer, search: Search) -> model.Answer:
        conflict = self._conflict(self._problem, EXPLANATION)
        told = reasons.tell(self._problem, self._kinds, conflict)
        search.note('explain')
        proposals = repairs.propose(
            self._problem,
            self._kinds,
            conflict,
            self._attempt,
            time.monotonic() + REPAIRS,
            self._choices,
            self._conflict,
        )
        search.note('repairs')
        return dataclasses.replace(
            answer,
            rules=conflict.rules,
            is_minimal=conflict.is_minimal,
            reasons=told.tenant,
            operator_reasons=told.operator,
            repairs=proposals.repairs,
            tried=proposals.untried,
        )

    def _conflict(
        self, problem: model.Problem, seconds: float
    ) -> conflicts.Conflict:
        """Find the smallest conflict of what is proven impossible."""
        return conflicts.minimal(
            problem,
            self._kinds,
            self._prove,
            time.monotonic() + seconds,
            self._seed,
        )

    def _prove(
        self, compiled: numbers.Compiled, seconds: float
    ) -> bool | None:
        """Tell whether what is left of the problem is impossible."""
        outcome = order.search(
            compiled, time.monotonic() + seconds, self._seed, haste=0
        ).decide()
        if outcome.verdict is model.Verdict.UNKNOWN:
            return None
        return outcome.verdict is model.Verdict.INFEASIBLE

    def _attempt(
        self, problem: model.Problem, seconds: float
    ) -> model.Answer | None:
        compiled = numbers.Compiled(problem, self._kinds)
        search = order.search(compiled, time.monotonic() + seconds, self._seed)
        outcome = search.decide()
        if outcome.verdict is model.Verdict.UNKNOWN:
            return None
        if outcome.placement is None:
            return model.Answer(outcome.verdict)
        return _told(compiled, outcome, search.seconds)


def _better(
    compiled: numbers.Compiled,
    outcome: Outcome,
    search: Search,
    patience: float,
    seed: int,
) -> Outcome:
    """Make a plan better within so many seconds."""
    placement, bound = outcome.placement, outcome.bound
    assert placement is not None  # noqa: S101
    patience = min(patience, search.left())
    value = amounts.value(compiled, placement)
    if patience <= 0 or value == (bound.soft_cost, bound.objective):
        return outcome
    placement, bound = betterment.better(
        compiled,
        placement,
        bound,
        seconds=patience,
        seed=seed,
        index=search.index,
    )
    search.note('improved')
    return dataclasses.replace(outcome, placement=placement, bound=bound)


def _told(
    compiled: numbers.Compiled,
    outcome: Outcome,
    seconds: Mapping[str, float],
) -> model.Answer:
    assert outcome.placement is not None  # noqa: S101
    return model.Answer(
        outcome.verdict,
        telling.tell(compiled, outcome.placement),
        outcome.bound,
        seconds=seconds,
    )
