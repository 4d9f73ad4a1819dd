# SPDX-License-Identifier: Apache-2.0
"""How full the fullest host in use has to be: plans and a proven bound.

No host may be fuller than so much: that is to say that less is free on it.
So a plan with less fill is any plan of a problem with less room, and a proof
that there is none bounds the fill from below. The fill is narrowed down
between the two by halves: first by what takes no time, then by counts.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import time
from collections.abc import Callable

import numpy as np

from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.counting import attempts, framing, refutation
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers.compiled import Compiled

TROUBLE = 3  # times that room is made for who finds none
GLANCE = 0.05  # deterministic seconds for a proof by blocks of hosts
# Pairs of kind and place up to which that is looked for: more were not proven
# in the time there is, and took more memory than all else.
COUNTABLE = 40_000
SHARE = 0.25  # of the time left, for one fill by counts


class Verdict(enum.Enum):
    FOUND = enum.auto()
    NONE = enum.auto()  # proven
    UNKNOWN = enum.auto()


def level(
    compiled: Compiled, start: Ints, deadline: float, seed: int = 0
) -> tuple[Ints, int]:
    """Fill hosts as little as can be; return a placement and a bound.

    Both in per mille, as ``amounts.objective``: no placement that obeys the
    hard rules stays below the bound, whatever its soft cost. ``start``: a
    valid placement, no better than the one that comes back; ``deadline`` as
    of ``time.monotonic``.
    """
    search = _Levelling(compiled, start, deadline, seed)
    for way in search.at_once, search.by_counts:
        search.narrow(way)
    return search.placement, search.lowest


def capped(compiled: Compiled, fill: int) -> Compiled:
    """Return the problem with no more room than that fill leaves.

    A host that is fuller already is for nobody but those who are there.
    """
    found = copy.copy(compiled)
    usable = np.ones(compiled.n_hosts, np.bool_)
    found.free = []
    for free, total in zip(compiled.free, compiled.total, strict=True):
        room = np.where(total > 0, fill * total // 1000 - total + free, free)
        usable &= room >= 0
        found.free.append(np.clip(room, 0, free))
    shapes = []
    for shape in compiled.shapes:
        places = shape.places
        if shape.is_server and not shape.fixed:
            may = usable[places]
            for size, room in zip(shape.size, found.free, strict=True):
                if size:
                    may &= room[places] >= size
            shape = dataclasses.replace(shape, places=places[may])
        shapes.append(shape)
    found.shapes = tuple(shapes)
    return found


def least(compiled: Compiled) -> int:
    """Return the fill that some member comes to wherever it goes."""
    lowest = 0
    for shape in compiled.shapes:
        if not shape.is_server or not len(shape.places):
            continue
        fills = np.zeros(len(shape.places), np.int64)
        for size, free, total in zip(
            shape.size, compiled.free, compiled.total, strict=True
        ):
            cap = total[shape.places]
            taken = cap - free[shape.places] + size
            full = -(-1000 * taken // np.maximum(cap, 1))
            np.maximum(fills, full, out=fills, where=cap > 0)
        lowest = max(lowest, int(fills.min()))
    return lowest


class _Levelling:
    """``placement``: the best so far; ``lowest``: no fill is below."""

    def __init__(
        self, compiled: Compiled, start: Ints, deadline: float, seed: int
    ) -> None:
        self.placement = start
        self.lowest = least(compiled)
        self._highest = amounts.objective(compiled, start)
        self._compiled = compiled
        self._deadline, self._seed = deadline, seed

    def narrow(self, way: Callable[[Compiled], Verdict]) -> None:
        """Look for lower fills, then for more that are ruled out.

        What a way cannot tell is taken for too low first, to get to a plan,
        and then for possible, to get to a proof.
        """
        doubtful = self._highest
        floor = self.lowest
        while floor < self._highest:
            middle = (floor + self._highest) // 2
            verdict = self._judge(middle, way)
            if verdict is Verdict.UNKNOWN:
                doubtful = min(doubtful, middle)
            if verdict is not Verdict.FOUND:
                floor = middle + 1
        ceiling = min(doubtful, self._highest)
        while self.lowest < ceiling:
            middle = (self.lowest + ceiling) // 2
            if self._judge(middle, way) is not Verdict.NONE:
                ceiling = min(middle, self._highest)

    def _judge(self, fill: int, way: Callable[[Compiled], Verdict]) -> Verdict:
        """Ask for a placement with that fill; keep what comes of it."""
        if time.monotonic() > self._deadline:
            return Verdict.UNKNOWN
        verdict = way(capped(self._compiled, fill))
        if verdict is Verdict.NONE:
            self.lowest = max(self.lowest, fill + 1)
        return verdict

    def at_once(self, problem: Compiled) -> Verdict:
        """Place the largest bundles first, or see by blocks that none can."""
        if problem.stuck():
            return Verdict.NONE
        contracted = contract.contract(problem)
        if contracted.contradiction is not None:
            return Verdict.NONE
        found = greedy.place(
            problem,
            contracted,
            deadline=max(self._deadline - time.monotonic(), 0.0),
            seed=self._seed,
            trouble=TROUBLE,
        )
        if found.is_whole and self._has(found.placement):
            return Verdict.FOUND
        frame = framing.Frame.of(problem, contracted)
        if frame.n_pairs > COUNTABLE:
            return Verdict.UNKNOWN
        if refutation.refute(frame, self._deadline, self._seed, GLANCE):
            return Verdict.NONE
        return Verdict.UNKNOWN

    def by_counts(self, problem: Compiled) -> Verdict:
        now = time.monotonic()
        found = attempts.place(
            problem,
            contract.contract(problem),
            now + max(self._deadline - now, 0.0) * SHARE,
            self._seed,
        )
        if isinstance(found, refutation.Proof):
            return Verdict.NONE
        if found is not None and self._has(found):
            return Verdict.FOUND
        return Verdict.UNKNOWN

    def _has(self, placement: Ints) -> bool:
        """Keep the placement if it is valid and better."""
        if not amounts.is_valid(self._compiled, placement):
            return False
        fill = amounts.objective(self._compiled, placement)
        if fill >= self._highest:
            return False
        self.placement, self._highest = placement, fill
        return True
