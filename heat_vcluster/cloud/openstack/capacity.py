# SPDX-License-Identifier: Apache-2.0
"""Capacity and holds for one tenant: what placement says, and what we take."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import model, sampling
from heat_vcluster.cloud.openstack import (
    errors,
    inventory,
    ledger,
    places,
    pools,
    reservation,
    settings,
    suitability,
    topology,
)
from heat_vcluster.cloud.openstack.demands import SURVEY, Signature
from heat_vcluster.cloud.openstack.session import Services
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import reach as reaches

#: Room is looked for in so many times the room that it takes.
ROOMY = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """What all clouds of one opener share: our own rights and knowledge."""

    services: Services
    reader: topology.TopologyReader
    ledger: ledger.Ledger
    options: settings.Settings
    secrets: errors.Secrets

    @classmethod
    def of(
        cls,
        services: Services,
        options: settings.Settings,
        secrets: errors.Secrets,
    ) -> Site:
        return cls(
            services,
            topology.TopologyReader(services, options),
            ledger.Ledger(services.placement, options.capacity_seconds),
            options,
            secrets,
        )

    def hosts(self, needs: Iterable[str] = ()) -> places.Topology:
        """Return the topology; its names are no tenant's to read."""
        known = self.reader.read(needs)
        self.secrets.add(known.names)
        return known


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What a server needs of its host, and the zone it must be in."""

    signature: Signature
    zone: str | None = None


Answers = Mapping[Signature, inventory.Candidates]


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

    # -- reading -----------------------------------------------------------

    def snapshot(
        self, demands: Sequence[placement.Demand]
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        """Read everything."""
        reading = self._read_all(demands, reaches.Reach())
        return reading.snapshot, reading.demands

    def readings(
        self, demands: Sequence[placement.Demand], reach: reaches.Reach
    ) -> Iterator[model.Reading]:
        """Read ever more sections, and everything in the end."""
        known = self._site.hosts()
        level = self._level(reach, known)
        sections = known.sections.get(level, {})
        found: tuple[Mapping[str, Any], ...] | None = None
        for names in self._widening(demands, reach, level, known):
            found = self._pools() if found is None else found
            yield self._read_part(
                demands,
                reach,
                level,
                [sections[name] for name in names],
                known,
                found,
            )
        yield self._read_all(demands, reach)

    def _level(self, reach: reaches.Reach, known: places.Topology) -> str:
        """Return the level by which parts are read.

        The narrowest one, unless wider domains have to be seen entire.
        """
        for level in self._site.options.level_names:
            if level in reach.entire:
                return level
        for level in reversed(self._site.options.level_names):
            if known.sections.get(level):
                return level
        return ''

    def _widening(
        self,
        demands: Sequence[placement.Demand],
        reach: reaches.Reach,
        level: str,
        known: places.Topology,
    ) -> Iterator[tuple[str, ...]]:
        servers = _servers(demands)
        needs = [self._need(demand) for demand in servers]
        zones = {need.zone for need in needs}
        questions = self._questions(servers, reach)
        return sampling.widening(
            [
                sampling.Section(
                    section.name,
                    section.domains,
                    len(section.roots),
                    self._site.ledger.rank(questions, level, section),
                )
                for section in known.sections.get(level, {}).values()
                if None in zones
                or any(
                    known.places[root].zone in zones for root in section.roots
                )
            ],
            len(servers),
            reach,
            self._hosts_needed(servers),
        )

    def _hosts_needed(self, servers: Sequence[placement.ServerDemand]) -> int:
        """Return how many hosts to look at, by what is known of their room."""
        sizes: collections.Counter[str] = collections.Counter()
        for demand in servers:
            sizes.update(demand.resources)
        free = self._site.ledger.mean_free()
        by_size = [
            round(ROOMY * amount / free[name])
            for name, amount in sizes.items()
            if free.get(name)
        ]
        return max([sampling.HOSTS_A_MEMBER * len(servers), *by_size])

    def _questions(
        self,
        servers: Iterable[placement.ServerDemand],
        reach: reaches.Reach,
    ) -> list[Signature]:
        asked = {self._need(demand).signature: None for demand in servers}
        return [*asked, SURVEY] if reach.entire else [*asked]

    def _read_part(
        self,
        demands: Sequence[placement.Demand],
        reach: reaches.Reach,
        level: str,
        sections: Sequence[places.Section],
        known: places.Topology,
        found: tuple[Mapping[str, Any], ...],
    ) -> model.Reading:
        questions = self._questions(_servers(demands), reach)
        answers = self._site.ledger.read(questions, level, sections, known)
        shown = frozenset(root for one in sections for root in one.roots)
        return self._reading(
            demands, reach, answers, known, found, shown, is_whole=False
        )

    def _read_all(
        self, demands: Sequence[placement.Demand], reach: reaches.Reach
    ) -> model.Reading:
        questions = self._questions(_servers(demands), reach)
        answers = self._site.ledger.read_all(questions)
        known = self._site.hosts(
            root for answer in answers.values() for root in answer.roots
        )
        return self._reading(
            demands,
            reach,
            answers,
            known,
            self._pools(),
            known.places.keys(),
            is_whole=True,
        )

    def _reading(
        self,
        demands: Sequence[placement.Demand],
        reach: reaches.Reach,
        answers: Answers,
        known: places.Topology,
        found: tuple[Mapping[str, Any], ...],
        shown: Iterable[str],
        *,
        is_whole: bool,
    ) -> model.Reading:
        with self._lock:
            self._answers.update(answers)
        judge = suitability.Judge(
            self._site.services.placement, self._site.ledger, self._site.reader
        )
        rooms = inventory.rooms(answers.values())
        if reach.measured:
            rooms = {**judge.full(set(shown) - rooms.keys()), **rooms}
        # All domains are to be seen where they are compared.
        part = None if is_whole or reach.even else frozenset(shown)
        snapshot = placement.Snapshot(
            self._site.options.level_names,
            inventory.hosts(known, rooms, part),
            pools.snapshot(found, self._site.options, known),
        )
        volumes = [d for d in demands if isinstance(d, placement.VolumeDemand)]
        of_type = self._types(volumes, found)

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
                suitable=judge.suitable(need.signature, reach.even, known)
                if reach.even
                else None,
            )

        return model.Reading(
            snapshot, tuple(placed(demand) for demand in demands), is_whole
        )

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
        try:
            reservation.reserve(
                self._site.services.placement,
                self._tenant,
                self._shares(holds),
                self._site.options.hold_chunk,
            )
        finally:
            # Taken by us or by others: what was known of them is no more so.
            found = [self._site.hosts().named(hold.place) for hold in holds]
            self._site.ledger.forget(
                {place.uuid for place in found if place is not None}
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
            tree = inventory.cut(answer, {place.uuid})
            providers.update(tree.providers)
            trees[place.uuid].append((hold.id, tree.shares[place.uuid]))
        chosen: dict[str, inventory.Share] = {}
        for wishes in trees.values():
            chosen |= inventory.choose(wishes, providers)
        return chosen

    def _answer(
        self, hold: model.Hold, place: places.Place
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
        seat = self.seat_of(server_id)
        return None if seat is None else seat.host

    def seat_of(self, server_id: str) -> model.Seat | None:
        """Return where placement accounts a server, and how much."""
        held = reservation.allocations(
            self._site.services.placement, server_id
        )
        host = self._host_among(held)
        if host is None:
            return None
        amounts: collections.Counter[str] = collections.Counter()
        for part in held.values():
            amounts.update(part['resources'])
        return model.Seat(host, dict(amounts))

    def _host_among(self, providers: Iterable[str]) -> str | None:
        service = self._site.services.placement
        known = self._site.hosts().places
        for uuid in providers:
            if uuid in known:
                return known[uuid].name
        # All of it on providers below a root, such as NUMA cells.
        for uuid in providers:
            provider = service.get(f'/resource_providers/{uuid}')
            root = known.get(provider['root_provider_uuid'])
            if root is not None:
                return root.name
        return None

    def shared(
        self, hosts: Iterable[str], server_ids: Collection[str]
    ) -> frozenset[str]:
        """Return the hosts on which others than these take room."""
        ours = frozenset(server_ids)
        return frozenset(
            name for name in hosts if self._consumers(name) - ours
        )

    def _consumers(self, host: str) -> frozenset[str]:
        """Return who takes room on a host or on what is below it."""
        place = self._site.hosts().named(host)
        if place is None:
            return frozenset()
        service = self._site.services.placement
        tree = service.get('/resource_providers', in_tree=place.uuid)
        return frozenset(
            consumer
            for provider in tree['resource_providers']
            for consumer in service.get(
                f'/resource_providers/{provider["uuid"]}/allocations'
            )['allocations']
        )


def _servers(
    demands: Iterable[placement.Demand],
) -> list[placement.ServerDemand]:
    return [d for d in demands if isinstance(d, placement.ServerDemand)]
