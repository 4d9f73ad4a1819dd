# SPDX-License-Identifier: Apache-2.0
"""The hosts of those who must be alone: nobody else uses them.

So who must be alone can be placed without all others, of whom they leave no
more than busy domains to choose; and the fewest hosts in use are theirs and
those of all others, each bounded without the rest.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.alone import lodgings
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers.compiled import Clause, Compiled
from heat_vcluster.placement.numbers.unions import Unions
from heat_vcluster.placement.programs import exact

# Pairs of member and host up to which all of them are looked at together.
FEW = 20_000
# Part of the time that looking for domains which are always theirs may take.
TAKEN = 0.3
# Deterministic seconds for the fewest hosts of one party, and of all at once
# where these are known by the choice of their domains.
EACH = 0.1
ONCE_MORE = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Retreats:
    """How many hosts those use at the least, and the problem of the others.

    ``numbers``: theirs in the whole.
    """

    hosts: int
    rest: Compiled
    numbers: list[int]


def find(
    compiled: Compiled, placement: Ints, *, seconds: float, seed: int = 0
) -> Retreats | None:
    """Bound the hosts of those who must be alone by hard rules, proven.

    ``placement``: a valid one. None: there are none, or somebody has a place
    already.
    """
    parties = _parties(compiled)
    if not parties or compiled.problem.pinned:
        return None
    recluses = {member for party in parties for member in party}
    ends = time.monotonic() + seconds / 2
    contracted = contract.contract(compiled)
    theirs = lodgings.theirs(
        compiled, contracted, seconds=seconds * TAKEN, seed=seed
    )
    rest = compiled.among(set(range(len(compiled.members))) - recluses)
    rest = rest.on(~theirs.taken)
    idle = [_idle(compiled, party) for party in parties]
    least = [
        _by_room(compiled, contracted, party, among)
        for party, among in zip(parties, idle, strict=True)
    ]
    for number, party in enumerate(parties):
        left = ends - time.monotonic()
        if not theirs.members.isdisjoint(party):
            continue
        if left > 0 and least[number] < _used(compiled, placement, party):
            found = _exactly(compiled, party, placement, left, EACH, seed)
            least[number] = max(least[number], found)
    together = theirs.hosts + sum(
        amount
        for party, amount in zip(parties, least, strict=True)
        if theirs.members.isdisjoint(party)
    )
    hosts = max(sum(least), together)
    pairs = sum(
        len(party) * int(np.count_nonzero(among))
        for party, among in zip(parties, idle, strict=True)
    )
    if pairs <= FEW and hosts < _used(compiled, placement, recluses):
        left = max(ends + seconds / 2 - time.monotonic(), 0.0)
        effort = min(left, ONCE_MORE) if theirs.members >= recluses else left
        found = _exactly(compiled, recluses, placement, left, effort, seed)
        hosts = max(hosts, found)
    return Retreats(hosts, rest, _numbers(compiled, rest))


def settle(
    compiled: Compiled,
    contracted: contract.Contracted,
    *,
    seconds: float,
    effort: float,
    seed: int = 0,
) -> tuple[model.Verdict, dict[int, int]]:
    """Place those who must be alone by hard rules, and nobody else.

    Exactly, as far as the time goes; those of the widest scope only, in
    domains chosen before, if all have too much choice. Returns member ->
    place. That there is no such placement is proven, and then there is none
    of the whole. UNKNOWN, too, if there is nobody.
    """
    ends = time.monotonic() + seconds
    recluses = alone(compiled)
    if not recluses:
        return model.Verdict.UNKNOWN, {}
    few = _without_others(compiled, recluses)
    if few.n_pairs <= FEW:
        allowed = None
    else:
        verdict, lodged = lodgings.find(
            compiled, contracted, seconds=seconds, seed=seed
        )
        if verdict is not model.Verdict.FEASIBLE:
            return verdict, {}
        places = _inside(compiled, lodged)
        few = compiled.among(places)
        allowed = {
            few.numbers[compiled.members[member]]: inside
            for member, inside in places.items()
        }
    found = exact.solve(
        few,
        allowed=allowed,
        goal=exact.Goal.ANY,
        seconds=max(ends - time.monotonic(), 0.0),
        effort=effort,
        seed=seed,
    )
    if found.placement is None:
        # In other domains they might find one.
        unknown = model.Verdict.UNKNOWN
        return found.verdict if allowed is None else unknown, {}
    return found.verdict, {
        number: place
        for number, place in zip(
            _numbers(compiled, few), found.placement.tolist(), strict=True
        )
        if compiled.members[number] not in compiled.problem.pinned
    }


def _inside(
    compiled: Compiled, lodged: Mapping[Clause, Sequence[int]]
) -> dict[int, list[int]]:
    """Return member -> its places in the domains of its rule."""
    return {
        member: places[
            np.isin(compiled.domain[clause.scope][places], domains)
        ].tolist()
        for clause, domains in lodged.items()
        for member in clause.members
        for places in (compiled.places(member),)
    }


def others(
    compiled: Compiled, settled: Mapping[int, int]
) -> tuple[Compiled, list[int]]:
    """Return the problem of all but these, and its members' numbers here.

    ``settled``: member -> place. The domains of those who must be alone are
    not for others.
    """
    rest = compiled.among(set(range(len(compiled.members))) - settled.keys())
    free = np.ones(compiled.n_hosts, np.bool_)
    for clause in compiled.hard:
        here = [settled[m] for m in clause.members if m in settled]
        if clause.kind is constraints.Alone and here:
            column = compiled.domain[clause.scope]
            free &= ~np.isin(column[: compiled.n_hosts], column[here])
    return rest.on(free), _numbers(compiled, rest)


def _used(
    compiled: Compiled, placement: Ints, members: Collection[int]
) -> int:
    """Return how many hosts servers of these use."""
    only = np.full(len(placement), UNKNOWN, np.int64)
    chosen = sorted(members)
    only[chosen] = placement[chosen]
    return len(amounts.used_hosts(compiled, only))


def alone(compiled: Compiled) -> list[int]:
    """Return all who must be alone by hard rules, and surely somewhere."""
    return [member for party in _parties(compiled) for member in party]


def _parties(compiled: Compiled) -> list[tuple[int, ...]]:
    """Return the members of whom no server shares a host with another party.

    Or with who is in none: all of a party lie in a domain, wherever they are.
    """
    parties = Unions[int]()
    for clause in compiled.hard:
        if clause.kind is constraints.Alone and _is_sure(compiled, clause):
            parties.join(clause.members)
    return [tuple(sorted(party)) for party in parties.sets()]


def _is_sure(compiled: Compiled, clause: Clause) -> bool:
    """Tell whether all have a domain wherever they may go.

    As who may go nowhere does, too, unlike in ``takes``: what is proven of
    the party tells of him.
    """
    column = compiled.domain[clause.scope]
    return all(
        bool(np.all(column[compiled.places(member)] != UNKNOWN))
        for member in clause.members
    )


def _without_others(compiled: Compiled, recluses: Collection[int]) -> Compiled:
    """Return the problem of these alone, on hosts that may be theirs."""
    few = compiled.among(recluses)
    return few.on(~few.busy[0])


def _numbers(compiled: Compiled, part: Compiled) -> list[int]:
    """Return the numbers in the whole of the members of a part."""
    return [compiled.numbers[name] for name in part.members]


def _idle(compiled: Compiled, party: tuple[int, ...]) -> Flags:
    """Return the hosts that all of a party's rules leave to its servers."""
    idle: Flags = np.zeros(compiled.n_hosts, np.bool_)
    for member in party:
        if compiled.is_server[member]:
            idle[compiled.places(member)] = True
    inside = set(party)
    for clause in compiled.hard:
        if clause.kind is constraints.Alone and inside == {*clause.members}:
            domains = compiled.domain[clause.scope][: compiled.n_hosts]
            idle &= ~compiled.busy[clause.scope][domains]
    return idle


def _by_room(
    compiled: Compiled,
    contracted: contract.Contracted,
    party: tuple[int, ...],
    idle: Flags,
) -> int:
    """Return how many of the roomiest hosts it takes, where all fit."""
    servers = [m for m in party if compiled.is_server[m]]
    if not servers:
        return 0
    hosts = np.flatnonzero(idle)
    domains = np.zeros(len(hosts), np.int64)
    for scope, bundle_of in enumerate(contracted.bundle_of):
        if len(np.unique(bundle_of[servers])) == 1:
            domains = compiled.domain[scope][hosts]
            break
    takes = np.ones(int(domains.max(initial=0)) + 1, np.int64)
    asked = np.sum([compiled.size(m) for m in servers], axis=0)
    for free, amount in zip(compiled.free, asked.tolist(), strict=True):
        if amount:
            found = _hosts_for(amount, free[hosts], domains, len(takes))
            takes = np.maximum(takes, found)
    return int(min(takes.min(), len(servers)))


def _hosts_for(amount: int, room: Ints, domains: Ints, count: int) -> Ints:
    """Return, by domain, how many hosts it takes; very many: not enough."""
    order = np.lexsort((-room, domains))
    room, domains = room[order], domains[order]
    first = np.searchsorted(domains, np.arange(count))
    total = np.concatenate(([0], np.cumsum(room)))
    before = total[first][domains]
    is_short = total[1:] - before < amount
    short = np.bincount(domains[is_short], minlength=count)
    there = np.bincount(domains, minlength=count)
    return np.where(short < there, short + 1, len(room) + 1)


def _exactly(
    compiled: Compiled,
    recluses: Collection[int],
    placement: Ints,
    seconds: float,
    effort: float,
    seed: int,
) -> int:
    """Bound the hosts of these by solving for them and nobody else."""
    few = _without_others(compiled, recluses)
    few.soft = ()
    found = exact.solve(
        few,
        hint=placement[_numbers(compiled, few)],
        seconds=seconds,
        effort=effort,
        seed=seed,
    )
    return found.bound.objective or 0
