# SPDX-License-Identifier: Apache-2.0
import testtools

from heat_vcluster.cloud.openstack import inventory, places


def provider(root, traits=(), **figures):
    return {
        'root_provider_uuid': root,
        'parent_provider_uuid': None,
        'traits': list(traits),
        'resources': {
            name: {'capacity': capacity, 'used': used}
            for name, (capacity, used) in figures.items()
        },
    }


def request(**parts):
    return {
        'allocations': {
            uuid: {'resources': resources} for uuid, resources in parts.items()
        }
    }


#: Host u1 has two devices below it; u2 is full but for nothing; s is shared.
BODY = {
    'provider_summaries': {
        'u1': provider('u1', VCPU=(8, 2)),
        'd1': provider('u1', VGPU=(1, 0)),
        'd2': provider('u1', VGPU=(1, 0)),
        'u2': provider('u2', VCPU=(4, 9)),
        's': provider('s', DISK_GB=(100, 0)),
    },
    'allocation_requests': [
        request(u1={'VCPU': 1}, d1={'VGPU': 1}),
        request(u1={'VCPU': 1}, d2={'VGPU': 1}),
        request(u2={'VCPU': 1}, s={'DISK_GB': 1}),
    ],
}
KNOWN = places.Topology(
    {
        uuid: places.Place(uuid, name, zone, {'zone': zone})
        for uuid, name, zone in (
            ('u1', 'h1', 'a'),
            ('u2', 'h2', 'a'),
            ('u3', 'h0', 'b'),
        )
    }
)


class InventoryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.answer = inventory.parse(BODY)

    def test_ways_of_one_host_are_kept_apart(self):
        self.assertEqual({'u1'}, self.answer.roots)
        self.assertEqual(
            [{'u1', 'd1'}, {'u1', 'd2'}],
            [set(share) for share in self.answer.shares['u1']],
        )

    def test_room_of_a_tree_is_the_hosts_and_never_below_zero(self):
        rooms = inventory.rooms([self.answer, self.answer])
        found = inventory.hosts(KNOWN, rooms)
        self.assertEqual(['h0', 'h1', 'h2'], [host.name for host in found])
        hosts = {host.name: host for host in found}
        self.assertEqual({'VCPU': 6, 'VGPU': 2}, hosts['h1'].free)
        self.assertEqual({'VCPU': 8, 'VGPU': 2}, hosts['h1'].total)
        self.assertEqual({'VCPU': 0, 'VGPU': 0}, hosts['h2'].free)

    def test_host_without_room_is_there_for_those_who_sit_on_it(self):
        host = inventory.hosts(KNOWN, inventory.rooms([self.answer]))[0]
        self.assertEqual(('h0', 'b'), (host.name, host.domain('zone')))
        self.assertEqual({0}, {*host.free.values()})

    def test_host_is_idle_only_if_that_is_known(self):
        idle = provider('u3', VCPU=(4, 0))
        body = {
            'provider_summaries': {**BODY['provider_summaries'], 'u3': idle},
            'allocation_requests': [],
        }
        rooms = inventory.rooms([inventory.parse(body)])
        hosts = {h.name: h for h in inventory.hosts(KNOWN, rooms)}
        self.assertEqual(
            {'h0': False, 'h1': True, 'h2': True},
            {name: host.is_busy for name, host in hosts.items()},
        )
        (unheard, *_) = inventory.hosts(KNOWN, {})
        self.assertTrue(unheard.is_busy)

    def test_part_of_the_hosts_is_shown(self):
        rooms = inventory.rooms([self.answer])
        (host,) = inventory.hosts(KNOWN, rooms, {'u1'})
        self.assertEqual(('h1', 6), (host.name, host.free['VCPU']))

    def test_answer_is_cut_and_joined_by_hosts(self):
        parts = [inventory.cut(self.answer, {u}) for u in ('u1', 'u2', 's')]
        self.assertEqual({'u1', 'd1', 'd2'}, {*parts[0].providers})
        self.assertEqual(self.answer, inventory.join(parts))

    def test_zone_bounds_candidates(self):
        for zone, expected in ((None, {'h1'}), ('a', {'h1'}), ('b', set())):
            self.assertEqual(
                expected, inventory.candidates(self.answer, KNOWN, zone)
            )

    def test_members_of_one_host_share_its_devices_out(self):
        ways = self.answer.shares['u1']
        chosen = inventory.choose(
            [('a', ways), ('b', ways)], self.answer.providers
        )
        self.assertEqual({'u1', 'd1'}, set(chosen['a']))
        self.assertEqual({'u1', 'd2'}, set(chosen['b']))

    def test_one_too_many_is_left_to_placement_to_refuse(self):
        ways = self.answer.shares['u1']
        chosen = inventory.choose(
            [('a', ways), ('b', ways), ('c', ways)], self.answer.providers
        )
        self.assertEqual({'u1', 'd1'}, set(chosen['c']))
