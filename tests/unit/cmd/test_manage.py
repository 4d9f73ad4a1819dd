# SPDX-License-Identifier: Apache-2.0
"""The commands of vcluster-manage: each is there, and loads what it needs."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

from heat_vcluster.cmd import manage
from tests import base

LOADED = """\
import sys
from heat_vcluster.cmd import manage
try:
    manage.main(['solve', '--help'])
finally:
    print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))
"""


def told(*words: str) -> tuple[object, str]:
    """Return the exit code and what is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            manage.main(words)
        except SystemExit as end:
            return end.code, printed.getvalue()
    raise AssertionError('help goes on')


class TestManage(base.TestCase):
    def test_each_command_explains_itself(self) -> None:
        for command in manage.COMMANDS:
            code, printed = told(command, '--help')
            self.assertEqual(0, code, command)
            self.assertIn(f'vcluster-manage {command}', printed)

    def test_all_commands_are_named_to_who_asks(self) -> None:
        code, printed = told('--help')
        self.assertEqual(0, code)
        for command in manage.COMMANDS:
            self.assertIn(f'\n    {command} ', printed)

    def test_solving_loads_nothing_of_the_service(self) -> None:
        done = subprocess.run(
            [sys.executable, '-c', LOADED],
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = done.stdout.rpartition('loaded:')[2].split()
        self.assertIn('heat_vcluster', loaded)
        self.assertFalse({'taskflow', 'sqlalchemy', 'eventlet'} & {*loaded})
