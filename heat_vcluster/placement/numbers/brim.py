# SPDX-License-Identifier: Apache-2.0
"""How a host can be filled to the brim.

Where all that is free is hardly more than what is asked, no host may be left
with a rest that nobody can take: what is lost on one host is at most what is
to spare on all of them together. So of each rest it is asked here whether
items of the sizes that the host allows can fill it up to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints

STEPS = 300_000  # in all, after which everything is taken for fillable
DEPTH = 400  # items on one host, beyond which nothing is looked at
FILLS = 400  # of one rest at the most, to be told one by one

Size = tuple[int, ...]
Fill = dict[Size, int]


class Brim:
    """The sizes that hosts allow, and what they can do with a rest.

    ``kinds`` are the size of each kind of item and the hosts that could take
    one; ``asked`` is what all items take together. ``usable[host]``: it could
    take anyone; ``spare``: by resource, what is left over on usable hosts
    when all items have a place.
    """

    def __init__(
        self,
        free: Sequence[Ints],
        kinds: Iterable[tuple[Size, Flags]],
        asked: Sequence[int],
    ) -> None:
        listed = [(size, may) for size, may in kinds if any(size)]
        n_hosts = len(free[0]) if free else 0
        self.usable: Flags = np.zeros(n_hosts, np.bool_)
        for _, may in listed:
            self.usable |= may
        self.spare = tuple(
            int(column[self.usable].sum()) - amount
            for column, amount in zip(free, asked, strict=True)
        )
        self.asked = tuple(asked)
        self._sizes: list[tuple[Size, ...]] = []
        self._class_of = np.full(n_hosts, UNKNOWN, np.int64)
        numbered: dict[tuple[Size, ...], int] = {}
        for host in np.flatnonzero(self.usable).tolist():
            sizes = {size for size, may in listed if may[host]}
            key = tuple(sorted(sizes, reverse=True))
            number = numbered.setdefault(key, len(numbered))
            if number == len(self._sizes):
                self._sizes.append(key)
            self._class_of[host] = number
        self._known: dict[tuple[int, int, Size], bool] = {}
        self._told: dict[tuple[int, Size], tuple[Fill, ...] | None] = {}
        self._steps = 0

    def can_fill(self, host: int, rest: Size) -> bool:
        """Tell whether the rest of the host can be filled up; if in doubt."""
        number = int(self._class_of[host])
        return number == UNKNOWN or self._can(number, 0, rest, 0)

    def _can(self, number: int, first: int, rest: Size, depth: int) -> bool:
        """Tell so for the sizes from ``first`` on."""
        if all(r <= s for r, s in zip(rest, self.spare, strict=True)):
            return True
        key = number, first, rest
        if key in self._known:
            return self._known[key]
        self._steps += 1
        if self._steps > STEPS or depth > DEPTH:
            return True
        sizes = self._sizes[number]
        found = False
        for index in range(first, len(sizes)):
            less = _less(rest, sizes[index], 1)
            if min(less) >= 0 and self._can(number, index, less, depth + 1):
                found = True
                break
        self._known[key] = found
        return found

    def fills(self, host: int, rest: Size) -> tuple[Fill, ...] | None:
        """Return all that fill up the rest; None: too many to tell."""
        number = int(self._class_of[host])
        key = number, rest
        if key not in self._told:
            found: list[Fill] = []
            whole = self._gather(number, 0, rest, {}, found)
            self._told[key] = tuple(found) if whole else None
        return self._told[key]

    def _gather(
        self,
        number: int,
        index: int,
        rest: Size,
        fill: Fill,
        found: list[Fill],
    ) -> bool:
        sizes = self._sizes[number]
        if index == len(sizes):
            if all(r <= s for r, s in zip(rest, self.spare, strict=True)):
                found.append(fill)
            return len(found) <= FILLS and self._steps <= STEPS
        size = sizes[index]
        most = min(r // s for r, s in zip(rest, size, strict=True) if s)
        for many in range(most, -1, -1):
            less = _less(rest, size, many)
            if not self._can(number, index + 1, less, 0):
                continue
            more = {**fill, size: many} if many else fill
            if not self._gather(number, index + 1, less, more, found):
                return False
        return True


def _less(rest: Size, size: Size, many: int) -> Size:
    return tuple(r - many * s for r, s in zip(rest, size, strict=True))
