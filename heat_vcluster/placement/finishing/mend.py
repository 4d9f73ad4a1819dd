# SPDX-License-Identifier: Apache-2.0
"""Finishing a placement that is nearly whole: small parts solved exactly.

What has no place is put together with what stands in a few domains around,
and that part is solved as one, with all else fixed. Each round looks at
other domains, and at more of them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Flags, Floats, Ints
from heat_vcluster.placement.greedy import forest, greedy
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers.remainder import Index
from heat_vcluster.placement.programs import exact

ROUNDS = 16
EFFORT = 1.0  # deterministic seconds for one part
BRIEF = 2  # rounds, and such seconds, where it is done briefly
AT_ONCE = 0.05
BREADTH = 8  # domains drawn at first, and so many times more each round
GROWTH = 1.3
THIN = 4  # hosts of a domain, in every other round
PAIRS = 25000  # of members and places in one part, at the most


def finish(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    found: greedy.Found,
    *,
    deadline: float,
    seed: int = 0,
    index: Index | None = None,
    briefly: bool = False,
) -> Ints | None:
    """Return a whole placement; None: not found, which proves nothing.

    ``deadline`` in seconds. ``briefly``: only what is found at once.
    """
    if found.is_whole:
        return found.placement
    mending = _Mending(
        compiled, contracted, found, deadline, seed, index, briefly
    )
    return mending.run()


class _Mending:
    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        found: greedy.Found,
        deadline: float,
        seed: int,
        index: Index | None,
        briefly: bool,
    ) -> None:
        self._rounds = BRIEF if briefly else ROUNDS
        self._effort = AT_ONCE if briefly else EFFORT
        self._ends = time.monotonic() + deadline
        self._random = np.random.default_rng(seed)
        self._seed = seed
        self._compiled = compiled
        self._index = Index(compiled) if index is None else index
        self._placement = found.placement.copy()
        self._left = [_with_mates(compiled, m) for m in found.left]
        top = forest.nested_up_to(compiled)
        self._bundle_of = contracted.bundle_of[top]
        self._bundles = contracted.bundles[top]
        self._bundle_ofs = contracted.bundle_of[: top + 1]
        self._scope = min(1, top)
        self._column = compiled.domain[self._scope]

    def run(self) -> Ints | None:
        waiting = list(self._left)
        for round_ in range(self._rounds):
            for members in list(waiting):
                later = {m for others in waiting for m in others}
                later.difference_update(members)
                if self._settle([members], (), round_, later):
                    waiting.remove(members)
            if not waiting:
                break
            if time.monotonic() > self._ends:
                return None
        unmet = [
            clause
            for clause in self._compiled.hard
            if amounts.amount(self._compiled, clause, self._placement)
        ]
        if not waiting and not unmet:
            return self._placement
        for round_ in range(self._rounds):
            if time.monotonic() > self._ends:
                return None
            if self._settle(waiting, unmet, round_):
                return self._placement
        return None

    def _settle(
        self,
        left: Sequence[Sequence[int]],
        unmet: Sequence[numbers.Clause],
        round_: int,
        later: Collection[int] = (),
    ) -> bool:
        """Place these, and let these clauses be met, by one more attempt.

        Others come ``later``, and have no place yet.
        """
        if time.monotonic() > self._ends:
            return False
        self._look()
        breadth = round(BREADTH * GROWTH**round_)
        while True:
            free, chosen = self._free(left, unmet, breadth)
            allowed = {
                m: self._places(m, chosen, round_ % 2 == 0) for m in free
            }
            pairs = sum(map(len, allowed.values()))
            if pairs <= PAIRS or breadth <= BREADTH:
                break
            breadth = round(breadth / 2)
        placement = self._solve(allowed, later)
        if placement is not None:
            self._placement = placement
        return placement is not None

    def _free(
        self,
        left: Sequence[Sequence[int]],
        unmet: Sequence[numbers.Clause],
        breadth: int,
    ) -> tuple[list[int], Flags]:
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
        members = sorted(
            m
            for m in free
            if not compiled.shapes[int(compiled.shape_of[m])].fixed
        )
        return members, chosen

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
        """Draw domains where the members might find room if others moved.

        Half of them for holes that nearly take one of these, half for holes
        that others could move to; all in one wider domain if the members
        must share one.
        """
        worth = self._worth(members)
        worth[self._owned_by_others(members)] *= 0.02
        wide = self._scope_shared(members)
        if wide > self._scope:
            worth *= self._draw_wider(worth, wide)
        able = np.flatnonzero(worth > 0)
        drawn = self._draw(worth[able], able, breadth)
        spare: Floats = self._holes[able].astype(np.float64) + 1e-3
        return np.union1d(drawn, self._draw(spare, able, breadth - 1))

    def _draw(self, worth: Floats, able: Ints, count: int) -> Ints:
        count = min(count, len(able))
        if count <= 0:
            return able[:0]
        share = worth / worth.sum()
        drawn: Ints = self._random.choice(able, count, replace=False, p=share)
        return drawn

    def _worth(self, members: Sequence[int]) -> Floats:
        """Return, by domain, how near its best holes come to taking them."""
        compiled = self._compiled
        count = compiled.n_domains[self._scope]
        worth = np.ones(count)
        free = self._room
        of_shape = {int(compiled.shape_of[m]): m for m in members}
        for shape, member in sorted(of_shape.items()):
            if not compiled.shapes[shape].is_server:
                continue
            hosts = self._idle_places(member)
            near = np.ones(len(hosts))
            size = compiled.shapes[shape].size
            for amount, column in zip(size, free, strict=True):
                if amount:
                    near = np.minimum(near, column[hosts] / amount)
            best = np.zeros(count)
            domains = self._column[hosts]
            known = domains != UNKNOWN
            np.maximum.at(best, domains[known], near[known] ** 4 + 1e-3)
            worth *= best
        return worth

    def _scope_shared(self, members: Sequence[int]) -> int:
        """Return the narrowest scope at which the servers are one bundle."""
        servers = [m for m in members if self._compiled.is_server[m]]
        for scope, column in enumerate(self._bundle_ofs):
            if len({int(column[m]) for m in servers}) <= 1:
                return scope
        return 0

    def _draw_wider(self, worth: Floats, wide: int) -> Floats:
        """Return 1 for the domains of one wider domain, drawn by worth."""
        above = self._compiled.above(self._scope, wide)
        total = np.zeros(self._compiled.n_domains[wide])
        known = above != UNKNOWN
        np.add.at(total, above[known], worth[known])
        if not total.sum():
            return np.ones(len(worth))
        drawn = self._random.choice(len(total), p=total / total.sum())
        inside: Floats = (above == drawn).astype(np.float64)
        return inside

    def _look(self) -> None:
        """See what is free now, and how many holes each domain has."""
        compiled = self._compiled
        at = self._placement
        servers = np.flatnonzero(compiled.is_server & (at != UNKNOWN))
        sizes = self._index.amounts
        self._room = [
            free
            - np.bincount(
                at[servers],
                weights=sizes[r][servers],
                minlength=compiled.n_hosts,
            )
            for r, free in enumerate(compiled.free)
        ]
        fits = np.zeros(compiled.n_hosts)
        for shape in compiled.shapes:
            if not shape.is_server or shape.fixed:
                continue
            here = np.ones(len(shape.places), np.bool_)
            for amount, free in zip(shape.size, self._room, strict=True):
                here &= free[shape.places] >= amount
            fits[shape.places[here]] += 1
        column = self._column[: compiled.n_hosts]
        known = column != UNKNOWN
        self._holes = np.bincount(
            column[known],
            weights=np.minimum(fits[known], 4),
            minlength=compiled.n_domains[self._scope],
        )

    def _owned_by_others(self, members: Sequence[int]) -> Flags:
        """Return the domains that others have for themselves now.

        Who must be alone as well can come by one only from those, so for
        such members there are none.
        """
        owned = np.zeros(self._compiled.n_domains[self._scope], np.bool_)
        mine = set(members)
        rules = [self._index.clauses[clause] for clause in self._index.alone]
        for rule in rules:
            if rule.weight is not None or rule.scope < self._scope:
                continue
            if not mine.isdisjoint(rule.members):
                return np.zeros_like(owned)
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
                is_busy = domains != UNKNOWN
                here = domains[is_busy]
                is_busy[is_busy] = self._compiled.busy[rule.scope][here]
                places = places[~is_busy]
        return places

    def _standing_in(self, chosen: Flags) -> Iterable[int]:
        placed = self._placement != UNKNOWN
        at = np.full(len(placed), UNKNOWN, np.int64)
        at[placed] = self._column[self._placement[placed]]
        inside = at != UNKNOWN
        inside[inside] = chosen[at[inside]]
        return map(int, np.flatnonzero(inside))

    def _solve(
        self, allowed: Mapping[int, Sequence[int]], later: Collection[int]
    ) -> Ints | None:
        fixed = self._placement.copy()
        fixed[list(allowed)] = UNKNOWN
        result = exact.solve(
            self._compiled,
            allowed=allowed,
            fixed=fixed,
            goal=exact.Goal.ANY,
            seconds=max(self._ends - time.monotonic(), 0.01),
            effort=self._effort,
            seed=self._seed,
            index=self._index,
            later=later,
        )
        if result.verdict is model.Verdict.FEASIBLE:
            return result.placement
        return None

    def _places(self, member: int, chosen: Flags, is_thin: bool) -> list[int]:
        """Return the places a member may take in this part.

        Thin: of hosts in a domain only those few with the most room, as many
        alike ones only make the search longer.
        """
        places = self._compiled.places(member)
        domains = self._column[places]
        now = int(self._placement[member])
        near = (domains == UNKNOWN) | chosen[domains] | (places == now)
        places = places[near]
        if is_thin and self._compiled.is_server[member]:
            places = self._thinned(places, now)
        return [int(p) for p in places]

    def _thinned(self, places: Ints, now: int) -> Ints:
        room = sum(
            free[places] / max(1, int(free.max(initial=0)))
            for free in self._room
        )
        order = places[np.argsort(-room, kind='stable')]
        order = order[np.argsort(self._column[order], kind='stable')]
        domains = self._column[order]
        first = np.searchsorted(domains, domains)
        keep = (np.arange(len(order)) - first < THIN) | (order == now)
        return np.sort(order[keep])


def _with_mates(
    compiled: numbers.Compiled, members: Sequence[int]
) -> list[int]:
    """Return the members, and all that must be where they are."""
    found = dict.fromkeys(members)
    for clause in compiled.hard:
        if clause.kind is constraints.Together and not found.keys().isdisjoint(
            clause.members
        ):
            found.update(dict.fromkeys(clause.members))
    return list(found)
