# SPDX-License-Identifier: Apache-2.0
"""Which items stand where, as whole bundles, for a search that moves them.

A *root* is a bundle at the widest scope, a tree of what must be together at
narrower ones; it has a place for all its items, or for none.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.greedy.state import Item, State
from heat_vcluster.placement.numbers import brim, contract
from heat_vcluster.placement.numbers import compiled as numbers

# How much more a bundle is worth than its items, by scope; and how much more
# an item is than its share of all that is asked: what is large, or must be
# together, fits least where others have left something.
CLOSENESS = 0.5
LARGENESS = 1.3
CHOOSINESS = 0.2
VOLUME = 30.0

# item -> the unit of a clause that each of its members in it belongs to
Roles = dict[int, tuple[int, ...]]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What shares a domain at a scope; ``leaves`` and ``parts`` are in it.

    ``leaves`` are items that no narrower bundle has.
    """

    scope: int
    leaves: tuple[int, ...]
    parts: tuple[Node, ...] = ()

    def items(self) -> Iterator[int]:
        yield from self.leaves
        for part in self.parts:
            yield from part.items()


class Board:
    """The items of a problem and where each is (``at``, UNKNOWN: nowhere).

    ``roots[r]`` lists items, ``tree[r]`` how they hang together (one item
    alone: a Node of scope 0), ``worth[r]`` how much it is to have it placed.
    ``clauses`` are the hard rules that bundles do not say, ``roles[c]`` who
    is in them; ``role[item]`` is equal for items that no rule tells apart.
    ``may[item]``: the places it may have. ``is_rigid[r]``: it stays where it
    is, as only other searches know its rules.
    """

    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        placement: Ints,
    ) -> None:
        self.compiled, self.contracted = compiled, contracted
        state = State(compiled, contracted, brims=True)
        assert state.brim is not None  # noqa: S101
        self.brim: brim.Brim = state.brim
        self.items = state.items
        self.top = len(compiled.scopes) - 1
        self.free = [column.copy() for column in compiled.free]
        self.pool_free = compiled.pool_free.copy()
        self.may = self._places(state)
        self._hang(state)
        self._find_roles(state)
        self.is_rigid = [self._moves_not(root) for root in self.roots]
        self.worth = self._weigh()
        self.at = [UNKNOWN] * len(self.items)
        self._before = placement
        for item in self.items:
            place = int(placement[self.first(item)])
            if place != UNKNOWN:
                self.put(item.number, place)
                for volume in item.volumes if item.is_anchored else ():
                    pool = int(placement[volume]) - compiled.n_hosts
                    self.pool_free[pool] -= compiled.size(volume)[0]

    @staticmethod
    def first(item: Item) -> int:
        return (*item.servers, *item.volumes)[0]

    def _places(self, state: State) -> list[Flags]:
        found: dict[int, Flags] = {}
        for item in self.items:
            if item.kind not in found:
                found[item.kind] = state.may(item) & state.room(item)
        return [found[item.kind] for item in self.items]

    # -- bundles -------------------------------------------------------------

    def _hang(self, state: State) -> None:
        self.roots: list[tuple[int, ...]] = []
        self.root_of = [UNKNOWN] * len(self.items)
        for members in self.contracted.bundles[self.top]:
            numbered = {int(state.item_of[m]) for m in members} - {UNKNOWN}
            if numbered:
                root = tuple(sorted(numbered))
                for number in root:
                    self.root_of[number] = len(self.roots)
                self.roots.append(root)
        self.tree = [self._node(root, self.top) for root in self.roots]

    def _node(self, root: Iterable[int], scope: int) -> Node:
        items = list(root)
        if len(items) == 1:
            return Node(0, tuple(items))
        narrower = self.contracted.bundle_of[scope - 1]
        parts: dict[int, list[int]] = {}
        for number in items:
            first = self.first(self.items[number])
            parts.setdefault(int(narrower[first]), []).append(number)
        if len(parts) == 1:
            return self._node(items, scope - 1)
        leaves = [p[0] for p in parts.values() if len(p) == 1]
        nodes = [
            self._node(p, scope - 1) for p in parts.values() if len(p) > 1
        ]
        return Node(scope, tuple(leaves), tuple(nodes))

    def _find_roles(self, state: State) -> None:
        self.clauses = [
            clause
            for clause in self.compiled.hard
            if clause.kind is not constraints.Together and clause.members
        ]
        self.clauses += self.contracted.loose
        self.roles: list[Roles] = []
        role: list[list[object]] = [[] for _ in self.items]
        self.rules_of: list[list[int]] = [[] for _ in self.items]
        for number, clause in enumerate(self.clauses):
            units: dict[int, list[int]] = {}
            for unit_number, unit in enumerate(clause.units):
                for member in unit:
                    item = int(state.item_of[member])
                    units.setdefault(item, []).append(unit_number)
            units.pop(UNKNOWN, None)
            self.roles.append({i: tuple(u) for i, u in units.items()})
            for item, mine in units.items():
                # Units of one member may be counted: any two are alike.
                signs = [u if len(clause.units[u]) > 1 else -1 for u in mine]
                role[item].append((number, tuple(sorted(signs))))
                self.rules_of[item].append(number)
        self.role = [tuple(signs) for signs in role]

    def _moves_not(self, root: tuple[int, ...]) -> bool:
        for number in root:
            item = self.items[number]
            if item.is_anchored and item.volumes:
                return True
            if any(
                self.clauses[rule].kind is constraints.Alone
                for rule in self.rules_of[number]
            ):
                return True
        return False

    def _weigh(self) -> list[int]:
        """Say what it is worth to have each root placed."""
        asked = self.brim.asked
        usable = max(1, int(self.brim.usable.sum()))
        n_hosts = self.compiled.n_hosts

        def alone(number: int) -> float:
            item = self.items[number]
            if not item.servers:
                return math.pow(VOLUME, LARGENESS)
            share: float = sum(
                amount / max(1, total)
                for amount, total in zip(item.size, asked, strict=True)
            ) / max(1, len(asked))
            places = max(1, int(self.may[number][:n_hosts].sum()))
            choosy = 1 + CHOOSINESS * math.log2(max(1, usable / places))
            return math.pow(100 * len(self.items) * share, LARGENESS) * choosy

        def whole(node: Node) -> float:
            worth = sum(map(alone, node.leaves)) + sum(map(whole, node.parts))
            return worth * (1 + CLOSENESS / node.scope if node.scope else 1)

        return [1 + int(whole(node)) for node in self.tree]

    def copy(self) -> Board:
        """Return another one on which the same may be moved otherwise."""
        found = copy.copy(self)
        found.at = list(self.at)
        found.free = [column.copy() for column in self.free]
        found.pool_free = self.pool_free.copy()
        return found

    # -- moving --------------------------------------------------------------

    def put(self, number: int, place: int) -> None:
        self._take(number, place, 1)
        self.at[number] = place

    def lift(self, number: int) -> None:
        """Take an item away from where it is, if it is anywhere."""
        if self.at[number] != UNKNOWN:
            self._take(number, self.at[number], -1)
            self.at[number] = UNKNOWN

    def _take(self, number: int, place: int, times: int) -> None:
        item = self.items[number]
        if item.servers:
            for column, amount in zip(self.free, item.size, strict=True):
                column[place] -= times * amount
        elif not item.is_anchored:
            gb = self.compiled.size(item.volumes[0])[0]
            self.pool_free[place - self.compiled.n_hosts] -= times * gb

    def drop(self, root: int) -> None:
        for number in self.roots[root]:
            self.lift(number)

    def left(self) -> list[int]:
        """Return the roots that are not whole."""
        return [
            root
            for root, items in enumerate(self.roots)
            if any(self.at[number] == UNKNOWN for number in items)
        ]

    def rest(self, host: int) -> brim.Size:
        return tuple(int(column[host]) for column in self.free)

    def placement(self) -> Ints:
        found = np.full(len(self.compiled.members), UNKNOWN, np.int64)
        for item, place in zip(self.items, self.at, strict=True):
            members = [*item.servers, *item.volumes]
            stays = self.is_rigid[self.root_of[item.number]]
            found[members] = self._before[members] if stays else place
        return found

    # -- what cannot stay ----------------------------------------------------

    def clear(self) -> None:
        """Take away what leaves no way to a whole placement from here."""
        for root in self.left():
            self.drop(root)
        self._clear_hosts()
        for number, clause in enumerate(self.clauses):
            if clause.kind is constraints.Level and clause.domains:
                self._level(number)
            elif clause.kind is constraints.AtLeast:
                self._spread(number)

    def _clear_hosts(self) -> None:
        """Take the least from hosts whose rest nobody fills up."""
        on: dict[int, list[int]] = {}
        for number, place in enumerate(self.at):
            if not self.is_rigid[self.root_of[number]]:
                on.setdefault(place, []).append(number)
        for host in np.flatnonzero(self.brim.usable).tolist():
            here = [n for n in on.get(host, ()) if self.at[n] == host]
            here.sort(key=lambda n: -self.worth[self.root_of[n]])
            while here and not self.brim.can_fill(host, self.rest(host)):
                self.drop(self.root_of[here.pop()])

    def _level(self, number: int) -> None:
        """Lower the fullest domains that those left cannot catch up with."""
        clause, roles = self.clauses[number], self.roles[number]
        while True:
            here = self.standing(number)
            counts = {
                d: sum(len(roles[i]) for i in here.get(d, ()))
                for d in clause.domains
            }
            highest = max(counts.values())
            wanted = sum(
                max(0, highest - clause.limit - c) for c in counts.values()
            )
            left = sum(
                len(units)
                for item, units in roles.items()
                if self.at[item] == UNKNOWN
            )
            fullest = max(counts, key=lambda d: counts[d])
            if wanted <= left or not self._drop_least(here.get(fullest, ())):
                return

    def _spread(self, number: int) -> None:
        """Empty the fullest domains if too few are in use."""
        clause = self.clauses[number]
        bundle_of = self.contracted.bundle_of[clause.scope]
        while True:
            here = self.standing(number)
            left = {
                int(bundle_of[self.first(self.items[item])])
                for item in self.roles[number]
                if self.at[item] == UNKNOWN
            }
            if len(here) + len(left) >= clause.limit or not here:
                return
            fullest = max(here, key=lambda d: len(here[d]))
            if not self._drop_least(here[fullest]):
                return

    def _drop_least(self, items: Iterable[int]) -> bool:
        roots = {self.root_of[item] for item in items}
        roots = {root for root in roots if not self.is_rigid[root]}
        if not roots:
            return False
        self.drop(min(roots, key=lambda root: (self.worth[root], root)))
        return True

    def standing(self, number: int) -> dict[int, list[int]]:
        """Return domain -> the items of a clause that are there."""
        column = self.compiled.domain[self.clauses[number].scope]
        found: dict[int, list[int]] = collections.defaultdict(list)
        for item in self.roles[number]:
            if self.at[item] != UNKNOWN:
                domain = int(column[self.at[item]])
                if domain != UNKNOWN:
                    found[domain].append(item)
        return found
