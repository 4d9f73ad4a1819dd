# SPDX-License-Identifier: Apache-2.0
"""Where the compute service has put a server that it resized, and if it may.

Nothing can tell it where to put one; so it is looked at afterwards, and what
breaks a strict rule is taken back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import base, build
from heat_vcluster.placement import columns
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """``broken`` names the strict rules that do not hold there."""

    broken: tuple[str, ...]
    plan: placement.Plan
    snapshot: placement.Snapshot


def judge(
    outside: cloud.Cloud,
    planner: base.Planner,
    wanted: spec.GroupSpec,
    demands: Sequence[placement.Demand],
    before: placement.Snapshot,
    places: Mapping[str, str],
    host: str,
    servers: Collection[str],
) -> Finding:
    """Hold the rules against all places, one of which is the new ``host``.

    ``before`` has the places that were ours; ``servers`` are the ids of ours.
    """
    placed = [demand for demand in demands if demand.member in places]
    reach = planner.reach(wanted, placed, '')
    *_, reading = outside.readings(placed, reach)
    snapshot = build.merge(
        reading.snapshot,
        before,
        {each.name for each in before.hosts} - {host},
    )
    snapshot = _shared(snapshot, host, outside.shared_hosts({host}, servers))
    breaches, plan = planner.judge(
        wanted, reading.demands, snapshot, dict(places)
    )
    names = tuple(dict.fromkeys(breach.rule for breach in breaches))
    return Finding(names, plan, snapshot)


def _shared(
    snapshot: placement.Snapshot, host: str, shared: Collection[str]
) -> placement.Snapshot:
    """Return the snapshot in which a host is busy only with others."""
    table = columns.of(snapshot.hosts, snapshot.levels)
    hosts = table.with_busy(
        lambda name, was: host in shared if name == host else was
    )
    return dataclasses.replace(snapshot, hosts=hosts)
