# SPDX-License-Identifier: Apache-2.0
"""The documentation's program for a real cloud, run as it stands there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.acceptance import base

EXAMPLE = (
    Path(__file__).parents[2] / 'doc/source/library/examples/dev_cloud.py'
)
MEMBERS = ('net', 'data-0', 'data-1', 'db-0', 'db-1')


class ExampleTest(base.AcceptanceTestCase):
    def test_it_builds_and_undoes_a_cluster_without_heat(self) -> None:
        clouds = str(self.world.settings.clouds_yaml)
        ran = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env=os.environ | {'OS_CLIENT_CONFIG_FILE': clouds},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        lines = ran.stdout.splitlines()
        for name in MEMBERS:
            self.assertTrue(
                any(line.startswith(f'{name}: ACTIVE ') for line in lines),
                ran.stdout,
            )
        self.assertIsNone(self.stack_status())
