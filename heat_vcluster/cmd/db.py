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
        except (exception.VClusterError, ValueError, ImportError) as error:
            print(f'{added.prog}: {error}', file=sys.stderr)
            return FAILED
        return 0

    added.set_defaults(run=guarded)
    return added


def sync(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    database = connection.Database(deploy.database_url(conf))
    revision = migration.current(database)
    if not migration.is_known(revision):
        raise exception.InvalidConfiguration(
            f'the tables are at {revision}, of a later release'
        )
    migration.upgrade(database)
    print(migration.current(database))


def version(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    database = connection.Database(deploy.database_url(conf))
    print(migration.current(database) or NO_TABLES)


def purge(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    store = db.Store(deploy.database_url(conf))
    before = datetime.datetime.now(datetime.UTC) - arguments.older_than
    print(f'{store.purge(before)} clusters forgotten')


def _days(text: str) -> datetime.timedelta:
    """Read a number of days, from 0 on."""
    days = datetime.timedelta(days=int(text))
    if days < datetime.timedelta():
        raise ValueError(text)
    return days
