# SPDX-License-Identifier: Apache-2.0
"""All shapes that have a name, as OpenAPI calls them: components."""

from __future__ import annotations

import functools

from heat_vcluster.api.schemas import (
    clusters,
    common,
    errors,
    members,
    plans,
    snapshots,
)


@functools.cache
def schemas() -> dict[str, common.Schema]:
    """Return name -> schema; made late, as rules may be plugged in."""
    return {
        'Changes': clusters.UPDATE,
        'Compliance': clusters.COMPLIANCE,
        'Definition': clusters.definition(),
        'Document': clusters.document(),
        'Domain': plans.DOMAIN,
        'Error': errors.ERROR,
        'Event': members.EVENT,
        'Fate': plans.FATE,
        'ListedMember': members.LISTED_MEMBER,
        'ListedSnapshot': snapshots.LISTED_SNAPSHOT,
        'Member': members.MEMBER,
        'Placement': plans.PLACEMENT,
        'Plan': plans.PLAN,
        'PlanToBuild': clusters.OF_PLAN,
        'Snapshot': snapshots.SNAPSHOT,
        'Summary': clusters.SUMMARY,
        'Survival': plans.SURVIVAL,
        'Topology': plans.TOPOLOGY,
        'VCluster': clusters.CLUSTER,
    }
