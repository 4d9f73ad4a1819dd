# SPDX-License-Identifier: Apache-2.0
import re

import testtools

from heat_vcluster.cloud.openstack import places, pools, settings

HOSTS = {
    'h1': {'zone': 'az1', 'rack': 'az1/r1'},
    'h2': {'zone': 'az1', 'rack': 'r2'},
    'h3': {'zone': 'az2', 'rack': 'az2/r1'},
}
KNOWN = places.Topology(
    {
        name: places.Place(name, name, domains['zone'], domains)
        for name, domains in HOSTS.items()
    }
)


class FreeTest(testtools.TestCase):
    """The figures of cinder's CapacityFilter."""

    def free(self, **capabilities):
        return pools.free_gb(capabilities)

    def test_no_bound(self):
        self.assertIsNone(self.free(free_capacity_gb='infinite'))
        self.assertIsNone(self.free(free_capacity_gb='unknown'))
        self.assertIsNone(self.free())
        self.assertIsNone(
            self.free(free_capacity_gb=5, total_capacity_gb='infinite')
        )
        self.assertEqual(
            0,
            self.free(
                free_capacity_gb=5,
                total_capacity_gb='infinite',
                reserved_percentage=10,
            ),
        )

    def test_thick(self):
        self.assertEqual(
            50,
            self.free(
                free_capacity_gb=50,
                total_capacity_gb=100,
                reserved_percentage=10,
                provisioned_capacity_gb=20,
            ),
        )
        self.assertEqual(
            70,
            self.free(
                free_capacity_gb=90,
                total_capacity_gb=100,
                reserved_percentage=10,
                provisioned_capacity_gb=20,
            ),
        )

    def test_thin(self):
        thin = {
            'free_capacity_gb': 10,
            'total_capacity_gb': 100,
            'thin_provisioning_support': True,
            'max_over_subscription_ratio': '20.0',
            'provisioned_capacity_gb': 1500,
        }
        self.assertEqual(500, self.free(**thin))
        self.assertEqual(
            0, self.free(**{**thin, 'provisioned_capacity_gb': 3000})
        )


class PlaceTest(testtools.TestCase):
    def place(self, name, rule):
        options = settings.Settings(
            levels=settings.parse_levels(
                ['zone=availability_zone', 'rack=aggregate:rack']
            ),
            pool_domains=rule and settings.PoolDomains.parse(rule),
        )
        return pools.place(name, options, KNOWN)

    def test_domain_and_the_wider_ones_around_it(self):
        self.assertEqual(
            (None, {'zone': 'az1', 'rack': 'r2'}),
            self.place('x@r2#y', 'rack:@(?P<domain>[^#]+)#'),
        )

    def test_name_of_two_domains_is_none(self):
        rule = 'rack:@(?P<domain>[^#]+)#'
        self.assertEqual((None, {}), self.place('x@r1#y', rule))
        self.assertEqual(
            (None, {'zone': 'az2', 'rack': 'az2/r1'}),
            self.place('x@az2/r1#y', rule),
        )

    def test_domain_without_hosts_is_not_known(self):
        rule = 'rack:@(?P<domain>[^#]+)#'
        self.assertEqual((None, {}), self.place('x@r9#y', rule))
        self.assertEqual((None, {}), self.place('elsewhere', rule))

    def test_pool_local_to_a_host(self):
        self.assertEqual(
            ('h2', HOSTS['h2']),
            self.place('h2@lvm#lvm', 'host:^(?P<domain>[^@]+)@'),
        )
        self.assertEqual(
            (None, {}),
            self.place('h9@lvm#lvm', 'host:^(?P<domain>[^@]+)@'),
        )

    def test_pool_in_the_domains_of_its_service_host(self):
        self.assertEqual(
            (None, HOSTS['h3']), self.place('h3@ceph#p', 'aggregate')
        )

    def test_nothing_said_is_nowhere(self):
        self.assertEqual((None, {}), self.place('h3@ceph#p', None))


class TypesTest(testtools.TestCase):
    POOLS = (
        {'name': 'a', 'capabilities': {'volume_backend_name': 'fast'}},
        {'name': 'b', 'capabilities': {'volume_backend_name': 'slow'}},
    )

    def test_types_that_tell(self):
        types = [
            {'name': 'x', 'extra_specs': {'volume_backend_name': 'fast'}},
            {
                'name': 'y',
                'extra_specs': {'volume_backend_name': '<or> fast <or> slow'},
            },
            {'name': 'z', 'extra_specs': {'volume_backend_name': '<in> f'}},
            {'name': 'hidden', 'extra_specs': {'multiattach': '<is> True'}},
            {'name': 'none'},
        ]
        self.assertEqual(
            {'x': {'fast'}, 'y': {'fast', 'slow'}}, pools.type_backends(types)
        )

    def test_pools_of_a_type(self):
        self.assertEqual({'a'}, pools.of_type(self.POOLS, frozenset({'fast'})))
        self.assertEqual(set(), pools.of_type(self.POOLS, frozenset({'x'})))
        self.assertIsNone(pools.of_type(self.POOLS, None))

    def test_pools_known_by_name_alone_have_no_bound(self):
        found = pools.listed(['h@fast#p', 'h@slow#p'])
        self.assertEqual(
            {'h@fast#p'}, pools.of_type(found, frozenset({'fast'}))
        )
        taken = pools.snapshot(found, settings.Settings(), KNOWN)
        self.assertEqual([None, None], [pool.free_gb for pool in taken])

    def test_pool_that_is_down_is_no_place(self):
        down = {
            'name': 'c',
            'capabilities': {'backend_state': 'down'},
        }
        options = settings.Settings(
            pool_domains=settings.PoolDomains(
                'host', re.compile('(?P<domain>x)')
            )
        )
        found = pools.snapshot((*self.POOLS, down), options, KNOWN)
        self.assertEqual(['a', 'b'], [pool.name for pool in found])
