# SPDX-License-Identifier: Apache-2.0
"""What becomes of each member when one document takes another's place.

Pure. Only what a service can change of a thing that runs is changed in
place; all else takes a new thing, which is built beside the old one if the
new document allows that.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.spec import model


class Fate(enum.StrEnum):
    """What becomes of a member."""

    KEPT = 'kept'
    CHANGED = 'changed'
    REPLACED = 'replaced'
    ADDED = 'added'
    REMOVED = 'removed'


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """One member's fate.

    ``properties``: what differs, as in its spec. ``needs``: for which of
    them it is replaced, as ``replace_on`` names them.
    """

    member: str
    type: str
    fate: Fate
    properties: tuple[str, ...] = ()
    reason: str | None = None
    needs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """The fates of all members of both; those that go come last."""

    verdicts: tuple[Verdict, ...]
    has_other_rules: bool

    def having(self, *fates: Fate) -> tuple[str, ...]:
        return tuple(v.member for v in self.verdicts if v.fate in fates)

    @property
    def resized(self) -> tuple[str, ...]:
        """Return the servers that stay, and get another flavor."""
        return tuple(
            verdict.member
            for verdict in self.verdicts
            if verdict.fate is Fate.CHANGED and FLAVOR in verdict.properties
        )

    @property
    def is_empty(self) -> bool:
        return not self.has_other_rules and all(
            verdict.fate is Fate.KEPT for verdict in self.verdicts
        )

    @property
    def touches_placement(self) -> bool:
        """Tell whether places or rules are other ones than before."""
        still = self.having(Fate.KEPT, Fate.CHANGED)
        return (
            self.has_other_rules
            or len(still) < len(self.verdicts)
            or bool(self.resized)
        )


FLAVOR = 'flavor'
#: What a service can change of a thing that runs.
IN_PLACE = {
    'server': frozenset(
        {FLAVOR, 'metadata', 'tags', 'security_groups', 'volumes'}
    ),
    'volume': frozenset({'metadata', 'size'}),
    'network': frozenset[str](),
}


def of(old: model.GroupSpec, new: model.GroupSpec) -> Difference:
    """Compare two requests by the names of their members."""
    before = {member.name: member for member in old.members}
    asked = _replace_on(new)
    verdicts: dict[str, Verdict] = {}
    for member in _in_order(new):
        verdicts[member.name] = _verdict(
            before.get(member.name), member, verdicts, FLAVOR not in asked
        )
    return Difference(
        (
            *(verdicts[member.name] for member in new.members),
            *(
                Verdict(member.name, member.type, Fate.REMOVED)
                for member in old.members
                if member.name not in verdicts
            ),
        ),
        _rules(old) != _rules(new),
    )


def check(
    old: model.GroupSpec, new: model.GroupSpec, found: Difference
) -> None:
    """Raise InvalidDocument for what may not or cannot be replaced.

    Copies of a counted instance share their place, and what is told there.
    """
    before = {member.name: member for member in old.members}
    verdicts = {verdict.member: verdict for verdict in found.verdicts}
    faults: dict[str, exception.Fault] = {}
    for name in found.having(Fate.REPLACED):
        member = new.member(name)
        for fault in (
            *_unasked(new, member, verdicts[name]),
            *_conflicts(before[name], member, verdicts),
        ):
            faults.setdefault(fault.path, fault)
    if faults:
        raise exception.InvalidDocument(list(faults.values()))


def _unasked(
    new: model.GroupSpec, member: model.Member, verdict: Verdict
) -> Iterator[exception.Fault]:
    """Tell why one is not replaced, at the first thing that is other."""
    allowed = _replace_on(new)
    refused = [each for each in verdict.needs if each not in allowed]
    if not refused or 'any' in allowed:
        return
    first = refused[0]
    names = ', '.join(refused)
    yield exception.Fault(
        f'{member.path}.{"type" if first == "type" else f"spec.{first}"}',
        f"'{member.base}' would have to be replaced ({verdict.reason}); to "
        f'allow that, name {names} in update_policy.replace_on',
    )


def _replace_on(new: model.GroupSpec) -> frozenset[str]:
    policy = new.document.get('update_policy', {})
    return frozenset(policy.get('replace_on', ()))


def _in_order(wanted: model.GroupSpec) -> Iterator[model.Member]:
    """Give each member after those that it needs; there are no cycles."""
    given: set[str] = set()
    waiting = list(wanted.members)
    while waiting:
        ready = [m for m in waiting if m.depends_on <= given]
        yield from ready
        given.update(member.name for member in ready)
        waiting = [m for m in waiting if m.name not in given]


def _verdict(
    before: model.Member | None,
    after: model.Member,
    others: Mapping[str, Verdict],
    may_resize: bool,
) -> Verdict:
    name, kind = after.name, after.type
    if before is None:
        return Verdict(name, kind, Fate.ADDED)
    if before.type != kind:
        return Verdict(
            name, kind, Fate.REPLACED, ('type',), 'type differs', ('type',)
        )
    differing = tuple(_differing(before.spec, after.spec))
    lasting = tuple(p for p in differing if p not in IN_PLACE[kind])
    if lasting:
        return Verdict(
            name,
            kind,
            Fate.REPLACED,
            differing,
            f'{", ".join(lasting)} cannot be changed in place',
            tuple(each.partition(' ')[0] for each in lasting),
        )
    if FLAVOR in differing and not may_resize:
        reason = 'the document lets another flavor replace it'
        return Verdict(name, kind, Fate.REPLACED, differing, reason, (FLAVOR,))
    renewed = dict(_renewed(after.spec, others))
    if renewed:
        reason = f'what it is built on is replaced: {", ".join(renewed)}'
        needs = tuple(dict.fromkeys(renewed.values()))
        return Verdict(name, kind, Fate.REPLACED, differing, reason, needs)
    if _gets_other_volumes(after.spec, others):
        differing = (*dict.fromkeys((*differing, 'volumes')),)
    if differing:
        return Verdict(name, kind, Fate.CHANGED, differing)
    return Verdict(name, kind, Fate.KEPT)


def _differing(before: Any, after: Any) -> Iterator[str]:
    """Yield the properties that differ, as the document calls them."""
    for field in dataclasses.fields(after):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if one == other:
            continue
        if field.name == 'networks' and _same_but_groups(one, other):
            yield 'security_groups'
        elif isinstance(after, model.VolumeSpec) and (
            field.name == 'size' and other < one
        ):
            yield 'size (smaller)'
        else:
            yield field.name


def _same_but_groups(
    before: tuple[model.InterfaceSpec, ...],
    after: tuple[model.InterfaceSpec, ...],
) -> bool:
    def bare(nics: tuple[model.InterfaceSpec, ...]) -> Any:
        return [dataclasses.replace(n, security_groups=None) for n in nics]

    return bool(bare(before) == bare(after))


def _is_new(
    reference: model.Reference | None, others: Mapping[str, Verdict]
) -> bool:
    """Tell whether a reference leads to a thing other than before."""
    return (
        reference is not None
        and reference.is_member
        and others[reference.name].fate in (Fate.REPLACED, Fate.ADDED)
    )


def _renewed(
    asked: model.MemberSpec, others: Mapping[str, Verdict]
) -> Iterator[tuple[str, str]]:
    """Yield what it is built on and is new, and the property that says so."""
    if isinstance(asked, model.ServerSpec):
        if asked.boot_volume and _is_new(asked.boot_volume, others):
            yield asked.boot_volume.name, 'boot_volume'
        for nic in asked.networks:
            if _is_new(nic.network, others):
                yield nic.network.name, 'networks'


def _gets_other_volumes(
    asked: model.MemberSpec, others: Mapping[str, Verdict]
) -> bool:
    return isinstance(asked, model.ServerSpec) and any(
        _is_new(attachment.volume, others) for attachment in asked.volumes
    )


def _conflicts(
    before: model.Member, after: model.Member, others: Mapping[str, Verdict]
) -> Iterator[exception.Fault]:
    """Find what the old one and the new one cannot have at a time."""
    one, two = before.spec, after.spec
    if not isinstance(one, model.ServerSpec) or not isinstance(
        two, model.ServerSpec
    ):
        return
    why = others[after.name].reason
    boot = two.boot_volume
    if boot and boot == one.boot_volume and not _is_new(boot, others):
        yield exception.Fault(
            f'{after.path}.spec.boot_volume',
            f"'{after.name}' has to be replaced ({why}), and two servers "
            f"cannot boot from '{boot.name}'; give it another boot volume",
        )
    taken = {(n.network, n.fixed_ip) for n in one.networks if n.fixed_ip}
    for place, nic in enumerate(two.networks):
        if (nic.network, nic.fixed_ip) in taken and not _is_new(
            nic.network, others
        ):
            yield exception.Fault(
                f'{after.path}.spec.networks[{place}].fixed_ip',
                f"'{after.name}' has to be replaced ({why}), and two servers "
                'cannot have one address; give it another fixed_ip, or none',
            )


def _rules(wanted: model.GroupSpec) -> list[Any]:
    """Return the rules, with nothing of where the document has them."""
    return [dataclasses.replace(group, path='') for group in wanted.groups]


def may_drift(document: Mapping[str, Any]) -> bool:
    """Tell whether those that run may break a document's rules for now."""
    policy = document.get('update_policy', {})
    return bool(policy.get('allow_drifted'))
