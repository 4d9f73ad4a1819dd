# SPDX-License-Identifier: Apache-2.0
"""How a thing in the cloud says to whom it belongs.

The mark must be there from the very call that makes the thing: a crash right
after it must not leave something that nobody finds. Neutron takes tags only
in a second call (but for ports made in bulk), so there the description is
the mark, and tags are set besides for people to filter by. Nova takes tags
with the create, of at most 60 characters, which a member's name may not leave
room for: who it is stands in the metadata, as it does for cinder.

What is adopted was made by others: in neutron its tags are the mark, and its
description stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster.cloud import model

PREFIX = 'vcluster:'
MEMBER = 'vcluster-member:'
PART = 'vcluster-part:'
META_CLUSTER = 'vcluster_id'
META_MEMBER = 'vcluster_member'
META_PART = 'vcluster_part'
#: Before the name of a level: what a server is told of where it is.
META_DOMAIN = 'vcluster:'


def description(owner: model.Owner) -> str:
    """Return the mark of a thing in neutron: at most 255 characters."""
    return f'{PREFIX}{owner.cluster_id} {owner.member} {owner.part}'.rstrip()


def from_description(text: str | None) -> model.Owner | None:
    words = (text or '').split(' ')
    if not words[0].startswith(PREFIX) or not 2 <= len(words) <= 3:
        return None
    part = words[2] if len(words) == 3 else ''
    return model.Owner(words[0].removeprefix(PREFIX), words[1], part)


def network_tags(owner: model.Owner) -> list[str]:
    tags = [f'{PREFIX}{owner.cluster_id}', f'{MEMBER}{owner.member}']
    return [*tags, f'{PART}{owner.part}'] if owner.part else tags


def from_network_tags(found: Iterable[str]) -> model.Owner | None:
    """Read the mark of a thing that is adopted: its description is its own."""
    words = {
        prefix: tag.removeprefix(prefix)
        for tag in found
        for prefix in (PREFIX, MEMBER, PART)
        if tag.startswith(prefix)
    }
    if PREFIX not in words or MEMBER not in words:
        return None
    return model.Owner(words[PREFIX], words[MEMBER], words.get(PART, ''))


def of_network(item: Mapping[str, Any]) -> model.Owner | None:
    """Return whose a thing in neutron is, by its description or its tags."""
    return from_description(item.get('description')) or from_network_tags(
        item.get('tags') or ()
    )


def cluster_tag(cluster_id: str) -> str:
    return f'{PREFIX}{cluster_id}'


def metadata(owner: model.Owner) -> dict[str, str]:
    """Return the mark of a volume or server in its metadata."""
    marks = {META_CLUSTER: owner.cluster_id, META_MEMBER: owner.member}
    return {**marks, META_PART: owner.part} if owner.part else marks


def domains(found: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata by which a server knows its domains."""
    return {f'{META_DOMAIN}{level}': name for level, name in found.items()}


def from_metadata(found: Mapping[str, str]) -> model.Owner | None:
    if META_CLUSTER not in found or META_MEMBER not in found:
        return None
    return model.Owner(
        found[META_CLUSTER], found[META_MEMBER], found.get(META_PART, '')
    )


def things_of(
    cluster_id: str,
    kind: model.Kind,
    owned: Iterable[tuple[str, model.Owner | None]],
) -> tuple[model.Thing, ...]:
    """Return those of the cluster among (id, owner); None: nobody's."""
    return tuple(
        model.Thing(kind, thing_id, owner)
        for thing_id, owner in owned
        if owner is not None and owner.cluster_id == cluster_id
    )
