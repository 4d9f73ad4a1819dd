# SPDX-License-Identifier: Apache-2.0
"""Which hosts there are, and in which domain of each level they sit."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import settings
from heat_vcluster.cloud.openstack.session import Services

#: Traits that nova puts on its root providers, newest first. The first that
#: any provider carries tells nova's hosts from other services' providers.
OWNER_TRAITS = ('OWNER_NOVA', 'COMPUTE_NODE')


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A host: its root provider in placement, its zone and domains."""

    uuid: str
    name: str
    zone: str
    domains: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Topology:
    """All hosts at one moment, by the uuid of the root provider."""

    places: Mapping[str, Place]

    def named(self, name: str) -> Place | None:
        for place in self.places.values():
            if place.name == name:
                return place
        return None

    def in_zone(self, zone: str) -> frozenset[str]:
        """Return the names of the hosts of a zone."""
        return frozenset(
            place.name for place in self.places.values() if place.zone == zone
        )


class TopologyReader:
    """Reads the topology by our service's rights, and remembers it."""

    def __init__(self, services: Services, options: settings.Settings) -> None:
        self._services = services
        self._options = options
        self._lock = threading.Lock()
        self._known: Topology | None = None
        self._read_at = 0.0

    def read(self, needs: Iterable[str] = ()) -> Topology:
        """Return the topology; a fresh one if a needed uuid is not in it."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if (
                self._known is None
                or age > self._options.topology_ttl
                or not self._known.places.keys() >= set(needs)
            ):
                self._known = self._read()
                self._read_at = time.monotonic()
            return self._known

    def _read(self) -> Topology:
        names = self._hosts()
        aggregates = self._aggregates()
        members = _remembering(self._members)
        zones = self._by_key(aggregates, 'availability_zone', members)
        columns = {
            level.name: self._column(level, names, zones, aggregates, members)
            for level in self._options.levels
        }
        domains = qualify(self._options.level_names, columns, names)
        default = self._options.default_zone
        return Topology(
            {
                uuid: Place(
                    uuid, name, zones.get(uuid, default), domains[uuid]
                )
                for uuid, name in names.items()
            }
        )

    def _hosts(self) -> dict[str, str]:
        """Return root provider uuid -> name of nova's hosts."""
        for trait in OWNER_TRAITS:
            found = self._roots(required=trait)
            if found:
                return found
        return self._roots()

    def _roots(self, **params: str) -> dict[str, str]:
        body = self._services.placement.get('/resource_providers', **params)
        return {
            provider['uuid']: provider['name']
            for provider in body['resource_providers']
            if provider['root_provider_uuid'] == provider['uuid']
        }

    def _aggregates(self) -> list[dict[str, Any]]:
        needed = any(
            level.source != settings.TRAIT for level in self._options.levels
        )
        try:
            body = self._services.compute.get('/os-aggregates')
        except exception.CloudForbidden:
            if needed:
                raise
            return []
        return list(body['aggregates'])

    def _members(self, aggregate: str) -> frozenset[str]:
        """Return the providers of an aggregate.

        Asked of placement and not taken from nova's list of hosts: nova
        itself schedules by it, and a host's name may differ from that of its
        provider.
        """
        return frozenset(self._roots(member_of=aggregate))

    def _by_key(
        self,
        aggregates: Iterable[Mapping[str, Any]],
        key: str,
        members: Callable[[str], frozenset[str]],
    ) -> dict[str, str]:
        """Return provider uuid -> value of a metadata key.

        A host that has two values of a key has none: which is meant is not
        known.
        """
        values: dict[str, set[str]] = collections.defaultdict(set)
        for aggregate in aggregates:
            value = aggregate['metadata'].get(key)
            if value is not None:
                for uuid in members(aggregate['uuid']):
                    values[uuid].add(value)
        return {u: v.pop() for u, v in values.items() if len(v) == 1}

    def _column(
        self,
        level: settings.Level,
        names: Mapping[str, str],
        zones: Mapping[str, str],
        aggregates: Iterable[Mapping[str, Any]],
        members: Callable[[str], frozenset[str]],
    ) -> Mapping[str, str]:
        """Return provider uuid -> domain at one level."""
        if level.source == settings.ZONE:
            default = self._options.default_zone
            return {uuid: zones.get(uuid, default) for uuid in names}
        if level.source == settings.AGGREGATE:
            return self._by_key(aggregates, level.key, members)
        return self._by_trait(level.key)

    def _by_trait(self, prefix: str) -> dict[str, str]:
        body = self._services.placement.get(
            '/traits', name=f'startswith:{prefix}', associated='true'
        )
        values: dict[str, set[str]] = collections.defaultdict(set)
        for trait in body['traits']:
            for uuid in self._roots(required=trait):
                values[uuid].add(trait.removeprefix(prefix))
        return {u: v.pop() for u, v in values.items() if len(v) == 1}


def qualify(
    levels: tuple[str, ...],
    columns: Mapping[str, Mapping[str, str]],
    uuids: Iterable[str],
) -> dict[str, dict[str, str]]:
    """Return uuid -> level -> domain, such that equal means same.

    Where one name stands for domains in different wider ones (``rack1`` of
    two zones), it is written with the wider one before it: ``az1/rack1``.
    """
    domains: dict[str, dict[str, str]] = {uuid: {} for uuid in uuids}
    wider: str | None = None
    for level in levels:
        column = columns[level]
        above: dict[str, set[str | None]] = collections.defaultdict(set)
        for uuid in domains:
            if uuid in column:
                above[column[uuid]].add(domains[uuid].get(wider or ''))
        for uuid, known in domains.items():
            name = column.get(uuid)
            if name is None:
                continue
            outer = known.get(wider or '')
            unique = len(above[name]) == 1 or outer is None
            known[level] = name if unique else f'{outer}/{name}'
        wider = level
    return domains


def _remembering(
    ask: Callable[[str], frozenset[str]],
) -> Callable[[str], frozenset[str]]:
    """Return the same question, asked once for each key."""
    known: dict[str, frozenset[str]] = {}

    def answer(key: str) -> frozenset[str]:
        if key not in known:
            known[key] = ask(key)
        return known[key]

    return answer
