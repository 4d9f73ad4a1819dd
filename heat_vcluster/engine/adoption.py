# SPDX-License-Identifier: Apache-2.0
"""What a tenant has made, looked at as the members of a document.

The same before a cluster is recorded and for the engine that adopts it;
nothing here changes anything.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import existing, model
from heat_vcluster.db import records
from heat_vcluster.engine import base, inspection, upkeep
from heat_vcluster.members import base as members
from heat_vcluster.members import likeness
from heat_vcluster.placement import pseudonyms
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

Real = existing.Server | existing.Volume
Fault = exception.Fault

#: What a volume has to be.
AT_REST = ('available', 'in-use')
#: Why no server group holds a rule for those that were there before.
ADOPTED = 'its servers were adopted, and were not made in one'
NETWORK = (
    'a network is not adopted: take it out of the document, and name it in '
    'the networks of the servers as one that exists'
)
UNNAMED = (
    '{!r} is not named: all members are adopted together; what is new comes '
    'by an update afterwards'
)


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A member that is there: what is recorded of it, and where it is."""

    name: str
    type: str
    facts: Mapping[str, Any]
    resource_id: str
    place: str | None

    @property
    def new(self) -> records.NewMember:
        """Return it as it is first written down: not the cluster's yet."""
        return records.NewMember(
            self.name,
            self.type,
            {},
            {**self.facts, records.LEFT_ALONE: True},
            self.resource_id,
            self.place,
        )


# -- what they are ------------------------------------------------------------


def look(
    outside: cloud.Cloud,
    wanted: spec.GroupSpec,
    named: Mapping[str, str],
    cluster_id: str,
) -> tuple[Standing, ...]:
    """Look at all members; ``named`` has the id or name of each.

    Those that the cluster has itself already will do. Raises InvalidDocument
    with all in which they are not what the document says.
    """
    faults = [*_unnamed(wanted, named)]
    found: dict[str, Real] = {}
    for member in wanted.members:
        if member.name in named and member.type != 'network':
            try:
                found[member.name] = _find(outside, member, named)
            except exception.InvalidDocument as error:
                faults.extend(error.faults)
    faults.extend(_unfit(found, cluster_id))
    try:
        resolution = outside.resolve(wanted, is_begun=True)
    except exception.InvalidDocument as error:
        raise exception.InvalidDocument((*faults, *error.faults)) from error
    ids = {name: real.id for name, real in found.items()}
    around = likeness.Around(resolution, ids)
    for name, real in found.items():
        faults.extend(_differing(wanted, wanted.member(name), real, around))
    if faults:
        raise exception.InvalidDocument(dict.fromkeys(faults))
    return tuple(
        _standing(outside, member, found[member.name], around)
        for member in wanted.members
    )


def _unnamed(
    wanted: spec.GroupSpec, named: Mapping[str, str]
) -> Iterator[Fault]:
    known = {member.name for member in wanted.members}
    for name in named:
        if name not in known:
            yield Fault(f'members.{name}', 'the document has no such member')
    for member in wanted.members:
        if member.type == 'network':
            yield Fault(f'{member.path}.type', NETWORK)
        elif member.name not in named:
            yield Fault(member.path, UNNAMED.format(member.name))


def _find(
    outside: cloud.Cloud, member: spec.Member, named: Mapping[str, str]
) -> Real:
    """Return the one thing that is meant; raises InvalidDocument."""
    name = named[member.name]
    there: tuple[Real, ...] = (
        outside.existing_servers(name)
        if member.type == 'server'
        else outside.existing_volumes(name)
    )
    if len(there) == 1:
        return there[0]
    what = f'there is no {member.type} {name!r} in the project'
    if there:
        what = (
            f'there are {len(there)} {member.type}s {name!r} in the project; '
            'give the id'
        )
    raise exception.InvalidDocument([Fault(f'members.{member.name}', what)])


def _unfit(found: Mapping[str, Real], cluster_id: str) -> Iterator[Fault]:
    """Give what keeps a thing from being adopted as anything."""
    times = collections.Counter(real.id for real in found.values())
    for name, real in found.items():
        path = f'members.{name}'
        if times[real.id] > 1:
            yield Fault(path, f'{real.id} is named more than once')
        owner = real.owner
        if owner is not None and owner != model.Owner(cluster_id, name):
            yield Fault(
                path, f'{real.id} is a member of cluster {owner.cluster_id}'
            )
        if isinstance(real, existing.Volume):
            if real.status not in AT_REST:
                which = ' or '.join(AT_REST)
                yield Fault(
                    path, f'{real.id} is {real.status}; it has to be {which}'
                )
        elif real.status != 'ACTIVE':
            yield Fault(
                path, f'{real.id} is {real.status}; it has to be ACTIVE'
            )
        elif real.is_busy:
            yield Fault(path, f'something is being done to {real.id}')


def _differing(
    wanted: spec.GroupSpec,
    member: spec.Member,
    real: Real,
    around: likeness.Around,
) -> Iterator[Fault]:
    asked = member.spec
    if isinstance(asked, spec.ServerSpec) and isinstance(
        real, existing.Server
    ):
        found = likeness.server(real, asked, around)
    elif isinstance(asked, spec.VolumeSpec) and isinstance(
        real, existing.Volume
    ):
        users = _users(wanted, member.name, around)
        found = likeness.volume(real, asked, around, users)
    else:
        raise AssertionError(f'{member.name} is not such a thing')
    for path, message in found:
        where = f'{member.path}.spec.{path}'.rstrip('.')
        yield Fault(where, f"{member.name}'s {real.id} differs: {message}")


def _users(
    wanted: spec.GroupSpec, volume: str, around: likeness.Around
) -> Iterator[str]:
    """Give the ids of the servers that a volume is to be attached to."""
    for member in wanted.of_type('server'):
        asked = member.spec
        if isinstance(asked, spec.ServerSpec) and member.name in around.ids:
            used = [attachment.volume for attachment in asked.volumes]
            if asked.boot_volume:
                used.append(asked.boot_volume)
            if any(each.is_member and each.name == volume for each in used):
                yield around.ids[member.name]


def _standing(
    outside: cloud.Cloud,
    member: spec.Member,
    real: Real,
    around: likeness.Around,
) -> Standing:
    facts: dict[str, Any] = {'volume_id': real.id}
    if isinstance(real, existing.Server) and isinstance(
        member.spec, spec.ServerSpec
    ):
        facts = likeness.server_facts(real, member.spec, around)
        rules = around.resolution.grouping.rules_of(member.name)
        if rules:
            facts['server_groups'] = {
                rule: why or ADOPTED for rule, why in rules.items()
            }
        seat = outside.locate(real.id)
        place = None if seat is None else seat.host
    else:
        place = outside.volume_state(real.id).pool
    if real.name:
        facts[members.NAMED] = real.name
    return Standing(member.name, member.type, facts, real.id, place)


# -- where they are -----------------------------------------------------------


def judge(
    outside: cloud.Cloud,
    planner: base.Planner,
    wanted: spec.GroupSpec,
    standing: tuple[Standing, ...],
    cluster_id: str,
) -> inspection.Finding:
    """Hold the rules against where they are now; raises InvalidDocument."""
    rows = [
        records.MemberRecord(
            cluster_id,
            each.name,
            each.type,
            position,
            {},
            states.MemberStatus.ACTIVE,
            None,
            each.resource_id,
            each.place,
            {},
            each.facts,
        )
        for position, each in enumerate(standing)
    ]
    look = inspection.Inspection(
        cluster_id,
        wanted,
        rows,
        outside,
        planner,
        states.ClusterStatus.ACTIVE,
    )
    look.suppose(
        {each.name: members.Condition(each.place) for each in standing}
    )
    found = look.conclude()
    unknown = planner.unknown(wanted, found.snapshot)
    if unknown:
        raise exception.InvalidDocument(fault for _, fault in unknown)
    return found


def show(
    found: inspection.Finding,
    wanted: spec.GroupSpec,
    standing: tuple[Standing, ...],
) -> dict[str, Any]:
    """Return what an adoption would be, by names that a tenant may see."""
    named = pseudonyms.assign(found.places, found.snapshot, {})
    return {
        'members': {
            each.name: {
                'id': each.resource_id,
                'type': each.type,
                'domains': dict(named.of_member.get(each.name, {})),
            }
            for each in standing
        },
        'compliance': {
            **inspection.show(found, wanted, named.known, upkeep.now()),
            'not_judged': [*_unjudged(found, wanted)],
        },
    }


def _unjudged(
    found: inspection.Finding, wanted: spec.GroupSpec
) -> dict[str, tuple[str, ...]]:
    """Return the groups with members that are nobody knows where.

    Name -> members: of a volume the cloud may not tell.
    """
    hidden = {
        group.name: tuple(n for n in group.members if n not in found.places)
        for group in wanted.groups
    }
    return {
        name: members
        for name, members in hidden.items()
        if members or name in found.unjudged
    }


def refuse_broken(found: inspection.Finding, wanted: spec.GroupSpec) -> None:
    """Raise RulesBroken if a strict rule does not hold, or none can tell."""
    shown = show(found, wanted, ())['compliance']['rules']
    reasons = [*map(upkeep.words_of, shown)]
    strict = {group.name for group in wanted.groups if group.is_hard}
    for group, hidden in _unjudged(found, wanted).items():
        if group in strict:
            which = ', '.join(map(incarnations.shown, hidden)) or 'its members'
            reasons.append(
                f'whether group {group} holds cannot be told: it is not known '
                f'where {which} sits'
            )
    if reasons:
        raise exception.RulesBroken(reasons)
