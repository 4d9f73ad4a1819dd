# SPDX-License-Identifier: Apache-2.0
"""The few things that rules of every kind come down to.

A policy says its meaning to the search as a set of these; the search knows
nothing else of policies. Each has an amount by which it is broken: hard, it
must be 0; soft, it costs the rule's weight a piece. ``n_d`` is the number of
the members that have domain d at the scope; a volume without a domain there
does not count.
"""

from __future__ import annotations

import dataclasses

Members = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Together:
    """One domain for all. Amount: max(0, used domains - 1)."""

    scope: str
    members: Members


@dataclasses.dataclass(frozen=True, slots=True)
class AtMost:
    """So many units in a domain. Amount: sum over d of max(0, u_d - limit).

    ``u_d`` counts the units with a member in d: those of a unit may share.
    """

    scope: str
    units: tuple[Members, ...]
    limit: int


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """Evenly filled. Amount: max(0, max n_d - min n_d - skew) over D.

    ``domains`` is D; None: the domains at the scope where some host could
    take some server of these, looking at nothing but traits and its own
    totals, and those of the pools that offer the type of some volume of
    these. Nothing is asked if D is empty.
    """

    scope: str
    members: Members
    skew: int
    domains: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AtLeast:
    """Over so many domains. Amount: max(0, domains - used domains)."""

    scope: str
    members: Members
    domains: int


@dataclasses.dataclass(frozen=True, slots=True)
class Alone:
    """Nobody else there. Amount: the used domains that are shared.

    Shared: a host in it is busy, or a member of the request that is not one
    of these has it as its domain.
    """

    scope: str
    members: Members


@dataclasses.dataclass(frozen=True, slots=True)
class Near:
    """As near as can be. Amount: 0 if no scope has two used domains.

    Otherwise 1 + the number of the widest scope that has, counted from
    0 = host, 1 = the narrowest level, and so on.
    """

    members: Members


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """What may be lost with any so many domains.

    Amount: max(0, the sum of the ``domains`` largest n_d, less limit).
    """

    scope: str
    members: Members
    domains: int
    limit: int


def domains_for(members: int, lost: int, limit: int) -> int:
    """Return how many domains it takes for a ``Lost`` to be obeyed.

    Over so many the members are shared out evenly, which is the best there
    is; with one domain for each the worst loss is as small as can be.
    """
    for domains in range(lost + 1, members):
        each, more = divmod(members, domains)
        if lost * each + min(lost, more) <= limit:
            return domains
    return max(members, 1)


Constraint = Together | AtMost | Level | AtLeast | Alone | Near | Lost
