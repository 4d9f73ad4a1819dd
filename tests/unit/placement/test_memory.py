# SPDX-License-Identifier: Apache-2.0
"""Memory is given back about large programs, and only about these."""

from heat_vcluster.placement.programs import memory
from tests import base


class MemoryTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.trims = []
        trim = memory._trim

        def counted():
            trim()
            self.trims.append(trim)

        self.patch(memory, '_trim', counted)

    def test_it_is_given_back_before_and_after(self):
        with memory.spared(memory.LARGE):
            self.assertEqual(1, len(self.trims))
        self.assertEqual(2, len(self.trims))

    def test_it_is_given_back_after_a_failure_too(self):
        def fail():
            with memory.spared(memory.LARGE):
                raise MemoryError

        self.assertRaises(MemoryError, fail)
        self.assertEqual(2, len(self.trims))

    def test_small_programs_are_just_solved(self):
        with memory.spared(memory.LARGE - 1):
            pass
        self.assertEqual([], self.trims)
