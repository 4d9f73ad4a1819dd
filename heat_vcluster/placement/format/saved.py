# SPDX-License-Identifier: Apache-2.0
"""What a live problem has that vcluster-problem/1 has no words for.

It is kept under a key of the document's ``meta``, part by part, and only
those parts that the document itself would not give back as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.format.faults import BadProblem, Fault
from heat_vcluster.placement.format.writing import undemanded

HERE = 'meta.heat_vcluster'


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
    for key in ('free', 'total'):
        mine, other = getattr(known, key), getattr(read, key)
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
        'free_gb': pool.free_gb,
        'types': None if pool.types is None else sorted(pool.types),
        'domains': dict(pool.domains),
        'host': pool.host,
    }


# Reading


def completed(plain: model.Problem, parts: Any) -> model.Problem:
    """Return the problem as it was; raises BadProblem, naming the part."""
    if type(parts) is not dict:
        raise BadProblem([Fault(HERE, 'not an object')])
    part = _Part(parts)
    snapshot = plain.snapshot
    levels = part.read(
        'levels', lambda levels: tuple(map(str, levels)), snapshot.levels
    )
    hosts = part.read(
        'hosts',
        lambda _: _hosts(columns.of(snapshot.hosts, levels), parts),
        snapshot.hosts,
        'free',
        'total',
        'domains',
        'traits',
    )
    pools = part.read(
        'pools', lambda pools: tuple(map(_read_pool, pools)), snapshot.pools
    )
    demands = part.read(
        'demands',
        lambda _: tuple(_read_demands(plain.demands, parts)),
        plain.demands,
        'sets',
        'undemanded',
    )
    rules = part.read(
        'rules', lambda rules: tuple(map(_read_rule, rules)), plain.rules
    )
    pinned = part.read('pinned', dict, {})
    budgets = part.read(
        'budgets', lambda all_: tuple(map(_read_budget, all_)), ()
    )
    part.check()
    return model.Problem(
        model.Snapshot(levels, hosts, pools),
        demands,
        rules,
        pinned,
        plain.objective,
        budgets,
    )


class _Part:
    """Reads parts one by one and keeps what is wrong with them."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts
        self._known: set[str] = set()
        self._faults: list[Fault] = []

    def read(
        self,
        key: str,
        reader: Callable[[Any], Any],
        otherwise: Any,
        *more: str,
    ) -> Any:
        """Return a part, or what there is without it.

        ``more``: the keys that make the part, beside its own.
        """
        self._known |= {key, *more}
        if not self._parts.keys() & {key, *more}:
            return otherwise
        try:
            return reader(self._parts.get(key))
        # All that a document of the wrong form can lead to.
        except (
            AttributeError,
            IndexError,
            KeyError,
            OverflowError,
            TypeError,
            ValueError,
        ) as error:
            self._faults.append(
                Fault(f'{HERE}.{key}', f'{type(error).__name__}: {error}')
            )
            return otherwise

    def check(self) -> None:
        """Raise BadProblem if anything was wrong."""
        for key in self._parts.keys() - self._known:
            self._faults.append(Fault(f'{HERE}.{key}', 'unknown key'))
        if self._faults:
            raise BadProblem(self._faults)


def _hosts(
    hosts: columns.HostColumns, parts: Mapping[str, Any]
) -> columns.HostColumns:
    count = len(hosts)

    def column(numbers: Sequence[int], below: int | None = None) -> Ints:
        found = np.array(numbers, np.int64)
        if found.shape != (count,):
            raise ValueError(f'a column is not {count} long')
        if (
            below is not None
            and count
            and not (found.min() >= UNKNOWN and found.max() < below)
        ):
            raise ValueError('a number is out of range')
        return found

    free, total = (
        {
            resource: column(numbers)
            for resource, numbers in parts.get(key, {}).items()
        }
        if key in parts
        else written
        for key, written in (('free', hosts.free), ('total', hosts.total))
    )
    domains = hosts.domains
    if 'domains' in parts:
        domains = {
            level: (
                tuple(found['name']),
                column(found['number'], len(found['name'])),
            )
            for level, found in parts['domains'].items()
        }
    traitsets, traitset = hosts.traitsets, hosts.traitset
    if 'traits' in parts:
        found = parts['traits']
        traitsets = tuple(map(frozenset, found['sets']))
        traitset = column(found['number'], len(traitsets))
    return columns.HostColumns(
        hosts.names, domains, free, total, traitsets, traitset, hosts.is_busy
    )


def _read_pool(pool: Mapping[str, Any]) -> model.Pool:
    types = pool['types']
    return model.Pool(
        str(pool['name']),
        pool['free_gb'],
        None if types is None else frozenset(types),
        dict(pool['domains']),
        pool['host'],
    )


def _read_demands(
    plain: Sequence[model.Demand], parts: Mapping[str, Any]
) -> Iterator[model.Demand]:
    sets = [frozenset(names) for names in parts.get('sets', ())]
    more: Mapping[str, Any] = parts.get('demands', {})
    without = frozenset(parts.get('undemanded', ()))
    for demand in plain:
        if demand.member in without:
            continue
        kept = more.get(demand.member)
        if kept is None:
            yield demand
            continue
        candidates = _pick(sets, kept['candidates'])
        within = None
        if kept['within'] is not None:
            scope, name = kept['within']
            within = str(scope), str(name)
        if isinstance(demand, model.ServerDemand):
            yield model.ServerDemand(
                demand.member,
                dict(kept['resources']),
                candidates,
                require=frozenset(kept['require']),
                forbid=frozenset(kept['forbid']),
                within=within,
                suitable=_pick(sets, kept['suitable']),
            )
        else:
            yield model.VolumeDemand(
                demand.member,
                kept['size_gb'],
                kept['type'],
                candidates,
                within,
            )


def _pick(
    sets: Sequence[frozenset[str]], number: int | None
) -> frozenset[str] | None:
    return None if number is None else sets[number]


def _read_rule(rule: Mapping[str, Any]) -> model.Rule:
    options = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in rule['options'].items()
    }
    return model.Rule(
        str(rule['name']),
        str(rule['policy']),
        str(rule['scope']),
        tuple(tuple(unit) for unit in rule['units']),
        rule['weight'],
        options,
    )


def _read_budget(budget: Mapping[str, Any]) -> model.Budget:
    return model.Budget(
        str(budget['name']),
        str(budget['scope']),
        {domain: dict(room) for domain, room in budget['room'].items()},
    )
