# SPDX-License-Identifier: Apache-2.0
"""The problem member by member as one integer program: exact, for few.

For small problems whole, and for parts of large ones: most members fixed,
few places allowed. Members that nothing tells apart are counted, which loses
nothing; every clause is there with its exact amount.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import (
    amounts,
    constraints,
    model,
    program,
    unions,
)
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.compiled import Clause, Compiled
from heat_vcluster.placement.program import INFINITY, NO, YES, Sum
from heat_vcluster.placement.remainder import (
    Choice,
    Index,
    Like,
    Remainder,
)


class Goal(enum.Enum):
    """How far to go. Each includes those before it."""

    ANY = 1  # soft clauses play no part
    CHEAPEST = 2  # the least soft cost
    BEST = 3  # and of that cost, the least objective


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What the search came to; costs are of the whole problem.

    ``placement`` is by member, UNKNOWN where one has no place, and set if
    FEASIBLE; so is ``costs``, by soft clause. ``bound`` says what no placement
    can beat that keeps to what was fixed and allowed; ``is_complete``: that is
    every placement there is, and so with INFEASIBLE. ``effort`` is in seconds
    of the solver's deterministic clock.
    """

    verdict: model.Verdict
    placement: Ints | None = None
    soft_cost: int = 0
    objective: int = 0
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)
    is_complete: bool = True
    effort: float = 0.0
    costs: Ints | None = None


def solve(
    compiled: Compiled,
    *,
    allowed: Mapping[int, Sequence[int]] | None = None,
    fixed: Ints | None = None,
    hint: Ints | None = None,
    goal: Goal = Goal.BEST,
    seconds: float = 10.0,
    effort: float | None = None,
    seed: int = 0,
    soft_below: int | None = None,
    soft_bound: int = 0,
    index: Index | None = None,
    choice: Choice | None = None,
    costs: Ints | None = None,
) -> Result:
    """Place the free members as well as can be.

    ``allowed`` maps members to the places they may take (others: any);
    ``fixed`` has the place of each member that has one already (UNKNOWN:
    free); ``hint`` a placement to begin from. ``soft_below``: only a lower
    soft cost counts as a solution; ``soft_bound``: none has less, which is
    known (of the whole problem). ``effort`` limits the time by the
    solver's own deterministic clock. ``index`` saves the making of one.
    ``choice`` thins out the places that sizes and clauses leave to members.
    ``costs`` has what each soft clause costs while none of its members moves;
    given that, fixed members are taken to obey the hard ones among them.
    """
    ends = time.monotonic() + seconds
    index = Index(compiled) if index is None else index
    rest = Remainder(index, fixed, allowed, goal is not Goal.ANY, choice)
    is_complete = (allowed is None and choice is None) and (
        fixed is None or bool(np.all(index.start(None) == rest.at))
    )
    search = _Search(rest, goal, seed, ends, effort, costs)
    result = search.run(hint, soft_below, soft_bound)
    return dataclasses.replace(result, is_complete=is_complete)


class _Search:
    """The program of a remainder, minimized goal by goal."""

    def __init__(
        self,
        rest: Remainder,
        goal: Goal,
        seed: int,
        ends: float,
        effort: float | None,
        costs: Ints | None,
    ) -> None:
        self._rest = rest
        self._costs = costs
        self._goal = goal
        self._seed = seed
        self._ends = ends
        self._effort = effort
        self._spent = 0.0

    def run(
        self, hint: Ints | None, soft_below: int | None, soft_bound: int
    ) -> Result:
        rest = self._rest
        if rest.is_hopeless or self._breaks_settled():
            return Result(model.Verdict.INFEASIBLE)
        built = Formulation(rest, self._goal, self._settled_cost())
        if soft_below is not None:
            built.program.require(built.cost, -INFINITY, soft_below - 1)
        if soft_bound and built.cost.variables:
            built.program.require(built.cost, soft_bound, INFINITY)
        if hint is not None:
            built.hint(hint)
        if self._goal is Goal.ANY:
            return self._any(built)
        return self._cheapest(built, soft_bound)

    def _breaks_settled(self) -> bool:
        """Tell whether fixed members alone break a hard clause."""
        rest = self._rest
        return self._costs is None and any(
            amounts.amount(rest.compiled, rest.index.clauses[number], rest.at)
            for number in rest.settled
            if number < rest.index.n_hard
        )

    def _settled_cost(self) -> int:
        """Return what soft clauses cost that no free member is in."""
        rest, n_hard = self._rest, self._rest.index.n_hard
        soft = [number for number in rest.settled if number >= n_hard]
        if self._costs is not None:
            return sum(int(self._costs[number - n_hard]) for number in soft)
        return sum(self._cost(number, rest.at) for number in soft)

    def _cost(self, number: int, placement: Ints) -> int:
        clause = self._rest.index.clauses[number]
        return (clause.weight or 0) * amounts.amount(
            self._rest.compiled, clause, placement
        )

    def _costs_of(self, placement: Ints) -> Ints:
        """Return what each soft clause costs."""
        n_hard, count = self._rest.index.n_hard, len(self._rest.index.clauses)
        if self._costs is None or self._goal is Goal.ANY:
            costs = np.zeros(count - n_hard, np.int64)
            changed: Sequence[int] = range(n_hard, count)
        else:
            costs = self._costs.copy()
            changed = [n for n in self._rest.clauses if n >= n_hard]
        for number in changed:
            costs[number - n_hard] = self._cost(number, placement)
        return costs

    def _search(self, built: Formulation) -> program.Found:
        effort = self._effort
        found = built.program.search(
            self._ends - time.monotonic(),
            self._seed,
            None if effort is None else max(effort - self._spent, 0.01),
        )
        self._spent += found.effort
        return found

    def _any(self, built: Formulation) -> Result:
        found = self._search(built)
        if found.verdict is not model.Verdict.FEASIBLE:
            return Result(found.verdict, effort=self._spent)
        return self._result(built.placement(found.values), model.Bound())

    def _cheapest(self, built: Formulation, soft_bound: int) -> Result:
        cost, objective = built.cost, built.objective
        if not cost.variables and objective is not None:
            return self._best(built, None)
        built.program.minimize(cost)
        found = self._search(built)
        bound = model.Bound(max(found.bound, soft_bound))
        if found.verdict is not model.Verdict.FEASIBLE:
            return Result(found.verdict, bound=bound, effort=self._spent)
        placement = built.placement(found.values)
        result = self._result(placement, bound)
        if objective is None:
            return result
        built.program.require(cost, -INFINITY, result.soft_cost)
        built.hint(placement)
        return self._best(built, result)

    def _best(self, built: Formulation, before: Result | None) -> Result:
        """Minimize the objective; the soft cost can get no higher."""
        assert built.objective is not None  # noqa: S101
        built.program.minimize(built.objective)
        found = self._search(built)
        soft_bound = (
            built.cost.constant if before is None else before.bound.soft_cost
        )
        if found.verdict is not model.Verdict.FEASIBLE:
            if before is not None:
                least = None
                if before.soft_cost == soft_bound:
                    least = max(found.bound, 0)
                return dataclasses.replace(
                    before,
                    bound=model.Bound(soft_bound, least),
                    effort=self._spent,
                )
            return Result(
                found.verdict,
                bound=model.Bound(soft_bound),
                effort=self._spent,
            )
        result = self._result(
            built.placement(found.values), model.Bound(soft_bound)
        )
        if result.soft_cost > soft_bound:
            return result
        bound = model.Bound(soft_bound, max(found.bound, 0))
        return dataclasses.replace(result, bound=bound)

    def _result(self, placement: Ints, bound: model.Bound) -> Result:
        costs = self._costs_of(placement)
        return Result(
            model.Verdict.FEASIBLE,
            placement,
            int(costs.sum()),
            amounts.objective(self._rest.compiled, placement),
            bound,
            effort=self._spent,
            costs=costs,
        )


class Formulation:
    """A remainder as an integer program.

    ``cost`` is the soft cost, and ``objective`` the objective (None: not
    asked for): at least, and exactly once minimized.
    """

    def __init__(self, rest: Remainder, goal: Goal, settled_cost: int) -> None:
        self.program = program.Program()
        self.rest = rest
        self._compiled = rest.compiled
        self._by_domain: dict[tuple[int, int], dict[int, list[int]]] = {}
        self._sure: dict[tuple[int, int], bool] = {}
        self._counts: dict[tuple[int, int, int], Sum] = {}
        self._touches: dict[tuple[int, int, int], int] = {}
        self._shared: dict[tuple[int, int], dict[int, int]] = {}
        self._atoms: dict[int, list[_Atom]] = {}
        self._presences: dict[tuple[int, int, int], int] = {}
        self._place()
        self._used: dict[int, int] = {}
        self._hosts_before: set[int] = set()
        if goal is Goal.BEST:
            self._use_hosts()
        self._fill()
        self._keep_to_budgets()
        self._tie()
        self.cost = Sum(settled_cost)
        for number in rest.clauses:
            clause = rest.index.clauses[number]
            amount = self._amount(number, clause)
            if number < rest.index.n_hard:
                self.program.require(amount, -INFINITY, 0)
            else:
                self.cost.add_sum(amount, clause.weight or 0)
        self._keep_alone()
        self.objective = self._objective() if goal is Goal.BEST else None

    # -- places ----------------------------------------------------------

    def _place(self) -> None:
        """Count, of each like, the members at each place."""
        self.at_place: list[dict[int, int]] = []
        self._most: list[dict[int, int]] = []
        for like in self.rest.likes:
            most = self._most_of(like)
            variables = {}
            for place, high in most.items():
                variables[place] = self.program.whole(0, high)
            self.at_place.append(variables)
            self._most.append(most)
            literals = list(variables.values())
            if len(like.members) == 1:
                self.program.exactly_one(literals)
            else:
                n = len(like.members)
                self.program.require(self.program.count(literals), n, n)

    def _most_of(self, like: Like) -> dict[int, int]:
        """Return place -> how many of these fit there, at least 1."""
        most = np.full(len(like.places), len(like.members), np.int64)
        rest, compiled = self.rest, self._compiled
        if len(like.members) > 1:
            if like.is_server:
                for amount, room in zip(
                    like.size, rest.host_room, strict=True
                ):
                    if amount:
                        most = np.minimum(most, room[like.places] // amount)
            elif like.size[0]:
                room = rest.pool_room[like.places - compiled.n_hosts]
                most = np.minimum(most, room // like.size[0])
        return dict(zip(like.places.tolist(), most.tolist(), strict=True))

    def _use_hosts(self) -> None:
        """Tell which hosts get a server, where none has one yet."""
        rest = self.rest
        self._hosts_before = set(
            amounts.used_hosts(self._compiled, rest.at).tolist()
        )
        counts: dict[int, list[tuple[int, int]]] = {}
        for like, variables in zip(rest.likes, self.at_place, strict=True):
            if like.is_server:
                most = self._most[like.number]
                for place, variable in variables.items():
                    counts.setdefault(place, []).append(
                        (variable, most[place])
                    )
        for host, found in sorted(counts.items()):
            self._used[host] = (
                YES
                if host in self._hosts_before
                else self.program.presence(found)
            )

    def _fill(self) -> None:
        """Keep what is placed within what is free."""
        rest, compiled = self.rest, self._compiled
        on: dict[int, list[tuple[Like, int]]] = {}
        for like, variables in zip(rest.likes, self.at_place, strict=True):
            for place, variable in variables.items():
                on.setdefault(place, []).append((like, variable))
        for place, found in sorted(on.items()):
            rooms = (
                [int(room[place]) for room in rest.host_room]
                if place < compiled.n_hosts
                else [int(rest.pool_room[place - compiled.n_hosts])]
            )
            flag = self._used.get(place, YES)
            for number, free in enumerate(rooms):
                self._fit(place, found, number, free, flag)

    def _fit(
        self,
        place: int,
        found: Sequence[tuple[Like, int]],
        number: int,
        room: int,
        flag: int,
    ) -> None:
        taken, most = Sum(), 0
        for like, variable in found:
            if like.size[number]:
                taken.add(variable, like.size[number])
                most += like.size[number] * self._most[like.number][place]
        if most > room:
            taken.add(flag, -room)
            self.program.require(taken, -INFINITY, 0)

    def _keep_to_budgets(self) -> None:
        """Keep what servers take in a domain within what is granted."""
        rest = self.rest
        servers = [like for like in rest.likes if like.is_server]
        for cap, rooms in zip(
            self._compiled.budgets, rest.budget_room, strict=True
        ):
            for number, room in enumerate(rooms):
                asked = sum(k.size[number] * len(k.members) for k in servers)
                taken: dict[int, Sum] = {}
                for like in servers:
                    for domain in self.domains(like.number, cap.scope):
                        if like.size[number] and room[domain] < asked:
                            taken.setdefault(domain, Sum()).add_sum(
                                self.count(like.number, cap.scope, domain),
                                like.size[number],
                            )
                for domain, total in sorted(taken.items()):
                    self.program.require(total, -INFINITY, int(room[domain]))

    def hint(self, placement: Ints) -> None:
        decided: dict[int, int] = {}
        for like, variables in zip(
            self.rest.likes, self.at_place, strict=True
        ):
            for member in like.members:
                variable = variables.get(int(placement[member]))
                if variable is not None:
                    decided[variable] = decided.get(variable, 0) + 1
        self.program.hint(decided)

    def placement(self, values: Sequence[int]) -> Ints:
        found = self.rest.at.copy()
        for like, variables in zip(
            self.rest.likes, self.at_place, strict=True
        ):
            places = [
                place
                for place, variable in variables.items()
                for _ in range(values[variable])
            ]
            found[list(like.members)] = places
        return found

    # -- domains -----------------------------------------------------------

    def domains(self, like: int, scope: int) -> dict[int, list[int]]:
        """Return domain -> places the like may have in it."""
        key = like, scope
        if key not in self._by_domain:
            places = self.rest.likes[like].places
            domains = self._compiled.domain[scope][places]
            found: dict[int, list[int]] = {}
            for place, domain in zip(
                places.tolist(), domains.tolist(), strict=True
            ):
                if domain != UNKNOWN:
                    found.setdefault(domain, []).append(place)
            self._by_domain[key] = found
            self._sure[key] = bool(np.all(domains != UNKNOWN))
        return self._by_domain[key]

    def is_sure(self, like: int, scope: int) -> bool:
        """Tell whether it has a domain wherever it goes."""
        self.domains(like, scope)
        return self._sure[like, scope]

    def count(self, like: int, scope: int, domain: int) -> Sum:
        """Return how many of the like have the domain."""
        key = like, scope, domain
        if key not in self._counts:
            self._counts[key] = self._new_count(like, scope, domain)
        return self._counts[key]

    def _new_count(self, like: int, scope: int, domain: int) -> Sum:
        domains = self.domains(like, scope)
        places = domains.get(domain, ())
        n = len(self.rest.likes[like].members)
        if not places:
            return Sum()
        if len(domains) == 1 and self.is_sure(like, scope):
            return Sum(n)
        total = Sum()
        most = 0
        for place in places:
            total.add(self.at_place[like][place])
            most += self._most[like][place]
        if len(places) == 1:
            return total
        return Sum().add(self.program.total(total, min(n, most)))

    def most_in(self, like: int, scope: int, domain: int) -> int:
        most = sum(
            self._most[like][place]
            for place in self.domains(like, scope).get(domain, ())
        )
        return min(len(self.rest.likes[like].members), most)

    def _touch(self, like: int, scope: int, domain: int) -> int:
        """Return a literal: whether any of the like has the domain."""
        key = like, scope, domain
        if key not in self._touches:
            count = self.count(like, scope, domain)
            if not count.variables:
                touch = YES if count.constant else NO
            elif count.coefficients[0] > 1:
                touch = count.variables[0]  # all of them or none
            else:
                touch = self.program.touch(
                    count.variables[0], self.most_in(like, scope, domain)
                )
            self._touches[key] = touch
        return self._touches[key]

    def _presence(self, likes: Sequence[int], scope: int, domain: int) -> int:
        """Return a literal, set if any of these has the domain."""
        counts: dict[int, int] = {}
        for like in likes:
            count = self.count(like, scope, domain)
            if count.variables:
                if count.coefficients[0] > 1:
                    counts[count.variables[0]] = 1
                else:
                    counts[count.variables[0]] = self.most_in(
                        like, scope, domain
                    )
            elif count.constant:
                return YES
        return self.program.presence(list(counts.items()))

    def likes_of(self, members: Sequence[int]) -> list[int]:
        like_of = self.rest.like_of
        return list(
            dict.fromkeys(like_of[m].number for m in members if m in like_of)
        )

    def by_reach(
        self, likes: Sequence[int], scope: int
    ) -> dict[int, list[int]]:
        """Return, in order, domain -> those of the likes that may have it."""
        found: dict[int, list[int]] = {}
        for like in likes:
            for domain in self.domains(like, scope):
                found.setdefault(domain, []).append(like)
        return dict(sorted(found.items()))

    def _reach(self, likes: Sequence[int], scope: int) -> list[int]:
        """Return the domains that any of these may have."""
        return sorted({d for like in likes for d in self.domains(like, scope)})

    # -- together, hard ------------------------------------------------------

    def _tie(self) -> None:
        """Let likes that must share a domain share its literals."""
        rest, compiled = self.rest, self._compiled
        ties: list[list[list[int]]] = [[] for _ in compiled.scopes]
        for number in rest.clauses:
            clause = rest.index.clauses[number]
            if (
                number >= rest.index.n_hard
                or clause.kind is not constraints.Together
            ):
                continue
            likes = self.likes_of(clause.members)
            sure = [k for k in likes if self.is_sure(k, clause.scope)]
            for scope in range(clause.scope, len(compiled.scopes)):
                ties[scope].append(sure)
                if (
                    scope + 1 == len(compiled.scopes)
                    or not (compiled.is_nested[scope])
                ):
                    break
        for scope, found in enumerate(ties):
            for group in _merged(found):
                self._share(group, scope)

    def _share(self, group: Sequence[int], scope: int) -> None:
        likes = self.rest.likes
        if len(group) == 1 and len(likes[group[0]].members) == 1:
            return
        common = set.intersection(
            *(set(self.domains(like, scope)) for like in group)
        )
        lead = next((k for k in group if len(likes[k].members) == 1), None)
        shared: dict[int, int] = {}
        for domain in sorted(common):
            if len(common) == 1:
                shared[domain] = YES
            elif lead is not None:
                count = self.count(lead, scope, domain)
                shared[domain] = count.variables[0] if count.variables else YES
            else:
                shared[domain] = self._new_shared(group[0], scope, domain)
        if lead is None or len(common) == 1:
            self.program.exactly_one(list(shared.values()))
        for like in group:
            self._follow(like, scope, shared)

    def _new_shared(self, like: int, scope: int, domain: int) -> int:
        places = self.domains(like, scope)[domain]
        variables = [self.at_place[like][place] for place in places]
        return self.program.follow(
            0, 1, lambda values: int(any(values[v] for v in variables))
        )

    def _follow(
        self, like: int, scope: int, shared: Mapping[int, int]
    ) -> None:
        """Have all of the like in the one shared domain."""
        n = len(self.rest.likes[like].members)
        self._shared[like, scope] = dict(shared)
        for domain, places in self.domains(like, scope).items():
            literal = shared.get(domain, NO)
            key = like, scope, domain
            tied = Sum().add(literal, n)
            known = self._counts.get(key)
            if known is not None and known.variables == tied.variables:
                continue
            total = Sum()
            for place in places:
                total.add(self.at_place[like][place])
            self.program.require(total.add_sum(tied, -1), 0, 0)
            self._counts[key] = tied

    # -- clauses -------------------------------------------------------------

    def _amount(self, number: int, clause: Clause) -> Sum:
        """Return the amount: at least, and exactly once minimized."""
        build: dict[
            type[constraints.Constraint], Callable[[int, Clause], Sum]
        ] = {
            constraints.Together: self._together,
            constraints.AtMost: self._at_most,
            constraints.Level: self._level,
            constraints.AtLeast: self._at_least,
            constraints.Alone: self._alone,
            constraints.Near: self._near,
            constraints.Lost: self._lost,
        }
        return build[clause.kind](number, clause)

    def _fixed(self, number: int) -> set[int]:
        return {domain for _, domain in self.rest.fixed_domains(number)}

    def _together(self, number: int, clause: Clause) -> Sum:
        if number < self.rest.index.n_hard:
            self._gather(number, clause)
            return Sum()
        likes = self.likes_of(clause.members)
        used = self._used_domains(likes, clause.scope, self._fixed(number))
        used.constant -= 1
        most = used.constant + len(used.variables)
        if most <= 0:
            return Sum()
        if self._fixed(number) or any(
            self.is_sure(like, clause.scope) for like in likes
        ):
            return used
        return Sum().add(self.program.excess(used, most))

    def _used_domains(
        self, likes: Sequence[int], scope: int, fixed: set[int]
    ) -> Sum:
        used = Sum(len(fixed))
        for domain, able in self.by_reach(likes, scope).items():
            if domain not in fixed:
                used.add(self._presence(able, scope, domain))
        return used

    def _gather(self, number: int, clause: Clause) -> None:
        """Hard: have the one domain for all that is not tied yet."""
        likes = self.likes_of(clause.members)
        sure = [k for k in likes if self.is_sure(k, clause.scope)]
        loose = [k for k in likes if not self.is_sure(k, clause.scope)]
        if not loose or self._fixed(number):
            # What is fixed has left the others that domain alone.
            return
        if sure:
            here = {
                domain: self._touch(sure[0], clause.scope, domain)
                for domain in self.domains(sure[0], clause.scope)
            }
        else:
            reach = self._reach(loose, clause.scope)
            here = {
                domain: self._presence(loose, clause.scope, domain)
                for domain in reach
            }
            self.program.at_most_one(list(here.values()))
            return
        for like in loose:
            for domain in self.domains(like, clause.scope):
                self.program.imply(
                    self._touch(like, clause.scope, domain),
                    here.get(domain, NO),
                )

    def _at_most(self, number: int, clause: Clause) -> Sum:
        rest = self.rest
        scope = clause.scope
        fixed: dict[int, set[int]] = {}
        for unit_number, domain in rest.fixed_domains(number):
            fixed.setdefault(domain, set()).add(unit_number)
        single: list[int] = []
        several: list[tuple[int, list[int]]] = []
        for unit_number, members in enumerate(clause.units):
            free = [m for m in members if m in rest.like_of]
            if len(members) == 1:
                single += free
            elif free:
                several.append((unit_number, self.likes_of(free)))
        by_single = self.by_reach(self.likes_of(single), scope)
        by_unit: dict[int, list[tuple[int, list[int]]]] = {}
        for unit_number, unit in several:
            for domain, able in self.by_reach(unit, scope).items():
                by_unit.setdefault(domain, []).append((unit_number, able))
        amount = Sum()
        over = {d for d, here in fixed.items() if len(here) > clause.limit}
        for domain in sorted({*by_single, *by_unit, *over}):
            before = fixed.get(domain, set())
            here, most = Sum(len(before)), len(before)
            for like in by_single.get(domain, ()):
                here.add_sum(self.count(like, scope, domain))
                most += self.most_in(like, scope, domain)
            for unit_number, able in by_unit.get(domain, ()):
                if unit_number not in before:
                    here.add(self._presence(able, scope, domain))
                    most += 1
            if most > clause.limit:
                self._limit(number, here, most, clause.limit, amount)
        return amount

    def _limit(
        self, number: int, here: Sum, most: int, limit: int, amount: Sum
    ) -> None:
        """Add to the amount what is here beyond the limit."""
        if number < self.rest.index.n_hard:
            if (
                limit == 1
                and not here.constant
                and most == len(here.variables)
                and all(c == 1 for c in here.coefficients)
            ):
                self.program.at_most_one(here.variables)
            else:
                self.program.require(here, -INFINITY, limit)
        elif here.constant >= limit:
            amount.add_sum(here)
            amount.constant -= limit
        else:
            over = Sum(-limit).add_sum(here)
            amount.add(self.program.excess(over, most - limit))

    def _level(self, number: int, clause: Clause) -> Sum:
        if not clause.domains:
            return Sum()
        scope = clause.scope
        fixed: dict[int, int] = {}
        for _, domain in self.rest.fixed_domains(number):
            fixed[domain] = fixed.get(domain, 0) + 1
        likes = self.likes_of(clause.members)
        counts = []
        for domain in clause.domains:
            here = Sum(fixed.get(domain, 0))
            for like in likes:
                here.add_sum(self.count(like, scope, domain))
            counts.append(here)
        most = len(clause.members)
        even = most // len(clause.domains)
        high = self.program.follow(
            0, most, lambda values: max(c.value(values) for c in counts)
        )
        low = self.program.follow(
            0, even, lambda values: min(c.value(values) for c in counts)
        )
        for here in counts:
            self.program.require(
                Sum().add_sum(here).add(high, -1), -INFINITY, 0
            )
            self.program.require(
                Sum().add_sum(here, -1).add(low), -INFINITY, 0
            )
        over = Sum(-clause.limit).add(high).add(low, -1)
        if number < self.rest.index.n_hard:
            return over
        return Sum().add(self.program.excess(over, most))

    def _lost(self, number: int, clause: Clause) -> Sum:
        """Return the sum of the largest counts, beyond the limit.

        The sum of the n largest of some numbers is the least, over all t,
        of n t and what each of them has beyond t; the n-th largest is such a
        t. (No t gives less: each of the n largest is at most t and what it
        has beyond t.)
        """
        n, members = clause.lost, len(clause.members)
        if clause.limit >= members:
            return Sum()
        fixed: dict[int, int] = {}
        for _, domain in self.rest.fixed_domains(number):
            fixed[domain] = fixed.get(domain, 0) + 1
        reach = self.by_reach(self.likes_of(clause.members), clause.scope)
        counts: list[tuple[Sum, int]] = []
        for domain in sorted({*fixed, *reach}):
            here = Sum(fixed.get(domain, 0))
            most = here.constant
            for like in reach.get(domain, ()):
                here.add_sum(self.count(like, clause.scope, domain))
                most += self.most_in(like, clause.scope, domain)
            counts.append((here, most))
        level = self.program.follow(
            0,
            members,
            lambda values: _nth_largest(
                n, [here.value(values) for here, _ in counts]
            ),
        )
        over = Sum(-clause.limit).add(level, n)
        for here, most in counts:
            beyond = Sum().add_sum(here).add(level, -1)
            over.add(self.program.excess(beyond, most))
        if number < self.rest.index.n_hard:
            return over
        return Sum().add(self.program.excess(over, members - clause.limit))

    def _at_least(self, number: int, clause: Clause) -> Sum:
        fixed = self._fixed(number)
        likes = self.likes_of(clause.members)
        lacking = Sum(clause.limit - len(fixed))
        for domain, able in self.by_reach(likes, clause.scope).items():
            if domain in fixed:
                continue
            if len(able) == 1:
                flag = self._touch(able[0], clause.scope, domain)
            else:
                here = Sum()
                for like in able:
                    here.add_sum(self.count(like, clause.scope, domain))
                flag = self.program.evidence(here)
            lacking.add(flag, -1)
        if number < self.rest.index.n_hard:
            return lacking
        if lacking.constant <= 0:
            return Sum()
        return Sum().add(self.program.excess(lacking, lacking.constant))

    # -- alone ---------------------------------------------------------------

    def _atoms_at(self, scope: int) -> list[_Atom]:
        """Return the likes by which Alone clauses at the scope they are in."""
        if scope not in self._atoms:
            rest = self.rest
            clauses = [
                number
                for number in rest.clauses
                if number in rest.index.alone
                and rest.index.clauses[number].scope == scope
            ]
            inside: dict[int, list[int]] = {k.number: [] for k in rest.likes}
            for number in clauses:
                members = rest.index.clauses[number].members
                for like in self.likes_of(members):
                    inside[like].append(number)
            groups: dict[tuple[int, ...], list[int]] = {}
            for like, numbers in inside.items():
                groups.setdefault(tuple(numbers), []).append(like)
            self._atoms[scope] = [
                _Atom(i, frozenset(numbers), tuple(likes))
                for i, (numbers, likes) in enumerate(groups.items())
            ]
        return self._atoms[scope]

    def _atom_is_in(self, atom: _Atom, scope: int, domain: int) -> int:
        key = atom.number, scope, domain
        if key not in self._presences:
            self._presences[key] = self._presence(atom.likes, scope, domain)
        return self._presences[key]

    def _alone(self, number: int, clause: Clause) -> Sum:
        """Soft: a domain costs if it is used and not by these alone."""
        rest, scope = self.rest, clause.scope
        fixed = self._fixed(number)
        taken = rest.taken_by_others(number)
        if number < rest.index.n_hard:
            # Places that are taken are barred already.
            return Sum(sum(1 for domain in fixed if taken[domain]))
        likes = self.likes_of(clause.members)
        amount = Sum()
        for domain in sorted({*fixed, *self._reach(likes, scope)}):
            used = YES
            if domain not in fixed:
                used = self._presence(likes, scope, domain)
            if taken[domain]:
                amount.add(used)
                continue
            others = [
                self._atom_is_in(atom, scope, domain)
                for atom in self._atoms_at(scope)
                if number not in atom.clauses
            ]
            amount.add(self._both(used, [o for o in others if o != NO]))
        return amount

    def _both(self, used: int, others: Sequence[int]) -> int:
        """Return a literal, set if it is used and any other is there."""
        if not others:
            return NO
        if used == YES:
            return self.program.presence([(o, 1) for o in others])
        if YES in others:
            return used
        flag = self.program.follow(
            0,
            1,
            lambda values: int(
                values[used] > 0 and any(values[o] for o in others)
            ),
        )
        for other in others:
            meeting = Sum().add(used).add(other).add(flag, -1)
            self.program.require(meeting, -INFINITY, 1)
        return flag

    def _keep_alone(self) -> None:
        """Hard: no domain has members of two that exclude each other."""
        rest = self.rest
        for scope in range(len(self._compiled.scopes)):
            hard = frozenset(
                number
                for number in rest.clauses
                if number < rest.index.n_hard
                and number in rest.index.alone
                and rest.index.clauses[number].scope == scope
            )
            if not hard:
                continue
            atoms = self._atoms_at(scope)
            reach = self._reach(
                [k for a in atoms if a.clauses & hard for k in a.likes], scope
            )
            pairs = [
                (one, other)
                for i, one in enumerate(atoms)
                for other in atoms[i + 1 :]
                if (one.clauses ^ other.clauses) & hard
            ]
            is_complete = len(pairs) == len(atoms) * (len(atoms) - 1) // 2
            for domain in reach:
                if is_complete:
                    self.program.at_most_one(
                        self._atom_is_in(atom, scope, domain) for atom in atoms
                    )
                    continue
                for pair in pairs:
                    self.program.at_most_one(
                        self._atom_is_in(atom, scope, domain) for atom in pair
                    )

    # -- near ----------------------------------------------------------------

    def _near(self, number: int, clause: Clause) -> Sum:
        likes = self.likes_of(clause.members)
        amount, wider = Sum(), NO
        for scope in reversed(range(len(self._compiled.scopes))):
            apart = self._apart(clause, likes, scope)
            both = [(flag, 1) for flag in (apart, wider) if flag != NO]
            wider = self.program.presence(both)
            amount.add(wider)
        return amount

    def _apart(self, clause: Clause, likes: Sequence[int], scope: int) -> int:
        """Return a literal, set if these have two domains at the scope."""
        column, at = self._compiled.domain[scope], self.rest.at
        places = at[list(clause.members)]
        fixed = set(column[places[places != UNKNOWN]].tolist()) - {UNKNOWN}
        if len(fixed) > 1:
            return YES
        touches = {
            (like, domain): self._touch(like, scope, domain)
            for like in likes
            for domain in self.domains(like, scope)
        }
        anchors = self._anchors(likes, scope, touches, fixed)
        strays = {
            (touch, anchors.get(domain, NO))
            for (_, domain), touch in touches.items()
        }
        strays = {(t, a) for t, a in strays if t != a and a != YES}
        if not strays:
            return NO
        if (YES, NO) in strays:
            return YES
        found = sorted(strays)
        flag = self.program.follow(
            0,
            1,
            lambda values: int(
                any(_value(t, values) > _value(a, values) for t, a in found)
            ),
        )
        for touch, anchor in found:
            stray = Sum().add(touch).add(anchor, -1).add(flag, -1)
            self.program.require(stray, -INFINITY, 0)
        return flag

    def _anchors(
        self,
        likes: Sequence[int],
        scope: int,
        touches: Mapping[tuple[int, int], int],
        fixed: set[int],
    ) -> dict[int, int]:
        """Return, by domain, whether it is the one to be in; one at most."""
        if fixed:
            return dict.fromkeys(fixed, YES)
        for like in likes:
            is_one = len(self.rest.likes[like].members) == 1
            if is_one and self.is_sure(like, scope):
                return {
                    domain: touches[like, domain]
                    for domain in self.domains(like, scope)
                }
        inside: dict[int, list[int]] = {}
        for (_, domain), touch in touches.items():
            inside.setdefault(domain, []).append(touch)
        anchors: dict[int, int] = {}
        before: list[int] = []
        for domain in self._reach(likes, scope):
            here = inside.get(domain, [])
            is_first = _first(here, before, len(before))
            anchors[domain] = self.program.follow(0, 1, is_first)
            before += here
        self.program.at_most_one(list(anchors.values()))
        return anchors

    # -- objective -----------------------------------------------------------

    def _objective(self) -> Sum:
        if self._compiled.problem.objective == 'pack':
            fresh = [flag for flag in self._used.values() if flag >= 0]
            used = self.program.count(fresh)
            used.constant = len(self._hosts_before)
            return used
        return Sum().add(self._highest_fill())

    def _highest_fill(self) -> int:
        """Return a variable no less than any fill that counts."""
        rest, compiled = self.rest, self._compiled
        lowest = amounts.objective(compiled, rest.at)
        on: dict[int, list[tuple[Like, int]]] = {}
        for like, variables in zip(rest.likes, self.at_place, strict=True):
            if like.is_server:
                for place, variable in variables.items():
                    on.setdefault(place, []).append((like, variable))
        fills: list[tuple[Sum, int]] = []  # taken, of how much
        highest = lowest
        for host, found in sorted(on.items()):
            for number, total in enumerate(compiled.total):
                cap = int(total[host])
                if cap <= 0:
                    continue
                before = cap - int(rest.host_room[number][host])
                taken, most = Sum().add(self._used[host], before), before
                for like, variable in found:
                    if like.size[number]:
                        taken.add(variable, like.size[number])
                        most += (
                            like.size[number] * self._most[like.number][host]
                        )
                most = min(most, max(cap, before))
                if _fill(most, cap) > lowest:
                    fills.append((taken, cap))
                    highest = max(highest, _fill(most, cap))
        level = self.program.follow(
            lowest,
            highest,
            lambda values: max(
                [lowest, *(_fill(t.value(values), cap) for t, cap in fills)]
            ),
        )
        for taken, cap in fills:
            scaled = Sum().add_sum(taken, 1000).add(level, -cap)
            self.program.require(scaled, -INFINITY, 0)
        return level


@dataclasses.dataclass(frozen=True, slots=True)
class _Atom:
    """Likes in the same Alone clauses at one scope."""

    number: int
    clauses: frozenset[int]
    likes: tuple[int, ...]


def _nth_largest(n: int, counts: Sequence[int]) -> int:
    """Return 0 if there are not so many."""
    return sorted(counts, reverse=True)[n - 1] if n <= len(counts) else 0


def _fill(taken: int, cap: int) -> int:
    """Return the fill in per mille, rounded up."""
    return -(-1000 * taken // cap)


def _value(literal: int, values: Sequence[int]) -> int:
    return values[literal] if literal >= 0 else int(literal == YES)


def _first(
    here: Sequence[int], others: Sequence[int], n: int
) -> Callable[[list[int]], int]:
    """Say whether any of these is set, and none of the first n others."""

    def value(values: list[int]) -> int:
        is_in = any(_value(t, values) for t in here)
        return int(is_in and not any(_value(t, values) for t in others[:n]))

    return value


def _merged(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Merge groups that share a number; in order of first appearance."""
    tied = unions.Unions[int]()
    for group in groups:
        tied.join(group)
    return tied.sets()
