# SPDX-License-Identifier: Apache-2.0
"""Finishing a placement where nothing is to spare: bundles change places.

Where every host must be filled to the brim, whoever has no place needs others
to move, and those again others. So a part of the cloud is done anew, again
and again, each time as well as can be, and what fits least may be left out
for the time being (``regrouping``): large bundles get in and small ones come
out, which fit into what others have left. A plan that it finds is checked by
who asked; that it finds none proves nothing.
"""

from __future__ import annotations

import copy
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Floats, Ints
from heat_vcluster.placement.finishing import board as boards
from heat_vcluster.placement.finishing import regrouping
from heat_vcluster.placement.numbers import brim, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import linear

EFFORT = 0.15  # deterministic seconds for one part
FIRST = 8  # domains done anew at first,
FEWEST = 4
SELDOM = 15  # ... and of items of some sizes alone
LEFT = 12  # bundles that are tried to be placed at once
MIXED = 2  # sizes that fit somewhere, beside those of one bundle
WAYS = 4
FEW = 2  # bundles left over from which on it is walked
WALKS = 2  # ... in so many ways side by side
# How much the share of what is free, and that there is anything to exchange,
# and nothing at all, add to the chance of a domain.
HOLES = 10.0
EXCHANGE = 0.1
CHANCE = 0.005
SAME = 0.05  # more, for what is in the same wider domain
NEVER = 1e-9


def finish(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    placement: Ints,
    *,
    deadline: float,
    seed: int = 0,
    turns: int | None = None,
) -> Ints | None:
    """Return a whole placement; None: not found, or not for this way.

    ``deadline`` as of ``time.monotonic``; so many ``turns`` are taken at the
    most. ``placement`` is what to begin from. Members that sit somewhere
    already, and domains that do not lie in one wider domain each, are for
    other ways.
    """
    if not all(compiled.is_nested) or any(s.fixed for s in compiled.shapes):
        return None
    if len(compiled.scopes) < 2:
        return None
    board = boards.Board(compiled, contracted, placement)
    board.clear()
    walk = _Walk(board, deadline, seed)
    if turns is not None:
        walk.go_on(lambda: walk.turn < turns)
        return board.placement() if walk.is_over() else None
    walk.go_on(lambda: len(board.left()) > FEW)
    return board.placement() if walk.is_over() else _race(walk, seed)


def _race(walk: _Walk, seed: int) -> Ints | None:
    """Go on in several ways side by side; return what the shortest comes to.

    For the last few it takes luck: any walk needs hundreds of turns, and who
    of several comes first is there in a part of them. All stop where the
    first one was done, so that what comes of it does not depend on how fast
    each was.
    """
    walks = [walk.branch(seed + number) for number in range(WALKS)]
    least = sys.maxsize
    lock = threading.Lock()

    def go_on(one: _Walk) -> None:
        nonlocal least
        one.go_on(lambda: one.turn < least)
        with lock:
            if one.is_over():
                least = min(least, one.turn)

    with futures.ThreadPoolExecutor(len(walks)) as pool:
        running = [pool.submit(go_on, one) for one in walks]
        try:
            for one in running:
                one.result()
        finally:
            least = 0
    done = [one for one in walks if one.is_over()]
    if not done:
        return None
    return min(done, key=lambda one: one.turn).board.placement()


class _Walk:
    """A board on its way, a part of it after the other."""

    def __init__(
        self, board: boards.Board, deadline: float, seed: int
    ) -> None:
        self.board, self.turn = board, 0
        self._deadline = deadline
        self._breadth = [FIRST] * (WAYS - 1) + [SELDOM]
        self._begin(seed)
        compiled = board.compiled
        self._column = compiled.domain[1][: compiled.n_hosts]
        known = board.brim.usable & (self._column != UNKNOWN)
        self._known = known
        self._domains = np.unique(self._column[known])
        self._wide = None
        if len(compiled.scopes) > 2:
            self._wide = compiled.above(1, 2)[self._domains]
        self._total = [
            max(1, int(c[board.brim.usable].sum())) for c in compiled.free
        ]

    def _begin(self, seed: int) -> None:
        self._seed = seed
        self._draw = random.Random(seed)  # noqa: S311
        self._random = np.random.default_rng(seed)

    def branch(self, seed: int) -> _Walk:
        """Return one that is as far, and goes on by another seed."""
        found = copy.copy(self)
        found.board = self.board.copy()
        found._breadth = list(self._breadth)
        found._begin(seed)
        return found

    def is_over(self) -> bool:
        """Tell whether all have a place."""
        return not self.board.left()

    def go_on(self, is_wanted: Callable[[], bool]) -> None:
        """Take turns until all have a place, or none is wanted any more.

        Or no time is left, or nothing that could move.
        """
        board = self.board
        while (left := board.left()) and is_wanted():
            if any(board.is_rigid[root] for root in left):
                return
            if not len(self._domains) or time.monotonic() > self._deadline:
                return
            self._take_turn(left)

    def _take_turn(self, left: list[int]) -> None:
        way = self.turn % WAYS
        self._draw.shuffle(left)
        part = regrouping.Regrouping(
            self.board,
            1,
            self._choose(left[0], way, self.turn, self._breadth[way]),
            left[:LEFT],
            self._draw,
            self._sizes(left[0]) if way == WAYS - 1 else None,
        )
        status = part.run(EFFORT, self._seed + self.turn, self._deadline)
        # As much as can be solved to the end.
        more = 1 if status is linear.Status.BEST else -1
        self._breadth[way] = max(FEWEST, self._breadth[way] + more)
        self.turn += 1

    # -- which part ----------------------------------------------------------

    def _choose(
        self, root: int, way: int, turn: int, breadth: int
    ) -> list[int]:
        """Draw domains: where something is free, where to exchange, others.

        Two ways of four keep to one or two wider domains.
        """
        holes = self._holes()
        chance = HOLES * holes + CHANCE
        if turn % (2 * WAYS) >= 2 * WAYS - 2:
            chance += EXCHANGE * self._exchanges(root)
        if self._wide is not None and way in (1, 2):
            if way == 1:
                among = holes / holes.sum() if holes.sum() else None
                wide = self._random.choice(self._wide, 1, p=among)
                here = np.isin(self._wide, wide)
            else:
                wide = self._random.choice(self._wide, 2)
                here = np.isin(self._wide, wide) | (holes > 0)
            chance = np.where(here, chance + SAME, NEVER)
        found = self._random.choice(
            self._domains,
            min(breadth, len(self._domains)),
            replace=False,
            p=chance / chance.sum(),
        )
        return [int(domain) for domain in found]

    def _holes(self) -> Floats:
        """Return, by domain, its share of what is free."""
        free = np.zeros(len(self._known))
        for column, total in zip(self.board.free, self._total, strict=True):
            free += column / total
        count = self.board.compiled.n_domains[1]
        found = np.bincount(
            self._column[self._known], free[self._known], minlength=count
        )[self._domains]
        shares: Floats = found / max(found.sum(), 1e-9)
        return shares

    def _open(self) -> Ints:
        """Return the hosts that have anything free."""
        free = np.zeros(len(self._known), np.bool_)
        for column in self.board.free:
            free |= column > 0
        return np.flatnonzero(free & self._known)

    def _fitting(self) -> dict[int, brim.Size]:
        """Return, of the kinds that fit anywhere now, kind -> size."""
        board, hosts = self.board, self._open()
        found: dict[int, brim.Size] = {}
        seen: set[int] = set()
        for item in board.items:
            if item.servers and item.kind not in seen:
                seen.add(item.kind)
                here = board.may[item.number][hosts]
                for column, amount in zip(board.free, item.size, strict=True):
                    here = here & (column[hosts] >= amount)
                if here.any():
                    found[item.kind] = item.size
        return found

    def _servers(self, root: int) -> Sequence[int]:
        board = self.board
        return [n for n in board.roots[root] if board.items[n].servers]

    def _sizes(self, root: int) -> set[brim.Size]:
        """Return the sizes of a bundle, and some of what could fill holes."""
        found = {self.board.items[n].size for n in self._servers(root)}
        fitting = sorted(set(self._fitting().values()))
        found.update(self._draw.sample(fitting, min(MIXED, len(fitting))))
        return found

    def _exchanges(self, root: int) -> Floats:
        """Return, by domain, how many hosts could take one of the bundle.

        If all left them who would fit somewhere now; two at the most.
        """
        board = self.board
        servers = self._servers(root)
        if not servers:
            return np.zeros(len(self._domains))
        wanted = board.items[self._draw.choice(servers)]
        fitting = self._fitting()
        room = [column.copy() for column in board.free]
        for item, place in zip(board.items, board.at, strict=True):
            if place != UNKNOWN and item.kind in fitting:
                for column, amount in zip(room, item.size, strict=True):
                    column[place] += amount
        here = board.may[wanted.number][: len(self._known)] & self._known
        for column, amount in zip(room, wanted.size, strict=True):
            here &= column >= amount
        count = board.compiled.n_domains[1]
        hosts = np.bincount(self._column[here], minlength=count)
        found: Floats = np.minimum(hosts[self._domains], 2).astype(np.float64)
        return found
