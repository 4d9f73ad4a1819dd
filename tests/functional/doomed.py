# SPDX-License-Identifier: Apache-2.0
"""A process of its own that builds a cluster, for a test to kill.

The cloud lives in the process of the test and is reached through a socket:
what the dead one has made there stays. Run as ``python -m
tests.functional.doomed SOCKET DATABASE CLUSTER``; or by ``begin``, which is
quicker and lets it kill itself at one of its tasks.
"""

import contextlib
import copy
import functools
import os
import pickle
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator

from heat_vcluster import context, db, deploy
from heat_vcluster.cloud import base
from heat_vcluster.cloud.fake import calls
from heat_vcluster.db import writer
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import jobs, worker
from tests import base as test_base
from tests import forks
from tests.functional import documents

LEASE_SECONDS = 1.0


class Server(socketserver.ThreadingUnixStreamServer):
    """Has the cloud of ``opener`` do what is asked, each call by itself."""

    request_queue_size = 128
    daemon_threads = True  # a call may be held up by a test
    block_on_close = False

    def __init__(self, opener, path):
        self.opener = opener
        self._under_way = 0
        self._changed = threading.Condition()
        super().__init__(path, Call)

    def process_request(self, request, client_address):
        with self._changed:
            self._under_way += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def rest(self, seconds):
        """Wait until every call that came is over: also those of the dead."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, seconds)


class Call(socketserver.StreamRequestHandler):
    """One call of somebody who may die at any moment."""

    def handle(self):
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            asked = pickle.load(self.rfile)
            pickle.dump(outcome(self.server.opener, *asked), self.wfile)


def outcome(opener, asker, name, args, kwargs):
    """Return what a call returned, and what it raised."""
    side = opener
    if asker is not None:
        side = opener.open(context.Context(*asker))
    try:
        value = getattr(side, name)(*args, **kwargs)
        # What is given one by one goes over the line all at once.
        return [*value] if isinstance(value, Iterator) else value, None
    except Exception as error:
        # Few errors can be made of their arguments again.
        return None, (type(error), error.args, vars(error))


def serve(opener, path):
    """Let others reach a cloud by a socket; return what ends that."""
    server = Server(opener, path)
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,), daemon=True
    )
    thread.start()

    def end():
        server.shutdown()
        server.server_close()
        thread.join()
        server.rest(test_base.PATIENCE)

    return end


def ask(path, asker, name, *args, **kwargs):
    """Call the cloud at the other end; ``asker`` None: as its operator."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        with line.makefile('rwb') as stream:
            pickle.dump((asker, name, args, kwargs), stream)
            stream.flush()
            value, raised = pickle.load(stream)
    if raised is None:
        return value
    kind, told, state = raised
    error = kind.__new__(kind, *told)
    vars(error).update(state)
    raise error


class Line:
    """The way to a cloud at the other end, with a check before each change.

    The process stops right before the check of the call that ``stops_at``
    names, about that member if there is one: a single time.
    """

    stops_at = None

    def __init__(self, path, check=lambda: None):
        self.path = path
        self._check = check

    def guarded(self, check):
        return Line(self.path, check)

    def ask(self, asker, name, *args, **kwargs):
        if name in (*calls.CHANGES, 'release_holds', 'hold_again'):
            self._stop_at(name, args)
            self._check()
        return ask(self.path, asker, name, *args, **kwargs)

    def _stop_at(self, name, args):
        owner = next(iter(args), None)
        called = (name, getattr(owner, 'member', None))
        if Line.stops_at in (called, (name, None)):
            Line.stops_at = None
            # To this thread: none of the others would stop it at once.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class Remote:
    """A tenant's cloud at the other end of the line."""

    def __init__(self, line, context):
        self._line = line
        self._asker = (context.project_id, context.user_id)

    def __getattr__(self, name):
        return functools.partial(self._line.ask, self._asker, name)


class RemoteOpener(base.CloudOpener):
    scopes = ('zone', 'rack', 'host')
    named_scopes = ('zone',)

    def __init__(self, path):
        self._line = Line(path)

    def guarded(self, check):
        guarded = copy.copy(self)
        guarded._line = self._line.guarded(check)
        return guarded

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
        return self._line.ask(None, name, *args)


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


def begin_and_stop(call, *arguments):
    """Start a process that stops before a call (see ``Line``)."""
    process = forks.process(stop_itself, call, *arguments)
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


def stop_itself(call, *arguments):
    Line.stops_at = call
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
