# SPDX-License-Identifier: Apache-2.0
"""CP-SAT, by what its own interface in Python stands on.

That interface takes pandas along, which nobody here needs: 40 MB of each
process. And its models refer to themselves: each would stay, tens of
megabytes of it, until garbage is collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ortools.sat.python import cp_model_helper

Model: TypeAlias = cp_model_helper.CpModelProto
Response: TypeAlias = cp_model_helper.CpSolverResponse
Status: TypeAlias = cp_model_helper.CpSolverStatus

NEVER = -(1 << 63), (1 << 63) - 1  # no bound, below and above
SEEDS = 1 << 31


def solve(
    model: Model,
    seconds: float,
    seed: int,
    subsolvers: Sequence[str] = (),
    **settings: Any,
) -> Response:
    """Solve a model; ``settings`` are those of ``SatParameters``.

    ``subsolvers`` names those to run side by side.
    """
    parameters = cp_model_helper.SatParameters()
    parameters.max_time_in_seconds = seconds
    parameters.random_seed = seed % SEEDS
    # It would end this search alone, and the process would not hear of it.
    parameters.catch_sigint_signal = False
    parameters.subsolvers.extend(subsolvers)
    for name, value in settings.items():
        setattr(parameters, name, value)
    solver: Any = cp_model_helper.SolveWrapper()
    solver.set_parameters(parameters)
    response: Response = solver.solve(model)
    return response


def fault(model: Model) -> str:
    """Say what is wrong with a model whose status is MODEL_INVALID."""
    return str(cp_model_helper.CpSatHelper.validate_model(model))
