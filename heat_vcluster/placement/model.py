# SPDX-License-Identifier: Apache-2.0
"""The placement problem and its answer, as frozen values.

Nothing here knows OpenStack: hosts and pools are names with amounts. The
meaning of every rule is that of :mod:`heat_vcluster.placement.checker`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

HOST = 'host'  # the last, implicit level


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A place for servers.

    ``domains`` maps each level (not ``host``) to the domain's name; a level
    that is missing there means: the host's domain at it is not known.
    ``free`` and ``total`` map resource classes (VCPU, MEMORY_MB, DISK_GB,
    ...) to amounts.
    """

    name: str
    domains: Mapping[str, str]
    free: Mapping[str, int]
    total: Mapping[str, int]

    def domain(self, scope: str) -> str | None:
        return self.name if scope == HOST else self.domains.get(scope)


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """A place for volumes.

    ``host`` is set for a pool local to one host; ``domains`` as in Host.
    ``free_gb`` is None where the pool tells no bound. ``types`` has the
    volume types it offers (None stands for: any type).
    """

    name: str
    free_gb: int | None
    types: frozenset[str] | None = None
    domains: Mapping[str, str] = dataclasses.field(default_factory=dict)
    host: str | None = None

    def domain(self, scope: str) -> str | None:
        return self.host if scope == HOST else self.domains.get(scope)


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """Capacity at one moment. ``levels``: widest first, without host.

    ``pools`` empty means: volumes cannot be steered here, and take no part.
    """

    levels: tuple[str, ...]
    hosts: tuple[Host, ...]
    pools: tuple[Pool, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        return (*self.levels, HOST)


@dataclasses.dataclass(frozen=True, slots=True)
class ServerDemand:
    """What a server needs of the one host it will sit on.

    ``candidates`` has the names of the hosts that may take it (traits, unit
    limits, zone); None: any host.
    """

    member: str
    resources: Mapping[str, int]
    candidates: frozenset[str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeDemand:
    """What a volume needs of the one pool it will sit in; size in GiB."""

    member: str
    size_gb: int
    type: str | None = None
    candidates: frozenset[str] | None = None


Demand = ServerDemand | VolumeDemand


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A group as the solver sees it.

    ``units``: each a tuple of member names (see ``spec.model.Group``).
    ``weight`` None: hard. A volume whose pool has no known domain at the
    scope does not count in the rule.
    """

    name: str
    policy: str
    scope: str
    units: tuple[tuple[str, ...], ...]
    weight: int | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for unit in self.units for n in unit))


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One request against one snapshot.

    ``pinned`` fixes members that already have a place (member -> host or
    pool): they keep it, and rules count them. Their demand takes no room
    again: ``snapshot`` already has it subtracted.
    """

    snapshot: Snapshot
    demands: tuple[Demand, ...]
    rules: tuple[Rule, ...]
    pinned: Mapping[str, str] = dataclasses.field(default_factory=dict)
    objective: str = 'balance'  # 'balance' | 'pack'


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """A soft rule given up: by how much, and what that cost."""

    rule: str
    amount: int
    cost: int


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Where every member goes: member -> host or pool name.

    ``placement`` has the pinned members too. ``unsteered`` has (rule,
    member) pairs where a rule could not be applied to a volume because no
    domain of its pool is known at that scope.
    """

    placement: Mapping[str, str]
    soft_cost: int = 0
    given_up: tuple[Violation, ...] = ()
    unsteered: tuple[tuple[str, str], ...] = ()


class Verdict(enum.StrEnum):
    FEASIBLE = 'feasible'
    INFEASIBLE = 'infeasible'  # with a proof
    UNKNOWN = 'unknown'  # time ran out; neither plan nor proof


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a solver says. ``plan`` is set if and only if FEASIBLE.

    ``rules`` are the names of rules in conflict (``fit:<member>`` for a
    member's own size and needs); ``reasons`` say it to the tenant (no host
    named, no capacity told), ``operator_reasons`` to the operator.
    ``is_cheapest``: no plan has a lower soft cost, proven.
    """

    verdict: Verdict
    plan: Plan | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    operator_reasons: tuple[str, ...] = ()
    is_cheapest: bool = False
