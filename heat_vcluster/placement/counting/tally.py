# SPDX-License-Identifier: Apache-2.0
"""How many units of each kind each domain has, as a program of counts.

Every placement of the members is a solution of it, if one adds up who is
where; so that it has none proves that there is no placement. The other way
round it only promises: see ``likeness`` for what is left out.

Counts are kept by *cell*. In the full program each place is a cell. In the
coarse one all places of a *block* are: those with the same domains above the
host, and what their hosts can take of kinds, single and together, is reckoned
beforehand. It is small whatever the cloud, and enough for most proofs. Any
blocks may be opened, so that their places are cells.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Self

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import kindred, likeness, stowage, sums
from heat_vcluster.placement.numbers import breadth, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import linear
from heat_vcluster.placement.programs.program import INFINITY

POOLFUL = 1 << 40  # GiB that stand for: more than is asked
MIXING = 6  # steps of room from which on mixes are looked at
FEW = 3  # of a kind on a host, for which it is said what fits
TANGENTS = 6  # straight lines that stand for one bent one


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Count:
    """The counts of one kind at one scope: a variable for each domain.

    ``highest`` are their upper bounds. Sorted by domain.
    """

    domains: Ints
    variables: Ints
    highest: Ints


class Frame:
    """What all programs of counts of one problem have in common.

    ``block_of[place]``: places with the same domains at all scopes above the
    host that a rule looks at are one block. ``may``: atom -> flags by place,
    bundle -> flags by domain. ``fits[atom]``: how many of it fit on each
    place. ``parents[kind]``: the bundles that have it, and how many of it.
    ``among``: only these hosts are looked at; no proof then.
    """

    def __init__(
        self, kinds: likeness.Likeness, among: Flags | None = None
    ) -> None:
        self.likeness = kinds
        self.compiled = kinds.compiled
        self._among = among
        self.seen = _scopes_seen(self.compiled)
        rows = np.stack(
            [
                column if scope in self.seen else np.zeros_like(column)
                for scope, column in enumerate(self.compiled.domain)
            ],
            axis=1,
        )
        rows[:, 0] = 0
        _, block_of = np.unique(rows, axis=0, return_inverse=True)
        self.block_of: Ints = block_of.reshape(-1)
        self.n_blocks = int(self.block_of.max(initial=-1)) + 1
        self._allow()
        self.fits: dict[int, Ints] = {
            kind.number: self._fitting(kind)
            for kind in kinds.kinds
            if not kind.scope
        }

    @classmethod
    def of(
        cls, compiled: numbers.Compiled, contracted: contract.Contracted
    ) -> Self:
        """Return it for kinds as they are told apart for a proof."""
        return cls(likeness.Likeness(compiled, contracted))

    @property
    def n_pairs(self) -> int:
        """Return how many pairs of atom kind and place there are."""
        return sum(int((fits > 0).sum()) for fits in self.fits.values())

    def usable(self, number: int) -> tuple[Ints, int]:
        """Return what is free of a resource, by host, and what is to spare.

        Free where anyone who takes of it may be; and how much of all that
        is left over when everyone has a place.
        """
        takers = [
            kind
            for kind in self.likeness.kinds
            if not kind.scope and not kind.pooled and kind.size[number]
        ]
        here = np.zeros(self.compiled.n_hosts, np.bool_)
        for kind in takers:
            here |= self.fits[kind.number][: self.compiled.n_hosts] > 0
        usable = np.where(here, self.likeness.free[number], 0)
        asked = sum(kind.size[number] * kind.count for kind in takers)
        return usable, int(usable.sum()) - asked

    @functools.cached_property
    def sums(self) -> tuple[sums.Sum, ...]:
        return tuple(sums.add_up(self.likeness))

    @functools.cached_property
    def stowage(self) -> stowage.Stowage:
        on_hosts = {
            number: fits
            for number, fits in self.fits.items()
            if not self.likeness.kinds[number].pooled
        }
        return stowage.Stowage(self.likeness, on_hosts)

    def much_alike(self, steps: int) -> Ints:
        """Return, host by host, a number that hosts much alike share.

        Those that allow the same kinds and have about the same room: the
        same of so many steps.
        """
        n_hosts = self.compiled.n_hosts
        allows = [
            fits[:n_hosts] > 0
            for number, fits in sorted(self.fits.items())
            if not self.likeness.kinds[number].pooled
        ]
        columns = [*np.packbits(allows, axis=0)] if allows else []
        for free in self.likeness.free:
            width = max(1, int(free.max(initial=0)) // steps + 1)
            columns.append(free // width)
        _, alike = np.unique(
            np.stack(columns, axis=1), axis=0, return_inverse=True
        )
        found: Ints = alike.reshape(-1)
        return found

    # -- where kinds may be --------------------------------------------------

    def _allow(self) -> None:
        """Find ``may``: atom -> flags by place, bundle -> by domain.

        A bundle may be where each of its parts may, in as many domains as
        its rules ask for; a part that is always in a bundle may be where one
        of those may.
        """
        kinds, compiled = self.likeness.kinds, self.compiled
        self.may: list[Flags] = self.likeness.allowed()
        if self._among is not None:
            for flags in self.may:
                flags[: compiled.n_hosts] &= self._among
        for kind in kinds[len(self.may) :]:
            here = np.ones(compiled.n_domains[kind.scope], np.bool_)
            for part, _ in kind.parts:
                here &= self._reached(part, kind.scope)
            # Of bundles alike one may be broad enough where others are not.
            here &= np.logical_or.reduce(
                [
                    breadth.broad(compiled, kind.scope, asked, self._reached)
                    for asked in self.likeness.breadths[kind.number]
                ]
            )
            self.may.append(here)
        self.parents: dict[int, list[tuple[int, int]]] = {}
        for kind in kinds:
            for part, times in kind.parts:
                self.parents.setdefault(part, []).append((kind.number, times))
        for kind in reversed(kinds):
            parents = self.parents.get(kind.number, ())
            scopes = {kinds[p].scope for p, _ in parents}
            if len(scopes) == 1 and self.is_bound(kind.number, parents):
                scope = scopes.pop()
                some = np.logical_or.reduce([self.may[p] for p, _ in parents])
                outer = self._above(kind.number, scope)
                self.may[kind.number] &= (outer != UNKNOWN) & some[outer]

    def is_bound(self, kind: int, parents: Iterable[tuple[int, int]]) -> bool:
        """Tell whether all units of a kind are in those bundles."""
        kinds = self.likeness.kinds
        inside = sum(times * kinds[p].count for p, times in parents)
        return inside == kinds[kind].count

    def _above(self, number: int, scope: int) -> Ints:
        """Return, by the places or domains of a kind, the domain around."""
        compiled = self.compiled
        kind = self.likeness.kinds[number]
        if not kind.scope:
            return compiled.domain[scope]
        return compiled.above(kind.scope, scope)

    def _reached(self, number: int, scope: int) -> Flags:
        """Return which domains at a scope have a place for the kind."""
        outer = self._above(number, scope)[self.may[number]]
        found = np.zeros(self.compiled.n_domains[scope], np.bool_)
        found[outer[outer != UNKNOWN]] = True
        return found

    # -- what fits ----------------------------------------------------------

    def _fitting(self, kind: likeness.Kind) -> Ints:
        """Return, place by place, how many units of an atom fit there."""
        compiled = self.compiled
        fits = np.where(self.may[kind.number], kind.count, 0)
        if kind.pooled:
            size = compiled.shapes[kind.shapes[0][0]].size[0]
            if size:
                fits[compiled.n_hosts :] = np.minimum(
                    fits[compiled.n_hosts :], compiled.pool_free // size
                )
            return fits
        on_hosts = fits[: compiled.n_hosts]
        for amount, free in zip(kind.size, self.likeness.free, strict=True):
            if amount:
                np.minimum(on_hosts, free // amount, out=on_hosts)
        for number, times in kind.shapes:
            shape = compiled.shapes[number]
            if not shape.is_server:
                room = self._room_beside(number) // times
                np.minimum(on_hosts, room, out=on_hosts)
        for counted in _counted_on_hosts(self.likeness):
            weight = counted.weights.get(kind.number, 0)
            if weight:
                np.minimum(on_hosts, counted.limit // weight, out=on_hosts)
        return fits

    def _room_beside(self, number: int) -> Ints:
        """Return, host by host, how many volumes its own pools take."""
        compiled = self.compiled
        shape = compiled.shapes[number]
        pools = shape.places - compiled.n_hosts
        hosts = compiled.domain[0][shape.places]
        size = max(shape.size[0], 1)
        if shape.size[0]:
            each = compiled.pool_free[pools] // size
        else:
            each = np.full(len(pools), len(compiled.members))
        found = np.bincount(
            hosts[hosts != UNKNOWN],
            each[hosts != UNKNOWN],
            minlength=compiled.n_hosts,
        )
        return found.astype(np.int64)


class Tally:
    """The program of counts of a problem, with these blocks ``opened``.

    None: all are. ``at(kind, scope)`` has the variables of a kind; at scope 0
    those of single hosts only. ``cells(kind)`` has those of an atom by cell:
    ``place_of[cell]`` is the place, or UNKNOWN for several hosts or pools,
    and ``sample[cell]`` one of its places. ``impossible``: seen to have no
    solution while it was written down. ``packs``: the hosts in use are
    counted, to be as few as can be; all blocks must be open then. ``flat``:
    for the bound alone: no rule above the host is looked at, and hosts much
    alike, by so many steps of room, are as large as the largest of them;
    with few steps mixes are not looked at either. ``most``: with more
    variables than so many it is left unwritten, and says nothing.
    """

    def __init__(
        self,
        frame: Frame,
        opened: Collection[int] | None = None,
        packs: bool = False,
        flat: int = 0,
        most: float = math.inf,
    ) -> None:
        self._packs, self._flat = packs, flat
        self._used: list[int] = []
        self.frame = frame
        self.likeness = frame.likeness
        self.compiled = frame.compiled
        self.is_full = opened is None and not flat
        self._is_open = np.ones(frame.n_blocks, np.bool_)
        if opened is not None:
            self._is_open[:] = False
            self._is_open[list(opened)] = True
        self.program = linear.Program()
        self.impossible = False
        self._counts: dict[tuple[int, int], Count] = {}
        self._lay_out()
        self._add_counts()
        self.is_written = self.program.n_variables <= most
        if self.impossible or not self.is_written:
            return
        self._fill_hosts()
        if not flat:
            self._link()
            self._fill_pools()
            self._keep_budgets()
            self._obey()
        if packs:
            self.program.minimise(self._used, [1] * len(self._used))

    # -- cells -------------------------------------------------------------

    def _lay_out(self) -> None:
        """Number the cells: open hosts, alike ones as one, and blocks."""
        compiled, block_of = self.compiled, self.frame.block_of
        n_hosts, n_places = compiled.n_hosts, compiled.n_places
        places = np.arange(n_places)
        is_open = self._is_open[block_of]
        # Of what is closed, the hosts of a block, and its pools.
        keys = n_places + 2 * block_of + (places >= n_hosts)
        keys[is_open] = places[is_open]
        self._mixed = np.zeros(n_places, np.bool_)
        if np.any(is_open[:n_hosts]) and (
            not self._flat or self._flat >= MIXING
        ):
            alike = self.frame.stowage.alike
            self._mixed[:n_hosts] = is_open[:n_hosts] & (alike != UNKNOWN)
            if not stowage.tells_hosts_apart(self.likeness):
                mixed = np.flatnonzero(self._mixed)
                keys[mixed] = (
                    n_places
                    + 2 * self.frame.n_blocks
                    + alike[mixed] * self.frame.n_blocks
                    + block_of[mixed]
                )
        if self._flat:
            self._merge(keys)
        _, first, self._cell_of, self.sizes = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        self.n_cells = len(first)
        self.sample: Ints = first
        alone = is_open[first] & (self.sizes == 1)
        self.place_of = np.where(alone, first, UNKNOWN)
        self._domain = [column[first] for column in compiled.domain]
        self._domain[0] = np.where(alone, self._domain[0], UNKNOWN)

    def _merge(self, keys: Ints) -> None:
        """Have one cell for hosts alike, wherever they are."""
        n_hosts, n_places = self.compiled.n_hosts, self.compiled.n_places
        mixed = self._mixed[:n_hosts]
        alike = np.zeros(n_hosts, np.int64)
        if np.any(mixed):
            alike = self.frame.stowage.alike
        keys[:n_hosts] = np.where(
            mixed,
            n_places + alike,
            2 * n_places + self.frame.much_alike(self._flat),
        )

    def _highest(self, by_host: Ints) -> Ints:
        """Return the highest by cell of what is said host by host."""
        found = np.zeros(self.n_cells, np.int64)
        np.maximum.at(found, self._cell_of[: len(by_host)], by_host)
        return found

    def _gathered(self, by_place: Ints, first: int = 0) -> Ints:
        """Add up what is said place by place, from ``first`` on, by cell."""
        cells = self._cell_of[first : first + len(by_place)]
        # Exact: floats hold whole numbers up to 2 ** 53.
        summed = np.bincount(cells, by_place, minlength=self.n_cells)
        return summed.astype(np.int64)

    # -- variables -----------------------------------------------------------

    def _add_counts(self) -> None:
        self._cells: dict[int, Count] = {}
        for kind in self.likeness.kinds:
            if self._flat and (kind.scope or kind.pooled):
                continue
            if kind.scope:
                domains = np.flatnonzero(self.frame.may[kind.number])
                highest = np.full(len(domains), kind.count)
                count = self._new(domains, highest)
                self._counts[kind.number, kind.scope] = count
            else:
                summed = self._gathered(self.frame.fits[kind.number])
                cells = np.flatnonzero(summed)
                highest = np.minimum(summed[cells], kind.count)
                count = self._new(cells, highest)
                self._cells[kind.number] = count
            if int(highest.sum()) < kind.count:
                self.impossible = True
            self.program.total(
                count.variables.tolist(), kind.count, kind.count
            )

    def _new(self, domains: Ints, highest: Ints) -> Count:
        first = self.program.variables(highest.tolist())
        variables = np.arange(first, first + len(domains))
        return Count(domains, variables, highest)

    def cells(self, kind: int) -> Count:
        """Return the counts of an atom by cell: in full by place."""
        return self._cells[kind]

    def at(self, kind: int, scope: int) -> Count:
        """Return the counts of a kind at its own scope or a wider one."""
        key = kind, scope
        if key not in self._counts:
            self._counts[key] = self._summed(kind, scope)
        return self._counts[key]

    def _summed(self, kind: int, scope: int) -> Count:
        inner, outer = self._below(kind, scope)
        known = outer != UNKNOWN
        domains, where = np.unique(outer[known], return_inverse=True)
        variables = inner.variables[known]
        highest = inner.highest[known]
        if len(domains) == len(variables):
            order = np.argsort(where)
            return Count(domains, variables[order], highest[order])
        most = np.bincount(where, highest, minlength=len(domains))
        count = self._new(
            domains,
            np.minimum(most.astype(np.int64), self.likeness.kinds[kind].count),
        )
        for total, parts in zip(
            count.variables.tolist(), _split(where, variables), strict=True
        ):
            self.program.row([*parts, total], [1] * len(parts) + [-1], 0, 0)
        return count

    def _below(self, number: int, scope: int) -> tuple[Count, Ints]:
        """Return narrower counts of a kind, and the domains they lie in."""
        kind, compiled = self.likeness.kinds[number], self.compiled
        if kind.scope:
            count = self.at(number, scope - 1)
            return count, compiled.parent[scope - 1][count.domains]
        count = self._cells[number]
        outer = self._domain[scope][count.domains]
        if scope < 2 or scope - 1 not in self.frame.seen:
            return count, outer
        inner = self._domain[scope - 1][count.domains]
        beyond = (inner == UNKNOWN) & (outer != UNKNOWN)
        if np.any(beyond) or not compiled.is_nested[scope - 1]:
            return count, outer
        count = self.at(number, scope - 1)
        return count, compiled.parent[scope - 1][count.domains]

    def suggest(self, placement: Ints) -> None:
        """Hint at counts near to those of a placement, whole or not."""
        places = [self._places(k, placement) for k in self.likeness.kinds]
        for number, count in self._cells.items():
            self._hint(count, self._cell_of[places[number]])
        for (number, scope), count in self._counts.items():
            self._hint(count, self.compiled.domain[scope][places[number]])

    def _places(self, kind: likeness.Kind, placement: Ints) -> Ints:
        """Return where the units of a kind are, of those that are placed."""
        is_server = self.compiled.is_server
        places = placement[
            [
                next((m for m in unit if is_server[m]), unit[0])
                for unit in kind.units
            ]
        ]
        placed: Ints = places[places != UNKNOWN]
        return placed

    def _hint(self, count: Count, domains: Ints) -> None:
        many = np.bincount(domains[domains != UNKNOWN])
        many.resize(int(count.domains.max(initial=-1)) + 1)
        here = many[count.domains]
        used = here > 0
        self.program.hint(count.variables[used].tolist(), here[used].tolist())

    def forbid(self, scope: int, domain: int, many: Mapping[int, int]) -> None:
        """Let a domain not have so many of each of these kinds, or more."""
        program = self.program
        reached = []
        for kind, number in many.items():
            count = self.at(kind, scope)
            here = int(np.flatnonzero(count.domains == domain)[0])
            flag = program.variables([1])
            program.row(
                [int(count.variables[here]), flag],
                [1, -int(count.highest[here])],
                high=number - 1,
            )
            reached.append(flag)
        program.total(reached, high=len(reached) - 1)

    def cell_of(self, places: Ints) -> Ints:
        return self._cell_of[places]

    def cells_in_use(self, values: Ints) -> list[int]:
        """Return the cells that have any atom, by a solution."""
        found: set[int] = set()
        for count in self._cells.values():
            found.update(count.domains[values[count.variables] > 0].tolist())
        return sorted(found)

    def is_mixed(self, cell: int) -> bool:
        return bool(self._mixed[self.sample[cell]])

    def places_of(self, cell: int) -> list[int]:
        found: list[int] = np.flatnonzero(self._cell_of == cell).tolist()
        return found

    def chosen(self, cell: int, values: Ints) -> list[stowage.Mix]:
        """Return the mix of each host in use of a cell of hosts alike."""
        stow = self.frame.stowage
        mixes = stow.mixes[int(stow.alike[self.sample[cell]])]
        if cell not in self.mixes:
            return [mixes[0]] * int(self.sizes[cell])
        first = self.mixes[cell]
        return [
            mix
            for number, mix in enumerate(mixes, first)
            for _ in range(int(values[number]))
        ]

    # -- bundles -------------------------------------------------------------

    def _link(self) -> None:
        """Parts are where their bundles are, as often as those have them."""
        kinds = self.likeness.kinds
        for part, parents in self.frame.parents.items():
            for scope in sorted({kinds[p].scope for p, _ in parents}):
                here = [(p, n) for p, n in parents if kinds[p].scope == scope]
                bound = self.frame.is_bound(part, here)
                gathered = _Terms()
                gathered.add(self.at(part, scope), 1)
                for parent, times in here:
                    gathered.add(self.at(parent, scope), -times)
                high = 0 if bound else linear.NEVER[1]
                for _, variables, factors, _ in gathered.rows():
                    self.program.row(variables, factors, 0, high)

    # -- capacity ------------------------------------------------------------

    @property
    def _on_hosts(self) -> list[likeness.Kind]:
        return [k for k in self.likeness.kinds if not k.scope and not k.pooled]

    def _fill_hosts(self) -> None:
        """Keep to what is free: of each open host, and of blocks in sum.

        Where less is to spare in all than a cell has, the rest of what it
        has must be taken. That follows from all rows together, but a jigsaw
        is only found where it is said of each. Not so where domains are for
        some alone, of which counts know little: counts that are found by
        filling hosts were seen to lead to no members there.
        """
        fills_up = not self.likeness.secluded
        mixed = self._mixed[self.sample]
        for number, free in enumerate(self.likeness.free):
            gathered = self._taken(number)
            bounds = self._gathered(free)
            usable, spare = self.frame.usable(number)
            least = self._gathered(usable) - spare
            for cell, variables, factors, most in gathered.rows():
                low, high = linear.NEVER
                if most > bounds[cell] and not mixed[cell]:
                    high = int(bounds[cell])
                if least[cell] > 0 and fills_up:
                    low = int(least[cell])
                if (low, high) != linear.NEVER:
                    self.program.row(variables, factors, low, high)
        self._mix()
        if self._packs:
            self._count_used(mixed)
        if not self.is_full:
            self._fill_blocks()

    def _count_used(self, mixed: Flags) -> None:
        """Have a flag for each host whose mixes are not written down."""
        compiled = self.compiled
        with_servers = [
            kind
            for kind in self._on_hosts
            if any(compiled.shapes[n].is_server for n, _ in kind.shapes)
        ]
        used: dict[int, int] = {}
        gathered = _Terms()
        for kind in with_servers:
            gathered.add(self._cells[kind.number], 1)
        most = np.zeros(self.n_cells, np.int64)
        for kind in with_servers:
            fits = self.frame.fits[kind.number][: compiled.n_hosts]
            most += self._highest(fits)
        for cell, variables, factors, _ in gathered.rows():
            if not mixed[cell]:
                size = int(self.sizes[cell])
                used[cell] = self.program.variables([size])
                self.program.row(
                    [*variables, used[cell]],
                    [*factors, -int(most[cell])],
                    high=0,
                )
        self._used.extend(used.values())
        for number, free in enumerate(self.likeness.free):
            self._limit_used(used, self._taken(number), self._highest(free))
        for counted in _counted_on_hosts(self.likeness):
            gathered = _Terms()
            for number, weight in counted.weights.items():
                if not self.likeness.kinds[number].pooled:
                    gathered.add(self._cells[number], weight)
            limits = np.full(self.n_cells, counted.limit)
            self._limit_used(used, gathered, limits)
        for kind in with_servers:
            gathered = _Terms()
            gathered.add(self._cells[kind.number], 1)
            fits = self.frame.fits[kind.number][: compiled.n_hosts]
            limits = self._highest(fits)
            # Where more fit, what is free says nearly as much.
            few = {c: v for c, v in used.items() if limits[c] <= FEW}
            self._limit_used(few, gathered, limits)

    def _limit_used(
        self, used: dict[int, int], gathered: _Terms, limits: Ints
    ) -> None:
        """Have so much at the most for each host in use of a cell."""
        for cell, variables, factors, _ in gathered.rows():
            if cell in used:
                self.program.row(
                    [*variables, used[cell]],
                    [*factors, -int(limits[cell])],
                    high=0,
                )

    def _mix(self) -> None:
        """Say of hosts with few mixes that each takes one of them."""
        self.mixes: dict[int, int] = {}
        if not np.any(self._mixed):
            return
        stow = self.frame.stowage
        gathered: dict[int, _Terms] = {}
        for kind in self._on_hosts:
            make = stow.make_of.get(kind.number)
            if make is not None:
                gathered.setdefault(make, _Terms()).add(
                    self._cells[kind.number], 1
                )
        rows: dict[int, list[tuple[int, list[int], int]]] = {}
        for make, terms in gathered.items():
            for cell, variables, _, most in terms.rows():
                if self._mixed[self.sample[cell]]:
                    rows.setdefault(cell, []).append((make, variables, most))
        for cell, makes in rows.items():
            self._mix_cell(cell, makes)

    def _mix_cell(
        self, cell: int, makes: list[tuple[int, list[int], int]]
    ) -> None:
        stow, size = self.frame.stowage, int(self.sizes[cell])
        mixes = stow.mixes[int(stow.alike[self.sample[cell]])]
        is_counted = len(mixes) > 1 or self._packs
        if is_counted:
            self.mixes[cell] = self.program.variables([size] * len(mixes))
            chosen = range(self.mixes[cell], self.mixes[cell] + len(mixes))
            self.program.total(list(chosen), high=size)
            self._used.extend(chosen)
        tables = [dict(mix) for mix in mixes]
        for make, variables, most in makes:
            amounts = [table.get(make, 0) for table in tables]
            if not is_counted:
                if amounts[0] * size < most:
                    self.program.total(variables, high=amounts[0] * size)
                continue
            self.program.row(
                [*variables, *chosen],
                [1] * len(variables) + [-a for a in amounts],
                high=0,
            )

    def _taken(self, number: int, scope: int | None = None) -> _Terms:
        """Gather what is taken of a resource, by cell or by domain."""
        gathered = _Terms()
        for kind in self._on_hosts:
            if kind.size[number]:
                count = (
                    self._cells[kind.number]
                    if scope is None
                    else self.at(kind.number, scope)
                )
                gathered.add(count, kind.size[number])
        return gathered

    def _keep_budgets(self) -> None:
        for cap in self.compiled.budgets:
            if cap.scope == 0:
                continue
            for number, room in enumerate(cap.room):
                for domain, variables, factors, most in self._taken(
                    number, cap.scope
                ).rows():
                    if most > room[domain]:
                        self.program.row(
                            variables, factors, high=max(0, int(room[domain]))
                        )

    def _fill_blocks(self) -> None:
        """Bound sets of kinds by what the hosts of a block take of them."""
        apart = (self.place_of != UNKNOWN) | self._mixed[self.sample]
        for chosen in kindred.sets(self._on_hosts):
            gathered = _Terms()
            for kind in chosen:
                gathered.add(self._cells[kind.number], 1)
            total = sum(kind.count for kind in chosen)
            bounds = self._gathered(self._fitting_any(chosen))
            bounds[apart | (bounds >= total)] = INFINITY
            for cell, variables, factors, _ in gathered.rows(bounds):
                self.program.row(variables, factors, high=int(bounds[cell]))

    def _fitting_any(self, chosen: Sequence[likeness.Kind]) -> Ints:
        """Return, host by host, how many units of any of the kinds fit.

        An upper bound: as if all were as small as the smallest that fits.
        """
        compiled = self.compiled
        n_hosts = compiled.n_hosts
        each = [self.frame.fits[k.number][:n_hosts] for k in chosen]
        most = np.zeros(n_hosts, np.int64)
        for fits in each:
            most += fits
        for number, free in enumerate(self.likeness.free):
            least = np.full(n_hosts, np.iinfo(np.int64).max)
            for kind, fits in zip(chosen, each, strict=True):
                np.minimum(least, kind.size[number], out=least, where=fits > 0)
            counts = least > 0
            np.minimum(
                most,
                free // np.maximum(least, 1),
                out=most,
                where=counts,
            )
        for counted in _counted_on_hosts(self.likeness):
            inside = [
                counted.weights[k.number]
                for k in chosen
                if k.number in counted.weights
            ]
            if len(inside) > 1:
                others = [
                    fits
                    for kind, fits in zip(chosen, each, strict=True)
                    if kind.number not in counted.weights
                ]
                ceiling = np.full(n_hosts, counted.limit // min(inside))
                for fits in others:
                    ceiling += fits
                np.minimum(most, ceiling, out=most)
        return most

    def _fill_pools(self) -> None:
        gathered = _Terms()
        for kind in self.likeness.kinds:
            if kind.scope:
                continue
            if kind.pooled:
                size = self.compiled.shapes[kind.shapes[0][0]].size[0]
                if size:
                    gathered.add(self._cells[kind.number], size)
            else:
                for number, times in kind.shapes:
                    self._split_volumes(kind, number, times, gathered)
        room = np.zeros(self.compiled.n_places, np.int64)
        room[self.compiled.n_hosts :] = np.maximum(self.compiled.pool_free, 0)
        bounds = self._gathered(np.minimum(room, POOLFUL))
        for cell, variables, factors, most in gathered.rows():
            if bounds[cell] < most:
                self.program.row(variables, factors, high=int(bounds[cell]))

    def _split_volumes(
        self,
        kind: likeness.Kind,
        number: int,
        times: int,
        gathered: _Terms,
    ) -> None:
        """Count the volumes of atoms by the pools of the host they are on."""
        shape = self.compiled.shapes[number]
        if shape.is_server or not shape.size[0]:
            return
        on_hosts = self.at(kind.number, 0)
        hosts = self.compiled.domain[0][shape.places]
        wanted = np.isin(hosts, on_hosts.domains)
        pools, hosts = shape.places[wanted], hosts[wanted]
        room = self.compiled.pool_free[pools - self.compiled.n_hosts]
        most = np.minimum(room // shape.size[0], times * kind.count)
        count = self._new(self._cell_of[pools], most)
        gathered.add(count, shape.size[0])
        linked = _Terms()
        linked.add(Count(hosts, count.variables, most), 1)
        linked.add(on_hosts, -times)
        for _, variables, factors, _ in linked.rows():
            self.program.row(variables, factors, 0, 0)

    # -- rules ---------------------------------------------------------------

    def _obey(self) -> None:
        for counted in self.likeness.counted:
            clause = counted.clause
            apart = clause.kind is constraints.AtMost
            if clause.scope == 0 and not (apart or self.is_full):
                continue
            gathered = _Terms()
            for kind, weight in counted.weights.items():
                gathered.add(self.at(kind, clause.scope), weight)
            if apart:
                self._keep_apart(counted, gathered)
            elif clause.kind is constraints.Level:
                self._keep_level(counted, gathered)
            elif clause.kind is constraints.AtLeast:
                self._spread_out(counted, gathered)
            elif clause.kind is constraints.Lost:
                self._keep_lost(counted, gathered)
        for total in self.frame.sums:
            self._keep_sum(total)
        for inside in self.likeness.inside:
            self._limit_inside(inside)
            if inside.scope == 0 and not self.is_full:
                self._bend(inside)
        self._seclude()

    def _keep_apart(self, counted: likeness.Counted, gathered: _Terms) -> None:
        for _, variables, factors, most in gathered.rows():
            if most > counted.limit:
                self.program.row(variables, factors, high=counted.limit)

    def _keep_sum(self, total: sums.Sum) -> None:
        gathered = _Terms()
        for kind, weight in total.weights.items():
            gathered.add(self.at(kind, total.scope), weight)
        for _, variables, factors, most in gathered.rows():
            if most > total.limit:
                self.program.row(variables, factors, high=total.limit)

    def _keep_level(self, counted: likeness.Counted, gathered: _Terms) -> None:
        """All of D have from least to least + skew."""
        clause = counted.clause
        rows = {d: (v, f) for d, v, f, _ in gathered.rows()}
        if not clause.domains:
            return
        members = len(clause.members)
        least = self.program.variables([members // len(clause.domains)])
        for domain in clause.domains:
            variables, factors = rows.get(domain, ([], []))
            self.program.row(
                [*variables, least], [*factors, -1], 0, clause.limit
            )

    def _spread_out(self, counted: likeness.Counted, gathered: _Terms) -> None:
        """So many domains have one at the least."""
        used = []
        for _, variables, factors, _ in gathered.rows():
            flag = self.program.variables([1])
            used.append(flag)
            self.program.row([*variables, flag], [*factors, -1], 0)
        self.program.total(used, counted.clause.limit)

    def _keep_lost(self, counted: likeness.Counted, gathered: _Terms) -> None:
        """The largest of them together stay within the limit.

        As a level for all, and what each has beyond it: see ``exact``.
        """
        clause, rows = counted.clause, list(gathered.rows())
        level = self.program.variables([max(clause.limit, 0) // clause.lost])
        beyond = []
        for _, variables, factors, most in rows:
            more = self.program.variables([most])
            beyond.append(more)
            self.program.row(
                [*variables, level, more], [*factors, -1, -1], high=0
            )
        self.program.row(
            [level, *beyond],
            [clause.lost, *(1 for _ in beyond)],
            high=clause.limit,
        )

    def _limit_inside(self, inside: likeness.Inside) -> None:
        gathered = _Terms()
        for kind in inside.kinds:
            gathered.add(self.at(kind, inside.scope), 1)
        outer = self._caps_by_domain(inside)
        above = self.compiled.above(inside.scope, inside.within)
        for domain, variables, factors, _ in gathered.rows():
            more, caps = outer.get(int(above[domain]), ([], []))
            self.program.row(
                [*variables, *more], [*factors, *(-c for c in caps)], high=0
            )

    def _caps_by_domain(
        self, inside: likeness.Inside
    ) -> dict[int, tuple[list[int], list[int]]]:
        gathered = _Terms()
        for kind, cap in inside.caps.items():
            gathered.add(self.at(kind, inside.within), max(cap, 0))
        return {d: (v, f) for d, v, f, _ in gathered.rows()}

    def _bend(self, inside: likeness.Inside) -> None:
        """Bound what the hosts of a cell take, if each takes few of each.

        With y as the sum of the caps, a host with room for f takes at most
        min(f, y); the sum over hosts is a concave function of y, of which
        each tangent is a row.
        """
        kinds = [
            kind
            for kind in (self.likeness.kinds[k] for k in inside.kinds)
            if not kind.pooled
        ]
        if not kinds:
            return
        room = self._fitting_any(kinds)
        gathered = _Terms()
        for kind in kinds:
            gathered.add(self._cells[kind.number], 1)
        outer = self._caps_by_domain(inside)
        rows = [
            row for row in gathered.rows() if self.place_of[row[0]] == UNKNOWN
        ]
        before: Ints | None = None
        for touch in range(min(int(room.max(initial=0)), TANGENTS)):
            height = self._gathered(np.minimum(room, touch))
            slope = self._gathered((room > touch).astype(np.int64))
            for cell, variables, factors, most in rows:
                rise = int(slope[cell])
                high = int(height[cell]) - rise * touch
                if high >= most or (
                    before is not None and rise == before[cell]
                ):
                    continue  # no bound, or the line before once more
                domain = int(self._domain[inside.within][cell])
                more, caps = outer.get(domain, ([], []))
                self.program.row(
                    [*variables, *more],
                    [*factors, *(-rise * c for c in caps)],
                    high=high,
                )
            before = slope

    def _seclude(self) -> None:
        for scope in sorted({s.scope for s in self.likeness.secluded}):
            groups = [s for s in self.likeness.secluded if s.scope == scope]
            taken: dict[int, list[int]] = {}
            for group in groups:
                self._choose_domains(group, taken)
            theirs = frozenset().union(*(g.kinds for g in groups))
            others = _Terms()
            for kind in self.likeness.kinds:
                if not kind.scope and kind.number not in theirs:
                    others.add(self.at(kind.number, scope), 1)
            for domain, variables, factors, most in others.rows():
                flags = taken.pop(domain, [])
                if flags:
                    self.program.row(
                        [*variables, *flags],
                        [*factors, *([most] * len(flags))],
                        high=most,
                    )
            for flags in taken.values():
                if len(flags) > 1:
                    self.program.total(flags, high=1)

    def _choose_domains(
        self, group: likeness.Secluded, taken: dict[int, list[int]]
    ) -> None:
        """Give a group alike its domains: one of them alone in each."""
        gathered = _Terms()
        for kind in sorted(group.kinds):
            gathered.add(self.at(kind, group.scope), 1)
        chosen = []
        for domain, variables, factors, most in gathered.rows():
            flag = self.program.variables([1])
            chosen.append(flag)
            taken.setdefault(domain, []).append(flag)
            self.program.row(
                [*variables, flag],
                [*factors, -min(most, group.most)],
                high=0,
            )
        if group.scope or self.is_full:
            self.program.total(chosen, group.needs)


def _counted_on_hosts(
    kinds: likeness.Likeness,
) -> Iterator[likeness.Counted]:
    for counted in kinds.counted:
        clause = counted.clause
        if clause.kind is constraints.AtMost and clause.scope == 0:
            yield counted


def _scopes_seen(compiled: numbers.Compiled) -> frozenset[int]:
    """Return the scopes above the host that any hard rule looks at."""
    rules = {clause.scope for clause in compiled.hard}
    budgets = {cap.scope for cap in compiled.budgets}
    return frozenset((rules | budgets) - {0})


class _Terms:
    """Counts with factors, to be read domain by domain."""

    def __init__(self) -> None:
        self._counts: list[tuple[Count, int]] = []

    def add(self, count: Count, factor: int) -> None:
        self._counts.append((count, factor))

    def rows(
        self, bounds: Ints | None = None
    ) -> Iterator[tuple[int, list[int], list[int], int]]:
        """Give domain, variables, factors, and the most they can come to.

        With ``bounds``, by domain: only where that is more.
        """
        if not any(len(c.domains) for c, _ in self._counts):
            return
        domains = np.concatenate([c.domains for c, _ in self._counts])
        variables = np.concatenate([c.variables for c, _ in self._counts])
        factors = np.concatenate(
            [np.full(len(c.domains), f) for c, f in self._counts]
        )
        highest = np.concatenate(
            [c.highest * max(f, 0) for c, f in self._counts]
        )
        order = np.argsort(domains, kind='stable')
        domains = domains[order]
        starts = np.flatnonzero(np.diff(domains, prepend=-2))
        ends = np.append(starts[1:], len(domains))
        numbers, by = variables[order].tolist(), factors[order].tolist()
        most = np.add.reduceat(highest[order], starts)
        if bounds is not None:
            beyond = most > bounds[domains[starts]]
            starts, ends, most = starts[beyond], ends[beyond], most[beyond]
        for start, end, high in zip(
            starts.tolist(), ends.tolist(), most.tolist(), strict=True
        ):
            yield (
                int(domains[start]),
                numbers[start:end],
                by[start:end],
                high,
            )


def _split(where: Ints, variables: Ints) -> Iterator[list[int]]:
    """Give the variables of each number in ``where``, from 0 on."""
    if not len(where):
        return
    order = np.argsort(where, kind='stable')
    numbers = variables[order].tolist()
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))
    ends = [*starts[1:].tolist(), len(numbers)]
    for start, end in zip(starts.tolist(), ends, strict=True):
        yield numbers[start:end]


def by_host(counts: Tally, values: Ints) -> dict[int, dict[int, int]]:
    """Return, of what is open, kind of atom -> place -> how many.

    Where hosts alike were counted as one, each gets a mix of its own.
    """
    found: dict[int, dict[int, int]] = {}
    inside: dict[int, list[tuple[int, int]]] = {}
    for kind in counts.likeness.kinds:
        if kind.scope:
            continue
        count = counts.cells(kind.number)
        many = values[count.variables]
        for cell, n in zip(
            count.domains[many > 0].tolist(),
            many[many > 0].tolist(),
            strict=True,
        ):
            place = int(counts.place_of[cell])
            if place != UNKNOWN:
                found.setdefault(kind.number, {})[place] = n
            elif counts.is_mixed(cell):
                inside.setdefault(cell, []).append((kind.number, n))
    for cell, kinds in inside.items():
        _share_out(counts, values, cell, kinds, found)
    return found


def _share_out(
    counts: Tally,
    values: Ints,
    cell: int,
    kinds: list[tuple[int, int]],
    found: dict[int, dict[int, int]],
) -> None:
    stow = counts.frame.stowage
    slots: dict[int, list[int]] = {}
    for host, mix in zip(
        counts.places_of(cell), counts.chosen(cell, values), strict=False
    ):
        for make, many in mix:
            slots.setdefault(make, []).extend([host] * many)
    for kind, n in kinds:
        here = slots[stow.make_of[kind]]
        for host in here[:n]:
            table = found.setdefault(kind, {})
            table[host] = table.get(host, 0) + 1
        del here[:n]
