# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster snapshot create, list, show, restore and delete."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from heat_vcluster.osc import base, columns, follow

COLUMNS = {
    'id': 'ID',
    'name': 'Name',
    'status': 'Status',
    'created_at': 'Created At',
}


class CreateSnapshot(base.ShowOne):
    """Copy what the members of a cluster have on their disks

    An image is made of each server that does not boot from a volume, and a
    snapshot of each volume; all of them, or none. Each disk is as if its
    power had failed, and they are not of one moment: stop the cluster first
    if its programs cannot make do with that.
    """

    EXAMPLES = """\
  openstack vcluster snapshot create shop --name before-upgrade --wait
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument('--name', metavar='<name>', help='Its name')
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until it is made; fail if it could not be',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        cluster_id = self.find(parsed_args.cluster)
        made = self.vcluster.create_snapshot(cluster_id, name=parsed_args.name)
        if parsed_args.wait:
            follow.until_settled(self.vcluster, cluster_id, self.progress)
            made = self.vcluster.snapshot(cluster_id, made['id'])
        return columns.of_snapshot(made)


class ListSnapshots(base.Lister):
    """List the snapshots of a cluster, the oldest first"""

    EXAMPLES = """\
  openstack vcluster snapshot list shop
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        found = self.vcluster.snapshots(self.find(parsed_args.cluster))
        return columns.of_views(found, COLUMNS)


class ShowSnapshot(base.ShowOne):
    """Show a snapshot of a cluster

    Its document makes another such cluster.
    """

    EXAMPLES = """\
  openstack vcluster snapshot show shop 0f0c63ba-4b0e-4f0c-9d3b-2f6a5a3f6c11
  openstack vcluster snapshot show shop "$id" -f value -c document |
    openstack vcluster create -f - shop-copy --wait
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_snapshot(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        cluster_id = self.find(parsed_args.cluster)
        return columns.of_snapshot(
            self.vcluster.snapshot(cluster_id, parsed_args.snapshot)
        )


class RestoreSnapshot(base.ShowOne):
    """Let a cluster become again what it was at a snapshot

    All that is in it is made anew, beside what is there, which goes once
    all that is new is ready. If anything fails, the cluster is exactly what
    it was, and says why.
    """

    EXAMPLES = """\
  openstack vcluster snapshot restore shop "$id" --wait
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_snapshot(parser)
        parser.add_argument(
            '--timeout',
            metavar='<seconds>',
            type=int,
            help='Seconds after which an unfinished restore is taken back',
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until it is over; fail if it has failed',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        cluster_id = self.find(parsed_args.cluster)
        view = self.vcluster.restore(
            cluster_id, parsed_args.snapshot, timeout=parsed_args.timeout
        )
        if parsed_args.wait:
            view = follow.until_built(self.vcluster, cluster_id, self.progress)
        return columns.of_view(view)


class DeleteSnapshot(base.Command):
    """Delete a snapshot of a cluster with all that it is made of"""

    EXAMPLES = """\
  openstack vcluster snapshot delete shop "$id" --wait
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_snapshot(parser)
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until nothing is left of it; fail if something is',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        cluster_id = self.find(parsed_args.cluster)
        self.vcluster.delete_snapshot(cluster_id, parsed_args.snapshot)
        if parsed_args.wait:
            follow.until_settled(self.vcluster, cluster_id, self.progress)


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    base.add_cluster(parser)
    parser.add_argument(
        'snapshot', metavar='<snapshot>', help='ID of the snapshot'
    )
