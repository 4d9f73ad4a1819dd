# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage quota: what one project may have, shown and set."""

from __future__ import annotations

import argparse
from typing import Any

from oslo_config import cfg

from heat_vcluster import deploy
from heat_vcluster.cmd import db as commands_db
from heat_vcluster.db import usage

SHOW = """\
Shows what a project may have, whether that is its own limit or the one of
all ([quota] in the configuration), and what it has.

  vcluster-manage quota show 7f1e0d5c2b6a4c3e9a8b7c6d5e4f3a2b
"""
SET = """\
Limits one project. A number, -1 for any number, or "default" for what
[quota] in the configuration says. It counts at once, for all processes.

  vcluster-manage quota set 7f1e0d5c2b6a4c3e9a8b7c6d5e4f3a2b --clusters 20
  vcluster-manage quota set 7f1e0d5c2b6a4c3e9a8b7c6d5e4f3a2b --clusters default
"""
DEFAULT = 'default'
PROJECT_LENGTH = 64  # as in the tables


def add(commands: Any) -> None:
    """Add the commands to argparse's collection of them."""
    quota = commands.add_parser(
        'quota',
        help='what one project may have: show it, or set it',
        description='What one project may have; "quota set --help" tells '
        'more.',
    )
    actions = quota.add_subparsers(required=True, metavar='ACTION')
    shows = commands_db.command(
        actions, 'show', 'show the limits of a project', show, SHOW
    )
    sets = commands_db.command(
        actions, 'set', 'set limits of a project', change, SET
    )
    for parser in (shows, sets):
        parser.add_argument('project', type=_project, metavar='PROJECT_ID')
    for resource in usage.RESOURCES:
        sets.add_argument(
            '--' + resource.replace('_', '-'),
            type=_amount,
            default=argparse.SUPPRESS,
            metavar='N',
            help=f'{resource.replace("_", " ")}: a number, -1 or "{DEFAULT}"',
        )


def show(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    store = commands_db.record(conf)
    own = store.get_limits(arguments.project)
    limits = deploy.quota_of(conf).limits(own)
    used = store.count_usage(arguments.project)
    print(f'{"resource":<12} {"limit":>8} {"used":>8}  set for')
    for resource in usage.RESOURCES:
        print(
            f'{resource:<12} {limits[resource]:>8} {used[resource]:>8}  '
            f'{"this project" if resource in own else "all"}'
        )


def change(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    """Set what is given, then show all; raises ValueError for nothing."""
    given = vars(arguments)
    wanted = {name: given[name] for name in usage.RESOURCES if name in given}
    if not wanted:
        raise ValueError('nothing to set; see --help')
    store = commands_db.record(conf)
    for resource, amount in wanted.items():
        store.set_limit(arguments.project, resource, amount)
    show(arguments, conf)


def _amount(text: str) -> int | None:
    """Read a limit; None for that of all projects."""
    if text == DEFAULT:
        return None
    return commands_db.whole(text, usage.UNLIMITED, usage.MOST)


def _project(text: str) -> str:
    """Read a project's id, as keystone may have made it."""
    is_id = text.isprintable() and ' ' not in text
    if not is_id or not 0 < len(text) <= PROJECT_LENGTH:
        raise argparse.ArgumentTypeError(f'not the id of a project: {text!r}')
    return text
