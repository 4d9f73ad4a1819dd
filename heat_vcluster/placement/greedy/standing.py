# SPDX-License-Identifier: Apache-2.0
"""Who stands where in a search, and who has to move to make room there."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags, Floats, Ints
from heat_vcluster.placement.greedy.state import Item, State

PLACE = -1  # a scope below that of the host: the very place
# What it costs more to move who finds no other place as things stand.
STUCK = 20.0
# Items of a root that moves as a whole, at the most.
MOVABLE = 6


@dataclasses.dataclass(eq=False, slots=True)
class Node:
    """A bundle and the bundles in it; a leaf has one item.

    ``scope`` is that at which all of it shares a domain. A node that is
    only ``wished`` may be taken apart; ``otherwise`` it is what rules want
    alone.
    """

    scope: int
    items: tuple[Item, ...]
    parts: tuple[Node, ...] = ()
    wished: bool = False
    weight: float = 0.0  # how hard it is to place: the hardest come first
    sign: Hashable = None  # what has the same fails where it fails
    otherwise: Node | None = None

    @property
    def shape(self) -> Hashable:
        """The kinds of its items, and the bundles that they are in."""
        if not self.parts:
            return self.items[0].kind
        return self.scope, *(part.shape for part in self.parts)

    @property
    def key(self) -> int:
        """The number of its first item, which no other root has."""
        return self.items[0].number


class Standing:
    """The roots that have a place, and what it costs to move each.

    That is for each item one and as much as the root has made trouble so
    far. All that is told of many items at once is by item number.
    """

    def __init__(self, state: State, *, apart: bool) -> None:
        """``apart``: who has to move never takes the rest of his root along.

        Else small roots move as a whole, and have more places to go to
        then; large ones would take too much with them.
        """
        count = len(state.items)
        self._state = state
        self._apart = apart
        self._roots: dict[int, Node] = {}
        self._key_of = np.full(count, UNKNOWN, np.int64)
        self._size = np.zeros(count, np.int64)  # by key
        self._trouble = np.zeros(count, np.int64)  # by key
        # Item number -> the scope of what it must not leave alone.
        self._home = np.full(count, UNKNOWN, np.int64)
        self._kind_of = np.array([i.kind for i in state.items], np.int64)
        self.total = 0  # trouble made by all
        # Item number -> its place, as it was when last looked at.
        self.was = np.full(count, UNKNOWN, np.int64)

    def complain(self, root: Node) -> None:
        """Note that the root has made trouble once more."""
        self._trouble[root.key] += 1
        self.total += 1

    def trouble(self, root: Node) -> int:
        """Return how often the root has made trouble."""
        return int(self._trouble[root.key])

    def trouble_of(self, number: int) -> int:
        """Return how often the root of an item has made trouble."""
        return int(self._trouble[self._key_of[number]])

    def add(self, root: Node) -> None:
        self._roots[root.key] = root
        self._size[root.key] = len(root.items)
        for item in root.items:
            self._key_of[item.number] = root.key
            self._home[item.number] = root.scope if root.parts else UNKNOWN

    def remove(self, items: Iterable[Item]) -> None:
        for item in items:
            self._key_of[item.number] = UNKNOWN

    def __contains__(self, number: int) -> bool:
        """Tell whether it stands; UNKNOWN, of who is pinned, is no item."""
        return number != UNKNOWN and bool(self._key_of[number] != UNKNOWN)

    def root(self, number: int) -> Node:
        """Return the root of an item that stands."""
        return self._roots[int(self._key_of[number])]

    def roots_of(self, items: Iterable[Item]) -> list[Node]:
        keys = dict.fromkeys(int(self._key_of[i.number]) for i in items)
        return [self._roots[key] for key in keys]

    # -- where ----------------------------------------------

    def look(self, scope: int) -> View:
        """Return who stands in which domain at this moment."""
        numbers = np.flatnonzero(self._key_of != UNKNOWN)
        places = self._state.places_of(numbers)
        self.was[numbers] = places
        if scope == PLACE:
            domains, count = places, self._state.compiled.n_places
        else:
            domains = self._state.compiled.domain[scope][places]
            count = self._state.compiled.n_domains[scope]
        return View(self, numbers, domains, count)

    def cost(self, numbers: Ints, domains: Ints, count: int) -> Floats:
        """Return, by domain, what it costs to clear it of these items."""
        known = domains != UNKNOWN
        keys, domains = self._key_of[numbers[known]], domains[known]
        price = 1 + self._trouble[keys]
        if not self._apart:
            whole = self._size[keys] <= MOVABLE
            # Of a root that moves as a whole the first item pays for all.
            code = domains * len(self._key_of) + keys
            _, first = np.unique(code[whole], return_index=True)
            pays = np.zeros(len(keys), np.bool_)
            pays[np.flatnonzero(whole)[first]] = True
            price[whole] *= np.where(pays, self._size[keys], 0)[whole]
        return np.bincount(domains, weights=price, minlength=count).astype(
            np.float64
        )

    def loads(self, numbers: Ints, places: Ints) -> Floats:
        """Return, by place, what it costs to move all who stand there."""
        price = 1.0 + self._trouble[self._key_of[numbers]]
        price[self._is_stuck(numbers, places)] += STUCK
        count = self._state.compiled.n_places
        return np.bincount(places, weights=price, minlength=count).astype(
            np.float64
        )

    def _is_stuck(self, numbers: Ints, places: Ints) -> Flags:
        """Tell who would find no other place where they might go."""
        state = self._state
        stuck = np.zeros(len(numbers), np.bool_)
        homes, kinds = self._home[numbers], self._kind_of[numbers]
        for kind in np.unique(kinds).tolist():
            here = np.flatnonzero(kinds == kind)
            fits = state.kind(state.items[int(numbers[here[0]])])
            if not fits.counts(0).any() and not fits.fits.any():
                stuck[here] = True
                continue
            for scope in np.unique(homes[here]).tolist():
                if scope != UNKNOWN:
                    those = here[homes[here] == scope]
                    domains = state.compiled.domain[scope][places[those]]
                    stuck[those] = fits.counts(scope)[domains] == 0
        return stuck

    def cheapest(self, numbers: Iterable[int]) -> list[Item]:
        """Return these items, those that it costs the least to move first."""
        found = sorted(
            numbers, key=lambda n: (int(self._trouble[self._key_of[n]]), n)
        )
        return [self._state.items[number] for number in found]

    def moving(self, numbers: Iterable[int]) -> list[Item]:
        """Return what has to move with these items."""
        items = {n: self._state.items[n] for n in numbers if n in self}
        if not self._apart:
            for root in self.roots_of(list(items.values())):
                if len(root.items) <= MOVABLE:
                    items.update((item.number, item) for item in root.items)
        return list(items.values())


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """Who stands in which domain at one scope: arrays of equal length."""

    standing: Standing
    numbers: Ints  # of the items
    domains: Ints
    count: int  # of domains at that scope

    def price(self) -> Floats:
        """Return, by domain, what it costs to clear it."""
        return self.standing.cost(self.numbers, self.domains, self.count)

    def inside(self, domain: int) -> list[int]:
        """Return the items there that have not lost their places since."""
        found: list[int] = self.numbers[self.domains == domain].tolist()
        return [number for number in found if number in self.standing]
