# SPDX-License-Identifier: Apache-2.0
"""What the services' files say."""

import configparser
from pathlib import Path

import fixtures
import testtools
import yaml
from oslo_config import cfg

from heat_vcluster import conf
from heat_vcluster.devcloud import assembly, processes, services
from heat_vcluster.devcloud.services import base, vcluster
from heat_vcluster.devcloud.settings import Settings


class TestIni(testtools.TestCase):
    def read(self, section: str, text: str) -> cfg.ConfigOpts:
        path = Path(self.useFixture(fixtures.TempDir()).path) / 'some.conf'
        path.write_text(text)
        conf = cfg.ConfigOpts()
        conf.register_opts(
            [cfg.StrOpt('pattern'), cfg.MultiStrOpt('many')], group=section
        )
        conf(['--config-file', str(path)])
        return conf

    def test_a_dollar_sign_arrives_as_itself(self) -> None:
        text = base.render_ini({'volume': {'pattern': '^(a|b)$host$'}})
        self.assertEqual(
            '^(a|b)$host$', self.read('volume', text).volume.pattern
        )

    def test_a_sequence_becomes_repeated_keys(self) -> None:
        text = base.render_ini({'volume': {'many': ['one', 'two']}})
        self.assertEqual(['one', 'two'], self.read('volume', text).volume.many)


class TestFiles(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        root = Path(self.useFixture(fixtures.TempDir()).path)
        self.cloud = Settings(
            root / 'state', venv=root / 'venv', port_offset=500
        )
        for service, name in (
            ('nova', 'api-paste.ini'),
            ('glance', 'glance-api-paste.ini'),
        ):
            path = root / 'venv' / 'etc' / service / name
            path.parent.mkdir(parents=True)
            path.write_text('# the package brings it\n')
        for name in services.NAMES:
            services.find(name).write_config(self.cloud)

    def policy(self, service: str) -> dict[str, str]:
        text = (self.cloud.etc(service) / 'policy.yaml').read_text()
        return yaml.safe_load(text) or {}

    def test_each_service_has_a_file_that_can_be_read(self) -> None:
        for name in services.NAMES:
            found = list(self.cloud.etc(name).glob('*.conf'))
            self.assertNotEqual([], found, name)
            for path in found:
                parser = configparser.RawConfigParser(strict=False)
                parser.read(path)
                self.assertNotEqual([], parser.sections(), path)

    def test_no_file_names_a_port_of_the_unshifted_cloud(self) -> None:
        for path in self.cloud.etc('.').rglob('*.conf'):
            for port in (':5000', ':8774', ':8776', ':9292', ':9696'):
                self.assertNotIn(f'127.0.0.1{port}', path.read_text(), path)

    def test_passwords_can_be_read_by_their_owner_alone(self) -> None:
        for path in self.cloud.etc('.').rglob('*.conf'):
            self.assertEqual(0, path.stat().st_mode & 0o077, path)

    def test_nova_opens_some_rules_and_only_to_us(self) -> None:
        rules = self.policy('nova')
        self.assertEqual(
            {
                'compute:servers:create:requested_destination',
                'os_compute_api:os-aggregates:index',
                'os_compute_api:os-migrate-server:migrate_live:host',
                'os_compute_api:os-migrate-server:migrate:host',
            },
            set(rules),
        )
        for rule in rules.values():
            self.assertIn('vcluster', rule)

    def test_our_service_understands_its_file(self) -> None:
        options = conf.load(config_files=[vcluster.conf_file(self.cloud)])
        self.assertEqual('127.0.0.1', options.api.host)
        self.assertEqual(9299, options.api.port)
        self.assertEqual('keystone', options.api.auth)
        self.assertIn(
            str(self.cloud.database('vcluster')), options.database.connection
        )
        self.assertEqual(
            ['zone=availability_zone', 'rack=aggregate:rack'],
            options.topology.levels,
        )

    def test_our_service_has_the_time_to_hand_over(self) -> None:
        self.assertLess(vcluster.STOP_SECONDS, processes.STOP_SECONDS)

    def test_writing_again_changes_nothing(self) -> None:
        before = self.contents()
        for name in services.NAMES:
            services.find(name).write_config(self.cloud)
        self.assertEqual(before, self.contents())

    def contents(self) -> dict[Path, str]:
        return {
            path: path.read_text()
            for path in self.cloud.etc('.').rglob('*')
            if path.is_file()
        }

    def test_clouds_yaml_names_the_accounts(self) -> None:
        assembly.write_clouds_yaml(self.cloud)
        clouds = yaml.safe_load(self.cloud.clouds_yaml.read_text())['clouds']
        self.assertEqual(
            {
                'devcloud-admin',
                'devcloud-alpha',
                'devcloud-beta',
                'devcloud-vcluster',
            },
            set(clouds),
        )
        auth = clouds['devcloud-alpha']['auth']
        self.assertEqual('http://127.0.0.1:5500/v3', auth['auth_url'])
        self.assertEqual(self.cloud.secret('alpha'), auth['password'])
