# SPDX-License-Identifier: Apache-2.0
"""A store in a file of its own, and a clock that the test moves."""

import datetime
import uuid

import fixtures
import testtools

from heat_vcluster import db


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self):
        self.now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)

    def __call__(self):
        return self.now

    def pass_seconds(self, seconds):
        self.now += datetime.timedelta(seconds=seconds)


class StoreTest(testtools.TestCase):
    """Two servers and a volume, written down and not yet leased."""

    def setUp(self):
        super().setUp()
        self.url = self.make_database()
        self.clock = Clock()
        self.store = db.Store(self.url, clock=self.clock)
        self.addCleanup(self.store.close)

    def make_database(self):
        """Return the URL of an empty one."""
        directory = self.useFixture(fixtures.TempDir()).path
        return f'sqlite:///{directory}/store.sqlite'

    def create(self, **changes):
        wanted = {
            'id': str(uuid.uuid4()),
            'name': 'web',
            'project_id': 'alpha',
            'user_id': 'ann',
            'document': {'instances': [{'name': 'a', 'type': 'server'}]},
            'members': [
                db.NewMember('b', 'server', {'flavor': 'small'}),
                db.NewMember('a', 'server', {}),
                db.NewMember('v', 'volume', {'size': 1}),
            ],
        }
        return self.store.create_cluster(**{**wanted, **changes})

    def lease(self, cluster, owner='engine-1', seconds=15):
        return self.store.acquire(cluster.id, owner, seconds)
