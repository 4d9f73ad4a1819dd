#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Get the servers that the suite ``servers`` tests with, from Debian.

Installs what is missing if it may (as root, with apt-get); no server is
begun by that. Tells what is missing in the end: tests with it are skipped,
by name. Never fails: a machine may well have only some of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: Program -> its package.
PACKAGES = {
    'redis-server': 'redis-server',
    'etcd': 'etcd-server',
    'mariadbd': 'mariadb-server-core',
    # Its databases are made with this, and the server comes without it.
    'my_print_defaults': 'mariadb-client-core',
    'postgres': 'postgresql',
    'zkServer.sh': 'zookeeper',
}
#: Asked by Debian's packages before they begin a server.
POLICY = Path('/usr/sbin/policy-rc.d')
REFUSE = '#!/bin/sh\nexit 101\n'


def main() -> int:
    wanted = missing()
    if wanted and os.geteuid() == 0 and shutil.which('apt-get'):
        with nothing_begun():
            install(sorted({PACKAGES[program] for program in wanted}))
    for program in missing():
        print(f'NOT TESTED: there is no {program} on this machine')
    return 0


def missing() -> list[str]:
    return [program for program in PACKAGES if find(program) is None]


def find(program: str) -> str | None:
    """Return where it is, also if that is no place for users to look."""
    places = [
        os.environ.get('PATH', ''),
        '/usr/sbin',
        '/usr/share/zookeeper/bin',
        *map(str, Path('/usr/lib/postgresql').glob('*/bin')),
    ]
    return shutil.which(program, path=os.pathsep.join(places))


@contextlib.contextmanager
def nothing_begun() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text(REFUSE)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(packages: list[str]) -> None:
    """One by one: a package that is not to be had keeps none away."""
    run('update')
    for package in packages:
        run('install', '-y', '--no-install-recommends', package)


def run(*arguments: str) -> None:
    done = subprocess.run(
        ['apt-get', *arguments],
        env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        print(f'apt-get {" ".join(arguments)} ended with {done.returncode}')


if __name__ == '__main__':
    sys.exit(main())
