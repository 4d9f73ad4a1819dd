# SPDX-License-Identifier: Apache-2.0
"""Hosts and the domains that they sit in, as known at one moment."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import columns


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A host: its root provider in placement, its zone and domains."""

    uuid: str
    name: str
    zone: str
    domains: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A domain that placement can be asked about by itself.

    A provider with any of the ``aggregates``, or any of the ``traits``, is
    meant: one of the two is not empty. ``roots`` has the uuids of its
    hosts, ``domains`` are theirs from the widest level to its own.
    """

    name: str
    roots: frozenset[str]
    domains: Mapping[str, str]
    aggregates: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()


class Topology:
    """All hosts, by the uuid of the root provider; a value.

    ``sections`` maps levels to the sections at it, by name; hosts that no
    section has can be read only with all others. ``generations`` are those
    of the root providers, or older ones.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        sections: Mapping[str, Mapping[str, Section]] | None = None,
        generations: Mapping[str, int] | None = None,
    ) -> None:
        self.places = places
        self.sections = sections or {}
        self.generations = generations or {}

    @functools.cached_property
    def ordered(self) -> tuple[Place, ...]:
        """All hosts in the order of their names."""
        return tuple(sorted(self.places.values(), key=lambda p: p.name))

    @functools.cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def named(self, name: str) -> Place | None:
        return self._by_name.get(name)

    def in_zone(self, zone: str) -> frozenset[str]:
        """Return the names of the hosts of a zone."""
        return self._by_zone.get(zone, frozenset())

    @functools.cached_property
    def _by_name(self) -> dict[str, Place]:
        return {place.name: place for place in self.ordered}

    @functools.cached_property
    def _by_zone(self) -> dict[str, frozenset[str]]:
        found = collections.defaultdict(list)
        for place in self.ordered:
            found[place.zone].append(place.name)
        return {zone: frozenset(names) for zone, names in found.items()}

    def inside(self, level: str, domain: str) -> Sequence[Place]:
        """Return the hosts of a domain."""
        return self._by_domain[level, domain]

    def called(self, level: str, name: str) -> Sequence[str]:
        """Return the domains that a name may mean, with a wider one or not."""
        return self._by_call.get((level, name), ())

    @functools.cached_property
    def _by_domain(self) -> Mapping[tuple[str, str], Sequence[Place]]:
        found = collections.defaultdict(list)
        for place in self.ordered:
            for level, domain in place.domains.items():
                found[level, domain].append(place)
        return found

    @functools.cached_property
    def _by_call(self) -> Mapping[tuple[str, str], Sequence[str]]:
        found = collections.defaultdict(list)
        for level, domain in self._by_domain:
            for name in {domain, domain.rpartition('/')[2]}:
                found[level, name].append(domain)
        return found

    def column(self, level: str) -> tuple[tuple[str, ...], columns.Ints]:
        """Return the names of a level's domains, and each host's number.

        The hosts are in the order of ``ordered``.
        """
        return self._columns.get(level) or (
            (),
            np.full(len(self.ordered), columns.UNKNOWN, np.int64),
        )

    @functools.cached_property
    def _columns(self) -> Mapping[str, tuple[tuple[str, ...], columns.Ints]]:
        found = {}
        for level in dict.fromkeys(s for p in self.ordered for s in p.domains):
            numbers: dict[str, int] = {}
            column = [
                numbers.setdefault(place.domains[level], len(numbers))
                if level in place.domains
                else columns.UNKNOWN
                for place in self.ordered
            ]
            found[level] = (tuple(numbers), np.array(column, np.int64))
        return found


def qualify(
    levels: tuple[str, ...],
    values: Mapping[str, Mapping[str, str]],
    uuids: Iterable[str],
) -> dict[str, dict[str, str]]:
    """Return uuid -> level -> domain, such that equal means same.

    ``values``: level -> uuid -> name as told. Where one name stands for
    domains in different wider ones (``rack1`` of two zones), it is written
    with the wider one before it: ``az1/rack1``.
    """
    domains: dict[str, dict[str, str]] = {uuid: {} for uuid in uuids}
    wider: str | None = None
    for level in levels:
        column = values[level]
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
