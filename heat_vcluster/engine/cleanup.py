# SPDX-License-Identifier: Apache-2.0
"""Nothing may be left: holds are given back, things removed, both noted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import base, flows, reasons, releasing, removal

LOG = logging.getLogger(__name__)

MemberStatus = states.MemberStatus

#: How often holds are given back, and everything of a cluster is looked for
#: and removed, before what is still there counts as left.
SWEEPS = 3
Things = tuple[model.Thing, ...]
UNDER_WAY = (MemberStatus.BUILDING, MemberStatus.DELETING)


class Cleanup:
    """Clears away one cluster, for whoever has its lease.

    ``run`` runs a graph; ``is_abandoned`` ends the work early.
    """

    def __init__(
        self,
        cluster_id: str,
        store: base.Store,
        writer: base.Writer,
        opener: cloud.CloudOpener,
        settings: base.Settings,
        run: Callable[[Any], None],
        is_abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cluster_id = cluster_id
        self._store = store
        self._writer = writer
        self._opener = opener
        self._settings = settings
        self._run = run
        self.is_abandoned = is_abandoned

    def give_back(self) -> None:
        """Give back all holds on record; raises CloudError in the end.

        By our own rights: a tenant's token may have run out by now.
        """
        held = [
            hold.id
            for hold in self._store.get_holds(
                self._cluster_id, records.HoldState.HELD
            )
        ]
        if not held:
            return
        for _ in range(SWEEPS - 1):
            try:
                self._opener.release_holds(held)
            except exception.CloudError as error:
                LOG.warning(
                    'Cannot release holds of %s: %s', self._cluster_id, error
                )
                time.sleep(self._settings.poll_interval)
            else:
                break
        else:
            self._opener.release_holds(held)
        self._writer.drop_holds(held)

    def release_holds(self) -> str | None:
        """Give back all holds on record; return why not, if not."""
        try:
            self.give_back()
        except exception.CloudError as refusal:
            return reasons.words(refusal)
        return None

    def clear(
        self,
        outside: cloud.Cloud,
        kinds: Collection[model.Kind] | None = None,
    ) -> list[removal.Leftover] | None:
        """Remove all of the cluster, as ``sweep`` does.

        Also what is on record and in no list: its tag may have been taken
        off, and nova leaves out servers of a cell that it cannot reach.
        """
        return self.sweep(outside, kinds=kinds, recorded=self.recorded())

    def recorded(self, role: records.Role | None = None) -> Things:
        """Return what is on record of the members: all, or those of a role.

        Without what is theirs and not the cluster's.
        """
        rows = [
            row
            for row in self._store.get_members(self._cluster_id)
            if role in (None, row.role) and not releasing.is_left_alone([row])
        ]
        return tuple(releasing.things(self._cluster_id, rows))

    def sweep(
        self,
        outside: cloud.Cloud,
        but: Collection[str] = (),
        kinds: Collection[model.Kind] | None = None,
        spare: Callable[[model.Thing], bool] = lambda thing: False,
        recorded: Things = (),
    ) -> list[removal.Leftover] | None:
        """Remove everything that bears the cluster's tag, and ``recorded``.

        But for what is of the members in ``but``, and what is to be spared;
        of the given kinds alone, by default of those of members. ``recorded``
        is of other members than ``but``, and may be of any kind. Returns
        what refused to go; None if the cloud would not even tell.
        """
        to_come = {
            thing.id: thing
            for thing in recorded
            if (kinds is None or thing.kind in kinds) and not spare(thing)
        }
        for _ in range(SWEEPS):
            try:
                found = removal.find(
                    outside, self._settings, self._cluster_id, kinds=kinds
                )
            except exception.CloudError:
                return None
            things = [
                each
                for each in found
                if each.owner.member not in but and not spare(each)
            ]
            for each in things:
                to_come.pop(each.id, None)
            things += to_come.values()
            to_come.clear()
            if not things:
                return []
            left: list[removal.Leftover] = []
            self._run(
                flows.remove(
                    outside, things, self._settings, left, self.is_abandoned
                )
            )
            if left or self.is_abandoned():
                return left
        return None

    def note(self, left: Sequence[removal.Leftover] | None) -> None:
        """Write what is left, and nothing else."""
        self._writer.clear_leftovers()
        for item in left or ():
            self._writer.add_leftover(
                item.thing.kind,
                item.thing.id,
                item.thing.owner.member,
                item.reason,
            )

    def close(self, left: Sequence[removal.Leftover] | None) -> None:
        """Write what is left, and what became of each member."""
        self.note(left)
        # The first of a member's leftovers is what keeps the others.
        reasons_of = {
            item.thing.owner.member: item.reason
            for item in reversed(left or ())
        }
        for member in self._store.get_members(self._cluster_id):
            self._close_member(
                member, left is not None, reasons_of.get(member.name)
            )

    def interrupt(self) -> None:
        """Write what is known of each member when nobody builds on."""
        for member in self._store.get_members(self._cluster_id):
            if member.status in base.NEVER_BUILT:
                self._writer.set_member(member.name, MemberStatus.DELETED)
            elif member.status in UNDER_WAY:
                self._writer.set_member(
                    member.name,
                    MemberStatus.ERROR,
                    reason=reasons.INTERRUPTED,
                )

    def _close_member(
        self, member: Any, is_known: bool, reason: str | None
    ) -> None:
        name = member.name
        if not states.is_allowed(member.status, MemberStatus.DELETED):
            self._writer.set_member(name, MemberStatus.DELETING)
        if member.status in base.NEVER_BUILT or (is_known and reason is None):
            self._writer.set_member(
                name, MemberStatus.DELETED, resource_id=None
            )
        elif reason is None:
            self._writer.set_member(name, MemberStatus.ERROR)
        else:
            self._writer.set_member(name, MemberStatus.ERROR, reason=reason)
