# SPDX-License-Identifier: Apache-2.0
"""The processes of a whole installation, on the fake cloud of a test.

Each reaches the cloud, which lives on in the process of the test, by a
socket; see ``tests.functional.doomed``.
"""

import dataclasses
import multiprocessing
import threading

from heat_vcluster import deploy
from heat_vcluster.api import app
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import jobs, worker
from heat_vcluster.wsgi import server
from tests import forks
from tests.functional import api, doomed

AT_ONCE = 4
SETTINGS = engine_base.Settings(
    threads=8,
    operations=AT_ONCE,
    poll_interval=0.01,
    removal_timeout=20.0,
    watch_interval=0.5,
    create_timeout=600.0,
)


def begin_api(*arguments):
    """Start an API; return its process, and the address it listens on."""
    here, there = multiprocessing.Pipe()
    process = begin(serve, there, *arguments)
    return process, here.recv()


def begin_engine(*arguments):
    return begin(work, *arguments)


def begin(what, *arguments):
    process = forks.process(what, *arguments, daemon=True)
    process.start()
    return process


def settings(lease_seconds):
    return dataclasses.replace(SETTINGS, lease_seconds=lease_seconds)


def line(configuration, lease_seconds):
    """Return one to a board; claims last not as long as leases."""
    return jobs.Jobs(configuration, lease_seconds * 2 / 3)


def serve(told, path, database, configuration, lease_seconds):
    service = deploy.assemble(
        doomed.RemoteOpener(path),
        database=database,
        settings=settings(lease_seconds),
        board=line(configuration, lease_seconds),
    )
    door = server.Server(
        app.make_app(service, api.configured()),
        '127.0.0.1',
        0,
        threads=8,
        stop_seconds=1,
    )
    door.start()
    told.send(door.address)
    threading.Event().wait()


def work(path, database, configuration, lease_seconds):
    service = deploy.assemble(
        doomed.RemoteOpener(path),
        database=database,
        settings=settings(lease_seconds),
    )
    worker.Worker(
        service.engine,
        line(configuration, lease_seconds),
        at_once=AT_ONCE,
        poll_seconds=0.02,
    ).run()
