# SPDX-License-Identifier: Apache-2.0
"""Only what we started is ended, and a failure says why."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from heat_vcluster.devcloud import processes, services
from heat_vcluster.devcloud.settings import BASE_PORTS, Settings


class TestProcesses(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        root = Path(self.useFixture(fixtures.TempDir()).path)
        # This interpreter stands in for the services' one.
        (root / 'venv' / 'bin').mkdir(parents=True)
        (root / 'venv' / 'bin' / 'python').symlink_to(sys.executable)
        self.cloud = Settings(root / 'state', venv=root / 'venv')
        self.nova = services.find('nova')

    def sleeper(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, '-c', 'import time; time.sleep(3600)'],
            start_new_session=True,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def record(self, pid: int, started: str) -> None:
        path = self.cloud.pid('nova')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{pid} {started}\n')

    def started(self, pid: int) -> str:
        stat = Path(f'/proc/{pid}/stat').read_text()
        return stat.rpartition(')')[2].split()[19]

    def test_a_recorded_process_runs_and_is_ended(self) -> None:
        child = self.sleeper()
        self.record(child.pid, self.started(child.pid))
        self.assertEqual(child.pid, processes.running(self.cloud, 'nova'))
        self.assertEqual(['nova'], processes.stop(self.cloud, ['nova']))
        self.assertEqual(-15, child.wait(120))
        self.assertIsNone(processes.running(self.cloud, 'nova'))

    def test_another_program_with_the_same_pid_is_left_alone(self) -> None:
        child = self.sleeper()
        self.record(child.pid, '1')
        self.assertEqual([], processes.stop(self.cloud, ['nova']))
        self.assertIsNone(child.poll())

    def test_nothing_runs_where_nothing_was_started(self) -> None:
        self.assertIsNone(processes.running(self.cloud, 'nova'))
        self.assertFalse(processes.is_healthy(self.cloud, self.nova))

    def test_a_failed_command_names_service_and_last_lines(self) -> None:
        command = [
            sys.executable,
            '-c',
            'print("the table is broken"); raise SystemExit(7)',
        ]
        failure = self.assertRaises(
            processes.ServiceFailed,
            processes.run,
            self.cloud,
            self.nova,
            [command],
        )
        self.assertIn('nova: ', str(failure))
        self.assertIn('ended with 7', str(failure))
        self.assertIn('the table is broken', str(failure))

    def test_a_taken_port_is_named_before_anything_starts(self) -> None:
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            offset = other.getsockname()[1] - BASE_PORTS['nova']
            cloud = Settings(self.cloud.state_dir, port_offset=offset)
            taken = self.assertRaises(
                processes.PortTaken, processes.require_free_ports, cloud
            )
        self.assertIn(f'nova {cloud.port("nova")}', str(taken))

    def test_the_callers_cloud_is_kept_from_the_services(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable('OS_CLOUD', 'mine'))
        self.useFixture(fixtures.EnvironmentVariable('PYTHONPATH', '/mine'))
        given = processes.environment(self.cloud, self.nova)
        self.assertNotIn('OS_CLOUD', given)
        self.assertNotIn('PYTHONPATH', given)
        self.assertEqual(
            str(self.cloud.venv_dir / 'bin'),
            given['PATH'].split(os.pathsep)[0],
        )
