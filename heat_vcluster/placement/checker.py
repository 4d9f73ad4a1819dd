# SPDX-License-Identifier: Apache-2.0
"""The meaning of a plan: whether it obeys a problem, and what it gives up.

Knows nothing of how plans are found and shares no code with the search, so
that a defect there cannot hide here.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping

from heat_vcluster.placement import model, placed, policies
from heat_vcluster.placement.policies import base


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What the check found; ``violations`` empty: the plan may be used.

    ``violations`` name hosts and amounts: for logs, not for tenants.
    ``objective`` is what the operator's wish comes to, see ``model.Plan``.
    """

    violations: tuple[str, ...]
    soft_cost: int
    objective: int
    given_up: tuple[model.Violation, ...]
    unsteered: tuple[tuple[str, str], ...]


def check(
    problem: model.Problem,
    plan: model.Plan,
    kinds: Mapping[str, base.Policy] | None = None,
    bound: model.Bound | None = None,
) -> Report:
    """Check a plan, and what it says of itself, against its problem.

    ``kinds`` are the policies by name; without, those installed. A
    ``bound`` that the plan itself refutes is a violation too.
    """
    report = judge(problem, plan.placement, kinds)
    violations = list(report.violations)
    violations.extend(_false_claims(plan, report))
    if not report.violations and bound is not None:
        violations.extend(_refuted(bound, report))
    return dataclasses.replace(report, violations=tuple(violations))


def _false_claims(plan: model.Plan, report: Report) -> Iterator[str]:
    if plan.soft_cost != report.soft_cost:
        yield (
            f'the plan claims soft cost {plan.soft_cost}, '
            f'it is {report.soft_cost}'
        )
    if plan.objective is not None and plan.objective != report.objective:
        yield (
            f'the plan claims objective {plan.objective}, '
            f'it is {report.objective}'
        )
    if set(plan.given_up) != set(report.given_up):
        yield 'the plan does not tell which rules it gives up'
    if set(plan.unsteered) != set(report.unsteered):
        yield 'the plan does not tell what it could not steer'


def _refuted(bound: model.Bound, report: Report) -> Iterator[str]:
    if report.soft_cost < bound.soft_cost:
        yield (
            f'the bound says soft cost {bound.soft_cost} at the least, '
            f'the plan has {report.soft_cost}'
        )
    elif (
        report.soft_cost == bound.soft_cost
        and bound.objective is not None
        and report.objective < bound.objective
    ):
        yield (
            f'the bound says objective {bound.objective} at the least, '
            f'the plan has {report.objective}'
        )


def judge(
    problem: model.Problem,
    placement: Mapping[str, str],
    kinds: Mapping[str, base.Policy] | None = None,
) -> Report:
    """Say what a placement (member -> host or pool) comes to."""
    kinds = policies.load() if kinds is None else kinds
    whole = placed.Placed(problem, placement)
    verdicts = [
        _Verdict(rule, kinds[rule.policy], whole) for rule in problem.rules
    ]
    given_up = tuple(found for each in verdicts for found in each.given_up())
    return Report(
        (
            *_missing_or_unknown(whole),
            *_not_eligible(whole),
            *_moved(whole),
            *_overfull_hosts(whole),
            *_overfull_pools(whole),
            *_overspent(whole),
            *(fault for each in verdicts for fault in each.broken()),
        ),
        sum(violation.cost for violation in given_up),
        _objective(whole),
        given_up,
        tuple(pair for each in verdicts for pair in each.unsteered()),
    )


def breaches(
    problem: model.Problem,
    placement: Mapping[str, str],
    kinds: Mapping[str, base.Policy] | None = None,
) -> tuple[model.Breach, ...]:
    """Say which rules a placement breaks that must hold."""
    kinds = policies.load() if kinds is None else kinds
    whole = placed.Placed(problem, placement)
    found = []
    for rule in problem.rules:
        policy = kinds[rule.policy]
        amount = policy.broken(rule, whole)
        if amount:
            where = policy.where(rule, whole)
            found.append(
                model.Breach(
                    rule.name, amount, where, _inside(rule, where, whole)
                )
            )
    return tuple(found)


def _inside(
    rule: model.Rule,
    where: tuple[tuple[str, str], ...],
    whole: placed.Placed,
) -> tuple[str, ...]:
    there = {
        member
        for scope, domain in where
        for member, its in whole.domains(rule.members, scope).items()
        if its == domain
    }
    return tuple(
        member
        for member in rule.members
        if member in (there if where else whole.placement)
    )


def _missing_or_unknown(whole: placed.Placed) -> Iterator[str]:
    expected = set(whole.problem.pinned)
    for demand in whole.problem.demands:
        if isinstance(demand, model.ServerDemand) or whole.pools:
            expected.add(demand.member)
    for member in sorted(expected - set(whole.placement)):
        yield f'{member} has no place'
    for member in sorted(set(whole.placement) - expected):
        yield f'{member} was not asked for'


def _not_eligible(whole: placed.Placed) -> Iterator[str]:
    for demand, place in whole.fresh():
        is_server = isinstance(demand, model.ServerDemand)
        if place not in (whole.hosts if is_server else whole.pools):
            yield f'{demand.member} is at {place}, which does not exist'
            continue
        if demand.candidates is not None and place not in demand.candidates:
            yield f'{demand.member} may not be at {place}'
        if demand.within is not None:
            yield from _outside(whole, demand.member, demand.within)
        if isinstance(demand, model.ServerDemand):
            yield from _unfit_traits(whole, demand, place)
        elif not placed.offers(whole.pools[place], demand.type):
            yield (
                f'{demand.member} needs type {demand.type}, '
                f'which {place} does not offer'
            )


def _outside(
    whole: placed.Placed, member: str, within: tuple[str, str]
) -> Iterator[str]:
    scope, wanted = within
    domain = whole.domains([member], scope).get(member)
    if domain != wanted:
        where = 'no known one' if domain is None else domain
        yield f'{member} must be within {scope} {wanted} and is in {where}'


def _unfit_traits(
    whole: placed.Placed, demand: model.ServerDemand, place: str
) -> Iterator[str]:
    table = whole.columns
    traits = table.traitsets[int(table.traitset[whole.hosts[place]])]
    for trait in sorted(demand.require - traits):
        yield f'{demand.member} needs {trait}, which {place} lacks'
    for trait in sorted(demand.forbid & traits):
        yield f'{demand.member} must not have {trait}, which {place} has'


def _moved(whole: placed.Placed) -> Iterator[str]:
    for member, place in whole.problem.pinned.items():
        if whole.placement.get(member, place) != place:
            yield f'{member} is pinned to {place} and was moved'


def _taken(whole: placed.Placed) -> collections.Counter[tuple[str, str]]:
    """Return what the members that take room take, by host and resource."""
    taken: collections.Counter[tuple[str, str]] = collections.Counter()
    for demand, place in whole.fresh():
        if isinstance(demand, model.ServerDemand):
            for resource, amount in demand.resources.items():
                taken[place, resource] += amount
    return taken


def _overfull_hosts(whole: placed.Placed) -> Iterator[str]:
    for (place, resource), amount in sorted(_taken(whole).items()):
        free = whole.free(place, resource)
        if amount > max(free, 0):
            yield f'{place} has {free} {resource} free, {amount} taken'


def _overfull_pools(whole: placed.Placed) -> Iterator[str]:
    taken: collections.Counter[str] = collections.Counter()
    for demand, place in whole.fresh():
        if isinstance(demand, model.VolumeDemand):
            taken[place] += demand.size_gb
    for place, amount in sorted(taken.items()):
        pool = whole.pools.get(place)
        free = pool.free_gb if pool else 0
        if free is not None and amount > max(free, 0):
            yield f'{place} has {free} GiB free, {amount} taken'


def _overspent(whole: placed.Placed) -> Iterator[str]:
    """Hold the servers against what the provider leaves of each domain."""
    for budget in whole.problem.budgets:
        taken: collections.Counter[tuple[str, str]] = collections.Counter()
        for demand, _ in whole.fresh():
            known = whole.domains([demand.member], budget.scope)
            if known and isinstance(demand, model.ServerDemand):
                for resource, amount in demand.resources.items():
                    taken[known[demand.member], resource] += amount
        for (domain, resource), amount in sorted(taken.items()):
            room = budget.room.get(domain, {}).get(resource)
            if room is not None and amount > room:
                yield (
                    f'{budget.name}: {budget.scope} {domain} has {room} '
                    f'{resource} left to this request, {amount} taken'
                )


def _objective(whole: placed.Placed) -> int:
    """Return the hosts used (pack), or the highest fill in per mille."""
    used = {
        place
        for member, place in whole.placement.items()
        if place in whole.hosts and not whole.is_volume(member)
    }
    if whole.problem.objective == 'pack':
        return len(used)
    taken = _taken(whole)
    fills = (
        _fill(whole, place, resource, taken[place, resource])
        for place in used
        for resource in whole.columns.total
    )
    return max((0, *fills))


def _fill(whole: placed.Placed, place: str, resource: str, amount: int) -> int:
    """Return ceil(1000 x (total - free + placed) / total); 0 without any."""
    total = int(whole.columns.total[resource][whole.hosts[place]])
    if total <= 0:
        return 0
    taken = total - whole.free(place, resource) + amount
    return -(-1000 * taken // total)


class _Verdict:
    """What one rule says of a placement."""

    def __init__(
        self, rule: model.Rule, policy: base.Policy, whole: placed.Placed
    ) -> None:
        self._rule = rule
        self._policy = policy
        self._whole = whole
        self._scopes = policy.asked_at(rule, whole.scopes)

    def broken(self) -> Iterator[str]:
        rule = self._rule
        yield from self._lost()
        amount = self._policy.broken(rule, self._whole)
        if amount:
            where = self._policy.where(rule, self._whole)
            said = ', '.join(f'{scope} {domain}' for scope, domain in where)
            yield (
                f'{rule.policy} {rule.name} is broken by {amount}'
                + (f': {said}' if said else '')
            )

    def _lost(self) -> Iterator[str]:
        """Give the servers at places that the rule cannot judge."""
        whole, pinned = self._whole, self._whole.problem.pinned
        for scope in self._scopes:
            known = whole.domains(self._rule.members, scope)
            for member in self._rule.members:
                if (
                    member in whole.placement
                    and member not in known
                    and member not in pinned
                    and not whole.is_volume(member)
                ):
                    yield (
                        f'{member} is at {whole.placement[member]}, whose '
                        f'{scope} is not known, and {self._rule.name} '
                        'needs it'
                    )

    def given_up(self) -> Iterator[model.Violation]:
        rule = self._rule
        if not rule.weight:
            return
        amount = self._policy.violation(rule, self._whole)
        if amount:
            yield model.Violation(
                rule.name,
                amount,
                amount * rule.weight,
                self._policy.where(rule, self._whole),
            )

    def unsteered(self) -> Iterator[tuple[str, str]]:
        """Give the (rule, member) pairs where the rule does not count it."""
        if self._scopes:
            for member in self._policy.uncounted(self._rule, self._whole):
                yield self._rule.name, member
