# SPDX-License-Identifier: Apache-2.0
"""Says in a few lines what came of a search, for the operator."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from heat_vcluster.placement import checker, model

WIDTH = 79
LABEL = 12  # columns
SHOWN = 10  # places and domains told; a plan's document has all


def lines(
    problem: model.Problem,
    answer: model.Answer,
    report: checker.Report | None,
    seconds: float,
    is_explained: bool,
) -> Iterator[str]:
    """Give the lines; ``is_explained``: reasons were asked for."""
    took = f'in {seconds:.2g} s' if seconds < 10 else f'in {seconds:.0f} s'
    if answer.plan is not None and report is not None:
        yield f'feasible: {size(problem)}, {took}'
        yield from _quality(problem, answer, answer.plan, report)
        yield from _given_up(problem, report)
        yield from _unsteered(report)
        yield from _places(answer.plan)
    elif answer.verdict is model.Verdict.INFEASIBLE:
        yield f'infeasible: {size(problem)}; proven {took}'
        yield from _why(answer)
        yield from _instead(answer)
        if not is_explained:
            yield from _row('why', ['ask with --explain'])
    else:
        yield f'unknown: {size(problem)}; neither plan nor proof {took}'
        yield from _row('tried', answer.tried)
        yield from _bound(answer)
        yield from _row('next', ['a longer --deadline, or another --seed'])


def size(problem: model.Problem) -> str:
    """Return what is to be placed where, e.g. in progress lines."""
    snapshot = problem.snapshot
    pools = f' and {_count(len(snapshot.pools), "pool")}'
    return (
        f'{_count(len(problem.demands), "member")} on '
        f'{_count(len(snapshot.hosts), "host")}'
        f'{pools if snapshot.pools else ""}'
    )


def _count(number: int, noun: str) -> str:
    return f'{number:,} {noun}{"" if number == 1 else "s"}'


def _quality(
    problem: model.Problem,
    answer: model.Answer,
    plan: model.Plan,
    report: checker.Report,
) -> Iterator[str]:
    bound = answer.bound or model.Bound()
    yield from _row(
        'soft cost',
        [f'{plan.soft_cost} ({_grade(plan.soft_cost, bound.soft_cost)})'],
    )
    told = (
        f'{_count(report.objective, "host")} in use'
        if problem.objective == 'pack'
        else f'the fullest host at {report.objective / 10:g} %'
    )
    # A bound of the objective holds for plans of one soft cost only.
    is_bound = bound.soft_cost == plan.soft_cost
    grade = _grade(report.objective, bound.objective if is_bound else None)
    yield from _row(problem.objective, [f'{told} ({grade})'])


def _grade(value: int, least: int | None) -> str:
    """Return how far from the best possible a value is, as proven."""
    if least is not None and value <= least:
        return 'optimal'
    if not least:
        return 'no bound known'
    beyond = -(-100 * (value - least) // least)
    return f'within {beyond} % of the bound {least}'


def _given_up(problem: model.Problem, report: checker.Report) -> Iterator[str]:
    rules = {rule.name: rule for rule in problem.rules}
    told = []
    for violation in sorted(report.given_up, key=lambda v: -v.cost):
        rule = rules[violation.rule]
        where = [domain for _, domain in violation.where]
        # Of proximity the amount is how far apart the members are.
        how = 'distance' if rule.policy == 'proximity' else 'broken by'
        told.append(
            f'{rule.name} ({_kind(rule)}): {how} {violation.amount}, '
            f'cost {violation.cost}'
            + (f'; at {_some(where)}' if where else '')
        )
    yield from _row('given up', told)


def _kind(rule: model.Rule) -> str:
    if rule.policy == 'proximity':
        return rule.policy
    return f'{rule.policy} at {rule.scope}'


def _unsteered(report: checker.Report) -> Iterator[str]:
    members: dict[str, list[str]] = {}
    for rule, member in report.unsteered:
        members.setdefault(rule, []).append(member)
    yield from _row(
        'not steered',
        [
            f'{rule}: {_some(names)} (no domain of the pool is known there)'
            for rule, names in members.items()
        ],
    )


def _places(plan: model.Plan) -> Iterator[str]:
    told = [f'{member} -> {place}' for member, place in plan.placement.items()]
    rest = len(told) - SHOWN
    told[SHOWN:] = [f'and {rest:,} more, see --output'] if rest > 0 else []
    yield from _row('places', told)


def _why(answer: model.Answer) -> Iterator[str]:
    yield from _row('tenant', answer.reasons)
    yield from _row('operator', answer.operator_reasons)
    if answer.rules:
        note = '' if answer.is_minimal else ' (perhaps not all are needed)'
        yield from _row('rules', [f'{", ".join(answer.rules)}{note}'])


def _instead(answer: model.Answer) -> Iterator[str]:
    yield from _row(
        'instead',
        [
            f'{number}. {repair.text}'
            + (f' (soft cost {repair.soft_cost})' if repair.soft_cost else '')
            for number, repair in enumerate(answer.repairs, 1)
        ],
    )


def _bound(answer: model.Answer) -> Iterator[str]:
    if answer.bound is not None and answer.bound.soft_cost:
        yield from _row(
            'soft cost', [f'{answer.bound.soft_cost} at the least']
        )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    rest = len(names) - SHOWN
    told = ', '.join(names[:SHOWN])
    return f'{told} and {rest:,} more' if rest > 0 else told


def _row(label: str, told: Iterable[str]) -> Iterator[str]:
    """Give what is told beside its label, wrapped; nothing of nothing."""
    for one in told:
        wrapped = textwrap.wrap(
            one,
            WIDTH - LABEL - 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in wrapped or ['']:
            yield f'  {label:<{LABEL}}{_visible(line)}'
            label = ''


def _visible(line: str) -> str:
    """Return it with escapes for what would act on a terminal."""
    return ''.join(
        letter
        if letter.isprintable()
        else letter.encode('unicode_escape').decode()
        for letter in line
    )
