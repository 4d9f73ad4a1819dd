# SPDX-License-Identifier: Apache-2.0
"""The real API on a socket, and the real shell that calls it."""

import json
import os
import pathlib

import fixtures
import yaml

from heat_vcluster.wsgi import server
from tests.functional import api, shell


class ServedTest(api.ApiTest):
    """``address`` is where the API listens."""

    def setUp(self):
        super().setUp()
        listening = server.Server(
            self.app, '127.0.0.1', 0, threads=8, stop_seconds=5
        )
        listening.start()
        self.addCleanup(listening.stop)
        self.address = listening.address


class Said:
    """What a command came to."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        # What other projects' plugins of the shell lack is not our say.
        self.err = ''.join(
            line
            for line in done.stderr.splitlines(keepends=True)
            if not line.startswith('Could not load ')
        )

    @property
    def json(self):
        return json.loads(self.out)


class ShellTest(ServedTest):
    """``run_shell`` calls the shell in a directory of its own, ``folder``."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def write(self, document, name='web.yaml'):
        path = self.folder / name
        path.write_text(
            document if isinstance(document, str) else yaml.dump(document)
        )
        return name

    def run_shell(
        self, line, *more, token=api.ANN, code=0, stdin=None, is_quiet=False
    ):
        """Run ``openstack vcluster LINE``; it has to end with the code."""
        project_id = token.partition(':')[0]
        return self.run_openstack(
            *('--os-auth-type', 'admin_token', '--os-token', token),
            *('--os-endpoint', f'{self.address}/v2/{project_id}'),
            *(['--quiet'] if is_quiet else []),
            *('vcluster', *line.split(), *more),
            code=code,
            stdin=stdin,
        )

    def run_openstack(self, *arguments, code=0, stdin=None):
        said = Said(
            shell.run(
                arguments,
                folder=self.folder,
                surroundings=self._environment(),
                stdin=stdin,
                patience=self.patience,
            )
        )
        self.assertEqual(code, said.code, f'{arguments}: {said.out}{said.err}')
        return said

    def _environment(self):
        """Nothing of whoever runs the tests has a say."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('OS_', 'CLIFF_', 'XDG_'))
        }
        return {**kept, 'HOME': str(self.folder), 'COLUMNS': '200'}
