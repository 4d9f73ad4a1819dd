# SPDX-License-Identifier: Apache-2.0
"""Every fourth request goes wrong, and the cluster is built and undone."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.acceptance import base, test_library_example
from tests.acceptance.stumbling import Stumbling


class StumblingTest(base.AcceptanceTestCase):
    def test_cluster_is_built_and_nothing_is_made_twice(self) -> None:
        cloud = Stumbling(1, self.world.settings.auth_url)
        self.addCleanup(cloud.close)
        ran = subprocess.run(
            [sys.executable, str(test_library_example.EXAMPLE)],
            env=os.environ
            | {
                'OS_CLIENT_CONFIG_FILE': str(self.world.settings.clouds_yaml),
                'http_proxy': cloud.url,
                'no_proxy': '',
                'NO_PROXY': '',
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        for name in test_library_example.MEMBERS:
            self.assertIn(f'{name}: ACTIVE ', ran.stdout)
        self.assertNotEqual({}, dict(cloud.made))
        twice = {what: n for what, n in cloud.made.items() if n > 1}
        self.assertEqual({}, twice)
        # Each kind of trouble was met, or the proxy was not in the way.
        self.assertEqual(6, len(cloud.met), dict(cloud.met))
        self.assert_nothing_left()
