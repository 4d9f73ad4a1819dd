# SPDX-License-Identifier: Apache-2.0
"""The fake volume service: a pool is chosen, or found full, after a while."""

from __future__ import annotations

import dataclasses

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import faults
from heat_vcluster.cloud.fake.calls import called, changing
from heat_vcluster.cloud.fake.servers import Servers, marked
from heat_vcluster.cloud.fake.world import (
    Link,
    PoolState,
    Server,
    State,
    Volume,
    VolumeSnapshot,
)
from heat_vcluster.spec import model as spec

CINDER = 'cinder'
NO_VALID_BACKEND = (
    'schedule allocate volume: Could not find any available weighted backend.'
)
_Links = list[tuple[Server, Link]]

PROGRESS = {
    State.BUILDING: model.Progress.BUILDING,
    State.READY: model.Progress.READY,
    State.FAILED: model.Progress.FAILED,
    State.DELETING: model.Progress.GONE,
}


class Volumes(Servers):
    @changing
    def ensure_volume(
        self, owner: model.Owner, wanted: model.VolumeRequest
    ) -> str:
        there = self._world.tagged(Volume, owner, self._project_id)
        if there is not None:
            return there.id
        asked = wanted.spec
        if wanted.image_id and not self._is_image(wanted.image_id):
            raise exception.CloudError(
                CINDER, f'Image {wanted.image_id} could not be found.'
            )
        self._charge(CINDER, volumes=1, gigabytes=asked.size)
        volume = Volume(
            id=self._world.new_id(),
            kind=model.Kind.VOLUME,
            project_id=self._project_id,
            name=wanted.name,
            owner=owner,
            state=State.BUILDING,
            polls=self._world.build_polls,
            size_gb=asked.size,
            type_name=self._type_name(wanted.type_id),
            asked_pool=self._pool_of(asked.snapshot_id) or wanted.pool,
            is_bootable=bool(wanted.image_id or asked.snapshot_id),
            asked=asked,
        )
        self._world.items[volume.id] = volume
        return volume.id

    def _pool_of(self, snapshot_id: str | None) -> str | None:
        """A volume goes where the snapshot is that it is made of."""
        snapshot = self._own(VolumeSnapshot, snapshot_id or '')
        return snapshot.pool if snapshot else None

    @changing
    def mark_volume(self, volume_id: str, marks: model.Marks) -> None:
        volume = self._need(Volume, volume_id, CINDER)
        asked = volume.asked or spec.VolumeSpec(volume.size_gb)
        volume.asked = dataclasses.replace(
            asked, metadata=marked(asked.metadata, marks)
        )

    @changing
    def extend_volume(self, volume_id: str, size_gb: int) -> None:
        volume = self._need(Volume, volume_id, CINDER)
        more = size_gb - volume.size_gb
        if more <= 0:
            return
        self._charge(CINDER, gigabytes=more)
        pool = self._world.pools.get(volume.pool or '')
        free = self._world.free_gb(pool) if pool else None
        if free is not None and more > free:
            raise exception.CloudError(
                CINDER, f'Insufficient free space to extend {volume_id}'
            )
        volume.size_gb = size_gb

    def _type_name(self, type_id: str | None) -> str | None:
        if type_id is None:
            return None
        for kind in self._world.volume_types.values():
            if kind.id == type_id:
                return kind.name
        raise exception.CloudError(
            CINDER, f'Volume type {type_id} could not be found.'
        )

    @called
    def volume_state(self, volume_id: str) -> model.VolumeState:
        volume = self._own(Volume, volume_id)
        if volume is not None:
            self._advance_volume(volume)
        if volume is None or volume.id not in self._world.items:
            return model.VolumeState(model.Progress.GONE, 'deleted')
        links = self._links(volume)
        return model.VolumeState(
            PROGRESS[volume.state],
            status_of(volume, links),
            volume.reason,
            volume.pool,
            frozenset(
                server.id
                for server, link in links
                if link is not Link.ATTACHING
            )
            | volume.stale,
            volume.size_gb,
        )

    def _links(self, volume: Volume) -> _Links:
        return [
            (server, server.links[volume.id])
            for server in self._world.of(Server)
            if volume.id in server.links
        ]

    def _advance_volume(self, volume: Volume) -> None:
        for server, link in self._links(volume):
            if link is not Link.ATTACHED:
                self._advance_links(server)
        if volume.state is State.BUILDING:
            self._advance_creating(volume)
        elif volume.state is State.DELETING and not self._faults.is_stuck(
            volume.kind, volume.member, faults.DELETING
        ):
            if volume.polls > 0:
                volume.polls -= 1
            else:
                del self._world.items[volume.id]

    def _advance_creating(self, volume: Volume) -> None:
        if volume.pool is None and self._world.pools:
            pool = self._choose_pool(volume)
            if pool is None:
                volume.state, volume.reason = State.FAILED, NO_VALID_BACKEND
            else:
                volume.pool = pool.name
        elif volume.polls > 0:
            volume.polls -= 1
        elif not self._faults.is_stuck(
            volume.kind, volume.member, faults.BUILDING
        ):
            volume.reason = self._faults.ruined(volume.kind, volume.member)
            volume.state = State.FAILED if volume.reason else State.READY

    def _choose_pool(self, volume: Volume) -> PoolState | None:
        """Take the pool asked for, else the one with the most room."""
        fitting = [
            pool
            for pool in self._world.pools.values()
            if volume.asked_pool in (None, pool.name)
            and self._world.takes(pool, volume.size_gb, volume.type_name)
        ]

        def room(pool: PoolState) -> float:
            free = self._world.free_gb(pool)
            return float('inf') if free is None else free

        return max(fitting, key=room, default=None)

    def _begin_delete_volume(self, volume: Volume) -> None:
        if volume.state is State.DELETING:
            return
        if volume.state is State.BUILDING:
            # Asking again and again takes time too: it goes on meanwhile.
            self._advance_volume(volume)
        status = status_of(volume, self._links(volume))
        is_held = any(
            snapshot.made_of == volume.id
            for snapshot in self._world.of(VolumeSnapshot)
        )
        if is_held or status not in ('available', 'error'):
            raise exception.CloudError(
                CINDER,
                'Invalid volume: Volume status must be available or error '
                'and must not be migrating, attached, belong to a group, '
                f'have snapshots (status {status}).',
            )
        volume.state = State.DELETING
        volume.polls = self._world.build_polls


def status_of(volume: Volume, links: _Links) -> str:
    kinds = {link for _, link in links}
    if volume.state is not State.READY:
        return {
            State.BUILDING: 'creating',
            State.FAILED: 'error',
            State.DELETING: 'deleting',
        }[volume.state]
    if Link.ATTACHED in kinds or volume.stale:
        return 'in-use'
    for link in (Link.ATTACHING, Link.DETACHING):
        if link in kinds:
            return str(link)
    return 'available'
