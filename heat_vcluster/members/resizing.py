# SPDX-License-Identifier: Apache-2.0
"""Another flavor for a server that runs, open until all of a change is done.

The compute service chooses the host and claims the room for the new flavor
there, beside what the old one takes. What is held is given up right before,
so that there is room for it at the one place at least that was planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.members import base

NOT_OURS = (
    'its server was resized before, which has to be confirmed or taken back '
    'first'
)
NOT_DONE = (
    'the compute service did not give its server the flavor; it may lack a '
    'host with the room for it'
)
CONFIRMED = (
    'its server has the new flavor: the compute service confirmed that '
    'before it was asked to'
)
OPEN = 'its server waits for its resize to be confirmed or reverted'


def resize(site: base.Site, member: str, flavor_id: str) -> None:
    """Give the member's server the flavor; it is open then."""
    server_id = site.facts(member)['server_id']
    state = site.cloud.resize_state(server_id)
    if _asked(site, member) is None:
        if state.is_open or state.is_under_way:
            raise exception.MemberFailed(member, NOT_OURS)
        _record(site, member, flavor=flavor_id)
    if not state.is_open and not state.is_under_way:
        with site.handover():
            site.release(member)
            site.cloud.resize(server_id, flavor_id)
            site.wait(_Claim(site, server_id), quick=True)
    if settled(site, server_id).flavor_id != flavor_id:
        raise _failure(site, member, server_id)


def take_back(site: base.Site, member: str) -> None:
    """Have the old flavor again, at the old place; for good already stays."""
    if _asked(site, member) is None:
        return
    server_id = site.facts(member)['server_id']
    if settled(site, server_id).is_open:
        site.cloud.revert_resize(server_id)
        site.wait(lambda: _closed(site, server_id))


def remains(site: base.Site, member: str) -> str | None:
    """Say what could not be taken back, if anything."""
    flavor_id = _asked(site, member)
    if flavor_id is None:
        return None
    state = site.cloud.resize_state(site.facts(member)['server_id'])
    if state.is_open or state.is_under_way:
        return OPEN
    return CONFIRMED if state.flavor_id == flavor_id else None


def settled(site: base.Site, server_id: str) -> model.Resize:
    """Wait until nothing is under way."""

    def look() -> model.Resize | None:
        state = site.cloud.resize_state(server_id)
        return None if state.is_under_way else state

    return site.wait(look)


def _closed(site: base.Site, server_id: str) -> bool | None:
    state = site.cloud.resize_state(server_id)
    return None if state.is_under_way or state.is_open else True


class _Claim:
    """Looks whether the new flavor has its room, or it is over already."""

    def __init__(self, site: base.Site, server_id: str) -> None:
        self._site = site
        self._server_id = server_id
        self._before = site.cloud.locate(server_id)

    def __call__(self) -> bool | None:
        seat = self._site.cloud.locate(self._server_id)
        if seat is not None and seat != self._before:
            return True
        state = self._site.cloud.resize_state(self._server_id)
        return None if state.is_under_way else True


def _failure(
    site: base.Site, member: str, server_id: str
) -> exception.MemberFailed:
    state = site.cloud.server_state(server_id)
    return exception.MemberFailed(member, state.reason or NOT_DONE)


def _asked(site: base.Site, member: str) -> str | None:
    """Return the flavor that was asked for, if one was."""
    fact: Mapping[str, Any] = site.facts(member).get(base.RESIZE) or {}
    return fact.get('flavor')


def _record(site: base.Site, member: str, **more: Any) -> None:
    fact = site.facts(member).get(base.RESIZE) or {}
    site.record(member, **{base.RESIZE: {**fact, **more}})
