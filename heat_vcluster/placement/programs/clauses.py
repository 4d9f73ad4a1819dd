# SPDX-License-Identifier: Apache-2.0
"""What clauses ask of a program of counts: by how much each is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN
from heat_vcluster.placement.numbers.compiled import Clause
from heat_vcluster.placement.programs.company import Company
from heat_vcluster.placement.programs.counts import Counts
from heat_vcluster.placement.programs.program import INFINITY, NO, YES, Sum


class Amounts:
    """The amounts of a remainder's clauses, in terms of its counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._rest = counts, counts.rest
        self._program = counts.program
        self._company = Company(counts)

    def ask(self) -> Sum:
        """Have hard clauses obeyed; return what soft ones cost."""
        cost = Sum()
        for number in self._rest.clauses:
            clause = self._rest.index.clauses[number]
            amount = self._amount(number, clause)
            if self._is_hard(number):
                self._program.require(amount, -INFINITY, 0)
            else:
                cost.add_sum(amount, clause.weight or 0)
        self._company.part()
        return cost

    def _is_hard(self, number: int) -> bool:
        return number < self._rest.index.n_hard

    def _amount(self, number: int, clause: Clause) -> Sum:
        """Return the amount: at least, and exactly once minimized."""
        build: dict[
            type[constraints.Constraint], Callable[[int, Clause], Sum]
        ] = {
            constraints.Together: self._together,
            constraints.AtMost: self._at_most,
            constraints.Level: self._level,
            constraints.AtLeast: self._at_least,
            constraints.Alone: self._company.amount,
            constraints.Near: self._near,
            constraints.Lost: self._lost,
        }
        return build[clause.kind](number, clause)

    def _together(self, number: int, clause: Clause) -> Sum:
        if self._is_hard(number):
            self._gather(number, clause)
            return Sum()
        likes = self._counts.likes_of(clause.members)
        used = self._used_domains(
            likes, clause.scope, self._rest.domains_of_fixed(number)
        )
        used.constant -= 1
        most = used.constant + len(used.variables)
        if most <= 0:
            return Sum()
        if self._rest.domains_of_fixed(number) or any(
            self._counts.is_sure(like, clause.scope) for like in likes
        ):
            return used
        return Sum().add(self._program.excess(used, most))

    def _used_domains(
        self, likes: Sequence[int], scope: int, fixed: set[int]
    ) -> Sum:
        used = Sum(len(fixed))
        for domain, able in self._counts.by_reach(likes, scope).items():
            if domain not in fixed:
                used.add(self._counts.presence(able, scope, domain))
        return used

    def _gather(self, number: int, clause: Clause) -> None:
        """Hard: have the one domain for all that is not tied yet."""
        likes = self._counts.likes_of(clause.members)
        sure = [k for k in likes if self._counts.is_sure(k, clause.scope)]
        loose = [k for k in likes if not self._counts.is_sure(k, clause.scope)]
        if not loose or self._rest.domains_of_fixed(number):
            # What is fixed has left the others that domain alone.
            return
        if sure:
            here = {
                domain: self._counts.touch(sure[0], clause.scope, domain)
                for domain in self._counts.domains(sure[0], clause.scope)
            }
        else:
            reach = self._counts.reach(loose, clause.scope)
            here = {
                domain: self._counts.presence(loose, clause.scope, domain)
                for domain in reach
            }
            self._program.at_most_one(list(here.values()))
            return
        for like in loose:
            for domain in self._counts.domains(like, clause.scope):
                self._program.imply(
                    self._counts.touch(like, clause.scope, domain),
                    here.get(domain, NO),
                )

    def _at_most(self, number: int, clause: Clause) -> Sum:
        rest = self._rest
        scope = clause.scope
        fixed: dict[int, set[int]] = {}
        for unit_number, domain in rest.fixed_domains(number):
            fixed.setdefault(domain, set()).add(unit_number)
        single: list[int] = []
        several: list[tuple[int, list[int]]] = []
        for unit_number, members in enumerate(clause.units):
            free = [m for m in members if m in rest.like_of]
            if len(members) == 1:
                single += free
            elif free:
                several.append((unit_number, self._counts.likes_of(free)))
        by_single = self._counts.by_reach(self._counts.likes_of(single), scope)
        by_unit: dict[int, list[tuple[int, list[int]]]] = {}
        for unit_number, unit in several:
            for domain, able in self._counts.by_reach(unit, scope).items():
                by_unit.setdefault(domain, []).append((unit_number, able))
        amount = Sum()
        over = {d for d, here in fixed.items() if len(here) > clause.limit}
        for domain in sorted({*by_single, *by_unit, *over}):
            before = fixed.get(domain, set())
            here, most = Sum(len(before)), len(before)
            for like in by_single.get(domain, ()):
                here.add_sum(self._counts.count(like, scope, domain))
                most += self._counts.most_in(like, scope, domain)
            for unit_number, able in by_unit.get(domain, ()):
                if unit_number not in before:
                    here.add(self._counts.presence(able, scope, domain))
                    most += 1
            if most > clause.limit:
                self._limit(number, here, most, clause.limit, amount)
        return amount

    def _limit(
        self, number: int, here: Sum, most: int, limit: int, amount: Sum
    ) -> None:
        """Add to the amount what is here beyond the limit."""
        if self._is_hard(number):
            if (
                limit == 1
                and not here.constant
                and most == len(here.variables)
                and all(c == 1 for c in here.coefficients)
            ):
                self._program.at_most_one(here.variables)
            else:
                self._program.require(here, -INFINITY, limit)
        elif here.constant >= limit:
            amount.add_sum(here)
            amount.constant -= limit
        else:
            over = Sum(-limit).add_sum(here)
            amount.add(self._program.excess(over, most - limit))

    def _level(self, number: int, clause: Clause) -> Sum:
        if not clause.domains:
            return Sum()
        scope = clause.scope
        fixed: dict[int, int] = {}
        for _, domain in self._rest.fixed_domains(number):
            fixed[domain] = fixed.get(domain, 0) + 1
        likes = self._counts.likes_of(clause.members)
        counts = []
        for domain in clause.domains:
            here = Sum(fixed.get(domain, 0))
            for like in likes:
                here.add_sum(self._counts.count(like, scope, domain))
            counts.append(here)
        most = len(clause.members)
        even = most // len(clause.domains)
        high = self._program.follow(
            0, most, lambda values: max(c.value(values) for c in counts)
        )
        low = self._program.follow(
            0, even, lambda values: min(c.value(values) for c in counts)
        )
        for here in counts:
            self._program.require(
                Sum().add_sum(here).add(high, -1), -INFINITY, 0
            )
            self._program.require(
                Sum().add_sum(here, -1).add(low), -INFINITY, 0
            )
        over = Sum(-clause.limit).add(high).add(low, -1)
        if self._is_hard(number):
            return over
        return Sum().add(self._program.excess(over, most))

    def _lost(self, number: int, clause: Clause) -> Sum:
        """Return the sum of the largest counts, beyond the limit.

        The sum of the n largest of some numbers is the least, over all t,
        of n t and what each of them has beyond t; the n-th largest is such a
        t. (No t gives less: each of the n largest is at most t and what it
        has beyond t.)
        """
        n, members = clause.lost, len(clause.members)
        if clause.limit >= members:
            return Sum()
        fixed: dict[int, int] = {}
        for _, domain in self._rest.fixed_domains(number):
            fixed[domain] = fixed.get(domain, 0) + 1
        reach = self._counts.by_reach(
            self._counts.likes_of(clause.members), clause.scope
        )
        counts: list[tuple[Sum, int]] = []
        for domain in sorted({*fixed, *reach}):
            here = Sum(fixed.get(domain, 0))
            most = here.constant
            for like in reach.get(domain, ()):
                here.add_sum(self._counts.count(like, clause.scope, domain))
                most += self._counts.most_in(like, clause.scope, domain)
            counts.append((here, most))
        level = self._program.follow(
            0,
            members,
            lambda values: _nth_largest(
                n, [here.value(values) for here, _ in counts]
            ),
        )
        over = Sum(-clause.limit).add(level, n)
        for here, most in counts:
            beyond = Sum().add_sum(here).add(level, -1)
            over.add(self._program.excess(beyond, most))
        if self._is_hard(number):
            return over
        return Sum().add(self._program.excess(over, members - clause.limit))

    def _at_least(self, number: int, clause: Clause) -> Sum:
        fixed = self._rest.domains_of_fixed(number)
        likes = self._counts.likes_of(clause.members)
        lacking = Sum(clause.limit - len(fixed))
        for domain, able in self._counts.by_reach(likes, clause.scope).items():
            if domain in fixed:
                continue
            if len(able) == 1:
                flag = self._counts.touch(able[0], clause.scope, domain)
            else:
                here = Sum()
                for like in able:
                    here.add_sum(
                        self._counts.count(like, clause.scope, domain)
                    )
                flag = self._program.evidence(here)
            lacking.add(flag, -1)
        if self._is_hard(number):
            return lacking
        if lacking.constant <= 0:
            return Sum()
        return Sum().add(self._program.excess(lacking, lacking.constant))

    # -- near ----------------------------------------------------------------

    def _near(self, number: int, clause: Clause) -> Sum:
        likes = self._counts.likes_of(clause.members)
        amount, wider = Sum(), NO
        for scope in reversed(range(len(self._rest.compiled.scopes))):
            apart = self._apart(clause, likes, scope)
            both = [(flag, 1) for flag in (apart, wider) if flag != NO]
            wider = self._program.presence(both)
            amount.add(wider)
        return amount

    def _apart(self, clause: Clause, likes: Sequence[int], scope: int) -> int:
        """Return a literal, set if these have two domains at the scope."""
        column, at = self._rest.compiled.domain[scope], self._rest.at
        places = at[list(clause.members)]
        fixed = set(column[places[places != UNKNOWN]].tolist()) - {UNKNOWN}
        if len(fixed) > 1:
            return YES
        touches = {
            (like, domain): self._counts.touch(like, scope, domain)
            for like in likes
            for domain in self._counts.domains(like, scope)
        }
        anchors = self._anchors(likes, scope, touches, fixed)
        strays = {
            (touch, anchors.get(domain, NO))
            for (_, domain), touch in touches.items()
        }
        strays = {(t, a) for t, a in strays if t != a and a != YES}
        if not strays:
            return NO
        if (YES, NO) in strays:
            return YES
        found = sorted(strays)
        flag = self._program.follow(
            0,
            1,
            lambda values: int(
                any(_value(t, values) > _value(a, values) for t, a in found)
            ),
        )
        for touch, anchor in found:
            stray = Sum().add(touch).add(anchor, -1).add(flag, -1)
            self._program.require(stray, -INFINITY, 0)
        return flag

    def _anchors(
        self,
        likes: Sequence[int],
        scope: int,
        touches: Mapping[tuple[int, int], int],
        fixed: set[int],
    ) -> dict[int, int]:
        """Return, by domain, whether it is the one to be in; one at most."""
        if fixed:
            return dict.fromkeys(fixed, YES)
        for like in likes:
            is_one = len(self._rest.likes[like].members) == 1
            if is_one and self._counts.is_sure(like, scope):
                return {
                    domain: touches[like, domain]
                    for domain in self._counts.domains(like, scope)
                }
        inside: dict[int, list[int]] = {}
        for (_, domain), touch in touches.items():
            inside.setdefault(domain, []).append(touch)
        anchors: dict[int, int] = {}
        before: list[int] = []
        for domain in self._counts.reach(likes, scope):
            here = inside.get(domain, [])
            is_first = _first(here, before, len(before))
            anchors[domain] = self._program.follow(0, 1, is_first)
            before += here
        self._program.at_most_one(list(anchors.values()))
        return anchors


def _nth_largest(n: int, counts: Sequence[int]) -> int:
    """Return 0 if there are not so many."""
    return sorted(counts, reverse=True)[n - 1] if n <= len(counts) else 0


def _value(literal: int, values: Sequence[int]) -> int:
    return values[literal] if literal >= 0 else int(literal == YES)


def _first(
    here: Sequence[int], others: Sequence[int], n: int
) -> Callable[[list[int]], int]:
    """Say whether any of these is set, and none of the first n others."""

    def value(values: list[int]) -> int:
        is_in = any(_value(t, values) for t in here)
        return int(is_in and not any(_value(t, values) for t in others[:n]))

    return value
