# SPDX-License-Identifier: Apache-2.0
"""Copies what a cluster has on its disks: images of servers, and snapshots.

A server that boots from a volume has nothing of its own to be copied; what
it boots from is copied where it is a member.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import lease as leases
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

Part = records.SnapshotPart

#: As long as the services let a name be.
LONGEST_NAME = 255


def parts(wanted: spec.GroupSpec, rows: Iterable[Any]) -> Iterator[Part]:
    """Give what has to be copied of each member.

    Raises MemberFailed for one of which there is nothing.
    """
    for row in rows:
        asked = wanted.member(row.name).spec
        if isinstance(asked, spec.NetworkSpec) or (
            isinstance(asked, spec.ServerSpec) and asked.boot_volume
        ):
            continue
        kind = model.Kind.VOLUME_SNAPSHOT
        if row.type == 'server':
            kind = model.Kind.IMAGE
        if row.resource_id is None:
            raise exception.MemberFailed(row.name, f'it has no {row.type}')
        yield Part(row.name, str(kind), row.resource_id)


class Copying:
    """All copies of one snapshot; ``execute`` makes one and waits for it.

    What a dead engine has asked for is found again by its mark.
    """

    def __init__(
        self,
        cluster: Any,
        snapshot: records.SnapshotRecord,
        wanted: Iterable[Part],
        outside: cloud.Cloud,
        signal: leases.Signal,
        pause: float,
    ) -> None:
        self._cluster = cluster
        self._snapshot = snapshot
        self._cloud = outside
        self._signal = signal
        self._pause = pause
        self.parts = {part.member: part for part in wanted}

    def execute(self, member: str) -> None:
        self._signal.check()
        part = self.parts[member]
        try:
            copy_id = self._ask(part)
            self._await(part, copy_id)
        except exception.CloudError as error:
            raise exception.MemberFailed(
                member, str(error), code=error.code
            ) from error
        self.parts[member] = dataclasses.replace(part, id=copy_id)

    def _ask(self, part: Part) -> str:
        owner = model.Owner(self._cluster.id, part.member, self._snapshot.id)
        name = self._name_of(part.member)
        if part.kind == model.Kind.IMAGE:
            return self._cloud.ensure_image(owner, name, part.source)
        return self._cloud.ensure_volume_snapshot(owner, name, part.source)

    def _name_of(self, member: str) -> str:
        words = (
            self._cluster.built_as or self._cluster.id,
            incarnations.shown(member),
            self._snapshot.name or self._snapshot.id,
        )
        return '-'.join(words)[:LONGEST_NAME]

    def _await(self, part: Part, copy_id: str) -> None:
        while True:
            state = self._state(part, copy_id)
            if state.progress is model.Progress.READY:
                return
            if state.progress is not model.Progress.BUILDING:
                what = part.kind.replace('_', ' ')
                raise exception.MemberFailed(
                    part.member,
                    state.reason or f'its {what} is {state.status}',
                )
            self._signal.check()
            self._signal.sleep(self._pause)

    def _state(self, part: Part, copy_id: str) -> model.CopyState:
        if part.kind == model.Kind.IMAGE:
            return self._cloud.image_state(copy_id)
        return self._cloud.volume_snapshot_state(copy_id)
