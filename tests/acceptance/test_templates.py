# SPDX-License-Identifier: Apache-2.0
"""The shipped templates on a real cloud: built, placed as asked, removed."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.acceptance import base, built


class TemplateTestCase(built.BuiltTestCase):
    def create(self, template: str, **parameters: object) -> dict[str, Any]:
        """Create the stack; every member is then really there."""
        members = self.create_active_stack(
            base.TEMPLATES / template, parameters
        )
        self.assert_built(members)
        return members


class UseCases(TemplateTestCase):
    def test_u1_volume_and_server_together(self) -> None:
        members = self.create('volume_server.yaml')
        self.assert_together(self.racks(members, 'server', 'data'))
        self.assert_attached(members, 'data', 'server')
        shown = self.ask('stack', 'output', 'show', self.name, 'address')
        self.assertEqual(
            members['server']['addresses'][0], shown['output_value']
        )
        said = self.openstack('stack', 'delete', '--yes', self.name)
        self.assertEqual(0, said.code, said.text)
        self.await_no_stack()
        self.assert_nothing_left()

    def test_u2_redundant_data_servers(self) -> None:
        members = self.create('redundant_data.yaml')
        self.assert_together(self.racks(members, 'db-0', 'data-0'))
        self.assert_together(self.racks(members, 'db-1', 'data-1'))
        self.assert_apart(self.racks(members, 'db-0', 'db-1'))
        self.assert_attached(members, 'data-0', 'db-0')
        self.assert_attached(members, 'data-1', 'db-1')

    def test_rules_over_hosts_are_held_by_nova_too(self) -> None:
        members = self.create('redundant_data.yaml', scope='host')
        cluster = self.cluster_resource()
        self.assertEqual(
            [{'group': 'apart', 'held': True, 'why': None}],
            cluster['attributes']['server_groups'],
        )
        (group,) = self.alpha.compute.server_groups()
        self.assertEqual(
            f'vcluster:{cluster["physical_resource_id"]} apart', group.name
        )
        self.assertEqual('anti-affinity', group.policy)
        servers = {members[name]['id'] for name in ('db-0', 'db-1')}
        self.assertEqual(servers, {*group.member_ids})

    def test_u3_web_cluster(self) -> None:
        members = self.create('web_cluster.yaml', web_servers=6)
        self.assert_web_cluster(members, webs=6)

    def test_u4_groups_of_groups(self) -> None:
        members = self.create('groups_of_groups.yaml')
        shards = [
            self.racks(members, f'db-{n}', f'data-{n}', f'cache-{n}')
            for n in range(3)
        ]
        for shard in shards:
            self.assert_together(shard)
        self.assert_apart({str(n): r[f'db-{n}'] for n, r in enumerate(shards)})
        for n in range(3):
            self.assert_attached(members, f'data-{n}', f'db-{n}')

    def test_u5_over_racks_not_too_unevenly(self) -> None:
        members = self.create('even_spread.yaml', workers=6, racks=3)
        workers = self.racks(members, *(f'worker-{n}' for n in range(6)))
        count = collections.Counter(workers.values())
        numbers = [count[rack] for rack in self.world.settings.rack_names]
        self.assertLessEqual(max(numbers) - min(numbers), 1, numbers)

    def test_what_survives_a_rack_and_two(self) -> None:
        members = self.create('survive.yaml')
        for name, count, lost, least in (
            ('db', 3, 1, 2),
            ('db', 3, 2, 1),
            ('web', 5, 1, 3),
        ):
            racks = self.racks(members, *(f'{name}-{n}' for n in range(count)))
            by_rack = collections.Counter(racks.values())
            worst = sum(sorted(by_rack.values(), reverse=True)[:lost])
            self.assertGreaterEqual(count - worst, least, racks)
        shown = self.ask('stack', 'output', 'show', self.name, 'survival')
        one, two = shown['output_value']
        self.assertTrue(one['holds'] and two['holds'], shown)
        # Each server can read where it is, by the names that the tenant sees.
        for member in members.values():
            if member['type'] == 'server':
                found = self.alpha.compute.get_server(member['id']).metadata
                told = {
                    key.removeprefix('vcluster:'): value
                    for key, value in found.items()
                    if key.startswith('vcluster:')
                }
                self.assertEqual(member['domains'], told)
        self.assertIn(
            'losing any one rack leaves at least 2 of 3', one['says']
        )

    def test_near_and_alone(self) -> None:
        self.occupy('r1h1', 1)
        members = self.create('near_and_alone.yaml')
        hosts = {
            name: self.world.host_of(members[name]['id'])
            for name in ('keys-0', 'keys-1', 'app-0', 'app-1')
        }
        keys = {hosts['keys-0'], hosts['keys-1']}
        self.assertEqual(2, len(keys), hosts)
        self.assertFalse(keys & {hosts['app-0'], hosts['app-1'], 'r1h1'})
        self.assert_together(self.racks(members, *hosts))
        placement = self.cluster_resource()['attributes']['placement']
        (given_up,) = placement['given_up']
        self.assertEqual('near', given_up['group'])
        self.assertEqual(
            {members[name]['domains']['host'] for name in hosts},
            set(given_up['where']),
        )

    def test_u7_fits_in_one_way_only(self) -> None:
        """8, 6 and 6 VCPUs on hosts with 10 and 12 free."""
        self.leave_free({'r1h1': 10, 'r3h2': 12})
        members = self.create('jigsaw.yaml')
        hosts = {
            name: self.world.host_of(members[name]['id'])
            for name in ('large', 'middle-0', 'middle-1')
        }
        self.assertEqual(
            {'large': 'r1h1', 'middle-0': 'r3h2', 'middle-1': 'r3h2'}, hosts
        )

    def test_counted(self) -> None:
        members = self.create('counted.yaml', nodes=8, nodes_per_rack=2)
        nodes = [f'node-{n}' for n in range(8)]
        volumes = [f'data-{n}' for n in range(8)]
        self.assert_spread(self.racks(members, *nodes), 2)
        self.assert_spread(self.racks(members, *volumes), 2)
        for node, volume in zip(nodes, volumes, strict=True):
            self.assert_attached(members, volume, node)
        numbers = {
            self.alpha.compute.get_server(members[node]['id']).metadata[
                'number'
            ]
            for node in nodes
        }
        self.assertEqual(set('01234567'), numbers)


class Isolation(TemplateTestCase):
    def test_no_real_name_and_nothing_for_others(self) -> None:
        members = self.create('redundant_data.yaml')
        self.assert_no_real_name()
        self.assert_others_see_nothing(members)

    def assert_no_real_name(self) -> None:
        """Neither host nor rack shows in anything that the tenant reads."""
        settings = self.world.settings
        names = (*settings.host_names, *settings.rack_names)
        pattern = re.compile(rf'\b({"|".join(names)})\b')
        shown = self.openstack('stack', 'show', '-f', 'json', self.name).output
        events = self.openstack(
            'stack', 'event', 'list', '-f', 'json', self.name
        ).output
        for text in (shown, events, json.dumps(self.cluster_resource())):
            self.assertIn(self.name, text)
            self.assertEqual([], pattern.findall(text))

    def assert_others_see_nothing(self, members: Mapping[str, Any]) -> None:
        self.assertEqual([], self.ask('stack', 'list', account='beta'))
        self.assertEqual([], list(self.beta.compute.servers()))
        self.assertEqual([], list(self.beta.block_storage.volumes()))
        stack = self.alpha.orchestration.find_stack(self.name)
        said = self.openstack('stack', 'show', stack.id, account='beta')
        self.assertNotEqual(0, said.code)
        for name, member in members.items():
            if member['type'] == 'network':
                found = self.beta.network.find_network(member['id'])
                self.assertIsNone(found, name)
