# SPDX-License-Identifier: Apache-2.0
"""What is tested with SQLite elsewhere holds for real servers, too.

The very same tests, of the store and of the whole service, each with an empty
database in a MariaDB and in a PostgreSQL.
"""

import atexit
import functools

from tests.functional import (
    servers,
    test_held_plans,
    test_lease,
    test_resume,
    test_service,
)
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
            subject = story.__module__.rpartition('.test_')[2].title()
            name = f'{subject}{story.__name__}With{kind.__name__}'
            found[name] = type(
                name,
                (ServerMixin, story),
                {'kind': kind, '__module__': __name__},
            )
    return found


globals().update(multiply())
