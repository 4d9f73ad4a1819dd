# SPDX-License-Identifier: Apache-2.0
"""What a fresh cloud is filled with, through its own APIs.

Runs in the cloud's virtualenv: ``python -m heat_vcluster.devcloud.bootstrap
STAGE STATE_DIR``. Every stage may be repeated.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keystoneauth1.exceptions
import openstack
from openstack.config import loader
from openstack.connection import Connection

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.settings import Settings

TENANTS = ('alpha', 'beta')
SERVICE_USERS = (
    'placement',
    'glance',
    'nova',
    'neutron',
    'cinder',
    'heat',
)
OURS = 'vcluster'
HEAT_DOMAIN = 'heat'
HEAT_DOMAIN_ADMIN = 'heat_domain_admin'

CATALOG = (
    ('placement', 'placement', ''),
    ('glance', 'image', ''),
    ('nova', 'compute', '/v2.1'),
    ('neutron', 'network', ''),
    ('cinder', 'block-storage', '/v3'),
    ('vcluster', 'vcluster', '/v2/%(project_id)s'),
    ('heat', 'orchestration', '/v1/%(project_id)s'),
)
# name, VCPUs, MiB, GiB
FLAVORS = (
    ('tiny', 1, 512, 1),
    ('small', 1, 2048, 10),
    ('medium', 2, 4096, 20),
    ('large', 4, 8192, 40),
    ('xlarge', 8, 16384, 80),
    ('c6', 6, 2048, 1),
    ('c8', 8, 2048, 1),
)
IMAGE = 'cirros'
IMAGE_BYTES = 64 * 1024
PUBLIC_NETWORK = 'public'
PUBLIC_SUBNET = '203.0.113.0/24'
PLENTY = 1000
READY_SECONDS = 120.0


def accounts(cloud: Settings) -> None:
    """Users, projects, roles and the catalog; needs keystone alone."""
    admin = connect(cloud)
    identity = admin.identity
    roles = {
        name: identity.find_role(name) or identity.create_role(name=name)
        for name in ('admin', 'member', 'service', 'heat_stack_user', OURS)
    }
    service = _project(admin, 'service')
    for name in SERVICE_USERS:
        user = _user(cloud, admin, name, service)
        for role in ('admin', 'service'):
            identity.assign_project_role_to_user(service, user, roles[role])
    user = _user(cloud, admin, OURS, service)
    for role in ('service', OURS):
        identity.assign_project_role_to_user(service, user, roles[role])
    for name in TENANTS:
        project = _project(admin, name)
        user = _user(cloud, admin, name, project)
        identity.assign_project_role_to_user(project, user, roles['member'])
    _heat_domain(cloud, admin, roles['admin'])
    _catalog(cloud, admin)


def ready(cloud: Settings) -> None:
    """Wait until every host, agent and volume backend has reported."""
    admin = connect(cloud)
    hosts = set(cloud.host_names)
    _wait('computes', hosts, lambda: _computes(admin))
    _wait('network agents', hosts, lambda: _agents(admin))
    pools = {f'{name}@{name}#{name}' for name in cloud.backend_names}
    _wait('volume backends', pools, lambda: _pools(admin))


def resources(cloud: Settings) -> None:
    """Aggregates, flavors, an image, volume types, a network, quotas."""
    ready(cloud)
    admin = connect(cloud)
    steps = (_aggregates, _flavors, _image, _volume_types, _public, _quotas)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(step, cloud, admin) for step in steps]:
            future.result()


def connect(cloud: Settings, account: str = 'admin') -> Connection:
    files = loader.OpenStackConfig(
        config_files=[str(cloud.clouds_yaml)], load_envvars=False
    )
    return Connection(
        config=files.get_one(
            f'devcloud-{account}', compute_default_microversion='2.90'
        )
    )


# Accounts


def _project(admin: Connection, name: str) -> Any:
    return admin.identity.find_project(name) or admin.identity.create_project(
        name=name, domain_id='default'
    )


def _user(cloud: Settings, admin: Connection, name: str, project: Any) -> Any:
    return admin.identity.find_user(name) or admin.identity.create_user(
        name=name,
        password=cloud.secret(name),
        domain_id='default',
        default_project_id=project.id,
    )


def _heat_domain(cloud: Settings, admin: Connection, role: Any) -> None:
    """Where heat keeps the users that stacks bring along."""
    identity = admin.identity
    domain = identity.find_domain(HEAT_DOMAIN) or identity.create_domain(
        name=HEAT_DOMAIN
    )
    user = identity.find_user(
        HEAT_DOMAIN_ADMIN, domain_id=domain.id
    ) or identity.create_user(
        name=HEAT_DOMAIN_ADMIN,
        password=cloud.secret(HEAT_DOMAIN_ADMIN),
        domain_id=domain.id,
    )
    identity.assign_domain_role_to_user(domain, user, role)


def _catalog(cloud: Settings, admin: Connection) -> None:
    known = {one.name: one for one in admin.identity.services()}
    served = {
        (one.service_id, one.interface) for one in admin.identity.endpoints()
    }
    for name, kind, path in CATALOG:
        service = known.get(name) or admin.identity.create_service(
            name=name, type=kind
        )
        # Services look for each other at the internal interface.
        for interface in ('public', 'internal'):
            if (service.id, interface) not in served:
                admin.identity.create_endpoint(
                    service_id=service.id,
                    interface=interface,
                    region_id=settings.REGION,
                    url=cloud.url(name) + path,
                )


# Readiness


def _computes(admin: Connection) -> set[str]:
    nodes = admin.compute.hypervisors()
    return {one.name for one in nodes if one.state == 'up'}


def _agents(admin: Connection) -> set[str]:
    return {one.host for one in admin.network.agents() if one.is_alive}


def _pools(admin: Connection) -> set[str]:
    return {one.name for one in admin.block_storage.backend_pools()}


def _wait(what: str, names: set[str], seen: Callable[[], set[str]]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    missing = names
    while missing:
        try:
            missing = names - seen()
        except (
            openstack.exceptions.SDKException,
            keystoneauth1.exceptions.ClientException,
        ) as error:
            print(f'{what}: {error}')
        if missing and time.monotonic() > deadline:
            raise SystemExit(f'{what}: none of {", ".join(sorted(missing))}')
        if missing:
            time.sleep(0.5)


# Resources


def _aggregates(cloud: Settings, admin: Connection) -> None:
    """Zones and racks are both aggregates; a host is in one of each."""
    members: dict[str, set[str]] = {}
    metadata: dict[str, dict[str, str]] = {}
    for host in cloud.hosts:
        members.setdefault(host.zone, set()).add(host.name)
        members.setdefault(host.rack, set()).add(host.name)
        metadata[host.zone] = {'availability_zone': host.zone}
        metadata[host.rack] = {'rack': host.rack}
    known = {one.name: one for one in admin.compute.aggregates()}
    for name, hosts in members.items():
        one = known.get(name)
        if one is None:
            one = admin.compute.create_aggregate(
                name=name,
                availability_zone=metadata[name].get('availability_zone'),
            )
        if 'rack' in metadata[name] and 'rack' not in (one.metadata or {}):
            admin.compute.set_aggregate_metadata(one, metadata[name])
        for missing in sorted(hosts - set(one.hosts or ())):
            admin.compute.add_host_to_aggregate(one, missing)


def _flavors(cloud: Settings, admin: Connection) -> None:
    known = {one.name for one in admin.compute.flavors(get_extra_specs=False)}
    for name, vcpus, ram, disk in FLAVORS:
        if name not in known:
            admin.compute.create_flavor(
                name=name, vcpus=vcpus, ram=ram, disk=disk
            )


def _image(cloud: Settings, admin: Connection) -> None:
    image = admin.image.find_image(IMAGE)
    if image is None:
        image = admin.image.create_image(
            name=IMAGE,
            container_format='bare',
            disk_format='raw',
            visibility='public',
            min_disk=0,
            data=io.BytesIO(bytes(IMAGE_BYTES)),
        )


def _volume_types(cloud: Settings, admin: Connection) -> None:
    wanted: dict[str, dict[str, str]] = {
        'standard': {},
        'multiattach': {'multiattach': '<is> True'},
    }
    for name in cloud.backend_names:
        wanted[name] = {'volume_backend_name': name}
    storage = admin.block_storage
    known = {one.name for one in storage.types()}
    for name, specs in wanted.items():
        if name not in known:
            storage.create_type(name=name, extra_specs=specs)


def _public(cloud: Settings, admin: Connection) -> None:
    network = admin.network.find_network(
        PUBLIC_NETWORK
    ) or admin.network.create_network(
        name=PUBLIC_NETWORK,
        is_router_external=True,
        provider_network_type='flat',
        provider_physical_network='public',
    )
    if not network.subnet_ids:
        admin.network.create_subnet(
            name=PUBLIC_NETWORK,
            network_id=network.id,
            ip_version=4,
            cidr=PUBLIC_SUBNET,
            is_dhcp_enabled=False,
        )


def _quotas(cloud: Settings, admin: Connection) -> None:
    """Tenants may use the whole cloud; the admin may lower it for a test."""
    for name in TENANTS:
        project = admin.identity.find_project(name)
        admin.set_compute_quotas(
            project.id,
            instances=PLENTY,
            cores=PLENTY,
            ram=-1,
            server_groups=PLENTY,
            server_group_members=PLENTY,
        )
        admin.set_volume_quotas(
            project.id, volumes=PLENTY, gigabytes=-1, snapshots=PLENTY
        )
        admin.set_network_quotas(
            project.id,
            network=PLENTY,
            subnet=PLENTY,
            port=10 * PLENTY,
            router=PLENTY,
            floatingip=PLENTY,
            security_group=PLENTY,
            security_group_rule=10 * PLENTY,
        )


STAGES = {'accounts': accounts, 'ready': ready, 'resources': resources}


def main() -> None:
    stage, state_dir = sys.argv[1:]
    STAGES[stage](Settings.load(Path(state_dir)))


if __name__ == '__main__':
    main()
