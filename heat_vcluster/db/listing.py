# SPDX-License-Identifier: Apache-2.0
"""Which clusters a list has, in which order, and where a page begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa

from heat_vcluster.db import models

Direction = Literal['asc', 'desc']
Sort = Sequence[tuple[str, Direction]]

_table = models.clusters

#: What a list may be sorted by.
SORT_KEYS = ('created_at', 'updated_at', 'name', 'status', 'id')
OLDEST_FIRST: Sort = (('created_at', 'asc'),)


def query(
    *,
    project_id: str | None,
    name: str | None,
    status: str | None,
    tags: Sequence[str],
    with_deleted: bool,
) -> Any:
    """Select the clusters that are meant; held plans never are."""
    wanted = sa.select(_table).where(_table.c.expires_at.is_(None))
    for column, value in (
        (_table.c.project_id, project_id),
        (_table.c.name, name),
        (_table.c.status, status),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    for tag in tags:
        wanted = wanted.where(
            sa.exists().where(
                models.tags.c.cluster_id == _table.c.id,
                models.tags.c.tag == tag,
            )
        )
    if not with_deleted:
        wanted = wanted.where(_table.c.deleted_at.is_(None))
    return wanted


def in_order(wanted: Any, sort: Sort) -> Any:
    return wanted.order_by(
        *(
            sa.desc(_key(_table, name))
            if direction == 'desc'
            else _key(_table, name)
            for name, direction in _total(sort)
        )
    )


def after(wanted: Any, sort: Sort, marker: str) -> Any:
    """Leave out all up to the marker, which may itself be gone by now.

    Its values are compared in the database: only that knows their order.
    """
    beyond = []
    equal: list[Any] = []
    last = _table.alias('marker')
    for name, direction in _total(sort):
        key = _key(_table, name)
        there = (
            sa.select(_key(last, name))
            .where(last.c.id == marker)
            .scalar_subquery()
        )
        further = key < there if direction == 'desc' else key > there
        beyond.append(sa.and_(*equal, further))
        equal.append(key == there)
    return wanted.where(sa.or_(*beyond))


def _key(table: Any, name: str) -> Any:
    """A cluster without a name sorts as one with an empty name."""
    column = table.c[name]
    return sa.func.coalesce(column, '') if name == 'name' else column


def _total(sort: Sort) -> list[tuple[str, Direction]]:
    """Break ties by the id: every cluster has a place of its own."""
    named = dict(sort)
    direction: Direction = next(reversed(named.values()), 'asc')
    named.setdefault('id', direction)
    return list(named.items())
