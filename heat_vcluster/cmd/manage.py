# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-manage: what an operator does from a shell."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

DESCRIPTION = """\
Tools for the operator of heat_vcluster. Each command explains itself:

  vcluster-manage db --help
  vcluster-manage orphans --help
  vcluster-manage purge --help
  vcluster-manage quota --help
  vcluster-manage solve --help
"""
# Command -> the module beside this one that has it.
COMMANDS = {
    'db': 'db',
    'orphans': 'orphans',
    'purge': 'db',
    'quota': 'quota',
    'solve': 'solve',
}
INTERRUPTED = 130  # as shells have it


class _Parser(argparse.ArgumentParser):
    """Exits with 1, bad input, where argparse's own code means another."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f'{self.prog}: {message}\n')


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser(_modules(words)).parse_args(words)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print('vcluster-manage: interrupted', file=sys.stderr)
        return INTERRUPTED


def _modules(words: Sequence[str]) -> Sequence[str]:
    """Return the module that is asked for; all, if that is none of them.

    Some load most of the service, which would take seconds for nothing.
    """
    asked = COMMANDS.get(words[0]) if words else None
    return list(dict.fromkeys(COMMANDS.values())) if asked is None else [asked]


def _parser(modules: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog='vcluster-manage',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for module in modules:
        importlib.import_module(f'heat_vcluster.cmd.{module}').add(commands)
    return parser


if __name__ == '__main__':
    sys.exit(main())
