# SPDX-License-Identifier: Apache-2.0
"""A process of its own that builds a cluster, for a test to kill.

The cloud lives in the process of the test and is reached through a socket:
what the dead one has made there stays. Run as ``python -m
tests.functional.doomed SOCKET DATABASE CLUSTER``; or by ``begin``, which is
quicker and lets it kill itself at one of its tasks.
"""

import contextlib
import multiprocessing.managers
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from heat_vcluster import context, db, deploy
from heat_vcluster.cloud import base
from heat_vcluster.db import writer
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import jobs, worker
from tests import forks
from tests.functional import documents

KEY = b'this protects nothing'
LEASE_SECONDS = 1.0


class Server(multiprocessing.managers.Server):
    """Ends when it is told to: a closed one would accept without end."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.stop_event = threading.Event()

    def serve_forever(self):
        multiprocessing.current_process()._manager_server = self
        while not self.stop_event.is_set():
            with contextlib.suppress(
                OSError, EOFError, multiprocessing.AuthenticationError
            ):
                caller = self.listener.accept()
                threading.Thread(
                    target=self.handle_request, args=(caller,), daemon=True
                ).start()
        self.listener.close()

    def end(self):
        self.stop_event.set()
        # It waits for somebody to call.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as to:
            to.connect(self.address)


class Line(multiprocessing.managers.BaseManager):
    """The connection; ``call`` asks the cloud at the other end."""


def serve(opener, path):
    """Let others reach a cloud by a socket; return what ends that."""

    def call(project, user, name, args, kwargs):
        side = opener
        if project is not None:
            side = opener.open(context.Context(project, user))
        value = getattr(side, name)(*args, **kwargs)
        # What is given one by one goes over the line all at once.
        return Answer([*value] if isinstance(value, Iterator) else value)

    class Served(Line):
        pass

    Served.register('call', callable=call)
    server = Server(Served._registry, path, KEY, 'pickle')
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def end():
        server.end()
        thread.join()

    return end


class Answer:
    """What a call returned, for the one that asked."""

    def __init__(self, value):
        self._value = value

    def value(self):
        return self._value


Line.register('call')


class Remote:
    """A tenant's cloud at the other end of the line."""

    def __init__(self, line, asker):
        self._line = line
        self._asker = asker

    def __getattr__(self, name):
        def ask(*args, **kwargs):
            asker = self._asker
            return self._line.call(
                asker.project_id, asker.user_id, name, args, kwargs
            ).value()

        return ask


class RemoteOpener(base.CloudOpener):
    scopes = ('zone', 'rack', 'host')
    named_scopes = ('zone',)

    def __init__(self, path):
        self._line = Line(path, KEY)
        self._line.connect()

    def open(self, context):
        return Remote(self._line, context)

    def entrust(self, context):
        return self._ask('entrust', context)

    def trusted(self, *whom):
        return self._ask('trusted', *whom)

    def end_trust(self, trust_id):
        self._ask('end_trust', trust_id)

    def release_holds(self, hold_ids):
        self._ask('release_holds', list(hold_ids))

    def missing_holds(self, hold_ids):
        return self._ask('missing_holds', list(hold_ids))

    def hold_again(self, *what):
        self._ask('hold_again', *what)

    def _ask(self, name, *args):
        return self._line.call(None, None, name, args, {}).value()


class SuicidalWriter(writer.Writer):
    """Kills its process when the n-th task is written down as done.

    Right before that, or right after; with it, those that are written in the
    same moment.
    """

    at = None  # number and 'before' or 'after'
    count = 0

    def tell(self, news):
        done = sum(
            each.event is not None and each.event[1] == 'done' for each in news
        )
        ours = range(SuicidalWriter.count + 1, SuicidalWriter.count + done + 1)
        SuicidalWriter.count += done
        self._die('before', ours)
        super().tell(news)
        self._die('after', ours)

    def _die(self, moment, numbers):
        if self.at and self.at[0] in numbers and self.at[1] == moment:
            os.kill(os.getpid(), signal.SIGKILL)


class SuicidalStore(db.Store):
    def writer(self, lease):
        made = super().writer(lease)
        return SuicidalWriter(made._database, made.lease, made._clock)


def begin(at, *arguments):
    """Start a process that dies at a moment; ``arguments`` as for main."""
    process = forks.process(kill_itself, at, *arguments)
    process.start()
    return process


def begin_work(*arguments):
    """Start a process that works for a board; ``arguments`` as for work."""
    process = forks.process(work, *arguments)
    process.start()
    return process


def work(path, database, configuration):
    """Do the jobs of a board, until somebody kills the process."""
    service = assemble(path, database)
    worker.Worker(
        service.engine,
        jobs.Jobs(configuration, LEASE_SECONDS),
        at_once=1,
        poll_seconds=0.02,
    ).run()


def kill_itself(at, *arguments):
    SuicidalWriter.at = at
    deploy.db.Store = SuicidalStore
    main(*arguments)


def assemble(path, database):
    return deploy.assemble(
        RemoteOpener(path),
        database=database,
        settings=engine_base.Settings(
            threads=4, poll_interval=0.01, lease_seconds=LEASE_SECONDS
        ),
    )


def main(path, database, cluster, document=documents.SMALL):
    service = assemble(path, database)
    asker = context.Context('alpha', 'ann')
    service.create(asker, document, cluster_id=cluster)
    service.engine.join(cluster)
    print(service.show(asker, cluster)['status'])


if __name__ == '__main__':
    main(*sys.argv[1:])
