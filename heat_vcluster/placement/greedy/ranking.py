# SPDX-License-Identifier: Apache-2.0
"""How good places are for an item, as things stand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement.columns import Flags, Ints
from heat_vcluster.placement.greedy.state import Item, State
from heat_vcluster.placement.numbers import amounts

# So many kinds are spared their places where room is scarce, those with the
# least of them,
RIVALS = 8
# ... and that is worth so much, beside how well the item itself fits.
LOSS = 5.0


class Ranking:
    """Ranks places for items: the less the better.

    ``scarcity`` and ``at_first`` are by item kind (see ``Forest`` and
    ``Prospects``). ``fills``: hosts are filled up, the roomiest first if
    ``roomy``; else load is spread. ``sparing``: nobody takes the places of
    others if there is another place.
    """

    def __init__(
        self,
        state: State,
        scarcity: Mapping[int, float],
        at_first: Mapping[int, Flags],
        *,
        fills: bool,
        roomy: bool,
        sparing: bool,
    ) -> None:
        self._state, self._compiled = state, state.compiled
        self._scarcity, self._at_first = scarcity, at_first
        self._fills, self._roomy = fills, roomy
        # By place: who stands there would have to move.
        self.reluctance: npt.NDArray[np.float64] | None = None
        self._per_total = [
            1.0 / np.maximum(total, 1) for total in state.compiled.total
        ]
        self._rivals = self._scarcest() if sparing else ()

    def _scarcest(self) -> tuple[Item, ...]:
        """Return one item of each kind for which room on hosts is scarce."""
        kinds = {i.kind: i for i in self._state.items if i.is_anchored}
        scarce = sorted(kinds, key=lambda kind: -self._scarcity[kind])
        return tuple(kinds[kind] for kind in scarce[:RIVALS])

    @property
    def is_by_cost(self) -> bool:
        """Whether nothing that ranks places outweighs what rules charge."""
        is_at_rest = self.reluctance is None
        return is_at_rest and not self._rivals and not self._state.alone

    def of(self, item: Item, places: Ints) -> npt.NDArray[np.float64]:
        """Return how good each place is: the less the better."""
        state = self._state
        if not item.is_anchored:
            left = state.pool_free[places - self._compiled.n_hosts]
            rank = left.astype(np.float64)
        else:
            rank = self.of_hosts(item, places)
        if self._compiled.soft:
            rank = rank + 1000.0 * state.cost(item, places)
        if state.alone:
            rank = rank + state.openings(item, places)
        if self.reluctance is not None:
            rank = rank + 1e4 * self.reluctance[places]
        return rank

    def of_hosts(self, item: Item, places: Ints) -> npt.NDArray[np.float64]:
        state = self._state
        rank = np.zeros(len(places), np.float64)
        for amount, free, per_total in zip(
            item.size, state.free, self._per_total, strict=True
        ):
            if amount:
                left = (free[places] - amount) * per_total[places]
                if self._fills:
                    rank += left
                else:
                    rank = np.maximum(rank, 1 - left)
        if self._fills:
            in_use = state.in_use[places]
            if self._roomy:
                rank[~in_use] *= -1.0
            rank[in_use] -= 100.0
        for rival in self._rivals:
            rank = rank + self._loss(rival, item, places)
        return rank

    def _loss(
        self, rival: Item, item: Item, hosts: Ints
    ) -> npt.NDArray[np.float64]:
        """Return how much the rival's kind would miss the item's place.

        So many fewer of them fit there, each counted by how scarce room for
        it is.
        """
        free = [column[hosts] for column in self._state.free]
        span = np.arange(len(hosts))
        before = amounts.slots(rival.size, free, span)
        for column, amount in zip(free, item.size, strict=True):
            column -= amount
        after = np.maximum(amounts.slots(rival.size, free, span), 0)
        scarcity = min(self._scarcity[rival.kind], 1.0)
        may = self._at_first[rival.kind][hosts]
        lost = (before - after).astype(np.float64)
        return np.where(may, LOSS * scarcity**4 * lost, 0.0)
