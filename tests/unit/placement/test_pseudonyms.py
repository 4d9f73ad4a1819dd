# SPDX-License-Identifier: Apache-2.0
"""A tenant learns which members share a domain, and no domain's name."""

from __future__ import annotations

import testtools

from heat_vcluster.placement import model, pseudonyms
from tests.unit.placement import worlds

SNAPSHOT = worlds.snapshot(
    [
        worlds.host('cmp-a', rack='row3-17', zone='east'),
        worlds.host('cmp-b', rack='row3-17', zone='east'),
        worlds.host('cmp-c', rack='row4-02', zone='east'),
        worlds.host('cmp-d'),
    ],
    [worlds.pool('ceph', rack='row4-02'), worlds.pool('nowhere')],
)


class PseudonymsTestCase(testtools.TestCase):
    def test_numbered_as_the_members_come(self):
        named = pseudonyms.assign(
            {'a': 'cmp-c', 'b': 'cmp-a', 'c': 'cmp-b', 'd': 'cmp-c'}, SNAPSHOT
        )
        self.assertEqual(
            {
                'a': {'zone': 'zone-1', 'rack': 'rack-1', 'host': 'host-1'},
                'b': {'zone': 'zone-1', 'rack': 'rack-2', 'host': 'host-2'},
                'c': {'zone': 'zone-1', 'rack': 'rack-2', 'host': 'host-3'},
                'd': {'zone': 'zone-1', 'rack': 'rack-1', 'host': 'host-1'},
            },
            named.of_member,
        )

    def test_a_volume_has_the_domains_of_its_pool_as_far_as_known(self):
        named = pseudonyms.assign(
            {'a': 'cmp-c', 'v': 'ceph', 'w': 'nowhere'}, SNAPSHOT
        )
        self.assertEqual({'rack': 'rack-1'}, named.of_member['v'])
        self.assertEqual({}, named.of_member['w'])

    def test_no_real_name_shows(self):
        named = pseudonyms.assign(
            {'a': 'cmp-c', 'b': 'cmp-d', 'v': 'ceph'}, SNAPSHOT
        )
        for real in ('cmp', 'row', 'east', 'ceph'):
            self.assertNotIn(real, str(named.of_member))

    def test_names_go_on_meaning_the_same_when_members_move(self):
        first = pseudonyms.assign({'a': 'cmp-a', 'b': 'cmp-c'}, SNAPSHOT)
        then = pseudonyms.assign(
            {'a': 'cmp-b', 'b': 'cmp-c'}, SNAPSHOT, first.known
        )
        self.assertEqual('host-3', then.of_member['a']['host'])
        self.assertEqual(
            first.of_member['a']['rack'], then.of_member['a']['rack']
        )
        self.assertEqual(first.of_member['b'], then.of_member['b'])
        self.assertLessEqual(first.known.items(), then.known.items())

    def test_a_host_that_is_no_longer_on_offer_keeps_its_name(self):
        first = pseudonyms.assign({'a': 'cmp-a'}, SNAPSHOT)
        less = worlds.snapshot(SNAPSHOT.hosts[1:])
        then = pseudonyms.assign({'a': 'cmp-a'}, less, first.known)
        self.assertEqual({'host': 'host-1'}, then.of_member['a'])

    def test_where_a_rule_gives_way_is_said_in_pseudonyms(self):
        placement = {'a': 'cmp-c', 'b': 'cmp-a'}
        where = (('rack', 'row4-02'), ('rack', 'row3-17'), ('rack', 'gone'))
        plan = model.Plan(
            placement, 2, 250, (model.Violation('near', 1, 2, where),)
        )
        known = pseudonyms.assign(placement, SNAPSHOT).known
        told = pseudonyms.disguise(plan, known)
        self.assertEqual(plan, told)
        self.assertEqual(
            (('rack', 'rack-1'), ('rack', 'rack-2')), told.given_up[0].where
        )
