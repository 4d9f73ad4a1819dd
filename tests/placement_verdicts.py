# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an answer to a tiny problem, by trying everything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from heat_vcluster.placement import checker, model
from tests import placement_oracle as oracle


def faults(
    problem: model.Problem, answer: model.Answer, *, is_whole: bool = True
) -> list[str]:
    """Return all that is not true in the answer, or not enough.

    ``is_whole``: it comes from a search that leaves nothing out, so it has a
    verdict and the lowest soft cost.
    """
    best = oracle.best(problem)
    if answer.verdict is model.Verdict.UNKNOWN:
        return ['unknown, for something as small as this'] * is_whole
    if answer.verdict is model.Verdict.INFEASIBLE:
        if best is not None:
            return [f'infeasible, yet {best} obeys it']
        return [
            *_false_conflict(problem, answer),
            *_false_repairs(problem, answer),
        ]
    if best is None:
        return ['feasible, yet nothing obeys it']
    told = list(_false_plan(problem, answer, best))
    if is_whole and answer.plan and answer.plan.soft_cost != best.soft_cost:
        told.append(f'not the lowest soft cost: {best} can be had')
    return told


def _false_plan(
    problem: model.Problem, answer: model.Answer, best: oracle.Found
) -> Iterator[str]:
    plan, bound = answer.plan, answer.bound
    if plan is None:
        yield 'feasible, without a plan'
        return
    yield from checker.check(problem, plan, bound=bound).violations
    if bound is None:
        yield 'no bound'
    elif bound.soft_cost > best.soft_cost or (
        bound.soft_cost == best.soft_cost
        and bound.objective is not None
        and bound.objective > best.objective
    ):
        yield f'bound {bound} is refuted by {best}'


def _false_conflict(
    problem: model.Problem, answer: model.Answer
) -> Iterator[str]:
    """Tell what is wrong with the rules that are said to conflict."""
    if not answer.rules:
        return
    kept = set(answer.rules)
    strange = kept - set(oracle.rule_names(problem))
    if strange:
        yield f'no rules: {sorted(strange)}'
    if oracle.is_feasible(problem, kept):
        yield f'no conflict: {sorted(kept)}'
    elif answer.is_minimal:
        spare = [
            n for n in kept if not oracle.is_feasible(problem, kept - {n})
        ]
        if spare:
            yield f'not minimal: {sorted(kept)} without {sorted(spare)}'


def _false_repairs(
    problem: model.Problem, answer: model.Answer
) -> Iterator[str]:
    for repair in answer.repairs:
        best = oracle.best(repaired(problem, repair))
        if best is None:
            yield f'does not fit even so: {repair}'


def repaired(problem: model.Problem, repair: model.Repair) -> model.Problem:
    """Return the problem with what the repair changes; soft means weight 1."""
    if repair.kind == 'several':
        for step in repair.value:
            problem = repaired(problem, step)
        return problem
    if repair.kind == 'fewer':
        return _without(problem, frozenset(repair.members))
    if repair.kind == 'resize':
        return _resized(problem, repair)
    rules = []
    for rule in problem.rules:
        if rule.name == repair.subject:
            rule = _changed(rule, repair)
        rules.append(rule)
    return dataclasses.replace(problem, rules=tuple(rules))


def _changed(rule: model.Rule, repair: model.Repair) -> model.Rule:
    options = dict(rule.options)
    if repair.kind == 'relax':
        assert repair.option is not None
        options[repair.option] = repair.value
        return dataclasses.replace(rule, options=options)
    assert repair.kind == 'soften', repair
    if rule.policy == 'proximity':
        options.pop('at_least')
        return dataclasses.replace(rule, options=options)
    return dataclasses.replace(rule, weight=1)


def _without(problem: model.Problem, members: frozenset[str]) -> model.Problem:
    rules = []
    for rule in problem.rules:
        left = (
            tuple(m for m in unit if m not in members) for unit in rule.units
        )
        units = tuple(unit for unit in left if unit)
        if units:
            rules.append(dataclasses.replace(rule, units=units))
    demands = tuple(d for d in problem.demands if d.member not in members)
    return dataclasses.replace(problem, demands=demands, rules=tuple(rules))


def _resized(problem: model.Problem, repair: model.Repair) -> model.Problem:
    demands = tuple(
        dataclasses.replace(demand, resources=dict(repair.value))
        if demand.member in repair.members
        and isinstance(demand, model.ServerDemand)
        else demand
        for demand in problem.demands
    )
    return dataclasses.replace(problem, demands=demands)
