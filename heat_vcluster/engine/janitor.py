# SPDX-License-Identifier: Apache-2.0
"""Looks whether what is held for plans really is, and holds it again.

An operator's audit takes holds for the remains of servers, and removes them.
That of a cluster that is being built is made up for on the way; a plan lies
about for an hour, and nobody looks at it but who is here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)


def lost(
    store: base.Store, opener: cloud.CloudOpener, plan_id: str
) -> tuple[model.Hold, ...]:
    """Return those of a plan's holds on record that hold nothing."""
    on_record = {
        hold.id: hold
        for hold in store.get_holds(plan_id, records.HoldState.HELD)
    }
    missing = opener.missing_holds(on_record)
    return tuple(
        model.Hold(hold.id, hold.member, hold.place, hold.resources)
        for hold in on_record.values()
        if hold.id in missing
    )


def hold_again(
    opener: cloud.CloudOpener,
    writer: base.Writer,
    plan: Any,
    holds: Sequence[model.Hold],
) -> None:
    """Hold again what was lost; tell of what others have taken.

    A member whose place is gone moves when the plan is built.
    """
    taken = _refused(opener, plan, holds)
    for hold in taken:
        writer.drop_holds([hold.id])
        writer.add_event(hold.member, 'space_lost', 'its place was taken')
    LOG.warning(
        'Room held for %d members of plan %s was free; for %d it is held '
        'again, for the others it has been taken meanwhile',
        len(holds),
        plan.id,
        len(holds) - len(taken),
    )


def _refused(
    opener: cloud.CloudOpener, plan: Any, holds: Sequence[model.Hold]
) -> tuple[model.Hold, ...]:
    """Hold all or, where that is refused, each; return what is refused."""
    try:
        opener.hold_again(plan.project_id, plan.user_id, holds)
    except exception.ReservationConflict:
        if len(holds) == 1:
            return tuple(holds)
        alone = (_refused(opener, plan, [hold]) for hold in holds)
        return tuple(hold for refused in alone for hold in refused)
    return ()
