# SPDX-License-Identifier: Apache-2.0
"""Which smaller flavors a server might have with the same image."""

import testtools

from heat_vcluster.cloud.openstack import (
    compute,
    errors,
    made,
    network,
    resolution,
    session,
    volume,
)
from heat_vcluster.spec import load
from tests.unit.cloud.openstack.wire import Wire


def flavor(name, ram, disk=10, **extra):
    return {
        'id': f'id-of-{name}',
        'name': name,
        'vcpus': 2,
        'ram': ram,
        'disk': disk,
        'swap': 0,
        'OS-FLV-EXT-DATA:ephemeral': 0,
        'extra_specs': {key.replace('__', ':'): v for key, v in extra.items()},
    }


class ChoicesTest(testtools.TestCase):
    def choices(self, *flavors, **image):
        wire = Wire(self)
        found = {'id': 'i', 'name': 'cirros', 'status': 'active', **image}
        wire.answer('GET', '/images/cirros', (200, found))
        wire.answer(
            'GET', '/flavors/detail', (200, {'flavors': list(flavors)})
        )
        wire.answer('GET', '/limits', (200, {'limits': {'absolute': {}}}))
        secrets = errors.Secrets()
        known = made.Made(lambda kind, cluster_id: (), 30.0)
        sources = resolution.Sources(
            compute.Compute(wire.service(session.COMPUTE), known, secrets),
            volume.BlockStorage(
                wire.service(session.VOLUME), known, secrets, pins=True
            ),
            network.Networking(wire.service(session.NETWORK), 'p', known),
            wire.service(session.IMAGE),
        )
        server = {'image': 'cirros', 'flavor': 'own'}
        wanted = load(
            {'instances': [{'name': 'm', 'type': 'server', 'spec': server}]}
        )
        resolved = resolution.Resolver(sources, 'p').resolve(wanted)
        return dict(resolved.choices['m'])

    def test_smaller_ones_are_told_with_what_they_take(self):
        found = self.choices(
            flavor('own', 2048),
            flavor('small', 1024),
            flavor('large', 4096),
            flavor('long', 1024, disk=11),
        )
        self.assertEqual(
            {'small': {'VCPU': 2, 'MEMORY_MB': 1024, 'DISK_GB': 10}}, found
        )

    def test_the_image_has_to_fit_into_it(self):
        found = self.choices(
            flavor('own', 2048),
            flavor('small', 1024),
            flavor('tiny', 512),
            min_ram=1024,
        )
        self.assertEqual(['small'], list(found))

    def test_it_asks_for_the_same_traits(self):
        fast = {'trait__CUSTOM_FAST': 'required'}
        found = self.choices(
            flavor('own', 2048, **fast),
            flavor('slow', 1024),
            flavor('fast', 512, **fast),
            flavor('odd', 256, **fast, hw__pmem='x'),
        )
        self.assertEqual(['fast'], list(found))
