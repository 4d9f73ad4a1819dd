# SPDX-License-Identifier: Apache-2.0
"""What the provider keeps for himself, or from any one tenant.

Head-room on a host is room that is not there. Head-room in a domain, and the
largest share of it that one tenant may have, bound what a request may take
of the domain: they become budgets of the problem, decided in the same solve.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable, Iterator, Mapping

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import UNKNOWN, Ints

MOST = 10**12  # of any resource
ANY = '*'
#: The resource classes of placement; those of operators begin so.
CUSTOM = 'CUSTOM_'
RESOURCES = (
    'VCPU',
    'PCPU',
    'MEMORY_MB',
    'DISK_GB',
    'MEM_ENCRYPTION_CONTEXT',
    'VGPU',
    'VGPU_DISPLAY_HEAD',
    'PGPU',
    'FPGA',
    'PCI_DEVICE',
    'SRIOV_NET_VF',
    'NUMA_SOCKET',
    'NUMA_CORE',
    'NUMA_THREAD',
    'NUMA_MEMORY_MB',
    'IPV4_ADDRESS',
    'NET_BW_EGR_KILOBIT_PER_SEC',
    'NET_BW_IGR_KILOBIT_PER_SEC',
    'NET_PACKET_RATE_KILOPACKET_PER_SEC',
    'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC',
    'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC',
)
Used = Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class Quantity:
    """An amount, or so many per cent of what there is in all."""

    number: float
    is_percent: bool = False

    def of(self, total: Ints) -> Ints:
        """Return what it comes to, rounded up."""
        if self.is_percent:
            return np.ceil(total * self.number / 100).astype(np.int64)
        return np.full_like(total, round(self.number))

    def within(self, total: Ints) -> Ints:
        """Return what it comes to, rounded down."""
        if self.is_percent:
            return np.floor(total * self.number / 100).astype(np.int64)
        return np.full_like(total, round(self.number))


@dataclasses.dataclass(frozen=True, slots=True)
class Ban:
    """Rules that tenants may not use; ``*`` stands for any."""

    policy: str
    scope: str
    strict_only: bool = False

    def meets(self, policy: str, scope: str, *, is_strict: bool) -> bool:
        return (
            self.policy in (ANY, policy)
            and self.scope in (ANY, scope)
            and (is_strict or not self.strict_only)
        )


ByResource = Mapping[str, Quantity]  # resource class, or * for any


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """All of the provider's limits; ``headroom`` and ``share`` by level."""

    bans: tuple[Ban, ...] = ()
    host_headroom: ByResource = dataclasses.field(default_factory=dict)
    headroom: Mapping[str, ByResource] = dataclasses.field(
        default_factory=dict
    )
    share: Mapping[str, ByResource] = dataclasses.field(default_factory=dict)

    @property
    def scopes(self) -> frozenset[str]:
        """The levels at which all of a domain has to be counted."""
        return frozenset({*self.headroom, *self.share})

    @property
    def bounds_room(self) -> bool:
        return bool(self.host_headroom or self.scopes)

    def bans_rule(self, policy: str, scope: str, *, is_strict: bool) -> bool:
        return any(
            ban.meets(policy, scope, is_strict=is_strict) for ban in self.bans
        )

    def apply(self, problem: model.Problem, used: Used) -> model.Problem:
        """Return the problem within the limits.

        ``used``: host -> resource class -> amount of what the tenant has
        already. Nothing is counted for hosts whose domain is not known; where
        that of none is, there is no budget.
        """
        if not self.bounds_room:
            return problem
        snapshot = problem.snapshot
        hosts = columns.of(snapshot.hosts, snapshot.levels)
        budgets = (*self._headrooms(hosts), *self._shares(hosts, used))
        if self.host_headroom:
            snapshot = dataclasses.replace(snapshot, hosts=self._cut(hosts))
        return dataclasses.replace(
            problem, snapshot=snapshot, budgets=(*problem.budgets, *budgets)
        )

    def _cut(self, hosts: columns.HostColumns) -> columns.HostColumns:
        """Return the hosts with their head-room taken off."""
        free = {
            resource: np.maximum(amount - kept.of(hosts.total[resource]), 0)
            if (kept := _quantity(self.host_headroom, resource))
            else amount
            for resource, amount in hosts.free.items()
        }
        return hosts.changed(free=free)

    def _headrooms(self, hosts: columns.HostColumns) -> Iterator[model.Budget]:
        for scope, by_resource in self.headroom.items():
            if scope not in hosts.domains:
                continue
            room = {
                resource: _by_domain(hosts, scope, hosts.free[resource])
                - kept.of(_by_domain(hosts, scope, hosts.total[resource]))
                for resource in hosts.free
                if (kept := _quantity(by_resource, resource))
            }
            yield _budget(hosts, f'{scope} head-room', scope, room)

    def _shares(
        self, hosts: columns.HostColumns, used: Used
    ) -> Iterator[model.Budget]:
        for scope, by_resource in self.share.items():
            if scope not in hosts.domains:
                continue
            room = {
                resource: most.within(
                    _by_domain(hosts, scope, hosts.total[resource])
                )
                - _by_domain(hosts, scope, _taken(hosts, resource, used))
                for resource in hosts.free
                if (most := _quantity(by_resource, resource))
            }
            yield _budget(hosts, f'share of a {scope}', scope, room)


def _quantity(by_resource: ByResource, resource: str) -> Quantity | None:
    return by_resource.get(resource, by_resource.get(ANY))


def _taken(hosts: columns.HostColumns, resource: str, used: Used) -> Ints:
    return np.array(
        [used.get(name, {}).get(resource, 0) for name in hosts.names],
        np.int64,
    )


def _by_domain(hosts: columns.HostColumns, scope: str, amount: Ints) -> Ints:
    """Return the sums over the hosts of each domain."""
    names, column = hosts.domains[scope]
    known = column != UNKNOWN
    sums = np.zeros(len(names), np.int64)
    np.add.at(sums, column[known], amount[known])
    return sums


def _budget(
    hosts: columns.HostColumns,
    name: str,
    scope: str,
    room: Mapping[str, Ints],
) -> model.Budget:
    domains, _ = hosts.domains[scope]
    return model.Budget(
        name,
        scope,
        {
            domain: {
                resource: max(int(amounts[number]), 0)
                for resource, amounts in room.items()
            }
            for number, domain in enumerate(domains)
        },
    )


def parse_bans(texts: Iterable[str]) -> tuple[Ban, ...]:
    """Read ``POLICY@SCOPE`` and ``POLICY@SCOPE:strict``; ValueError.

    Whether there are such policies and scopes is told by ``check_bans``.
    """
    bans = []
    for text in texts:
        rule, _, word = (part.strip() for part in text.partition(':'))
        policy, at, scope = (part.strip() for part in rule.partition('@'))
        if not (policy and at and scope) or word not in ('', 'strict'):
            raise ValueError(
                f'{text!r} must be POLICY@SCOPE or POLICY@SCOPE:strict'
            )
        bans.append(Ban(policy, scope, word == 'strict'))
    return tuple(bans)


def check_bans(
    bans: Iterable[Ban], policies: Collection[str], scopes: Collection[str]
) -> None:
    """Raise ValueError for a ban that names what there is not.

    It would meet no rule, and leave open what was to be closed.
    """
    for ban in bans:
        for what, name, known in (
            ('policy', ban.policy, policies),
            ('scope', ban.scope, scopes),
        ):
            if name != ANY and name not in known:
                raise ValueError(
                    f'there is no {what} {name!r}, only '
                    f'{", ".join(known)} and {ANY}'
                )


def parse_amounts(texts: Iterable[str]) -> dict[str, Quantity]:
    """Read ``RESOURCE=AMOUNT`` and ``RESOURCE=PERCENT%``; ValueError."""
    found: dict[str, Quantity] = {}
    for text in texts:
        resource, equals, amount = (p.strip() for p in text.partition('='))
        if not (resource and equals):
            raise ValueError(f'{text!r} must be RESOURCE=AMOUNT')
        _check_resource(resource, found)
        found[resource] = parse_quantity(amount)
    return found


def _check_resource(resource: str, found: Container[str]) -> None:
    if resource in found:
        raise ValueError(f'{resource} has two amounts')
    if resource not in (ANY, *RESOURCES) and not resource.startswith(CUSTOM):
        raise ValueError(
            f'there is no resource {resource!r}, only {CUSTOM}..., '
            f'{", ".join(RESOURCES)} and {ANY}'
        )


def parse_levels(texts: Iterable[str]) -> dict[str, dict[str, Quantity]]:
    """Read ``LEVEL:RESOURCE=AMOUNT``, of which there may be several."""
    by_level: dict[str, list[str]] = {}
    for text in texts:
        level, colon, rest = (part.strip() for part in text.partition(':'))
        if not (level and colon):
            raise ValueError(f'{text!r} must be LEVEL:RESOURCE=AMOUNT')
        by_level.setdefault(level, []).append(rest)
    return {level: parse_amounts(rest) for level, rest in by_level.items()}


def parse_quantity(text: str) -> Quantity:
    is_percent = text.endswith('%')
    try:
        number = float(text.removesuffix('%'))
    except ValueError as error:
        raise ValueError(f'{text!r} is no amount and no per cent') from error
    # As no number is, it is not below either.
    if not 0 <= number <= (100 if is_percent else MOST):
        raise ValueError(f'{text!r} is out of range')
    return Quantity(number, is_percent)
