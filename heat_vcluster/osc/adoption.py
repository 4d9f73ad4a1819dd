# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster adopt and release."""

from __future__ import annotations

import argparse

from osc_lib.cli import parseractions

from heat_vcluster.osc import base, columns, follow


class Adopt(base.ShowOne):
    """Bring servers and volumes that are there under a cluster

    Each member of the document is named (--member): it has to be what the
    document says, and the strict rules have to hold where all of them are.
    Then the cluster is as one that was built of the document: its delete
    removes the servers too ("release" leaves them alone). If anything is
    against it, nothing is changed. --dry-run tells what would be found.
    """

    EXAMPLES = """\
  openstack vcluster adopt -f db.yaml --member db=old-db --member data=vol-7
      a server and a volume, as the members db and data of db.yaml

  openstack vcluster adopt -f pair.yaml --member a=x --member b=y --dry-run
      whether they are what the document says, and which rules hold

  openstack vcluster adopt -f pair.yaml --member a=x --member b=y --drifted
      also if rules do not hold; "repair" moves the servers then
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_file(parser, self._formatter_plugins.names())
        parser.add_argument(
            'name',
            metavar='<name>',
            nargs='?',
            help='Name of the cluster; by default that of the document',
        )
        parser.add_argument(
            '--member',
            dest='members',
            metavar='<member>=<server or volume>',
            action=parseractions.KeyValueAction,
            help='Which server or volume (name or ID) a member of the '
            'document is (repeat for each)',
        )
        parser.add_argument(
            '--drifted',
            action='store_true',
            help='Also if strict rules do not hold where they are',
        )
        parser.add_argument(
            '--id',
            metavar='<uuid>',
            help='ID of your choice: the command repeated with the same ID '
            'is the same cluster',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Only say what would be found',
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until the cluster is ACTIVE; fail if it is not to be',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        document = base.document(parsed_args.file)
        members = parsed_args.members or {}
        if parsed_args.dry_run:
            return columns.of_view(
                self.vcluster.plan_adoption(document, members)
            )
        view = self.vcluster.adopt(
            document,
            members,
            allow_drifted=parsed_args.drifted,
            cluster_id=parsed_args.id,
            name=parsed_args.name,
        )
        if parsed_args.wait:
            view = follow.until_built(self.vcluster, view['id'], self.progress)
        return columns.of_view(view)


class Release(base.Command):
    """Give a cluster up, and leave its members alone

    Servers, volumes and networks go on as they are, under no rules; whoever
    made them, they are as if made by hand from now on.
    """

    EXAMPLES = """\
  openstack vcluster release shop --wait
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until the cluster is no more',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        cluster_id = self.find(parsed_args.cluster)
        self.vcluster.release(cluster_id)
        if parsed_args.wait:
            follow.until_gone(self.vcluster, cluster_id, self.progress)
