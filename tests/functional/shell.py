# SPDX-License-Identifier: Apache-2.0
"""The shell ``openstack`` in processes that have it loaded already.

Most of the time that a command takes goes into its imports. So one process
does these once, and each command is a fork of it: with arguments, a
directory, surroundings and standard streams of its own, and with an end.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from tests import forks


def run(arguments, *, folder, surroundings, stdin, patience):
    """Run ``openstack``; return what ``subprocess.run`` does."""
    with tempfile.TemporaryDirectory() as place:
        streams = [pathlib.Path(place, name) for name in ('in', 'out', 'err')]
        streams[0].write_text(stdin or '')
        process = forks.process(
            _call,
            [*map(str, arguments)],
            str(folder),
            surroundings,
            [*map(str, streams)],
        )
        process.start()
        process.join(patience)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired([*arguments], patience)
        out, err = (stream.read_text() for stream in streams[1:])
    return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _call(arguments, folder, surroundings, streams):
    from openstackclient import shell

    for number, (path, flags) in enumerate(
        zip(
            streams,
            (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT),
            strict=True,
        )
    ):
        os.dup2(os.open(path, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode) for number, mode in enumerate('rww')
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(surroundings)
    sys.argv = ['openstack', *arguments]
    sys.exit(shell.main())
