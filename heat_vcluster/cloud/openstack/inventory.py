# SPDX-License-Identifier: Apache-2.0
"""Capacity as placement counts it: who can take what, on which providers."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from heat_vcluster.cloud.openstack import places
from heat_vcluster.cloud.openstack.demands import Signature
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.placement import columns

#: What one member would take: provider uuid -> resource class -> amount.
Share = Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """What a host's whole tree of providers has, and what is left of it."""

    total: Mapping[str, int]
    free: Mapping[str, int]
    is_busy: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """One answer of GET /allocation_candidates, or several joined.

    ``shares`` maps a host's root provider to the ways in which its tree can
    serve the request; ``providers`` are placement's summaries.
    """

    shares: Mapping[str, tuple[Share, ...]]
    providers: Mapping[str, Mapping[str, Any]]

    @property
    def roots(self) -> frozenset[str]:
        return frozenset(self.shares)


def ask(service: Service, signature: Signature, **narrower: Any) -> Candidates:
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


def cut(answer: Candidates, roots: Collection[str]) -> Candidates:
    """Return what an answer says of some hosts."""
    return Candidates(
        {r: s for r, s in answer.shares.items() if r in roots},
        {
            uuid: summary
            for uuid, summary in answer.providers.items()
            if summary['root_provider_uuid'] in roots
        },
    )


def join(answers: Iterable[Candidates]) -> Candidates:
    """Return answers to one question about different hosts as one."""
    shares: dict[str, tuple[Share, ...]] = {}
    providers: dict[str, Mapping[str, Any]] = {}
    for answer in answers:
        shares.update(answer.shares)
        providers.update(answer.providers)
    return Candidates(shares, providers)


def rooms(answers: Iterable[Candidates]) -> dict[str, Room]:
    """Return root provider -> room, of all that the answers speak of."""
    free: dict[str, dict[str, int]] = {}
    total: dict[str, dict[str, int]] = {}
    busy: set[str] = set()
    seen: set[str] = set()
    for answer in answers:
        for uuid, summary in answer.providers.items():
            if uuid in seen:
                continue
            seen.add(uuid)
            root = summary['root_provider_uuid']
            has = total.setdefault(root, {})
            left = free.setdefault(root, {})
            for name, figure in summary['resources'].items():
                capacity, used = figure['capacity'], figure['used']
                has[name] = has.get(name, 0) + capacity
                left[name] = left.get(name, 0) + max(capacity - used, 0)
                if used > 0:
                    busy.add(root)
    return {r: Room(total[r], free[r], r in busy) for r in total}


def hosts(
    known: places.Topology,
    found: Mapping[str, Room],
    shown: Collection[str] | None = None,
) -> columns.HostColumns:
    """Return hosts, in the order of their names.

    Those in ``shown`` (uuids), or all: also those that nothing was found of
    are there, with nothing free and not idle, as members that sit there
    already count in the rules.
    """
    chosen = np.array(
        [
            number
            for number, place in enumerate(known.ordered)
            if shown is None or place.uuid in shown
        ],
        np.int64,
    )
    some = [known.ordered[number] for number in chosen]
    here = [found.get(place.uuid) for place in some]
    levels = dict.fromkeys(s for place in some for s in place.domains)
    return columns.HostColumns(
        tuple(place.name for place in some),
        {
            level: (known.column(level)[0], known.column(level)[1][chosen])
            for level in levels
        },
        _amounts([room.free if room else {} for room in here]),
        _amounts([room.total if room else {} for room in here]),
        (frozenset(),),
        np.zeros(len(some), np.int64),
        np.array([room is None or room.is_busy for room in here], np.bool_),
    )


def _amounts(rows: Sequence[Mapping[str, int]]) -> dict[str, columns.Ints]:
    classes = sorted({name for row in rows for name in row})
    return {
        name: np.array([row.get(name, 0) for row in rows], np.int64)
        for name in classes
    }


def candidates(
    answer: Candidates, known: places.Topology, zone: str | None
) -> frozenset[str]:
    """Return the names of the hosts that may take the member."""
    names = frozenset(
        known.places[root].name
        for root in answer.shares
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
