# SPDX-License-Identifier: Apache-2.0
"""What a move has to know of places, and when work has to stop."""

import threading
import time

import testtools

from heat_vcluster import exception
from heat_vcluster.engine import build, lease
from heat_vcluster.placement import model
from tests import base


def host(name, free):
    return model.Host(name, {'rack': 'r'}, {'VCPU': free}, {'VCPU': 8})


def pool(name, free):
    return model.Pool(name, free, None, {'rack': 'r'})


class MergeTest(testtools.TestCase):
    before = model.Snapshot(
        ('rack',),
        (host('a', 4), host('b', 4)),
        (pool('p', 10), pool('q', 10)),
    )

    def test_places_that_are_missing_now_are_there_and_full(self):
        fresh = model.Snapshot(('rack',), (host('a', 3),), (pool('q', 9),))
        merged = build.merge(fresh, self.before)
        self.assertEqual((host('a', 3), host('b', 0)), merged.hosts)
        self.assertEqual((pool('q', 9), pool('p', 0)), merged.pools)

    def test_fresh_reading_counts(self):
        fresh = model.Snapshot(
            ('rack',),
            (host('a', 1), host('b', 2), host('c', 3)),
            self.before.pools,
        )
        self.assertEqual(fresh, build.merge(fresh, self.before))


class WithoutTest(testtools.TestCase):
    snapshot = model.Snapshot(('rack',), (host('a', 1), host('b', 1)), ())

    def test_tried_places_are_barred(self):
        demand = model.ServerDemand(
            'm', {'VCPU': 1}, frozenset({'a', 'b', 'c'})
        )
        barred = build.without(demand, self.snapshot, frozenset({'b'}))
        self.assertEqual({'a', 'c'}, barred.candidates)

    def test_anywhere_means_anywhere_else(self):
        demand = model.ServerDemand('m', {'VCPU': 1})
        barred = build.without(demand, self.snapshot, frozenset({'b'}))
        self.assertEqual({'a'}, barred.candidates)


class SignalTest(base.TestCase):
    def test_first_reason_stays(self):
        signal = lease.Signal(float('inf'))
        signal.check()
        signal.stop(exception.Cancelled('first'))
        signal.stop(exception.Cancelled('second'))
        stopped = self.assertRaises(exception.Cancelled, signal.check)
        self.assertEqual('first', str(stopped))
        self.assertEqual('first', str(signal.reason))

    def test_time_that_runs_out_is_a_reason(self):
        signal = lease.Signal(time.monotonic() - 1)
        self.assertRaises(exception.Cancelled, signal.check)
        self.assertIsInstance(signal.reason, exception.TimedOut)

    def test_reason_wakes_the_sleeper(self):
        signal = lease.Signal(float('inf'))
        signal.stop(exception.Cancelled('now'))
        sleeper = threading.Thread(
            target=signal.sleep, args=(2 * self.patience,), daemon=True
        )
        sleeper.start()
        sleeper.join(self.patience)
        self.assertFalse(sleeper.is_alive())
