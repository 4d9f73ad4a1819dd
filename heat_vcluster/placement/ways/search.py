# SPDX-License-Identifier: Apache-2.0
"""A problem on its way to a verdict: what is known of it so far.

The ways share this: what each found, and what of it is kept for the next.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence

from heat_vcluster.placement import model
from heat_vcluster.placement.columns import Ints
from heat_vcluster.placement.counting import framing, refutation
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers.remainder import Index

# In so many domains, and one more for so many members, it is tried to make
# room before a proof is looked for.
HASTE = 5
MEMBERS = 16
# Hosts up to which the proof is looked for before: it takes less there,
SOON = 3000
# ... unless of each member there are more shapes than so many: where hardly
# any are alike, room is made as long as seems worth it.
ALIKE = 0.5
# Deterministic seconds for the first proof by counts: most take less.
GLANCE = 0.01


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with the placement and what bounds it."""

    verdict: model.Verdict
    placement: Ints | None = None
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)


INFEASIBLE = Outcome(model.Verdict.INFEASIBLE)
UNKNOWN_YET = Outcome(model.Verdict.UNKNOWN)


class Search:
    """One problem on its way to a verdict and a plan.

    ``seconds`` maps what was done to when, since the start; ``tried`` says
    it to people. ``found`` is the placement with the least left over, and
    ``brimmed`` one that fills hosts to the brim, if that was tried.
    """

    found: greedy.Found
    contracted: contract.Contracted

    def __init__(
        self,
        compiled: numbers.Compiled,
        ways: Sequence[Way],
        ends: float,
        seed: int,
        began: float | None = None,
        haste: int = HASTE,
    ) -> None:
        self.compiled = compiled
        self.ways = ways
        self.haste = haste
        self.ends = ends
        self.seed = seed
        self._began = time.monotonic() if began is None else began
        self.pairs = compiled.n_pairs
        self.is_counted = self.is_sparing = False
        self.brimmed: greedy.Found | None = None
        self.seconds: dict[str, float] = {}
        self.tried: list[str] = []

    def decide(self) -> Outcome:
        """Find any plan, or prove that there is none."""
        self.note('compiled')
        if self.compiled.stuck():
            return INFEASIBLE
        self.contracted = contract.contract(self.compiled)
        if self.contracted.contradiction is not None:
            return INFEASIBLE
        for way in self.ways:
            if self.tried and not self.left():
                break
            outcome = way(self)
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        return UNKNOWN_YET

    def rest(self, compiled: numbers.Compiled, seconds: float) -> Search:
        """Return the search of a problem that is a part of this one."""
        return Search(
            compiled,
            self.ways,
            time.monotonic() + seconds,
            self.seed,
            haste=self.haste,
        )

    # -- time and words -----------------------------------------

    def note(self, what: str) -> None:
        self.seconds.setdefault(what, time.monotonic() - self._began)

    def left(self) -> float:
        return max(self.ends - time.monotonic(), 0.0)

    # -- what the problem looks like ----------------------------

    @functools.cached_property
    def index(self) -> Index:
        return Index(self.compiled)

    @functools.cached_property
    def frame(self) -> framing.Frame:
        return framing.Frame.of(self.compiled, self.contracted)

    @property
    def is_large(self) -> bool:
        """Whether room is made before a proof is looked for."""
        return self.compiled.n_hosts > SOON

    @property
    def are_alike(self) -> bool:
        """Whether there are few kinds of members to be counted."""
        n_members = len(self.compiled.members)
        return len(self.compiled.shapes) <= ALIKE * n_members

    @property
    def trouble(self) -> int:
        """In how many domains it is tried to make room in haste."""
        if not self.haste or not self.is_large:
            return 0
        return self.haste + len(self.compiled.members) // MEMBERS

    # -- what was found -----------------------------------------

    def place(
        self,
        trouble: int | None,
        turn: int = 0,
        sparing: bool = False,
        gentle: int = greedy.GENTLE,
        brims: bool = False,
        compiled: numbers.Compiled | None = None,
    ) -> greedy.Found:
        """Place the largest bundles first; ``compiled``: a part of it all."""
        return greedy.place(
            self.compiled if compiled is None else compiled,
            self.contracted,
            deadline=self.left(),
            seed=self.seed + turn,
            trouble=trouble,
            sparing=sparing,
            gentle=gentle,
            brims=brims,
        )

    def keep(self, found: greedy.Found) -> None:
        """Have it if less is missing."""
        if self.is_done(found):
            self.found = found
        else:
            self.found = min(self.found, found, key=missing)

    def is_done(self, found: greedy.Found) -> bool:
        return found.is_whole and amounts.is_valid(
            self.compiled, found.placement
        )

    def is_refuted(self, effort: float | None) -> bool:
        return refutation.refute(self.frame, self.ends, self.seed, effort)

    # -- what is answered ---------------------------------------

    def placed(self) -> Outcome:
        """Return what there is if nobody is left over."""
        if self.is_done(self.found):
            return self.first(self.found.placement)
        return UNKNOWN_YET

    def valid(self, placement: Ints | None) -> Outcome:
        """Return the placement if there is one and it is right."""
        if placement is None or not amounts.is_valid(self.compiled, placement):
            return UNKNOWN_YET
        return self.first(placement)

    def first(self, placement: Ints) -> Outcome:
        self.note('first_plan')
        return Outcome(model.Verdict.FEASIBLE, placement)


Way = Callable[[Search], Outcome]


def missing(found: greedy.Found) -> int:
    """Return how many members have no place, or rules are not obeyed."""
    return sum(map(len, found.left)) + len(found.unmet)
