# SPDX-License-Identifier: Apache-2.0
"""The seam behind which searches change: what a solver promises."""

from __future__ import annotations

import abc

from heat_vcluster.placement import model

# The entry point of the one that is used unless another is named.
DEFAULT = 'joint'


class Solver(abc.ABC):
    """Turns a problem into an answer; pure: no I/O, no cloud, no config.

    * Never an INFEASIBLE without a proof; out of time is UNKNOWN.
    * Every plan obeys all hard rules by the meaning of the checker.
    * Equal problem and seed give an equal answer, time allowing.
    """

    @abc.abstractmethod
    def solve(
        self, problem: model.Problem, *, deadline: float = 10.0, seed: int = 0
    ) -> model.Answer:
        """Answer within about ``deadline`` seconds."""
