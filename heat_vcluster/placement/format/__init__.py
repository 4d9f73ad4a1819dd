# SPDX-License-Identifier: Apache-2.0
"""Problems and plans as documents: vcluster-problem/1, vcluster-plan/1.

The documents are plain objects as ``json`` reads and writes them; files and
compression are the caller's.
"""

from __future__ import annotations

from heat_vcluster.placement.format.faults import BadProblem, Fault
from heat_vcluster.placement.format.plans import plan_from, plan_of
from heat_vcluster.placement.format.problems import problem_from, problem_of

__all__ = [
    'BadProblem',
    'Fault',
    'plan_from',
    'plan_of',
    'problem_from',
    'problem_of',
]
