# SPDX-License-Identifier: Apache-2.0
"""What stories of adoptions share: a tenant's own things, and his document."""

import copy

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import base, documents

POOL = 'rack1@rack1#rack1'
DOCUMENT = {
    'name': 'taken-in',
    'instances': [
        {'name': 'data', 'type': 'volume', 'spec': {'size': 1}},
        documents.server('db', networks=['private'], volumes=['data']),
        documents.server('web', networks=['private'], depends_on=['db']),
    ],
    'groups': [
        documents.group('anti-affinity', 'db', 'web', scope='rack'),
        documents.group('affinity', 'db', 'data', scope='rack'),
    ],
}


class AdoptionCase(base.EngineTest):
    """``named`` are the real things: two servers and a volume of alpha's."""

    def setUp(self):
        super().setUp()
        self.net = self.cloud.add_network('alpha', 'private', '10.9.0.0/24')
        self.make_things()

    def make_things(self):
        volume = self.cloud.add_volume('alpha', 'vol', 1, pool=POOL)
        self.named = {
            'data': volume,
            'db': self.cloud.add_server(
                'alpha',
                'a',
                'r1h1',
                networks=[self.net],
                volumes=[volume],
                tags=('mine',),
                metadata={'role': 'old'},
            ),
            'web': self.cloud.add_server(
                'alpha', 'b', 'r2h1', networks=[self.net]
            ),
        }
        self.theirs = self.things()

    def things(self):
        """All that is in the cloud, but for our marks."""
        with self.cloud.world.lock:
            found = copy.deepcopy(self.cloud.world.items)
        for item in found.values():
            item.owner = None
            if item.kind is model.Kind.SERVER:
                item.domains = {}
        return found

    def marked(self):
        """Return the ids of what bears a mark, of whatever kind."""
        return {
            item.id
            for item in self.cloud.world.items.values()
            if item.owner is not None or getattr(item, 'domains', None)
        }

    def document(self, **changes):
        return {**copy.deepcopy(DOCUMENT), **changes}

    def begin(self, document=DOCUMENT, service=None, named=None, **options):
        return (service or self.service).adopt(
            base.ANN, document, named or self.named, **options
        )['id']

    def adopt(self, document=DOCUMENT, **options):
        return self.settle(self.begin(document, **options))

    def faults_of(self, document=DOCUMENT, **named):
        """Return what is told of things that are not what they should be."""
        error = self.assertRaises(
            exception.InvalidDocument,
            self.service.adopt,
            base.ANN,
            document,
            {**self.named, **named},
        )
        self.assert_untouched()
        self.assertEqual([], [*self.service.list(base.ANN)])
        return {fault.path: fault.message for fault in error.faults}

    def assert_untouched(self):
        """All is as the tenant has made it, and nobody's member."""
        self.assertEqual(self.theirs, self.things())
        self.assertEqual(set(), self.marked())

    def assert_adopted(self, view):
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertIsNone(view['error_code'])
        self.assertEqual(self.theirs, self.things())
        for name, member in view['members'].items():
            self.assertEqual(self.named[name], member['id'])
            self.assertEqual('ACTIVE', member['status'])
            there = self.cloud.item(member['id'])
            self.assertEqual(model.Owner(view['id'], name), there.owner)
            if member['type'] == 'server':
                self.assertEqual(member['domains'], there.domains)
        for item in self.cloud.world.items.values():
            if item.kind is model.Kind.PORT:
                self.assertEqual(view['id'], item.owner.cluster_id)
        self.assertEqual(
            [], self.broken(view, view['id']), 'a rule does not hold'
        )
        self.assert_secret(view)
