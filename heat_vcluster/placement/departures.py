# SPDX-License-Identifier: Apache-2.0
"""Who of several alike is to go, such that the rules are best without them.

Judged by the checker: what a choice is worth is what it says of those that
stay. All choices are tried where they are few; else one after the other goes
as is best at that moment, and then those chosen are exchanged for others as
long as that is better.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from heat_vcluster.placement import checker, model

#: So many choices are all tried.
ALL = 500
#: So many rounds of exchanges are made at most.
ROUNDS = 20
#: What a unit of a hard rule counts against one of a wish, whose weight is
#: a thousand at most.
HARD = 10**6

Unit = tuple[str, ...]
Cost = tuple[int, int]


def choose(
    problem: model.Problem, units: Sequence[Unit], number: int
) -> tuple[Unit, ...]:
    """Return the ``number`` units that go: the last ones, if all is equal.

    All that counts is pinned in ``problem``; a unit is the members that can
    only go together.
    """
    if number >= len(units):
        return tuple(units)
    whole = _costing(problem)
    # The last ones first: of equal costs the first found stays.
    order = tuple(reversed(units))
    if math.comb(len(units), number) <= ALL:
        return min(itertools.combinations(order, number), key=whole)
    return _exchanged(order, _one_by_one(order, number, whole), whole)


def _one_by_one(
    units: Sequence[Unit], number: int, cost: Callable[[Iterable[Unit]], Cost]
) -> tuple[Unit, ...]:
    gone: tuple[Unit, ...] = ()
    for _ in range(number):
        left = (unit for unit in units if unit not in gone)
        gone = (*gone, min(left, key=lambda unit: cost((*gone, unit))))
    return gone


def _exchanged(
    units: Sequence[Unit],
    gone: tuple[Unit, ...],
    cost: Callable[[Iterable[Unit]], Cost],
) -> tuple[Unit, ...]:
    for _ in range(ROUNDS):
        now = cost(gone)
        if now == (0, 0):
            break
        others = [
            (*(unit for unit in gone if unit != out), other)
            for out in gone
            for other in units
            if other not in gone
        ]
        best = min(others, key=cost)
        if cost(best) >= now:
            break
        gone = best
    return gone


def _costing(problem: model.Problem) -> Callable[[Iterable[Unit]], Cost]:
    """Return what tells how bad it is without some units."""
    known: dict[frozenset[Unit], Cost] = {}

    def cost(gone: Iterable[Unit]) -> Cost:
        key = frozenset(gone)
        if key not in known:
            left = without(problem, {name for unit in key for name in unit})
            report = checker.judge(left, left.pinned)
            known[key] = len(report.violations), report.soft_cost
        return known[key]

    return cost


def without(problem: model.Problem, gone: set[str]) -> model.Problem:
    """Return the problem of those that are left, each hard rule a dear wish.

    So that it counts by how much a rule is broken.
    """
    rules = []
    for rule in problem.rules:
        units = tuple(
            inside
            for unit in rule.units
            if (inside := tuple(name for name in unit if name not in gone))
        )
        if units:
            weight = HARD if rule.weight is None else rule.weight
            rules.append(dataclasses.replace(rule, units=units, weight=weight))
    return dataclasses.replace(
        problem,
        demands=tuple(d for d in problem.demands if d.member not in gone),
        rules=tuple(rules),
        pinned=_left(problem.pinned, gone),
    )


def _left(pinned: Mapping[str, str], gone: set[str]) -> dict[str, str]:
    return {name: place for name, place in pinned.items() if name not in gone}
