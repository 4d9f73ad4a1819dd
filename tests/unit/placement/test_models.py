# SPDX-License-Identifier: Apache-2.0
"""Models of CP-SAT are gone once nobody has them."""

import gc
import weakref

from ortools.sat.python import cp_model

from heat_vcluster.placement.programs import linear, models, program
from tests import base


class ModelsTest(base.TestCase):
    def setUp(self):
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    def test_they_are_gone_with_the_last_reference(self):
        for make in models.empty, linear.Program, program.Program:
            with self.subTest(make=make):
                made = make()
                model = weakref.ref(getattr(made, '_model', made))
                self.assertIsNotNone(model())
                del made
                self.assertIsNone(model())

    def test_they_are_solved_like_any(self):
        model = models.empty()
        number = model.new_int_var(0, 9, 'number')
        model.add(2 * number <= 7)
        model.maximize(number)
        solver = cp_model.CpSolver()
        self.assertEqual(cp_model.OPTIMAL, solver.solve(model))
        self.assertEqual(3, solver.value(number))
