# SPDX-License-Identifier: Apache-2.0
"""Volumes, made in cinder and led to their pool."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from oslo_utils import uuidutils

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import block_storage, errors, made, tags
from heat_vcluster.cloud.openstack.session import Service

HINTS = 'OS-SCH-HNT:scheduler_hints'
#: Administrators see it; so does our service token where the operator opens
#: ``volume_extension:volume_host_attribute`` to it.
HOST = 'os-vol-host-attr:host'
READY = frozenset(
    {'available', 'in-use', 'reserved', 'attaching', 'detaching'}
)


class BlockStorage:
    """Cinder for one tenant. ``pins``: whether a pool can be chosen."""

    def __init__(
        self,
        service: Service,
        known: made.Made,
        secrets: errors.Secrets,
        *,
        pins: bool,
    ) -> None:
        self._service = service
        self._made = known
        self._secrets = secrets
        self._pins = pins

    # -- making -----------------------------------------------------------

    def ensure(self, owner: model.Owner, wanted: model.VolumeRequest) -> str:
        body = self._body(owner, wanted)
        found = self._made.ensure(
            model.Kind.VOLUME,
            owner,
            self._usable,
            lambda: self._create(body),
        )
        return str(found['id'])

    def _body(
        self, owner: model.Owner, wanted: model.VolumeRequest
    ) -> dict[str, Any]:
        asked = wanted.spec
        volume = {
            'name': wanted.name,
            'size': asked.size,
            'volume_type': wanted.type_id,
            'imageRef': wanted.image_id,
            'snapshot_id': asked.snapshot_id,
            'availability_zone': asked.availability_zone,
            'metadata': {**asked.metadata, **tags.metadata(owner)},
        }
        body: dict[str, Any] = {
            'volume': {k: v for k, v in volume.items() if v is not None}
        }
        if self._pins and wanted.pool and not asked.snapshot_id:
            # A copy of a snapshot is led to the snapshot's pool by cinder.
            query = json.dumps(['=', '$host', wanted.pool])
            body[HINTS] = {'query': query}
            self._secrets.add(frozenset({wanted.pool}))
        return body

    def _create(self, body: Mapping[str, Any]) -> made.Body:
        found: made.Body = self._service.post('/volumes', body)['volume']
        return found

    def _usable(self, volume_id: str) -> made.Body | None:
        """Return the volume, unless it has failed."""
        found = self._show(volume_id)
        if found is None or found['status'].startswith('error'):
            return None
        return found

    # -- changing ---------------------------------------------------------

    def mark(self, volume_id: str, marks: model.Marks) -> None:
        path = f'/volumes/{volume_id}/metadata'
        if marks.metadata:
            self._service.post(path, {'metadata': dict(marks.metadata)})
        for key in sorted(marks.no_metadata):
            name = urllib.parse.quote(key, safe='')
            self._service.delete(f'{path}/{name}')

    def extend(self, volume_id: str, size_gb: int) -> None:
        patience = self._service.patience()
        while not self._is_extended(volume_id, size_gb):
            try:
                self._service.post(
                    f'/volumes/{volume_id}/action',
                    {'os-extend': {'new_size': size_gb}},
                )
                return
            except errors.Unclear:
                # The answer got lost.
                if not patience.wait():
                    raise

    def _is_extended(self, volume_id: str, size_gb: int) -> bool:
        """Tell whether it has the size, or is on its way."""
        found = self._show(volume_id)
        return found is not None and (
            found['status'] == 'extending' or found['size'] >= size_gb
        )

    def drop_attachment(self, server_id: str, volume_id: str) -> None:
        found = self._show(volume_id)
        for one in found['attachments'] if found else ():
            if one.get('server_id') == server_id:
                # In conflict: it is being removed.
                with contextlib.suppress(errors.Conflict):
                    self._service.delete(
                        f'/attachments/{one["attachment_id"]}'
                    )

    # -- seeing -----------------------------------------------------------

    def state(self, volume_id: str) -> model.VolumeState:
        found = self._show(volume_id)
        if found is None:
            return model.VolumeState(model.Progress.GONE, 'DELETED')
        status = found['status']
        reason = None
        if status.startswith('error'):
            progress = model.Progress.FAILED
            reason = block_storage.reason(
                self._service, self._secrets, 'volume', volume_id
            )
        elif status in READY:
            progress = model.Progress.READY
        else:
            progress = model.Progress.BUILDING
        attached = (one.get('server_id') for one in found['attachments'])
        return model.VolumeState(
            progress,
            status,
            reason,
            found.get(HOST),
            frozenset(server for server in attached if server),
            found['size'],
        )

    def is_detached(self, server_id: str, volume_id: str) -> bool:
        """Tell whether it is off a server, or on its way."""
        found = self.state(volume_id)
        return (
            found.status == 'detaching' or server_id not in found.attached_to
        )

    def _show(self, volume_id: str) -> made.Body | None:
        return block_storage.show(self._service, 'volume', volume_id)

    # -- finding and removing ---------------------------------------------

    def find(self, cluster_id: str) -> tuple[model.Thing, ...]:
        return block_storage.find(
            self._service, 'volume', model.Kind.VOLUME, cluster_id
        )

    def delete(self, volume_id: str) -> None:
        self._service.delete(f'/volumes/{volume_id}')

    def is_gone(self, volume_id: str) -> bool:
        return self._show(volume_id) is None

    # -- what exists ------------------------------------------------------

    def types(self) -> list[dict[str, Any]]:
        return self._service.pages('/types', 'volume_types')

    def default_type(self) -> str | None:
        """Return the name of the type of volumes that name none."""
        try:
            body = self._service.get('/types/default')
        except errors.NotFound:
            return None
        return str(body['volume_type']['name'])

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the volumes with that id or, failing that, that name."""
        if uuidutils.is_uuid_like(name):
            found = self._show(name)
            if found is not None:
                return [dict(found)]
        return self._service.pages('/volumes/detail', 'volumes', name=name)

    def snapshot(self, snapshot_id: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._service.get(
                f'/snapshots/{snapshot_id}'
            )['snapshot']
        except errors.NotFound:
            return None
        return found

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
