# SPDX-License-Identifier: Apache-2.0
"""Fewer hosts in use, by leaving the others out of sight.

A greedy search fills what it sees: with few hosts in sight it uses few. So
the roomiest of all come first. Where there is much choice, then few of the
widest domains, few narrower ones of those, and so on down to hosts: who must
be in one domain, or apart in it, finds roomy hosts side by side there. Then
the roomiest hosts for each shape are chosen, as few as it can do with, and at
last those that have least on them are taken away, many at first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags, Floats, Ints
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers.compiled import Compiled

TROUBLE = 3  # times that room is made for who finds none
ENDS = 6  # halvings after which the choice is good enough
FIRST = 8  # such a part of the hosts is taken away at first
VAIN = 6  # times in vain until it is given up
HOSTS = 3  # times as many as are in use are looked at, in few domains
CHOICE = 10  # times as many as are in use are much choice


def thin(
    compiled: Compiled, start: Ints, deadline: float, seed: int = 0
) -> Ints:
    """Return a placement on no more hosts than ``start``, which is valid.

    Soft clauses are not looked at. ``deadline`` as of ``time.monotonic``.
    """
    search = _Thinning(compiled, start, deadline, seed)
    search.fill_up()
    search.confine()
    search.choose()
    search.take_away()
    return search.placement


def order(compiled: Compiled) -> Ints:
    """Return the hosts that servers may have, the most wanted ones first.

    By what comes first for any shape: the roomiest, of as many as there are
    members of it.
    """
    many = np.bincount(compiled.shape_of, minlength=len(compiled.shapes))
    first = np.full(compiled.n_hosts, np.inf)
    for number, places in roomiest_first(compiled):
        ranks = np.arange(len(places)) / many[number]
        first[places] = np.minimum(first[places], ranks)
    found = np.argsort(first, kind='stable')
    kept: Ints = found[np.isfinite(first[found])]
    return kept


def roomiest_first(compiled: Compiled) -> Iterator[tuple[int, Ints]]:
    """Give the number and the places of each shape of servers."""
    room = roominess(compiled)
    for shape in compiled.shapes:
        if shape.is_server:
            order = np.argsort(-room[shape.places], kind='stable')
            yield shape.number, shape.places[order]


def roominess(compiled: Compiled) -> Floats:
    """Return, by host, its shares of all that is asked, added up."""
    asked = amounts.asked(compiled)
    room = np.zeros(compiled.n_hosts)
    for free, wanted in zip(compiled.free, asked, strict=True):
        if wanted:
            room += np.minimum(free / wanted, 1.0)
    return room


class _Thinning:
    def __init__(
        self, compiled: Compiled, start: Ints, deadline: float, seed: int
    ) -> None:
        self.placement = start
        self._used = amounts.used_hosts(compiled, start)
        self._compiled = compiled
        self._contracted = contract.contract(compiled)
        self._ordered = order(compiled)
        self._deadline, self._seed = deadline, seed

    def fill_up(self) -> None:
        """Have all hosts in sight, and begin with the roomiest."""
        self._has(np.arange(self._compiled.n_hosts), trouble=None)

    def confine(self) -> None:
        """Do with few domains, the widest first, down to hosts."""
        room = roominess(self._compiled)
        among: Flags = np.zeros(len(room), np.bool_)
        among[self._ordered] = True
        if len(self._ordered) < CHOICE * len(self._used):
            return
        for scope in reversed(range(len(self._compiled.scopes))):
            ordered = self._in_turn(scope, np.where(among, room, 0.0))
            low, high = 0, len(ordered)
            if not scope:
                high = min(high, HOSTS * len(self._used))
            while high - low > 1:
                middle = (low + high) // 2
                fewer = self._inside(scope, ordered[:middle], among)
                if self._is_placed(fewer):
                    among, high = fewer, middle
                else:
                    low = middle

    def choose(self) -> None:
        """Find as few as will do, of hosts in the order that they have."""
        ordered = self._ordered
        low, high = 0, min(len(ordered), 2 * len(self._used))
        for _ in range(ENDS):
            middle = (low + high) // 2
            if self._has(ordered[:middle]):
                high = min(middle, len(self._used))
            else:
                low = middle
            if high - low < 2:
                break

    def _in_turn(self, scope: int, room: Floats) -> Ints:
        """Return the domains: of each wider one the roomiest, and so on.

        By the room of so many hosts as are in use of each domain.
        """
        compiled = self._compiled
        column = compiled.domain[scope][: compiled.n_hosts]
        known = column != UNKNOWN
        used = self._used[known[self._used]]
        each = -(-len(used) // max(1, len(np.unique(column[used]))))
        hosts = np.flatnonzero(known & (room > 0))
        hosts = hosts[np.argsort(-room[hosts], kind='stable')]
        hosts = hosts[rank_among_equals(column[hosts]) < each]
        count = compiled.n_domains[scope]
        worth = np.bincount(column[hosts], room[hosts], count)
        ordered = np.argsort(-worth, kind='stable')
        ordered = ordered[worth[ordered] > 0]
        if scope + 1 < len(compiled.scopes):
            wider = np.full(count, UNKNOWN, np.int64)
            wider[column[hosts]] = compiled.domain[scope + 1][hosts]
            turn = rank_among_equals(wider[ordered])
            ordered = ordered[np.argsort(turn, kind='stable')]
        return ordered

    def _inside(self, scope: int, domains: Ints, among: Flags) -> Flags:
        """Return which of the hosts are in these domains."""
        compiled = self._compiled
        is_in = np.zeros(compiled.n_domains[scope] + 1, np.bool_)
        is_in[domains] = True
        inside: Flags = among & is_in[compiled.domain[scope]][: len(among)]
        return inside

    def take_away(self) -> None:
        """Do without those in use that have the least on them."""
        vain, count = 0, max(1, len(self._used) // FIRST)
        while vain < VAIN and len(self._used) > 1:
            self._seed += 1
            kept = self._fullest_first()[:-count]
            if self._has(kept):
                continue
            vain += 1
            count = max(1, count // 2)
            if time.monotonic() > self._deadline:
                break

    def _fullest_first(self) -> Ints:
        """Return the hosts in use by about how much is taken of them."""
        left, _ = amounts.room(self._compiled, self.placement)
        taken = np.zeros(len(self._used))
        for free, rest in zip(self._compiled.free, left, strict=True):
            most = max(1, int(free[self._used].max()))
            taken += (free - rest)[self._used] / most
        noise = np.random.default_rng(self._seed).random(len(self._used))
        return self._used[np.argsort(-taken * (1 + noise), kind='stable')]

    def _has(self, hosts: Ints, trouble: int | None = TROUBLE) -> bool:
        """Keep a placement on these hosts, if there is one on fewer."""
        before = len(self._used)
        among: Flags = np.zeros(self._compiled.n_hosts, np.bool_)
        among[hosts] = True
        self._is_placed(among, trouble)
        return len(self._used) < before

    def _is_placed(self, among: Flags, trouble: int | None = TROUBLE) -> bool:
        """Place all on these hosts; keep that if it is on fewer."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            return False
        problem = self._compiled.on(among)
        if problem.stuck():
            return False
        found = greedy.place(
            problem,
            self._contracted,
            deadline=seconds,
            seed=self._seed,
            trouble=trouble,
            roomy=True,
        )
        if not found.is_whole or not amounts.is_valid(
            self._compiled, found.placement
        ):
            return False
        used = amounts.used_hosts(self._compiled, found.placement)
        if len(used) < len(self._used):
            self.placement, self._used = found.placement, used
        return True


def rank_among_equals(numbers: Ints) -> Ints:
    """Return how many equal ones come before each, in the order given."""
    order = np.argsort(numbers, kind='stable')
    ordered = numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    sizes = np.diff(starts, append=len(ordered))
    rank = np.empty(len(numbers), np.int64)
    rank[order] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return rank
