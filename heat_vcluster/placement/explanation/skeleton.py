# SPDX-License-Identifier: Apache-2.0
"""How members and hard rules hang together, whatever the cloud.

A *core* is a set of the names of rules that can conflict: those of hard
rules, ``fit:<member>``, and ``limit:<budget>`` for what is the provider's.
Here it is known what is left of a problem when only a core is in force, which
of its rules are alike, and which can change places with one another without
anybody noticing.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import (
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any

import numpy as np

from heat_vcluster.placement import columns, constraints, model
from heat_vcluster.placement.numbers.compiled import FIT, fit, limit
from heat_vcluster.placement.policies import base as policies

Core = frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One hard constraint of a rule.

    ``kind`` and ``mark`` are all there is to it but its members: parts that
    are equal in these over members alike are alike. ``counts``: the number
    of members matters, not only where there are some. ``in_units``: the
    members of one unit are told from those of another.
    """

    kind: type[constraints.Constraint]
    mark: Hashable
    units: tuple[frozenset[str], ...]
    counts: bool
    in_units: bool


class Skeleton:
    """The members and hard rules of a problem, and who is in what."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policies.Policy],
    ) -> None:
        snapshot = problem.snapshot
        self.problem = dataclasses.replace(
            problem,
            snapshot=dataclasses.replace(
                snapshot,
                hosts=columns.of(snapshot.hosts, snapshot.levels),
            ),
        )
        self.demands = {
            demand.member: demand
            for demand in _where_known(self.problem, kinds)
            if isinstance(demand, model.ServerDemand) or snapshot.pools
        }
        self._number_needs()
        scopes = (model.HOST, *reversed(snapshot.levels))
        self.rules: dict[str, model.Rule] = {}
        self.parts: dict[str, tuple[Part, ...]] = {}
        for rule in problem.rules:
            found = kinds[rule.policy].hard(rule, scopes)
            if found:
                self.rules[rule.name] = rule
                self.parts[rule.name] = tuple(map(self._part, found))
        self.limits = tuple(limit(b.name) for b in problem.budgets)
        self.everything = (
            *(
                fit(member)
                for member in self.demands
                if member not in problem.pinned
            ),
            *self.limits,
            *self.rules,
        )
        self.order = {name: i for i, name in enumerate(self.everything)}
        self.is_alone = frozenset(
            name
            for name, parts in self.parts.items()
            if any(part.kind is constraints.Alone for part in parts)
        )

    def _number_needs(self) -> None:
        """Number the different needs; ``needs`` is by member."""
        numbers: dict[Hashable, int] = {}
        self.needs: dict[str, int] = {}
        for member, demand in self.demands.items():
            if isinstance(demand, model.ServerDemand):
                key: Hashable = (
                    frozenset(demand.resources.items()),
                    demand.candidates,
                    demand.require,
                    demand.forbid,
                    demand.within,
                    demand.suitable,
                )
            else:
                key = (
                    demand.size_gb,
                    demand.type,
                    demand.candidates,
                    demand.within,
                )
            self.needs[member] = numbers.setdefault(key, len(numbers))

    def _part(self, asked: constraints.Constraint) -> Part:
        kind = type(asked)
        scope = getattr(asked, 'scope', None)
        if isinstance(asked, constraints.AtMost):
            units = tuple(map(frozenset, asked.units))
            return Part(
                kind, (scope, asked.limit), units, counts=False, in_units=True
            )
        units = (frozenset(asked.members),)
        if isinstance(asked, constraints.Level):
            # D is that of the whole problem: it hangs on the needs of all.
            over: Hashable = asked.domains
            if asked.domains is None:
                over = frozenset(
                    self.needs[m] for m in asked.members if m in self.needs
                )
            mark: Hashable = (scope, asked.skew, over)
            return Part(kind, mark, units, counts=True, in_units=False)
        if isinstance(asked, constraints.AtLeast):
            mark = (scope, asked.domains)
            return Part(kind, mark, units, counts=True, in_units=False)
        if isinstance(asked, constraints.Lost):
            mark = (scope, asked.domains, asked.limit)
            return Part(kind, mark, units, counts=True, in_units=False)
        return Part(kind, scope, units, counts=False, in_units=False)

    def is_server(self, member: str) -> bool:
        return isinstance(self.demands.get(member), model.ServerDemand)

    def view(self, core: Collection[str]) -> View:
        return View(self, core)


class View:
    """What a core is about: the rules and members that make a difference.

    Members whose ``fit:`` is not in the core have neither size nor needs.
    One that is in no rule of the core sits anywhere, in nobody's way; of
    those that are in the same places of the same rules all can sit where one
    does, unless a rule counts them. So one stands for all: what is left has
    a placement if and only if the core has.
    """

    def __init__(self, skeleton: Skeleton, core: Collection[str]) -> None:
        self._skeleton = skeleton
        self.core = frozenset(core)
        self.rules = [name for name in skeleton.rules if name in self.core]
        self.members = tuple(self._members())
        rank = {member: i for i, member in enumerate(self.members)}
        present = frozenset(rank)
        self.parts: dict[str, tuple[tuple[frozenset[str], ...], ...]] = {
            name: tuple(
                tuple(u for u in (unit & present for unit in part.units) if u)
                for part in skeleton.parts[name]
            )
            for name in self.rules
        }
        self.rules_of: dict[str, list[str]] = {m: [] for m in self.members}
        self.members_of: dict[str, list[str]] = {}
        self._colours: tuple[dict[str, int], dict[str, int]] | None = None
        for name in self.rules:
            inside = {
                m for units in self.parts[name] for u in units for m in u
            }
            self.members_of[name] = sorted(inside, key=rank.__getitem__)
            for member in self.members_of[name]:
                self.rules_of[member].append(name)

    def _members(self) -> Iterator[str]:
        skeleton = self._skeleton
        problem = skeleton.problem
        is_anywhere_hosts = bool(len(problem.snapshot.hosts))
        roles = self._roles()
        has_alone = not skeleton.is_alone.isdisjoint(self.core)
        seen = set()
        for member in dict.fromkeys([*skeleton.demands, *problem.pinned]):
            if member in problem.pinned:
                if has_alone or roles[member]:
                    yield member
                continue
            if fit(member) in self.core:
                yield member
                continue
            if skeleton.is_server(member) and not is_anywhere_hosts:
                continue
            if not roles[member] and not has_alone:
                continue
            key = skeleton.is_server(member), frozenset(roles[member])
            if key not in seen:
                seen.add(key)
                yield member

    def _roles(self) -> dict[str, list[Hashable]]:
        """Return member -> the places it has in rules of the core."""
        roles: dict[str, list[Hashable]] = collections.defaultdict(list)
        for name in self.rules:
            for number, part in enumerate(self._skeleton.parts[name]):
                for which, unit in enumerate(part.units):
                    for member in unit:
                        role: Hashable = (name, number)
                        if part.in_units:
                            role = (name, number, which)
                        if part.counts:
                            role = (name, number, member)
                        roles[member].append(role)
        return roles

    def problem(self) -> model.Problem:
        """Return the problem to be compiled with ``keep`` = the core."""
        whole = self._skeleton.problem
        return dataclasses.replace(
            whole,
            demands=tuple(
                self._skeleton.demands[m]
                for m in self.members
                if m in self._skeleton.demands
            ),
            rules=tuple(self._skeleton.rules[name] for name in self.rules),
            pinned={
                member: place
                for member, place in whole.pinned.items()
                if member in self.rules_of
            },
        )

    # -- likeness ----------------------------------------------------------

    def colours(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return member -> colour and rule -> colour, by refinement.

        What can change places with one another has one colour; the other
        way round it need not be so.
        """
        if self._colours is None:
            self._colours = self._refined()
        return self._colours

    def _refined(self) -> tuple[dict[str, int], dict[str, int]]:
        members = _numbered(
            {member: self._mark(member) for member in self.members}
        )
        rules = _numbered(
            {
                name: tuple(
                    (part.kind.__name__, part.mark)
                    for part in self._skeleton.parts[name]
                )
                for name in self.rules
            }
        )
        before = -1
        while (found := len({*members.values()}) + len({*rules.values()})) > (
            before
        ):
            before = found
            rules = _numbered(
                {
                    name: (
                        rules[name],
                        tuple(
                            _bag(_bag(members[m] for m in u) for u in units)
                            for units in self.parts[name]
                        ),
                    )
                    for name in self.rules
                }
            )
            members = _numbered(
                {
                    member: (
                        members[member],
                        _bag(rules[name] for name in self.rules_of[member]),
                    )
                    for member in self.members
                }
            )
        return members, rules

    def _mark(self, member: str) -> Hashable:
        pinned = self._skeleton.problem.pinned
        if member in pinned:
            return 'pinned', pinned[member]
        if fit(member) in self.core:
            return 'fits', self._skeleton.needs[member]
        return 'free', self._skeleton.is_server(member)

    def blocks(self) -> list[list[str]]:
        """Return the names of the core in blocks of like colour."""
        members, rules = self.colours()
        blocks: dict[Hashable, list[str]] = {}
        for name in self.rules:
            blocks.setdefault(('rule', rules[name]), []).append(name)
        for member in self.members:
            if fit(member) in self.core:
                blocks.setdefault(('fit', members[member]), []).append(
                    fit(member)
                )
        limits = [[n] for n in self._skeleton.limits if n in self.core]
        return [*blocks.values(), *limits]

    def orbit(self, name: str, among: Iterable[str]) -> list[str]:
        """Return those ``among`` that can change places with ``name``.

        For each there is a renaming of the members that leaves all as it is
        but puts the one in the place of the other; found and verified, so
        that one that is not found may be there all the same.
        """
        exchange = _Exchange(self)
        return [
            other
            for other in among
            if other == name or exchange.is_possible(name, other)
        ]


class _Exchange:
    """Renamings of members that leave every rule as it is."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._members, self._rules = view.colours()
        self._sets = {
            name: tuple(frozenset(units) for units in parts)
            for name, parts in view.parts.items()
        }

    def is_possible(self, one: str, other: str) -> bool:
        """Tell whether two names of the core can change places."""
        moved: dict[str, str] = {}
        swapped: dict[str, str] = {}
        pending: list[tuple[str, str]] = []
        if one.startswith(FIT) and other.startswith(FIT):
            pending.append((one.removeprefix(FIT), other.removeprefix(FIT)))
        elif not (
            one in self._rules
            and other in self._rules
            and self._swap_rules(one, other, swapped, pending)
        ):
            return False
        while pending:
            a, b = pending.pop()
            if a == b and a not in moved:
                continue
            if moved.get(a) == b and moved.get(b) == a:
                continue
            if a in moved or b in moved:
                return False
            if self._members[a] != self._members[b]:
                return False
            moved[a], moved[b] = b, a
            if not self._follow(a, b, swapped, pending):
                return False
        return self._holds(moved, swapped)

    def _follow(
        self,
        a: str,
        b: str,
        swapped: dict[str, str],
        pending: list[tuple[str, str]],
    ) -> bool:
        """Match the rules that touch one of the two members only."""
        of_a = [r for r in self._view.rules_of[a] if r not in swapped]
        of_b = [r for r in self._view.rules_of[b] if r not in swapped]
        both = {*of_a} & {*of_b}
        only_a = [r for r in of_a if r not in both]
        only_b = [r for r in of_b if r not in both]
        if len(only_a) != len(only_b):
            return False
        only_a.sort(key=lambda r: self._rules[r])
        only_b.sort(key=lambda r: self._rules[r])
        return all(
            self._swap_rules(r, s, swapped, pending)
            for r, s in zip(only_a, only_b, strict=True)
        )

    def _swap_rules(
        self,
        one: str,
        other: str,
        swapped: dict[str, str],
        pending: list[tuple[str, str]],
    ) -> bool:
        if self._rules[one] != self._rules[other]:
            return False
        swapped[one], swapped[other] = other, one
        common = {*self._view.members_of[one]} & {
            *self._view.members_of[other]
        }
        pairs = zip(
            self._by_colour(one, common),
            self._by_colour(other, common),
            strict=False,
        )
        pending.extend(pairs)
        return True

    def _by_colour(self, rule: str, common: Collection[str]) -> list[str]:
        return sorted(
            (m for m in self._view.members_of[rule] if m not in common),
            key=lambda member: self._members[member],
        )

    def _holds(
        self, moved: Mapping[str, str], swapped: Mapping[str, str]
    ) -> bool:
        """Verify that the renaming leaves every rule as it is."""
        touched = dict.fromkeys(
            name for m in moved for name in self._view.rules_of[m]
        )
        for name in (*touched, *swapped):
            image = self._sets[swapped.get(name, name)]
            for units, there in zip(
                self._view.parts[name], image, strict=True
            ):
                if len(units) != len(there):
                    return False
                for unit in units:
                    if name not in swapped and unit.isdisjoint(moved):
                        continue
                    if frozenset(moved.get(m, m) for m in unit) not in there:
                        return False
        return True


def _where_known(
    problem: model.Problem, kinds: Mapping[str, policies.Policy]
) -> Iterator[model.Demand]:
    """Give the demands, without hosts that soft rules cannot tell.

    A soft rule is in no core, yet it has to know where its servers are: that
    is a need of theirs like any other.
    """
    hosts = columns.of(problem.snapshot.hosts, problem.snapshot.levels)
    lost = {
        level: frozenset(np.flatnonzero(column == columns.UNKNOWN).tolist())
        for level, (_, column) in hosts.domains.items()
    }
    without: dict[str, frozenset[int]] = {}
    for rule in problem.rules if any(lost.values()) else ():
        for asked in kinds[rule.policy].soft(rule):
            scope = getattr(asked, 'scope', None)
            levels = lost if scope is None else lost.keys() & {scope}
            for member in rule.members:
                for level in levels:
                    known = without.get(member, frozenset())
                    without[member] = known | lost[level]
    left: dict[tuple[frozenset[str] | None, frozenset[int]], Core] = {}
    for demand in problem.demands:
        barred = without.get(demand.member)
        if barred and isinstance(demand, model.ServerDemand):
            key = demand.candidates, barred
            if key not in left:
                left[key] = frozenset(
                    name
                    for number, name in enumerate(hosts.names)
                    if number not in barred
                    and (
                        demand.candidates is None or name in demand.candidates
                    )
                )
            demand = dataclasses.replace(demand, candidates=left[key])
        yield demand


def _numbered(keys: Mapping[str, Hashable]) -> dict[str, int]:
    """Give equal keys equal numbers, in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return {
        name: numbers.setdefault(key, len(numbers))
        for name, key in keys.items()
    }


def _bag(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(items))
