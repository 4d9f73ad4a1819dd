# SPDX-License-Identifier: Apache-2.0
import fixtures
import testtools

from heat_vcluster import conf, exception
from heat_vcluster.cloud.openstack import settings


class _TempFile(fixtures.Fixture):
    def __init__(self, text):
        self._text = text

    def _setUp(self):
        self.path = self.useFixture(fixtures.TempDir()).join('test.conf')
        with open(self.path, 'w') as stream:
            stream.write(self._text)


class SettingsTest(testtools.TestCase):
    def load(self, text):
        path = self.useFixture(_TempFile(text)).path
        return settings.Settings.from_conf(conf.load(config_files=[path]))

    def test_defaults(self):
        found = self.load('')
        self.assertEqual(('zone', 'host'), found.scopes)
        self.assertFalse(found.pin_volumes)
        self.assertEqual(settings.Settings(), found)

    def test_everything_an_operator_may_say(self):
        found = self.load(
            '[topology]\n'
            'levels = zone=availability_zone, row=trait:CUSTOM_ROW_,'
            'rack=aggregate:rack\n'
            '[volume]\n'
            'pinning = json_filter\n'
            'pool_domains = rack:^[^@]+@(?P<domain>[^#]+)#\n'
            'pools = h@a#p, h@b#p\n'
            'type_backends = fast=a,fast=b,slow=c\n'
        )
        self.assertEqual(('zone', 'row', 'rack', 'host'), found.scopes)
        self.assertEqual(('zone',), found.named_scopes)
        self.assertEqual(
            settings.Level('rack', 'aggregate', 'rack'), found.levels[2]
        )
        self.assertTrue(found.pin_volumes)
        self.assertEqual(
            'b',
            found.pool_domains.pattern.search('a@b#c').group('domain'),
        )
        self.assertEqual(('h@a#p', 'h@b#p'), found.pools)
        self.assertEqual(
            {'fast': {'a', 'b'}, 'slow': {'c'}}, found.type_backends
        )

    def test_what_cannot_be_meant_is_told(self):
        for text in (
            '[topology]\nlevels = rack\n',
            '[topology]\nlevels = rack=aggregate\n',
            '[topology]\nlevels = host=aggregate:x\n',
            '[topology]\nlevels = a=aggregate:x,a=aggregate:y\n',
            '[volume]\npool_domains = rack:no group\n',
            '[volume]\npool_domains = rack:(?P<domain>\n',
            '[volume]\npool_domains = row:(?P<domain>.*)\n',
            '[volume]\ntype_backends = fast\n',
            '[volume]\npools = h@a\n',
            '[volume]\npools = h#p\n',
            '[volume]\npinning = magic\n',
            '[cloud]\nconcurrency = nova:many\n',
        ):
            error = self.assertRaises(
                exception.InvalidConfiguration, self.load, text
            )
            name = text.partition(' =')[0].replace('\n', '/')
            self.assertIn(name, str(error))

    def test_what_is_empty_is_unset(self):
        found = self.load('[cloud]\nregion_name =\n[volume]\npools = ,\n')
        self.assertEqual(settings.Settings(), found)

    def test_option_names_are_those_of_the_sample_file(self):
        from heat_vcluster.conf import opts

        groups = {str(group): options for group, options in opts.list_opts()}
        names = {option.name for option in groups['engine']}
        self.assertIn('handover_windows', names)
        self.assertIn(
            'username', {option.name for option in groups['service_auth']}
        )


class LoadTest(testtools.TestCase):
    def test_missing_file_is_told(self):
        self.assertRaises(
            exception.InvalidConfiguration,
            conf.load,
            config_files=['/none/such.conf'],
        )

    def test_environment_names_the_file(self):
        path = self.useFixture(_TempFile('[engine]\nthreads = 7\n')).path
        self.useFixture(fixtures.EnvironmentVariable(conf.VARIABLE, path))
        self.assertEqual(7, conf.load().engine.threads)


class ConcurrencyTest(testtools.TestCase):
    def test_what_is_not_named_keeps_its_number(self):
        found = settings.parse_concurrency({'nova': '32'})
        self.assertEqual({**settings.CONCURRENCY, 'nova': 32}, found)

    def test_what_cannot_be_meant(self):
        for name, number in (('nova', '0'), ('nova', 'many'), ('novva', '3')):
            self.assertRaises(
                exception.InvalidConfiguration,
                settings.parse_concurrency,
                {name: number},
            )
