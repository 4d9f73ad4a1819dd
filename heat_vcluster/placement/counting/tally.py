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

import math
from collections.abc import Collection, Mapping

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import (
    capacity,
    cells,
    framing,
    likeness,
    obedience,
    stowage,
    terms,
)


class Tally(cells.Cells):
    """The program of counts of a problem, with these blocks ``opened``.

    ``impossible``: seen to have no solution while it was written down.
    ``packs``: the hosts in use are counted, to be as few as can be; all
    blocks must be open then. ``flat``: for the bound alone: no rule above the
    host is looked at, and hosts much alike, by so many steps of room, are as
    large as the largest of them; with few steps mixes are not looked at
    either. ``most``: with more variables than so many it is left unwritten,
    and says nothing.
    """

    def __init__(
        self,
        frame: framing.Frame,
        opened: Collection[int] | None = None,
        packs: bool = False,
        flat: int = 0,
        most: float = math.inf,
    ) -> None:
        super().__init__(frame, opened, flat)
        self.is_written = self.program.n_variables <= most
        if self.impossible or not self.is_written:
            return
        room = capacity.Capacity(self, packs)
        room.fill_hosts()
        self._mixes = room.mixes
        if not flat:
            rules = obedience.Obedience(self)
            rules.link()
            room.fill_pools()
            room.keep_budgets()
            rules.obey()
        if packs:
            self.program.minimise(room.used, [1] * len(room.used))

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

    def _hint(self, count: terms.Count, domains: Ints) -> None:
        size = int(count.domains.max(initial=UNKNOWN)) + 1
        known = domains[(domains != UNKNOWN) & (domains < size)]
        here = np.bincount(known, minlength=size)[count.domains]
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

    def cells_in_use(self, values: Ints) -> list[int]:
        """Return the cells that have any atom, by a solution."""
        found: set[int] = set()
        for count in self._cells.values():
            found.update(count.domains[values[count.variables] > 0].tolist())
        return sorted(found)

    def chosen(self, cell: int, values: Ints) -> list[stowage.Mix]:
        """Return the mix of each host in use of a cell of hosts alike."""
        stow = self.frame.stowage
        mixes = stow.mixes[int(stow.alike[self.sample[cell]])]
        if cell not in self._mixes:
            return [mixes[0]] * int(self.sizes[cell])
        first = self._mixes[cell]
        return [
            mix
            for number, mix in enumerate(mixes, first)
            for _ in range(int(values[number]))
        ]


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
