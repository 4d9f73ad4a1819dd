# SPDX-License-Identifier: Apache-2.0
"""Every volume can be made, and is used by no more than it can bear."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths


@dataclasses.dataclass(frozen=True, slots=True)
class _Use:
    volume: str
    server: drafts.Copy
    path: paths.Path
    boots: bool


def _uses(server: drafts.Copy) -> Iterator[_Use]:
    if 'boot_volume' in server.spec:
        path = (*server.path, 'spec', 'boot_volume')
        yield _Use(server.spec['boot_volume'], server, path, True)
    for path, entry in server.entries('volumes'):
        if 'volume' in entry:
            yield _Use(entry['volume'], server, (*path, 'volume'), False)


def two_sources(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        if copy.type == 'volume' and {'image', 'snapshot_id'} <= set(
            copy.spec
        ):
            yield (
                (*copy.path, 'spec', 'snapshot_id'),
                "a volume is made from an 'image' or from a snapshot, not "
                'from both',
            )


def not_bootable(draft: drafts.Draft) -> faults.Found:
    for server in draft.copies:
        if server.type != 'server':
            continue
        volume = draft.by_name.get(server.spec.get('boot_volume', ''))
        if volume is None or volume.type != 'volume':
            continue
        spec = (*volume.path, 'spec')
        if not any(
            key in volume.spec or draft.sound.is_broken((*spec, key))
            for key in ('image', 'snapshot_id')
        ):
            yield (
                (*server.path, 'spec', 'boot_volume'),
                f"'{volume.name}' is made empty; to boot from it, give it an "
                "'image' or a 'snapshot_id'",
            )


def shared(draft: drafts.Draft) -> faults.Found:
    """Two uses of one volume: by two servers, or by the same one."""
    uses: dict[str, list[_Use]] = defaultdict(list)
    for copy in draft.copies:
        if copy.type == 'server':
            for use in _uses(copy):
                if use.volume in draft.counted:
                    continue  # said where references are checked
                yield from _second(draft, use, uses[use.volume])
                uses[use.volume].append(use)


def _second(
    draft: drafts.Draft, use: _Use, earlier: list[_Use]
) -> faults.Found:
    own = [e for e in earlier if e.server is use.server]
    other = [e for e in earlier if e.server is not use.server]
    if own:
        done = 'boots from' if own[0].boots else 'attaches'
        yield (
            use.path,
            f"'{use.server.name}' {done} '{use.volume}' already; a server "
            'has a volume once',
        )
    if not other:
        return
    if use.boots or any(e.boots for e in other):
        yield (
            use.path,
            f"{_users(use, other[0])} '{use.volume}', and one of them boots "
            'from it; a volume to boot from belongs to one server'
            + _one_each(use, other[0]),
        )
    elif not _may_be_shared(draft, use.volume):
        yield (
            use.path,
            f"{_users(use, other[0])} '{use.volume}'; a volume belongs to "
            "one server, unless it says 'multiattach: true' (its volume "
            'type must allow that)' + _one_each(use, other[0]),
        )


def _users(use: _Use, other: _Use) -> str:
    if use.server.path == other.server.path:
        return f"every copy of '{use.server.base}' uses"
    return f"'{other.server.name}' and '{use.server.name}' both use"


def _one_each(use: _Use, other: _Use) -> str:
    if use.server.path != other.server.path:
        return ''
    return (
        f"; for one volume each, count the volume and name '"
        f"{use.volume}-{drafts.INDEX}'"
    )


def _may_be_shared(draft: drafts.Draft, name: str) -> bool:
    """Of a volume that exists already only the cloud can tell."""
    volume = draft.by_name.get(name)
    if volume is None or volume.type != 'volume':
        return True
    place = (*volume.path, 'spec', 'multiattach')
    return bool(volume.spec.get('multiattach') or draft.sound.is_broken(place))
