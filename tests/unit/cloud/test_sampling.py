# SPDX-License-Identifier: Apache-2.0
import testtools

from heat_vcluster.cloud import sampling
from heat_vcluster.placement import reach


def racks(count, zones=2, hosts=4, ranks=None):
    return [
        sampling.Section(
            f'r{rack}',
            {'zone': f'z{rack % zones}', 'rack': f'r{rack}'},
            hosts,
            (ranks or {}).get(rack, 1),
        )
        for rack in range(count)
    ]


class WideningTest(testtools.TestCase):
    def looks(self, sections, members=1, hosts=None, **needs):
        return list(
            sampling.widening(
                sections, members, reach.Reach('seed', **needs), hosts
            )
        )

    def test_each_look_has_all_of_the_one_before(self):
        looks = self.looks(racks(100))
        self.assertEqual([4, 16], [len(look) for look in looks])
        self.assertEqual(looks[0], looks[1][:4])

    def test_half_of_a_cloud_is_not_worth_a_part(self):
        self.assertEqual([], self.looks(racks(7)))
        self.assertEqual(1, len(self.looks(racks(8))))
        self.assertEqual([], self.looks([]))

    def test_many_members_take_many_racks(self):
        self.assertEqual(10, len(self.looks(racks(100), members=10)[0]))
        self.assertEqual(
            20, len(self.looks(racks(100), members=10, hosts=80)[0])
        )

    def test_rules_take_twice_the_domains_that_they_need(self):
        looks = self.looks(racks(100), domains={'rack': 9})
        self.assertEqual(18, len(looks[0]))
        looks = self.looks(racks(100, zones=20), domains={'zone': 5})
        zones = {int(name[1:]) % 20 for name in looks[0]}
        self.assertEqual(10, len(zones))

    def test_domains_that_are_not_there_are_not_waited_for(self):
        looks = self.looks(racks(100, zones=3), domains={'zone': 9})
        self.assertEqual(4, len(looks[0]))
        self.assertEqual([], self.looks(racks(8), domains={'rack': 9}))
        self.assertEqual(4, len(self.looks(racks(9), domains={'row': 9})[0]))


class DealTest(testtools.TestCase):
    def test_first_few_are_of_all_zones_in_turn(self):
        dealt = sampling.deal(racks(12, zones=3), 'seed')
        for start in range(0, 12, 3):
            zones = {one.domains['zone'] for one in dealt[start : start + 3]}
            self.assertEqual(3, len(zones))

    def test_seed_decides_and_nothing_else(self):
        sections = racks(50)
        first = sampling.deal(sections, 'a')
        self.assertEqual(first, sampling.deal(sections[::-1], 'a'))
        self.assertNotEqual(first, sampling.deal(sections, 'b'))

    def test_lower_ranks_come_first(self):
        dealt = sampling.deal(racks(6, ranks={0: 2, 5: 0}), 'seed')
        self.assertEqual('r5', dealt[0].name)
        self.assertEqual('r0', dealt[-1].name)
