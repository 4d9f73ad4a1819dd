# SPDX-License-Identifier: Apache-2.0
"""Which part of a large cloud is looked at first, and how it widens."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from heat_vcluster.placement import reach as reaches

#: So many sections at the least are looked at, and so many for each domain
#: that the rules take: some will turn out to be full.
FEWEST = 4
SPARE = 2
#: How many times as much is looked at when that was not enough.
GROWTH = 4
#: So many hosts for each member, where nothing is known of their room.
HOSTS_A_MEMBER = 4
#: Where that much of a cloud would be looked at in part, all of it is.
MOST = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A part of a cloud that can be read by itself, such as a rack.

    ``domains`` maps scopes to the domains that it is in, its own among
    them. ``rank``: lower ones are looked at first.
    """

    name: str
    domains: Mapping[str, str]
    hosts: int
    rank: int = 0


def widening(
    sections: Sequence[Section],
    members: int,
    reach: reaches.Reach,
    hosts: int | None = None,
) -> Iterator[tuple[str, ...]]:
    """Give the names of the sections to look at, ever more of them.

    Each time several times as many as before, and all of those before among
    them. Ends where it is worth to look at everything: that is what comes
    next. ``hosts``: how many it will take, if that is known better than by
    the number of members.
    """
    if not sections:
        return
    order = deal(sections, reach.seed)
    each = max(1, sum(s.hosts for s in sections) // len(sections))
    count = max(
        FEWEST, -(-(hosts or HOSTS_A_MEMBER * max(members, 1)) // each)
    )
    while count <= MOST * len(sections):
        count = _enough(order, count, reach.domains)
        if count > MOST * len(sections):
            return
        yield tuple(section.name for section in order[:count])
        count *= GROWTH


def deal(sections: Sequence[Section], seed: str) -> list[Section]:
    """Order sections such that any first few lie far apart.

    At the widest scope first: one of each zone in turn, and within a zone
    one of each row. What is left open is drawn by the seed.
    """
    scopes = list(dict.fromkeys(s for one in sections for s in one.domains))
    return _dealt(list(sections), scopes, seed)


def _dealt(
    sections: list[Section], scopes: Sequence[str], seed: str
) -> list[Section]:
    def lot(name: str) -> bytes:
        return hashlib.sha256(f'{seed}/{name}'.encode()).digest()

    if not scopes or len(sections) < 2:
        return sorted(sections, key=lambda s: (s.rank, lot(s.name)))
    groups: dict[str, list[Section]] = collections.defaultdict(list)
    for section in sections:
        groups[section.domains.get(scopes[0], '')].append(section)
    hands = [
        _dealt(group, scopes[1:], seed)
        for _, group in sorted(groups.items(), key=lambda g: lot(g[0]))
    ]
    rounds = itertools.zip_longest(*hands)
    dealt = [one for turn in rounds for one in turn if one is not None]
    # What is known to be better comes first, whichever zone it is in turn.
    return sorted(dealt, key=lambda s: s.rank)


def _enough(
    order: Sequence[Section], count: int, domains: Mapping[str, int]
) -> int:
    """Return how many from the first on have the domains it takes.

    At least ``count``; more than there are if they do not suffice.
    """
    wanted = {
        scope: SPARE * needed
        for scope, needed in domains.items()
        if needed > 1 and any(scope in s.domains for s in order)
    }
    there = {
        scope: {s.domains[scope] for s in order if scope in s.domains}
        for scope in wanted
    }
    seen: dict[str, set[str]] = {scope: set() for scope in wanted}
    for number, section in enumerate(order):
        if number >= count and all(
            len(seen[scope]) >= min(wanted[scope], len(there[scope]))
            for scope in wanted
        ):
            return number
        for scope in wanted:
            if scope in section.domains:
                seen[scope].add(section.domains[scope])
    return len(order)
