# SPDX-License-Identifier: Apache-2.0
"""The step between a document and a plan: ask, solve, check, or say why."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)

from heat_vcluster import exception, metrics
from heat_vcluster.placement import (
    base,
    checker,
    columns,
    constraints,
    departures,
    model,
    moves,
    placed,
    policies,
)
from heat_vcluster.placement import limits as provider
from heat_vcluster.placement import reach as reaches
from heat_vcluster.placement.policies import base as policy_base
from heat_vcluster.spec import model as spec_model

LOG = logging.getLogger(__name__)

# Is told of every problem posed: the answer to it, and the seed.
Record = Callable[[model.Problem, model.Answer, int], None]

# Of the deadline, what a search over a part of the cloud may take: a wider
# look may do better than a longer one.
PART = 0.15

YOURS = (
    "it is not the provider's limits that stand in the way: your rules and "
    'sizes cannot be met without them either'
)
PROVIDERS = (
    "the provider's limits stand in the way: without them your rules and "
    'sizes could be met'
)
NO_TIME = 'the search ran out of time; it is not known if there is one'
NO_WAY = (
    'no order of moves was found in which there is room for each and no rule '
    'is broken more than before'
)
# Seconds that making a first plan better may take: a create waits for it.
PATIENCE = 1.0


class Planner:
    """Makes plans by one solver, and lets none out unchecked.

    ``deadline``: seconds that one search may take; ``patience``: those of
    them that go into making a first plan better. ``kinds``: policies by
    name; without, those installed. ``record`` is told of every decision.
    ``named_scopes``: those whose domains tenants may name, as they know them.
    """

    def __init__(
        self,
        solver: base.Solver,
        *,
        deadline: float = 10.0,
        patience: float = PATIENCE,
        objective: str = 'balance',
        kinds: Mapping[str, policy_base.Policy] | None = None,
        record: Record | None = None,
        limits: provider.Limits | None = None,
        named_scopes: Collection[str] = (),
    ) -> None:
        self._solver = solver
        self._deadline = deadline
        self._patience = patience
        self._objective = objective
        self._kinds = kinds
        self._record = record
        self._limits = limits or provider.Limits()
        self._named_scopes = named_scopes

    @property
    def counts_usage(self) -> bool:
        """Whether ``used`` has to be told: a tenant's share is bounded."""
        return bool(self._limits.share)

    def check(self, spec: spec_model.GroupSpec) -> None:
        """Raise InvalidDocument if it has rules that the provider forbids.

        So are those with names of domains that are not for tenants: whether
        there is one of that name must not be told.
        """
        kinds = policies.load() if self._kinds is None else self._kinds
        faults = [
            *_forbidden(spec, self._limits, kinds),
            *_secret_domains(spec, self._named_scopes, kinds),
        ]
        if faults:
            raise exception.InvalidDocument(faults)

    def reach(
        self,
        spec: spec_model.GroupSpec,
        demands: Sequence[model.Demand],
        seed: str,
    ) -> reaches.Reach:
        """Say how much of a cloud has to be seen."""
        return reaches.of(
            _rules(spec, {member.name for member in spec.members}),
            policies.load() if self._kinds is None else self._kinds,
            seed=seed,
            measured=self._limits.scopes,
        )

    def problem(
        self,
        spec: spec_model.GroupSpec,
        demands: Iterable[model.Demand],
        snapshot: model.Snapshot,
        pinned: Mapping[str, str] | None = None,
    ) -> model.Problem:
        """Pose the problem; pure.

        ``demands`` has every server and volume of the document, but for
        those in ``pinned`` where nothing but the place is known. Raises
        InvalidDocument for a scope or a domain that this cloud does not
        have.
        """
        unknown = self.unknown(spec, snapshot)
        if unknown:
            raise exception.InvalidDocument(fault for _, fault in unknown)
        demands = tuple(demands)
        pinned = dict(pinned or {})
        placed = {demand.member for demand in demands} | pinned.keys()
        return model.Problem(
            _completed(snapshot),
            demands,
            tuple(_rules(spec, placed)),
            pinned,
            self._objective,
        )

    def unknown(
        self, spec: spec_model.GroupSpec, snapshot: model.Snapshot
    ) -> tuple[Unknown, ...]:
        """Return the groups at levels, or of domains, that there are not.

        Each by its name, with what is to be said of it.
        """
        kinds = policies.load() if self._kinds is None else self._kinds
        return (
            *_unknown_scopes(spec, snapshot, kinds),
            *_unknown_domains(spec, snapshot, kinds),
        )

    def judge(
        self,
        spec: spec_model.GroupSpec,
        demands: Iterable[model.Demand],
        snapshot: model.Snapshot,
        places: Mapping[str, str],
    ) -> tuple[tuple[model.Breach, ...], model.Plan]:
        """Say which rules do not hold where members are, and what it costs.

        ``places`` (member -> host or pool) are those of all members that
        have one, wherever that is. Raises as :meth:`problem` does.
        """
        problem = self.problem(spec, demands, snapshot, places)
        report = checker.judge(problem, places, self._kinds)
        return (
            checker.breaches(problem, places, self._kinds),
            model.Plan(
                dict(places),
                report.soft_cost,
                given_up=report.given_up,
                unsteered=report.unsteered,
            ),
        )

    def repair(
        self,
        spec: spec_model.GroupSpec,
        demands: Iterable[model.Demand],
        snapshot: model.Snapshot,
        pinned: Mapping[str, str],
        here: Mapping[str, str],
    ) -> moves.Relocation:
        """Find the fewest safe moves that have all strict rules hold.

        ``here`` (member -> host) are the servers that may be moved, each
        with a demand; ``pinned`` has the places of all others. The snapshot
        is that of now. Raises NoValidPlacement, and as :meth:`problem` does.
        """
        movable = [d for d in demands if d.member in here]
        problem = self.problem(spec, movable, snapshot, pinned)
        found = moves.relocate(
            problem, here, self._solver, self._kinds, self._deadline
        )
        if found.answer is not None:
            raise _refusal(found.answer)
        if found.moves is None:
            raise exception.NoValidPlacement([NO_WAY], proven=False)
        return found

    def secluded(
        self,
        spec: spec_model.GroupSpec,
        snapshot: model.Snapshot,
        places: Mapping[str, str],
    ) -> frozenset[str]:
        """Return the hosts on which rules want nobody else."""
        kinds = policies.load() if self._kinds is None else self._kinds
        problem = self.problem(spec, (), snapshot, places)
        whole = placed.Placed(problem, places)
        wanted = [
            (each.scope, domain)
            for rule in problem.rules
            for each in kinds[rule.policy].constraints(rule)
            if isinstance(each, constraints.Alone) and rule.weight != 0
            for domain in whole.domains(each.members, each.scope).values()
        ]
        if not wanted:
            return frozenset()
        domains = frozenset(wanted)
        scopes = {scope for scope, _ in wanted}
        return frozenset(
            host.name
            for host in problem.snapshot.hosts
            if any((scope, host.domain(scope)) in domains for scope in scopes)
        )

    def departures(
        self,
        spec: spec_model.GroupSpec,
        demands: Iterable[model.Demand],
        snapshot: model.Snapshot,
        pinned: Mapping[str, str],
        units: Sequence[departures.Unit],
        number: int,
    ) -> tuple[departures.Unit, ...]:
        """Say which of some units go, such that the rest obeys best.

        All that is in ``demands`` has its place in ``pinned``.
        """
        problem = self.problem(spec, demands, snapshot, pinned)
        return departures.choose(problem, units, number)

    def plan(
        self,
        spec: spec_model.GroupSpec,
        demands: Iterable[model.Demand],
        snapshot: model.Snapshot,
        pinned: Mapping[str, str] | None = None,
        *,
        used: provider.Used | None = None,
        choices: base.Choices | None = None,
        is_whole: bool = True,
        seed: int = 0,
    ) -> model.Plan:
        """Return a plan that obeys all hard rules and passed the check.

        ``used``: what the tenant has already on which host, for his share;
        ``choices``: the flavors that servers might have instead.
        Not ``is_whole``: the snapshot is a part of the cloud, and a refusal
        leads to a wider look. Raises NoValidPlacement, InvalidPlan, and as
        :meth:`problem` does.
        """
        problem = self.problem(spec, demands, snapshot, pinned)
        bounded = self._limits.apply(problem, used or {})
        if not is_whole:
            answer = self._glance(bounded, seed, self._patience)
            return self._checked(bounded, answer, seed)
        try:
            return self.answer(bounded, seed=seed, choices=choices)
        except exception.NoValidPlacement as refusal:
            if bounded is problem:
                raise
            raise self._attributed(refusal, problem, seed) from refusal

    def _attributed(
        self,
        refusal: exception.NoValidPlacement,
        unbounded: model.Problem,
        seed: int,
    ) -> exception.NoValidPlacement:
        """Return the refusal with a word on whose limits are in the way."""
        answer = self._glance(unbounded, seed, 0.0)
        if answer.verdict is model.Verdict.FEASIBLE:
            return refusal.because(PROVIDERS)
        if answer.verdict is model.Verdict.INFEASIBLE:
            return refusal.because(YOURS)
        return refusal

    def _glance(
        self, problem: model.Problem, seed: int, patience: float
    ) -> model.Answer:
        """Solve without much ado: nobody will read why there is no plan."""
        with metrics.PHASES.labels('solve').time():
            return self._solver.solve(
                problem,
                deadline=PART * self._deadline,
                seed=seed,
                patience=patience,
                explain=False,
            )

    def answer(
        self,
        problem: model.Problem,
        *,
        seed: int = 0,
        choices: base.Choices | None = None,
    ) -> model.Plan:
        """Solve a problem already posed; raises as :meth:`plan` does."""
        with metrics.PHASES.labels('solve').time():
            answer = self._solver.solve(
                problem,
                deadline=self._deadline,
                seed=seed,
                patience=self._patience,
                choices=choices,
            )
        return self._checked(problem, answer, seed)

    def _checked(
        self, problem: model.Problem, answer: model.Answer, seed: int
    ) -> model.Plan:
        metrics.DECISIONS.labels(answer.verdict.value).inc()
        if self._record is not None:
            self._record(problem, answer, seed)
        if answer.plan is None:
            raise _refusal(answer)
        report = checker.check(problem, answer.plan, self._kinds, answer.bound)
        if report.violations:
            LOG.error('Unusable plan: %s', '; '.join(report.violations))
            raise exception.InvalidPlan(report.violations)
        # The check knows as well where a rule is given up.
        return dataclasses.replace(answer.plan, given_up=report.given_up)


def _refusal(answer: model.Answer) -> exception.NoValidPlacement:
    proven = answer.verdict is model.Verdict.INFEASIBLE
    for reason in answer.operator_reasons:
        LOG.info('No placement: %s', reason)
    return exception.NoValidPlacement(
        answer.reasons if proven else (_out_of_time(answer.tried),),
        rules=answer.rules,
        proven=proven,
        operator_reasons=answer.operator_reasons,
        repairs=(repair.text for repair in answer.repairs),
    )


def _out_of_time(tried: Sequence[str]) -> str:
    return f'{NO_TIME} (tried: {", ".join(tried)})' if tried else NO_TIME


Kinds = Mapping[str, policy_base.Policy]
# The name of a group, and what is wrong with it.
Unknown = tuple[str, exception.Fault]


def _forbidden(
    spec: spec_model.GroupSpec, limits: provider.Limits, kinds: Kinds
) -> Iterator[exception.Fault]:
    """Find the rules that tenants may not use.

    A policy without a scope is asked for by those it names, such as the
    floor of a proximity, which is strict.
    """
    for group in spec.groups:
        kind = kinds[group.policy]
        asked = {
            key: scope
            for key in kind.scope_keys
            if (scope := group.options.get(key)) is not None
        }
        rules = [(key, scope, True) for key, scope in asked.items()]
        if kind.has_scope:
            rules.append(('scope', group.scope, group.is_hard))
        elif not rules:
            rules.append(('policy', '', False))
        for key, scope, is_strict in rules:
            if limits.bans_rule(group.policy, scope, is_strict=is_strict):
                strict = 'a strict ' if is_strict else ''
                yield exception.Fault(
                    group.place(key),
                    f'{group.title}: {strict}{group.policy}'
                    f'{f" at {scope}" if scope else ""} is not allowed in '
                    "this cloud: that is the provider's rule",
                )


def _secret_domains(
    spec: spec_model.GroupSpec, named_scopes: Collection[str], kinds: Kinds
) -> Iterator[exception.Fault]:
    """Find where domains are named that tenants do not know by name."""
    for group in spec.groups:
        if group.scope in named_scopes:
            continue
        for key in kinds[group.policy].domain_keys:
            if group.options.get(key):
                where = ' or '.join(named_scopes) or 'no level of this cloud'
                yield exception.Fault(
                    group.place(key),
                    f'{group.title}: domains can be named at {where} only; '
                    f'the names of each {group.scope} are not for tenants',
                )


def _unknown_scopes(
    spec: spec_model.GroupSpec, snapshot: model.Snapshot, kinds: Kinds
) -> Iterator[Unknown]:
    for group in spec.groups:
        kind = kinds[group.policy]
        asked = {key: group.options.get(key) for key in kind.scope_keys}
        if kind.has_scope:
            asked['scope'] = group.scope
        for key, scope in asked.items():
            if scope is not None and scope not in snapshot.scopes:
                fault = exception.Fault(
                    group.place(key),
                    f'{group.title}: this cloud has no level '
                    f"'{scope}', only {', '.join(snapshot.scopes)}",
                )
                yield group.name, fault


def _unknown_domains(
    spec: spec_model.GroupSpec, snapshot: model.Snapshot, kinds: Kinds
) -> Iterator[Unknown]:
    """Find the names of domains that there are not; others are not told."""
    for group in spec.groups:
        for key in kinds[group.policy].domain_keys:
            named = group.options.get(key) or ()
            if named and group.scope in snapshot.scopes:
                known = _domains(snapshot, group.scope)
                for place, name in enumerate(named):
                    if name not in known:
                        fault = exception.Fault(
                            f'{group.place(key)}[{place}]',
                            f'{group.title}: there is no '
                            f"{group.scope} '{name}'",
                        )
                        yield group.name, fault


def _domains(snapshot: model.Snapshot, scope: str) -> frozenset[str]:
    table = columns.of(snapshot.hosts, snapshot.levels)
    names: Iterable[str] = table.names
    if scope != model.HOST:
        # A level of which nothing is known may be missing.
        names, _ = table.domains.get(scope, ((), None))
    pools = (pool.domain(scope) for pool in snapshot.pools)
    return frozenset((*names, *(name for name in pools if name is not None)))


def _rules(
    spec: spec_model.GroupSpec, placed: Iterable[str]
) -> Iterator[model.Rule]:
    """Give the groups as rules over the members that have a place.

    A network has none, and no rule holds for it.
    """
    placed = frozenset(placed)
    for group in spec.groups:
        units = tuple(
            tuple(member for member in unit if member in placed)
            for unit in group.units
        )
        units = tuple(unit for unit in units if unit)
        if units:
            yield model.Rule(
                group.name,
                group.policy,
                group.scope,
                units,
                group.weight,
                group.options,
            )


def _completed(snapshot: model.Snapshot) -> model.Snapshot:
    """Let each pool that is local to a host have the domains of its host."""
    local = {pool.host for pool in snapshot.pools if pool.host is not None}
    if not local:
        return snapshot
    table = columns.of(snapshot.hosts, snapshot.levels)
    domains = {
        name: table[number].domains
        for number, name in enumerate(table.names)
        if name in local
    }
    pools = tuple(
        dataclasses.replace(
            pool, domains={**domains[pool.host], **pool.domains}
        )
        if pool.host in domains
        else pool
        for pool in snapshot.pools
    )
    return dataclasses.replace(snapshot, pools=pools)
