# SPDX-License-Identifier: Apache-2.0
"""Groups have members that can be placed, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults
from heat_vcluster.spec.checks import dependencies


def members(draft: drafts.Draft) -> faults.Found:
    for group in draft.groups:
        named: dict[str, str] = {}
        for path, name in group.entries():
            stands_for = draft.copies_of(name) or (name,)
            problem = not_placed(draft, name)
            twice = [one for one in stands_for if one in named]
            if problem:
                yield path, problem
            elif twice:
                yield path, _named_twice(twice[0], name, named[twice[0]])
            for one in stands_for:
                named.setdefault(one, name)


def not_placed(draft: drafts.Draft, name: str) -> str | None:
    """Return why a name is none of members that are placed, or None."""
    copies = draft.copies_of(name)
    if copies:
        if draft.by_name[copies[0]].type == 'network':
            return (
                f"'{name}' is a network; only servers and volumes are placed"
            )
        return None
    if name in draft.by_group or draft.counted_base(name) in draft.unclear:
        return None
    hint = draft.hints.near(name, draft.names()) or (
        f'; there are {faults.listed(draft.names())}'
    )
    return f"there is no instance or group '{name}'{hint}"


def _named_twice(member: str, name: str, earlier: str) -> str:
    if name == earlier:
        return f"'{name}' is named twice in this group"
    return f"'{member}' is named twice: by '{earlier}' and by '{name}'"


def strictness(draft: drafts.Draft) -> faults.Found:
    for group in draft.groups:
        if group.spec.get('strict') and 'weight' in group.spec:
            yield (
                (*group.path, 'spec', 'weight'),
                'a strict group has no weight; leave it out, or set '
                "'strict' to false",
            )


def cycles(draft: drafts.Draft) -> faults.Found:
    graph = {
        name: {inner for _, inner in group.entries()} & set(draft.by_group)
        for name, group in draft.by_group.items()
    }
    for cycle in dependencies.circles(graph):
        group = draft.by_group[cycle[0]]
        for path, name in group.entries():
            if name == cycle[1]:
                around = ' has '.join(cycle)
                yield path, f'a group cannot be in itself: {around}'


def overlaps(
    policies: Iterable[str],
) -> Callable[[drafts.Draft], faults.Found]:
    """Return the check for policies whose units must not overlap."""
    disjoint = frozenset(policies)

    def check(draft: drafts.Draft) -> faults.Found:
        for group in draft.groups:
            if group.spec.get('policy') not in disjoint:
                continue
            owner: dict[str, str] = {}
            for path, name in group.entries():
                for member in draft.below(name):
                    other = owner.setdefault(member, name)
                    if other != name:
                        yield (
                            path,
                            f"'{member}' is in '{other}' and in '{name}', "
                            'which this group keeps apart',
                        )

    return check
