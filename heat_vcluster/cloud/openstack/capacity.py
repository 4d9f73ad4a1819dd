# SPDX-License-Identifier: Apache-2.0
"""Capacity and holds for one tenant: what placement says, and what we take."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    errors,
    inventory,
    pools,
    reservation,
    settings,
    topology,
)
from heat_vcluster.cloud.openstack.demands import Signature
from heat_vcluster.cloud.openstack.session import Services
from heat_vcluster.placement import model as placement


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """What all clouds of one opener share: our own rights and knowledge."""

    services: Services
    reader: topology.TopologyReader
    options: settings.Settings
    secrets: errors.Secrets

    def hosts(self, needs: Iterable[str] = ()) -> topology.Topology:
        """Return the topology; its names are no tenant's to read."""
        known = self.reader.read(needs)
        self.secrets.add(
            frozenset(place.name for place in known.places.values())
        )
        return known


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What a server needs of its host, and the zone it must be in."""

    signature: Signature
    zone: str | None = None


class Capacity:
    """Reads capacity for demands, and holds it."""

    def __init__(self, site: Site, tenant: reservation.Tenant) -> None:
        self._site = site
        self._tenant = tenant
        self._lock = threading.Lock()
        self._needs: dict[str, Need] = {}
        self._backends: dict[str, frozenset[str]] = {}
        self._answers: dict[Signature, inventory.Candidates] = {}

    def remember(
        self,
        needs: Mapping[str, Need],
        backends: Mapping[str, frozenset[str]],
    ) -> None:
        """Keep what members need beyond their bare resources.

        ``backends``: volume type -> backend names, of the types that tell.
        """
        with self._lock:
            self._needs = {**self._needs, **needs}
            self._backends = {**self._backends, **backends}

    def snapshot(
        self, demands: Sequence[placement.Demand]
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        servers = [d for d in demands if isinstance(d, placement.ServerDemand)]
        answers = {
            signature: inventory.ask(self._site.services.placement, signature)
            for signature in {self._need(d).signature for d in servers}
        }
        with self._lock:
            self._answers.update(answers)
        known = self._site.hosts(
            root for answer in answers.values() for root in answer.roots
        )
        volumes = [d for d in demands if isinstance(d, placement.VolumeDemand)]
        found = self._pools()
        of_type = self._types(volumes, found)
        snapshot = placement.Snapshot(
            self._site.options.level_names,
            inventory.hosts(answers.values(), known),
            pools.snapshot(found, self._site.options, known),
        )

        def placed(demand: placement.Demand) -> placement.Demand:
            if isinstance(demand, placement.VolumeDemand):
                return dataclasses.replace(
                    demand, candidates=of_type.get(demand.type)
                )
            need = self._need(demand)
            return dataclasses.replace(
                demand,
                candidates=inventory.candidates(
                    answers[need.signature], known, need.zone
                ),
            )

        return snapshot, tuple(placed(demand) for demand in demands)

    def _need(self, demand: placement.ServerDemand) -> Need:
        return self._needs.get(demand.member) or Need(
            Signature(tuple(sorted(demand.resources.items())))
        )

    def _pools(self) -> tuple[Mapping[str, Any], ...]:
        """Return the pools, none where a volume cannot be led to one."""
        options = self._site.options
        if not options.pin_volumes:
            return ()
        if options.pools:
            found = pools.listed(options.pools)
        else:
            found = pools.read(self._site.services.volume)
        self._site.secrets.add(frozenset(str(pool['name']) for pool in found))
        return found

    def _types(
        self,
        volumes: Iterable[placement.VolumeDemand],
        found: tuple[Mapping[str, Any], ...],
    ) -> dict[str | None, frozenset[str] | None]:
        """Return volume type -> the pools that may take it, None for any."""
        told = {**self._backends, **self._site.options.type_backends}
        return {
            name: pools.of_type(found, told.get(name))
            for name in {demand.type for demand in volumes}
            if name is not None
        }

    # -- holds ------------------------------------------------------------

    def reserve(self, holds: Sequence[model.Hold]) -> None:
        if not holds:
            return
        reservation.reserve(
            self._site.services.placement,
            self._tenant,
            self._shares(holds),
            self._site.options.hold_chunk,
        )

    def _shares(
        self, holds: Sequence[model.Hold]
    ) -> dict[str, inventory.Share]:
        """Return hold id -> what it takes of which providers."""
        known = self._site.hosts()
        trees: dict[str, list[tuple[str, Sequence[inventory.Share]]]]
        trees = collections.defaultdict(list)
        providers: dict[str, Mapping[str, object]] = {}
        for hold in holds:
            place = known.named(hold.place)
            if place is None:
                raise exception.ReservationConflict(
                    'a planned place is no more'
                )
            answer = self._answer(hold, place)
            providers.update(answer.providers)
            trees[place.uuid].append((hold.id, answer.shares[place.uuid]))
        chosen: dict[str, inventory.Share] = {}
        for wishes in trees.values():
            chosen |= inventory.choose(wishes, providers)
        return chosen

    def _answer(
        self, hold: model.Hold, place: topology.Place
    ) -> inventory.Candidates:
        """Return an answer that has a share for the hold.

        Where the last snapshot has none, the one host is asked for again.
        """
        need = self._needs.get(hold.member)
        signature = (
            need.signature
            if need
            else Signature(tuple(sorted(hold.resources.items())))
        )
        known = self._answers.get(signature)
        if known and place.uuid in known.shares:
            return known
        fresh = inventory.ask(
            self._site.services.placement, signature, in_tree=place.uuid
        )
        if place.uuid not in fresh.shares:
            raise exception.ReservationConflict(reservation.TAKEN)
        return fresh

    def host_of(self, server_id: str) -> str | None:
        """Return the host on which placement accounts a server."""
        service = self._site.services.placement
        held = reservation.allocations(service, server_id)
        places = self._site.hosts().places
        for uuid in held:
            if uuid in places:
                return places[uuid].name
        # All of it on providers below a root, such as NUMA cells.
        for uuid in held:
            provider = service.get(f'/resource_providers/{uuid}')
            root = places.get(provider['root_provider_uuid'])
            if root is not None:
                return root.name
        return None
