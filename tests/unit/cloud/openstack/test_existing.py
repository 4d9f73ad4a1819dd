# SPDX-License-Identifier: Apache-2.0
"""In which order marks are taken off, and what is left alone."""

import testtools

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    compute,
    errors,
    existing,
    made,
    session,
    volume,
)
from tests.unit.cloud.openstack.wire import Wire

MARKS = {
    'vcluster_id': 'c',
    'vcluster_member': 'db',
    'vcluster:rack': 'rack-1',
}


class MarksTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        one = self.wire.service(session.COMPUTE)
        known = made.Made(lambda kind, cluster: (), 1.0)
        secrets = errors.Secrets()
        self.existing = existing.Existing(
            session.Services(one, one, one, one, one, one),
            'alpha',
            compute.Compute(one, known, secrets),
            volume.BlockStorage(one, known, secrets, pins=False),
        )

    def changes(self, path):
        """Return what was changed below a path, in order."""
        return [
            (method, where.removeprefix(path))
            for method, where, *_ in self.wire.seen
            if method != 'GET'
        ]

    def server(self, **metadata):
        self.wire.answer(
            'GET', '/servers/s', (200, {'server': {'metadata': metadata}})
        )

    def disown(self, kind, thing_id):
        self.existing.disown(kind, thing_id, 'c')

    def test_a_server_is_found_by_its_cluster_until_the_end(self):
        self.server(role='theirs', **MARKS)
        self.disown(model.Kind.SERVER, 's')
        tag, *keys = self.changes('/servers/s/')
        self.assertEqual(('DELETE', 'tags/vcluster%3Ac'), tag)
        self.assertEqual(
            [
                ('DELETE', 'metadata/vcluster%3Arack'),
                ('DELETE', 'metadata/vcluster_member'),
                ('DELETE', 'metadata/vcluster_id'),
            ],
            keys,
        )

    def test_another_cluster_s_server_is_left_alone(self):
        self.server(**{**MARKS, 'vcluster_id': 'other'})
        self.disown(model.Kind.SERVER, 's')
        self.assertEqual([], self.changes('/servers/s/'))

    def test_a_volume_loses_its_member_first(self):
        found = {'id': 'v', 'metadata': {'a': 'b', **MARKS}}
        self.wire.answer('GET', '/volumes/v', (200, {'volume': found}))
        self.disown(model.Kind.VOLUME, 'v')
        path = '/volumes/v/metadata/'
        self.assertEqual(('DELETE', 'vcluster_id'), self.changes(path)[-1])
        self.assertNotIn(('DELETE', 'a'), self.changes(path))

    def port(self, **values):
        self.wire.answer('GET', '/ports/p', (200, {'port': values}))
        self.wire.answer('PUT', '/ports/p', (200, {'port': values}))

    def test_a_port_keeps_its_own_description_and_tags(self):
        tags = ['mine', 'vcluster:c', 'vcluster-member:db']
        self.port(description='mine', tags=tags)
        self.disown(model.Kind.PORT, 'p')
        self.assertEqual(
            [
                ('DELETE', 'vcluster-member%3Adb'),
                ('DELETE', 'vcluster%3Ac'),
            ],
            self.changes('/ports/p/tags/'),
        )

    def test_a_description_of_ours_goes(self):
        self.port(description='vcluster:c db nic-0', tags=[])
        self.disown(model.Kind.PORT, 'p')
        self.assertEqual(
            [{'port': {'description': ''}}], self.wire.asked('PUT', '/ports/p')
        )

    def test_what_is_gone_needs_nothing(self):
        self.disown(model.Kind.SERVER, 's')
        self.disown(model.Kind.PORT, 'p')
        self.assertEqual([], self.changes(''))

    # -- putting them on
    def test_a_port_is_the_cluster_s_before_it_is_a_member_s(self):
        for tag in (
            'vcluster%3Ac',
            'vcluster-member%3Adb',
            'vcluster-part%3Anic-0',
        ):
            self.wire.answer('PUT', f'/ports/p/tags/{tag}', (201, None))
        owner = model.Owner('c', 'db', 'nic-0')
        self.existing.adopt(model.Kind.PORT, 'p', owner)
        self.assertEqual(
            [
                ('PUT', 'vcluster%3Ac'),
                ('PUT', 'vcluster-member%3Adb'),
                ('PUT', 'vcluster-part%3Anic-0'),
            ],
            self.changes('/ports/p/tags/'),
        )
