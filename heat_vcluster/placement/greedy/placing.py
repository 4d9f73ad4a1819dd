# SPDX-License-Identifier: Apache-2.0
"""A bundle is given places: a domain, what is in it a narrower one, hosts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement.columns import Ints, by_domain
from heat_vcluster.placement.greedy.prospects import EVERYWHERE, Prospects
from heat_vcluster.placement.greedy.ranking import Ranking
from heat_vcluster.placement.greedy.standing import PLACE, Node
from heat_vcluster.placement.greedy.state import Item, State

# So many steps are taken to fill one domain with what shares it.
NODES = 200
# Of more places than these a sample is looked at first; one that is four
# times as large for who has wishes.
MANY = 2500


class OutOfTime(Exception):
    """The deadline has passed."""


class Placing:
    """Places nodes, and takes them away again.

    ``ends``: when ``OutOfTime`` is raised, as of ``time.monotonic``.
    """

    def __init__(
        self,
        state: State,
        prospects: Prospects,
        ranking: Ranking,
        ends: float,
        *,
        fills: bool,
    ) -> None:
        self.ends = ends
        self._state, self._compiled = state, state.compiled
        self._prospects, self._ranking = prospects, ranking
        self._fills = fills
        self._nodes = 0
        self._inside = [
            by_domain(column, count)
            for column, count in zip(
                state.compiled.domain, state.compiled.n_domains, strict=True
            )
        ]
        self._largest = [
            int(free.max()) if len(free) else 0 for free in state.compiled.free
        ]

    def look_at_the_clock(self) -> None:
        if time.monotonic() > self.ends:
            raise OutOfTime

    def place(self, node: Node, within: tuple[int, int]) -> bool:
        """Place all of the node in the domain, or nothing of it."""
        if not node.parts:
            return self.place_item(node.items[0], within)
        self.look_at_the_clock()
        if within[0] == node.scope:
            return self._place_parts(node, within)
        for domain in self._prospects.domains(node, within):
            if self._place_parts(node, (node.scope, domain)):
                return True
        return False

    def _place_parts(self, node: Node, within: tuple[int, int]) -> bool:
        """Place all parts in one domain, or none."""
        if all(not part.parts for part in node.parts):
            self._nodes = NODES
            order = sorted(node.items, key=self.bulk)
            is_placed = self._fill(order, 0, within)
        else:
            is_placed = self._place_in_turn(node, within)
        if not is_placed and node.sign is not None:
            self._prospects.dead_ends.fail(node.scope, node.sign, within[1])
        return is_placed

    def bulk(self, item: Item) -> tuple[float, ...]:
        """Sort the largest first, by the resource it is largest in."""
        if not item.is_anchored:
            return (-2.0, -float(self._compiled.size(item.volumes[0])[0]))
        shares = [
            amount / max(self._largest[r], 1)
            for r, amount in enumerate(item.size)
        ]
        return (-max(shares), -sum(shares), item.kind)

    def _fill(
        self, items: Sequence[Item], index: int, within: tuple[int, int]
    ) -> bool:
        """Place the items from ``index`` on: depth first, within limits."""
        if index == len(items):
            return True
        item = items[index]
        for place_ in self._ways(item, within):
            self._nodes -= 1
            if not self._state.put(item, place_):
                continue
            if self._fill(items, index + 1, within):
                return True
            self._state.undo(item)
            if self._nodes <= 0:
                return False
        return False

    def _ways(self, item: Item, within: tuple[int, int]) -> Iterator[int]:
        """Give the places in there that no rule forbids, by rank."""
        beside = self._beside(item, within)
        if beside is not None:
            yield beside
        places = self._candidates(item, within)
        if len(places):
            places = places[self._state.allowed(item, places)]
        if len(places):
            for place_ in self._choices(item, places):
                if place_ != beside:
                    yield place_

    def _beside(self, item: Item, within: tuple[int, int]) -> int | None:
        """Return the best place in there, if it shows beside its mates.

        That is, by those it is to be near: where it costs nothing that they
        do not cost already, no other place costs as little. There is no need
        to look at all of a wide domain then. None: it does not show.
        """
        state = self._state
        wide = within[0]
        if wide <= 1 or not item.is_anchored or not self._ranking.is_by_cost:
            return None
        scope, domain, floor = state.mates(item)
        if (
            scope >= wide
            or self._prospects.above(scope, domain, wide) != within[1]
        ):
            return None
        places = self._candidates(item, (scope, domain))
        places = places[state.allowed(item, places)]
        if not len(places):
            return None
        places = places[state.cost(item, places) <= floor]
        if not len(places):
            return None
        return int(places[np.argmin(self._ranking.of_hosts(item, places))])

    def _choices(self, item: Item, places: Ints) -> Iterator[int]:
        """Give the places by rank; of those quite alike only the first."""
        rank = self._ranking.of(item, places)
        seen = set()
        for index in _in_order(rank):
            place_ = int(places[index])
            if item.is_anchored and not item.volumes:
                key = (
                    rank[index],
                    *(int(free[place_]) for free in self._state.free),
                )
                if key in seen:
                    continue
                seen.add(key)
            yield place_

    def _place_in_turn(self, node: Node, within: tuple[int, int]) -> bool:
        """Try the parts in order; what fails goes first, a few times."""
        parts = list(node.parts)
        for _ in range(min(len(parts), 4)):
            done = []
            failed = None
            for part in parts:
                if self.place(part, within):
                    done.append(part)
                else:
                    failed = part
                    break
            if failed is None:
                return True
            for part in done:
                self.take(part)
            if parts[0] is failed:
                return False
            parts.remove(failed)
            parts.insert(0, failed)
        return False

    def take(self, node: Node) -> None:
        for item in node.items:
            if self._state.is_placed(item):
                self._state.take(item)

    def place_item(self, item: Item, within: tuple[int, int]) -> bool:
        for places, enough in self._offers(item, within):
            places = places[self._state.allowed(item, places)]
            if not len(places):
                continue
            rank = self._ranking.of(item, places)
            best = int(np.argmin(rank))
            if rank[best] > enough:
                continue
            if self._state.put(item, int(places[best])):
                return True
        return any(
            self._state.put(item, place_)
            for place_ in self._choices(item, places)
        )

    def _offers(
        self, item: Item, within: tuple[int, int]
    ) -> Iterator[tuple[Ints, float]]:
        """Give places to choose from, and what rank is good enough there.

        Where there are very many, it is a waste to look at all; but a host
        that is kept for the item is not to be missed.
        """
        places = self._candidates(item, within)
        is_kept = (item.number, 0) in self._state.kept
        many = MANY * (1 + 3 * self._state.has_wishes(item))
        if len(places) > many and item.is_anchored and not is_kept:
            if self._fills:
                yield self._in_use(places, within, item), 0.0
            yield places[:: len(places) // many + 1], np.inf
        yield places, np.inf

    def _in_use(
        self, places: Ints, within: tuple[int, int], item: Item
    ) -> Ints:
        """Return which of these, the item's candidates, are in use."""
        in_use = self._state.in_use
        if within != EVERYWHERE:
            return places[in_use[places]]
        hosts = np.flatnonzero(in_use)
        return hosts[self._state.kind(item).fits[hosts]]

    def _candidates(self, item: Item, within: tuple[int, int]) -> Ints:
        kind = self._state.kind(item)
        fits = kind.fits
        if within == EVERYWHERE:
            return kind.places
        if within[0] == PLACE:
            return np.array([within[1]] if fits[within[1]] else [], np.int64)
        inside = self._inside[within[0]][within[1]]
        return inside[fits[inside]]


def _in_order(rank: npt.NDArray[np.float64]) -> Iterator[int]:
    """Give the indices by rank; all are sorted only if one does not do."""
    if len(rank):
        yield int(np.argmin(rank))
        yield from np.argsort(rank, kind='stable')[1:].tolist()
