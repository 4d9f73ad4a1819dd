# SPDX-License-Identifier: Apache-2.0
"""Linear programs over whole numbers, written down fast and solved exactly.

Written straight into the solver's own format: half a million terms take a
second here, and ten as expressions. CP-SAT reckons in whole numbers, so what
it calls infeasible is, and its bounds hold.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Iterable, Sequence

import numpy as np
from ortools.sat.python import cp_model

from heat_vcluster.placement.columns import Ints

NEVER = cp_model.INT_MIN, cp_model.INT_MAX  # no bound, below and above


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


_STATUS = {
    cp_model.OPTIMAL: Status.BEST,
    cp_model.FEASIBLE: Status.FOUND,
    cp_model.INFEASIBLE: Status.NONE,
}


class Program:
    """Variables are numbers; rows are sums of them within bounds."""

    def __init__(self) -> None:
        self._model = cp_model.CpModel()
        self._proto = self._model.proto
        self.n_variables = 0
        self.n_rows = 0
        self._hints: dict[int, int] = {}
        self._terms: tuple[list[int], list[int]] = ([], [])

    def variables(self, highest: Iterable[int], lowest: int = 0) -> int:
        """Add one for each upper bound; return the number of the first."""
        first = self.n_variables
        add = self._proto.variables.add
        for high in highest:
            add().domain.extend((lowest, high))
            self.n_variables += 1
        return first

    def row(
        self,
        numbers: Sequence[int],
        factors: Sequence[int],
        low: int = NEVER[0],
        high: int = NEVER[1],
    ) -> None:
        linear = self._proto.constraints.add().linear
        linear.vars.extend(numbers)
        linear.coeffs.extend(factors)
        linear.domain.extend((low, high))
        self.n_rows += 1

    def total(
        self, numbers: Sequence[int], low: int = NEVER[0], high: int = NEVER[1]
    ) -> None:
        """Add the row of the plain sum."""
        self.row(numbers, [1] * len(numbers), low, high)

    def minimise(self, numbers: Sequence[int], factors: Sequence[int]) -> None:
        self._terms = list(numbers), list(factors)
        objective = self._proto.objective
        objective.vars.extend(numbers)
        objective.coeffs.extend(factors)

    def hint(self, numbers: Iterable[int], values: Iterable[int]) -> None:
        self._hints.update(zip(numbers, values, strict=True))

    def solve(
        self, deadline: float, seed: int, *subsolvers: str, **more: object
    ) -> Outcome:
        """Solve until ``deadline`` (as of ``time.monotonic``).

        ``subsolvers`` names those to run side by side, a worker each; none
        named: one worker that cuts much. What CP-SAT runs by itself on few
        cores fails at mere pigeonholes.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            return Outcome(Status.UNKNOWN)
        if self._hints:
            hint = self._proto.solution_hint
            hint.vars.extend(list(self._hints))
            hint.values.extend(list(self._hints.values()))
            self._hints = {}
        solver = cp_model.CpSolver()
        settings = solver.parameters
        settings.max_time_in_seconds = left
        settings.random_seed = seed
        settings.symmetry_level = 2
        if subsolvers:
            settings.subsolvers.extend(subsolvers)
            settings.num_workers = len(subsolvers)
        else:
            settings.num_workers = 1
            settings.linearization_level = 2
        for name, value in more.items():
            setattr(settings, name, value)
        status = solver.solve(self._model)
        found = _STATUS.get(status, Status.UNKNOWN)
        bound = 0
        if self._terms[0] and found is not Status.NONE:
            bound = _whole(solver.best_objective_bound)
        if found not in (Status.BEST, Status.FOUND):
            return Outcome(found, bound=bound)
        values = np.array(solver.response_proto.solution, np.int64)
        objective = int(
            sum(
                int(values[n]) * f
                for n, f in zip(*self._terms, strict=True)
            )
        )
        return Outcome(found, values, objective, bound)


def _whole(bound: float) -> int:
    """Return the whole number that a bound on whole numbers says.

    CP-SAT's bounds are whole already, told as floats.
    """
    return max(0, int(np.ceil(bound - 1e-6))) if bound > -1e15 else 0
