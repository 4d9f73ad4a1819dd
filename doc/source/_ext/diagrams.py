# SPDX-License-Identifier: Apache-2.0
"""Puts diagrams that are drawn from the code into the pages.

``vcluster-states`` shows the allowed moves of a cluster or a member, as a
picture and as a table; ``vcluster-flow`` the graph the engine makes of a
document; ``vcluster-rule`` what groups say of places for their members;
``vcluster-plan`` where the solver puts the members of a saved problem.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import drawings
import scenes
from docutils import nodes
from docutils.parsers.rst import Directive

from heat_vcluster.placement import format as documents
from heat_vcluster.placement import joint
from heat_vcluster.placement.pictures import picture


class States(Directive):
    """``.. vcluster-states:: cluster`` (or ``member``)."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind, moves = drawings.TABLES[self.arguments[0]]
        drawing = drawings.states_drawing([str(each) for each in kind], moves)
        return [raw(drawing), moves_table(moves)]


class Flow(Directive):
    """``.. vcluster-flow:: DOCUMENT`` (a path from the page's folder)."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        _, path = env.relfn2path(self.arguments[0])
        env.note_dependency(path)
        drawing = drawings.flow_drawing(drawings.create_flow(Path(path)))
        return [raw(drawing)]


class Rule(Directive):
    """``.. vcluster-rule::``, then rules and ``places`` as YAML.

    The rules are shown as written; see ``scenes``.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        groups = '\n'.join(self.content).partition('places:')[0].strip()
        shown = nodes.literal_block(groups, groups)
        shown['language'] = 'yaml'
        drawing = scenes.rule_drawing('\n'.join(self.content))
        return [shown, raw(f'<div style="overflow-x: auto">{drawing}</div>')]


class Plan(Directive):
    """``.. vcluster-plan:: PROBLEM`` (a path from the page's folder)."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        _, path = env.relfn2path(self.arguments[0])
        env.note_dependency(path)
        problem = documents.problem_from(json.loads(Path(path).read_text()))
        answer = joint.JointSolver().solve(problem)
        drawing = picture.draw(problem, answer, 1000).partition('?>')[2]
        return [raw(f'<div style="overflow-x: auto">{drawing}</div>')]


def setup(app):
    app.add_directive('vcluster-states', States)
    app.add_directive('vcluster-flow', Flow)
    app.add_directive('vcluster-rule', Rule)
    app.add_directive('vcluster-plan', Plan)
    return {'version': '1', 'parallel_read_safe': True}


def moves_table(moves: Mapping[tuple[str, str], str]) -> nodes.table:
    table = nodes.table()
    group = nodes.tgroup(cols=3)
    table += group
    for width in (20, 20, 60):
        group += nodes.colspec(colwidth=width)
    head = nodes.thead()
    head += table_row('from', 'to', 'why')
    body = nodes.tbody()
    for (old, new), why in moves.items():
        body += table_row(str(old), str(new), why)
    group += head
    group += body
    return table


def table_row(*texts: str) -> nodes.row:
    row = nodes.row()
    for text in texts:
        entry = nodes.entry()
        entry += nodes.paragraph(text=text)
        row += entry
    return row


def raw(drawing: str) -> nodes.raw:
    return nodes.raw('', drawing, format='html')
