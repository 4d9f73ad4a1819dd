# SPDX-License-Identifier: Apache-2.0
"""Servers are stopped, started, suspended and resumed, in their order.

What depends on a server is stopped before it and started after it. Nothing
is taken back when one fails: those that are off are well where they are, and
the opposite verb has them run again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.engine import base
from heat_vcluster.engine import lease as leases
from heat_vcluster.spec import model as spec

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus
Power = model.Power


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """``home``: what the cluster is then; ``status``: what servers show."""

    power: Power
    home: ClusterStatus
    status: str
    member: MemberStatus
    is_backwards: bool


WISHES = {
    ClusterStatus.STOPPING: Wish(
        Power.STOP,
        ClusterStatus.STOPPED,
        'SHUTOFF',
        MemberStatus.STOPPED,
        is_backwards=True,
    ),
    ClusterStatus.STARTING: Wish(
        Power.START,
        ClusterStatus.ACTIVE,
        'ACTIVE',
        MemberStatus.ACTIVE,
        is_backwards=False,
    ),
    ClusterStatus.SUSPENDING: Wish(
        Power.SUSPEND,
        ClusterStatus.SUSPENDED,
        'SUSPENDED',
        MemberStatus.SUSPENDED,
        is_backwards=True,
    ),
    ClusterStatus.RESUMING: Wish(
        Power.RESUME,
        ClusterStatus.ACTIVE,
        'ACTIVE',
        MemberStatus.ACTIVE,
        is_backwards=False,
    ),
}


class Change:
    """One wish for all servers of a cluster.

    ``before`` maps each server to those that come before it.
    """

    def __init__(
        self,
        wish: Wish,
        wanted: spec.GroupSpec,
        rows: Sequence[Any],
        outside: cloud.Cloud,
        writer: base.Writer,
        signal: leases.Signal,
        pause: float,
    ) -> None:
        self._wish = wish
        self._rows = {row.name: row for row in rows if row.type == 'server'}
        self._cloud = outside
        self._writer = writer
        self._signal = signal
        self._pause = pause
        needs = {name: _needs(wanted, name) for name in self._rows}
        self.before: Mapping[str, frozenset[str]]
        self.before = _reversed(needs) if wish.is_backwards else needs

    def execute(self, name: str) -> None:
        """Have one server do it, and wait until it has."""
        self._signal.check()
        try:
            self._change(name)
        except (exception.Cancelled, exception.LeaseLost):
            raise
        except exception.CloudError as error:
            raise exception.MemberFailed(
                name, str(error), code=error.code
            ) from error
        self._writer.set_member(
            name,
            self._wish.member,
            reason=None,
            event=(self._wish.member.lower(), 'as it was asked to'),
        )

    def _change(self, name: str) -> None:
        server_id = self._rows[name].facts.get('server_id')
        if server_id is None:
            raise exception.MemberFailed(name, 'it has no server')
        if self._state(name, server_id).status == self._wish.status:
            return
        self._cloud.change_power(server_id, self._wish.power)
        while self._state(name, server_id).status != self._wish.status:
            self._signal.check()
            self._signal.sleep(self._pause)

    def _state(self, name: str, server_id: str) -> model.ServerState:
        state = self._cloud.server_state(server_id)
        if state.progress is model.Progress.GONE:
            raise exception.MemberFailed(name, 'its server is gone')
        if state.progress is model.Progress.FAILED:
            raise exception.MemberFailed(
                name, state.reason or f'its server is {state.status}'
            )
        return state


def _needs(wanted: spec.GroupSpec, name: str) -> frozenset[str]:
    """Return the servers that one depends on, also by way of others."""
    return frozenset(_servers(wanted, wanted.member(name).depends_on, set()))


def _servers(
    wanted: spec.GroupSpec, names: Iterable[str], seen: set[str]
) -> Iterator[str]:
    for name in names:
        member = wanted.member(name)
        if member.type == 'server':
            yield name
        elif name not in seen:
            seen.add(name)
            yield from _servers(wanted, member.depends_on, seen)


def _reversed(
    needs: Mapping[str, frozenset[str]],
) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(other for other in needs if name in needs[other])
        for name in needs
    }
