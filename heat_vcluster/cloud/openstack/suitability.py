# SPDX-License-Identifier: Apache-2.0
"""Which hosts could take a member were they empty.

Placement tells who can take it now. For the others there are their traits
(one request tells all hosts that have some), and their totals, which hardly
ever change: they are remembered from whatever answer they were in.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import inventory, ledger, places, topology
from heat_vcluster.cloud.openstack.demands import DISABLED, SURVEY, Signature
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.placement import model


class Judge:
    """Judges hosts for one reading."""

    def __init__(
        self,
        service: Service,
        heard: ledger.Ledger,
        reader: topology.TopologyReader,
    ) -> None:
        self._service = service
        self._heard = heard
        self._reader = reader
        self._known: dict[Signature, frozenset[str]] = {}

    def suitable(
        self,
        signature: Signature,
        scopes: Collection[str],
        known: places.Topology,
    ) -> frozenset[str]:
        """Return the names of hosts that could.

        Enough of them to have, at the scopes, each domain that has any.
        """
        if signature not in self._known:
            self._known[signature] = frozenset(
                known.places[root].name
                for root in self._roots(signature, scopes, known)
            )
        return self._known[signature]

    def _roots(
        self,
        signature: Signature,
        scopes: Collection[str],
        known: places.Topology,
    ) -> set[str]:
        able = self._reader.bearers(
            (
                *signature.required,
                *(f'!{name}' for name in (*signature.forbidden, DISABLED)),
            )
        )
        able &= known.places.keys()
        if any(self._heard.room(root) is None for root in able):
            # All that have anything left; the totals of all come with it.
            self._heard.read_all([SURVEY])
        unheard = {root for root in able if self._heard.room(root) is None}
        found = {
            root for root in able - unheard if self._could(root, signature)
        }
        for scope in scopes:
            found |= self._further(signature, scope, known, found, unheard)
        return found

    def _could(self, root: str, signature: Signature) -> bool:
        room = self._heard.room(root)
        return room is not None and all(
            amount <= room.total.get(name, 0)
            for name, amount in signature.resources
        )

    def _further(
        self,
        signature: Signature,
        scope: str,
        known: places.Topology,
        found: set[str],
        unheard: set[str],
    ) -> set[str]:
        """Return one host for each domain that has none found so far.

        Hosts without anything left have to be asked for one by one.
        """

        def domain(root: str) -> str | None:
            if scope == model.HOST:
                return root
            return known.places[root].domains.get(scope)

        have = {domain(root) for root in found}
        left = collections.defaultdict(list)
        for root in sorted(unheard):
            if domain(root) not in have:
                left[domain(root)].append(root)
        more = set()
        for roots in left.values():
            for root in roots:
                self._measure(root)
                if self._could(root, signature):
                    more.add(root)
                    break
        return more

    def full(self, roots: Iterable[str]) -> dict[str, inventory.Room]:
        """Return the rooms of hosts that have nothing left."""
        rooms = {}
        for root in roots:
            room = self._heard.room(root) or self._measure(root)
            if room is not None:
                rooms[root] = inventory.Room(room.total, {}, is_busy=True)
        return rooms

    def _measure(self, root: str) -> inventory.Room | None:
        """Ask for the totals of one host; None if it is no more."""
        try:
            body = self._service.get(f'/resource_providers/{root}/inventories')
        except exception.CloudError:
            return None
        total = {
            name: int(
                (one['total'] - one['reserved']) * one['allocation_ratio']
            )
            for name, one in body['inventories'].items()
        }
        room = inventory.Room(total, {}, is_busy=True)
        self._heard.hear(root, room)
        return room


def _capacity(one: Mapping[str, Any]) -> int:
    """Return what placement gives as capacity in its summaries."""
    return int((one['total'] - one['reserved']) * one['allocation_ratio'])
