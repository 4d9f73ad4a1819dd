# SPDX-License-Identifier: Apache-2.0
"""The service layer: every verb on plans and clusters, for one tenant."""

from __future__ import annotations

from heat_vcluster.service import creation, plans, snapshots
from heat_vcluster.service.desk import load_stored

__all__ = ('Service', 'load_stored')


class Service(plans.Plans, creation.Creation, snapshots.Snapshots):
    """All verbs; what the front doors share. Safe for many threads.

    ``engine`` carries out what a verb has written down: in this process or
    in others.
    """

    def ping(self) -> None:
        """Raise ServiceUnavailable unless the database answers."""
        self._store.ping()

    def stop(self, timeout: float = 60.0) -> None:
        """Stop the work of this process and wait for it."""
        self.engine.stop(timeout)
        self._store.close()
