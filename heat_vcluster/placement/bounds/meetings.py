# SPDX-License-Identifier: Apache-2.0
"""The least that soft clauses cost, by who can be with whom.

A relaxation without places: of any two members it is asked whether they meet
in a domain, at each scope. Who meets whom meets all that are with them, and
what meets in a narrow domain meets in the wider one around it; more than the
roomiest domain takes never meet. So two clauses that want opposite things of
the same members show what that costs, however large the cloud is and however
alike its domains are; and nothing is said of what members take from others.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence

from heat_vcluster.placement import constraints
from heat_vcluster.placement.numbers import unions
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.takes import Takes
from heat_vcluster.placement.programs.program import (
    INFINITY,
    NO,
    YES,
    Program,
    Sum,
)

# Members that are looked at together: what is asked grows with their cube.
TOGETHER = 20
# Deterministic seconds for those of one circle: most take a hundredth.
EFFORT = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Circle:
    """Members that soft clauses tie together, and what they come to.

    ``soft_cost``: those cost no less, proven. ``amounts`` has by how much
    each is broken where they cost so much, of those that were looked at to
    the end; ``limits`` by how much at the most wherever they do.
    """

    members: tuple[int, ...]
    soft_cost: int
    amounts: tuple[tuple[Clause, int], ...]
    limits: tuple[tuple[Clause, int], ...] = ()

    def relaxed(self) -> Circle:
        """Return it with all clauses broken by one more."""
        more = tuple((clause, amount + 1) for clause, amount in self.amounts)
        return dataclasses.replace(self, amounts=more)


def least(
    compiled: Compiled, *, seconds: float, seed: int = 0
) -> list[Circle]:
    """Return circles: no valid placement costs less than all of them.

    Each soft clause is in one of them, or in none: they are as few members
    as can be looked at.
    """
    ends = time.monotonic() + seconds
    takes = Takes(compiled)
    known: dict[object, tuple[int, list[int], list[int]]] = {}
    found = []
    for drawn in _draw(compiled):
        key = drawn.likeness(compiled)
        if key not in known:
            left = ends - time.monotonic()
            if left <= 0:
                break
            cost, broken = _Meetings(compiled, takes, drawn).least(left, seed)
            limits = []
            if broken:
                limits = _limits(compiled, takes, drawn, cost, ends, seed)
            known[key] = cost, broken, limits
        cost, broken, limits = known[key]
        amounts = tuple(zip(drawn.soft, broken, strict=False))
        limited = tuple(zip(drawn.soft, limits, strict=False))
        found.append(Circle(drawn.members, cost, amounts, limited))
    return found


def _limits(
    compiled: Compiled,
    takes: Takes,
    drawn: _Drawn,
    cost: int,
    ends: float,
    seed: int,
) -> list[int]:
    """Return by how much each is broken at the most, all for that cost."""
    found = []
    for number, clause in enumerate(drawn.soft):
        limit = cost // (clause.weight or 1)
        left = ends - time.monotonic()
        if limit and len(drawn.soft) > 1 and left > 0:
            meetings = _Meetings(compiled, takes, drawn)
            limit = min(limit, meetings.most(number, cost, left, seed))
        found.append(limit)
    return found


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Members, the soft clauses that count here, and what hard ones ask.

    Of the hard clauses there may be members elsewhere, too.
    """

    members: tuple[int, ...]
    soft: tuple[Clause, ...]
    hard: tuple[Clause, ...]

    def likeness(self, compiled: Compiled) -> object:
        """Return what is equal for circles that cost the same."""
        at = {member: place for place, member in enumerate(self.members)}
        return (
            tuple(int(compiled.shape_of[m]) for m in self.members),
            tuple(_look(clause, at) for clause in self.soft),
            tuple(_look(clause, at) for clause in self.hard),
        )


def _look(clause: Clause, at: dict[int, int]) -> object:
    units = [tuple(at[m] for m in unit if m in at) for unit in clause.units]
    return (
        clause.kind,
        clause.scope,
        clause.limit,
        clause.weight,
        tuple(unit for unit in units if unit),
    )


# Kinds that want members together,
JOINED = (constraints.Together, constraints.Near)
# ... and those that may want them apart.
APART = (
    constraints.AtMost,
    constraints.Alone,
    constraints.AtLeast,
    constraints.Lost,
)


def _draw(compiled: Compiled) -> Iterator[_Drawn]:
    """Tie members together by clauses, the costliest first, up to a size."""
    ties = _Ties()
    soft = [c for c in compiled.soft if c.weight and _is_counted(c)]
    soft.sort(key=lambda clause: -(clause.weight or 0))
    counted = [clause for clause in soft if ties.join(clause.members)]
    concerned = {m for clause in counted for m in clause.members}
    hard = [c for c in compiled.hard if c.kind in (*JOINED, *APART)]
    for clause in sorted(hard, key=lambda clause: len(clause.members)):
        if not concerned.isdisjoint(clause.members):
            ties.join(clause.members)
    circle_of = {m: ties.find(m) for m in ties.members}
    soft_of: dict[int, list[Clause]] = {}
    for clause in counted:
        soft_of.setdefault(circle_of[clause.members[0]], []).append(clause)
    hard_of: dict[int, list[Clause]] = {}
    for clause in hard:
        here = collections.Counter(
            circle_of[m] for m in clause.members if m in circle_of
        )
        for root, several in here.items():
            if several > 1:
                hard_of.setdefault(root, []).append(clause)
    members: dict[int, list[int]] = {}
    for member in sorted(circle_of):
        members.setdefault(circle_of[member], []).append(member)
    # What takes little time comes first.
    for root in sorted(soft_of, key=lambda root: len(members[root])):
        inside = soft_of[root]
        yield _Drawn(
            tuple(members[root]), tuple(inside), tuple(hard_of.get(root, ()))
        )


def _is_counted(clause: Clause) -> bool:
    """Tell whether it counts here; who wants to be alone counts elsewhere."""
    return (
        clause.kind in (*JOINED, *APART)
        and clause.kind is not constraints.Alone
    )


class _Ties:
    """Sets of members that merge as long as they stay small enough."""

    def __init__(self) -> None:
        self._sets = unions.Unions[int]()
        self._size: dict[int, int] = {}
        self.members: set[int] = set()

    def find(self, member: int) -> int:
        return self._sets.find(member)

    def join(self, members: Sequence[int]) -> bool:
        """Merge the sets of these, unless that makes too large a one."""
        known = {self.find(m) for m in members if m in self.members}
        new = [m for m in members if m not in self.members]
        size = len(new) + sum(self._size[root] for root in known)
        if size > TOGETHER or not members:
            return False
        self._sets.join(members)
        self.members.update(new)
        self._size[self.find(members[0])] = size
        return True


class _Meetings:
    """The program of one circle."""

    def __init__(
        self, compiled: Compiled, takes: Takes, circle: _Drawn
    ) -> None:
        self._compiled, self._takes = compiled, takes
        self._circle = circle
        self._program = Program()
        self._sure = [
            [m for m in circle.members if takes.is_sure(m, scope)]
            for scope in range(len(self._compiled.scopes))
        ]
        self._met: list[dict[tuple[int, int], int]]
        self._open: set[int]
        self._meet()
        self._cost = Sum()
        for clause in circle.hard:
            self._program.require(self._amount(clause), -INFINITY, 0)
        self._amounts = [self._amount(clause) for clause in circle.soft]
        for clause, amount in zip(circle.soft, self._amounts, strict=True):
            self._cost.add_sum(amount, clause.weight or 0)

    def least(self, seconds: float, seed: int) -> tuple[int, list[int]]:
        """Return what they cost at the least, and the amounts if that is so.

        None are returned if time ran out before.
        """
        self._program.minimize(self._cost)
        found = self._program.search(seconds, seed, EFFORT)
        amounts = self._amounts if found.is_optimal else []
        return (
            max(found.bound, 0),
            [amount.value(found.values) for amount in amounts],
        )

    def most(self, number: int, cost: int, seconds: float, seed: int) -> int:
        """Return by how much a clause is broken at the most for a cost."""
        self._program.require(self._cost, -INFINITY, cost)
        self._program.minimize(Sum().add_sum(self._amounts[number], -1))
        return -self._program.search(seconds, seed, EFFORT).bound

    # -- who meets whom ----------------------------------------------------

    def _meet(self) -> None:
        n_scopes = len(self._compiled.scopes)
        self._met = [{} for _ in range(n_scopes)]
        self._open = set(
            itertools.takewhile(self._is_open, reversed(range(n_scopes)))
        )
        for scope in set(range(n_scopes)) - self._open:
            barred = self._barred(scope)
            self._met[scope] = {
                pair: self._program.whole(0, 1)
                for pair in itertools.combinations(self._sure[scope], 2)
                if pair not in barred and self._may_meet(*pair, scope)
            }
            self._meet_all(scope)
            self._fit(scope)
        for scope, is_nested in enumerate(self._compiled.is_nested):
            if is_nested:
                for pair, met in self._met[scope].items():
                    self._program.imply(met, self._meets(*pair, scope + 1))

    def _is_open(self, scope: int) -> bool:
        """Tell whether nothing speaks against all of them meeting there.

        Then they may as well be taken to, if that is so of wider scopes, too.
        """
        sure = self._sure[scope]
        servers = [m for m in sure if self._compiled.is_server[m]]
        return (
            not any(
                clause.kind in APART and clause.scope == scope
                for clause in (*self._circle.hard, *self._circle.soft)
            )
            and all(
                self._may_meet(*pair, scope)
                for pair in itertools.combinations(sure, 2)
            )
            and all(
                sum(self._takes.asked(m)[number] for m in servers) <= most
                for number, most in enumerate(self._room(scope))
            )
            and all(len(servers) <= self._slots(m, scope) for m in servers)
        )

    def _barred(self, scope: int) -> set[tuple[int, int]]:
        """Return the pairs that hard clauses keep apart."""
        return {
            (min(pair), max(pair))
            for clause in self._circle.hard
            if clause.scope == scope
            and clause.kind is constraints.AtMost
            and clause.limit == 1
            for pair in itertools.combinations(self._standing_for(clause), 2)
        }

    def _meets(self, one: int, other: int, scope: int) -> int:
        """Return whether the two meet, as a literal."""
        if scope in self._open:
            return YES
        pair = (one, other) if one < other else (other, one)
        return self._met[scope].get(pair, NO)

    def _meet_all(self, scope: int) -> None:
        """Have those meet who both meet a third, where some may want not to.

        Others meet all at once or not at all, by the clauses they are in.
        """
        met = self._met[scope]
        tense = self._tense(scope)
        for trio in itertools.combinations(self._sure[scope], 3):
            pairs = trio[:2], trio[::2], trio[1:]
            if tense.isdisjoint(pairs):
                continue
            literals = [met.get(pair, NO) for pair in pairs]
            for odd in range(3):
                left, right = literals[odd - 1], literals[odd - 2]
                if left != NO and right != NO:
                    self._program.imply_third(left, right, literals[odd])

    def _tense(self, scope: int) -> set[tuple[int, ...]]:
        """Return the pairs that any clause may want apart there."""
        return {
            pair
            for clause in (*self._circle.hard, *self._circle.soft)
            if clause.scope == scope and clause.kind in APART
            for pair in itertools.combinations(self._here(clause, scope), 2)
        }

    def _fit(self, scope: int) -> None:
        """Have nobody meet more than the roomiest domain takes."""
        servers = [m for m in self._sure[scope] if self._compiled.is_server[m]]
        room = self._room(scope)
        for member in servers:
            self._fit_alike(member, servers, scope)
            for number, most in enumerate(room):
                taken = Sum(self._takes.asked(member)[number] - most)
                for other in servers:
                    if other != member:
                        taken.add(
                            self._meets(member, other, scope),
                            self._takes.asked(other)[number],
                        )
                if taken.constant + sum(taken.coefficients) > 0:
                    self._program.require(taken, -INFINITY, 0)

    def _fit_alike(
        self, member: int, servers: Sequence[int], scope: int
    ) -> None:
        shape = self._takes.shape(member)
        others = [
            m for m in servers if m != member and self._takes.shape(m) == shape
        ]
        slots = self._slots(member, scope)
        if len(others) >= slots:
            self._program.require(
                self._meeting(member, others, scope), -INFINITY, slots - 1
            )

    def _slots(self, member: int, scope: int) -> int:
        """Return how many like it the roomiest domain takes."""
        return int(self._takes.slots(member, scope).max(initial=0))

    def _room(self, scope: int) -> list[int]:
        """Return, by resource, what is free in a domain at the most."""
        return [int(room.max(initial=0)) for room in self._takes.room(scope)]

    def _may_meet(self, one: int, other: int, scope: int) -> bool:
        both = self._takes.reach(one, scope) & self._takes.reach(other, scope)
        return bool(both.any())

    def _meeting(self, member: int, others: Sequence[int], scope: int) -> Sum:
        """Return how many of the others are with the member."""
        return Program.count(self._meets(member, m, scope) for m in others)

    # -- what clauses ask ----------------------------------------------------

    def _amount(self, clause: Clause) -> Sum:
        """Return no more than the amount by which the clause is broken."""
        ways = {
            constraints.Together: self._together,
            constraints.AtMost: self._at_most,
            constraints.AtLeast: self._at_least,
            constraints.Near: self._near,
            constraints.Alone: self._alone,
            constraints.Lost: self._lost,
        }
        return ways[clause.kind](clause)

    def _here(self, clause: Clause, scope: int) -> list[int]:
        """Return its members that are sure to count there."""
        wanted = set(clause.members)
        return [m for m in self._sure[scope] if m in wanted]

    def _together(self, clause: Clause) -> Sum:
        """Count those who meet nobody before them: all but one."""
        here = self._here(clause, clause.scope)
        amount = Sum()
        for place, member in enumerate(here[1:], 1):
            met = self._meeting(member, here[:place], clause.scope)
            amount.add(self._program.excess(Sum(1).add_sum(met, -1), 1))
        return amount

    def _at_most(self, clause: Clause) -> Sum:
        """Count those who meet others before them, or are too many."""
        units = self._standing_for(clause)
        if clause.limit == 1:
            return self._late(units, clause.scope)
        return self._most(units, clause.scope, clause.limit)

    def _standing_for(self, clause: Clause) -> list[int]:
        """Return one member of each unit that is here; no two are the same."""
        sure = set(self._sure[clause.scope])
        found: dict[int, None] = {}
        for unit in clause.units:
            here = [m for m in unit if m in sure and m not in found]
            if here:
                found[here[0]] = None
        return sorted(found)

    def _late(self, members: Sequence[int], scope: int) -> Sum:
        """Count the members that are with an earlier one."""
        amount = Sum()
        for place, member in enumerate(members):
            met = [self._meets(member, m, scope) for m in members[:place]]
            amount.add(self._program.presence([(v, 1) for v in met if v >= 0]))
        return amount

    def _most(self, members: Sequence[int], scope: int, limit: int) -> Sum:
        """Count those beyond the limit that are with any member."""
        count = len(members) - limit
        if count <= 0:
            return Sum()
        over = self._program.whole(0, count)
        for member in members:
            others = [m for m in members if m != member]
            met = self._meeting(member, others, scope)
            met.constant += 1 - limit
            self._program.require(met.add(over, -1), -INFINITY, 0)
        return Sum().add(over)

    def _at_least(self, clause: Clause) -> Sum:
        """Count what is missing when each late one opens no domain."""
        here = self._here(clause, clause.scope)
        spare = len(clause.members) - clause.limit
        if len(here) <= spare:
            return Sum()
        late = self._late(here, clause.scope).add_sum(Sum(-spare))
        return Sum().add(self._program.excess(late, clause.limit))

    def _lost(self, clause: Clause) -> Sum:
        if not clause.lost:
            return Sum()
        return self._most(
            self._here(clause, clause.scope), clause.scope, clause.limit
        )

    def _near(self, clause: Clause) -> Sum:
        """Count the scopes at which, or beyond which, two do not meet."""
        amount, wider = Sum(), NO
        for scope in reversed(range(len(self._compiled.scopes))):
            here = self._here(clause, scope)
            pairs = list(itertools.combinations(here, 2))
            if wider == NO and not pairs:
                continue
            apart = self._program.whole(0, 1)
            self._program.imply(wider, apart)
            for pair in pairs:
                met = Sum(1).add(self._meets(*pair, scope), -1)
                self._program.require(met.add(apart, -1), -INFINITY, 0)
            amount.add(apart)
            wider = apart
        return amount

    def _alone(self, clause: Clause) -> Sum:
        """Say whether anybody is with one of them who is not of them."""
        here = self._here(clause, clause.scope)
        others = [
            m for m in self._sure[clause.scope] if m not in clause.members
        ]
        met = [
            self._meets(one, other, clause.scope)
            for one in here
            for other in others
        ]
        return Sum().add(
            self._program.presence([(v, 1) for v in met if v >= 0])
        )
