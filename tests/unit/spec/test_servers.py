# SPDX-License-Identifier: Apache-2.0
"""What a server asks for can be had together."""

from heat_vcluster.spec import model
from tests.unit.spec import base

ROUTED = {'router': {'external_network': 'public'}}


class ServerTest(base.SpecTest):
    def test_all_keys(self):
        [member] = base.load(
            base.server(
                'a',
                key_name='k',
                networks=[
                    {
                        'network': 'n',
                        'fixed_ip': '10.0.0.5',
                        'security_groups': ['web'],
                        'floating_ip': 'public',
                    }
                ],
                volumes=[{'volume': 'v', 'device': '/dev/vdb'}],
                user_data='#!/bin/sh',
                metadata={'a': 'b'},
                config_drive=True,
                availability_zone='az1',
                tags=['t'],
            )
        ).members
        self.assertEqual(
            model.ServerSpec(
                flavor='small',
                image='linux',
                key_name='k',
                networks=(
                    model.InterfaceSpec(
                        network=model.Reference('n', False),
                        fixed_ip='10.0.0.5',
                        security_groups=('web',),
                        floating_ip=model.FloatingIpSpec('public'),
                    ),
                ),
                volumes=(
                    model.AttachmentSpec(
                        model.Reference('v', False), '/dev/vdb'
                    ),
                ),
                user_data='#!/bin/sh',
                metadata={'a': 'b'},
                config_drive=True,
                availability_zone='az1',
                tags=('t',),
            ),
            member.spec,
        )

    def test_security_groups_of_the_server_are_the_default(self):
        [member] = base.load(
            base.server(
                'a',
                security_groups=['common'],
                networks=[
                    'x',
                    {'network': 'y', 'security_groups': ['own']},
                    {'network': 'z', 'security_groups': []},
                ],
            )
        ).members
        self.assertEqual(
            [('common',), ('own',), ()],
            [i.security_groups for i in member.spec.networks],
        )

    def test_something_to_boot_from(self):
        self.assert_faults(
            {
                'instances[0].spec': 'has nothing to boot from',
                'instances[1].spec.boot_volume': 'not from both',
            },
            base.server('a', image=None),
            base.server('b', boot_volume='v'),
        )

    def test_a_wrong_image_is_not_said_to_be_missing_too(self):
        self.assert_faults(
            {'instances[0].spec.image': 'this is 3'}, base.server('a', image=3)
        )

    def test_user_data_is_no_longer_than_nova_allows(self):
        most = 'x' * 49149
        base.load(base.server('a', user_data=most))
        self.assert_faults(
            {'instances[0].spec.user_data': 'at most 49149'},
            base.server('a', user_data=most + 'x'),
        )
        self.assert_faults(
            {'instances[0].spec.user_data': 'has 60000 bytes'},
            base.server('a', user_data='ä' * 30000),
        )

    def test_a_device_is_had_once(self):
        self.assert_faults(
            {'instances[0].spec.volumes[1].device': '/dev/vdb is taken'},
            base.server(
                'a',
                volumes=[
                    {'volume': 'v', 'device': '/dev/vdb'},
                    {'volume': 'w', 'device': '/dev/vdb'},
                ],
            ),
        )


class InterfaceTest(base.SpecTest):
    def test_a_network_without_subnet(self):
        self.assert_faults(
            {'instances[0].spec.networks[0]': "'n' has no subnet"},
            base.server('a', networks=['n']),
            base.network('n', subnets=None),
        )

    def test_floating_ip_needs_a_router(self):
        wants = base.server(
            'a', networks=[{'network': 'n', 'floating_ip': 'public'}]
        )
        self.assert_faults(
            {'instances[0].spec.networks[0].floating_ip': 'has no router'},
            wants,
            base.network('n'),
        )
        base.load(wants, base.network('n', **ROUTED))

    def test_floating_ip_of_an_existing_network_is_not_judged(self):
        base.load(
            base.server(
                'a', networks=[{'network': 'old', 'floating_ip': 'public'}]
            )
        )

    def test_floating_ip_needs_ipv4(self):
        self.assert_faults(
            {'instances[0].spec.networks[0].floating_ip': 'no IPv4 subnet'},
            base.server(
                'a', networks=[{'network': 'n', 'floating_ip': 'public'}]
            ),
            base.network('n', subnets=[{'cidr': 'fd00::/64'}], **ROUTED),
        )

    def test_security_groups_without_interface(self):
        self.assert_faults(
            {'instances[0].spec.security_groups': 'no interface'},
            base.server('a', security_groups=['web']),
        )

    def test_security_groups_without_port_security(self):
        open_network = base.network('n', port_security=False)
        self.assert_faults(
            {
                'instances[0].spec.networks[0].security_groups': 'no port',
                'instances[1].spec.networks[0]': "'security_groups' to []",
            },
            base.server(
                'a', networks=[{'network': 'n', 'security_groups': ['x']}]
            ),
            base.server('b', networks=['n'], security_groups=['x']),
            open_network,
        )
        base.load(
            base.server(
                'a',
                networks=['m', {'network': 'n', 'security_groups': []}],
                security_groups=['x'],
            ),
            open_network,
        )


class FixedIpTest(base.SpecTest):
    def on(self, fixed_ip, /, **spec):
        """Return a server with that address, and its network."""
        interface = {'network': 'n', 'fixed_ip': fixed_ip}
        return (
            base.server('a', networks=[interface]),
            base.network('n', **spec),
        )

    def assert_refused(self, words, *entries):
        path = 'instances[0].spec.networks[0].fixed_ip'
        self.assert_faults({path: words}, *entries)

    def test_no_address(self):
        for text in ('10.0.0', 'ten', '10.0.0.0/24', 'fe80::1%eth0'):
            self.assert_refused('must be an IP address', *self.on(text))

    def test_outside_of_all_subnets(self):
        for text in ('10.0.1.5', '10.0.0.0', '10.0.0.255', 'fd00::5'):
            self.assert_refused(
                "in no subnet of 'n' (10.0.0.0/24)", *self.on(text)
            )

    def test_in_the_second_subnet(self):
        subnets = [{'cidr': '10.0.0.0/24'}, {'cidr': 'fd00::/64'}]
        loaded = base.load(*self.on('fd00::5', subnets=subnets))
        self.assertEqual(
            'fd00::5', loaded.member('a').spec.networks[0].fixed_ip
        )

    def test_the_gateway(self):
        named = [{'cidr': '10.0.0.0/24', 'gateway': '10.0.0.9'}]
        self.assert_refused(
            "is the gateway of 'n'", *self.on('10.0.0.9', subnets=named)
        )
        self.assert_refused(
            "is the gateway of 'n'", *self.on('10.0.0.1', **ROUTED)
        )
        without = [{'cidr': '10.0.0.0/24', 'gateway': None}]
        base.load(*self.on('10.0.0.1', subnets=without))

    def test_used_twice(self):
        interface = {'network': 'n', 'fixed_ip': '10.0.0.5'}
        self.assert_faults(
            {
                'instances[1].spec.networks[0].fixed_ip': "address of 'a' "
                'already'
            },
            base.server('a', networks=[interface]),
            base.server('b', networks=[interface]),
            base.network('n'),
        )
        base.load(
            base.server('a', networks=[interface]),
            base.server('b', networks=[interface | {'network': 'other'}]),
            base.network('n'),
        )

    def test_of_all_copies(self):
        interface = {'network': 'n', 'fixed_ip': '10.0.0.5'}
        self.assert_refused(
            "every copy of 'a' would have 10.0.0.5; write %index% in it",
            base.server('a', count=2, networks=[interface]),
        )
        base.load(base.server('a', count=1, networks=[interface]))

    def test_a_broken_subnet_makes_no_further_faults(self):
        self.assert_faults(
            {'instances[1].spec.subnets[0].cidr': 'must be an address range'},
            *self.on('10.0.0.5', subnets=[{'cidr': 'x'}]),
        )
