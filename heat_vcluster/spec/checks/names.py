# SPDX-License-Identifier: Apache-2.0
"""Every instance, copy and group has a name of its own."""

from __future__ import annotations

from collections.abc import Iterator

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths

_MOST = 63


def repeated(draft: drafts.Draft) -> faults.Found:
    taken: dict[str, tuple[paths.Path, str]] = {}
    for path, name, owner in _claims(draft):
        first, other = taken.setdefault(name, (path, owner))
        if first != path:
            yield (
                (*path, 'name'),
                f"the name '{name}' is taken by {other}; every instance, "
                'copy and group needs a name of its own',
            )


def _claims(draft: drafts.Draft) -> Iterator[tuple[paths.Path, str, str]]:
    """Give place, claimed name, and who claims it."""
    for copy in draft.copies:
        if copy.index is None:
            yield copy.path, copy.name, 'another instance'
        else:
            counted = f"the counted instance '{copy.base}'"
            yield copy.path, copy.base, counted
            yield copy.path, copy.name, f'a copy of {counted}'
    for group in draft.groups:
        yield group.path, group.name, 'another group'


def too_long(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        if copy.index is not None and len(copy.name) > _MOST:
            yield (
                (*copy.path, 'name'),
                f"the copy '{copy.name}' has more than {_MOST} characters; "
                'choose a shorter name',
            )


def miscounted(draft: drafts.Draft) -> faults.Found:
    """Find instances whose ``indexes`` are not as many as their ``count``."""
    for path, entry in drafts.entries(draft.sound.document, 'instances'):
        numbers = entry.get('indexes')
        if numbers is not None and len(numbers) != entry.get('count'):
            yield (
                (*path, 'indexes'),
                f"'{entry['name']}' has {len(numbers)} indexes; it needs a "
                'count of as many',
            )
