# SPDX-License-Identifier: Apache-2.0
"""What is really there of a cluster, held against what should be."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import records
from heat_vcluster.engine import base
from heat_vcluster.members import base as members
from heat_vcluster.placement import columns
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

ClusterStatus = states.ClusterStatus
Condition = members.Condition

#: What the servers of a cluster show, by what the cluster is.
SERVER_STATUS = {
    ClusterStatus.ACTIVE: 'ACTIVE',
    ClusterStatus.STOPPED: 'SHUTOFF',
    ClusterStatus.SUSPENDED: 'SUSPENDED',
}
#: What a server member is, by what its server shows.
WELL = {
    'ACTIVE': states.MemberStatus.ACTIVE,
    'SHUTOFF': states.MemberStatus.STOPPED,
    'SUSPENDED': states.MemberStatus.SUSPENDED,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was found; all by real names.

    ``places`` has all members that are somewhere, ``faults`` those that are
    not what they should be, with the reason; ``lost`` those of them that are
    of no use any more. ``plan`` is where they are and what wishes that gives
    up. ``unjudged`` are groups that could not be looked at. ``is_measured``:
    the hosts in ``snapshot`` are busy only with others.
    """

    places: Mapping[str, str]
    faults: Mapping[str, str]
    lost: frozenset[str]
    breaches: tuple[placement.Breach, ...]
    plan: placement.Plan
    snapshot: placement.Snapshot
    unjudged: tuple[str, ...] = ()
    is_measured: bool = False

    @property
    def compliance(self) -> states.Compliance:
        if self.faults:
            return states.Compliance.DEGRADED
        if self.breaches:
            return states.Compliance.DRIFTED
        return states.Compliance.COMPLIANT


class Inspection:
    """One look at a cluster: at each member, then at all of them together."""

    def __init__(
        self,
        cluster_id: str,
        wanted: spec.GroupSpec,
        rows: Sequence[records.MemberRecord],
        outside: cloud.Cloud,
        planner: base.Planner,
        home: ClusterStatus,
    ) -> None:
        self._cluster_id = cluster_id
        self._wanted = wanted
        self._rows = {row.name: row for row in rows}
        self._cloud = outside
        self._planner = planner
        self._home = home
        self._lock = threading.Lock()
        self._scene: members.Scene | None = None
        self._found: dict[str, members.Condition] = {}

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(member.name for member in self._wanted.members)

    def survey(self) -> None:
        """Find all that bears the cluster's tag; comes first."""
        there = self._cloud.find(self._cluster_id)
        self._scene = members.Scene(
            self._cloud,
            {name: row.facts for name, row in self._rows.items()},
            frozenset((thing.kind, thing.id) for thing in there),
            SERVER_STATUS[self._home],
        )

    def examine(self, name: str) -> None:
        """Look at one member; for any thread, once ``survey`` is done."""
        if self._scene is None:
            raise AssertionError('the survey comes first')
        member = self._wanted.member(name)
        if members.member_type(member.type).resource_id(
            self._rows[name].facts
        ):
            found = members.member_type(member.type).examine(
                self._scene, member
            )
        else:
            found = members.Condition(None, 'it was not built', is_lost=True)
        with self._lock:
            self._found[name] = found

    def suppose(self, found: Mapping[str, Condition]) -> None:
        """Take it from others what the members are."""
        self._found = dict(found)

    def run(self) -> Finding:
        """Look at one after the other, for who has no graph."""
        self.survey()
        for name in self.members:
            self.examine(name)
        return self.conclude()

    def conclude(self) -> Finding:
        """Hold the rules against where all members are."""
        wanted, demands, unjudged = self._judged()
        snapshot, demands = self._read(demands)
        unknown = [name for name, _ in self._planner.unknown(wanted, snapshot)]
        wanted = without(wanted, unknown)
        unjudged += tuple(dict.fromkeys(unknown))
        places = dict(self._places(snapshot))
        crowded = self._planner.secluded(wanted, snapshot, places)
        if crowded:
            snapshot = _busy(
                snapshot,
                self._cloud.shared_hosts(crowded, self._server_ids()),
            )
        breaches, plan = self._planner.judge(wanted, demands, snapshot, places)
        return Finding(
            places,
            {
                name: self._found[name].fault or ''
                for name in self.members
                if self._found[name].fault
            },
            frozenset(n for n, each in self._found.items() if each.is_lost),
            breaches,
            plan,
            snapshot,
            unjudged,
            is_measured=bool(crowded),
        )

    def _judged(
        self,
    ) -> tuple[spec.GroupSpec, tuple[placement.Demand, ...], tuple[str, ...]]:
        """Return what can be judged, and the groups that cannot.

        Only where all possible domains count is it asked what members need;
        of a flavor or an image that is no more, it cannot be told.
        """
        reach = self._planner.reach(self._wanted, (), self._cluster_id)
        if not reach.even:
            return self._wanted, (), ()
        try:
            found = self._cloud.resolve(self._wanted, is_begun=True)
        except exception.InvalidDocument:
            return self._without_levels()
        return self._wanted, found.demands, ()

    def _without_levels(
        self,
    ) -> tuple[spec.GroupSpec, tuple[placement.Demand, ...], tuple[str, ...]]:
        even = tuple(
            group.name
            for group in self._wanted.groups
            if self._planner.reach(
                dataclasses.replace(self._wanted, groups=(group,)), (), ''
            ).even
        )
        return without(self._wanted, even), (), even

    def _read(
        self, demands: tuple[placement.Demand, ...]
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        """Read where there is what; for demands, also who could take them."""
        if not demands:
            return self._cloud.snapshot(())
        reach = self._planner.reach(self._wanted, demands, self._cluster_id)
        *_, last = self._cloud.readings(demands, reach)
        return last.snapshot, last.demands

    def _places(
        self, snapshot: placement.Snapshot
    ) -> Iterator[tuple[str, str]]:
        """Give where members are.

        What cannot be told is taken to be as it was; what sits in a pool
        that is none of those to choose from counts nowhere.
        """
        pools = {pool.name for pool in snapshot.pools}
        for name in self.members:
            found, row = self._found[name], self._rows[name]
            if found.is_lost and found.place is None:
                continue
            place = found.place or row.place
            is_known = row.type != 'volume' or place in pools
            if place is not None and row.place is not None and is_known:
                yield name, place

    def _server_ids(self) -> frozenset[str]:
        return frozenset(
            row.resource_id
            for row in self._rows.values()
            if row.type == 'server' and row.resource_id
        )


def without(wanted: spec.GroupSpec, groups: Collection[str]) -> spec.GroupSpec:
    """Return the request without these groups."""
    kept = (group for group in wanted.groups if group.name not in groups)
    return dataclasses.replace(wanted, groups=tuple(kept))


def _busy(
    snapshot: placement.Snapshot, shared: frozenset[str]
) -> placement.Snapshot:
    """Return the snapshot with these hosts, and no others, busy."""
    table = columns.of(snapshot.hosts, snapshot.levels)
    hosts = table.with_busy(lambda name, was: name in shared)
    return dataclasses.replace(snapshot, hosts=hosts)


def show(
    finding: Finding,
    wanted: spec.GroupSpec,
    known: Mapping[tuple[str, str], str],
    at: str,
) -> dict[str, Any]:
    """Return what the tenant may know of it; ``known`` as in Pseudonyms."""
    policies = {group.name: group.policy for group in wanted.groups}
    return {
        'status': str(finding.compliance),
        'checked_at': at,
        'rules': [
            {
                'group': breach.rule,
                'policy': policies[breach.rule],
                'violation': breach.amount,
                'members': [*map(incarnations.shown, breach.members)],
                'where': [
                    known[scope, domain]
                    for scope, domain in breach.where
                    if (scope, domain) in known
                ],
            }
            for breach in finding.breaches
        ],
        'members': [
            {
                'member': incarnations.shown(name),
                'reason': incarnations.tell(reason),
            }
            for name, reason in finding.faults.items()
        ],
        'not_judged': list(finding.unjudged),
    }
