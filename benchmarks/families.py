# SPDX-License-Identifier: Apache-2.0
"""Requests that fit, by family: each planted in a cloud with its witness."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clouds import (
    COMPUTE,
    DATABASE,
    HUGE,
    LARGE,
    MEDIUM,
    SMALL,
    TINY,
    Amounts,
    Cloud,
    Draft,
    NoRoomError,
)

TRIES = 2000
SHAPES = (TINY, SMALL, MEDIUM, LARGE, DATABASE, COMPUTE, HUGE)
TWO_LEVELS = ('zone', 'rack')
THREE_LEVELS = ('zone', 'row', 'rack')
FOUR_LEVELS = ('region', 'zone', 'row', 'rack')


def open_up(cloud: Cloud, tightness: str) -> None:
    """Give the cloud the room that most families are drawn in."""
    if tightness == 'loose':
        cloud.open(0.8, 0.1, 0.8)
        cloud.add_zone_pools(200 * cloud.size.members)
    else:
        cloud.open(0.35, 0.1, 0.6)
        cloud.add_zone_pools(60 * cloud.size.members)


def _racks(draft: Draft, zone: int | None = None) -> Iterator[int]:
    """Give racks at random, for as long as it is worth trying."""
    cloud, draw = draft.cloud, draft.draw
    for _ in range(TRIES):
        if zone is None:
            yield draw.randrange(len(cloud.hosts_in))
        else:
            yield draw.choice(cloud.racks_in[zone])
    raise NoRoomError


def _zones_in_turn(draft: Draft, count: int) -> list[int]:
    """Return a zone for each of ``count``, level over all, in any order."""
    zones = list(range(draft.cloud.size.zones))
    draft.draw.shuffle(zones)
    turns = [zones[i % len(zones)] for i in range(count)]
    draft.draw.shuffle(turns)
    return turns


# -- chains ------------------------------------------------------------------


def chains(draft: Draft, count: int) -> None:
    """Pairs of chains: lb, web and db of one rack; the peers apart."""
    pairs = max(1, count // 9)
    zones = _zones_in_turn(draft, 2 * pairs)
    taken: set[int] = set()
    for pair in range(pairs):
        racks: set[int] = set()
        for peer in 'ab':
            _chain(draft, f'{pair:03d}{peer}', zones.pop(), racks, taken)
        for part in ('lb', 'db'):
            draft.group(
                f'pair-{part}-{pair:03d}',
                'anti-affinity',
                'rack',
                [f'p{pair:03d}{peer}-{part}' for peer in 'ab'],
            )
    names = [f'p{pair:03d}{peer}' for pair in range(pairs) for peer in 'ab']
    draft.group(
        'lb-zones', 'spread', 'zone', [f'{n}-lb' for n in names], max_skew=1
    )
    draft.group(
        'db-hosts', 'anti-affinity', 'host', [f'{n}-db' for n in names]
    )


def _chain(
    draft: Draft, tag: str, zone: int, racks: set[int], taken: set[int]
) -> None:
    draw, cloud = draft.draw, draft.cloud
    name = f'p{tag}'
    database = draw.choice((LARGE, DATABASE))
    parts = {'lb': SMALL, 'web0': MEDIUM, 'web1': MEDIUM, 'db': database}
    wanted = [(f'{name}-{part}', shape) for part, shape in parts.items()]
    for rack in _racks(draft, zone):
        if rack not in racks and draft.seat(
            wanted, cloud.hosts_in[rack], {f'{name}-db'}, taken
        ):
            break
    racks.add(rack)
    taken.add(draft.host_of(f'{name}-db'))
    if draw.random() < 0.5:
        draft.ask_trait(f'{name}-db', 'STORAGE_SSD')
    draft.group(f'chain-{tag}', 'affinity', 'rack', [n for n, _ in wanted])
    if draw.random() < 0.6:
        size = draw.choice((50, 100, 200))
        if draft.put(f'{name}-vol', size, None, _zone_pools(draft, zone)):
            draft.group(
                f'vol-{tag}', 'affinity', 'zone', [f'{name}-db', f'{name}-vol']
            )


def _zone_pools(draft: Draft, zone: int) -> list[int]:
    pools = [
        number
        for number, pool in enumerate(draft.cloud.pools)
        if pool.at == ('zone', zone)
    ]
    draft.draw.shuffle(pools)
    return pools


# -- tiers -------------------------------------------------------------------


def tiers(draft: Draft, count: int) -> None:
    """Three tiers, each level over zones and spread over racks and hosts."""
    shares = (('front', SMALL, 30), ('app', LARGE, 50), ('data', DATABASE, 20))
    for tier, shape, share in shares:
        _tier(draft, tier, shape, max(2, count * share // 100))


def _tier(draft: Draft, tier: str, shape: Amounts, count: int) -> None:
    cloud = draft.cloud
    most = -(-count // (len(cloud.hosts_in) // 2))
    in_rack: dict[int, int] = {}
    taken: set[int] = set()
    names = [f'{tier}-{i:04d}' for i in range(count)]
    for name, zone in zip(names, _zones_in_turn(draft, count), strict=True):
        for rack in _racks(draft, zone):
            if in_rack.get(rack, 0) < most and draft.seat(
                [(name, shape)], cloud.hosts_in[rack], {name}, taken
            ):
                break
        in_rack[rack] = in_rack.get(rack, 0) + 1
        taken.add(draft.host_of(name))
    zones = min(count, cloud.size.zones, 2)
    draft.group(f'{tier}-hosts', 'anti-affinity', 'host', names)
    draft.group(f'{tier}-racks', 'spread', 'rack', names, max_per_domain=most)
    draft.group(
        f'{tier}-zones',
        'spread',
        'zone',
        names,
        max_skew=1,
        min_domains=zones,
    )


# -- flat and mixed ----------------------------------------------------------


def flat(draft: Draft, count: int) -> None:
    """Servers of all shapes; some pairs share a host, some ask for more."""
    number = 0
    while number < count:
        together = 2 if draft.draw.random() < 0.22 else 1
        names = [f's{i:04d}' for i in range(number, number + together)]
        _flat_unit(draft, names)
        if together == 2:
            draft.group(f'together-{number:04d}', 'affinity', 'host', names)
        number += together


def _flat_unit(draft: Draft, names: list[str]) -> None:
    draw, cloud = draft.draw, draft.cloud
    shapes = [draw.choice(SHAPES) for _ in names]
    for _ in range(TRIES):
        rack = draw.randrange(len(cloud.hosts_in))
        host = draw.choice(cloud.hosts_in[rack])
        if cloud.room[host][0] and draft.seat(
            list(zip(names, shapes, strict=True)), [host]
        ):
            break
    else:
        raise NoRoomError
    for name in names:
        dice = draw.random()
        if dice < 0.2:
            draft.ask_trait(name, 'STORAGE_SSD')
        elif dice < 0.4:
            draft.ask_trait(name, 'CPU_V4')
        elif dice < 0.45:
            draft.ask_within(name, draw.choice(('zone', 'rack')))
        elif dice < 0.5 and 'GPU' not in cloud.traits[draft.host_of(name)]:
            draft.members[name]['forbid'] = ['GPU']


def mixed(draft: Draft, count: int) -> None:
    """Chains, tiers and flat beside each other."""
    chains(draft, count // 2)
    tiers(draft, count // 4)
    flat(draft, count // 4)


# -- soft --------------------------------------------------------------------


def soft(draft: Draft, count: int) -> None:
    """Only wishes, and more of them than can be had."""
    cloud, draw = draft.cloud, draft.draw
    shapes = {'a': HUGE, 'b': LARGE, 'c': DATABASE, 'd': MEDIUM}
    teams = max(1, count // 4)
    for team in range(teams):
        for part, shape in shapes.items():
            for rack in _racks(draft):
                if draft.seat(
                    [(f'c{team:03d}-{part}', shape)], cloud.hosts_in[rack]
                ):
                    break
        names = [f'c{team:03d}-{part}' for part in shapes]
        draft.group(f'near-{team:03d}', 'affinity', 'rack', names, 10)
        draft.group(f'apart-{team:03d}', 'anti-affinity', 'host', names[:2], 3)
    heads = [f'c{team:03d}-a' for team in range(teams)]
    draw.shuffle(heads)
    draft.group('zones', 'spread', 'zone', heads, 2, max_skew=1)
    draft.group('heads', 'spread', 'rack', heads, 5, max_per_domain=1)


# -- local -------------------------------------------------------------------


def add_local_pools(cloud: Cloud) -> None:
    """Disks in half of the hosts, a pool in most racks, a small archive."""
    for host in range(len(cloud.names)):
        if cloud.draw.random() < 0.54:
            room = cloud.cap[host][2]
            cloud.add_pool(('nvme',), ('host', host), room)
    for rack in range(len(cloud.hosts_in)):
        if cloud.draw.random() < 0.65:
            cloud.add_pool(('fast', 'ssd'), ('rack', rack), 2000)
    cloud.add_pool(('hdd',), None, 200)


def local(draft: Draft, count: int) -> None:
    """Chains whose databases have disks in their own hosts."""
    add_local_pools(draft.cloud)
    pairs = max(1, count // 17)
    pool_of = {pool.at: n for n, pool in enumerate(draft.cloud.pools)}
    zones = _zones_in_turn(draft, 2 * pairs)
    in_rack: dict[int, int] = {}
    for pair in range(pairs):
        racks: set[int] = set()
        for peer in 'ab':
            tag = f'k{pair:03d}{peer}'
            _local_chain(draft, tag, zones.pop(), racks, pool_of)
        for rack in racks:
            in_rack[rack] = in_rack.get(rack, 0) + 1
        draft.group(
            f'pair-{pair:03d}',
            'anti-affinity',
            'rack',
            [f'k{pair:03d}{peer}-chain' for peer in 'ab'],
        )
    tags = [f'k{pair:03d}{peer}' for pair in range(pairs) for peer in 'ab']
    logs = [f'{tag}-log' for tag in tags]
    most = max(in_rack.values())
    draft.group('logs', 'spread', 'rack', logs, max_per_domain=most)
    draft.group(
        'db-zones', 'spread', 'zone', [f'{t}-db0' for t in tags], 3, max_skew=1
    )


def _local_chain(
    draft: Draft,
    tag: str,
    zone: int,
    racks: set[int],
    pool_of: dict[tuple[str, int] | None, int],
) -> None:
    draw, cloud = draft.draw, draft.cloud
    front = [(f'{tag}-lb', SMALL), (f'{tag}-web', MEDIUM)]
    for rack in _racks(draft, zone):
        if rack in racks or ('rack', rack) not in pool_of:
            continue
        if not _disks(draft, tag, rack, pool_of):
            continue
        if draft.seat(front, cloud.hosts_in[rack]):
            break
        for i in range(2):
            draft.drop(f'{tag}-db{i}')
    racks.add(rack)
    for i in range(2):
        host = draft.host_of(f'{tag}-db{i}')
        pool = pool_of['host', host]
        size = min(draw.choice((100, 200, 400, 800)), cloud.pools[pool].room)
        draft.put(f'{tag}-data{i}', size, 'nvme', [pool])
        draft.group(
            f'{tag}-disk{i}',
            'affinity',
            'host',
            [f'{tag}-db{i}', f'{tag}-data{i}'],
        )
    dbs = [f'{tag}-db0', f'{tag}-db1']
    pools = [pool_of['rack', rack]]
    draft.put(f'{tag}-log', draw.choice((50, 100)), 'fast', pools)
    chain = [n for n, _ in front] + dbs + [f'{tag}-log']
    draft.group(f'{tag}-chain', 'affinity', 'rack', chain)
    draft.group(f'{tag}-dbs', 'anti-affinity', 'host', dbs)
    far = [other for other in range(cloud.size.zones) if other != zone]
    pools = [*_zone_pools(draft, draw.choice(far)), pool_of[None]]
    if draft.put(f'{tag}-bak', draw.choice((200, 500)), 'hdd', pools):
        draft.group(
            f'{tag}-safe', 'anti-affinity', 'zone', [dbs[0], f'{tag}-bak']
        )
    if draw.random() < 0.25 and draft.put(
        f'{tag}-tmp', 40, 'ssd', _zone_pools(draft, zone)
    ):
        near = [f'{tag}-web', f'{tag}-tmp']
        draft.group(f'{tag}-near', 'proximity', None, near, 2)


def _disks(
    draft: Draft,
    tag: str,
    rack: int,
    pool_of: dict[tuple[str, int] | None, int],
) -> bool:
    """Seat two databases in hosts of the rack whose disks nobody uses."""
    cloud, draw = draft.cloud, draft.draw
    shape = draw.choice((LARGE, DATABASE))
    hosts = [
        host
        for host in cloud.hosts_in[rack]
        if ('host', host) in pool_of
        and draft.fits(host, shape)
        and not cloud.pools[pool_of['host', host]].used
    ]
    if len(hosts) < 2:
        return False
    return all(
        draft.seat([(f'{tag}-db{i}', shape)], [host])
        for i, host in enumerate(draw.sample(hosts, 2))
    )


# -- nested ------------------------------------------------------------------


def nested(draft: Draft, count: int) -> None:
    """Pairs in halves in services: together, apart, and in zones."""
    service, placed = 0, 0
    while placed < count:
        placed += _service(draft, f'{service:03d}', service)
        service += 1


def _service(draft: Draft, tag: str, number: int) -> int:
    draw, cloud = draft.draw, draft.cloud
    pairs = draw.choice((2, 3))
    zones = list(range(cloud.size.zones))
    draw.shuffle(zones)
    over_zones = draw.random() < 0.8
    rows: list[int] = []
    for half, zone in zip('ab', zones, strict=False):
        zone = zone if over_zones else zones[0]
        for rack in _racks(draft, zone):
            row = cloud.row_of[rack]
            if row not in rows and _half(draft, f'{tag}{half}', row, pairs):
                rows.append(row)
                break
    halves = [f'half-{tag}a', f'half-{tag}b']
    draft.group(f'halves-{tag}', 'anti-affinity', 'row', halves)
    if over_zones:
        draft.group(f'zones-{tag}', 'spread', 'zone', halves, min_domains=2)
    else:
        weight = draw.randint(1, 6)
        draft.group(f'close-{tag}', 'affinity', 'zone', halves, weight)
    return 4 * pairs


def _half(draft: Draft, tag: str, row: int, pairs: int) -> bool:
    draw, cloud = draft.draw, draft.cloud
    racks = list(cloud.rows[row])
    if len(racks) < pairs:
        return False
    draw.shuffle(racks)
    plans = [
        (draw.choice(('rack', 'host')), draw.choice(SHAPES[1:5]))
        for _ in range(pairs)
    ]
    seated: list[str] = []
    for pair, (scope, shape) in enumerate(plans):
        wanted = [(f'v{tag}{pair}-{i}', shape) for i in range(2)]
        while racks and not _pair(draft, wanted, scope, racks.pop()):
            pass
        if wanted[0][0] not in draft.place:
            for name in seated:
                draft.drop(name)
            return False
        seated += [name for name, _ in wanted]
    for pair, (scope, _) in enumerate(plans):
        names = [f'v{tag}{pair}-{i}' for i in range(2)]
        draft.group(f'pair-{tag}{pair}', 'affinity', scope, names)
    ids = [f'pair-{tag}{pair}' for pair in range(pairs)]
    draft.group(f'half-{tag}', 'affinity', 'row', ids)
    draft.group(f'racks-{tag}', 'anti-affinity', 'rack', ids)
    return True


def _pair(
    draft: Draft, wanted: list[tuple[str, Amounts]], scope: str, rack: int
) -> bool:
    hosts = draft.cloud.hosts_in[rack]
    if scope == 'rack':
        return draft.seat(wanted, hosts)
    return any(
        draft.seat(wanted, [host])
        for host in draft.draw.sample(hosts, len(hosts))
    )


# -- exclusive ---------------------------------------------------------------


def exclusive(draft: Draft, count: int) -> None:
    """Tenants and licences that share with nobody, and others around them."""
    tenants = max(1, count * 30 // 500)
    roomy: dict[int, list[int]] = {}
    for number in range(tenants):
        roomy.update(_tenant(draft, f'{number:03d}'))
    for number in range(max(1, count * 21 // 300)):
        _licence(draft, f'{number:03d}')
    for number in range(max(1, count // 25)):
        _shy(draft, f'{number:03d}')
    flat(draft, count * 40 // 100)
    _idle_decoys(draft)
    # Nobody else was seated there.
    for host, room in roomy.items():
        draft.cloud.room[host] = room


def _idle_decoys(draft: Draft) -> None:
    """Racks that are idle as well, and have next to nothing free."""
    cloud, draw = draft.cloud, draft.draw
    for hosts in cloud.hosts_in:
        is_empty = not any(any(cloud.used[h]) for h in hosts)
        if is_empty and draw.random() < 0.1:
            for host in hosts:
                cloud.is_busy[host] = False
                _close(cloud, host)


def _tenant(draft: Draft, tag: str) -> dict[int, list[int]]:
    """Five servers in a rack that is idle but for them, or in two.

    Returns the room of the hosts in the two, which have more than they take.
    """
    draw, cloud = draft.draw, draft.cloud
    wanted = [
        (f'ten{tag}-{i}', draw.choice((MEDIUM, LARGE, DATABASE)))
        for i in range(5)
    ]
    parts = [wanted] if draw.random() < 0.5 else [wanted[:3], wanted[3:]]
    roomy: dict[int, list[int]] = {}
    for part in parts:
        for rack in _racks(draft):
            hosts = cloud.hosts_in[rack]
            if any(any(cloud.used[h]) or h in cloud.sealed for h in hosts):
                continue
            for host in hosts:
                cloud.is_busy[host] = False
                share = draw.uniform(0.2, 1)
                cloud.room[host] = [int(share * x) for x in cloud.cap[host]]
            if draft.seat(part, hosts):
                break
        if len(parts) > 1:
            roomy.update((host, cloud.room[host]) for host in hosts)
        for host in hosts:
            _close(cloud, host)
    names = [n for n, _ in wanted]
    if len(parts) == 1:
        draft.group(f'one-{tag}', 'affinity', 'rack', names)
    else:
        draft.group(
            f'two-{tag}', 'spread', 'rack', names, min_domains=len(parts)
        )
    draft.group(f'alone-{tag}', 'exclusive', 'rack', names)
    return roomy


def _close(cloud: Cloud, host: int) -> None:
    """Let nobody else take what is left there."""
    cloud.room[host] = list(cloud.used[host])


def _licence(draft: Draft, tag: str) -> None:
    """Three servers on idle hosts."""
    draw, cloud = draft.draw, draft.cloud
    names = [f'lic{tag}-{i}' for i in range(3)]
    shapes = [draw.choice((MEDIUM, LARGE, DATABASE)) for _ in names]
    wanted = list(zip(names, shapes, strict=True))
    groups = [wanted] if draw.random() < 0.5 else [[w] for w in wanted]
    for part in groups:
        for rack in _racks(draft):
            host = draw.choice(cloud.hosts_in[rack])
            if any(cloud.used[host]) or not cloud.is_busy[host]:
                continue
            room = cloud.room[host]
            cloud.room[host] = list(cloud.cap[host])
            if draft.seat(part, [host]):
                cloud.is_busy[host] = False
                _close(cloud, host)
                break
            cloud.room[host] = room
    draft.group(f'lic-{tag}', 'exclusive', 'host', names)
    if len(groups) == 1:
        draft.group(f'few-{tag}', 'affinity', 'host', names)


def _shy(draft: Draft, tag: str) -> None:
    draw, cloud = draft.draw, draft.cloud
    names = [f'shy{tag}-{i}' for i in range(2)]
    wanted = [(name, draw.choice((MEDIUM, LARGE))) for name in names]
    for rack in _racks(draft):
        if draft.seat(wanted, cloud.hosts_in[rack]):
            break
    scope, weight = draw.choice(('host', 'rack')), draw.randint(2, 5)
    draft.group(f'shy-{tag}', 'exclusive', scope, names, weight)


# -- near --------------------------------------------------------------------


def near(draft: Draft, count: int) -> None:
    """Jobs of parallel workers, as near to each other as can be."""
    _add_rack_pools(draft.cloud)
    job, placed = 0, 0
    while placed < count:
        placed += _job(draft, f'{job:03d}')
        job += 1
    for first in range(0, job - 1, 5):
        ids = [f'near-{first + i:03d}' for i in range(2)]
        draft.group(f'super-{first:03d}', 'proximity', None, ids, 2)


def _add_rack_pools(cloud: Cloud) -> None:
    for rack in range(len(cloud.hosts_in)):
        if cloud.draw.random() < 0.7:
            cloud.add_pool(('fast', 'ssd'), ('rack', rack), 1000)
    cloud.add_pool(('hdd',), None, 100 * cloud.size.members)


def _job(draft: Draft, tag: str) -> int:
    draw, cloud = draft.draw, draft.cloud
    size = draw.randint(3, 9)
    shape = draw.choice((HUGE, DATABASE, COMPUTE, LARGE))
    wanted = [(f'j{tag}-{i:02d}', shape) for i in range(size)]
    names = [n for n, _ in wanted]
    apart = names if draw.random() < 0.5 else ()
    floor = draw.choice((None, 'rack', 'row', 'row', 'zone'))
    for rack in _racks(draft):
        hosts = cloud.hosts_in[rack]
        if floor != 'rack':
            row = cloud.rows[cloud.row_of[rack]]
            hosts = [h for r in row for h in cloud.hosts_in[r]]
        if draft.seat(wanted, hosts, apart):
            break
    if apart:
        draft.group(f'hosts-{tag}', 'anti-affinity', 'host', names)
    below = list(names)
    if draw.random() < 0.4:
        number = [
            n
            for n, pool in enumerate(cloud.pools)
            if pool.at == ('rack', draft.rack(names[0]))
        ]
        zone = cloud.zone_of[draft.rack(names[0])]
        pools = number or _zone_pools(draft, zone)
        fast = 'fast' if number else None
        if (number or floor == 'zone' or floor is None) and draft.put(
            f'j{tag}-vol', 200, fast, pools
        ):
            below.append(f'j{tag}-vol')
    options = {} if floor is None else {'at_least': floor}
    weight = draw.choice((2, 5, 10, 20))
    draft.group(f'near-{tag}', 'proximity', None, below, weight, **options)
    if draw.random() < 0.3:
        draft.group(
            f'two-{tag}',
            'anti-affinity',
            'rack',
            names[:2],
            draw.randint(1, 3),
        )
    return len(below)


# -- trap --------------------------------------------------------------------

CELL: Amounts = (8, 16384, 40)
CELL_WEB: Amounts = (6, 12288, 40)
CELL_CACHE: Amounts = (5, 10240, 40)
CELL_BIG: Amounts = (4, 32768, 40)


def trap(draft: Draft, count: int) -> None:
    """Cells that fit in one way only, which one at a time does not find."""
    cloud, draw = draft.cloud, draft.draw
    racks = list(range(len(cloud.hosts_in)))
    draw.shuffle(racks)
    number, placed = 0, 0
    while placed < count:
        rack = racks[number % len(racks)]
        placed += _cell(draft, f'cell{number:03d}', rack)
        number += 1
    for rack in racks:
        _bait(cloud, rack)


def _cell(draft: Draft, tag: str, rack: int) -> int:
    """A large one beside two that must share the host that looks best."""
    draw, cloud = draft.draw, draft.cloud
    # Where the large one looks best, worst fit and best fit in turn err.
    loads = [[CELL], [CELL_WEB, CELL_WEB]]
    if draw.random() < 0.5:
        loads[0].append(CELL_CACHE)
    if draw.random() < 0.4:
        loads.append([CELL_CACHE, CELL_BIG])
    hosts = [h for h in cloud.hosts_in[rack] if not any(cloud.used[h])]
    if len(hosts) < 2 * len(loads):
        raise NoRoomError
    names: list[str] = []
    for load, host in zip(loads, draw.sample(hosts, len(loads)), strict=True):
        seats = [(f'{tag}-{len(names) + i}', s) for i, s in enumerate(load)]
        cloud.room[host] = [sum(column) for column in zip(*load, strict=True)]
        cloud.room[host][0] += draw.randrange(3) if len(load) == 1 else 0
        if not draft.seat(seats, [host]):
            raise NoRoomError
        # Always as little as this, however loose the cloud is.
        cloud.sealed.add(host)
        names += [n for n, _ in seats]
    draft.group(tag.replace('cell', 'cell-'), 'affinity', 'rack', names)
    return len(names)


def _bait(cloud: Cloud, rack: int) -> None:
    """Hosts that would take a small one, or nobody at all."""
    for host in cloud.hosts_in[rack]:
        if host not in cloud.sealed:
            cloud.sealed.add(host)
            cloud.room[host] = [
                cloud.draw.randrange(4),
                1024 * cloud.draw.randrange(10),
                100,
            ]


Family = Callable[[Draft, int], None]

FAMILIES: dict[str, tuple[Family, tuple[str, ...]]] = {
    'chains': (chains, TWO_LEVELS),
    'tiers': (tiers, TWO_LEVELS),
    'flat': (flat, TWO_LEVELS),
    'mixed': (mixed, TWO_LEVELS),
    'soft': (soft, TWO_LEVELS),
    'local': (local, THREE_LEVELS),
    'nested': (nested, THREE_LEVELS),
    'exclusive': (exclusive, TWO_LEVELS),
    'near': (near, FOUR_LEVELS),
    'trap': (trap, TWO_LEVELS),
}
