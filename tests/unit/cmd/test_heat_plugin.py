# SPDX-License-Identifier: Apache-2.0

import configparser
from pathlib import Path

import fixtures
from oslotest import base

from heat_vcluster.cmd import heat_plugin


class HeatPluginTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.place = Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self.place / 'heat.conf.d' / 'vcluster.conf'

    def run_command(self, *arguments):
        """Return its exit code and what it printed, errors too."""
        out = self.useFixture(fixtures.StringStream('out'))
        with (
            fixtures.MonkeyPatch('sys.stdout', out.stream),
            fixtures.MonkeyPatch('sys.stderr', out.stream),
        ):
            code = heat_plugin.main([str(each) for each in arguments])
        out.stream.flush()
        return code, out.getDetails()['out'].as_text()

    def check(self):
        return self.run_command('check', '--config-file', self.conf)

    def install(self, *arguments):
        return self.run_command('install', *arguments)

    def test_the_path_holds_the_shim_and_nothing_else_to_load(self):
        code, out = self.run_command('path')
        self.assertEqual(0, code)
        names = {path.name for path in Path(out.strip()).glob('*.py')}
        self.assertEqual({'__init__.py', 'vcluster.py'}, names)

    def test_the_snippet_keeps_the_directories_heat_searches_anyway(self):
        code, _ = self.install('--conf', self.conf)
        self.assertEqual(0, code)
        parser = configparser.ConfigParser()
        parser.read(self.conf)
        directories = parser['DEFAULT']['plugin_dirs'].split(',')
        self.assertIn('/usr/lib/heat', directories)
        self.assertIn(str(heat_plugin.PLUGIN_DIR), directories)

    def test_installing_twice_is_installing_once(self):
        self.install('--conf', self.conf)
        before = self.conf.read_text()
        code, _ = self.install('--conf', self.conf)
        self.assertEqual(0, code)
        self.assertEqual(before, self.conf.read_text())

    def test_settings_of_others_are_not_touched(self):
        self.conf.parent.mkdir()
        self.conf.write_text('[DEFAULT]\ndebug = true\n')
        code, out = self.install('--conf', self.conf)
        self.assertEqual(1, code)
        self.assertIn('has other settings', out)
        self.assertEqual('[DEFAULT]\ndebug = true\n', self.conf.read_text())

    def test_a_file_that_is_no_text_is_not_touched(self):
        self.conf.parent.mkdir()
        self.conf.write_bytes(b'\xff\xfe')
        code, out = self.install('--conf', self.conf)
        self.assertEqual(1, code)
        self.assertIn('has other settings', out)
        self.assertEqual(b'\xff\xfe', self.conf.read_bytes())

    def test_check_believes_what_heat_would_find(self):
        self.conf.parent.mkdir()
        self.conf.write_text('[DEFAULT]\n')
        code, out = self.check()
        self.assertEqual(1, code)
        self.assertIn('none of plugin_dirs', out)
        self.install('--conf', self.conf)
        self.assertEqual(0, self.check()[0])

    def test_a_link_does_as_well(self):
        linked = self.place / 'plugins'
        self.conf.parent.mkdir()
        self.conf.write_text(f'[DEFAULT]\nplugin_dirs = {linked}\n')
        self.assertEqual(1, self.check()[0])
        self.assertEqual(0, self.install('--link', linked)[0])
        self.assertEqual(0, self.check()[0])
        self.assertEqual(0, self.install('--link', linked)[0])

    def test_a_link_does_not_replace_the_file_of_another(self):
        (self.place / 'vcluster.py').write_text('mine')
        self.assertEqual(1, self.install('--link', self.place)[0])
        self.assertEqual('mine', (self.place / 'vcluster.py').read_text())
