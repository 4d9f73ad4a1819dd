# SPDX-License-Identifier: Apache-2.0
"""Which place may take which member, and which members are alike.

The search's own reading of a problem, done once before any model is built.
The checker reads the problem for itself.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Set

from heat_vcluster.placement import model

GIB = 'GiB'  # the resource that volumes take of pools


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A host or a pool. ``free`` maps a resource to None for no bound."""

    index: int
    name: str
    is_host: bool
    domains: Mapping[str, str]
    free: Mapping[str, int | None]
    total: Mapping[str, int]
    types: frozenset[str] | None = None

    def room(self, resource: str) -> int | None:
        """Return what is free, never below zero; None: no bound."""
        free = self.free.get(resource, 0)
        return None if free is None else max(0, free)


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What one member takes of its place, and the places it may have.

    ``places`` are indexes; each can take the member as if it were alone.
    """

    member: str
    is_server: bool
    resources: Mapping[str, int]
    places: frozenset[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """Members that no rule and no need tells apart."""

    index: int
    members: tuple[str, ...]
    need: Need


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """A pinned member: its place, as far as the snapshot knows it."""

    member: str
    is_server: bool
    place: str
    domains: Mapping[str, str]


def fit(member: str) -> str:
    """Return the name of the rule that a member must fit its place."""
    return f'fit:{member}'


def rule_names(problem: model.Problem) -> list[str]:
    """Return the names of all that a placement must obey.

    Soft rules are among them: they cost only, but keep their members off
    hosts whose domain is not known.
    """
    return [
        *(rule.name for rule in problem.rules if rule.weight != 0),
        *(
            fit(demand.member)
            for demand in problem.demands
            if demand.member not in problem.pinned
        ),
    ]


class Ground:
    """A problem made ready for a model.

    ``kept`` are the names of the rules to obey (see :func:`rule_names`);
    None: all. A member whose fit is not kept has no size and no needs, a
    group that is not kept is only a set. So is one of weight 0, always.
    """

    def __init__(
        self, problem: model.Problem, kept: Collection[str] | None = None
    ) -> None:
        self.problem = problem
        self._kept = None if kept is None else frozenset(kept)
        self.places = tuple(_places(problem.snapshot))
        self._by_name = {(p.is_host, p.name): p for p in self.places}
        self.fixed = {f.member: f for f in self._pinned()}
        self.rules = tuple(
            r for r in problem.rules if r.weight != 0 and self.keeps(r.name)
        )
        self.needs = {need.member: need for need in self._all_needs()}
        self.kinds = tuple(self._group())
        self.kind_of = {m: kind for kind in self.kinds for m in kind.members}

    def keeps(self, name: str) -> bool:
        return self._kept is None or name in self._kept

    def domain(self, place: int, scope: str) -> str | None:
        return self.places[place].domains.get(scope)

    def stuck(self) -> list[Need]:
        """Return the members that no place can take even alone."""
        return [need for need in self.needs.values() if not need.places]

    def unsteered(
        self, placement: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Give the (rule, member) pairs where the member does not count."""
        for rule in self.rules:
            for member in rule.members:
                need = self.needs.get(member)
                if need is not None:
                    place = self._by_name[need.is_server, placement[member]]
                    domains = place.domains
                elif member in self.fixed:
                    domains = self.fixed[member].domains
                else:
                    domains = {}
                if rule.scope not in domains:
                    yield rule.name, member

    def _pinned(self) -> Iterator[Fixed]:
        servers = {
            d.member: isinstance(d, model.ServerDemand)
            for d in self.problem.demands
        }
        for member, name in self.problem.pinned.items():
            is_server = servers.get(member, (False, name) not in self._by_name)
            place = self._by_name.get((is_server, name))
            if place is not None:
                domains = place.domains
            elif is_server:
                domains = {model.HOST: name}
            else:
                domains = {}
            yield Fixed(member, is_server, name, domains)

    def _all_needs(self) -> Iterator[Need]:
        scopes: dict[str, set[str]] = collections.defaultdict(set)
        for rule in self.rules:
            for member in rule.members:
                scopes[member].add(rule.scope)
        has_pools = bool(self.problem.snapshot.pools)
        for demand in self.problem.demands:
            if demand.member in self.problem.pinned:
                continue
            if isinstance(demand, model.ServerDemand) or has_pools:
                yield self._need(demand, scopes[demand.member])

    def _need(self, demand: model.Demand, scopes: Set[str]) -> Need:
        is_server = isinstance(demand, model.ServerDemand)
        resources = _resources(demand)
        places = [p for p in self.places if p.is_host == is_server]
        if self.keeps(fit(demand.member)):
            places = [p for p in places if _fits(demand, resources, p)]
        else:
            resources = {}
        if is_server:
            # A rule has to know where a server is; a volume that it does
            # not know of merely does not count.
            places = [p for p in places if scopes <= p.domains.keys()]
        return Need(
            demand.member,
            is_server,
            resources,
            frozenset(p.index for p in places),
        )

    def _group(self) -> Iterator[Kind]:
        """Sort the members into kinds, in the order of the problem.

        Two members are alike if swapping them changes nothing: they need
        the same, and every rule has both as units of their own, or both in
        one unit, or neither.
        """
        seats: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        for number, rule in enumerate(self.rules):
            for position, unit in enumerate(rule.units):
                seat = (number, -1 if len(unit) == 1 else position)
                for member in unit:
                    seats[member].append(seat)
        alike: dict[object, list[Need]] = {}
        for need in self.needs.values():
            signature = (
                need.is_server,
                tuple(sorted(need.resources.items())),
                need.places,
                tuple(seats[need.member]),
            )
            alike.setdefault(signature, []).append(need)
        for index, needs in enumerate(alike.values()):
            yield Kind(index, tuple(n.member for n in needs), needs[0])


def _places(snapshot: model.Snapshot) -> Iterator[Place]:
    for index, host in enumerate(snapshot.hosts):
        yield Place(
            index,
            host.name,
            True,
            {**host.domains, model.HOST: host.name},
            host.free,
            host.total,
        )
    for index, pool in enumerate(snapshot.pools, len(snapshot.hosts)):
        domains = {**pool.domains}
        domains.pop(model.HOST, None)
        if pool.host is not None:
            domains[model.HOST] = pool.host
        yield Place(
            index,
            pool.name,
            False,
            domains,
            {GIB: pool.free_gb},
            {},
            pool.types,
        )


def _resources(demand: model.Demand) -> dict[str, int]:
    if isinstance(demand, model.ServerDemand):
        return {r: n for r, n in demand.resources.items() if n > 0}
    return {GIB: demand.size_gb} if demand.size_gb > 0 else {}


def _fits(
    demand: model.Demand, resources: Mapping[str, int], place: Place
) -> bool:
    """Tell whether the place could take the member alone."""
    if demand.candidates is not None and place.name not in demand.candidates:
        return False
    if (
        isinstance(demand, model.VolumeDemand)
        and demand.type is not None
        and place.types is not None
        and demand.type not in place.types
    ):
        return False
    return all(
        room is None or amount <= room
        for room, amount in (
            (place.room(resource), amount)
            for resource, amount in resources.items()
        )
    )
