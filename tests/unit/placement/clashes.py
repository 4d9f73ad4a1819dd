# SPDX-License-Identifier: Apache-2.0
"""Small requests that ask for too much, each in its own way.

Free amounts are odd, so that one can tell if they ever show; the names of
hosts and domains are words that no tenant uses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from heat_vcluster.placement import model
from tests.unit.placement import worlds


@dataclasses.dataclass(frozen=True, slots=True)
class Clash:
    """A problem, and the one set of rules in it that conflicts.

    ``rules`` None: there are several, all alike.
    """

    name: str
    problem: model.Problem
    rules: frozenset[str] | None = None


def host(
    zone: int, rack: int, number: int, vcpu: int = 7919, **more: object
) -> model.Host:
    made = worlds.host(
        f'anvil{zone}{rack}{number}',
        vcpu,
        total=9973,
        zone=f'quarry{zone}',
        rack=f'shelf{zone}{rack}',
    )
    return dataclasses.replace(made, **more)


def hosts(
    zones: int, racks: int, each: int, vcpu: int = 7919
) -> list[model.Host]:
    return [
        host(zone, rack, number, vcpu)
        for zone in range(zones)
        for rack in range(racks)
        for number in range(each)
    ]


def pose(
    cloud: Sequence[model.Host],
    demands: Sequence[model.Demand],
    *rules: model.Rule,
    pools: Sequence[model.Pool] = (),
    budgets: Sequence[model.Budget] = (),
    pinned: dict[str, str] | None = None,
) -> model.Problem:
    return model.Problem(
        worlds.snapshot(cloud, pools),
        tuple(demands),
        rules,
        pinned or {},
        budgets=tuple(budgets),
    )


def fits(*members: str) -> frozenset[str]:
    return frozenset(f'fit:{member}' for member in members)


def names(base: str, count: int) -> list[str]:
    return [f'{base}-{number}' for number in range(count)]


FILLER = worlds.servers('other', 3)
NEAR = worlds.rule('affinity', 'zone', 'other-0', 'other-1', name='near')


def cycle() -> Clash:
    """Two that must be in different racks are glued by way of others."""
    return Clash(
        'cycle',
        pose(
            hosts(2, 2, 2),
            [*worlds.servers('a', 2), *worlds.servers('b', 2), *FILLER],
            worlds.rule('affinity', 'rack', 'a-0', 'a-1', name='left'),
            worlds.rule('affinity', 'rack', 'b-0', 'b-1', name='right'),
            worlds.rule('affinity', 'host', 'a-1', 'b-1', name='glue'),
            worlds.rule('anti-affinity', 'rack', 'a-0', 'b-0', name='apart'),
            NEAR,
        ),
        frozenset(('left', 'right', 'glue', 'apart')),
    )


def pigeonhole() -> Clash:
    """Four members, a rack each; three racks have what they need."""
    cloud = [
        dataclasses.replace(h, traits=frozenset({'CUSTOM_OFFLOAD'}))
        if h.domains['rack'] != 'shelf11'
        else h
        for h in hosts(2, 2, 2)
    ]
    wanted = [
        dataclasses.replace(d, require=frozenset({'CUSTOM_OFFLOAD'}))
        for d in worlds.servers('ha', 4)
    ]
    return Clash(
        'pigeonhole',
        pose(
            cloud,
            [*wanted, *FILLER],
            worlds.rule(
                'anti-affinity', 'rack', *names('ha', 4), name='ha-racks'
            ),
            NEAR,
        ),
        fits(*names('ha', 4)) | {'ha-racks'},
    )


def chains() -> Clash:
    """Two pairs, a rack each; one rack has room for pairs, for two."""
    cloud = [
        *(host(0, 0, number, 5) for number in range(4)),
        host(0, 1, 0, 5),
        host(1, 1, 0, 5),
    ]
    pairs = [('db-0', 'web-0'), ('db-1', 'web-1')]
    members = [worlds.server(name, 4) for pair in pairs for name in pair]
    together = [
        worlds.rule(
            'affinity', 'rack', *pair, f'lb-{number}', name=f'chain-{number}'
        )
        for number, pair in enumerate(pairs)
    ]
    return Clash(
        'chains',
        pose(
            cloud,
            [*members, *worlds.servers('lb', 2)],
            *together,
            worlds.rule(
                'anti-affinity',
                'rack',
                *((*pair, f'lb-{n}') for n, pair in enumerate(pairs)),
                name='apart',
            ),
        ),
        fits(*(d.member for d in members)) | {'apart', 'chain-0', 'chain-1'},
    )


def fragments() -> Clash:
    """Five big servers; there is plenty of room, but for four of them."""
    cloud = [host(0, 0, n, 7) for n in range(4)] + [
        host(0, 1, n, 3) for n in range(6)
    ]
    return Clash(
        'fragments',
        pose(cloud, [*worlds.servers('big', 5, 4), *FILLER], NEAR),
        fits(*names('big', 5)),
    )


def zone() -> Clash:
    """Five servers in one zone; each zone takes four."""
    cloud = [host(z, r, 0, 5) for z in range(2) for r in range(4)]
    return Clash(
        'zone',
        pose(
            cloud,
            worlds.servers('grid', 5, 3),
            worlds.rule(
                'affinity', 'zone', *names('grid', 5), name='one-zone'
            ),
        ),
        fits(*names('grid', 5)) | {'one-zone'},
    )


def skew() -> Clash:
    """Five level over two zones, and one of these takes none of them."""
    cloud = [
        dataclasses.replace(h, free={'VCPU': 1})
        if h.domains['zone'] == 'quarry1'
        else h
        for h in hosts(2, 1, 2)
    ]
    return Clash(
        'skew',
        pose(
            cloud,
            worlds.servers('data', 5, 2),
            worlds.rule(
                'spread',
                'zone',
                *names('data', 5),
                name='level',
                max_skew=1,
            ),
        ),
    )


def compete() -> Clash:
    """Two tiers fit alone, and not together."""
    cloud = [host(0, 0, n, 5) for n in range(5)] + [
        host(0, 1, n, 1) for n in range(3)
    ]
    return Clash(
        'compete',
        pose(
            cloud,
            [
                *worlds.servers('app', 3, 3),
                *worlds.servers('sql', 3, 4),
                *FILLER,
            ],
            NEAR,
        ),
        fits(*names('app', 3), *names('sql', 3)),
    )


def local() -> Clash:
    """Three databases on the hosts of their volumes; two hosts have both."""
    room = [(5, 997), (5, 997), (5, 499), (3, 997)]
    cloud = [host(0, 0, n, vcpu) for n, (vcpu, _) in enumerate(room)]
    pools = [
        worlds.pool(
            f'disk{n}', disk, at=h.name, rack='shelf00', zone='quarry0'
        )
        for (n, (_, disk)), h in zip(enumerate(room), cloud, strict=True)
    ]
    pools.append(worlds.pool('vault', 99991))
    rules = [
        worlds.rule('affinity', 'host', f'db-{n}', f'vol-{n}', name=f'own-{n}')
        for n in range(3)
    ]
    volumes = [
        model.VolumeDemand(
            f'vol-{n}', 600, candidates=frozenset(p.name for p in pools[:4])
        )
        for n in range(3)
    ]
    return Clash(
        'local',
        pose(
            cloud,
            [*worlds.servers('db', 3, 4), *volumes],
            *rules,
            pools=pools,
        ),
        fits(*names('db', 3), *names('vol', 3)) | {'own-0', 'own-1', 'own-2'},
    )


def exclusive() -> Clash:
    """Three groups want a rack each to themselves; two are idle."""
    cloud = [
        dataclasses.replace(h, is_busy=h.domains['zone'] == 'quarry1')
        for h in hosts(2, 2, 1)
    ]
    members = [worlds.servers(f'ten{n}', 2) for n in range(3)]
    return Clash(
        'exclusive',
        pose(
            cloud,
            [*(d for pair in members for d in pair), *FILLER[:1]],
            *(
                worlds.rule(
                    'exclusive',
                    'rack',
                    *(d.member for d in pair),
                    name=f'alone-{n}',
                )
                for n, pair in enumerate(members)
            ),
        ),
        frozenset(('alone-0', 'alone-1', 'alone-2')),
    )


def nested() -> Clash:
    """Three pairs in different racks of one zone of two."""
    pairs = [(f'pr{n}-0', f'pr{n}-1') for n in range(3)]
    members = [worlds.server(name) for pair in pairs for name in pair]
    return Clash(
        'nested',
        pose(
            hosts(2, 2, 1),
            members,
            worlds.rule('anti-affinity', 'rack', *pairs, name='racks'),
            worlds.rule(
                'affinity',
                'zone',
                *(name for pair in pairs for name in pair),
                name='one-zone',
            ),
        ),
        frozenset(('racks', 'one-zone')),
    )


def homeless() -> Clash:
    """A server that no host can take, and another."""
    return Clash(
        'homeless',
        pose(
            hosts(1, 1, 2, 7),
            [worlds.server('fat', 8), worlds.server('fatter', 9), *FILLER],
            NEAR,
        ),
        fits('fat'),
    )


def share() -> Clash:
    """The racks have room enough; the provider does not give all of it."""
    budget = model.Budget(
        'share',
        'rack',
        {'shelf00': {'VCPU': 9}, 'shelf01': {'VCPU': 9}},
    )
    return Clash(
        'share',
        pose(
            hosts(1, 2, 2),
            [*worlds.servers('web', 5, 4)],
            budgets=[budget],
        ),
        fits(*names('web', 5)) | {'limit:share'},
    )


ALL: tuple[Callable[[], Clash], ...] = (
    cycle,
    pigeonhole,
    chains,
    fragments,
    zone,
    skew,
    compete,
    local,
    exclusive,
    nested,
    homeless,
    share,
)
