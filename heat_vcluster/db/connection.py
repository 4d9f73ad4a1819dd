# SPDX-License-Identifier: Apache-2.0
"""How to reach the database so that threads, processes and forks are safe.

Nothing connects before the first use. SQLite is put into WAL mode, so that
readers never wait; its writers take their turn at BEGIN and not halfway.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa

from heat_vcluster import exception

P = ParamSpec('P')
R = TypeVar('R')

BUSY_SECONDS = 30
#: So often a transaction is tried that others keep in the way of.
ATTEMPTS = 8
ATTEMPT_SECONDS = 0.05
#: How MariaDB and PostgreSQL say that one was given up for another's sake.
VICTIM = (1020, 1213, '40001', '40P01')
_WRITE = {'vcluster_write': True}
#: What else can come of a database that is not what it should be.
ERRORS = (sa.exc.SQLAlchemyError, OSError, ValueError, ImportError)


class Database:
    """A database behind a URL; ``reading`` and ``writing`` lend connections.

    Each is one transaction: committed at the end, rolled back on an error.
    Both raise ServiceUnavailable if the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == 'sqlite'
        self.is_in_memory = self.is_sqlite and (
            self.url.database in (None, '', ':memory:')
        )
        #: SQLite opens such a name by its own rules, where it says "uri".
        is_uri = str(self.url.database).startswith('file:')
        self.has_file = self.is_sqlite and not self.is_in_memory and not is_uri
        self.engine: Any = _open(self)
        _databases.add(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        with _answering(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Any]:
        with (
            _answering(),
            self.engine.connect() as plain,
            plain.execution_options(**_WRITE) as connection,
            connection.begin(),
        ):
            yield connection

    def is_missing(self) -> bool:
        """Tell a SQLite file that is not there; to connect would make it."""
        return self.has_file and not os.path.exists(self.url.database)

    def close(self) -> None:
        """Close all idle connections; the next use opens new ones."""
        self.engine.dispose()

    def forget(self) -> None:
        """Leave a parent's connections alone, in a fresh child process.

        They must be neither used nor closed here: both would disturb the
        parent. So they are kept referenced until the process ends.
        """
        if not self.is_in_memory:
            _inherited.append(self.engine.pool)
            self.engine.dispose(close=False)


def check_url(url: str) -> None:
    """Raise ValueError if no database can be behind it.

    The message does not tell the URL: it may have a password.
    """
    if '\0' in url:
        raise ValueError('it has a NUL in it')
    try:
        parts = sa.make_url(url)
        parts.get_dialect().import_dbapi()
        sa.create_engine(parts)  # which reads what stands behind the "?"
    except sa.exc.NoSuchModuleError as error:
        raise ValueError(
            f'SQLAlchemy knows no {parts.drivername!r}'
        ) from error
    except ImportError as error:
        raise ValueError(
            f'what {parts.drivername!r} takes is not installed: {error}'
        ) from error
    except (sa.exc.ArgumentError, TypeError, ValueError) as error:
        raise ValueError('it is no URL as SQLAlchemy takes it') from error


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Tell a database that is away, or too busy, from our own mistakes."""
    try:
        yield
    except (
        sa.exc.OperationalError,
        sa.exc.InterfaceError,
        sa.exc.TimeoutError,
        OSError,  # of the file
    ) as error:
        raise exception.ServiceUnavailable(
            'The database does not answer'
        ) from error


def again(write: Callable[P, R]) -> Callable[P, R]:
    """Repeat a whole transaction that a database gave up for another's sake.

    Of two that wait for each other MariaDB and PostgreSQL end one, and
    expect it to be repeated. Its arguments are read each time.
    """

    @functools.wraps(write)
    def persist(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS):
            try:
                return write(*args, **kwargs)
            except exception.ServiceUnavailable as error:
                if not _is_victim(error.__cause__):
                    raise
            time.sleep(random.random() * attempt * ATTEMPT_SECONDS)  # noqa: S311
        return write(*args, **kwargs)

    return persist


def _is_victim(error: BaseException | None) -> bool:
    told = getattr(error, 'orig', None)
    code = getattr(told, 'pgcode', None) or next(
        iter(getattr(told, 'args', ())), None
    )
    return code in VICTIM


def _open(database: Database) -> Any:
    if not database.is_sqlite:
        return sa.create_engine(
            database.url,
            # PostgreSQL's own; in MariaDB's nobody waits for rows that are
            # not there, and reads see what others have committed.
            isolation_level='READ COMMITTED',
            pool_pre_ping=True,
            pool_recycle=1800,
            pool_size=10,
            max_overflow=20,
        )
    # A database in memory is one connection: its users take turns.
    size, overflow = (1, 0) if database.is_in_memory else (10, -1)
    engine = sa.create_engine(
        database.url,
        connect_args={'check_same_thread': False, 'timeout': BUSY_SECONDS},
        poolclass=sa.pool.QueuePool,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=BUSY_SECONDS,
    )
    if database.has_file:
        sa.event.listen(engine, 'do_connect', _make_private)
    sa.event.listen(engine, 'connect', _prepare_sqlite)
    sa.event.listen(engine, 'begin', _begin_sqlite)
    return engine


def _make_private(
    dialect: Any, record: Any, arguments: Any, options: Any
) -> None:
    """Make the file before SQLite does: documents may hold secrets.

    One that is there must not even be opened: closing it again would drop
    the locks of all connections of this process (POSIX has it so), and the
    next process to leave the database would take its log along.
    """
    path = arguments[0]
    os.makedirs(os.path.dirname(path) or '.', mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(raw: Any, record: Any) -> None:
    raw.isolation_level = None  # our own BEGIN, see _begin_sqlite
    raw.execute(f'PRAGMA busy_timeout = {BUSY_SECONDS * 1000}')
    _turn_on_wal(raw)
    raw.execute('PRAGMA synchronous = NORMAL')
    raw.execute('PRAGMA foreign_keys = ON')


def _turn_on_wal(raw: Any) -> None:
    """Switch to WAL; a no-op but for the very first connection of all.

    SQLite does not wait for others by itself when it changes the mode.
    """
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute('PRAGMA journal_mode = WAL')
        except sqlite3.OperationalError as error:
            if 'locked' not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Any) -> None:
    if connection.get_execution_options().get('vcluster_write'):
        connection.exec_driver_sql('BEGIN IMMEDIATE')
    else:
        connection.exec_driver_sql('BEGIN')


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_inherited: list[Any] = []


def _forget_all() -> None:
    for database in list(_databases):
        database.forget()


os.register_at_fork(after_in_child=_forget_all)
