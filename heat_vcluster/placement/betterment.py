# SPDX-License-Identifier: Apache-2.0
"""A plan made better, and what bounds it, by each way that can tell more.

Soft costs are counted, a medium problem of which little is broken is solved
whole from the plan on, and where nothing can cost less the objective is
counted, too. Of large ones all is placed anew first, in other ways. What time
is left then goes to the search part by part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.alone import retreats
from heat_vcluster.placement.better import (
    confined,
    dominance,
    firm,
    improve,
    levelling,
    thinning,
    withdrawing,
)
from heat_vcluster.placement.bounds import dues, meetings, solitude
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import packing
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.remainder import Index
from heat_vcluster.placement.programs import exact

# Pairs of members and places up to which the whole is solved.
MEDIUM = 12000
# Broken soft clauses beyond which they are mended one by one, not all at once.
SEVERAL = 10
# Parts of the time that asking who can meet at what cost, placing all that
# way, counting what soft rules cost, moving who would be alone, placing all
# anew in one way, solving the whole, counting hosts, or those of who need not
# be alone, taking hosts away before that, making the rest of it better part by
# part, and solving it on few hosts, may take; and making costs less before
# hosts are taken away where more might be spared.
MEETING = 0.3
WISHING = 0.5
COUNTING = 0.3
MOVING = 0.2
AGAIN = 0.2
SHARE = 0.2
PACKING = 0.8
OTHERS = 0.5
THINNING = 0.15
SOME = 0.2
CONFINED = 0.2
COSTS = 0.85
# So often those who find no place may wish for less, if most have one.
VAIN = 4
MOST = 0.9
# ... and in so many domains room is made for them each time.
TROUBLE = 40
# Pairs that can be counted in a second, about; and for the objective, where
# only kinds of members are counted.
COUNTED = 200000
PACKED = 500000
# Of the hosts that take most so many are looked at, as long as that helps.
LARGEST = 40, 60
# Hosts up to which each is held against all others.
COMPARED = 3000

# Seeks a placement with the least objective, and bounds it: of a problem, from
# a placement on, by a deadline, with a seed.
Way = Callable[[Compiled, Ints, float, int], tuple[Ints | None, int]]


def better(
    compiled: Compiled,
    placement: Ints,
    bound: model.Bound,
    *,
    seconds: float,
    seed: int,
    index: Index,
) -> tuple[Ints, model.Bound]:
    """Return a valid placement no worse than a valid one, and a bound.

    ``bound`` is what is known already; with it comes back what else was
    proven, as far as it says something of the placement.
    """
    search = _Betterment(compiled, placement, bound, seconds, seed, index)
    search.run()
    return search.placement, search.closed()


class _Betterment:
    """One placement on its way, and the bound on it."""

    def __init__(
        self,
        compiled: Compiled,
        placement: Ints,
        bound: model.Bound,
        seconds: float,
        seed: int,
        index: Index,
    ) -> None:
        self.placement = placement
        self._bound = bound
        self._compiled = compiled
        self._value = amounts.value(compiled, placement)
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._seed = seed
        self._index = index
        self._is_pack = compiled.problem.objective == 'pack'
        self._is_counted = self._is_thinned = False
        self._is_parted = self._is_packed = False
        self._parts: retreats.Retreats | None = None
        # What soft rules cost by those circles, and by who wants to be alone.
        self._circles: list[meetings.Circle] = []
        self._lonely: tuple[Clause, ...] = ()
        self._least = 0

    def run(self) -> None:
        pairs = self._compiled.n_pairs
        if not self._is_cheapest():
            self._bound_cost()
        if not self._is_cheapest():
            self._take(
                withdrawing.withdraw(
                    self._compiled,
                    self.placement,
                    seconds=self._left() * MOVING,
                    effort=SHARE * self._seconds,
                    seed=self._seed,
                    index=self._index,
                )
            )
        if pairs > MEDIUM and not self._is_cheapest():
            self._place_again()
        if pairs <= MEDIUM and not self._is_cheapest():
            self._solve_cheapest()
        if pairs <= MEDIUM and self._is_pack and self._is_cheapest():
            self._count_others()
        # The counting alone takes its time where there is much to count.
        if pairs <= COUNTED * self._seconds:
            self._count_cost()
        is_countable = pairs <= PACKED * self._seconds
        if is_countable and self._is_cheapest():
            self._thin()
        if is_countable and self._is_pack and not self._bound.soft_cost:
            # Hosts are soon counted, where solving the whole takes long;
            # but counts say nothing of what is broken at some cost.
            self._count_objective()
        if pairs <= MEDIUM and (self._is_cheapest() or not self._is_apart()):
            self._solve()
        if is_countable:
            self._count_objective()
        if is_countable and not self._is_cheapest():
            self._improve(self._left() * COSTS, is_cost_enough=True)
            self._thin()
            self._count_objective()
        if self._is_pack and self._is_thinned:
            self._widen()
        self._improve(self._left())

    def closed(self) -> model.Bound:
        """Return the bound without an objective for another soft cost."""
        cost, goal = self._value
        bound = self._bound
        if bound.soft_cost != cost or (bound.objective or 0) > goal:
            return model.Bound(bound.soft_cost)
        return bound

    def _left(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)

    def _take(self, other: Ints | None) -> None:
        """Have the other placement if it is better."""
        if other is not None:
            value = amounts.value(self._compiled, other)
            if value < self._value:
                self.placement, self._value = other, value

    def _is_cheapest(self) -> bool:
        return self._value[0] <= self._bound.soft_cost

    def _cheapest(self, kept: Compiled) -> Compiled:
        """Return a problem of which all plans are that cost least.

        That is what is firm where nothing is broken (``kept``). Where circles
        and who is alone say what it costs, each costs just its least.
        """
        if not self._bound.soft_cost:
            return kept
        if self._bound.soft_cost > self._least:
            return self._compiled
        return firm.certain(
            self._compiled,
            [
                *((clause, 0) for clause in self._lonely),
                *(pair for circle in self._circles for pair in circle.limits),
            ],
        )

    def _is_apart(self) -> bool:
        """Tell whether so much is broken that parts gain more than a whole."""
        broken = (
            amounts.amount(self._compiled, clause, self.placement) > 0
            for clause in self._compiled.soft
            if clause.weight
        )
        return sum(broken) > SEVERAL

    def _is_best(self) -> bool:
        return self._value == (self._bound.soft_cost, self._bound.objective)

    def _count_cost(self) -> None:
        """Bound the soft cost by counts, and seat members as they say."""
        if not self._compiled.soft or self._is_cheapest():
            return
        found = dues.least(
            self._compiled,
            seconds=self._left() * COUNTING,
            seed=self._seed,
            index=self._index,
        )
        self._raise_cost(found.soft_cost)
        self._take(found.placement)

    def _bound_cost(self) -> None:
        """Bound the soft cost by who can meet whom, and who can be alone."""
        circles = meetings.least(
            self._compiled, seconds=self._left() * MEETING, seed=self._seed
        )
        alone = solitude.least(
            self._compiled,
            contract.contract(self._compiled),
            seconds=self._left() * COUNTING,
            seed=self._seed,
        )
        self._circles, self._lonely = circles, alone.kept
        self._least = alone.soft_cost + sum(c.soft_cost for c in circles)
        self._raise_cost(self._least)
        self._have_them_meet(
            [
                *circles,
                *(
                    meetings.Circle(clause.members, 0, ((clause, broken),))
                    for clause, broken in alone.broken
                ),
            ]
        )

    def _have_them_meet(self, circles: Sequence[meetings.Circle]) -> None:
        """Place all as circles cost least.

        Where a few find no place, those of their circle want less; and if
        they are in none, some who would be alone.
        """
        ends = time.monotonic() + self._left() * WISHING
        for _ in range(VAIN):
            wanted = [pair for circle in circles for pair in circle.amounts]
            problem = firm.wishful(self._compiled, wanted)
            seconds = ends - time.monotonic()
            if not wanted or seconds <= 0 or self._is_cheapest():
                return
            found = self._place_wishful(problem, seconds)
            if found.is_whole and amounts.is_valid(
                self._compiled, found.placement
            ):
                self._take(found.placement)
                return
            left = {m for bundle in found.left for m in bundle}
            left.update(m for c in found.unmet for m in c.members)
            met = [c for c in circles if left.isdisjoint(c.members)]
            if len(met) < MOST * len(circles):
                return
            spared = _spared(met, found)
            circles = [
                circle
                if circle in met and circle not in spared
                else circle.relaxed()
                for circle in circles
            ]

    def _place_wishful(
        self, problem: Compiled, seconds: float
    ) -> greedy.Found:
        """Place all anew, or all but those who must be alone."""
        contracted = contract.contract(problem)

        def place(some: Compiled) -> greedy.Found:
            return greedy.place(
                some,
                contracted,
                deadline=seconds,
                seed=self._seed,
                trouble=TROUBLE,
            )

        found = place(problem)
        recluses = retreats.alone(self._compiled)
        if found.is_whole or not recluses:
            return found
        stay = {m: int(self.placement[m]) for m in recluses}
        other = place(problem.settled(stay))
        return other if other.is_whole else found

    def _raise_cost(self, soft_cost: int) -> None:
        if soft_cost > self._bound.soft_cost:
            self._bound = model.Bound(soft_cost)

    def _place_again(self) -> None:
        """Place all anew, making room otherwise: by luck it costs less."""
        contracted = contract.contract(self._compiled)
        for gentle, sparing in ((0, False), (greedy.GENTLE, True)):
            found = greedy.place(
                self._compiled,
                contracted,
                deadline=self._left() * AGAIN,
                seed=self._seed,
                gentle=gentle,
                sparing=sparing,
            )
            if found.is_whole and amounts.is_valid(
                self._compiled, found.placement
            ):
                self._take(found.placement)

    def _solve_cheapest(self) -> None:
        """Look for any placement of the cost that is known, or refute it."""
        if not self._least or self._bound.soft_cost > self._least:
            return
        found = exact.solve(
            self._cheapest(self._compiled),
            goal=exact.Goal.ANY,
            seconds=max(self._left(), 0.01),
            effort=SHARE * self._seconds,
            seed=self._seed,
        )
        self._take(found.placement)
        if found.verdict is model.Verdict.INFEASIBLE:
            self._raise_cost(self._least + 1)

    def _solve(self) -> None:
        """Solve the whole from the plan on, for a part of the time."""
        if self._is_best():
            return
        result = exact.solve(
            self._compiled,
            hint=self.placement,
            seconds=max(self._left(), 0.01),
            effort=SHARE * self._seconds,
            seed=self._seed,
            soft_bound=self._bound.soft_cost,
        )
        self._take(result.placement)
        self._learn(result.bound)

    def _count_objective(self) -> None:
        """Find the least objective of the least soft cost, by counts."""
        if self._is_best() or not self._is_cheapest() or self._is_counted:
            return
        self._is_counted = True
        way: Way = packing.pack if self._is_pack else levelling.level
        self._thin()
        if self._is_pack:
            self._count_others()
        if self._is_best():
            return
        kept = firm.firm(self._compiled, self.placement)
        # What is broken for this cost may be chosen otherwise than now.
        lowest = self._by(way, self._cheapest(kept))
        self._learn_goal(lowest)
        if self._bound.soft_cost and not self._is_best():
            self._by(way, kept)

    def _part(self) -> None:
        """Tell apart those who must be alone and the others, and bound both.

        Once: no plan of the least cost has them share a host.
        """
        if self._is_parted or self._is_best():
            return
        self._is_parted = True
        self._parts = retreats.find(
            self._cheapest(firm.firm(self._compiled, self.placement)),
            self.placement,
            seconds=self._left() * OTHERS / 2,
            seed=self._seed,
        )
        if self._parts is not None:
            rest = packing.fewest(self._parts.rest)
            self._learn_goal(self._parts.hosts + rest)

    def _count_others(self) -> None:
        """Count the hosts of those who may share one, apart from the rest."""
        self._part()
        if self._parts is None or self._is_packed or self._is_best():
            return
        self._is_packed = True
        ends = time.monotonic() + self._left() * OTHERS
        numbers = self._parts.numbers
        bound = self._pack_apart(self._parts.rest, numbers, ends)
        self._learn_goal(self._parts.hosts + bound)
        here = np.full_like(self.placement, UNKNOWN)
        here[numbers] = self.placement[numbers]
        if len(amounts.used_hosts(self._compiled, here)) > bound:
            self._pack_others()

    def _pack_others(self) -> None:
        """Pack those who may share, and leave who is alone where he is."""
        ends = time.monotonic() + self._left() * OTHERS
        kept = firm.firm(self._compiled, self.placement)
        settled = {m: int(self.placement[m]) for m in retreats.alone(kept)}
        self._pack_apart(*retreats.others(kept, settled), ends)

    def _pack_apart(
        self, rest: Compiled, numbers: Sequence[int], ends: float
    ) -> int:
        """Pack a part as a problem of its own; return a bound on its hosts.

        ``numbers``: of its members in the whole. What comes of it is taken if
        it goes together with where all others are.
        """
        rest = rest.changed(soft=())
        start = self.placement[numbers]
        seconds = ends - time.monotonic()
        if seconds <= 0 or not amounts.is_valid(rest, start):
            return packing.fewest(rest)
        packed, bound = better(
            rest,
            start,
            model.Bound(0),
            seconds=seconds,
            seed=self._seed,
            index=Index(rest),
        )
        whole = self.placement.copy()
        whole[numbers] = packed
        if amounts.is_valid(self._compiled, whole):
            self._take(whole)
        return bound.objective or 0

    def _improve(
        self, seconds: float, *, is_cost_enough: bool = False
    ) -> None:
        """Make it better part by part; or only until nothing costs less."""
        if seconds <= 0 or self._is_best():
            return
        enough = sys.maxsize if is_cost_enough else self._bound.objective or 0
        self._take(
            improve.improve(
                self._compiled,
                self.placement,
                seconds=seconds,
                seed=self._seed,
                bound=model.Bound(self._bound.soft_cost, enough),
                index=self._index,
            )
        )

    def _learn_goal(self, goal: int) -> None:
        """Keep what no plan of the least cost can beat, proven."""
        self._learn(model.Bound(self._bound.soft_cost, goal))

    def _learn(self, bound: model.Bound) -> None:
        """Keep the higher of two bounds, both of which are proven."""
        known = self._bound
        if bound.soft_cost == known.soft_cost:
            goals = known.objective, bound.objective
            proven = [goal for goal in goals if goal is not None]
            best = max(proven) if proven else None
            self._bound = model.Bound(known.soft_cost, best)
        elif bound.soft_cost > known.soft_cost:
            self._bound = bound

    def _thin(self) -> None:
        """Leave hosts out, once, and make that better for a while."""
        if not self._is_pack or self._is_thinned or self._is_best():
            return
        self._is_thinned = True
        kept = firm.firm(self._compiled, self.placement)
        if self._is_cheapest():
            lowest = packing.fewest(self._cheapest(kept))
            self._learn_goal(lowest)
            self._part()
        ends = time.monotonic() + self._left() * THINNING
        self._take(thinning.thin(kept, self.placement, ends, self._seed))
        self._solve_among_few(kept)
        self._improve(self._left() * SOME)

    def _solve_among_few(self, kept: Compiled) -> None:
        """Solve it on the hosts that are enough to use fewer, if few are.

        Otherwise on the roomiest of each rack, and of all where these are
        many.
        """
        if self._is_best():
            return
        if kept.n_hosts <= COMPARED and self._solve_among_needed(kept):
            return
        self._solve_confined(kept, confined.roomiest(kept, 1))
        if kept.n_pairs <= MEDIUM:
            # All of it is solved soon.
            return
        cheapest = self._cheapest(kept)
        for count in LARGEST:
            before = self._value
            if not self._is_best():
                among = confined.largest(cheapest, count)
                self._solve_confined(cheapest, among)
            if self._value == before:
                break

    def _solve_among_needed(self, kept: Compiled) -> bool:
        """Solve it on hosts that are enough; return False if they are many."""
        used = len(amounts.used_hosts(kept, self.placement))
        hosts = dominance.needed(kept, used - 1)
        if hosts is None:
            return False
        allowed = dominance.reach(kept, hosts)
        pairs = sum(map(len, allowed.values()))
        if pairs > min(MEDIUM, kept.n_pairs // 2):
            return False
        result = exact.solve(
            kept,
            hint=self.placement,
            allowed=allowed,
            seconds=max(self._left(), 0.01),
            effort=SHARE * self._seconds,
            seed=self._seed,
        )
        self._take(result.placement)
        if not self._bound.soft_cost and self._is_cheapest():
            goal = used
            if result.verdict is not model.Verdict.INFEASIBLE:
                goal = min(result.bound.objective or 0, used)
            self._learn(model.Bound(0, goal))
        return True

    def _widen(self) -> None:
        """Solve it on more hosts each time, and make it better part by part.

        As long as there is time, and these are few enough.
        """
        for each in range(1, self._compiled.n_hosts + 1):
            if not self._left() or self._is_best():
                return
            problem = self._compiled
            if not self._bound.soft_cost:
                problem = firm.firm(problem, self.placement)
            among = confined.roomiest(problem, each)
            if not self._solve_confined(problem, among):
                return
            self._improve(self._left() * SOME)

    def _solve_confined(self, problem: Compiled, among: Flags) -> bool:
        """Solve it on these hosts and those in use, if they are few."""
        result = confined.solve(
            problem,
            self.placement,
            among=among,
            pairs=MEDIUM,
            seconds=max(self._left(), 0.01),
            effort=CONFINED * self._seconds,
            seed=self._seed,
            soft_bound=self._bound.soft_cost if problem.soft else 0,
        )
        if result is not None:
            self._take(result.placement)
        return result is not None

    def _by(self, way: Way, compiled: Compiled) -> int:
        """Take what it finds in a part of the time; return its bound."""
        if not self._left():
            return 0
        deadline = time.monotonic() + self._left() * PACKING
        found, bound = way(compiled, self.placement, deadline, self._seed)
        self._take(found)
        return bound


def _spared(
    circles: Sequence[meetings.Circle], found: greedy.Found
) -> list[meetings.Circle]:
    """Choose wishes to be alone, one for each who finds no place.

    Those that cost the least to give up, if it is for others than their own.
    """
    mine = {member for circle in circles for member in circle.members}
    wishes = [
        (clause.weight or 0, number)
        for number, circle in enumerate(circles)
        for clause, broken in circle.amounts
        if clause.kind is constraints.Alone and not broken
    ]
    count = sum(mine.isdisjoint(bundle) for bundle in found.left)
    return [circles[number] for _, number in sorted(wishes)[:count]]
