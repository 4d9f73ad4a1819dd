# SPDX-License-Identifier: Apache-2.0
"""The service as an in-process client: the same verbs with no socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster import arguments, client, service
from heat_vcluster import context as ctx


class DirectClient(client.Client):
    """One tenant's access to a service in the same process."""

    def __init__(self, serve: service.Service, context: ctx.Context) -> None:
        self._service = serve
        self._context = context

    def validate(self, document: Any) -> None:
        self._service.load(document)

    def plan(
        self,
        document: Any,
        *,
        hold_seconds: float | None = None,
        cluster_id: str | None = None,
        remove: Sequence[str] | None = None,
    ) -> client.View:
        if cluster_id is not None:
            arguments.check_not_held(hold_seconds)
            return self._service.plan_change(
                self._context, cluster_id, document, remove=remove
            )
        return self._service.plan(
            self._context, document, hold_seconds=hold_seconds
        )

    def show_plan(self, plan_id: str) -> client.View:
        return self._service.show_plan(self._context, plan_id)

    def release_plan(self, plan_id: str) -> None:
        self._service.release_plan(self._context, plan_id)

    def create(self, document: Any, **options: Any) -> client.View:
        return self._service.create(self._context, document, **options)

    def create_planned(self, plan_id: str, **options: Any) -> client.View:
        return self._service.create_planned(self._context, plan_id, **options)

    def update(self, cluster_id: str, **changes: Any) -> client.View:
        return self._service.update(self._context, cluster_id, **changes)

    def adopt(
        self, document: Any, members: Mapping[str, str], **options: Any
    ) -> client.View:
        return self._service.adopt(self._context, document, members, **options)

    def plan_adoption(
        self, document: Any, members: Mapping[str, str]
    ) -> client.View:
        return self._service.plan_adoption(self._context, document, members)

    def release(self, cluster_id: str) -> None:
        self._service.release(self._context, cluster_id)

    def show(self, cluster_id: str) -> client.View:
        return self._service.show(self._context, cluster_id)

    def list(self, **filters: Any) -> Sequence[client.View]:
        return self._service.list(self._context, **filters)

    def check(self, cluster_id: str) -> client.View:
        return self._service.check(self._context, cluster_id)

    def heal(self, cluster_id: str) -> client.View:
        return self._service.heal(self._context, cluster_id)

    def repair(
        self, cluster_id: str, *, cold: bool = False, rebuild: bool = False
    ) -> client.View:
        return self._service.repair(
            self._context, cluster_id, cold=cold, rebuild=rebuild
        )

    def plan_repair(self, cluster_id: str) -> client.View:
        return self._service.plan_repair(self._context, cluster_id)

    def stop(self, cluster_id: str) -> client.View:
        return self._service.stop_servers(self._context, cluster_id)

    def start(self, cluster_id: str) -> client.View:
        return self._service.start_servers(self._context, cluster_id)

    def suspend(self, cluster_id: str) -> client.View:
        return self._service.suspend(self._context, cluster_id)

    def resume(self, cluster_id: str) -> client.View:
        return self._service.resume(self._context, cluster_id)

    def create_snapshot(self, cluster_id: str, **asked: Any) -> client.View:
        return self._service.create_snapshot(
            self._context, cluster_id, **asked
        )

    def snapshots(self, cluster_id: str) -> Sequence[client.View]:
        return self._service.snapshots(self._context, cluster_id)

    def snapshot(self, cluster_id: str, snapshot_id: str) -> client.View:
        return self._service.snapshot(self._context, cluster_id, snapshot_id)

    def restore(
        self,
        cluster_id: str,
        snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> client.View:
        return self._service.restore(
            self._context, cluster_id, snapshot_id, timeout=timeout
        )

    def delete_snapshot(self, cluster_id: str, snapshot_id: str) -> None:
        self._service.delete_snapshot(self._context, cluster_id, snapshot_id)

    def delete(self, cluster_id: str) -> None:
        self._service.delete(self._context, cluster_id)

    def members(self, cluster_id: str) -> Sequence[client.View]:
        return self._service.members(self._context, cluster_id)

    def member(self, cluster_id: str, name: str) -> client.View:
        return self._service.member(self._context, cluster_id, name)

    def events(
        self, cluster_id: str, after: int = 0, limit: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        return self._service.events(
            self._context, cluster_id, after=after, limit=limit
        )

    def topology(self, cluster_id: str) -> client.View:
        return self._service.topology(self._context, cluster_id)

    def limits(self) -> client.View:
        return self._service.limits(self._context)
