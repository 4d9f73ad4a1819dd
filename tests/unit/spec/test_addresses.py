# SPDX-License-Identifier: Apache-2.0
"""Ranges, gateways and pools that neutron would refuse are found first."""

from heat_vcluster.spec import model
from tests.unit.spec import base


class NetworkTest(base.SpecTest):
    def subnet(self, **spec):
        return base.network('n', subnets=[{'cidr': '10.0.0.0/24'} | spec])

    def assert_subnet(self, expected, **spec):
        faults = {
            f'instances[0].spec.subnets[0].{place}': words
            for place, words in expected.items()
        }
        self.assert_faults(faults, self.subnet(**spec))

    def test_all_keys(self):
        [member] = base.load(
            base.network(
                'n',
                subnets=[
                    {
                        'cidr': '10.0.0.0/24',
                        'name': 's',
                        'gateway': '10.0.0.254',
                        'dns': ['8.8.8.8', '2001:4860:4860::8888'],
                        'allocation_pools': [
                            {'start': '10.0.0.10', 'end': '10.0.0.19'},
                            {'start': '10.0.0.20', 'end': '10.0.0.20'},
                        ],
                        'dhcp': False,
                    },
                    {'cidr': 'fd00::/64'},
                ],
                router={'external_network': 'public'},
                mtu=1400,
                port_security=False,
            )
        ).members
        self.assertEqual(
            model.NetworkSpec(
                subnets=(
                    model.SubnetSpec(
                        cidr='10.0.0.0/24',
                        name='s',
                        gateway='10.0.0.254',
                        dns=('8.8.8.8', '2001:4860:4860::8888'),
                        allocation_pools=(
                            ('10.0.0.10', '10.0.0.19'),
                            ('10.0.0.20', '10.0.0.20'),
                        ),
                        dhcp=False,
                    ),
                    model.SubnetSpec(cidr='fd00::/64'),
                ),
                router=model.RouterSpec('public'),
                mtu=1400,
                port_security=False,
            ),
            member.spec,
        )

    def test_bare_network(self):
        source = base.document({'name': 'n', 'type': 'network', 'spec': {}})
        del source['instances'][0]['spec']
        [member] = base.loader.load(source, policies={}).members
        self.assertEqual(model.NetworkSpec(), member.spec)

    def test_gateway_is_neutrons_choice_or_none_or_named(self):
        for given, expected in (
            ({}, (None, False)),
            ({'gateway': None}, (None, True)),
            ({'gateway': '10.0.0.2'}, ('10.0.0.2', False)),
        ):
            [member] = base.load(self.subnet(**given)).members
            [subnet] = member.spec.subnets
            self.assertEqual(expected, (subnet.gateway, subnet.no_gateway))

    def test_no_range(self):
        for cidr in (
            '10.0.0.0',
            '10.0.0/24',
            '10.0.0.0/33',
            '10.0.0.0/255.255.255.0',
            'net',
            'fe80::%eth0/64',
            '/24',
        ):
            self.assert_subnet({'cidr': 'must be an address range'}, cidr=cidr)

    def test_bits_behind_the_length(self):
        self.assert_subnet({'cidr': 'write 10.0.0.0/24'}, cidr='10.0.0.7/24')

    def test_ipv6_may_be_written_out(self):
        base.load(self.subnet(cidr='2001:DB8:0:0:0:0:0:0/64'))

    def test_where_dhcp_cannot_work(self):
        for cidr in (
            '10.0.0.0/31',
            '10.0.0.1/32',
            'fd00::/127',
            '224.0.0.0/24',
            '127.0.0.0/8',
            '0.0.0.0/8',
        ):
            self.assert_subnet({'cidr': "'dhcp: false'"}, cidr=cidr)
        base.load(self.subnet(cidr='10.0.0.0/31', dhcp=False))
        base.load(self.subnet(cidr='10.0.0.0/30'))

    def test_gateway_outside(self):
        for gateway in ('10.0.1.1', '10.0.0.0', '10.0.0.255', 'fd00::1'):
            self.assert_subnet(
                {'gateway': 'in the range 10.0.0.1 to 10.0.0.254'},
                gateway=gateway,
            )
        self.assert_subnet({'gateway': 'or null'}, gateway='first')

    def test_pools(self):
        def pools(*ends):
            made = [{'start': start, 'end': end} for start, end in ends]
            return {'allocation_pools': made}

        place = 'allocation_pools[0]'
        for ends, expected in (
            (('10.0.0.9', '10.0.0.2'), {place: 'ends before it starts'}),
            (
                ('10.0.1.1', '10.0.1.2'),
                {f'{place}.start': 'is not in', f'{place}.end': 'is not in'},
            ),
            (
                ('10.0.0.0', 'x'),
                {
                    f'{place}.start': 'is not in',
                    f'{place}.end': 'must be an IP',
                },
            ),
        ):
            self.assert_subnet(expected, **pools(ends))
        self.assert_subnet(
            {'allocation_pools[1]': 'overlaps'},
            **pools(('10.0.0.5', '10.0.0.9'), ('10.0.0.9', '10.0.0.12')),
        )
        self.assert_subnet(
            {place: 'has the gateway 10.0.0.7 in it'},
            gateway='10.0.0.7',
            **pools(('10.0.0.5', '10.0.0.9')),
        )
        self.assert_subnet(
            {f'{place}.end': 'is missing'},
            allocation_pools=[{'start': '10.0.0.5'}],
        )

    def test_name_servers(self):
        self.assert_subnet(
            {'dns[1]': 'must be an IP address'}, dns=['8.8.8.8', 'dns.example']
        )

    def test_overlapping_subnets(self):
        self.assert_faults(
            {'instances[0].spec.subnets[1].cidr': 'overlaps with 10.0.0.0/16'},
            base.network(
                'n', subnets=[{'cidr': '10.0.0.0/16'}, {'cidr': '10.0.4.0/24'}]
            ),
        )
        base.load(base.network('n'), base.network('m'))

    def test_router_without_subnet(self):
        self.assert_faults(
            {'instances[0].spec.router': 'no subnet it could lead to'},
            base.network(
                'n', subnets=[], router={'external_network': 'public'}
            ),
        )

    def test_router_and_no_gateway(self):
        self.assert_faults(
            {'instances[0].spec.subnets[0].gateway': 'needs a gateway'},
            base.network(
                'n',
                subnets=[{'cidr': '10.0.0.0/24', 'gateway': None}],
                router={'external_network': 'public'},
            ),
        )

    def test_mtu_for_ipv6(self):
        self.assert_faults(
            {'instances[0].spec.mtu': 'at least 1280'},
            base.network('n', subnets=[{'cidr': 'fd00::/64'}], mtu=1000),
        )
        base.load(base.network('n', mtu=1000))
