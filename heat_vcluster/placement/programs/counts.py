# SPDX-License-Identifier: Apache-2.0
"""Members that nothing tells apart, counted in a program: where they may be.

By place, and by domain at any scope, made when first asked for. What is taken
is kept within what is free, and who must share a domain shares its literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import amounts, unions
from heat_vcluster.placement.numbers.remainder import Like, Remainder
from heat_vcluster.placement.programs import program
from heat_vcluster.placement.programs.program import INFINITY, NO, YES, Sum


class Counts:
    """The free members of a remainder as variables of ``program``.

    ``at_place`` has, by like, place -> how many are there. ``used``: host ->
    whether it has a server, if that is asked for (``with_hosts``);
    ``hosts_before`` have one whatever is decided.
    """

    def __init__(self, rest: Remainder, with_hosts: bool) -> None:
        self.program = program.Program()
        self.rest = rest
        self._compiled = rest.compiled
        self._by_domain: dict[tuple[int, int], dict[int, list[int]]] = {}
        self._sure: dict[tuple[int, int], bool] = {}
        self._counts: dict[tuple[int, int, int], Sum] = {}
        self._touches: dict[tuple[int, int, int], int] = {}
        self._place()
        self.used: dict[int, int] = {}
        self.hosts_before: set[int] = set()
        if with_hosts:
            self._use_hosts()
        self._fill()
        self._keep_to_budgets()
        self._tie()

    # -- places ----------------------------------------------------------

    def _place(self) -> None:
        """Count, of each like, the members at each place."""
        self.at_place: list[dict[int, int]] = []
        self.most: list[dict[int, int]] = []
        for like in self.rest.likes:
            most = self._most_of(like)
            variables = {}
            for place, high in most.items():
                variables[place] = self.program.whole(0, high)
            self.at_place.append(variables)
            self.most.append(most)
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
        self.hosts_before = set(
            amounts.used_hosts(self._compiled, rest.at).tolist()
        )
        counts: dict[int, list[tuple[int, int]]] = {}
        for like, variables in zip(rest.likes, self.at_place, strict=True):
            if like.is_server:
                most = self.most[like.number]
                for place, variable in variables.items():
                    counts.setdefault(place, []).append(
                        (variable, most[place])
                    )
        for host, found in sorted(counts.items()):
            self.used[host] = (
                YES
                if host in self.hosts_before
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
            flag = self.used.get(place, YES)
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
                most += like.size[number] * self.most[like.number][place]
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
            most += self.most[like][place]
        if len(places) == 1:
            return total
        return Sum().add(self.program.total(total, min(n, most)))

    def most_in(self, like: int, scope: int, domain: int) -> int:
        most = sum(
            self.most[like][place]
            for place in self.domains(like, scope).get(domain, ())
        )
        return min(len(self.rest.likes[like].members), most)

    def touch(self, like: int, scope: int, domain: int) -> int:
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

    def presence(self, likes: Sequence[int], scope: int, domain: int) -> int:
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

    def reach(self, likes: Sequence[int], scope: int) -> list[int]:
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


def _merged(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Merge groups that share a number; in order of first appearance."""
    tied = unions.Unions[int]()
    for group in groups:
        tied.join(group)
    return tied.sets()
