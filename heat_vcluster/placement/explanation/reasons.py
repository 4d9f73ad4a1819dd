# SPDX-License-Identifier: Apache-2.0
"""Why there is no placement, said to people: one sentence each way.

The tenant is told of its own members, sizes and groups, and of how many
domains are needed and qualify; never a host, a rack, an amount that is free
or a limit of the provider's. The operator is told names and numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.explanation.conflicts import (
    Conflict,
    compile_core,
)
from heat_vcluster.placement.explanation.skeleton import Skeleton
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import contract
from heat_vcluster.placement.policies import base as policies

NAMED = 4  # so many names are told; the others are only counted
PHRASES = 6  # so many kinds of rules or of members are told

UNITS = {'VCPU': 'vCPU', 'MEMORY_MB': 'MiB RAM', 'DISK_GB': 'GB disk'}


@dataclasses.dataclass(frozen=True, slots=True)
class Reasons:
    """One sentence each way, and one more for each member without a place."""

    tenant: tuple[str, ...]
    operator: tuple[str, ...]


def tell(
    problem: model.Problem,
    kinds: Mapping[str, policies.Policy],
    conflict: Conflict,
) -> Reasons:
    """Say why the rules of a conflict of the problem clash."""
    skeleton = Skeleton(problem, kinds)
    case = _Case(skeleton, kinds, conflict)
    stuck = list(_homeless(skeleton, kinds)) if case.is_homeless else []
    if stuck:
        return Reasons(
            tuple(text for text, _ in stuck), tuple(text for _, text in stuck)
        )
    return Reasons((case.for_tenant(),), (case.for_operator(),))


class _Case:
    """One conflict and what makes it one."""

    def __init__(
        self,
        skeleton: Skeleton,
        kinds: Mapping[str, policies.Policy],
        conflict: Conflict,
    ) -> None:
        self._skeleton = skeleton
        self._kinds = kinds
        self._conflict = conflict
        self._view = skeleton.view(conflict.rules)
        self._compiled = compile_core(skeleton, kinds, self._view.core)
        self._rules = [
            sorted(block)
            for block in self._view.blocks()
            if block[0] in skeleton.rules
        ]
        self._fits = self._by_needs()
        self._pinned = skeleton.problem.pinned
        self._limits = [n for n in skeleton.limits if n in self._view.core]

    def _by_needs(self) -> list[list[str]]:
        """Return the members whose needs matter, those alike together."""
        alike: dict[int, list[str]] = {}
        for member in self._view.members:
            if numbers.fit(member) in self._view.core:
                needs = self._skeleton.needs[member]
                alike.setdefault(needs, []).append(member)
        return sorted(sorted(members) for members in alike.values())

    @property
    def is_homeless(self) -> bool:
        """Whether it is that some member has no place even alone."""
        return bool(self._compiled.stuck())

    # -- sentences -------------------------------------------------------

    def for_tenant(self) -> str:
        chain = self._chain()
        if chain is not None:
            return chain
        asks = _cut([self._ask(block) for block in self._rules], 'groups')
        who = _cut([self._who(block) for block in self._fits], 'sizes')
        verdict = self._verdict()
        if self._limits:
            verdict += " within the provider's limits"
        if not self._conflict.is_minimal:
            verdict += ' (in time, this was not narrowed down any further)'
        stays = [m for m in self._view.members if m in self._pinned]
        if stays:
            asks.append(f'{_names(stays)} stay where they are')
        if not asks:
            return f'{_joined(who)}: {verdict}'
        if not who:
            return f'{_joined(asks)}: {verdict}'
        return f'{_joined(asks)}; for {_joined(who)}, {verdict}'

    def for_operator(self) -> str:
        """Say the same, with the names and numbers behind it."""
        facts = [self._room(block) for block in self._fits[:PHRASES]]
        facts += [self._domains(block) for block in self._rules[:PHRASES]]
        facts += [self._limit(name) for name in self._limits]
        return '; '.join([self.for_tenant(), *filter(None, facts)])

    def _ask(self, block: Sequence[str]) -> str:
        rule = self._skeleton.rules[block[0]]
        said = self._kinds[rule.policy].sentence(rule)
        if len(block) == 1:
            return said
        more = len(block) - 1
        return (
            f'{said} (and so {"does" if more == 1 else "do"} {more} like it)'
        )

    def _who(self, block: Sequence[str]) -> str:
        each = ' each' if len(block) > 1 else ''
        return f'{_names(block, 2)} ({self._size(block[0])}{each})'

    def _size(self, member: str) -> str:
        return _size(self._skeleton.demands[member])

    # -- what makes it a conflict ----------------------------------------

    def _chain(self) -> str | None:
        """Tell a contradiction of rules, whatever the cloud."""
        found = contract.contract(self._compiled).contradiction
        if found is None:
            return None
        ends = found.members[0], found.members[-1]
        one, other = (self._compiled.members[m] for m in ends)
        ties = ', '.join(f"'{name}'" for name in found.chain)
        return (
            f'{one} must be together with {other} (through {ties}), '
            f"yet '{found.apart}' keeps them apart"
        )

    def _verdict(self) -> str:
        count = sum(map(len, self._fits))
        for told in (
            self._too_few_domains(),
            self._too_few_for_units(),
            self._not_alone(),
            self._not_in_one(),
            self._not_level(),
        ):
            if told is not None:
                return told
        if not count:
            return 'there is no way to have all of that at once'
        if not self._rules:
            return f'there is not room for {_all_at_once(count)}'
        return f'there is no room for {_all_at_once(count)} under these rules'

    def _clauses(self, *kinds: type) -> list[numbers.Clause]:
        return [c for c in self._compiled.hard if c.kind in kinds]

    def _can(self, members: Iterable[int], scope: int) -> Flags:
        """Return the domains where one of these could be, taken alone."""
        compiled = self._compiled
        flags = np.zeros(compiled.n_domains[scope], np.bool_)
        for shape in {int(compiled.shape_of[m]) for m in members}:
            found = compiled.domain[scope][compiled.shapes[shape].places]
            flags[found[found != UNKNOWN]] = True
        return flags

    def _too_few_domains(self) -> str | None:
        """Tell a rule that takes more domains than qualify at all."""
        for clause in self._compiled.hard:
            able = self._can(clause.members, clause.scope)
            needed, there = 0, int(able.sum())
            if clause.kind is constraints.AtMost and clause.limit:
                certain = sum(
                    any(self._counts(m, clause.scope) for m in unit)
                    for unit in clause.units
                )
                needed = -(-certain // clause.limit)
            elif clause.kind is constraints.AtLeast:
                needed = clause.limit
            elif clause.kind is constraints.Lost and (
                clause.limit >= clause.lost
            ):
                certain = sum(
                    self._counts(m, clause.scope) for m in clause.members
                )
                if certain > clause.limit:
                    needed = constraints.domains_for(
                        certain, clause.lost, clause.limit
                    )
            elif clause.kind is constraints.Level:
                bound = [m for m in clause.members if self._has_needs(m)]
                able = self._can(bound or clause.members, clause.scope)
                needed = len(clause.domains)
                there = int(able[list(clause.domains)].sum())
            if needed > there:
                return self._takes(needed, clause.scope, there)
        return None

    def _has_needs(self, member: int) -> bool:
        return numbers.fit(self._compiled.members[member]) in self._view.core

    def _counts(self, member: int, scope: int) -> bool:
        """Tell whether a member has a domain wherever it goes."""
        found = self._compiled.domain[scope][self._compiled.places(member)]
        return bool(len(found)) and bool(np.all(found != UNKNOWN))

    def _takes(self, needed: int, scope: int, there: int) -> str:
        name = self._compiled.scopes[scope]
        return (
            f'that takes {needed} {_plural(name, needed)}, and '
            f'{there or "none"} {"qualifies" if there < 2 else "qualify"}'
        )

    def _too_few_for_units(self) -> str | None:
        """Tell units that each take a domain of their own and lack one.

        All units are alike, share nothing but the rule that keeps them
        apart, and each stays in one domain. All but one of them can be
        placed, as the conflict is minimal: so many domains qualify.
        """
        if not self._conflict.is_minimal or self._limits:
            return None
        apart = self._clauses(constraints.AtMost)
        wide = [c for c in apart if c.limit == 1 and len(c.units) > 1]
        for clause in wide:
            if self._is_by_units(clause):
                needed = len(clause.units)
                return self._takes(needed, clause.scope, needed - 1)
        return None

    def _is_by_units(self, apart: numbers.Clause) -> bool:
        compiled = self._compiled
        piece = list(range(len(compiled.members)))
        others = [c for c in compiled.hard if c is not apart]
        for clause in others:
            if clause.kind is constraints.Alone:
                return False
            for member in clause.members[1:]:
                a, b = piece[clause.members[0]], piece[member]
                piece = [b if p == a else p for p in piece]
        found = [{piece[m] for m in unit} for unit in apart.units]
        if any(len(pieces) != 1 for pieces in found):
            return False
        if len(set().union(*found)) != len(found):
            return False
        if {p for pieces in found for p in pieces} != set(piece):
            return False
        return self._are_alike(apart.units) and all(
            len(unit) == 1 or self._is_tied(unit, apart.scope)
            for unit in apart.units
        )

    def _are_alike(self, units: Sequence[Sequence[int]]) -> bool:
        colours, _ = self._view.colours()
        names = self._compiled.members
        return (
            len({tuple(sorted(colours[names[m]] for m in u)) for u in units})
            == 1
        )

    def _is_tied(self, unit: Sequence[int], scope: int) -> bool:
        return any(
            clause.scope <= scope and set(unit) <= set(clause.members)
            for clause in self._clauses(constraints.Together)
        )

    def _not_alone(self) -> str | None:
        """Tell groups that each want a domain of their own."""
        clauses = self._clauses(constraints.Alone)
        if not clauses or len(clauses) < len(self._compiled.hard):
            return None
        scopes = {clause.scope for clause in clauses}
        if len(scopes) > 1:
            return None
        (scope,) = scopes
        idle = ~self._compiled.busy[scope]
        members = {m for clause in clauses for m in clause.members}
        there = int((self._can(members, scope) & idle).sum())
        if there < len(clauses):
            return self._takes(len(clauses), scope, there)
        return 'there is no way to have that beside the other members'

    def _not_in_one(self) -> str | None:
        """Tell members that must share a domain where none has the room."""
        clauses = self._clauses(constraints.Together)
        others = [c for c in self._compiled.hard if c not in clauses]
        if len({clause.rule for clause in clauses}) != 1:
            return None
        scope = min(clause.scope for clause in clauses)
        name = self._compiled.scopes[scope]
        count = sum(map(len, self._fits))
        if count and not others:
            return f'no {name} has the room for {_all_at_once(count)}'
        if not count and all(c.scope < scope for c in others):
            return f'no {name} qualifies for all of that'
        return None

    def _not_level(self) -> str | None:
        """Tell members that cannot be shared out, whatever their size."""
        if self._fits or len(self._compiled.hard) != 1:
            return None
        (clause,) = self._compiled.hard
        if clause.kind is not constraints.Level:
            return None
        level = self._compiled.scopes[clause.scope]
        return (
            f'{_count(len(clause.members), "member")} cannot be shared out '
            f'so over {_count(len(clause.domains), level)}'
        )

    # -- numbers, for the operator ---------------------------------------

    def _room(self, block: Sequence[str]) -> str:
        """Tell where members like these can go, and how many of them."""
        compiled = self._compiled
        member = compiled.numbers[block[0]]
        places = compiled.places(member)
        size = compiled.size(member)
        what = f'{len(block)} x ({_needs(self._skeleton.demands[block[0]])})'
        if not compiled.is_server[member]:
            free = compiled.pool_free[places - compiled.n_hosts]
            slots = int((free // size[0]).sum()) if size[0] else None
            names = [compiled.place_names[p] for p in places]
            return (
                f'{what}: {_count(len(places), "pool")} '
                f'({_names(names)}) {_verb(len(places))}, {_slots(slots)}'
            )
        each = [
            free[places] // amount
            for amount, free in zip(size, compiled.free, strict=True)
            if amount
        ]
        scope = max((c.scope for c in compiled.hard), default=1) or 1
        column = compiled.domain[scope][places]
        fit = np.minimum.reduce(each) if each else None
        named = [
            compiled.domain_names[scope][int(d)]
            + ('' if fit is None else f': {int(fit[column == d].sum())}')
            for d in np.unique(column[column != UNKNOWN])
        ]
        slots = None if fit is None else int(fit.sum())
        return (
            f'{what}: {_count(len(places), "host")} in '
            f'{_count(len(named), compiled.scopes[scope])} '
            f'({_names(named)}) {_verb(len(places))}, {_slots(slots)}'
        )

    def _domains(self, block: Sequence[str]) -> str:
        """Tell the domains that some member of a rule could have."""
        rule = self._skeleton.rules[block[0]]
        told = f'{_names(block)}: {rule.policy}'
        clauses = [c for c in self._compiled.hard if c.rule == rule.name]
        if not clauses:
            return told
        scope = min(clause.scope for clause in clauses)
        level = self._compiled.scopes[scope]
        able = self._can(clauses[0].members, scope)
        if clauses[0].kind is constraints.Alone:
            able &= ~self._compiled.busy[scope]
        found = self._compiled.domain_names[scope]
        names = [found[int(d)] for d in np.flatnonzero(able)]
        told += (
            f' at {level} over {_count(len(rule.members), "member")}, '
            f'{_count(len(names), level)} {_verb(len(names))}'
            + (f' ({_names(names)})' if names else '')
        )
        hosts = self._compiled.domain[scope][: self._compiled.n_hosts]
        lost = int((hosts == UNKNOWN).sum())
        if lost:
            told += f', and {_count(lost, "host")} whose {level} is not known'
        return told

    def _limit(self, name: str) -> str:
        """Tell the narrowest of what a budget leaves."""
        for cap in self._compiled.budgets:
            if cap.rule == name:
                level = self._compiled.scopes[cap.scope]
                most = [
                    _amount(
                        resource, int(room[room < numbers.UNBOUNDED].max())
                    )
                    for resource, room in zip(
                        self._compiled.resources, cap.room, strict=True
                    )
                    if np.any(room < numbers.UNBOUNDED)
                ]
                return f'{name} leaves a {level} at most {", ".join(most)}'
        return ''


# -- members that no place takes -------------------------------------


def _homeless(
    skeleton: Skeleton, kinds: Mapping[str, policies.Policy]
) -> Iterator[tuple[str, str]]:
    """Give all members without a place, alike ones together: both ways."""
    whole = compile_core(skeleton, kinds, skeleton.everything)
    plain = compile_core(
        skeleton, kinds, [n for n in skeleton.everything if _is_fit(n)]
    )
    alike: dict[tuple[int, frozenset[str]], list[str]] = {}
    view = skeleton.view(skeleton.everything)
    for number in whole.stuck():
        member = whole.members[number]
        mapped = frozenset(view.rules_of[member])
        own = not len(plain.places(plain.numbers[member]))
        key = skeleton.needs[member], frozenset() if own else mapped
        alike.setdefault(key, []).append(member)
    for (_, rules), members in alike.items():
        first = members[0]
        demand = skeleton.demands[first]
        what = (
            'host'
            if isinstance(demand, model.ServerDemand)
            else 'storage pool'
        )
        who = f'{_names(members)} ({_size(demand)})'
        if not len(plain.places(plain.numbers[first])):
            text = f'{who}: no {what} can take it'
        elif skeleton.limits and len(
            compile_core(
                skeleton,
                kinds,
                [n for n in skeleton.everything if n not in skeleton.limits],
            ).places(whole.numbers[first])
        ):
            text = f"{who}: no {what} can take it within the provider's limits"
        else:
            groups = ' and '.join(f"'{name}'" for name in sorted(rules))
            text = (
                f'{who}: no {what} that can take it is known to lie where '
                f'group {groups} can tell'
            )
        yield text, f'{text}; {_shortage(plain, kinds, demand)}'


def _shortage(
    compiled: numbers.Compiled,
    kinds: Mapping[str, policies.Policy],
    demand: model.Demand,
) -> str:
    """Tell what the candidates have at the most."""
    needs = _needs(demand)
    able = _sizeless(compiled.problem, kinds, demand)
    if isinstance(demand, model.VolumeDemand):
        free = compiled.pool_free[able - compiled.n_hosts]
        most = f'{int(free.max(initial=0))} GB'
        places = f'{compiled.n_pools} pools'
    else:
        most = _amounts(
            {
                resource: int(free[able].max(initial=0))
                for resource, free in zip(
                    compiled.resources, compiled.free, strict=True
                )
                if demand.resources.get(resource)
            }
        )
        places = f'{compiled.n_hosts} hosts'
    return f'it needs {needs}: {len(able)} of {places} come into question' + (
        f', at most {most} free, taken one by one' if len(able) else ''
    )


def _sizeless(
    problem: model.Problem,
    kinds: Mapping[str, policies.Policy],
    demand: model.Demand,
) -> Ints:
    """Return the places that could take a member if it were of no size."""
    if isinstance(demand, model.VolumeDemand):
        sizeless: model.Demand = dataclasses.replace(demand, size_gb=0)
    else:
        sizeless = dataclasses.replace(demand, resources={})
    alone = dataclasses.replace(
        problem, demands=(sizeless,), rules=(), pinned={}, budgets=()
    )
    return numbers.Compiled(alone, kinds).places(0)


def _is_fit(name: str) -> bool:
    return name.startswith(numbers.FIT)


# -- words -----------------------------------------------------------


def _size(demand: model.Demand) -> str:
    """Say a size to the tenant: 4 vCPU, 8 GiB RAM, 40 GB disk."""
    if isinstance(demand, model.VolumeDemand):
        kind = f' of type {demand.type}' if demand.type else ''
        return f'{demand.size_gb} GB{kind}'
    wanted = {r: amount for r, amount in demand.resources.items() if amount}
    return _amounts(wanted) or 'of no size'


def _amounts(amounts: Mapping[str, int]) -> str:
    return ', '.join(
        _amount(resource, amounts[resource])
        for resource in sorted(amounts, key=_rank)
    )


def _amount(resource: str, amount: int) -> str:
    if resource == 'MEMORY_MB' and amount % 1024 == 0:
        return f'{amount // 1024} GiB RAM'
    return f'{amount} {UNITS.get(resource, resource)}'


def _rank(resource: str) -> tuple[int, str]:
    order = list(UNITS)
    known = resource in UNITS
    return order.index(resource) if known else len(order), resource


def _needs(demand: model.Demand) -> str:
    """Say size and needs to the operator."""
    said = [_size(demand)]
    if isinstance(demand, model.ServerDemand):
        said += sorted(demand.require)
        said += [f'not {trait}' for trait in sorted(demand.forbid)]
    if demand.within is not None:
        said.append(f'within {demand.within[0]} {demand.within[1]}')
    return ', '.join(said)


def _names(names: Iterable[str], most: int = NAMED) -> str:
    names = list(names)
    shown = ', '.join(names[:most])
    more = len(names) - most
    return f'{shown} and {more} more' if more > 0 else shown


def _joined(phrases: Sequence[str]) -> str:
    if len(phrases) < 2:
        return ''.join(phrases)
    return f'{"; ".join(phrases[:-1])} and {phrases[-1]}'


def _cut(phrases: list[str], what: str) -> list[str]:
    more = len(phrases) - PHRASES
    if more <= 0:
        return phrases
    return [*phrases[:PHRASES], f'{more} more {what}']


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f'{noun}s'


def _count(count: int, noun: str) -> str:
    return f'{count} {_plural(noun, count)}'


def _verb(count: int) -> str:
    return 'qualifies' if count == 1 else 'qualify'


def _slots(slots: int | None) -> str:
    return 'any number of them' if slots is None else _count(slots, 'slot')


def _all_at_once(count: int) -> str:
    if count == 1:
        return 'it'
    return f'{"both" if count == 2 else f"all {count}"} at once'
