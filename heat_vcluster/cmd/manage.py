# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-manage: what an operator does from a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from heat_vcluster.cmd import db, orphans, quota, solve

DESCRIPTION = """\
Tools for the operator of heat_vcluster. Each command explains itself:

  vcluster-manage db --help
  vcluster-manage orphans --help
  vcluster-manage purge --help
  vcluster-manage quota --help
  vcluster-manage solve --help
"""
INTERRUPTED = 130  # as shells have it


class _Parser(argparse.ArgumentParser):
    """Exits with 1, bad input, where argparse's own code means another."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f'{self.prog}: {message}\n')


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print('vcluster-manage: interrupted', file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog='vcluster-manage',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for command in (db, orphans, quota, solve):
        command.add(commands)
    return parser


if __name__ == '__main__':
    sys.exit(main())
