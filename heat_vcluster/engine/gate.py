# SPDX-License-Identifier: Apache-2.0
"""A gate that many pass at once, or one alone: hand-overs and moves.

While a member is between hold and claim its room looks free. A move that
is planned in that moment could take it from a peer of its own cluster.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

#: Seconds between two looks whether there is a reason to stop waiting.
PAUSE = 0.2


class Gate:
    """``check`` is called while one waits; what it raises ends that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_taken = False

    @contextlib.contextmanager
    def passing(self, check: Callable[[], None]) -> Iterator[None]:
        """Be inside with others; whoever wants it alone is let in first."""
        with self._changed:
            while self._is_taken:
                check()
                self._changed.wait(PAUSE)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self, check: Callable[[], None]) -> Iterator[None]:
        """Be inside with nobody else."""
        with self._changed:
            while self._is_taken:
                check()
                self._changed.wait(PAUSE)
            self._is_taken = True
        try:
            self._await_empty(check)
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _await_empty(self, check: Callable[[], None]) -> None:
        with self._changed:
            while self._inside:
                check()
                self._changed.wait(PAUSE)
