# SPDX-License-Identifier: Apache-2.0
"""What a tenant sees of domains: names that tell only which are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from heat_vcluster.placement import model


@dataclasses.dataclass(frozen=True, slots=True)
class Pseudonyms:
    """``of_member``: member -> scope -> pseudonym, e.g. ``rack-1``.

    ``known`` maps (scope, real name) to the pseudonym. It is to be kept
    with the cluster, away from its tenant, and handed in when members are
    placed again, so that equal names go on meaning the same domain.
    """

    of_member: Mapping[str, Mapping[str, str]]
    known: Mapping[tuple[str, str], str]


def assign(
    placement: Mapping[str, str],
    snapshot: model.Snapshot,
    known: Mapping[tuple[str, str], str] | None = None,
) -> Pseudonyms:
    """Name the domains of all members of a plan.

    New domains are numbered in the order in which the members meet them. A
    scope at which a member's domain is not known is left out.
    """
    names = dict(known or {})
    places: dict[str, model.Host | model.Pool] = {
        **{pool.name: pool for pool in snapshot.pools},
        **{host.name: host for host in snapshot.hosts},
    }
    of_member: dict[str, dict[str, str]] = {}
    for member, place in placement.items():
        of_member[member] = {}
        for scope in snapshot.scopes:
            domain = places[place].domain(scope) if place in places else None
            if scope == model.HOST and (scope, place) in names:
                domain = place  # known, though maybe no longer on offer
            if domain is not None:
                name = names.setdefault(
                    (scope, domain), f'{scope}-{_next(names, scope)}'
                )
                of_member[member][scope] = name
    return Pseudonyms(of_member, names)


def disguise(
    plan: model.Plan, known: Mapping[tuple[str, str], str]
) -> model.Plan:
    """Return the plan with pseudonyms where it says where rules give way.

    ``known`` as in :class:`Pseudonyms`. The placement stays as it is.
    """
    given_up = tuple(
        dataclasses.replace(
            violation,
            where=tuple(
                (scope, known[scope, domain])
                for scope, domain in violation.where
                if (scope, domain) in known
            ),
        )
        for violation in plan.given_up
    )
    return dataclasses.replace(plan, given_up=given_up)


def _next(names: Mapping[tuple[str, str], str], scope: str) -> int:
    return 1 + sum(1 for known_scope, _ in names if known_scope == scope)
