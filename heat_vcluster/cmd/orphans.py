# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage orphans: what bears our mark and belongs to no cluster."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from oslo_config import cfg

from heat_vcluster import conf as configuration
from heat_vcluster import context as ctx
from heat_vcluster import exception, states
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import (
    OpenStackCloud,
    Settings,
    errors,
    reservation,
    trusts,
)
from heat_vcluster.cloud.openstack.capacity import Site
from heat_vcluster.cloud.openstack.census import HOLD, TRUST, Census, Marked
from heat_vcluster.cloud.openstack.session import Services
from heat_vcluster.cmd import config_file
from heat_vcluster.cmd import db as commands_db
from heat_vcluster.db import api as db
from heat_vcluster.db import connection
from heat_vcluster.engine import base, flows, removal, runner

DESCRIPTION = """\
Lists what is in the cloud and bears the mark of a cluster that the database
does not know, or knows as deleted; room held in placement, and trusts given to
the account in [service_auth], that are on no record. Nothing of that is ever
looked for again by itself.

  vcluster-manage orphans --os-cloud admin
  vcluster-manage orphans --os-cloud admin --delete
"""

EPILOG = """\
CREDENTIALS: an administrator's, from clouds.yaml or the variables OS_*, as
the openstack command reads them: the things of all projects are looked at in
nova, cinder, glance and neutron, all hosts in placement, and the account's
trusts in keystone. The account in [service_auth] may not, and only tells who
it is; where the configuration has none, trusts are left out.

DATABASE: [database] connection of the configuration (--config-file, else the
files in HEAT_VCLUSTER_CONFIG, else /etc/heat-vcluster/heat-vcluster.conf). It
must be the one that all have who build clusters in this cloud. What others
built (heat-engines or programs with a database of their own) looks like an
orphan of this one: see that nobody else does before you delete, or narrow
with --project and --cluster.

Exit status: 0 nothing is left, 2 there are orphans, 1 it could not be told.
"""
FAILED, LEFT = 1, 2
#: How many things are removed at a time.
THREADS = 8
#: For so many seconds a trust may be on no record: its cluster is created.
TRUST_GRACE = 60.0

UNKNOWN = 'unknown'
DELETED = 'deleted'


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """``why``: whether its cluster is not known, or was deleted."""

    marked: Marked
    why: str


def add(commands: Any) -> None:
    """Add the command to those of vcluster-manage."""
    parser = commands.add_parser(
        'orphans',
        help='list, and remove, what belongs to no cluster',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--os-cloud', metavar='NAME', help='the cloud in clouds.yaml'
    )
    config_file.add_option(parser)
    parser.add_argument(
        '--project', metavar='ID', help='only what is in this project'
    )
    parser.add_argument(
        '--cluster',
        action='append',
        metavar='ID',
        help='only what bears the mark of this cluster (may be repeated); '
        'holds and trusts bear none',
    )
    parser.add_argument(
        '--delete', action='store_true', help='remove them, after a question'
    )
    parser.add_argument(
        '--yes', action='store_true', help='remove without a question'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        conf = configuration.load(config_files=arguments.config_file)
        store = commands_db.record(conf)
        if arguments.delete and not arguments.cluster:
            _check_used(store)
        operator = _operator(conf, arguments.os_cloud)
        found = operator.orphans(store, _filter(arguments))
    except (*connection.ERRORS, exception.VClusterError) as error:
        told = commands_db.words(error)
        print(f'vcluster-manage orphans: {told}', file=sys.stderr)
        return FAILED
    for line in table(found):
        print(line)
    if not found:
        return 0
    if not arguments.delete or not (arguments.yes or _is_sure(found)):
        return LEFT
    left = operator.remove([orphan.marked for orphan in found])
    for refusal in left:
        print(f'left: {refusal}', file=sys.stderr)
    print(f'{len(found) - len(left)} of {len(found)} removed')
    return LEFT if left else 0


def orphans(store: db.Store, marked: Iterable[Marked]) -> tuple[Orphan, ...]:
    """Return what the database knows no living cluster for.

    To be read after the cloud: whatever is in the cloud was on record
    before; but trusts, which are so a moment later.
    """
    whys: dict[str, str | None] = {}
    known: dict[str, frozenset[str]] = {}
    found = []
    for one in marked:
        if one.cluster_id is None:
            if one.project_id not in known:
                known[one.project_id] = _on_record(store, one.project_id)
            why = None if one.id in known[one.project_id] else UNKNOWN
        else:
            if one.cluster_id not in whys:
                whys[one.cluster_id] = _why(store, one.cluster_id)
            why = whys[one.cluster_id]
        if why is not None:
            found.append(Orphan(one, why))
    return tuple(found)


def _on_record(store: db.Store, project_id: str) -> frozenset[str]:
    holds = (hold.id for hold in store.get_project_holds(project_id))
    return store.get_project_trusts(project_id).union(holds)


def _why(store: db.Store, cluster_id: str) -> str | None:
    try:
        cluster = store.get_cluster(cluster_id)
    except exception.ClusterNotFound:
        return UNKNOWN
    is_deleted = cluster.status is states.ClusterStatus.DELETED
    return DELETED if is_deleted else None


class Operator:
    """A cloud in the hands of who runs it.

    ``trustee`` is the user id of our account: None, if trusts are left out.
    """

    def __init__(
        self, services: Services, options: Settings, trustee: str | None
    ) -> None:
        self._services = services
        self._census = Census(services, trustee)
        site = Site.of(services, options, errors.Secrets())
        # Things are found and removed by id: whose they are does not matter.
        self._cloud = OpenStackCloud(site, services, ctx.Context('', ''))

    def orphans(
        self, store: db.Store, is_meant: Callable[[Marked], bool]
    ) -> tuple[Orphan, ...]:
        found = orphans(store, filter(is_meant, self._census.take()))
        if any(orphan.marked.kind == TRUST for orphan in found):
            print(
                'There are trusts on no record. They are looked at again in '
                f'{TRUST_GRACE:.0f} s: their clusters may be created just now',
                file=sys.stderr,
            )
            time.sleep(TRUST_GRACE)
            found = orphans(store, [orphan.marked for orphan in found])
        # A cluster may have been deleted since they were looked at.
        return tuple(
            orphan for orphan in found if self._is_there(orphan.marked)
        )

    def _is_there(self, marked: Marked) -> bool:
        if marked.kind == HOLD:
            return self._census.is_held(marked.id)
        if marked.kind == TRUST:
            return self._census.is_entrusted(marked.id)
        return not self._cloud.is_gone(model.Kind(marked.kind), marked.id)

    def remove(self, marked: Iterable[Marked]) -> list[str]:
        """Remove all; return what is left, and why."""
        left: list[removal.Leftover] = []
        unmarked = []
        things = []
        for one in marked:
            if one.cluster_id is None or one.member is None:
                unmarked.append(one)
                continue
            owner = model.Owner(one.cluster_id, one.member)
            things.append(model.Thing(model.Kind(one.kind), one.id, owner))
        pool = runner.Runner(THREADS)
        pool.run(
            flows.remove(
                self._cloud, things, base.Settings(), left, lambda: False
            )
        )
        pool.stop()
        said = [f'{x.thing.kind} {x.thing.id}: {x.reason}' for x in left]
        return [*said, *self._release(unmarked)]

    def _release(self, marked: Iterable[Marked]) -> list[str]:
        left = []
        for one in marked:
            try:
                if one.kind == HOLD:
                    reservation.release(self._services.placement, [one.id])
                else:
                    self._census.end_trust(one.id)
            except exception.CloudError as error:
                left.append(f'{one.kind} {one.id}: {error}')
        return left


def _check_used(store: db.Store) -> None:
    """Raise InvalidConfiguration if no cluster was ever on record.

    A database that was mistaken knows nothing: all would be orphans.
    """
    if not store.list_clusters(with_deleted=True, limit=1):
        raise exception.InvalidConfiguration(
            'there is not one cluster on record, nor was there ever: is that '
            'the right [database] connection? Nothing is removed'
        )


def _operator(conf: cfg.ConfigOpts, name: str | None) -> Operator:
    # An extra (openstack): the other commands do without.
    try:
        from keystoneauth1 import exceptions as keystoneauth
        from openstack import config, exceptions
    except ImportError as error:
        raise exception.InvalidConfiguration(
            'the package openstacksdk is not installed'
        ) from error
    try:
        region = config.get_cloud_region(cloud=name)
        session = region.get_session()
    except (
        exceptions.SDKException,
        keystoneauth.ClientException,
    ) as error:
        raise exception.InvalidConfiguration(str(error)) from error
    options = dataclasses.replace(
        Settings.from_conf(conf),
        region=region.get_region_name(),
        interface=region.get_interface() or 'public',
    )
    services = Services.of(session, options, errors.Secrets())
    return Operator(services, options, trusts.trustee(conf))


def _filter(arguments: argparse.Namespace) -> Callable[[Marked], bool]:
    def is_meant(one: Marked) -> bool:
        is_of_project = arguments.project in (None, one.project_id)
        clusters = arguments.cluster
        return is_of_project and (not clusters or one.cluster_id in clusters)

    return is_meant


def table(found: Sequence[Orphan]) -> list[str]:
    """Return lines, by project; none if there is nothing."""
    if not found:
        return []
    rows = [('PROJECT', 'KIND', 'ID', 'CLUSTER', 'MEMBER')]
    for orphan in found:
        one = orphan.marked
        cluster = '-'
        if one.cluster_id is not None:
            cluster = f'{one.cluster_id} ({orphan.why})'
        rows.append(
            (one.project_id, one.kind, one.id, cluster, one.member or '-')
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        '  '.join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _is_sure(found: Sequence[Orphan]) -> bool:
    try:
        said = input(f'Remove all {len(found)}, for good? [y/N] ')
    except EOFError:
        return False
    return said.strip().lower() in ('y', 'yes')
