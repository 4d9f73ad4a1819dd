# SPDX-License-Identifier: Apache-2.0
"""A placement made better part by part: large neighbourhood search.

Again and again a few members are taken out and put back as well as can be,
by the exact search, with all others fixed and few places allowed. Which ones:
those of a soft clause that costs, all of a few racks, what sits on the
emptiest or the fullest hosts. What did well is tried more often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from heat_vcluster.placement import amounts, constraints, exact, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.compiled import Compiled
from heat_vcluster.placement.remainder import Index

# Deterministic seconds of the solver that one part may take.
EFFORT = 0.15
# Pairs of members and places in one part: at first, at least, at most.
PAIRS = 800
LEAST_PAIRS = 100
MOST_PAIRS = 6000
# How fast parts grow when they are solved to the end, and shrink when not.
GROWTH = 1.15
SHRINKAGE = 0.85
# Members that must be together are moved as one, up to so many.
BUNDLE = 24
# Weight of what a way of choosing did so far, against what it does now.
MEMORY = 0.9
LEAST_WORTH = 0.05


def improve(
    compiled: Compiled,
    placement: Ints,
    *,
    seconds: float,
    seed: int = 0,
    bound: model.Bound | None = None,
    effort: float | None = None,
    index: Index | None = None,
) -> Ints:
    """Return a valid placement no worse than the one given.

    Stops when the bound is reached, or after ``seconds``, or after so much
    ``effort`` on the solver's deterministic clock.
    """
    search = _Search(
        compiled, Index(compiled) if index is None else index, placement, seed
    )
    search.run(
        time.monotonic() + seconds,
        model.Bound(0, 0) if bound is None else bound,
        effort,
    )
    return search.placement


class _Search:
    def __init__(
        self, compiled: Compiled, index: Index, placement: Ints, seed: int
    ) -> None:
        self.placement = placement
        self.rounds = 0
        self._compiled = compiled
        self._index = index
        self._random = np.random.default_rng(seed)
        self._pairs = float(PAIRS)
        self._scope = min(1, len(compiled.scopes) - 1)
        self._column = compiled.domain[self._scope]
        self._is_free = np.array(
            [not compiled.shapes[int(s)].fixed for s in compiled.shape_of],
            np.bool_,
        )
        self._ties = self._find_ties()
        self._weigh()
        ways: list[Callable[[], Sequence[int]]] = [self._racks, self._anyone]
        if compiled.soft:
            ways += [self._costly, self._mates]
        ways.append(
            self._emptiest
            if compiled.problem.objective == 'pack'
            else self._fullest
        )
        self._ways = ways
        self._worth = np.ones(len(ways))

    def _find_ties(self) -> list[tuple[int, ...]]:
        """Return, by member, those that must move with it, if they are few."""
        tied: list[set[int]] = [{m} for m in range(len(self.placement))]
        for clause in self._compiled.hard:
            if (
                clause.kind is constraints.Together
                and clause.scope <= self._scope
                and len(clause.members) <= BUNDLE
            ):
                for member in clause.members:
                    tied[member].update(clause.members)
        return [tuple(sorted(group)) for group in tied]

    def _weigh(self) -> None:
        """Find what the placement costs, and what each soft clause does."""
        self._costs = np.array(
            [
                (clause.weight or 0)
                * amounts.amount(self._compiled, clause, self.placement)
                for clause in self._compiled.soft
            ],
            np.int64,
        )
        self._value = (
            int(self._costs.sum()),
            amounts.objective(self._compiled, self.placement),
        )

    # -- rounds --------------------------------------------------------------

    def run(
        self, ends: float, bound: model.Bound, effort: float | None
    ) -> None:
        spent = 0.0
        while not self._is_best(bound):
            left = ends - time.monotonic()
            if left <= 0 or (effort is not None and spent >= effort):
                return
            spent += self._round(left)

    def _is_best(self, bound: model.Bound) -> bool:
        soft_cost, objective = self._value
        if not np.any(self._is_free):
            return True
        if soft_cost > bound.soft_cost:
            return False
        return bound.objective is not None and objective <= bound.objective

    def _round(self, left: float) -> float:
        self.rounds += 1
        share = self._worth / self._worth.sum()
        way = int(self._random.choice(len(self._ways), p=share))
        before = self._value
        members = self._choose(self._ways[way]())
        result = self._solve(members, left)
        self._accept(result)
        gain = 1.0 if self._value < before else 0.0
        self._worth[way] = max(
            MEMORY * self._worth[way] + (1 - MEMORY) * gain, LEAST_WORTH
        )
        return max(result.effort, EFFORT / 100)

    def _solve(self, members: Sequence[int], left: float) -> exact.Result:
        fixed = self.placement.copy()
        fixed[list(members)] = UNKNOWN
        return exact.solve(
            self._compiled,
            fixed=fixed,
            allowed=self._allowed(members),
            hint=self.placement,
            seconds=left,
            effort=EFFORT,
            seed=int(self._random.integers(1 << 30)),
            index=self._index,
        )

    def _accept(self, result: exact.Result) -> None:
        is_solved = (
            result.verdict is model.Verdict.FEASIBLE
            and result.bound.soft_cost >= result.soft_cost
            and result.bound.objective is not None
            and result.bound.objective >= result.objective
        )
        scale = GROWTH if is_solved else SHRINKAGE
        self._pairs = min(
            max(self._pairs * scale, LEAST_PAIRS), float(MOST_PAIRS)
        )
        if result.placement is None:
            return
        value = (result.soft_cost, result.objective)
        if value <= self._value:
            self.placement = result.placement
            if value < self._value:
                self._weigh()

    # -- which members -------------------------------------------------------

    def _choose(self, wanted: Iterable[int]) -> list[int]:
        """Take the wanted ones in turn, with their ties, while few enough."""
        chosen: dict[int, None] = {}
        pairs = 0
        for member in wanted:
            for one in self._ties[member]:
                if one in chosen or not self._is_free[one]:
                    continue
                chosen[one] = None
                pairs += min(len(self._compiled.places(one)), 40)
            if pairs >= self._pairs:
                break
        return sorted(chosen)

    def _shuffled(self, members: Iterable[int] | Ints) -> list[int]:
        found = np.array(list(members), np.int64)
        self._random.shuffle(found)
        return [int(member) for member in found]

    def _anyone(self) -> Sequence[int]:
        return self._shuffled(np.flatnonzero(self._is_free))

    def _racks(self) -> Sequence[int]:
        """Return all members of racks taken at random, rack by rack."""
        racks = np.full(len(self.placement), UNKNOWN, np.int64)
        placed = self.placement != UNKNOWN
        racks[placed] = self._column[self.placement[placed]]
        found: list[int] = []
        for rack in self._shuffled(np.unique(racks)):
            found += self._shuffled(np.flatnonzero(racks == rack))
        return found

    def _costly(self) -> Sequence[int]:
        """Return the members of soft clauses that cost, the dear ones first."""
        if not self._costs.any():
            return self._anyone()
        noise = self._random.random(len(self._costs))
        order = np.argsort(-self._costs * noise, kind='stable')
        found: list[int] = []
        for number in order:
            if self._costs[number]:
                clause = self._compiled.soft[int(number)]
                found += self._shuffled(clause.members)
        return found + list(self._anyone())

    def _mates(self) -> Sequence[int]:
        """Return a costly clause's members, and those in clauses with them."""
        found = list(self._costly())[:4]
        seen = set(found)
        for member in found:
            if len(found) > 10 * len(self.placement):
                break
            roles = self._index.roles[member]
            for number, _ in roles:
                for mate in self._shuffled(
                    self._index.clauses[number].members
                )[:8]:
                    if mate not in seen:
                        seen.add(mate)
                        found.append(mate)
        return found

    def _hosts_by(self, worth: Ints) -> list[int]:
        """Return the servers host by host, about in the order of worth."""
        used = amounts.used_hosts(self._compiled, self.placement)
        if not len(used):
            return []
        rank = np.argsort(np.argsort(worth[used], kind='stable'))
        noise = self._random.random(len(used)) * max(4, len(used) / 3)
        order = used[np.argsort(rank + noise, kind='stable')]
        found: list[int] = []
        for host in order:
            here = (self.placement == host) & self._compiled.is_server
            found += np.flatnonzero(here).tolist()
        return found

    def _emptiest(self) -> Sequence[int]:
        servers = self._compiled.is_server & (self.placement != UNKNOWN)
        count = np.bincount(
            self.placement[servers], minlength=self._compiled.n_hosts
        )
        return self._hosts_by(count) or self._anyone()

    def _fullest(self) -> Sequence[int]:
        left, _ = amounts.room(self._compiled, self.placement)
        fill = np.zeros(self._compiled.n_hosts, np.int64)
        for total, rest in zip(self._compiled.total, left, strict=True):
            cap = np.maximum(total, 1)
            fill = np.maximum(fill, 1000 * (total - rest) // cap)
        return self._hosts_by(-fill) or self._anyone()

    # -- which places --------------------------------------------------------

    def _allowed(self, members: Sequence[int]) -> dict[int, Sequence[int]]:
        """Return some places for each: in a few racks, and where it is."""
        each = max(int(self._pairs / max(len(members), 1)), 4)
        near = self._near_racks(members)
        return {
            member: self._some_places(member, each, near)
            for member in members
        }

    def _near_racks(self, members: Sequence[int]) -> Ints:
        """Return racks in order of preference: theirs, then at random."""
        order = np.arange(self._compiled.n_domains[self._scope])
        self._random.shuffle(order)
        here = self._column[self.placement[list(members)]]
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        known = here[here != UNKNOWN]
        rank[known] -= len(order)
        return rank

    def _some_places(self, member: int, each: int, rank: Ints) -> list[int]:
        places = self._compiled.places(member)
        if len(places) > each:
            racks = self._column[places]
            preference = np.where(racks == UNKNOWN, 0, rank[racks])
            noise = self._random.random(len(places))
            order = np.lexsort((noise, preference))
            places = places[order[:each]]
        return [*places.tolist(), int(self.placement[member])]
