# SPDX-License-Identifier: Apache-2.0
"""The fewest hosts, by counts of members: plans, and what bounds them."""

from __future__ import annotations

import copy
import dataclasses
import time

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import Flags, Ints
from heat_vcluster.placement.counting import (
    casting,
    footprint,
    framing,
    likeness,
    solving,
    sorting,
    tally,
)
from heat_vcluster.placement.numbers import amounts, contract
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.programs import linear

COARSELY = 2_000  # pairs in a second with small rules left out
DEGREE = 0.7  # share of the time for that
PACE = 800  # pairs of kind and host in a second that packing can look at
ROUGH = (6, 4, 2, 1)  # steps of room, by which hosts are much alike
FINER = (6, 12, 24)  # steps for the time that is left
QUICK = 1_600  # variables a second with which a rough packing ends
ROUGHEST = 6_000  # variables up to which it is worth beginning
RELAXED = 4_000  # pairs of kind and host in a second that real numbers take
CHOSEN = 40  # hosts then, at the least,
TIMES = 3  # and so many times as many as are in use in a rough packing
SHARE = 0.75  # of the time left, for counts: members come after
FIRST = 0.3  # share of the time for the bound then
GLANCE = 0.15  # ... and for that on sizes alone, before
FINENESS = (3_000, 60_000)  # pairs of kind and place that small rules cost
FINEST = 400_000  # ... where few hosts are chosen:
SMALL = 30_000  # up to so many pairs of member and host


def pack(
    compiled: numbers.Compiled, start: Ints, deadline: float, seed: int = 0
) -> tuple[Ints | None, int]:
    """Use the fewest hosts; return a placement and a bound, proven.

    No placement that obeys the hard rules uses fewer hosts than the bound,
    whatever its soft cost. Soft rules play no part in the placement.
    ``start``: a placement that is known, which helps where there are more
    hosts than can be looked at.
    """
    contracted = contract.contract(compiled)
    frame = framing.Frame.of(compiled, contracted)
    left = deadline - time.monotonic()
    if frame.n_pairs <= left * PACE:
        placement, bound = _among_all(frame, contracted, deadline, seed)
    else:
        kinds = likeness.coarser(frame.likeness, contracted)
        coarse = None if kinds is None else framing.Frame(kinds)
        if coarse is not None and coarse.n_pairs <= left * COARSELY:
            placement, bound = _by_degrees(
                coarse, contracted, start, deadline, seed
            )
        else:
            placement, bound = _among_some(
                frame, contracted, start, deadline, seed
            )
    return placement, max(bound, _least(frame, contracted))


def fewest(compiled: numbers.Compiled) -> int:
    """Return a bound of what is used, soon known: by rules or by room."""
    contracted = contract.contract(compiled)
    return _least(framing.Frame.of(compiled, contracted), contracted)


def _least(frame: framing.Frame, contracted: contract.Contracted) -> int:
    by_rules = footprint.fewest(frame.compiled, contracted)
    return max(by_rules, _by_room(frame))


def _among_all(
    frame: framing.Frame,
    contracted: contract.Contracted,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Look at all hosts, telling members apart as far as time allows."""
    finer = framing.Frame(
        likeness.Likeness(frame.compiled, contracted, few=FINENESS[-1])
    )
    if finer.n_pairs <= (deadline - time.monotonic()) * PACE:
        frame = finer
    return _pack(frame, contracted, deadline, seed)


def _by_degrees(
    coarse: framing.Frame,
    contracted: contract.Contracted,
    start: Ints,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Look at all hosts coarsely, and closer at those of use then."""
    counts = tally.Tally(coarse, packs=True)
    left = deadline - time.monotonic()
    outcome = _fewest(counts, time.monotonic() + left * DEGREE, seed)
    if outcome.values is not None:
        caster = casting.Casting(coarse, contracted)
        whole = caster.cast(counts, outcome.values, deadline, seed).whole
        if whole is not None and amounts.is_valid(coarse.compiled, whole):
            return whole, outcome.bound
    compiled, placement = coarse.compiled, None
    if outcome.values is not None:
        among = np.zeros(compiled.n_hosts, np.bool_)
        for given in tally.by_host(counts, outcome.values).values():
            among[[place for place in given if place < len(among)]] = True
        placement = _pack_closer(compiled, contracted, among, deadline, seed)
    if placement is None and time.monotonic() < deadline:
        among = _promising(counts, outcome, start)
        placement = _pack_closer(compiled, contracted, among, deadline, seed)
    return placement, outcome.bound


def _pack_closer(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    among: Flags,
    deadline: float,
    seed: int,
) -> Ints | None:
    """Pack on some of the hosts, telling members apart as far as need be."""
    for few in _fineness(compiled, among):
        kinds = likeness.Likeness(compiled, contracted, few=few)
        chosen = framing.Frame(kinds, among)
        placement, _ = _pack(chosen, contracted, deadline, seed)
        is_late = time.monotonic() > deadline
        if placement is not None or not kinds.is_coarse or is_late:
            return placement
    return None


def _among_some(
    frame: framing.Frame,
    contracted: contract.Contracted,
    start: Ints,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    """Bound first, where hosts are too many, then pack on some of them."""
    compiled = frame.compiled
    left = deadline - time.monotonic()
    blurred = by_size(compiled)
    bounding = framing.Frame.of(blurred, contract.contract(blurred))
    bound = _at_least(bounding, left, seed)
    if time.monotonic() > deadline:
        return None, bound
    counts = _rough(frame, left, ROUGHEST)
    if counts is None or time.monotonic() > deadline:
        return None, bound
    rough = _fewest(counts, time.monotonic() + left * FIRST, seed)
    among = _promising(counts, rough, start)
    if rough.bound > bound:
        bounding, bound = frame, rough.bound
    placement = _pack_closer(compiled, contracted, among, deadline, seed)
    for steps in FINER:
        # What time is left may tell more of what cannot be.
        if time.monotonic() > deadline or (
            placement is not None
            and len(amounts.used_hosts(compiled, placement)) <= bound
        ):
            break
        finer = tally.Tally(bounding, packs=True, flat=steps)
        bound = max(bound, _fewest(finer, deadline, seed).bound)
    return placement, bound


def _at_least(frame: framing.Frame, left: float, seed: int) -> int:
    """Bound the hosts in use: in real numbers at first, which takes least."""
    counts: tally.Tally | None
    if frame.n_pairs <= left * RELAXED:
        counts = tally.Tally(frame, packs=True)
    else:
        counts = _rough(frame, left, int(left * RELAXED))
    if counts is None or counts.impossible:
        return 0
    now = time.monotonic()
    bound = counts.program.relax(now + left * FIRST).bound
    outcome = _fewest(counts, time.monotonic() + left * GLANCE, seed)
    return max(bound, outcome.bound)


def by_size(compiled: numbers.Compiled) -> numbers.Compiled:
    """Return a problem that every placement of this one is one of.

    Members of one size may be wherever any of them may, and no rule looks
    beyond single hosts: so there are few kinds to count.
    """
    found = copy.copy(compiled)
    alike: dict[object, list[numbers.Shape]] = {}
    for shape in compiled.shapes:
        only = shape.number if shape.fixed else None
        key = shape.is_server, shape.size, only
        alike.setdefault(key, []).append(shape)
    numbered = np.zeros(len(compiled.shapes), np.int64)
    shapes = []
    for number, several in enumerate(alike.values()):
        numbered[[shape.number for shape in several]] = number
        places = np.unique(np.concatenate([s.places for s in several]))
        shapes.append(
            dataclasses.replace(several[0], number=number, places=places)
        )
    found.shapes, found.shape_of = tuple(shapes), numbered[compiled.shape_of]
    found.hard = tuple(
        clause
        for clause in compiled.hard
        if clause.scope == 0
        and clause.kind in (constraints.Together, constraints.AtMost)
    )
    return found


def _by_room(frame: framing.Frame) -> int:
    """Return how many of the roomiest hosts it takes, by each resource."""
    found = 0
    for number in range(len(frame.likeness.free)):
        usable, spare = frame.usable(number)
        room = np.cumsum(np.sort(usable)[::-1])
        asked = int(usable.sum()) - spare
        if asked > 0:
            found = max(found, int(np.searchsorted(room, asked)) + 1)
    return found


def _rough(
    frame: framing.Frame, left: float, roughest: float
) -> tally.Tally | None:
    """Count hosts much alike as one, as exactly as time allows.

    Or not at all if that takes more than ``roughest`` variables.
    """
    for steps in ROUGH:
        most = FIRST * left * QUICK if steps > ROUGH[-1] else roughest
        counts = tally.Tally(frame, packs=True, flat=steps, most=most)
        if counts.is_written:
            return counts
    return None


def _fineness(compiled: numbers.Compiled, among: Flags) -> tuple[int, ...]:
    pairs = len(compiled.members) * int(among.sum())
    return (FINENESS[0], FINEST) if pairs <= SMALL else FINENESS


def _pack(
    frame: framing.Frame,
    contracted: contract.Contracted,
    deadline: float,
    seed: int,
) -> tuple[Ints | None, int]:
    counts = tally.Tally(frame, packs=True)
    left = deadline - time.monotonic()
    outcome = _fewest(counts, time.monotonic() + SHARE * left, seed)
    if outcome.values is None:
        return None, outcome.bound
    caster = casting.Casting(frame, contracted)
    cast = caster.cast(counts, outcome.values, deadline, seed)
    placement = cast.whole
    if placement is not None and amounts.is_valid(frame.compiled, placement):
        return placement, outcome.bound
    reach = caster.reach(counts, outcome.values)
    for places in (reach, _all_in_use(frame.compiled, reach)):
        placement = sorting.sort_out(frame.compiled, places, deadline, seed)
        if placement is not None:
            break
    return placement, outcome.bound


def _all_in_use(
    compiled: numbers.Compiled, reach: dict[int, list[int]]
) -> dict[int, list[int]]:
    """Return, by member, all hosts that anybody reaches and it may have."""
    hosts = {
        place
        for member, places in reach.items()
        if compiled.is_server[member]
        for place in places
    }
    return {
        member: [p for p in compiled.places(member).tolist() if p in hosts]
        if compiled.is_server[member]
        else compiled.places(member).tolist()
        for member in reach
    }


def _fewest(counts: tally.Tally, deadline: float, seed: int) -> linear.Outcome:
    """Have as few hosts in use as can be: by both solvers in turn."""
    if counts.impossible:
        return linear.Outcome(linear.Status.NONE)
    return solving.fewest(counts.program, deadline, seed)


def _promising(
    counts: tally.Tally, rough: linear.Outcome, start: Ints
) -> Flags:
    """Choose hosts: like those in use in a rough packing, the roomiest.

    And those that ``start`` uses, so that there is a placement.
    """
    compiled = counts.compiled
    among = np.zeros(compiled.n_hosts, np.bool_)
    among[amounts.used_hosts(compiled, start)] = True
    room = sum(
        free / max(1, int(free.max(initial=0))) for free in compiled.free
    )
    order = np.argsort(-room, kind='stable')
    if rough.values is not None:
        cells = counts.cells_in_use(rough.values)
        inside = np.isin(counts.cell_of(order), cells)
        among[order[inside][: max(CHOSEN, TIMES * rough.objective)]] = True
    among[order[: CHOSEN // 4]] = True
    return among
