# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage db, purge: the record's tables, and what it may forget."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from heat_vcluster import conf as configuration
from heat_vcluster import deploy, exception
from heat_vcluster.cmd import config_file
from heat_vcluster.db import api as db
from heat_vcluster.db import connection, migration

DESCRIPTION = """\
The tables of the record, in the database that [database]/connection names.
Every process brings them up to date by itself when it first uses them; with
these commands it is done, and seen, beforehand.

  vcluster-manage db sync       bring the tables to what this release needs
  vcluster-manage db version    tell at which revision they are

vcluster-status upgrade check tells whether there is anything to do.
"""
PURGE = """\
Forgets clusters that were deleted at least so many days ago, with their
members and events. Nothing in the cloud is touched: of a deleted cluster
nothing is left there. Their ids could then be used again.

  vcluster-manage purge --older-than 90
"""
FAILED = 1
#: Of a hundred years: no cluster is older.
MOST_DAYS = 36500
NO_TABLES = 'none'

Run = Callable[[argparse.Namespace, cfg.ConfigOpts], None]


def add(commands: Any) -> None:
    """Add the commands to argparse's collection of them."""
    tables = commands.add_parser(
        'db',
        help="the record's tables: bring them up to date, or tell if they are",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = tables.add_subparsers(required=True, metavar='ACTION')
    command(actions, 'sync', 'bring the tables up to date', sync)
    command(actions, 'version', 'tell the revision of the tables', version)
    forgets = command(
        commands, 'purge', 'forget deleted clusters', purge, PURGE
    )
    forgets.add_argument(
        '--older-than',
        type=_days,
        required=True,
        metavar='DAYS',
        help='those deleted at least so many days ago; 0: all of them',
    )


def command(
    commands: Any, name: str, text: str, run: Run, description: str = ''
) -> argparse.ArgumentParser:
    """Add a command that needs the configuration; it prints its answer."""
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=description or f'{text[0].upper()}{text[1:]}.',
        epilog=config_file.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config_file.add_option(added)

    def guarded(arguments: argparse.Namespace) -> int:
        try:
            conf = configuration.load(config_files=arguments.config_file)
            run(arguments, conf)
        except (*connection.ERRORS, exception.VClusterError) as error:
            print(f'{added.prog}: {words(error)}', file=sys.stderr)
            return FAILED
        return 0

    added.set_defaults(run=guarded)
    return added


def words(error: BaseException) -> str:
    """Say in one line what is wrong, with what the database itself says."""
    is_away = isinstance(error, exception.ServiceUnavailable)
    cause = (is_away and error.__cause__) or error
    said = getattr(cause, 'orig', None) or cause
    told = f'{error} ({said})' if is_away else f'{said}'
    hint = '' if said is error else '; see [database]/connection'
    return ' '.join(f'{told}{hint}'.split())


def sync(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    database = connection.Database(deploy.database_url(conf))
    migration.upgrade(database)
    print(migration.current(database))


def version(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    database = connection.Database(deploy.database_url(conf))
    print(migration.current(database) or NO_TABLES)


def purge(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    store = record(conf)
    before = datetime.datetime.now(datetime.UTC) - arguments.older_than
    print(f'{store.purge(before)} clusters forgotten')


def record(conf: cfg.ConfigOpts) -> db.Store:
    """Return the record; raises ValueError where a file is named in vain.

    An empty one made in its place would tell of no clusters at all.
    """
    url = deploy.database_url(conf)
    database = connection.Database(url)
    if database.is_missing():
        raise ValueError(
            f'there is no database {database.url.database}; "vcluster-manage '
            'db sync" makes one'
        )
    return db.Store(url)


def _days(text: str) -> datetime.timedelta:
    """Read a number of days, from 0 on."""
    return datetime.timedelta(days=whole(text, 0, MOST_DAYS))


def whole(text: str, least: int, most: int) -> int:
    """Read a number; argparse tells what ArgumentTypeError says."""
    digits = text.removeprefix('-')
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 20
    if not is_number or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f'not a whole number from {least} to {most}: {text!r}'
        )
    return int(text)
