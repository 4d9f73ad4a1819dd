# SPDX-License-Identifier: Apache-2.0
"""The fewest hosts that rules of apartness leave, however large those are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from heat_vcluster.placement import constraints
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.contract import Contracted


def fewest(compiled: Compiled, contracted: Contracted) -> int:
    """Return a number of hosts that no placement uses less of, proven.

    By hard rules alone. Of units of which so many may share a domain, each
    taken with the bundle that its widest server is in there, a domain uses
    as many hosts as the widest bundle in it: the least in all is the sum of
    every limit-th, the widest first.
    """
    wide = len(compiled.scopes)
    return _Footprint(compiled, contracted).of(
        range(len(compiled.members)), wide
    )


class _Footprint:
    def __init__(self, compiled: Compiled, contracted: Contracted) -> None:
        self._compiled = compiled
        self._contracted = contracted
        self._found: dict[tuple[int, int], int] = {}
        self._apart: list[list[int]] = [[] for _ in compiled.members]
        self._clauses: list[Clause] = []
        for clause in compiled.hard:
            if clause.kind is constraints.AtMost and clause.limit:
                for member in clause.members:
                    self._apart[member].append(len(self._clauses))
                self._clauses.append(clause)

    def of(self, members: Collection[int], scope: int) -> int:
        """Return the fewest hosts of members that share a domain there."""
        least = int(any(self._compiled.is_server[m] for m in members))
        if not least or not scope:
            return least
        numbers = sorted({n for m in members for n in self._apart[m]})
        clauses = (self._clauses[number] for number in numbers)
        inside = (c for c in clauses if c.scope < scope)
        here = set(members)
        return max((self._apart_by(c, here) for c in inside), default=1)

    def _apart_by(self, clause: Clause, members: set[int]) -> int:
        units = (members.intersection(unit) for unit in clause.units)
        widths: Sequence[int] = sorted(
            (
                max(self._bundle(clause.scope, member) for member in unit)
                for unit in units
                if unit
            ),
            reverse=True,
        )
        return max(sum(widths[:: clause.limit]), 1)

    def _bundle(self, scope: int, member: int) -> int:
        number = int(self._contracted.bundle_of[scope][member])
        if (scope, number) not in self._found:
            members = self._contracted.bundles[scope][number]
            self._found[scope, number] = self.of(members, scope)
        return self._found[scope, number]
