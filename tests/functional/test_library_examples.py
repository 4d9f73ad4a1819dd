# SPDX-License-Identifier: Apache-2.0
"""What the documentation shows is run as it stands there."""

import subprocess
import sys
from pathlib import Path

from oslotest import base

EXAMPLES = Path(__file__).parents[2] / 'doc/source/library/examples'


class ExamplesTest(base.BaseTestCase):
    def run_example(self, name):
        ran = subprocess.run(
            [sys.executable, str(EXAMPLES / name)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        return ran.stdout.splitlines()

    def test_the_fake_cloud_is_planned_built_broken_and_left_empty(self):
        lines = self.run_example('fake_cloud.py')
        self.assertIn('db-0 would go to rack-1', lines)
        self.assertIn('cluster active every member is ready', lines)
        self.assertTrue(
            any(line.startswith('db-1: ACTIVE 10.50.0.') for line in lines)
        )
        self.assertTrue(
            any(line.startswith('It failed: member db-1:') for line in lines)
        )
        self.assertEqual('Left in the cloud: 0', lines[-1])
