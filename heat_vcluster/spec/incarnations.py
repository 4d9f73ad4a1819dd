# SPDX-License-Identifier: Apache-2.0
"""What a member is called inside: each time it is made again, anew.

A member that is replaced exists twice for a while, and what is made for the
one must never be taken for the other's: not by a lookup by tag, not by who
goes on after a crash, not by a sweep. So whatever a change makes bears the
change's number behind the member's name, which no name of a document can
have; and a number is given once in the life of a cluster.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from heat_vcluster.spec import model

MARK = '~'
_MARKED = re.compile(rf'([A-Za-z][A-Za-z0-9_.-]*){MARK}[0-9]+(?![A-Za-z0-9_])')


def name(member: str, number: int) -> str:
    """Return what a member is called that the change of a number makes."""
    return f'{member}{MARK}{number}'


def shown(name: str) -> str:
    """Return the name by which the tenant knows it: that of his document."""
    return name.partition(MARK)[0]


def tell(text: str) -> str:
    """Return a text as the tenant is to read it."""
    return _MARKED.sub(r'\1', text)


def rename(
    wanted: model.GroupSpec, names: Mapping[str, str]
) -> model.GroupSpec:
    """Return the same request with members called otherwise.

    Those that are not in ``names`` keep theirs. The document stays as it
    is.
    """
    if all(old == new for old, new in names.items()):
        return wanted
    members = tuple(_member(member, names) for member in wanted.members)
    groups = tuple(
        dataclasses.replace(
            group,
            units=tuple(
                tuple(names.get(one, one) for one in unit)
                for unit in group.units
            ),
        )
        for group in wanted.groups
    )
    survive = tuple(
        dataclasses.replace(
            loss, keep=tuple(_kept(kept, names) for kept in loss.keep)
        )
        for loss in wanted.survive
    )
    return model.GroupSpec(
        wanted.name, members, groups, wanted.document, survive
    )


def only(wanted: model.GroupSpec, members: Iterable[str]) -> model.GroupSpec:
    """Return what is asked for some members alone, with their rules."""
    kept = frozenset(members)
    groups = []
    for group in wanted.groups:
        units = tuple(
            inside
            for unit in group.units
            if (inside := tuple(one for one in unit if one in kept))
        )
        if units:
            groups.append(dataclasses.replace(group, units=units))
    return model.GroupSpec(
        wanted.name,
        tuple(each for each in wanted.members if each.name in kept),
        tuple(groups),
        wanted.document,
    )


def _member(member: model.Member, names: Mapping[str, str]) -> model.Member:
    asked = member.spec
    if isinstance(asked, model.ServerSpec):
        asked = dataclasses.replace(
            asked,
            boot_volume=asked.boot_volume
            and _reference(asked.boot_volume, names),
            networks=tuple(
                dataclasses.replace(
                    nic, network=_reference(nic.network, names)
                )
                for nic in asked.networks
            ),
            volumes=tuple(
                dataclasses.replace(
                    attachment, volume=_reference(attachment.volume, names)
                )
                for attachment in asked.volumes
            ),
        )
    return dataclasses.replace(
        member,
        name=names.get(member.name, member.name),
        spec=asked,
        depends_on=frozenset(names.get(one, one) for one in member.depends_on),
    )


def _kept(kept: model.Kept, names: Mapping[str, str]) -> model.Kept:
    return dataclasses.replace(
        kept, members=tuple(names.get(one, one) for one in kept.members)
    )


def _reference(
    reference: model.Reference, names: Mapping[str, str]
) -> model.Reference:
    if not reference.is_member:
        return reference
    return dataclasses.replace(
        reference, name=names.get(reference.name, reference.name)
    )
