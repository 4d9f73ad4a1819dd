# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster topology show."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heat_vcluster.osc import base, drawing, tree


class ShowTopology(base.ShowOne):
    """Draw the racks and hosts of a cluster, with its members

    Only what the cluster uses is drawn. The names of racks and hosts are no
    real ones; those of another cluster are others.
    """

    EXAMPLES = """\
  openstack vcluster topology show shop
  openstack vcluster topology show shop --svg shop.svg
      a picture for a web browser as well, with the rules in colours
  openstack vcluster topology show shop -f json
      the same for programs
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            '--svg',
            type=Path,
            metavar='<file>',
            help='Write a picture to this file, too',
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Sequence[Any]]:
        cluster_id = self.find(parsed_args.cluster)
        self._topology = self.vcluster.topology(cluster_id)
        self._members = {
            member['member']: member
            for member in self.vcluster.members(cluster_id)
        }
        if parsed_args.svg:
            picture = drawing.draw(cluster_id, self._topology, self._members)
            parsed_args.svg.write_text(picture, encoding='utf-8')
        return [*self._topology], [*self._topology.values()]

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Any,
    ) -> int:
        """Draw where others have a table, unless columns are asked for."""
        if parsed_args.formatter != 'table' or parsed_args.columns:
            code: int = super().produce_output(parsed_args, column_names, data)
            return code
        for line in tree.lines(self._topology, self._members):
            print(line, file=self.app.stdout)
        return 0
