# SPDX-License-Identifier: Apache-2.0
"""Boxes in boxes as an SVG drawing, in which nothing overlaps.

Every width is counted in characters of one width, so that the drawing is the
same wherever it is made; names that are too long are cut, and there in full
when pointed at.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence
from xml.sax import saxutils

SIZE = 11  # of letters, in pixels
# From one letter to the next; enough where fonts are set to whole pixels.
ADVANCE = 0.64 * SIZE
LINE = 16  # from one line of text to the next
PAD = 7
GAP = 6
RING = 3  # from one outline to the next
BAR = 64  # how wide a bar is
CELLS = 30  # letters of a name that are shown
SENTENCE = 90  # letters of a line of the legend, or of a note
DOT = 3  # radius

FONT = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"
INK, FAINT, LINES = '#1f2733', '#667080', '#c3cad4'
BEFORE, PLACED, ROOM = '#98a2b0', '#2f74d0', '#ffffff'


@dataclasses.dataclass(frozen=True, slots=True)
class Outline:
    """A coloured line around a box; broken: what it stands for is, too."""

    colour: str
    is_broken: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Chip:
    """One small thing in a box, with a dot for each it belongs to."""

    name: str
    told: str
    fill: str
    dots: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """How full something is: ``before`` and ``placed`` are parts of 1."""

    label: str
    before: float
    placed: float
    told: str


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A box: its name, bars, chips and inner boxes, and a last line.

    ``columns``: inner boxes beside each other; 0: as many as there is room.
    ``is_wide``: the chips may take all the width there is.
    """

    name: str
    fill: str = 'none'
    bars: tuple[Bar, ...] = ()
    chips: tuple[Chip, ...] = ()
    inner: tuple[Box, ...] = ()
    note: str = ''
    outlines: tuple[Outline, ...] = ()
    columns: int = 0
    is_wide: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One line of the legend, with what it explains."""

    text: str
    outline: Outline | None = None
    fill: str | None = None
    is_loud: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn at the origin, and the room that it takes."""

    width: float
    height: float
    svg: str


def drawing(
    title: str, legend: Sequence[Entry], boxes: Sequence[Box], width: int
) -> str:
    """Return an SVG document, about ``width`` pixels wide."""
    parts = [_title(title), _legend(legend, width)]
    parts.append(
        _shelves([_box(box, width - 2 * PAD) for box in boxes], width)
    )
    whole = _stack([part for part in parts if part.height], 2 * GAP)
    across, down = whole.width + 2 * PAD, whole.height + 2 * PAD
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:.0f}" '
        f'height="{down:.0f}" viewBox="0 0 {across:.0f} {down:.0f}" '
        f'font-family="{FONT}" font-size="{SIZE}">\n'
        f'<title>{_escaped(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'{_at(PAD, PAD, whole)}\n</svg>\n'
    )


def _title(text: str) -> _Drawn:
    return _Drawn(
        _width(text),
        LINE,
        _text(0, LINE - 4, text, INK, ' font-weight="bold"'),
    )


def _legend(entries: Sequence[Entry], width: int) -> _Drawn:
    """Set the entries in as many columns as fit."""
    if not entries:
        return _Drawn(0, 0, '')
    drawn = [_entry(entry) for entry in entries]
    across = max(one.width for one in drawn) + 4 * GAP
    columns = max(1, int(width // across)) if len(entries) > 4 else 1
    per_column = -(-len(drawn) // columns)
    stacks = [
        _stack(drawn[start : start + per_column], 0)
        for start in range(0, len(drawn), per_column)
    ]
    return _beside(stacks, 4 * GAP)


def _entry(entry: Entry) -> _Drawn:
    swatch = ''
    if entry.outline is not None:
        swatch = _frame(1, 3, 16, 10, entry.outline)
    elif entry.fill is not None:
        swatch = (
            f'<rect x="1" y="3" width="16" height="10" rx="3" '
            f'fill="{entry.fill}" stroke="{LINES}"/>'
        )
    weight = ' font-weight="bold"' if entry.is_loud else ''
    shown = _cut(entry.text, SENTENCE)
    text = _text(24, LINE - 4, shown, INK, weight)
    return _Drawn(
        24 + _width(shown),
        LINE,
        f'<g>{_told(entry.text, shown)}{swatch}{text}</g>',
    )


def _box(box: Box, limit: float) -> _Drawn:
    ring = RING * len(box.outlines)
    room = limit - 2 * (PAD + ring)
    parts = [_name(box.name)] if box.name else []
    parts += [_bar(bar) for bar in box.bars]
    if box.chips:
        widest = max(_chip_width(chip) for chip in box.chips)
        wanted = max(widest, *(part.width for part in parts), 0)
        wanted = max(wanted, 2 * widest if len(box.chips) > 6 else 0)
        wanted = room if box.is_wide else wanted
        parts.append(_shelves([_chip(chip) for chip in box.chips], wanted, 3))
    if box.inner:
        inner = [_box(one, room) for one in box.inner]
        if box.columns:
            widths = sorted((one.width for one in inner), reverse=True)
            room = min(room, sum(widths[: box.columns]) + GAP * box.columns)
        parts.append(_shelves(inner, room))
    if box.note:
        parts.append(_line(box.note, FAINT))
    content = _stack(parts, 3)
    across, down = content.width + 2 * PAD, content.height + 2 * PAD
    frame = (
        f'<rect x="{ring}" y="{ring}" width="{across:.1f}" '
        f'height="{down:.1f}" rx="4" fill="{box.fill}" stroke="{LINES}"/>'
    )
    frames = ''.join(
        _frame(
            ring - RING * number,
            ring - RING * number,
            across + 2 * RING * number,
            down + 2 * RING * number,
            outline,
        )
        for number, outline in enumerate(box.outlines, 1)
    )
    return _Drawn(
        across + 2 * ring,
        down + 2 * ring,
        f'{frame}{frames}{_at(ring + PAD, ring + PAD, content)}',
    )


def _frame(
    x: float, y: float, width: float, height: float, outline: Outline
) -> str:
    dashes = ' stroke-dasharray="5 3"' if outline.is_broken else ''
    return (
        f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" '
        f'height="{height - 2:.1f}" rx="4" fill="none" '
        f'stroke="{outline.colour}" stroke-width="2"{dashes}/>'
    )


def _name(name: str) -> _Drawn:
    shown = _cut(name)
    text = _text(0, LINE - 4, shown, INK, ' font-weight="bold"')
    return _Drawn(_width(shown), LINE, f'<g>{_told(name, shown)}{text}</g>')


def _line(text: str, colour: str) -> _Drawn:
    shown = _cut(text, SENTENCE)
    line = _text(0, LINE - 4, shown, colour)
    return _Drawn(_width(shown), LINE, f'<g>{_told(text, shown)}{line}</g>')


def _told(text: str, shown: str) -> str:
    """Return what is told when it is pointed at: all, if some was cut."""
    return f'<title>{_escaped(text)}</title>' if shown != text else ''


def _bar(bar: Bar) -> _Drawn:
    label = _cut(bar.label, 8)
    start = _width('x' * max(5, len(label)))
    before = min(max(bar.before, 0.0), 1.0) * BAR
    placed = min(max(bar.placed, 0.0) * BAR, BAR - before)
    share = f'{100 * (bar.before + bar.placed):.0f} %'
    height = LINE - 4
    svg = (
        f'<g><title>{_escaped(bar.told)}</title>'
        + _text(0, height - 2, label, FAINT)
        + f'<rect x="{start:.1f}" y="2" width="{BAR}" height="8" '
        f'fill="{ROOM}" stroke="{LINES}"/>'
        f'<rect x="{start:.1f}" y="2" width="{before:.1f}" height="8" '
        f'fill="{BEFORE}"/>'
        f'<rect x="{start + before:.1f}" y="2" width="{placed:.1f}" '
        f'height="8" fill="{PLACED}"/>'
        + _text(start + BAR + 4, height - 2, share, FAINT)
        + '</g>'
    )
    return _Drawn(start + BAR + 4 + _width('100 %'), height, svg)


def _chip_width(chip: Chip) -> float:
    dots = len(chip.dots) * (2 * DOT + 2)
    return _width(_cut(chip.name)) + dots + 10


def _chip(chip: Chip) -> _Drawn:
    width, name = _chip_width(chip), _cut(chip.name)
    start = 5 + _width(name) + 2 + DOT
    dots = ''.join(
        f'<circle cx="{start + number * (2 * DOT + 2):.1f}" '
        f'cy="{LINE / 2:.0f}" r="{DOT}" fill="{colour}"/>'
        for number, colour in enumerate(chip.dots)
    )
    return _Drawn(
        width,
        LINE,
        f'<g><title>{_escaped(chip.told)}</title>'
        f'<rect width="{width:.1f}" height="{LINE}" rx="4" '
        f'fill="{chip.fill}" stroke="{LINES}"/>'
        f'{_text(5, LINE - 4, name, INK)}{dots}</g>',
    )


# Setting one beside the other


def _stack(parts: Sequence[_Drawn], gap: float) -> _Drawn:
    svg, y = [], 0.0
    for part in parts:
        svg.append(_at(0, y, part))
        y += part.height + gap
    width = max((part.width for part in parts), default=0)
    return _Drawn(width, max(y - gap, 0), ''.join(svg))


def _beside(parts: Sequence[_Drawn], gap: float) -> _Drawn:
    svg, x = [], 0.0
    for part in parts:
        svg.append(_at(x, 0, part))
        x += part.width + gap
    height = max((part.height for part in parts), default=0)
    return _Drawn(max(x - gap, 0), height, ''.join(svg))


def _shelves(
    parts: Iterable[_Drawn], width: float, gap: float = GAP
) -> _Drawn:
    """Set the parts in rows that are no wider than asked, if they can be."""
    rows: list[list[_Drawn]] = []
    used = 0.0
    for part in parts:
        if rows and used + gap + part.width <= width + 0.01:
            rows[-1].append(part)
            used += gap + part.width
        else:
            rows.append([part])
            used = part.width
    return _stack([_beside(row, gap) for row in rows], gap)


def _at(x: float, y: float, part: _Drawn) -> str:
    if not x and not y:
        return part.svg
    return f'<g transform="translate({x:.1f} {y:.1f})">{part.svg}</g>'


# Letters


def _text(x: float, y: float, text: str, colour: str, more: str = '') -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more}>'
        f'{_escaped(text)}</text>'
    )


def _escaped(text: str) -> str:
    """Return the text as XML may have it: some characters it may not."""
    legal = ''.join(
        c if c.isprintable() or c == '\n' else '\N{REPLACEMENT CHARACTER}'
        for c in text
    )
    return saxutils.escape(legal)


def _width(text: str) -> float:
    return sum(map(_cells, text)) * ADVANCE


def _cells(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in 'WF' else 1


def _cut(text: str, cells: int = CELLS) -> str:
    """Return the text, shortened in its middle if it is too long."""
    if sum(map(_cells, text)) <= cells:
        return text
    half = (cells - 1) // (2 if text.isascii() else 4)
    return f'{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}'
