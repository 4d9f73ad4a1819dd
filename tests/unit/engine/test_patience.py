# SPDX-License-Identifier: Apache-2.0
"""How long a store that is away is borne with."""

import threading

from heat_vcluster import exception
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import patience
from tests import base


class Store:
    """Away for the first so many calls."""

    def __init__(self, away):
        self.away = away
        self.asked = 0

    def tell(self, *news, **more):
        self.asked += 1
        if self.asked <= self.away:
            raise exception.ServiceUnavailable('It does not answer')
        if not news:
            raise exception.IllegalMove('of nothing')
        return news, more


class PatienceTest(base.TestCase):
    def bear(self, away, lease_seconds=60.0):
        self.store = Store(away)
        self.is_lost = threading.Event()
        settings = engine_base.Settings(
            poll_interval=0.001, lease_seconds=lease_seconds
        )
        return patience.bear(self.store, self.is_lost, settings)

    def test_one_that_comes_back_is_not_noticed(self):
        told = self.bear(away=3).tell('a', kind='b')
        self.assertEqual((('a',), {'kind': 'b'}), told)
        self.assertEqual(4, self.store.asked)

    def test_other_errors_are_told_at_once(self):
        self.assertRaises(exception.IllegalMove, self.bear(away=1).tell)
        self.assertEqual(2, self.store.asked)

    def test_lost_lease_ends_it(self):
        patient = self.bear(away=10**9)
        self.is_lost.set()
        self.assertRaises(exception.LeaseLost, patient.tell, 'a')
        self.assertEqual(1, self.store.asked)

    def test_what_fails_for_ever_is_not_away(self):
        patient = self.bear(away=10**9, lease_seconds=0.01)
        self.assertRaises(exception.ServiceUnavailable, patient.tell, 'a')
        self.assertFalse(self.is_lost.is_set())
