# SPDX-License-Identifier: Apache-2.0
"""``connection.vcluster`` for programs that use openstacksdk.

Either ``heat_vcluster.sdk.connect(cloud='mine')`` in place of
``openstack.connect``; or, for every program that reads the clouds.yaml, in
there::

    clouds:
      mine:
        vendor_hook: heat_vcluster.sdk:add_to
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openstack
from openstack import exceptions, proxy, resource, service_description

from heat_vcluster import wire

INTERVAL = 2.0  # seconds between two looks at what is waited for


def connect(**options: Any) -> Any:
    """Return ``openstack.connect(**options)``, with ``vcluster``."""
    connection = openstack.connect(**options)
    add_to(connection)
    return connection


def add_to(connection: Any) -> None:
    """Add ``vcluster``, a :class:`Proxy`, to a connection.

    To do so again changes nothing.
    """
    connection.add_service(
        service_description.ServiceDescription(
            wire.SERVICE_TYPE, supported_versions={'2': Proxy}
        )
    )


class Cluster(resource.Resource):
    """A cluster; in a list without what it is made of."""

    resource_key = 'vcluster'
    resources_key = 'vclusters'
    base_path = '/vclusters'

    allow_create = True
    allow_fetch = True
    allow_commit = True
    allow_delete = True
    allow_list = True

    _query_mapping = resource.QueryParameters(
        'name', 'status', 'sort', 'all_projects', tags='tag'
    )

    # What is asked for
    instances = resource.Body('instances', type=list)
    groups = resource.Body('groups', type=list)
    survive = resource.Body('survive', type=list)
    update_policy = resource.Body('update_policy', type=dict)
    #: Member -> the image or snapshot that it is made of, if its own.
    sources = resource.Body('sources', type=dict)
    metadata = resource.Body('metadata', type=dict)
    tags = resource.Body('tags', type=list)
    #: Seconds after which an unfinished build is undone.
    timeout = resource.Body('timeout', type=int)
    #: ID of the held plan to build, in place of instances and groups.
    plan_id = resource.Body('plan_id')

    # What has become of it
    project_id = resource.Body('project_id')
    user_id = resource.Body('user_id')
    status = resource.Body('status')
    status_reason = resource.Body('status_reason')
    error_code = resource.Body('error_code')
    created_at = resource.Body('created_at')
    updated_at = resource.Body('updated_at')
    #: Name -> type, status, id, addresses, domains.
    members = resource.Body('members', type=dict)
    member_count = resource.Body('member_count', type=int)
    members_active = resource.Body('members_active', type=int)
    #: The wishes that do not hold, and what that costs.
    placement = resource.Body('placement', type=dict)
    #: What each loss of ``survive`` leaves, where the members are.
    survival = resource.Body('survival', type=list)
    #: Which rules over hosts nova holds by itself, and why not others.
    server_groups = resource.Body('server_groups', type=list)
    #: What the last check found, and when that was.
    compliance = resource.Body('compliance', type=dict)
    #: What could not be removed, and why.
    leftovers = resource.Body('leftovers', type=list)
    links = resource.Body('links', type=list)


class Plan(resource.Resource):
    """Where everything would go, or why there is no place for it."""

    resource_key = 'plan'
    base_path = '/vclusters/plan'

    allow_fetch = True
    allow_delete = True

    #: ``feasible``, ``infeasible`` or ``unknown``.
    verdict = resource.Body('verdict')
    #: Until when the room is held; None if it is not.
    expires_at = resource.Body('expires_at')
    members = resource.Body('members', type=dict)
    placement = resource.Body('placement', type=dict)
    survival = resource.Body('survival', type=list)
    reasons = resource.Body('reasons', type=list)
    repairs = resource.Body('repairs', type=list)
    rules = resource.Body('rules', type=list)
    #: Of an update: what becomes of each member.
    changes = resource.Body('changes', type=list)


class Member(resource.Resource):
    """A member; ``id`` is that of its server, volume or network."""

    resource_key = 'member'
    resources_key = 'members'
    base_path = '/vclusters/%(cluster_id)s/members'

    allow_fetch = True
    allow_list = True

    cluster_id = resource.URI('cluster_id')
    #: Its name in the document.
    member = resource.Body('member')
    type = resource.Body('type')
    status = resource.Body('status')
    reason = resource.Body('reason')
    addresses = resource.Body('addresses', type=list)
    floating_addresses = resource.Body('floating_addresses', type=list)
    #: Level -> pseudonym: equal means same, within one cluster.
    domains = resource.Body('domains', type=dict)


class Snapshot(resource.Resource):
    """A snapshot of a cluster; in a list without its document."""

    resource_key = 'snapshot'
    resources_key = 'snapshots'
    base_path = '/vclusters/%(vcluster_id)s/snapshots'

    allow_create = True
    allow_fetch = True
    allow_delete = True
    allow_list = True

    vcluster_id = resource.URI('vcluster_id')
    cluster_id = resource.Body('cluster_id')
    #: ``CREATING``, ``AVAILABLE``, ``DELETING`` or ``ERROR``.
    status = resource.Body('status')
    status_reason = resource.Body('status_reason')
    created_at = resource.Body('created_at')
    #: What it has of each member: ``member``, ``kind``, ``id``.
    members = resource.Body('members', type=list)
    #: What makes another such cluster; None unless it is AVAILABLE.
    document = resource.Body('document', type=dict)


class Event(resource.Resource):
    """Something that happened to a cluster, or to one of its members."""

    resources_key = 'events'
    base_path = '/vclusters/%(cluster_id)s/events'

    allow_list = True

    _query_mapping = resource.QueryParameters('after')

    cluster_id = resource.URI('cluster_id')
    at = resource.Body('at')
    member = resource.Body('member')
    kind = resource.Body('kind')
    message = resource.Body('message')


class Topology(resource.Resource):
    """Which racks and hosts a cluster uses, in pseudonyms."""

    resource_key = 'topology'
    base_path = '/vclusters/%(cluster_id)s/topology'

    allow_fetch = True

    cluster_id = resource.URI('cluster_id')
    levels = resource.Body('levels', type=list)
    domains = resource.Body('domains', type=list)
    unplaced = resource.Body('unplaced', type=list)
    rules = resource.Body('rules', type=list)


class Limits(resource.Resource):
    """What a project may have, each with ``limit`` (-1: none), ``used``."""

    resource_key = 'limits'
    base_path = '/limits'

    allow_fetch = True

    clusters = resource.Body('clusters', type=dict)
    members = resource.Body('members', type=dict)
    held_plans = resource.Body('held_plans', type=dict)


class Proxy(proxy.Proxy):
    """The verbs, as openstacksdk has those of other services.

    A cluster is given as its id or as a :class:`Cluster`. Errors are those
    of openstacksdk; the faults of a document are in the message.
    """

    #: The endpoint tells all: see ``wire.root``.
    skip_discovery = True

    def request(self, url: str, method: str, *args: Any, **more: Any) -> Any:
        if '://' not in url:
            url = f'{wire.root(self)}/{url.lstrip("/")}'
        response = super().request(url, method, *args, **more)
        if response.status_code == 400:
            message = str(wire.failure(response))
            raise exceptions.BadRequestException(message, response=response)
        return response

    # -- clusters ---------------------------------------------------------

    def create_cluster(self, **attrs: Any) -> Cluster:
        """Begin to build a cluster; returns at once.

        ``attrs`` are those of the document (``name``, ``instances``,
        ``groups``), or the ``plan_id`` of a held plan; and if wanted
        ``metadata``, ``tags``, ``timeout`` and an ``id`` of your choice,
        with which a repeated call is the same cluster.
        """
        cluster: Cluster = self._create(Cluster, **attrs)
        return cluster

    def adopt_cluster(
        self,
        document: Mapping[str, Any],
        members: Mapping[str, str],
        *,
        allow_drifted: bool = False,
        **attrs: Any,
    ) -> Cluster:
        """Begin to bring what is there under a cluster; returns at once.

        ``members`` has the id or name of what each member of the document
        is; ``attrs`` as for ``create_cluster``. With ``allow_drifted`` also
        where rules do not hold.
        """
        response = self._post_adoption(
            {**document, **attrs}, members, allow_drifted=allow_drifted
        )
        found: Cluster = Cluster.existing(
            connection=self._get_connection(), **response.json()['vcluster']
        )
        return found

    def plan_adoption(
        self, document: Mapping[str, Any], members: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the ``members`` and the ``compliance`` that it would have."""
        response = self._post_adoption(document, members, dry_run=True)
        found: dict[str, Any] = response.json()['adoption']
        return found

    def _post_adoption(
        self,
        document: Mapping[str, Any],
        members: Mapping[str, str],
        **asked: Any,
    ) -> Any:
        body = {'vcluster': document, 'members': dict(members), **asked}
        response = self.post(f'{Cluster.base_path}/adopt', json=body)
        exceptions.raise_from_response(response)
        return response

    def release_cluster(self, cluster: Any) -> None:
        """Begin to give it up and leave its members alone; returns at once."""
        self._post_action(cluster, 'release')

    def get_cluster(self, cluster: Any) -> Cluster:
        found: Cluster = self._get(Cluster, cluster)
        return found

    def find_cluster(
        self, name_or_id: str, ignore_missing: bool = True, **query: Any
    ) -> Cluster | None:
        """Return it, or None; raises DuplicateResource if there are two."""
        found: Cluster | None = self._find(
            Cluster, name_or_id, ignore_missing=ignore_missing, **query
        )
        return found

    def clusters(self, **query: Any) -> Iterator[Cluster]:
        """Yield clusters, oldest first.

        ``query``: ``name``, ``status``, ``tags`` (those that have all of
        them), ``sort`` (``key:direction,...``), ``limit`` (in one page),
        ``marker``, ``all_projects``.
        """
        found: Iterator[Cluster] = self._list(Cluster, **query)
        return found

    def update_cluster(self, cluster: Any, **attrs: Any) -> Cluster:
        """Change ``name``, ``metadata`` or ``tags``, each as a whole."""
        changed: Cluster = self._update(Cluster, cluster, **attrs)
        return changed

    def change_cluster(
        self,
        cluster: Any,
        document: Mapping[str, Any],
        *,
        remove: Sequence[str] | None = None,
        timeout: int | None = None,
    ) -> Cluster:
        """Begin to let it become what a document says; returns at once.

        ``remove`` names the copies that go where a count becomes less.
        """
        body = dict(document)
        if remove is not None:
            body['remove'] = [*remove]
        if timeout is not None:
            body['timeout'] = timeout
        cluster_id = resource.Resource._get_id(cluster)
        response = self.put(
            f'{Cluster.base_path}/{wire.part(cluster_id)}',
            json={Cluster.resource_key: body},
        )
        exceptions.raise_from_response(response)
        changed: Cluster = Cluster.existing(
            **response.json()[Cluster.resource_key]
        )
        return changed

    def delete_cluster(
        self, cluster: Any, ignore_missing: bool = True
    ) -> None:
        """Begin to delete it; returns at once."""
        self._delete(Cluster, cluster, ignore_missing=ignore_missing)

    def check_cluster(self, cluster: Any) -> Cluster:
        """Begin to look what its members are and where; returns at once.

        What was found is in ``compliance`` once it is no more CHECKING.
        """
        return self._act(cluster, 'check')

    def heal_cluster(self, cluster: Any) -> Cluster:
        """Begin to make servers that are gone or in ERROR again."""
        return self._act(cluster, 'heal')

    def repair_cluster(
        self, cluster: Any, *, cold: bool = False, rebuild: bool = False
    ) -> Cluster:
        """Begin to move servers until all strict rules hold again."""
        return self._act(cluster, 'repair', cold=cold, rebuild=rebuild)

    def plan_repair(self, cluster: Any) -> dict[str, Any]:
        """Return the moves that a repair would make now.

        ``moves`` (``member``, ``from``, ``to``) and ``is_least``.
        """
        response = self._post_action(cluster, 'repair', dry_run=True)
        planned: dict[str, Any] = response.json()['repair']
        return planned

    def stop_cluster(self, cluster: Any) -> Cluster:
        """Begin to stop its servers, what depends on others first."""
        return self._act(cluster, 'stop')

    def start_cluster(self, cluster: Any) -> Cluster:
        return self._act(cluster, 'start')

    def suspend_cluster(self, cluster: Any) -> Cluster:
        return self._act(cluster, 'suspend')

    def resume_cluster(self, cluster: Any) -> Cluster:
        return self._act(cluster, 'resume')

    def _act(self, cluster: Any, verb: str, **asked: Any) -> Cluster:
        response = self._post_action(cluster, verb, **asked)
        found: Cluster = Cluster.existing(
            connection=self._get_connection(), **response.json()['vcluster']
        )
        return found

    def _post_action(self, cluster: Any, verb: str, **asked: Any) -> Any:
        cluster_id = wire.part(resource.Resource._get_id(cluster))
        response = self.post(
            f'{Cluster.base_path}/{cluster_id}/actions/{verb}',
            json=asked or None,
        )
        exceptions.raise_from_response(response)
        return response

    def wait_for_cluster(
        self,
        cluster: Cluster,
        *,
        status: str = 'ACTIVE',
        wait: float | None = None,
    ) -> Cluster:
        """Return it once it has the status.

        Raises ResourceFailure if it is in ERROR, ResourceTimeout after
        ``wait`` seconds.
        """
        built: Cluster = resource.wait_for_status(
            self, cluster, status, ['ERROR'], INTERVAL, wait
        )
        return built

    def wait_for_cluster_delete(
        self, cluster: Cluster, *, wait: float | None = None
    ) -> None:
        """Return once nothing is left of it; may raise ResourceTimeout."""
        resource.wait_for_delete(self, cluster, INTERVAL, wait)

    def members(self, cluster: Any) -> Iterator[Member]:
        """Yield the members in the order of the document."""
        return self._of(Member, cluster)

    def get_member(self, cluster: Any, name: str) -> Member:
        """Return a member by its name in the document."""
        cluster_id = resource.Resource._get_id(cluster)
        path = f'{Member.base_path}/{wire.part(name)}'
        found: Member = self._get(
            Member, requires_id=False, base_path=path, cluster_id=cluster_id
        )
        return found

    def events(
        self, cluster: Any, *, after: int = 0, limit: int | None = None
    ) -> Iterator[Event]:
        """Yield what happened after the event with such an id.

        As many as the service tells at a time.
        """
        query = {'after': after, **({'limit': limit} if limit else {})}
        return self._of(Event, cluster, paginated=False, **query)

    def get_topology(self, cluster: Any) -> Topology:
        cluster_id = resource.Resource._get_id(cluster)
        found: Topology = self._get(
            Topology, requires_id=False, cluster_id=cluster_id
        )
        return found

    def _of(self, kind: Any, cluster: Any, **query: Any) -> Iterator[Any]:
        cluster_id = resource.Resource._get_id(cluster)
        found: Iterator[Any] = self._list(kind, cluster_id=cluster_id, **query)
        return found

    # -- snapshots --------------------------------------------------------

    def create_snapshot(self, cluster: Any, **attrs: Any) -> Snapshot:
        """Begin to copy what its members have on their disks.

        ``attrs``: ``name``, and an ``id`` of your choice, with which a
        repeated call is the same snapshot.
        """
        cluster_id = resource.Resource._get_id(cluster)
        made: Snapshot = self._create(
            Snapshot, vcluster_id=cluster_id, **attrs
        )
        return made

    def snapshots(self, cluster: Any) -> Iterator[Snapshot]:
        """Yield a cluster's snapshots, oldest first."""
        cluster_id = resource.Resource._get_id(cluster)
        found: Iterator[Snapshot] = self._list(
            Snapshot, vcluster_id=cluster_id, paginated=False
        )
        return found

    def get_snapshot(self, cluster: Any, snapshot: Any) -> Snapshot:
        cluster_id = resource.Resource._get_id(cluster)
        found: Snapshot = self._get(Snapshot, snapshot, vcluster_id=cluster_id)
        return found

    def restore_snapshot(
        self, cluster: Any, snapshot: Any, *, timeout: int | None = None
    ) -> Cluster:
        """Begin to let a cluster become again what a snapshot has."""
        cluster_id = wire.part(resource.Resource._get_id(cluster))
        snapshot_id = wire.part(resource.Resource._get_id(snapshot))
        response = self.post(
            f'{Cluster.base_path}/{cluster_id}/snapshots/{snapshot_id}'
            '/restore',
            json={} if timeout is None else {'timeout': timeout},
        )
        exceptions.raise_from_response(response)
        changed: Cluster = Cluster.existing(
            connection=self._get_connection(),
            **response.json()[Cluster.resource_key],
        )
        return changed

    def delete_snapshot(
        self, cluster: Any, snapshot: Any, ignore_missing: bool = True
    ) -> None:
        """Begin to remove all that it is made of; returns at once."""
        self._delete(
            Snapshot,
            snapshot,
            ignore_missing=ignore_missing,
            vcluster_id=resource.Resource._get_id(cluster),
        )

    # -- plans ------------------------------------------------------------

    def plan(
        self,
        document: Mapping[str, Any],
        *,
        hold_seconds: int | None = None,
        cluster: Any = None,
        remove: Sequence[str] | None = None,
    ) -> Plan:
        """Say where everything would go; build nothing.

        With a ``cluster`` what an update of it by ``change_cluster`` would
        do: see ``changes`` of the plan.

        With ``hold_seconds`` the room of a feasible plan is held for so
        long, and ``create_cluster(plan_id=plan.id)`` builds exactly that.
        """
        body: dict[str, Any] = {'vcluster': document}
        if hold_seconds is not None:
            body['hold_seconds'] = hold_seconds
        if cluster is not None:
            body['cluster_id'] = resource.Resource._get_id(cluster)
        if remove is not None:
            body['remove'] = [*remove]
        response = self.post(Plan.base_path, json=body)
        exceptions.raise_from_response(response)
        made: Plan = Plan.existing(**response.json()[Plan.resource_key])
        return made

    def get_plan(self, plan: Any) -> Plan:
        """Return a held plan."""
        found: Plan = self._get(Plan, plan)
        return found

    def release_plan(self, plan: Any, ignore_missing: bool = True) -> None:
        """Give back the room that is held for a plan."""
        self._delete(Plan, plan, ignore_missing=ignore_missing)

    def get_limits(self) -> Limits:
        found: Limits = self._get(Limits, requires_id=False)
        return found
