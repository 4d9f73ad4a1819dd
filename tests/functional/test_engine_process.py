# SPDX-License-Identifier: Apache-2.0
"""vcluster-engine as the process it is: started, stopped, refused."""

import pathlib
import signal
import subprocess
import sys
import threading

import fixtures

from tests import base
from tests.functional import servers

FILE = """
[database]
connection = sqlite:///{folder}/vcluster.sqlite
[service_auth]
auth_type = none
[work]
{work}
"""


class EngineProcessTest(base.TestCase):
    def start(self, work=''):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = folder / 'vcluster.conf'
        path.write_text(FILE.format(folder=folder, work=work))
        return self.run_it('--config-file', path)

    def run_it(self, *arguments):
        process = subprocess.Popen(
            [sys.executable, '-m', 'heat_vcluster.cmd.engine', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        # Whoever reads its log is not to wait for ever.
        doom = threading.Timer(self.patience, process.kill)
        doom.start()
        self.addCleanup(doom.cancel)
        return process

    def test_it_stops_when_it_is_told_to(self):
        servers.Etcd.require()
        # Of all boards the one that leaves threads behind if not closed.
        server = self.useFixture(servers.Etcd())
        port = server.configuration['port']
        process = self.start(f'jobboard = etcd://127.0.0.1:{port}')
        for line in process.stderr:
            if 'Waiting for jobs' in line:
                break
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(self.patience))
        self.assertIn('Stopping', process.stderr.read())

    def test_without_a_jobboard_there_is_nothing_to_do(self):
        process = self.start()
        self.assertEqual(1, process.wait(self.patience))
        told = process.stderr.read()
        self.assertIn('vcluster-engine: [work]/jobboard is not set', told)
        self.assertNotIn('Traceback', told)

    def test_help_shows_what_has_to_be_configured(self):
        process = self.run_it('--help')
        self.assertEqual(0, process.wait(self.patience))
        told = process.stdout.read()
        for words in ('[work]', 'jobboard = redis://', 'SIGTERM', 'exit 0'):
            self.assertIn(words, told)
