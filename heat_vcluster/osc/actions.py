# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster check, heal, repair, stop, start, suspend, resume."""

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


class Judged(Action):
    """One after which the cluster should be COMPLIANT."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._is_compliant = True
        return super().run(parsed_args) or int(
            not self._is_compliant and NOT_COMPLIANT
        )

    def told(self, view: client.View) -> None:
        found = view['compliance']
        self._is_compliant = found['status'] == states.Compliance.COMPLIANT


class Check(Judged):
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

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.check(cluster_id)


class Stop(Action):
    """Stop the servers of a cluster

    What depends on a server is stopped before it. If one cannot be stopped,
    those that are stay so; the command repeated goes on.
    """

    EXAMPLES = """\
  openstack vcluster stop shop --wait
"""

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.stop(cluster_id)


class Start(Action):
    """Start the servers of a cluster

    What a server depends on is started before it.
    """

    EXAMPLES = """\
  openstack vcluster start shop --wait
"""

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.start(cluster_id)


class Suspend(Action):
    """Suspend the servers of a cluster

    What depends on a server is suspended before it.
    """

    EXAMPLES = """\
  openstack vcluster suspend shop --wait
"""

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.suspend(cluster_id)


class Resume(Action):
    """Resume the servers of a cluster

    What a server depends on is resumed before it.
    """

    EXAMPLES = """\
  openstack vcluster resume shop --wait
"""

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.resume(cluster_id)


class Heal(Judged):
    """Make servers of a cluster again that are gone or in ERROR

    In places that fit the rules with the other members where they really
    are. Volumes, ports and addresses are kept. If it cannot be done, the
    cluster stays as it was, and the reason is told. With --wait the command
    fails (code 2) unless the cluster is COMPLIANT in the end.
    """

    EXAMPLES = """\
  openstack vcluster heal shop --wait
"""

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.heal(cluster_id)


class Repair(Judged):
    """Move servers of a cluster until all its strict rules hold

    As few as can be, one after the other, in an order in which no rule is
    ever broken more than before. The cloud has to allow it to the service.
    With --wait the command fails (code 2) unless the cluster is COMPLIANT in
    the end.
    """

    EXAMPLES = """\
  openstack vcluster repair shop --dry-run
      which servers would be moved, from where to where

  openstack vcluster repair shop --wait

  openstack vcluster repair shop --rebuild --wait
      where moves are not allowed, and the servers have nothing to lose
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            '--cold',
            action='store_true',
            help='Servers may be off while they move; by default they move '
            'live',
        )
        how.add_argument(
            '--rebuild',
            action='store_true',
            help='Instead of moving servers, make them again: their volumes, '
            'ports and addresses stay, what is on their own disks is lost',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Only say which would be moved',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        if not parsed_args.dry_run:
            return super().take_action(parsed_args)
        cluster_id = self.find(parsed_args.cluster)
        return columns.of_view(self.vcluster.plan_repair(cluster_id))

    def begin(
        self, cluster_id: str, parsed_args: argparse.Namespace
    ) -> client.View:
        return self.vcluster.repair(
            cluster_id, cold=parsed_args.cold, rebuild=parsed_args.rebuild
        )
