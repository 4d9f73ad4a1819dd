# SPDX-License-Identifier: Apache-2.0
"""Real servers from Debian's packages: how each is started and reached."""

import contextlib
import os
import pathlib
import random
import runpy
import shutil
import socket
import subprocess
import tempfile
import time
import uuid

import fixtures
import sqlalchemy as sa
import testtools

from heat_vcluster.engine import jobs
from tests import base

TOOL = pathlib.Path(__file__).parents[2] / 'tools' / 'servers.py'
#: Returns the path of a program; None if this machine has none.
find = runpy.run_path(str(TOOL))['find']

#: Above those that any program is given for a connection it makes, and those
#: of a development cloud: they would be taken a moment later.
PORTS = range(61_000, 65_536)

#: In memory, a database is made and dropped many times as fast.
MEMORY = '/dev/shm'
MEMORY_BYTES = 2**30


def place():
    """Return where servers best write: None is the usual place."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
            return MEMORY
    return None


def free_port():
    """Return one that is free, and likely to be when the server listens."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(('127.0.0.1', port))
            return port


class Server(fixtures.Fixture):
    """A server with nothing in it, killed in the end.

    It also dies with whoever started it, and is no root's where it can be
    told from one: some servers refuse to be.
    """

    program: str
    needs: tuple[str, ...] = ()  # ... other programs, to be made ready

    @classmethod
    def require(cls):
        """Skip the test, by name, where there is no such server."""
        for program in (cls.program, *cls.needs):
            if find(program) is None:
                raise testtools.TestCase.skipException(
                    f'NOT TESTED with {cls.__name__}: no {program} here'
                )

    def _setUp(self):
        self.folder = tempfile.mkdtemp(dir=place())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, 'nobody', 'nogroup')
        self.start()
        self.addCleanup(self.stop)

    def start(self):
        raise NotImplementedError

    def stop(self):
        self._process.kill()
        self._process.wait()

    def begin(self, *arguments):
        self._process = subprocess.Popen(
            self._command(self.program, *arguments), **self._surroundings()
        )

    def run(self, *arguments):
        """Let a program do its work."""
        done = subprocess.run(
            self._command(*arguments),
            check=False,
            **{**self._surroundings(), 'stdout': subprocess.PIPE},
        )
        if done.returncode:
            raise RuntimeError(f'{arguments}: {done.stdout.decode()}')

    def await_(self, answers):
        """Wait until it does; ``answers`` raises an error before."""
        give_up = time.monotonic() + base.PATIENCE
        while True:
            try:
                answers()
            except Exception:
                if self._is_over() or time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            else:
                break
        if self._is_over():
            raise RuntimeError(f'{self.program} ended: another one answers')

    def _is_over(self):
        return self._process.poll() is not None

    def _command(self, program, *arguments):
        nobody = ()
        if os.geteuid() == 0:
            nobody = ('--reuid=nobody', '--regid=nogroup', '--clear-groups')
        return [
            *('setpriv', '--pdeathsig=KILL', *nobody),
            *('--', find(program), *arguments),
        ]

    def _surroundings(self):
        return {
            'stdin': subprocess.DEVNULL,
            'stdout': subprocess.DEVNULL,
            'stderr': subprocess.STDOUT,
            'cwd': self.folder,
            'env': {
                'PATH': os.environ['PATH'],
                'HOME': self.folder,
                # Whoever starts in the usual one cleans it for all others.
                'TMPDIR': self.folder,
            },
        }


class Board(Server):
    """``configuration`` is how a jobboard reaches it."""

    def _setUp(self):
        super()._setUp()
        line = jobs.Jobs(self.configuration, 1.0)
        self.addCleanup(line.close)
        self.await_(lambda: line.claim('nobody'))


class Redis(Board):
    program = 'redis-server'

    def start(self):
        path = os.path.join(self.folder, 's')
        self.begin('--port', '0', '--unixsocket', path, '--save', '')
        self.configuration = jobs.configuration(
            f'redis:///?unix_socket_path={path}'
        )


class Etcd(Board):
    program = 'etcd'

    def start(self):
        client, peer = free_port(), free_port()
        self.begin(
            f'--data-dir={self.folder}/data',
            f'--listen-client-urls=http://127.0.0.1:{client}',
            f'--advertise-client-urls=http://127.0.0.1:{client}',
            f'--listen-peer-urls=http://127.0.0.1:{peer}',
        )
        self.configuration = jobs.configuration(f'etcd://127.0.0.1:{client}')


class ZooKeeper(Board):
    program = 'java'
    needs = ('zkServer.sh',)

    def start(self):
        port = free_port()
        configuration = pathlib.Path(self.folder) / 'zoo.cfg'
        configuration.write_text(
            f'dataDir={self.folder}/data\n'
            f'clientPort={port}\n'
            'clientPortAddress=127.0.0.1\n'
            'admin.enableServer=false\n'
            'tickTime=500\n'  # sessions of the dead last twice as long
        )
        # Debian's script has no end before that of the server.
        self.begin(
            *('-cp', '/etc/zookeeper/conf:/usr/share/java/zookeeper.jar'),
            '-Dzookeeper.log.dir=.',
            'org.apache.zookeeper.server.quorum.QuorumPeerMain',
            str(configuration),
        )
        self.configuration = jobs.configuration(
            f'zookeeper://127.0.0.1:{port}'
        )


class Database(Server):
    """``make`` makes an empty database in it, and returns its URL."""

    address: str
    options = ''
    force = ''

    def make(self):
        name = f'test_{uuid.uuid4().hex}'
        self._tell(f'CREATE DATABASE {name} {self.options}')
        return f'{self.address}/{name}'

    def drop(self, url):
        self._tell(f'DROP DATABASE {url.rpartition("/")[2]} {self.force}')

    def _setUp(self):
        super()._setUp()
        self.await_(lambda: self._tell('SELECT 1'))

    def _tell(self, words):
        engine = sa.create_engine(
            f'{self.address}/{self.first}', isolation_level='AUTOCOMMIT'
        )
        try:
            with engine.connect() as connection:
                connection.execute(sa.text(words))
        finally:
            engine.dispose()


class MariaDB(Database):
    program = 'mariadbd'
    needs = ('my_print_defaults',)
    first = 'mysql'
    options = 'CHARACTER SET utf8mb4'

    def start(self):
        where = f'--datadir={self.folder}/data'
        self.run(
            'mariadb-install-db',
            where,
            '--no-defaults',
            '--auth-root-authentication-method=normal',
            '--skip-test-db',
        )
        port = free_port()
        self.begin(
            '--no-defaults',
            where,
            f'--port={port}',
            '--bind-address=127.0.0.1',
            f'--socket={self.folder}/s',
            f'--pid-file={self.folder}/pid',
            '--innodb-flush-method=nosync',
            '--max-connections=500',
        )
        self.address = f'mysql+pymysql://root@127.0.0.1:{port}'


class PostgreSQL(Database):
    program = 'postgres'
    first = 'postgres'
    force = 'WITH (FORCE)'  # whoever still has a connection

    def start(self):
        where = f'{self.folder}/data'
        self.run('initdb', '-D', where, '-U', 'root', '-A', 'trust', '-N')
        port = free_port()
        self.begin(
            *('-D', where, '-p', str(port), '-k', self.folder),
            *('-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'),
            *('-c', 'max_connections=500'),
        )
        self.address = f'postgresql+psycopg2://root@127.0.0.1:{port}'
