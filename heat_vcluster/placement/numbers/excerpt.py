# SPDX-License-Identifier: Apache-2.0
"""A part of a cloud with much more room than is asked, to look at first.

Few members need few of very many hosts. Whole domains are taken, as many from
each wider one, until there are several hosts for each member; no others are
looked at. What is placed there can be looked at as a plan of the whole; that
not all is placed says nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Floats, Ints
from heat_vcluster.placement.numbers import compiled as numbers

# So many places for each member, by kind of member,
ENOUGH = 4
# ... and so many domains for each that a rule wants to be used.
DOMAINS = 3
# So many domains at a scope are many: whole ones are taken of the widest such.
MANY = 20
# A part that is larger is not worth a look of its own.
MOST = 0.5


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """A part of a cloud; ``places`` has the numbers they have in all of it."""

    compiled: numbers.Compiled
    places: Ints

    def in_whole(self, placement: Ints) -> Ints:
        """Return a placement in the part as one in all of the cloud."""
        found = placement.copy()
        has_place = placement != UNKNOWN
        found[has_place] = self.places[placement[has_place]]
        return found


def of(compiled: numbers.Compiled, seed: int, least: float) -> Excerpt | None:
    """Return a part with room for several times as many; None: too much.

    ``least``: its share of the domains at the least. Those come first that
    have the most of what is scarce; the seed decides between equals.
    """
    scope = _scope(compiled)
    column, count = compiled.domain[scope], compiled.n_domains[scope]
    kinds = [
        (n, np.bincount(column[places], minlength=count))
        for n, places in _kinds(compiled, scope)
    ]
    wanted = [(ENOUGH * n, counts) for n, counts in kinds]
    wanted += _domains(compiled, scope)
    order = _in_turn(compiled, scope, _worth(kinds, count, seed))
    if not len(order):
        return None
    few = max(round(least * len(order)), 1)
    for n, counts in wanted:
        so_far = np.cumsum(counts[order])
        enough = min(n, int(so_far[-1]))
        few = max(few, int(np.searchsorted(so_far, enough)) + 1)
    if few > MOST * len(order):
        return None
    chosen = np.zeros(count + 1, np.bool_)
    chosen[order[:few]] = True
    if not _is_level(compiled, scope, chosen):
        return None
    hosts = chosen[column[: compiled.n_hosts]]
    for shape in compiled.shapes:
        if shape.fixed and shape.is_server:
            hosts[shape.places] = True
    return _cut(compiled, hosts)


def _scope(compiled: numbers.Compiled) -> int:
    """Return the widest scope with many domains."""
    top = 0
    while top < len(compiled.is_nested) and compiled.is_nested[top]:
        top += 1
    many = [s for s in range(top + 1) if compiled.n_domains[s] >= MANY]
    return max(many, default=0)


def _kinds(
    compiled: numbers.Compiled, scope: int
) -> Iterator[tuple[int, Ints]]:
    """Give for members alike how many there are, and where one may go.

    Of hosts in use those who must be alone have none. Places with no known
    domain at the scope are left out.
    """
    idle: dict[int, set[int]] = {}
    for clause in (*compiled.hard, *compiled.soft):
        if clause.kind is constraints.Alone:
            for member in clause.members:
                idle.setdefault(member, set()).add(clause.scope)
    kinds: dict[tuple[int, frozenset[int]], int] = {}
    for member, shape in enumerate(compiled.shape_of.tolist()):
        if not compiled.shapes[shape].fixed:
            kind = shape, frozenset(idle.get(member, ()))
            kinds[kind] = kinds.get(kind, 0) + 1
    for (shape, scopes), n in kinds.items():
        places = compiled.shapes[shape].places
        for wide in sorted({*scopes, scope}):
            domains = compiled.domain[wide][places]
            may = domains != UNKNOWN
            if wide in scopes:
                may &= ~compiled.busy[wide][domains]
            places = places[may]
        yield n, places


def _worth(kinds: list[tuple[int, Ints]], count: int, seed: int) -> Floats:
    """Return, by domain, how much it has of what is asked.

    What is scarce counts more.
    """
    worth = 1e-3 * np.random.default_rng(seed).random(count)
    for n, counts in kinds:
        worth += n / max(int(counts.sum()), 1) * counts
    return worth


def _in_turn(compiled: numbers.Compiled, scope: int, worth: Floats) -> Ints:
    """Return the domains, the best of each next wider one by turns."""
    order = np.argsort(-worth, kind='stable')
    if scope + 1 >= len(compiled.scopes):
        return order
    above = compiled.above(scope, scope + 1)[order]
    by_above = np.argsort(above, kind='stable')
    starts = np.searchsorted(above[by_above], above[by_above])
    turn = np.empty(len(order), np.int64)
    turn[by_above] = np.arange(len(order)) - starts
    return order[np.argsort(turn, kind='stable')]


def _domains(
    compiled: numbers.Compiled, wide: int
) -> Iterator[tuple[int, Ints]]:
    """Give how many domains rules want, scope by scope, and where they are.

    That is: how many there are of them in each at the wide scope. Those for
    who must be alone are idle, and each is for one rule.
    """
    for scope in range(1, wide + 1):
        above = compiled.above(scope, wide)
        counts = np.bincount(
            above[above != UNKNOWN], minlength=compiled.n_domains[wide]
        )
        yield DOMAINS * _asked(compiled, scope), counts
        alone = sum(
            clause.kind is constraints.Alone and clause.scope == scope
            for clause in (*compiled.hard, *compiled.soft)
        )
        idle = above[~compiled.busy[scope] & (above != UNKNOWN)]
        yield (
            DOMAINS * alone,
            np.bincount(idle, minlength=compiled.n_domains[wide]),
        )


def _asked(compiled: numbers.Compiled, scope: int) -> int:
    """Return in how many domains at the scope one rule wants members."""
    most = 1
    for clause in (*compiled.hard, *compiled.soft):
        if clause.scope != scope:
            continue
        if clause.kind is constraints.AtMost:
            most = max(most, -(-len(clause.units) // max(clause.limit, 1)))
        elif clause.kind is constraints.AtLeast:
            most = max(most, clause.limit)
        elif clause.kind is constraints.Lost:
            members = len(clause.members)
            asked = constraints.domains_for(members, clause.lost, clause.limit)
            most = max(most, asked)
    return most


def _is_level(compiled: numbers.Compiled, wide: int, chosen: Flags) -> bool:
    """Tell whether no rule is broken by leaving the other domains empty.

    ``chosen``: those at the wide scope that are not.
    """
    for clause in (*compiled.hard, *compiled.soft):
        if clause.kind is not constraints.Level or clause.scope > wide:
            continue
        inside = chosen[
            compiled.above(clause.scope, wide)[list(clause.domains)]
        ]
        room = clause.limit * int(inside.sum())
        if clause.scope == 0 or (
            not inside.all() and len(clause.members) > room
        ):
            return False
    return True


def _cut(compiled: numbers.Compiled, hosts: Flags) -> Excerpt:
    """Return the problem with these hosts alone, numbered anew.

    Wider domains keep their numbers, and what is told of them (who is busy,
    what must be level) is told of all of the cloud. Pools go with their
    hosts. Its columns are of the part, but ``hosts`` and ``problem`` are not.
    """
    kept = np.append(hosts, np.ones(compiled.n_pools, np.bool_))
    local = compiled.domain[0][compiled.n_hosts :]
    on_host = (local != UNKNOWN) & (local < compiled.n_hosts)
    kept[compiled.n_hosts :][on_host] = hosts[local[on_host]]
    places = np.flatnonzero(kept)
    number = np.full(compiled.n_places, UNKNOWN, np.int64)
    number[places] = np.arange(len(places))
    of_host = np.flatnonzero(
        np.append(hosts, np.ones(compiled.n_domains[0] - len(hosts), np.bool_))
    )
    domain_number = np.full(compiled.n_domains[0] + 1, UNKNOWN, np.int64)
    domain_number[of_host] = np.arange(len(of_host))
    host_column, *wider = (column[places] for column in compiled.domain)
    part = compiled.changed(
        n_hosts=int(hosts.sum()),
        n_places=len(places),
        n_pools=len(places) - int(hosts.sum()),
        place_names=tuple(compiled.place_names[p] for p in places.tolist()),
        domain=[domain_number[host_column], *wider],
        domain_names=[
            tuple(compiled.domain_names[0][d] for d in of_host.tolist()),
            *compiled.domain_names[1:],
        ],
        n_domains=[len(of_host), *compiled.n_domains[1:]],
        parent=[
            parent[of_host] if scope == 0 else parent
            for scope, parent in enumerate(compiled.parent)
        ],
        free=[column[hosts] for column in compiled.free],
        total=[column[hosts] for column in compiled.total],
        pool_free=compiled.pool_free[kept[compiled.n_hosts :]],
        busy=[compiled.busy[0][of_host], *compiled.busy[1:]],
        budgets=tuple(
            dataclasses.replace(cap, room=tuple(r[of_host] for r in cap.room))
            if cap.scope == 0
            else cap
            for cap in compiled.budgets
        ),
        shapes=tuple(
            dataclasses.replace(shape, places=_known(number[shape.places]))
            for shape in compiled.shapes
        ),
    )
    return Excerpt(part, places)


def _known(numbered: Ints) -> Ints:
    known: Ints = numbered[numbered != UNKNOWN]
    return known
