# SPDX-License-Identifier: Apache-2.0
"""Replacing servers a few at a time: who is in which batch, and what holds.

Nothing is removed before all is there, so what a batch bounds is who is out
of service at a time: a server that hands a volume over to the new one; and
how much is new to the others at once.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from heat_vcluster import exception
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

Batch = tuple[str, ...]


def batches(
    old: spec.GroupSpec,
    new: spec.GroupSpec,
    handing_over: frozenset[str],
) -> tuple[Batch, ...]:
    """Return the servers that replace others or are resized, by name.

    None, if the document has no ``batch_size``. ``handing_over`` are
    those that run, and give up a volume. Raises InvalidDocument if as many
    have to stay in service as there are.
    """
    policy = new.document.get('update_policy', {})
    if 'batch_size' not in policy:
        return ()
    before = {
        incarnations.shown(member.name): member for member in old.members
    }
    still = {member.name for member in old.members}
    replaced = collections.defaultdict(list)
    resized = set()
    for member in new.of_type('server'):
        one = before.get(incarnations.shown(member.name))
        if one is None:
            continue
        if member.name in still and _has_other_flavor(one, member):
            resized.add(member.name)
        if member.name in resized or member.name not in still:
            replaced[member.base].append(member.name)
    faults = []
    found: list[list[str]] = []
    for base, names in replaced.items():
        count = sum(member.base == base for member in old.members)
        spare = count - policy.get('min_in_service', 0)
        gives_up = any(
            name in resized
            or before[incarnations.shown(name)].name in handing_over
            for name in names
        )
        if spare < 1 and gives_up:
            faults.append(
                exception.Fault(
                    'update_policy.min_in_service',
                    f"'{base}' has to be replaced or resized, and of {count} "
                    'none may be out of service',
                )
            )
        size = max(1, min(policy['batch_size'], spare))
        for place, name in enumerate(names):
            while len(found) <= place // size:
                found.append([])
            found[place // size].append(name)
    if faults:
        raise exception.InvalidDocument(faults)
    return tuple(map(tuple, found))


def _has_other_flavor(one: spec.Member, other: spec.Member) -> bool:
    return (
        isinstance(one.spec, spec.ServerSpec)
        and isinstance(other.spec, spec.ServerSpec)
        and one.spec.flavor != other.spec.flavor
    )


def with_moments(
    old: spec.GroupSpec,
    new: spec.GroupSpec,
    dealt: Sequence[Batch],
) -> spec.GroupSpec:
    """Return the request with what is to hold after each batch but the last.

    That is each strict rule that is in both definitions, over those that
    are in service then: the new ones so far, and the old ones of the rest.
    One that is resized counts where it is to be.
    """
    lasting = {
        (group.name, group.policy, group.scope, repr(group.options))
        for group in old.groups
        if group.is_hard
    }
    before = {
        incarnations.shown(member.name): member.name for member in old.members
    }
    groups = list(new.groups)
    for number in range(1, len(dealt)):
        later = {
            name: before[incarnations.shown(name)]
            for batch in dealt[number:]
            for name in batch
            if before[incarnations.shown(name)] != name
        }
        groups.extend(
            _moment(group, later, number)
            for group in new.groups
            if (group.name, group.policy, group.scope, repr(group.options))
            in lasting
            and later.keys() & set(group.members)
        )
    return dataclasses.replace(new, groups=tuple(groups))


def _moment(
    group: spec.Group, later: Mapping[str, str], number: int
) -> spec.Group:
    return dataclasses.replace(
        group,
        name=f'{group.name} (after batch {number})',
        units=tuple(
            tuple(later.get(name, name) for name in unit)
            for unit in group.units
        ),
    )
