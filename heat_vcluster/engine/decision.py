# SPDX-License-Identifier: Apache-2.0
"""From what is wanted to a plan, with no more of the cloud than it takes."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Protocol

from heat_vcluster import exception, metrics
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.engine import base
from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import columns
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec


class Taken(Protocol):
    """A hold as it is recorded."""

    @property
    def place(self) -> str: ...

    @property
    def resources(self) -> Mapping[str, int]: ...


Look = Callable[[model.Reading], model.Reading]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what it was made on."""

    plan: placement.Plan
    snapshot: placement.Snapshot
    demands: tuple[placement.Demand, ...]


def decide(
    outside: cloud.Cloud,
    planner: base.Planner,
    wanted: spec.GroupSpec,
    demands: Sequence[placement.Demand],
    *,
    seed: str,
    pinned: Mapping[str, str] | None = None,
    used: Mapping[str, Mapping[str, int]] | None = None,
    choices: solvers.Choices | None = None,
    look: Look = lambda reading: reading,
    sees: Collection[str] = (),
) -> Decision:
    """Plan on a part of the cloud, and on ever more of it if need be.

    That a part has no placement proves nothing, so only the whole cloud can
    lead to a refusal; and a plan that gives up a soft rule is taken only
    when no wider look has a better one. ``used``: what the tenant has
    already, if the planner asks for it; ``choices``: what servers might be
    instead, to be proposed in a refusal. ``look`` may change readings before
    they are planned on; what does not show all the places in ``sees`` is
    not planned on unless it is all there is. Raises as the planner does.
    """
    best: Decision | None = None
    reach = planner.reach(wanted, demands, seed)
    readings = metrics.timed('read', outside.readings(demands, reach))
    for reading in map(look, readings):
        if sees and not reading.is_whole and unseen(reading, sees):
            continue
        try:
            plan = planner.plan(
                wanted,
                reading.demands,
                reading.snapshot,
                pinned or {},
                used=used or {},
                choices=choices or {},
                is_whole=reading.is_whole,
            )
        except exception.NoValidPlacement:
            if reading.is_whole and best is None:
                raise
            continue
        if best is None or plan.soft_cost < best.plan.soft_cost:
            best = Decision(plan, reading.snapshot, reading.demands)
        if not plan.soft_cost:
            break
    if best is None:
        raise AssertionError('the last reading is whole')
    return best


def unseen(reading: model.Reading, places: Collection[str]) -> frozenset[str]:
    """Return those of the places that a reading does not show."""
    known = reading.snapshot
    shown = set(columns.of(known.hosts, known.levels).names)
    shown.update(pool.name for pool in known.pools)
    return frozenset(places) - shown


def used(
    servers: Mapping[str, Mapping[str, int]], holds: Iterable[Taken]
) -> dict[str, dict[str, int]]:
    """Return what a tenant has on each host: servers, and what is held.

    A hold is given back before its server claims the room, so that nothing
    counts twice.
    """
    found = {host: collections.Counter(has) for host, has in servers.items()}
    for hold in holds:
        found.setdefault(hold.place, collections.Counter()).update(
            hold.resources
        )
    return {host: dict(amounts) for host, amounts in found.items()}
