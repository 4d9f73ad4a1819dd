# SPDX-License-Identifier: Apache-2.0
"""Who carries out what the records say: this process, or others."""

from __future__ import annotations

import abc

from heat_vcluster import context as ctx


class Work(abc.ABC):
    """Is told of clusters whose record has changed, and does what is due.

    What is due stands in the record alone (see ``db.records``): a cluster
    that nobody is told of is found by those who ``watch``.
    """

    #: Whether work is done later, or elsewhere: by a trust, as there is no
    #: token then.
    needs_trust: bool = False

    @abc.abstractmethod
    def check_open(self) -> None:
        """Raise ClusterBusy if nothing is begun any more."""

    @abc.abstractmethod
    def begin(self, cluster_id: str, context: ctx.Context) -> None:
        """Have done what the record says, and return at once.

        For a new cluster, one whose plan was claimed, and one that is not
        wanted any more. Repeating is harmless.
        """

    @abc.abstractmethod
    def hurry(self, cluster_id: str) -> None:
        """Have work on a cluster that is not wanted stop right now."""

    @abc.abstractmethod
    def hold(self, cluster_id: str, context: ctx.Context) -> None:
        """Hold the room for a recorded plan; it is HELD on return.

        What cannot be held is DELETED on return and raises: as the planner
        does (NoValidPlacement, ...), ReservationConflict, CloudError.
        """

    @abc.abstractmethod
    def release(self, cluster_id: str) -> None:
        """Give back the room of a held plan that is not wanted any more."""

    @abc.abstractmethod
    def join(self, cluster_id: str, timeout: float | None = None) -> None:
        """Wait until nothing is done about the cluster in this process."""

    @abc.abstractmethod
    def watch(self) -> None:
        """Look after what others have left, from now on."""

    @abc.abstractmethod
    def stop(self, timeout: float = 60.0) -> None:
        """Begin nothing more, and wait for what runs to come to a stop."""
