# SPDX-License-Identifier: Apache-2.0
"""The meaning of a plan: whether it obeys a problem, and what it gives up.

Knows nothing of how plans are found and shares no code with the search, so
that a defect there cannot hide here.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.policies import base


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What the check found; ``violations`` empty: the plan may be used.

    ``violations`` name hosts and amounts: for logs, not for tenants.
    """

    violations: tuple[str, ...]
    soft_cost: int
    given_up: tuple[model.Violation, ...]
    unsteered: tuple[tuple[str, str], ...]


def check(
    problem: model.Problem,
    plan: model.Plan,
    kinds: Mapping[str, base.Policy] | None = None,
) -> Report:
    """Check a plan, and what it says of itself, against its problem.

    ``kinds`` are the policies by name; without, those installed.
    """
    report = judge(problem, plan.placement, kinds)
    violations = list(report.violations)
    if plan.soft_cost != report.soft_cost:
        violations.append(
            f'the plan claims soft cost {plan.soft_cost}, '
            f'it is {report.soft_cost}'
        )
    if set(plan.given_up) != set(report.given_up):
        violations.append('the plan does not tell which rules it gives up')
    if set(plan.unsteered) != set(report.unsteered):
        violations.append('the plan does not tell what it could not steer')
    return dataclasses.replace(report, violations=tuple(violations))


def judge(
    problem: model.Problem,
    placement: Mapping[str, str],
    kinds: Mapping[str, base.Policy] | None = None,
) -> Report:
    """Say what a placement (member -> host or pool) comes to."""
    review = _Review(
        problem, placement, policies.load() if kinds is None else kinds
    )
    given_up = tuple(review.given_up())
    return Report(
        (
            *review.missing_or_unknown(),
            *review.not_eligible(),
            *review.moved(),
            *review.overfull_hosts(),
            *review.overfull_pools(),
            *review.broken_rules(),
        ),
        sum(violation.cost for violation in given_up),
        given_up,
        tuple(review.unsteered()),
    )


class _Review:
    """One placement beside its problem, ready to be asked."""

    def __init__(
        self,
        problem: model.Problem,
        placement: Mapping[str, str],
        kinds: Mapping[str, base.Policy],
    ) -> None:
        self._problem = problem
        self._placement = placement
        self._kinds = kinds
        self._hosts = {h.name: h for h in problem.snapshot.hosts}
        self._pools = {p.name: p for p in problem.snapshot.pools}
        # A rule of weight 0 is only a set: it asks nothing.
        self._rules = [r for r in problem.rules if r.weight != 0]
        self._demands = {d.member: d for d in problem.demands}

    def missing_or_unknown(self) -> Iterator[str]:
        expected = set(self._problem.pinned)
        for demand in self._problem.demands:
            if isinstance(demand, model.ServerDemand) or self._pools:
                expected.add(demand.member)
        for member in sorted(expected - set(self._placement)):
            yield f'{member} has no place'
        for member in sorted(set(self._placement) - expected):
            yield f'{member} was not asked for'

    def _fresh(self) -> Iterator[tuple[model.Demand, str]]:
        """Give the members that take room, each with its place."""
        for demand in self._problem.demands:
            place = self._placement.get(demand.member)
            if place is not None and demand.member not in self._problem.pinned:
                yield demand, place

    def not_eligible(self) -> Iterator[str]:
        for demand, place in self._fresh():
            if isinstance(demand, model.ServerDemand):
                exists = place in self._hosts
            else:
                exists = place in self._pools
            if not exists:
                yield f'{demand.member} is at {place}, which does not exist'
                continue
            if (
                demand.candidates is not None
                and place not in demand.candidates
            ):
                yield f'{demand.member} may not be at {place}'
            if isinstance(demand, model.VolumeDemand):
                offered = self._pools[place].types
                if (
                    demand.type is not None
                    and offered is not None
                    and demand.type not in offered
                ):
                    yield (
                        f'{demand.member} needs type {demand.type}, '
                        f'which {place} does not offer'
                    )

    def moved(self) -> Iterator[str]:
        for member, place in self._problem.pinned.items():
            if self._placement.get(member, place) != place:
                yield f'{member} is pinned to {place} and was moved'

    def overfull_hosts(self) -> Iterator[str]:
        taken: collections.Counter[tuple[str, str]] = collections.Counter()
        for demand, place in self._fresh():
            if isinstance(demand, model.ServerDemand):
                for resource, amount in demand.resources.items():
                    taken[place, resource] += amount
        for (place, resource), amount in sorted(taken.items()):
            host = self._hosts.get(place)
            free = host.free.get(resource, 0) if host else 0
            if amount > 0 and amount > free:
                yield f'{place} has {free} {resource} free, {amount} taken'

    def overfull_pools(self) -> Iterator[str]:
        taken: collections.Counter[str] = collections.Counter()
        for demand, place in self._fresh():
            if isinstance(demand, model.VolumeDemand):
                taken[place] += demand.size_gb
        for place, amount in sorted(taken.items()):
            pool = self._pools.get(place)
            free = pool.free_gb if pool else 0
            if free is not None and amount > 0 and amount > free:
                yield f'{place} has {free} GiB free, {amount} taken'

    def _is_volume(self, member: str) -> bool:
        if member in self._demands:
            return isinstance(self._demands[member], model.VolumeDemand)
        # A pinned member that nothing is known of but its place.
        return self._placement.get(member) in self._pools

    def _domain(self, member: str, scope: str) -> str | None:
        place = self._placement.get(member)
        if place is None:
            return None
        if self._is_volume(member):
            pool = self._pools.get(place)
            return pool.domain(scope) if pool else None
        if scope == model.HOST:
            return place
        host = self._hosts.get(place)
        return host.domain(scope) if host else None

    def _domains(self, rule: model.Rule) -> dict[str, str]:
        found = {m: self._domain(m, rule.scope) for m in rule.members}
        return {m: domain for m, domain in found.items() if domain is not None}

    def broken_rules(self) -> Iterator[str]:
        for rule in self._rules:
            domains = self._domains(rule)
            for member in rule.members:
                if (
                    member in self._placement
                    and member not in domains
                    and member not in self._problem.pinned
                    and not self._is_volume(member)
                ):
                    yield (
                        f'{member} is at {self._placement[member]}, '
                        f'whose {rule.scope} is not known, and {rule.name} '
                        'needs it'
                    )
            if rule.weight is None:
                amount = self._kinds[rule.policy].violation(rule, domains)
                if amount:
                    yield (
                        f'{rule.policy} {rule.name} at {rule.scope} is '
                        f'broken by {amount}: {domains}'
                    )

    def given_up(self) -> Iterator[model.Violation]:
        for rule in self._rules:
            if rule.weight is not None:
                amount = self._kinds[rule.policy].violation(
                    rule, self._domains(rule)
                )
                if amount:
                    yield model.Violation(
                        rule.name, amount, amount * rule.weight
                    )

    def unsteered(self) -> Iterator[tuple[str, str]]:
        """Give the (rule, member) pairs where the rule does not count it."""
        for rule in self._rules:
            domains = self._domains(rule)
            for member in rule.members:
                if member not in domains:
                    yield rule.name, member
