# SPDX-License-Identifier: Apache-2.0
"""How a failure, and what it leaves behind, is told to the tenant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.engine import removal
from heat_vcluster.spec import incarnations

#: So many members are named where more may be meant.
NAMED = 5

INTERRUPTED = (
    'its engine died while it was at work; delete removes what was made'
)
INTERRUPTED_ADOPTION = (
    'its engine died while it was adopted or given up; delete it to have '
    'its marks taken off: its members stay'
)
STOPPED = 'it was being removed when its engine died'
UNVERIFIED = (
    'It could not be verified that nothing is left; '
    'delete the cluster to have it looked for again'
)
UNVERIFIED_CHANGE = (
    'It could not be verified that nothing else is left; it is looked for '
    'again after the next update'
)
UNVERIFIED_RELEASE = (
    'It could not be verified that no mark is left; delete the cluster to '
    'have it looked for: its members stay'
)
HOLDS_LEFT = (
    'Room that was held could not be given back yet ({}); it is tried again'
)


def words(error: BaseException | None) -> str:
    """Say an error to the tenant; nothing of an unexpected one leaks."""
    if isinstance(error, exception.VClusterError):
        return incarnations.tell(str(error))
    return f'internal error ({type(error).__name__}); see the service log'


def code(error: BaseException | None) -> str:
    """Return the stable code of an error, also of an unexpected one."""
    if isinstance(error, exception.VClusterError):
        return error.code
    return exception.VClusterError.code


def recorded(cluster: Any) -> exception.VClusterError:
    """Return the failure that a cluster is being rolled back for."""
    error = exception.VClusterError(cluster.status_reason or STOPPED)
    error.code = cluster.error_code or exception.Interrupted.code
    return error


def interrupted(member: Any) -> exception.VClusterError:
    """Return why a cluster with such a member cannot be completed."""
    if member.reason is None:
        return exception.Interrupted(STOPPED)
    error = exception.VClusterError(member.reason)
    error.code = exception.MemberFailed.code
    return error


def timed_out(late: Collection[str]) -> exception.TimedOut:
    """Say which members the time was not enough for."""
    named = sorted(map(incarnations.shown, late))[:NAMED]
    if len(late) > NAMED:
        named.append(f'{len(late) - NAMED} more')
    waited = f' while at work on member {", ".join(named)}' if named else ''
    return exception.TimedOut(f'The time allowed has run out{waited}')


def _told(
    left: Sequence[removal.Leftover] | None,
    unverified: str,
    what: str,
    then: str,
) -> list[str]:
    """Say what was not removed and what becomes of it, if anything was not.

    ``left`` None: the cloud would not tell, which is ``unverified``.
    """
    if left is None:
        return [unverified]
    if not left:
        return []
    things = ', '.join(f'{each.thing.kind} {each.thing.id}' for each in left)
    return [f'{len(left)} {what}: {things} ({left[0].reason}); {then}']


def remains(
    left: Sequence[removal.Leftover] | None, held: str | None = None
) -> str:
    """Say what is left and who cleans it; empty if nothing is.

    ``left`` None: the cloud would not tell. ``held``: why holds stayed.
    """
    said = _told(
        left,
        UNVERIFIED,
        'left behind',
        'delete the cluster again to have them removed',
    )
    if held is not None:
        said.append(HOLDS_LEFT.format(held))
    return '. '.join(said)


def remains_of_release(
    left: Sequence[removal.Leftover] | None, held: str | None = None
) -> str:
    """Say which marks are left, as ``remains`` does; nothing is removed."""
    said = _told(
        left,
        UNVERIFIED_RELEASE,
        'not left alone yet',
        'delete the cluster to go on: its members stay',
    )
    if held is not None:
        said.append(HOLDS_LEFT.format(held))
    return '. '.join(said)


def remains_of_change(
    left: Sequence[removal.Leftover] | None,
    held: str | None = None,
    stuck: Sequence[str] = (),
    unconfirmed: Sequence[str] = (),
) -> str:
    """Say what is left of a change; empty if nothing is.

    ``left`` and ``held`` as in ``remains``; ``stuck``: members that could
    not be set back, and why; ``unconfirmed``: those that were resized, and
    why that could not be confirmed.
    """
    said = _told(
        left,
        UNVERIFIED_CHANGE,
        'left behind',
        'their removal is tried again after the next update',
    )
    if unconfirmed:
        said.append(
            f'Resized, and not confirmed: {"; ".join(unconfirmed)}; it is '
            'tried again after the next update, or confirm it yourself'
        )
    if stuck:
        said.append(f'Not set back: {"; ".join(stuck)}')
    if held is not None:
        said.append(HOLDS_LEFT.format(held))
    return '. '.join(said)
