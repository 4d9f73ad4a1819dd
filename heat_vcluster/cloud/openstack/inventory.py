# SPDX-License-Identifier: Apache-2.0
"""Capacity as placement counts it: who can take what, on which providers."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster.cloud.openstack import topology
from heat_vcluster.cloud.openstack.demands import Signature
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.placement import model as placement

#: What one member would take: provider uuid -> resource class -> amount.
Share = Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """One answer of GET /allocation_candidates.

    ``shares`` maps a host's root provider to the ways in which its tree can
    serve the request; ``providers`` are placement's summaries.
    """

    shares: Mapping[str, tuple[Share, ...]]
    providers: Mapping[str, Mapping[str, Any]]

    @property
    def roots(self) -> frozenset[str]:
        return frozenset(self.shares)


def ask(service: Service, signature: Signature, **narrower: str) -> Candidates:
    """Ask who can serve a request; without a limit, which saves no time."""
    query = {**signature.query(), **narrower}
    return parse(service.get('/allocation_candidates', **query))


def parse(body: Mapping[str, Any]) -> Candidates:
    providers = body['provider_summaries']
    shares: dict[str, list[Share]] = collections.defaultdict(list)
    for request in body['allocation_requests']:
        share = {
            uuid: part['resources']
            for uuid, part in request['allocations'].items()
        }
        roots = {providers[uuid]['root_provider_uuid'] for uuid in share}
        # Two roots: something shared, such as a disk pool of an aggregate.
        # Its room cannot be counted to one host.
        if len(roots) == 1:
            shares[roots.pop()].append(share)
    return Candidates({r: tuple(s) for r, s in shares.items()}, providers)


def hosts(
    answers: Iterable[Candidates], known: topology.Topology
) -> tuple[placement.Host, ...]:
    """Return all hosts, in the order of their names.

    Hosts that no answer names are there too, with nothing free: members
    that sit there already count in the rules.
    """
    free: dict[str, collections.Counter[str]] = {}
    total: dict[str, collections.Counter[str]] = {}
    seen: set[str] = set()
    for answer in answers:
        for uuid, summary in answer.providers.items():
            if uuid in seen:
                continue
            seen.add(uuid)
            root = summary['root_provider_uuid']
            has = total.setdefault(root, collections.Counter())
            left = free.setdefault(root, collections.Counter())
            for name, figure in summary['resources'].items():
                has[name] += figure['capacity']
                left[name] += max(figure['capacity'] - figure['used'], 0)
    return tuple(
        placement.Host(
            place.name,
            place.domains,
            dict(free.get(place.uuid, {})),
            dict(total.get(place.uuid, {})),
        )
        for place in sorted(known.places.values(), key=lambda p: p.name)
    )


def candidates(
    answer: Candidates, known: topology.Topology, zone: str | None
) -> frozenset[str]:
    """Return the names of the hosts that may take the member."""
    names = frozenset(
        known.places[root].name
        for root in answer.roots
        if root in known.places
    )
    return names & known.in_zone(zone) if zone else names


def choose(
    wishes: Sequence[tuple[str, Sequence[Share]]],
    providers: Mapping[str, Mapping[str, Any]],
) -> dict[str, Share]:
    """Return name -> share such that the providers of a tree suffice.

    Where a tree can serve a member in several ways (one of several devices),
    members of the same host must not all take the first. If none suffices
    any more, the first is taken: placement then refuses, which is the truth.
    """
    left: dict[tuple[str, str], int] = {}
    chosen: dict[str, Share] = {}

    def room(uuid: str, name: str) -> int:
        figure = providers.get(uuid, {}).get('resources', {}).get(name)
        if figure is None:
            return 0
        rest = int(figure['capacity']) - int(figure['used'])
        return left.get((uuid, name), rest)

    def fits(share: Share) -> bool:
        return all(
            amount <= room(uuid, name)
            for uuid, part in share.items()
            for name, amount in part.items()
        )

    for wish, shares in wishes:
        share = next((s for s in shares if fits(s)), shares[0])
        for uuid, part in share.items():
            for name, amount in part.items():
                left[uuid, name] = room(uuid, name) - amount
        chosen[wish] = share
    return chosen
