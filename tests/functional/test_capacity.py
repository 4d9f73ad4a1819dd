# SPDX-License-Identifier: Apache-2.0
"""How much a plan asks of a real placement service, and what it learns."""

import uuid

from heat_vcluster import exception, planner, registry
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
from heat_vcluster.placement import reach
from heat_vcluster.spec import load
from tests import base, datacenter

SMALL = {'VCPU': 2, 'MEMORY_MB': 4096, 'DISK_GB': 20}
LARGE = {'VCPU': 8, 'MEMORY_MB': 16384, 'DISK_GB': 40}
SPECIAL = capacity.Signature(
    tuple(sorted(SMALL.items())), (datacenter.SPECIAL,)
)
COMMON = capacity.Signature(
    tuple(sorted(SMALL.items())), datacenter.COMMON[:2]
)


def document(members, **group):
    """Return a cluster of servers in one group; no group without a policy."""
    document = {
        'instances': [
            {
                'name': name,
                'type': 'server',
                'spec': {'image': 'i', 'flavor': 'f'},
            }
            for name in members
        ]
    }
    if group:
        document['groups'] = [
            {'name': 'g', 'members': list(members), 'spec': group}
        ]
    return load(document, scopes=('zone', 'rack', 'host'))


class Outside:
    """The part of a cloud that reads and holds, as one tenant sees it.

    What it has read does not grow old, unless that is asked for.
    """

    def __init__(self, center, **options):
        lasting = {'levels': datacenter.LEVELS, 'capacity_seconds': 3600.0}
        chosen = settings.Settings(**{**lasting, **options})
        site = capacity.Site.of(
            center.services(chosen), chosen, errors.Secrets()
        )
        self.capacity = capacity.Capacity(
            site, reservation.Tenant('alpha', 'ann')
        )
        self.readings = self.capacity.readings
        self.planner = planner.Planner(
            registry.get('solvers', solvers.DEFAULT)(), deadline=20.0
        )

    def decide(self, wanted, demands, seed='seed'):
        return decision.decide(self, self.planner, wanted, demands, seed=seed)

    def hold(self, made):
        holds = [
            model.Hold(
                str(uuid.uuid4()),
                demand.member,
                made.plan.placement[demand.member],
                demand.resources,
            )
            for demand in made.demands
        ]
        self.capacity.reserve(holds)
        return holds


class CapacityTest(base.TestCase):
    def center(self, **options):
        center = datacenter.DataCenter(**options)
        self.addCleanup(center.close)
        return center

    def assert_asked(self, center, since, **expected):
        names = {
            'hosts': 'GET /resource_providers',
            'candidates': 'GET /allocation_candidates',
            'holds': 'POST /allocations',
        }
        self.assertEqual(
            {names[what]: count for what, count in expected.items()},
            dict(center.asked(since)),
        )
        return len(center.seen)


class TenThousandHostsTest(CapacityTest):
    def test_ten_members_take_a_handful_of_requests(self):
        center = self.center(racks=250, per_rack=40)
        outside = Outside(center)
        names = [f'm{number}' for number in range(10)]
        wanted = document(names, policy='anti-affinity', scope='rack')
        demands = [
            placement.ServerDemand(name, SMALL if number < 5 else LARGE)
            for number, name in enumerate(names)
        ]
        # The first time: which hosts there are, one question for each of
        # the two sizes, and one transaction that holds all ten.
        made = outside.decide(wanted, demands)
        outside.hold(made)
        racks = {center.rack_of(made.plan.placement[name]) for name in names}
        self.assertEqual(10, len(racks))
        seen = self.assert_asked(center, 0, hosts=1, candidates=2, holds=1)
        # Twice the racks that the rule takes were looked at.
        self.assertEqual(2 * 10 * 40, len(made.snapshot.hosts))
        # The next cluster looks elsewhere first, and knows the hosts.
        outside.hold(outside.decide(wanted, demands, seed='other'))
        self.assert_asked(center, seen, candidates=2, holds=1)


class PartsTest(CapacityTest):
    """Twenty-four racks in three zones: r000 is in az0, r001 in az1, ..."""

    WANTED = document(['a', 'b'])
    DEMANDS = tuple(placement.ServerDemand(name, SMALL) for name in 'ab')

    def setUp(self):
        super().setUp()
        self.racks = {'racks': 24, 'per_rack': 4}

    def test_rare_hosts_are_found_by_looking_wider(self):
        center = self.center(**self.racks, special={5})
        outside = Outside(center)
        needs = {name: capacity.Need(SPECIAL) for name in 'ab'}
        outside.capacity.remember(needs, {})
        looks = [
            reading.is_whole
            for reading in outside.readings(self.DEMANDS, reach.Reach('x'))
        ]
        self.assertEqual([False, True], looks)
        made = outside.decide(self.WANTED, self.DEMANDS, seed='x')
        self.assertEqual(
            {'r005'}, {center.rack_of(p) for p in made.plan.placement.values()}
        )

    def test_refusal_is_by_all_of_the_cloud(self):
        center = self.center(**self.racks)
        outside = Outside(center)
        huge = placement.ServerDemand('a', {'VCPU': 4096})
        self.assertRaises(
            exception.NoValidPlacement,
            outside.decide,
            document(['a']),
            [huge],
        )
        last = [q for _, path, q in center.seen if 'candidates' in path][-1]
        self.assertNotIn('member_of', last)

    def test_parts_lie_in_all_zones(self):
        center = self.center(**self.racks)
        first = next(Outside(center).readings(self.DEMANDS, reach.Reach('x')))
        zones = {host.domain('zone') for host in first.snapshot.hosts}
        self.assertEqual({'az0', 'az1', 'az2'}, zones)

    def test_zone_that_all_must_be_in_is_all_that_is_read(self):
        center = self.center(**self.racks)
        outside = Outside(center)
        question = capacity.Signature(tuple(sorted(SMALL.items())))
        outside.capacity.remember(
            {name: capacity.Need(question, 'az1') for name in 'ab'}, {}
        )
        first = next(outside.readings(self.DEMANDS, reach.Reach('x')))
        zones = {host.domain('zone') for host in first.snapshot.hosts}
        self.assertEqual({'az1'}, zones)

    def test_rows_that_are_known_by_a_trait_are_parts_as_well(self):
        center = self.center(racks=48, per_rack=2)
        levels = settings.parse_levels([f'row=trait:{datacenter.ROW}'])
        outside = Outside(center, levels=levels)
        needs = {name: capacity.Need(COMMON) for name in 'ab'}
        outside.capacity.remember(needs, {})
        looks = outside.readings(self.DEMANDS, reach.Reach('x'))
        first, last = next(looks), [*looks][-1]
        rows = {host.domain('row') for host in first.snapshot.hosts}
        self.assertEqual(4, len(rows))
        self.assertEqual(4 * 4, len(first.demands[0].candidates))
        self.assertEqual(
            {h.name: h.free for h in first.snapshot.hosts},
            {
                h.name: h.free
                for h in last.snapshot.hosts
                if h.domain('row') in rows
            },
        )

    def test_as_long_as_nothing_changes_only_that_is_asked(self):
        center = self.center(**self.racks)
        outside = Outside(center, capacity_seconds=0)
        look = reach.Reach('x')
        first = next(outside.readings(self.DEMANDS, look))
        seen = self.assert_asked(center, 0, hosts=1, candidates=1)
        again = next(outside.readings(self.DEMANDS, look))
        seen = self.assert_asked(center, seen, hosts=1)
        self.assertEqual([*first.snapshot.hosts], [*again.snapshot.hosts])
        for rack in {host.domain('rack') for host in first.snapshot.hosts}:
            center.occupy(int(rack[1:]), {'VCPU': 1})
        changed = next(outside.readings(self.DEMANDS, look))
        self.assert_asked(center, seen, hosts=1, candidates=1)
        self.assertEqual(
            [host.free['VCPU'] - 1 for host in first.snapshot.hosts],
            [host.free['VCPU'] for host in changed.snapshot.hosts],
        )

    def test_what_is_some_seconds_old_is_not_asked_again(self):
        center = self.center(**self.racks)
        outside = Outside(center)
        made = [
            outside.decide(self.WANTED, self.DEMANDS).plan for _ in range(3)
        ]
        self.assert_asked(center, 0, hosts=1, candidates=1)
        self.assertEqual([made[0]] * 3, made)

    def test_hold_is_the_truth(self):
        center = self.center(**self.racks)
        outside = Outside(center)
        made = outside.decide(self.WANTED, self.DEMANDS)
        rack = center.rack_of(made.plan.placement['a'])
        center.occupy(int(rack[1:]), {'MEMORY_MB': 122880})
        self.assertRaises(exception.ReservationConflict, outside.hold, made)
        # What was known of that rack is forgotten: now it is asked again.
        again = outside.decide(self.WANTED, self.DEMANDS)
        holds = outside.hold(again)
        self.assertNotIn(
            rack, {center.rack_of(p) for p in again.plan.placement.values()}
        )
        self.assertEqual(2, len(holds))

    def test_what_is_held_is_not_offered_to_the_next(self):
        center = self.center(**self.racks)
        outside = Outside(center)
        made = outside.decide(self.WANTED, self.DEMANDS)
        place = made.plan.placement['a']
        before = self.free(made.snapshot, place)
        outside.hold(made)
        again = next(outside.readings(self.DEMANDS, reach.Reach('seed')))
        taken = sum(p == place for p in made.plan.placement.values())
        self.assertEqual(
            before - taken * SMALL['VCPU'], self.free(again.snapshot, place)
        )

    def free(self, snapshot, name):
        hosts = {host.name: host for host in snapshot.hosts}
        return hosts[name].free['VCPU']


class EntireDomainsTest(CapacityTest):
    """Rules by which also those hosts count that can take nothing."""

    DEMANDS = (placement.ServerDemand('a', SMALL),)

    def test_full_zone_counts_for_max_skew_and_one_without_trait_not(self):
        center = self.center(
            racks=24,
            per_rack=2,
            # az0 is full, but bears the trait; az2 does not bear it.
            full=range(0, 24, 3),
            special=[rack for rack in range(24) if rack % 3 != 2],
        )
        outside = Outside(center)
        outside.capacity.remember({'a': capacity.Need(SPECIAL)}, {})
        first = next(
            outside.readings(
                self.DEMANDS, reach.Reach('x', even=frozenset({'zone'}))
            )
        )
        self.assertEqual(
            {'az0', 'az1'}, self.domains(first, first.demands[0].suitable)
        )
        self.assertEqual(
            {'az1'}, self.domains(first, first.demands[0].candidates)
        )
        # One host that has nothing left was asked for; it stands for az0.
        paths = [path for _, path, _ in center.seen]
        self.assertEqual(
            1, sum(path.endswith('/inventories') for path in paths)
        )

    def domains(self, reading, names):
        return {
            host.domain('zone')
            for host in reading.snapshot.hosts
            if host.name in names
        }

    def test_host_that_is_too_small_is_suitable_for_nothing(self):
        outside = Outside(self.center(racks=24, per_rack=2))
        large = placement.ServerDemand('a', {'VCPU': 1000})
        *_, last = outside.readings(
            [large], reach.Reach('x', even=frozenset({'zone'}))
        )
        self.assertEqual(frozenset(), last.demands[0].suitable)

    def test_all_of_a_rack_is_seen_where_others_must_not_be_in_it(self):
        center = self.center(racks=24, per_rack=2, full=[1], idle=[2])
        reading = self.last(Outside(center), entire={'rack'})
        by_rack = {}
        for host in reading.snapshot.hosts:
            by_rack.setdefault(host.domain('rack'), set()).add(host.is_busy)
        self.assertEqual({False}, by_rack['r002'])
        self.assertEqual({True}, by_rack['r001'])

    def test_all_of_a_rack_is_measured_where_a_part_of_it_is_meant(self):
        center = self.center(racks=24, per_rack=2, full=[1])
        reading = self.last(
            Outside(center), entire={'rack'}, measured={'rack'}
        )
        total = {host.total['MEMORY_MB'] for host in reading.snapshot.hosts}
        self.assertEqual({131072 - 8192}, total)

    def last(self, outside, **scopes):
        sets = {name: frozenset(value) for name, value in scopes.items()}
        *_, last = outside.readings(self.DEMANDS, reach.Reach('x', **sets))
        self.assertTrue(last.is_whole)
        return last
