# SPDX-License-Identifier: Apache-2.0
"""What a host can take of atoms at once: the fullest mixes, hosts alike.

A *mix* says how many atoms of each *make* a host takes, and is fullest if
not one more fits. The mixes of a host say exactly what it can take, where
its sizes say it with loss; and hosts that allow the same mixes are alike,
whatever crumbs else they have free. Only hosts with few mixes have theirs
written down.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import likeness

MIXES = 80  # of one host at the most
STEPS = 4_000  # that finding them may take
ALL_STEPS = 150_000  # for all hosts together

Mix = tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Make:
    """Atoms that take the same of a host: kinds of one size and seclusion.

    ``weights`` are those in the rules that limit a host (by rule number).
    """

    size: tuple[int, ...]
    weights: tuple[tuple[int, int], ...]
    secluded: int


class Stowage:
    """``alike[host]`` is the number of its class, UNKNOWN where too roomy.

    Hosts of one class allow the same kinds and the same ``mixes[class]``,
    each of them pairs of make and number. ``make_of`` is by kind; a kind
    that takes volumes along has none, and its hosts no mixes.
    """

    def __init__(
        self, kinds: likeness.Likeness, fits: dict[int, Ints]
    ) -> None:
        self._kinds = kinds
        self._compiled = kinds.compiled
        self._fits = fits
        self.mixes: list[tuple[Mix, ...]] = []
        self.alike = np.full(self._compiled.n_hosts, UNKNOWN, np.int64)
        self._find_limits()
        self._find_makes()
        self._classify()

    def _find_limits(self) -> None:
        self._limits = [
            counted
            for counted in self._kinds.counted
            if counted.clause.scope == 0
            and counted.clause.kind is constraints.AtMost
        ]
        self._secluded = [s for s in self._kinds.secluded if s.scope == 0]

    def _find_makes(self) -> None:
        makes: dict[Make, int] = {}
        self.make_of: dict[int, int] = {}
        self._count: list[int] = []
        for kind in self._kinds.kinds:
            if kind.scope or kind.pooled or self._takes_volumes(kind):
                continue
            make = Make(
                kind.size,
                tuple(
                    (number, counted.weights[kind.number])
                    for number, counted in enumerate(self._limits)
                    if kind.number in counted.weights
                ),
                next(
                    (
                        number
                        for number, group in enumerate(self._secluded)
                        if kind.number in group.kinds
                    ),
                    UNKNOWN,
                ),
            )
            number = makes.setdefault(make, len(makes))
            self.make_of[kind.number] = number
            if number == len(self._count):
                self._count.append(0)
            self._count[number] += kind.count
        self.makes = tuple(makes)

    def _takes_volumes(self, kind: likeness.Kind) -> bool:
        shapes = self._compiled.shapes
        return any(not shapes[number].is_server for number, _ in kind.shapes)

    def _classify(self) -> None:
        """Sort hosts: by what they allow, then by their mixes."""
        n_hosts = self._compiled.n_hosts
        names = sorted(self._fits)
        allows = np.array(
            [self._fits[k][:n_hosts] > 0 for k in names], np.bool_
        ).reshape(len(names), n_hosts)
        taking = [i for i, k in enumerate(names) if k not in self.make_of]
        eligible = allows.any(axis=0) & ~allows[taking].any(axis=0)
        hosts = np.flatnonzero(eligible)
        if not len(hosts):
            return
        columns = [*np.packbits(allows[:, hosts], axis=0), *self._room(hosts)]
        rows, of = np.unique(
            np.stack(columns, axis=1), axis=0, return_inverse=True
        )
        of = of.reshape(-1)
        first = np.zeros(len(rows), np.int64)
        first[of[::-1]] = hosts[::-1]
        classes: dict[object, int] = {}
        left = ALL_STEPS
        of_row = np.full(len(rows), UNKNOWN, np.int64)
        # Hosts with the least room first: they have the fewest mixes.
        widths = np.array(
            [rows[:, -r - 1] for r in range(len(self._compiled.resources))]
        )
        for row in np.argsort(widths.sum(axis=0), kind='stable').tolist():
            search = _Search(self, int(first[row]), min(STEPS, left))
            mixes = search.found()
            left -= search.steps
            if mixes is None:
                if left <= 0:
                    break
                continue
            key = allows[:, first[row]].tobytes(), mixes
            number = classes.setdefault(key, len(classes))
            if number == len(self.mixes):
                self.mixes.append(mixes)
            of_row[row] = number
        self.alike[hosts] = of_row[of]

    def _room(self, hosts: Ints) -> list[Ints]:
        """Return what is free in steps of what is asked, and no more of it."""
        found = []
        for number, free in enumerate(self._kinds.free):
            sizes = [make.size[number] for make in self.makes]
            step = math.gcd(*sizes) or 1
            wanted = sum(
                size * count
                for size, count in zip(sizes, self._count, strict=True)
            )
            found.append(np.minimum(free[hosts], wanted) // step)
        return found

    # -- for the search ------------------------------------------------------

    def makes_on(self, host: int) -> list[tuple[int, int]]:
        """Return the makes that a host allows, and how many of each."""
        found: collections.Counter[int] = collections.Counter()
        for kind, make in self.make_of.items():
            if self._fits[kind][host] > 0:
                found[make] += self._kinds.kinds[kind].count
        return sorted(
            found.items(), key=lambda item: self.makes[item[0]].size
        )[::-1]

    def room_of(self, host: int) -> list[int]:
        return [int(free[host]) for free in self._kinds.free]

    @property
    def limits(self) -> list[int]:
        return [counted.limit for counted in self._limits]

    def most_secluded(self, number: int) -> int:
        return self._secluded[number].most


class _Search:
    """Depth first through the mixes of one host."""

    def __init__(self, stowage: Stowage, host: int, steps: int) -> None:
        self._stowage = stowage
        self._makes = stowage.makes_on(host)
        self._room = stowage.room_of(host)
        self._limits = stowage.limits
        self._most = steps
        self.steps = 0

    def found(self) -> tuple[Mix, ...] | None:
        """Return the fullest mixes, in order; None: too many."""
        self._full: list[tuple[int, ...]] = []
        if not self._go_on(0, [], self._room, self._limits, UNKNOWN, 0):
            return None
        kept = _undominated(self._full)
        if len(kept) > MIXES:
            return None
        makes = [make for make, _ in self._makes]
        return tuple(
            sorted(
                tuple(
                    (make, many)
                    for make, many in zip(makes, mix, strict=True)
                    if many
                )
                for mix in kept
            )
        )

    def _go_on(
        self,
        index: int,
        mix: list[int],
        room: list[int],
        limits: list[int],
        owner: int,
        inside: int,
    ) -> bool:
        """Choose how many of one more make; False: it takes too long.

        ``owner`` is who has the host for himself, if anyone has, and
        ``inside`` how many of his are there; -2: it is taken by others.
        """
        self.steps += 1
        if self.steps > self._most or len(self._full) > 8 * MIXES:
            return False
        if index == len(self._makes):
            self._full.append(tuple(mix))
            return True
        number, count = self._makes[index]
        make = self._stowage.makes[number]
        most = self._fitting(make, count, room, limits, owner, inside)
        last = index + 1 == len(self._makes)
        for many in range(most, most - 1 if last else -1, -1):
            taken = many > 0
            if not self._go_on(
                index + 1,
                [*mix, many],
                [
                    have - many * size
                    for have, size in zip(room, make.size, strict=True)
                ],
                _less(limits, make.weights, many),
                (make.secluded if make.secluded >= 0 else -2)
                if taken
                else owner,
                inside + many if make.secluded >= 0 else inside,
            ):
                return False
        return True

    def _fitting(
        self,
        make: Make,
        count: int,
        room: Sequence[int],
        limits: Sequence[int],
        owner: int,
        inside: int,
    ) -> int:
        if owner != UNKNOWN and owner != (
            make.secluded if make.secluded >= 0 else -2
        ):
            return 0
        most = count
        if make.secluded >= 0:
            ceiling = self._stowage.most_secluded(make.secluded)
            most = min(most, ceiling - inside)
        for have, size in zip(room, make.size, strict=True):
            if size:
                most = min(most, have // size)
        for number, weight in make.weights:
            most = min(most, limits[number] // weight)
        return max(most, 0)


def _less(
    limits: list[int], weights: tuple[tuple[int, int], ...], many: int
) -> list[int]:
    if not weights or not many:
        return limits
    left = list(limits)
    for number, weight in weights:
        left[number] -= weight * many
    return left


def _undominated(mixes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Leave out what is no more than another one, make by make."""
    rows = np.unique(np.array(mixes, np.int64), axis=0)
    rows = rows[np.argsort(-rows.sum(axis=1), kind='stable')]
    kept: list[Ints] = []
    for row in rows:
        if not kept or not np.any(np.all(np.array(kept) >= row, axis=1)):
            kept.append(row)
    return [tuple(row.tolist()) for row in kept]


def tells_hosts_apart(kinds: likeness.Likeness) -> bool:
    """Tell whether a rule asks of single hosts what no mix can say.

    Levels over hosts, numbers of hosts, hosts to oneself, and shares of a
    bundle on one host do; then hosts alike are not counted as one.
    """
    return (
        any(
            c.clause.scope == 0 and c.clause.kind is not constraints.AtMost
            for c in kinds.counted
        )
        or any(s.scope == 0 for s in kinds.secluded)
        or any(i.scope == 0 for i in kinds.inside)
    )
