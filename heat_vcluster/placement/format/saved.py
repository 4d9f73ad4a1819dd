# SPDX-License-Identifier: Apache-2.0
"""Writes what a live problem has that vcluster-problem/1 has no words for.

It is kept under a key of the document's ``meta``, part by part, and only
those parts that the document itself would not give back as they were. The
package ``kept`` reads it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.format.writing import undemanded


def beyond(problem: model.Problem, plain: model.Problem) -> dict[str, Any]:
    """Return what differs in ``plain``, the problem as the format has it."""
    known, read = problem.snapshot, plain.snapshot
    parts = {
        **_levels(known, read),
        **_columns(
            columns.of(known.hosts, known.levels),
            columns.of(read.hosts, read.levels),
        ),
        **_demands(problem, plain),
    }
    if known.pools != read.pools:
        parts['pools'] = [_pool(pool) for pool in known.pools]
    if problem.rules != plain.rules:
        parts['rules'] = [dataclasses.asdict(rule) for rule in problem.rules]
    if problem.pinned:
        parts['pinned'] = dict(problem.pinned)
    if problem.budgets:
        parts['budgets'] = [
            dataclasses.asdict(budget) for budget in problem.budgets
        ]
    return parts


def _levels(known: model.Snapshot, read: model.Snapshot) -> dict[str, Any]:
    same = known.levels == read.levels
    return {} if same else {'levels': list(known.levels)}


def _columns(
    known: columns.HostColumns, read: columns.HostColumns
) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    # Less than nothing is as good as nothing, and no amount.
    free = {c: np.maximum(column, 0) for c, column in known.free.items()}
    for key, mine, other in (
        ('free', free, read.free),
        ('total', known.total, read.total),
    ):
        if mine.keys() != other.keys() or any(
            not np.array_equal(mine[c], other[c]) for c in mine
        ):
            parts[key] = {c: column.tolist() for c, column in mine.items()}
    if known.domains.keys() != read.domains.keys() or any(
        tuple(names) != tuple(read.domains[level][0])
        or not np.array_equal(column, read.domains[level][1])
        for level, (names, column) in known.domains.items()
    ):
        parts['domains'] = {
            level: {'name': list(names), 'number': column.tolist()}
            for level, (names, column) in known.domains.items()
        }
    if tuple(known.traitsets) != tuple(read.traitsets) or not np.array_equal(
        known.traitset, read.traitset
    ):
        parts['traits'] = {
            'sets': [sorted(traits) for traits in known.traitsets],
            'number': known.traitset.tolist(),
        }
    return parts


def _demands(problem: model.Problem, plain: model.Problem) -> dict[str, Any]:
    read = {demand.member: demand for demand in plain.demands}
    sets: dict[frozenset[str], int] = {}

    def number(names: frozenset[str] | None) -> int | None:
        return None if names is None else sets.setdefault(names, len(sets))

    demands: dict[str, dict[str, Any]] = {}
    for demand in problem.demands:
        if read[demand.member] == demand:
            continue
        if isinstance(demand, model.ServerDemand):
            demands[demand.member] = {
                'resources': dict(demand.resources),
                'candidates': number(demand.candidates),
                'require': sorted(demand.require),
                'forbid': sorted(demand.forbid),
                'within': _listed(demand.within),
                'suitable': number(demand.suitable),
            }
        else:
            demands[demand.member] = {
                'size_gb': demand.size_gb,
                'type': demand.type,
                'candidates': number(demand.candidates),
                'within': _listed(demand.within),
            }
    parts: dict[str, Any] = {}
    if demands:
        parts['demands'] = demands
        parts['sets'] = [sorted(names) for names in sets]
    if without := undemanded(problem):
        parts['undemanded'] = without
    return parts


def _listed(pair: tuple[str, str] | None) -> list[str] | None:
    return None if pair is None else list(pair)


def _pool(pool: model.Pool) -> dict[str, Any]:
    return {
        'name': pool.name,
        'free_gb': None if pool.free_gb is None else max(pool.free_gb, 0),
        'types': None if pool.types is None else sorted(pool.types),
        'domains': dict(pool.domains),
        'host': pool.host,
    }
