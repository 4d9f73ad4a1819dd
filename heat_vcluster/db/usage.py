# SPDX-License-Identifier: Apache-2.0
"""What a project has of that which is limited, counted one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from heat_vcluster import exception, states
from heat_vcluster.db import models

CLUSTERS = 'clusters'
MEMBERS = 'members'
HELD_PLANS = 'held_plans'
RESOURCES = (CLUSTERS, MEMBERS, HELD_PLANS)

UNLIMITED = -1
#: The highest limit that every database takes.
MOST = 2**31 - 1


def take_turn(connection: Any, project_id: str) -> None:
    """Wait until no other transaction counts for the project.

    To be the first statement of a transaction: what is read after it is
    what those before have committed. The project's row has to be there.
    """
    table = models.projects
    connection.execute(
        sa.update(table)
        .where(table.c.id == project_id)
        .values(turn=table.c.turn + 1)
    )


def count(connection: Any, project_id: str) -> dict[str, int]:
    """Return resource -> amount. A held plan's members count as others."""
    clusters, members = models.clusters, models.members
    is_there = sa.and_(
        clusters.c.project_id == project_id, clusters.c.deleted_at.is_(None)
    )
    found = connection.execute(
        sa.select(
            sa.func.count(clusters.c.id),
            sa.func.count(clusters.c.expires_at),
        ).where(is_there)
    ).one()
    its_members = connection.scalar(
        sa.select(sa.func.count())
        .select_from(members)
        .join(clusters, clusters.c.id == members.c.cluster_id)
        .where(is_there, members.c.status != states.MemberStatus.DELETED.value)
    )
    return {
        CLUSTERS: found[0] - found[1],
        MEMBERS: its_members,
        HELD_PLANS: found[1],
    }


def check(
    connection: Any,
    project_id: str,
    asked: Mapping[str, int],
    limits: Mapping[str, int],
) -> None:
    """Raise LimitExceeded if as much more would be over a limit.

    What ``limits`` does not name is not limited.
    """
    bounded = {
        resource: limit
        for resource, limit in limits.items()
        if resource in asked and limit != UNLIMITED
    }
    used = count(connection, project_id) if bounded else {}
    for resource, limit in bounded.items():
        more = asked[resource]
        if used[resource] + more > limit:
            raise exception.LimitExceeded(
                resource, limit, used[resource], more
            )
