# SPDX-License-Identifier: Apache-2.0
"""Nova's engines as threads: conductor, scheduler, one compute per host."""

from __future__ import annotations

# ruff: noqa: E402
import io
import uuid
from typing import Any

from nova import monkey_patch

monkey_patch.patch(backend='threading')

from nova import context, objects
from nova.compute import rpcapi as compute_rpc
from nova.conductor import rpcapi as conductor_rpc
from nova.conf import CONF
from nova.image import glance
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler_rpc
from nova.service import Service
from nova.virt import block_device, fake, node

from heat_vcluster.devcloud import settings

_SECTOR = 512
_NAMESPACE = uuid.UUID('8a1d1f2e-5f0c-4b0e-9d3b-2f6a5a3f6c11')


def prepare(cloud: settings.Settings) -> None:
    """Put the hypervisors of this cloud in place of nova's own fake."""

    class DevelopmentDriver(_Hypervisor):
        vcpus = cloud.vcpus
        memory_mb = cloud.ram_mb
        local_gb = cloud.disk_gb

    # Drivers are looked up by a name below nova.virt, nowhere else.
    fake.DevelopmentDriver = DevelopmentDriver
    # The identity of a host is kept in a file; many hosts share our one
    # directory, and the driver names its nodes itself.
    node.read_local_node_uuid = _no_single_identity
    block_device.CONF = _ManyHosts(CONF, cloud.host_names)


def start(cloud: settings.Settings) -> None:
    objects.Service.enable_min_version_cache()
    _serve('nova-conductor', conductor_rpc.RPC_TOPIC)
    _serve('nova-scheduler', scheduler_rpc.RPC_TOPIC)
    for host in cloud.host_names:
        _serve(
            'nova-compute',
            compute_rpc.RPC_TOPIC,
            host=host,
            topic_alt=compute_rpc.RPC_TOPIC_ALT,
        )
    host_mapping.discover_hosts(context.get_admin_context())


def _serve(binary: str, topic: str, **more: Any) -> None:
    Service.create(binary=binary, topic=topic, **more).start()


class _Hypervisor(fake.FakeDriver):
    """Nova's fake, with node identities that outlive the process."""

    def snapshot(
        self, context: Any, instance: Any, image_id: str, tell: Any
    ) -> None:
        """Nova's fake leaves the image queued: fill it, with nothing."""
        super().snapshot(context, instance, image_id, tell)
        glance.API().update(
            context,
            image_id,
            {
                'status': 'active',
                'disk_format': 'raw',
                'container_format': 'bare',
            },
            io.BytesIO(bytes(_SECTOR)),
        )

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        resources: dict[str, Any] = super().get_available_resource(nodename)
        if resources:
            resources['uuid'] = node_uuid(nodename)
        return resources

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {node_uuid(name): name for name in self.get_available_nodes()}


class _ManyHosts:
    """nova.conf, where ``host`` equals each host of this process."""

    def __init__(self, conf: Any, names: tuple[str, ...]) -> None:
        self._conf = conf
        self.host = _AnyOf(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)


class _AnyOf:
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = frozenset(names)

    def __eq__(self, other: object) -> bool:
        return other in self._names

    def __hash__(self) -> int:
        return hash(self._names)


def node_uuid(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _no_single_identity() -> str:
    return node_uuid('every host')
