# SPDX-License-Identifier: Apache-2.0
"""One thread for each verb on each cluster, and the one asked for late."""

import threading

from heat_vcluster import exception
from heat_vcluster.engine import background
from tests import base

KEY = ('delete', 'cluster')


class BackgroundTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.background = background.Background()
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)
        self.entered = threading.Semaphore(0)
        self.runs = 0

    def work(self, has_begun):
        self.runs += 1
        has_begun.set()
        self.entered.release()
        self.gate.wait(self.patience)

    def begin(self, again=False, key=KEY, work=None):
        return self.background.begin(key, work or self.work, again)

    def end(self):
        self.gate.set()
        self.background.join(timeout=self.patience)

    def test_same_work_is_not_begun_twice(self):
        first = self.begin()
        self.assertTrue(self.entered.acquire(timeout=self.patience))
        self.assertIs(first, self.begin())
        self.end()
        self.assertEqual(1, self.runs)

    def test_work_asked_for_again_is_done_once_more(self):
        self.begin()
        self.assertTrue(self.entered.acquire(timeout=self.patience))
        second = self.begin(again=True)
        self.assertIs(second, self.begin(again=True))
        self.assertFalse(second.is_set())
        self.end()
        self.assertTrue(second.is_set())
        self.assertEqual(2, self.runs)

    def test_other_clusters_and_verbs_have_threads_of_their_own(self):
        for key in (KEY, ('create', 'cluster'), ('delete', 'other')):
            self.begin(key=key)
            self.assertTrue(self.entered.acquire(timeout=self.patience))
        self.assertEqual(2, len(self.background.threads('cluster')))
        self.assertEqual(3, len(self.background.threads()))
        self.end()
        self.assertEqual([], self.background.threads())

    def test_whoever_waits_hears_of_work_that_fails(self):
        for error in (
            exception.ClusterBusy('busy'),
            exception.LeaseLost('lost'),
            KeyError('defect'),
        ):

            def fail(has_begun, error=error):
                raise error

            has_begun = self.begin(work=fail)
            self.assertTrue(has_begun.wait(self.patience))
            self.background.join(timeout=self.patience)
            self.assertEqual([], self.background.threads())
        self.begin()
        self.end()
        self.assertEqual(1, self.runs)

    def test_join_gives_up(self):
        self.begin()
        self.background.join('other')
        self.background.join('cluster', timeout=0.01)
        self.assertEqual(1, len(self.background.threads()))

    def test_nobody_finds_a_thread_that_is_not_started(self):
        """It cannot be waited for: whoever stops the engine would fail."""
        found = []

        class Thread(threading.Thread):
            def start(thread):
                found.extend(self.background._running)
                super().start()

        self.patch(threading, 'Thread', Thread)
        self.begin()
        self.assertEqual([], found)
        self.assertEqual(1, len(self.background.threads()))
        self.end()
