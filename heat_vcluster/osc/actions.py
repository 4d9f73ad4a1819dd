# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster check: what is done about a cluster that is built."""

from __future__ import annotations

import argparse

from heat_vcluster import client, states
from heat_vcluster.osc import base, columns, follow

#: The exit code that tells a cluster which is not as it should be.
NOT_COMPLIANT = 2


class Action(base.ShowOne):
    """A verb on one cluster that takes its time."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until it is done; fail if it could not be',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        cluster_id = self.find(parsed_args.cluster)
        view = self.begin(cluster_id, parsed_args)
        if parsed_args.wait:
            view = follow.until_settled(
                self.vcluster, cluster_id, self.progress
            )
            self.told(view)
        return columns.of_view(view)

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        raise NotImplementedError

    def told(self, view: client.View) -> None:
        """Take note of what came of it, once it is over."""


class Check(Action):
    """Look what the members of a cluster are, and where

    Operators move servers; servers break, or are deleted behind the
    service's back. Afterwards "compliance" tells what was found: COMPLIANT;
    DRIFTED, if a rule does not hold where members are now; DEGRADED, if a
    member is not what it should be. With --wait the command fails (code 2)
    unless the cluster is COMPLIANT.
    """

    EXAMPLES = """\
  openstack vcluster check shop --wait
  openstack vcluster check shop --wait -f json -c compliance
"""

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._is_compliant = True
        return super().run(parsed_args) or int(
            not self._is_compliant and NOT_COMPLIANT
        )

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.check(cluster_id)

    def told(self, view: client.View) -> None:
        found = view['compliance']
        self._is_compliant = found['status'] == states.Compliance.COMPLIANT
