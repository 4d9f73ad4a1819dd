# SPDX-License-Identifier: Apache-2.0
"""What a tenant's servers take of which host, as nova lets tenants know.

Placement does not tell it: a project's usage is one sum there. Nova tells a
tenant no host's name, but for each server a hash of the host's name and the
project. Who knows the names can make the same hashes.
"""

from __future__ import annotations

import collections
import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster.cloud.openstack import demands
from heat_vcluster.cloud.openstack.session import Service

LOG = logging.getLogger(__name__)


def read(
    service: Service, project_id: str, hosts: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Return host -> resource class -> amount, for all servers of a project.

    ``service`` is nova by the tenant's own token. A server counts by what
    its flavor says. Servers on hosts that are not among those given are
    left out, and so are those that have no host (shelved, failed).
    """
    names = hashes(project_id, hosts)
    usage: dict[str, collections.Counter[str]] = {}
    unknown = 0
    for server in service.pages('/servers/detail', 'servers'):
        digest = server.get('hostId')
        if not digest:
            continue
        name = names.get(digest)
        if name is None:
            unknown += 1
            continue
        usage.setdefault(name, collections.Counter()).update(taken(server))
    if unknown:
        LOG.warning(
            'The hosts of %d servers of project %s are not known by name; '
            'they do not count in its share',
            unknown,
            project_id,
        )
    return {name: dict(amounts) for name, amounts in usage.items()}


def hashes(project_id: str, hosts: Iterable[str]) -> dict[str, str]:
    """Return hostId -> name, as ``nova.utils.generate_hostid`` makes it.

    Nova hashes the name of the compute service, which is the provider's
    name or, where that is a full domain name, the first part of it.
    """
    found: dict[str, str] = {}
    for host in hosts:
        for name in {host, host.partition('.')[0]}:
            digest = hashlib.sha224((project_id + name).encode()).hexdigest()
            found[digest] = host
    return found


def taken(server: Mapping[str, Any]) -> dict[str, int]:
    """Return what a server takes by the flavor that it shows."""
    flavor = server['flavor']
    flavor = {
        **flavor,
        'OS-FLV-EXT-DATA:ephemeral': flavor.get('ephemeral') or 0,
    }
    try:
        needs = demands.read(flavor, None, not server.get('image'))
    except demands.Unknowable:
        return {'VCPU': int(flavor['vcpus']), 'MEMORY_MB': int(flavor['ram'])}
    return dict(needs.resources)
