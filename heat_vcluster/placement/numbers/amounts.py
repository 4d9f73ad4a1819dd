# SPDX-License-Identifier: Apache-2.0
"""What a placement in numbers comes to: amounts, costs, objective.

For the search itself; finished plans are judged by the checker, which shares
nothing with this. A placement is an array, member -> place; UNKNOWN: it has
none, and counts nowhere.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers.compiled import Clause, Compiled


def amount(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    """Return by how much the clause is broken."""
    return _AMOUNTS[clause.kind](compiled, clause, placement)


def soft_cost(compiled: Compiled, placement: Ints) -> int:
    return sum(
        (clause.weight or 0) * amount(compiled, clause, placement)
        for clause in compiled.soft
    )


def value(compiled: Compiled, placement: Ints) -> tuple[int, int]:
    """Return what plans are ordered by: soft cost, then objective."""
    return soft_cost(compiled, placement), objective(compiled, placement)


def is_valid(compiled: Compiled, placement: Ints) -> bool:
    """Tell whether sizes and all hard clauses are obeyed."""
    return has_room(compiled, placement) and not any(
        amount(compiled, clause, placement) for clause in compiled.hard
    )


def sizes(compiled: Compiled) -> tuple[Ints, Ints]:
    """Return what members take: servers, resource by member; volumes, GiB."""
    by_shape = np.zeros(
        (len(compiled.resources), len(compiled.shapes)), np.int64
    )
    gib = np.zeros(len(compiled.shapes), np.int64)
    for shape in compiled.shapes:
        if shape.is_server:
            by_shape[:, shape.number] = shape.size
        else:
            gib[shape.number] = shape.size[0]
    return by_shape[:, compiled.shape_of], gib[compiled.shape_of]


def asked(compiled: Compiled) -> Ints:
    """Return what all servers take together, by resource."""
    total: Ints = sizes(compiled)[0].sum(axis=1)
    return total


def room(compiled: Compiled, placement: Ints) -> tuple[list[Ints], Ints]:
    """Return what is left: by resource on each host, GiB in each pool."""
    amounts, gib = sizes(compiled)
    placed = np.flatnonzero(placement != UNKNOWN)
    servers = placed[compiled.is_server[placed]]
    volumes = placed[~compiled.is_server[placed]]
    left = []
    for free, taken in zip(compiled.free, amounts, strict=True):
        rest = free.copy()
        np.subtract.at(rest, placement[servers], taken[servers])
        left.append(rest)
    pools = compiled.pool_free.copy()
    np.subtract.at(pools, placement[volumes] - compiled.n_hosts, gib[volumes])
    return left, pools


def has_room(compiled: Compiled, placement: Ints) -> bool:
    """Tell whether nothing is overfull that the placement takes from."""
    amounts, gib = sizes(compiled)
    left, pools = room(compiled, placement)
    placed = placement != UNKNOWN
    for rest, taken in zip(left, amounts, strict=True):
        takers = placed & compiled.is_server & (taken > 0)
        if np.any(rest[placement[takers]] < 0):
            return False
    takers = placed & ~compiled.is_server & (gib > 0)
    if np.any(pools[placement[takers] - compiled.n_hosts] < 0):
        return False
    return not any(
        np.any(rest < 0)
        for rooms in budget_room(compiled, placement)
        for rest in rooms
    )


def budget_room(compiled: Compiled, placement: Ints) -> list[list[Ints]]:
    """Return what is left of each budget: by resource, by domain."""
    taken, _ = sizes(compiled)
    placed = np.flatnonzero((placement != UNKNOWN) & compiled.is_server)
    left = []
    for cap in compiled.budgets:
        domains = compiled.domain[cap.scope][placement[placed]]
        known = domains != UNKNOWN
        rooms = []
        for room, amount_of in zip(cap.room, taken, strict=True):
            rest = room.copy()
            np.subtract.at(rest, domains[known], amount_of[placed[known]])
            rooms.append(rest)
        left.append(rooms)
    return left


def objective(compiled: Compiled, placement: Ints) -> int:
    """Return hosts used (pack) or the highest fill in per mille (balance)."""
    used = used_hosts(compiled, placement)
    if compiled.problem.objective == 'pack':
        return len(used)
    left, _ = room(compiled, placement)
    highest = 0
    for total, rest in zip(compiled.total, left, strict=True):
        cap, empty = total[used], rest[used]
        taken = 1000 * (cap - empty)[cap > 0]
        fills = -(-taken // cap[cap > 0])
        if len(fills):
            highest = max(highest, int(fills.max()))
    return highest


def slots(size: Sequence[int], free: Sequence[Ints], hosts: Ints) -> Ints:
    """Return how many of this size each of the hosts has room for."""
    found = np.full(len(hosts), 64, np.int64)
    for amount, column in zip(size, free, strict=True):
        if amount:
            found = np.minimum(found, column[hosts] // amount)
    return found


def used_hosts(compiled: Compiled, placement: Ints) -> Ints:
    """Return the hosts with at least one server of the request."""
    return np.unique(placement[compiled.is_server & (placement != UNKNOWN)])


def _domains(
    compiled: Compiled, scope: int, members: Sequence[int], placement: Ints
) -> list[int]:
    """Return the domain of each of the members that counts."""
    places = placement[list(members)]
    domains = compiled.domain[scope][places]
    found: list[int] = domains[
        (places != UNKNOWN) & (domains != UNKNOWN)
    ].tolist()
    return found


def _together(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    used = set(_domains(compiled, clause.scope, clause.members, placement))
    return max(0, len(used) - 1)


def _at_most(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    units: collections.Counter[int] = collections.Counter()
    for unit in clause.units:
        units.update(set(_domains(compiled, clause.scope, unit, placement)))
    return sum(max(0, n - clause.limit) for n in units.values())


def _level(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    if not clause.domains:
        return 0
    n = collections.Counter(
        _domains(compiled, clause.scope, clause.members, placement)
    )
    counts = [n[d] for d in clause.domains]
    return max(0, max(counts) - min(counts) - clause.limit)


def _at_least(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    used = set(_domains(compiled, clause.scope, clause.members, placement))
    return max(0, clause.limit - len(used))


def _lost(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    n = collections.Counter(
        _domains(compiled, clause.scope, clause.members, placement)
    )
    worst = sum(count for _, count in n.most_common(clause.lost))
    return max(0, worst - clause.limit)


def _alone(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    used = set(_domains(compiled, clause.scope, clause.members, placement))
    rest = placement.copy()
    rest[list(clause.members)] = UNKNOWN
    rest = rest[rest != UNKNOWN]
    others = set(compiled.domain[clause.scope][rest].tolist())
    busy = compiled.busy[clause.scope]
    return sum(1 for d in used if busy[d] or d in others)


def _near(compiled: Compiled, clause: Clause, placement: Ints) -> int:
    for scope in reversed(range(len(compiled.scopes))):
        if len(set(_domains(compiled, scope, clause.members, placement))) > 1:
            return scope + 1
    return 0


_AMOUNTS: dict[
    type[constraints.Constraint], Callable[[Compiled, Clause, Ints], int]
] = {
    constraints.Together: _together,
    constraints.AtMost: _at_most,
    constraints.Level: _level,
    constraints.AtLeast: _at_least,
    constraints.Alone: _alone,
    constraints.Near: _near,
    constraints.Lost: _lost,
}
