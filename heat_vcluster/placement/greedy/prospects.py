# SPDX-License-Identifier: Apache-2.0
"""Which domains might take a bundle, in the order of their promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.greedy import crowding, dead_ends
from heat_vcluster.placement.greedy.standing import PLACE, Node
from heat_vcluster.placement.greedy.state import Item, State
from heat_vcluster.placement.numbers import amounts

# So many domains are tried for a bundle, in the order of their promise.
TRIES = 100
# ... and so many for one that only wishes tie together.
WISHED = 20
# So many domains are hardly any choice.
HARDLY_ANY = 4
EVERYWHERE = (-2, -1)


class Prospects:
    """Looks at domains as things stand, and as they were at first.

    ``at_first``: item kind -> flags by place, whether one fits where nobody
    is yet. ``fills``: hosts are filled up, load is not spread.
    """

    def __init__(self, state: State, *, fills: bool) -> None:
        self._state, self._compiled = state, state.compiled
        self._fills = fills
        self.dead_ends = dead_ends.DeadEnds(state)
        self.at_first = {
            item.kind: state.kind(item).fits.copy()
            for item in {i.kind: i for i in state.items}.values()
        }
        self._counts_at_first: dict[tuple[int, int], Ints] = {}
        self.crowd(())

    def crowd(self, roots: Iterable[Node]) -> None:
        """Have domains that others of these need more come later."""
        self._crowding = crowding.Crowding(
            self._compiled.n_domains, roots, self.eligible
        )

    def has_hardly_any(self, root: Node) -> bool:
        """Tell whether there are but few domains that could take the root."""
        choice = self._crowding.choice(root)
        return choice is not None and choice <= HARDLY_ANY

    def domains(self, node: Node, within: tuple[int, int]) -> Iterator[int]:
        """Give the domains that might take the node, in order of promise."""
        scope = node.scope
        room: Ints | None = None
        free: Flags = np.ones(self._compiled.n_domains[scope], np.bool_)
        if within != EVERYWHERE:
            wide, domain = within
            free &= self._compiled.above(scope, wide) == domain
        for items in alike(node.items):
            counts = self._state.kind(items[0]).counts(scope)
            room = counts if room is None else np.minimum(room, counts)
        assert room is not None  # noqa: S101
        free &= room > 0
        self.dead_ends.bar(scope, node.sign, free)
        self._bar(node, scope, free)
        for items in alike(node.items):
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

    def eligible(self, root: Node, scope: int) -> list[int]:
        """Return the domains that could take the root were they empty."""
        if scope == PLACE:
            item = root.items[0]
            return [int(p) for p in np.flatnonzero(self.at_first[item.kind])]
        free = np.ones(self._compiled.n_domains[scope], np.bool_)
        self.dead_ends.bar_closed(scope, root.sign, free)
        for items in alike(root.items):
            fits = self.at_first[items[0].kind]
            counts = self.places_at_first(items[0].kind, scope)
            free &= counts > 0
            self._bar_narrow(
                free, items, scope, fits, self._compiled.free, counts
            )
        return np.flatnonzero(free).tolist()

    def places_at_first(self, kind: int, scope: int) -> Ints:
        """Return, by domain, how many places took the kind were it empty."""
        if (kind, scope) not in self._counts_at_first:
            domains = self._compiled.domain[scope][self.at_first[kind]]
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
        slots = amounts.slots(items[0].size, free, places)
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

    def has_leave(self, root: Node, scope: int) -> Flags:
        """Return, by domain, whether no rule forbids it as things stand."""
        if scope == PLACE:
            places = np.arange(self._compiled.n_places)
            return self._state.allowed(root.items[0], places)
        leave = np.ones(self._compiled.n_domains[scope], np.bool_)
        self._bar(root, scope, leave)
        return leave

    def above(self, scope: int, domain: int, wide: int) -> int:
        """Return the domain at a wide scope that a narrow one lies in."""
        if scope == PLACE:
            return int(self._compiled.domain[wide][domain])
        if scope > wide or domain == UNKNOWN:
            return UNKNOWN
        return int(self._compiled.above(scope, wide)[domain])

    def give_up(self, root: Node, scope: int, domain: int) -> None:
        """Note that the root finds no place in a domain cleared of others.

        Unless it is for what stands elsewhere.
        """
        if self.has_leave(root, scope)[domain] and not self._compiled.budgets:
            self.dead_ends.close(scope, root.sign, domain)


def alike(items: Sequence[Item]) -> Iterable[list[Item]]:
    """Return the items in lists of those of one kind."""
    found: dict[int, list[Item]] = {}
    for item in items:
        found.setdefault(item.kind, []).append(item)
    return found.values()
