# SPDX-License-Identifier: Apache-2.0
"""Reads the request of a problem: members, groups and the objective."""

from __future__ import annotations

import dataclasses
from typing import Any

from heat_vcluster.placement import model
from heat_vcluster.placement.format import groups, members
from heat_vcluster.placement.format.faults import Faults, join
from heat_vcluster.placement.format.topology import Cloud

OBJECTIVES = ('pack', 'balance')


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is asked, as far as it could be read; ``names``: all members'."""

    names: frozenset[str] = frozenset()
    demands: tuple[model.Demand, ...] = ()
    rules: tuple[model.Rule, ...] = ()
    objective: str = 'balance'


def read(document: Any, path: str, cloud: Cloud, faults: Faults) -> Request:
    parts = ('members', 'groups', 'objective')
    found = faults.keys(document, path, parts)
    if found is None:
        return Request()
    demands, names = members.read(
        found['members'], join(path, 'members'), cloud, faults
    )
    rules = groups.Groups(cloud, names, faults).read(
        found['groups'], join(path, 'groups')
    )
    objective = _objective(found['objective'], join(path, 'objective'), faults)
    return Request(names, demands, rules, objective)


def _objective(value: Any, path: str, faults: Faults) -> str:
    found = faults.keys(value, path, ('then',))
    if found is not None:
        if found['then'] in OBJECTIVES:
            return str(found['then'])
        faults.add(join(path, 'then'), f'neither of {", ".join(OBJECTIVES)}')
    return OBJECTIVES[0]
