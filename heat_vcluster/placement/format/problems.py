# SPDX-License-Identifier: Apache-2.0
"""Reads and writes a vcluster-problem/1 document as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format import request, saved, topology, writing
from heat_vcluster.placement.format.faults import Faults
from heat_vcluster.placement.format.kept import problem as kept

FORMAT = writing.FORMAT
OURS = 'heat_vcluster'  # the key of ``meta`` that we give a meaning


def problem_from(document: Any) -> model.Problem:
    """Return the problem; raises BadProblem with all that is wrong."""
    faults = Faults()
    parts = ('format', 'resources', 'topology', 'request')
    found = faults.keys(document, '', parts, ('meta',))
    if found is None:
        raise faults.error()
    if found['format'] != FORMAT:
        faults.add('format', f'not {FORMAT}')
    if type(found.get('meta', {})) is not dict:
        faults.add('meta', 'not an object')
    if found['resources'] != list(topology.RESOURCES):
        faults.add('resources', f'must be {", ".join(topology.RESOURCES)}')
    cloud = topology.read(found['topology'], 'topology', faults)
    asked = request.read(found['request'], 'request', cloud, faults)
    more = None
    meta = found.get('meta', {})
    if type(meta) is dict and OURS in meta:
        more = kept.read(meta[OURS], f'meta.{OURS}', cloud, asked, faults)
    faults.check()
    problem = _posed(cloud, asked, faults)
    return problem if more is None else more.completed(problem)


def problem_of(
    problem: model.Problem, meta: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the problem as a document, which reads back as it is.

    What the format has no words for goes into ``meta``, beside what is
    handed in; other readers see the nearest that the format can say.
    """
    document = writing.plain(problem)
    ours = saved.beyond(problem, problem_from(document))
    document['meta'] = {**(meta or {}), **({OURS: ours} if ours else {})}
    return document


def _posed(
    cloud: topology.Cloud, asked: request.Request, faults: Faults
) -> model.Problem:
    tree, hosts, pools = cloud.tree, cloud.hosts, cloud.pools
    if tree is None or hosts is None or pools is None:
        raise faults.error()
    demands = asked.demands
    if not pools:
        demands = tuple(map(_nowhere, demands))
        if demands != asked.demands:
            pools = (_no_pool(hosts.names),)
    return model.Problem(
        model.Snapshot(tree.levels, hosts, pools),
        demands,
        asked.rules,
        objective=asked.objective,
    )


# Volumes without any pool have no place, which is not the same as volumes
# that are not steered: a snapshot without pools means the latter.


def _nowhere(demand: model.Demand) -> model.Demand:
    if isinstance(demand, model.VolumeDemand):
        return dataclasses.replace(demand, candidates=frozenset())
    return demand


def _no_pool(hosts: Sequence[str]) -> model.Pool:
    """Return a pool that is nowhere and takes nothing."""
    taken, name = frozenset(hosts), 'no-pool'
    while name in taken:
        name += '-'
    return model.Pool(name, 0, frozenset())
