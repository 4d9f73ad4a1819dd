# SPDX-License-Identifier: Apache-2.0
"""Threads, processes and forks share one store unharmed."""

import os
import pathlib
import stat
import subprocess
import sys
import threading

import sqlalchemy as sa
import testtools

from heat_vcluster import db, exception
from heat_vcluster.db import connection as db_connection
from tests.unit.db import base


class SharedStoreTest(base.StoreTest):
    def test_threads_lose_no_write(self):
        cluster = self.create()
        writer = self.store.writer(self.lease(cluster))

        def write(name):
            for number in range(20):
                writer.add_event(name, 'note', str(number))

        threads = [
            threading.Thread(target=write, args=(f't{n}',)) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(160, len(self.store.get_events(cluster.id)))

    def test_one_of_many_rivals_gets_the_lease(self):
        cluster = self.create()
        won = []

        def try_it(owner):
            try:
                won.append(self.lease(cluster, owner))
            except exception.ClusterBusy:
                return

        threads = [
            threading.Thread(target=try_it, args=(f'engine-{n}',))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(1, len(won))

    def test_forked_child_and_parent_both_go_on(self):
        cluster = self.create()
        writer = self.store.writer(self.lease(cluster))
        writer.add_event(None, 'note', 'before')
        inherited = self.store._database.engine.pool
        child = os.fork()
        if not child:
            try:
                writer.add_event(None, 'note', 'child')
                is_fresh = self.store._database.engine.pool is not inherited
                os._exit(0 if is_fresh else 2)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        writer.add_event(None, 'note', 'parent')
        self.assertEqual(0, os.waitstatus_to_exitcode(status))
        self.assertEqual(
            ['before', 'child', 'parent'],
            [each.message for each in self.store.get_events(cluster.id)],
        )

    def test_writer_that_fails_leaves_nothing_and_no_lock(self):
        cluster = self.create()
        writer = self.store.writer(self.lease(cluster))
        self.assertRaises(KeyError, writer.set_member, 'none', reason='x')
        other = db.Store(self.url, clock=self.clock)
        self.addCleanup(other.close)
        other.want_absent(cluster.id)
        self.assertTrue(self.store.is_cancel_requested(cluster.id))

    def test_readers_do_not_wait_for_a_writer(self):
        cluster = self.create()
        with self.store._database.writing():
            self.assertEqual(cluster, self.store.get_cluster(cluster.id))


class FileTest(base.StoreTest):
    def test_nothing_is_opened_before_the_first_use(self):
        path = pathlib.Path(self.store._database.url.database)
        self.assertFalse(path.exists())
        self.store.list_clusters()
        self.assertTrue(path.exists())

    def test_another_process_that_leaves_takes_nothing_along(self):
        """Who is the last one to leave a SQLite file removes its log."""
        database = self.store._database
        self.create()
        with database.reading(), database.reading():
            pass  # more than one connection was made
        self.assertEqual('1', self.count_elsewhere())
        self.create()
        self.assertEqual('2', self.count_elsewhere())

    def count_elsewhere(self):
        """Count the clusters in a process that comes and goes."""
        path = self.store._database.url.database
        program = (
            'import contextlib, sqlite3, sys\n'
            'with contextlib.closing(sqlite3.connect(sys.argv[1])) as file:\n'
            '    rows = file.execute("SELECT count(*) FROM clusters")\n'
            '    print(rows.fetchone()[0])\n'
        )
        ran = subprocess.run(
            [sys.executable, '-c', program, path],
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.strip()

    def test_only_its_owner_may_read_the_file(self):
        self.create()
        path = pathlib.Path(self.store._database.url.database)
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))


class AwayTest(base.StoreTest):
    def test_database_that_is_busy_for_too_long(self):
        self.patch(db_connection, 'BUSY_SECONDS', 0)
        cluster = self.create()
        other = db.Store(self.url)
        self.addCleanup(other.close)
        other.ping()
        with other._database.writing():
            self.assertRaises(
                exception.ServiceUnavailable,
                self.store.want_absent,
                cluster.id,
            )
            self.store.ping()
        self.store.want_absent(cluster.id)

    def test_database_that_is_not_there(self):
        store = db.Store('sqlite:////dev/null/none.sqlite')
        self.assertRaises(exception.ServiceUnavailable, store.ping)

    def test_mistakes_of_ours_are_not_taken_for_that(self):
        self.store.upgrade()
        with (
            testtools.ExpectedException(sa.exc.IntegrityError),
            self.store._database.writing() as connection,
        ):
            connection.execute(
                sa.text('INSERT INTO projects (id) VALUES (NULL)')
            )


class InMemoryTest(testtools.TestCase):
    def test_store_in_memory_serves_all_threads(self):
        store = db.Store('sqlite://')
        store.create_cluster(
            id='one', project_id='p', user_id='u', document={}, members=[]
        )
        seen = []
        threads = [
            threading.Thread(
                target=lambda: seen.append(store.get_cluster('one').id)
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(['one'] * 4, seen)
