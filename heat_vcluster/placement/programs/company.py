# SPDX-License-Identifier: Apache-2.0
"""Who is with others that they want to be without, in a program of counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from heat_vcluster.placement.numbers.compiled import Clause
from heat_vcluster.placement.programs.counts import Counts
from heat_vcluster.placement.programs.program import INFINITY, NO, YES, Sum


class Company:
    """Alone clauses: hard ones part members, soft ones have an amount."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._rest = counts, counts.rest
        self._program = counts.program
        self._atoms: dict[int, list[_Atom]] = {}
        self._presences: dict[tuple[int, int, int], int] = {}

    def _atoms_at(self, scope: int) -> list[_Atom]:
        """Return the likes by which Alone clauses at the scope they are in."""
        if scope not in self._atoms:
            rest = self._rest
            clauses = [
                number
                for number in rest.clauses
                if number in rest.index.alone
                and rest.index.clauses[number].scope == scope
            ]
            inside: dict[int, list[int]] = {k.number: [] for k in rest.likes}
            for number in clauses:
                members = rest.index.clauses[number].members
                for like in self._counts.likes_of(members):
                    inside[like].append(number)
            groups: dict[tuple[int, ...], list[int]] = {}
            for like, numbers in inside.items():
                groups.setdefault(tuple(numbers), []).append(like)
            self._atoms[scope] = [
                _Atom(i, frozenset(numbers), tuple(likes))
                for i, (numbers, likes) in enumerate(groups.items())
            ]
        return self._atoms[scope]

    def _atom_is_in(self, atom: _Atom, scope: int, domain: int) -> int:
        key = atom.number, scope, domain
        if key not in self._presences:
            self._presences[key] = self._counts.presence(
                atom.likes, scope, domain
            )
        return self._presences[key]

    def amount(self, number: int, clause: Clause) -> Sum:
        """Soft: a domain costs if it is used and not by these alone."""
        rest, scope = self._rest, clause.scope
        fixed = self._rest.domains_of_fixed(number)
        taken = rest.taken_by_others(number)
        if number < rest.index.n_hard:
            # Places that are taken are barred already.
            return Sum(sum(1 for domain in fixed if taken[domain]))
        likes = self._counts.likes_of(clause.members)
        amount = Sum()
        for domain in sorted({*fixed, *self._counts.reach(likes, scope)}):
            used = YES
            if domain not in fixed:
                used = self._counts.presence(likes, scope, domain)
            if taken[domain]:
                amount.add(used)
                continue
            others = [
                self._atom_is_in(atom, scope, domain)
                for atom in self._atoms_at(scope)
                if number not in atom.clauses
            ]
            amount.add(self._both(used, [o for o in others if o != NO]))
        return amount

    def _both(self, used: int, others: Sequence[int]) -> int:
        """Return a literal, set if it is used and any other is there."""
        if not others:
            return NO
        if used == YES:
            return self._program.presence([(o, 1) for o in others])
        if YES in others:
            return used
        flag = self._program.follow(
            0,
            1,
            lambda values: int(
                values[used] > 0 and any(values[o] for o in others)
            ),
        )
        for other in others:
            meeting = Sum().add(used).add(other).add(flag, -1)
            self._program.require(meeting, -INFINITY, 1)
        return flag

    def part(self) -> None:
        """Hard: no domain has members of two that exclude each other."""
        rest = self._rest
        for scope in range(len(self._rest.compiled.scopes)):
            hard = frozenset(
                number
                for number in rest.clauses
                if number < rest.index.n_hard
                and number in rest.index.alone
                and rest.index.clauses[number].scope == scope
            )
            if not hard:
                continue
            atoms = self._atoms_at(scope)
            reach = self._counts.reach(
                [k for a in atoms if a.clauses & hard for k in a.likes], scope
            )
            pairs = [
                (one, other)
                for i, one in enumerate(atoms)
                for other in atoms[i + 1 :]
                if (one.clauses ^ other.clauses) & hard
            ]
            is_complete = len(pairs) == len(atoms) * (len(atoms) - 1) // 2
            for domain in reach:
                if is_complete:
                    self._program.at_most_one(
                        self._atom_is_in(atom, scope, domain) for atom in atoms
                    )
                    continue
                for pair in pairs:
                    self._program.at_most_one(
                        self._atom_is_in(atom, scope, domain) for atom in pair
                    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Atom:
    """Likes in the same Alone clauses at one scope."""

    number: int
    clauses: frozenset[int]
    likes: tuple[int, ...]
