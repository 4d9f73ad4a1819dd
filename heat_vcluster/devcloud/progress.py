# SPDX-License-Identifier: Apache-2.0
"""What the user sees while the cloud comes up: phases and their seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO


class Progress:
    """Prints one line per event, each with the seconds since the start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        with self._lock:
            print(f'[{self.seconds:5.1f} s] {text}', file=self._stream)
            self._stream.flush()

    def note(self, text: str) -> None:
        """A step inside of a phase."""
        self.say(f'  {text}')

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        self.say(f'{name} ...')
        yield
        self.say(f'{name}: {time.monotonic() - begin:.1f} s')
