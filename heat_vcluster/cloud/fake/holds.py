# SPDX-License-Identifier: Apache-2.0
"""The fake placement service: all holds of a call, or none."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake.calls import Side, called, changing
from heat_vcluster.cloud.fake.world import World


class Holds(Side):
    @changing
    def reserve(self, holds: Sequence[model.Hold]) -> None:
        # Disabled hosts take holds: placement knows no scheduler's rules.
        fresh = [hold for hold in holds if hold.id not in self._world.holds]
        wanted: dict[str, collections.Counter[str]] = {}
        for hold in fresh:
            if hold.place not in self._world.hosts:
                raise exception.ReservationConflict(
                    'A planned host is no longer there'
                )
            wanted.setdefault(hold.place, collections.Counter()).update(
                hold.resources
            )
        for host, resources in wanted.items():
            if not self._world.fits(host, resources):
                raise exception.ReservationConflict(
                    'The planned room has gone to others'
                )
        self._world.holds.update({hold.id: hold for hold in fresh})

    @changing
    def release(self, hold_ids: Iterable[str]) -> None:
        release(self._world, hold_ids)

    @called
    def find_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        return frozenset(hold_ids) & self._world.holds.keys()


def release(world: World, hold_ids: Iterable[str]) -> None:
    for hold_id in hold_ids:
        world.holds.pop(hold_id, None)
