# SPDX-License-Identifier: Apache-2.0
"""Reads the parts that tell of members: demands, and places they have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format import request, scopes
from heat_vcluster.placement.format.faults import Faults, join
from heat_vcluster.placement.format.kept.cloud import Cloud

KEYS = ('demands', 'sets', 'undemanded', 'pinned')


@dataclasses.dataclass(frozen=True, slots=True)
class Members:
    """The demands that are others than the document's, and the places.

    ``undemanded`` are those of which only the place is known.
    """

    demands: Mapping[str, model.Demand]
    undemanded: frozenset[str]
    pinned: Mapping[str, str]


NONE = Members({}, frozenset(), {})


def read(
    parts: Mapping[str, Any],
    path: str,
    cloud: Cloud,
    asked: request.Request,
    faults: Faults,
) -> Members:
    reader = _Reader(cloud, asked, faults)
    pinned = reader.pinned(parts.get('pinned', {}), join(path, 'pinned'))
    undemanded = reader.undemanded(
        parts.get('undemanded', []), join(path, 'undemanded'), pinned
    )
    sets = reader.sets(parts.get('sets', []), join(path, 'sets'))
    demands = reader.demands(
        parts.get('demands', {}), join(path, 'demands'), sets
    )
    return Members(demands, undemanded, pinned or {})


class _Reader:
    def __init__(
        self, cloud: Cloud, asked: request.Request, faults: Faults
    ) -> None:
        self._cloud = cloud
        self._names = asked.names
        self._plain = {demand.member: demand for demand in asked.demands}
        self._faults = faults

    def pinned(self, value: Any, path: str) -> dict[str, str] | None:
        """Read member -> place; there must be both.

        None, if it is no such object.
        """
        if type(value) is not dict:
            self._faults.add(path, 'not an object')
            return None
        pools = {pool.name for pool in self._cloud.pools or ()}
        hosts = frozenset(self._cloud.hosts.names if self._cloud.hosts else ())
        found = {}
        for member, place in self._faults.mapping(value, path).items():
            at = join(path, member)
            self._know(member, at)
            found[member] = self._faults.name(place, at) or ''
            if not self._cloud.is_read or not found[member]:
                continue
            if isinstance(self._plain.get(member), model.VolumeDemand):
                if place not in pools:
                    self._faults.add(at, f'no pool {place!r}')
            elif place not in hosts:
                self._faults.add(at, f'no host {place!r}')
        return found

    def undemanded(
        self, value: Any, path: str, pinned: Mapping[str, str] | None
    ) -> frozenset[str]:
        names = self._faults.names(value, path) or ()
        for number, name in enumerate(names):
            if pinned is not None and name not in pinned:
                self._faults.add(f'{path}[{number}]', f'{name!r} has no place')
        return frozenset(names)

    def sets(self, value: Any, path: str) -> Sequence[frozenset[str]] | None:
        """Read sets of names of places, some of which may be there no more.

        None, if it cannot be told how many there are.
        """
        if type(value) is not list:
            self._faults.add(path, 'not a list')
            return None
        read = [
            self._faults.names(names, f'{path}[{number}]')
            for number, names in enumerate(value)
        ]
        return [frozenset(names or ()) for names in read]

    def demands(
        self,
        value: Any,
        path: str,
        sets: Sequence[frozenset[str]] | None,
    ) -> dict[str, model.Demand]:
        read: dict[str, model.Demand] = {}
        for member, demand in self._faults.mapping(value, path).items():
            at = join(path, member)
            self._know(member, at)
            plain = self._plain.get(member)
            found: model.Demand | None = None
            if isinstance(plain, model.ServerDemand):
                found = self._server(member, demand, at, sets)
            elif isinstance(plain, model.VolumeDemand):
                found = self._volume(member, demand, at, sets)
            if found is not None:
                read[member] = found
        return read

    def _know(self, member: str, path: str) -> None:
        if member not in self._names:
            self._faults.add(path, f'no member {member!r}')

    def _server(
        self,
        member: str,
        value: Any,
        path: str,
        sets: Sequence[frozenset[str]] | None,
    ) -> model.ServerDemand | None:
        needs = ('require', 'forbid')
        keys = ('resources', 'candidates', *needs, 'within', 'suitable')
        found = self._faults.keys(value, path, keys)
        if found is None:
            return None
        at = join(path, 'resources')
        resources = {
            resource: self._faults.amount(amount, join(at, resource)) or 0
            for resource, amount in self._faults.mapping(
                found['resources'], at
            ).items()
        }
        require, forbid = (
            frozenset(self._faults.names(found[key], join(path, key)) or ())
            for key in needs
        )
        candidates, suitable = (
            self._set(found[key], join(path, key), sets)
            for key in ('candidates', 'suitable')
        )
        within = self._within(found['within'], join(path, 'within'))
        return model.ServerDemand(
            member, resources, candidates, require, forbid, within, suitable
        )

    def _volume(
        self,
        member: str,
        value: Any,
        path: str,
        sets: Sequence[frozenset[str]] | None,
    ) -> model.VolumeDemand | None:
        found = self._faults.keys(
            value, path, ('size_gb', 'type', 'candidates', 'within')
        )
        if found is None:
            return None
        kind = found['type']
        if kind is not None:
            kind = self._faults.name(kind, join(path, 'type'))
        return model.VolumeDemand(
            member,
            self._faults.amount(found['size_gb'], join(path, 'size_gb')) or 0,
            kind,
            self._set(found['candidates'], join(path, 'candidates'), sets),
            self._within(found['within'], join(path, 'within')),
        )

    def _set(
        self,
        value: Any,
        path: str,
        sets: Sequence[frozenset[str]] | None,
    ) -> frozenset[str] | None:
        """Return the set of a number, or None where there is none."""
        if value is None or sets is None:
            return None
        if type(value) is int and 0 <= value < len(sets):
            return sets[value]
        self._faults.add(path, f'not an index below {len(sets)}, nor null')
        return None

    def _within(self, value: Any, path: str) -> tuple[str, str] | None:
        """Read a level and a domain, which may be one that has no place."""
        if value is None:
            return None
        if type(value) is not list or len(value) != 2:
            self._faults.add(path, 'not a list of a level and a domain')
            return None
        level = scopes.scope(value[0], f'{path}[0]', self._cloud, self._faults)
        name = self._faults.name(value[1], f'{path}[1]')
        return None if level is None or name is None else (level, name)
