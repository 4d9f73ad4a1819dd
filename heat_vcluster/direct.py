# SPDX-License-Identifier: Apache-2.0
"""The service as an in-process client: the same verbs with no socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster import client, service
from heat_vcluster import context as ctx


class DirectClient(client.Client):
    """One tenant's access to a service in the same process."""

    def __init__(self, serve: service.Service, context: ctx.Context) -> None:
        self._service = serve
        self._context = context

    def validate(self, document: Any) -> None:
        self._service.load(document)

    def plan(self, document: Any) -> client.View:
        return self._service.plan(self._context, document)

    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> client.View:
        return self._service.create(
            self._context,
            document,
            cluster_id=cluster_id,
            name=name,
            timeout=timeout,
        )

    def show(self, cluster_id: str) -> client.View:
        return self._service.show(self._context, cluster_id)

    def list(self) -> Sequence[client.View]:
        return self._service.list(self._context)

    def delete(self, cluster_id: str) -> None:
        self._service.delete(self._context, cluster_id)

    def events(
        self, cluster_id: str, after: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        return self._service.events(self._context, cluster_id, after)
