# SPDX-License-Identifier: Apache-2.0
"""What a domain can take of members of one shape, whatever else is there."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers.compiled import Compiled


class Takes:
    """Looked up by member; worked out once for each shape and scope."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._reach: dict[tuple[int, int], Flags] = {}
        self._slots: dict[tuple[int, int], Ints] = {}
        self._room: dict[int, list[Ints]] = {}

    def shape(self, member: int) -> int:
        return int(self._compiled.shape_of[member])

    def is_sure(self, member: int, scope: int) -> bool:
        """Tell whether it has a domain wherever it may go."""
        places = self._compiled.places(member)
        domains = self._compiled.domain[scope][places]
        return bool(len(places)) and bool(np.all(domains != UNKNOWN))

    def asked(self, member: int) -> tuple[int, ...]:
        """Return what a server takes of what is free, by resource.

        That is nothing if it is there already, and for a volume.
        """
        shape = self._compiled.shapes[self.shape(member)]
        if shape.fixed or not shape.is_server:
            return (0,) * len(self._compiled.resources)
        return shape.size

    def reach(self, member: int, scope: int) -> Flags:
        """Return in which domains it may be."""
        key = self.shape(member), scope
        if key not in self._reach:
            compiled = self._compiled
            # One more, for places that lie nowhere.
            flags = np.zeros(compiled.n_domains[scope] + 1, np.bool_)
            flags[compiled.domain[scope][compiled.places(member)]] = True
            self._reach[key] = flags[:-1]
        return self._reach[key]

    def room(self, scope: int) -> list[Ints]:
        """Return, by resource and domain, what is free on its hosts."""
        if scope not in self._room:
            self._room[scope] = [
                self._by_domain(free, scope) for free in self._compiled.free
            ]
        return self._room[scope]

    def slots(self, member: int, scope: int) -> Ints:
        """Return how many like it each domain takes at the most.

        Of what takes nothing, and of volumes, as many as there are members.
        """
        key = self.shape(member), scope
        if key not in self._slots:
            self._slots[key] = self._count(member, scope)
        return self._slots[key]

    def _count(self, member: int, scope: int) -> Ints:
        many, asked = len(self._compiled.members), self.asked(member)
        if not any(asked):
            return self.reach(member, scope) * np.int64(many)
        by_host = np.zeros(self._compiled.n_hosts, np.int64)
        by_host[self._compiled.places(member)] = many
        for amount, free in zip(asked, self._compiled.free, strict=True):
            if amount:
                np.minimum(by_host, free // amount, out=by_host)
        return self._by_domain(np.maximum(by_host, 0), scope)

    def _by_domain(self, amounts: Ints, scope: int) -> Ints:
        compiled = self._compiled
        domains = compiled.domain[scope][: compiled.n_hosts]
        known = domains != UNKNOWN
        total = np.zeros(compiled.n_domains[scope], np.int64)
        np.add.at(total, domains[known], amounts[known])
        return total
