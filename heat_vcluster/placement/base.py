# SPDX-License-Identifier: Apache-2.0
"""The seam behind which searches change: what a solver promises."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

from heat_vcluster.placement import model

DEFAULT = 'joint'  # the name of the solver that live decisions are made by

# Member -> the flavors it might have instead, each with what it takes.
Choices = Mapping[str, Sequence[tuple[str, Mapping[str, int]]]]


class Solver(abc.ABC):
    """Turns a problem into an answer; pure: no I/O, no cloud, no config.

    * Never an INFEASIBLE without a proof; out of time is UNKNOWN.
    * Every plan obeys all hard rules by the meaning of the checker.
    * Equal problem and seed give an equal answer, time allowing.
    """

    @abc.abstractmethod
    def solve(
        self,
        problem: model.Problem,
        *,
        deadline: float = 10.0,
        seed: int = 0,
        patience: float | None = None,
        explain: bool = True,
        choices: Choices | None = None,
    ) -> model.Answer:
        """Answer within about ``deadline`` seconds.

        ``patience``: seconds that go into making a first plan better; None:
        as the solver sees fit. ``explain``: tell why there is no plan, and
        what would fit instead, ``choices`` among it; this takes some
        seconds more.
        """
