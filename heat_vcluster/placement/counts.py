# SPDX-License-Identifier: Apache-2.0
"""The problem as a CP-SAT model: how many members of a kind at a place.

Members that nothing tells apart are counted instead of named. That loses
nothing, and spares the search all the permutations of equal members, which
is where proofs go to die. A kind of one member is the plain 0 / 1 model.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from ortools.sat.python import cp_model

from heat_vcluster.placement import ground as grounds
from heat_vcluster.placement.policies import base

PER_MILLE = 1000


class CountModel:
    """A model with all that must hold; also the policies' board.

    Every kind of the ground must have at least one place.
    """

    def __init__(
        self, ground: grounds.Ground, kinds: Mapping[str, base.Policy]
    ) -> None:
        self.model = cp_model.CpModel()
        # Soft rule -> an expression that equals its violation.
        self.penalties: dict[str, base.Expression] = {}
        self._ground = ground
        self._vars: dict[tuple[int, int], Any] = {}
        self._at: dict[tuple[int, str, str], list[int]] = {}
        self._occupied: dict[tuple[frozenset[str], str, str], Any] = {}
        self._scoped: set[str] = set()
        self._place_members()
        self._keep_room()
        for rule in ground.rules:
            policy = kinds[rule.policy]
            if rule.weight is None:
                policy.enforce(rule, self)
            else:
                self.penalties[rule.name] = policy.penalty(rule, self)

    # What every placement must obey.

    def _place_members(self) -> None:
        for kind in self._ground.kinds:
            here = []
            for place in sorted(kind.need.places):
                most = self._most(kind, place)
                var = self.model.new_int_var(0, most, f'{kind.index}@{place}')
                self._vars[kind.index, place] = var
                here.append(var)
            self.model.add(cp_model.LinearExpr.sum(here) == len(kind.members))

    def _most(self, kind: grounds.Kind, place: int) -> int:
        """Return how many of the kind the place could take at the most."""
        most = len(kind.members)
        for resource, amount in kind.need.resources.items():
            room = self._ground.places[place].room(resource)
            if room is not None:
                most = min(most, room // amount)
        return most

    def _keep_room(self) -> None:
        taken: dict[tuple[int, str], list[tuple[Any, int, int]]]
        taken = collections.defaultdict(list)
        for (index, place), var in self._vars.items():
            kind = self._ground.kinds[index]
            for resource, amount in kind.need.resources.items():
                taken[place, resource].append(
                    (var, amount, self._most(kind, place))
                )
        for (place, resource), terms in taken.items():
            room = self._ground.places[place].room(resource)
            if room is None or sum(n * most for _, n, most in terms) <= room:
                continue
            self.model.add(_weighted(terms) <= room)

    # The board of the policies.

    def domains(self, members: Iterable[str], scope: str) -> list[str]:
        found: dict[str, None] = {}
        for kind, _ in self._kinds(members):
            for place in sorted(kind.need.places):
                domain = self._ground.domain(place, scope)
                if domain is not None:
                    found[domain] = None
        for member in members:
            fixed = self._ground.fixed.get(member)
            if fixed is not None and scope in fixed.domains:
                found[fixed.domains[scope]] = None
        return list(found)

    def count(
        self, members: Iterable[str], scope: str, domain: str
    ) -> base.Expression:
        members = tuple(members)
        return cp_model.LinearExpr.sum(
            self._terms(members, scope, domain)
        ) + self._fixed(members, scope, domain)

    def limit(self, members: Iterable[str], scope: str, domain: str) -> int:
        members = tuple(members)
        limit = self._fixed(members, scope, domain)
        for kind, _ in self._kinds(members):
            most = sum(
                self._most(kind, place)
                for place in self._places(kind, scope, domain)
            )
            limit += min(len(kind.members), most)
        return limit

    def occupied(
        self, members: Iterable[str], scope: str, domain: str
    ) -> base.Literal:
        members = tuple(members)
        if self._fixed(members, scope, domain):
            return 1
        key = (frozenset(members), scope, domain)
        if key not in self._occupied:
            self._occupied[key] = self._presence(
                self._terms(members, scope, domain)
            )
        return self._occupied[key]

    def excess(self, expression: base.Expression, over: int, most: int) -> Any:
        if most <= over:
            return 0
        excess = self.model.new_int_var(0, most - over, '')
        self.model.add_max_equality(excess, [expression - over, 0])
        return excess

    def require(self, bounded: Any) -> None:
        if bounded is not True:
            self.model.add(bounded)

    def gather(self, members: Iterable[str], scope: str) -> None:
        members = tuple(members)
        chosen = {}
        for domain in self.domains(members, scope):
            chosen[domain] = self.model.new_bool_var('')
            if self._fixed(members, scope, domain):
                self.model.add(chosen[domain] == 1)
            for kind, size in self._kinds(members):
                places = self._places(kind, scope, domain)
                if places:
                    here = cp_model.LinearExpr.sum(
                        [self._vars[kind.index, place] for place in places]
                    )
                    # Equal size is the aim, but a volume may also be where
                    # no domain is known.
                    self.model.add(here <= size * chosen[domain])
        self.model.add_at_most_one(chosen.values())

    def _kinds(self, members: Iterable[str]) -> list[tuple[grounds.Kind, int]]:
        """Return the kinds that the members make up, with their sizes."""
        found: dict[int, grounds.Kind] = {}
        for member in members:
            kind = self._ground.kind_of.get(member)
            if kind is not None:
                found[kind.index] = kind
        return [(kind, len(kind.members)) for kind in found.values()]

    def _places(
        self, kind: grounds.Kind, scope: str, domain: str
    ) -> list[int]:
        key = (kind.index, scope, domain)
        if scope not in self._scoped:
            self._scoped.add(scope)
            for other in self._ground.kinds:
                for place in sorted(other.need.places):
                    name = self._ground.domain(place, scope)
                    if name is not None:
                        self._at.setdefault(
                            (other.index, scope, name), []
                        ).append(place)
        return self._at.get(key, [])

    def _terms(
        self, members: Iterable[str], scope: str, domain: str
    ) -> list[Any]:
        return [
            self._vars[kind.index, place]
            for kind, _ in self._kinds(members)
            for place in self._places(kind, scope, domain)
        ]

    def _fixed(self, members: Iterable[str], scope: str, domain: str) -> int:
        return sum(
            self._ground.fixed[m].domains.get(scope) == domain
            for m in set(members) & self._ground.fixed.keys()
        )

    def _presence(self, terms: list[Any]) -> Any:
        """Return a literal that is true if and only if a term is above 0."""
        if not terms:
            return 0
        present = self.model.new_bool_var('')
        total = cp_model.LinearExpr.sum(terms)
        self.model.add(total >= 1).only_enforce_if(present)
        self.model.add(total == 0).only_enforce_if(~present)
        return present

    # What is better, once all that must hold does.

    def soft_cost(self) -> base.Expression:
        weights = {r.name: r.weight or 0 for r in self._ground.rules}
        return sum(weights[n] * cost for n, cost in self.penalties.items())

    def unsteered(self) -> base.Expression:
        """Return how many (rule, volume) pairs no rule can count."""
        pairs: base.Expression = 0
        for rule in self._ground.rules:
            for kind, _ in self._kinds(rule.members):
                for place in sorted(kind.need.places):
                    if self._ground.domain(place, rule.scope) is None:
                        pairs += self._vars[kind.index, place]
        return pairs

    def hosts_used(self) -> base.Expression:
        """Return the number of hosts with a server of the request."""
        pinned = {f.place for f in self._ground.fixed.values() if f.is_server}
        used: base.Expression = len(pinned)
        for place, servers in self._servers().items():
            if self._ground.places[place].name not in pinned:
                used += self._presence([var for _, var in servers])
        return used

    def highest_fill(self) -> base.Expression:
        """Return a variable for the fill of the fullest host, per mille.

        Over the hosts with a server of the request and all their resources;
        rounded up.
        """
        pinned = {f.place for f in self._ground.fixed.values() if f.is_server}
        fills: list[tuple[Any, list[tuple[Any, int]], int, int]] = []
        servers_at = self._servers()
        for place in self._ground.places:
            servers = servers_at.get(place.index, [])
            is_pinned = place.name in pinned
            if not place.is_host or not (servers or is_pinned):
                continue
            in_use: Any = (
                1 if is_pinned else self._presence([v for _, v in servers])
            )
            for resource, total in place.total.items():
                if total <= 0:
                    continue
                terms = [
                    (var, kind.need.resources[resource])
                    for kind, var in servers
                    if resource in kind.need.resources
                ]
                used = total - (place.free.get(resource, 0) or 0)
                fills.append((in_use, terms, used, total))
        most = max((_ceiling(u, t) for _, _, u, t in fills), default=0)
        fill = self.model.new_int_var(0, most, 'fill')
        for in_use, terms, used, total in fills:
            taken = sum(var * (PER_MILLE * amount) for var, amount in terms)
            self.model.add(taken + (PER_MILLE * used) * in_use <= total * fill)
        return fill

    def _servers(self) -> dict[int, list[tuple[grounds.Kind, Any]]]:
        found: dict[int, list[tuple[grounds.Kind, Any]]] = {}
        for (index, place), var in self._vars.items():
            kind = self._ground.kinds[index]
            if kind.need.is_server:
                found.setdefault(place, []).append((kind, var))
        return found

    # From and to values.

    def values(self, solver: cp_model.CpSolver) -> dict[tuple[int, int], int]:
        """Return (kind, place) -> members there, of the solver's answer."""
        return {key: solver.value(var) for key, var in self._vars.items()}

    def hint(self, values: Mapping[tuple[int, int], int]) -> None:
        """Let the next search start from those values."""
        self.model.clear_hints()
        for key, value in values.items():
            self.model.add_hint(self._vars[key], value)

    def placement(
        self, values: Mapping[tuple[int, int], int]
    ) -> dict[str, str]:
        """Give the members of each kind their places, in order."""
        chosen = {m: f.place for m, f in self._ground.fixed.items()}
        for kind in self._ground.kinds:
            places = (
                self._ground.places[place].name
                for place in sorted(kind.need.places)
                for _ in range(values[kind.index, place])
            )
            chosen.update(zip(kind.members, places, strict=True))
        order = (d.member for d in self._ground.problem.demands)
        names = dict.fromkeys([*order, *chosen])
        return {m: chosen[m] for m in names if m in chosen}


def _weighted(terms: Iterable[tuple[Any, int, int]]) -> Any:
    terms = list(terms)
    return cp_model.LinearExpr.weighted_sum(
        [var for var, _, _ in terms], [amount for _, amount, _ in terms]
    )


def _ceiling(used: int, total: int) -> int:
    """Return the highest fill that one resource may come to, per mille."""
    return max(PER_MILLE, -(-PER_MILLE * used // total))
