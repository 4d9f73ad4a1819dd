# SPDX-License-Identifier: Apache-2.0
"""Gives up the members of a cluster: our marks go, and nothing else.

What is known of them stands in their facts, so that also a mark of which a
part is gone is found. Nothing is ever removed but server groups, which the
cluster had made for its rules, and which no server needs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import base, removal
from heat_vcluster.members import base as members

LOG = logging.getLogger(__name__)

#: How often marks are looked for and taken off, before one counts as left.
SWEEPS = 3

MemberStatus = states.MemberStatus
Things = tuple[model.Thing, ...]


def is_left_alone(rows: Iterable[Any]) -> bool:
    """Tell whether the real things of these members are not the cluster's."""
    return any(row.facts.get(records.LEFT_ALONE) for row in rows)


def things(cluster_id: str, rows: Iterable[Any]) -> Iterator[model.Thing]:
    """Give all that is recorded of members."""
    for row in rows:
        kind = members.member_type(row.type)
        for what, thing_id, part in kind.things(row.facts):
            owner = model.Owner(cluster_id, row.name, part)
            yield model.Thing(what, thing_id, owner)


def release(
    outside: cloud.Cloud,
    settings: base.Settings,
    cluster_id: str,
    rows: Iterable[Any],
) -> list[removal.Leftover] | None:
    """Take off all marks; return those that stay, None if it is not known."""
    wanted = tuple(things(cluster_id, rows))
    left: list[removal.Leftover] = []
    for _ in range(SWEEPS):
        left = [*_disown(outside, settings, cluster_id, wanted)]
        if left:
            wanted = tuple(each.thing for each in left)
            time.sleep(settings.poll_interval)
            continue
        try:
            wanted = removal.find(outside, settings, cluster_id)
        except exception.CloudError:
            return None
        if not wanted:
            return []
    return left or None


def closed(
    rows: Iterable[Any], left: Sequence[removal.Leftover] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what is written of members once they are given up, by name.

    Those that keep a mark are told of; of the others nothing is known any
    more but what they were.
    """
    stay = {each.thing.owner.member: each.reason for each in left or ()}
    for row in rows:
        if row.name in stay:
            yield row.name, {'reason': stay[row.name]}
        elif left is not None and row.status is not MemberStatus.DELETED:
            yield (
                row.name,
                {
                    'status': MemberStatus.DELETED,
                    'reason': None,
                    'resource_id': None,
                },
            )


def _disown(
    outside: cloud.Cloud,
    settings: base.Settings,
    cluster_id: str,
    wanted: Things,
) -> Iterator[removal.Leftover]:
    """Give those of the things that keep their mark."""
    for thing in wanted:
        if thing.kind is model.Kind.SERVER_GROUP:
            left = removal.remove(outside, thing, settings, is_patient=False)
            if left is not None:
                yield left
            continue
        try:
            outside.disown(thing.kind, thing.id, cluster_id)
        except exception.CloudError as error:
            LOG.warning('%s keeps its mark: %s', thing.id, error)
            yield removal.Leftover(thing, f'its mark stays: {error}')
