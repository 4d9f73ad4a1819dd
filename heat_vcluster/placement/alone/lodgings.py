# SPDX-License-Identifier: Apache-2.0
"""Domains for those who must be alone in them, chosen for all at once.

A domain is for one rule of theirs. What it takes of that rule's bundles is
looked at host by host: the largest sets of them that find room together. So
it is a covering, of each rule's bundles by such sets, one set to a domain. It
is small where idle domains are few, and that is where those who look for one
by one do not all find any.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import operator
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints, by_domain
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.contract import Contracted
from heat_vcluster.placement.numbers.takes import Takes
from heat_vcluster.placement.programs import linear

# Steps in which it must show that a set has no room; else it counts as room.
STEPS = 500
# Sets of the bundles of one rule, and pairs of set and domain, at the most.
SETS = 100
PAIRS = 60_000
ALL = sys.maxsize

#: Servers of one host: their shapes, in order.
Atom = tuple[int, ...]
#: Atoms that share a domain, in order.
Bundle = tuple[Atom, ...]
#: How many there are of each of some bundles.
Many = tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Want:
    """What a rule's members want: equal for rules that fit the same domains.

    ``many`` of each of the ``bundles``; in so many ``domains`` at the least,
    with so many members in one at the ``most``; ``apart``: each atom on a
    host of its own.
    """

    bundles: tuple[Bundle, ...]
    many: Many
    domains: int
    most: int
    apart: bool

    @property
    def n_sets(self) -> int:
        """How many sets there are of its bundles."""
        return math.prod(many + 1 for many in self.many) - 1

    def atoms(self, chosen: Many) -> Bundle:
        """Return the atoms of a set of its bundles, in order."""
        each = zip(self.bundles, chosen, strict=True)
        return tuple(
            sorted(atom for bundle, many in each for atom in bundle * many)
        )

    def sets(self) -> list[Many]:
        """Return the sets of its bundles that may share a domain."""
        members = [sum(map(len, bundle)) for bundle in self.bundles]
        # One bundle at the least is left for each other domain.
        largest = sum(self.many) - self.domains + 1
        found = itertools.product(*(range(many + 1) for many in self.many))
        allowed = [
            chosen
            for chosen in found
            if 0 < sum(chosen) <= largest
            and sum(map(operator.mul, chosen, members)) <= self.most
        ]
        return sorted(allowed, key=sum, reverse=True)


def find(
    compiled: Compiled,
    contracted: Contracted,
    *,
    seconds: float,
    seed: int = 0,
) -> tuple[model.Verdict, dict[Clause, list[int]]]:
    """Return which domains each rule's members have to themselves.

    Those of the widest scope at which hard rules have anybody alone.
    INFEASIBLE is proven of the whole problem. UNKNOWN, too, if there is
    nobody, or all have too much choice, or somebody has a place already.
    """
    ends = time.monotonic() + seconds
    everywhere = np.ones(compiled.n_hosts, np.bool_)
    widest = max(_scopes(compiled), default=0)
    choice = _Choice(compiled, contracted, ends, widest, everywhere)
    found = choice.solved(ends, seed)
    if found.status is linear.Status.NONE:
        return model.Verdict.INFEASIBLE, {}
    if found.values is None:
        return model.Verdict.UNKNOWN, {}
    return model.Verdict.FEASIBLE, choice.lodged(found.values)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """What is theirs in every placement, proven.

    ``taken``: by host, whether it is in a domain that they have however these
    are chosen. ``hosts``: so many at the least are used by ``members``.
    """

    taken: Flags
    hosts: int
    members: frozenset[int]


def theirs(
    compiled: Compiled,
    contracted: Contracted,
    *,
    seconds: float,
    seed: int = 0,
) -> Theirs:
    """Return what those who must be alone have whatever else is.

    Domains of the widest scope first, which leave fewer to those of others.
    """
    ends = time.monotonic() + seconds
    taken: Flags = np.zeros(compiled.n_hosts, np.bool_)
    hosts, members = 0, set[int]()
    for scope in sorted(_scopes(compiled), reverse=True):
        choice = _Choice(compiled, contracted, ends, scope, ~taken)
        least = choice.fewest(ends, seed)
        if least:
            hosts += least
            members |= choice.members
        column = compiled.domain[scope][: compiled.n_hosts]
        taken |= np.isin(column, choice.taken(ends, seed))
    return Theirs(taken, hosts, frozenset(members))


def _scopes(compiled: Compiled) -> set[int]:
    """Return the scopes at which hard rules have anybody alone."""
    return {clause.scope for clause in _alone(compiled)}


def _alone(compiled: Compiled) -> list[Clause]:
    return [c for c in compiled.hard if c.kind is constraints.Alone]


class _Choice:
    """All that could be chosen: whose domain, and which set he has there."""

    def __init__(
        self,
        compiled: Compiled,
        contracted: Contracted,
        ends: float,
        scope: int,
        among: Flags,
    ) -> None:
        self._wants = _Lodgers(compiled, contracted, scope).wants
        column = compiled.domain[scope][: compiled.n_hosts]
        idle = np.flatnonzero(~compiled.busy[scope])
        idle = idle[np.isin(idle, column[among])].tolist()
        n_sets = sum(want.n_sets for want in self._wants.values())
        self._is_known = bool(n_sets) and not compiled.problem.pinned
        self._fitting: dict[_Want, list[tuple[int, Many]]] = {}
        self.members = {m for clause in self._wants for m in clause.members}
        if not self._is_known or n_sets * len(idle) > PAIRS:
            self._is_known = False
            return
        self._rooms = rooms = _Rooms(compiled, scope)
        for want in dict.fromkeys(self._wants.values()):
            self._fitting[want] = [
                (domain, chosen)
                for domain in idle
                for chosen in rooms.largest(want, domain)
            ]
            if time.monotonic() > ends:
                self._is_known = False
                return

    def solved(
        self, ends: float, seed: int, without: int = UNKNOWN
    ) -> linear.Outcome:
        """Choose domains for all, but for one that is for nobody."""
        if not self._is_known:
            return linear.UNSOLVED
        program = self._program(self._fitting, without=without)
        found = linear.UNSOLVED
        if without == UNKNOWN:
            found = program.seek(ends, seed)
        if found.values is None:
            found = program.solve(ends, seed)
        return found

    def fewest(self, ends: float, seed: int) -> int:
        """Bound the hosts that all of them use; 0: time did not do."""
        if not self._is_known:
            return 0
        options = {want: self._all_options(want) for want in self._fitting}
        costs: dict[_Want, list[int]] = {}
        for want, several in options.items():
            costs[want] = []
            for domain, chosen in several:
                if time.monotonic() > ends:
                    return 0
                costs[want].append(self._rooms.fewest(want, domain, chosen))
        program = self._program(options, is_exact=True)
        factors = [cost for w in self._wants.values() for cost in costs[w]]
        program.minimise(range(len(factors)), factors)
        return program.solve(ends, seed).bound

    def _program(
        self,
        options: Mapping[_Want, Sequence[tuple[int, Many]]],
        *,
        is_exact: bool = False,
        without: int = UNKNOWN,
    ) -> linear.Program:
        """Have each want covered by its options: a domain, and a set in it.

        They are the variables, in order. A domain is for one of them, or for
        nobody; see ``_cover``.
        """
        program = linear.Program()
        had: dict[int, list[int]] = {}
        for want in self._wants.values():
            sets = [chosen for _, chosen in options[want]]
            first = _cover(program, want, sets, is_exact)
            for number, (domain, _) in enumerate(options[want], first):
                had.setdefault(domain, []).append(number)
        for domain, numbers in had.items():
            program.total(numbers, high=0 if domain == without else 1)
        return program

    def _all_options(self, want: _Want) -> list[tuple[int, Many]]:
        """Return which sets have room in which domain, also small ones."""
        return sorted(
            {
                (domain, part)
                for domain, most in self._fitting[want]
                for part in itertools.product(*(range(m + 1) for m in most))
                if any(part)
            }
        )

    def taken(self, ends: float, seed: int) -> list[int]:
        """Return the domains that they have however these are chosen."""
        values = self.solved(ends, seed).values
        if values is None:
            return []
        return [
            domain
            for domain in sorted(set().union(*self.lodged(values).values()))
            if self.solved(ends, seed, without=domain).status
            is linear.Status.NONE
        ]

    def lodged(self, values: Ints) -> dict[Clause, list[int]]:
        """Return the domains of each rule's members."""
        found: dict[Clause, list[int]] = {}
        first = 0
        for clause, want in self._wants.items():
            options = self._fitting[want]
            chosen = np.flatnonzero(values[first : first + len(options)])
            found[clause] = [options[n][0] for n in chosen.tolist()]
            first += len(options)
        return found


def _cover(
    program: linear.Program,
    want: _Want,
    sets: Sequence[Many],
    is_exact: bool,
) -> int:
    """Have all bundles in some of the sets; return the first variable.

    In one of them only if it is to be exact.
    """
    first = program.variables([1] * len(sets))
    for kind, many in enumerate(want.many):
        takes = [chosen[kind] for chosen in sets]
        here = [number for number, count in enumerate(takes) if count]
        program.row(
            [first + number for number in here],
            [takes[number] for number in here],
            low=many,
            high=many if is_exact else linear.NEVER[1],
        )
    program.total(range(first, first + len(sets)), low=want.domains)
    return first


class _Lodgers:
    """Who must be alone at a scope, and at none that is wider.

    Rules with no member in common.
    """

    def __init__(
        self, compiled: Compiled, contracted: Contracted, scope: int
    ) -> None:
        self._compiled, self._contracted = compiled, contracted
        self._takes = Takes(compiled)
        self.scope = scope
        self.wants: dict[Clause, _Want] = {}
        alone = _alone(compiled)
        seen = {m for c in alone if c.scope > scope for m in c.members}
        for clause in alone:
            if (
                clause.scope == scope
                and seen.isdisjoint(clause.members)
                and self._are_servers(clause.members)
            ):
                want = self._want(clause)
                if want.n_sets <= SETS:
                    self.wants[clause] = want
                    seen.update(clause.members)

    def _are_servers(self, members: Sequence[int]) -> bool:
        """Tell whether they are that, and in some domain wherever they go."""
        return all(
            self._compiled.is_server[m] and self._takes.is_sure(m, self.scope)
            for m in members
        )

    def _want(self, clause: Clause) -> _Want:
        domains, most, apart = 1, len(clause.members), False
        mine = set(clause.members)
        for other in self._compiled.hard:
            is_mine = mine.issuperset(other.members)
            is_all = mine.issubset(other.members)
            is_single = len(other.units) == len(other.members)
            if other.kind is constraints.AtLeast and is_mine:
                if other.scope == self.scope:
                    domains = max(domains, other.limit)
            elif other.kind is constraints.AtMost and is_all and is_single:
                if other.scope == self.scope:
                    most = min(most, other.limit)
                elif not other.scope and other.limit == 1:
                    apart = True
        kinds = self._kinds(clause)
        order = tuple(sorted(kinds))
        many = tuple(kinds[kind] for kind in order)
        return _Want(order, many, domains, most, apart)

    def _kinds(self, clause: Clause) -> collections.Counter[Bundle]:
        """Return how many bundles of each kind the clause's members are."""
        atom_of = self._contracted.bundle_of[0]
        bundle_of = self._contracted.bundle_of[self.scope]
        bundles: dict[int, dict[int, list[int]]] = {}
        for member in clause.members:
            bundle = bundles.setdefault(int(bundle_of[member]), {})
            atom = bundle.setdefault(int(atom_of[member]), [])
            atom.append(self._takes.shape(member))
        return collections.Counter(
            tuple(sorted(tuple(sorted(atom)) for atom in bundle.values()))
            for bundle in bundles.values()
        )


class _Rooms:
    """Which sets of bundles find room in a domain, host by host."""

    def __init__(self, compiled: Compiled, scope: int) -> None:
        self._compiled = compiled
        self._hosts = by_domain(
            compiled.domain[scope][: compiled.n_hosts],
            compiled.n_domains[scope],
        )
        self._largest = [max(1, int(c.max(initial=0))) for c in compiled.free]
        self._atoms: dict[Atom, tuple[tuple[int, ...], Flags]] = {}
        self._free: dict[int, Ints] = {}
        self._hosts_for: dict[tuple[int, Atom], tuple[int, ...]] = {}
        self._known: dict[tuple[int, bool, Bundle, int], bool] = {}

    def largest(self, want: _Want, domain: int) -> list[Many]:
        """Return the sets that have room there, but for parts of others."""
        found: list[Many] = []
        for chosen in want.sets():
            if any(all(map(operator.ge, more, chosen)) for more in found):
                continue
            if self._have_room(domain, want.apart, want.atoms(chosen)):
                found.append(chosen)
        return found

    def fewest(self, want: _Want, domain: int, chosen: Many) -> int:
        """Return how many hosts a set takes there, or fewer if in doubt."""
        atoms = want.atoms(chosen)
        if want.apart:
            return len(atoms)
        asked = np.sum([self._size(atom) for atom in atoms], axis=0)
        room = np.cumsum(-np.sort(-self._room(domain), axis=0), axis=0)
        least = int(np.max(np.sum(room < asked, axis=0))) + 1
        while least < len(atoms) and not self._have_room(
            domain, False, atoms, least
        ):
            least += 1
        return least

    def _have_room(
        self, domain: int, apart: bool, atoms: Bundle, hosts: int = ALL
    ) -> bool:
        """Tell whether the atoms have room in the domain; if in doubt.

        On so many ``hosts`` of it at the most.
        """
        key = domain, apart, atoms, hosts
        if key not in self._known:
            order = sorted(atoms, key=self._share, reverse=True)
            seats = [
                (self._size(atom), self._able(atom, domain)) for atom in order
            ]
            room = self._room(domain).tolist()
            seating = _Seating(room, seats, apart, hosts)
            self._known[key] = seating.is_found()
        return self._known[key]

    def _room(self, domain: int) -> Ints:
        """Return what is free on each host of the domain: host x resource."""
        if domain not in self._free:
            hosts = self._hosts[domain]
            columns = [column[hosts] for column in self._compiled.free]
            self._free[domain] = np.stack(columns, axis=1)
        return self._free[domain]

    def _share(self, atom: Atom) -> float:
        """Return the largest share of a host that it takes."""
        size = self._size(atom)
        return max(s / m for s, m in zip(size, self._largest, strict=True))

    def _size(self, atom: Atom) -> tuple[int, ...]:
        return self._looked_up(atom)[0]

    def _able(self, atom: Atom, domain: int) -> tuple[int, ...]:
        """Return which of its hosts take it alone, the smallest first."""
        key = domain, atom
        if key not in self._hosts_for:
            size, may = self._looked_up(atom)
            hosts, free = self._hosts[domain], self._room(domain)
            able = np.flatnonzero(may[hosts] & np.all(free >= size, axis=1))
            order = np.argsort(free[able].sum(axis=1))
            self._hosts_for[key] = tuple(able[order].tolist())
        return self._hosts_for[key]

    def _looked_up(self, atom: Atom) -> tuple[tuple[int, ...], Flags]:
        """Return its size, and by host whether all of it may go there."""
        if atom not in self._atoms:
            shapes = [self._compiled.shapes[number] for number in atom]
            size = tuple(map(sum, zip(*(s.size for s in shapes), strict=True)))
            may = np.ones(self._compiled.n_hosts, np.bool_)
            for shape in shapes:
                here = np.zeros_like(may)
                here[shape.places] = True
                may &= here
            self._atoms[atom] = size, may
        return self._atoms[atom]


class _Seating:
    """Looks for a host for each of a few, as far as that is soon done.

    ``room``: what is free on each host. ``seats``: who, in turn: what he
    takes, and the hosts that he may have. Not on more than ``hosts``.
    """

    def __init__(
        self,
        room: list[list[int]],
        seats: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
        apart: bool,
        hosts: int,
    ) -> None:
        self._room, self._seats, self._apart = room, seats, apart
        self._left = hosts
        self._held = [0] * len(room)
        self._steps = 0
        # By host, as far as it was asked: for whom it is one.
        self._for: dict[int, tuple[bool, ...]] = {}

    def is_found(self, index: int = 0) -> bool:
        """Tell whether all from ``index`` on have a host; if in doubt."""
        if index == len(self._seats):
            return True
        size, hosts = self._seats[index]
        failed: set[tuple[object, ...]] = set()
        for host in hosts:
            is_new = not self._held[host]
            before = self._room[host]
            after = list(map(operator.sub, before, size))
            if min(after) < 0 or is_new > self._left:
                continue
            if failed and self._sign(host) in failed:
                continue
            self._steps += 1
            if self._steps > STEPS:
                return True
            self._room[host] = [-1] * len(after) if self._apart else after
            self._held[host] += 1
            self._left -= is_new
            if self.is_found(index + 1):
                return True
            self._left += is_new
            self._held[host] -= 1
            self._room[host] = before
            failed.add(self._sign(host))
        return False

    def _sign(self, host: int) -> tuple[object, ...]:
        """Return what is the same of hosts alike: their room, and for whom."""
        if host not in self._for:
            self._for[host] = tuple(host in hosts for _, hosts in self._seats)
        return self._held[host] > 0, *self._room[host], self._for[host]
