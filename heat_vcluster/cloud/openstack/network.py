# SPDX-License-Identifier: Apache-2.0
"""Networks, subnets, routers, ports and floating IPs, made in neutron."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, made, tags
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.spec import model as spec

#: Kind -> (resource, collection) as neutron names them.
NAMES = {
    model.Kind.FLOATING_IP: ('floatingip', 'floatingips'),
    model.Kind.PORT: ('port', 'ports'),
    model.Kind.ROUTER: ('router', 'routers'),
    model.Kind.SUBNET: ('subnet', 'subnets'),
    model.Kind.NETWORK: ('network', 'networks'),
}
BULK_TAGS = 'tag-ports-during-bulk-creation'
INTERFACE = 'network:router_interface'
#: How many things are asked for at once. More would all be answered late,
#: and together; so the first come early, and what waits for them can begin.
AT_ONCE = 4


class Networking:
    """Neutron for one tenant."""

    def __init__(
        self, service: Service, project_id: str, known: made.Made
    ) -> None:
        self._service = service
        self._project_id = project_id
        self._made = known
        self._extensions: frozenset[str] | None = None
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    # -- making -----------------------------------------------------------

    def ensure_network(
        self, owner: model.Owner, name: str, wanted: spec.NetworkSpec
    ) -> str:
        body: dict[str, Any] = {'name': name}
        if wanted.mtu is not None:
            body['mtu'] = wanted.mtu
        if wanted.port_security is not None:
            body['port_security_enabled'] = wanted.port_security
        return str(self._ensure(model.Kind.NETWORK, owner, body)['id'])

    def ensure_subnet(
        self,
        owner: model.Owner,
        name: str,
        network_id: str,
        wanted: spec.SubnetSpec,
    ) -> str:
        body: dict[str, Any] = {
            'name': name,
            'network_id': network_id,
            'cidr': wanted.cidr,
            'ip_version': ipaddress.ip_network(wanted.cidr).version,
            'enable_dhcp': wanted.dhcp,
        }
        if wanted.no_gateway:
            body['gateway_ip'] = None
        elif wanted.gateway is not None:
            body['gateway_ip'] = wanted.gateway
        if wanted.dns:
            body['dns_nameservers'] = list(wanted.dns)
        if wanted.allocation_pools:
            body['allocation_pools'] = [
                {'start': start, 'end': end}
                for start, end in wanted.allocation_pools
            ]
        return str(self._ensure(model.Kind.SUBNET, owner, body)['id'])

    def ensure_router(
        self,
        owner: model.Owner,
        name: str,
        external_network_id: str,
        subnet_ids: Sequence[str],
    ) -> str:
        gateway = {'network_id': external_network_id}
        body = {'name': name, 'external_gateway_info': gateway}
        router = str(self._ensure(model.Kind.ROUTER, owner, body)['id'])
        connected = self._connected(router)
        for subnet in subnet_ids:
            if subnet not in connected:
                self._connect(router, subnet)
        return router

    def _connect(self, router: str, subnet: str) -> None:
        try:
            self._service.put(
                f'/routers/{router}/add_router_interface',
                {'subnet_id': subnet},
            )
        except errors.Refused:
            # A request whose answer got lost is refused when repeated.
            if subnet not in self._connected(router):
                raise

    def _connected(self, router: str) -> frozenset[str]:
        """Return the subnets that the router has an interface on."""
        return frozenset(
            fixed['subnet_id']
            for port in self._interfaces(router)
            for fixed in port['fixed_ips']
        )

    def ensure_port(
        self, owner: model.Owner, wanted: model.PortRequest
    ) -> model.Port:
        body: dict[str, Any] = {
            'name': wanted.name,
            'network_id': wanted.network_id,
        }
        if wanted.fixed_ip:
            body['fixed_ips'] = [{'ip_address': wanted.fixed_ip}]
        if wanted.port_security is not None:
            body['port_security_enabled'] = wanted.port_security
        if wanted.port_security is False:
            # Neutron would give it the default group, and refuse itself.
            body['security_groups'] = []
        elif wanted.security_group_ids is not None:
            body['security_groups'] = list(wanted.security_group_ids)
        port = self._ensure(model.Kind.PORT, owner, body)
        addresses = tuple(fixed['ip_address'] for fixed in port['fixed_ips'])
        return model.Port(port['id'], addresses, port['mac_address'])

    def secure(self, port_id: str, group_ids: Sequence[str] | None) -> None:
        if group_ids is None:
            group_ids = self._default_groups()
        body = {'port': {'security_groups': list(group_ids)}}
        self._service.put(f'/ports/{port_id}', body)

    def _default_groups(self) -> list[str]:
        found = self._service.pages(
            '/security-groups',
            'security_groups',
            fields=['id'],
            name='default',
            project_id=self._project_id,
        )
        return [group['id'] for group in found]

    def ensure_floating_ip(
        self, owner: model.Owner, external_network_id: str, port_id: str
    ) -> model.FloatingIp:
        body = {
            'floating_network_id': external_network_id,
            'port_id': port_id,
        }
        found = self._ensure(model.Kind.FLOATING_IP, owner, body)
        if found['port_id'] != port_id:
            # Its port was made again after it.
            self._service.put(
                f'/floatingips/{found["id"]}',
                {'floatingip': {'port_id': port_id}},
            )
        return model.FloatingIp(found['id'], found['floating_ip_address'])

    def _ensure(
        self, kind: model.Kind, owner: model.Owner, body: Mapping[str, Any]
    ) -> made.Body:
        marked = {**body, 'description': tags.description(owner)}
        return self._made.ensure(
            kind,
            owner,
            lambda thing_id: self._show(kind, thing_id),
            lambda: self._create_in_turn(kind, owner, marked),
        )

    def _create_in_turn(
        self, kind: model.Kind, owner: model.Owner, body: Mapping[str, Any]
    ) -> made.Body:
        with self._turns:
            return self._create(kind, owner, body)

    def _create(
        self, kind: model.Kind, owner: model.Owner, body: Mapping[str, Any]
    ) -> made.Body:
        one, many = NAMES[kind]
        names = tags.network_tags(owner)
        if kind is model.Kind.PORT and BULK_TAGS in self._known_extensions():
            bulk = {many: [{**body, 'tags': names}]}
            found: made.Body = self._service.post(f'/{many}', bulk)[many][0]
            return found
        found = self._service.post(f'/{many}', {one: body})[one]
        self._service.put(f'/{many}/{found["id"]}/tags', {'tags': names})
        return found

    def _known_extensions(self) -> frozenset[str]:
        if self._extensions is None:
            body = self._service.get('/extensions')
            self._extensions = frozenset(
                extension['alias'] for extension in body['extensions']
            )
        return self._extensions

    # -- finding and removing ---------------------------------------------

    def find(
        self, kind: model.Kind, cluster_id: str
    ) -> tuple[model.Thing, ...]:
        _, many = NAMES[kind]
        items = self._service.pages(
            f'/{many}',
            many,
            project_id=self._project_id,
            fields=['id', 'description', 'tags'],
        )
        owned = ((item['id'], tags.of_network(item)) for item in items)
        return tags.things_of(cluster_id, kind, owned)

    def delete(self, kind: model.Kind, thing_id: str) -> None:
        if kind is model.Kind.ROUTER:
            self._clear_router(thing_id)
        self._service.delete(f'/{NAMES[kind][1]}/{thing_id}')

    def _clear_router(self, router: str) -> None:
        for port in self._interfaces(router):
            try:
                self._service.put(
                    f'/routers/{router}/remove_router_interface',
                    {'port_id': port['id']},
                )
            except errors.NotFound:
                continue

    def _interfaces(self, router: str) -> list[dict[str, Any]]:
        ports = self._service.pages('/ports', 'ports', device_id=router)
        return [
            port
            for port in ports
            if port['device_owner'].startswith(INTERFACE)
        ]

    def is_gone(self, kind: model.Kind, thing_id: str) -> bool:
        return self._show(kind, thing_id) is None

    def _show(self, kind: model.Kind, thing_id: str) -> made.Body | None:
        one, many = NAMES[kind]
        try:
            found: made.Body = self._service.get(f'/{many}/{thing_id}')[one]
        except errors.NotFound:
            return None
        return found

    # -- what exists ------------------------------------------------------

    def networks(self) -> list[dict[str, Any]]:
        return self._service.pages('/networks', 'networks')

    def security_groups(self) -> list[dict[str, Any]]:
        return self._service.pages(
            '/security-groups',
            'security_groups',
            fields=['id', 'name', 'project_id'],
        )

    def quotas(self) -> Mapping[str, Mapping[str, int]]:
        """Return resource -> limit and used; empty if not ours to read."""
        try:
            body = self._service.get(
                f'/quotas/{self._project_id}/details.json'
            )
        except (exception.CloudForbidden, errors.NotFound):
            return {}
        found: Mapping[str, Mapping[str, int]] = body['quota']
        return found
