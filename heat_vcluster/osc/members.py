# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster member list and show."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from heat_vcluster.osc import base, columns

COLUMNS = {
    'member': 'Member',
    'type': 'Type',
    'status': 'Status',
    'id': 'ID',
    'addresses': 'Addresses',
    'domains': 'Where',
}


class ListMembers(base.Lister):
    """List the members of a cluster, in the order of its document"""

    EXAMPLES = """\
  openstack vcluster member list shop
  openstack vcluster member list shop -f value -c Member -c Addresses
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        found = self.vcluster.members(self.find(parsed_args.cluster))
        return columns.of_views(found, COLUMNS)


class ShowMember(base.ShowOne):
    """Show a member of a cluster"""

    EXAMPLES = """\
  openstack vcluster member show shop db-0
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            'member', metavar='<member>', help='Its name in the document'
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        cluster_id = self.find(parsed_args.cluster)
        return columns.of_view(
            self.vcluster.member(cluster_id, parsed_args.member)
        )
