# SPDX-License-Identifier: Apache-2.0
"""Placing the largest bundles first, and making room for who is left."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, excerpt
from heat_vcluster.placement.ways import mending
from heat_vcluster.placement.ways.search import (
    UNKNOWN_YET,
    Outcome,
    Search,
    missing,
)

# Of very many hosts at least so many are looked at first.
FEW_HOSTS = 0.1
# So many turns are taken at making room in earnest,
TURNS = 6
# ... one for so many pairs of kind and place: few are soon counted instead.
TURNABLE = 5000
# ... unless so few bundles are left over: turns soon place those.
PLACED_BY_TURNS = 2
# Pairs of kind and place beyond which a glance at counts takes longer than
# another turn in haste, which is sparing of room then: it places, as a rule,
# so many bundles that were left over.
DEAR = 20_000
SEVERAL = 20
# ... and for each of them several had no place in between.
TURNED_OUT = 2
# With hardly more than one complaint of each that is left over, haste was
# over before most had their turn: it goes on, so many times as long.
SELDOM = 1.1
LONGER = 4
# How often a bundle may be in trouble before whole domains are cleared for
# it, turn by turn: each way finds what the others do not.
GENTLE = (0, 4, 2)
# Of more turns than these all but the first are sparing of room.
WISHFUL = 2
# Bundles left over for which some room is made before a glance at counts, and
# in how many domains for each of them: that takes a fraction of it.
TWO_OR_THREE = 3
GIVEN = 6
# Share of all room, and members that one wish ties together, from which on
# wishes are looked at second: as a rule they take room that others need.
SCARCE = 0.5
MANY = 8
# Items left over up to which making room for them seems worth it.
FEW = 120


def place_in_an_excerpt(search: Search) -> Outcome:
    """Place all on a few of the hosts, where so few have much room.

    Who would be together finds the better places the more there are.
    """
    if not search.is_large or not search.haste or _has_wishes(search):
        return UNKNOWN_YET
    part = excerpt.of(search.compiled, search.seed, FEW_HOSTS)
    if part is None:
        return UNKNOWN_YET
    search.tried.append('few of the hosts')
    found = search.place(search.trouble, compiled=part.compiled)
    if not found.is_whole:
        return UNKNOWN_YET
    return search.valid(part.in_whole(found.placement))


def place_in_haste(search: Search) -> Outcome:
    """Place the largest bundles first."""
    search.tried.append('placing the largest bundles first')
    search.is_sparing = search.is_large and _is_scarce(search)
    search.found = _hasty(search, sparing=search.is_sparing)
    if not search.is_done(search.found) and search.trouble:
        search.keep(_hasty_again(search))
    return search.placed()


def _hasty(search: Search, *, sparing: bool = False) -> greedy.Found:
    found = search.place(search.trouble, sparing=sparing)
    is_enough = search.is_large or not search.haste or search.are_alike
    if found.is_whole or is_enough:
        return found
    return min(found, search.place(None, gentle=0), key=missing)


def _hasty_again(search: Search) -> greedy.Found:
    """Go on if haste was over too soon, or give wishes up.

    Or look at them, if they were given up before. What they tie together
    takes room that is scarce. One or two that are left often find a place
    after all; more are counted as soon as placed where there is little to
    count.
    """
    found = search.found
    left = len(found.left) + len(found.unmet)
    if found.trouble <= SELDOM * left:
        again = found.go_on(search.left(), LONGER * search.trouble, 0)
        return again or found
    if not _is_hopeful(found):
        return found
    if _has_wishes(search):
        if left > PLACED_BY_TURNS and search.frame.n_pairs < TURNABLE:
            return found
        was_sparing, search.is_sparing = search.is_sparing, True
        return _hasty(search, sparing=not was_sparing)
    if left <= PLACED_BY_TURNS:
        return found.go_on(search.left(), search.trouble) or found
    return found


def make_some_room(search: Search) -> Outcome:
    """Make some room for few, where that was not done in haste.

    But for who must be alone: those had their choice of domains.
    """
    found = search.found
    left = len(found.left) + len(found.unmet)
    if (
        search.haste
        and not search.is_large
        and left <= TWO_OR_THREE
        and not _must_be_alone(search)
    ):
        search.keep(found.go_on(search.left(), GIVEN * left) or found)
    return search.placed()


def place_sparingly(search: Search) -> Outcome:
    """Be sparing of room, where a glance at counts takes longer.

    If haste was, the one that is left may find a place at once among some
    others. But for who must be alone: he wants more than room.
    """
    if (
        search.frame.n_pairs > DEAR
        and _is_hopeful(search.found)
        and not _must_be_alone(search)
    ):
        if not search.is_sparing:
            search.keep(_hasty(search, sparing=True))
        elif len(search.found.left) == 1:
            return mending.mended(search, search.left(), briefly=True)
    return search.placed()


def place_by_turns(search: Search) -> Outcome:
    """Make room for the few left, each time otherwise.

    From what there is on at first, then all anew.

    But once, if it was asked for in haste: then it is impossible as a
    rule.
    """
    turns = min(TURNS, 1 + search.frame.n_pairs // TURNABLE)
    if not search.haste:
        turns = 1
    for turn in range(-1, turns):
        if _n_items(search) > FEW:
            break
        sparing = turn > 0 and turns > WISHFUL
        if turn < 0:
            search.keep(search.found.go_on(search.left()) or search.found)
        else:
            gentle = GENTLE[turn % len(GENTLE)]
            search.keep(search.place(None, turn, sparing, gentle))
        if search.is_done(search.found):
            break
    return search.placed()


def _has_wishes(search: Search, many: int = 0) -> bool:
    """Tell whether soft rules would have (so many) members in one domain."""
    wishes = constraints.Together, constraints.Near
    return any(
        clause.kind in wishes
        and bool(clause.weight)
        and len(clause.members) >= many
        for clause in search.compiled.soft
    )


def _is_scarce(search: Search) -> bool:
    """Tell whether wishes would take room that others need."""
    if not _has_wishes(search, MANY):
        return False
    compiled = search.compiled
    usable = np.zeros(compiled.n_places, np.bool_)
    for shape in compiled.shapes:
        usable[shape.places] = True
    asked = amounts.asked(compiled).tolist()
    return any(
        amount > SCARCE * int(free[usable[: compiled.n_hosts]].sum())
        for amount, free in zip(asked, compiled.free, strict=True)
    )


def _must_be_alone(search: Search) -> bool:
    """Tell whether one that is left over must be alone."""
    left = {m for bundle in search.found.left for m in bundle}
    return any(
        clause.kind is constraints.Alone
        and not left.isdisjoint(clause.members)
        for clause in search.compiled.hard
    )


def _is_hopeful(found: greedy.Found) -> bool:
    """Tell whether few are left over, and they come by turns.

    Who has trouble while nobody else has any never fits, as a rule.
    """
    left = len(found.left) + len(found.unmet)
    return left <= SEVERAL and found.trouble > TURNED_OUT * left


def _n_items(search: Search) -> int:
    """Return how many have no place; who must share a host is one."""
    bundle_of = search.contracted.bundle_of[0]
    left = search.found.left
    return len({int(bundle_of[m]) for bundle in left for m in bundle})
