# SPDX-License-Identifier: Apache-2.0
"""How services written for a database server share SQLite files.

oslo.db opens every transaction with a plain BEGIN. One that first reads and
then writes is refused at once by SQLite ("database is locked") when another
one wrote in between; no timeout helps. BEGIN IMMEDIATE takes the lock at the
start, where waiting does help.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

_HOLD = 'vcluster_devcloud_hold'
_held: dict[tuple[int, str], int] = {}
_anchors: dict[str, sqlite3.Connection] = {}
_guard = threading.Lock()


def serialize_transactions() -> None:
    """Hook into every engine of this process; call it before any is made."""
    event.listen(
        Engine, 'before_cursor_execute', _begin_immediately, retval=True
    )
    event.listen(Engine, 'commit', _release)
    event.listen(Engine, 'rollback', _release)
    event.listen(sqlalchemy.pool.Pool, 'checkin', _release_record)
    event.listen(sqlalchemy.pool.Pool, 'close', _forget)


def _begin_immediately(
    conn: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    executemany: bool,
) -> tuple[str, Any]:
    if statement != 'BEGIN' or conn.dialect.name != 'sqlite':
        return statement, parameters
    key = (threading.get_ident(), str(conn.engine.url.database))
    _anchor(key[1])
    with _guard:
        # A second, independent transaction of the same thread would wait
        # for the first one forever; most only read, which needs no lock.
        nested = _held.get(key, 0) > 0
        if not nested:
            _held[key] = 1
            conn.info[_HOLD] = key
    return ('BEGIN' if nested else 'BEGIN IMMEDIATE'), parameters


def _release(conn: Connection) -> None:
    _drop(conn.info)


def _release_record(dbapi_connection: Any, record: Any) -> None:
    _drop(record.info)


def _forget(dbapi_connection: Any, record: Any) -> None:
    _drop(record.info)


def _drop(notes: dict[Any, Any]) -> None:
    key = notes.pop(_HOLD, None)
    if key is not None:
        with _guard:
            _held.pop(key, None)


def _anchor(path: str) -> None:
    """Keep one connection open, so that the log outlives the others.

    oslo.db closes each connection after its transaction, and the last one to
    close would write the whole log back and delete it, every time.
    """
    if path in _anchors:
        return
    with _guard:
        if path not in _anchors:
            _anchors[path] = sqlite3.connect(path, check_same_thread=False)
            _anchors[path].execute('SELECT count(*) FROM sqlite_master')
