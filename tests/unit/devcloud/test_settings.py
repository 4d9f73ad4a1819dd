# SPDX-License-Identifier: Apache-2.0
"""A cloud's size, and the names, addresses and places that follow from it."""

import dataclasses
import stat
from pathlib import Path

import fixtures
import testtools

from heat_vcluster.devcloud.settings import Settings


class TestNames(testtools.TestCase):
    def test_twelve_hosts_in_four_racks_by_default(self) -> None:
        cloud = Settings(state_dir=Path('state'))
        self.assertEqual(
            ('rack1', 'rack2', 'rack3', 'rack4'), cloud.rack_names
        )
        self.assertEqual(12, len(cloud.hosts))
        self.assertEqual('r1h1', cloud.host_names[0])
        self.assertEqual('r4h3', cloud.host_names[-1])

    def test_racks_are_dealt_over_zones_in_runs(self) -> None:
        cloud = Settings(state_dir=Path('state'), racks=5, zones=2)
        zones = [cloud.zone_of_rack(rack) for rack in cloud.rack_names]
        self.assertEqual(['az1', 'az1', 'az1', 'az2', 'az2'], zones)

    def test_every_zone_has_a_rack(self) -> None:
        for racks in range(1, 9):
            for zones in range(1, racks + 1):
                cloud = Settings(Path('state'), racks=racks, zones=zones)
                used = {host.zone for host in cloud.hosts}
                self.assertEqual(set(cloud.zone_names), used)

    def test_a_backend_stands_for_a_rack_or_for_a_host(self) -> None:
        per_rack = Settings(state_dir=Path('state'))
        per_host = dataclasses.replace(per_rack, backends='host')
        self.assertEqual(per_rack.rack_names, per_rack.backend_names)
        self.assertEqual(per_rack.host_names, per_host.backend_names)

    def test_impossible_sizes_are_refused(self) -> None:
        for wrong in (
            {'racks': 0},
            {'racks': 10**6},
            {'racks': 200, 'hosts_per_rack': 200},
            {'ram_mb': 2**31},
            {'racks': 2, 'zones': 3},
            {'backends': 'shelf'},
            {'port_offset': 60000},
            {'port_offset': -4000},
        ):
            self.assertRaises(ValueError, Settings, Path('state'), **wrong)


class TestAddresses(testtools.TestCase):
    def test_two_clouds_differ_by_their_offset(self) -> None:
        one = Settings(state_dir=Path('one'))
        other = Settings(state_dir=Path('other'), port_offset=1000)
        self.assertEqual('http://127.0.0.1:8774', one.url('nova'))
        self.assertEqual('http://127.0.0.1:9774', other.url('nova'))
        self.assertEqual('http://127.0.0.1:6000/v3', other.auth_url)


class TestState(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.state = Path(self.useFixture(fixtures.TempDir()).path) / 'state'

    def test_what_is_saved_is_loaded(self) -> None:
        cloud = Settings(self.state, venv=Path('/shared'), racks=6, vcpus=4)
        cloud.save()
        self.assertEqual(cloud, Settings.load(self.state))

    def test_without_a_cloud_there_is_nothing_to_load(self) -> None:
        self.assertRaises(FileNotFoundError, Settings.load, self.state)

    def test_a_secret_stays_and_is_its_owners_alone(self) -> None:
        cloud = Settings(self.state)
        first = cloud.secret('alpha')
        self.assertNotEqual(first, cloud.secret('beta'))
        self.assertEqual(first, Settings(self.state).secret('alpha'))
        mode = stat.S_IMODE((self.state / 'secrets.json').stat().st_mode)
        self.assertEqual(0o600, mode)
