# SPDX-License-Identifier: Apache-2.0
"""What it costs to read capacity: a part of the cloud, and all of it.

A real placement service (openstack-placement on SQLite, in this process,
behind a socket) with 250 racks of 40 hosts by default. A cluster of ten
servers of two sizes is placed and held, in five ways:

    naive     as if nothing were known: all hosts, all of their capacity
    cold      by parts, in a process that has just begun
    next      by parts, another cluster, that looks at other racks
    again     the same racks as "next", which its own holds have changed
    same      those racks once more, unchanged: only that is asked

Each way is measured in requests, bytes and seconds; the ratios to naive are
what counts. Run it with openstack-placement installed:

    python benchmarks/capacity.py --racks 250 --per-rack 40 --rounds 3
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

# Not this directory: it has a placement.py of its own.
sys.path.remove(str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from heat_vcluster import planner, registry
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    capacity,
    errors,
    reservation,
    settings,
)
from heat_vcluster.engine import decision
from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import load
from tests import datacenter

SIZES = (
    {'VCPU': 2, 'MEMORY_MB': 4096, 'DISK_GB': 20},
    {'VCPU': 8, 'MEMORY_MB': 16384, 'DISK_GB': 40},
)
MEMBERS = 10
WAYS = ('naive', 'cold', 'next', 'again', 'same')


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What one way took: reading, and planning and holding after it."""

    requests: int
    kilobytes: float
    reading: float
    rest: float
    hosts: int


class Outside:
    """What a decision asks of a cloud, with a clock on the reading."""

    def __init__(
        self, center: datacenter.DataCenter, *, in_parts: bool, seconds: float
    ) -> None:
        chosen = settings.Settings(
            levels=datacenter.LEVELS, capacity_seconds=seconds
        )
        site = capacity.Site.of(
            center.services(chosen), chosen, errors.Secrets()
        )
        self._capacity = capacity.Capacity(
            site, reservation.Tenant('alpha', 'ann')
        )
        self._in_parts = in_parts
        self.reading = 0.0

    def readings(self, demands, reach):
        readings = self._capacity.readings(demands, reach)
        if not self._in_parts:
            readings = self._everything(demands)
        while True:
            begun = time.monotonic()
            reading = next(readings, None)
            self.reading += time.monotonic() - begun
            if reading is None:
                return
            yield reading

    def _everything(self, demands):
        snapshot, found = self._capacity.snapshot(demands)
        yield model.Reading(snapshot, found, is_whole=True)

    def reserve(self, holds: Sequence[model.Hold]) -> None:
        self._capacity.reserve(holds)


def document() -> object:
    names = [f'm{number}' for number in range(MEMBERS)]
    return load(
        {
            'instances': [
                {
                    'name': name,
                    'type': 'server',
                    'spec': {'image': 'i', 'flavor': 'f'},
                }
                for name in names
            ],
            'groups': [
                {
                    'name': 'apart',
                    'members': names,
                    'spec': {'policy': 'anti-affinity', 'scope': 'host'},
                }
            ],
        },
        scopes=('zone', 'rack', 'host'),
    )


class Bench:
    def __init__(self, center: datacenter.DataCenter) -> None:
        self._center = center
        self._planner = planner.Planner(
            registry.get('solvers', solvers.DEFAULT)(), deadline=20.0
        )
        self._wanted = document()
        self._demands = tuple(
            placement.ServerDemand(member.name, SIZES[number % len(SIZES)])
            for number, member in enumerate(self._wanted.members)
        )

    def round(self, number: int) -> dict[str, Cost]:
        whole = Outside(self._center, in_parts=False, seconds=0)
        parts = Outside(self._center, in_parts=True, seconds=0)
        seeds = [f'{number}-{letter}' for letter in 'abc']
        return {
            'naive': self._measure(whole, seeds[0]),
            'cold': self._measure(parts, seeds[1]),
            'next': self._measure(parts, seeds[2]),
            # Twice: what a hold has changed, and what is known of it after.
            'again': self._measure(parts, seeds[2], hold=False),
            '': self._measure(parts, seeds[2], hold=False),
            'same': self._measure(parts, seeds[2], hold=False),
        }

    def _measure(
        self, outside: Outside, seed: str, *, hold: bool = True
    ) -> Cost:
        asked, sent = len(self._center.seen), self._center.sent
        begun, outside.reading = time.monotonic(), 0.0
        made = decision.decide(
            outside, self._planner, self._wanted, self._demands, seed=seed
        )
        if hold:
            outside.reserve(
                [
                    model.Hold(
                        str(uuid.uuid4()),
                        demand.member,
                        made.plan.placement[demand.member],
                        demand.resources,
                    )
                    for demand in made.demands
                ]
            )
        total = time.monotonic() - begun
        return Cost(
            len(self._center.seen) - asked,
            (self._center.sent - sent) / 1000,
            outside.reading,
            total - outside.reading,
            len(made.snapshot.hosts),
        )


def table(rounds: Sequence[dict[str, Cost]]) -> str:
    def middle(way: str, figure: Callable[[Cost], float]) -> float:
        return statistics.median(figure(one[way]) for one in rounds)

    lines = [
        f'{"way":<7}{"requests":>9}{"kB":>9}{"hosts seen":>12}'
        f'{"reading s":>11}{"plan+hold s":>13}{"reading":>10}{"bytes":>8}'
    ]
    naive = middle('naive', lambda c: c.reading)
    size = middle('naive', lambda c: c.kilobytes)
    for way in WAYS:
        reading = middle(way, lambda c: c.reading)
        kilobytes = middle(way, lambda c: c.kilobytes)
        lines.append(
            f'{way:<7}{middle(way, lambda c: c.requests):>9.0f}'
            f'{kilobytes:>9.0f}{middle(way, lambda c: c.hosts):>12.0f}'
            f'{reading:>11.3f}{middle(way, lambda c: c.rest):>13.3f}'
            f'{f"1/{naive / reading:.0f}":>10}{f"1/{size / kilobytes:.0f}":>8}'
        )
    return '\n'.join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--racks', type=int, default=250)
    parser.add_argument('--per-rack', type=int, default=40)
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    begun = time.monotonic()
    center = datacenter.DataCenter(
        racks=options.racks, per_rack=options.per_rack
    )
    print(
        f'{options.racks * options.per_rack} hosts in a real placement, '
        f'made in {time.monotonic() - begun:.1f} s; {MEMBERS} members, '
        f'medians of {options.rounds} rounds',
        flush=True,
    )
    bench = Bench(center)
    print(table([bench.round(number) for number in range(options.rounds)]))
    center.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
