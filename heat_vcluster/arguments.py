# SPDX-License-Identifier: Apache-2.0
"""What a verb may be given beside a document, and whether that can be."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast

from heat_vcluster import states
from heat_vcluster.db import listing
from heat_vcluster.exception import Fault, InvalidRequest

NAME_LENGTH = 255
TAG_LENGTH = 80
MOST_TAGS = 50
MOST_METADATA = 128
LONGEST = 365 * 24 * 3600  # seconds
LARGEST_ID = 2**63 - 1  # of an event, in any database

DIRECTIONS = ('asc', 'desc')

Found = Iterator[tuple[str, str]]  # path and message


class Wishes(TypedDict, total=False):
    """What may be asked of a new cluster; None is as if not asked."""

    name: str | None
    timeout: float | None
    metadata: Mapping[str, str] | None
    tags: Sequence[str] | None


def check(**given: Any) -> None:
    """Raise InvalidRequest with all that cannot be; None passes.

    The names are those of the keys in a request: ``id``, ``name``,
    ``metadata``, ``tags``, ``timeout``, ``hold_seconds``, ``status``,
    ``sort``, ``marker``, ``limit``, ``after``, ``remove``, ``members``.
    """
    faults = [
        Fault(path, message)
        for key, value in given.items()
        if value is not None
        for path, message in _CHECKS[key](key, value)
    ]
    if faults:
        raise InvalidRequest(faults)


def check_not_held(hold_seconds: float | None) -> None:
    """Raise InvalidRequest if a change of a cluster is to be held."""
    if hold_seconds is not None:
        raise InvalidRequest(
            [Fault('hold_seconds', 'the plan of a change cannot be held')]
        )


def is_id(value: Any) -> bool:
    """Tell whether it is a uuid, written as usual."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def parse_sort(text: str | None) -> listing.Sort:
    """Read ``key:direction,...``; the direction is asc unless said."""
    if text is None:
        return listing.OLDEST_FIRST
    parts = [part.strip().partition(':') for part in text.split(',')]
    return [
        (
            key,
            'asc' if direction == '' else cast('listing.Direction', direction),
        )
        for key, _, direction in parts
    ]


def _id(path: str, value: Any) -> Found:
    if not is_id(value):
        yield path, 'it must be a uuid in lower case'


def _text(path: str, value: Any, most: int, least: int = 1) -> Found:
    if not isinstance(value, str) or not least <= len(value) <= most:
        yield path, f'it must be text of {least} to {most} characters'
    elif not _is_storable(value):
        yield path, 'it has characters that cannot be kept'


def _is_storable(value: str) -> bool:
    """Tell whether any database takes it: no NUL, no half characters."""
    try:
        return '\0' not in value and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _name(path: str, value: Any) -> Found:
    yield from _text(path, value, NAME_LENGTH)


def _metadata(path: str, value: Any) -> Found:
    if not isinstance(value, Mapping) or len(value) > MOST_METADATA:
        yield path, f'it must be a mapping of at most {MOST_METADATA} keys'
        return
    for key, text in value.items():
        yield from _text(f'{path}.{key}', key, NAME_LENGTH)
        yield from _text(f'{path}.{key}', text, NAME_LENGTH, least=0)


def _tags(path: str, value: Any) -> Found:
    is_listing = isinstance(value, Iterable) and not isinstance(
        value, str | bytes | Mapping
    )
    if not is_listing:
        yield path, 'it must be a list of tags'
        return
    tags = list(value)
    if len(tags) > MOST_TAGS:
        yield path, f'there may be {MOST_TAGS} tags at most'
    for index, tag in enumerate(tags):
        yield from _text(f'{path}[{index}]', tag, TAG_LENGTH)


def _remove(path: str, value: Any) -> Found:
    is_listing = isinstance(value, Iterable) and not isinstance(
        value, str | bytes | Mapping
    )
    if not is_listing:
        yield path, 'it must be a list of names of members'
        return
    for index, name in enumerate(value):
        yield from _text(f'{path}[{index}]', name, NAME_LENGTH)


def _members(path: str, value: Any) -> Found:
    if not isinstance(value, Mapping):
        yield path, 'it must be a mapping of members to ids or names'
        return
    for key, text in value.items():
        yield from _text(f'{path}.{key}', key, NAME_LENGTH)
        yield from _text(f'{path}.{key}', text, NAME_LENGTH)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _seconds(path: str, value: Any) -> Found:
    if not _is_number(value) or not 0 < value <= LONGEST:
        yield path, f'it must be seconds: more than 0, {LONGEST} at most'


def _status(path: str, value: Any) -> Found:
    known = [str(each) for each in states.ClusterStatus]
    if value not in known:
        yield path, f'it must be one of {", ".join(known)}'


def _sort(path: str, value: Any) -> Found:
    if not isinstance(value, str):
        yield path, 'it must be text as key:direction,...'
        return
    for key, direction in parse_sort(value):
        if key not in listing.SORT_KEYS or direction not in DIRECTIONS:
            yield (
                path,
                f'it must be keys of {", ".join(listing.SORT_KEYS)}, each '
                'with :asc or :desc if wanted',
            )
            return


def _limit(path: str, value: Any) -> Found:
    yield from _whole(path, value, 1)


def _after(path: str, value: Any) -> Found:
    yield from _whole(path, value, 0)


def _whole(path: str, value: Any, least: int) -> Found:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= LARGEST_ID:
        yield path, f'it must be a whole number, {least} at least'


_CHECKS: dict[str, Callable[[str, Any], Found]] = {
    'id': _id,
    'marker': _id,
    'name': _name,
    'metadata': _metadata,
    'tags': _tags,
    'timeout': _seconds,
    'hold_seconds': _seconds,
    'status': _status,
    'sort': _sort,
    'limit': _limit,
    'after': _after,
    'remove': _remove,
    'members': _members,
}
