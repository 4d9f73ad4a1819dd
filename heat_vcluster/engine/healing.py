# SPDX-License-Identifier: Apache-2.0
"""Which members that are lost can be made again, and which cannot.

A server can: its volumes, ports and addresses are things of their own. What
was in a volume cannot be made again, and a network that is gone took the
ports of all servers with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from heat_vcluster import states
from heat_vcluster.members import base as members
from heat_vcluster.spec import model as spec

MemberStatus = states.MemberStatus

#: Why a member that is no server is not made again, by its type.
HOPELESS = {
    'volume': 'its volume is lost, and what was in it cannot be made again',
    'network': 'its network is lost, and with it the ports of its servers',
}


#: The fact of a member that is being made again: the server it had before.
FORMER = 'former_server_id'
#: What is written of one that is made again.
FINISHED: Mapping[str, Any] = {'facts': {FORMER: None}}


def begun(row: Any) -> dict[str, Any]:
    """Return what is written of a member that is to be made again."""
    return {
        'status': MemberStatus.PLANNED,
        'reason': None,
        'facts': {
            FORMER: row.facts.get('server_id', ''),
            'server_id': None,
            members.PLACE_LOST: None,
            members.TOLD: None,
            members.NAMED: None,
        },
        'resource_id': None,
    }


def is_half_made(row: Any) -> bool:
    """Tell a member that is being made again, and not done."""
    return FORMER in row.facts and row.status is not MemberStatus.ACTIVE


def given_up(rows: Iterable[Any], reason: str | None) -> dict[str, Any]:
    """Return what is written of half made members when nobody goes on.

    They are what they were. Whatever else is there of them is removed by who
    makes them again. Those that are done are done.
    """
    return {
        row.name: _given_up(row, reason) if is_half_made(row) else FINISHED
        for row in rows
        if FORMER in row.facts
    }


def _given_up(row: Any, reason: str | None) -> dict[str, Any]:
    former = row.facts[FORMER] or None
    return {
        'status': MemberStatus.ERROR,
        'reason': reason or 'it was not made again',
        'facts': {FORMER: None, 'server_id': former},
        'resource_id': former,
    }


def sort(
    wanted: spec.GroupSpec, lost: frozenset[str], rows: Sequence[Any]
) -> tuple[frozenset[str], dict[str, str]]:
    """Part lost members into those to make again, and those it is in vain.

    The latter with the reason.
    """
    types = {row.name: row.type for row in rows}
    hopeless = {
        name: HOPELESS[types[name]]
        for name in sorted(lost)
        if types[name] != 'server'
    }
    dead = frozenset(hopeless)
    for name in sorted(lost - dead):
        missing = sorted(set(_parts(wanted, name)) & dead)
        if missing:
            hopeless[name] = f'it needs {missing[0]}, which is lost'
    return lost - frozenset(hopeless), hopeless


def _parts(wanted: spec.GroupSpec, name: str) -> Iterator[str]:
    """Give the members that a server is made with."""
    asked = cast(spec.ServerSpec, wanted.member(name).spec)
    references = [
        *(nic.network for nic in asked.networks),
        *(attachment.volume for attachment in asked.volumes),
        *((asked.boot_volume,) if asked.boot_volume else ()),
    ]
    return (each.name for each in references if each.is_member)
