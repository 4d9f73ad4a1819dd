# SPDX-License-Identifier: Apache-2.0
"""Makes clouds, and plants requests in them that are known to fit.

A cloud starts with *room* on some of its hosts. Members are seated there one
by one, which gives a witness; then what is free is derived from the room
(loose) or from what the witness took (tight: that and crumbs, exact: that and
nothing).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any

RESOURCES = ('vcpu', 'ram_mb', 'disk_gb')
Amounts = tuple[int, int, int]

# vcpu, MiB, GiB
TINY: Amounts = (1, 2048, 10)
SMALL: Amounts = (2, 4096, 20)
MEDIUM: Amounts = (4, 8192, 40)
LARGE: Amounts = (8, 16384, 80)
DATABASE: Amounts = (8, 65536, 40)
COMPUTE: Amounts = (16, 16384, 40)
HUGE: Amounts = (16, 32768, 160)

MACHINES = (
    (32, 131072, 900),
    (64, 262144, 1800),
    (96, 786432, 3600),
    (128, 524288, 3600),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """How large a cloud is, and how many members a request has."""

    zones: int
    rows: int  # of a zone
    racks: int  # of a zone
    hosts: int  # of a rack
    members: int


SIZES = {
    'small': Size(2, 2, 5, 10, 20),
    'medium': Size(2, 5, 25, 20, 100),
    'large': Size(4, 6, 78, 32, 1000),
    'huge': Size(5, 20, 500, 40, 2000),
}


class NoRoomError(Exception):
    """The draw led nowhere; another seed may do."""


@dataclasses.dataclass(slots=True)
class Pool:
    """A pool; ``at`` is (level, number), ('host', number) or None."""

    name: str
    types: tuple[str, ...]
    at: tuple[str, int] | None
    room: int
    used: int = 0
    is_sealed: bool = False  # free is its room, however tight the cloud


class Cloud:
    """Hosts in racks, all of them busy and full until told otherwise.

    ``rack_of[host]``, ``row_of[rack]``, ``zone_of[rack]`` and
    ``hosts_in[rack]`` are by number; ``room`` and ``used`` by host, then
    resource.
    """

    def __init__(
        self, draw: random.Random, size: Size, levels: Sequence[str]
    ) -> None:
        self.draw, self.size, self.levels = draw, size, tuple(levels)
        self.rack_of: list[int] = []
        self.row_of: list[int] = []
        self.zone_of: list[int] = []
        self.hosts_in: list[list[int]] = []
        self.racks_in: list[list[int]] = [[] for _ in range(size.zones)]
        self.rows: list[list[int]] = [
            [] for _ in range(size.zones * size.rows)
        ]
        self.names: list[str] = []
        self.rack_names: list[str] = []
        for zone in range(size.zones):
            for number in range(size.racks):
                self._add_rack(zone, number)
        count = len(self.names)
        kinds = draw.choices(MACHINES, draw.choices((1, 2, 3), k=4), k=count)
        self.cap: list[Amounts] = kinds
        self.room = [[0, 0, 0] for _ in range(count)]
        self.used = [[0, 0, 0] for _ in range(count)]
        self.is_busy = [True] * count
        self.traits = [self._traits() for _ in range(count)]
        self.pools: list[Pool] = []
        # Hosts that have no business here get no crumbs or decoys.
        self.sealed: set[int] = set()

    def _add_rack(self, zone: int, number: int) -> None:
        size = self.size
        rack = len(self.hosts_in)
        row = zone * size.rows + number * size.rows // size.racks
        name = f'z{zone}r{number:03d}'
        self.rack_names.append(name)
        self.zone_of.append(zone)
        self.row_of.append(row)
        self.racks_in[zone].append(rack)
        self.rows[row].append(rack)
        first = len(self.names)
        self.hosts_in.append(list(range(first, first + size.hosts)))
        self.names += [f'{name}h{i:02d}' for i in range(size.hosts)]
        self.rack_of += [rack] * size.hosts

    def _traits(self) -> set[str]:
        draw = self.draw
        traits = {'CPU_V3' if draw.random() < 0.7 else 'CPU_V4'}
        if draw.random() < 0.45:
            traits.add('STORAGE_SSD')
        if draw.random() < 0.01:
            traits.add('GPU')
        return traits

    # -- room ------------------------------------------------------------

    def open(self, share: float, low: float, high: float) -> None:
        """Give a share of the hosts room: low to high of what they are."""
        for host in range(len(self.names)):
            if host not in self.sealed and self.draw.random() < share:
                part = self.draw.uniform(low, high)
                self.room[host] = [int(part * x) for x in self.cap[host]]

    def add_zone_pools(self, room: int) -> None:
        """Two pools for each zone."""
        for zone in range(self.size.zones):
            for types in (('ssd', 'hdd'), ('ssd',)):
                self.add_pool(types, ('zone', zone), room)

    def add_pool(
        self, types: tuple[str, ...], at: tuple[str, int] | None, room: int
    ) -> int:
        number = len(self.pools)
        self.pools.append(Pool(f'pool{number}', types, at, room))
        return number

    def free_up(self, tightness: str) -> tuple[list[Amounts], list[int]]:
        """Return what is free, by host and by pool."""
        if tightness == 'loose':
            return (
                [(r[0], r[1], r[2]) for r in self.room],
                [pool.room for pool in self.pools],
            )
        hosts = [
            self._rest(host, tightness) for host in range(len(self.names))
        ]
        pools = [self._pool_rest(pool, tightness) for pool in self.pools]
        return hosts, pools

    def _rest(self, host: int, tightness: str) -> Amounts:
        used, draw = self.used[host], self.draw
        if host in self.sealed and (tightness == 'tight' or not any(used)):
            spare = tuple(self.room[host])
        elif tightness == 'tight':
            spare = self._crumbs(host)
        elif not any(used) and draw.random() < 0.1:
            spare = self._decoy(host)
        else:
            spare = (used[0], used[1], used[2])
        cap = self.cap[host]
        return (
            min(spare[0], cap[0]),
            min(spare[1], cap[1]),
            min(spare[2], cap[2]),
        )

    def _crumbs(self, host: int) -> Amounts:
        """Return what was used and a little; about as much again in all."""
        used, draw = self.used[host], self.draw
        more = [0.0, 0.0, 0.0]
        if any(used) and draw.random() < 0.5:
            part = draw.uniform(0, 0.8)
            more = [part * amount for amount in used]
        elif not any(used) and draw.random() < 0.02:
            vcpu = draw.randint(4, 16)
            more = [vcpu, vcpu * draw.choice((2048, 8192)), 10 * vcpu]
        return (
            used[0] + int(more[0]) + draw.choice((0, 0, 0, 1, 1, 2, 2, 3)),
            used[1] + int(more[1]) + 1024 * draw.randrange(10),
            used[2] + int(more[2]) + draw.randrange(60),
        )

    def _pool_rest(self, pool: Pool, tightness: str) -> int:
        if pool.is_sealed:
            return pool.room
        if tightness == 'tight':
            return min(pool.room, pool.used + self._pool_crumb(pool))
        is_useless = (
            pool.at is not None
            and pool.at[0] == 'host'
            and not any(self.used[pool.at[1]])
        )
        if is_useless and self.draw.random() < 0.3:
            return pool.room
        return pool.used

    def _pool_crumb(self, pool: Pool) -> int:
        """Return what is left in a pool; of some disks in hosts, much."""
        draw = self.draw
        if pool.at is None or pool.at[0] != 'host':
            return draw.randrange(51)
        if not pool.used and draw.random() < 0.2:
            return draw.randrange(300, 900)
        return draw.randrange(100)

    def _decoy(self, host: int) -> Amounts:
        """Return what looks like much room and takes nobody."""
        spare = [x * self.draw.randint(20, 90) // 100 for x in self.cap[host]]
        spare[self.draw.randrange(3)] = 0
        return spare[0], spare[1], spare[2]

    # -- as a document -----------------------------------------------------

    def topology(
        self, hosts: Sequence[Amounts], pools: Sequence[int]
    ) -> dict[str, Any]:
        """Return the ``topology`` of a document, given what is free."""
        order = list(range(len(self.names)))
        self.draw.shuffle(order)
        traitsets: dict[tuple[str, ...], int] = {}
        numbers = [
            traitsets.setdefault(tuple(sorted(self.traits[h])), len(traitsets))
            for h in order
        ]
        columns: dict[str, list[Any]] = {
            'name': [self.names[h] for h in order],
            'domain': [self.rack_of[h] for h in order],
            'traitset': numbers,
            'busy': [self.is_busy[h] for h in order],
        }
        for number, resource in enumerate(RESOURCES):
            columns[resource] = [hosts[h][number] for h in order]
            columns[f'cap_{resource}'] = [self.cap[h][number] for h in order]
        return {
            'levels': list(self.levels),
            'domains': self._domains(),
            'hosts': columns,
            'traitsets': [list(traits) for traits in traitsets],
            'pools': {
                'name': [pool.name for pool in self.pools],
                'free_gb': list(pools),
                'types': [list(pool.types) for pool in self.pools],
                'domain': [self._at(pool) for pool in self.pools],
            },
        }

    def _domains(self) -> dict[str, Any]:
        size = self.size
        rows = [
            f'z{r // size.rows}w{r % size.rows:02d}'
            for r in range(len(self.rows))
        ]
        regions = min(2, size.zones)
        all_names = {
            'region': [f'g{i}' for i in range(regions)],
            'zone': [f'z{i}' for i in range(size.zones)],
            'row': rows,
            'rack': self.rack_names,
        }
        parents = {
            ('zone', 'region'): [
                z * regions // size.zones for z in range(size.zones)
            ],
            ('row', 'zone'): [r // size.rows for r in range(len(rows))],
            ('rack', 'row'): self.row_of,
            ('rack', 'zone'): self.zone_of,
        }
        domains = {}
        wider = None
        for level in self.levels:
            names = all_names[level]
            domains[level] = {
                'name': names,
                'parent': [None] * len(names)
                if wider is None
                else parents[level, wider],
            }
            wider = level
        return domains

    def _at(self, pool: Pool) -> dict[str, Any] | None:
        if pool.at is None:
            return None
        level, number = pool.at
        if level == 'host':
            return {'host': self.names[number]}
        return {'level': level, 'index': number}


class Draft:
    """A request that grows together with its witness."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.draw = cloud, cloud.draw
        self.members: dict[str, dict[str, Any]] = {}
        self.groups: list[dict[str, Any]] = []
        self.place: dict[str, tuple[str, int]] = {}

    # -- members -----------------------------------------------------------

    def server(self, name: str, shape: Amounts) -> str:
        """Add a server without a seat."""
        self.members[name] = {
            'name': name,
            'kind': 'server',
            **dict(zip(RESOURCES, shape, strict=True)),
            'require': [],
            'forbid': [],
            'within': None,
        }
        return name

    def volume(self, name: str, size: int, type_: str | None = None) -> str:
        """Add a volume without a seat."""
        self.members[name] = {
            'name': name,
            'kind': 'volume',
            'size_gb': size,
            'type': type_,
            'within': None,
        }
        return name

    def fits(self, host: int, shape: Amounts) -> bool:
        room, used = self.cloud.room[host], self.cloud.used[host]
        return all(
            u + s <= r for u, s, r in zip(used, shape, room, strict=True)
        )

    def seat(
        self,
        wanted: Sequence[tuple[str, Amounts]],
        hosts: Iterable[int],
        apart: Collection[str] = (),
        avoid: Collection[int] = (),
    ) -> bool:
        """Add servers, all of them on these hosts or none at all.

        Those named in ``apart`` get different hosts, none of ``avoid``.
        """
        order = list(hosts)
        self.draw.shuffle(order)
        seats: dict[str, int] = {}
        alone = set(avoid)
        is_scattered = self.draw.random() < 0.5
        for name, shape in wanted:
            if is_scattered:
                self.draw.shuffle(order)
            for host in order:
                if name in apart and host in alone:
                    continue
                if self.fits(host, shape):
                    break
            else:
                self._unseat(dict(wanted), seats)
                return False
            seats[name] = host
            self._take(host, shape, 1)
            if name in apart:
                alone.add(host)
        for name, shape in wanted:
            self.server(name, shape)
            self.place[name] = ('host', seats[name])
        return True

    def _unseat(
        self, shapes: dict[str, Amounts], seats: dict[str, int]
    ) -> None:
        for name, host in seats.items():
            self._take(host, shapes[name], -1)

    def _take(self, host: int, shape: Amounts, times: int) -> None:
        used = self.cloud.used[host]
        for number, amount in enumerate(shape):
            used[number] += times * amount

    def drop(self, name: str) -> None:
        """Take a server out again."""
        member = self.members.pop(name)
        shape = (member['vcpu'], member['ram_mb'], member['disk_gb'])
        self._take(self.host_of(name), shape, -1)
        del self.place[name]

    def put(
        self, name: str, size: int, type_: str | None, pools: Iterable[int]
    ) -> bool:
        """Add a volume to the first of these pools that takes it."""
        for number in pools:
            pool = self.cloud.pools[number]
            offers = type_ is None or type_ in pool.types
            if offers and pool.used + size <= pool.room:
                pool.used += size
                self.volume(name, size, type_)
                self.place[name] = ('pool', number)
                return True
        return False

    def host_of(self, name: str) -> int:
        kind, number = self.place[name]
        assert kind == 'host'
        return number

    def rack(self, name: str) -> int:
        return self.cloud.rack_of[self.host_of(name)]

    def ask_trait(self, name: str, trait: str) -> None:
        """Let the member require a trait, if its host has it."""
        if trait in self.cloud.traits[self.host_of(name)]:
            self.members[name]['require'] = [trait]

    def ask_within(self, name: str, level: str) -> None:
        """Let the member be within the domain where it is."""
        cloud, rack = self.cloud, self.rack(name)
        domain = (
            cloud.rack_names[rack]
            if level == 'rack'
            else f'z{cloud.zone_of[rack]}'
        )
        self.members[name]['within'] = {'level': level, 'name': domain}

    # -- groups ------------------------------------------------------------

    def group(
        self,
        id_: str,
        policy: str,
        scope: str | None,
        members: Sequence[str],
        weight: int | None = None,
        **options: Any,
    ) -> str:
        """Add a group; ``weight`` None: hard."""
        group = {
            'id': id_,
            'policy': policy,
            'members': list(members),
            'hard': weight is None,
            'weight': weight or 0,
            **options,
        }
        if scope is not None:
            group['scope'] = scope
        self.groups.append(group)
        return id_

    # -- as documents --------------------------------------------------------

    def request(self, objective: str) -> dict[str, Any]:
        """Return the ``request`` of a document; its order tells nothing."""
        members = [dict(m) for m in self.members.values()]
        groups = [dict(g, members=list(g['members'])) for g in self.groups]
        self.draw.shuffle(members)
        self.draw.shuffle(groups)
        for group in groups:
            self.draw.shuffle(group['members'])
        return {
            'members': members,
            'groups': groups,
            'objective': {'then': objective},
        }

    def witness(self) -> dict[str, str]:
        """Return member -> host or pool name."""
        cloud = self.cloud
        return {
            name: cloud.names[number]
            if kind == 'host'
            else cloud.pools[number].name
            for name, (kind, number) in self.place.items()
        }
