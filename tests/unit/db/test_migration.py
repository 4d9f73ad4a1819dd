# SPDX-License-Identifier: Apache-2.0
"""The migrations lead to the very tables that the code uses."""

import datetime
import multiprocessing

import fixtures
import sqlalchemy as sa
import testtools
from alembic import autogenerate
from alembic.runtime import migration as runtime
from alembic.script import ScriptDirectory

from heat_vcluster import db, states
from heat_vcluster.db import connection as db_connection
from heat_vcluster.db import migration, models


def _create_one(url, number, failures):
    try:
        db.Store(url).create_cluster(
            id=f'cluster-{number}',
            project_id='alpha',
            user_id='ann',
            document={},
            members=[],
        )
    except Exception as error:
        failures.put(repr(error))


class MigrationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.url = self.make_database()

    def make_database(self):
        directory = self.useFixture(fixtures.TempDir()).path
        return f'sqlite:///{directory}/a/b/store.sqlite'

    def test_migrated_tables_are_those_of_the_models(self):
        database = db_connection.Database(self.url)
        self.addCleanup(database.close)
        migration.upgrade(database)
        with database.reading() as connection:
            context = runtime.MigrationContext.configure(
                connection, opts={'compare_type': True}
            )
            differences = autogenerate.compare_metadata(
                context, models.metadata
            )
        self.assertEqual([], differences)

    def test_comparison_would_see_a_missing_table(self):
        database = db_connection.Database(self.url)
        self.addCleanup(database.close)
        with database.reading() as connection:
            context = runtime.MigrationContext.configure(connection)
            differences = autogenerate.compare_metadata(
                context, models.metadata
            )
        self.assertNotEqual([], differences)

    def test_there_is_one_line_of_steps(self):
        script = ScriptDirectory.from_config(migration.make_config())
        self.assertEqual(1, len(script.get_heads()))

    def test_upgrade_is_known_and_can_be_repeated(self):
        database = db_connection.Database(self.url)
        self.addCleanup(database.close)
        self.assertIsNone(migration.current(database))
        migration.upgrade(database)
        migration.upgrade(database)
        script = ScriptDirectory.from_config(migration.make_config())
        self.assertEqual(
            script.get_current_head(), migration.current(database)
        )

    def test_what_an_earlier_release_has_written_stays(self):
        database = db_connection.Database(self.url)
        self.addCleanup(database.close)
        migration.upgrade(database, '0001')
        now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
        old = {
            'project_id': 'alpha',
            'user_id': 'ann',
            'document': '{"instances": []}',
            'fence': 3,
            'cancel_requested': False,
            'created_at': now.replace(tzinfo=None),
            'updated_at': now.replace(tzinfo=None),
        }
        with database.writing() as connection:
            clusters = sa.Table(
                'clusters', sa.MetaData(), autoload_with=connection
            )
            for name, status in (('web', 'ACTIVE'), ('db', 'DELETING')):
                row = {**old, 'id': name, 'name': name, 'status': status}
                connection.execute(sa.insert(clusters), row)
        store = db.Store(self.url)
        self.addCleanup(store.close)
        self.assertEqual(
            [
                ('web', 'web', states.Wanted.PRESENT, {}, (), 3, now),
                ('db', 'db', states.Wanted.ABSENT, {}, (), 3, now),
            ],
            [
                (
                    each.name,
                    each.built_as,
                    each.wanted,
                    each.metadata,
                    each.tags,
                    each.fence,
                    each.created_at,
                )
                for each in map(store.get_cluster, ('web', 'db'))
            ],
        )

    def test_processes_that_open_at_once_all_get_through(self):
        spawn = multiprocessing.get_context('spawn')
        failures = spawn.Queue()
        children = [
            spawn.Process(target=_create_one, args=(self.url, n, failures))
            for n in range(4)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(600)
        self.assertEqual([0] * 4, [child.exitcode for child in children])
        self.assertTrue(failures.empty())
        store = db.Store(self.url)
        self.addCleanup(store.close)
        self.assertEqual(4, len(store.list_clusters()))
