# SPDX-License-Identifier: Apache-2.0
"""From what a check found to the moves that put it right."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import base, build, inspection
from heat_vcluster.placement import columns, moves, pseudonyms
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The moves, and the cloud in which they were planned; real names."""

    relocation: moves.Relocation
    snapshot: placement.Snapshot

    @property
    def moves(self) -> tuple[moves.Move, ...]:
        return self.relocation.moves or ()


def plan(
    cluster_id: str,
    wanted: spec.GroupSpec,
    outside: cloud.Cloud,
    planner: base.Planner,
    found: inspection.Finding,
) -> Plan:
    """Decide which servers move; raises as ``Planner.repair`` does.

    Those at fault stay where they are, and so do volumes. Rules that could
    not be judged play no part.
    """
    wanted = inspection.without(wanted, found.unjudged)
    if not found.breaches:
        return Plan(moves.Relocation((), is_least=True), found.snapshot)
    resolved = outside.resolve(wanted, is_begun=True)
    here = {
        demand.member: found.places[demand.member]
        for demand in resolved.demands
        if isinstance(demand, placement.ServerDemand)
        and demand.member in found.places
        and demand.member not in found.faults
    }
    movable = [d for d in resolved.demands if d.member in here]
    reach = planner.reach(wanted, movable, cluster_id)
    *_, reading = outside.readings(movable, reach)
    snapshot = _as_others_see(
        build.merge(reading.snapshot, found.snapshot), found
    )
    pinned = {m: p for m, p in found.places.items() if m not in here}
    return Plan(
        planner.repair(wanted, reading.demands, snapshot, pinned, here),
        snapshot,
    )


def _as_others_see(
    snapshot: placement.Snapshot, found: inspection.Finding
) -> placement.Snapshot:
    """Let our own servers not make their hosts busy.

    ``found`` knows of the hosts where rules want nobody else which are
    shared; of our other hosts it does not matter.
    """
    table = columns.of(snapshot.hosts, snapshot.levels)
    before = columns.of(found.snapshot.hosts, found.snapshot.levels)
    known = {
        name: bool(before.is_busy[number])
        for number, name in enumerate(before.names)
    }
    ours = frozenset(found.places.values())
    is_known = found.is_measured
    hosts = table.with_busy(
        lambda name, was: (
            (is_known and known.get(name, False)) if name in ours else was
        )
    )
    return dataclasses.replace(snapshot, hosts=hosts)


def show(
    planned: Plan,
    found: inspection.Finding,
    known: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Return what the tenant may know of it: members and pseudonyms."""
    before = pseudonyms.assign(found.places, found.snapshot, known)
    names = before.known
    told = []
    for move in planned.moves:
        after = pseudonyms.assign(
            {move.member: move.target}, planned.snapshot, names
        )
        names = after.known
        told.append(
            {
                'member': incarnations.shown(move.member),
                'from': dict(before.of_member[move.member]),
                'to': dict(after.of_member[move.member]),
            }
        )
    return {'moves': told, 'is_least': planned.relocation.is_least}
