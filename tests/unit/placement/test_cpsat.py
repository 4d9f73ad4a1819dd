# SPDX-License-Identifier: Apache-2.0
"""CP-SAT is asked without what its own interface takes along."""

import gc
import subprocess
import sys
import time

from heat_vcluster.placement import model
from heat_vcluster.placement.programs import cpsat, linear, program
from tests import base


class CpSatTest(base.TestCase):
    def test_settings_reach_the_solver(self):
        made = cpsat.Model()
        made.variables.add().domain.extend((0, 1))
        found = cpsat.solve(made, 60.0, 1 << 40, num_workers=1)
        self.assertEqual(cpsat.Status.OPTIMAL, found.status)
        found = cpsat.solve(made, 60.0, 0, num_workers=-1)
        self.assertEqual(cpsat.Status.MODEL_INVALID, found.status)

    def test_what_is_no_model_is_told(self):
        made = program.Program()
        made.whole(0, 1 << 62)
        error = self.assertRaises(ValueError, made.search, 60.0, 0)
        self.assertIn('var #0', str(error))

    def test_programs_leave_no_garbage(self):
        whole, counted = program.Program(), linear.Program()
        whole.exactly_one([whole.whole(0, 1), whole.whole(0, 1)])
        counted.total([counted.variables([3])], low=2)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        found = whole.search(60.0, 0)
        self.assertIs(model.Verdict.FEASIBLE, found.verdict)
        outcome = counted.solve(time.monotonic() + 60.0, 0)
        self.assertIs(linear.Status.BEST, outcome.status)
        del whole, counted, found, outcome
        self.assertEqual(0, gc.collect())

    def test_pandas_is_not_taken_along(self):
        ran = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; import heat_vcluster.placement.joint; '
                'print("pandas" in sys.modules)',
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual('False\n', ran.stdout)
