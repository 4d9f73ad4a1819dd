# SPDX-License-Identifier: Apache-2.0
"""Finding what bears a cluster's tag, and asking for its removal."""

from __future__ import annotations

from collections.abc import Collection

from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake.calls import called, changing
from heat_vcluster.cloud.fake.networks import Networks
from heat_vcluster.cloud.fake.snapshots import Snapshots
from heat_vcluster.cloud.fake.world import (
    Copy,
    FloatingIp,
    Item,
    Network,
    Port,
    Router,
    Server,
    ServerGroup,
    Subnet,
    Volume,
)

_ORDER = tuple(model.Kind)


class Removal(Snapshots, Networks):
    @called
    def find(
        self,
        cluster_id: str,
        member: str | None = None,
        kinds: Collection[model.Kind] | None = None,
    ) -> tuple[model.Thing, ...]:
        found = [
            model.Thing(item.kind, item.id, item.owner)
            for item in self._world.items.values()
            if item.project_id == self._project_id
            and item.owner is not None
            and item.owner.cluster_id == cluster_id
            and member in (None, item.owner.member)
            and item.kind in (model.OF_MEMBERS if kinds is None else kinds)
        ]
        return tuple(sorted(found, key=lambda t: _ORDER.index(t.kind)))

    @changing
    def delete(self, thing_kind: model.Kind, thing_id: str) -> None:
        item = self._mine(thing_kind, thing_id)
        match item:
            case Server():
                self._begin_delete_server(item)
            case Volume():
                self._begin_delete_volume(item)
            case Copy():
                self._begin_delete_copy(item)
            case Port():
                self._delete_port(item)
            case Router():
                self._delete_router(item)
            case Subnet():
                self._delete_subnet(item)
            case Network():
                self._delete_network(item)
            case FloatingIp() | ServerGroup():
                del self._world.items[item.id]

    @called
    def is_gone(self, thing_kind: model.Kind, thing_id: str) -> bool:
        item = self._mine(thing_kind, thing_id)
        if isinstance(item, Server):
            self._advance_server(item)
        elif isinstance(item, Volume):
            self._advance_volume(item)
        elif isinstance(item, Copy):
            self._advance_copy(item)
        return self._mine(thing_kind, thing_id) is None

    def _mine(self, kind: model.Kind, thing_id: str) -> Item | None:
        item = self._world.items.get(thing_id)
        if item and (item.kind, item.project_id) == (kind, self._project_id):
            return item
        return None
