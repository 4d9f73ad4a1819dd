# SPDX-License-Identifier: Apache-2.0
"""Values that cannot be meant are told at the start, with their option."""

import pathlib

import fixtures
import testtools
from oslo_config import cfg

from heat_vcluster import conf, exception
from heat_vcluster.conf import logs, opts

NO_NUMBERS = ('', 'nan', 'inf', '-inf', '-2', '9' * 30, '1e300')
OURS = [
    (module.GROUP.name, option)
    for module in opts.MODULES
    for option in module.OPTS
]


class CheckTest(testtools.TestCase):
    def load(self, group, key, value):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'conf')
        path.write_text(f'[{group}]\n{key} = {value}\n')
        return conf.load(config_files=[path])

    def refusal(self, group, key, value):
        error = self.assertRaises(
            exception.InvalidConfiguration, self.load, group, key, value
        )
        return str(error)

    def test_numbers_that_nothing_can_count_with(self):
        numbers = [
            (group, option)
            for group, option in OURS
            if isinstance(option, cfg.IntOpt | cfg.FloatOpt)
        ]
        self.assertIn('poll_interval', {option.dest for _, option in numbers})
        for group, option in numbers:
            for value in NO_NUMBERS:
                told = self.refusal(group, option.dest, value)
                self.assertIn(f'[{group}]/{option.dest}: ', told)

    def test_what_has_a_default_has_a_value(self):
        for group, key in (
            ('api', 'port'),
            ('api', 'host'),
            ('placement', 'objective'),
            ('topology', 'default_availability_zone'),
        ):
            self.assertIn(f'[{group}]/{key}: ', self.refusal(group, key, ''))

    def test_what_may_be_unset_may_be_empty(self):
        for group, key in (
            ('metrics', 'port'),
            ('placement', 'save_problems'),
            ('work', 'jobboard'),
            ('limits', 'forbidden_rules'),
        ):
            self.assertFalse(self.load(group, key, '')[group][key])

    def test_no_text_has_a_nul(self):
        for group, key in (
            ('cloud', 'region_name'),
            ('placement', 'save_problems'),
            ('volume', 'pools'),
            ('topology', 'default_availability_zone'),
        ):
            told = self.refusal(group, key, 'a\0b')
            self.assertIn(f'[{group}]/{key}: ', told)

    def test_options_of_others_are_read_too(self):
        for group, key in (
            ('DEFAULT', 'max_logfile_count'),
            ('database', 'max_retries'),
            ('service_auth', 'insecure'),
        ):
            told = self.refusal(group, key, 'perhaps')
            self.assertIn(f'[{group}]/{key}: ', told)

    def test_a_log_that_cannot_be_is_told(self):
        found = self.load('DEFAULT', 'log_config_append', '/no/such')
        error = self.assertRaises(
            exception.InvalidConfiguration, logs.begin, found
        )
        self.assertIn('/no/such', str(error))
