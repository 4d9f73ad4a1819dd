# SPDX-License-Identifier: Apache-2.0
"""A record becomes the one view that every front door shows.

No real name of a host, rack or pool and no capacity goes into a view.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster import states
from heat_vcluster.db import records
from heat_vcluster.members import base as members
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import pseudonyms

View = dict[str, Any]


def show_cluster(
    cluster: records.ClusterRecord,
    its_members: Iterable[records.MemberRecord],
    leftovers: Iterable[records.LeftoverRecord],
) -> View:
    """Return the whole view of a cluster: see ``client.Client``."""
    return {
        'id': cluster.id,
        'name': cluster.name,
        'project_id': cluster.project_id,
        'user_id': cluster.user_id,
        'status': str(cluster.status),
        'status_reason': cluster.status_reason,
        'error_code': cluster.error_code,
        'created_at': moment(cluster.created_at),
        'updated_at': moment(cluster.updated_at),
        'members': {m.name: show_member(cluster, m) for m in its_members},
        'placement': show_placement(cluster.plan),
        'leftovers': [show_leftover(each) for each in leftovers],
    }


def show_member(
    cluster: records.ClusterRecord, member: records.MemberRecord
) -> View:
    """``domains``: level -> pseudonym. Equal means same, within a cluster.

    ``addresses``: fixed ones in the order of the interfaces, then floating.
    """
    kind = members.member_type(member.type)
    floating = [ip['address'] for ip in member.facts.get('floating_ips', ())]
    return {
        'id': member.resource_id,
        'name': '-'.join(n for n in (cluster.name, member.name) if n),
        'type': member.type,
        'status': str(member.status),
        'reason': member.reason,
        'addresses': [*kind.addresses(member.facts), *floating],
        'floating_addresses': floating,
        'domains': dict(member.domains),
    }


def show_placement(plan: placement.Plan | None) -> View | None:
    """``given_up``: soft rules that do not hold, and what that cost.

    ``where`` has the pseudonyms of the domains in which they do not: none
    where too few domains are the matter. The plan is a disguised one.
    ``not_applied``: rules that could not count a volume, because it is not
    known where the volume sits at that level.
    """
    if plan is None:
        return None
    return {
        'soft_cost': plan.soft_cost,
        'given_up': [
            {
                'group': v.rule,
                'violation': v.amount,
                'cost': v.cost,
                'where': [pseudonym for _, pseudonym in v.where],
            }
            for v in plan.given_up
        ],
        'not_applied': [
            {'group': rule, 'member': member}
            for rule, member in plan.unsteered
        ],
    }


def show_plan(plan: placement.Plan, snapshot: placement.Snapshot) -> View:
    """The view of a plan that nothing was built of."""
    named = pseudonyms.assign(plan.placement, snapshot)
    return {
        'members': {
            member: {'domains': dict(domains)}
            for member, domains in named.of_member.items()
        },
        'placement': show_placement(pseudonyms.disguise(plan, named.known)),
    }


def show_leftover(leftover: records.LeftoverRecord) -> View:
    return {
        'member': leftover.member,
        'kind': leftover.kind,
        'id': leftover.thing_id,
        'reason': leftover.reason,
    }


def show_event(event: records.EventRecord) -> Mapping[str, Any]:
    return {
        'id': event.id,
        'at': moment(event.at),
        'member': event.member,
        'kind': event.kind,
        'message': event.message,
    }


def is_settled(view: Mapping[str, Any]) -> bool:
    """Tell whether a cluster's view will not change by itself any more."""
    return view['status'] not in states.IN_PROGRESS


def moment(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat(timespec='milliseconds')
