# SPDX-License-Identifier: Apache-2.0
"""Which members, and which bundles of them, a count need not tell apart.

Members of one shape that the same wide rules count are of one *sort*; what
shares a host is an *atom*, and atoms of the same sorts are of one kind;
bundles of the same parts are of one kind. To count kinds in domains is less
than to say where each member is: what no count can be is no placement
either, whatever the kinds. So a rule may be left out here (``dropped``), and
kinds may be coarse, but nothing that a placement may do is ever ruled out.
"""

from __future__ import annotations

import collections
import dataclasses
import functools

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import contract
from heat_vcluster.placement.numbers.breadth import Breadth

WIDE = 9  # units of a rule that is always counted by itself
MOST = 400_000  # pairs of kind and place, with wide rules
FEW = 3_000  # as many at most if small rules are counted by themselves
NONE = 0  # ... so that these are left out


Parts = tuple[tuple[int, int], ...]  # kind, and how many of it


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Units taken as alike: atoms (scope 0) or bundles at a wider scope.

    ``units`` lists the members of each. ``parts`` says of a bundle how many
    of which narrower kinds it has. ``shapes`` says of an atom how many of
    its members are of which shape; ``size`` is what its servers take of a
    host together. ``pooled``: a volume alone, which is counted by pool.
    ``is_bound``: all its units are in bundles at some wider scope.
    """

    number: int
    scope: int
    units: tuple[tuple[int, ...], ...]
    parts: Parts = ()
    shapes: tuple[tuple[int, int], ...] = ()
    size: tuple[int, ...] = ()
    pooled: bool = False

    @property
    def count(self) -> int:
        return len(self.units)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A wide rule, by kinds: ``weights`` has kind -> how much a unit counts.

    The units are those of the rule's own scope: what surely has one domain
    there. ``limit`` of an AtMost is in these weights.
    """

    clause: numbers.Clause
    weights: dict[int, int]
    limit: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """Rules alike within bundles: what a bundle may have in one domain.

    Of ``kinds``, one domain at ``scope`` has at most ``caps[b]`` for each
    bundle of kind b in the domain at the scope ``within`` that it lies in.
    """

    scope: int
    within: int
    kinds: tuple[int, ...]
    caps: dict[int, int]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Secluded:
    """Groups alike that want their domains to themselves.

    ``weights``: kind -> 1 for those in the groups, by atom; ``needs``: so
    many domains at the least; ``most``: members of the largest group.
    """

    scope: int
    kinds: frozenset[int]
    needs: int
    most: int


class Likeness:
    """The kinds of a problem, and its hard rules in terms of them.

    ``fine``: small rules get sorts of their own too, as long as it costs
    few variables. ``kind_at[k][bundle]`` is the kind that stands for the
    bundle at scope k: its own, or that of the one narrower unit it has.
    ``counted``, ``inside``, ``secluded``: the rules; ``dropped``: those that
    only a look at single members can say. ``settled`` has the ``id`` of each
    clause that counts alone see to in full. ``free``, by resource and host,
    is what servers may take.
    """

    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        wide: int = WIDE,
        few: int = FEW,
    ) -> None:
        self.compiled = compiled
        self._contracted = contracted
        self._wide, self._few = wide, few
        self.free = _free(compiled)
        self._find_scopes()
        self._sort_rules()
        self._sort_members()
        self._find_atoms()
        self._find_bundles()
        self.counted = tuple(map(self._count, self._wide_rules))
        exact = [
            c.clause
            for c in self.counted
            if all(len(unit) == 1 for unit in c.clause.units)
        ]
        self.settled = frozenset(map(id, exact))
        self.inside = tuple(self._look_inside())
        self.secluded = tuple(self._seclude())

    # -- rules -------------------------------------------------------------

    def _find_scopes(self) -> None:
        """Find the scopes up to which a bundle is made of narrower ones."""
        compiled = self.compiled
        last = 0
        while last < len(compiled.parent) and compiled.is_nested[last]:
            last += 1
        self.scopes = range(last + 1)
        self._known = [
            [
                bool(len(shape.places))
                and bool(np.all(column[shape.places] != UNKNOWN))
                for shape in compiled.shapes
            ]
            for column in compiled.domain
        ]
        self.present = np.array(
            [bool(len(compiled.shapes[s].places)) for s in compiled.shape_of],
            np.bool_,
        )

    def is_known(self, member: int, scope: int) -> bool:
        """Tell whether the member has a domain there wherever it goes."""
        return self._known[scope][int(self.compiled.shape_of[member])]

    def _bundle(self, scope: int, member: int) -> int:
        return int(self._contracted.bundle_of[scope][member])

    def _around(self, clause: numbers.Clause) -> int | None:
        """Return the scope of the bundle that has all of the clause in it."""
        if not all(self.is_known(m, clause.scope) for m in clause.members):
            return None
        first = clause.members[0]
        for scope in self.scopes:
            if scope > clause.scope:
                column = self._contracted.bundle_of[scope]
                if np.all(column[list(clause.members)] == column[first]):
                    return scope
        return None

    def _sort_rules(self) -> None:
        """Tell rules within a bundle, wide ones, seclusion, and the rest."""
        self._inner: list[tuple[numbers.Clause, int]] = []
        self._alone: list[numbers.Clause] = []
        outer: list[numbers.Clause] = []
        for clause in self.compiled.hard:
            if clause.kind is constraints.Together or not clause.members:
                continue
            if clause.kind is constraints.Alone:
                self._alone.append(clause)
                continue
            around = self._around(clause)
            if around is not None and clause.kind is not constraints.Level:
                self._inner.append((clause, around))
            elif clause.scope in self.scopes:
                outer.append(clause)
        self._outer = sorted(outer, key=lambda c: -len(c.members))

    # -- members -----------------------------------------------------------

    def _sort_members(self) -> None:
        """Give each member its sort, by all that a count must tell apart."""
        compiled = self.compiled
        roles: list[list[object]] = [[] for _ in compiled.members]
        for clause, around in self._inner:
            for member in clause.members:
                roles[member].append(_inner_sign(clause, around))
        for sign, clause in self._signed_alone():
            for member in clause.members:
                roles[member].append(('alone', clause.scope, sign))
        for scope in self.scopes:
            for bundle in self._contracted.bundles[scope]:
                if self._is_made_up(scope, bundle):
                    for member in bundle:
                        roles[member].append(('bound', scope))
        keys = [
            (int(shape), tuple(sorted(map(repr, set(role)))))
            for shape, role in zip(compiled.shape_of, roles, strict=True)
        ]
        numbered: dict[object, int] = {}
        self.sort_of = [numbered.setdefault(k, len(numbered)) for k in keys]
        self._refine()

    def _is_made_up(self, scope: int, members: tuple[int, ...]) -> bool:
        """Tell whether a bundle has several units of the scope below."""
        if not scope:
            return len(members) > 1
        narrower = self._contracted.bundle_of[scope - 1][list(members)]
        return bool(np.any(narrower != narrower[0]))

    def _signed_alone(self) -> list[tuple[object, numbers.Clause]]:
        """Sign the rules of seclusion: alike ones alike, if not too many."""
        shape_of = self.compiled.shape_of
        signs = [
            (tuple(sorted(int(shape_of[m]) for m in c.members)), c)
            for c in self._alone
        ]
        if len({(sign, c.scope) for sign, c in signs}) > self._wide:
            return [('any', c) for c in self._alone]
        return [(repr(sign), c) for sign, c in signs]

    def _refine(self) -> None:
        """Tell members apart by wide rules, as long as that is no burden."""
        self._wide_rules: list[numbers.Clause] = []
        self.dropped: list[numbers.Clause] = []
        weight = [
            len(self.compiled.shapes[s].places) for s in self.compiled.shape_of
        ]
        size = collections.Counter(self.sort_of)
        first = {sort: m for m, sort in enumerate(self.sort_of)}
        burden = sum(weight[m] for m in first.values())
        fresh = max(self.sort_of, default=0) + 1
        self._apart: dict[int, int] = {}
        inner = [clause for clause, _ in self._inner]
        insides = set(map(id, inner))
        for clause in (*self._outer, *inner):
            here: dict[int, list[int]] = {}
            for member in clause.members:
                here.setdefault(self.sort_of[member], []).append(member)
            split = {s: m for s, m in here.items() if len(m) < size[s]}
            more = sum(weight[m[0]] for m in split.values())
            is_inner = id(clause) in insides
            is_wide = len(clause.units) >= self._wide and not is_inner
            if more and burden + more > (MOST if is_wide else self._few):
                if not is_inner:
                    self.dropped.append(clause)
                continue
            burden += more
            if is_inner:
                self._apart[id(clause)] = len(self._apart)
            else:
                self._wide_rules.append(clause)
            for sort, members in split.items():
                size[sort] -= len(members)
                size[fresh] = len(members)
                for member in members:
                    self.sort_of[member] = fresh
                fresh += 1

    # -- units -------------------------------------------------------------

    def _find_atoms(self) -> None:
        compiled = self.compiled
        found: dict[object, list[tuple[int, ...]]] = {}
        for members in self._contracted.bundles[0]:
            if self.present[members[0]]:
                key = tuple(sorted(self.sort_of[m] for m in members))
                found.setdefault(key, []).append(members)
        self.kinds: list[Kind] = []
        self.kind_at: list[dict[int, int]] = [{}]
        for units in found.values():
            number = len(self.kinds)
            first = units[0]
            shapes = collections.Counter(
                int(compiled.shape_of[m]) for m in first
            )
            sizes = [compiled.size(m) for m in first if compiled.is_server[m]]
            size = tuple(map(sum, zip(*sizes, strict=True)))
            pooled = len(first) == 1 and not compiled.is_server[first[0]]
            self.kinds.append(
                Kind(
                    number,
                    0,
                    tuple(units),
                    shapes=tuple(sorted(shapes.items())),
                    size=size or (0,) * len(compiled.resources),
                    pooled=pooled,
                )
            )
            for unit in units:
                self.kind_at[0][self._bundle(0, unit[0])] = number

    def _find_bundles(self) -> None:
        inner = self._inner_signs()
        for scope in self.scopes[1:]:
            found: dict[object, list[tuple[int, ...]]] = {}
            parts_of: dict[object, Parts] = {}
            kinds: dict[int, int] = {}
            for number, members in enumerate(self._contracted.bundles[scope]):
                parts = self._parts(scope, members)
                if sum(parts.values()) == 1:
                    kinds[number] = next(iter(parts))
                elif parts:
                    sign = tuple(sorted(inner.get((scope, number), ())))
                    ordered = tuple(sorted(parts.items()))
                    found.setdefault((ordered, sign), []).append(members)
                    parts_of[ordered, sign] = ordered
            for key, units in found.items():
                kind = Kind(
                    len(self.kinds), scope, tuple(units), parts_of[key]
                )
                self.kinds.append(kind)
                for unit in units:
                    kinds[self._bundle(scope, unit[0])] = kind.number
            self.kind_at.append(kinds)

    def _parts(
        self, scope: int, members: tuple[int, ...]
    ) -> collections.Counter[int]:
        """Count the narrower units of a bundle by kind."""
        parts: collections.Counter[int] = collections.Counter()
        for bundle in {self._bundle(scope - 1, m) for m in members}:
            if bundle in self.kind_at[scope - 1]:
                parts[self.kind_at[scope - 1][bundle]] += 1
        return parts

    def _inner_signs(self) -> dict[tuple[int, int], list[str]]:
        signs: dict[tuple[int, int], list[str]] = {}
        for clause, around in self._inner:
            bundle = self._bundle(around, clause.members[0])
            kept = repr((self._sign(clause, around), self.cap(clause)))
            signs.setdefault((around, bundle), []).append(kept)
        return signs

    def _sign(self, clause: numbers.Clause, around: int) -> object:
        """Return what rules within bundles are taken as alike by."""
        number = self._apart.get(id(clause), UNKNOWN)
        return _inner_sign(clause, around), number

    def _pieces(self, clause: numbers.Clause) -> list[set[int]]:
        """Return, unit by unit of the clause, the bundles at its scope."""
        return [
            {self._bundle(clause.scope, m) for m in unit if self.present[m]}
            for unit in clause.units
        ]

    def cap(self, clause: numbers.Clause) -> int:
        """Return how many of its bundles one domain may have at the most.

        AtMost: each unit that is there has at most all of its bundles
        there. AtLeast: the other domains have a bundle each, or more.
        """
        pieces = self._pieces(clause)
        if clause.kind is constraints.AtLeast:
            return len(set().union(*pieces)) - (clause.limit - 1)
        sizes = sorted((len(p) for p in pieces), reverse=True)
        return sum(sizes[: clause.limit])

    @functools.cached_property
    def breadths(self) -> dict[int, set[frozenset[Breadth]]]:
        """The kinds of bundles -> what each bundle's inner rules ask for.

        Equal demands are told once.
        """
        found: dict[int, dict[int, set[Breadth]]] = {
            kind.number: {
                self._bundle(kind.scope, unit[0]): set() for unit in kind.units
            }
            for kind in self.kinds
            if kind.scope
        }
        for clause, around in self._inner:
            asked = self._breadth(clause)
            bundle = self._bundle(around, clause.members[0])
            kind = self.kind_at[around][bundle]
            if asked is not None and self.kinds[kind].scope == around:
                found[kind][bundle].add(asked)
        return {
            kind: set(map(frozenset, by_bundle.values()))
            for kind, by_bundle in found.items()
        }

    def _breadth(self, clause: numbers.Clause) -> Breadth | None:
        """Return over what domains a rule within a bundle has it be."""
        if clause.kind not in (constraints.AtMost, constraints.AtLeast):
            return None
        cap = self.cap(clause)
        pieces = set().union(*self._pieces(clause))
        domains = clause.limit
        if clause.kind is constraints.AtMost:
            domains = -(-len(pieces) // cap) if cap > 0 else len(pieces) + 1
        kinds = frozenset(self.kind_at[clause.scope][b] for b in pieces)
        return Breadth(clause.scope, kinds, domains) if domains > 1 else None

    @property
    def is_coarse(self) -> bool:
        """Tell whether more sorts would say the rules more exactly."""
        return bool(self.dropped) or len(self._apart) < len(self._inner)

    # -- rules by kinds ----------------------------------------------------

    def _count(self, clause: numbers.Clause) -> Counted:
        """Say a wide rule by the kinds of its bundles.

        AtMost counts the units in a bundle, all of which are where it is; a
        unit in several bundles is counted once for each, and the limit
        allows for that. The others count members.
        """
        weights: dict[int, int] = {}
        kinds = self.kind_at[clause.scope]
        for bundle, weight in self.bundles_in(clause).items():
            kind = kinds[bundle]
            weights[kind] = min(weights.get(kind, weight), weight)
        by_unit = clause.kind is constraints.AtMost
        limit = self.cap(clause) if by_unit else clause.limit
        return Counted(clause, weights, limit)

    def bundles_in(self, clause: numbers.Clause) -> dict[int, int]:
        """Return bundle at its scope -> how much of the clause it has.

        For AtMost so many units, else so many members.
        """
        inside: dict[int, list[int]] = {}
        for number, unit in enumerate(clause.units):
            for member in unit:
                if self.present[member]:
                    bundle = self._bundle(clause.scope, member)
                    inside.setdefault(bundle, []).append(number)
        by_unit = clause.kind is constraints.AtMost
        return {
            bundle: len(set(units)) if by_unit else len(units)
            for bundle, units in inside.items()
        }

    def bundles_of(self, kind: int, scope: int) -> list[int]:
        """Return the bundles at the scope for which the kind stands."""
        units = self.kinds[kind].units
        return [self._bundle(scope, unit[0]) for unit in units]

    def _look_inside(self) -> list[Inside]:
        """Gather the rules within bundles by their signs."""
        kinds: dict[object, set[int]] = {}
        caps: dict[object, dict[tuple[int, int], int]] = {}
        scopes: dict[object, tuple[int, int]] = {}
        for clause, around in self._inner:
            sign = self._sign(clause, around)
            scopes[sign] = clause.scope, around
            here = kinds.setdefault(sign, set())
            for pieces in self._pieces(clause):
                here |= {self.kind_at[clause.scope][b] for b in pieces}
            bundle = self._bundle(around, clause.members[0])
            shares = caps.setdefault(sign, {})
            owner = self.kind_at[around][bundle], bundle
            shares[owner] = shares.get(owner, 0) + self.cap(clause)
        found = []
        for sign, here in kinds.items():
            scope, within = scopes[sign]
            most: dict[int, int] = {}
            for (kind, _), cap in caps[sign].items():
                most[kind] = max(most.get(kind, cap), cap)
            found.append(Inside(scope, within, tuple(sorted(here)), most))
        return found

    def _seclude(self) -> list[Secluded]:
        """Gather seclusion: of groups that share no member, like by like."""
        taken: set[int] = set()
        groups: dict[tuple[int, object], list[numbers.Clause]] = {}
        for sign, clause in self._signed_alone():
            if taken.isdisjoint(clause.members):
                taken.update(clause.members)
                groups.setdefault((clause.scope, sign), []).append(clause)
        found = []
        for (scope, _), clauses in groups.items():
            kinds = frozenset(
                self.kind_at[0][self._bundle(0, m)]
                for c in clauses
                for m in c.members
                if self.present[m]
            )
            needs = sum(
                any(self.is_known(m, scope) for m in c.members)
                for c in clauses
            )
            most = max(len(c.members) for c in clauses)
            if self._are_theirs(kinds, clauses):
                found.append(Secluded(scope, kinds, needs, most))
        return found

    def _are_theirs(
        self, kinds: frozenset[int], clauses: list[numbers.Clause]
    ) -> bool:
        """Tell whether all members of all units of the kinds are in these.

        Not so where a group was left out for sharing members, or where a
        host has members of a group and others: no count tells them apart.
        """
        theirs = {m for c in clauses for m in c.members}
        return all(
            member in theirs
            for kind in kinds
            for unit in self.kinds[kind].units
            for member in unit
        )

    # -- places ------------------------------------------------------------

    def barred(self, scope: int) -> dict[int, int]:
        """Return kind of atom -> 1 if it may not be in a busy domain."""
        found = {}
        for clause in self._alone:
            if clause.scope == scope:
                for member in clause.members:
                    if self.present[member]:
                        found[self.kind_at[0][self._bundle(0, member)]] = 1
        return found

    def allowed(self) -> list[Flags]:
        """Return, atom by atom kind, where a unit of it could be alone.

        A flag for each place: the pool of a pooled atom, else the host.
        """
        compiled = self.compiled
        idle = np.ones((len(compiled.scopes), compiled.n_places), np.bool_)
        for scope, column in enumerate(compiled.domain):
            known = column != UNKNOWN
            idle[scope, known] = ~compiled.busy[scope][column[known]]
        barred = [self.barred(scope) for scope in range(len(compiled.scopes))]
        found = []
        for kind in self.kinds:
            if kind.scope:
                continue
            may = self._fits(kind)
            for scope, kinds in enumerate(barred):
                if kind.number in kinds:
                    may &= idle[scope]
            found.append(may)
        return found

    def _fits(self, kind: Kind) -> Flags:
        compiled = self.compiled
        may = np.ones(compiled.n_places, np.bool_)
        if not kind.pooled:
            may[compiled.n_hosts :] = False
        for number, _ in kind.shapes:
            shape = compiled.shapes[number]
            here = np.zeros(compiled.n_places, np.bool_)
            if shape.is_server or kind.pooled:
                here[shape.places] = True
            else:
                here[compiled.domain[0][shape.places]] = True
            may &= here
        if not kind.pooled:
            for amount, free in zip(kind.size, self.free, strict=True):
                if amount:
                    may[: compiled.n_hosts] &= free >= amount
        return may


def coarser(
    kinds: Likeness, contracted: contract.Contracted
) -> Likeness | None:
    """Return the kinds without small rules; None: these are as coarse."""
    coarse = Likeness(kinds.compiled, contracted, few=NONE)
    return coarse if len(coarse.kinds) < len(kinds.kinds) else None


def _free(compiled: numbers.Compiled) -> list[Ints]:
    """Return, by resource and host, what servers may take of it."""
    found = list(compiled.free)
    for cap in compiled.budgets:
        if cap.scope == 0:
            rooms = (room[: compiled.n_hosts] for room in cap.room)
            found = [
                np.minimum(f, r) for f, r in zip(found, rooms, strict=True)
            ]
    return [np.maximum(free, 0) for free in found]


def _inner_sign(clause: numbers.Clause, around: int) -> tuple[object, ...]:
    """Return what is the same of rules that are alike within bundles."""
    return (
        clause.kind.__name__,
        clause.scope,
        clause.limit,
        clause.lost,
        around,
        len(clause.units),
    )
