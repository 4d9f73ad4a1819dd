# SPDX-License-Identifier: Apache-2.0
"""Reads all parts that are kept of a live problem, and puts them in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.format import request, topology
from heat_vcluster.placement.format.faults import Faults, join
from heat_vcluster.placement.format.kept import cloud, members, rules

KEYS = (*cloud.KEYS, *members.KEYS, *rules.KEYS)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What was kept; None: that is as the document has it."""

    levels: tuple[str, ...] | None = None
    hosts: columns.HostColumns | None = None
    pools: tuple[model.Pool, ...] | None = None
    members: members.Members = members.NONE
    rules: tuple[model.Rule, ...] | None = None
    budgets: tuple[model.Budget, ...] = ()

    def completed(self, plain: model.Problem) -> model.Problem:
        """Return the problem as it was; ``plain`` is the document's."""
        was = plain.snapshot
        return model.Problem(
            model.Snapshot(
                was.levels if self.levels is None else self.levels,
                was.hosts if self.hosts is None else self.hosts,
                was.pools if self.pools is None else self.pools,
            ),
            tuple(
                self.members.demands.get(demand.member, demand)
                for demand in plain.demands
                if demand.member not in self.members.undemanded
            ),
            plain.rules if self.rules is None else self.rules,
            self.members.pinned,
            plain.objective,
            self.budgets,
        )


def read(
    value: Any,
    path: str,
    plain: topology.Cloud,
    asked: request.Request,
    faults: Faults,
) -> Kept:
    """Read the parts beside what the document itself has, as far as read."""
    parts = faults.keys(value, path, (), KEYS)
    if parts is None:
        return Kept()
    known = cloud.read(parts, path, plain, faults)
    rules_ = None
    if 'rules' in parts:
        rules_ = rules.read_rules(
            parts['rules'], join(path, 'rules'), known, asked.names, faults
        )
    else:
        _compare(known, asked.rules, path, faults)
    budgets = rules.read_budgets(
        parts.get('budgets', []), join(path, 'budgets'), known, faults
    )
    return Kept(
        known.levels,
        known.hosts,
        known.pools if 'pools' in parts else None,
        members.read(parts, path, known, asked, faults),
        rules_,
        budgets,
    )


def _compare(
    known: cloud.Cloud,
    asked: Sequence[model.Rule],
    path: str,
    faults: Faults,
) -> None:
    """Tell of what groups of the document name, and was not there."""
    scopes = (*(known.levels or ()), model.HOST)
    for rule in asked:
        at_least = rule.options.get('at_least', model.HOST)
        for scope in {rule.scope, at_least}.difference(scopes):
            if known.levels is not None:
                message = f'no level {scope!r}, which {rule.name!r} names'
                faults.add(join(path, 'levels'), message)
        for domain in rule.options.get('domains', ()):
            if not known.has(rule.scope, domain):
                message = f'no {rule.scope} {domain!r}'
                faults.add(
                    join(path, 'domains'),
                    f'{message}, which {rule.name!r} names',
                )
