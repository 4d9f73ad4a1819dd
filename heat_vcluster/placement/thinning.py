# SPDX-License-Identifier: Apache-2.0
"""Fewer hosts in use, by leaving the others out of sight.

A greedy search fills what it sees: with few hosts in sight it uses few. So
the roomiest of all come first; then the roomiest hosts for each shape are
chosen, as few as it can do with, and then those that have least on them are
taken away, many at first.
"""

from __future__ import annotations

import time

import numpy as np

from heat_vcluster.placement import amounts, contract, greedy
from heat_vcluster.placement.columns import Flags, Ints
from heat_vcluster.placement.compiled import Compiled

TROUBLE = 3  # times that room is made for who finds none
ENDS = 6  # halvings after which the choice is good enough
FIRST = 8  # such a part of the hosts is taken away at first
VAIN = 6  # times in vain until it is given up


def thin(
    compiled: Compiled, start: Ints, deadline: float, seed: int = 0
) -> Ints:
    """Return a placement on no more hosts than ``start``, which is valid.

    Soft clauses are not looked at. ``deadline`` as of ``time.monotonic``.
    """
    search = _Thinning(compiled, start, deadline, seed)
    search.fill_up()
    search.choose()
    search.take_away()
    return search.placement


def order(compiled: Compiled) -> Ints:
    """Return the hosts that servers may have, the most wanted ones first.

    By what comes first for any shape: the roomiest, of as many as there are
    members of it.
    """
    asked = amounts.sizes(compiled)[0].sum(axis=1)
    room = np.zeros(compiled.n_hosts)
    for free, wanted in zip(compiled.free, asked, strict=True):
        if wanted:
            room += np.minimum(free / wanted, 1.0)
    many = np.bincount(compiled.shape_of, minlength=len(compiled.shapes))
    first = np.full(compiled.n_hosts, np.inf)
    for shape in compiled.shapes:
        if shape.is_server:
            places = shape.places[
                np.argsort(-room[shape.places], kind='stable')
            ]
            ranks = np.arange(len(places)) / many[shape.number]
            first[places] = np.minimum(first[places], ranks)
    found = np.argsort(first, kind='stable')
    kept: Ints = found[np.isfinite(first[found])]
    return kept


class _Thinning:
    def __init__(
        self, compiled: Compiled, start: Ints, deadline: float, seed: int
    ) -> None:
        self.placement = start
        self._used = amounts.used_hosts(compiled, start)
        self._compiled = compiled
        self._contracted = contract.contract(compiled)
        self._deadline, self._seed = deadline, seed

    def fill_up(self) -> None:
        """Have all hosts in sight, and begin with the roomiest."""
        self._has(np.arange(self._compiled.n_hosts), trouble=None)

    def choose(self) -> None:
        """Find as few as will do, of hosts in the order that they have."""
        ordered = order(self._compiled)
        low, high = 0, min(len(ordered), 2 * len(self._used))
        for _ in range(ENDS):
            middle = (low + high) // 2
            if self._has(ordered[:middle]):
                high = min(middle, len(self._used))
            else:
                low = middle
            if high - low < 2:
                break

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
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            return False
        among: Flags = np.zeros(self._compiled.n_hosts, np.bool_)
        among[hosts] = True
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
        if len(used) >= len(self._used):
            return False
        self.placement, self._used = found.placement, used
        return True
