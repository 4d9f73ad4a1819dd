# SPDX-License-Identifier: Apache-2.0
"""Hands clusters over to engines in other processes, by a jobboard."""

from __future__ import annotations

import logging

from heat_vcluster import context as ctx
from heat_vcluster import exception
from heat_vcluster.engine import engine, jobs, work

LOG = logging.getLogger(__name__)


class Board(work.Work):
    """Asks others to build and remove; holds plans by itself.

    The record comes first: a request that does not reach the board is found
    by the engines that watch, a little later.
    """

    needs_trust = True

    def __init__(self, here: engine.Engine, board: jobs.Jobs) -> None:
        self._here = here
        self._board = board

    def check_open(self) -> None:
        self._here.check_open()

    def begin(self, cluster_id: str, context: ctx.Context) -> None:
        self.check_open()
        try:
            self._board.post(cluster_id, context.request_id)
        except exception.ServiceUnavailable:
            LOG.warning(
                'Cluster %s waits for an engine to find it', cluster_id
            )

    def hurry(self, cluster_id: str) -> None:
        """Engines read it in the store, a second later."""

    def hold(self, cluster_id: str, context: ctx.Context) -> None:
        self._here.hold(cluster_id, context)

    def release(self, cluster_id: str) -> None:
        self._here.release(cluster_id)

    def join(self, cluster_id: str, timeout: float | None = None) -> None:
        self._here.join(cluster_id, timeout)

    def watch(self) -> None:
        """The engines do that."""

    def stop(self, timeout: float = 60.0) -> None:
        self._here.stop(timeout)
        self._board.close()
