# SPDX-License-Identifier: Apache-2.0
"""Finishing a placement that is nearly whole: small parts solved exactly.

What has no place is put together with what stands in a few domains around,
and that part is solved as one, with all else fixed. Each round looks at
other domains, and at more of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from heat_vcluster.placement import amounts, contract, exact, greedy, model
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.remainder import Index

ROUNDS = 24
EFFORT = 0.3  # deterministic seconds for one part
PAIRS = 4000  # of members and places, about, in one part


def finish(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    found: greedy.Found,
    *,
    deadline: float,
    seed: int = 0,
    index: Index | None = None,
) -> Ints | None:
    """Return a whole placement; None: not found, which proves nothing."""
    if found.is_whole:
        return found.placement
    return _Mending(compiled, contracted, found, deadline, seed, index).run()


class _Mending:
    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        found: greedy.Found,
        deadline: float,
        seed: int,
        index: Index | None,
    ) -> None:
        self._ends = time.monotonic() + deadline
        self._random = np.random.default_rng(seed)
        self._seed = seed
        self._compiled = compiled
        self._index = Index(compiled) if index is None else index
        self._placement = found.placement.copy()
        self._left = [list(members) for members in found.left]
        self._unmet = found.unmet
        top = greedy.nested_up_to(compiled)
        self._bundle_of = contracted.bundle_of[top]
        self._bundles = contracted.bundles[top]
        self._scope = min(1, top)
        self._column = compiled.domain[self._scope]

    def run(self) -> Ints | None:
        left = list(self._left)
        for round_ in range(ROUNDS):
            left = [m for m in left if not self._settle([m], (), round_)]
            if not left:
                break
            if time.monotonic() > self._ends:
                return None
        if not left and self._is_met():
            return self._placement
        for round_ in range(ROUNDS):
            if time.monotonic() > self._ends:
                return None
            if self._settle(left, self._unmet, round_):
                return self._placement
        return None

    def _is_met(self) -> bool:
        return not any(
            amounts.amount(self._compiled, clause, self._placement)
            for clause in self._unmet
        )

    def _settle(
        self,
        left: Sequence[Sequence[int]],
        unmet: Sequence[numbers.Clause],
        round_: int,
    ) -> bool:
        """Place these, and let these clauses be met, by one more attempt."""
        if time.monotonic() > self._ends:
            return False
        breadth = 2 + round_ // 2
        free, chosen = self._free(left, unmet, breadth)
        placement = self._solve(free, chosen)
        if placement is not None:
            self._placement = placement
        return placement is not None

    def _free(
        self,
        left: Sequence[Sequence[int]],
        unmet: Sequence[numbers.Clause],
        breadth: int,
    ) -> tuple[set[int], Flags]:
        """Choose the members to be placed anew, and the domains for them."""
        compiled = self._compiled
        chosen = np.zeros(compiled.n_domains[self._scope], np.bool_)
        for members in left:
            chosen[self._domains_for(members, breadth)] = True
        free = {m for members in left for m in members}
        for clause in unmet:
            chosen[self._domains_for(clause.members, 2 * breadth)] = True
            free.update(self._some_of(clause.members, breadth))
        for member in sorted(self._standing_in(chosen)):
            free.update(self._bundles[int(self._bundle_of[member])])
        return free, chosen

    def _some_of(self, members: Sequence[int], breadth: int) -> set[int]:
        """Return the bundles of a few of the members."""
        order = self._random.permutation(len(members))[:breadth]
        return {
            other
            for index in order
            for other in self._bundles[
                int(self._bundle_of[members[int(index)]])
            ]
        }

    def _domains_for(self, members: Sequence[int], breadth: int) -> Ints:
        """Draw domains, those more likely that have more places for them."""
        count = self._compiled.n_domains[self._scope]
        worth = np.ones(count)
        of_shape = {int(self._compiled.shape_of[m]): m for m in members}
        for shape, member in sorted(of_shape.items()):
            if not self._compiled.shapes[shape].is_server:
                continue
            domains = self._column[self._idle_places(member)]
            here = np.bincount(domains[domains != UNKNOWN], minlength=count)
            worth *= np.minimum(here, 8)
        worth[self._owned_by_others(members)] *= 0.02
        able = np.flatnonzero(worth > 0)
        if not len(able):
            return able
        size = min(breadth, len(able))
        share = worth[able] ** 0.5
        drawn: Ints = self._random.choice(
            able, size, replace=False, p=share / share.sum()
        )
        return drawn

    def _owned_by_others(self, members: Sequence[int]) -> Flags:
        """Return the domains that others have for themselves now."""
        owned = np.zeros(self._compiled.n_domains[self._scope], np.bool_)
        mine = set(members)
        for clause in self._index.alone:
            rule = self._index.clauses[clause]
            if rule.weight is not None or rule.scope < self._scope:
                continue
            if mine & set(rule.members):
                continue
            places = self._placement[list(rule.members)]
            domains = self._column[places[places != UNKNOWN]]
            owned[domains[domains != UNKNOWN]] = True
        return owned

    def _idle_places(self, member: int) -> Ints:
        """Return its places, if it must be alone the idle ones only."""
        places = self._compiled.places(member)
        for clause in self._index.alone:
            rule = self._index.clauses[clause]
            if rule.weight is None and member in rule.members:
                domains = self._compiled.domain[rule.scope][places]
                places = places[~self._compiled.busy[rule.scope][domains]]
        return places

    def _standing_in(self, chosen: Flags) -> Iterable[int]:
        placed = self._placement != UNKNOWN
        at = np.full(len(placed), UNKNOWN, np.int64)
        at[placed] = self._column[self._placement[placed]]
        inside = (at != UNKNOWN) & chosen[at]
        return map(int, np.flatnonzero(inside))

    def _solve(self, free: set[int], chosen: Flags) -> Ints | None:
        compiled = self._compiled
        fixed = self._placement.copy()
        members = sorted(
            m
            for m in free
            if not compiled.shapes[int(compiled.shape_of[m])].fixed
        )
        fixed[members] = UNKNOWN
        allowed = {m: self._places(m, chosen) for m in members}
        result = exact.solve(
            compiled,
            allowed=allowed,
            fixed=fixed,
            goal=exact.Goal.ANY,
            seconds=max(self._ends - time.monotonic(), 0.01),
            effort=EFFORT,
            seed=self._seed,
            index=self._index,
        )
        if result.verdict is model.Verdict.FEASIBLE:
            return result.placement
        return None

    def _places(self, member: int, chosen: Flags) -> list[int]:
        places = self._compiled.places(member)
        domains = self._column[places]
        now = int(self._placement[member])
        near = (domains == UNKNOWN) | chosen[domains] | (places == now)
        return [int(p) for p in places[near]]
