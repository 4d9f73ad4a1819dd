# SPDX-License-Identifier: Apache-2.0
"""What the solver is measured against: two plain ways to place a group.

``plain`` is what one writes first: CP-SAT with a boolean for each member and
place. ``one_by_one`` is what nova does, and more: it is given every hard rule
as a filter, and puts each member where it weighs best at that moment.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers.compiled import Clause, Compiled

Expression = Any


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a baseline came to; seconds are since it was called.

    ``placement``: what it could place. ``bound`` is of soft cost times
    ``step`` plus objective.
    """

    verdict: model.Verdict
    placement: dict[str, str]
    seconds: float
    first_plan: float | None = None
    bound: float = 0.0
    step: int = 1


# -- a boolean for each pair -------------------------------------------------


class _FirstPlan(cp_model.CpSolverSolutionCallback):
    """Notes when the first plan was there."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self._began = began
        self.seconds: float | None = None

    def on_solution_callback(self) -> None:
        if self.seconds is None:
            self.seconds = time.monotonic() - self._began


def plain(compiled: Compiled, *, seconds: float, seed: int = 0) -> Found:
    """Solve with CP-SAT as it comes, on two workers; building counts."""
    began = time.monotonic()
    built = _Pairs(compiled)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = seed
    left = seconds - (time.monotonic() - began)
    solver.parameters.max_time_in_seconds = max(left, 0.001)
    first = _FirstPlan(began)
    status = solver.solve(built.model, first)
    took = time.monotonic() - began
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        verdict = model.Verdict.FEASIBLE
    elif status == cp_model.INFEASIBLE:
        verdict = model.Verdict.INFEASIBLE
    else:
        return Found(model.Verdict.UNKNOWN, {}, took)
    placement = {}
    if verdict is model.Verdict.FEASIBLE:
        placement = {
            compiled.members[member]: compiled.place_names[place]
            for (member, place), pair in built.pairs.items()
            if solver.value(pair)
        }
    bound = solver.best_objective_bound
    return Found(verdict, placement, took, first.seconds, bound, built.step)


class _Pairs:
    """The model: ``pairs[member, place]``, and each clause said by them."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self.model = cp_model.CpModel()
        self.pairs: dict[tuple[int, int], Any] = {}
        self._at: list[list[tuple[int, Any]]] = []
        for member in range(len(compiled.members)):
            self._place(member)
        self._fill()
        for clause in compiled.hard:
            self.model.add(self._amount(clause) <= 0)
        cost = sum(
            (clause.weight or 0) * self._amount(clause)
            for clause in compiled.soft
        )
        value, most = self._objective()
        self.step = most + 1
        self.model.minimize(self.step * cost + value)

    def _place(self, member: int) -> None:
        options = []
        for place in self._compiled.places(member).tolist():
            pair = self.model.new_bool_var('')
            self.pairs[member, place] = pair
            options.append((place, pair))
        self._at.append(options)
        self.model.add_exactly_one([pair for _, pair in options])

    def _fill(self) -> None:
        """Let no host and no pool be overfull."""
        compiled = self._compiled
        on: dict[int, list[tuple[int, Any]]] = {}
        for (member, place), pair in self.pairs.items():
            on.setdefault(place, []).append((member, pair))
        self._on = on
        for place, pairs in on.items():
            if place >= compiled.n_hosts:
                room = [compiled.pool_free[place - compiled.n_hosts]]
            else:
                room = [free[place] for free in compiled.free]
            for number, free in enumerate(room):
                taken = sum(compiled.size(m)[number] * x for m, x in pairs)
                self.model.add(taken <= int(free))

    def _counts(
        self, members: Iterable[int], scope: int
    ) -> dict[int, list[Any]]:
        """Return domain -> the pairs of these members in it."""
        column = self._compiled.domain[scope]
        found: dict[int, list[Any]] = {}
        for member in members:
            for place, pair in self._at[member]:
                if column[place] != UNKNOWN:
                    found.setdefault(int(column[place]), []).append(pair)
        return found

    def _used(self, pairs: Sequence[Any]) -> Any:
        """Return a boolean that is true if and only if a pair is."""
        used = self.model.new_bool_var('')
        for pair in pairs:
            self.model.add_implication(pair, used)
        self.model.add_bool_or([*pairs, used.negated()])
        return used

    def _over(self, expression: Expression, limit: int, most: int) -> Any:
        """Return a variable that is no less than the excess."""
        excess = self.model.new_int_var(0, max(most, 0), '')
        self.model.add(excess >= expression - limit)
        return excess

    def _amount(self, clause: Clause) -> Expression:
        count = len(clause.members)
        if clause.kind is constraints.Near:
            return self._near(clause)
        if clause.kind is constraints.AtMost:
            return self._at_most(clause)
        counts = self._counts(clause.members, clause.scope)
        if clause.kind is constraints.Alone:
            return sum(self._shared(clause, d, x) for d, x in counts.items())
        if clause.kind is constraints.Level:
            return self._skew(clause, counts)
        used = sum(self._used(pairs) for pairs in counts.values())
        if clause.kind is constraints.AtLeast:
            return self._over(clause.limit - used, 0, clause.limit)
        return self._over(used, 1, count)

    def _at_most(self, clause: Clause) -> Expression:
        units: dict[int, list[Any]] = {}
        for unit in clause.units:
            for domain, pairs in self._counts(unit, clause.scope).items():
                unit_is_there = (
                    sum(pairs) if len(unit) == 1 else self._used(pairs)
                )
                units.setdefault(domain, []).append(unit_is_there)
        return sum(
            self._over(sum(present), clause.limit, len(present))
            for present in units.values()
            if len(present) > clause.limit
        )

    def _skew(
        self, clause: Clause, counts: dict[int, list[Any]]
    ) -> Expression:
        if not clause.domains:
            return 0
        count = len(clause.members)
        high = self.model.new_int_var(0, count, '')
        low = self.model.new_int_var(0, count, '')
        for domain in clause.domains:
            here = sum(counts.get(domain, ()))
            self.model.add(high >= here)
            self.model.add(low <= here)
        return self._over(high - low, clause.limit, count)

    def _shared(self, clause: Clause, domain: int, pairs: list[Any]) -> Any:
        used = self._used(pairs)
        if self._compiled.busy[clause.scope][domain]:
            return used
        shared = self.model.new_bool_var('')
        own = frozenset(clause.members)
        column = self._compiled.domain[clause.scope]
        for member, options in enumerate(self._at):
            if member in own:
                continue
            for place, pair in options:
                if column[place] == domain:
                    self.model.add_bool_or(
                        [shared, used.negated(), pair.negated()]
                    )
        return shared

    def _near(self, clause: Clause) -> Expression:
        scopes = range(len(self._compiled.scopes))
        distance = self.model.new_int_var(0, len(scopes), '')
        for scope in scopes:
            counts = self._counts(clause.members, scope)
            used = sum(self._used(pairs) for pairs in counts.values())
            is_split = self.model.new_bool_var('')
            self.model.add(used <= 1).only_enforce_if(is_split.negated())
            self.model.add(distance >= (scope + 1) * is_split)
        return distance

    def _objective(self) -> tuple[Expression, int]:
        """Return the objective, and the most that it can be."""
        compiled = self._compiled
        hosts = {
            place: self._used([pair for _, pair in pairs])
            for place, pairs in self._on.items()
            if place < compiled.n_hosts
        }
        if compiled.problem.objective == 'pack':
            return sum(hosts.values()), len(hosts)
        fill = self.model.new_int_var(0, 1000, '')
        for place, is_open in hosts.items():
            for number, total in enumerate(compiled.total):
                cap = int(total[place])
                if not cap:
                    continue
                busy = cap - int(compiled.free[number][place])
                taken = sum(
                    compiled.size(m)[number] * x for m, x in self._on[place]
                )
                self.model.add(
                    1000 * (busy + taken) <= cap * fill
                ).only_enforce_if(is_open)
        return fill, 1000


# -- one after the other -----------------------------------------------------


def one_by_one(
    compiled: Compiled, *, seed: int = 0, stack: bool = False
) -> Found:
    """Place in any order; members that find no place are left out.

    ``stack``: to the host with the least RAM left (in OpenStack's words a
    negative ``ram_weight_multiplier``); else to the one with the most.
    """
    began = time.monotonic()
    order = list(range(len(compiled.members)))
    random.Random(seed).shuffle(order)
    line = _Line(compiled, stack)
    for member in order:
        line.place(member)
    names = {
        compiled.members[member]: compiled.place_names[place]
        for member, place in line.at.items()
    }
    is_whole = len(names) == len(compiled.members)
    verdict = model.Verdict.FEASIBLE if is_whole else model.Verdict.UNKNOWN
    return Found(verdict, names, time.monotonic() - began)


class _Line:
    """Members that are placed one by one, never to move again."""

    def __init__(self, compiled: Compiled, stack: bool) -> None:
        self._compiled, self._stack = compiled, stack
        self.at: dict[int, int] = {}
        self._free = [free.copy() for free in compiled.free]
        self._gb = compiled.pool_free.copy()
        self._weigh_by = next(
            (n for n, r in enumerate(compiled.resources) if r == 'MEMORY_MB'),
            0,
        )
        self._of: list[list[Clause]] = [[] for _ in compiled.members]
        # By scope and domain: all members there; those of rules that want
        # to be alone, together and by rule.
        self._everybody = [np.zeros(n, np.int64) for n in compiled.n_domains]
        self._owned: dict[int, Ints] = {}
        self._count_of: dict[int, Ints] = {}
        for clause in compiled.hard:
            for member in clause.members:
                self._of[member].append(clause)
            if clause.kind is constraints.Alone:
                none = np.zeros(compiled.n_domains[clause.scope], np.int64)
                self._owned.setdefault(clause.scope, none.copy())
                self._count_of[id(clause)] = none

    def place(self, member: int) -> None:
        compiled = self._compiled
        places = compiled.places(member)
        size = compiled.size(member)
        is_server = bool(compiled.is_server[member])
        may = self._has_room(places, size, is_server)
        for mask in self._filters(member, places):
            may &= mask
        if not np.any(may):
            return
        left = places[may]
        if is_server:
            weight = self._free[self._weigh_by][left]
        else:
            weight = self._gb[left - compiled.n_hosts]
        which = np.argmin(weight) if self._stack else np.argmax(weight)
        place = int(left[which])
        self.at[member] = place
        self._note(member, place)
        if is_server:
            for number, amount in enumerate(size):
                self._free[number][place] -= amount
        else:
            self._gb[place - compiled.n_hosts] -= size[0]

    def _note(self, member: int, place: int) -> None:
        for scope, column in enumerate(self._compiled.domain):
            if column[place] != UNKNOWN:
                self._everybody[scope][column[place]] += 1
        for clause in self._of[member]:
            domain = self._compiled.domain[clause.scope][place]
            if id(clause) in self._count_of and domain != UNKNOWN:
                self._count_of[id(clause)][domain] += 1
                self._owned[clause.scope][domain] += 1

    def _has_room(
        self, places: Ints, size: Sequence[int], is_server: bool
    ) -> Flags:
        may = np.ones(len(places), np.bool_)
        if is_server:
            for free, amount in zip(self._free, size, strict=True):
                may &= free[places] >= amount
        else:
            may &= self._gb[places - self._compiled.n_hosts] >= size[0]
        return may

    def _filters(self, member: int, places: Ints) -> Iterator[Flags]:
        """Give, rule by rule, which of the places it lets the member have."""
        for clause in self._of[member]:
            column = self._compiled.domain[clause.scope][places]
            yield self._filter(clause, member, column)
        for scope, owned in self._owned.items():
            barred = owned.copy()
            for clause in self._of[member]:
                if clause.kind is constraints.Alone and clause.scope == scope:
                    barred -= self._count_of[id(clause)]
            column = self._compiled.domain[scope][places]
            yield (column == UNKNOWN) | (barred[column] <= 0)

    def _filter(self, clause: Clause, member: int, column: Ints) -> Flags:
        known = column == UNKNOWN
        if clause.kind is constraints.Together:
            used = self._domains(clause, clause.members)
            return known | np.isin(column, used) if used else known | True
        if clause.kind is constraints.AtMost:
            present: dict[int, int] = {}
            for unit in clause.units:
                if member not in unit:
                    for domain in set(self._domains(clause, unit)):
                        present[domain] = present.get(domain, 0) + 1
            full = [d for d, n in present.items() if n >= clause.limit]
            return ~np.isin(column, full)
        if clause.kind is constraints.Level:
            n = dict.fromkeys(clause.domains, 0)
            for domain in self._domains(clause, clause.members):
                if domain in n:
                    n[domain] += 1
            least = min(n.values(), default=0)
            full = [d for d, c in n.items() if c + 1 - least > clause.limit]
            return ~np.isin(column, full)
        if clause.kind is constraints.Alone:
            busy = self._compiled.busy[clause.scope]
            others = self._everybody[clause.scope] > self._count_of[id(clause)]
            return known | ~(busy | others)[column]
        return np.ones(len(column), np.bool_)

    def _domains(self, clause: Clause, members: Iterable[int]) -> list[int]:
        column = self._compiled.domain[clause.scope]
        found = [int(column[self.at[m]]) for m in members if m in self.at]
        return [domain for domain in found if domain != UNKNOWN]
