# SPDX-License-Identifier: Apache-2.0
"""Counting kinds of members: for a moment, to the end, or by host."""

from __future__ import annotations

import time

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import attempts, refutation
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import contract
from heat_vcluster.placement.ways import placing, whole
from heat_vcluster.placement.ways.search import (
    GLANCE,
    INFEASIBLE,
    UNKNOWN_YET,
    Outcome,
    Search,
)

# Hosts beyond which members are counted in a part of the cloud first: in
# this share of it, with so many hosts of a domain for a shape as are enough.
HUGE = 30000
SOME = 0.3
ENOUGH = 6
# Share of what is asked: where less of a resource is to spare, it is a jigsaw.
BRIM = 0.02
# Part of the time that is left, for counting,
HALF = 0.5
# ... and where turns would hardly help.
MOSTLY = 0.8
# So many members are alike, by places, where a medium problem is counted.
SAVED = 2


def count_first(search: Search) -> Outcome:
    """Count before anybody is placed, if there is little to count.

    Where volumes must be on the hosts of servers: who takes room for the one
    does not see that the other has none, and much is left over.
    """
    if (
        search.is_large
        and search.haste
        and _are_beside_servers(search)
        and search.frame.n_pairs < placing.TURNABLE
    ):
        search.tried.append('counting kinds of members at once')
        return _read(
            search,
            attempts.place_at_once(
                search.compiled, search.contracted, search.ends, search.seed
            ),
        )
    return UNKNOWN_YET


def look_in_a_part(search: Search) -> Outcome:
    """Count in a part of a very large cloud; it proves nothing."""
    if search.compiled.n_hosts <= HUGE:
        return UNKNOWN_YET
    search.tried.append('a part of the hosts')
    part = _part(search.compiled, SOME, search.seed)
    cast = attempts.place(
        part,
        contract.contract(part),
        time.monotonic() + HALF * search.left(),
        search.seed,
    )
    if isinstance(cast, refutation.Proof):
        return UNKNOWN_YET
    return search.valid(cast)


def glance(search: Search) -> Outcome:
    """Count kinds of members by domain, for a moment.

    But not of a large problem that is soon counted to the end.
    """
    if search.is_large and _is_soon_counted(search):
        return UNKNOWN_YET
    search.tried.append('counting kinds of members by domain')
    return INFEASIBLE if search.is_refuted(GLANCE) else UNKNOWN_YET


def count_soon(search: Search) -> Outcome:
    """Count to the end at once, where that takes less than turns."""
    if not _is_soon_counted(search):
        return UNKNOWN_YET
    return count(search, MOSTLY)


def count_medium(search: Search) -> Outcome:
    """Count a medium problem to the end, where many members are alike."""
    if search.pairs <= whole.MEDIUM and _is_sooner_by_counts(search):
        return count(search)
    return UNKNOWN_YET


def count(search: Search, share: float = HALF) -> Outcome:
    """Count to the end, once, and find the members that counts mean.

    For a share of the time that is left.
    """
    if search.is_counted or not search.left():
        return UNKNOWN_YET
    search.is_counted = True
    search.tried.append('counting kinds of members, then casting them')
    return _read(
        search,
        attempts.place(
            search.compiled,
            search.contracted,
            time.monotonic() + search.left() * share,
            search.seed,
            search.found.placement,
        ),
    )


def _read(search: Search, found: Ints | refutation.Proof | None) -> Outcome:
    if isinstance(found, refutation.Proof):
        return INFEASIBLE
    return UNKNOWN_YET if found is None else search.first(found)


def count_all_hosts(search: Search) -> Outcome:
    """Look for the proof alone, host by host."""
    search.tried.append('counting kinds of members by host')
    if refutation.prove(
        search.compiled,
        search.contracted,
        time.monotonic() + HALF * search.left(),
        search.seed,
    ):
        return INFEASIBLE
    return UNKNOWN_YET


def is_jigsaw(search: Search) -> bool:
    """Tell whether many hosts must be filled to the brim.

    Who asks in haste wants a proof.
    """
    if not search.haste:
        return False
    for number in range(len(search.compiled.resources)):
        usable, spare = search.frame.usable(number)
        asked = int(usable.sum()) - spare
        if 0 <= spare <= BRIM * asked and asked:
            return True
    return False


def _is_soon_counted(search: Search) -> bool:
    """Tell whether counting to the end takes less than turns would.

    That is, with little to count and more left over than turns place:
    of a jigsaw they place nothing.
    """
    if search.frame.n_pairs >= placing.TURNABLE:
        return False
    if search.pairs <= whole.MEDIUM:
        return _is_sooner_by_counts(search) and is_jigsaw(search)
    return len(search.found.left) > placing.PLACED_BY_TURNS


def _is_sooner_by_counts(search: Search) -> bool:
    """Tell whether counting members is less than to look at each."""
    return SAVED * search.frame.n_pairs <= search.pairs


def _are_beside_servers(search: Search) -> bool:
    """Tell whether volumes must be on the hosts of servers."""
    is_server = search.compiled.is_server
    return any(
        clause.kind is constraints.Together
        and clause.scope == 0
        and not all(is_server[member] for member in clause.members)
        for clause in search.compiled.hard
    )


def _part(
    compiled: numbers.Compiled, share: float, seed: int
) -> numbers.Compiled:
    """Return the problem with a share of the hosts, of those most useful.

    Whole domains of the narrowest level, the first of them those with the
    most hosts for members of each shape.
    """
    scope = min(1, len(compiled.scopes) - 1)
    column, count = compiled.domain[scope], compiled.n_domains[scope]
    worth = np.random.default_rng(seed).random(count)
    servers = [shape for shape in compiled.shapes if shape.is_server]
    for shape in servers:
        domains = column[shape.places]
        here = np.bincount(domains[domains != UNKNOWN], minlength=count)
        worth += np.minimum(here, ENOUGH)
    chosen = np.zeros(count + 1, np.bool_)
    most = max(1, round(share * count))
    chosen[np.argsort(-worth, kind='stable')[:most]] = True
    return compiled.on(chosen[column[: compiled.n_hosts]])
