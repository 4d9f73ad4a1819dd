# SPDX-License-Identifier: Apache-2.0
"""What a document may ask of a member arrives in the cloud."""

from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import world
from tests.functional import base, documents

Kind = model.Kind


class MembersTest(base.EngineTest):
    def story(self, *instances, groups=()):
        document = {
            'name': 'c',
            'instances': list(instances),
            'groups': list(groups),
        }
        self.view = self.build(document)
        self.assert_built(document, self.view)
        return self.view['members']

    def made(self, name):
        """Return the member's own thing, as the cloud has it."""
        return self.cloud.item(self.view['members'][name]['id'])

    def all(self, kind):
        return [
            item for item in self.cloud.leftovers() if isinstance(item, kind)
        ]

    def gone(self):
        self.assertIsNone(self.delete(self.view['id']))
        self.assert_nothing_left()


class ServerTest(MembersTest):
    def test_boots_from_a_member_volume(self):
        self.story(
            {
                'name': 'disk',
                'type': 'volume',
                'spec': {'size': 4, 'image': 'cirros'},
            },
            {
                'name': 'm',
                'type': 'server',
                'spec': {'flavor': 'large', 'boot_volume': 'disk'},
            },
            groups=[documents.group('affinity', 'm', 'disk', scope='rack')],
        )
        server = self.made('m')
        self.assertEqual(self.made('disk').id, server.boot_volume_id)
        self.assertIsNone(server.image_id)
        self.assertNotIn('DISK_GB', self.cloud.used(server.host))
        self.gone()

    def test_stands_on_existing_things(self):
        network = self.cloud.add_network('alpha', 'lan', '192.0.2.0/24')
        volume = self.cloud.add_volume('alpha', 'archive', 9)
        group = self.cloud.add_security_group('alpha', 'ssh')
        self.cloud.add_key('alpha', 'ann-key')
        members = self.story(
            documents.server(
                key_name='ann-key',
                networks=[
                    {
                        'network': 'lan',
                        'fixed_ip': '192.0.2.77',
                        'security_groups': ['ssh'],
                    }
                ],
                volumes=[{'volume': 'archive', 'device': '/dev/vdx'}],
            )
        )
        self.assertEqual(['192.0.2.77'], members['m']['addresses'])
        server = self.made('m')
        self.assertEqual('ann-key', server.asked.key_name)
        self.assertEqual({volume: 'attached'}, server.links)
        (port,) = self.all(world.Port)
        self.assertEqual((group,), port.security_group_ids)
        self.assertEqual(network, port.network_id)
        attached = [c for c in self.cloud.calls if c.name == 'attach_volume']
        self.assertEqual('/dev/vdx', attached[0].arguments['device'])
        self.gone()
        self.assertEqual('archive', self.cloud.item(volume).name)
        self.assertEqual('lan', self.cloud.item(network).name)

    def test_words_for_the_guest_arrive(self):
        self.story(
            documents.server(
                'm',
                count=2,
                user_data='#!/bin/sh\necho m-%index%',
                metadata={'number': '%index%'},
                config_drive=True,
                tags=['blue'],
            )
        )
        asked = self.made('m-1').asked
        self.assertEqual('#!/bin/sh\necho m-1', asked.user_data)
        self.assertEqual({'number': '1'}, dict(asked.metadata))
        self.assertEqual(('blue',), asked.tags)
        self.assertTrue(asked.config_drive)
        self.assertEqual('c-m-1', self.made('m-1').name)

    def test_addresses_are_in_the_order_of_the_interfaces(self):
        def network(name, cidr):
            return {
                'name': name,
                'type': 'network',
                'spec': {
                    'subnets': [{'cidr': cidr}],
                    'router': {'external_network': 'public'},
                },
            }

        members = self.story(
            network('one', '10.1.0.0/24'),
            network('two', '10.2.0.0/24'),
            documents.server(
                networks=[
                    {'network': 'two'},
                    {'network': 'one', 'floating_ip': 'public'},
                ]
            ),
        )
        second, first, floating = members['m']['addresses']
        self.assertTrue(second.startswith('10.2.0.'))
        self.assertTrue(first.startswith('10.1.0.'))
        self.assertEqual([floating], members['m']['floating_addresses'])
        (given,) = self.all(world.FloatingIp)
        ports = {port.id: port for port in self.all(world.Port)}
        self.assertEqual(
            [first], list(ports[given.port_id].fixed_ips.values())
        )
        self.gone()

    def test_zone_that_was_asked_for_is_kept(self):
        self.story(
            documents.server('a', availability_zone='az1'),
            documents.server('b', availability_zone='az2'),
        )
        zones = [
            self.cloud.domain(self.made(name).host, 'zone')
            for name in ('a', 'b')
        ]
        self.assertEqual(['az1', 'az2'], zones)

    def test_volumes_are_attached_in_their_order(self):
        self.story(
            {'name': 'v', 'type': 'volume', 'count': 3, 'spec': {'size': 1}},
            documents.server(volumes=['v-2', 'v-0', 'v-1']),
        )
        self.assertEqual(
            [self.made(name).id for name in ('v-2', 'v-0', 'v-1')],
            list(self.made('m').links),
        )
        self.gone()

    def test_server_with_nothing_around_it(self):
        members = self.story(documents.server())
        self.assertEqual([], members['m']['addresses'])
        self.assertEqual(
            ['server', 'active', 'active'],
            self.events(self.view['id'], 'm'),
        )


class VolumeTest(MembersTest):
    def test_volume_alone(self):
        self.story(
            {
                'name': 'v',
                'type': 'volume',
                'spec': {
                    'size': 3,
                    'volume_type': 'rack2',
                    'metadata': {'of': 'ann'},
                },
            }
        )
        volume = self.made('v')
        self.assertEqual((3, 'rack2'), (volume.size_gb, volume.type_name))
        self.assertEqual('rack2@rack2#rack2', volume.pool)
        self.gone()

    def test_shared_by_two_servers(self):
        self.story(
            {
                'name': 'v',
                'type': 'volume',
                'spec': {
                    'size': 1,
                    'volume_type': 'multiattach',
                    'multiattach': True,
                },
            },
            documents.server('m', count=2, volumes=['v']),
        )
        shared = self.made('v').id
        for name in ('m-0', 'm-1'):
            self.assertEqual({shared: 'attached'}, self.made(name).links)
        self.gone()

    def test_volume_where_none_can_be_steered(self):
        self.cloud = type(self.cloud)(backends=None)
        self.service = self.make_service()
        document = documents.SMALL | {'groups': []}
        view = self.build(document)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertEqual({}, view['members']['data']['domains'])
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_cloud_that_puts_it_elsewhere_is_not_believed(self):
        def divert(call):
            (volume,) = self.all(world.Volume)
            others = {*self.cloud.world.pools} - {volume.asked_pool}
            volume.asked_pool = min(others)

        self.cloud.faults.after('ensure_volume', None, divert)
        view = self.build(documents.SMALL)
        self.assert_failed(
            view, 'vcluster.member_failed', 'member data', 'another place'
        )
        self.assert_nothing_left()


class NetworkTest(MembersTest):
    def test_network_in_full(self):
        self.story(
            {
                'name': 'n',
                'type': 'network',
                'spec': {
                    'mtu': 1400,
                    'port_security': False,
                    'subnets': [
                        {
                            'name': 'upper',
                            'cidr': '10.3.0.0/24',
                            'gateway': '10.3.0.254',
                            'dns': ['9.9.9.9'],
                            'allocation_pools': [
                                {'start': '10.3.0.50', 'end': '10.3.0.60'}
                            ],
                        },
                        {'cidr': '2001:db8::/64', 'gateway': None},
                    ],
                },
            },
            documents.server(networks=['n']),
        )
        network = self.made('n')
        self.assertEqual(1400, network.mtu)
        self.assertFalse(network.port_security)
        upper, lower = self.all(world.Subnet)
        self.assertEqual(('upper', 'c-n-subnet-1'), (upper.name, lower.name))
        self.assertEqual(('10.3.0.254', None), (upper.gateway, lower.gateway))
        self.assertEqual(('9.9.9.9',), upper.asked.dns)
        self.assertEqual(
            ['10.3.0.50', '2001:db8::1'],
            self.view['members']['m']['addresses'],
        )
        (port,) = self.all(world.Port)
        self.assertEqual((), port.security_group_ids)
        self.gone()

    def test_router_joins_all_subnets(self):
        self.story(
            {
                'name': 'n',
                'type': 'network',
                'spec': {
                    'subnets': [
                        {'cidr': '10.4.0.0/24'},
                        {'cidr': '10.5.0.0/24'},
                    ],
                    'router': {'external_network': 'public'},
                },
            }
        )
        (router,) = self.all(world.Router)
        self.assertEqual(
            [subnet.id for subnet in self.all(world.Subnet)],
            router.subnet_ids,
        )
        self.gone()
