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
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement import (
    amounts,
    breadth,
    constraints,
    contract,
    crowding,
    dead_ends,
    seclusion,
    unions,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.standing import PLACE, Node, Standing, View
from heat_vcluster.placement.state import Item, State, Tally

# So many domains are tried for a bundle, in the order of their promise.
TRIES = 100
# ... and so many for one that only wishes tie together.
WISHED = 20
# So many steps are taken to fill one domain with what shares it.
NODES = 200
# So often, and once more for every second bundle, room is made by moving.
TROUBLE = 40
# So many items are moved at the most to make room for one bundle.
MOVES = 150
# What being alone at a scope adds to the weight of a bundle.
SECLUSION = 50.0
# What sharing a narrow domain adds to it, by scope, where room is scarce.
NARROWNESS = 20.0
# So many kinds are spared their places then, those with the least of them,
RIVALS = 8
# ... and that is worth so much, beside how well the item itself fits.
LOSS = 5.0
# So many domains are tried to be made room in without clearing them.
SQUEEZES = 4
# ... for who has made trouble so often at the most, unless it is named.
GENTLE = 4
# Of more places than these a sample is looked at first; one that is four
# times as large for who has wishes.
MANY = 2500
# What it costs more to clear what a rule forbids as things stand.
FORBIDDEN = 50.0
# So many domains are looked at to make room.
OPTIONS = 400
# Parts of one item that come at once can be too many for these.
MET_AT_ONCE = (constraints.AtMost, constraints.Lost)
EVERYWHERE = (-2, -1)


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


class _OutOfTime(Exception):
    """The deadline has passed."""


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
        self._ends, self._roomy = ends, roomy
        self._random = random.Random(seed)  # noqa: S311
        self._compiled = compiled
        self._contracted = contracted
        self._state = State(compiled, contracted, brims)
        self._dead_ends = dead_ends.DeadEnds(self._state)
        self._top = nested_up_to(compiled)
        self._inside = [
            _members_by_domain(column, count)
            for column, count in zip(
                compiled.domain, compiled.n_domains, strict=True
            )
        ]
        self._fills = fills
        self._sparing = sparing
        self._gentle = gentle
        self._scarcity = self._find_scarcity()
        self._nodes = 0
        self._tried = 0  # domains, so far, to make room there
        # By place: who stands there would have to move.
        self._reluctance: npt.NDArray[np.float64] | None = None
        self._largest = [
            int(free.max()) if len(free) else 0 for free in compiled.free
        ]
        self._per_total = [
            1.0 / np.maximum(total, 1) for total in compiled.total
        ]
        self._at_first = {
            item.kind: self._state.kind(item).fits.copy()
            for item in {i.kind: i for i in self._state.items}.values()
        }
        self._counts_at_first: dict[tuple[int, int], Ints] = {}
        self._rivals = self._scarcest() if sparing else ()
        self._crowding = self._crowd(())

    def _scarcest(self) -> tuple[Item, ...]:
        """Return one item of each kind for which room on hosts is scarce."""
        kinds = {i.kind: i for i in self._state.items if i.is_anchored}
        scarce = sorted(kinds, key=lambda kind: -self._scarcity[kind])
        return tuple(kinds[kind] for kind in scarce[:RIVALS])

    # -- the tree of bundles ----------------------------------------------

    def _find_scarcity(self) -> dict[int, float]:
        """Return item kind -> about what share of all room it takes.

        The larger of two: items of the kind beside the slots for them, and
        the amount all volumes take beside what is free where it fits.
        """
        compiled, state = self._compiled, self._state
        demand: dict[int, int] = {}
        gb = 0
        for item in state.items:
            demand[item.kind] = demand.get(item.kind, 0) + 1
            if not item.is_anchored:
                gb += compiled.size(item.volumes[0])[0]
        found: dict[int, float] = {}
        for item in state.items:
            if item.kind in found:
                continue
            fits = np.flatnonzero(state.kind(item).fits)
            if item.is_anchored:
                slots = float(np.sum(self._slots(item.size, state.free, fits)))
                found[item.kind] = demand[item.kind] / max(slots, 0.5)
            else:
                size = compiled.size(item.volumes[0])[0]
                free = state.pool_free[fits - compiled.n_hosts]
                slots = float(np.sum(free // max(size, 1)))
                found[item.kind] = max(
                    demand[item.kind] / max(slots, 0.5),
                    gb / max(float(np.sum(free)), 0.5),
                )
        return found

    @staticmethod
    def _slots(size: Sequence[int], free: Sequence[Ints], hosts: Ints) -> Ints:
        """Return how many of this size each of the hosts has room for."""
        slots = np.full(len(hosts), 64, np.int64)
        for amount, column in zip(size, free, strict=True):
            if amount:
                slots = np.minimum(slots, column[hosts] // amount)
        return slots

    def _roots(self) -> list[Node]:
        state, contracted = self._state, self._contracted
        roots = []
        for members in contracted.bundles[self._top]:
            numbers_ = sorted(
                {int(state.item_of[m]) for m in members} - {UNKNOWN}
            )
            if numbers_:
                items = [state.items[n] for n in numbers_]
                roots.append(self._node(items, self._top))
        if not self._sparing:
            return self._wish(roots)
        for root in roots:
            if root.parts:
                root.weight += NARROWNESS * (self._top + 1 - root.scope)
        return roots

    def _node(self, items: Sequence[Item], scope: int) -> Node:
        if len(items) == 1:
            return Node(0, tuple(items), weight=self._weight(items))
        parts: dict[int, list[Item]] = {}
        narrower = self._contracted.bundle_of[scope - 1]
        for item in items:
            first = (*item.servers, *item.volumes)[0]
            parts.setdefault(int(narrower[first]), []).append(item)
        if len(parts) == 1:
            return self._node(items, scope - 1)
        nodes = [self._node(part, scope - 1) for part in parts.values()]
        return self._whole(scope, nodes)

    def _whole(
        self, scope: int, parts: list[Node], *, wished: bool = False
    ) -> Node:
        """Return the node of which these are the parts."""
        parts = sorted(parts, key=lambda node: -node.weight)
        items = tuple(item for part in parts for item in part.items)
        node = Node(scope, items, tuple(parts), wished, self._weight(items))
        node.sign = dead_ends.sign(self._state, scope, items, node.shape)
        return node

    def _weight(self, items: Sequence[Item]) -> float:
        """Return the promise of trouble: how many, how scarce their places."""
        scarce = [self._scarcity[item.kind] for item in items]
        weight = 4 * max(scarce) + sum(scarce) + 0.01 * len(items)
        if self._state.alone:
            # What must be alone finds less the more the others have taken.
            scopes = [self._state.secluded(item) for item in items]
            widest = max((max(s) + 1 for s in scopes if s), default=0)
            weight += SECLUSION * widest
        return weight

    def _wish(self, roots: list[Node]) -> list[Node]:
        """Join roots that soft clauses would have together."""
        owner = {
            item.number: index
            for index, root in enumerate(roots)
            for item in root.items
        }
        joined = unions.Unions(range(len(roots)))
        scopes = dict.fromkeys(range(len(roots)), 0)
        narrow: dict[int, int] = {}
        for scope, members in sorted(self._wishes(), key=lambda w: w[0]):
            items = {int(self._state.item_of[m]) for m in members} - {UNKNOWN}
            first = owner[min(items)] if items else UNKNOWN
            if items and len(items) == len(roots[first].items):
                narrow.setdefault(first, scope)
            indices = sorted({joined.find(owner[i]) for i in items})
            if len(indices) > 1:
                widest = max(scope, *(scopes[i] for i in indices))
                joined.join(indices)
                scopes[indices[0]] = widest
        found = []
        for group in joined.sets():
            nodes = [roots[index] for index in group]
            if len(nodes) == 1:
                scope = narrow.get(group[0], self._top)
                found.append(self._narrower(nodes[0], scope))
                continue
            scope = min(scopes[joined.find(group[0])], self._top)
            found.append(self._whole(scope, nodes, wished=True))
        return found

    def _narrower(self, root: Node, scope: int) -> Node:
        """Return the root in a narrower domain, as long as there is one."""
        if not root.parts or not 0 < scope < root.scope:
            return root
        node = self._node(root.items, scope)
        node.wished, node.otherwise = True, root
        return node

    def _wishes(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        for clause in self._contracted.loose:
            yield clause.scope, clause.members
        for clause in self._compiled.soft:
            if not clause.weight:
                continue
            if clause.kind is constraints.Together and clause.scope:
                yield clause.scope, clause.members
            elif clause.kind is constraints.Near:
                yield min(1, self._top), clause.members

    # -- those who must be alone ----------------------------------------------

    def keep(self) -> dict[tuple[int, int], int]:
        """Return the domains kept for them; none if time runs out."""
        with contextlib.suppress(_OutOfTime):
            return seclusion.keep(
                self._state, self._contracted, self._top, self._could_go
            )
        return {}

    def _could_go(self, party: seclusion.Party, domain: int) -> bool:
        """Tell whether all of the party could go there as things stand."""
        nodes = [self._node(piece, party.scope) for piece in party.pieces]
        within = party.scope, domain
        try:
            return all(self._place(node, within) for node in nodes)
        finally:
            for node in nodes:
                self._take(node)

    # -- the search ----------------------------------------------

    def run(
        self, kept: dict[tuple[int, int], int], trouble: int | None
    ) -> Found:
        self._state.kept = kept
        self._all = sorted(self._roots(), key=lambda node: -node.weight)
        self._held = Standing(self._state, apart=self._sparing)
        breadth.close(
            self._dead_ends, self._state, self._all, self._places_at_first
        )
        self._crowding = self._crowd(self._all)
        return self._run(list(self._all), trouble)

    def _crowd(self, roots: Iterable[Node]) -> crowding.Crowding:
        return crowding.Crowding(
            self._compiled.n_domains, roots, self._eligible
        )

    def go_on(
        self, deadline: float, trouble: int | None, gentle: int
    ) -> Found:
        self._ends = time.monotonic() + deadline
        self._gentle, self._tried = gentle, 0
        return self._run(self._left, trouble)

    def _run(self, queue: list[Node], trouble: int | None) -> Found:
        left: list[Node] = []
        is_cut = False
        try:
            self._search(queue, left, trouble)
        except _OutOfTime:
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
            self._look_at_the_clock()
            root = queue.pop(0)
            if self._place_root(root, held):
                continue
            if root.wished:
                queue[:0] = [root.otherwise] if root.otherwise else root.parts
                continue
            held.complain(root)
            out = None
            if held.total <= rooms if most is None else self._tried < most:
                out = self._make_room(root, held)
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
        if not self._place(root, EVERYWHERE):
            return False
        held.add(root)
        return True

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self._ends:
            raise _OutOfTime

    # -- placing ----------------------------------------------

    def _place(self, node: Node, within: tuple[int, int]) -> bool:
        """Place all of the node in the domain, or nothing of it."""
        if not node.parts:
            return self._place_item(node.items[0], within)
        self._look_at_the_clock()
        if within[0] == node.scope:
            return self._place_parts(node, within)
        for domain in self._domains(node, within):
            if self._place_parts(node, (node.scope, domain)):
                return True
        return False

    def _place_parts(self, node: Node, within: tuple[int, int]) -> bool:
        """Place all parts in one domain, or none."""
        if all(not part.parts for part in node.parts):
            self._nodes = NODES
            order = sorted(node.items, key=self._bulk)
            is_placed = self._fill(order, 0, within)
        else:
            is_placed = self._place_in_turn(node, within)
        if not is_placed and node.sign is not None:
            self._dead_ends.fail(node.scope, node.sign, within[1])
        return is_placed

    def _bulk(self, item: Item) -> tuple[float, ...]:
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
        if wide <= 1 or not item.is_anchored or not self._is_by_cost:
            return None
        scope, domain, floor = state.mates(item)
        if scope >= wide or self._above(scope, domain, wide) != within[1]:
            return None
        places = self._candidates(item, (scope, domain))
        places = places[state.allowed(item, places)]
        if not len(places):
            return None
        places = places[state.cost(item, places) <= floor]
        if not len(places):
            return None
        return int(places[np.argmin(self._rank_hosts(item, places))])

    @property
    def _is_by_cost(self) -> bool:
        """Whether nothing that ranks places outweighs what rules charge."""
        is_at_rest = self._reluctance is None
        return is_at_rest and not self._rivals and not self._state.alone

    def _choices(self, item: Item, places: Ints) -> Iterator[int]:
        """Give the places by rank; of those quite alike only the first."""
        rank = self._rank(item, places)
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
                if self._place(part, within):
                    done.append(part)
                else:
                    failed = part
                    break
            if failed is None:
                return True
            for part in done:
                self._take(part)
            if parts[0] is failed:
                return False
            parts.remove(failed)
            parts.insert(0, failed)
        return False

    def _take(self, node: Node) -> None:
        for item in node.items:
            if self._state.is_placed(item):
                self._state.take(item)

    def _place_item(self, item: Item, within: tuple[int, int]) -> bool:
        for places, enough in self._offers(item, within):
            places = places[self._state.allowed(item, places)]
            if not len(places):
                continue
            rank = self._rank(item, places)
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
            in_use = self._state.on_host[places] > 0
            if self._fills:
                yield places[in_use], 0.0
            yield places[:: len(places) // many + 1], np.inf
        yield places, np.inf

    def _candidates(self, item: Item, within: tuple[int, int]) -> Ints:
        fits = self._state.kind(item).fits
        if within == EVERYWHERE:
            return np.flatnonzero(fits)
        if within[0] == PLACE:
            return np.array([within[1]] if fits[within[1]] else [], np.int64)
        inside = self._inside[within[0]][within[1]]
        return inside[fits[inside]]

    def _rank(self, item: Item, places: Ints) -> npt.NDArray[np.float64]:
        """Return how good each place is: the less the better."""
        state = self._state
        if not item.is_anchored:
            left = state.pool_free[places - self._compiled.n_hosts]
            rank = left.astype(np.float64)
        else:
            rank = self._rank_hosts(item, places)
        if self._compiled.soft:
            rank = rank + 1000.0 * state.cost(item, places)
        if state.alone:
            rank = rank + state.openings(item, places)
        if self._reluctance is not None:
            rank = rank + 1e4 * self._reluctance[places]
        return rank

    def _rank_hosts(self, item: Item, places: Ints) -> npt.NDArray[np.float64]:
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
            in_use = state.on_host[places] > 0
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
        before = self._slots(rival.size, free, span)
        for column, amount in zip(free, item.size, strict=True):
            column -= amount
        after = np.maximum(self._slots(rival.size, free, span), 0)
        scarcity = min(self._scarcity[rival.kind], 1.0)
        may = self._at_first[rival.kind][hosts]
        lost = (before - after).astype(np.float64)
        return np.where(may, LOSS * scarcity**4 * lost, 0.0)

    def _domains(self, node: Node, within: tuple[int, int]) -> Iterator[int]:
        """Give the domains that might take the node, in order of promise."""
        scope = node.scope
        room: Ints | None = None
        free: Flags = np.ones(self._compiled.n_domains[scope], np.bool_)
        if within != EVERYWHERE:
            wide, domain = within
            free &= self._compiled.above(scope, wide) == domain
        for items in _alike(node.items):
            counts = self._state.kind(items[0]).counts(scope)
            room = counts if room is None else np.minimum(room, counts)
        assert room is not None  # noqa: S101
        free &= room > 0
        self._dead_ends.bar(scope, node.sign, free)
        self._bar(node, scope, free)
        for items in _alike(node.items):
            kind = self._state.kind(items[0])
            counts = kind.counts(scope)
            self._bar_narrow(
                free, items, scope, kind.fits, self._state.free, counts
            )
        found = np.flatnonzero(free)
        if not len(found):
            return
        rank = room[found].astype(np.float64)
        if self._fills:
            used = self._state.everybody[scope][found]
            rank = rank - 0.5 * np.minimum(used, 20)
        else:
            rank = -rank
        wishes = np.zeros(len(found))
        if self._compiled.soft:
            wishes += self._wish_cost(node, scope, found)
        kept = self._state.kept.get((node.items[0].number, scope), UNKNOWN)
        wishes[found == kept] = -np.inf
        crowd = self._crowding.at(scope, found)
        order = found[np.lexsort((rank, crowd, wishes))]
        tries = WISHED if node.wished else TRIES
        if len(order) > tries:
            # Some of all: the most promising, and a sample of the others.
            step = len(order) / (tries / 2)
            late = {int(i * step) for i in range(tries // 2)}
            head = order[: tries // 2]
            tail = [order[i] for i in sorted(late) if i >= tries // 2]
            order = np.array([*head, *tail])
        yield from map(int, order)

    def _bar(self, node: Node, scope: int, free: Flags) -> None:
        """Leave out domains that a clause forbids to some of the node."""
        done = set()
        for item in node.items:
            for member in (*item.servers, *item.volumes):
                for tally in self._state.hard_of[member]:
                    if tally.scope < scope or id(tally) in done:
                        continue
                    if not tally.has_units:
                        done.add(id(tally))
                    barred = tally.forbids(member)
                    if barred is not None:
                        free &= ~self._narrowed(barred, tally.scope, scope)
        for wide, count in self._state.owned.items():
            if wide >= scope and not all(
                wide in self._state.secluded(item) for item in node.items
            ):
                free &= ~self._narrowed(count > 0, wide, scope)

    def _narrowed(self, flags: Flags, wide: int, narrow: int) -> Flags:
        """Return flags by domain at a wide scope by those at a narrow one."""
        above = self._compiled.above(narrow, wide)
        known = above != UNKNOWN
        found = np.zeros(len(above), np.bool_)
        found[known] = flags[above[known]]
        return found

    def _wish_cost(self, node: Node, scope: int, domains: Ints) -> Ints:
        """Return about what the soft clauses charge for these domains."""
        total = np.zeros(len(domains), np.int64)
        for item in node.items:
            for member in (*item.servers, *item.volumes):
                for tally in self._state.soft_of[member]:
                    if tally.scope < scope:
                        continue
                    charge = tally.charges(member)
                    if charge is None:
                        continue
                    above = self._compiled.above(scope, tally.scope)[domains]
                    known = above != UNKNOWN
                    total[known] += charge[above[known]]
        return total

    # -- making room ----------------------------------------------

    def _make_room(self, root: Node, held: Standing) -> list[Node] | None:
        """Place the root where others are, and return those; None: nowhere.

        The domain is that whose roots have made the least trouble so far.
        """
        scope = root.scope if root.parts else PLACE
        view = held.look(scope)
        options = self._eligible(root, scope)
        if len(options) > OPTIONS:
            options = sorted(self._random.sample(options, OPTIONS))
        leave = self._has_leave(root, scope)
        if held.trouble(root) <= self._gentle:
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
            self._tried += 1
            self._look_at_the_clock()
            items = self._standing_in(view, domain, owners)
            moved += len(items)
            if moved > MOVES and items and domain != ranked[0][1]:
                break
            for item in items:
                self._state.take(item)
            if self._place(root, (scope, domain)):
                roots = held.roots_of(items)
                held.remove(items)
                held.add(root)
                return [*self._put_back(roots, held), *lost]
            if scope != PLACE:
                self._give_up(root, scope, domain)
            lost += self._restore(items, held)
        others = self._clear_rules(root, held)
        if not lost:
            return others
        return [*([root] if others is None else others), *lost]

    # -- moving as few as will do --------------------------------------

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
        self._tried += 1
        self._look_at_the_clock()
        held = view.standing
        loan = self._state.lend(view.inside(within[1]))
        self._reluctance = load
        try:
            is_placed = self._place(root, within)
        except _OutOfTime:
            # What is lent is not to be kept.
            self._take(root)
            raise
        finally:
            self._reluctance = None
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
                self._take(node)
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
        for items in _alike(root.items):
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
            self._at_first[item.kind], np.where(fits, 0.0, load), np.inf
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

    def _give_up(self, root: Node, scope: int, domain: int) -> None:
        """Note that the root finds no place in a domain cleared of others.

        Unless it is for what stands elsewhere.
        """
        if self._has_leave(root, scope)[domain] and not self._compiled.budgets:
            self._dead_ends.close(scope, root.sign, domain)

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
            for domain in options:
                above = self._above(scope, domain, tally.scope)
                if above in by_domain:
                    found.setdefault(domain, []).extend(
                        sorted(by_domain[above])
                    )
        return found

    def _above(self, scope: int, domain: int, wide: int) -> int:
        """Return the domain at a wide scope that a narrow one lies in."""
        if scope == PLACE:
            return int(self._compiled.domain[wide][domain])
        if scope > wide or domain == UNKNOWN:
            return UNKNOWN
        return int(self._compiled.above(scope, wide)[domain])

    def _has_leave(self, root: Node, scope: int) -> Flags:
        """Return, by domain, whether no rule forbids it as things stand."""
        if scope == PLACE:
            places = np.arange(self._compiled.n_places)
            return self._state.allowed(root.items[0], places)
        leave = np.ones(self._compiled.n_domains[scope], np.bool_)
        self._bar(root, scope, leave)
        return leave

    def _put_back(self, roots: list[Node], held: Standing) -> list[Node]:
        """Place again what still fits; return what does not."""
        left = []
        for root in sorted(roots, key=lambda node: -node.weight):
            if self._place_again(root, held) or self._place(root, EVERYWHERE):
                held.add(root)
            else:
                held.remove(root.items)
                left.append(root)
        return left

    def _place_again(self, root: Node, held: Standing) -> bool:
        """Place what is missing of the root: where it was, or beside it."""
        missing = [i for i in root.items if not self._state.is_placed(i)]
        for item in sorted(missing, key=self._bulk):
            if not (
                self._state.put_if_allowed(item, int(held.was[item.number]))
                or self._place_item(item, EVERYWHERE)
            ):
                self._take(root)
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
            self._take(node)
            held.remove(node.items)
        return lost

    def _eligible(self, root: Node, scope: int) -> list[int]:
        """Return the domains that could take the root were they empty."""
        if scope == PLACE:
            item = root.items[0]
            return [int(p) for p in np.flatnonzero(self._at_first[item.kind])]
        free = np.ones(self._compiled.n_domains[scope], np.bool_)
        self._dead_ends.bar_closed(scope, root.sign, free)
        for items in _alike(root.items):
            fits = self._at_first[items[0].kind]
            counts = self._places_at_first(items[0].kind, scope)
            free &= counts > 0
            self._bar_narrow(
                free, items, scope, fits, self._compiled.free, counts
            )
        return np.flatnonzero(free).tolist()

    def _places_at_first(self, kind: int, scope: int) -> Ints:
        """Return, by domain, how many places took the kind were it empty."""
        if (kind, scope) not in self._counts_at_first:
            domains = self._compiled.domain[scope][self._at_first[kind]]
            self._counts_at_first[kind, scope] = np.bincount(
                domains[domains != UNKNOWN],
                minlength=self._compiled.n_domains[scope],
            )
        return self._counts_at_first[kind, scope]

    def _bar_narrow(
        self,
        flags: Flags,
        items: Sequence[Item],
        scope: int,
        fits: Flags,
        free: Sequence[Ints],
        counts: Ints,
    ) -> None:
        """Leave out domains that cannot take all of these, who are alike.

        None that could: only the room they take themselves counts, and of
        the rules only those that want each on a host of its own. ``fits`` by
        place, ``free`` by host; ``counts``: the places that fit, by domain.
        """
        doubtful = flags & (counts < len(items))
        if not items[0].is_anchored or not doubtful.any():
            return
        if self._are_apart(items):
            flags &= ~doubtful
            return
        domains = self._compiled.domain[scope]
        places = np.flatnonzero(fits & (domains != UNKNOWN))
        places = places[doubtful[domains[places]]]
        room = np.zeros(len(flags), np.int64)
        slots = self._slots(items[0].size, free, places)
        np.add.at(room, domains[places], slots)
        flags &= ~doubtful | (room >= len(items))

    def _are_apart(self, items: Sequence[Item]) -> bool:
        """Tell whether a rule wants each of these on a host of its own."""
        members = {i.servers[0] for i in items if i.servers}
        return any(
            tally.kind is constraints.AtMost
            and tally.scope == 0
            and tally.limit == 1
            and not tally.has_units
            and members <= tally.unit_of.keys()
            for tally in self._state.hard_of[min(members)]
        )

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
                self._take(other)
                held.remove(other.items)
            if self._place(root, EVERYWHERE):
                held.add(root)
                others = list(out.values())
                self._random.shuffle(others)
                return others
            return [root, *out.values()]
        return None


def _in_order(rank: npt.NDArray[np.float64]) -> Iterator[int]:
    """Give the indices by rank; all are sorted only if one does not do."""
    if len(rank):
        yield int(np.argmin(rank))
        yield from np.argsort(rank, kind='stable')[1:].tolist()


def _alike(items: Sequence[Item]) -> Iterable[list[Item]]:
    """Return the items in lists of those of one kind."""
    found: dict[int, list[Item]] = {}
    for item in items:
        found.setdefault(item.kind, []).append(item)
    return found.values()


def _missing(found: Found) -> int:
    return len(found.left) + len(found.unmet)


def nested_up_to(compiled: numbers.Compiled) -> int:
    """Return the widest scope up to which every domain lies in one wider."""
    top = 0
    for nested in compiled.is_nested:
        if not nested:
            break
        top += 1
    return top


def _members_by_domain(column: Ints, count: int) -> Sequence[Ints]:
    """Return domain -> the places in it."""
    order = np.argsort(column, kind='stable')
    bounds = np.searchsorted(column[order], np.arange(count + 1))
    return _Slices(order, bounds)


class _Slices(Sequence[Ints]):
    """Cuts one array into many without making them all."""

    def __init__(self, order: Ints, bounds: Ints) -> None:
        self._order, self._bounds = order, bounds

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._order[self._bounds[index] : self._bounds[index + 1]]
