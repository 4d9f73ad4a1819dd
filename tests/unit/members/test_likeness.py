# SPDX-License-Identifier: Apache-2.0
"""What is told of things that are not quite what a document says."""

import dataclasses

import testtools

from heat_vcluster.cloud import existing, model
from heat_vcluster.members import likeness
from heat_vcluster.spec import model as spec

NET = spec.Reference('net', is_member=False)
BOOT = spec.Reference('boot', is_member=True)
DATA = spec.Reference('data', is_member=True)
AROUND = likeness.Around(
    model.Resolution(
        demands=(),
        flavors={'small': 'f-1'},
        images={'cirros': 'i-1'},
        networks={'net': 'n-1', 'public': 'n-9'},
        volumes={},
        volume_types={},
        security_groups={},
    ),
    {'boot': 'v-1', 'data': 'v-2', 'db': 's-1'},
)
SERVER = existing.Server(
    id='s-1',
    name='old',
    status='ACTIVE',
    is_busy=False,
    flavor='small',
    flavor_id='f-1',
    image_id='i-1',
    key_name=None,
    has_config_drive=False,
    zone='az1',
    metadata={},
    tags=frozenset(),
    interfaces=(),
    attached={},
    doomed=frozenset(),
    owner=None,
)
ASKED = spec.ServerSpec('small', image='cirros')


def port(number, *floating):
    return existing.Interface(
        f'p-{number}', 'n-1', (f'10.0.0.{number}',), frozenset(), floating
    )


class ServerTest(testtools.TestCase):
    def told(self, asked, **there):
        server = dataclasses.replace(SERVER, **there)
        return dict(likeness.server(server, asked, AROUND))

    def test_one_that_is_as_asked(self):
        self.assertEqual({}, self.told(ASKED))

    def test_it_boots_from_the_volume_of_the_document(self):
        asked = spec.ServerSpec('small', boot_volume=BOOT)
        attached = {'v-1': '/dev/vda'}
        self.assertEqual(
            {}, self.told(asked, image_id=None, attached=attached)
        )
        self.assertEqual(
            {'boot_volume', 'volumes'},
            {*self.told(asked, image_id=None, attached={'v-3': None})},
        )
        self.assertIn(
            'boots from an image',
            self.told(asked, attached=attached)['boot_volume'],
        )
        self.assertIn(
            'boots from a volume', self.told(ASKED, image_id=None)['image']
        )

    def test_a_volume_that_goes_with_it_could_not_be_kept(self):
        asked = dataclasses.replace(
            ASKED, volumes=(spec.AttachmentSpec(DATA),)
        )
        attached = {'v-2': '/dev/vdb'}
        self.assertEqual({}, self.told(asked, attached=attached))
        found = self.told(asked, attached=attached, doomed=frozenset({'v-2'}))
        self.assertIn('delete_on_termination', found['volumes'])

    def test_a_device_is_that_of_the_document(self):
        asked = dataclasses.replace(
            ASKED, volumes=(spec.AttachmentSpec(DATA, '/dev/vdc'),)
        )
        found = self.told(asked, attached={'v-2': '/dev/vdb'})
        self.assertEqual({'volumes[0].device'}, {*found})

    def test_a_flavor_that_is_no_more_is_no_other(self):
        self.assertEqual(
            {'flavor': "is 'tiny', not 'small'"},
            self.told(ASKED, flavor='tiny', flavor_id=None),
        )

    def test_interfaces_with_an_address_choose_first(self):
        asked = dataclasses.replace(
            ASKED,
            networks=(
                spec.InterfaceSpec(NET),
                spec.InterfaceSpec(NET, fixed_ip='10.0.0.1'),
            ),
        )
        there = dataclasses.replace(SERVER, interfaces=(port(1), port(2)))
        self.assertEqual({}, dict(likeness.server(there, asked, AROUND)))
        facts = likeness.server_facts(there, asked, AROUND)
        self.assertEqual(['p-2', 'p-1'], [p['id'] for p in facts['ports']])

    def test_a_floating_ip_is_recorded_as_that_of_its_interface(self):
        public = spec.FloatingIpSpec('public')
        asked = dataclasses.replace(
            ASKED,
            networks=(
                spec.InterfaceSpec(NET, fixed_ip='10.0.0.1'),
                spec.InterfaceSpec(NET, floating_ip=public),
            ),
        )
        address = existing.Address('a-1', '203.0.113.7', 'n-9')
        there = dataclasses.replace(
            SERVER, interfaces=(port(1), port(2, address))
        )
        self.assertEqual({}, dict(likeness.server(there, asked, AROUND)))
        self.assertEqual(
            [{'id': 'a-1', 'address': '203.0.113.7', 'part': 'fip-1'}],
            likeness.server_facts(there, asked, AROUND)['floating_ips'],
        )
        bare = dataclasses.replace(SERVER, interfaces=(port(1), port(2)))
        self.assertEqual(
            {'networks[1].floating_ip'},
            {*dict(likeness.server(bare, asked, AROUND))},
        )
