# SPDX-License-Identifier: Apache-2.0
"""The search by counts: a placement for members as they were counted.

What the counts say can be is tried with the members themselves; where these
find no room, it is counted otherwise, or down to single hosts.
"""

from __future__ import annotations

import collections
import functools
import time
from collections.abc import Collection, Iterable

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import (
    casting,
    framing,
    likeness,
    refutation,
    solving,
    sorting,
    tally,
)
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import linear

CUTS = 20  # times that members who found no room together are told apart
ATTEMPTS = 40  # times that blocks are opened before it is given up
SMALL = 30_000  # pairs of kind and place for which all is opened at once
MOMENT = 1.0  # seconds for what is to be found at once
FINENESS = (6_000, 60_000)  # ... that telling small rules apart may cost


def place(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
    start: Ints | None = None,
) -> Ints | refutation.Proof | None:
    """Find a placement that obeys all hard rules; soft ones play no part.

    Counts by block come first; blocks whose members then find no room
    together are opened, so that the counts see their hosts. None: not found
    before ``deadline``, or given up. ``start``: a placement of some of them,
    near to which is looked first.
    """
    if contracted.contradiction is not None or compiled.stuck():
        return refutation.Proof()
    for few in FINENESS:
        kinds = likeness.Likeness(compiled, contracted, few=few)
        attempts = _Attempts(contracted, kinds, deadline, seed, start)
        found = attempts.glance()
        if found is None and few == FINENESS[0]:
            coarse = likeness.coarser(kinds, contracted)
            if coarse is not None:
                found = _Attempts(
                    contracted, coarse, deadline, seed, start
                ).glance()
        if found is None:
            found = attempts.found()
        is_last = not kinds.is_coarse or time.monotonic() > deadline
        if found is not None or is_last:
            return found
    return None


def place_at_once(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> Ints | refutation.Proof | None:
    """Do as ``place`` if counts are found without effort.

    None: they are not, or no members for them within ``MOMENT`` seconds.
    """
    kinds = likeness.Likeness(compiled, contracted, few=FINENESS[0])
    ends = min(deadline, time.monotonic() + MOMENT)
    return _Attempts(contracted, kinds, ends, seed, None).at_once()


class _Attempts:
    """Counts of one fineness, tried until members can be found for them."""

    def __init__(
        self,
        contracted: contract.Contracted,
        kinds: likeness.Likeness,
        deadline: float,
        seed: int,
        start: Ints | None,
    ) -> None:
        self._start = start
        self._contracted = contracted
        self._frame = framing.Frame(kinds)
        self._caster = casting.Casting(self._frame, contracted)
        self._deadline, self._seed = deadline, seed
        self._everything = set(range(self._frame.n_blocks))
        self._opened: set[int] = set()
        is_small = self._frame.n_pairs <= SMALL
        self._open(self._everything if is_small else ())

    def _open(self, blocks: Iterable[int]) -> None:
        """Count single hosts in these, too."""
        self._opened.update(blocks)
        self._outcome = linear.UNSOLVED
        self._cast = casting.Cast()
        vars(self).pop('_counts', None)

    @functools.cached_property
    def _counts(self) -> tally.Tally:
        counts = tally.Tally(self._frame, sorted(self._opened))
        if self._start is not None and not counts.impossible:
            counts.suggest(self._start)
        return counts

    def glance(self) -> Ints | refutation.Proof | None:
        """Look for a placement, or the proof of none, for a moment."""
        if self._opened and self._frame.n_pairs > solving.SMALLISH:
            return None
        if not self._counts.impossible:
            self._outcome = solving.look(
                self._counts.program, self._deadline, self._seed
            )
        return self._read()

    def at_once(self) -> Ints | refutation.Proof | None:
        """Look for a placement as long as counts are found plainly."""
        if not self._counts.impossible:
            self._outcome = solving.look_plainly(
                self._counts.program, self._deadline, self._seed
            )
        found = self._read()
        if found is None and self._outcome.values is not None:
            found = self._found_otherwise()
        return found

    def found(self) -> Ints | refutation.Proof | None:
        """Look for it on, after a glance, until all that can be is opened."""
        for attempt in range(ATTEMPTS):
            if time.monotonic() > self._deadline:
                return None
            if attempt:
                self._seed += 1
                found = self.glance()
                if found is not None:
                    return found
            if self._outcome.values is None:
                self._outcome = solving.persist(
                    self._counts.program, self._deadline, self._seed
                )
                found = self._read()
                if found is not None or self._outcome.values is None:
                    return found
            more = self._cast.failed.keys() - self._opened
            if not more:
                found = self._found_otherwise()
                all_are_open = self._opened == self._everything
                if (
                    found is not None
                    or all_are_open
                    or self._frame.n_pairs > refutation.COUNTABLE
                ):
                    return found
                more = self._everything
            self._open(more)
        return None

    def _read(self) -> Ints | refutation.Proof | None:
        """Return what the counts say, if they do and members are found."""
        if (
            self._counts.impossible
            or self._outcome.status is linear.Status.NONE
        ):
            return refutation.Proof()
        if self._outcome.values is None:
            return None
        self._cast = self._caster.cast(
            self._counts, self._outcome.values, self._deadline, self._seed
        )
        whole = self._cast.whole
        if whole is None or not amounts.is_valid(self._frame.compiled, whole):
            return None
        return whole

    def _found_otherwise(self) -> Ints | None:
        """Look for a placement near counts that none was found for."""
        values = self._outcome.values
        assert values is not None  # noqa: S101
        found = self._count_otherwise(self._counts, values, self._seed)
        if found is not None:
            return found
        reach = self._caster.reach(self._counts, values)
        return sorting.sort_out(
            self._frame.compiled, reach, self._deadline, self._seed
        )

    def _count_otherwise(
        self, counts: tally.Tally, values: Ints, seed: int
    ) -> Ints | None:
        """Count again, but for what found no room together, a few times.

        The volumes that nothing ties are placed when all others have a
        place: counts say too little of which of them goes where.
        """
        caster = self._caster.without_strays()
        for _ in range(CUTS):
            cast = caster.cast(counts, values, self._deadline, seed)
            if cast.whole is not None:
                return self._strays_last(caster, cast.whole, seed)
            if not cast.failed or not all(
                self._forbid(counts, *failed) for failed in cast.failed.items()
            ):
                return None
            # What is none now is no proof: others might take the same room.
            outcome = solving.solve(counts.program, self._deadline, seed)
            if outcome.values is None:
                return None
            values = outcome.values
        return None

    def _forbid(
        self, counts: tally.Tally, block: int, members: Collection[int]
    ) -> bool:
        """Let those who found no room together not be counted there again.

        Not all of their bundles at the narrowest scope, that is, or others
        like them. False: no domains are told apart at that scope.
        """
        frame = self._frame
        if 1 not in frame.seen or 1 not in frame.likeness.scopes:
            return False
        place = int(np.argmax(frame.block_of == block))
        domain = int(frame.compiled.domain[1][place])
        if domain == UNKNOWN:
            return False
        bundle_of = self._contracted.bundle_of[1]
        kind_at = frame.likeness.kind_at[1]
        bundles = {int(bundle_of[m]) for m in members}
        many = collections.Counter(kind_at[bundle] for bundle in bundles)
        counts.forbid(1, domain, many)
        return True

    def _strays_last(
        self, caster: casting.Casting, placement: Ints, seed: int
    ) -> Ints | None:
        """Place those whom the caster left out, when others have a place."""
        compiled = self._frame.compiled
        strays = {
            member: compiled.places(member).tolist()
            for member in np.flatnonzero(
                self._caster.present & ~caster.present
            ).tolist()
        }
        if strays:
            return sorting.sort_out(
                compiled, strays, self._deadline, seed, placement
            )
        return placement if amounts.is_valid(compiled, placement) else None
