# SPDX-License-Identifier: Apache-2.0
"""A cluster's topology as a picture, with the rules in colours."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from heat_vcluster.osc import tree
from heat_vcluster.placement.pictures import boxes, signs

FILLS = {'server': '#dce9fb', 'volume': '#fdebd3'}
UNKNOWN, HOST = '#f0f1f3', '#ffffff'
TINTS = ('#f4f6f9', '#e9edf2', '#dfe5ec')  # of a rack, of what is around it
DOTS = 6  # rules that one member shows
WIDTH = 1400  # pixels


def draw(
    cluster_id: str, topology: tree.Topology, members: tree.Members
) -> str:
    """Return an SVG document; ``members``: by name, as in a list of them."""
    return _Scene(topology, members).drawn(f'cluster {cluster_id}')


class _Scene:
    def __init__(self, topology: tree.Topology, members: tree.Members) -> None:
        self._topology = topology
        self._members = members
        self._rules = topology['rules']
        self._dots: dict[str, list[str]] = collections.defaultdict(list)
        for rule, colour in zip(self._rules, self._colours(), strict=True):
            for name in rule['members']:
                self._dots[name].append(colour)

    def drawn(self, title: str) -> str:
        domains = [self._box(domain) for domain in self._topology['domains']]
        if waiting := tree.without_place(self._topology, self._members):
            chips = tuple(map(self._chip, waiting))
            domains.append(
                boxes.Box('without a place', chips=chips, is_wide=True)
            )
        return boxes.drawing(title, self._legend(), domains, WIDTH)

    def _colours(self) -> list[str]:
        """Return a colour for each rule; those that are broken stand out."""
        kept, broken = 0, 0
        found = []
        for rule in self._rules:
            if rule['holds'] is not False:
                found.append(signs.COLOURS[kept % len(signs.COLOURS)])
                kept += 1
            else:
                found.append(signs.BROKEN[broken % len(signs.BROKEN)])
                broken += 1
        return found

    def _legend(self) -> list[boxes.Entry]:
        rules = [
            boxes.Entry(
                tree.rule(rule),
                boxes.Outline(colour, rule['holds'] is False),
                is_loud=rule['holds'] is False,
            )
            for rule, colour in zip(self._rules, self._colours(), strict=True)
        ]
        kinds = {member['type'] for member in self._members.values()}
        fills = [
            boxes.Entry(kind, fill=fill)
            for kind, fill in FILLS.items()
            if kind in kinds
        ]
        return [*rules, *fills]

    def _box(self, domain: Mapping[str, Any]) -> boxes.Box:
        levels: list[str] = self._topology['levels']
        deep = len(levels) - 1 - levels.index(domain['level'])
        inner = tuple(map(self._box, domain['domains']))
        return boxes.Box(
            domain['name'],
            TINTS[min(deep, len(TINTS)) - 1] if deep else HOST,
            chips=tuple(map(self._chip, domain['members'])),
            inner=inner,
            # A rack is higher than wide.
            columns=max(1, round((len(inner) / 3) ** 0.5)) if deep == 1 else 0,
        )

    def _chip(self, name: str) -> boxes.Chip:
        member = self._members.get(name, {})
        kind, status = member.get('type'), member.get('status')
        return boxes.Chip(
            name,
            f'{name}: {kind}, {status}' if member else name,
            FILLS.get(kind or '', UNKNOWN),
            tuple(self._dots[name][:DOTS]),
        )
