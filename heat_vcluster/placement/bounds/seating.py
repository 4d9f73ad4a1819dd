# SPDX-License-Identifier: Apache-2.0
"""Who sits where, when it is known how many of each like are where.

Members that clauses tie together are seated as one party, each where the
counts have room for all of it; the rest takes the seats that are left. The
counts see to sizes and to what is counted in full; whatever else hard
clauses ask is mended by the exact search for the few that it concerns.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import amounts, unions
from heat_vcluster.placement.numbers.colours import Orbit
from heat_vcluster.placement.numbers.remainder import Like, Remainder
from heat_vcluster.placement.programs import exact

# Charge of what a hard clause forbids.
FORBIDDEN = 1 << 30
# Members at most that are placed anew if they cannot sit where they are,
MISFITS = 80
# ... and deterministic seconds for that: a plan near the counts is soon made
# better part by part.
EFFORT = 0.2
TIES = (constraints.Together, constraints.Near)


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many of each like are at which place, by like number.

    ``homes`` has for an orbit (by its place in ``orbits``) and a scope how
    many of its clauses are all in one domain, by domain.
    """

    likes: Sequence[Like]
    orbits: Sequence[Orbit]
    at: Sequence[Mapping[int, int]]
    homes: Mapping[tuple[int, int], Mapping[int, int]]


def seat(
    rest: Remainder, counts: Counts, *, seconds: float, seed: int = 0
) -> Ints | None:
    """Return a valid placement near the counts; None: did not work out."""
    seating = _Seating(rest, counts)
    placement = seating.run()
    misfits = _misfits(rest, placement)
    if not misfits:
        return placement
    if len(misfits) > MISFITS:
        return None
    fixed = placement.copy()
    fixed[misfits] = UNKNOWN
    return exact.solve(
        rest.compiled,
        goal=exact.Goal.CHEAPEST,
        fixed=fixed,
        seconds=seconds,
        effort=EFFORT,
        seed=seed,
        index=rest.index,
    ).placement


def _misfits(rest: Remainder, placement: Ints) -> list[int]:
    """Return the members without a seat or in hard clauses that are broken."""
    free = frozenset(rest.free)
    found = {m for m in free if placement[m] == UNKNOWN}
    for clause in rest.compiled.hard:
        if amounts.amount(rest.compiled, clause, placement):
            found.update(m for m in clause.members if m in free)
    return sorted(found)


class _Seating:
    def __init__(self, rest: Remainder, counts: Counts) -> None:
        self._rest = rest
        self._compiled = rest.compiled
        self._counts = counts
        self._placement = rest.at.copy()
        self._like_of = {m: k.number for k in counts.likes for m in k.members}
        self._seats = [
            {place: n for place, n in at.items() if n} for at in counts.at
        ]
        self._homes = {key: dict(found) for key, found in counts.homes.items()}
        self._present: dict[int, collections.Counter[int]] = (
            collections.defaultdict(collections.Counter)
        )
        self._orbits_of: dict[int, list[tuple[int, int]]] = {}
        for orbit_number, orbit in enumerate(counts.orbits):
            for number in orbit.numbers:
                for member in rest.index.clauses[number].members:
                    self._orbits_of.setdefault(member, []).append(
                        (orbit_number, number)
                    )

    def run(self) -> Ints:
        parties = self._parties()
        parties.sort(key=lambda party: (-len(party), party))
        waiting = [party for party in parties if not self._seat_home(party)]
        for party in waiting:
            self._seat(party, None, 0)
        return self._placement

    def _parties(self) -> list[list[int]]:
        """Return the free members, together those that clauses tie."""
        tied = unions.Unions(self._like_of)
        for orbit in self._counts.orbits:
            if orbit.clause.kind not in TIES:
                continue
            for number in orbit.numbers:
                tied.join(self._rest.index.clauses[number].members)
        return [sorted(party) for party in tied.sets()]

    # -- homes ---------------------------------------------------------------

    def _seat_home(self, party: Sequence[int]) -> bool:
        """Seat the party in one domain that the counts have for such."""
        if len(party) == 1:
            return False
        for key in self._homes_of(party):
            scope = key[1]
            needs = collections.Counter(self._like_of[m] for m in party)
            homes = self._homes[key]
            wanted = sorted(
                (domain for domain, n in homes.items() if n),
                key=lambda domain: (-homes[domain], domain),
            )
            for domain in wanted:
                if self._has_seats(needs, scope, domain):
                    homes[domain] -= 1
                    self._seat(party, domain, scope)
                    return True
        return False

    def _homes_of(self, party: Sequence[int]) -> list[tuple[int, int]]:
        """Return what may be home to it: orbits and scopes, narrow first."""
        orbits = {
            orbit for m in party for orbit, _ in self._orbits_of.get(m, ())
        }
        found = [key for key in self._homes if key[0] in orbits]
        return sorted(found, key=lambda key: (key[1], key[0]))

    def _has_seats(
        self, needs: Mapping[int, int], scope: int, domain: int
    ) -> bool:
        column = self._compiled.domain[scope]
        return all(
            sum(
                n
                for place, n in self._seats[like].items()
                if column[place] == domain
            )
            >= need
            for like, need in needs.items()
        )

    # -- seats ---------------------------------------------------------------

    def _seat(
        self, party: Iterable[int], domain: int | None, scope: int
    ) -> None:
        column = self._compiled.domain[scope]
        for member in party:
            seats = self._seats[self._like_of[member]]
            places = [
                place
                for place in seats
                if domain is None or column[place] == domain
            ]
            best, least = UNKNOWN, FORBIDDEN
            for place in places:
                charge = self._charge(member, place)
                if charge < least:
                    best, least = place, charge
                    if not charge:
                        break
            if best != UNKNOWN:
                self._take(member, best)

    def _take(self, member: int, place: int) -> None:
        seats = self._seats[self._like_of[member]]
        seats[place] -= 1
        if not seats[place]:
            del seats[place]
        self._placement[member] = place
        for _, number in self._orbits_of.get(member, ()):
            clause = self._rest.index.clauses[number]
            domain = int(self._compiled.domain[clause.scope][place])
            if domain != UNKNOWN:
                self._present[number][domain] += 1

    def _charge(self, member: int, place: int) -> int:
        """Return about what clauses of orbits charge for the seat."""
        charge = 0
        for _, number in self._orbits_of.get(member, ()):
            clause = self._rest.index.clauses[number]
            weight = FORBIDDEN if clause.weight is None else clause.weight
            present = self._present.get(number)
            if clause.kind is constraints.Near:
                charge += weight * self._distance(clause.members, place)
            elif present:
                domain = int(self._compiled.domain[clause.scope][place])
                if domain == UNKNOWN:
                    continue
                if clause.kind is constraints.Together:
                    charge += 0 if present[domain] else weight
                elif clause.kind is constraints.AtMost:
                    is_full = present[domain] >= clause.limit
                    charge += weight if is_full else 0
        return charge

    def _distance(self, members: Sequence[int], place: int) -> int:
        """Return how far the place is from those of them with a seat."""
        seated = self._placement[list(members)]
        seated = seated[seated != UNKNOWN]
        if not len(seated):
            return 0
        for scope in reversed(range(len(self._compiled.scopes))):
            column = self._compiled.domain[scope]
            domains = np.append(column[seated], column[place])
            if len(np.unique(domains[domains != UNKNOWN])) > 1:
                return scope + 1
        return 0
