# SPDX-License-Identifier: Apache-2.0
"""How hard a service may be pressed: how much at once, how soon again."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import random
import threading
import time
from collections.abc import Iterator, Mapping

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0


class Turns:
    """So many requests to each service at a time, over all tenants.

    ``at_once`` maps a service's name to its number; one that is not named
    has no bound. Waiting for a turn counts to no request's time.
    """

    def __init__(self, at_once: Mapping[str, int]) -> None:
        self._gates = {
            name: threading.BoundedSemaphore(number)
            for name, number in at_once.items()
        }

    @contextlib.contextmanager
    def turn(self, service: str) -> Iterator[None]:
        with self._gates.get(service, contextlib.nullcontext()):
            yield


class Patience:
    """Waits before each further attempt, until it is used up.

    Pauses grow, and are drawn by lot: those who were refused together must
    not come back together. ``seconds`` bounds their sum, whatever time the
    attempts take themselves.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._pause = FIRST_PAUSE

    def wait(self, at_least: float = 0.0) -> bool:
        """Wait, and tell True; at once False if it would be too long."""
        drawn = self._pause * random.uniform(0.5, 1.0)  # noqa: S311
        # Told a moment, all would come back at it: so a little later.
        pause = at_least + drawn
        if pause > self._left:
            return False
        self._left -= pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        time.sleep(pause)
        return True


def retry_after(value: str | None) -> float:
    """Read a Retry-After header: seconds to stay away, 0.0 if not told.

    It is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    if value is None:
        return 0.0
    try:
        return max(0.0, float(int(value)))
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if until.tzinfo is None:  # "-0000": in UTC, of an unknown zone
        until = until.replace(tzinfo=datetime.UTC)
    left = until - datetime.datetime.now(datetime.UTC)
    return max(0.0, left.total_seconds())
