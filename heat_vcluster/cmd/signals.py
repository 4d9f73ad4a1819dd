# SPDX-License-Identifier: Apache-2.0
"""How a process hears that it is to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

#: A signal that comes right before a thread goes to sleep does not wake it.
AWAKE_SECONDS = 0.5
STOP = (signal.SIGTERM, signal.SIGINT)


def heard() -> threading.Event:
    """Return an event that the first signal sets; a second one kills.

    To be called in the main thread.
    """
    told = threading.Event()

    def hear(number: int, frame: Any) -> None:
        for each in STOP:
            signal.signal(each, signal.SIG_DFL)
        told.set()

    for each in STOP:
        signal.signal(each, hear)
    return told


def wait(told: threading.Event) -> None:
    """Sleep until a signal has come, at whichever moment it does."""
    while not told.wait(AWAKE_SECONDS):
        pass
