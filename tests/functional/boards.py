# SPDX-License-Identifier: Apache-2.0
"""Servers that keep a jobboard, each for one test."""

import os
import shutil
import socket
import subprocess

import fixtures

from heat_vcluster.engine import jobs


class Server(fixtures.Fixture):
    """``configuration`` is how boards reach it, once it answers."""

    program: str

    @classmethod
    def is_here(cls):
        return shutil.which(cls.program) is not None

    def begin(self, *arguments):
        self.folder = self.useFixture(fixtures.TempDir()).path
        self._process = subprocess.Popen(
            [self.program, *(each.format(self.folder) for each in arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        self.addCleanup(self.stop)

    def stop(self):
        self._process.kill()
        self._process.wait()


class Redis(Server):
    program = 'redis-server'

    def _setUp(self):
        self.begin('--port', '0', '--unixsocket', '{}/s', '--save', '')
        path = os.path.join(self.folder, 's')
        self.configuration = jobs.configuration(
            f'redis:///?unix_socket_path={path}'
        )


class Etcd(Server):
    program = 'etcd'

    def _setUp(self):
        client, peer = free_port(), free_port()
        self.begin(
            '--data-dir={}/data',
            f'--listen-client-urls=http://127.0.0.1:{client}',
            f'--advertise-client-urls=http://127.0.0.1:{client}',
            f'--listen-peer-urls=http://127.0.0.1:{peer}',
        )
        self.configuration = jobs.configuration(f'etcd://127.0.0.1:{client}')


def free_port():
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]
