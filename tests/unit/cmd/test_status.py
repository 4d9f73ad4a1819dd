# SPDX-License-Identifier: Apache-2.0
"""vcluster-status says beforehand what the processes would say."""

import contextlib
import io
import json
import pathlib

import fixtures

from heat_vcluster.cmd import status
from heat_vcluster.db import connection, migration
from tests import base

FILE = """
[database]
connection = {url}
[service_auth]
auth_type = none
{more}
"""


class StatusTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.file = self.folder / 'vcluster.conf'
        self.url = f'sqlite:///{self.folder}/vcluster.sqlite'

    def run_check(self, file=None):
        """Return the exit code, and what is printed and told."""
        with (
            contextlib.redirect_stdout(io.StringIO()) as printed,
            contextlib.redirect_stderr(io.StringIO()) as told,
        ):
            code = status.main(
                [
                    *('--config-file', str(file or self.file)),
                    *('upgrade', 'check', '--json'),
                ]
            )
        return code, printed.getvalue(), told.getvalue()

    def check(self, more=''):
        """Return the exit code, and check -> (code, details)."""
        self.file.write_text(FILE.format(url=self.url, more=more))
        code, printed, _ = self.run_check()
        return code, {
            one['check']: (one['result'], one['details'])
            for one in json.loads(printed)['checks']
        }

    def make_tables(self):
        database = connection.Database(self.url)
        migration.upgrade(database)
        database.close()

    def test_what_a_process_would_refuse_is_a_failure(self):
        self.make_tables()
        for group, option, value in (
            ('engine', 'threads', ''),
            ('placement', 'deadline', 'nan'),
            ('topology', 'levels', 'rack=aggregate'),
            ('limits', 'tenant_share', 'row:VCPU=5%'),
            ('limits', 'forbidden_rules', 'afinity@host'),
            ('volume', 'pool_domains', 'row:(?P<domain>.*)'),
            ('work', 'jobboard', 'redis:///2'),
            ('oslo_policy', 'policy_file', 'none.yaml'),
            ('oslo_middleware', 'enable_proxy_headers_parsing', 'perhaps'),
        ):
            code, checks = self.check(f'[{group}]\n{option} = {value}')
            result, details = checks['Configuration']
            self.assertEqual((2, 2), (code, result), option)
            self.assertIn(f'[{group}]/{option}', details)

    def test_what_keystonemiddleware_refuses_is_a_failure(self):
        self.make_tables()
        for line in ('auth_type = magic', 'http_request_max_retries = many'):
            code, checks = self.check(f'[keystone_authtoken]\n{line}')
            result, details = checks['Configuration']
            self.assertEqual((2, 2), (code, result), line)
            self.assertIn('[keystone_authtoken]', details)
            self.assertIn(line.rpartition(' ')[2], details)

    def test_a_database_that_cannot_be_is_a_failure(self):
        for url in ('nonsense', 'foo://me:hush@here/db'):
            self.url = url
            code, checks = self.check()
            self.assertEqual(2, code)
            for check in ('Configuration', 'Tables'):
                result, details = checks[check]
                self.assertEqual(2, result)
                self.assertIn('[database]/connection: ', details)
                self.assertNotIn('hush', details)

    def test_to_look_makes_no_database(self):
        code, checks = self.check()
        self.assertEqual((1, 1), (code, checks['Tables'][0]))
        self.assertFalse((self.folder / 'vcluster.sqlite').exists())

    def test_what_is_no_database_is_a_failure(self):
        (self.folder / 'vcluster.sqlite').write_text('No database. ' * 100)
        code, checks = self.check()
        self.assertEqual((2, 2), (code, checks['Tables'][0]))
        self.assertIn('not a database', checks['Tables'][1])

    def test_what_is_no_configuration_is_told_in_a_line(self):
        self.file.write_text('no section = here')
        for file in (self.file, self.folder / 'none.conf'):
            code, printed, told = self.run_check(file)
            self.assertEqual((255, ''), (code, printed))
            self.assertTrue(told.startswith('vcluster-status: '), told)
            self.assertIn(str(file), told)
            self.assertNotIn('Traceback', told)

    def test_a_jobboard_is_not_asked(self):
        self.make_tables()
        code, checks = self.check('[work]\njobboard = redis://none.invalid')
        self.assertEqual((0, (0, None)), (code, checks['Configuration']))
