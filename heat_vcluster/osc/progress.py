# SPDX-License-Identifier: Apache-2.0
"""Tells on standard error how it goes on while somebody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

PATIENCE = 2.0  # seconds before the first word
READY = 'ACTIVE'


class Progress:
    """Entered for as long as a command runs.

    Whatever keeps it waiting, it says so after ``PATIENCE`` seconds, and
    again after ever longer times, unless something else was told.
    """

    def __init__(self, stream: TextIO, *, is_quiet: bool = False) -> None:
        self._stream = stream
        self._is_quiet = is_quiet
        self._began = time.monotonic()
        self._what = 'waiting for the service'
        self._cluster_id: str | None = None
        self._told: dict[str, str] = {}  # member -> its status
        self._was_told = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._remind, daemon=True)

    def __enter__(self) -> None:
        if not self._is_quiet:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if not self._is_quiet:
            self._thread.join()

    def doing(self, what: str) -> None:
        """Say what the waiting is for, should it become long."""
        self._what = what

    def tell(self, line: str) -> None:
        self._was_told = True
        self._write(line)

    def tell_cluster(self, view: Mapping[str, Any]) -> None:
        """Tell what changed of a cluster and its members since last time."""
        members = view['members']
        if view['id'] != self._cluster_id:
            self._cluster_id = view['id']
            self._told.clear()
            self.tell(f'cluster {view["id"]}')
        ready = sum(m['status'] == READY for m in members.values())
        count = f'{ready} of {len(members)} members are {READY}'
        self.doing(f'{view["status"]}, {count}')
        for name, member in members.items():
            if self._told.get(name) != member['status']:
                self._told[name] = member['status']
                reason = f': {member["reason"]}' if member['reason'] else ''
                self.tell(f'{name} is {member["status"]}{reason}')

    def _write(self, line: str) -> None:
        if not self._is_quiet:
            print(line, file=self._stream, flush=True)

    def _remind(self) -> None:
        wait = PATIENCE
        while not self._is_over.wait(wait):
            if self._was_told:
                self._was_told = False
                wait = PATIENCE
                continue
            seconds = round(time.monotonic() - self._began)
            self._write(f'{self._what}, {seconds} s')
            wait *= 2
