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
    STOPPED = 'STOPPED'
    SUSPENDED = 'SUSPENDED'
    CHECKING = 'CHECKING'
    STOPPING = 'STOPPING'
    STARTING = 'STARTING'
    SUSPENDING = 'SUSPENDING'
    RESUMING = 'RESUMING'
    HEALING = 'HEALING'
    REPAIRING = 'REPAIRING'
    SNAPSHOTTING = 'SNAPSHOTTING'
    UPDATING = 'UPDATING'
    REVERTING = 'REVERTING'
    FINISHING = 'FINISHING'
    ROLLING_BACK = 'ROLLING_BACK'
    ADOPTING = 'ADOPTING'
    RELEASING = 'RELEASING'
    ERROR = 'ERROR'
    DELETING = 'DELETING'
    DELETED = 'DELETED'


class Wanted(enum.StrEnum):
    """What the tenant wants of a cluster, whatever it is by now."""

    PRESENT = 'present'
    ABSENT = 'absent'


class Compliance(enum.StrEnum):
    """What a check finds: the worst of it."""

    COMPLIANT = 'COMPLIANT'
    DRIFTED = 'DRIFTED'  # a rule does not hold where members are now
    DEGRADED = 'DEGRADED'  # a member is not what it should be


class SnapshotStatus(enum.StrEnum):
    """What a snapshot of a cluster is."""

    CREATING = 'CREATING'
    AVAILABLE = 'AVAILABLE'
    DELETING = 'DELETING'
    ERROR = 'ERROR'  # it is of no use, and waits to be deleted


class MemberStatus(enum.StrEnum):
    """What one member is."""

    PLANNED = 'PLANNED'
    HELD = 'HELD'
    BUILDING = 'BUILDING'
    ACTIVE = 'ACTIVE'
    STOPPED = 'STOPPED'
    SUSPENDED = 'SUSPENDED'
    ERROR = 'ERROR'
    DELETING = 'DELETING'
    DELETED = 'DELETED'


#: What is done about a cluster that is built -> what it has to be for that.
#: It comes back to it if it cannot be done.
HOMES: dict[ClusterStatus, frozenset[ClusterStatus]] = {
    ClusterStatus.CHECKING: frozenset(
        {
            ClusterStatus.ACTIVE,
            ClusterStatus.STOPPED,
            ClusterStatus.SUSPENDED,
        }
    ),
    # What was done in part is gone on with, or taken back by its opposite.
    ClusterStatus.STOPPING: frozenset(
        {ClusterStatus.ACTIVE, ClusterStatus.STOPPED}
    ),
    ClusterStatus.STARTING: frozenset(
        {ClusterStatus.ACTIVE, ClusterStatus.STOPPED}
    ),
    ClusterStatus.SUSPENDING: frozenset(
        {ClusterStatus.ACTIVE, ClusterStatus.SUSPENDED}
    ),
    ClusterStatus.RESUMING: frozenset(
        {ClusterStatus.ACTIVE, ClusterStatus.SUSPENDED}
    ),
    ClusterStatus.HEALING: frozenset({ClusterStatus.ACTIVE}),
    ClusterStatus.REPAIRING: frozenset({ClusterStatus.ACTIVE}),
    # One is made, or removed.
    ClusterStatus.SNAPSHOTTING: frozenset(
        {
            ClusterStatus.ACTIVE,
            ClusterStatus.STOPPED,
            ClusterStatus.SUSPENDED,
        }
    ),
}
UPKEEP = frozenset(HOMES)

#: A cluster in one of these was built, whatever is done about it now.
BUILT = UPKEEP | frozenset().union(*HOMES.values())

#: A cluster in one of these may be given up, its members left alone.
RELEASABLE = frozenset(
    {
        ClusterStatus.ACTIVE,
        ClusterStatus.STOPPED,
        ClusterStatus.SUSPENDED,
    }
)

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
    (ClusterStatus.STOPPED, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.SUSPENDED, ClusterStatus.DELETING): 'delete was asked for',
    (ClusterStatus.ADOPTING, ClusterStatus.ACTIVE): 'all members are its own',
    (ClusterStatus.ADOPTING, ClusterStatus.RELEASING): (
        'a step failed, or its engine died'
    ),
    **{
        (whole, ClusterStatus.RELEASING): 'its members are to be left alone'
        for whole in sorted({*RELEASABLE, ClusterStatus.ERROR})
    },
    (ClusterStatus.RELEASING, ClusterStatus.DELETED): 'no mark is left',
    (ClusterStatus.RELEASING, ClusterStatus.ERROR): (
        'it was not adopted, or a mark is left'
    ),
    **{
        (home, doing): 'it is asked for'
        for doing, homes in HOMES.items()
        for home in sorted(homes)
    },
    **{
        (doing, home): 'it is done, or cannot be'
        for doing, homes in HOMES.items()
        for home in sorted(homes)
    },
    **{
        (doing, ClusterStatus.DELETING): 'delete was asked for'
        for doing in HOMES
    },
}

#: Moves of a member: (from, to) -> why it happens.
MEMBER_MOVES: dict[tuple[MemberStatus, MemberStatus], str] = {
    (MemberStatus.PLANNED, MemberStatus.HELD): 'its place is held',
    (MemberStatus.PLANNED, MemberStatus.BUILDING): 'it needs no hold',
    (MemberStatus.PLANNED, MemberStatus.ACTIVE): 'it is adopted',
    (MemberStatus.PLANNED, MemberStatus.DELETED): 'it was never built',
    (MemberStatus.HELD, MemberStatus.BUILDING): 'its first part is made',
    (MemberStatus.HELD, MemberStatus.DELETED): 'its hold is released',
    (MemberStatus.BUILDING, MemberStatus.ACTIVE): 'all its parts are ready',
    (MemberStatus.BUILDING, MemberStatus.ERROR): 'a part of it failed',
    (MemberStatus.BUILDING, MemberStatus.DELETING): 'rollback or delete',
    (MemberStatus.ACTIVE, MemberStatus.DELETING): 'rollback or delete',
    (MemberStatus.ACTIVE, MemberStatus.STOPPED): 'its server is stopped',
    (MemberStatus.ACTIVE, MemberStatus.SUSPENDED): 'its server is suspended',
    **{
        (off, to): why
        for off in (MemberStatus.STOPPED, MemberStatus.SUSPENDED)
        for to, why in (
            (MemberStatus.ACTIVE, 'its server runs again'),
            (MemberStatus.ERROR, 'a check found it at fault'),
            (MemberStatus.DELETING, 'delete was asked for'),
        )
    },
    (MemberStatus.ACTIVE, MemberStatus.ERROR): 'a check found it at fault',
    **{
        (there, MemberStatus.DELETED): 'it is left alone'
        for there in (
            MemberStatus.BUILDING,
            MemberStatus.ACTIVE,
            MemberStatus.STOPPED,
            MemberStatus.SUSPENDED,
            MemberStatus.ERROR,
        )
    },
    (MemberStatus.ERROR, MemberStatus.PLANNED): 'it is made again',
    (MemberStatus.ACTIVE, MemberStatus.PLANNED): 'it is made elsewhere',
    (MemberStatus.PLANNED, MemberStatus.ERROR): 'it was not made again',
    (MemberStatus.HELD, MemberStatus.ERROR): 'it was not made again',
    **{
        (MemberStatus.ERROR, well): 'a check found it well again'
        for well in (
            MemberStatus.ACTIVE,
            MemberStatus.STOPPED,
            MemberStatus.SUSPENDED,
        )
    },
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

#: The members of a cluster in one of these are not its own: not yet, or not
#: any more.
GIVING_UP = frozenset({ClusterStatus.ADOPTING, ClusterStatus.RELEASING})

#: A cluster in one of these is being worked on by an engine.
IN_PROGRESS = UPKEEP | frozenset(
    {
        ClusterStatus.PLANNING,
        ClusterStatus.CREATING,
        *CHANGING,
        ClusterStatus.ROLLING_BACK,
        ClusterStatus.ADOPTING,
        ClusterStatus.RELEASING,
        ClusterStatus.DELETING,
    }
)

#: Nothing more happens to a cluster in one of these unless it is asked for.
#: HELD is in neither set: a plan waits to be built, or to expire.
SETTLED = frozenset(
    {
        ClusterStatus.ACTIVE,
        ClusterStatus.STOPPED,
        ClusterStatus.SUSPENDED,
        ClusterStatus.ERROR,
        ClusterStatus.DELETED,
    }
)


def is_allowed(
    old: ClusterStatus | MemberStatus, new: ClusterStatus | MemberStatus
) -> bool:
    """Tell whether a status may move from ``old`` to ``new``.

    Staying is always allowed: a repeated write changes nothing.
    """
    return old == new or (old, new) in {*CLUSTER_MOVES, *MEMBER_MOVES}
