# SPDX-License-Identifier: Apache-2.0
"""Every reference leads somewhere, and none leads back to its start."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Iterator, Mapping

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults, paths

_MOST_CYCLES = 20


def referred(
    copy: drafts.Copy,
) -> Iterator[tuple[paths.Path, str, str]]:
    """Give place, name and wanted type of all that a server refers to."""
    if copy.type != 'server':
        return
    for key, word in (('networks', 'network'), ('volumes', 'volume')):
        for path, entry in copy.entries(key):
            if word in entry:
                yield (*path, word), entry[word], word
    if 'boot_volume' in copy.spec:
        path = (*copy.path, 'spec', 'boot_volume')
        yield path, copy.spec['boot_volume'], 'volume'


def references(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        for path, name, wanted in referred(copy):
            problem = _wrong(draft, name, wanted)
            if problem:
                yield path, problem


def _wrong(draft: drafts.Draft, name: str, wanted: str) -> str | None:
    """Say why a name is no ``wanted``; what is unknown exists already."""
    if name in draft.by_name:
        kind = draft.by_name[name].type
        if kind in (wanted, None):
            return None
        return f"'{name}' is a {kind} of this document, not a {wanted}"
    if name in draft.counted:
        return _not_counted(draft, name)
    base = draft.counted_base(name)
    if base is not None and base in draft.counted:
        known = faults.listed(draft.counted[base])
        return f"there is no copy '{name}'; the copies are {known}"
    if drafts.INDEX in name:
        return (
            f'{drafts.INDEX} is replaced in counted instances only: give '
            'this one a count, or name what is meant'
        )
    return None


def _not_counted(draft: drafts.Draft, name: str) -> str:
    copies = draft.counted[name]
    return (
        f"'{name}' stands for {len(copies)} copies: name one "
        f'({faults.listed(copies, 3)}), or in a counted instance write '
        f"'{name}-{drafts.INDEX}'"
    )


def external_networks(draft: drafts.Draft) -> faults.Found:
    for path, name in _external(draft):
        if name in draft.by_name or name in draft.counted:
            yield (
                path,
                f"'{name}' is an instance of this document; an external "
                'network exists already and is given by its name or id',
            )


def _external(draft: drafts.Draft) -> Iterator[tuple[paths.Path, str]]:
    for copy in draft.copies:
        if copy.type == 'server':
            for path, entry in copy.entries('networks'):
                if 'floating_ip' in entry:
                    yield (*path, 'floating_ip'), entry['floating_ip']
        if copy.type == 'network' and 'external_network' in copy.spec.get(
            'router', {}
        ):
            path = (*copy.path, 'spec', 'router', 'external_network')
            yield path, copy.spec['router']['external_network']


def unknown(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        for place, name in enumerate(copy.depends_on):
            path = (*copy.path, 'depends_on', place)
            if name is None or draft.copies_of(name):
                continue
            if name in draft.by_group:
                yield path, f"'{name}' is a group; name its members"
            elif draft.counted_base(name) not in draft.unclear:
                known = [*draft.by_name, *draft.counted]
                yield path, _nobody(draft, name, known)


def _nobody(draft: drafts.Draft, name: str, known: list[str]) -> str:
    hint = draft.hints.near(name, known) or (
        f'; there are {faults.listed(known)}'
    )
    return f"there is no instance '{name}'{hint}"


def needs(draft: drafts.Draft, copy: drafts.Copy) -> frozenset[str]:
    """Return the members that must be ready before this one."""
    named = {
        member
        for name in copy.depends_on
        if name is not None
        for member in draft.copies_of(name)
    }
    used = {name for _, name, _ in referred(copy) if name in draft.by_name}
    return frozenset(named | used)


def cycles(draft: drafts.Draft) -> faults.Found:
    graph = {
        name: set(needs(draft, copy)) for name, copy in draft.by_name.items()
    }
    for cycle in circles(graph):
        around = ' needs '.join(cycle)
        for name, needed in itertools.pairwise(cycle):
            place = _depends_on_place(draft, draft.by_name[name], needed)
            if place is not None:
                yield place, f'goes in a circle: {around}'
                break


def _depends_on_place(
    draft: drafts.Draft, copy: drafts.Copy, needed: str
) -> paths.Path | None:
    for place, name in enumerate(copy.depends_on):
        if name is not None and needed in draft.copies_of(name):
            return (*copy.path, 'depends_on', place)
    return None


def circles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Give circles, each from a name over what it needs back to itself.

    After each one its last edge is left out, so that others are found. The
    graph is used up.
    """
    for _ in range(_MOST_CYCLES):
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            # graphlib lists each before the one that needs it.
            cycle: list[str] = list(reversed(error.args[1]))
            yield cycle
            graph[cycle[0]].discard(cycle[1])
        else:
            return
