# SPDX-License-Identifier: Apache-2.0
"""What is left to decide of a problem when some members have their places.

Which places the others may still take by size and by hard clauses, and which
of them nothing tells apart.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Clause, Compiled

# Says which of the places that are left to some members they may take.
Choice = Callable[[Ints], Ints]

# What these ask for may be there only when all members are.
ASKING = (constraints.AtLeast, constraints.Level)

# How often clauses may narrow what other clauses left.
ROUNDS = 3


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Like:
    """Free members that nothing tells apart; equal in all that matters.

    Any two may change places: they take the same, may go to the same
    ``places``, and stand in the same clauses in the same way.
    """

    number: int
    members: tuple[int, ...]
    is_server: bool
    size: tuple[int, ...]
    places: Ints


class Index:
    """Which clauses a member is in; made once for a problem.

    Clauses are numbered, the hard ones first. ``roles[member]`` has pairs:
    clause, and the unit if others are in that unit too, else UNKNOWN.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.clauses: tuple[Clause, ...] = (*compiled.hard, *compiled.soft)
        self.n_hard = len(compiled.hard)
        self.roles: list[list[tuple[int, int]]] = [
            [] for _ in compiled.members
        ]
        for number, clause in enumerate(self.clauses):
            for unit_number, unit in enumerate(clause.units):
                role = (number, unit_number if len(unit) > 1 else UNKNOWN)
                for member in unit:
                    self.roles[member].append(role)
        self.amounts, self.gib = amounts.sizes(compiled)
        self._pinned = np.full(len(compiled.members), UNKNOWN, np.int64)
        for member, number in enumerate(compiled.shape_of):
            shape = compiled.shapes[int(number)]
            if shape.fixed and len(shape.places):
                self._pinned[member] = shape.places[0]
        self.is_absent = np.array(
            [
                (shape := compiled.shapes[int(s)]).fixed
                and not len(shape.places)
                for s in compiled.shape_of
            ],
            np.bool_,
        )
        self.alone = tuple(
            number
            for number, clause in enumerate(self.clauses)
            if clause.kind is constraints.Alone
        )

    def start(self, fixed: Ints | None) -> Ints:
        """Return member -> place of all that have one before the search."""
        at = self._pinned.copy()
        if fixed is not None:
            at = np.where(at == UNKNOWN, fixed, at)
        return at


class Remainder:
    """The free members of a problem, and what the others leave to them.

    ``at`` has the place of each member that has one. ``clauses`` are the
    numbers of those that free members can still do something about;
    ``settled`` of all others. ``is_hopeless``: some member has no place left,
    or there is less than no room, proven.

    Members that come ``later`` have no place yet: what asks for more of them
    than are here is in neither.
    """

    def __init__(
        self,
        index: Index,
        fixed: Ints | None,
        allowed: Mapping[int, Sequence[int]] | None,
        with_soft: bool,
        choice: Choice | None = None,
        later: Collection[int] = (),
    ) -> None:
        self.index = index
        self.compiled = index.compiled
        self.at = index.start(fixed)
        is_free = (self.at == UNKNOWN) & ~index.is_absent
        is_free[list(later)] = False
        self.free = tuple(np.flatnonzero(is_free).tolist())
        self.host_room, self.pool_room = self._room()
        self.budget_room = amounts.budget_room(self.compiled, self.at)
        self._everybody: dict[int, Ints] = {}
        self._fixed_domains: dict[int, list[tuple[int, int]]] = {}
        count = len(index.clauses) if with_soft else index.n_hard
        touched = {c for m in self.free for c, _ in index.roles[m]}
        if self.free:
            touched.update(index.alone)
        waiting = {
            c
            for m in later
            for c, _ in index.roles[m]
            if index.clauses[c].kind in ASKING
        }
        asked = [c for c in range(count) if c not in waiting]
        self.clauses = tuple(c for c in asked if c in touched)
        self.settled = tuple(c for c in asked if c not in touched)
        self._count = count
        self.is_hopeless = self._is_overfull()
        self.candidates = self._candidates(allowed)
        if not self.is_hopeless:
            self._narrow()
            if choice is not None:
                self._choose(choice)
        self.is_hopeless |= any(
            not len(places) for places in self.candidates.values()
        )
        self.likes = () if self.is_hopeless else tuple(self._find_likes())
        self.like_of = {m: like for like in self.likes for m in like.members}

    def coarse(
        self, likes: Sequence[Like], clauses: Sequence[int]
    ) -> Remainder:
        """Return it with other likes, and only those clauses to see to."""
        other = copy.copy(self)
        other.likes = tuple(likes)
        other.like_of = {m: like for like in likes for m in like.members}
        other.clauses = tuple(clauses)
        return other

    # -- room ----------------------------------------------------------------

    def _room(self) -> tuple[list[Ints], Ints]:
        index, compiled = self.index, self.compiled
        placed = np.flatnonzero(self.at != UNKNOWN)
        servers = placed[compiled.is_server[placed]]
        volumes = placed[~compiled.is_server[placed]]
        hosts = []
        for free, taken in zip(compiled.free, index.amounts, strict=True):
            rest = free.copy()
            np.subtract.at(rest, self.at[servers], taken[servers])
            hosts.append(rest)
        pools = compiled.pool_free.copy()
        np.subtract.at(
            pools, self.at[volumes] - compiled.n_hosts, index.gib[volumes]
        )
        return hosts, pools

    def _is_overfull(self) -> bool:
        """Tell whether a fixed member takes what is not there."""
        index, compiled, at = self.index, self.compiled, self.at
        placed = at != UNKNOWN
        for rest, taken in zip(self.host_room, index.amounts, strict=True):
            takers = placed & compiled.is_server & (taken > 0)
            if np.any(rest[at[takers]] < 0):
                return True
        takers = placed & ~compiled.is_server & (index.gib > 0)
        return bool(np.any(self.pool_room[at[takers] - compiled.n_hosts] < 0))

    def _candidates(
        self, allowed: Mapping[int, Sequence[int]] | None
    ) -> dict[int, Ints]:
        """Return member -> places; alike members share one array."""
        made: dict[object, Ints] = {}
        found = {}
        for member in self.free:
            shape = int(self.compiled.shape_of[member])
            among = None if allowed is None else allowed.get(member)
            key = (shape, None if among is None else tuple(among))
            if key not in made:
                places = self.compiled.shapes[shape].places
                if among is not None:
                    places = np.intersect1d(places, np.array(among, np.int64))
                made[key] = places[self._has_room(member, places)]
            found[member] = made[key]
        return found

    def _has_room(self, member: int, places: Ints) -> Flags:
        fits = np.ones(len(places), np.bool_)
        if self.compiled.is_server[member]:
            for rest, taken in zip(
                self.host_room, self.index.amounts, strict=True
            ):
                if taken[member]:
                    fits &= rest[places] >= taken[member]
            self._keep_to_budgets(member, places, fits)
        elif self.index.gib[member]:
            rest = self.pool_room[places - self.compiled.n_hosts]
            fits &= rest >= self.index.gib[member]
        return fits

    def _keep_to_budgets(self, member: int, places: Ints, fits: Flags) -> None:
        for cap, rooms in zip(
            self.compiled.budgets, self.budget_room, strict=True
        ):
            if not self.compiled.n_domains[cap.scope]:
                continue
            domains = self.compiled.domain[cap.scope][places]
            for rest, taken in zip(rooms, self.index.amounts, strict=True):
                if taken[member]:
                    fits &= (domains == UNKNOWN) | (
                        rest[domains] >= taken[member]
                    )

    # -- what clauses leave --------------------------------------------------

    def fixed_domains(self, number: int) -> list[tuple[int, int]]:
        """Return (unit, domain) of each fixed member that counts there."""
        if number not in self._fixed_domains:
            clause = self.index.clauses[number]
            column = self.compiled.domain[clause.scope]
            found = []
            for unit_number, unit in enumerate(clause.units):
                for member in unit:
                    place = int(self.at[member])
                    if place != UNKNOWN and column[place] != UNKNOWN:
                        found.append((unit_number, int(column[place])))
            self._fixed_domains[number] = found
        return self._fixed_domains[number]

    def domains_of_fixed(self, number: int) -> set[int]:
        return {domain for _, domain in self.fixed_domains(number)}

    def everybody(self, scope: int) -> Ints:
        """Return, by domain, how many fixed members of the request it has."""
        if scope not in self._everybody:
            column = self.compiled.domain[scope]
            found = column[self.at[self.at != UNKNOWN]]
            self._everybody[scope] = np.bincount(
                found[found != UNKNOWN],
                minlength=self.compiled.n_domains[scope],
            )
        return self._everybody[scope]

    def taken_by_others(self, number: int) -> Flags:
        """Return, by domain, whether others than the clause's are there.

        For an Alone clause: busy hosts and fixed members count.
        """
        clause = self.index.clauses[number]
        others = self.everybody(clause.scope).copy()
        for _, domain in self.fixed_domains(number):
            others[domain] -= 1
        shared: Flags = self.compiled.busy[clause.scope] | (others > 0)
        return shared

    def has_domain(self, member: int, scope: int) -> bool:
        """Tell whether it has one wherever it may go."""
        column = self.compiled.domain[scope]
        return bool(np.all(column[self.candidates[member]] != UNKNOWN))

    def _narrow(self) -> None:
        """Take away places that hard clauses do not let a member have."""
        for number in self.clauses:
            if number < self.index.n_hard:
                kind = self.index.clauses[number].kind
                if kind is constraints.Alone:
                    self._narrow_alone(number)
                elif kind is constraints.AtMost:
                    self._narrow_at_most(number)
        together = [
            number
            for number in self.clauses
            if number < self.index.n_hard
            and self.index.clauses[number].kind is constraints.Together
        ]
        for _ in range(ROUNDS):
            before = dict(self.candidates)
            for number in together:
                self._narrow_together(number)
            if all(
                before[member] is places
                for member, places in self.candidates.items()
            ):
                return

    def _bar(self, members: Sequence[int], scope: int, barred: Flags) -> None:
        """Take away the places whose domain is barred."""
        if not barred.any():
            return
        column = self.compiled.domain[scope]
        done: dict[int, Ints] = {}
        before = [self.candidates[member] for member in members]
        for member, places in zip(members, before, strict=True):
            if id(places) not in done:
                domains = column[places]
                keep = (domains == UNKNOWN) | ~barred[domains]
                done[id(places)] = places if keep.all() else places[keep]
            self.candidates[member] = done[id(places)]

    def free_of(self, clause: Clause) -> list[int]:
        return [m for m in clause.members if m in self.candidates]

    def _narrow_alone(self, number: int) -> None:
        clause = self.index.clauses[number]
        self._bar(
            self.free_of(clause), clause.scope, self.taken_by_others(number)
        )
        mine = np.zeros(self.compiled.n_domains[clause.scope], np.bool_)
        mine[[domain for _, domain in self.fixed_domains(number)]] = True
        if mine.any():
            inside = frozenset(clause.members)
            rest = [m for m in self.free if m not in inside]
            self._bar(rest, clause.scope, mine)

    def _narrow_at_most(self, number: int) -> None:
        clause = self.index.clauses[number]
        present = set(self.fixed_domains(number))
        if clause.limit and len(present) < clause.limit:
            return
        count = np.zeros(self.compiled.n_domains[clause.scope], np.int64)
        for _, domain in present:
            count[domain] += 1
        full: Flags = count >= clause.limit
        if not full.any():
            return
        own: dict[int, list[int]] = {}
        for unit_number, domain in present:
            own.setdefault(unit_number, []).append(domain)
        alone = []
        for unit_number, unit in enumerate(clause.units):
            free = [m for m in unit if m in self.candidates]
            if unit_number in own and free:
                barred = full.copy()
                barred[own[unit_number]] = False
                self._bar(free, clause.scope, barred)
            else:
                alone += free
        self._bar(alone, clause.scope, full)

    def _narrow_together(self, number: int) -> None:
        clause = self.index.clauses[number]
        scope = clause.scope
        column = self.compiled.domain[scope]
        left = np.ones(self.compiled.n_domains[scope], np.bool_)
        fixed = {domain for _, domain in self.fixed_domains(number)}
        if len(fixed) > 1:
            self.is_hopeless = True
            return
        if fixed:
            left[:] = False
            left[list(fixed)] = True
        free = self.free_of(clause)
        seen: set[int] = set()
        for member in free:
            places = self.candidates[member]
            if id(places) in seen:
                continue
            seen.add(id(places))
            domains = column[places]
            if np.all(domains != UNKNOWN):
                here = np.zeros(len(left), np.bool_)
                here[domains] = True
                left &= here
        self._bar(free, scope, ~left)

    def _choose(self, choice: Choice) -> None:
        """Leave of each member's places those that are chosen."""
        before = dict(self.candidates)
        chosen: dict[int, Ints] = {}
        for member, places in before.items():
            if id(places) not in chosen:
                chosen[id(places)] = choice(places)
            self.candidates[member] = chosen[id(places)]

    # -- likeness ------------------------------------------------------------

    def _find_likes(self) -> Iterator[Like]:
        groups: dict[object, list[int]] = {}
        for member in self.free:
            key = (
                bool(self.compiled.is_server[member]),
                self.compiled.size(member),
                self.candidates[member].tobytes(),
                tuple(
                    role
                    for role in self.index.roles[member]
                    if role[0] < self._count
                ),
            )
            groups.setdefault(key, []).append(member)
        for number, members in enumerate(groups.values()):
            first = members[0]
            yield Like(
                number,
                tuple(members),
                bool(self.compiled.is_server[first]),
                self.compiled.size(first),
                self.candidates[first],
            )
