# SPDX-License-Identifier: Apache-2.0
"""Draws groups beside places for their members, and what they say of them.

The groups are loaded like a tenant's, and the product's own check says how
far each is broken and where: a picture that the code disagrees with cannot
be drawn.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from heat_vcluster import load, planner
from heat_vcluster.placement import model, placed, policies
from heat_vcluster.placement.pictures import boxes
from heat_vcluster.placement.pictures.boxes import Box, Chip, Entry, Outline

LEVELS = ('zone', 'rack')
ROOM = {'VCPU': 100}  # of every host: here nothing is about capacity
OTHERS = '*'  # what another tenant runs
POOL = 'pool'
RULES = ('groups', 'survive')
VOLUMES = re.compile(r'data|vol|log')
COPY = re.compile(r'(.+)-\d+')
SERVER, VOLUME, ALIEN = '#dce9fb', '#fdebd3', '#e4e6ea'
ZONE, RACK, HOST = '#f4f6f9', '#e9edf2', '#ffffff'
GOOD, DEAR, BAD = '#2c8a4b', '#d08a1d', '#c8372d'
WIDTH = 860

# Racks by zone: each a list of hosts, a list of members each, and of pools
# ({pool: [members]}).
Places = Mapping[str, Mapping[str, Sequence[Any]]]


class Scene:
    """One set of places, read, and judged by the groups."""

    def __init__(self, asked: Mapping[str, Any], places: Places) -> None:
        self.places = places
        self.placement: dict[str, str] = {}
        self._hosts: list[model.Host] = []
        self._pools: list[model.Pool] = []
        self.names: dict[tuple[str, str, int], str] = {}
        self._read()
        spec = load(document(asked, self.placement), scopes=[*LEVELS, 'host'])
        snapshot = model.Snapshot(
            LEVELS, tuple(self._hosts), tuple(self._pools)
        )
        self.problem = planner.Planner(None).problem(
            spec, map(demand, self.placement), snapshot
        )
        self.verdicts = [
            Verdict.of(rule, placed.Placed(self.problem, self.placement))
            for rule in asking(self.problem)
        ]

    def _read(self) -> None:
        number = itertools.count(1)
        for zone, racks in self.places.items():
            for rack, places in racks.items():
                for spot, place in enumerate(places):
                    domains = {'zone': zone, 'rack': rack}
                    if isinstance(place, Mapping):
                        members, name = place[POOL], f'{rack} pool'
                        self._pools.append(
                            model.Pool(name, None, None, domains)
                        )
                    else:
                        members, name = place, f'host-{next(number)}'
                        busy = OTHERS in members
                        self._hosts.append(
                            model.Host(name, domains, ROOM, ROOM, is_busy=busy)
                        )
                    self.names[zone, rack, spot] = name
                    self.placement.update(
                        (member, name)
                        for member in members
                        if member != OTHERS
                    )

    def box(self) -> Box:
        broken = {
            pair: verdict.colour
            for verdict in self.verdicts
            for pair in verdict.where
        }
        zones = tuple(
            Box(
                zone,
                ZONE,
                inner=tuple(self._rack(zone, rack, broken) for rack in racks),
                outlines=outlines('zone', zone, broken),
                columns=len(racks),
            )
            for zone, racks in self.places.items()
        )
        worst = max(self.verdicts, key=lambda verdict: verdict.rank)
        told = [
            f'{verdict.rule}: {verdict.text}'
            for verdict in self.verdicts
            if verdict.rank and len(self.verdicts) > 1
        ]
        return Box(
            worst.text if len(self.verdicts) == 1 else worst.summary,
            'none',
            inner=zones,
            note='; '.join(told),
            outlines=(Outline(worst.colour),),
            columns=len(zones),
        )

    def _rack(
        self, zone: str, rack: str, broken: Mapping[tuple[str, str], str]
    ) -> Box:
        inner = []
        for spot, place in enumerate(self.places[zone][rack]):
            is_pool = isinstance(place, Mapping)
            name = self.names[zone, rack, spot]
            members = place[POOL] if is_pool else place
            inner.append(
                Box(
                    POOL if is_pool else name,
                    HOST,
                    chips=tuple(self._chip(member) for member in members),
                    outlines=outlines('host', name, broken),
                )
            )
        return Box(
            rack,
            RACK,
            inner=tuple(inner),
            outlines=outlines('rack', rack, broken),
            columns=1,
        )

    def _chip(self, member: str) -> Chip:
        if member == OTHERS:
            return Chip("another's", 'runs here already', ALIEN)
        grouped = {m for rule in self.problem.rules for m in rule.members}
        fill = VOLUME if VOLUMES.match(member) else SERVER
        return Chip(member, member, fill if member in grouped else ALIEN)


def outlines(
    scope: str, domain: str, broken: Mapping[tuple[str, str], str]
) -> tuple[Outline, ...]:
    colour = broken.get((scope, domain))
    return () if colour is None else (Outline(colour, True),)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one group; ``rank`` 0: obeyed, 1: costs, 2: refused."""

    rule: str
    text: str
    rank: int
    where: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, rule: model.Rule, view: placed.Placed) -> Verdict:
        kind = policies.load()[rule.policy]
        amount = kind.violation(rule, view)
        where = kind.where(rule, view)
        if kind.broken(rule, view):
            return cls(rule.name, f'refused (violation {amount})', 2, where)
        if amount and rule.weight:
            cost = amount * rule.weight
            return cls(
                rule.name, f'violation {amount}, costs {cost}', 1, where
            )
        return cls(rule.name, 'obeyed', 0, ())

    @property
    def colour(self) -> str:
        return (GOOD, DEAR, BAD)[self.rank]

    @property
    def summary(self) -> str:
        return ('obeyed', 'taken, at a cost', 'refused')[self.rank]


def asking(problem: model.Problem) -> list[model.Rule]:
    """Return the rules that are more than sets."""
    return [r for r in problem.rules if r.weight != 0 or r.options]


def document(
    asked: Mapping[str, Any], members: Iterable[str]
) -> dict[str, Any]:
    """Return the document of these rules over instances so named.

    ``web-0`` and ``web-1`` are copies of a counted ``web``.
    """
    bases: dict[str, int | None] = {}
    for member in members:
        copy = COPY.fullmatch(member)
        if copy:
            bases[copy[1]] = (bases.get(copy[1]) or 0) + 1
        else:
            bases[member] = None
    return {
        'instances': [instance(base, count) for base, count in bases.items()],
        **{key: asked[key] for key in RULES if key in asked},
    }


def instance(name: str, count: int | None) -> dict[str, Any]:
    made: dict[str, Any] = {'name': name}
    if count is not None:
        made['count'] = count
    if VOLUMES.match(name):
        return {**made, 'type': 'volume', 'spec': {'size': 1}}
    spec = {'flavor': 'small', 'image': 'linux'}
    return {**made, 'type': 'server', 'spec': spec}


def demand(member: str) -> model.Demand:
    if VOLUMES.match(member):
        return model.VolumeDemand(member, 1)
    return model.ServerDemand(member, {'VCPU': 1})


def rule_drawing(text: str) -> str:
    """Return the SVG of a scene: rules, and the ``places`` to judge."""
    asked = yaml.safe_load(text)
    scenes = [Scene(asked, each) for each in asked['places']]
    kinds = policies.load()
    told = [
        kinds[rule.policy].sentence(rule) for rule in asking(scenes[0].problem)
    ]
    told = [text[:1].upper() + text[1:] for text in told]
    is_one = len(told) == 1
    drawn = boxes.drawing(
        told[0] if is_one else f'{len(told)} groups, all together',
        () if is_one else [Entry(text) for text in told],
        [scene.box() for scene in scenes],
        WIDTH,
    )
    return drawn.partition('?>\n')[2]
