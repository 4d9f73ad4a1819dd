# SPDX-License-Identifier: Apache-2.0
"""Which members to place anew together, and where they may go meanwhile.

Every way gives members in the order in which they are wanted, lazily: the
caller takes as many as it can afford.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Floats, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Compiled
from heat_vcluster.placement.numbers.remainder import Choice, Index

Way = Callable[[], Iterable[int]]

# Places of one member that count when members are chosen for a size.
PLACES = 40
LEAST_PLACES = 4
# Members that must be together are moved as one, up to so many.
BUNDLE = 24
# Racks that the members of one clause might go to.
TARGETS = 8
# Clause mates that one member brings along.
MATES = 8


class Neighbourhoods:
    """Draws parts of one placement; ``stand`` says which.

    ``rack`` below is a domain at the narrowest level.
    """

    def __init__(
        self, compiled: Compiled, index: Index, random: np.random.Generator
    ) -> None:
        self._compiled = compiled
        self._index = index
        self._random = random
        scope = min(1, len(compiled.scopes) - 1)
        self._column = compiled.domain[scope]
        self._n_racks = compiled.n_domains[scope]
        self._is_free = np.array(
            [not compiled.shapes[int(s)].fixed for s in compiled.shape_of],
            np.bool_,
        )
        self._ties = self._find_ties(scope)
        self._racks_by_shape: dict[int, Ints] = {}
        self._targets = np.empty(0, np.int64)

    @property
    def is_empty(self) -> bool:
        """Whether no member can move at all."""
        return not self._is_free.any()

    def stand(self, placement: Ints, costs: Ints) -> None:
        """Look at this placement; ``costs`` is by soft clause."""
        self._placement = placement
        self._costs = costs
        placed = placement != UNKNOWN
        self._rack_of = np.full(len(placement), UNKNOWN, np.int64)
        self._rack_of[placed] = self._column[placement[placed]]

    def _find_ties(self, scope: int) -> list[tuple[int, ...]]:
        """Return, by member, those that must move with it, if they are few."""
        count = len(self._compiled.members)
        tied: list[set[int]] = [{m} for m in range(count)]
        for clause in self._compiled.hard:
            if (
                clause.kind is constraints.Together
                and clause.scope <= scope
                and len(clause.members) <= BUNDLE
            ):
                for member in clause.members:
                    tied[member].update(clause.members)
        return [tuple(sorted(group)) for group in tied]

    # -- which members -------------------------------------------------------

    def take(self, wanted: Iterable[int], pairs: int) -> list[int]:
        """Take the wanted ones in turn, with their ties, while few enough."""
        chosen: dict[int, None] = {}
        size = 0
        for member in wanted:
            for one in self._ties[member]:
                if one in chosen or not self._is_free[one]:
                    continue
                chosen[one] = None
                size += min(len(self._compiled.places(one)), PLACES)
            if size >= pairs:
                break
        return sorted(chosen)

    def _shuffled(self, members: Sequence[int] | Ints) -> list[int]:
        order: list[int] = self._random.permutation(members).tolist()
        return order

    def anyone(self) -> Iterator[int]:
        yield from self._shuffled(np.flatnonzero(self._is_free))

    def racks(self) -> Iterator[int]:
        """Give all members of racks taken at random, rack by rack."""
        yield from self._in_racks(self._shuffled(np.unique(self._rack_of)))

    def _in_racks(self, racks: Iterable[int]) -> Iterator[int]:
        for rack in racks:
            yield from self._shuffled(np.flatnonzero(self._rack_of == rack))

    def costly(self) -> Iterator[int]:
        """Give the members of soft clauses that cost, dear ones first."""
        noise = self._random.random(len(self._costs))
        for number in np.argsort(-self._costs * noise, kind='stable'):
            if not self._costs[number]:
                break
            clause = self._compiled.soft[int(number)]
            yield from self._shuffled(clause.members)
        yield from self.anyone()

    def mates(self) -> Iterator[int]:
        """Give members of a costly clause, and those in clauses with them."""
        found = list(itertools.islice(self.costly(), 4))
        seen = set(found)
        for member in found:
            yield member
            for number, _ in self._index.roles[member]:
                members = self._index.clauses[number].members
                for mate in self._shuffled(members)[:MATES]:
                    if mate not in seen:
                        seen.add(mate)
                        found.append(mate)

    def gather(self) -> Iterator[int]:
        """Give a costly clause's members, and who is where they might go.

        Racks that could take many of the members are the more likely.
        """
        costly = np.flatnonzero(self._costs)
        if not len(costly):
            yield from self.racks()
            return
        share = self._costs[costly] / self._costs[costly].sum()
        clause = self._compiled.soft[int(self._random.choice(costly, p=share))]
        members = self._shuffled(clause.members)[:BUNDLE]
        able = np.zeros(self._n_racks)
        for member in members:
            able[self._racks_for(int(self._compiled.shape_of[member]))] += 1
        able **= 2
        if able.any():
            count = min(TARGETS, int(np.count_nonzero(able)))
            self._targets = self._random.choice(
                len(able), count, replace=False, p=able / able.sum()
            )
        yield from members
        yield from self._in_racks(self._targets.tolist())

    def _racks_for(self, shape: int) -> Ints:
        """Return the racks with a place for the shape."""
        if shape not in self._racks_by_shape:
            places = self._compiled.shapes[shape].places
            racks = np.unique(self._column[places])
            self._racks_by_shape[shape] = racks[racks != UNKNOWN]
        return self._racks_by_shape[shape]

    def emptiest(self) -> Iterator[int]:
        """Give the servers host by host, about by how few are there."""
        servers = self._compiled.is_server & (self._placement != UNKNOWN)
        count = np.bincount(
            self._placement[servers], minlength=self._compiled.n_hosts
        )
        yield from self._by_host(count)

    def fullest(self) -> Iterator[int]:
        """Give the servers host by host, about by how full it is."""
        yield from self._by_host(-self._fills(self._placement))

    def _by_host(self, worth: Ints | Floats) -> Iterator[int]:
        used = amounts.used_hosts(self._compiled, self._placement)
        rank = np.argsort(np.argsort(worth[used], kind='stable'))
        noise = self._random.random(len(used)) * max(4, len(used) / 3)
        for host in used[np.argsort(rank + noise, kind='stable')]:
            here = (self._placement == host) & self._compiled.is_server
            yield from np.flatnonzero(here).tolist()
        yield from self.anyone()

    # -- which places --------------------------------------------------------

    def near(self, members: Sequence[int], pairs: int) -> Choice:
        """Choose places in the racks that are meant, or where these are."""
        here = self._racks_here(members)
        rank = self._random.permutation(self._n_racks).astype(np.float64)
        rank[here] -= self._n_racks
        rank[self._targets] = -2 * self._n_racks
        self._targets = np.empty(0, np.int64)
        worth = self._random.random(self._compiled.n_places)
        known = self._column != UNKNOWN
        worth[known] += rank[self._column[known]]
        return self._best(members, pairs, worth)

    def _racks_here(self, members: Sequence[int]) -> Ints:
        racks: Ints = np.unique(self._rack_of[list(members)])
        known: Ints = racks[racks != UNKNOWN]
        return known

    def promising(self, members: Sequence[int], pairs: int) -> Choice:
        """Choose places by the objective, with some chance in it.

        Pack: hosts that others use, then roomy ones. Balance: the emptiest.
        """
        compiled = self._compiled
        rest = self._placement.copy()
        rest[list(members)] = UNKNOWN
        worth = self._random.random(compiled.n_places) / 8
        worth[: compiled.n_hosts] += self._fills(rest)
        if compiled.problem.objective == 'pack':
            used = amounts.used_hosts(compiled, rest)
            worth[used] = self._random.random(len(used)) - 1
        return self._best(members, pairs, worth)

    def _fills(self, placement: Ints) -> Floats:
        """Return, by host, how full it is: 0 to 1, by the fullest resource."""
        left, _ = amounts.room(self._compiled, placement)
        fill = np.zeros(self._compiled.n_hosts)
        for total, rest in zip(self._compiled.total, left, strict=True):
            cap = np.maximum(total, 1)
            fill = np.maximum(fill, (total - rest) / cap)
        return fill

    def _best(
        self, members: Sequence[int], pairs: int, worth: Floats
    ) -> Choice:
        """Choose for each the places of least worth, and where they are."""
        each = max(pairs // max(len(members), 1), LEAST_PLACES)
        here = self._placement[list(members)]
        is_chosen = np.zeros(len(worth), np.bool_)

        def choose(places: Ints) -> Ints:
            if len(places) <= each:
                return places
            best = places[np.argpartition(worth[places], each - 1)[:each]]
            is_chosen[best] = True
            is_chosen[here] = True
            chosen = places[is_chosen[places]]
            is_chosen[best] = False
            return chosen

        return choose
