# SPDX-License-Identifier: Apache-2.0
"""Makes the values of a request from a draft that has no faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import model, paths
from heat_vcluster.spec.checks import dependencies, survival

DEFAULT_SCOPE = 'host'
DEFAULT_WEIGHT = 1
SURVIVE = 'survive'  # the policy that the document's own key stands for
_GROUP_KEYS = frozenset(('policy', 'scope', 'strict', 'weight'))

Policies = Mapping[str, Any]


def group_spec(draft: drafts.Draft, policies: Policies) -> model.GroupSpec:
    document = draft.sound.document
    return model.GroupSpec(
        name=document.get('name'),
        members=tuple(_member(draft, copy) for copy in draft.copies),
        groups=(
            *(_group(draft, group, policies) for group in draft.groups),
            *_derived(draft),
        ),
        document=_document(document, policies),
        survive=tuple(
            model.Loss(
                entry['lose']['count'],
                entry['lose']['scope'],
                tuple(_kept(draft, entry)),
            )
            for entry in document.get('survive', ())
        ),
    )


def _member(draft: drafts.Draft, copy: drafts.Copy) -> model.Member:
    assert copy.type is not None  # noqa: S101 (the shape's check saw to it)
    spec: model.MemberSpec
    match copy.type:
        case 'server':
            spec = _server(draft, copy.spec)
        case 'volume':
            spec = _volume(copy.spec)
        case _:
            spec = _network(copy.spec)
    return model.Member(
        name=copy.name,
        type=copy.type,
        spec=spec,
        base=copy.base,
        index=copy.index,
        path=paths.text(copy.path),
        depends_on=dependencies.needs(draft, copy),
    )


def _reference(draft: drafts.Draft, name: str) -> model.Reference:
    return model.Reference(name, is_member=name in draft.by_name)


def _server(draft: drafts.Draft, spec: Any) -> model.ServerSpec:
    boot = spec.get('boot_volume')
    return model.ServerSpec(
        flavor=spec['flavor'],
        image=spec.get('image'),
        boot_volume=None if boot is None else _reference(draft, boot),
        key_name=spec.get('key_name'),
        networks=tuple(
            _interface(draft, entry, spec.get('security_groups'))
            for entry in spec.get('networks', ())
        ),
        volumes=tuple(
            model.AttachmentSpec(
                _reference(draft, entry['volume']), entry.get('device')
            )
            for entry in spec.get('volumes', ())
        ),
        user_data=spec.get('user_data'),
        metadata=dict(spec.get('metadata', {})),
        config_drive=spec.get('config_drive'),
        availability_zone=spec.get('availability_zone'),
        tags=tuple(spec.get('tags', ())),
        again=spec.get('again', 0),
    )


def _interface(
    draft: drafts.Draft, entry: Any, common: list[str] | None
) -> model.InterfaceSpec:
    security_groups = entry.get('security_groups', common)
    floating_ip = entry.get('floating_ip')
    return model.InterfaceSpec(
        network=_reference(draft, entry['network']),
        fixed_ip=entry.get('fixed_ip'),
        security_groups=(
            None if security_groups is None else tuple(security_groups)
        ),
        floating_ip=(
            None if floating_ip is None else model.FloatingIpSpec(floating_ip)
        ),
    )


def _volume(spec: Any) -> model.VolumeSpec:
    return model.VolumeSpec(
        size=spec['size'],
        volume_type=spec.get('volume_type'),
        image=spec.get('image'),
        snapshot_id=spec.get('snapshot_id'),
        availability_zone=spec.get('availability_zone'),
        metadata=dict(spec.get('metadata', {})),
        multiattach=spec.get('multiattach', False),
        again=spec.get('again', 0),
    )


def _network(spec: Any) -> model.NetworkSpec:
    router = spec.get('router')
    return model.NetworkSpec(
        subnets=tuple(_subnet(entry) for entry in spec.get('subnets', ())),
        router=(
            None
            if router is None
            else model.RouterSpec(router['external_network'])
        ),
        mtu=spec.get('mtu'),
        port_security=spec.get('port_security'),
    )


def _subnet(entry: Any) -> model.SubnetSpec:
    return model.SubnetSpec(
        cidr=entry['cidr'],
        name=entry.get('name'),
        gateway=entry.get('gateway'),
        no_gateway='gateway' in entry and entry['gateway'] is None,
        dns=tuple(entry.get('dns', ())),
        allocation_pools=tuple(
            (pool['start'], pool['end'])
            for pool in entry.get('allocation_pools', ())
        ),
        dhcp=entry.get('dhcp', True),
    )


def _group(
    draft: drafts.Draft, group: drafts.Grouping, policies: Policies
) -> model.Group:
    rule = _rule(group.spec, policies)
    return model.Group(
        name=group.name,
        policy=rule['policy'],
        scope=rule.get('scope', DEFAULT_SCOPE),
        units=tuple(
            unit for _, name in group.entries() for unit in _units(draft, name)
        ),
        weight=rule.get('weight'),
        options={k: v for k, v in rule.items() if k not in _GROUP_KEYS},
        path=paths.text(group.path),
    )


def _kept(draft: drafts.Draft, entry: Any) -> Iterator[model.Kept]:
    for name, asked in entry['keep'].items():
        members = draft.below(name)
        least = survival.at_least(asked, len(members))
        yield model.Kept(name, members, asked, least)


def _derived(draft: drafts.Draft) -> Iterator[model.Group]:
    """Give the groups that ``survive`` stands for, one for each number."""
    for place, entry in enumerate(draft.sound.document.get('survive', ())):
        for kept in _kept(draft, entry):
            path = paths.text(('survive', place, 'keep', kept.name))
            yield model.Group(
                name=path,
                policy=SURVIVE,
                scope=entry['lose']['scope'],
                units=tuple((member,) for member in kept.members),
                weight=_strictness(entry).get('weight'),
                options={'lose': entry['lose']['count'], 'keep': kept.least},
                path=f'survive[{place}].lose',
                is_derived=True,
            )


def _units(draft: drafts.Draft, name: str) -> list[tuple[str, ...]]:
    """Return the units that an entry stands for, as the model has them."""
    copies = draft.copies_of(name)
    if copies:
        return [(member,) for member in copies]
    return [draft.below(name)]


def _rule(spec: Any, policies: Policies) -> dict[str, Any]:
    """Return a group's spec with what it leaves open filled in."""
    policy = policies[spec['policy']]
    rule = _strictness(spec, getattr(policy, 'never_strict', False))
    if getattr(policy, 'has_scope', True):
        rule.setdefault('scope', DEFAULT_SCOPE)
    return rule


def _strictness(spec: Any, never: bool = False) -> dict[str, Any]:
    """Return it with ``strict``, and a ``weight`` if it is not."""
    strict = spec.get('strict', not never and 'weight' not in spec)
    rule = {**spec, 'strict': strict}
    if not strict:
        rule.setdefault('weight', DEFAULT_WEIGHT)
    return rule


def _document(document: Any, policies: Policies) -> dict[str, Any]:
    """Return the canonical document: what rules leave open is filled in."""
    rules = [
        {**entry, 'spec': _rule(entry['spec'], policies)}
        for entry in document.get('groups', ())
    ]
    whole = {**document, 'groups': rules}
    if 'survive' in document:
        whole['survive'] = [_strictness(e) for e in document['survive']]
    return whole
