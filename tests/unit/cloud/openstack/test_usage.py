# SPDX-License-Identifier: Apache-2.0
import hashlib

import testtools

from heat_vcluster.cloud.openstack import session, usage
from tests.unit.cloud.openstack.wire import Wire

SMALL = {'vcpus': 2, 'ram': 4096, 'disk': 20, 'ephemeral': 5, 'swap': 0}


def server(host, flavor=SMALL, image='i', project='p'):
    digest = hashlib.sha224((project + host).encode()).hexdigest()
    return {
        'id': host,
        'hostId': digest if host else '',
        'flavor': flavor,
        'image': image and {'id': image},
    }


class UsageTest(testtools.TestCase):
    def read(self, *servers):
        nova = Wire(self)
        nova.answer(
            'GET', '/servers/detail', (200, {'servers': list(servers)})
        )
        return usage.read(
            nova.service(session.COMPUTE), 'p', ['h1', 'h2.example.org']
        )

    def test_servers_count_where_their_hash_says_that_they_are(self):
        found = self.read(server('h1'), server('h1'), server('h2'))
        self.assertEqual(
            {
                'h1': {'VCPU': 4, 'MEMORY_MB': 8192, 'DISK_GB': 50},
                'h2.example.org': {
                    'VCPU': 2,
                    'MEMORY_MB': 4096,
                    'DISK_GB': 25,
                },
            },
            found,
        )

    def test_root_disk_in_a_volume_takes_nothing_of_the_host(self):
        self.assertEqual(5, self.read(server('h1', image=''))['h1']['DISK_GB'])

    def test_servers_elsewhere_and_nowhere_do_not_count(self):
        self.assertEqual({}, self.read(server('h9'), server('')))

    def test_flavor_that_cannot_be_read_counts_by_its_figures(self):
        odd = {**SMALL, 'extra_specs': {'hw:pmem': '6GB'}}
        self.assertEqual(
            {'h1': {'VCPU': 2, 'MEMORY_MB': 4096}},
            self.read(server('h1', odd)),
        )
