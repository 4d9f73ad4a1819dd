# SPDX-License-Identifier: Apache-2.0
"""Writes an answer as a vcluster-plan/1 document, and reads it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format.faults import Faults, join

FORMAT = 'vcluster-plan/1'
LIMIT = 'limit:'  # how the names of the provider's limits begin


def plan_of(
    problem: model.Problem,
    answer: model.Answer,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the answer as a document; ``meta`` goes into its own.

    A conflict is claimed only if it is minimal and the tenant's alone, as
    the format asks; rules that were found otherwise are told in ``meta``.
    """
    plan, bound = answer.plan, answer.bound
    if answer.verdict is model.Verdict.INFEASIBLE:
        bound = None  # nothing is left to bound
    return {
        'format': FORMAT,
        'status': str(answer.verdict),
        'placement': None if plan is None else dict(plan.placement),
        'soft_cost': None if plan is None else plan.soft_cost,
        'objective': None if plan is None else plan.objective,
        'bound': None if bound is None else dataclasses.asdict(bound),
        'conflict': _conflict(answer),
        'meta': {**_told(answer), **(meta or {})},
    }


def _conflict(answer: model.Answer) -> dict[str, Any] | None:
    if not _is_claimed(answer):
        return None
    why = answer.operator_reasons or answer.reasons
    return {'rules': list(answer.rules), 'why': '; '.join(why)}


def _is_claimed(answer: model.Answer) -> bool:
    """Tell whether there is a conflict that the format can say.

    It knows nothing of the provider's limits.
    """
    return (
        answer.verdict is model.Verdict.INFEASIBLE
        and answer.is_minimal
        and not any(rule.startswith(LIMIT) for rule in answer.rules)
    )


def _told(answer: model.Answer) -> dict[str, Any]:
    """Return what the answer says beyond the format, but nothing empty."""
    plan = answer.plan
    told = {
        'given_up': [
            dataclasses.asdict(violation)
            for violation in (plan.given_up if plan else ())
        ],
        'unsteered': [
            {'rule': rule, 'member': member}
            for rule, member in (plan.unsteered if plan else ())
        ],
        'rules': [] if _is_claimed(answer) else list(answer.rules),
        'reasons': list(answer.reasons),
        'operator_reasons': list(answer.operator_reasons),
        'repairs': [dataclasses.asdict(one) for one in answer.repairs],
        'tried': list(answer.tried),
        'seconds': dict(answer.seconds),
    }
    return {key: value for key, value in told.items() if value}


def plan_from(document: Any) -> model.Answer:
    """Return what a document claims; raises BadProblem if it is malformed.

    An amount that is not claimed reads as 0 or None.
    """
    faults = Faults()
    found = faults.keys(
        document,
        '',
        ('format', 'status'),
        ('placement', 'soft_cost', 'objective', 'bound', 'conflict', 'meta'),
    )
    if found is None:
        raise faults.error()
    if found['format'] != FORMAT:
        faults.add('format', f'not {FORMAT}')
    if found['status'] not in list(model.Verdict):
        faults.add('status', f'none of {", ".join(model.Verdict)}')
    soft_cost, objective = (
        faults.amount(found[key], key) if found.get(key) is not None else None
        for key in ('soft_cost', 'objective')
    )
    placement = _placement(found.get('placement'), faults)
    bound = _bound(found.get('bound'), faults)
    rules, why = _claim(found.get('conflict'), faults)
    faults.check()
    plan = None
    if found['status'] == model.Verdict.FEASIBLE:
        plan = model.Plan(placement, soft_cost or 0, objective)
    return model.Answer(
        model.Verdict(found['status']),
        plan,
        bound,
        rules,
        bool(rules),
        (),
        (why,) if why else (),
    )


def _placement(value: Any, faults: Faults) -> dict[str, str]:
    if value is None:
        return {}
    if type(value) is not dict:
        faults.add('placement', 'not an object')
        return {}
    return {
        member: faults.name(place, join('placement', member)) or ''
        for member, place in value.items()
    }


def _bound(value: Any, faults: Faults) -> model.Bound | None:
    if value is None:
        return None
    found = faults.keys(value, 'bound', ('soft_cost', 'objective'))
    if found is None:
        return None
    cost = faults.amount(found['soft_cost'], 'bound.soft_cost')
    objective = found['objective']
    if objective is not None:
        objective = faults.amount(objective, 'bound.objective')
    return model.Bound(cost or 0, objective)


def _claim(value: Any, faults: Faults) -> tuple[tuple[str, ...], str]:
    if value is None:
        return (), ''
    found = faults.keys(value, 'conflict', ('rules', 'why'))
    if found is None:
        return (), ''
    if type(found['why']) is not str:
        faults.add('conflict.why', 'not a text')
    rules = faults.names(found['rules'], 'conflict.rules')
    return rules or (), str(found['why'])
