# SPDX-License-Identifier: Apache-2.0
"""What would fit instead: the smallest changes to a request, each proven.

Only what is in the conflict is changed, and a change counts only if a plan
was found for the request with it, as the cloud is now.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.placement import base, model
from heat_vcluster.placement.explanation.conflicts import Conflict
from heat_vcluster.placement.explanation.skeleton import Skeleton, View
from heat_vcluster.placement.numbers.compiled import FIT
from heat_vcluster.placement.policies import base as policies

# Solves a changed problem within so many seconds; None: not known.
Attempt = Callable[[model.Problem, float], model.Answer | None]
# Finds the conflict of a changed problem that has no plan; None: not found.
Explain = Callable[[model.Problem, float], Conflict | None]

SOFTENED = 1  # the weight of a rule made soft
KINDS = ('relax', 'soften', 'fewer', 'resize', 'several')
BLOCKS = 8  # kinds of rules, and of members, that are looked at
STEPS = 4  # changes that are made together where none is enough
FLAVORS = 4  # flavors that are tried for members alike


@dataclasses.dataclass(frozen=True, slots=True)
class Proposals:
    """Repairs, the least change first, and what there was no time to try."""

    repairs: tuple[model.Repair, ...]
    untried: tuple[str, ...]


def propose(
    problem: model.Problem,
    kinds: Mapping[str, policies.Policy],
    conflict: Conflict,
    attempt: Attempt,
    deadline: float,
    choices: base.Choices | None = None,
    explain: Explain | None = None,
) -> Proposals:
    """Return changes to the rules and sizes in conflict that make it fit.

    ``deadline`` is a moment of ``time.monotonic``, shared by all. Where no
    single change will do, as there is more than one conflict, ``explain`` is
    asked for the others and one change is made for each.
    """
    skeleton = Skeleton(problem, kinds)
    changes = list(_changes(skeleton, conflict, choices or {}))
    found: list[tuple[tuple[Any, ...], model.Repair]] = []
    untried = []
    for number, change in enumerate(changes):
        left = deadline - time.monotonic()
        if left <= 0:
            untried.append(change.title)
            continue
        share = left / (len(changes) - number)
        fitting = _Trial(attempt, time.monotonic() + 2 * share).least(change)
        if fitting is not None:
            found.append((_rank(*fitting), fitting[1]))
    if not found and explain is not None:
        together = _Together(problem, kinds, attempt, explain, deadline)
        found.extend(together.of(conflict))
    found.sort(key=lambda pair: pair[0])
    return Proposals(tuple(repair for _, repair in found), tuple(untried))


def _rank(amount: int, repair: model.Repair) -> tuple[Any, ...]:
    kind = KINDS.index(repair.kind)
    return amount, repair.soft_cost, kind, repair.subject


# -- finding the least that fits ----------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Something that can be changed by more or less.

    ``at(n)`` is the n-th size of the change, 1 to ``sizes``: the changed
    problem, what it says, and how much that is. What is more is no harder
    to fit, if ``grows``; if not, the sizes are tried in turn.
    """

    title: str
    sizes: int
    at: Callable[[int], tuple[model.Problem, model.Repair, int]]
    grows: bool = True


class _Trial:
    """Looks for the least of one change that fits."""

    def __init__(self, attempt: Attempt, ends: float) -> None:
        self._attempt = attempt
        self._ends = ends

    def least(self, change: Change) -> tuple[int, model.Repair] | None:
        """Return how much it is, and the repair; None: none was found."""
        if not change.grows:
            tries = (self._fits(change, n + 1) for n in range(change.sizes))
            return next(filter(None, tries), None)
        low, high, best = 0, 1, None
        while best is None:
            best = self._fits(change, high)
            if best is None:
                if high == change.sizes:
                    return None
                low, high = high, min(2 * high, change.sizes)
        while high - low > 1:
            middle = (low + high) // 2
            found = self._fits(change, middle)
            if found is None:
                low = middle
            else:
                high, best = middle, found
        return best

    def _fits(
        self, change: Change, size: int
    ) -> tuple[int, model.Repair] | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            return None
        problem, repair, amount = change.at(size)
        answer = self._attempt(problem, left)
        if answer is None or answer.plan is None:
            return None
        cost = answer.plan.soft_cost
        return amount, dataclasses.replace(repair, soft_cost=cost)


class _Together:
    """Changes that are enough only together: one for each conflict."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policies.Policy],
        attempt: Attempt,
        explain: Explain,
        ends: float,
    ) -> None:
        self._problem = problem
        self._kinds = kinds
        self._attempt = attempt
        self._explain = explain
        self._ends = ends

    def of(
        self, conflict: Conflict
    ) -> Iterator[tuple[tuple[Any, ...], model.Repair]]:
        """Give what was found: by softer rules, and by fewer members."""
        seen = set()
        for kind in ('soften', 'fewer'):
            steps, cost = self._steps(conflict, kind)
            if steps and tuple(steps) not in seen:
                seen.add(tuple(steps))
                text = ', and '.join(step.text for step in steps)
                repair = dataclasses.replace(
                    _several(steps, text), soft_cost=cost
                )
                yield _rank(len(steps), repair), repair

    def _steps(
        self, conflict: Conflict | None, kind: str
    ) -> tuple[list[model.Repair], int]:
        problem = self._problem
        steps: list[model.Repair] = []
        while conflict is not None and len(steps) < STEPS:
            skeleton = Skeleton(problem, self._kinds)
            sizes = [c.at(1) for c in _changes(skeleton, conflict, {})]
            if not sizes:
                break
            # The least of a limit may have to be widened again and again.
            order = (kind, 'soften', 'fewer', 'resize', 'relax')
            sizes.sort(key=lambda size: order.index(size[1].kind))
            problem, step, _ = sizes[0]
            steps.append(step)
            answer = self._attempt(problem, self._left() / 2)
            if answer is None:
                break
            if answer.plan is not None:
                return steps, answer.plan.soft_cost
            conflict = self._explain(problem, self._left() / 2)
        return [], 0

    def _left(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)


def _several(steps: Sequence[model.Repair], text: str) -> model.Repair:
    gone = tuple(m for step in steps for m in step.members)
    return model.Repair(
        'several', steps[0].subject, text, value=tuple(steps), members=gone
    )


# -- what can be changed ------------------------------------------------------


def _changes(
    skeleton: Skeleton, conflict: Conflict, choices: base.Choices
) -> Iterator[Change]:
    whole = skeleton.view(skeleton.everything)
    rules: list[list[str]] = []
    members: list[list[str]] = []
    for block in conflict.alike:
        if block[0] in skeleton.rules:
            rules.append(sorted(block))
        elif block[0].startswith(FIT):
            members.append([name.removeprefix(FIT) for name in block])
    for names in rules[:BLOCKS]:
        yield from _of_rules(skeleton, names)
    seen: set[str] = set()
    for names in members[:BLOCKS]:
        alike = _alike(whole, names)
        if seen.isdisjoint(alike):
            seen.update(alike)
            yield _fewer(skeleton, alike)
    for alike in _of_one_size(skeleton, members)[:BLOCKS]:
        yield from _resized(skeleton, alike, choices)


def _alike(whole: View, block: Sequence[str]) -> list[str]:
    """Return the members like these in all of the problem, in order."""
    colours, _ = whole.colours()
    wanted = {colours[member] for member in block}
    free = (m for m in whole.members if FIT + m in whole.core)
    return sorted(m for m in free if colours[m] in wanted)


def _of_one_size(
    skeleton: Skeleton, blocks: Iterable[Sequence[str]]
) -> list[list[str]]:
    """Return all members of each size that is in the conflict."""
    wanted = dict.fromkeys(skeleton.needs[block[0]] for block in blocks)
    pinned = skeleton.problem.pinned
    return [
        sorted(
            member
            for member, number in skeleton.needs.items()
            if number == needs and member not in pinned
        )
        for needs in wanted
    ]


def _of_rules(skeleton: Skeleton, names: Sequence[str]) -> Iterator[Change]:
    rule = skeleton.rules[names[0]]
    if len(names) == 1:
        yield from _relaxed(skeleton, rule)
    sizes = sorted({1, len(names)})

    def at(size: int) -> tuple[model.Problem, model.Repair, int]:
        chosen = names[: sizes[size - 1]]
        soft = [_soft(skeleton.rules[name]) for name in chosen]
        groups = ', '.join(f"'{name}'" for name in chosen[:3])
        if len(chosen) > 3:
            groups += f' and {len(chosen) - 3} more'
        if len(chosen) == 1:
            groups = rule.title
        elif any(skeleton.rules[name].is_group for name in chosen):
            groups = f'{rule.policy} groups {groups}'
        text = f'make {groups} soft'
        if rule.policy == 'proximity':
            text = f'drop the floor of {groups}'
        one = model.Repair('soften', names[0], text)
        each = [dataclasses.replace(one, subject=name) for name in chosen]
        repair = one if len(each) == 1 else _several(each, text)
        return _with_rules(skeleton.problem, soft), repair, len(chosen)

    yield Change(f'making {rule.title} soft', len(sizes), at)


def _soft(rule: model.Rule) -> model.Rule:
    if rule.weight is None:
        return dataclasses.replace(rule, weight=SOFTENED)
    # It was soft already, but for a floor.
    options = {k: v for k, v in rule.options.items() if k != 'at_least'}
    return dataclasses.replace(rule, options=options)


def _relaxed(skeleton: Skeleton, rule: model.Rule) -> Iterator[Change]:
    """Give the limits of a rule that could be wider."""
    options, most = rule.options, len(rule.members)
    for option in ('max_per_domain', 'max_skew'):
        value = options.get(option)
        if value is not None and value < most:
            values = list(range(value + 1, most + 1))
            yield _limit(skeleton, rule, option, values)
    for option in ('min_domains', 'keep', 'lose'):
        least = options.get(option)
        if least is not None and least > 1:
            # More than there are members is the same as one for each.
            values = list(range(min(least - 1, most), 0, -1))
            yield _limit(skeleton, rule, option, values)
    floor = options.get('at_least')
    if floor is not None:
        scopes = (model.HOST, *reversed(skeleton.problem.snapshot.levels))
        wider = list(scopes[scopes.index(floor) + 1 :])
        if wider:
            yield _limit(skeleton, rule, 'at_least', wider)


def _limit(
    skeleton: Skeleton,
    rule: model.Rule,
    option: str,
    values: Sequence[Any],
) -> Change:
    before = rule.options[option]

    def at(size: int) -> tuple[model.Problem, model.Repair, int]:
        value = values[size - 1]
        changed = dataclasses.replace(
            rule, options={**rule.options, option: value}
        )
        text = f'let {option} of {rule.title} be {value} instead of {before}'
        repair = model.Repair('relax', rule.name, text, option, value)
        return _with_rules(skeleton.problem, [changed]), repair, size

    title = f'another {option} of {rule.title}'
    return Change(title, len(values), at)


def _with_rules(
    problem: model.Problem, changed: Iterable[model.Rule]
) -> model.Problem:
    by_name = {rule.name: rule for rule in changed}
    return dataclasses.replace(
        problem,
        rules=tuple(by_name.get(rule.name, rule) for rule in problem.rules),
    )


def _fewer(skeleton: Skeleton, alike: Sequence[str]) -> Change:
    """Leave out members, the last of those alike first."""

    def at(size: int) -> tuple[model.Problem, model.Repair, int]:
        gone = tuple(alike[len(alike) - size :])
        if len(alike) == 1:
            text = f'leave out {alike[0]}'
        else:
            text = (
                f'have {len(alike) - size} instead of {len(alike)} members '
                f'like {alike[0]}'
            )
        repair = model.Repair(
            'fewer', alike[0], text, value=size, members=gone
        )
        return _without(skeleton.problem, gone), repair, size

    return Change(f'fewer members like {alike[0]}', len(alike), at)


def _without(problem: model.Problem, gone: Iterable[str]) -> model.Problem:
    left_out = frozenset(gone)
    rules: list[model.Rule] = []
    for rule in problem.rules:
        if left_out.isdisjoint(rule.members):
            rules.append(rule)
            continue
        units = (
            tuple(member for member in unit if member not in left_out)
            for unit in rule.units
        )
        kept = tuple(unit for unit in units if unit)
        if kept:
            rules.append(dataclasses.replace(rule, units=kept))
    return dataclasses.replace(
        problem,
        demands=tuple(d for d in problem.demands if d.member not in left_out),
        rules=tuple(rules),
    )


def _resized(
    skeleton: Skeleton, alike: Sequence[str], choices: base.Choices
) -> Iterator[Change]:
    """Give members alike another flavor, the nearest to theirs first."""
    demand = skeleton.demands[alike[0]]
    if not isinstance(demand, model.ServerDemand):
        return
    offered = [
        (_shrinkage(demand.resources, resources), name, resources)
        for name, resources in _for_all(alike, choices)
        if _is_less(resources, demand.resources)
    ]
    offered.sort(key=lambda offer: offer[:2])
    offered = offered[:FLAVORS]
    if not offered:
        return

    def at(size: int) -> tuple[model.Problem, model.Repair, int]:
        _, name, resources = offered[size - 1]
        whose = alike[0]
        if len(alike) > 1:
            whose = f'{alike[0]} and the {len(alike) - 1} like it'
        repair = model.Repair(
            'resize',
            alike[0],
            f'give {whose} the flavor {name}',
            option='flavor',
            value=name,
            members=tuple(alike),
        )
        changed = _with_size(skeleton.problem, alike, resources)
        return changed, repair, len(alike)

    title = f'another flavor for {alike[0]}'
    yield Change(title, len(offered), at, grows=False)


def _for_all(
    alike: Sequence[str], choices: base.Choices
) -> list[tuple[str, Mapping[str, int]]]:
    """Return what every one of the members might have instead."""
    offers = [choices.get(member, ()) for member in alike]
    return [
        offer
        for offer in offers[0]
        if all(
            offer in other for other in offers[1:] if other is not offers[0]
        )
    ]


def _is_less(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return any(one.get(key, 0) < amount for key, amount in other.items())


def _shrinkage(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return how far one size is from another: a share for each resource."""
    keys = sorted({*before, *after})
    pairs = [(before.get(key, 0), after.get(key, 0)) for key in keys]
    return sum(abs(a - b) / max(a, b) for a, b in pairs if a or b)


def _with_size(
    problem: model.Problem,
    members: Iterable[str],
    resources: Mapping[str, int],
) -> model.Problem:
    chosen = frozenset(members)
    return dataclasses.replace(
        problem,
        demands=tuple(
            dataclasses.replace(demand, resources=resources)
            if isinstance(demand, model.ServerDemand)
            and demand.member in chosen
            else demand
            for demand in problem.demands
        ),
    )
