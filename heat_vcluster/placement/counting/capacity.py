# SPDX-License-Identifier: Apache-2.0
"""What is free, and granted, as rows of a program of counts."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import cells, kindred, likeness, terms
from heat_vcluster.placement.programs import linear
from heat_vcluster.placement.programs.program import INFINITY

POOLFUL = 1 << 40  # GiB that stand for: more than is asked
FEW = 3  # of a kind on a host, for which it is said what fits


class Capacity:
    """Has counts keep to what hosts, pools and budgets can take.

    ``packs``: hosts in use are counted, by ``used``. ``mixes``: of a cell of
    hosts alike, the first variable of those that say how many hosts have
    each of its mixes.
    """

    def __init__(self, counts: cells.Cells, packs: bool) -> None:
        self._counts, self._packs = counts, packs
        self._program = counts.program
        self.used: list[int] = []
        self.mixes: dict[int, int] = {}

    def fill_hosts(self) -> None:
        """Keep to what is free: of each open host, and of blocks in sum.

        Where less is to spare in all than a cell has, the rest of what it
        has must be taken. That follows from all rows together, but a jigsaw
        is only found where it is said of each. Not so where domains are for
        some alone, of which counts know little: counts that are found by
        filling hosts were seen to lead to no members there.
        """
        counts = self._counts
        fills_up = not counts.likeness.secluded
        mixed = counts.mixed[counts.sample]
        for number, free in enumerate(counts.likeness.free):
            gathered = self._taken(number)
            bounds = counts.gathered(free)
            usable, spare = counts.frame.usable(number)
            least = counts.gathered(usable) - spare
            for cell, variables, factors, most in gathered.rows():
                low, high = linear.NEVER
                if most > bounds[cell] and not mixed[cell]:
                    high = int(bounds[cell])
                if least[cell] > 0 and fills_up:
                    low = int(least[cell])
                if (low, high) != linear.NEVER:
                    self._program.row(variables, factors, low, high)
        self._mix()
        if self._packs:
            self._count_used(mixed)
        if not counts.is_full:
            self._fill_blocks()

    def _count_used(self, mixed: Flags) -> None:
        """Have a flag for each host whose mixes are not written down."""
        counts = self._counts
        compiled = counts.compiled
        with_servers = [
            kind
            for kind in counts.on_hosts
            if any(compiled.shapes[n].is_server for n, _ in kind.shapes)
        ]
        used: dict[int, int] = {}
        gathered = terms.Terms()
        for kind in with_servers:
            gathered.add(counts.cells(kind.number), 1)
        most = np.zeros(counts.n_cells, np.int64)
        for kind in with_servers:
            fits = counts.frame.fits[kind.number][: compiled.n_hosts]
            most += counts.highest(fits)
        for cell, variables, factors, _ in gathered.rows():
            if not mixed[cell]:
                size = int(counts.sizes[cell])
                used[cell] = self._program.variables([size])
                self._program.row(
                    [*variables, used[cell]],
                    [*factors, -int(most[cell])],
                    high=0,
                )
        self.used.extend(used.values())
        for number, free in enumerate(counts.likeness.free):
            self._limit_used(used, self._taken(number), counts.highest(free))
        for counted in counts.frame.counted_on_hosts():
            gathered = terms.Terms()
            for number, weight in counted.weights.items():
                if not counts.likeness.kinds[number].pooled:
                    gathered.add(counts.cells(number), weight)
            limits = np.full(counts.n_cells, counted.limit)
            self._limit_used(used, gathered, limits)
        for kind in with_servers:
            gathered = terms.Terms()
            gathered.add(counts.cells(kind.number), 1)
            fits = counts.frame.fits[kind.number][: compiled.n_hosts]
            limits = counts.highest(fits)
            # Where more fit, what is free says nearly as much.
            few = {c: v for c, v in used.items() if limits[c] <= FEW}
            self._limit_used(few, gathered, limits)

    def _limit_used(
        self, used: dict[int, int], gathered: terms.Terms, limits: Ints
    ) -> None:
        """Have so much at the most for each host in use of a cell."""
        for cell, variables, factors, _ in gathered.rows():
            if cell in used:
                self._program.row(
                    [*variables, used[cell]],
                    [*factors, -int(limits[cell])],
                    high=0,
                )

    def _mix(self) -> None:
        """Say of hosts with few mixes that each takes one of them."""
        counts = self._counts
        if not np.any(counts.mixed):
            return
        stow = counts.frame.stowage
        gathered: dict[int, terms.Terms] = {}
        for kind in counts.on_hosts:
            make = stow.make_of.get(kind.number)
            if make is not None:
                gathered.setdefault(make, terms.Terms()).add(
                    counts.cells(kind.number), 1
                )
        rows: dict[int, list[tuple[int, list[int], int]]] = {}
        for make, several in gathered.items():
            for cell, variables, _, most in several.rows():
                if counts.mixed[counts.sample[cell]]:
                    rows.setdefault(cell, []).append((make, variables, most))
        for cell, makes in rows.items():
            self._mix_cell(cell, makes)

    def _mix_cell(
        self, cell: int, makes: list[tuple[int, list[int], int]]
    ) -> None:
        program = self._program
        counts = self._counts
        stow, size = counts.frame.stowage, int(counts.sizes[cell])
        mixes = stow.mixes[int(stow.alike[counts.sample[cell]])]
        is_counted = len(mixes) > 1 or self._packs
        if is_counted:
            self.mixes[cell] = program.variables([size] * len(mixes))
            chosen = range(self.mixes[cell], self.mixes[cell] + len(mixes))
            program.total(list(chosen), high=size)
            self.used.extend(chosen)
        tables = [dict(mix) for mix in mixes]
        for make, variables, most in makes:
            amounts = [table.get(make, 0) for table in tables]
            if not is_counted:
                if amounts[0] * size < most:
                    program.total(variables, high=amounts[0] * size)
                continue
            program.row(
                [*variables, *chosen],
                [1] * len(variables) + [-a for a in amounts],
                high=0,
            )

    def _taken(self, number: int, scope: int | None = None) -> terms.Terms:
        """Gather what is taken of a resource, by cell or by domain."""
        counts = self._counts
        gathered = terms.Terms()
        for kind in counts.on_hosts:
            if kind.size[number]:
                count = (
                    counts.cells(kind.number)
                    if scope is None
                    else counts.at(kind.number, scope)
                )
                gathered.add(count, kind.size[number])
        return gathered

    def keep_budgets(self) -> None:
        for cap in self._counts.compiled.budgets:
            if cap.scope == 0:
                continue
            for number, room in enumerate(cap.room):
                for domain, variables, factors, most in self._taken(
                    number, cap.scope
                ).rows():
                    if most > room[domain]:
                        self._program.row(
                            variables, factors, high=max(0, int(room[domain]))
                        )

    def _fill_blocks(self) -> None:
        """Bound sets of kinds by what the hosts of a block take of them."""
        counts = self._counts
        apart = (counts.place_of != UNKNOWN) | counts.mixed[counts.sample]
        for chosen in kindred.sets(counts.on_hosts):
            gathered = terms.Terms()
            for kind in chosen:
                gathered.add(counts.cells(kind.number), 1)
            total = sum(kind.count for kind in chosen)
            bounds = counts.gathered(counts.frame.fitting_any(chosen))
            bounds[apart | (bounds >= total)] = INFINITY
            for cell, variables, factors, _ in gathered.rows(bounds):
                self._program.row(variables, factors, high=int(bounds[cell]))

    def fill_pools(self) -> None:
        counts = self._counts
        gathered = terms.Terms()
        for kind in counts.likeness.kinds:
            if kind.scope:
                continue
            if kind.pooled:
                size = counts.compiled.shapes[kind.shapes[0][0]].size[0]
                if size:
                    gathered.add(counts.cells(kind.number), size)
            else:
                for number, times in kind.shapes:
                    self._split_volumes(kind, number, times, gathered)
        room = np.zeros(counts.compiled.n_places, np.int64)
        room[counts.compiled.n_hosts :] = np.maximum(
            counts.compiled.pool_free, 0
        )
        bounds = counts.gathered(np.minimum(room, POOLFUL))
        for cell, variables, factors, most in gathered.rows():
            if bounds[cell] < most:
                self._program.row(variables, factors, high=int(bounds[cell]))

    def _split_volumes(
        self,
        kind: likeness.Kind,
        number: int,
        times: int,
        gathered: terms.Terms,
    ) -> None:
        """Count the volumes of atoms by the pools of the host they are on."""
        counts = self._counts
        shape = counts.compiled.shapes[number]
        if shape.is_server or not shape.size[0]:
            return
        on_hosts = counts.at(kind.number, 0)
        hosts = counts.compiled.domain[0][shape.places]
        wanted = np.isin(hosts, on_hosts.domains)
        pools, hosts = shape.places[wanted], hosts[wanted]
        room = counts.compiled.pool_free[pools - counts.compiled.n_hosts]
        most = np.minimum(room // shape.size[0], times * kind.count)
        count = counts.new(counts.cell_of(pools), most)
        gathered.add(count, shape.size[0])
        linked = terms.Terms()
        linked.add(terms.Count(hosts, count.variables, most), 1)
        linked.add(on_hosts, -times)
        for _, variables, factors, _ in linked.rows():
            self._program.row(variables, factors, 0, 0)
