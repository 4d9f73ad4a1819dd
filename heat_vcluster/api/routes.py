# SPDX-License-Identifier: Apache-2.0
"""Which address leads to what: the one list of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from heat_vcluster.api.operation import Operation, Resource
from heat_vcluster.api.resources import (
    actions,
    adoption,
    clusters,
    health,
    limits,
    members,
    plans,
    snapshots,
    versions,
)

_CLUSTERS = '/v2/{project_id}/vclusters'
_CLUSTER = f'{_CLUSTERS}/{{cluster_id:uuid}}'
_SNAPSHOT = f'{_CLUSTER}/snapshots/{{snapshot_id:uuid}}'
_PLANS = f'{_CLUSTERS}/plan'

ROUTES: tuple[tuple[str, type[Resource]], ...] = (
    ('/', versions.Versions),
    ('/healthcheck', health.Health),
    ('/v2', versions.Version),
    ('/v2/openapi.json', versions.OpenApi),
    (_CLUSTERS, clusters.Clusters),
    (f'{_CLUSTERS}/validate', clusters.Validation),
    (f'{_CLUSTERS}/adopt', adoption.Adoption),
    (_PLANS, plans.Plans),
    (f'{_PLANS}/{{plan_id:uuid}}', plans.Plan),
    (_CLUSTER, clusters.Cluster),
    (f'{_CLUSTER}/actions/check', actions.Check),
    (f'{_CLUSTER}/actions/heal', actions.Heal),
    (f'{_CLUSTER}/actions/repair', actions.Repair),
    (f'{_CLUSTER}/actions/stop', actions.Stop),
    (f'{_CLUSTER}/actions/start', actions.Start),
    (f'{_CLUSTER}/actions/suspend', actions.Suspend),
    (f'{_CLUSTER}/actions/resume', actions.Resume),
    (f'{_CLUSTER}/actions/release', adoption.Release),
    (f'{_CLUSTER}/members', members.Members),
    (f'{_CLUSTER}/members/{{name}}', members.Member),
    (f'{_CLUSTER}/events', members.Events),
    (f'{_CLUSTER}/snapshots', snapshots.Snapshots),
    (_SNAPSHOT, snapshots.Snapshot),
    (f'{_SNAPSHOT}/restore', snapshots.Restore),
    (f'{_CLUSTER}/topology', members.Topology),
    ('/v2/{project_id}/limits', limits.Limits),
)
METHODS = ('get', 'post', 'put', 'delete')


class Entry(NamedTuple):
    """An operation, and by which address and method it is reached."""

    path: str
    method: str
    operation: Operation


def operations() -> Iterator[Entry]:
    for path, resource in ROUTES:
        for method in METHODS:
            respond = getattr(resource, f'on_{method}', None)
            if respond is not None:
                plain = re.sub(r':\w+}', '}', path)
                yield Entry(plain, method, respond.operation)
