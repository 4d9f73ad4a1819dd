# SPDX-License-Identifier: Apache-2.0
"""What an operator runs beside the service, as a shell runs it."""

from __future__ import annotations

import datetime
import json
import pathlib
import subprocess
import sys

import fixtures
import sqlalchemy as sa

from heat_vcluster import conf as configuration
from heat_vcluster import db
from heat_vcluster.api import policies
from heat_vcluster.conf import opts
from heat_vcluster.db import connection, migration, models
from tests import base

PROGRAMS = pathlib.Path(sys.executable).parent
ETC = pathlib.Path(__file__).parents[2] / 'etc'
NEWEST = migration.newest()
FILE = """
[database]
connection = {url}
[service_auth]
auth_type = none
[quota]
clusters = 7
{more}
"""


class OperatorTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.url = f'sqlite:///{self.folder}/vcluster.sqlite'
        self.configure()

    def configure(self, more=''):
        self.file = self.folder / 'vcluster.conf'
        self.file.write_text(FILE.format(url=self.url, more=more))

    def run_program(self, name, *arguments):
        return subprocess.run(
            [str(PROGRAMS / name), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=self.folder,
        )

    def manage(self, *arguments):
        """Return the words of each line of what was printed."""
        ran = self.run_program(
            'vcluster-manage', *arguments, '--config-file', self.file
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        return [line.split() for line in ran.stdout.splitlines()]

    def refused(self, *arguments):
        ran = self.run_program(
            'vcluster-manage', *arguments, '--config-file', self.file
        )
        self.assertEqual(1, ran.returncode, ran.stdout)
        self.assertNotIn('Traceback', ran.stderr)
        return ran.stderr

    def set_revision(self, revision):
        database = connection.Database(self.url)
        with database.writing() as lent:
            lent.execute(
                sa.text('UPDATE alembic_version SET version_num = :revision'),
                {'revision': revision},
            )
        database.close()


class TablesTest(OperatorTest):
    def test_tables_are_told_and_made(self):
        self.assertEqual([['none']], self.manage('db', 'version'))
        self.assertEqual([[NEWEST]], self.manage('db', 'sync'))
        self.assertEqual([[NEWEST]], self.manage('db', 'version'))
        self.assertEqual([[NEWEST]], self.manage('db', 'sync'))

    def test_tables_of_a_later_release_are_left_alone(self):
        self.manage('db', 'sync')
        self.set_revision('9999')
        self.assertIn('9999, of a later release', self.refused('db', 'sync'))
        self.assertEqual([['9999']], self.manage('db', 'version'))

    def test_a_database_that_is_away_is_told(self):
        self.url = f'sqlite:////proc/{self.id()}/vcluster.sqlite'
        self.configure()
        self.assertIn('does not answer', self.refused('db', 'sync'))

    def test_a_file_named_in_vain_is_told_and_not_made(self):
        for command in (
            ('purge', '--older-than', 0),
            ('quota', 'show', 'p'),
            ('quota', 'set', 'p', '--clusters', 1),
            ('orphans', '--os-cloud', 'none'),
        ):
            with self.subTest(command=command):
                told = self.refused(*command)
                self.assertIn(f'no database {self.folder}/', told)
        self.assertEqual([self.file], [*self.folder.iterdir()])


class PurgeTest(OperatorTest):
    def setUp(self):
        super().setUp()
        self.store = db.Store(self.url)
        self.addCleanup(self.store.close)
        for name, days in (('old', 40), ('recent', 5), ('living', None)):
            self.make_cluster(name, days)

    def make_cluster(self, name, days):
        """Record a cluster, deleted so many days ago or not at all."""
        self.store.create_cluster(
            id=name, project_id='p', user_id='u', document={}, members=[]
        )
        if days is None:
            return
        now = datetime.datetime.now(datetime.UTC)
        database = connection.Database(self.url)
        with database.writing() as lent:
            lent.execute(
                sa.update(models.clusters)
                .where(models.clusters.c.id == name)
                .values(deleted_at=now - datetime.timedelta(days=days))
            )
        database.close()

    def left(self):
        database = connection.Database(self.url)
        self.addCleanup(database.close)
        with database.reading() as lent:
            return set(lent.scalars(sa.select(models.clusters.c.id)))

    def test_only_what_was_deleted_long_ago_is_forgotten(self):
        told = self.manage('purge', '--older-than', 30)
        self.assertEqual('1', told[0][0])
        self.assertEqual({'recent', 'living'}, self.left())

    def test_all_that_is_deleted_can_be_forgotten(self):
        told = self.manage('purge', '--older-than', 0)
        self.assertEqual('2', told[0][0])
        self.assertEqual({'living'}, self.left())

    def test_the_age_is_to_be_said_and_not_to_be_negative(self):
        self.assertIn('--older-than', self.refused('purge'))
        self.assertIn('-1', self.refused('purge', '--older-than', '-1'))
        self.assertEqual({'old', 'recent', 'living'}, self.left())


class QuotaTest(OperatorTest):
    def setUp(self):
        super().setUp()
        self.manage('db', 'sync')

    def limits(self, *arguments):
        """Return resource -> what is told of it."""
        _, *rows = self.manage('quota', *arguments)
        return {resource: tuple(told) for resource, *told in rows}

    def test_a_project_has_the_limits_of_all_until_it_has_its_own(self):
        self.assertEqual(
            {
                'clusters': ('7', '0', 'all'),
                'members': ('1000', '0', 'all'),
                'held_plans': ('10', '0', 'all'),
            },
            self.limits('show', 'p'),
        )
        self.limits('set', 'p', '--clusters', 20, '--held-plans', -1)
        told = self.limits('show', 'p')
        self.assertEqual(('20', '0', 'this', 'project'), told['clusters'])
        self.assertEqual(('-1', '0', 'this', 'project'), told['held_plans'])
        self.assertEqual(
            ('7', '0', 'all'), self.limits('show', 'q')['clusters']
        )
        told = self.limits('set', 'p', '--clusters', 'default')
        self.assertEqual(('7', '0', 'all'), told['clusters'])

    def test_what_a_project_has_is_counted(self):
        store = db.Store(self.url)
        self.addCleanup(store.close)
        store.create_cluster(
            id='one', project_id='p', user_id='u', document={}, members=[]
        )
        self.assertEqual(
            ('7', '1', 'all'), self.limits('show', 'p')['clusters']
        )

    def test_nonsense_is_refused(self):
        self.assertIn('nothing to set', self.refused('quota', 'set', 'p'))
        self.assertIn(
            '-2', self.refused('quota', 'set', 'p', '--members', '-2')
        )


class StatusTest(OperatorTest):
    def check(self):
        """Return the exit code, and check -> (code, details)."""
        ran = self.run_program(
            'vcluster-status',
            '--config-file',
            self.file,
            'upgrade',
            'check',
            '--json',
        )
        self.assertEqual('', ran.stderr)
        told = json.loads(ran.stdout)['checks']
        return ran.returncode, {
            one['check']: (one['result'], one['details']) for one in told
        }

    def test_nothing_is_to_be_done(self):
        self.manage('db', 'sync')
        code, checks = self.check()
        self.assertEqual(0, code)
        self.assertEqual({(0, None)}, set(checks.values()))

    def test_tables_that_are_behind_are_a_warning(self):
        code, checks = self.check()
        self.assertEqual(1, code)
        result, details = checks['Tables']
        self.assertEqual(1, result)
        self.assertIn('vcluster-manage db sync', details)

    def test_tables_of_a_later_release_are_a_failure(self):
        self.manage('db', 'sync')
        self.set_revision('9999')
        code, checks = self.check()
        self.assertEqual((2, 2), (code, checks['Tables'][0]))

    def test_a_configuration_that_cannot_be_meant_is_a_failure(self):
        self.manage('db', 'sync')
        self.configure('[engine]\nthreads = many')
        code, checks = self.check()
        self.assertEqual((2, 2), (code, checks['Configuration'][0]))
        self.assertIn('many', checks['Configuration'][1])


class SampleTest(OperatorTest):
    def make(self, program, source, name):
        path = self.folder / name
        ran = self.run_program(
            program, '--config-file', ETC / source, '--output-file', path
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        return path

    def test_the_sample_of_the_configuration_has_every_option(self):
        path = self.make(
            'oslo-config-generator', 'config-generator.conf', 'sample.conf'
        )
        text = path.read_text()
        for group, options in opts.list_opts():
            section = text.partition(f'\n[{group.name}]\n')[2]
            section = section.partition('\n[')[0]
            for option in options:
                self.assertIn(f'\n#{option.dest} =', section, group.name)
        for section in ('keystone_authtoken', 'database', 'oslo_policy'):
            self.assertIn(f'\n[{section}]\n', text)
        configuration.load(config_files=[path])

    def test_the_sample_of_the_policies_has_every_rule(self):
        path = self.make(
            'oslopolicy-sample-generator', 'policy-generator.conf', 'p.yaml'
        )
        text = path.read_text()
        for rule in policies.list_rules():
            self.assertIn(f'#"{rule.name}": ', text)
