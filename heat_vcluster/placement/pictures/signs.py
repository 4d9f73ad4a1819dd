# SPDX-License-Identifier: Apache-2.0
"""Which colour stands for which rule in a picture, and what it tells."""

from __future__ import annotations

import collections
import dataclasses

from heat_vcluster.placement import model

COLOURS = (
    '#0072b2',
    '#e69f00',
    '#009e73',
    '#cc79a7',
    '#56b4e9',
    '#8c564b',
    '#6a3d9a',
    '#b2a800',
    '#17becf',
    '#7f7f7f',
)
BROKEN = ('#d62728', '#ff7f0e', '#a50f15', '#e7298a')


@dataclasses.dataclass(frozen=True, slots=True)
class Sign:
    """The colour of a rule, or of many that are alike."""

    colour: str
    text: str
    rules: tuple[model.Rule, ...]
    # Where it is broken; None: it is not.
    broken: frozenset[tuple[str, str]] | None = None
    is_outlined: bool = True


def of(problem: model.Problem, answer: model.Answer) -> list[Sign]:
    """Give each rule a colour, or each kind of rule if they are many.

    Rules that are given up, or in conflict, have their own always.
    """
    plan = answer.plan
    given_up = {v.rule: v for v in (plan.given_up if plan else ())}
    clash = frozenset(answer.rules)
    asked = [rule for rule in problem.rules if _asks(rule)]
    loud = [r for r in asked if r.name in given_up or r.name in clash]
    calm = [r for r in asked if r.name not in given_up and r.name not in clash]
    signs = []
    for number, rule in enumerate(loud[: len(BROKEN)]):
        violation = given_up.get(rule.name)
        told = (
            'in conflict'
            if violation is None
            else f'{_how(rule)} {violation.amount:,}, cost {violation.cost:,}'
        )
        signs.append(
            Sign(
                BROKEN[number],
                f'{rule.name}: {_kind(rule)}, {told}',
                (rule,),
                frozenset(violation.where if violation else ()),
            )
        )
    if rest := loud[len(BROKEN) :]:
        signs.append(
            Sign(
                BROKEN[-1],
                f'and {len(rest):,} more rules given up or in conflict',
                tuple(rest),
                frozenset(),
                is_outlined=False,
            )
        )
    kept = 'kept' if plan else 'asked'
    if len(calm) <= len(COLOURS):
        signs += [
            Sign(
                COLOURS[number],
                f'{rule.name}: {_kind(rule)}, {kept}',
                (rule,),
                # Its scope is no domain that it is about.
                is_outlined=rule.policy != 'proximity',
            )
            for number, rule in enumerate(calm)
        ]
        return signs
    kinds: dict[str, list[model.Rule]] = collections.defaultdict(list)
    for rule in calm:
        kinds[_kind(rule)].append(rule)
    for number, (kind, rules) in enumerate(kinds.items()):
        signs.append(
            Sign(
                COLOURS[number % len(COLOURS)],
                f'{rules[0].name}: {kind}, {kept}'
                if len(rules) == 1
                else f'{kind}: {len(rules):,} rules, all {kept}',
                tuple(rules),
                is_outlined=False,
            )
        )
    return signs


def _how(rule: model.Rule) -> str:
    # Of proximity the amount is how far apart the members are.
    return 'distance' if rule.policy == 'proximity' else 'given up by'


def _asks(rule: model.Rule) -> bool:
    """Tell a rule from a mere set of members."""
    return rule.weight != 0 or rule.options.get('at_least') is not None


def _kind(rule: model.Rule) -> str:
    strength = 'hard' if rule.weight is None else 'soft'
    if rule.policy == 'proximity':
        floor = rule.options.get('at_least')
        return f'proximity{f" within one {floor}" if floor else ""}'
    return f'{strength} {rule.policy} at {rule.scope}'
