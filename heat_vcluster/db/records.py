# SPDX-License-Identifier: Apache-2.0
"""What the store gives out: frozen records of one moment."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster import states
from heat_vcluster.placement import model as placement

#: The fact of a member whose real things are not the cluster's: not yet, or
#: not any more. Whoever removes the cluster leaves them alone.
LEFT_ALONE = 'left_alone'


class HoldState(enum.StrEnum):
    """``HELD`` from before the room is asked for until it is given back."""

    HELD = 'held'
    RELEASED = 'released'


@dataclasses.dataclass(frozen=True, slots=True)
class NewMember:
    """A member as it is first written down; ``desired`` is plain JSON.

    One that is there already has the other three as a ``MemberRecord``.
    """

    name: str
    type: str
    desired: Mapping[str, Any]
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    resource_id: str | None = None
    place: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """What became of a member, or of the whole cluster: None.

    ``event`` is a kind and a message. ``values`` are as ``Writer.set_member``
    takes them.
    """

    member: str | None
    status: states.MemberStatus | None = None
    event: tuple[str, str] | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a cluster; a higher ``fence`` overrules it."""

    cluster_id: str
    owner: str
    fence: int


class Role(enum.StrEnum):
    """What a member is in a change that is under way."""

    COMING = 'coming'
    GOING = 'going'


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change of a cluster, as it is asked for and then decided.

    ``asked`` is the document as the tenant gave it, ``remove`` the copies
    that he named to go. Once it is decided, ``document`` has what will be,
    and ``plan`` its placement; ``is_held``: all that comes has its place.
    ``outdated`` names the rules whose server groups say what was, and go.
    """

    asked: Mapping[str, Any]
    remove: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = None
    plan: placement.Plan | None = None
    is_held: bool = False
    outdated: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterRecord:
    """One cluster, or a held plan. All times are aware, in UTC.

    ``built_as`` is the name it was made with, which its things bear;
    ``changes`` is how many changes of it were begun so far.
    ``action`` is what was asked to be done about it, and not done yet: its
    ``home`` is the status it comes back to. ``compliance``: what the last
    check found, as it is shown.
    """

    id: str
    name: str | None
    project_id: str
    user_id: str
    built_as: str | None
    metadata: Mapping[str, str]
    document: Mapping[str, Any]
    plan: placement.Plan | None
    action: Mapping[str, Any] | None
    compliance: Mapping[str, Any] | None
    status: states.ClusterStatus
    status_reason: str | None
    error_code: str | None
    owner: str | None
    lease_until: datetime.datetime | None
    fence: int
    cancel_requested: bool
    wanted: states.Wanted
    expires_at: datetime.datetime | None
    claimed_at: datetime.datetime | None
    trust_id: str | None
    request_id: str | None
    deadline: datetime.datetime | None
    changes: int
    change: ChangeRecord | None
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None
    tags: tuple[str, ...]

    @property
    def is_plan(self) -> bool:
        """Tell a plan, which expires, from a cluster."""
        return self.expires_at is not None


@dataclasses.dataclass(frozen=True, slots=True)
class MemberRecord:
    """One member: what is wanted of it and what it is.

    ``place`` is the real host or pool and no tenant's to see; ``domains``
    maps each scope to the pseudonym that is.
    """

    cluster_id: str
    name: str
    type: str
    position: int
    desired: Mapping[str, Any]
    status: states.MemberStatus
    reason: str | None
    resource_id: str | None
    place: str | None
    domains: Mapping[str, str]
    facts: Mapping[str, Any]
    role: Role | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class HoldRecord:
    """Room that was asked for; the record is older than the room."""

    id: str
    cluster_id: str
    member: str
    place: str
    resources: Mapping[str, int]
    state: HoldState
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class DomainRecord:
    """A real domain and the name by which the tenant knows it."""

    scope: str
    real: str
    pseudonym: str


def pseudonyms(
    domains: Iterable[DomainRecord],
) -> dict[tuple[str, str], str]:
    """Return (scope, real name) -> what the tenant is told."""
    return {(row.scope, row.real): row.pseudonym for row in domains}


@dataclasses.dataclass(frozen=True, slots=True)
class LeftoverRecord:
    """Something that could not be removed, and why."""

    cluster_id: str
    kind: str
    thing_id: str
    member: str | None
    reason: str
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class EventRecord:
    """What happened. Ids grow; ``member`` None: the cluster as a whole."""

    id: int
    cluster_id: str
    at: datetime.datetime
    member: str | None
    kind: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotPart:
    """What a snapshot has of one member.

    ``kind``: ``image`` or ``volume_snapshot``; ``source``: the id of the
    server or volume it is of; ``id``: its own, None while it is made.
    """

    member: str
    kind: str
    source: str
    id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """A snapshot of a cluster; ``document`` is what it was then."""

    id: str
    cluster_id: str
    name: str | None
    status: states.SnapshotStatus
    reason: str | None
    document: Mapping[str, Any]
    parts: tuple[SnapshotPart, ...]
    created_at: datetime.datetime


def plan_to_json(plan: placement.Plan) -> dict[str, Any]:
    """Write a plan as plain JSON values; see ``plan_from_json``."""
    return dataclasses.asdict(plan)


def plan_from_json(raw: Mapping[str, Any] | None) -> placement.Plan | None:
    if raw is None:
        return None
    return placement.Plan(
        **{
            **raw,
            'given_up': tuple(
                _violation_from_json(each) for each in raw['given_up']
            ),
            'unsteered': tuple(
                (rule, member) for rule, member in raw['unsteered']
            ),
        }
    )


def change_to_json(change: ChangeRecord) -> dict[str, Any]:
    """Write a change as plain JSON values; see ``change_from_json``."""
    return {
        'asked': dict(change.asked),
        'remove': list(change.remove),
        'document': change.document and dict(change.document),
        'plan': change.plan and plan_to_json(change.plan),
        'is_held': change.is_held,
        'outdated': list(change.outdated),
    }


def change_from_json(raw: Mapping[str, Any] | None) -> ChangeRecord | None:
    if raw is None:
        return None
    return ChangeRecord(
        **{
            **raw,
            'remove': tuple(raw['remove']),
            'plan': plan_from_json(raw['plan']),
            'outdated': tuple(raw.get('outdated', ())),
        }
    )


def _violation_from_json(raw: Mapping[str, Any]) -> placement.Violation:
    where = tuple((scope, domain) for scope, domain in raw.get('where', ()))
    return placement.Violation(**{**raw, 'where': where})


def cluster_from_row(row: Any, tags: Iterable[str]) -> ClusterRecord:
    values = dict(row._mapping)
    values['tags'] = tuple(tags)
    values['metadata'] = values['metadata'] or {}
    values['wanted'] = states.Wanted(values['wanted'])
    values['plan'] = plan_from_json(values['plan'])
    values['change'] = change_from_json(values['change'])
    values['status'] = states.ClusterStatus(values['status'])
    return ClusterRecord(**values)


def member_from_row(row: Any) -> MemberRecord:
    values = dict(row._mapping)
    values['status'] = states.MemberStatus(values['status'])
    values['role'] = values['role'] and Role(values['role'])
    return MemberRecord(**values)


def snapshot_from_row(row: Any) -> SnapshotRecord:
    values = dict(row._mapping)
    values['status'] = states.SnapshotStatus(values['status'])
    values['parts'] = tuple(SnapshotPart(**part) for part in values['parts'])
    return SnapshotRecord(**values)


def hold_from_row(row: Any) -> HoldRecord:
    values = dict(row._mapping)
    values['state'] = HoldState(values['state'])
    return HoldRecord(**values)
