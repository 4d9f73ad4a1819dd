# SPDX-License-Identifier: Apache-2.0
"""Servers, made in nova on the host that was chosen for them."""

from __future__ import annotations

import base64
import contextlib
import re
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from oslo_utils import uuidutils

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, made, pace, tags
from heat_vcluster.cloud.openstack.session import Service

NOVA = 'nova'
#: The fault of a server whose host had no room left, or was disabled.
NO_HOST = 'No valid host was found'
#: That of one in a server group where no filter looks at those.
NO_GROUPS = 'ServerGroup policy is not supported'
#: Nova writes the fault down after the status; so long it is waited for.
FAULT_SECONDS = 2.0
BUILDING = frozenset({'BUILD', 'UNKNOWN'})
SOFT_DELETED = 'SOFT_DELETED'
GONE = frozenset({'DELETED', SOFT_DELETED})
VOLUMES = 'os-extended-volumes:volumes_attached'
TASK = 'OS-EXT-STS:task_state'
#: What an action is called, and the status that it comes to.
POWER = {
    model.Power.STOP: ('os-stop', 'SHUTOFF'),
    model.Power.START: ('os-start', 'ACTIVE'),
    model.Power.SUSPEND: ('suspend', 'SUSPENDED'),
    model.Power.RESUME: ('resume', 'ACTIVE'),
}
#: The task states of a server that is on its way there.
UNDER_WAY = {
    model.Power.STOP: frozenset({'powering-off'}),
    model.Power.START: frozenset({'powering-on'}),
    model.Power.SUSPEND: frozenset({'suspending'}),
    model.Power.RESUME: frozenset({'resuming'}),
}
MOVING = frozenset({'MIGRATING', 'RESIZE'})
MOVING_TASKS = frozenset(
    {
        'migrating',
        'resize_prep',
        'resize_migrating',
        'resize_migrated',
        'resize_finish',
        'resize_confirming',
    }
)
#: The status of a server that runs resized, until it is confirmed.
RESIZED = 'VERIFY_RESIZE'
RESIZING = frozenset({'RESIZE', 'REVERT_RESIZE'})
#: With more servers than this being built, they are asked for all at once.
CROWD = 3


class Building:
    """Which servers of a cluster are being built, by one call for all.

    The list is read anew after ``INTERVAL`` seconds, or a few times as long
    as reading it took: waiting for a crowd must not slow its building down.
    """

    INTERVAL = 1.0
    SHARE = 5

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._clusters: dict[str, str] = {}  # server -> cluster
        self._ids: frozenset[str] = frozenset()
        self._read_again = 0.0

    def add(self, server_id: str, cluster_id: str) -> None:
        with self._lock:
            self._clusters[server_id] = cluster_id

    def remove(self, server_id: str) -> None:
        with self._lock:
            self._clusters.pop(server_id, None)

    def has(self, server_id: str) -> bool:
        """Tell whether it was being built a moment ago; False: not known."""
        with self._lock:
            cluster_id = self._clusters.get(server_id)
            if cluster_id is None or len(self._clusters) <= CROWD:
                return False
            if time.monotonic() > self._read_again:
                self._read(cluster_id)
            return server_id in self._ids

    def _read(self, cluster_id: str) -> None:
        begun = time.monotonic()
        servers = self._service.pages(
            '/servers',
            'servers',
            tags=tags.cluster_tag(cluster_id),
            status='BUILD',
        )
        self._ids = frozenset(server['id'] for server in servers)
        ended = time.monotonic()
        pause = max(self.INTERVAL, self.SHARE * (ended - begun))
        self._read_again = ended + pause


class Compute:
    """Nova for one tenant, with the right to choose the host."""

    def __init__(
        self, service: Service, known: made.Made, secrets: errors.Secrets
    ) -> None:
        self._service = service
        self._made = known
        self._secrets = secrets
        self._building = Building(service)
        self._flavor_ids: dict[str, str | None] = {}

    # -- making -----------------------------------------------------------

    def ensure(self, owner: model.Owner, wanted: model.ServerRequest) -> str:
        self._secrets.add(frozenset({wanted.host}))
        body: dict[str, Any] = {'server': _body(owner, wanted)}
        if wanted.group_id is not None:
            body['os:scheduler_hints'] = {'group': wanted.group_id}
        found = self._made.ensure(
            model.Kind.SERVER,
            owner,
            self._usable,
            lambda: self._create(body),
        )
        self._building.add(found['id'], owner.cluster_id)
        return str(found['id'])

    def _create(self, body: Mapping[str, Any]) -> made.Body:
        found: made.Body = self._service.post('/servers', body)['server']
        return found

    def _usable(self, server_id: str) -> made.Body | None:
        """Return the server, unless it has failed or is being deleted."""
        found = self.show(server_id)
        if found is None or found['status'] in {'ERROR', *GONE}:
            return None
        if found.get('OS-EXT-STS:task_state') == 'deleting':
            return None
        return found

    def attach(
        self, server_id: str, volume_id: str, device: str | None
    ) -> None:
        wanted = {'volumeId': volume_id}
        if device:
            wanted['device'] = device
        patience = self._service.patience()
        while volume_id not in self._attachments(server_id):
            try:
                self._service.post(
                    f'/servers/{server_id}/os-volume_attachments',
                    {'volumeAttachment': wanted},
                )
                return
            except (errors.Conflict, errors.Unclear):
                # Its server is at something else; or the answer got lost.
                if not patience.wait():
                    raise

    def change_power(self, server_id: str, power: model.Power) -> None:
        action, after = POWER[power]
        patience = self._service.patience()
        is_lost = False
        while True:
            found = self.show(server_id)
            if found is None:
                raise exception.CloudError(NOVA, 'the server is gone')
            is_busy = found.get(TASK) is not None
            if found['status'] == after and not is_busy:
                return
            if is_busy and found[TASK] in UNDER_WAY[power]:
                return
            try:
                self._service.post(
                    f'/servers/{server_id}/action', {action: None}
                )
                return
            except (errors.Conflict, errors.Unclear) as error:
                # It is at something else; or the answer got lost, and from
                # then on it may be at what it was asked for.
                is_lost = is_lost or isinstance(error, errors.Unclear)
                if not (is_busy or is_lost) or not patience.wait():
                    raise

    def migrate(self, server_id: str, host: str, *, live: bool) -> None:
        """Ask for a move to a host, by the name of its compute service."""
        self._secrets.add(frozenset({host}))
        body: dict[str, Any] = {'migrate': {'host': host}}
        if live:
            body = {
                'os-migrateLive': {'host': host, 'block_migration': 'auto'}
            }
        try:
            self._service.post(f'/servers/{server_id}/action', body)
        except errors.Unclear:
            # The answer got lost: what the server does tells.
            if not self.is_moving(server_id):
                raise

    def is_moving(self, server_id: str) -> bool:
        found = self.show(server_id)
        if found is None:
            return False
        if found['status'] == RESIZED:
            # Refused: it is being confirmed, which shows nowhere.
            with contextlib.suppress(errors.Refused):
                self._service.post(
                    f'/servers/{server_id}/action', {'confirmResize': None}
                )
            return True
        return found['status'] in MOVING or found.get(TASK) in MOVING_TASKS

    def resize(self, server_id: str, flavor_id: str) -> None:
        patience = self._service.patience()
        while True:
            state = self.resize_state(server_id)
            if state.is_under_way or state.flavor_id == flavor_id:
                return
            try:
                self._service.post(
                    f'/servers/{server_id}/action',
                    {'resize': {'flavorRef': flavor_id}},
                )
                return
            except (errors.Conflict, errors.Unclear):
                # It is at something else; or the answer got lost.
                if state.is_open or not patience.wait():
                    raise

    def end_resize(self, server_id: str, action: str) -> None:
        """Confirm or revert what is open, if anything is."""
        patience = self._service.patience()
        while self.resize_state(server_id).is_open:
            try:
                self._service.post(
                    f'/servers/{server_id}/action', {action: None}
                )
                return
            except (errors.Refused, errors.Unclear):
                if not patience.wait():
                    raise

    def resize_state(self, server_id: str) -> model.Resize:
        found = self.show(server_id)
        if found is None:
            raise exception.CloudError(NOVA, 'the server is gone')
        task = found.get(TASK) or ''
        is_open = found['status'] == RESIZED
        return model.Resize(
            self._flavor_id(found['flavor']['original_name']),
            is_under_way=found['status'] in RESIZING
            or task.startswith('resize_'),
            is_open=is_open and not task,
        )

    def _flavor_id(self, name: str) -> str | None:
        """A server tells its flavor by the name that it had then."""
        if name not in self._flavor_ids:
            found = {each['name']: each['id'] for each in self.flavors()}
            self._flavor_ids = {name: None, **found}
        return self._flavor_ids[name]

    def detach(self, server_id: str, volume_id: str) -> None:
        patience = self._service.patience()
        while True:
            try:
                self._service.delete(
                    f'/servers/{server_id}/os-volume_attachments/{volume_id}'
                )
                return
            except errors.Conflict:
                if not patience.wait():
                    raise

    def _attachments(self, server_id: str) -> frozenset[str]:
        body = self._service.get(f'/servers/{server_id}/os-volume_attachments')
        return frozenset(one['volumeId'] for one in body['volumeAttachments'])

    def mark(self, server_id: str, marks: model.Marks) -> None:
        """Set and drop metadata and tags, each by what may be repeated."""
        path = f'/servers/{server_id}'
        if marks.metadata:
            self._service.post(
                f'{path}/metadata', {'metadata': dict(marks.metadata)}
            )
        for key in sorted(marks.no_metadata):
            self._service.delete(f'{path}/metadata/{_part(key)}')
        for tag in sorted(marks.tags):
            self._service.put(f'{path}/tags/{_part(tag)}', None)
        for tag in sorted(marks.no_tags):
            self._service.delete(f'{path}/tags/{_part(tag)}')

    # -- seeing -----------------------------------------------------------

    def state(self, server_id: str) -> model.ServerState:
        """Return the state; ``host`` is not told by nova to tenants."""
        if self._building.has(server_id):
            return model.ServerState(model.Progress.BUILDING, 'BUILD')
        state = self._state(server_id)
        if state.progress is not model.Progress.BUILDING:
            self._building.remove(server_id)
        return state

    def _state(self, server_id: str) -> model.ServerState:
        found = self._explained(server_id)
        if found is None or found['status'] in GONE:
            return model.ServerState(model.Progress.GONE, 'DELETED')
        status = found['status']
        attached = frozenset(one['id'] for one in found.get(VOLUMES, ()))
        if status == 'ERROR':
            words = (found.get('fault') or {}).get('message') or ''
            return model.ServerState(
                model.Progress.FAILED,
                status,
                self._secrets.hide(words.strip() or 'the server failed'),
                no_valid_host=words.startswith((NO_HOST, NO_GROUPS)),
                attached=attached,
            )
        building = status in BUILDING
        progress = (
            model.Progress.BUILDING if building else model.Progress.READY
        )
        return model.ServerState(progress, status, attached=attached)

    def _explained(self, server_id: str) -> made.Body | None:
        """Show a server; one that has failed with its fault, if one comes."""
        patience = pace.Patience(FAULT_SECONDS)
        while True:
            found = self.show(server_id)
            is_vague = (
                found is not None
                and found['status'] == 'ERROR'
                and 'fault' not in found
            )
            if not is_vague or not patience.wait():
                return found

    def show(self, server_id: str) -> made.Body | None:
        try:
            found: made.Body = self._service.get(f'/servers/{server_id}')[
                'server'
            ]
        except errors.NotFound:
            return None
        return found

    def named(self, name: str) -> list[made.Body]:
        """Return the servers with that id or, failing that, that name."""
        if uuidutils.is_uuid_like(name):
            found = self.show(name)
            if found is not None:
                return [found]
        # Nova takes it for a pattern, and finds more.
        items = self._service.pages(
            '/servers/detail', 'servers', name=f'^{re.escape(name)}$'
        )
        return [item for item in items if item['name'] == name]

    # -- finding and removing ---------------------------------------------

    def find(self, cluster_id: str) -> tuple[model.Thing, ...]:
        items = self._service.pages(
            '/servers/detail', 'servers', tags=tags.cluster_tag(cluster_id)
        )
        owned = (
            (item['id'], tags.from_metadata(item['metadata']))
            for item in items
        )
        return tags.things_of(cluster_id, model.Kind.SERVER, owned)

    def delete(self, server_id: str) -> None:
        found = self.show(server_id)
        if found is None or found['status'] != SOFT_DELETED:
            self._service.delete(f'/servers/{server_id}')
            return
        # Nova keeps it, its room and its volumes until it is reclaimed.
        with contextlib.suppress(errors.NotFound):
            self._service.post(
                f'/servers/{server_id}/action', {'forceDelete': None}
            )

    # -- what exists ------------------------------------------------------

    def flavors(self) -> list[dict[str, Any]]:
        return self._service.pages('/flavors/detail', 'flavors')

    def keys(self) -> frozenset[str]:
        items = self._service.get('/os-keypairs')['keypairs']
        return frozenset(item['keypair']['name'] for item in items)

    def zones(self) -> frozenset[str]:
        body = self._service.get('/os-availability-zone')
        return frozenset(
            zone['zoneName'] for zone in body['availabilityZoneInfo']
        )

    def limits(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self._service.get('/limits')['limits'][
            'absolute'
        ]
        return found


def _part(text: str) -> str:
    """Return a tenant's word as a part of an address."""
    return urllib.parse.quote(text, safe='')


def _body(owner: model.Owner, wanted: model.ServerRequest) -> dict[str, Any]:
    asked = wanted.spec
    server = {
        'name': wanted.name,
        'flavorRef': wanted.flavor_id,
        'hypervisor_hostname': wanted.host,
        'networks': [{'port': port} for port in wanted.port_ids] or 'none',
        'imageRef': wanted.image_id,
        'block_device_mapping_v2': _boot_volume(wanted.boot_volume_id),
        'key_name': asked.key_name,
        'user_data': _encode(asked.user_data),
        'config_drive': asked.config_drive,
        'availability_zone': asked.availability_zone,
        'metadata': {
            **asked.metadata,
            **tags.domains(wanted.domains),
            **tags.metadata(owner),
        },
        'tags': list(
            dict.fromkeys([*asked.tags, tags.cluster_tag(owner.cluster_id)])
        ),
    }
    return {k: v for k, v in server.items() if v is not None}


def _boot_volume(volume_id: str | None) -> list[dict[str, Any]] | None:
    if volume_id is None:
        return None
    return [
        {
            'uuid': volume_id,
            'boot_index': 0,
            'source_type': 'volume',
            'destination_type': 'volume',
            # It is a member of its own, and goes when the cluster goes.
            'delete_on_termination': False,
        }
    ]


def _encode(text: str | None) -> str | None:
    if text is None:
        return None
    return base64.b64encode(text.encode()).decode()
