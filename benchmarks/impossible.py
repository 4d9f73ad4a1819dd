# SPDX-License-Identifier: Apache-2.0
"""Requests that do not fit, by family: each with the rules that conflict.

A family returns its certificate: the names of rules, ``fit:<member>`` for a
member's own size and needs, of which none can be left out; and why.
"""

from __future__ import annotations

from collections.abc import Callable

import families
from clouds import DATABASE, HUGE, LARGE, MEDIUM, TINY, Cloud, Draft

Certificate = tuple[list[str], str]


def _fit(*names: str) -> list[str]:
    return [f'fit:{name}' for name in names]


def _fill(cloud: Cloud, tightness: str) -> None:
    """Give hosts that are not sealed less than 8 vcpu each."""
    most = 7 if tightness == 'loose' else 4
    for host in range(len(cloud.names)):
        if host not in cloud.sealed:
            cloud.sealed.add(host)
            cloud.room[host] = [cloud.draw.randrange(most + 1), 8192, 60]


def _plan_hosts(
    cloud: Cloud, hosts: list[int], room: list[int], grow: int = 0
) -> None:
    """Give these hosts just that room, up to ``grow`` more vcpu."""
    for host in hosts:
        cloud.sealed.add(host)
        cloud.room[host] = list(room)
        cloud.room[host][0] += cloud.draw.randrange(grow + 1)


def _count(cloud: Cloud) -> int:
    """Return how many it takes to be a crowd in a cloud of this size."""
    return {20: 5, 100: 10, 1000: 30}.get(cloud.size.members, 60)


# -- rules alone -------------------------------------------------------------


def cycle(draft: Draft, tightness: str) -> Certificate:
    """Two chains that must be apart, and share a host."""
    families.open_up(draft.cloud, tightness)
    families.chains(draft, draft.cloud.size.members)
    draft.group('glue', 'affinity', 'host', ['p000a-web0', 'p000b-web0'])
    return (
        ['chain-000a', 'chain-000b', 'glue', 'pair-lb-000'],
        'two chains that must be in different racks are glued to one host',
    )


def nested(draft: Draft, tightness: str) -> Certificate:
    """More pairs than a row has racks, in different racks of one row."""
    cloud = draft.cloud
    families.open_up(cloud, tightness)
    families.flat(draft, cloud.size.members // 2)
    pairs = max(len(row) for row in cloud.rows) + 1
    for pair in range(pairs):
        names = [f'pr{pair:02d}-{i}' for i in range(2)]
        for name in names:
            draft.server(name, TINY)
        draft.group(f'pair-{pair:02d}', 'affinity', 'rack', names)
    ids = [f'pair-{pair:02d}' for pair in range(pairs)]
    draft.group('one-row', 'affinity', 'row', ids)
    draft.group('racks', 'anti-affinity', 'rack', ids)
    return (
        ['one-row', 'racks'],
        f'{pairs} pairs in different racks of one row; '
        f'no row has {pairs} racks',
    )


def exclusive(draft: Draft, tightness: str) -> Certificate:
    """More tenants that want a rack to themselves than racks are idle."""
    cloud = draft.cloud
    count = min(_count(cloud), len(cloud.hosts_in) // 2)
    idle = cloud.draw.sample(range(len(cloud.hosts_in)), count - 1)
    for rack in idle:
        for host in cloud.hosts_in[rack]:
            cloud.is_busy[host] = False
        _plan_hosts(cloud, cloud.hosts_in[rack], [32, 131072, 900])
    families.open_up(cloud, tightness)
    taken = {h for rack in idle for h in cloud.hosts_in[rack]}
    room = {h: list(cloud.room[h]) for h in taken}
    for host in taken:
        cloud.room[host] = [0, 0, 0]
    families.flat(draft, cloud.size.members // 2)
    for host in taken:
        cloud.room[host] = room[host]
    for number in range(count):
        names = [f'ten{number:03d}-{i}' for i in range(2)]
        for name in names:
            draft.server(name, MEDIUM)
        draft.group(f'alone-{number:03d}', 'exclusive', 'rack', names)
    return (
        [f'alone-{number:03d}' for number in range(count)],
        f'{count} tenants want a rack to themselves; '
        f'in {count - 1} racks nothing runs yet',
    )


# -- rules and room ----------------------------------------------------------


def pigeonhole(draft: Draft, tightness: str) -> Certificate:
    """One member more than racks that have what they require."""
    cloud = draft.cloud
    count = min(_count(cloud), len(cloud.hosts_in) // 2)
    families.open_up(cloud, tightness)
    families.flat(draft, cloud.size.members // 2)
    racks = cloud.draw.sample(range(len(cloud.hosts_in)), count - 1)
    for rack in racks:
        for host in cloud.draw.sample(cloud.hosts_in[rack], 6):
            cloud.traits[host].add('HW_OFFLOAD')
        # In one of them there is room for two, so that it is the rule that
        # is in the way.
        for number in range(3):
            cloud.room[host][number] += 2 * MEDIUM[number]
            cloud.used[host][number] += 2 * MEDIUM[number]
    _cap_room(cloud)
    names = [f'ha-{i:03d}' for i in range(count)]
    for name in names:
        draft.server(name, MEDIUM)
        draft.members[name]['require'] = ['HW_OFFLOAD']
    draft.group('ha-racks', 'anti-affinity', 'rack', names)
    return (
        ['ha-racks', *_fit(*names)],
        f'{count} members, one per rack, but only {count - 1} racks have '
        'HW_OFFLOAD',
    )


def _cap_room(cloud: Cloud) -> None:
    """Let no host have more room than it has in all: make it larger."""
    for host, room in enumerate(cloud.room):
        if any(r > c for r, c in zip(room, cloud.cap[host], strict=True)):
            cloud.cap[host] = (128, 786432, 3600)


def chains(draft: Draft, tightness: str) -> Certificate:
    """Chains of two databases each, and one rack too few that takes two."""
    cloud = draft.cloud
    count = min(3 * _count(cloud), len(cloud.hosts_in) - 1)
    racks = cloud.draw.sample(range(len(cloud.hosts_in)), count)
    for rack in racks[1:]:
        hosts = cloud.draw.sample(cloud.hosts_in[rack], 4)
        _plan_hosts(cloud, hosts, [8, 65536, 100], 7)
    _plan_hosts(cloud, [cloud.hosts_in[racks[0]][0]], [8, 65536, 100])
    _fill(cloud, tightness)
    rules: list[str] = []
    for number in range(count):
        name = f'k{number:03d}'
        dbs = [f'{name}-db0', f'{name}-db1']
        for db in dbs:
            draft.server(db, DATABASE)
        draft.server(f'{name}-lb', TINY)
        draft.group(f'dbs-{number:03d}', 'anti-affinity', 'host', dbs)
        draft.group(
            f'chain-{number:03d}', 'affinity', 'rack', [*dbs, f'{name}-lb']
        )
        rules += [f'chain-{number:03d}', *_fit(*dbs)]
    heads = [f'k{number:03d}-db0' for number in range(count)]
    draft.group('apart', 'anti-affinity', 'rack', heads)
    return (
        ['apart', *rules],
        f'{count} chains of two databases need {count} racks with two such '
        f'hosts; {count - 1} exist (each has room for two chains)',
    )


def frag(draft: Draft, tightness: str) -> Certificate:
    """Large servers, one more than hosts that take one; plenty in total."""
    cloud = draft.cloud
    count = {20: 5, 100: 25, 1000: 100}.get(cloud.size.members, 200)
    slots = cloud.draw.sample(range(len(cloud.names)), count - 1)
    _plan_hosts(cloud, slots, [16, 32768, 160], 15)
    most = 15 if tightness == 'loose' else 8
    for host in range(len(cloud.names)):
        if host not in cloud.sealed:
            cloud.sealed.add(host)
            cloud.room[host] = [cloud.draw.randrange(most + 1), 32768, 160]
    names = [f'big-{i:04d}' for i in range(count)]
    for name in names:
        draft.server(name, HUGE)
    for number in range(cloud.size.members // 2):
        draft.server(f's{number:04d}', TINY)
    return (
        _fit(*names),
        f'{count} servers of 16 vcpu; the hosts have room for {count - 1} '
        'though far more vcpu are free in total',
    )


def zonecap(draft: Draft, tightness: str) -> Certificate:
    """One more than the zone with the most room takes."""
    cloud = draft.cloud
    count = {20: 7, 100: 33, 1000: 150}.get(cloud.size.members, 300)
    for racks in cloud.racks_in:
        hosts = [h for rack in racks for h in cloud.hosts_in[rack]]
        cloud.draw.shuffle(hosts)
        left = count - 1
        while left:
            slots = min(left, cloud.draw.randint(1, 2))
            _plan_hosts(cloud, [hosts.pop()], [slots * x for x in LARGE])
            left -= slots
    for host in range(len(cloud.names)):
        if host not in cloud.sealed:
            cloud.sealed.add(host)
            most = 7 if tightness == 'loose' else 1
            cloud.room[host] = [cloud.draw.randrange(most + 1), 16384, 80]
    names = [f'grid-{i:04d}' for i in range(count)]
    for name in names:
        draft.server(name, LARGE)
    draft.group('one-zone', 'affinity', 'zone', names)
    return ['one-zone', *_fit(*names)], f'no zone has room for all {count}'


def skew(draft: Draft, tightness: str) -> Certificate:
    """A tier that must be level over zones, of which it may not use one."""
    cloud = draft.cloud
    families.open_up(cloud, tightness)
    families.tiers(draft, cloud.size.members)
    barred = cloud.draw.randrange(cloud.size.zones)
    for rack in cloud.racks_in[barred]:
        for host in cloud.hosts_in[rack]:
            cloud.traits[host].add('ZONE_DRAIN')
    names = sorted(n for n in draft.members if n.startswith('data-'))
    for name in names:
        draft.members[name]['forbid'] = ['ZONE_DRAIN']
    # Beside the level one, no rule of this tier is to be in the way: all of
    # them would fit into any one zone.
    free = [
        rack
        for z, racks in enumerate(cloud.racks_in)
        if z != barred
        for rack in racks
    ]
    for number, _ in enumerate(names):
        hosts = cloud.hosts_in[free[number % len(free)]]
        host = hosts[number // len(free) % len(hosts)]
        cloud.used[host] = [
            u + d for u, d in zip(cloud.used[host], DATABASE, strict=True)
        ]
        cloud.room[host] = [
            r + d for r, d in zip(cloud.room[host], DATABASE, strict=True)
        ]
    _cap_room(cloud)
    for group in draft.groups:
        if group['id'] == 'data-zones':
            del group['min_domains']
            group['domains'] = [f'z{z}' for z in range(cloud.size.zones)]
    zones = cloud.size.zones
    # The fewest that the barred zone can have beside level ones.
    least = -(-(len(names) - zones + 1) // zones)
    core = names[: len(names) - least + 1]
    return (
        ['data-zones', *_fit(*core)],
        f'the data tier of {len(names)} must be level over all zones, but at '
        f'least {len(core)} of it find no host in zone z{barred}',
    )


def compete(draft: Draft, tightness: str) -> Certificate:
    """Two tiers that fit alone, and want the same hosts."""
    cloud = draft.cloud
    count = {20: 5, 100: 25, 1000: 100}.get(cloud.size.members, 200)
    slots = cloud.draw.sample(range(len(cloud.names)), 2 * count - 1)
    _plan_hosts(cloud, slots, [8, 86016, 150], 5)
    _fill(cloud, tightness)
    names = {}
    for tier, shape in (('a', LARGE), ('b', DATABASE)):
        names[tier] = [f'{tier}-{i:04d}' for i in range(count)]
        for name in names[tier]:
            draft.server(name, shape)
        draft.group(f'{tier}-hosts', 'anti-affinity', 'host', names[tier])
    return (
        _fit(*names['a'], *names['b']),
        f'{2 * count} servers of 8 vcpu, {2 * count - 1} hosts that take one '
        'each; either tier alone fits',
    )


def local(draft: Draft, tightness: str) -> Certificate:
    """Databases and their own disks: hosts with room for both are short."""
    cloud = draft.cloud
    count = _count(cloud)
    hosts = cloud.draw.sample(range(len(cloud.names)), 3 * count)
    both, roomy, disky = (hosts[i::3] for i in range(3))
    _plan_hosts(cloud, both[1:] + roomy, [8, 65536, 100], 7)
    _plan_hosts(cloud, disky, [2, 4096, 40])
    _fill(cloud, tightness)
    pools = [(h, 700 + cloud.draw.randrange(500)) for h in both[1:] + disky]
    pools += [(h, 100 + cloud.draw.randrange(400)) for h in roomy]
    cloud.draw.shuffle(pools)
    for host, size in pools:
        pool = cloud.add_pool(('nvme',), ('host', host), size)
        cloud.pools[pool].is_sealed = True
    cloud.add_zone_pools(100)
    rules: list[str] = []
    for number in range(count):
        pair = [f'db-{number:03d}', f'nvme-{number:03d}']
        draft.server(pair[0], DATABASE)
        draft.volume(pair[1], 600, 'nvme')
        draft.group(f'local-{number:03d}', 'affinity', 'host', pair)
        rules += [f'local-{number:03d}', *_fit(*pair)]
    for number in range(cloud.size.members // 2):
        draft.server(f's{number:04d}', TINY)
    return (
        rules,
        f'{count} databases, each with its volume on its own host; '
        f'{count - 1} hosts have room for both',
    )


Family = Callable[[Draft, str], Certificate]

FAMILIES: dict[str, tuple[Family, tuple[str, ...]]] = {
    'i-cycle': (cycle, families.TWO_LEVELS),
    'i-pigeonhole': (pigeonhole, families.TWO_LEVELS),
    'i-chains': (chains, families.TWO_LEVELS),
    'i-frag': (frag, families.TWO_LEVELS),
    'i-zonecap': (zonecap, families.TWO_LEVELS),
    'i-skew': (skew, families.TWO_LEVELS),
    'i-compete': (compete, families.TWO_LEVELS),
    'i-local': (local, families.TWO_LEVELS),
    'i-exclusive': (exclusive, families.TWO_LEVELS),
    'i-nested': (nested, families.THREE_LEVELS),
}
