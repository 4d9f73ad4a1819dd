# SPDX-License-Identifier: Apache-2.0
"""Images of servers and snapshots of volumes, marked as a cluster's own.

A server that is made of an image hands the image's properties on to every
image that is made of it in turn, ours or not, by whomever. So the mark of an
image has the server that it was made of, too: one that nova says was made of
another is none of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import block_storage, errors, made, tags
from heat_vcluster.cloud.openstack.session import Service

SERVER = 'vcluster_server'
#: What nova itself says of an image that it makes.
MADE_OF = 'instance_uuid'
UNDER_WAY = frozenset({'queued', 'saving', 'uploading', 'importing'})
GONE = frozenset({'deleted', 'pending_delete', 'killed', 'deactivated'})


class Images:
    """Images of servers: asked of nova, looked at in glance."""

    def __init__(
        self, compute: Service, images: Service, known: made.Made
    ) -> None:
        self._compute = compute
        self._images = images
        self._made = known

    def ensure(self, owner: model.Owner, name: str, server_id: str) -> str:
        asked = {
            'name': name,
            'metadata': {**tags.metadata(owner), SERVER: server_id},
        }
        found = self._made.ensure(
            model.Kind.IMAGE,
            owner,
            self._usable,
            lambda: self._create(server_id, asked),
        )
        return str(found['id'])

    def _create(self, server_id: str, asked: Mapping[str, Any]) -> made.Body:
        patience = self._compute.patience()
        while True:
            try:
                body = self._compute.post(
                    f'/servers/{server_id}/action', {'createImage': asked}
                )
                return {'id': body['image_id']}
            except errors.Conflict:
                # The server is at something else; another image, say.
                if not patience.wait():
                    raise

    def _usable(self, image_id: str) -> made.Body | None:
        found = self.show(image_id)
        return None if found is None or found['status'] in GONE else found

    def state(self, image_id: str) -> model.CopyState:
        found = self.show(image_id)
        if found is None or found['status'] in GONE:
            # Nova removes an image that it could not fill.
            return model.CopyState(model.Progress.GONE, 'deleted')
        status = found['status']
        if status in UNDER_WAY:
            return model.CopyState(model.Progress.BUILDING, status)
        return model.CopyState(model.Progress.READY, status)

    def show(self, image_id: str) -> made.Body | None:
        try:
            found: made.Body = self._images.get(f'/images/{image_id}')
        except errors.NotFound:
            return None
        return found

    def find(self, cluster_id: str) -> tuple[model.Thing, ...]:
        items = self._images.pages(
            '/images', 'images', **{tags.META_CLUSTER: cluster_id}
        )
        owned = ((item['id'], owner(item)) for item in items)
        return tags.things_of(cluster_id, model.Kind.IMAGE, owned)

    def delete(self, image_id: str) -> None:
        self._images.delete(f'/images/{image_id}')


def owner(image: Mapping[str, Any]) -> model.Owner | None:
    """Return whose an image is, if it is one of ours."""
    if image.get(SERVER) != image.get(MADE_OF):
        return None
    return tags.from_metadata(image)


class VolumeSnapshots:
    """Snapshots of volumes, in cinder."""

    def __init__(
        self, service: Service, known: made.Made, secrets: errors.Secrets
    ) -> None:
        self._service = service
        self._made = known
        self._secrets = secrets

    def ensure(self, owner: model.Owner, name: str, volume_id: str) -> str:
        asked = {
            'name': name,
            'volume_id': volume_id,
            'force': True,  # also of one that is attached
            'metadata': tags.metadata(owner),
        }
        found = self._made.ensure(
            model.Kind.VOLUME_SNAPSHOT,
            owner,
            self._usable,
            lambda: self._service.post('/snapshots', {'snapshot': asked})[
                'snapshot'
            ],
        )
        return str(found['id'])

    def _usable(self, snapshot_id: str) -> made.Body | None:
        found = self.show(snapshot_id)
        if found is None or found['status'] not in ('creating', 'available'):
            return None
        return found

    def state(self, snapshot_id: str) -> model.CopyState:
        found = self.show(snapshot_id)
        if found is None:
            return model.CopyState(model.Progress.GONE, 'deleted')
        status = found['status']
        if status == 'available':
            return model.CopyState(model.Progress.READY, status)
        if status.startswith('error'):
            reason = block_storage.reason(
                self._service, self._secrets, 'snapshot', snapshot_id
            )
            return model.CopyState(model.Progress.FAILED, status, reason)
        return model.CopyState(model.Progress.BUILDING, status)

    def show(self, snapshot_id: str) -> made.Body | None:
        return block_storage.show(self._service, 'snapshot', snapshot_id)

    def find(self, cluster_id: str) -> tuple[model.Thing, ...]:
        return block_storage.find(
            self._service, 'snapshot', model.Kind.VOLUME_SNAPSHOT, cluster_id
        )

    def delete(self, snapshot_id: str) -> None:
        self._service.delete(f'/snapshots/{snapshot_id}')
