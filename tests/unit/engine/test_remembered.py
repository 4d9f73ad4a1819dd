# SPDX-License-Identifier: Apache-2.0
"""The places of a cluster as its record has them."""

import dataclasses

import testtools

from heat_vcluster.engine import remembered
from heat_vcluster.placement import model

KNOWN = {
    ('host', 'h7'): 'host-1',
    ('rack', 'r2'): 'rack-1',
    ('rack', 'r5'): 'rack-2',
    ('host', 'h9'): 'host-2',
}


@dataclasses.dataclass
class Row:
    place: str | None
    domains: dict[str, str]


class SnapshotTest(testtools.TestCase):
    def snapshot(self, *rows):
        return remembered.snapshot([Row(*row) for row in rows], KNOWN)

    def test_hosts_have_their_real_domains_and_no_room(self):
        made = self.snapshot(('h7', {'host': 'host-1', 'rack': 'rack-1'}))
        self.assertEqual(
            (model.Host('h7', {'rack': 'r2'}, {}, {}),), made.hosts
        )

    def test_two_members_on_a_host_are_on_one(self):
        row = ('h7', {'host': 'host-1', 'rack': 'rack-1'})
        self.assertEqual(1, len(self.snapshot(row, row).hosts))

    def test_pools_of_a_rack_and_of_a_host(self):
        made = self.snapshot(
            ('p@a#b', {'rack': 'rack-2'}),
            ('q@a#b', {'host': 'host-2', 'rack': 'rack-1'}),
        )
        self.assertEqual((), made.hosts)
        self.assertEqual(
            (
                model.Pool('p@a#b', 0, None, {'rack': 'r5'}),
                model.Pool('q@a#b', 0, None, {'rack': 'r2'}, 'h9'),
            ),
            made.pools,
        )

    def test_members_without_a_place_have_none(self):
        self.assertEqual((), self.snapshot((None, {})).hosts)
