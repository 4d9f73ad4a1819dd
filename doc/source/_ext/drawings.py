# SPDX-License-Identifier: Apache-2.0
"""Draws the tables and graphs of the code as SVG.

What is drawn: the allowed moves of :mod:`heat_vcluster.states`, and the graph
that the engine makes of a document.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from heat_vcluster import load, states
from heat_vcluster.engine import flows
from heat_vcluster.members import base as members

#: What can be drawn -> its statuses, and the moves between them.
TABLES = {
    'cluster': (states.ClusterStatus, states.CLUSTER_MOVES),
    'member': (states.MemberStatus, states.MEMBER_MOVES),
}
STYLE = (
    'font-family="sans-serif" font-size="12" fill="none" stroke="#456" '
    'role="img"'
)
CHARACTER = 6.8  # width of one, in pixels

Edges = Mapping[str, frozenset[str]]  # name -> those that come before it


# -- states -------------------------------------------------------------------

BOX, HEAD, ROW, LABELS, LANE = 130, 26, 22, 190, 14


def states_drawing(
    names: list[str], moves: Mapping[tuple[str, str], str]
) -> str:
    """Boxes from top to bottom, a labelled line out of each for a move."""
    tops, height = {}, 10
    for name in names:
        tops[name] = height
        height += HEAD + ROW * sum(old == name for old, _ in moves) + 18
    lines = list(state_lines(names, moves, tops))
    lanes = assign_lanes([(min(a, b), max(a, b)) for a, b, _ in lines])
    parts = [
        state_box(name, tops[name], sum(old == name for old, _ in moves))
        for name in names
    ]
    for (start, end, why), lane in zip(lines, lanes, strict=True):
        x = 10 + BOX + LABELS + LANE * lane
        parts.append(
            f'<path d="M{10 + BOX} {start}H{x}V{end}H{14 + BOX}" '
            'marker-end="url(#tip)"/>'
        )
        parts.append(label(18 + BOX, start - 4, why, size=11))
    width = 10 + BOX + LABELS + LANE * (max(lanes) + 2)
    return svg(width, height, parts)


def state_lines(
    names: Iterable[str],
    moves: Mapping[tuple[str, str], str],
    tops: Mapping[str, int],
) -> Iterator[tuple[int, int, str]]:
    """Yield where each move starts and ends, from top to bottom."""
    for name in names:
        leaving = [
            (new, why) for (old, new), why in moves.items() if old == name
        ]
        for number, (new, why) in enumerate(leaving, start=1):
            start = tops[name] + HEAD + ROW * number - 4
            yield start, tops[str(new)] + 12, why


def assign_lanes(spans: list[tuple[int, int]]) -> list[int]:
    """Give each span the nearest lane in which it meets no other."""
    taken: list[list[tuple[int, int]]] = []
    lanes = [0] * len(spans)
    for number in sorted(
        range(len(spans)), key=lambda n: spans[n][1] - spans[n][0]
    ):
        low, high = spans[number]
        for lane in range(len(taken) + 1):
            if lane == len(taken):
                taken.append([])
            if all(high < a or low > b for a, b in taken[lane]):
                taken[lane].append((low, high))
                lanes[number] = lane
                break
    return lanes


def state_box(name: str, top: int, leaving: int) -> str:
    height = HEAD + ROW * leaving
    box = rectangle(10, top, BOX, height)
    return box + label(10 + BOX / 2, top + 17, name, anchor='middle')


# -- the flow -----------------------------------------------------------------

COLUMN_GAP, LINE, TASK = 46, 34, 24


def create_flow(document: Path) -> Edges:
    """Return the tasks of the create flow, and what each waits for.

    The flow asks of a build only for its steps; nothing is run.
    """
    steps = members.all_steps(load(document))
    build = types.SimpleNamespace(cluster_id='', steps=steps)
    tasks = [task for task, _ in flows.create(build).iter_nodes()]
    makers = {symbol: task.name for task in tasks for symbol in task.provides}
    waits = {
        task.name: frozenset(makers[symbol] for symbol in task.requires)
        for task in tasks
    }
    return without_detours(waits)


def without_detours(waits: Edges) -> Edges:
    """Leave out what another wait implies already."""
    return {
        name: frozenset(
            one
            for one in befores
            if not any(one in ancestors(other, waits) for other in befores)
        )
        for name, befores in waits.items()
    }


def ancestors(name: str, waits: Edges) -> frozenset[str]:
    found: set[str] = set()
    todo = list(waits[name])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(waits[one])
    return frozenset(found)


def flow_drawing(waits: Edges) -> str:
    """Tasks from left to right, each behind all that it waits for."""
    columns = into_columns(waits)
    rows = max(map(len, columns))
    spots: dict[str, tuple[float, float, float]] = {}
    x = 10.0
    for column in columns:
        width = max(len(name) for name in column) * CHARACTER + 16
        offset = (rows - len(column)) * LINE / 2
        for number, name in enumerate(column):
            spots[name] = (x, 10 + offset + LINE * number, width)
        x += width + COLUMN_GAP
    parts = [
        connection(spots[before], spots[name])
        for name, befores in waits.items()
        for before in sorted(befores)
    ]
    for name, (left, top, width) in spots.items():
        parts.append(rectangle(left, top, width, TASK))
        parts.append(label(left + width / 2, top + 16, name, anchor='middle'))
    return svg(x - COLUMN_GAP + 10, rows * LINE + 10, parts)


def into_columns(waits: Edges) -> list[list[str]]:
    depth: dict[str, int] = {}
    for name in sorted(waits, key=lambda one: len(ancestors(one, waits))):
        depth[name] = 1 + max((depth[one] for one in waits[name]), default=-1)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in sorted(depth):
        columns[depth[name]].append(name)
    return columns


def connection(
    before: tuple[float, float, float], after: tuple[float, float, float]
) -> str:
    x1, y1 = before[0] + before[2], before[1] + TASK / 2
    x2, y2 = after[0] - 4, after[1] + TASK / 2
    half = COLUMN_GAP / 2
    return (
        f'<path d="M{x1} {y1}C{x1 + half} {y1} {x2 - half} {y2} {x2} {y2}" '
        'marker-end="url(#tip)"/>'
    )


# -- SVG ----------------------------------------------------------------------


def svg(width: float, height: float, parts: Iterable[str]) -> str:
    tip = (
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" '
        'refY="4" orient="auto"><path d="M0 1L7 4L0 7z" fill="#456" '
        'stroke="none"/></marker></defs>'
    )
    return (
        f'<div style="overflow-x: auto"><svg width="{width:.0f}" '
        f'height="{height:.0f}" {STYLE}>{tip}{"".join(parts)}</svg></div>'
    )


def rectangle(x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" '
        'fill="#eef3f8"/>'
    )


def label(
    x: float, y: float, text: str, anchor: str = 'start', size: int = 12
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="#234" stroke="none">{escape(text)}</text>'
    )
