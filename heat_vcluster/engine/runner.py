# SPDX-License-Identifier: Apache-2.0
"""Runs graphs, all in the one thread pool of a process."""

from __future__ import annotations

import threading
from typing import Any

import futurist

from heat_vcluster.engine import graphs
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.listener import Recorder


class Runner:
    """The pool is made at the first graph: a process may fork before."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._pool: Any = None

    def run(self, flow: Any, build: Build | None = None) -> None:
        """Run a graph; that of a build with all that happens recorded."""
        with self._lock:
            if self._pool is None:
                self._pool = futurist.ThreadPoolExecutor(
                    max_workers=self._threads
                )
        engine = graphs.load(flow, self._pool)
        if build is None:
            engine.run()
            return
        with Recorder(engine, build) as recorder:
            try:
                for _ in engine.run_iter():
                    recorder.flush()
            finally:
                recorder.flush()

    def stop(self) -> None:
        """Begin no further task; those that run are not waited for."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False)
