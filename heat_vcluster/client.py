# SPDX-License-Identifier: Apache-2.0
"""The verbs every front door speaks, wherever the service may run."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

View = dict[str, Any]


class Client(abc.ABC):
    """One tenant's access to the service; answers are views.

    A *cluster view* is made by :mod:`heat_vcluster.views`: ``id``, ``name``,
    ``status``, ``status_reason``, ``error_code``, ``created_at``,
    ``updated_at``, ``members`` (name -> member view), ``placement``,
    ``leftovers``. No view holds a host's real name.
    """

    @abc.abstractmethod
    def validate(self, document: Any) -> None:
        """Check a document without any call to the cloud.

        Raises InvalidDocument with all faults.
        """

    @abc.abstractmethod
    def plan(self, document: Any) -> View:
        """Say where everything would go; build nothing.

        Raises InvalidDocument or NoValidPlacement.
        """

    @abc.abstractmethod
    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> View:
        """Begin to build a cluster and return at once.

        With a ``cluster_id`` of the caller's choice (a uuid) a repeated call
        is the same cluster. ``timeout`` in seconds bounds the whole build.
        """

    @abc.abstractmethod
    def show(self, cluster_id: str) -> View:
        """Raises ClusterNotFound, also once it is deleted."""

    @abc.abstractmethod
    def list(self) -> Sequence[View]:
        """All clusters of the tenant, oldest first."""

    @abc.abstractmethod
    def delete(self, cluster_id: str) -> None:
        """Begin to delete, whatever state it is in, and return at once.

        Poll ``show`` until ClusterNotFound; status ERROR with ``leftovers``
        means that something could not be removed. Repeating is harmless;
        raises ClusterNotFound if there is nothing to delete.
        """

    @abc.abstractmethod
    def events(
        self, cluster_id: str, after: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        """What happened, oldest first: ``id``, ``at``, ``member``,
        ``kind``, ``message``; only those with an id above ``after``.
        """
