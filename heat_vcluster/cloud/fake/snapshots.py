# SPDX-License-Identifier: Apache-2.0
"""The fake services that copy: images of servers, snapshots of volumes."""

from __future__ import annotations

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import faults
from heat_vcluster.cloud.fake.calls import called, changing
from heat_vcluster.cloud.fake.servers import NOVA
from heat_vcluster.cloud.fake.volumes import CINDER, PROGRESS, Volumes
from heat_vcluster.cloud.fake.world import (
    Copy,
    Image,
    Server,
    State,
    Volume,
    VolumeSnapshot,
)

ABLE = ('ACTIVE', 'SHUTOFF', 'SUSPENDED')


class Snapshots(Volumes):
    @changing
    def ensure_image(
        self, owner: model.Owner, name: str, server_id: str
    ) -> str:
        there = self._world.tagged(Image, owner, self._project_id)
        if there is not None:
            return there.id
        server = self._need(Server, server_id, NOVA)
        if server.state is not State.READY or server.status not in ABLE:
            raise exception.CloudError(
                NOVA,
                f"Cannot 'createImage' instance {server_id} while it is in "
                f'vm_state {server.status}',
            )
        self._charge(NOVA, images=1)
        return self._begin(
            Image(
                id=self._world.new_id(),
                kind=model.Kind.IMAGE,
                project_id=self._project_id,
                name=name,
                owner=owner,
                made_of=server_id,
            )
        )

    @changing
    def ensure_volume_snapshot(
        self, owner: model.Owner, name: str, volume_id: str
    ) -> str:
        there = self._world.tagged(VolumeSnapshot, owner, self._project_id)
        if there is not None:
            return there.id
        volume = self._need(Volume, volume_id, CINDER)
        if volume.state is not State.READY:
            raise exception.CloudError(
                CINDER, f'Invalid volume: volume {volume_id} is not available'
            )
        self._charge(CINDER, volume_snapshots=1, gigabytes=volume.size_gb)
        return self._begin(
            VolumeSnapshot(
                id=self._world.new_id(),
                kind=model.Kind.VOLUME_SNAPSHOT,
                project_id=self._project_id,
                name=name,
                owner=owner,
                made_of=volume_id,
                size_gb=volume.size_gb,
                pool=volume.pool,
            )
        )

    def _begin(self, copy: Copy) -> str:
        copy.state, copy.polls = State.BUILDING, self._world.build_polls
        self._world.items[copy.id] = copy
        return copy.id

    @called
    def image_state(self, image_id: str) -> model.CopyState:
        """As nova has it, an image that could not be filled is removed."""
        image = self._own(Image, image_id)
        if image is not None:
            self._advance_copy(image)
            if image.state is State.FAILED:
                del self._world.items[image.id]
        return self._copy_state(self._own(Image, image_id))

    @called
    def volume_snapshot_state(self, snapshot_id: str) -> model.CopyState:
        snapshot = self._own(VolumeSnapshot, snapshot_id)
        if snapshot is not None:
            self._advance_copy(snapshot)
        return self._copy_state(self._own(VolumeSnapshot, snapshot_id))

    def _copy_state(self, copy: Copy | None) -> model.CopyState:
        if copy is None:
            return model.CopyState(model.Progress.GONE, 'deleted')
        return model.CopyState(
            PROGRESS[copy.state], str(copy.state), copy.reason
        )

    def _advance_copy(self, copy: Copy) -> None:
        if copy.state is State.BUILDING:
            if copy.polls > 0:
                copy.polls -= 1
            elif not self._faults.is_stuck(
                copy.kind, copy.member, faults.BUILDING
            ):
                copy.reason = self._faults.ruined(copy.kind, copy.member)
                copy.state = State.FAILED if copy.reason else State.READY
        elif copy.state is State.DELETING and not self._faults.is_stuck(
            copy.kind, copy.member, faults.DELETING
        ):
            if copy.polls > 0:
                copy.polls -= 1
            else:
                del self._world.items[copy.id]

    def _begin_delete_copy(self, copy: Copy) -> None:
        if isinstance(copy, Image):
            del self._world.items[copy.id]
        elif copy.state is State.BUILDING:
            self._advance_copy(copy)
            raise exception.CloudError(
                CINDER,
                'Invalid snapshot: Snapshot status must be available or '
                'error.',
            )
        elif copy.state is not State.DELETING:
            copy.state, copy.polls = State.DELETING, self._world.build_polls
