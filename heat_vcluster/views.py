# SPDX-License-Identifier: Apache-2.0
"""A record becomes the one view that every front door shows.

No real name of a host, rack or pool and no capacity goes into a view.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, cast

from heat_vcluster import exception, states
from heat_vcluster.db import records
from heat_vcluster.members import base as members
from heat_vcluster.placement import losses, pseudonyms
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import difference, incarnations
from heat_vcluster.spec import model as spec

View = dict[str, Any]

#: A member in one of these is lost, or on its way out.
GONE = (
    states.MemberStatus.ERROR,
    states.MemberStatus.DELETING,
    states.MemberStatus.DELETED,
)


def show_cluster(
    cluster: records.ClusterRecord,
    its_members: Iterable[records.MemberRecord],
    leftovers: Iterable[records.LeftoverRecord],
    survive: Iterable[spec.Loss] = (),
) -> View:
    """Return the whole view of a cluster: see ``client.Client``."""
    its_members = tuple(its_members)
    there = None
    if cluster.plan is not None:
        there = {
            incarnations.shown(m.name): m.domains
            for m in visible(its_members)
            if is_there(m)
        }
    return {
        **_show_head(cluster),
        'members': {
            incarnations.shown(m.name): show_member(cluster, m)
            for m in visible(its_members)
        },
        'placement': show_placement(cluster.plan),
        'survival': [show_survival(loss, there) for loss in survive],
        'server_groups': show_server_groups(its_members),
        'leftovers': [show_leftover(each) for each in leftovers],
        'instances': list(cluster.document['instances']),
        'groups': list(cluster.document.get('groups', ())),
        'survive': list(cluster.document.get('survive', ())),
        'update_policy': cluster.document.get('update_policy'),
        'sources': cluster.document.get('sources'),
    }


def visible(
    rows: Iterable[records.MemberRecord],
) -> list[records.MemberRecord]:
    """Return the members as the tenant sees them, one of each name.

    While a cluster changes those that are there go before those that come;
    who went out of its definition is not told of any more.
    """
    rows = [row for row in rows if row.role is not records.Role.GOING]
    there = {incarnations.shown(row.name) for row in rows if row.role is None}
    return [
        row
        for row in rows
        if row.role is None or incarnations.shown(row.name) not in there
    ]


def show_fate(verdict: difference.Verdict) -> View:
    """What an update would do to one member, and why."""
    return {
        'member': verdict.member,
        'type': verdict.type,
        'action': str(verdict.fate),
        'properties': list(verdict.properties),
        'reason': verdict.reason,
    }


def show_snapshot(snapshot: records.SnapshotRecord) -> View:
    """A snapshot as a list has it; each part with its own id, once made."""
    return {
        'id': snapshot.id,
        'cluster_id': snapshot.cluster_id,
        'name': snapshot.name,
        'status': str(snapshot.status),
        'status_reason': snapshot.reason,
        'created_at': moment(snapshot.created_at),
        'members': [
            {
                'member': incarnations.shown(part.member),
                'kind': part.kind,
                'id': part.id,
            }
            for part in snapshot.parts
        ],
    }


def show_summary(
    cluster: records.ClusterRecord, member_count: int, members_active: int
) -> View:
    """What a list has of a cluster."""
    return {
        **_show_head(cluster),
        'member_count': member_count,
        'members_active': members_active,
    }


def _show_head(cluster: records.ClusterRecord) -> View:
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
        'compliance': cluster.compliance and dict(cluster.compliance),
        'metadata': dict(cluster.metadata),
        'tags': list(cluster.tags),
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
        'name': member.facts.get(members.NAMED)
        or '-'.join(
            word
            for word in (cluster.built_as, incarnations.shown(member.name))
            if word
        ),
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
            {'group': rule, 'member': incarnations.shown(member)}
            for rule, member in plan.unsteered
        ],
    }


def show_server_groups(
    its_members: Iterable[records.MemberRecord],
) -> list[View]:
    """Which rules over hosts nova holds by itself, and why not others.

    As far as server groups could say them, and servers were asked for.
    """
    found: dict[str, str | None] = {}
    for member in its_members:
        for rule, why in member.facts.get('server_groups', {}).items():
            found[rule] = found.get(rule) or why
    return [
        {'group': rule, 'held': why is None, 'why': why}
        for rule, why in found.items()
    ]


def is_there(member: records.MemberRecord) -> bool:
    """Tell whether it is, or is to be: not lost, nor on its way out."""
    return member.status not in GONE


def show_survival(
    loss: spec.Loss, domains: Mapping[str, Mapping[str, str]] | None
) -> View:
    """What a loss leaves, measured where the members are now.

    ``domains``: member -> level -> domain, of those that are there; None:
    nothing is placed. ``left`` and ``unknown`` as in ``losses.Left``.
    """
    shown: View = {
        'lose': {'count': loss.count, 'scope': loss.scope},
        'keep': {kept.name: kept.asked for kept in loss.keep},
        'left': None,
        'holds': None,
        'says': None,
    }
    if domains is None:
        return shown
    found = [(kept, _left(loss, kept, domains)) for kept in loss.keep]
    holds = all(left.least >= kept.least for kept, left in found)
    said = ' and '.join(_says(kept, left) for kept, left in found)
    return {
        **shown,
        'left': {
            kept.name: {
                'least': left.least,
                'total': left.total,
                'unknown': left.unknown,
            }
            for kept, left in found
        },
        'holds': holds,
        'says': f'losing {_any(loss)} leaves at least {said}',
    }


def _left(
    loss: spec.Loss,
    kept: spec.Kept,
    domains: Mapping[str, Mapping[str, str]],
) -> losses.Left:
    there = [domains[m] for m in kept.members if m in domains]
    return losses.measure(
        len(kept.members), [its.get(loss.scope) for its in there], loss.count
    )


def _any(loss: spec.Loss) -> str:
    if loss.count == 1:
        return f'any one {loss.scope}'
    return f'any {loss.count} {loss.scope}s'


def _says(kept: spec.Kept, left: losses.Left) -> str:
    """Say it as it was asked: ``2 of 3 db``, ``66 % of web``."""
    said = (
        f'{left.least} of {left.total} {kept.name}'
        if isinstance(kept.asked, int)
        else f'{left.share} % of {kept.name}'
    )
    if left.unknown:
        said += f' (of {left.unknown} of them it is not known where they are)'
    return said


def show_plan(
    plan: placement.Plan,
    snapshot: placement.Snapshot,
    survive: Iterable[spec.Loss] = (),
    known: Mapping[tuple[str, str], str] | None = None,
) -> View:
    """The view of a plan for which nothing is held.

    Places that are ``known`` are called what they have been before.
    """
    named = pseudonyms.assign(plan.placement, snapshot, known or {})
    return _feasible(
        named.of_member, pseudonyms.disguise(plan, named.known), survive
    )


def show_held_plan(
    held: records.ClusterRecord,
    its_members: Iterable[records.MemberRecord],
    survive: Iterable[spec.Loss] = (),
) -> View:
    """The view of a plan whose room is held until ``expires_at``."""
    domains = {m.name: m.domains for m in its_members if m.place is not None}
    return {
        **_feasible(domains, held.plan, survive),
        'id': held.id,
        'expires_at': held.expires_at and moment(held.expires_at),
    }


def show_refusal(error: exception.NoValidPlacement) -> View:
    """The view of a plan that there is not, or that was not found."""
    return {
        'id': None,
        'verdict': 'infeasible' if error.proven else 'unknown',
        'expires_at': None,
        'members': {},
        'placement': None,
        'survival': [],
        'reasons': [incarnations.tell(each) for each in error.reasons],
        'repairs': [incarnations.tell(each) for each in error.repairs],
        'rules': list(error.rules),
    }


def _feasible(
    domains: Mapping[str, Mapping[str, str]],
    plan: placement.Plan | None,
    survive: Iterable[spec.Loss],
) -> View:
    return {
        'id': None,
        'verdict': 'feasible',
        'expires_at': None,
        'members': {
            incarnations.shown(member): {'domains': dict(its)}
            for member, its in domains.items()
        },
        'placement': show_placement(plan),
        'survival': [show_survival(loss, domains) for loss in survive],
        'reasons': [],
        'repairs': [],
        'rules': [],
    }


def show_topology(
    cluster: records.ClusterRecord,
    its_members: Iterable[records.MemberRecord],
    groups: Iterable[spec.Group],
    levels: Iterable[str],
) -> View:
    """Where the members sit, as a tree of pseudonyms.

    ``levels``: widest first. A member stands in the narrowest domain that
    is known of it; one of which none is known is ``unplaced``.
    """
    levels = tuple(levels)
    top = _domain('', '')
    unplaced: list[str] = []
    for member in its_members:
        at = top
        for level in levels:
            if level in member.domains:
                at = _inside(at, level, member.domains[level])
        (unplaced if at is top else at['members']).append(
            incarnations.shown(member.name)
        )
    return {
        'levels': list(levels),
        'domains': top['domains'],
        'unplaced': unplaced,
        'rules': [
            show_rule(group, cluster.plan, _broken(cluster))
            for group in groups
        ],
    }


def _broken(cluster: records.ClusterRecord) -> Iterable[str]:
    found = cluster.compliance or {'rules': ()}
    return [rule['group'] for rule in found['rules']]


def _domain(level: str, name: str) -> View:
    return {'level': level, 'name': name, 'domains': [], 'members': []}


def _inside(outer: View, level: str, name: str) -> View:
    """Return the domain of that name in another; make it if need be."""
    for inner in outer['domains']:
        if (inner['level'], inner['name']) == (level, name):
            return cast('View', inner)
    made = _domain(level, name)
    outer['domains'].append(made)
    return made


def show_rule(
    group: spec.Group,
    plan: placement.Plan | None,
    broken: Iterable[str] = (),
) -> View:
    """``holds``: None as long as there is no plan.

    ``broken``: those that a check found not to hold.
    """
    given_up = (
        {violation.rule for violation in plan.given_up} if plan else set()
    )
    given_up |= {*broken}
    return {
        'name': group.name,
        'policy': group.policy,
        'scope': group.scope,
        'strict': group.is_hard,
        'weight': group.weight,
        'members': list(group.members),
        'holds': group.name not in given_up if plan else None,
    }


def show_leftover(leftover: records.LeftoverRecord) -> View:
    return {
        'member': leftover.member and incarnations.shown(leftover.member),
        'kind': leftover.kind,
        'id': leftover.thing_id,
        'reason': leftover.reason,
    }


def show_event(event: records.EventRecord) -> Mapping[str, Any]:
    return {
        'id': event.id,
        'at': moment(event.at),
        'member': event.member and incarnations.shown(event.member),
        'kind': event.kind,
        'message': event.message,
    }


def is_settled(view: Mapping[str, Any]) -> bool:
    """Tell whether a cluster's view will not change by itself any more."""
    return view['status'] in states.SETTLED


def has_failed(view: Mapping[str, Any]) -> bool:
    """Tell a cluster that is not what was asked for last, and says why.

    That something of an old one is left is no failure.
    """
    return view['error_code'] not in (None, states.LEFTOVERS)


def moment(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat(timespec='milliseconds')
