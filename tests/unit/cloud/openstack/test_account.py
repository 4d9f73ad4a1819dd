# SPDX-License-Identifier: Apache-2.0
"""Our own account, as [service_auth] tells of it."""

import pathlib

import fixtures
import testtools

from heat_vcluster import conf, exception
from heat_vcluster.cloud.openstack import account

PASSWORD = """\
auth_type = password
auth_url = http://keystone
username = vcluster
"""


class AccountTest(testtools.TestCase):
    def load(self, text):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'conf')
        path.write_text(f'[service_auth]\n{text}')
        return conf.load(config_files=[path])

    def test_it_may_be_that_of_another_section(self):
        found = self.load(f'auth_section = ours\n[ours]\n{PASSWORD}')
        session = account.session_from_config(found)
        self.assertEqual('http://keystone', session.auth.auth_url)
        ours = account.Account.from_config(found)
        self.assertEqual('vcluster', ours.options['username'])

    def test_what_cannot_be_meant_is_told_with_its_option(self):
        for text, words in (
            ('', '[service_auth]/auth_type is not set'),
            ('auth_section = none', '[service_auth]/auth_type is not set'),
            ('auth_type = magic', '[service_auth]: .*magic'),
            ('auth_type = password', '[service_auth]: .*auth_url'),
            (f'{PASSWORD}timeout = 0', '[service_auth]/timeout: '),
            (f'{PASSWORD}timeout = nan', '[service_auth]/timeout: '),
            (f'{PASSWORD}timeout = 1e300', '[service_auth]/timeout: '),
            (f'{PASSWORD}cafile = /no/such', '[service_auth]/cafile: '),
            (f'{PASSWORD}tls_ciphers = none', '[service_auth]: .*cipher'),
        ):
            error = self.assertRaises(
                exception.InvalidConfiguration,
                account.session_from_config,
                self.load(text),
            )
            self.assertThat(
                str(error),
                testtools.matchers.MatchesRegex(
                    words.replace('[', r'\[').replace(']', r'\]')
                ),
            )
