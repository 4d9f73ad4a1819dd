# SPDX-License-Identifier: Apache-2.0
"""What rules ask of counts, as rows of their program."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import cells, likeness, sums, terms
from heat_vcluster.placement.programs import linear

TANGENTS = 6  # straight lines that stand for one bent one


class Obedience:
    """Has counts obey the hard rules, as far as counts can."""

    def __init__(self, counts: cells.Cells) -> None:
        self._counts, self._program = counts, counts.program

    def link(self) -> None:
        """Parts are where their bundles are, as often as those have them."""
        counts = self._counts
        kinds = counts.likeness.kinds
        for part, parents in counts.frame.parents.items():
            for scope in sorted({kinds[p].scope for p, _ in parents}):
                here = [(p, n) for p, n in parents if kinds[p].scope == scope]
                bound = counts.frame.is_bound(part, here)
                gathered = terms.Terms()
                gathered.add(counts.at(part, scope), 1)
                for parent, times in here:
                    gathered.add(counts.at(parent, scope), -times)
                high = 0 if bound else linear.NEVER[1]
                for _, variables, factors, _ in gathered.rows():
                    self._program.row(variables, factors, 0, high)

    def obey(self) -> None:
        counts = self._counts
        for counted in counts.likeness.counted:
            clause = counted.clause
            apart = clause.kind is constraints.AtMost
            if clause.scope == 0 and not (apart or counts.is_full):
                continue
            gathered = terms.Terms()
            for kind, weight in counted.weights.items():
                gathered.add(counts.at(kind, clause.scope), weight)
            if apart:
                self._keep_apart(counted, gathered)
            elif clause.kind is constraints.Level:
                self._keep_level(counted, gathered)
            elif clause.kind is constraints.AtLeast:
                self._spread_out(counted, gathered)
            elif clause.kind is constraints.Lost:
                self._keep_lost(counted, gathered)
        for total in counts.frame.sums:
            self._keep_sum(total)
        for inside in counts.likeness.inside:
            self._limit_inside(inside)
            if inside.scope == 0 and not counts.is_full:
                self._bend(inside)
        self._seclude()

    def _keep_apart(
        self, counted: likeness.Counted, gathered: terms.Terms
    ) -> None:
        for _, variables, factors, most in gathered.rows():
            if most > counted.limit:
                self._program.row(variables, factors, high=counted.limit)

    def _keep_sum(self, total: sums.Sum) -> None:
        gathered = terms.Terms()
        for kind, weight in total.weights.items():
            gathered.add(self._counts.at(kind, total.scope), weight)
        for _, variables, factors, most in gathered.rows():
            if most > total.limit:
                self._program.row(variables, factors, high=total.limit)

    def _keep_level(
        self, counted: likeness.Counted, gathered: terms.Terms
    ) -> None:
        """All of D have from least to least + skew."""
        clause = counted.clause
        rows = {d: (v, f) for d, v, f, _ in gathered.rows()}
        if not clause.domains:
            return
        members = len(clause.members)
        least = self._program.variables([members // len(clause.domains)])
        for domain in clause.domains:
            variables, factors = rows.get(domain, ([], []))
            self._program.row(
                [*variables, least], [*factors, -1], 0, clause.limit
            )

    def _spread_out(
        self, counted: likeness.Counted, gathered: terms.Terms
    ) -> None:
        """So many domains have one at the least."""
        program = self._program
        used = []
        for _, variables, factors, _ in gathered.rows():
            flag = program.variables([1])
            used.append(flag)
            program.row([*variables, flag], [*factors, -1], 0)
        program.total(used, counted.clause.limit)

    def _keep_lost(
        self, counted: likeness.Counted, gathered: terms.Terms
    ) -> None:
        """The largest of them together stay within the limit.

        As a level for all, and what each has beyond it: see ``exact``.
        """
        program = self._program
        clause, rows = counted.clause, list(gathered.rows())
        level = program.variables([max(clause.limit, 0) // clause.lost])
        beyond = []
        for _, variables, factors, most in rows:
            more = program.variables([most])
            beyond.append(more)
            program.row([*variables, level, more], [*factors, -1, -1], high=0)
        program.row(
            [level, *beyond],
            [clause.lost, *(1 for _ in beyond)],
            high=clause.limit,
        )

    def _limit_inside(self, inside: likeness.Inside) -> None:
        gathered = terms.Terms()
        for kind in inside.kinds:
            gathered.add(self._counts.at(kind, inside.scope), 1)
        outer = self._caps_by_domain(inside)
        above = self._counts.compiled.above(inside.scope, inside.within)
        for domain, variables, factors, _ in gathered.rows():
            more, caps = outer.get(int(above[domain]), ([], []))
            self._program.row(
                [*variables, *more], [*factors, *(-c for c in caps)], high=0
            )

    def _caps_by_domain(
        self, inside: likeness.Inside
    ) -> dict[int, tuple[list[int], list[int]]]:
        gathered = terms.Terms()
        for kind, cap in inside.caps.items():
            gathered.add(self._counts.at(kind, inside.within), max(cap, 0))
        return {d: (v, f) for d, v, f, _ in gathered.rows()}

    def _bend(self, inside: likeness.Inside) -> None:
        """Bound what the hosts of a cell take, if each takes few of each.

        With y as the sum of the caps, a host with room for f takes at most
        min(f, y); the sum over hosts is a concave function of y, of which
        each tangent is a row.
        """
        counts = self._counts
        kinds = [
            kind
            for kind in (counts.likeness.kinds[k] for k in inside.kinds)
            if not kind.pooled
        ]
        if not kinds:
            return
        room = counts.frame.fitting_any(kinds)
        gathered = terms.Terms()
        for kind in kinds:
            gathered.add(counts.cells(kind.number), 1)
        outer = self._caps_by_domain(inside)
        rows = [
            row
            for row in gathered.rows()
            if counts.place_of[row[0]] == UNKNOWN
        ]
        before: Ints | None = None
        for touch in range(min(int(room.max(initial=0)), TANGENTS)):
            height = counts.gathered(np.minimum(room, touch))
            slope = counts.gathered((room > touch).astype(np.int64))
            for cell, variables, factors, most in rows:
                rise = int(slope[cell])
                high = int(height[cell]) - rise * touch
                if high >= most or (
                    before is not None and rise == before[cell]
                ):
                    continue  # no bound, or the line before once more
                domain = int(counts.domain[inside.within][cell])
                more, caps = outer.get(domain, ([], []))
                self._program.row(
                    [*variables, *more],
                    [*factors, *(-rise * c for c in caps)],
                    high=high,
                )
            before = slope

    def _seclude(self) -> None:
        counts = self._counts
        for scope in sorted({s.scope for s in counts.likeness.secluded}):
            groups = [s for s in counts.likeness.secluded if s.scope == scope]
            taken: dict[int, list[int]] = {}
            for group in groups:
                self._choose_domains(group, taken)
            theirs = frozenset().union(*(g.kinds for g in groups))
            others = terms.Terms()
            for kind in counts.likeness.kinds:
                if not kind.scope and kind.number not in theirs:
                    others.add(counts.at(kind.number, scope), 1)
            for domain, variables, factors, most in others.rows():
                flags = taken.pop(domain, [])
                if flags:
                    self._program.row(
                        [*variables, *flags],
                        [*factors, *([most] * len(flags))],
                        high=most,
                    )
            for flags in taken.values():
                if len(flags) > 1:
                    self._program.total(flags, high=1)

    def _choose_domains(
        self, group: likeness.Secluded, taken: dict[int, list[int]]
    ) -> None:
        """Give a group alike its domains: one of them alone in each."""
        program = self._program
        gathered = terms.Terms()
        for kind in sorted(group.kinds):
            gathered.add(self._counts.at(kind, group.scope), 1)
        chosen = []
        for domain, variables, factors, most in gathered.rows():
            flag = program.variables([1])
            chosen.append(flag)
            taken.setdefault(domain, []).append(flag)
            program.row(
                [*variables, flag],
                [*factors, -min(most, group.most)],
                high=0,
            )
        if group.scope or self._counts.is_full:
            program.total(chosen, group.needs)
