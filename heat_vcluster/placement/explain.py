# SPDX-License-Identifier: Apache-2.0
"""Why there is no placement: the rules that clash, said to people."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from heat_vcluster.placement import ground, model
from heat_vcluster.placement.policies import base

# So many members are named in a sentence; the others are only counted.
NAMED = 6

Conflicts = Callable[[Collection[str]], bool]


def refusal(
    problem: model.Problem,
    kinds: Mapping[str, base.Policy],
    conflicts: Conflicts,
    has_time: Callable[[], bool],
) -> model.Answer:
    """Explain a problem that is proven to have no placement.

    ``conflicts`` proves of a set of rule names that no placement obeys them
    all (False: not proven); it is asked as long as ``has_time``. The rules
    answered with are minimal if time sufficed.
    """
    core = _core(problem, conflicts, has_time)
    account = _Account(problem, kinds, core)
    return model.Answer(
        model.Verdict.INFEASIBLE,
        rules=core,
        reasons=tuple(account.for_tenant()),
        operator_reasons=tuple(account.for_operator()),
    )


def _core(
    problem: model.Problem,
    conflicts: Conflicts,
    has_time: Callable[[], bool],
) -> tuple[str, ...]:
    """Leave out rule after rule as long as the others still clash.

    Large blocks first; then, what is left, one by one.
    """
    everything = tuple(ground.rule_names(problem))
    core = everything
    for block in _blocks(problem, everything):
        without = tuple(name for name in core if name not in block)
        if len(without) == len(core):
            continue
        if not has_time():
            break
        if conflicts(without):
            core = without
    return core


def _blocks(
    problem: model.Problem, everything: Collection[str]
) -> Iterator[Collection[str]]:
    fits = [
        [ground.fit(member) for member in kind.members]
        for kind in ground.Ground(problem).kinds
    ]
    all_fits = {name for names in fits for name in names}
    rules = [name for name in everything if name not in all_fits]
    soft = {rule.name for rule in problem.rules if rule.weight is not None}
    yield all_fits
    yield rules
    yield soft
    for name in rules:
        yield [name]
    yield from fits
    for names in fits:
        for name in names:
            yield [name]


class _Account:
    """Words for one set of rules that clash."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, base.Policy],
        core: Collection[str],
    ) -> None:
        self._problem = problem
        self._kinds = kinds
        self._core = frozenset(core)
        self._ground = ground.Ground(problem, core)
        self._rules = [r for r in problem.rules if r.name in self._core]
        self._demands = {d.member: d for d in problem.demands}

    def for_tenant(self) -> Iterator[str]:
        """Say it without the name of a host or any amount of room."""
        stuck = list(self._stuck())
        if stuck:
            for kind in stuck:
                yield self._homeless(kind)
            return
        explained: set[str] = set()
        for rule in self._rules:
            needed = self._needed(rule)
            there = len(self._qualifying(rule))
            if needed > there:
                explained.update(rule.members)
                yield (
                    f"{rule.policy} group '{rule.name}' needs {needed} "
                    f'{rule.scope}s, {there} '
                    f'{"qualifies" if there == 1 else "qualify"}'
                )
            else:
                yield self._kinds[rule.policy].sentence(rule)
        short = [m for m in self._fits() if m not in explained]
        if short:
            yield (
                f'{_names(short)}: there is not room for '
                f'{"it" if len(short) == 1 else "all of them at once"}'
                + (' under these rules' if self._rules else '')
            )
        pinned = [m for rule in self._rules for m in self._pinned(rule)]
        if pinned:
            yield f'{_names(dict.fromkeys(pinned))}: kept in place'

    def for_operator(self) -> Iterator[str]:
        """Say it with names and amounts."""
        for rule in self._rules:
            there = self._qualifying(rule)
            yield (
                f'{rule.policy} {rule.name} over {len(rule.members)} '
                f'members: {self._needed(rule)} {rule.scope}s needed, '
                f'{len(there)} qualify: {_names(there)}'
            )
            lost = [
                place.name
                for place in self._ground.places
                if place.is_host and rule.scope not in place.domains
            ]
            if lost:
                yield (
                    f'{rule.name}: left out, as their {rule.scope} is not '
                    f'known: {_names(lost)}'
                )
        for member in self._fits():
            yield self._shortage(member)

    def _fits(self) -> list[str]:
        return [
            d.member
            for d in self._problem.demands
            if ground.fit(d.member) in self._core
        ]

    def _pinned(self, rule: model.Rule) -> list[str]:
        return [m for m in rule.members if m in self._problem.pinned]

    def _needed(self, rule: model.Rule) -> int:
        """Return how many domains the rule takes, for those that count."""
        units = (tuple(filter(self._counter(rule), u)) for u in rule.units)
        counting = dataclasses.replace(
            rule, units=tuple(unit for unit in units if unit)
        )
        return self._kinds[rule.policy].domains_needed(counting)

    def _counter(self, rule: model.Rule) -> Callable[[str], bool]:
        """Return whether a member has a domain wherever it goes."""

        def counts(member: str) -> bool:
            if member in self._ground.fixed:
                return rule.scope in self._ground.fixed[member].domains
            need = self._ground.needs.get(member)
            return need is not None and all(
                self._ground.domain(place, rule.scope) is not None
                for place in need.places
            )

        return counts

    def _qualifying(self, rule: model.Rule) -> list[str]:
        """Return the domains that could take some member of the rule."""
        found: dict[str, None] = {}
        for member in rule.members:
            need = self._ground.needs.get(member)
            for place in sorted(need.places) if need else ():
                domain = self._ground.domain(place, rule.scope)
                if domain is not None:
                    found[domain] = None
            fixed = self._ground.fixed.get(member)
            if fixed is not None and rule.scope in fixed.domains:
                found[fixed.domains[rule.scope]] = None
        return list(found)

    def _stuck(self) -> Iterator[ground.Kind]:
        """Give all members without a place, not only those of the core."""
        if self._ground.stuck():
            for kind in ground.Ground(self._problem).kinds:
                if not kind.need.places:
                    yield kind

    def _homeless(self, kind: ground.Kind) -> str:
        what = 'host' if kind.need.is_server else 'storage pool'
        plain = ground.Ground(
            self._problem, [ground.fit(m) for m in kind.members]
        )
        names = _names(kind.members)
        if not plain.needs[kind.members[0]].places:
            return f'{names}: no {what} can take it'
        rules = [
            rule
            for rule in self._problem.rules
            if rule.weight != 0 and kind.members[0] in rule.members
        ]
        scopes = dict.fromkeys(rule.scope for rule in rules)
        groups = dict.fromkeys(f"'{rule.name}'" for rule in rules)
        return (
            f'{names}: no {what} whose {" and ".join(scopes)} is known can '
            f'take it, as needed by group {" and ".join(groups)}'
        )

    def _shortage(self, member: str) -> str:
        need = self._ground.needs[member]
        demand = self._demands[member]
        places = [
            p
            for p in self._ground.places
            if p.is_host == need.is_server
            and (demand.candidates is None or p.name in demand.candidates)
        ]
        wants = ', '.join(f'{n} {r}' for r, n in need.resources.items())
        most = ', '.join(
            f'{_most(places, resource)} {resource}'
            for resource in need.resources
        )
        return (
            f'{member} needs {wants or "nothing"}: {len(places)} candidates, '
            f'{len(need.places)} qualify alone; most free anywhere: {most}'
        )


def _most(places: Iterable[ground.Place], resource: str) -> str:
    rooms = [place.room(resource) for place in places]
    if None in rooms:
        return 'unbounded'
    return str(max((room for room in rooms if room is not None), default=0))


def _names(names: Iterable[str]) -> str:
    names = list(names)
    shown = ', '.join(names[:NAMED])
    more = len(names) - NAMED
    return f'{shown} and {more} more' if more > 0 else shown
