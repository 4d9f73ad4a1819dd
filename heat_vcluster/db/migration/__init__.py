# SPDX-License-Identifier: Apache-2.0
"""How the tables come to be, step by step, by alembic."""

from __future__ import annotations

import contextlib
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import command, script
from alembic import config as alembic_config
from alembic.runtime import migration as runtime

from heat_vcluster import exception
from heat_vcluster.db import connection as db_connection

_LOCK_NAME = 'heat_vcluster.migration'
_LOCK_NUMBER = 0x76636C75  # 'vclu'

# Alembic keeps the migration at work in globals of its modules.
_one_at_a_time = threading.Lock()


def _renew_lock() -> None:
    """A child may be forked while another thread of its parent migrates."""
    global _one_at_a_time
    _one_at_a_time = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def make_config() -> Any:
    """Return alembic's configuration: where the steps are."""
    config = alembic_config.Config()
    config.set_main_option(
        'script_location', str(pathlib.Path(__file__).parent)
    )
    config.set_main_option('path_separator', 'os')
    return config


def upgrade(database: db_connection.Database, revision: str = 'head') -> None:
    """Bring the tables to a revision; other processes wait meanwhile.

    Raises InvalidConfiguration for tables of a later release.
    """
    with _one_at_a_time, _only_process(database) as connection:
        _check(_revision(connection))
        config = make_config()
        config.attributes['connection'] = connection
        command.upgrade(config, revision)


def current(database: db_connection.Database) -> str | None:
    """Return the revision the tables are at; None: there are none yet.

    Nothing is made, not even a file. Raises InvalidConfiguration for tables
    that are at several.
    """
    if database.is_missing():
        return None
    with database.reading() as connection:
        return _revision(connection)


def _revision(connection: Any) -> str | None:
    found = runtime.MigrationContext.configure(connection)
    heads: tuple[str, ...] = found.get_current_heads()
    if len(heads) > 1:
        raise exception.InvalidConfiguration(
            f'the tables are at {" and ".join(heads)} at once: they are not '
            'those of this service, or damaged'
        )
    return next(iter(heads), None)


def _check(revision: str | None) -> None:
    if not is_known(revision):
        raise exception.InvalidConfiguration(
            f'the tables are at {revision}, of a later release than this '
            f'one, which knows {newest()}: run that release'
        )


def newest() -> str:
    """Return the revision that this release needs."""
    found: str | None = _steps().get_current_head()
    return str(found)


def is_known(revision: str | None) -> bool:
    """Tell a revision that this release can start from; None: no tables."""
    known = {step.revision for step in _steps().walk_revisions()}
    return revision is None or revision in known


def _steps() -> Any:
    return script.ScriptDirectory.from_config(make_config())


@contextlib.contextmanager
def _only_process(database: db_connection.Database) -> Iterator[Any]:
    """Lend a connection in a transaction, to one process at a time.

    SQLite: the write transaction is itself the lock, and holds the DDL.
    """
    with database.writing() as connection:
        backend = database.url.get_backend_name()
        if backend == 'postgresql':
            connection.execute(
                sa.text('SELECT pg_advisory_xact_lock(:n)'),
                {'n': _LOCK_NUMBER},
            )
        if backend in ('mysql', 'mariadb'):
            with _mysql_lock(connection):
                yield connection
        else:
            yield connection


@contextlib.contextmanager
def _mysql_lock(connection: Any) -> Iterator[None]:
    connection.execute(
        sa.text('SELECT GET_LOCK(:name, 300)'), {'name': _LOCK_NAME}
    )
    try:
        yield
    finally:
        connection.execute(
            sa.text('SELECT RELEASE_LOCK(:name)'), {'name': _LOCK_NAME}
        )
