# SPDX-License-Identifier: Apache-2.0
"""Linear programs over whole numbers, written down fast and solved exactly.

Written straight into the solver's own format: half a million terms take a
second here, and ten as expressions. CP-SAT reckons in whole numbers, so what
it calls infeasible is, and its bounds hold.
"""

from __future__ import annotations

import array
import dataclasses
import datetime
import enum
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt

from heat_vcluster.placement.columns import Floats, Ints
from heat_vcluster.placement.programs import cpsat, memory

MARGIN = 1e-3  # by which a bound in floating point may be wrong
NEVER = cpsat.NEVER
LARGEST = 40_000  # variables for branch and cut: more take gigabytes


class Status(enum.Enum):
    BEST = enum.auto()  # solved, and nothing is better
    FOUND = enum.auto()
    NONE = enum.auto()  # proven: there is no solution
    UNKNOWN = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """``values`` by variable, where solved; ``bound`` of the objective."""

    status: Status
    values: Ints | None = None
    objective: int = 0
    bound: int = 0


# What is said where nothing was looked for, or nothing came of it.
UNSOLVED = Outcome(Status.UNKNOWN)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """The program in real numbers: no solution is below ``bound``.

    ``values`` by variable, in floating point; None: time ran out.
    """

    bound: int
    values: Floats | None


_STATUS = {
    cpsat.Status.OPTIMAL: Status.BEST,
    cpsat.Status.FEASIBLE: Status.FOUND,
    cpsat.Status.INFEASIBLE: Status.NONE,
}


class Program:
    """Variables are numbers; rows are sums of them within bounds."""

    def __init__(self) -> None:
        self._model = cpsat.Model()
        self.n_variables = 0
        self.n_rows = 0
        # Machine words: there may be millions.
        self._columns = array.array('q')
        self._factors = array.array('q')
        self._ends: list[int] = [0]
        self._bounds: list[tuple[int, int]] = []
        self._highest: list[int] = []
        self._hints: dict[int, int] = {}
        self._terms: tuple[list[int], list[int]] = ([], [])

    def variables(self, highest: Iterable[int]) -> int:
        """Add one, from 0 on, for each upper bound; return the first."""
        first = self.n_variables
        add = self._model.variables.add
        for high in highest:
            add().domain.extend((0, high))
            self._highest.append(high)
        self.n_variables = len(self._highest)
        return first

    def row(
        self,
        numbers: Sequence[int],
        factors: Sequence[int],
        low: int = NEVER[0],
        high: int = NEVER[1],
    ) -> None:
        linear = self._model.constraints.add().linear
        linear.vars.extend(numbers)
        linear.coeffs.extend(factors)
        linear.domain.extend((low, high))
        self._columns.extend(numbers)
        self._factors.extend(factors)
        self._ends.append(len(self._columns))
        self._bounds.append((low, high))
        self.n_rows += 1

    def total(
        self, numbers: Sequence[int], low: int = NEVER[0], high: int = NEVER[1]
    ) -> None:
        """Add the row of the plain sum."""
        self.row(numbers, [1] * len(numbers), low, high)

    def minimise(self, numbers: Sequence[int], factors: Sequence[int]) -> None:
        self._terms = list(numbers), list(factors)
        objective = self._model.objective
        objective.vars.extend(numbers)
        objective.coeffs.extend(factors)

    def hint(self, numbers: Iterable[int], values: Iterable[int]) -> None:
        self._hints.update(zip(numbers, values, strict=True))

    def solve(
        self, deadline: float, seed: int, *subsolvers: str, **more: Any
    ) -> Outcome:
        """Solve until ``deadline`` (as of ``time.monotonic``).

        ``subsolvers`` names those to run side by side, a worker each; none
        named: one worker that cuts much. What CP-SAT runs by itself on few
        cores fails at mere pigeonholes.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            return UNSOLVED
        if self._hints:
            hint = self._model.solution_hint
            hint.vars.extend(list(self._hints))
            hint.values.extend(list(self._hints.values()))
            self._hints = {}
        settings: dict[str, Any] = {'symmetry_level': 2}
        if subsolvers:
            settings['num_workers'] = len(subsolvers)
        else:
            settings.update(num_workers=1, linearization_level=2)
        with memory.spared(len(self._columns)):
            response = cpsat.solve(
                self._model, left, seed, subsolvers, **settings | more
            )
        found = _STATUS.get(response.status, Status.UNKNOWN)
        bound = 0
        if self._terms[0] and found is not Status.NONE:
            bound = _whole(response.best_objective_bound)
        if found not in (Status.BEST, Status.FOUND):
            return Outcome(found, bound=bound)
        values = np.array(response.solution, np.int64)
        return Outcome(found, values, self._worth(values), bound)

    # -- by a solver in floating point ---------------------------------------

    def seek(self, deadline: float, seed: int) -> Outcome:
        """Look for a good solution, in floating point.

        By branch and cut (HiGHS), which finds what CP-SAT does not where
        many rows must be just full. What it finds is checked in whole
        numbers; that it finds nothing proves nothing, and its bound is taken
        with a margin. Beyond ``LARGEST`` nothing is looked for.
        """
        left = deadline - time.monotonic()
        if left <= 0 or self.n_variables > LARGEST:
            return UNSOLVED
        with memory.spared(len(self._columns)):
            result = mathopt.solve(
                mathopt.Model.from_model_proto(self._floating()),
                mathopt.SolverType.HIGHS,
                params=mathopt.SolveParameters(
                    time_limit=datetime.timedelta(seconds=left),
                    random_seed=seed,
                    relative_gap_tolerance=0.0,
                ),
            )
        bound = 0
        if self._terms[0]:
            bound = _whole(result.dual_bound() - MARGIN)
        if not result.has_primal_feasible_solution():
            return Outcome(Status.UNKNOWN, bound=bound)
        found = result.variable_values()
        values = np.zeros(self.n_variables, np.int64)
        for variable, value in found.items():
            values[variable.id] = round(value)
        if not self._is_solved(values):
            return Outcome(Status.UNKNOWN, bound=bound)
        objective = self._worth(values)
        best = bool(self._terms[0]) and objective <= bound
        status = Status.BEST if best else Status.FOUND
        return Outcome(status, values, objective, bound)

    def relax(self, deadline: float) -> Relaxed:
        """Solve the program in real numbers, and prove a bound by that.

        A solver in floating point gives each row a price. Whatever these
        are, so much is proven by them: all sides of rows at their prices,
        and of each variable the least that it can add to that. What the
        sum may be wrong by is taken off.
        """
        prices, values = self._prices(deadline)
        lows, highs = np.array(self._bounds, np.float64).reshape(-1, 2).T
        sides = np.where(prices > 0, lows, highs)
        prices[np.isin(sides, NEVER)] = 0.0
        columns = np.frombuffer(self._columns, np.int64)
        terms = np.frombuffer(self._factors, np.int64) * prices[self._row_of()]
        numbers, factors = self._terms
        costs = np.bincount(
            np.array(numbers, np.int64), factors, minlength=self.n_variables
        )
        highest = np.array(self._highest, np.float64)
        paid = np.bincount(columns, terms, minlength=self.n_variables)
        found = prices @ sides + np.minimum(costs - paid, 0.0) @ highest
        everything = np.abs(prices) @ np.abs(sides) + highest @ (
            np.abs(costs)
            + np.bincount(columns, np.abs(terms), minlength=self.n_variables)
        )
        most = len(columns) + self.n_rows + self.n_variables
        error = everything * most * np.finfo(np.float64).eps
        return Relaxed(max(0, int(np.ceil(found - error))), values)

    def _prices(self, deadline: float) -> tuple[Floats, Floats | None]:
        """Return a price for each row, 0 where time did not do, and values."""
        prices = np.zeros(self.n_rows)
        left = deadline - time.monotonic()
        if left <= 0:
            return prices, None
        made = self._floating()
        made.variables.integers[:] = [False] * self.n_variables
        with memory.spared(len(self._columns)):
            result = mathopt.solve(
                mathopt.Model.from_model_proto(made),
                mathopt.SolverType.GLOP,
                params=mathopt.SolveParameters(
                    time_limit=datetime.timedelta(seconds=left)
                ),
            )
        if result.has_dual_feasible_solution():
            for row, price in result.dual_values().items():
                prices[row.id] = price
        if not result.has_primal_feasible_solution():
            return prices, None
        values = np.zeros(self.n_variables)
        for variable, value in result.variable_values().items():
            values[variable.id] = value
        return prices, values

    def _floating(self) -> model_pb2.ModelProto:
        made = model_pb2.ModelProto()
        n = self.n_variables
        made.variables.ids.extend(range(n))
        made.variables.lower_bounds.extend([0.0] * n)
        made.variables.upper_bounds.extend(map(float, self._highest))
        made.variables.integers.extend([True] * n)
        rows = made.linear_constraints
        rows.ids.extend(range(self.n_rows))
        endless = float('inf')
        rows.lower_bounds.extend(
            -endless if low == NEVER[0] else float(low)
            for low, _ in self._bounds
        )
        rows.upper_bounds.extend(
            endless if high == NEVER[1] else float(high)
            for _, high in self._bounds
        )
        # A variable may be in a row several times; here it must not.
        places = self._row_of() * n + np.frombuffer(self._columns, np.int64)
        cells, where = np.unique(places, return_inverse=True)
        factors = np.bincount(where, self._factors, minlength=len(cells))
        matrix = made.linear_constraint_matrix
        matrix.row_ids.extend((cells // max(n, 1)).tolist())
        matrix.column_ids.extend((cells % max(n, 1)).tolist())
        matrix.coefficients.extend(factors.tolist())
        wanted: dict[int, int] = {}
        for number, factor in zip(*self._terms, strict=True):
            wanted[number] = wanted.get(number, 0) + factor
        terms = made.objective.linear_coefficients
        terms.ids.extend(sorted(wanted))
        terms.values.extend(float(wanted[v]) for v in sorted(wanted))
        return made

    def _row_of(self) -> Ints:
        return np.repeat(
            np.arange(self.n_rows, dtype=np.int64), np.diff(self._ends)
        )

    def _is_solved(self, values: Ints) -> bool:
        columns = np.frombuffer(self._columns, np.int64)
        terms = np.frombuffer(self._factors, np.int64) * values[columns]
        sums = np.zeros(self.n_rows, np.int64)
        np.add.at(sums, self._row_of(), terms)
        bounds = np.array(self._bounds, np.int64).reshape(-1, 2)
        return bool(
            np.all(values >= 0)
            and np.all(values <= np.array(self._highest, np.int64))
            and np.all(sums >= bounds[:, 0])
            and np.all(sums <= bounds[:, 1])
        )

    def _worth(self, values: Ints) -> int:
        numbers, factors = self._terms
        chosen = values[np.array(numbers, np.int64)]
        return int(chosen @ np.array(factors, np.int64))


def _whole(bound: float) -> int:
    """Return the whole number that a bound on whole numbers says.

    CP-SAT's bounds are whole already, told as floats.
    """
    return max(0, int(np.ceil(bound - 1e-6))) if abs(bound) < 1e15 else 0
