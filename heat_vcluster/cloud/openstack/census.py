# SPDX-License-Identifier: Apache-2.0
"""All that is ours in a whole cloud, as its operator sees it.

Takes an administrator's rights: the things of all projects are looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from concurrent import futures
from typing import Any

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    errors,
    groups,
    network,
    reservation,
    snapshots,
    tags,
    trusts,
)
from heat_vcluster.cloud.openstack.session import Services

HOLD = 'hold'
TRUST = 'trust'
#: How many hosts are asked at a time for what is held on them.
AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Marked:
    """Something of ours. ``kind`` is one of ``model.Kind``, HOLD or TRUST.

    The last two do not tell of which cluster and member they are.
    """

    project_id: str
    kind: str
    id: str
    cluster_id: str | None = None
    member: str | None = None


class Census:
    """``services`` by an administrator's identity.

    ``trustee`` is the user id of our account: None, if trusts are left out.
    """

    def __init__(self, services: Services, trustee: str | None = None) -> None:
        self._services = services
        self._trustee = trustee

    def take(self) -> tuple[Marked, ...]:
        """Return all that bears a mark of ours, by project."""
        servers = self._services.compute.pages(
            '/servers/detail', 'servers', all_tenants='1'
        )
        found = [
            *_marked(model.Kind.SERVER, _by_metadata(servers, 'tenant_id')),
            *self._server_groups(),
            *self._volumes(),
            *self._volume_snapshots(),
            *self._images(),
            *self._of_networks(),
            *self._holds({server['id'] for server in servers}),
            *self._trusts(),
        ]
        return tuple(sorted(found))

    def _server_groups(self) -> Iterator[Marked]:
        found = groups.every(self._services.compute, all_projects='True')
        owned = (
            (
                item['project_id'],
                item['id'],
                tags.from_description(item['name']),
            )
            for item in found
        )
        return _marked(model.Kind.SERVER_GROUP, owned)

    def _volumes(self) -> Iterator[Marked]:
        volumes = self._services.volume.pages(
            '/volumes/detail', 'volumes', all_tenants='1'
        )
        return _marked(
            model.Kind.VOLUME,
            _by_metadata(volumes, 'os-vol-tenant-attr:tenant_id'),
        )

    def _volume_snapshots(self) -> Iterator[Marked]:
        found = self._services.volume.pages(
            '/snapshots/detail', 'snapshots', all_tenants='1'
        )
        return _marked(
            model.Kind.VOLUME_SNAPSHOT,
            _by_metadata(found, 'os-extended-snapshot-attributes:project_id'),
        )

    def _images(self) -> Iterator[Marked]:
        found = self._services.image.pages('/images', 'images')
        owned = (
            (item['owner'], item['id'], snapshots.owner(item))
            for item in found
        )
        return _marked(model.Kind.IMAGE, owned)

    def _of_networks(self) -> Iterator[Marked]:
        for kind, (_, many) in network.NAMES.items():
            items = self._services.network.pages(
                f'/{many}',
                many,
                fields=['id', 'description', 'project_id', 'tags'],
            )
            owned = (
                (
                    item['project_id'],
                    item['id'],
                    tags.of_network(item),
                )
                for item in items
            )
            yield from _marked(kind, owned)

    # -- trusts -----------------------------------------------------------

    def _trusts(self) -> Iterator[Marked]:
        if self._trustee is None:
            return
        body = self._services.identity.get(
            trusts.TRUSTS, trustee_user_id=self._trustee
        )
        for trust in body['trusts']:
            if trust['project_id']:
                yield Marked(trust['project_id'], TRUST, trust['id'])

    def is_entrusted(self, trust_id: str) -> bool:
        """Tell whether a trust that was found is still there."""
        try:
            self._services.identity.get(f'{trusts.TRUSTS}/{trust_id}')
        except errors.NotFound:
            return False
        return True

    def end_trust(self, trust_id: str) -> None:
        self._services.identity.delete(f'{trusts.TRUSTS}/{trust_id}')

    # -- holds ------------------------------------------------------------

    def _holds(self, servers: Collection[str]) -> Iterator[Marked]:
        """Look through all hosts: placement lists no consumers by type."""
        with futures.ThreadPoolExecutor(AT_ONCE) as pool:
            on_hosts = pool.map(self._consumers, self._providers())
            consumers = set().union(*on_hosts) - set(servers)
            for hold in pool.map(self._hold, sorted(consumers)):
                if hold is not None:
                    yield hold

    def _providers(self) -> list[str]:
        body = self._services.placement.get('/resource_providers')
        return [provider['uuid'] for provider in body['resource_providers']]

    def _consumers(self, provider: str) -> frozenset[str]:
        body = self._services.placement.get(
            f'/resource_providers/{provider}/allocations'
        )
        return frozenset(body['allocations'])

    def _hold(self, consumer: str) -> Marked | None:
        """Return the hold that a consumer is, if it is one and still is."""
        body = self._services.placement.get(f'/allocations/{consumer}')
        if body.get('consumer_type') != reservation.CONSUMER_TYPE:
            return None
        return Marked(body['project_id'], HOLD, consumer)

    def is_held(self, hold_id: str) -> bool:
        """Tell whether a hold that was found is still there."""
        return self._hold(hold_id) is not None


def _by_metadata(
    items: Iterable[Any], project: str
) -> Iterator[tuple[str, str, model.Owner | None]]:
    for item in items:
        owner = tags.from_metadata(item.get('metadata') or {})
        yield item[project], item['id'], owner


def _marked(
    kind: model.Kind, owned: Iterable[tuple[str, str, model.Owner | None]]
) -> Iterator[Marked]:
    for project_id, thing_id, owner in owned:
        if owner is not None:
            yield Marked(
                project_id, kind, thing_id, owner.cluster_id, owner.member
            )
