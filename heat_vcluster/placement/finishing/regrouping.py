# SPDX-License-Identifier: Apache-2.0
"""A part of a placement done anew, as one program, whatever may be left out.

What stands in a few domains is taken up together with what has no place, and
as much of it as can be is placed again; all else stays. Items that no rule
tells apart are counted; each host takes what one of its fills has.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.finishing.board import Board, Node
from heat_vcluster.placement.numbers import brim
from heat_vcluster.placement.programs import linear

FILLS = 60  # of one host, beyond which its room is said by resource
NOISE = 200  # worth is varied by so much of it, so that ties are broken
VOLUMES = 60  # volumes that are taken up in any case
MANY = 99  # of what takes nothing
LONGEST = 20.0  # seconds for one program, whatever its effort

Row = list[tuple[int, int]]  # variable and factor


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    """Items that are counted: ``takes`` is place -> variable."""

    items: tuple[int, ...]
    takes: dict[int, int]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Bundle:
    """A node: ``here`` is domain -> variable, unless its domain is fixed."""

    scope: int
    here: dict[int, int]
    fixed: int | None


class Regrouping:
    """The roots ``left`` and those with items in these domains, anew.

    Whole roots, that is, which may stay where they are outside. ``only``:
    items of these sizes alone are taken up. Of a root that is taken up in
    part the rest tells where it may go, and it must stay whole.
    """

    def __init__(
        self,
        board: Board,
        scope: int,
        domains: Iterable[int],
        left: Iterable[int],
        draw: random.Random,
        only: Collection[brim.Size] | None = None,
    ) -> None:
        self._board, self._compiled = board, board.compiled
        self._draw = draw
        self._inside: Flags = np.zeros(
            self._compiled.n_domains[scope], np.bool_
        )
        self._inside[list(domains)] = True
        self._column = self._compiled.domain[scope]
        self._outside: set[int] = set()  # hosts of what is taken up there
        self._free = [False] * len(board.items)
        self._roots = set(left)
        self._take_up(only)
        self._numbers = [n for n, free in enumerate(self._free) if free]
        self._clear_room()
        self._program = linear.Program()
        self._hint: dict[int, int] = {}
        self._terms: tuple[list[int], list[int]] = ([], [])
        self._leaves: list[_Leaf] = []
        self._leaf_of: dict[int, int] = {}
        self._bundles: dict[int, _Bundle] = {}  # by id of the node
        self._around: dict[int, list[Node]] = {}  # item -> its nodes
        self._places: dict[int, list[tuple[int, int]]] = {}  # by kind
        self._write()

    # -- what is taken up ----------------------------------------------------

    def _take_up(self, only: Collection[brim.Size] | None) -> None:
        board, free = self._board, self._free
        for number, place in enumerate(board.at):
            if (
                UNKNOWN != place < self._compiled.n_hosts
                and self._column[place] != UNKNOWN
                and self._inside[self._column[place]]
                and (only is None or board.items[number].size in only)
                and not board.is_rigid[board.root_of[number]]
            ):
                free[number] = True
                self._roots.add(board.root_of[number])
        for root in self._roots:
            for number in board.roots[root]:
                item = board.items[number]
                if item.servers and (only is None or item.size in only):
                    if not free[number] and board.at[number] != UNKNOWN:
                        self._outside.add(board.at[number])
                    free[number] = True
            if all(
                board.at[n] == UNKNOWN or free[n]
                for n in board.roots[root]
                if board.items[n].servers
            ):
                for number in board.roots[root]:
                    free[number] = True
        volumes = [
            number
            for number, item in enumerate(board.items)
            if not item.servers
            and not free[number]
            and board.at[number] != UNKNOWN
            and not board.is_rigid[board.root_of[number]]
        ]
        if len(volumes) > VOLUMES:
            volumes = self._draw.sample(volumes, VOLUMES)
        for number in volumes:
            free[number] = True
            self._roots.add(board.root_of[number])

    def _clear_room(self) -> None:
        """See what is free once all that is taken up has left."""
        board = self._board
        self._room = [column.copy() for column in board.free]
        self._pool_room = board.pool_free.copy()
        for number in self._numbers:
            item, place = board.items[number], board.at[number]
            if place == UNKNOWN:
                continue
            if item.servers:
                for column, amount in zip(self._room, item.size, strict=True):
                    column[place] += amount
            else:
                gb = self._compiled.size(item.volumes[0])[0]
                self._pool_room[place - self._compiled.n_hosts] += gb
        column = self._column[: self._compiled.n_hosts]
        inside = (column != UNKNOWN) & self._inside[column]
        inside[list(self._outside)] = True
        hosts = np.flatnonzero(board.brim.usable & inside)
        self._hosts = hosts[~self._owned(hosts)].tolist()
        sizes = {
            board.items[n].size
            for n in self._numbers
            if board.items[n].servers
        }
        self._fills = {
            host: self._fills_of(host, sizes) for host in self._hosts
        }

    def _owned(self, hosts: Ints) -> Flags:
        """Return which hosts are in domains that others have to themselves."""
        owned = np.zeros(len(hosts), np.bool_)
        for number, clause in enumerate(self._board.clauses):
            if clause.kind is constraints.Alone:
                column = self._compiled.domain[clause.scope][hosts]
                owned |= np.isin(column, list(self._board.standing(number)))
        return owned

    def _fills_of(
        self, host: int, sizes: Collection[brim.Size]
    ) -> list[brim.Fill] | None:
        """Return what the host takes of these sizes; None: by its room."""
        rest = tuple(int(column[host]) for column in self._room)
        fills = self._board.brim.fills(host, rest)
        if fills is None:
            return None
        found: dict[object, brim.Fill] = {}
        for fill in fills:
            part = {size: n for size, n in fill.items() if size in sizes}
            found[tuple(sorted(part.items()))] = part
        kept = _fullest(list(found.values()))
        return kept if len(kept) <= FILLS else None

    # -- variables -----------------------------------------------------------

    def _write(self) -> None:
        board = self._board
        alone: dict[object, list[int]] = {}
        for root in sorted(self._roots):
            node = board.tree[root]
            if not node.scope:
                for number in node.leaves:
                    if self._free[number]:
                        key = board.items[number].kind, board.role[number]
                        alone.setdefault(key, []).append(number)
                continue
            bundle = self._bundle(node, ())
            if bundle.fixed is None:
                self._program.total(list(bundle.here.values()), high=1)
                self._want(bundle.here.values(), board.worth[root])
        for items in alone.values():
            takes = self._leaf(items).takes
            self._program.total(list(takes.values()), high=len(items))
            self._want(takes.values(), board.worth[board.root_of[items[0]]])
        self._fill()
        self._keep_budgets()
        touched = {r for n in self._numbers for r in board.rules_of[n]}
        for number in sorted(touched):
            self._obey(number)
        self._program.minimise(*self._terms)
        self._program.hint(self._hint.keys(), self._hint.values())

    def _want(self, variables: Iterable[int], worth: int) -> None:
        for variable in variables:
            self._terms[0].append(variable)
            noise = self._draw.randrange(1 + worth // NOISE)
            self._terms[1].append(-worth - noise)

    def _leaf(self, items: Sequence[int]) -> _Leaf:
        places = self._places_of(items[0])
        first = self._program.variables(
            min(len(items), most) for _, most in places
        )
        takes = {p: v for v, (p, _) in enumerate(places, first)}
        leaf = _Leaf(tuple(items), takes)
        for number in items:
            self._leaf_of[number] = len(self._leaves)
            variable = takes.get(self._board.at[number])
            if variable is not None:
                self._hint[variable] = self._hint.get(variable, 0) + 1
        self._leaves.append(leaf)
        return leaf

    def _places_of(self, number: int) -> list[tuple[int, int]]:
        """Return where such an item may go, and how many of it at the most."""
        item = self._board.items[number]
        if item.kind not in self._places:
            may = self._board.may[number]
            self._places[item.kind] = found = []
            if not item.servers:
                gb = self._compiled.size(item.volumes[0])[0]
                for pool in np.flatnonzero(may).tolist():
                    room = int(self._pool_room[pool - self._compiled.n_hosts])
                    if room >= gb:
                        found.append((pool, room // gb if gb else MANY))
                return found
            for host in self._hosts:
                most = self._most(item.size, host) if may[host] else 0
                if most > 0:
                    found.append((host, most))
        return self._places[item.kind]

    def _most(self, size: brim.Size, host: int) -> int:
        fills = self._fills[host]
        if fills is not None and any(size):
            return max((fill.get(size, 0) for fill in fills), default=0)
        return min(
            (
                int(column[host]) // amount
                for column, amount in zip(self._room, size, strict=True)
                if amount
            ),
            default=MANY,
        )

    def _bundle(self, node: Node, around: tuple[Node, ...]) -> _Bundle:
        """Have all of a node in one domain, if anywhere."""
        board, column = self._board, self._compiled.domain[node.scope]
        inside = (*around, node)
        alike: dict[object, list[int]] = {}
        fixed: int | None = None
        for number in node.leaves:
            if self._free[number]:
                key = board.items[number].kind, board.role[number]
                alike.setdefault(key, []).append(number)
                self._around[number] = list(inside)
            else:
                fixed = int(column[board.at[number]])
        contents: list[tuple[dict[int, list[int]], int]] = []
        for items in alike.values():
            takes = self._leaf(items).takes
            contents.append((self._gathered(takes, column), len(items)))
        for part in node.parts:
            bundle = self._bundle(part, inside)
            outer = self._compiled.above(part.scope, node.scope)
            if bundle.fixed is None:
                contents.append((self._gathered(bundle.here, outer), 1))
            else:
                fixed = int(outer[bundle.fixed])
        here: dict[int, int] = {}
        if fixed is None:
            common = set.intersection(*(set(by) for by, _ in contents))
            domains = sorted(common)
            first = self._program.variables([1] * len(domains))
            here = {d: v for v, d in enumerate(domains, first)}
            now = board.at[next(node.items())]
            if now != UNKNOWN and int(column[now]) in here:
                self._hint[here[int(column[now])]] = 1
        for by, many in contents:
            for domain, row in by.items():
                if domain in here:
                    self._program.row(
                        [*row, here[domain]], [1] * len(row) + [-many], 0, 0
                    )
                elif domain != fixed:
                    self._program.total(row, high=0)
            if fixed is not None:
                self._program.total(by.get(fixed, []), many, many)
        found = _Bundle(node.scope, here, fixed)
        self._bundles[id(node)] = found
        return found

    @staticmethod
    def _gathered(
        variables: Mapping[int, int], outer: Ints
    ) -> dict[int, list[int]]:
        """Return, by the domain around, variables that are by place."""
        found: dict[int, list[int]] = {}
        for inner, variable in variables.items():
            found.setdefault(int(outer[inner]), []).append(variable)
        # What is nowhere at the scope cannot be together with anybody.
        return found

    # -- room ----------------------------------------------------------------

    def _fill(self) -> None:
        on: dict[int, list[tuple[int, int]]] = {}
        for leaf in self._leaves:
            for place, variable in leaf.takes.items():
                on.setdefault(place, []).append((leaf.items[0], variable))
        for place, here in on.items():
            if place >= self._compiled.n_hosts:
                self._program.row(
                    [variable for _, variable in here],
                    [self._gb(number) for number, _ in here],
                    high=int(self._pool_room[place - self._compiled.n_hosts]),
                )
                continue
            fills = self._fills[place]
            if fills is None:
                self._fill_by_room(place, here)
            else:
                self._choose_fill(fills, here)

    def _gb(self, number: int) -> int:
        return self._compiled.size(self._board.items[number].volumes[0])[0]

    def _fill_by_room(self, host: int, here: list[tuple[int, int]]) -> None:
        for resource, column in enumerate(self._room):
            row = [
                (variable, self._board.items[number].size[resource])
                for number, variable in here
            ]
            self._bound(row, int(column[host]))

    def _bound(self, row: Row, high: int) -> None:
        row = [(variable, factor) for variable, factor in row if factor]
        if row:
            self._program.row(
                [variable for variable, _ in row],
                [factor for _, factor in row],
                high=high,
            )

    def _choose_fill(
        self, fills: list[brim.Fill], here: list[tuple[int, int]]
    ) -> None:
        chosen: list[int] = []
        if len(fills) > 1:
            first = self._program.variables([1] * len(fills))
            chosen = list(range(first, first + len(fills)))
            self._program.total(chosen, 1, 1)
        by_size: dict[brim.Size, list[int]] = {}
        for number, variable in here:
            size = self._board.items[number].size
            if any(size):
                by_size.setdefault(size, []).append(variable)
        for size, row in by_size.items():
            if not chosen:
                self._program.total(row, high=fills[0].get(size, 0))
                continue
            self._program.row(
                [*row, *chosen],
                [1] * len(row) + [-fill.get(size, 0) for fill in fills],
                high=0,
            )

    def _keep_budgets(self) -> None:
        board = self._board
        for cap in self._compiled.budgets:
            column = self._compiled.domain[cap.scope]
            for resource, room in enumerate(cap.room):
                left = room.copy()
                for number, place in enumerate(board.at):
                    item = board.items[number]
                    if place == UNKNOWN or self._free[number]:
                        continue
                    if item.servers and column[place] != UNKNOWN:
                        left[column[place]] -= item.size[resource]
                rows: dict[int, Row] = {}
                for leaf in self._leaves:
                    item = board.items[leaf.items[0]]
                    for place, variable in leaf.takes.items():
                        if item.servers and column[place] != UNKNOWN:
                            rows.setdefault(int(column[place]), []).append(
                                (variable, item.size[resource])
                            )
                for domain, row in rows.items():
                    self._bound(row, int(left[domain]))

    # -- rules ---------------------------------------------------------------

    def _obey(self, number: int) -> None:
        kind = self._board.clauses[number].kind
        if kind is constraints.AtMost:
            self._keep_apart(number)
        elif kind is constraints.Together:
            self._gather(number)
        elif kind is constraints.Level:
            self._keep_level(number)
        elif kind is constraints.AtLeast:
            self._spread_out(number)

    def _stay(self, number: int) -> dict[int, list[int]]:
        """Return domain -> the items of a rule that stay there."""
        standing = self._board.standing(number).items()
        stay = {d: [i for i in at if not self._free[i]] for d, at in standing}
        return {domain: items for domain, items in stay.items() if items}

    def _leaves_in(self, number: int) -> list[tuple[_Leaf, int]]:
        """Return the leaves in a rule, and how many of its members each is."""
        found: dict[int, int] = {}
        for item, units in self._board.roles[number].items():
            if self._free[item]:
                found[self._leaf_of[item]] = len(units)
        return [(self._leaves[leaf], many) for leaf, many in found.items()]

    def _counted(self, number: int) -> dict[int, Row]:
        """Return domain -> the members of a rule that would be there."""
        column = self._compiled.domain[self._board.clauses[number].scope]
        rows: dict[int, Row] = {}
        for leaf, many in self._leaves_in(number):
            for place, variable in leaf.takes.items():
                if column[place] != UNKNOWN:
                    rows.setdefault(int(column[place]), []).append(
                        (variable, many)
                    )
        return rows

    def _keep_apart(self, number: int) -> None:
        board = self._board
        clause, roles = board.clauses[number], board.roles[number]
        column = self._compiled.domain[clause.scope]
        stay: dict[int, set[int]] = collections.defaultdict(set)
        for domain, items in self._stay(number).items():
            stay[domain].update(u for item in items for u in roles[item])
        rows: dict[int, Row] = {}
        several: dict[int, list[int]] = {}
        single: dict[int, int] = {}  # leaf -> units of one member in an item
        for item, units in roles.items():
            if self._free[item]:
                ones = [u for u in units if len(clause.units[u]) == 1]
                if ones:
                    single[self._leaf_of[item]] = len(ones)
                for unit in set(units) - set(ones):
                    several.setdefault(unit, []).append(item)
        for leaf, many in single.items():
            for place, variable in self._leaves[leaf].takes.items():
                if column[place] != UNKNOWN:
                    rows.setdefault(int(column[place]), []).append(
                        (variable, many)
                    )
        for unit, items in several.items():
            for domain, present in self._presence(items, clause.scope).items():
                if isinstance(present, str):
                    stay[domain].add(unit)
                elif unit not in stay[domain]:
                    rows.setdefault(domain, []).append((present, 1))
        for domain, row in rows.items():
            self._bound(row, clause.limit - len(stay[domain]))

    def _presence(
        self, items: Sequence[int], scope: int
    ) -> dict[int, int | str]:
        """Return domain -> a variable, set if any of these is there.

        'fixed' where one of them surely is.
        """
        node = self._cover(items, scope)
        if node is not None:
            bundle = self._bundles[id(node)]
            outer = self._compiled.above(node.scope, scope)
            if bundle.fixed is not None:
                return {int(outer[bundle.fixed]): 'fixed'}
            gathered = self._gathered(bundle.here, outer)
            return {d: self._any(row, 1) for d, row in gathered.items()}
        column = self._compiled.domain[scope]
        rows: dict[int, dict[int, int]] = {}
        for leaf in {self._leaf_of[item] for item in items}:
            for place, variable in self._leaves[leaf].takes.items():
                if column[place] != UNKNOWN:
                    rows.setdefault(int(column[place]), {})[variable] = len(
                        self._leaves[leaf].items
                    )
        return {
            domain: self._any(list(row), sum(row.values()))
            for domain, row in rows.items()
        }

    def _cover(self, items: Sequence[int], scope: int) -> Node | None:
        """Return the widest node up to a scope, if all of these are in it."""
        found = set()
        for item in items:
            nodes = [n for n in self._around.get(item, ()) if n.scope <= scope]
            if not nodes:
                return None
            found.add(id(nodes[0]))
            cover = nodes[0]
        return cover if len(found) == 1 else None

    def _any(self, row: Sequence[int], most: int) -> int:
        """Return a variable that is set if any of these is."""
        if len(row) == 1 and most == 1:
            return row[0]
        flag = self._program.variables([1])
        self._program.row([*row, flag], [1] * len(row) + [-most], high=0)
        return flag

    def _gather(self, number: int) -> None:
        """Have those of a rule in one domain who have any at its scope."""
        column = self._compiled.domain[self._board.clauses[number].scope]
        stay = set(self._stay(number))
        flags: dict[int, int] = {}
        for leaf, _ in self._leaves_in(number):
            for place, variable in leaf.takes.items():
                domain = int(column[place])
                if domain == UNKNOWN or domain in stay:
                    continue
                if stay:
                    self._program.total([variable], high=0)
                    continue
                if domain not in flags:
                    flags[domain] = self._program.variables([1])
                self._program.row(
                    [variable, flags[domain]], [1, -len(leaf.items)], high=0
                )
        self._program.total(list(flags.values()), high=1)

    def _keep_level(self, number: int) -> None:
        """Keep the domains so level that those left can still make up."""
        clause, roles = self._board.clauses[number], self._board.roles[number]
        if not clause.domains:
            return
        stay = {
            domain: sum(len(roles[item]) for item in items)
            for domain, items in self._stay(number).items()
        }
        rows = self._counted(number)
        everyone = sum(map(len, roles.values()))
        highest = self._program.variables([everyone])
        placed: Row = [term for row in rows.values() for term in row]
        for domain in clause.domains:
            row, before = rows.get(domain, []), stay.get(domain, 0)
            self._bound([*row, (highest, -1)], clause.limit - before)
            missing = self._program.variables([everyone])
            placed.append((missing, 1))
            terms = [*row, (highest, -1), (missing, 1)]
            self._program.row(
                [variable for variable, _ in terms],
                [factor for _, factor in terms],
                low=-before,
            )
        column = self._compiled.domain[clause.scope]
        nowhere = sum(
            len(units)
            for item, units in roles.items()
            if not self._free[item]
            and self._board.at[item] != UNKNOWN
            and column[self._board.at[item]] == UNKNOWN
        )
        self._bound(placed, everyone - sum(stay.values()) - nowhere)

    def _spread_out(self, number: int) -> None:
        """Use so many domains as those left can still make up."""
        board = self._board
        clause, roles = board.clauses[number], board.roles[number]
        bundle_of = board.contracted.bundle_of[clause.scope]
        row: Row = []
        sure = 0
        seen: set[int] = set()
        for item in roles:
            bundle = int(bundle_of[board.first(board.items[item])])
            if bundle in seen:
                continue
            seen.add(bundle)
            node = board.tree[board.root_of[item]]
            if not self._free[item]:
                sure += board.at[item] == UNKNOWN
            elif not node.scope:
                sure += 1
            elif self._bundles[id(node)].fixed is None:
                sure += 1
                here = self._bundles[id(node)].here
                row += [(variable, -1) for variable in here.values()]
        for leaf, _ in self._leaves_in(number):
            if not board.tree[board.root_of[leaf.items[0]]].scope:
                row += [(variable, -1) for variable in leaf.takes.values()]
        stay = self._stay(number)
        sure += len(stay)
        for domain, here_ in self._counted(number).items():
            if domain not in stay:
                flag = self._program.variables([1])
                self._program.row(
                    [*(variable for variable, _ in here_), flag],
                    [1] * len(here_) + [-1],
                    low=0,
                )
                row.append((flag, 1))
        self._program.row(
            [variable for variable, _ in row],
            [factor for _, factor in row],
            low=clause.limit - sure,
        )

    # -- solving -------------------------------------------------------------

    def run(self, effort: float, seed: int, deadline: float) -> linear.Status:
        """Solve it, and put the items on the board as it says."""
        outcome = self._program.solve(
            min(deadline, time.monotonic() + LONGEST),
            seed,
            max_deterministic_time=effort,
            symmetry_level=0,
        )
        if outcome.values is not None:
            self._put(outcome.values)
        return outcome.status

    def _put(self, values: Ints) -> None:
        """Give each item its place: the one that it has, if it may."""
        board = self._board
        places: dict[int, int] = {}
        for leaf in self._leaves:
            slots = collections.Counter(
                {place: int(values[v]) for place, v in leaf.takes.items()}
            )
            rest = []
            for number in leaf.items:
                if slots[board.at[number]] > 0:
                    slots[board.at[number]] -= 1
                    places[number] = board.at[number]
                else:
                    rest.append(number)
            for number, place in itertools.zip_longest(
                rest, slots.elements(), fillvalue=UNKNOWN
            ):
                places[number] = place
        for number in self._numbers:
            board.lift(number)
        for number, place in places.items():
            if place != UNKNOWN:
                board.put(number, place)


def _fullest(fills: list[brim.Fill]) -> list[brim.Fill]:
    """Leave out fills that are part of others; there are no equal ones."""
    return [
        fill
        for fill in fills
        if not any(
            other is not fill
            and all(other.get(size, 0) >= n for size, n in fill.items())
            for other in fills
        )
    ]
