# SPDX-License-Identifier: Apache-2.0
"""The fast way to a first plan: widest bundles first, the hardest first.

Bundles get a domain at their scope, and what is in them a narrower one, down
to hosts. What finds no place makes room: a domain is cleared of what stands
in the way, and those are placed again. It finds most plans in milliseconds
and proves nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.greedy import making_room, seclusion
from heat_vcluster.placement.greedy.forest import Forest
from heat_vcluster.placement.greedy.placing import OutOfTime, Placing
from heat_vcluster.placement.greedy.prospects import EVERYWHERE, Prospects
from heat_vcluster.placement.greedy.ranking import Ranking
from heat_vcluster.placement.greedy.standing import Node, Standing
from heat_vcluster.placement.greedy.state import State, Tally
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers

# So often, and once more for every second bundle, room is made by moving.
TROUBLE = 40
GENTLE = making_room.GENTLE
# Parts of one item that come at once can be too many for these.
MET_AT_ONCE = (constraints.AtMost, constraints.Lost)


def place(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    *,
    deadline: float,
    seed: int = 0,
    trouble: int | None = None,
    sparing: bool = False,
    gentle: int = GENTLE,
    brims: bool = False,
    roomy: bool = False,
) -> Found:
    """Place what can be placed so that no hard clause forbids it.

    ``deadline`` in seconds. Room is made for bundles in so many domains as
    ``trouble`` says, all attempts counted; None: as often as seems worth it.
    ``sparing``: for where room is scarce. No wish ties bundles then, those
    that must share a narrow domain come first, and nobody takes the places of
    others if there is another place. ``gentle``: for who has made trouble so
    often at the most as few move as will do; for others all of a domain.
    ``brims``: no host is left with a rest that nobody fills up. ``roomy``: if
    hosts are filled up, the roomiest come first. That something is left
    proves nothing.
    """
    ends = time.monotonic() + deadline
    fills = sparing or compiled.problem.objective == 'pack'
    fills = fills or brims
    search = _Greedy(
        compiled, contracted, ends, seed, sparing, fills, gentle, brims, roomy
    )
    kept = search.keep()
    found = search.run(kept, trouble)
    if found.is_whole or fills:
        return found
    # Spreading the load cuts room into pieces: where it is short, fill up.
    tight = _Greedy(
        compiled, contracted, ends, seed, sparing, fills=True, gentle=gentle
    )
    return min(found, tight.run(kept, trouble), key=_missing)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A placement, and who has none in it or breaks a rule as it stands.

    ``placement``: member -> place, UNKNOWN for those left. ``left`` has the
    bundles without a place, ``unmet`` the hard clauses that want more: they
    are obeyed by nothing that was put, only by what is still to come.
    ``trouble``: how often a bundle found no place, all told.
    """

    placement: Ints
    left: tuple[tuple[int, ...], ...]
    unmet: tuple[numbers.Clause, ...]
    trouble: int = 0
    search: _Greedy | None = None

    def go_on(
        self,
        deadline: float,
        trouble: int | None = None,
        gentle: int = GENTLE,
    ) -> Found | None:
        """Make room for those left, from what was found on.

        ``deadline``, ``trouble`` and ``gentle`` are as of ``place``. None:
        the search was cut off.
        """
        if self.search is None:
            return None
        return self.search.go_on(deadline, trouble, gentle)

    @property
    def is_whole(self) -> bool:
        return not self.left and not self.unmet


class _Greedy:
    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        ends: float,
        seed: int,
        sparing: bool,
        fills: bool,
        gentle: int,
        brims: bool = False,
        roomy: bool = False,
    ) -> None:
        self._compiled = compiled
        self._contracted = contracted
        self._sparing = sparing
        self._state = state = State(compiled, contracted, brims)
        self._forest = Forest(state, contracted, sparing=sparing)
        self._prospects = Prospects(state, fills=fills)
        ranking = Ranking(
            state,
            self._forest.scarcity,
            self._prospects.at_first,
            fills=fills,
            roomy=roomy,
            sparing=sparing,
        )
        self._placing = Placing(
            state, self._prospects, ranking, ends, fills=fills
        )
        self._room = making_room.Room(
            state,
            self._prospects,
            ranking,
            self._placing,
            gentle=gentle,
            seed=seed,
        )

    def keep(self) -> dict[tuple[int, int], int]:
        """Return the domains kept for them; none if time runs out."""
        with contextlib.suppress(OutOfTime):
            return seclusion.keep(
                self._state, self._contracted, self._forest.top, self._could_go
            )
        return {}

    def _could_go(self, party: seclusion.Party, domain: int) -> bool:
        """Tell whether all of the party could go there as things stand."""
        nodes = [
            self._forest.node(piece, party.scope) for piece in party.pieces
        ]
        within = party.scope, domain
        try:
            return all(self._placing.place(node, within) for node in nodes)
        finally:
            for node in nodes:
                self._placing.take(node)

    def run(
        self, kept: dict[tuple[int, int], int], trouble: int | None
    ) -> Found:
        self._state.kept = kept
        self._all = sorted(self._forest.roots(), key=lambda node: -node.weight)
        self._held = Standing(self._state, apart=self._sparing)
        self._prospects.dead_ends.close_narrow(
            self._all,
            lambda kind, scope: (
                self._prospects.places_at_first(kind, scope) > 0
            ),
        )
        self._prospects.crowd(self._all)
        if not self._sparing:
            # Of equal choice the hardest to place still come first.
            self._all.sort(key=lambda r: not self._prospects.has_hardly_any(r))
        return self._run(list(self._all), trouble)

    def go_on(
        self, deadline: float, trouble: int | None, gentle: int
    ) -> Found:
        self._placing.ends = time.monotonic() + deadline
        self._room.gentle, self._room.tried = gentle, 0
        return self._run(self._left, trouble)

    def _run(self, queue: list[Node], trouble: int | None) -> Found:
        left: list[Node] = []
        is_cut = False
        try:
            self._search(queue, left, trouble)
        except OutOfTime:
            # Who was to make room for others just now is in neither list.
            queue, is_cut = [], True
            left = [r for r in self._all if not self._is_placed(r)]
        self._left = [*left, *queue]
        return Found(
            self._state.where.copy(),
            tuple(
                tuple(m for i in node.items for m in (*i.servers, *i.volumes))
                for node in self._left
            ),
            tuple(tally.clause for tally in self._unmet()),
            self._held.total,
            None if is_cut else self,
        )

    def _is_placed(self, node: Node) -> bool:
        """Tell whether all members of the node have a place."""
        members = [m for i in node.items for m in (*i.servers, *i.volumes)]
        return bool(np.all(self._state.where[members] != UNKNOWN))

    def _search(
        self, queue: list[Node], left: list[Node], most: int | None
    ) -> None:
        held = self._held
        rooms = held.total + TROUBLE + len(queue) // 2
        while queue:
            self._placing.look_at_the_clock()
            root = queue.pop(0)
            if self._place_root(root, held):
                continue
            if root.wished:
                queue[:0] = [root.otherwise] if root.otherwise else root.parts
                continue
            held.complain(root)
            out = None
            if (
                held.total <= rooms
                if most is None
                else self._room.tried < most
            ):
                out = self._room.make(root, held)
            if out is None:
                left.append(root)
            else:
                queue.extend(sorted(out, key=lambda node: -node.weight))

    def _unmet(self) -> Iterator[Tally]:
        """Give the clauses that are not obeyed as things stand."""
        for tally in self._state.hard:
            if tally.kind is constraints.AtLeast and tally.used < tally.limit:
                yield tally
            if tally.kind is constraints.Level and len(tally.within):
                here = tally.count[tally.within]
                if int(here.max()) - int(here.min()) > tally.limit:
                    yield tally
            if tally.kind in MET_AT_ONCE and self._meet(tally.clause):
                yield tally

    def _meet(self, clause: numbers.Clause) -> bool:
        """Tell whether too many came at once, as parts of one item."""
        items = self._state.item_of[list(clause.members)]
        return len(np.unique(items)) < len(items) and bool(
            amounts.amount(self._compiled, clause, self._state.where)
        )

    def _place_root(self, root: Node, held: Standing) -> bool:
        if not self._placing.place(root, EVERYWHERE):
            return False
        held.add(root)
        return True


def _missing(found: Found) -> int:
    return len(found.left) + len(found.unmet)
