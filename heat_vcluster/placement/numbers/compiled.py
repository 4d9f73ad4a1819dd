# SPDX-License-Identifier: Apache-2.0
"""A problem in numbers: what every part of the search works on.

Everything has a number here. Places are the hosts, 0 to H - 1, and behind
them the pools. Scopes are counted from 0 = host over 1 = the narrowest level
to the widest. Members that need the same share a *shape*. Rules are there as
*clauses*: the constraints of their policies in numbers.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from heat_vcluster.placement import columns, constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.policies import base as policies

FIT = 'fit:'
LIMIT = 'limit:'
NOWHERE = -2  # the number of no domain at all
UNBOUNDED = 1 << 50  # what is free where nobody tells a bound


def fit(member: str) -> str:
    """Return the name of the rule that a member's size and needs are."""
    return FIT + member


def limit(budget: str) -> str:
    """Return the name of the rule that a budget of the provider's is."""
    return LIMIT + budget


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Cap:
    """What all servers not yet placed may take of each domain at a scope.

    ``room`` is by resource (as ``Compiled.resources``), each an array over
    the domains at ``scope``; UNBOUNDED where nothing bounds. Servers on a
    host whose domain is not known do not count, nor do fixed ones.
    """

    rule: str
    scope: int
    room: tuple[Ints, ...]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What members alike in size and needs take, and where each may go.

    ``size`` is by resource for a server (as ``Compiled.resources``), the GiB
    alone for a volume. ``places`` has the numbers of all places that could
    take one such member alone, by free amounts, needs, and known domains.
    ``fixed``: sits there already.
    """

    number: int
    is_server: bool
    size: tuple[int, ...]
    places: Ints
    fixed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """One constraint of one rule, in numbers.

    ``units`` holds member numbers; ``members`` all of them, each once.
    ``limit`` is the limit, skew or number of domains of the constraint.
    ``domains`` is D of Level, ``lost`` the number of domains of Lost.
    ``weight`` None: hard.
    """

    kind: type[constraints.Constraint]
    rule: str
    scope: int
    units: tuple[tuple[int, ...], ...]
    members: tuple[int, ...]
    limit: int = 0
    domains: tuple[int, ...] = ()
    weight: int | None = None
    lost: int = 0


class Compiled:
    """A problem, or what is left of it when only some rules are kept.

    ``keep`` has the names of the rules in force: those of hard rules, and
    what ``fit`` and ``limit`` make of members and budgets. None:
    all of them, and the soft ones too. A member whose ``fit:`` is not kept
    has no size and no needs but still sits somewhere.
    """

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policies.Policy],
        keep: Collection[str] | None = None,
    ) -> None:
        self.problem = problem
        self._kinds = kinds
        self._keep = None if keep is None else frozenset(keep)
        snapshot = problem.snapshot
        hosts = columns.of(snapshot.hosts, snapshot.levels)
        self.hosts = hosts
        self.scopes = (model.HOST, *reversed(snapshot.levels))
        self.scope_numbers = {s: k for k, s in enumerate(self.scopes)}
        self.has_pools = bool(snapshot.pools)
        self._lay_out()
        self.resources = tuple(sorted({*hosts.free, *self._wanted()}))
        none = np.zeros(len(hosts), np.int64)
        self.free = [hosts.free.get(r, none) for r in self.resources]
        self.total = [hosts.total.get(r, none) for r in self.resources]
        self.pool_free = np.array(
            [
                UNBOUNDED if pool.free_gb is None else pool.free_gb
                for pool in snapshot.pools
            ],
            np.int64,
        )
        self.busy = [
            self._busy_domains(scope) for scope in range(len(self.scopes))
        ]
        self.budgets = self._caps()
        self._number_members()
        self._shape_members()
        self.hard, self.soft = self._clauses()

    # -- places ----------------------------------------------------------

    def _lay_out(self) -> None:
        """Number places and domains, and find which domain is in which.

        ``domain[k][place]`` is the domain's number or UNKNOWN.
        ``parent[k][domain]`` is the domain at scope k + 1 that it lies in,
        where ``is_nested[k]``: every domain at k lies in exactly one.
        """
        snapshot, hosts = self.problem.snapshot, self.hosts
        n_hosts = len(hosts)
        self.n_hosts, self.n_pools = n_hosts, len(snapshot.pools)
        self.n_places = n_hosts + self.n_pools
        self.place_names = (*hosts.names, *(p.name for p in snapshot.pools))
        self.domain: list[Ints] = []
        self.domain_names: list[Sequence[str]] = []
        nowhere: tuple[Sequence[str], Ints]
        nowhere = (), np.full(n_hosts, UNKNOWN, np.int64)
        for level in self.scopes:
            if level == model.HOST:
                names: Sequence[str] = hosts.names
                column = np.arange(n_hosts, dtype=np.int64)
            else:
                names, column = hosts.domains.get(level, nowhere)
            pools = [pool.domain(level) for pool in snapshot.pools]
            known = [name for name in pools if name is not None]
            rest = np.full(self.n_pools, UNKNOWN, np.int64)
            if known:
                numbers = {name: i for i, name in enumerate(names)}
                for name in known:
                    numbers.setdefault(name, len(numbers))
                names = tuple(numbers)
                rest = np.array(
                    [
                        UNKNOWN if name is None else numbers[name]
                        for name in pools
                    ],
                    np.int64,
                )
            self.domain.append(np.concatenate((column, rest)))
            self.domain_names.append(names)
        self.n_domains = [len(names) for names in self.domain_names]
        self._above: dict[tuple[int, int], Ints] = {}
        self.parent: list[Ints] = []
        self.is_nested: list[bool] = []
        for scope in range(len(self.scopes) - 1):
            inner, outer = self.domain[scope], self.domain[scope + 1]
            known_both = (inner != UNKNOWN) & (outer != UNKNOWN)
            parent = np.full(self.n_domains[scope], UNKNOWN, np.int64)
            parent[inner[known_both]] = outer[known_both]
            self.parent.append(parent)
            self.is_nested.append(
                bool(
                    np.all(parent[inner[known_both]] == outer[known_both])
                    and not np.any((inner != UNKNOWN) & (outer == UNKNOWN))
                )
            )

    def _wanted(self) -> set[str]:
        return {
            resource
            for demand in self.problem.demands
            if isinstance(demand, model.ServerDemand)
            for resource, amount in demand.resources.items()
            if amount
        }

    def _busy_domains(self, scope: int) -> Flags:
        busy = np.zeros(self.n_domains[scope], np.bool_)
        column = self.domain[scope][: self.n_hosts][self.hosts.is_busy]
        busy[column[column != UNKNOWN]] = True
        return busy

    def above(self, narrow: int, wide: int) -> Ints:
        """Return, by domain at a narrow scope, that at a wide one around it.

        UNKNOWN where none is known. Made once; not to be written to.
        """
        if (narrow, wide) not in self._above:
            outer = np.arange(self.n_domains[narrow])
            for scope in range(narrow, wide):
                known = outer != UNKNOWN
                outer[known] = self.parent[scope][outer[known]]
            outer.flags.writeable = False
            self._above[narrow, wide] = outer
        return self._above[narrow, wide]

    def numbers_of_domains(self, scope: int) -> dict[str, int]:
        """Return domain name -> number, at one scope."""
        return {name: i for i, name in enumerate(self.domain_names[scope])}

    # -- the provider's budgets ---------------------------------------------

    def _caps(self) -> tuple[Cap, ...]:
        """Return the budgets in force in numbers."""
        return tuple(
            self._cap(budget)
            for budget in self.problem.budgets
            if self.keeps(limit(budget.name))
        )

    def _cap(self, budget: model.Budget) -> Cap:
        scope = self.scope_numbers[budget.scope]
        room = [
            np.full(self.n_domains[scope], UNBOUNDED, np.int64)
            for _ in self.resources
        ]
        by_resource = dict(zip(self.resources, room, strict=True))
        numbers = self.numbers_of_domains(scope)
        for domain, amounts in budget.room.items():
            if domain in numbers:
                for resource, amount in amounts.items():
                    if resource in by_resource:
                        by_resource[resource][numbers[domain]] = amount
        return Cap(limit(budget.name), scope, tuple(room))

    def _in_budget(self, size: tuple[int, ...]) -> Flags:
        """Return, host by host, whether one such server alone is in budget."""
        may = np.ones(self.n_hosts, np.bool_)
        for cap in self.budgets:
            column = self.domain[cap.scope][: self.n_hosts]
            for amount, room in zip(size, cap.room, strict=True):
                if amount:
                    known = column != UNKNOWN
                    may[known] &= room[column[known]] >= amount
        return may

    # -- members -----------------------------------------------------------

    def keeps(self, name: str) -> bool:
        return self._keep is None or name in self._keep

    def _number_members(self) -> None:
        """Number the members that have a place to get, or have one."""
        problem = self.problem
        demands = {
            d.member: d
            for d in problem.demands
            if isinstance(d, model.ServerDemand) or self.has_pools
        }
        names = dict.fromkeys([*demands, *problem.pinned])
        self.members = tuple(names)
        self.numbers = {name: i for i, name in enumerate(self.members)}
        self._demands = demands

    def _shape_members(self) -> None:
        """Give each member its shape; ``shape_of`` is by member number."""
        known_at = self._scopes_needed()
        shapes: dict[object, Shape] = {}
        shape_of = []
        for number, member in enumerate(self.members):
            key = self._key(member, known_at[number])
            if key not in shapes:
                shapes[key] = self._shape(
                    len(shapes), member, known_at[number]
                )
            shape_of.append(shapes[key].number)
        self.shapes = tuple(shapes.values())
        self.shape_of = np.array(shape_of, np.int64)
        self.is_server = np.array(
            [self.shapes[s].is_server for s in shape_of], np.bool_
        )

    def _scopes_needed(self) -> list[frozenset[int]]:
        """Return, by member, the scopes at which its domain must be known.

        A rule has to know where a server is; a volume that it does not know
        of merely does not count. Scopes that all hosts know are left out.
        """
        unknown = {
            scope
            for scope in range(1, len(self.scopes))
            if np.any(self.domain[scope][: self.n_hosts] == UNKNOWN)
        }
        needed: list[set[int]] = [set() for _ in self.members]
        if unknown:
            for rule in self.problem.rules:
                hard, soft = self._asked_at(rule, unknown)
                if not self.keeps(rule.name):
                    hard = frozenset()
                for member in rule.members:
                    if member in self.numbers:
                        at = needed[self.numbers[member]]
                        at |= hard
                        # What soft rules need is part of what members need.
                        if self.keeps(fit(member)):
                            at |= soft
        return [frozenset(scopes) for scopes in needed]

    def _asked_at(
        self, rule: model.Rule, among: AbstractSet[int]
    ) -> tuple[AbstractSet[int], AbstractSet[int]]:
        """Return the scopes that the rule asks at: strictly, and softly."""
        policy = self._kinds[rule.policy]
        hard, soft = (
            frozenset(
                scope
                for constraint in asked
                for scope in self._scopes_of(constraint) & among
            )
            for asked in (policy.hard(rule, self.scopes), policy.soft(rule))
        )
        return hard, soft

    def _scopes_of(
        self, constraint: constraints.Constraint
    ) -> AbstractSet[int]:
        scope = getattr(constraint, 'scope', None)
        if scope is None:
            return frozenset(range(len(self.scopes)))
        return frozenset((self.scope_numbers[scope],))

    def _key(self, member: str, known_at: frozenset[int]) -> object:
        if member in self.problem.pinned:
            return (
                'pinned',
                self.problem.pinned[member],
                self._is_server(member),
            )
        demand = self._demands[member]
        is_server = isinstance(demand, model.ServerDemand)
        if not self.keeps(fit(member)):
            return is_server, known_at
        if isinstance(demand, model.VolumeDemand):
            return (
                demand.size_gb,
                demand.type,
                demand.candidates,
                demand.within,
            )
        return (
            tuple(demand.resources.get(r, 0) for r in self.resources),
            demand.candidates,
            demand.require,
            demand.forbid,
            demand.within,
            known_at,
        )

    def _is_server(self, member: str) -> bool:
        demand = self._demands.get(member)
        if demand is not None:
            return isinstance(demand, model.ServerDemand)
        pools = {pool.name for pool in self.problem.snapshot.pools}
        return self.problem.pinned[member] not in pools

    def _shape(
        self, number: int, member: str, known_at: frozenset[int]
    ) -> Shape:
        if member in self.problem.pinned:
            return self._pinned_shape(number, member)
        demand = self._demands[member]
        if isinstance(demand, model.VolumeDemand):
            return self._volume_shape(number, demand)
        return self._server_shape(number, demand, known_at)

    def _pinned_shape(self, number: int, member: str) -> Shape:
        """Return the shape of a member that has its place already.

        A place that the snapshot does not show any more leaves it without
        one here: then it counts in no rule.
        """
        is_server = self._is_server(member)
        name = self.problem.pinned[member]
        names = self.place_names
        span = (
            range(self.n_hosts)
            if is_server
            else range(self.n_hosts, self.n_places)
        )
        found = [place for place in span if names[place] == name]
        size = (0,) * (len(self.resources) if is_server else 1)
        return Shape(
            number, is_server, size, np.array(found, np.int64), fixed=True
        )

    def _server_shape(
        self,
        number: int,
        demand: model.ServerDemand,
        known_at: frozenset[int],
    ) -> Shape:
        may = np.ones(self.n_hosts, np.bool_)
        for scope in known_at:
            may &= self.domain[scope][: self.n_hosts] != UNKNOWN
        size = tuple(demand.resources.get(r, 0) for r in self.resources)
        if not self.keeps(fit(demand.member)):
            size = (0,) * len(size)
        else:
            may &= self._bears_traits(demand)
            for amount, free in zip(size, self.free, strict=True):
                if amount:
                    may &= free >= amount
            if demand.candidates is not None:
                may &= self._named(demand.candidates, self.hosts.names)
            may &= self._within(demand.within, slice(0, self.n_hosts))
            may &= self._in_budget(size)
        return Shape(number, True, size, np.flatnonzero(may))

    def _bears_traits(self, demand: model.ServerDemand) -> Flags:
        """Return, host by host, whether its traits are as demanded."""
        bears = np.array(
            [
                demand.require <= traits and not demand.forbid & traits
                for traits in self.hosts.traitsets
            ],
            np.bool_,
        )
        by_host: Flags = bears[self.hosts.traitset]
        return by_host

    def _volume_shape(self, number: int, demand: model.VolumeDemand) -> Shape:
        may = np.ones(self.n_pools, np.bool_)
        size = 0
        if self.keeps(fit(demand.member)):
            size = demand.size_gb
            may &= self._offers(demand.type) & (self.pool_free >= size)
            names = self.place_names[self.n_hosts :]
            if demand.candidates is not None:
                may &= self._named(demand.candidates, names)
            may &= self._within(
                demand.within, slice(self.n_hosts, self.n_places)
            )
        return Shape(
            number, False, (size,), np.flatnonzero(may) + self.n_hosts
        )

    def _offers(self, kind: str | None) -> Flags:
        return np.array(
            [
                kind is None or pool.types is None or kind in pool.types
                for pool in self.problem.snapshot.pools
            ],
            np.bool_,
        )

    def _within(self, within: tuple[str, str] | None, span: slice) -> Flags:
        if within is None:
            return np.ones(span.stop - span.start, np.bool_)
        scope = self.scope_numbers[within[0]]
        number = self.numbers_of_domains(scope).get(within[1])
        inside: Flags = self.domain[scope][span] == (
            NOWHERE if number is None else number
        )
        return inside

    @staticmethod
    def _named(names: Collection[str], among: Sequence[str]) -> Flags:
        return np.fromiter(
            (name in names for name in among), np.bool_, len(among)
        )

    # -- rules -------------------------------------------------------------

    def _rules(self) -> Iterator[model.Rule]:
        for rule in self.problem.rules:
            if self.keeps(rule.name):
                yield rule

    def _constraints(
        self, rule: model.Rule
    ) -> Iterator[tuple[constraints.Constraint, int | None]]:
        policy = self._kinds[rule.policy]
        for constraint in policy.hard(rule, self.scopes):
            yield constraint, None
        if self._keep is None:
            for constraint in policy.soft(rule):
                yield constraint, rule.weight

    def _clauses(self) -> tuple[tuple[Clause, ...], tuple[Clause, ...]]:
        found = [
            self._clause(rule, constraint, weight)
            for rule in self._rules()
            for constraint, weight in self._constraints(rule)
        ]
        return (
            tuple(c for c in found if c.weight is None),
            tuple(c for c in found if c.weight is not None),
        )

    def _clause(
        self,
        rule: model.Rule,
        constraint: constraints.Constraint,
        weight: int | None,
    ) -> Clause:
        groups = (
            constraint.units
            if isinstance(constraint, constraints.AtMost)
            else tuple((name,) for name in constraint.members)
        )
        numbered = (
            tuple(self.numbers[n] for n in unit if n in self.numbers)
            for unit in groups
        )
        units = tuple(unit for unit in numbered if unit)
        members = tuple(dict.fromkeys(n for unit in units for n in unit))
        scope = self.scope_numbers[getattr(constraint, 'scope', model.HOST)]
        limit = lost = 0
        domains: tuple[int, ...] = ()
        if isinstance(constraint, constraints.AtMost):
            limit = constraint.limit
        elif isinstance(constraint, constraints.AtLeast):
            limit = constraint.domains
        elif isinstance(constraint, constraints.Level):
            limit = constraint.skew
            domains = self._level_domains(constraint, scope)
        elif isinstance(constraint, constraints.Lost):
            limit, lost = constraint.limit, constraint.domains
        return Clause(
            type(constraint),
            rule.name,
            scope,
            units,
            members,
            limit,
            domains,
            weight,
            lost,
        )

    def _level_domains(
        self, constraint: constraints.Level, scope: int
    ) -> tuple[int, ...]:
        """Return D of max_skew; see ``constraints.Level``."""
        if constraint.domains is not None:
            numbers = self.numbers_of_domains(scope)
            return tuple(sorted(numbers[name] for name in constraint.domains))
        capable = np.zeros(self.n_places, np.bool_)
        seen = set()
        for member in constraint.members:
            demand = self._demands.get(member)
            if demand is None:
                continue
            needs = dataclasses.replace(demand, member='')
            key = repr(needs)
            if key in seen:
                continue
            seen.add(key)
            if isinstance(needs, model.VolumeDemand):
                capable[self.n_hosts :] |= self._offers(needs.type)
            else:
                capable[: self.n_hosts] |= self._could_when_empty(needs)
        found = np.unique(self.domain[scope][capable])
        return tuple(int(d) for d in found if d != UNKNOWN)

    def _could_when_empty(self, demand: model.ServerDemand) -> Flags:
        if demand.suitable is not None:
            return self._named(demand.suitable, self.hosts.names)
        could = self._bears_traits(demand)
        for resource, amount in demand.resources.items():
            if amount:
                number = self.resources.index(resource)
                could = could & (self.total[number] >= amount)
        return could

    # -- what is asked of it -----------------------------------------------

    def size(self, member: int) -> tuple[int, ...]:
        return self._shape_of(member).size

    def places(self, member: int) -> Ints:
        """Return the places that could take the member alone, in order."""
        return self._shape_of(member).places

    def _shape_of(self, member: int) -> Shape:
        return self.shapes[int(self.shape_of[member])]

    @property
    def n_pairs(self) -> int:
        """Return about how many variables members by place would take."""
        return sum(len(self.shapes[int(s)].places) for s in self.shape_of)

    def stuck(self) -> list[int]:
        """Return the members that no place can take even alone."""
        return [
            member
            for member in range(len(self.members))
            if not len(self.places(member))
            and not self._shape_of(member).fixed
        ]

    def on(self, hosts: Flags) -> Compiled:
        """Return the problem with only these hosts for who has none yet.

        What is impossible there may be possible elsewhere.
        """
        return self.changed(
            shapes=tuple(
                dataclasses.replace(
                    shape, places=shape.places[hosts[shape.places]]
                )
                if shape.is_server and not shape.fixed
                else shape
                for shape in self.shapes
            )
        )

    def settled(self, places: Mapping[int, int]) -> Compiled:
        """Return the problem with members that may be in one place only.

        ``places``: member -> that place.
        """
        shapes, shape_of = list(self.shapes), self.shape_of.copy()
        for member, place in places.items():
            shape = dataclasses.replace(
                self.shapes[int(shape_of[member])],
                number=len(shapes),
                places=np.array([place], np.int64),
            )
            shape_of[member] = shape.number
            shapes.append(shape)
        return self.changed(shapes=tuple(shapes), shape_of=shape_of)

    def changed(self, **values: object) -> Compiled:
        """Return the same with these values in place of its own."""
        part = copy.copy(self)
        part._above = {}
        vars(part).update(values)
        return part

    def among(self, members: Collection[int]) -> Compiled:
        """Return the problem of these members and of who has a place.

        The rules, and the clauses beyond them (``changed``), are those that
        are about none but these. All of it that is asked is asked of the
        whole, too.
        """
        names = {self.members[m] for m in members} | {*self.problem.pinned}
        problem = dataclasses.replace(
            self.problem,
            demands=tuple(
                d for d in self.problem.demands if d.member in names
            ),
            rules=tuple(
                r for r in self.problem.rules if names.issuperset(r.members)
            ),
        )
        found = Compiled(problem, self._kinds, self._keep)
        known = set(map(dataclasses.astuple, found.hard))
        more = [
            clause
            for clause in self._renumbered(found, self.hard)
            if dataclasses.astuple(clause) not in known
        ]
        found.hard = (*found.hard, *more)
        if not self.soft:
            found.soft = ()
        return found

    def _renumbered(
        self, part: Compiled, clauses: Sequence[Clause]
    ) -> Iterator[Clause]:
        """Give the clauses that are about none but members of a part."""
        there = [part.numbers.get(name, UNKNOWN) for name in self.members]
        for clause in clauses:
            members = tuple(there[m] for m in clause.members)
            if UNKNOWN not in members:
                yield dataclasses.replace(
                    clause,
                    members=members,
                    units=tuple(
                        tuple(there[m] for m in unit) for unit in clause.units
                    ),
                )

    def restricted(self, keep: Collection[str]) -> Compiled:
        """Return the problem with only these rules in force."""
        return Compiled(self.problem, self._kinds, keep)
