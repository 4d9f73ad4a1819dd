# SPDX-License-Identifier: Apache-2.0
"""What vcluster-manage says of a database, and of arguments, that are none."""

import contextlib
import io
import pathlib

import fixtures
import sqlalchemy as sa

from heat_vcluster.cmd import manage
from heat_vcluster.db import connection
from tests import base

COMMANDS = (
    ('db', 'version'),
    ('db', 'sync'),
    ('purge', '--older-than', '3'),
    ('quota', 'show', 'p'),
    ('quota', 'set', 'p', '--clusters', '3'),
)


class DatabaseTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.folder / 'vcluster.sqlite'
        self.url = f'sqlite:///{self.path}'

    def manage(self, *words):
        """Return the exit code, and what is printed and told."""
        file = self.folder / 'vcluster.conf'
        file.write_text(f'[database]\nconnection = {self.url}\n')
        with (
            contextlib.redirect_stdout(io.StringIO()) as printed,
            contextlib.redirect_stderr(io.StringIO()) as told,
        ):
            try:
                code = manage.main([*words, '--config-file', str(file)])
            except SystemExit as end:
                code = end.code
        return code, printed.getvalue(), told.getvalue()

    def refused(self, *words):
        """Return the one line that is told, below the usage if that is."""
        code, printed, told = self.manage(*words)
        self.assertEqual((1, ''), (code, printed), words)
        self.assertNotIn('Traceback', told)
        line = told.splitlines()[-1]
        self.assertTrue(line.startswith('vcluster-manage '), told)
        return line

    def execute(self, statement):
        database = connection.Database(self.url)
        with database.writing() as lent:
            lent.execute(sa.text(statement))
        database.close()

    def test_a_configuration_that_cannot_be_read(self):
        torn = self.folder / 'torn.conf'
        torn.write_bytes(b'\xff\xfe')
        for file in (torn, self.folder, self.folder / 'none.conf'):
            told = self.refused('db', 'version', '--config-file', str(file))
            self.assertIn(str(file), told)

    def test_to_look_makes_no_database(self):
        self.assertEqual((0, 'none\n', ''), self.manage('db', 'version'))
        self.assertFalse(self.path.exists())

    def test_what_can_be_no_database(self):
        text = self.folder / 'text'
        text.write_text('This is no database at all. ' * 100)
        for url, words in (
            (f'sqlite:///{self.folder}', 'unable to open'),
            (f'sqlite:///{text}', 'not a database'),
            ('nonsense', 'no URL'),
            ('foo://me:hush@here/db', "no 'foo'"),
            ('sqlite:///a\0b', 'NUL'),
        ):
            self.url = url
            for command in COMMANDS:
                told = self.refused(*command)
                self.assertIn(words, told)
                self.assertIn('[database]/connection', told)
                self.assertNotIn('hush', told)

    def test_tables_of_a_later_release(self):
        self.manage('db', 'sync')
        self.execute('UPDATE alembic_version SET version_num = 9999')
        for command in COMMANDS[1:]:
            told = self.refused(*command)
            self.assertIn('9999, of a later release', told)

    def test_tables_that_are_damaged(self):
        self.manage('db', 'sync')
        self.execute("INSERT INTO alembic_version VALUES ('0001')")
        for command in COMMANDS:
            self.assertIn('at once', self.refused(*command))
        self.execute('DROP TABLE alembic_version')
        for command in COMMANDS[1:]:
            self.assertIn('already exists', self.refused(*command))

    def test_a_database_that_can_only_be_read(self):
        self.assertEqual(0, self.manage('db', 'sync')[0])
        self.url = f'sqlite:///file:{self.path}?mode=ro&uri=true'
        for command in COMMANDS[:1] + COMMANDS[3:4]:
            self.assertEqual(0, self.manage(*command)[0])
        for command in COMMANDS[2:3] + COMMANDS[4:]:
            self.assertIn('readonly', self.refused(*command))

    def test_numbers_that_are_none(self):
        for text in ('', 'nan', 'inf', '-2', '1e3', '1_0', '9' * 5000):
            for option, words in (
                ('--older-than', ('purge',)),
                ('--clusters', ('quota', 'set', 'p')),
                ('--held-plans', ('quota', 'set', 'p')),
            ):
                told = self.refused(*words, f'{option}={text}')
                self.assertIn(f'{option}: not a whole number', told)
        self.refused('quota', 'set', 'p', f'--members={2**31}')
        self.refused('purge', '--older-than=2029-01-01')
        self.assertFalse(self.path.exists())

    def test_the_most_that_can_be_set(self):
        self.assertEqual(0, self.manage('db', 'sync')[0])
        most = str(2**31 - 1)
        code, printed, _ = self.manage('quota', 'set', 'p', '--members', most)
        self.assertEqual(0, code)
        self.assertIn(most, printed)

    def test_projects_that_are_none(self):
        for project in ('', ' ', 'a\0b', 'p\n', 'a b', 'x' * 65, '\udcff'):
            for words in (('show', project), ('set', project)):
                told = self.refused('quota', *words)
                self.assertIn('not the id of a project', told)
        self.assertFalse(self.path.exists())
