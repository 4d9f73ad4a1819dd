# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster event list."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from heat_vcluster.osc import base, columns, follow

COLUMNS = {
    'id': 'ID',
    'at': 'At',
    'member': 'Member',
    'kind': 'Kind',
    'message': 'Message',
}


class ListEvents(base.Lister):
    """List what happened to a cluster, oldest first"""

    EXAMPLES = """\
  openstack vcluster event list shop
  openstack vcluster event list shop --follow
      until the cluster is ACTIVE, ERROR or gone, each as it happens
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            '--after',
            type=int,
            default=0,
            metavar='<event>',
            help='Only those after the event with this ID',
        )
        parser.add_argument(
            '--limit', type=int, metavar='<number>', help='At most so many'
        )
        parser.add_argument(
            '--follow',
            action='store_true',
            help='Go on with what happens until the cluster settles',
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        cluster_id, after = self.find(parsed_args.cluster), parsed_args.after
        found: Iterable[Any]
        if parsed_args.follow:
            found = follow.events(self.vcluster, cluster_id, after)
            found = itertools.islice(found, parsed_args.limit)
        else:
            found = self.vcluster.events(cluster_id, after, parsed_args.limit)
        return columns.of_views(found, COLUMNS)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Tell each at once, where a table would have to wait for the last."""
        if not parsed_args.follow or parsed_args.formatter != 'table':
            code: int = super().produce_output(parsed_args, column_names, data)
            return code
        for _, at, member, kind, message in data:
            line = f'{at}  {member or "-"}  {kind}: {message}'
            print(line, file=self.app.stdout, flush=True)
        return 0
