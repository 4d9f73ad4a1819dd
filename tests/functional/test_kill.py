# SPDX-License-Identifier: Apache-2.0
"""A process that builds is killed; another one notices, and cleans up."""

import os
import signal
import subprocess
import sys
import uuid

import fixtures

from tests.functional import base, documents, doomed


class KillTest(base.EngineTest):
    """``service`` is the one that lives on, and watches after the death."""

    def begin(self):
        self.cluster = str(uuid.uuid4())
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        self.addCleanup(doomed.serve(self.cloud, path))
        self.process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.functional.doomed',
                path,
                self.url,
                self.cluster,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def kill(self, call):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def story(self):
        self.begin()
        self.assertEqual(-signal.SIGKILL, self.process.wait(self.patience))
        self.service.engine.watch()
        self.until(
            lambda: self.show(self.cluster)['status'] == 'ERROR', 'the watch'
        )
        view = self.show(self.cluster)
        self.assert_failed(view, 'vcluster.interrupted', 'died', 'delete')
        self.assertEqual({}, self.cloud.world.holds)
        self.assertIsNone(self.delete(self.cluster))
        self.assert_nothing_left()
        return view

    def test_killed_right_after_the_hold(self):
        self.cloud.faults.after('reserve', None, self.kill)
        view = self.story()
        self.assertEqual(
            {'DELETED'}, {m['status'] for m in view['members'].values()}
        )

    def test_killed_in_a_hand_over(self):
        self.cloud.faults.after('ensure_server', 'web', self.kill)
        view = self.story()
        self.assertEqual('ACTIVE', view['members']['db']['status'])
        self.assertEqual('ERROR', view['members']['web']['status'])

    def test_not_killed_it_builds(self):
        self.begin()
        self.assertEqual(0, self.process.wait(self.patience))
        self.assertEqual('ACTIVE', self.process.stdout.read().split()[-1])
        self.assert_built(documents.SMALL, self.show(self.cluster))
