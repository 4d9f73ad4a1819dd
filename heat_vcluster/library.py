# SPDX-License-Identifier: Apache-2.0
"""The package for Python programs: plan, build, follow and undo clusters."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster import client as clients
from heat_vcluster import context as ctx
from heat_vcluster import deploy, direct, exception, registry, views
from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import base as engine_base

Settings = engine_base.Settings


class VCluster:
    """Virtual clusters of one tenant, built by this very process.

    ``database`` is a SQLAlchemy URL; without one the record is kept in a
    temporary file and is gone when the object is closed (a cluster that
    should outlive the program needs a database that does).
    """

    def __init__(
        self,
        opener: cloud.CloudOpener,
        context: ctx.Context | None = None,
        *,
        database: str | None = None,
        settings: Settings | None = None,
        **parts: Any,
    ) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if database is None:
            self._folder = tempfile.TemporaryDirectory(prefix='vcluster-')
            path = os.path.join(self._folder.name, 'vcluster.sqlite')
            database = f'sqlite:///{path}'
        self._service = deploy.assemble(
            opener, database=database, settings=settings, **parts
        )
        self._client: clients.Client = direct.DirectClient(
            self._service, context or ctx.Context('project', 'user')
        )

    @classmethod
    def openstack(
        cls,
        connection: Any,
        service_connection: Any,
        *,
        levels: Mapping[str, str] | None = None,
        database: str | None = None,
        settings: Settings | None = None,
        **options: Any,
    ) -> VCluster:
        """Work on a real cloud.

        ``connection`` (openstacksdk) is the tenant's; ``service_connection``
        is that of an account with the roles ``service`` and ``vcluster``.
        ``levels`` maps each level above the host, widest first, to where it
        comes from (``availability_zone``, ``aggregate:KEY``,
        ``trait:PREFIX``). ``options`` are those of the cloud's opener, such
        as ``pinning`` and ``pool_domains``.
        """
        opener = registry.get('clouds', 'openstack').from_connection(
            service_connection, levels=levels, **options
        )
        session = connection.session
        context = ctx.Context(
            project_id=session.get_project_id(),
            user_id=session.get_user_id(),
            auth=session,
        )
        return cls(opener, context, database=database, settings=settings)

    # -- verbs ------------------------------------------------------------

    def plan(self, document: Any, **change: Any) -> clients.View:
        """Say where everything would go; build nothing.

        With a ``cluster_id`` (and ``remove``) what an ``update`` would do;
        see ``client.Client.plan``. Raises NoValidPlacement unless there is a
        place for everything.
        """
        return _feasible(self._client.plan(document, **change))

    def hold(self, document: Any, seconds: float) -> clients.View:
        """Plan, and hold the room that long for ``create_planned``.

        Raises NoValidPlacement as ``plan`` does.
        """
        return _feasible(self._client.plan(document, hold_seconds=seconds))

    def show_plan(self, plan_id: str) -> clients.View:
        return self._client.show_plan(plan_id)

    def release_plan(self, plan_id: str) -> None:
        """Give back the room of a held plan."""
        self._client.release_plan(plan_id)

    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> clients.View:
        """Begin to build; returns at once. See ``client.Client.create``."""
        return self._client.create(
            document,
            cluster_id=cluster_id,
            name=name,
            timeout=timeout,
            metadata=metadata,
            tags=tags,
        )

    def create_planned(self, plan_id: str, **options: Any) -> clients.View:
        """Begin to build a held plan, exactly as it is.

        ``options`` as those of ``create``, but for ``cluster_id``: the
        cluster has the id of the plan.
        """
        return self._client.create_planned(plan_id, **options)

    def adopt(
        self, document: Any, members: Mapping[str, str], **options: Any
    ) -> clients.View:
        """Begin to bring what is there under a cluster; returns at once.

        ``options`` as those of ``client.Client.adopt``; see there.
        """
        return self._client.adopt(document, members, **options)

    def plan_adoption(
        self, document: Any, members: Mapping[str, str]
    ) -> clients.View:
        """Say what an ``adopt`` would find."""
        return self._client.plan_adoption(document, members)

    def update(self, cluster_id: str, **changes: Any) -> clients.View:
        """Change ``name``, ``metadata`` or ``tags``; or all of it.

        With a ``document`` the cluster begins to become what that says; see
        ``client.Client.update``.
        """
        return self._client.update(cluster_id, **changes)

    def show(self, cluster_id: str) -> clients.View:
        return self._client.show(cluster_id)

    def list(self, **filters: Any) -> list[clients.View]:
        """Return summaries. ``filters``: see ``client.Client.list``."""
        return list(self._client.list(**filters))

    def topology(self, cluster_id: str) -> clients.View:
        """Say who sits where. See ``client.Client.topology``."""
        return self._client.topology(cluster_id)

    def check(self, cluster_id: str) -> clients.View:
        """Begin to look what is there. See ``client.Client.check``."""
        return self._client.check(cluster_id)

    def heal(self, cluster_id: str) -> clients.View:
        """Begin to make lost servers again. See ``client.Client.heal``."""
        return self._client.heal(cluster_id)

    def repair(self, cluster_id: str, **how: bool) -> clients.View:
        """Begin to move servers back into the rules.

        See ``client.Client.repair``.
        """
        return self._client.repair(cluster_id, **how)

    def plan_repair(self, cluster_id: str) -> clients.View:
        """Say which moves a repair would make now."""
        return self._client.plan_repair(cluster_id)

    def stop(self, cluster_id: str) -> clients.View:
        """Begin to stop its servers. See ``client.Client.stop``."""
        return self._client.stop(cluster_id)

    def start(self, cluster_id: str) -> clients.View:
        return self._client.start(cluster_id)

    def suspend(self, cluster_id: str) -> clients.View:
        return self._client.suspend(cluster_id)

    def resume(self, cluster_id: str) -> clients.View:
        return self._client.resume(cluster_id)

    def release(self, cluster_id: str) -> None:
        """Begin to give it up; its members are left alone."""
        self._client.release(cluster_id)

    def create_snapshot(self, cluster_id: str, **asked: Any) -> clients.View:
        """Begin to copy its disks. See ``client.Client.create_snapshot``."""
        return self._client.create_snapshot(cluster_id, **asked)

    def snapshots(self, cluster_id: str) -> Sequence[clients.View]:
        return self._client.snapshots(cluster_id)

    def snapshot(self, cluster_id: str, snapshot_id: str) -> clients.View:
        """Show one; its ``document`` makes another such cluster."""
        return self._client.snapshot(cluster_id, snapshot_id)

    def restore(
        self, cluster_id: str, snapshot_id: str, **asked: Any
    ) -> clients.View:
        """Begin to become it again. See ``client.Client.restore``."""
        return self._client.restore(cluster_id, snapshot_id, **asked)

    def delete_snapshot(self, cluster_id: str, snapshot_id: str) -> None:
        """Begin to remove all of it; the cluster tells when that is done."""
        self._client.delete_snapshot(cluster_id, snapshot_id)

    def delete(self, cluster_id: str) -> None:
        """Begin to remove all of it; returns at once."""
        self._client.delete(cluster_id)

    def follow(
        self, cluster_id: str, *, interval: float = 0.2
    ) -> Iterator[Mapping[str, Any]]:
        """Yield events as they happen, until the cluster is settled."""
        last = 0
        while True:
            is_over = self._is_over(cluster_id)
            for event in self._client.events(cluster_id, last):
                last = event['id']
                yield event
            if is_over:
                return
            time.sleep(interval)

    def wait(
        self,
        cluster_id: str,
        *,
        timeout: float | None = None,
        interval: float = 0.2,
    ) -> clients.View:
        """Wait until the cluster is ACTIVE; return its view.

        Raises ClusterFailed if it is not going to be, or is ACTIVE as it
        was before its last update, which has failed; TimedOut after
        ``timeout`` seconds (the cluster is built on all the same).
        """
        until = time.monotonic() + (timeout or float('inf'))
        while True:
            view = self.show(cluster_id)
            if view['status'] == 'ACTIVE' and not views.has_failed(view):
                return view
            if views.is_settled(view):
                raise exception.ClusterFailed(view)
            _pause(until, interval)

    def wait_settled(
        self,
        cluster_id: str,
        *,
        timeout: float | None = None,
        interval: float = 0.2,
    ) -> clients.View:
        """Wait until what was asked of a built cluster is over.

        Raises ClusterFailed if it could not be done, or what it was done to
        is in ERROR; TimedOut after ``timeout`` seconds.
        """
        until = time.monotonic() + (timeout or float('inf'))
        while True:
            view = self.show(cluster_id)
            if views.is_settled(view):
                if view['error_code'] is not None:
                    raise exception.ClusterFailed(view)
                return view
            _pause(until, interval)

    def wait_deleted(
        self,
        cluster_id: str,
        *,
        timeout: float | None = None,
        interval: float = 0.2,
    ) -> None:
        """Wait until nothing is left of a cluster that is being deleted.

        Raises ClusterFailed if something could not be removed.
        """
        self._service.engine.join(cluster_id, timeout)
        until = time.monotonic() + (timeout or float('inf'))
        while True:
            try:
                view = self.show(cluster_id)
            except exception.ClusterNotFound:
                return
            if views.is_settled(view):
                raise exception.ClusterFailed(view)
            _pause(until, interval)

    def close(self) -> None:
        """Stop; what is being built is rolled back first."""
        self._service.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> VCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _is_over(self, cluster_id: str) -> bool:
        try:
            return views.is_settled(self.show(cluster_id))
        except exception.ClusterNotFound:
            return True


def _feasible(plan: clients.View) -> clients.View:
    if plan['verdict'] != 'feasible':
        raise exception.NoValidPlacement(
            plan['reasons'],
            rules=plan['rules'],
            proven=plan['verdict'] == 'infeasible',
            repairs=plan['repairs'],
        )
    return plan


def _pause(until: float, interval: float) -> None:
    if time.monotonic() > until:
        raise exception.TimedOut('It is not over yet')
    time.sleep(interval)
