# SPDX-License-Identifier: Apache-2.0
"""What the life of a cluster costs: members kept, moves, seconds.

Run as ``python -m benchmarks.life [--seeds N] [--cloud STATE_DIR]``; without
``--cloud`` it needs nothing else. Each figure stands beside a baseline of the
same run.

kept
    Clusters of several shapes are scaled, or get other rules, by the engine on
    the fake cloud. Beside it: what a stack update does to the same servers and
    rules as plain Heat resources (``plain_heat.py``), and whether the rules
    hold for those that are left.

moves
    Small clusters that were drifted at random are repaired. Beside it: the
    least moves there can be, by trying all of them, and moving one after the
    other to wherever the least is broken.

seconds
    Only with ``--cloud``: one cluster is built and scaled as plain resources
    and as OS::VCluster::Cluster on a development cloud (``stacks.py``).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import itertools
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plain_heat, stacks
from heat_vcluster import context, deploy, exception, service
from heat_vcluster.cloud import fake
from heat_vcluster.engine import base
from tests.functional import rules, surroundings

ASKER = context.Context('alpha', 'ann')
SETTINGS = base.Settings(threads=8, poll_interval=0.01)

Document = dict[str, Any]
Places = Mapping[str, str]


def servers(name: str, count: int, **spec: Any) -> Document:
    return {
        'name': name,
        'type': 'server',
        'count': count,
        'spec': {'image': 'cirros', 'flavor': 'small', **spec},
    }


def rule(policy: str, *members: str, **spec: Any) -> Document:
    return {
        'name': 'rule',
        'spec': {'policy': policy, **spec},
        'members': [*members],
    }


def document(*parts: Document) -> Document:
    return {
        'instances': [part for part in parts if 'type' in part],
        'groups': [part for part in parts if 'members' in part],
    }


# -- members that are kept ----------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """A cluster, and what becomes of it."""

    title: str
    before: Document
    after: Document
    remove: tuple[str, ...] = ()


EVEN = rule('spread', 'web', scope='rack', max_skew=1)
APART = rule('anti-affinity', 'web', scope='host')
TWO = rule('spread', 'web', scope='host', max_per_domain=2)
RACKS = rule('anti-affinity', 'web', scope='rack')
TWO_TO_A_RACK = rule('spread', 'web', scope='rack', max_per_domain=2)
BOTH = rule('anti-affinity', 'db', 'web', scope='host')
DATA = {'name': 'data', 'type': 'volume', 'count': 3, 'spec': {'size': 1}}
MORE_DATA = {**DATA, 'count': 5}
WITH_DATA = {'volumes': ['data-%index%']}

STORIES = (
    Story(
        'scale 6 to 10, even over racks',
        document(servers('web', 6), EVEN),
        document(servers('web', 10), EVEN),
    ),
    Story(
        'scale 7 to 4, even over racks',
        document(servers('web', 7), EVEN),
        document(servers('web', 4), EVEN),
    ),
    Story(
        'scale 8 to 5, two to a host at most',
        document(servers('web', 8), TWO),
        document(servers('web', 5), TWO),
    ),
    Story(
        'scale 5 to 4, a named one goes',
        document(servers('web', 5), APART),
        document(servers('web', 4), APART),
        remove=('web-1',),
    ),
    Story(
        'scale 3 to 5, with volumes',
        document(DATA, servers('web', 3, **WITH_DATA), APART),
        document(MORE_DATA, servers('web', 5, **WITH_DATA), APART),
    ),
    Story(
        'scale one of two roles, 4 to 6',
        document(servers('db', 3), servers('web', 4), BOTH),
        document(servers('db', 3), servers('web', 6), BOTH),
    ),
    Story(
        'rule: apart, then two to a host',
        document(servers('web', 6), APART),
        document(servers('web', 6), TWO),
    ),
    Story(
        'rule: two to a host, then apart',
        document(servers('web', 6), TWO),
        document(servers('web', 6), APART),
    ),
    Story(
        'rule: none, then apart',
        document(servers('web', 4)),
        document(servers('web', 4), APART),
    ),
    Story(
        'rule: apart, then none',
        document(servers('web', 4), APART),
        document(servers('web', 4)),
    ),
    Story(
        'rule: apart by host, then by rack',
        document(servers('web', 4), APART),
        document(servers('web', 4), RACKS),
    ),
    Story(
        'rule: apart by rack, then two to one',
        document(servers('web', 4), RACKS),
        document(servers('web', 4), TWO_TO_A_RACK),
    ),
    Story(
        'rule: of one role, then of both',
        document(servers('db', 3), servers('web', 4), APART),
        document(servers('db', 3), servers('web', 4), BOTH),
    ),
    Story(
        'rule and scale 6 to 8',
        document(servers('web', 6), APART),
        document(servers('web', 8), TWO),
    ),
)


class Site:
    """A service on a fake cloud."""

    def __init__(self, cloud: fake.FakeCloud, made: service.Service) -> None:
        self.cloud = cloud
        self.service = made

    def build(self, wanted: Document) -> str:
        made: str = self.service.create(ASKER, wanted)['id']
        self.settle(made)
        return made

    def settle(self, cluster_id: str) -> dict[str, Any]:
        self.service.engine.join(cluster_id)
        view = dict(self.service.show(ASKER, cluster_id))
        if view['status'] != 'ACTIVE':
            raise SystemExit(f'{view["status"]}: {view["status_reason"]}')
        return view

    def servers(self, cluster_id: str) -> dict[str, str]:
        """Return the ids of its servers, by name."""
        view = self.service.show(ASKER, cluster_id)
        return {
            name: member['id']
            for name, member in view['members'].items()
            if member['type'] == 'server'
        }

    def places(self, cluster_id: str) -> dict[str, str]:
        world = self.cloud.world
        return {
            name: world.items[server_id].host  # type: ignore[attr-defined]
            for name, server_id in self.servers(cluster_id).items()
        }

    def broken(
        self, cluster_id: str, wanted: Document, places: Places
    ) -> list[str]:
        around = surroundings.Surroundings(self.cloud, cluster_id, wanted)
        return rules.broken(wanted, places, self.cloud.domain, around)


@contextlib.contextmanager
def open_site(cloud: fake.FakeCloud) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        made = deploy.assemble(
            cloud,
            database=f'sqlite:///{folder}/vcluster.sqlite',
            settings=SETTINGS,
        )
        try:
            yield Site(cloud, made)
        finally:
            made.stop(5.0)


def renumbered(places: Places) -> dict[str, str]:
    """Give copies that are alike the numbers that a new cluster has."""
    found: dict[str, str] = {}
    counts: collections.Counter[str] = collections.Counter()
    for name in sorted(places):
        role = name.rpartition('-')[0]
        found[f'{role}-{counts[role]}'] = places[name]
        counts[role] += 1
    return found


def show_kept() -> None:
    print('Of the servers there were: kept, replaced, removed; and the rules')
    print(f'{"":<36}{"ours":>20}{"plain Heat":>22}')
    kept: collections.Counter[str] = collections.Counter()
    for story in STORIES:
        ours, heat = tell(story)
        print(f'{story.title:<36}{ours!s:>20}{heat!s:>22}')
        if ours.rules != 'refused':
            kept.update(ours=ours.kept, heat=heat.kept, stay=ours.staying)
    print(
        f'{"kept, of those that stay":<36}'
        f'{kept["ours"] / kept["stay"]:>20.0%}'
        f'{kept["heat"] / kept["stay"]:>22.0%}'
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How many servers have which fate, and what the rules are by then."""

    kept: int
    replaced: int
    removed: int
    rules: str

    @property
    def staying(self) -> int:
        return self.kept + self.replaced

    def __str__(self) -> str:
        numbers = f'{self.kept:>2} {self.replaced:>2} {self.removed:>2}'
        return f'{numbers} {self.rules:>9}'


def tell(story: Story) -> tuple[Outcome, Outcome]:
    """Let it happen; return what came of it, and what would by Heat."""
    with open_site(fake.FakeCloud(racks=4, hosts_per_rack=4)) as site:
        cluster = site.build(story.before)
        before, places = site.servers(cluster), site.places(cluster)
        site.service.update(
            ASKER, cluster, document=story.after, remove=[*story.remove]
        )
        reason = site.settle(cluster)['status_reason']
        after, now = site.servers(cluster), site.places(cluster)
        kept = sum(after.get(name) == before[name] for name in before)
        removed = len(before.keys() - after.keys())
        is_broken = site.broken(cluster, story.after, renumbered(now))
        ours = Outcome(
            kept,
            len(before) - kept - removed,
            removed,
            'refused' if reason else 'BROKEN' if is_broken else 'hold',
        )
        heat = plain_heat.update(story.before, story.after, story.remove)
        left = renumbered({name: places[name] for name in heat.kept})
        is_broken = site.broken(cluster, story.after, left)
    return ours, Outcome(
        len(heat.kept),
        len(heat.replaced),
        len(heat.removed),
        'hold'
        if plain_heat.says(story.after)
        else 'BROKEN'
        if is_broken
        else 'not said',
    )


# -- moves --------------------------------------------------------------------

#: Servers, by flavor, that are drawn from; and what a host has room for.
VCPUS = {'small': 1, 'medium': 2}
HOST_VCPUS = 4
DRAWN = (
    rule('anti-affinity', 'a', 'b', scope='rack'),
    rule('anti-affinity', 'a', 'b', scope='host'),
    rule('affinity', 'a', 'b', scope='rack'),
    rule('affinity', 'a', scope='rack'),
    rule('anti-affinity', 'a', scope='host'),
    rule('anti-affinity', 'b', scope='host'),
    rule('spread', 'a', 'b', scope='rack', max_per_domain=2),
    rule('spread', 'a', 'b', scope='host', max_per_domain=2),
)


@dataclasses.dataclass(slots=True)
class Drift:
    """A cluster where others have moved it to."""

    site: Site
    cluster: str
    wanted: Document
    places: dict[str, str]
    sizes: dict[str, int]
    room: dict[str, int]

    def broken(self, places: Places) -> int:
        return len(self.site.broken(self.cluster, self.wanted, places))

    def fallen(self, places: Places) -> set[str]:
        """Return the rules that do not hold."""
        faults = self.site.broken(self.cluster, self.wanted, places)
        return {fault.partition(':')[0] for fault in faults}

    def moves(self, places: Places) -> Iterator[tuple[str, str]]:
        """Yield each move for which there is room now."""
        free = collections.Counter(self.room)
        for name, host in places.items():
            free[host] -= self.sizes[name]
        for name, host in places.items():
            for other in self.room:
                if other != host and free[other] >= self.sizes[name]:
                    yield name, other


def drifted(site: Site, dice: random.Random) -> Drift | None:
    """Build a cluster and move it about; None: it cannot be, or is well."""
    flavors = {name: dice.choice([*VCPUS]) for name in 'ab'}
    asked = [
        {**each, 'name': f'rule-{number}'}
        for number, each in enumerate(dice.sample(DRAWN, 2))
    ]
    wanted = document(
        servers('a', 2, flavor=flavors['a']),
        servers('b', 3, flavor=flavors['b']),
        *asked,
    )
    for host in site.cloud.world.hosts:
        site.cloud.occupy(host, VCPU=dice.randrange(HOST_VCPUS - 1))
    room = {
        host.name: HOST_VCPUS - site.cloud.used(host.name).get('VCPU', 0)
        for host in site.cloud.world.hosts.values()
    }
    try:
        cluster = site.build(wanted)
    except SystemExit:
        return None
    sizes = {name: VCPUS[flavors[name[0]]] for name in site.servers(cluster)}
    found = Drift(site, cluster, wanted, site.places(cluster), sizes, room)
    ids = site.servers(cluster)
    for _ in range(dice.randrange(2, 5)):
        name, host = dice.choice([*found.moves(found.places)])
        site.cloud.migrate(ids[name], host)
        found.places[name] = host
    return found if found.broken(found.places) else None


def least(drift: Drift) -> int | None:
    """Return the fewest moves by which all rules hold; tries all.

    Each has to have room when it is made, and may not break a rule that
    holds. Whether one that is broken is so by more on the way does not matter
    here, so that it is never more than is needed.
    """
    names = [*drift.places]
    edge = {tuple(drift.places.values())}
    seen = set(edge)
    for number in itertools.count():
        places = [dict(zip(names, each, strict=True)) for each in edge]
        if any(drift.broken(each) == 0 for each in places):
            return number
        edge = {
            tuple(after.values())
            for before in places
            for name, host in drift.moves(before)
            if tuple((after := before | {name: host}).values()) not in seen
            and drift.fallen(after) <= drift.fallen(before)
        }
        if not edge:
            return None
        seen |= edge
    raise AssertionError


def one_by_one(drift: Drift) -> int | None:
    """Move whatever leaves the least broken; None: it ends before all is."""
    places, now = dict(drift.places), drift.broken(drift.places)
    for number in itertools.count():
        if now == 0:
            return number
        found = [places | {name: host} for name, host in drift.moves(places)]
        best = min(found, key=drift.broken, default=places)
        if drift.broken(best) >= now:
            return None
        places, now = best, drift.broken(best)
    raise AssertionError


def repaired(drift: Drift) -> tuple[int | None, bool]:
    """Return how many moves the engine made, and whether that is proven."""
    site = drift.site
    try:
        planned = site.service.plan_repair(ASKER, drift.cluster)
    except exception.NoValidPlacement:
        return None, False
    since = len(site.cloud.calls)
    site.service.repair(ASKER, drift.cluster)
    view = site.settle(drift.cluster)
    if drift.broken(site.places(drift.cluster)) or view['error_code']:
        raise SystemExit(f'not repaired: {view["status_reason"]}')
    made = sum(c.name == 'migrate' for c in site.cloud.calls[since:])
    return made, bool(planned['is_least'])


def show_moves(seeds: Sequence[int]) -> None:
    rows = []
    for seed in seeds:
        cloud = fake.FakeCloud(racks=3, hosts_per_rack=2, vcpus=HOST_VCPUS)
        with open_site(cloud) as site:
            drift = drifted(site, random.Random(seed))
            if drift is not None:
                bound, greedy = least(drift), one_by_one(drift)
                rows.append((*repaired(drift), bound, greedy))
    print(f'{len(rows)} clusters of {len(seeds)} have broken rules')
    can = [row for row in rows if row[2] is not None]
    print(f'{len(can)} of them can be repaired at all')
    for title, column in (('ours', 0), ('one by one', 3)):
        done = [row for row in can if row[column] is not None]
        moves = sum(row[column] for row in done)
        bound = sum(row[2] for row in done)
        print(
            f'  {title:<12}repairs {len(done)}, with {moves} moves; the '
            f'least is {bound}: {moves / max(bound, 1):.2f} times that'
        )
    proven = sum(row[1] for row in can)
    print(f'  is_least was told of {proven} of ours')


def main() -> None:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.life',
        description=(__doc__ or '').strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--seeds', type=int, default=300)
    parser.add_argument('--cloud', type=Path, metavar='STATE_DIR')
    parser.add_argument('--rounds', type=int, default=1)
    options = parser.parse_args()
    show_kept()
    print()
    show_moves(range(options.seeds))
    if options.cloud:
        print()
        stacks.show_seconds(options.cloud, options.rounds)


if __name__ == '__main__':
    main()
