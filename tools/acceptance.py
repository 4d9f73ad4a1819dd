# SPDX-License-Identifier: Apache-2.0
"""Runs a command with a development cloud under it.

The cloud is made for the command, on ports that are free, and taken down when
it ends, however it ends. Its packages are kept for the next time. A cloud
named by ``VCLUSTER_ACCEPTANCE_STATE`` is used as it is instead and left alone.
What tests draw by lot follows from ``VCLUSTER_SEED``, which is told.

    python tools/acceptance.py -- COMMAND...   run with a cloud
    python tools/acceptance.py --down          end what a killed run left
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from heat_vcluster.devcloud import settings  # noqa: E402

VARIABLE = 'VCLUSTER_ACCEPTANCE_STATE'
SEED = 'VCLUSTER_SEED'
PLACE = ROOT / '.tox' / 'devcloud'
STATE = PLACE / 'state'
#: Below the ports that any program is given for a connection it makes.
OFFSETS = range(3000, 23000, 100)
#: A cloud that does not come up is made anew: a port may have been taken in
#: the meantime, or the network had a bad moment.
ATTEMPTS = 2


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ['--down']:
        return down()
    if not arguments or arguments[0] != '--':
        print(__doc__, file=sys.stderr)
        return 2
    command = list(arguments[1:])
    given = os.environ.get(VARIABLE)
    if given:
        print(f'acceptance: on the cloud in {given}', flush=True)
        return run(command, given)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        up()
        return run(command, str(STATE))
    finally:
        down()


def run(command: Sequence[str], state: str) -> int:
    """Run the command; nothing of it outlives this."""
    seed = os.environ.get(SEED) or str(random.randrange(10**6))
    print(f'acceptance: {SEED}={seed}', flush=True)
    child = subprocess.Popen(
        command,
        env=os.environ | {VARIABLE: state, SEED: seed},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def up() -> None:
    """A fresh cloud; raises CalledProcessError if it does not come up."""
    for _ in range(ATTEMPTS - 1):
        try:
            up_once()
            return
        except subprocess.CalledProcessError as failed:
            print(f'acceptance: {failed}; once more', flush=True)
    up_once()


def up_once() -> None:
    down()
    shutil.rmtree(STATE, ignore_errors=True)
    devcloud(
        'up',
        '--venv',
        str(PLACE / 'venv'),
        '--port-offset',
        str(free_offset()),
    )


def down() -> int:
    if (STATE / 'settings.json').exists():
        devcloud('down')
    return 0


def devcloud(command: str, *options: str) -> None:
    subprocess.run(
        [
            sys.executable,
            '-m',
            'heat_vcluster.devcloud',
            command,
            '--state-dir',
            str(STATE),
            *options,
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        check=True,
    )


def free_offset() -> int:
    """An offset at which every service finds its port free."""
    choices = list(OFFSETS)
    random.shuffle(choices)
    for offset in choices:
        if all(
            _is_free(base + offset) for base in settings.BASE_PORTS.values()
        ):
            return offset
    raise RuntimeError('no free ports')


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.ADDRESS, port))
        except OSError:
            return False
    return True


def _stop(number: int, frame: object) -> None:
    # Once is enough: what follows is the taking down.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
