# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster plan, plan show and plan release."""

from __future__ import annotations

import argparse

from heat_vcluster.osc import base, columns

#: As ``vcluster-manage solve`` has them.
EXIT_CODES = {'feasible': 0, 'infeasible': 2, 'unknown': 3}


class Plan(base.ShowOne):
    """Say where everything would go, and build nothing

    The plan is the one that a create would make now. With --hold its room
    is held for so long, and "openstack vcluster create --plan ID" builds
    exactly that.

    Exit codes: 0, there is a plan; 2, it is proven that there is none; 3,
    the time for the search ran out; 1, anything else.
    """

    EXAMPLES = """\
  openstack vcluster plan -f web.yaml
      where each member would be; or which rules clash, and what would fit

  openstack vcluster plan -f web.yaml --hold 600 -f value -c id
      holds the room for ten minutes and prints the ID of the plan
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_file(parser, self._formatter_plugins.names())
        parser.add_argument(
            '--hold',
            type=int,
            metavar='<seconds>',
            help='Hold the room of the plan for so many seconds',
        )

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._verdict = 'feasible'
        return super().run(parsed_args) or EXIT_CODES[self._verdict]

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        document = base.document(parsed_args.file)
        self.progress.doing('planning')
        view = self.vcluster.plan(document, hold_seconds=parsed_args.hold)
        self._verdict = view['verdict']
        return columns.of_view(view)


class ShowPlan(base.ShowOne):
    """Show a plan whose room is held"""

    EXAMPLES = """\
  openstack vcluster plan show 6f1c1f0e-9d4d-4d5a-8c7b-0a52a9c3a1de
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_plan(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        return columns.of_view(self.vcluster.show_plan(parsed_args.plan))


class Release(base.Command):
    """Give back the room that is held for a plan"""

    EXAMPLES = """\
  openstack vcluster plan release 6f1c1f0e-9d4d-4d5a-8c7b-0a52a9c3a1de
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_plan(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.vcluster.release_plan(parsed_args.plan)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('plan', metavar='<plan>', help='ID of the plan')
