# SPDX-License-Identifier: Apache-2.0
"""What is tested with SQLite elsewhere holds for real servers, too.

The very same tests, of the store and of the whole service, each with an empty
database in a MariaDB and in a PostgreSQL.
"""

import atexit
import functools
import threading

import sqlalchemy as sa

from heat_vcluster.db import connection, models
from tests import base as test_base
from tests.functional import (
    servers,
    test_held_plans,
    test_lease,
    test_resume,
    test_service,
)
from tests.unit.db import base as store_base
from tests.unit.db import (
    test_connection,
    test_listing,
    test_migration,
    test_plans,
    test_store,
    test_usage,
)
from tests.unit.db import test_lease as test_store_lease

KINDS = (servers.MariaDB, servers.PostgreSQL)
STORIES = (
    test_connection.SharedStoreTest,
    test_store_lease.LeaseTest,
    test_store_lease.UnattendedTest,
    test_listing.ListTest,
    test_listing.UpdateTest,
    test_migration.MigrationTest,
    test_plans.HeldPlanTest,
    test_plans.ClaimTest,
    test_plans.UnattendedTest,
    test_store.ClusterTest,
    test_store.WriterTest,
    test_usage.UsageTest,
    test_held_plans.HeldPlanTest,
    test_lease.TwoServicesTest,
    test_lease.QueueTest,
    test_lease.WatchTest,
    test_resume.ResumeTest,
    test_service.TenantTest,
    test_service.TwiceTest,
    test_service.PlanTest,
    test_service.UpdateTest,
    test_service.ListTest,
    test_service.LookTest,
    test_service.TrustTest,
    test_service.TimeTest,
)


@functools.cache
def running(kind):
    """Return the one server of a kind that all tests here share."""
    server = kind()
    server.setUp()
    atexit.register(server.cleanUp)
    return server


class ServerMixin:
    def make_database(self):
        self.kind.require()
        server = running(self.kind)
        url = server.make()
        self.addCleanup(server.drop, url)
        return url


def multiply():
    """Return each story with each kind of server, by its name."""
    found = {}
    for kind in KINDS:
        for story in STORIES:
            subject = story.__module__.rpartition('test_')[2].title()
            name = f'{subject}{story.__name__}With{kind.__name__}'
            found[name] = type(
                name,
                (ServerMixin, story),
                {'kind': kind, '__module__': __name__},
            )
    return found


globals().update(multiply())


class DeadlockMixin(ServerMixin):
    def test_of_two_that_wait_for_each_other_one_tries_again(self):
        one, other = (self.create(id=name).id for name in ('one', 'other'))
        database = self.store._database
        both_began = threading.Barrier(2)
        tries = []

        @connection.again
        def rename(first, second):
            tries.append(first)
            with database.writing() as writing:
                self.rename(writing, first)
                if len(tries) <= 2:
                    both_began.wait(test_base.PATIENCE)
                self.rename(writing, second)

        threads = [
            threading.Thread(target=rename, args=names)
            for names in ((one, other), (other, one))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # In haste both may, or one of them once more.
        self.assertGreater(len(tries), 2)
        self.assertEqual(
            ['renamed'] * 2,
            [each.name for each in self.store.list_clusters()],
        )

    def rename(self, writing, cluster_id):
        writing.execute(
            sa.update(models.clusters)
            .where(models.clusters.c.id == cluster_id)
            .values(name='renamed')
        )


class MariaDBDeadlockTest(DeadlockMixin, store_base.StoreTest):
    kind = servers.MariaDB


class PostgreSQLDeadlockTest(DeadlockMixin, store_base.StoreTest):
    kind = servers.PostgreSQL
