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
import numpy.typing as npt

from heat_vcluster.placement import amounts, constraints, exact, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.compiled import Compiled
from heat_vcluster.placement.remainder import Choice, Index

# Deterministic seconds of the solver that one part may take.
EFFORT = 0.1
# Pairs of members and places in one part. Small parts are cheap, larger ones
# get where small ones cannot: after so many rounds in vain comes the next
# size, and after the last, or when they take too long, the first again.
SIZES = (200, 400, 800, 1600, 3200)
ROUNDS_IN_VAIN = 40
# About seconds that a pair takes to set up.
SETUP = 1e-5
# Places of one member that count when members are chosen for a size.
PLACES = 40
LEAST_PLACES = 4
# How often places are chosen by nearness when it is not all that counts.
NEARNESS = 0.4
# Members that must be together are moved as one, up to so many.
BUNDLE = 24
# How ways of choosing are drawn: what is remembered, and the share of the best
# that those that did nothing of late get all the same.
MEMORY = 0.9
HOPE = 0.3
LEAST_WORTH = 1e-9
# The soft cost gets all the time, until this share of it was in vain.
IN_VAIN = 0.3
LEAST_IN_VAIN = 0.3  # deterministic seconds


Floats = npt.NDArray[np.float64]


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


class _Course:
    """Ways of choosing members for one goal; what they were worth of late.

    ``size`` is that of the next part. ``spent``: effort since the soft cost
    was last lowered.
    """

    def __init__(
        self, goal: exact.Goal, ways: Sequence[Callable[[], Sequence[int]]]
    ) -> None:
        self.goal = goal
        self.ways = ways
        self.spent = 0.0
        self._worth = np.ones(len(ways))
        self._level = 0
        self._vain = 0
        self._unsolved = 0

    @property
    def size(self) -> int:
        return SIZES[self._level]

    def draw(self, random: np.random.Generator) -> int:
        share = HOPE + self._worth / max(self._worth.max(), LEAST_WORTH)
        return int(random.choice(len(share), p=share / share.sum()))

    def learn(
        self, way: int, is_gain: bool, is_solved: bool, effort: float
    ) -> None:
        self.spent += effort
        gain = float(is_gain) / effort
        self._worth[way] = MEMORY * self._worth[way] + (1 - MEMORY) * gain
        self._vain = 0 if is_gain else self._vain + 1
        self._unsolved += not is_solved
        if self._vain >= ROUNDS_IN_VAIN:
            is_last = self._level == len(SIZES) - 1
            is_slow = self._unsolved > ROUNDS_IN_VAIN // 2
            self._level = 0 if is_last or is_slow else self._level + 1
            self._vain = self._unsolved = 0


def _is_solved(result: exact.Result, goal: exact.Goal) -> bool:
    """Tell whether nothing better is in that part, proven."""
    if result.verdict is not model.Verdict.FEASIBLE:
        return False
    if result.bound.soft_cost < result.soft_cost:
        return False
    return goal is exact.Goal.CHEAPEST or (
        result.bound.objective is not None
        and result.bound.objective >= result.objective
    )


class _Search:
    def __init__(
        self, compiled: Compiled, index: Index, placement: Ints, seed: int
    ) -> None:
        self.placement = placement
        self.rounds = 0
        self._compiled = compiled
        self._index = index
        self._random = np.random.default_rng(seed)
        self._spent = 0.0
        self._scope = min(1, len(compiled.scopes) - 1)
        self._column = compiled.domain[self._scope]
        self._is_free = np.array(
            [not compiled.shapes[int(s)].fixed for s in compiled.shape_of],
            np.bool_,
        )
        self._ties = self._find_ties()
        self._racks_by_shape: dict[int, Ints] = {}
        self._targets = np.empty(0, np.int64)
        self._weigh()
        is_pack = compiled.problem.objective == 'pack'
        self._cheaper = _Course(
            exact.Goal.CHEAPEST,
            [
                self._gather,
                self._costly,
                self._mates,
                self._racks,
                self._anyone,
            ],
        )
        self._better = _Course(
            exact.Goal.BEST,
            [
                self._emptiest if is_pack else self._fullest,
                self._racks,
                self._anyone,
            ],
        )

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
        while not self._is_best(bound):
            left = ends - time.monotonic()
            if left <= 0 or (effort is not None and self._spent >= effort):
                return
            self._round(self._course(bound), left)

    def _is_best(self, bound: model.Bound) -> bool:
        soft_cost, objective = self._value
        if not np.any(self._is_free):
            return True
        if soft_cost > bound.soft_cost:
            return False
        return bound.objective is not None and objective <= bound.objective

    def _course(self, bound: model.Bound) -> _Course:
        """Choose what to go for: soft cost first, but not in vain for ever."""
        cheaper, better = self._cheaper, self._better
        if self._value[0] <= bound.soft_cost:
            return better
        enough = max(LEAST_IN_VAIN, IN_VAIN * self._spent)
        if cheaper.spent > enough and better.spent < cheaper.spent:
            return better
        return cheaper

    def _round(self, course: _Course, left: float) -> None:
        self.rounds += 1
        before = self._value
        way = course.draw(self._random)
        size = course.size
        members = self._choose(course.ways[way](), size)
        result = self._solve(members, size, course.goal, left)
        self._accept(result)
        effort = result.effort + SETUP * size
        self._spent += effort
        course.learn(
            way,
            self._value < before,
            _is_solved(result, course.goal),
            effort,
        )
        if self._value[0] < before[0]:
            self._cheaper.spent = self._better.spent = 0.0

    def _solve(
        self,
        members: Sequence[int],
        pairs: int,
        goal: exact.Goal,
        left: float,
    ) -> exact.Result:
        fixed = self.placement.copy()
        fixed[list(members)] = UNKNOWN
        return exact.solve(
            self._compiled,
            fixed=fixed,
            choice=self._choice(members, pairs, goal),
            hint=self.placement,
            goal=goal,
            seconds=left,
            effort=EFFORT,
            seed=int(self._random.integers(1 << 30)),
            index=self._index,
        )

    def _accept(self, result: exact.Result) -> None:
        if result.placement is None:
            return
        value = (result.soft_cost, result.objective)
        if value <= self._value:
            self.placement = result.placement
            if value < self._value:
                self._weigh()

    # -- which members -------------------------------------------------------

    def _choose(self, wanted: Iterable[int], most: int) -> list[int]:
        """Take the wanted ones in turn, with their ties, while few enough."""
        chosen: dict[int, None] = {}
        pairs = 0
        for member in wanted:
            for one in self._ties[member]:
                if one in chosen or not self._is_free[one]:
                    continue
                chosen[one] = None
                pairs += min(len(self._compiled.places(one)), PLACES)
            if pairs >= most:
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
        racks = self._racks_now()
        found: list[int] = []
        for rack in self._shuffled(np.unique(racks)):
            found += self._shuffled(np.flatnonzero(racks == rack))
        return found

    def _costly(self) -> Sequence[int]:
        """Return the members of soft clauses that cost, dear ones first."""
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

    def _gather(self) -> Sequence[int]:
        """Return a costly clause's members, and who is where they might go.

        Racks that could take many of the members are the more likely.
        """
        costly = np.flatnonzero(self._costs)
        if not len(costly):
            return self._racks()
        share = self._costs[costly] / self._costs[costly].sum()
        clause = self._compiled.soft[int(self._random.choice(costly, p=share))]
        members = self._shuffled(clause.members)[:BUNDLE]
        able = np.zeros(self._compiled.n_domains[self._scope])
        for member in members:
            able[self._racks_of(int(self._compiled.shape_of[member]))] += 1
        able **= 2
        if not able.any():
            return self._racks()
        count = min(8, int(np.count_nonzero(able)))
        targets = self._random.choice(
            len(able), count, replace=False, p=able / able.sum()
        )
        self._targets = targets
        at = self._racks_now()
        found = members
        for target in targets:
            found = found + self._shuffled(np.flatnonzero(at == target))
        return found

    def _racks_now(self) -> Ints:
        """Return, by member, the rack it is in."""
        racks = np.full(len(self.placement), UNKNOWN, np.int64)
        placed = self.placement != UNKNOWN
        racks[placed] = self._column[self.placement[placed]]
        return racks

    def _racks_of(self, shape: int) -> Ints:
        """Return the racks with a place for the shape."""
        if shape not in self._racks_by_shape:
            racks = np.unique(
                self._column[self._compiled.shapes[shape].places]
            )
            self._racks_by_shape[shape] = racks[racks != UNKNOWN]
        return self._racks_by_shape[shape]

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

    def _hosts_by(self, worth: Ints | Floats) -> list[int]:
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
        return self._hosts_by(-self._fills(self.placement)) or self._anyone()

    # -- which places --------------------------------------------------------

    def _choice(
        self, members: Sequence[int], pairs: int, goal: exact.Goal
    ) -> Choice:
        """Say which places the members may take: few, and where they are."""
        each = max(pairs // max(len(members), 1), LEAST_PLACES)
        here = np.unique(self.placement[list(members)])
        is_near = goal is exact.Goal.CHEAPEST or (
            self._random.random() < NEARNESS
        )
        worth = self._nearness(here) if is_near else self._promise(members)

        def choose(places: Ints) -> Ints:
            if len(places) <= each:
                return places
            chosen = np.zeros(self._compiled.n_places, np.bool_)
            best = np.argpartition(worth[places], each - 1)[:each]
            chosen[places[best]] = True
            chosen[here] = True
            return places[chosen[places]]

        return choose

    def _nearness(self, here: Ints) -> Floats:
        """Return, by place, a rank: targets, then racks of these, others."""
        count = self._compiled.n_domains[self._scope]
        rank = self._random.permutation(count).astype(np.float64)
        known = self._column[here]
        rank[known[known != UNKNOWN]] -= count
        rank[self._targets] = -2 * count
        self._targets = np.empty(0, np.int64)
        noise = self._random.random(self._compiled.n_places)
        if not count:
            return noise
        return np.where(self._column == UNKNOWN, 0, rank[self._column]) + noise

    def _promise(self, members: Sequence[int]) -> Floats:
        """Return, by place, a rank by the objective with some chance in it.

        Pack: hosts that others use, then roomy ones. Balance: the emptiest.
        """
        compiled = self._compiled
        rest = self.placement.copy()
        rest[list(members)] = UNKNOWN
        fill = self._fills(rest)
        noise = self._random.random(compiled.n_places)
        rank = np.zeros(compiled.n_places)
        if compiled.problem.objective == 'pack':
            rank[: compiled.n_hosts] = fill
            used = amounts.used_hosts(compiled, rest)
            rank[used] = self._random.random(len(used)) - 1
            return rank + noise / 4
        rank[: compiled.n_hosts] = fill
        return rank + noise / 8

    def _fills(self, placement: Ints) -> Floats:
        """Return, by host, how full it is: 0 to 1, by the fullest resource."""
        left, _ = amounts.room(self._compiled, placement)
        fill = np.zeros(self._compiled.n_hosts)
        for total, rest in zip(self._compiled.total, left, strict=True):
            cap = np.maximum(total, 1)
            fill = np.maximum(fill, (total - rest) / cap)
        return fill
