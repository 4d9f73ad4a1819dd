# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster create, list, show, set, unset and delete."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from osc_lib import exceptions
from osc_lib.cli import parseractions

from heat_vcluster import exception
from heat_vcluster.osc import base, columns, follow


class Create(base.ShowOne):
    """Build a cluster, all of it or nothing

    The members are placed together under the rules of the document, their
    room is held, and then they are built. Without --wait the command returns
    as soon as the service has recorded the cluster.
    """

    EXAMPLES = """\
  openstack vcluster create -f web.yaml --wait
      builds what web.yaml describes, and tells how each member comes on

  openstack vcluster create -f web.yaml shop --property owner=ann --tag test
      the same document again, as a cluster of another name

  openstack vcluster create --plan 6f1c1f0e-9d4d-4d5a-8c7b-0a52a9c3a1de shop
      builds exactly the plan that "openstack vcluster plan --hold" made

  openstack vcluster create -f web.yaml -f json -c id -c status
      the answer as JSON

A document, here of two servers that no failure of one rack can take both:

  instances:
    - {name: db, type: server, count: 2, spec: {image: cirros, flavor: small}}
  groups:
    - name: apart
      spec: {policy: anti-affinity, scope: rack}
      members: [db]
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
            '--plan',
            metavar='<plan>',
            help='ID of a held plan to build, in place of a document',
        )
        parser.add_argument(
            '--id',
            metavar='<uuid>',
            help='ID of your choice: the command repeated with the same ID '
            'is the same cluster',
        )
        _add_marks(parser)
        parser.add_argument(
            '--timeout',
            metavar='<seconds>',
            type=int,
            help='Seconds after which an unfinished build is undone',
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until the cluster is ACTIVE; fail if it is not to be',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        view = self._create(parsed_args)
        if parsed_args.wait:
            view = follow.until_built(self.vcluster, view['id'], self.progress)
        return columns.of_view(view)

    def _create(self, parsed_args: argparse.Namespace) -> Mapping[str, Any]:
        wishes = {
            'name': parsed_args.name,
            'timeout': parsed_args.timeout,
            'metadata': parsed_args.properties,
            'tags': parsed_args.tags,
        }
        plan, file = parsed_args.plan, parsed_args.file
        if (plan is None) == (file is None):
            raise exceptions.CommandError(
                'Name a document (-f FILE) or a held plan (--plan ID), one '
                'of both'
            )
        if plan is None:
            document = base.document(file)
            return self.vcluster.create(
                document, cluster_id=parsed_args.id, **wishes
            )
        if parsed_args.id not in (None, plan):
            raise exceptions.CommandError(
                'A cluster that is built of a plan has the ID of the plan'
            )
        return self.vcluster.create_planned(plan, **wishes)


class Update(base.ShowOne):
    """Let a cluster become what another document says, or stay as it is

    What is new is built beside what is there; what can be changed in place
    is; then what went out of the document is removed. If anything fails, the
    cluster is exactly what it was, and says why. --dry-run tells what would
    become of each member, and changes nothing.
    """

    EXAMPLES = """\
  openstack vcluster update shop -f web.yaml --dry-run
      which members would be kept, changed, replaced, added or removed

  openstack vcluster update shop -f web.yaml --wait

  openstack vcluster update shop -f web.yaml --remove web-0 --wait
      where the count of web becomes less, web-0 is one of those that go
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        base.add_file(parser, self._formatter_plugins.names())
        parser.add_argument(
            '--remove',
            action='append',
            metavar='<member>',
            help='Copy of a counted instance that is to go (repeat for '
            'several); the others are chosen by the rules',
        )
        parser.add_argument(
            '--timeout',
            metavar='<seconds>',
            type=int,
            help='Seconds after which an unfinished update is taken back',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Only say what would become of each member',
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until it is over; fail if the update has failed',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        document = base.document(parsed_args.file)
        cluster_id = self.find(parsed_args.cluster)
        if parsed_args.dry_run:
            self.progress.doing('planning')
            return columns.of_view(
                self.vcluster.plan(
                    document, cluster_id=cluster_id, remove=parsed_args.remove
                )
            )
        view = self.vcluster.update(
            cluster_id,
            document=document,
            remove=parsed_args.remove,
            timeout=parsed_args.timeout,
        )
        if parsed_args.wait:
            view = follow.until_built(self.vcluster, cluster_id, self.progress)
        return columns.of_view(view)


class ListClusters(base.Lister):
    """List clusters"""

    EXAMPLES = """\
  openstack vcluster list --status ERROR --long
  openstack vcluster list --tag test --sort name:asc,created_at:desc
  openstack vcluster list -f value -c ID
"""

    COLUMNS = {
        'id': 'ID',
        'name': 'Name',
        'status': 'Status',
        'members_active': 'Active',
        'member_count': 'Members',
        'created_at': 'Created At',
    }
    LONG = {
        **COLUMNS,
        'updated_at': 'Updated At',
        'status_reason': 'Reason',
        'metadata': 'Properties',
        'tags': 'Tags',
        'project_id': 'Project',
        'user_id': 'User',
    }

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            '--name', metavar='<name>', help='Only those of this name'
        )
        parser.add_argument(
            '--status', metavar='<status>', help='Only those in this status'
        )
        parser.add_argument(
            '--tag',
            dest='tags',
            action='append',
            metavar='<tag>',
            help='Only those with this tag (repeat: with all of them)',
        )
        parser.add_argument(
            '--all-projects',
            action='store_true',
            help='Those of all projects (admin only)',
        )
        parser.add_argument(
            '--long', action='store_true', help='Show more of each'
        )
        parser.add_argument(
            '--sort',
            metavar='<key>[:<direction>],...',
            help='By created_at, updated_at, name, status or id, each asc or '
            'desc (default: created_at:asc)',
        )
        parser.add_argument(
            '--limit', type=int, metavar='<number>', help='At most so many'
        )
        parser.add_argument(
            '--marker',
            metavar='<cluster>',
            help='ID of the last cluster of the list before: those after it',
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        found = self.vcluster.list(
            name=parsed_args.name,
            status=parsed_args.status and parsed_args.status.upper(),
            tags=parsed_args.tags,
            sort=parsed_args.sort,
            limit=parsed_args.limit,
            marker=parsed_args.marker,
            all_projects=parsed_args.all_projects,
        )
        keys = self.LONG if parsed_args.long else self.COLUMNS
        return columns.of_views(found, keys)


class Show(base.ShowOne):
    """Show a cluster, with its members and where they are

    Equal names of hosts and racks mean the same one, within one cluster;
    they are no real names.
    """

    EXAMPLES = """\
  openstack vcluster show shop
  openstack vcluster show shop -f json -c members
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Row:
        return columns.of_view(
            self.vcluster.show(self.find(parsed_args.cluster))
        )


class Set(base.Command):
    """Change the name, the properties or the tags of a cluster"""

    EXAMPLES = """\
  openstack vcluster set shop --name shop-2026 --property owner=ann
  openstack vcluster set shop --no-tag --tag live
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument('--name', metavar='<name>', help='New name')
        _add_marks(parser)
        parser.add_argument(
            '--no-property',
            action='store_true',
            help='Drop all properties that are not given here',
        )
        parser.add_argument(
            '--no-tag',
            action='store_true',
            help='Drop all tags that are not given here',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        cluster_id = self.find(parsed_args.cluster)
        before = self.vcluster.show(cluster_id)
        changes: dict[str, Any] = {}
        if parsed_args.name is not None:
            changes['name'] = parsed_args.name
        if parsed_args.no_property or parsed_args.properties:
            kept = {} if parsed_args.no_property else before['metadata']
            changes['metadata'] = {**kept, **(parsed_args.properties or {})}
        if parsed_args.no_tag or parsed_args.tags:
            tags = [] if parsed_args.no_tag else before['tags']
            added = parsed_args.tags or []
            changes['tags'] = [*dict.fromkeys([*tags, *added])]
        if changes:
            self.vcluster.update(cluster_id, **changes)


class Unset(base.Command):
    """Drop properties or tags of a cluster"""

    EXAMPLES = """\
  openstack vcluster unset shop --property owner --tag test
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(parser)
        parser.add_argument(
            '--property',
            dest='properties',
            action='append',
            default=[],
            metavar='<key>',
            help='Property to drop (repeat for several)',
        )
        parser.add_argument(
            '--tag',
            dest='tags',
            action='append',
            default=[],
            metavar='<tag>',
            help='Tag to drop (repeat for several)',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        cluster_id = self.find(parsed_args.cluster)
        before = self.vcluster.show(cluster_id)
        changes: dict[str, Any] = {}
        if parsed_args.properties:
            changes['metadata'] = {
                key: value
                for key, value in before['metadata'].items()
                if key not in parsed_args.properties
            }
        if parsed_args.tags:
            changes['tags'] = [
                tag for tag in before['tags'] if tag not in parsed_args.tags
            ]
        if changes:
            self.vcluster.update(cluster_id, **changes)


class Delete(base.Command):
    """Delete clusters with all that belongs to them

    What is being built is stopped first. If several are named, each is
    tried; the command fails if one of them did.
    """

    EXAMPLES = """\
  openstack vcluster delete shop --wait
  openstack vcluster list --tag test -f value -c ID |
    xargs openstack vcluster delete
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_cluster(
            parser,
            nargs='+',
            help='Name or ID of the cluster (repeat for several)',
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help='Wait until nothing is left of them',
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        removals: dict[str, follow.Removal] = {}
        failures: list[str] = []

        def begin(wanted: str) -> None:
            removals[wanted] = follow.Removal(self.vcluster, self.find(wanted))

        _try_each(begin, parsed_args.cluster, failures)
        if parsed_args.wait:
            _try_each(
                lambda wanted: removals[wanted].wait(self.progress),
                removals,
                failures,
            )
        if failures:
            raise exceptions.CommandError('\n'.join(failures))


def _try_each(
    verb: Callable[[str], None], clusters: Iterable[str], failures: list[str]
) -> None:
    """Do it to each cluster, whatever becomes of the others."""
    for wanted in clusters:
        try:
            verb(wanted)
        except (exceptions.CommandError, exception.VClusterError) as error:
            failures.append(f'{wanted}: {error}')


def _add_marks(parser: argparse.ArgumentParser) -> None:
    """Add the options for what a cluster may be marked with."""
    parser.add_argument(
        '--property',
        dest='properties',
        action=parseractions.KeyValueAction,
        metavar='<key=value>',
        help='Property of the cluster (repeat for several)',
    )
    parser.add_argument(
        '--tag',
        dest='tags',
        action='append',
        metavar='<tag>',
        help='Tag of the cluster (repeat for several)',
    )
