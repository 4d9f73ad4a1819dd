# SPDX-License-Identifier: Apache-2.0
"""Which rules the compute service can go on holding, by its server groups.

It knows two kinds of rule, over hosts alone, each for the members of one
group, and a server can be in one group only. So a rule is taken whole or not
at all, and of rules with a server in common the first is taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence

from heat_vcluster.spec import model as spec

AFFINITY = 'affinity'
ANTI_AFFINITY = 'anti-affinity'
HOST = 'host'

TAKEN = "a server of it is in the server group of '{}' already"
NO_GROUPS = "the project's quota has no server group left"
TOO_MANY = (
    "it has {} servers, and the project's quota lets {} be in a server group"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """What the tenant's quotas leave; None: as many as one likes."""

    groups: int | None = None
    members: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ServerGroup:
    """A group that is to be made, for the rule of that name.

    ``most``: so many of its servers may share a host, for anti-affinity.
    """

    rule: str
    policy: str
    servers: tuple[str, ...]
    most: int = 1

    def implies(self, other: ServerGroup) -> bool:
        """Tell whether who obeys it obeys the other one as well."""
        return (
            self.policy == other.policy
            and {*other.servers} <= {*self.servers}
            and (self.policy == AFFINITY or self.most <= other.most)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Grouping:
    """``held``: rule -> the group by which it is held; ``lacking``: why not.

    A rule that no server group could say is in neither.
    """

    groups: tuple[ServerGroup, ...] = ()
    held: tuple[tuple[str, ServerGroup], ...] = ()
    lacking: tuple[tuple[str, tuple[str, ...], str], ...] = ()

    def of(self, server: str) -> ServerGroup | None:
        """Return the group that a server is to be in."""
        found = (group for group in self.groups if server in group.servers)
        return next(found, None)

    def rules_of(self, server: str) -> dict[str, str | None]:
        """Return the rules on a server that it is about: name -> why not."""
        told: dict[str, str | None] = {
            rule: None for rule, group in self.held if server in group.servers
        }
        for rule, servers, why in self.lacking:
            if server in servers:
                told[rule] = why
        return told


def choose(wanted: spec.GroupSpec, room: Room) -> Grouping:
    """Return the groups to make: those that keep most apart come first.

    Anti-affinity, then limits of so many on a host, the lower first, then
    affinity; of equal ones that which comes first in the document.
    """
    sayable = sorted(_sayable(wanted), key=_order)
    groups: list[ServerGroup] = []
    held: list[tuple[str, ServerGroup]] = []
    lacking: list[tuple[str, tuple[str, ...], str]] = []
    for one in sayable:
        by = next((g for g in groups if g.implies(one)), None)
        if by is None:
            why = _obstacle(one, groups, room)
            if why is not None:
                lacking.append((one.rule, one.servers, why))
                continue
            groups.append(one)
            by = one
        held.append((one.rule, dataclasses.replace(by, servers=one.servers)))
    return Grouping(tuple(groups), tuple(held), tuple(lacking))


def lasting(before: spec.GroupSpec, after: spec.GroupSpec) -> frozenset[str]:
    """Return the rules of both of which server groups say the same.

    A group cannot be changed, so those of other rules are of no use.
    """
    said = {
        (group.rule, group.policy, group.most) for group in _sayable(before)
    }
    return frozenset(
        group.rule
        for group in _sayable(after)
        if (group.rule, group.policy, group.most) in said
    )


def sayable(wanted: spec.GroupSpec) -> frozenset[str]:
    """Return the rules that server groups could say."""
    return lasting(wanted, wanted)


def _order(group: ServerGroup) -> tuple[bool, int]:
    return group.policy == AFFINITY, group.most


def _obstacle(
    one: ServerGroup, groups: Sequence[ServerGroup], room: Room
) -> str | None:
    for group in groups:
        if not {*group.servers}.isdisjoint(one.servers):
            return TAKEN.format(group.rule)
    if room.members is not None and len(one.servers) > room.members:
        return TOO_MANY.format(len(one.servers), room.members)
    if room.groups is not None and len(groups) >= room.groups:
        return NO_GROUPS
    return None


def _sayable(wanted: spec.GroupSpec) -> Iterator[ServerGroup]:
    """Give what server groups could say: hard rules over hosts."""
    names = frozenset(member.name for member in wanted.of_type('server'))
    for group in wanted.groups:
        servers = tuple(name for name in group.members if name in names)
        if group.is_hard and group.scope == HOST and len(servers) > 1:
            if group.policy == AFFINITY:
                yield ServerGroup(group.name, AFFINITY, servers)
            most = _most(group, names)
            if most is not None and 0 < most < len(servers):
                yield ServerGroup(group.name, ANTI_AFFINITY, servers, most)


def _most(group: spec.Group, servers: Collection[str]) -> int | None:
    """Return how many servers the rule lets share a host; None: it is more.

    Of a survival that is so for the loss of one host.
    """
    options = group.options
    if group.policy == ANTI_AFFINITY:
        return 1 if _are_single(group.units, servers) else None
    if group.policy == 'spread' and {*options} == {'max_per_domain'}:
        return int(options['max_per_domain'])
    if group.policy == 'survive' and options['lose'] == 1:
        return len(group.members) - int(options['keep'])
    return None


def _are_single(
    units: Iterable[Iterable[str]], servers: Collection[str]
) -> bool:
    """Tell whether no unit has several servers, which may share a host."""
    return all(sum(member in servers for member in unit) < 2 for unit in units)
