# SPDX-License-Identifier: Apache-2.0
"""Where kinds may be and how many fit: what all programs of counts share."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import likeness, stowage, sums
from heat_vcluster.placement.numbers import breadth, contract
from heat_vcluster.placement.numbers import compiled as numbers


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

    def counted_on_hosts(self) -> Iterator[likeness.Counted]:
        """Give the rules of how many a host may have."""
        for counted in self.likeness.counted:
            clause = counted.clause
            if clause.kind is constraints.AtMost and clause.scope == 0:
                yield counted

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
        for counted in self.counted_on_hosts():
            weight = counted.weights.get(kind.number, 0)
            if weight:
                np.minimum(on_hosts, counted.limit // weight, out=on_hosts)
        return fits

    def fitting_any(self, chosen: Sequence[likeness.Kind]) -> Ints:
        """Return, host by host, how many units of any of the kinds fit.

        An upper bound: as if all were as small as the smallest that fits.
        """
        compiled = self.compiled
        n_hosts = compiled.n_hosts
        each = [self.fits[k.number][:n_hosts] for k in chosen]
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
        for counted in self.counted_on_hosts():
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

    def _room_beside(self, number: int) -> Ints:
        """Return, host by host, how many volumes its own pools take.

        Pools may be those of other hosts, which are not looked at here.
        """
        compiled = self.compiled
        shape = compiled.shapes[number]
        pools = shape.places - compiled.n_hosts
        hosts = compiled.domain[0][shape.places]
        size = max(shape.size[0], 1)
        if shape.size[0]:
            each = compiled.pool_free[pools] // size
        else:
            each = np.full(len(pools), len(compiled.members))
        here = (hosts != UNKNOWN) & (hosts < compiled.n_hosts)
        found = np.bincount(
            hosts[here], each[here], minlength=compiled.n_hosts
        )
        return found.astype(np.int64)


def _scopes_seen(compiled: numbers.Compiled) -> frozenset[int]:
    """Return the scopes above the host that any hard rule looks at."""
    rules = {clause.scope for clause in compiled.hard}
    budgets = {cap.scope for cap in compiled.budgets}
    return frozenset((rules | budgets) - {0})
