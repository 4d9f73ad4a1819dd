# SPDX-License-Identifier: Apache-2.0
"""The command line: what it takes, and what it refuses."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from heat_vcluster.devcloud import cli, packages, services
from heat_vcluster.devcloud.settings import Settings

ROOT = Path(__file__).parents[3]


class TestCommand(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.state = Path(self.useFixture(fixtures.TempDir()).path) / 'state'

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main([*arguments, '--state-dir', str(self.state)])
        return code, out.getvalue(), err.getvalue()

    def test_without_a_cloud_commands_say_so(self) -> None:
        for command in ('down', 'status', 'env', 'reset'):
            code, _, err = self.run_command(command)
            self.assertEqual(1, code)
            self.assertIn('there is no cloud in', err)

    def test_up_does_not_resize_an_existing_cloud(self) -> None:
        Settings(self.state, racks=4).save()
        code, _, err = self.run_command('up', '--racks', '8')
        self.assertEqual(1, code)
        self.assertIn('another racks', err)
        self.assertEqual(4, Settings.load(self.state).racks)

    def test_impossible_sizes_are_refused(self) -> None:
        code, _, err = self.run_command('up', '--racks', '1', '--zones', '2')
        self.assertEqual(1, code)
        self.assertIn('more zones than racks', err)

    def test_a_place_that_cannot_be_is_told(self) -> None:
        self.state.parent.joinpath('file').touch()
        self.state = self.state.parent / 'file' / 'state'
        code, _, err = self.run_command('status')
        self.assertEqual(1, code)
        self.assertIn(str(self.state), err)

    def test_env_points_a_shell_at_the_chosen_account(self) -> None:
        Settings(self.state).save()
        _, out, _ = self.run_command('env', '--cloud', 'beta')
        shell = subprocess.run(
            ['sh', '-c', f'{out}\necho "$OS_CLOUD $OS_CLIENT_CONFIG_FILE"'],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        self.assertEqual(
            f'devcloud-beta {self.state}/clouds.yaml', shell.stdout.strip()
        )

    def test_status_of_a_stopped_cloud_is_not_success(self) -> None:
        Settings(self.state).save()
        code, out, _ = self.run_command('status')
        self.assertEqual(3, code)
        for name in services.NAMES:
            self.assertIn(name, out)


class TestStandardLibrary(testtools.TestCase):
    def test_the_driving_side_needs_nothing_installed(self) -> None:
        # -S and -I: neither site-packages nor the environment.
        program = (
            f'import sys; sys.path.insert(0, {str(ROOT)!r}); '
            'from heat_vcluster.devcloud import cli, services; '
            '[services.find(name) for name in services.NAMES]'
        )
        result = subprocess.run(
            [sys.executable, '-S', '-I', '-c', program],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        self.assertEqual('', result.stderr)


class TestPackages(testtools.TestCase):
    def test_every_service_is_pinned(self) -> None:
        pins = packages.pins()
        for requirement in packages.REQUIREMENTS:
            self.assertIn(requirement.split('<')[0], pins)
