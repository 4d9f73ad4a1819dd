# SPDX-License-Identifier: Apache-2.0
"""The statuses of clusters and members, and the moves between them.

The tables are the one truth: the store refuses any other move, and the
diagrams in the documentation are drawn from them.
"""

from __future__ import annotations

import enum


class ClusterStatus(enum.StrEnum):
    """What a cluster is, as a whole."""

    PLANNING = 'PLANNING'
    HELD = 'HELD'
    CREATING = 'CREATING'
    ACTIVE = 'ACTIVE'
    UPDATING = 'UPDATING'
    REVERTING = 'REVERTING'
    FINISHING = 'FINISHING'
    ROLLING_BACK = 'ROLLING_BACK'
    ERROR = 'ERROR'
    DELETING = 'DELETING'
    DELETED = 'DELETED'


class Wanted(enum.StrEnum):
    """What the tenant wants of a cluster, whatever it is by now."""

    PRESENT = 'present'
    ABSENT = 'absent'


class MemberStatus(enum.StrEnum):
    """What one member is."""

    PLANNED = 'PLANNED'
    HELD = 'HELD'
    BUILDING = 'BUILDING'
    ACTIVE = 'ACTIVE'
    ERROR = 'ERROR'
    DELETING = 'DELETING'
    DELETED = 'DELETED'


#: Moves of a cluster: (from, to) -> why it happens.
CLUSTER_MOVES: dict[tuple[ClusterStatus, ClusterStatus], str] = {
    (ClusterStatus.PLANNING, ClusterStatus.CREATING): 'all places are held',
    (ClusterStatus.PLANNING, ClusterStatus.HELD): 'the plan is kept',
    (ClusterStatus.PLANNING, ClusterStatus.ROLLING_BACK): 'cancelled',
    (ClusterStatus.PLANNING, ClusterStatus.ERROR): 'no valid placement',
    (ClusterStatus.PLANNING, ClusterStatus.DELETING): 'deleted early',
    (ClusterStatus.HELD, ClusterStatus.CREATING): 'its plan is built',
    (ClusterStatus.HELD, ClusterStatus.ERROR): 'its engine died',
    (ClusterStatus.HELD, ClusterStatus.DELETING): 'released or expired',
    (ClusterStatus.CREATING, ClusterStatus.ACTIVE): 'every member is active',
    (ClusterStatus.CREATING, ClusterStatus.ROLLING_BACK): 'a step failed',
    (ClusterStatus.CREATING, ClusterStatus.ERROR): 'its engine died',
    (ClusterStatus.CREATING, ClusterStatus.DELETING): ('delete was asked for'),
    (ClusterStatus.ROLLING_BACK, ClusterStatus.ERROR): 'rollback is over',
    (ClusterStatus.ROLLING_BACK, ClusterStatus.DELETING): (
        'delete was asked for'
    ),
    (ClusterStatus.ACTIVE, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.ACTIVE, ClusterStatus.UPDATING): 'another one is wanted',
    (ClusterStatus.UPDATING, ClusterStatus.FINISHING): (
        'all that is new is ready'
    ),
    (ClusterStatus.UPDATING, ClusterStatus.REVERTING): 'a step failed',
    (ClusterStatus.UPDATING, ClusterStatus.ACTIVE): 'it cannot be',
    (ClusterStatus.UPDATING, ClusterStatus.ERROR): 'its engine died',
    (ClusterStatus.UPDATING, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.REVERTING, ClusterStatus.ACTIVE): 'it is as before',
    (ClusterStatus.REVERTING, ClusterStatus.ERROR): 'its engine died',
    (ClusterStatus.REVERTING, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.FINISHING, ClusterStatus.ACTIVE): 'the old ones are gone',
    (ClusterStatus.FINISHING, ClusterStatus.ERROR): 'its engine died',
    (ClusterStatus.FINISHING, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.ERROR, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.DELETING, ClusterStatus.DELETED): 'nothing is left',
    (ClusterStatus.DELETING, ClusterStatus.ERROR): 'something is left',
}

#: Moves of a member: (from, to) -> why it happens.
MEMBER_MOVES: dict[tuple[MemberStatus, MemberStatus], str] = {
    (MemberStatus.PLANNED, MemberStatus.HELD): 'its place is held',
    (MemberStatus.PLANNED, MemberStatus.BUILDING): 'it needs no hold',
    (MemberStatus.PLANNED, MemberStatus.DELETED): 'it was never built',
    (MemberStatus.HELD, MemberStatus.BUILDING): 'its first part is made',
    (MemberStatus.HELD, MemberStatus.DELETED): 'its hold is released',
    (MemberStatus.BUILDING, MemberStatus.ACTIVE): 'all its parts are ready',
    (MemberStatus.BUILDING, MemberStatus.ERROR): 'a part of it failed',
    (MemberStatus.BUILDING, MemberStatus.DELETING): 'rollback or delete',
    (MemberStatus.ACTIVE, MemberStatus.DELETING): 'rollback or delete',
    (MemberStatus.ERROR, MemberStatus.DELETING): 'rollback or delete',
    (MemberStatus.DELETING, MemberStatus.DELETED): 'nothing is left of it',
    (MemberStatus.DELETING, MemberStatus.ERROR): 'something of it is left',
}

#: The error code of a cluster of which something is left that should be gone.
LEFTOVERS = 'vcluster.leftovers'

#: A cluster in one of these is on its way to another definition, or back.
CHANGING = frozenset(
    {
        ClusterStatus.UPDATING,
        ClusterStatus.REVERTING,
        ClusterStatus.FINISHING,
    }
)

#: A cluster in one of these is being worked on by an engine.
IN_PROGRESS = frozenset(
    {
        ClusterStatus.PLANNING,
        ClusterStatus.CREATING,
        *CHANGING,
        ClusterStatus.ROLLING_BACK,
        ClusterStatus.DELETING,
    }
)

#: Nothing more happens to a cluster in one of these unless it is asked for.
#: HELD is in neither set: a plan waits to be built, or to expire.
SETTLED = frozenset(
    {ClusterStatus.ACTIVE, ClusterStatus.ERROR, ClusterStatus.DELETED}
)


def is_allowed(
    old: ClusterStatus | MemberStatus, new: ClusterStatus | MemberStatus
) -> bool:
    """Tell whether a status may move from ``old`` to ``new``.

    Staying is always allowed: a repeated write changes nothing.
    """
    return old == new or (old, new) in {*CLUSTER_MOVES, *MEMBER_MOVES}
