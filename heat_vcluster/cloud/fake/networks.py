# SPDX-License-Identifier: Apache-2.0
"""The fake network service: addresses, routers, and what is in use."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Sequence

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake.calls import Side, changing
from heat_vcluster.cloud.fake.world import (
    FloatingIp,
    Network,
    Port,
    Router,
    Subnet,
    World,
)
from heat_vcluster.spec import model as spec

NEUTRON = 'neutron'
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks(Side):
    @changing
    def ensure_network(
        self, owner: model.Owner, name: str, wanted: spec.NetworkSpec
    ) -> str:
        there = self._world.tagged(Network, owner, self._project_id)
        if there is not None:
            return there.id
        self._charge(NEUTRON, networks=1)
        network = Network(
            id=self._world.new_id(),
            kind=model.Kind.NETWORK,
            project_id=self._project_id,
            name=name,
            owner=owner,
            mtu=wanted.mtu,
            port_security=wanted.port_security is not False,
        )
        self._world.items[network.id] = network
        return network.id

    @changing
    def ensure_subnet(
        self,
        owner: model.Owner,
        name: str,
        network_id: str,
        wanted: spec.SubnetSpec,
    ) -> str:
        there = self._world.tagged(Subnet, owner, self._project_id)
        if there is not None:
            return there.id
        self._need(Network, network_id, NEUTRON)
        subnet = new_subnet(
            self._world, self._project_id, name, network_id, wanted
        )
        subnet.owner = owner
        self._charge(NEUTRON, subnets=1)
        self._world.items[subnet.id] = subnet
        return subnet.id

    @changing
    def ensure_router(
        self,
        owner: model.Owner,
        name: str,
        external_network_id: str,
        subnet_ids: Sequence[str],
    ) -> str:
        router = self._world.tagged(Router, owner, self._project_id)
        if router is None:
            self._check_external(external_network_id)
            self._charge(NEUTRON, routers=1)
            router = Router(
                id=self._world.new_id(),
                kind=model.Kind.ROUTER,
                project_id=self._project_id,
                name=name,
                owner=owner,
                external_network_id=external_network_id,
            )
            self._world.items[router.id] = router
        for subnet_id in subnet_ids:
            if subnet_id not in router.subnet_ids:
                self._check_connectable(subnet_id)
                router.subnet_ids.append(subnet_id)
        return router.id

    def _check_external(self, network_id: str) -> None:
        network = self._world.items.get(network_id)
        if not isinstance(network, Network) or not network.is_external:
            raise exception.CloudError(
                NEUTRON, f'Network {network_id} is not an external network'
            )

    def _check_connectable(self, subnet_id: str) -> None:
        subnet = self._need(Subnet, subnet_id, NEUTRON)
        if subnet.gateway is None:
            raise exception.CloudError(
                NEUTRON, 'Subnet for router interface must have a gateway IP'
            )
        if subnet.gateway in set(addresses_in_use(self._world, subnet)):
            raise exception.CloudError(
                NEUTRON,
                f'IP address {subnet.gateway} is already in use on the '
                'network',
            )

    @changing
    def ensure_port(
        self, owner: model.Owner, wanted: model.PortRequest
    ) -> model.Port:
        port = self._world.tagged(Port, owner, self._project_id)
        if port is None:
            port = self._create_port(owner, wanted)
            self._world.items[port.id] = port
        return model.Port(
            port.id, tuple(port.fixed_ips.values()), port.mac_address
        )

    def add_port(self, network_id: str) -> Port:
        """Let a port be there that is nobody's member."""
        wanted = model.PortRequest('', network_id)
        port = self._create_port(None, wanted)
        self._world.items[port.id] = port
        return port

    @changing
    def secure_port(
        self, port_id: str, security_group_ids: Sequence[str] | None
    ) -> None:
        port = self._need(Port, port_id, NEUTRON)
        known = self._world.named('security_group', self._project_id)
        wanted = security_group_ids
        if wanted is None:
            wanted = (known['default'],) if port.port_security else ()
        for group_id in wanted:
            if group_id not in known.values():
                raise exception.CloudError(
                    NEUTRON, f'Security group {group_id} does not exist'
                )
        port.security_group_ids = tuple(wanted)

    def _create_port(
        self, owner: model.Owner | None, wanted: model.PortRequest
    ) -> Port:
        network = self._usable_network(wanted.network_id)
        if wanted.fixed_ip and network.project_id != self._project_id:
            raise exception.CloudForbidden(
                NEUTRON, 'fixed_ips are for the owner of the network'
            )
        known = self._world.named('security_group', self._project_id)
        for group_id in wanted.security_group_ids or ():
            if group_id not in known.values():
                raise exception.CloudError(
                    NEUTRON, f'Security group {group_id} does not exist'
                )
        is_secure = (
            network.port_security
            if wanted.port_security is None
            else wanted.port_security
        )
        if wanted.security_group_ids and not is_secure:
            raise exception.CloudError(
                NEUTRON,
                'Port Security must be enabled in order to have security '
                'groups on the port',
            )
        self._charge(NEUTRON, ports=1)
        default = (known['default'],) if is_secure else ()
        groups = wanted.security_group_ids
        return Port(
            id=self._world.new_id(),
            kind=model.Kind.PORT,
            project_id=self._project_id,
            name=wanted.name,
            owner=owner,
            network_id=network.id,
            mac_address=next(_macs),
            fixed_ips=self._allocate(network, wanted.fixed_ip),
            port_security=is_secure,
            security_group_ids=default if groups is None else groups,
        )

    def _usable_network(self, network_id: str) -> Network:
        network = self._world.items.get(network_id)
        if isinstance(network, Network) and (
            network.is_shared or network.project_id == self._project_id
        ):
            return network
        raise exception.CloudError(
            NEUTRON, f'Network {network_id} could not be found.'
        )

    def _allocate(
        self, network: Network, fixed_ip: str | None
    ) -> dict[str, str]:
        """Take an address of each IP version, or the one asked for."""
        subnets = [
            subnet
            for subnet in self._world.of(Subnet)
            if subnet.network_id == network.id
        ]
        if fixed_ip is not None:
            return self._allocate_fixed(subnets, fixed_ip)
        found: dict[int, tuple[str, str]] = {}
        for subnet in subnets:
            version = ipaddress.ip_network(subnet.cidr).version
            if version not in found:
                address = free_address(self._world, subnet)
                if address is not None:
                    found[version] = (subnet.id, address)
        if subnets and not found:
            raise exception.CloudError(
                NEUTRON,
                f'No more IP addresses available on network {network.id}.',
            )
        return dict(found.values())

    def _allocate_fixed(
        self, subnets: Sequence[Subnet], fixed_ip: str
    ) -> dict[str, str]:
        address = ipaddress.ip_address(fixed_ip)
        for subnet in subnets:
            if address in ipaddress.ip_network(subnet.cidr):
                if fixed_ip in set(addresses_in_use(self._world, subnet)):
                    raise exception.CloudError(
                        NEUTRON,
                        f'IP address {fixed_ip} already allocated in subnet '
                        f'{subnet.id}',
                    )
                return {subnet.id: fixed_ip}
        raise exception.CloudError(
            NEUTRON,
            f'IP address {fixed_ip} is not a valid IP for any of the '
            'subnets on the specified network.',
        )

    @changing
    def ensure_floating_ip(
        self, owner: model.Owner, external_network_id: str, port_id: str
    ) -> model.FloatingIp:
        there = self._world.tagged(FloatingIp, owner, self._project_id)
        if there is not None:
            return model.FloatingIp(there.id, there.address)
        self._check_external(external_network_id)
        port = self._need(Port, port_id, NEUTRON)
        self._check_reachable(port, external_network_id)
        self._charge(NEUTRON, floating_ips=1)
        made = FloatingIp(
            id=self._world.new_id(),
            kind=model.Kind.FLOATING_IP,
            project_id=self._project_id,
            name='',
            owner=owner,
            network_id=external_network_id,
            address=self._external_address(external_network_id),
            port_id=port.id,
        )
        self._world.items[made.id] = made
        return model.FloatingIp(made.id, made.address)

    def _check_reachable(self, port: Port, external_id: str) -> None:
        for router in self._world.of(Router):
            if router.external_network_id == external_id and (
                port.fixed_ips.keys() & set(router.subnet_ids)
            ):
                return
        raise exception.CloudError(
            NEUTRON,
            f'External network {external_id} is not reachable from the '
            f'subnets of port {port.id}. Therefore, cannot associate it '
            'with a Floating IP.',
        )

    def _external_address(self, network_id: str) -> str:
        for subnet in self._world.of(Subnet):
            if subnet.network_id == network_id:
                address = free_address(self._world, subnet)
                if address is not None:
                    return address
        raise exception.CloudError(
            NEUTRON, f'No more IP addresses available on {network_id}.'
        )

    # Removal, with neutron's own refusals

    def _delete_port(self, port: Port) -> None:
        for floating in list(self._world.of(FloatingIp)):
            if floating.port_id == port.id:
                floating.port_id = ''
        del self._world.items[port.id]

    def _delete_router(self, router: Router) -> None:
        for floating in self._world.of(FloatingIp):
            port = self._world.items.get(floating.port_id)
            if (
                isinstance(port, Port)
                and floating.network_id == router.external_network_id
                and port.fixed_ips.keys() & set(router.subnet_ids)
            ):
                raise exception.CloudError(
                    NEUTRON,
                    f'Router interface on router {router.id} cannot be '
                    'deleted, as it is required by one or more floating IPs.',
                )
        del self._world.items[router.id]

    def _delete_subnet(self, subnet: Subnet) -> None:
        if any(subnet.id in port.fixed_ips for port in self._world.of(Port)):
            raise _in_use('subnet', subnet.id, 'ports have its addresses')
        if any(subnet.id in r.subnet_ids for r in self._world.of(Router)):
            raise _in_use('subnet', subnet.id, 'a router is connected')
        del self._world.items[subnet.id]

    def _delete_network(self, network: Network) -> None:
        subnets = [
            subnet
            for subnet in self._world.of(Subnet)
            if subnet.network_id == network.id
        ]
        inside = {subnet.id for subnet in subnets}
        if any(p.network_id == network.id for p in self._world.of(Port)) or (
            any(inside & set(r.subnet_ids) for r in self._world.of(Router))
        ):
            raise _in_use(
                'network',
                network.id,
                'There are one or more ports still in use on the network',
            )
        for subnet in subnets:
            del self._world.items[subnet.id]
        del self._world.items[network.id]


def _in_use(what: str, thing_id: str, why: str) -> exception.CloudError:
    return exception.CloudError(
        NEUTRON, f'Unable to complete operation on {what} {thing_id}: {why}.'
    )


def new_subnet(
    world: World,
    project_id: str,
    name: str,
    network_id: str,
    wanted: spec.SubnetSpec,
) -> Subnet:
    """Return a subnet, not yet in the world; refuse one that overlaps."""
    try:
        net = ipaddress.ip_network(wanted.cidr)
    except ValueError as error:
        raise exception.CloudError(NEUTRON, str(error)) from error
    for other in world.of(Subnet):
        if other.network_id == network_id and net.overlaps(
            ipaddress.ip_network(other.cidr)
        ):
            raise exception.CloudError(
                NEUTRON, f'Requested subnet with cidr: {net} overlaps'
            )
    gateway = wanted.gateway or str(net[1])
    return Subnet(
        id=world.new_id(),
        kind=model.Kind.SUBNET,
        project_id=project_id,
        name=name,
        network_id=network_id,
        cidr=str(net),
        gateway=None if wanted.no_gateway else gateway,
        pools=wanted.allocation_pools,
        asked=wanted,
    )


def addresses_in_use(world: World, subnet: Subnet) -> Iterator[str]:
    """Yield what is taken of a subnet, without an idle gateway."""
    for port in world.of(Port):
        if subnet.id in port.fixed_ips:
            yield port.fixed_ips[subnet.id]
    for router in world.of(Router):
        if subnet.id in router.subnet_ids and subnet.gateway:
            yield subnet.gateway
    for floating in world.of(FloatingIp):
        if floating.network_id == subnet.network_id:
            yield floating.address


def free_address(world: World, subnet: Subnet) -> str | None:
    """Return the lowest address that a new port may have."""
    taken = {*addresses_in_use(world, subnet), subnet.gateway}
    return next(
        (each for each in _pool(subnet) if each not in taken),
        None,
    )


def _pool(subnet: Subnet) -> Iterator[str]:
    if not subnet.pools:
        yield from map(str, ipaddress.ip_network(subnet.cidr).hosts())
    for start, end in subnet.pools:
        first = ipaddress.ip_address(start)
        count = int(ipaddress.ip_address(end)) - int(first) + 1
        yield from (str(first + number) for number in range(count))


def _count_macs() -> Iterator[str]:
    for number in itertools.count(1):
        tail = f'{number:06x}'
        yield f'fa:16:3e:{tail[:2]}:{tail[2:4]}:{tail[4:]}'


_macs = _count_macs()
