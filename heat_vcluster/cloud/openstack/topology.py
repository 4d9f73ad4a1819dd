# SPDX-License-Identifier: Apache-2.0
"""Reads which hosts there are, and in which domain of each level they sit."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import places, settings
from heat_vcluster.cloud.openstack.session import Services

#: Traits that nova puts on its root providers, newest first. The first that
#: any provider carries tells nova's hosts from other services' providers.
OWNER_TRAITS = ('OWNER_NOVA', 'COMPUTE_NODE')


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregate:
    """A host aggregate as nova tells it; ``hosts`` None: not told."""

    uuid: str
    metadata: Mapping[str, str]
    hosts: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """Provider uuid -> its value at a level, and by what it is known.

    Placement knows it by an aggregate, or by a trait.
    """

    values: Mapping[str, str]
    aggregates: Mapping[str, frozenset[str]]
    traits: Mapping[str, frozenset[str]]


class TopologyReader:
    """Reads the topology by our service's rights, and remembers it."""

    def __init__(self, services: Services, options: settings.Settings) -> None:
        self._services = services
        self._options = options
        self._lock = threading.Lock()
        self._known: places.Topology | None = None
        self._read_at = 0.0
        self._bearers: dict[str, frozenset[str]] = {}

    def read(self, needs: Iterable[str] = ()) -> places.Topology:
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
                self._bearers = {}
            return self._known

    def bearers(self, traits: Sequence[str]) -> frozenset[str]:
        """Return the roots of providers with traits; ``!`` forbids one.

        Remembered as long as the topology is.
        """
        wanted = ','.join(traits)
        known = self._bearers
        if wanted not in known:
            known[wanted] = frozenset(
                provider['root_provider_uuid']
                for provider in self._list(required=wanted)
            )
        return known[wanted]

    def _read(self) -> places.Topology:
        hosts = self._hosts()
        names = {uuid: provider['name'] for uuid, provider in hosts.items()}
        aggregates = self._aggregates()
        inside = self._members(names)
        by_zone = _by_key(aggregates, 'availability_zone', inside)
        default = self._options.default_zone
        zones = {uuid: by_zone.values.get(uuid, default) for uuid in names}
        levels = {
            level.name: dataclasses.replace(by_zone, values=zones)
            if level.source == settings.ZONE
            else _by_key(aggregates, level.key, inside)
            if level.source == settings.AGGREGATE
            else self._by_trait(level.key)
            for level in self._options.levels
        }
        order = self._options.level_names
        domains = places.qualify(
            order,
            {name: level.values for name, level in levels.items()},
            names,
        )
        return places.Topology(
            {
                uuid: places.Place(uuid, name, zones[uuid], domains[uuid])
                for uuid, name in names.items()
            },
            {name: _sections(name, levels[name], domains) for name in order},
            {
                uuid: provider.get('generation', 0)
                for uuid, provider in hosts.items()
            },
        )

    def _hosts(self) -> dict[str, Mapping[str, Any]]:
        """Return the root providers of nova's hosts, by their uuid."""
        for trait in OWNER_TRAITS:
            found = self._roots(required=trait)
            if found:
                return found
        return self._roots()

    def _roots(self, **params: str) -> dict[str, Mapping[str, Any]]:
        return {
            provider['uuid']: provider
            for provider in self._list(**params)
            if provider['root_provider_uuid'] == provider['uuid']
        }

    def _list(self, **params: str) -> list[Mapping[str, Any]]:
        body = self._services.placement.get('/resource_providers', **params)
        found: list[Mapping[str, Any]] = body['resource_providers']
        return found

    def _aggregates(self) -> list[Aggregate]:
        needed = any(
            level.source != settings.TRAIT for level in self._options.levels
        )
        try:
            body = self._services.compute.get('/os-aggregates')
        except exception.CloudForbidden:
            if needed:
                raise
            return []
        return [
            Aggregate(
                one['uuid'],
                one['metadata'],
                tuple(one['hosts']) if 'hosts' in one else None,
            )
            for one in body['aggregates']
        ]

    def _members(
        self, names: Mapping[str, str]
    ) -> Callable[[Aggregate], frozenset[str]]:
        """Return what tells the providers of an aggregate.

        Nova lists its hosts by the names of their services. Where each is
        the name of a provider, it is that; else placement is asked, which
        takes a request for the aggregate.
        """
        uuids = {name: uuid for uuid, name in names.items()}
        known: dict[str, frozenset[str]] = {}

        def ask(aggregate: Aggregate) -> frozenset[str]:
            hosts = aggregate.hosts
            if hosts is not None and all(host in uuids for host in hosts):
                return frozenset(uuids[host] for host in hosts)
            return frozenset(self._roots(member_of=aggregate.uuid))

        def answer(aggregate: Aggregate) -> frozenset[str]:
            if aggregate.uuid not in known:
                known[aggregate.uuid] = ask(aggregate)
            return known[aggregate.uuid]

        return answer

    def _by_trait(self, prefix: str) -> Level:
        body = self._services.placement.get(
            '/traits', name=f'startswith:{prefix}', associated='true'
        )
        values: dict[str, set[str]] = collections.defaultdict(set)
        for trait in body['traits']:
            for uuid in self._roots(required=trait):
                values[uuid].add(trait.removeprefix(prefix))
        clear = _unambiguous(values)
        return Level(
            clear,
            {},
            {uuid: frozenset({prefix + v}) for uuid, v in clear.items()},
        )


def _by_key(
    aggregates: Iterable[Aggregate],
    key: str,
    members: Callable[[Aggregate], frozenset[str]],
) -> Level:
    """Return what a metadata key of aggregates says of providers."""
    values: dict[str, set[str]] = collections.defaultdict(set)
    sources: dict[str, set[str]] = collections.defaultdict(set)
    for aggregate in aggregates:
        value = aggregate.metadata.get(key)
        if value is not None:
            for uuid in members(aggregate):
                values[uuid].add(value)
                sources[uuid].add(aggregate.uuid)
    return Level(
        _unambiguous(values),
        {uuid: frozenset(found) for uuid, found in sources.items()},
        {},
    )


def _unambiguous(values: Mapping[str, set[str]]) -> dict[str, str]:
    """Return the value of each provider.

    One that has two has none: which is meant is not known.
    """
    return {u: next(iter(v)) for u, v in values.items() if len(v) == 1}


def _sections(
    name: str, level: Level, domains: Mapping[str, Mapping[str, str]]
) -> dict[str, places.Section]:
    """Return domain -> section, of the hosts that placement can tell."""
    roots: dict[str, set[str]] = collections.defaultdict(set)
    for uuid, known in domains.items():
        if name in known and (
            uuid in level.aggregates or uuid in level.traits
        ):
            roots[known[name]].add(uuid)
    return {
        domain: places.Section(
            domain,
            frozenset(uuids),
            _upwards(name, domains[min(uuids)]),
            _all(level.aggregates, uuids),
            _all(level.traits, uuids),
        )
        for domain, uuids in roots.items()
    }


def _upwards(level: str, domains: Mapping[str, str]) -> dict[str, str]:
    """Return the domains down to the level."""
    found: dict[str, str] = {}
    for scope, domain in domains.items():
        found[scope] = domain
        if scope == level:
            break
    return found


def _all(
    terms: Mapping[str, frozenset[str]], uuids: Iterable[str]
) -> frozenset[str]:
    return frozenset().union(*(terms.get(uuid, ()) for uuid in uuids))
