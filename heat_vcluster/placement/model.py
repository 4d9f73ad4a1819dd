# SPDX-License-Identifier: Apache-2.0
"""The placement problem and its answer, as frozen values.

Nothing here knows OpenStack: hosts and pools are names with amounts. The
meaning of every rule is that of :mod:`heat_vcluster.placement.checker`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

HOST = 'host'  # the last, implicit level


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A place for servers.

    ``domains`` maps each level (not ``host``) to the domain's name; a level
    that is missing there means: the host's domain at it is not known.
    ``free`` and ``total`` map resource classes (VCPU, MEMORY_MB, DISK_GB,
    ...) to amounts. ``is_busy``: something that is not of this request runs
    there (not derived from the amounts: room may be set aside on an idle
    host).
    """

    name: str
    domains: Mapping[str, str]
    free: Mapping[str, int]
    total: Mapping[str, int]
    traits: frozenset[str] = frozenset()
    is_busy: bool = False

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

    ``hosts`` is a tuple, or a :class:`~.columns.HostColumns`, which reads
    the same. ``pools`` empty means: volumes cannot be steered here, and take
    no part.
    """

    levels: tuple[str, ...]
    hosts: Sequence[Host]
    pools: tuple[Pool, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        return (*self.levels, HOST)


@dataclasses.dataclass(frozen=True, slots=True)
class ServerDemand:
    """What a server needs of the one host it will sit on.

    The host has all of the ``require``-d traits, none of the ``forbid``-den
    ones, and is ``within`` a (scope, domain). ``candidates`` has the names
    of the hosts that may take it beyond that (unit limits, zone); None: any
    host. ``suitable`` has the hosts that could take it were they empty, for
    a cloud that tells this itself; None: traits and totals decide. It counts
    only for the domains that a ``max_skew`` is taken over.
    """

    member: str
    resources: Mapping[str, int]
    candidates: frozenset[str] | None = None
    require: frozenset[str] = frozenset()
    forbid: frozenset[str] = frozenset()
    within: tuple[str, str] | None = None
    suitable: frozenset[str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeDemand:
    """What a volume needs of the one pool it will sit in; size in GiB."""

    member: str
    size_gb: int
    type: str | None = None
    candidates: frozenset[str] | None = None
    within: tuple[str, str] | None = None


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

    @property
    def is_group(self) -> bool:
        """Whether it is a group of the document.

        What else is asked there has its place as its name, such as
        ``survive[0].keep.db``, which no group can have.
        """
        return '[' not in self.name

    @property
    def title(self) -> str:
        """How its tenant knows it."""
        kind = f'{self.policy} group ' if self.is_group else ''
        return f"{kind}'{self.name}'"


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """What all servers of the request together may take of a domain.

    ``room`` maps domains at ``scope`` to what is left there, by resource
    class; a domain or a resource that is missing has no bound. It is the
    provider's, not the tenant's: head-room, or a tenant's largest share.
    Pinned members and volumes do not count.
    """

    name: str
    scope: str
    room: Mapping[str, Mapping[str, int]]


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
    budgets: tuple[Budget, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """A soft rule given up: by how much, and what that cost.

    ``where`` has the (scope, domain) pairs in which it is broken, real
    names, as the checker tells them; a solver need not.
    """

    rule: str
    amount: int
    cost: int
    where: tuple[tuple[str, str], ...] = dataclasses.field(
        default=(), compare=False
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Breach:
    """What must hold of a rule and does not: by how much, where, for whom.

    ``where`` as in Violation; ``members`` are those of the rule in there,
    or all of it that have a place if no domain is to blame.
    """

    rule: str
    amount: int
    where: tuple[tuple[str, str], ...]
    members: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Where every member goes: member -> host or pool name.

    ``placement`` has the pinned members too. ``objective`` is what the
    operator's wish comes to: hosts used (pack) or the highest fill in per
    mille (balance); None: not told. ``unsteered`` has (rule, member) pairs
    where a rule could not be applied to a volume because no domain of its
    pool is known at that scope.
    """

    placement: Mapping[str, str]
    soft_cost: int = 0
    objective: int | None = None
    given_up: tuple[Violation, ...] = ()
    unsteered: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """What no placement can beat, proven.

    None has a soft cost below ``soft_cost``, and none of exactly that soft
    cost has an objective below ``objective`` (None: not known).
    """

    soft_cost: int = 0
    objective: int | None = None


class Verdict(enum.StrEnum):
    FEASIBLE = 'feasible'
    INFEASIBLE = 'infeasible'  # with a proof
    UNKNOWN = 'unknown'  # time ran out; neither plan nor proof


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """A change to the request that is proven to fit now.

    ``kind`` is one of ``soften`` (``subject`` is a rule, made soft),
    ``relax`` (``subject`` is a rule, ``option`` of it becomes ``value``),
    ``fewer`` (``value`` members of those like ``subject`` are left out),
    ``resize`` (``members``, like ``subject``, take the flavor ``value``) and
    ``several`` (``value`` has repairs that fit only together). ``text``
    says it to the tenant; ``soft_cost`` is that of the plan it leads to.
    """

    kind: str
    subject: str
    text: str
    option: str | None = None
    value: Any = None
    members: tuple[str, ...] = ()
    soft_cost: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a solver says. ``plan`` is set if and only if FEASIBLE.

    ``rules`` are the names of rules in conflict (``fit:<member>`` for a
    member's own size and needs), minimal unless time ran out
    (``is_minimal``); ``reasons`` say it to the tenant (no host named, no
    capacity told), ``operator_reasons`` to the operator. ``tried`` tells
    what was tried, for UNKNOWN. ``seconds`` maps what the time went into
    (``first_plan``, ``proof``, ``explain``, ...) to seconds since the start.
    """

    verdict: Verdict
    plan: Plan | None = None
    bound: Bound | None = None
    rules: tuple[str, ...] = ()
    is_minimal: bool = False
    reasons: tuple[str, ...] = ()
    operator_reasons: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    tried: tuple[str, ...] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
