# SPDX-License-Identifier: Apache-2.0
"""Many inside, or one alone, and nobody waits in vain."""

import threading

from heat_vcluster import exception
from heat_vcluster.engine import gate
from tests import base


def stop():
    raise exception.Cancelled('no more waiting')


class GateTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.gate = gate.Gate()
        self.said = []

    def begin(self, entry, word):
        """Let another thread enter and say a word inside.

        Return it when it is in, or when it waits.
        """
        is_settled = threading.Event()

        def wait():
            is_settled.set()

        def enter():
            with entry(wait):
                self.said.append(word)
                is_settled.set()

        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        self.assertTrue(is_settled.wait(self.patience))
        return thread

    def test_many_are_inside_at_once(self):
        with self.gate.passing(stop):
            self.begin(self.gate.passing, 'in').join(self.patience)
            self.assertEqual(['in'], self.said)

    def test_alone_is_let_in_when_all_are_out_and_before_others(self):
        with self.gate.passing(stop):
            alone = self.begin(self.gate.alone, 'alone')
            other = self.begin(self.gate.passing, 'other')
            self.assertEqual([], self.said)
        alone.join(self.patience)
        other.join(self.patience)
        self.assertEqual(['alone', 'other'], self.said)

    def test_nobody_is_beside_the_one(self):
        with self.gate.alone(stop):
            for entry in (self.gate.passing, self.gate.alone):
                self.assertRaises(exception.Cancelled, entry(stop).__enter__)

    def test_whoever_gives_up_leaves_the_way_free(self):
        with self.gate.passing(stop):
            self.assertRaises(
                exception.Cancelled, self.gate.alone(stop).__enter__
            )
            with self.gate.passing(stop):
                pass
        with self.gate.alone(stop):
            pass
