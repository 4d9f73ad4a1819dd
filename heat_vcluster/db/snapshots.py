# SPDX-License-Identifier: Apache-2.0
"""The rows of snapshots: what is written and read, within a transaction."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from heat_vcluster import states
from heat_vcluster.db import models, records

_TABLE = models.snapshots


def add(
    connection: Any,
    cluster_id: str,
    snapshot_id: str,
    name: str | None,
    document: Mapping[str, Any],
    now: datetime.datetime,
) -> None:
    connection.execute(
        sa.insert(_TABLE),
        {
            'id': snapshot_id,
            'cluster_id': cluster_id,
            'name': name,
            'status': states.SnapshotStatus.CREATING.value,
            'document': dict(document),
            'parts': [],
            'created_at': now,
        },
    )


def change(
    connection: Any,
    snapshot_id: str,
    status: states.SnapshotStatus,
    reason: str | None = None,
    parts: Iterable[records.SnapshotPart] | None = None,
) -> None:
    """Write a status and why; and the parts, if any are given."""
    values: dict[str, Any] = {'status': status.value, 'reason': reason}
    if parts is not None:
        values['parts'] = [dataclasses.asdict(part) for part in parts]
    connection.execute(
        sa.update(_TABLE).where(_TABLE.c.id == snapshot_id).values(**values)
    )


def remove(connection: Any, cluster_id: str, snapshot_id: str | None) -> None:
    """Forget one of a cluster's, or with None all of them."""
    gone = sa.delete(_TABLE).where(_TABLE.c.cluster_id == cluster_id)
    if snapshot_id is not None:
        gone = gone.where(_TABLE.c.id == snapshot_id)
    connection.execute(gone)


def of_cluster(cluster_id: str) -> Any:
    """Return the query for a cluster's snapshots, oldest first."""
    return (
        sa.select(_TABLE)
        .where(_TABLE.c.cluster_id == cluster_id)
        .order_by(_TABLE.c.created_at, _TABLE.c.id)
    )


def by_id(snapshot_id: str) -> Any:
    return sa.select(_TABLE).where(_TABLE.c.id == snapshot_id)
