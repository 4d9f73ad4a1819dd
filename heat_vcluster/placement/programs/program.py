# SPDX-License-Identifier: Apache-2.0
"""An integer program for CP-SAT, and what its variables come to.

A thin layer over the solver's own model: literals that are settled already
are folded away, and every variable that follows from others says how, so that
a hint for the few that decide becomes a hint for all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.programs import cpsat

# Literals that are settled; all others are the numbers of variables.
NO = -1
YES = -2

INFINITY = 1 << 60
# Bounds come as floating point numbers of integers.
TOLERANCE = 1e-6

Values = list[int]


class Sum:
    """A linear expression; ``add`` changes it."""

    __slots__ = ('coefficients', 'constant', 'variables')

    def __init__(self, constant: int = 0) -> None:
        self.variables: list[int] = []
        self.coefficients: list[int] = []
        self.constant = constant

    def add(self, literal: int, coefficient: int = 1) -> Sum:
        if literal >= 0:
            self.variables.append(literal)
            self.coefficients.append(coefficient)
        elif literal == YES:
            self.constant += coefficient
        return self

    def add_sum(self, other: Sum, coefficient: int = 1) -> Sum:
        self.constant += coefficient * other.constant
        self.variables.extend(other.variables)
        if coefficient == 1:
            self.coefficients.extend(other.coefficients)
        else:
            self.coefficients.extend(
                coefficient * c for c in other.coefficients
            )
        return self

    def value(self, values: Sequence[int]) -> int:
        return self.constant + sum(
            c * values[v]
            for v, c in zip(self.variables, self.coefficients, strict=True)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a search came to; ``values`` by variable if FEASIBLE.

    ``bound`` is a lower bound of what was minimized. ``effort`` is what it
    took, in seconds of the solver's deterministic clock.
    """

    verdict: model.Verdict
    values: Sequence[int] = ()
    bound: int = -INFINITY
    is_optimal: bool = False
    effort: float = 0.0


class Program:
    def __init__(self) -> None:
        self._model = cpsat.Model()
        self._size = 0
        self._follows: list[tuple[int, Callable[[Values], int]]] = []
        self._is_contradictory = False
        self._least = -INFINITY  # of what is minimized, if it cannot vary

    # -- variables ---------------------------------------------------------

    def whole(self, low: int, high: int) -> int:
        """Return a new variable that decides."""
        domain = self._model.variables.add().domain
        domain.append(low)
        domain.append(high)
        self._size += 1
        return self._size - 1

    def follow(
        self, low: int, high: int, value: Callable[[Values], int]
    ) -> int:
        """Return a new variable, and say what it is if all others are set."""
        variable = self.whole(low, high)
        self._follows.append((variable, value))
        return variable

    def total(self, of: Sum, most: int) -> int:
        """Return a variable equal to the sum."""
        variable = self.follow(0, most, of.value)
        self.require(Sum().add_sum(of).add(variable, -1), 0, 0)
        return variable

    def presence(self, counts: Sequence[tuple[int, int]]) -> int:
        """Return a literal that is set if any of these is above 0.

        ``counts`` has variables, each with its most. The literal may be set
        without: it has to cost something.
        """
        if any(variable == YES for variable, _ in counts):
            return YES
        if not counts:
            return NO
        if len(counts) == 1 and counts[0][1] == 1:
            return counts[0][0]
        variables = [variable for variable, _ in counts]
        flag = self.follow(
            0, 1, lambda values: int(any(values[v] for v in variables))
        )
        for variable, most in counts:
            self.cover(flag, variable, most)
        return flag

    def cover(self, flag: int, variable: int, most: int) -> None:
        """Have the flag set if the variable (at most ``most``) is above 0."""
        if most == 1:
            self.imply(variable, flag)
        else:
            self.require(Sum().add(variable).add(flag, -most), -INFINITY, 0)

    def touch(self, variable: int, most: int) -> int:
        """Return a literal: whether the variable is above 0, exactly."""
        if most == 1:
            return variable
        flag = self.follow(0, 1, lambda values: int(values[variable] > 0))
        self.cover(flag, variable, most)
        self.require(Sum().add(flag).add(variable, -1), -INFINITY, 0)
        return flag

    def evidence(self, of: Sum) -> int:
        """Return a literal that is not set unless the sum is above 0."""
        if not of.variables:
            return YES if of.constant > 0 else NO
        flag = self.follow(0, 1, lambda values: int(of.value(values) > 0))
        self.require(Sum().add(flag).add_sum(of, -1), -INFINITY, 0)
        return flag

    def excess(self, of: Sum, most: int) -> int:
        """Return a variable that is no less than the sum, nor than 0."""
        variable = self.follow(
            0, most, lambda values: max(0, of.value(values))
        )
        self.require(Sum().add_sum(of).add(variable, -1), -INFINITY, 0)
        return variable

    # -- constraints ---------------------------------------------------------

    def require(self, of: Sum, low: int, high: int) -> None:
        """Have low <= sum <= high; INFINITY: no bound."""
        if not of.variables:
            if not low <= of.constant <= high:
                self.fail()
            return
        linear = self._model.constraints.add().linear
        linear.vars.extend(of.variables)
        linear.coeffs.extend(of.coefficients)
        linear.domain.append(
            -INFINITY if low <= -INFINITY else low - of.constant
        )
        linear.domain.append(
            INFINITY if high >= INFINITY else high - of.constant
        )

    def imply(self, one: int, other: int) -> None:
        """Have the other literal set if the one is."""
        if one in (NO, other) or other == YES:
            return
        if one == YES:
            self.require(Sum().add(other), 1, 1)
        elif other == NO:
            self.require(Sum().add(one), 0, 0)
        else:
            clause = self._model.constraints.add().bool_or.literals
            clause.append(-one - 1)
            clause.append(other)

    def imply_third(self, one: int, other: int, third: int) -> None:
        """Have the third literal set if both others are; none is settled.

        But for the third, which may be NO.
        """
        clause = self._model.constraints.add().bool_or.literals
        clause.extend([-one - 1, -other - 1])
        if third != NO:
            clause.append(third)

    def at_most_one(self, literals: Iterable[int]) -> None:
        left = [literal for literal in literals if literal != NO]
        if YES in left:
            left.remove(YES)
            self.require(self.count(left), 0, 0)
        elif len(left) > 1:
            self._model.constraints.add().at_most_one.literals.extend(left)

    def exactly_one(self, literals: Sequence[int]) -> None:
        if any(literal < 0 for literal in literals) or not literals:
            self.require(self.count(literals), 1, 1)
        else:
            self._model.constraints.add().exactly_one.literals.extend(
                list(literals)
            )

    def fail(self) -> None:
        """Have no solution."""
        self._is_contradictory = True

    @staticmethod
    def count(literals: Iterable[int]) -> Sum:
        total = Sum()
        for literal in literals:
            total.add(literal)
        return total

    # -- search --------------------------------------------------------------

    def minimize(self, of: Sum) -> None:
        self._model.clear_objective()
        self._least = -INFINITY if of.variables else of.constant
        if of.variables:
            self._model.objective.vars.extend(of.variables)
            self._model.objective.coeffs.extend(of.coefficients)
            self._model.objective.offset = of.constant

    def hint(self, decided: Mapping[int, int]) -> None:
        """Begin from here; what follows is filled in. Others count as 0."""
        values = [0] * self._size
        for variable, value in decided.items():
            values[variable] = value
        for variable, value_of in self._follows:
            values[variable] = value_of(values)
        self._model.clear_solution_hint()
        self._model.solution_hint.vars.extend(list(range(self._size)))
        self._model.solution_hint.values.extend(values)

    def search(
        self,
        seconds: float,
        seed: int,
        effort: float | None = None,
        workers: int = 1,
    ) -> Found:
        if self._is_contradictory:
            return Found(model.Verdict.INFEASIBLE)
        if seconds <= 0:
            return Found(model.Verdict.UNKNOWN)
        settings: dict[str, Any] = {'num_workers': workers}
        if workers == 1:
            settings['linearization_level'] = 2
        if effort is not None:
            settings['max_deterministic_time'] = effort
        response = cpsat.solve(self._model, seconds, seed, **settings)
        status, spent = response.status, response.deterministic_time
        if status == cpsat.Status.MODEL_INVALID:
            raise ValueError(cpsat.fault(self._model))
        if status == cpsat.Status.INFEASIBLE:
            return Found(model.Verdict.INFEASIBLE, effort=spent)
        bound = self._least
        if self._model.has_objective():
            bound = math.ceil(response.best_objective_bound - TOLERANCE)
        if status == cpsat.Status.UNKNOWN:
            return Found(model.Verdict.UNKNOWN, (), bound, False, spent)
        return Found(
            model.Verdict.FEASIBLE,
            list(response.solution),
            bound,
            status == cpsat.Status.OPTIMAL,
            spent,
        )
