# SPDX-License-Identifier: Apache-2.0
"""A finished placement beside its problem: where everything is.

What the policies' checks may ask of it (``policies.base.View``), and who
takes room. Shares no code with the search.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from heat_vcluster.placement import columns, model


class Placed:
    """One placement (member -> host or pool), possible or not.

    ``hosts`` has the number in ``columns`` of each host in use: of the
    others none is looked up, so a cloud of any size is cheap to ask.
    """

    def __init__(
        self, problem: model.Problem, placement: Mapping[str, str]
    ) -> None:
        snapshot = problem.snapshot
        self.problem = problem
        self.placement = placement
        self.demands = {d.member: d for d in problem.demands}
        self.columns = columns.of(snapshot.hosts, snapshot.levels)
        used = frozenset(placement.values())
        self.hosts = {
            name: number
            for number, name in enumerate(self.columns.names)
            if name in used
        }
        self.pools = {pool.name: pool for pool in snapshot.pools}
        self._found: dict[str, dict[str, str]] = {}

    @property
    def scopes(self) -> Sequence[str]:
        return (model.HOST, *reversed(self.problem.snapshot.levels))

    def domains(self, members: Iterable[str], scope: str) -> Mapping[str, str]:
        known = self._domains_at(scope)
        return {m: known[m] for m in members if m in known}

    def _domains_at(self, scope: str) -> Mapping[str, str]:
        """Return the domain of every member that has one at the scope."""
        if scope not in self._found:
            found = {m: self._domain(m, scope) for m in self.placement}
            self._found[scope] = {
                m: domain for m, domain in found.items() if domain is not None
            }
        return self._found[scope]

    def _domain(self, member: str, scope: str) -> str | None:
        place = self.placement[member]
        if self.is_volume(member):
            pool = self.pools.get(place)
            return pool.domain(scope) if pool else None
        if scope == model.HOST:
            return place
        number = self.hosts.get(place)
        if number is None:
            return None
        names, column = self._level(scope)
        domain = int(column[number])
        return None if domain == columns.UNKNOWN else names[domain]

    def _level(self, scope: str) -> tuple[Sequence[str], columns.Ints]:
        """Return the names of a level's domains, and each host's number.

        A level of which nothing is known may be missing in the columns.
        """
        if scope in self.columns.domains:
            return self.columns.domains[scope]
        return (), np.full(len(self.columns), columns.UNKNOWN, np.int64)

    def free(self, host: str, resource: str) -> int:
        """Return what is free there; 0 if there is no such thing."""
        column = self.columns.free.get(resource)
        number = self.hosts.get(host)
        if column is None or number is None:
            return 0
        return int(column[number])

    def is_volume(self, member: str) -> bool:
        if member in self.demands:
            return isinstance(self.demands[member], model.VolumeDemand)
        # A pinned member that nothing is known of but its place.
        return self.placement.get(member) in self.pools

    def others(self, members: Collection[str], scope: str) -> AbstractSet[str]:
        own = frozenset(members)
        known = self._domains_at(scope)
        return {domain for m, domain in known.items() if m not in own}

    def is_busy(self, scope: str, domain: str) -> bool:
        return domain in self._busy_domains[scope]

    @functools.cached_property
    def _busy_domains(self) -> Mapping[str, frozenset[str]]:
        """Return scope -> the domains with a busy host."""
        busy = np.flatnonzero(self.columns.is_busy)
        found = {
            model.HOST: frozenset(self.columns.names[int(n)] for n in busy)
        }
        for scope in self.problem.snapshot.levels:
            names, column = self._level(scope)
            found[scope] = frozenset(
                names[domain]
                for domain in np.unique(column[busy])
                if domain != columns.UNKNOWN
            )
        return found

    def level_domains(self, rule: model.Rule) -> AbstractSet[str]:
        domains = rule.options.get('domains')
        if domains is not None:
            return frozenset(domains)
        demands = [self.demands[m] for m in rule.members if m in self.demands]
        return self._of_hosts(demands, rule.scope) | self._of_pools(
            demands, rule.scope
        )

    def _of_hosts(
        self, demands: Iterable[model.Demand], scope: str
    ) -> frozenset[str]:
        """Return the domains of hosts that could take some server."""
        kinds = {
            (
                d.suitable,
                tuple(sorted(d.resources.items())),
                d.require,
                d.forbid,
            )
            for d in demands
            if isinstance(d, model.ServerDemand)
        }
        able = np.zeros(len(self.columns), np.bool_)
        for suitable, resources, require, forbid in kinds:
            able |= (
                self._able(resources, require, forbid)
                if suitable is None
                else self._named(suitable)
            )
        if scope == model.HOST:
            return frozenset(
                self.columns.names[int(n)] for n in np.flatnonzero(able)
            )
        names, column = self._level(scope)
        return frozenset(
            names[domain]
            for domain in np.unique(column[able])
            if domain != columns.UNKNOWN
        )

    def _able(
        self,
        resources: Iterable[tuple[str, int]],
        require: frozenset[str],
        forbid: frozenset[str],
    ) -> columns.Flags:
        """Return, by host, whether traits and totals alone would do."""
        by_set = np.array(
            [
                traits >= require and traits.isdisjoint(forbid)
                for traits in self.columns.traitsets
            ],
            np.bool_,
        )
        able: columns.Flags = by_set[self.columns.traitset]
        for resource, amount in resources:
            if amount > 0:
                total = self.columns.total.get(resource)
                able = able & (False if total is None else total >= amount)
        return able

    def _named(self, names: Collection[str]) -> columns.Flags:
        return np.fromiter(
            (name in names for name in self.columns.names),
            np.bool_,
            len(self.columns),
        )

    def _of_pools(
        self, demands: Iterable[model.Demand], scope: str
    ) -> frozenset[str]:
        types = {d.type for d in demands if isinstance(d, model.VolumeDemand)}
        found = {
            pool.domain(scope)
            for pool in self.pools.values()
            if any(offers(pool, kind) for kind in types)
        }
        return frozenset(domain for domain in found if domain is not None)

    def fresh(self) -> Iterator[tuple[model.Demand, str]]:
        """Give the members that take room, each with its place."""
        for demand in self.problem.demands:
            place = self.placement.get(demand.member)
            if place is not None and demand.member not in self.problem.pinned:
                yield demand, place


def offers(pool: model.Pool, kind: str | None) -> bool:
    """Tell whether a volume of that type can be in the pool."""
    return kind is None or pool.types is None or kind in pool.types
