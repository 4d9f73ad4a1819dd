# SPDX-License-Identifier: Apache-2.0
"""What every test has: a log of its own, and patience."""

import logging
import threading
import time

import fixtures
import testtools

#: Seconds after which something that is waited for will never come. It is
#: long, as the machine may be slow, and costs nothing where all is well.
PATIENCE = 120.0


class TestCase(testtools.TestCase):
    """What is logged is told if the test fails, and only then."""

    patience = PATIENCE

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.FakeLogger(level=logging.INFO))

    def until(self, check, what='it'):
        """Poll until the check is true; return what it gave."""
        give_up = time.monotonic() + self.patience
        while True:
            result = check()
            if result:
                return result
            if time.monotonic() > give_up:
                self.fail(f'waited in vain for {what}')
            time.sleep(0.003)


class SleptTime:
    """A clock of each thread on which only that passes which is slept.

    In the place of a module's ``time`` it makes a timeout a number of
    attempts: a slow machine has as many of them as a fast one.
    """

    def __init__(self, speed=1.0):
        self._speed = speed
        self._slept = threading.local()

    def monotonic(self):
        return getattr(self._slept, 'seconds', 0.0)

    def sleep(self, seconds):
        self._slept.seconds = self.monotonic() + seconds
        time.sleep(seconds / self._speed)
