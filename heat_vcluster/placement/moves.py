# SPDX-License-Identifier: Apache-2.0
"""The fewest moves back into the rules, in an order that breaks none more.

A move takes one server from the host where it is to one that has room for it
at that moment: while it moves it takes room on both. A sequence of moves is
safe if no rule that must hold is, after any of them, broken by more than it
was before that move; in the end all hold.

The solver is asked for a placement that keeps as many as can be: each server
is tied to its host by a wish that costs more than all others together. What it
proves, and a count of what is broken, bound how many have to move. Such moves
are put in order; where no order is safe, sequences are tried by length,
longer ones too.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from heat_vcluster.placement import (
    base,
    checker,
    columns,
    constraints,
    model,
    policies,
)
from heat_vcluster.placement.policies import base as policy_base

#: Steps that are looked at for an order, and placements for a detour.
ORDERS = 4000
DETOURS = 4000
#: Of the time that is left the part for one more look.
SHARE = 2
#: Kinds of rules that one move mends by one at the most.
BY_ONES = frozenset({'affinity', 'anti-affinity', 'spread'})
#: Sets of members that are tried where the solver cannot be told the cost.
SETS = 300

Kinds = Mapping[str, policy_base.Policy]
Amounts = Mapping[str, int]  # rule -> by how much it is broken


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    member: str
    source: str
    target: str


@dataclasses.dataclass(frozen=True, slots=True)
class Relocation:
    """``moves`` in their order; None: none that is safe was found.

    ``is_least``: it is proven that none is shorter. ``answer``: why there is
    no placement to move to, if there is none.
    """

    moves: tuple[Move, ...] | None
    is_least: bool = False
    answer: model.Answer | None = None


def relocate(
    problem: model.Problem,
    here: Mapping[str, str],
    solver: base.Solver,
    kinds: Kinds | None = None,
    deadline: float = 10.0,
) -> Relocation:
    """Find the moves that have all hard rules hold.

    ``problem`` has a demand for each server that may be moved, ``here`` its
    host; all others are pinned. The snapshot is that of now: what they take
    is not free.
    """
    kinds = policies.load() if kinds is None else kinds
    task = _Task(problem, here, kinds)
    if not task.broken(here):
        return Relocation((), is_least=True)
    goal = _goal(task, solver, time.monotonic() + deadline)
    if goal.placement is None:
        answer = solver.solve(task.freed(here), deadline=deadline)
        if answer.plan is None:
            return Relocation(None, answer=answer)
        goal = _Goal(answer.plan.placement, 1)
    ordered = _in_order(task, goal.placement or {})
    if ordered is not None:
        return Relocation(ordered, len(ordered) <= goal.least)
    return _detour(task)


class _Task:
    """What moves may be made, and what they come to."""

    def __init__(
        self, problem: model.Problem, here: Mapping[str, str], kinds: Kinds
    ) -> None:
        self.problem = problem
        self.here = dict(here)
        self.kinds = kinds
        self.takes = {
            demand.member: dict(demand.resources)
            for demand in problem.demands
            if isinstance(demand, model.ServerDemand) and demand.member in here
        }
        table = columns.of(problem.snapshot.hosts, problem.snapshot.levels)
        self._numbers = {name: n for n, name in enumerate(table.names)}
        self._table = table

    def broken(self, at: Mapping[str, str]) -> Amounts:
        """Return the rules that must hold and do not, where all are there."""
        return {each.rule: each.amount for each in self.breaches(at)}

    def breaches(self, at: Mapping[str, str]) -> tuple[model.Breach, ...]:
        placement = {**self.problem.pinned, **at}
        settled = dataclasses.replace(self.problem, pinned=placement)
        return checker.breaches(settled, placement, self.kinds)

    def has_room(self, member: str, host: str, at: Mapping[str, str]) -> bool:
        """Tell whether a host has room for one more, with the others there."""
        free = self._free(host)
        for name, place in at.items():
            came, left = place == host, self.here[name] == host
            if came != left:
                for resource, amount in self.takes[name].items():
                    free[resource] = free.get(resource, 0) + (
                        amount if left else -amount
                    )
        return all(
            amount <= free.get(resource, 0)
            for resource, amount in self.takes[member].items()
        )

    def _free(self, host: str) -> dict[str, int]:
        number = self._numbers.get(host)
        if number is None:
            return {}
        return {
            name: int(column[number])
            for name, column in self._table.free.items()
        }

    def freed(self, members: Collection[str]) -> model.Problem:
        """Pose the problem of placing these; the others stay."""
        free = {name: c.copy() for name, c in self._table.free.items()}
        for member in members:
            number = self._numbers.get(self.here[member])
            for resource, amount in self.takes[member].items():
                if number is not None and resource in free:
                    free[resource][number] += amount
        hosts = self._table.changed(free=free)
        stay = {m: place for m, place in self.here.items() if m not in members}
        return dataclasses.replace(
            self.problem,
            snapshot=dataclasses.replace(self.problem.snapshot, hosts=hosts),
            demands=tuple(
                self._with_peers(demand)
                if demand.member in members
                else demand
                for demand in self.problem.demands
            ),
            pinned={**self.problem.pinned, **stay},
        )

    def _with_peers(self, demand: model.Demand) -> model.Demand:
        """Let a server go where peers are, which may make room."""
        if demand.candidates is None:
            return demand
        peers = frozenset(self.here.values())
        return dataclasses.replace(
            demand, candidates=demand.candidates | peers
        )

    def targets(self, member: str) -> Iterator[str]:
        demand = next(d for d in self.problem.demands if d.member == member)
        allowed = self._with_peers(demand).candidates
        for name in self._table.names:
            if allowed is None or name in allowed:
                yield name


@dataclasses.dataclass(frozen=True, slots=True)
class _Goal:
    """Where all may end, and how many moves that takes at the least."""

    placement: Mapping[str, str] | None
    least: int = 0

    def count(self, task: _Task) -> int:
        """Return how many servers it moves."""
        at = self.placement or {}
        return sum(at[m] != place for m, place in task.here.items())


def _goal(task: _Task, solver: base.Solver, until: float) -> _Goal:
    is_secluded = any(
        isinstance(each, constraints.Alone)
        for rule in task.problem.rules
        for each in task.kinds[rule.policy].constraints(rule)
    )
    if is_secluded:
        # What a server is tied to would count as somebody else there.
        return _by_sets(task, solver, until)
    floor = _floor(task)
    best = _Goal(None)
    for members in _widening(task):
        goal = _by_ties(task, solver, until, members)
        if goal.placement is not None and (
            best.placement is None or goal.count(task) < best.count(task)
        ):
            best = goal
        if best.placement is not None and best.count(task) <= floor:
            break
    return dataclasses.replace(best, least=max(best.least, floor))


def _widening(task: _Task) -> Iterator[frozenset[str]]:
    """Give ever more members to be moved: few are placed best.

    Those by whom rules are broken; all of these rules; all.
    """
    found = task.breaches(task.here)
    every = frozenset(task.here)
    names = {each.rule for each in found}
    culprits = frozenset(m for each in found for m in each.members)
    concerned = frozenset(
        m
        for rule in task.problem.rules
        if rule.name in names
        for m in rule.members
    )
    for members in dict.fromkeys((culprits & every, concerned & every)):
        if members and members != every:
            yield members
    yield every


def _floor(task: _Task) -> int:
    """Return how many moves it takes at the least, by counting.

    A move mends a rule of these kinds by one at the most, and rules without
    a common member have no move in common.
    """
    rules = {rule.name: rule for rule in task.problem.rules}
    found = sorted(
        task.breaches(task.here), key=lambda each: -_needed(each, rules)
    )
    seen: set[str] = set()
    needed = 0
    for each in found:
        members = rules[each.rule].members
        if seen.isdisjoint(members):
            needed += _needed(each, rules)
            seen.update(members)
    return max(needed, 1)


def _needed(breach: model.Breach, rules: Mapping[str, model.Rule]) -> int:
    rule = rules[breach.rule]
    by_ones = rule.policy in BY_ONES and not {
        'max_skew',
        'min_domains',
    } & {*rule.options}
    return breach.amount if by_ones else 1


def _by_ties(
    task: _Task,
    solver: base.Solver,
    until: float,
    members: frozenset[str],
) -> _Goal:
    """Let the solver move as few of these as it can."""
    problem = task.freed(members)
    price = 1 + sum(
        (rule.weight or 0) * (4 * len(rule.members) + 8)
        for rule in problem.rules
    )
    ties = {f'{member} stays': task.here[member] for member in members}
    wishes = tuple(
        model.Rule(
            f'{member} stays',
            'affinity',
            model.HOST,
            ((member,), (f'{member} stays',)),
            price,
        )
        for member in task.here
        if member in members
    )
    seconds = max((until - time.monotonic()) / SHARE, 0.1)
    answer = solver.solve(
        dataclasses.replace(
            problem,
            rules=(*problem.rules, *wishes),
            pinned={**problem.pinned, **ties},
        ),
        deadline=seconds,
        patience=seconds,
        explain=False,
    )
    if answer.plan is None:
        return _Goal(None)
    least = 0
    if answer.bound is not None and len(members) == len(task.here):
        least = answer.bound.soft_cost // price
    found = answer.plan.placement
    return _Goal({member: found[member] for member in task.here}, least)


def _by_sets(task: _Task, solver: base.Solver, until: float) -> _Goal:
    """Try ever larger sets of members to be moved, the broken rules' first."""
    suspects = task.broken(task.here)
    ordered = sorted(
        task.here,
        key=lambda member: (
            not any(
                member in rule.members
                for rule in task.problem.rules
                if rule.name in suspects
            )
        ),
    )
    sets = (
        chosen
        for size in range(1, len(ordered) + 1)
        for chosen in itertools.combinations(ordered, size)
    )
    for chosen in itertools.islice(sets, SETS):
        seconds = until - time.monotonic()
        if seconds <= 0:
            break
        answer = solver.solve(
            task.freed(chosen), deadline=seconds, patience=0.0, explain=False
        )
        if answer.plan is not None:
            found = answer.plan.placement
            return _Goal(
                {member: found[member] for member in task.here}, len(chosen)
            )
    return _Goal(None)


def _in_order(task: _Task, goal: Mapping[str, str]) -> tuple[Move, ...] | None:
    """Put the moves to a placement in a safe order; None: there is none.

    Or it was not found within so many steps.
    """
    wanted = [
        Move(member, place, goal[member])
        for member, place in task.here.items()
        if goal[member] != place
    ]
    dead: set[frozenset[str]] = set()
    left = ORDERS
    found: tuple[Move, ...] | None = None

    def go(done: tuple[Move, ...], at: dict[str, str]) -> bool:
        nonlocal left, found
        if len(done) == len(wanted):
            found = done
            return True
        moved = frozenset(move.member for move in done)
        if moved in dead or left <= 0:
            return False
        for move, after in _safe(task, wanted, moved, at):
            left -= 1
            if go((*done, move), after):
                return True
        dead.add(moved)
        return False

    go((), dict(task.here))
    return found


def _safe(
    task: _Task,
    wanted: Sequence[Move],
    moved: Collection[str],
    at: Mapping[str, str],
) -> list[tuple[Move, dict[str, str]]]:
    """Return the moves that may come next, those that mend most first."""
    before = task.broken(at)
    found = []
    for move in wanted:
        if move.member in moved or not task.has_room(
            move.member, move.target, at
        ):
            continue
        after = {**at, move.member: move.target}
        amounts = task.broken(after)
        if is_no_worse(before, amounts):
            found.append((sum(amounts.values()), move, after))
    found.sort(key=lambda each: each[0])
    return [(move, after) for _, move, after in found]


def is_no_worse(before: Amounts, after: Amounts) -> bool:
    """Tell whether no rule is broken by more than before."""
    return all(amount <= before.get(rule, 0) for rule, amount in after.items())


def _detour(task: _Task) -> Relocation:
    """Try all safe sequences by their length, as many as may be."""
    names = tuple(task.here)
    seen = {tuple(task.here.values())}
    ends: list[tuple[dict[str, str], tuple[Move, ...]]] = [
        (dict(task.here), ())
    ]
    while ends and len(seen) < DETOURS:
        further = []
        for at, path in ends:
            for move, after in _next(task, at):
                key = tuple(after[name] for name in names)
                if key in seen or len(seen) >= DETOURS:
                    continue
                seen.add(key)
                if not task.broken(after):
                    is_least = len(seen) < DETOURS
                    return Relocation((*path, move), is_least)
                further.append((after, (*path, move)))
        ends = further
    return Relocation(None)


def _next(
    task: _Task, at: Mapping[str, str]
) -> Iterator[tuple[Move, dict[str, str]]]:
    before = task.broken(at)
    for member, place in at.items():
        for host in task.targets(member):
            if host != place and task.has_room(member, host, at):
                after = {**at, member: host}
                if is_no_worse(before, task.broken(after)):
                    yield Move(member, place, host), after
