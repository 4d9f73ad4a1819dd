# SPDX-License-Identifier: Apache-2.0
"""Room for who finds none: others move.

As few as will do, or all of a domain.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.greedy.placing import OutOfTime, Placing
from heat_vcluster.placement.greedy.prospects import (
    EVERYWHERE,
    TRIES,
    Prospects,
    alike,
)
from heat_vcluster.placement.greedy.ranking import Ranking
from heat_vcluster.placement.greedy.standing import PLACE, Node, Standing, View
from heat_vcluster.placement.greedy.state import Item, State

# So many items are moved at the most to make room for one bundle.
MOVES = 150
# So many domains are tried to be made room in without clearing them.
SQUEEZES = 4
# ... for who has made trouble so often at the most, unless it is named.
GENTLE = 4
# What it costs more to clear what a rule forbids as things stand.
FORBIDDEN = 50.0
# So many domains are looked at to make room.
OPTIONS = 400


class Room:
    """Makes room for roots.

    ``gentle``: for who has made trouble so often at the most as few move as
    will do. ``tried``: in how many domains room was made, so far.
    """

    def __init__(
        self,
        state: State,
        prospects: Prospects,
        ranking: Ranking,
        placing: Placing,
        *,
        gentle: int,
        seed: int,
    ) -> None:
        self._state, self._compiled = state, state.compiled
        self._prospects, self._ranking = prospects, ranking
        self._placing = placing
        self._random = random.Random(seed)  # noqa: S311
        self.gentle = gentle
        self.tried = 0

    def make(self, root: Node, held: Standing) -> list[Node] | None:
        """Place the root where others are, and return those; None: nowhere.

        The domain is that whose roots have made the least trouble so far.
        """
        scope = root.scope if root.parts else PLACE
        view = held.look(scope)
        options = self._prospects.eligible(root, scope)
        if len(options) > OPTIONS:
            options = sorted(self._random.sample(options, OPTIONS))
        leave = self._prospects.has_leave(root, scope)
        if held.trouble(root) <= self.gentle:
            free = [domain for domain in options if leave[domain]]
            out = self._squeeze_in(root, view, scope, free)
            if out is not None:
                return out
        owners = self._owners(root, held, scope, options)
        price = view.price()
        ranked: list[tuple[float, int]] = []
        for domain in options:
            cost = price[domain]
            for owner in owners.get(domain, ()):
                cost += 1 + held.trouble_of(owner)
            if not leave[domain]:
                cost += FORBIDDEN
            ranked.append((cost + self._random.random(), domain))
        ranked.sort()
        moved = 0
        lost: list[Node] = []
        for _, domain in ranked[:TRIES]:
            self.tried += 1
            self._placing.look_at_the_clock()
            items = self._standing_in(view, domain, owners)
            moved += len(items)
            if moved > MOVES and items and domain != ranked[0][1]:
                break
            for item in items:
                self._state.take(item)
            if self._placing.place(root, (scope, domain)):
                roots = held.roots_of(items)
                held.remove(items)
                held.add(root)
                return [*self._put_back(roots, held), *lost]
            if scope != PLACE:
                self._prospects.give_up(root, scope, domain)
            lost += self._restore(items, held)
        others = self._clear_rules(root, held)
        if not lost:
            return others
        return [*([root] if others is None else others), *lost]

    def _squeeze_in(
        self, root: Node, view: View, scope: int, options: Sequence[int]
    ) -> list[Node] | None:
        """Place the root, and those again whose places it took.

        Returns who finds none: nobody, if there is such a domain among the
        first few.
        """
        held = view.standing
        load = held.loads(view.numbers, held.was[view.numbers])
        price = self._squeezes(root, scope, load)
        ranked = sorted(
            (price[domain] + self._random.random(), domain)
            for domain in options
            if price[domain] < np.inf
        )
        first: int | None = None
        lost: list[Node] = []
        for _, domain in ranked[:SQUEEZES]:
            out = self._squeeze(root, view, (scope, domain), load)
            if out is None:
                continue
            left = self._put_back(out, held)
            if not left:
                return lost
            if first is None:
                first = domain
            lost += self._undo(root, out, held)
        if first is None:
            return None
        out = self._squeeze(root, view, (scope, first), load)
        return (
            [root, *lost]
            if out is None
            else [
                *self._put_back(out, held),
                *lost,
            ]
        )

    def _squeeze(
        self,
        root: Node,
        view: View,
        within: tuple[int, int],
        load: npt.NDArray[np.float64],
    ) -> list[Node] | None:
        """Place the root there; return whose places it took."""
        self.tried += 1
        self._placing.look_at_the_clock()
        held = view.standing
        loan = self._state.lend(view.inside(within[1]))
        self._ranking.reluctance = load
        try:
            is_placed = self._placing.place(root, within)
        except OutOfTime:
            # What is lent is not to be kept.
            self._placing.take(root)
            raise
        finally:
            self._ranking.reluctance = None
            short = self._state.give_back(loan)
        if not is_placed:
            return None
        held.add(root)
        return self._clear(short, held, root)

    def _undo(
        self, root: Node, out: Sequence[Node], held: Standing
    ) -> list[Node]:
        """Let all be as it was; return who does not find his pools again."""
        state = self._state
        held.remove(root.items)
        for node in (root, *out):
            for item in node.items:
                if state.is_placed(item):
                    state.undo(item)
        lost = []
        for node in out:
            if all(
                state.put(item, int(held.was[item.number]))
                for item in node.items
            ):
                held.add(node)
            else:
                self._placing.take(node)
                held.remove(node.items)
                lost.append(node)
        return lost

    def _squeezes(
        self, root: Node, scope: int, load: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return, by domain, about what has to move for the root there."""
        compiled = self._compiled
        if scope == PLACE:
            return self._moves(root.items[0], load)
        column, count = compiled.domain[scope], compiled.n_domains[scope]
        price = np.zeros(count)
        for items in alike(root.items):
            moves = self._moves(items[0], load)
            places = np.flatnonzero((moves < np.inf) & (column != UNKNOWN))
            order = places[np.lexsort((moves[places], column[places]))]
            domains = column[order]
            starts = np.searchsorted(domains, np.arange(count))
            nth = np.arange(len(order)) - starts[domains]
            taken = nth < len(items)
            price += np.bincount(
                domains[taken], weights=moves[order[taken]], minlength=count
            )
            here = np.bincount(domains, minlength=count)
            price[here == 0] = np.inf
        return price

    def _moves(
        self, item: Item, load: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return, by place, what has to move if the item is to go there."""
        fits = self._state.kind(item).fits
        return np.where(
            self._prospects.at_first[item.kind],
            np.where(fits, 0.0, load),
            np.inf,
        )

    def _clear(
        self, short: Sequence[int], held: Standing, root: Node
    ) -> list[Node]:
        """Take away who stands where there is too little; return whose."""
        state = self._state
        mine = {item.number for item in root.items}
        out: dict[int, Node] = {}
        for place_ in short:
            here = [n for n in state.standing_at(place_) if n not in mine]
            for item in held.cheapest(here):
                if not state.is_short(place_):
                    break
                out[held.root(item.number).key] = held.root(item.number)
                state.take(item)
        return list(out.values())

    @staticmethod
    def _standing_in(
        view: View, domain: int, owners: Mapping[int, list[int]]
    ) -> list[Item]:
        """Return what has to move for the domain to be cleared."""
        inside = [*view.inside(domain), *owners.get(domain, ())]
        return view.standing.moving(inside)

    def _owners(
        self, root: Node, held: Standing, scope: int, options: Sequence[int]
    ) -> dict[int, list[int]]:
        """Return domain -> the items that have all around it, by some rule.

        They want to be alone there, by a rule that the root is not in.
        """
        mine = {m for i in root.items for m in (*i.servers, *i.volumes)}
        found: dict[int, list[int]] = {}
        # Wider scope -> domain there -> those of the options in it.
        inside: dict[int, dict[int, list[int]]] = {}
        for tally in self._state.alone:
            if mine <= tally.unit_of.keys() or not tally.used:
                continue
            by_domain: dict[int, set[int]] = {}
            for member in tally.clause.members:
                number = int(self._state.item_of[member])
                place_ = int(self._state.where[member])
                if place_ != UNKNOWN and number in held:
                    domain = int(self._compiled.domain[tally.scope][place_])
                    by_domain.setdefault(domain, set()).add(number)
            if tally.scope not in inside:
                inside[tally.scope] = self._sorted(scope, options, tally.scope)
            for above, numbers in by_domain.items():
                for domain in inside[tally.scope].get(above, ()):
                    found.setdefault(domain, []).extend(sorted(numbers))
        return found

    def _sorted(
        self, scope: int, options: Sequence[int], wide: int
    ) -> dict[int, list[int]]:
        """Return the domains by the one of the wide scope they lie in."""
        found: dict[int, list[int]] = {}
        for domain in options:
            above = self._prospects.above(scope, domain, wide)
            found.setdefault(above, []).append(domain)
        return found

    def _put_back(self, roots: list[Node], held: Standing) -> list[Node]:
        """Place again what still fits; return what does not."""
        left = []
        for root in sorted(roots, key=lambda node: -node.weight):
            if self._place_again(root, held) or self._placing.place(
                root, EVERYWHERE
            ):
                held.add(root)
            else:
                held.remove(root.items)
                left.append(root)
        return left

    def _place_again(self, root: Node, held: Standing) -> bool:
        """Place what is missing of the root: where it was, or beside it."""
        missing = [i for i in root.items if not self._state.is_placed(i)]
        for item in sorted(missing, key=self._placing.bulk):
            if not (
                self._state.put_if_allowed(item, int(held.was[item.number]))
                or self._placing.place_item(item, EVERYWHERE)
            ):
                self._placing.take(root)
                return False
        return True

    def _restore(self, out: list[Item], held: Standing) -> list[Node]:
        """Undo an attempt; return who does not find his pools again."""
        lost = [
            held.root(item.number)
            for item in out
            if not self._state.put(item, int(held.was[item.number]))
        ]
        for node in lost:
            self._placing.take(node)
            held.remove(node.items)
        return lost

    def _clear_rules(self, root: Node, held: Standing) -> list[Node] | None:
        """Take away all rivals in one of its rules, and try again."""
        rivals = [
            tally
            for item in root.items
            for member in (*item.servers, *item.volumes)
            for tally in self._state.hard_of[member]
            if tally.kind is not constraints.Together
        ]
        self._random.shuffle(rivals)
        for tally in rivals[:6]:
            out: dict[int, Node] = {}
            for member in tally.clause.members:
                number = int(self._state.item_of[member])
                if number in held:
                    other = held.root(number)
                    out[other.key] = other
            if not out:
                continue
            for other in out.values():
                self._placing.take(other)
                held.remove(other.items)
            if self._placing.place(root, EVERYWHERE):
                held.add(root)
                others = list(out.values())
                self._random.shuffle(others)
                return others
            return [root, *out.values()]
        return None
