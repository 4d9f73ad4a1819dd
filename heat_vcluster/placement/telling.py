# SPDX-License-Identifier: Apache-2.0
"""A placement in numbers, told as a plan: by names, with what it gives up."""

from __future__ import annotations

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers import compiled as numbers


def tell(compiled: numbers.Compiled, placement: Ints) -> model.Plan:
    names = {
        member: compiled.place_names[int(place)]
        for member, place in zip(compiled.members, placement, strict=True)
        if place != UNKNOWN
    }
    names.update(compiled.problem.pinned)
    given_up = tuple(_given_up(compiled, placement))
    return model.Plan(
        names,
        sum(violation.cost for violation in given_up),
        amounts.objective(compiled, placement),
        given_up,
        tuple(_unsteered(compiled, placement)),
    )


def _given_up(
    compiled: numbers.Compiled, placement: Ints
) -> list[model.Violation]:
    broken: dict[str, tuple[int, int]] = {}
    for clause in compiled.soft:
        amount = amounts.amount(compiled, clause, placement)
        if amount:
            before, cost = broken.get(clause.rule, (0, 0))
            weight = clause.weight or 0
            broken[clause.rule] = (before + amount, cost + amount * weight)
    return [
        model.Violation(rule, amount, cost)
        for rule, (amount, cost) in broken.items()
    ]


def _unsteered(
    compiled: numbers.Compiled, placement: Ints
) -> list[tuple[str, str]]:
    """Return the (rule, member) pairs where the member does not count.

    It counts where a domain of it is known: at the rule's scope (the floor
    of proximity), or for bare proximity at any.
    """
    scopes: dict[str, tuple[int, ...]] = {}
    for clause in (*compiled.soft, *compiled.hard):
        if clause.kind is constraints.Near:
            scopes.setdefault(clause.rule, tuple(range(len(compiled.scopes))))
    for clause in reversed((*compiled.soft, *compiled.hard)):
        if clause.kind is not constraints.Near:
            scopes[clause.rule] = (clause.scope,)
    found = []
    for rule in compiled.problem.rules:
        at = scopes.get(rule.name, ())
        for member in rule.members if at else ():
            number = compiled.numbers.get(member)
            place = UNKNOWN if number is None else int(placement[number])
            if place == UNKNOWN or all(
                compiled.domain[scope][place] == UNKNOWN for scope in at
            ):
                found.append((rule.name, member))
    return found
