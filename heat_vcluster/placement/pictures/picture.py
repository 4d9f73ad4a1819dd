# SPDX-License-Identifier: Apache-2.0
"""A picture of an answer: racks, hosts, members, and the rules they obey."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import columns, model
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.pictures import signs
from heat_vcluster.placement.pictures.boxes import (
    BEFORE,
    PLACED,
    Bar,
    Box,
    Chip,
    Entry,
    Outline,
    drawing,
)

FIT = 'fit:'  # how the name of a member's size and needs begins
WHOLE = 48  # hosts up to which a cloud is drawn whole
SAMPLE = 24  # hosts of a larger one that are drawn if none is used
SERVER, VOLUME = '#dce9fb', '#fdebd3'
PENDING, CLASHING = '#f0f1f3', '#f6c6c6'
TINTS = ('#f4f6f9', '#e9edf2', '#dfe5ec')
RINGS = 4  # outlines that one box gets
DOTS = 6  # rules that one member shows
SHORT = {'VCPU': 'vcpu', 'MEMORY_MB': 'ram', 'DISK_GB': 'disk'}
BARS = 3  # resources shown of a host


def draw(
    problem: model.Problem, answer: model.Answer, width: int = 1400
) -> str:
    """Return an SVG document that names every member of the problem.

    Of a large cloud only what is used is drawn; the rest is counted.
    """
    scene = _Scene(problem, answer)
    return drawing(scene.title(), scene.legend(), scene.boxes(), width)


class _Scene:
    """One answer beside its problem, ready to be drawn."""

    def __init__(self, problem: model.Problem, answer: model.Answer) -> None:
        self._problem = problem
        self._answer = answer
        snapshot = problem.snapshot
        self._levels = snapshot.levels
        self._hosts = columns.of(snapshot.hosts, snapshot.levels)
        self._pools = snapshot.pools
        self._demands = {d.member: d for d in problem.demands}
        plan = answer.plan
        self._placement: Mapping[str, str] = (
            problem.pinned if plan is None else plan.placement
        )
        self._at: dict[str, list[str]] = collections.defaultdict(list)
        for member, place in self._placement.items():
            self._at[place].append(member)
        self._signs = signs.of(problem, answer)
        self._signs_of = self._members_signs()
        self._outlines = self._domains_outlines()
        self._choose_hosts()

    # What is said

    def title(self) -> str:
        answer, problem = self._answer, self._problem
        size = (
            f'{len(problem.demands):,} members on {len(self._hosts):,} hosts'
        )
        if answer.plan is None:
            return f'{answer.verdict}: {size}'
        goal = ''
        if answer.plan.objective is not None:
            goal = (
                f'; {answer.plan.objective:,} hosts in use'
                if problem.objective == 'pack'
                else f'; fullest host at {answer.plan.objective / 10:g} %'
            )
        return (
            f'{answer.verdict}: {size}; soft cost '
            f'{answer.plan.soft_cost:,}{goal}'
        )

    def legend(self) -> list[Entry]:
        entries = [
            Entry(
                sign.text,
                Outline(sign.colour, sign.broken is not None),
                is_loud=sign.broken is not None,
            )
            for sign in self._signs
        ]
        entries += [
            Entry('in use before', fill=BEFORE),
            Entry('placed now', fill=PLACED),
            Entry('server', fill=SERVER),
        ]
        if any(
            isinstance(d, model.VolumeDemand) for d in self._demands.values()
        ):
            entries.append(Entry('volume', fill=VOLUME))
        if len(self._placement) < len(self._demands):
            entries.append(Entry('without a place', fill=PENDING))
        if any(rule.startswith(FIT) for rule in self._answer.rules):
            entries.append(
                Entry('without a place, in conflict', fill=CLASHING)
            )
        if self._hosts.is_busy.any():
            entries.append(Entry('*  others run on the host'))
        return entries

    # Rules

    def _members_signs(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = collections.defaultdict(list)
        for sign in self._signs:
            for member in dict.fromkeys(
                member for rule in sign.rules for member in rule.members
            ):
                if len(found[member]) < DOTS:
                    found[member].append(sign.colour)
        return found

    def _domains_outlines(self) -> dict[tuple[str, str], list[Outline]]:
        """Return (scope, domain) -> the outlines of the rules met there."""
        places: dict[str, model.Host | model.Pool] = {}
        numbers = {
            name: number
            for number, name in enumerate(self._hosts.names)
            if name in self._at
        }
        for name, number in numbers.items():
            places[name] = self._hosts[number]
        for pool in self._pools:
            if pool.name in self._at:
                places[pool.name] = pool
        found: dict[tuple[str, str], list[Outline]] = collections.defaultdict(
            list
        )
        for sign in self._signs:
            if not sign.is_outlined:
                continue
            (rule,) = sign.rules
            met = {
                (rule.scope, domain)
                for member in rule.members
                if (place := places.get(self._placement.get(member, '')))
                and (domain := place.domain(rule.scope))
            }
            if sign.broken is not None:
                # Without a plan nothing is at any place yet.
                met = set(sign.broken) if self._answer.plan else set()
            for spot in sorted(met):
                if len(found[spot]) < RINGS:
                    found[spot].append(
                        Outline(sign.colour, sign.broken is not None)
                    )
        return found

    def _around(self, scope: str, name: str) -> tuple[Outline, ...]:
        return tuple(self._outlines.get((scope, name), ()))

    # Places

    def _choose_hosts(self) -> None:
        """Choose the hosts and pools to draw."""
        count = len(self._hosts)
        self._is_whole = count <= WHOLE
        used = [
            n for n, name in enumerate(self._hosts.names) if name in self._at
        ]
        if self._is_whole:
            used = list(range(count))
        elif not used:
            used = list(range(SAMPLE))
        self._drawn = np.zeros(count, np.bool_)
        self._drawn[used] = True
        self._drawn_pools = [
            pool
            for pool in self._pools
            if pool.name in self._at or self._is_whole
        ]

    def boxes(self) -> list[Box]:
        everything = np.arange(len(self._hosts), dtype=np.int64)
        boxes, note = self._inside(0, everything, self._drawn_pools)
        left = len(self._pools) - len(self._drawn_pools)
        notes = [note] if note else []
        if left:
            notes.append(_others(left, 'pool'))
        boxes += [Box('', note=', '.join(notes))] if notes else []
        pending = [
            name for name in self._demands if name not in self._placement
        ]
        if pending:
            chips = tuple(self._chip(name) for name in pending)
            waiting = Box('without a place', chips=chips, is_wide=True)
            boxes.insert(0, waiting)
        return boxes

    def _inside(
        self, depth: int, hosts: Ints, pools: Sequence[model.Pool]
    ) -> tuple[list[Box], str]:
        """Draw what is in a domain, by its narrower domains.

        Also returns what to say of what is left out.
        """
        if depth == len(self._levels):
            shown = hosts[self._drawn[hosts]]
            local = collections.defaultdict(list)
            for pool in pools:
                local[pool.host].append(pool)
            boxes = []
            for number in shown.tolist():
                inner = local.pop(self._hosts.names[number], [])
                boxes.append(self._host(number, inner))
            boxes += [self._pool(p) for some in local.values() for p in some]
            return boxes, _others(len(hosts) - len(shown), 'host')
        level = self._levels[depth]
        names, column = self._hosts.domains.get(
            level, ((), np.full(len(self._hosts), UNKNOWN, np.int64))
        )
        here = column[hosts]
        boxes, left = [], 0
        by_pool = collections.defaultdict(list)
        for pool in pools:
            by_pool[pool.domains.get(level)].append(pool)
        order = np.argsort(here, kind='stable')
        numbers, starts = np.unique(here[order], return_index=True)
        ends = [*starts[1:].tolist(), len(hosts)]
        for number, start, end in zip(
            numbers.tolist(), starts.tolist(), ends[: len(starts)], strict=True
        ):
            part = hosts[order[start:end]]
            name = None if number == UNKNOWN else names[number]
            inner = by_pool.pop(name, []) if name is not None else []
            if self._drawn[part].any() or inner:
                boxes.append(self._domain(depth, level, name, part, inner))
            else:
                left += 1
        none = np.zeros(0, np.int64)
        loose = by_pool.pop(None, [])
        for name, inner in by_pool.items():
            boxes.append(self._domain(depth, level, name, none, inner))
        boxes += [self._pool(pool) for pool in loose]
        return boxes, _others(left, level)

    def _domain(
        self,
        depth: int,
        level: str,
        name: str | None,
        hosts: Ints,
        pools: Sequence[model.Pool],
    ) -> Box:
        inner, note = self._inside(depth + 1, hosts, pools)
        deep = len(self._levels) - depth - 1
        # A rack is higher than wide.
        columns_ = max(1, round((len(inner) / 3) ** 0.5)) if not deep else 0
        return Box(
            f'{level} {name}' if name is not None else f'no known {level}',
            TINTS[min(deep, len(TINTS) - 1)],
            inner=tuple(inner),
            note=note,
            outlines=self._around(level, name) if name is not None else (),
            columns=columns_,
        )

    def _host(self, number: int, pools: Sequence[model.Pool]) -> Box:
        name = self._hosts.names[number]
        busy = ' *' if self._hosts.is_busy[number] else ''
        members = self._at.get(name, [])
        return Box(
            f'{name}{busy}',
            '#ffffff',
            tuple(self._bars(number, members))[:BARS],
            tuple(map(self._chip, members)),
            tuple(map(self._pool, pools)),
            outlines=self._around(model.HOST, name),
        )

    def _bars(self, number: int, members: Sequence[str]) -> Iterator[Bar]:
        first = [r for r in SHORT if r in self._hosts.total]
        rest = [r for r in self._hosts.total if r not in SHORT]
        for resource in (*first, *rest):
            total = int(self._hosts.total[resource][number])
            if not total:
                continue
            none = np.zeros(len(self._hosts), np.int64)
            free = int(self._hosts.free.get(resource, none)[number])
            placed = sum(
                self._taken(member).get(resource, 0) for member in members
            )
            yield Bar(
                SHORT.get(resource, resource.lower()),
                (total - free) / total,
                placed / total,
                f'{resource}: {total:,} in all, {total - free:,} in use '
                f'before, {placed:,} placed now',
            )

    def _taken(self, member: str) -> Mapping[str, int]:
        demand = self._demands.get(member)
        if member in self._problem.pinned:
            return {}
        return (
            demand.resources if isinstance(demand, model.ServerDemand) else {}
        )

    def _pool(self, pool: model.Pool) -> Box:
        members = self._at.get(pool.name, [])
        placed = sum(
            demand.size_gb
            for member in members
            if member not in self._problem.pinned
            and isinstance(
                demand := self._demands.get(member), model.VolumeDemand
            )
        )
        free = 'unbounded' if pool.free_gb is None else f'{pool.free_gb:,}'
        return Box(
            f'pool {pool.name}',
            '#fffaf2',
            chips=tuple(map(self._chip, members)),
            note=f'{placed:,} of {free} free GiB',
        )

    def _chip(self, member: str) -> Chip:
        demand = self._demands.get(member)
        if isinstance(demand, model.VolumeDemand):
            needs, fill = f'{demand.size_gb:,} GiB', VOLUME
        elif demand is not None:
            needs = ', '.join(
                f'{amount:,} {resource}'
                for resource, amount in demand.resources.items()
            )
            fill = SERVER
        else:
            needs, fill = 'here already', SERVER
        if member not in self._placement:
            clashes = f'{FIT}{member}' in self._answer.rules
            fill = CLASHING if clashes else PENDING
        return Chip(
            member,
            f'{member}: {needs}',
            fill,
            tuple(self._signs_of.get(member, ())),
        )


def _others(count: int, noun: str) -> str:
    """Return what to say of those that are not drawn; '' of none."""
    if not count:
        return ''
    return f'and {count:,} other {noun}{"" if count == 1 else "s"}'
