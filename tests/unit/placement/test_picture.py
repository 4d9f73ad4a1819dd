# SPDX-License-Identifier: Apache-2.0
"""The picture of an answer: well formed, whole, and nothing overlaps."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
import unicodedata
from xml.etree import ElementTree

import hypothesis
from hypothesis import strategies as st

from heat_vcluster.placement import checker, joint, model
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.pictures import boxes, picture
from tests import base, placement_oracle
from tests.unit.placement import worlds

SAVED = pathlib.Path(__file__).parents[2] / 'problems'
SVG = '{http://www.w3.org/2000/svg}'


def saved(name):
    text = (SAVED / f'{name}.json').read_text()
    return documents.problem_from(json.loads(text))


def planned(problem, placement):
    """Return the answer that the placement is."""
    report = checker.judge(problem, placement)
    plan = model.Plan(
        placement, report.soft_cost, report.objective, report.given_up
    )
    return model.Answer(model.Verdict.FEASIBLE, plan)


class Drawing:
    """What is in an SVG document, at its place in the whole."""

    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        self.size = tuple(float(self.root.get(k)) for k in ('width', 'height'))
        self.texts = []  # (text, x, y, width, height)
        self.frames = []  # (x, y, width, height, fill, stroke, dashes)
        self._walk(self.root, 0.0, 0.0)

    def _walk(self, element, x, y):
        moved = element.get('transform')
        if moved:
            dx, dy = re.fullmatch(r'translate\((\S+) (\S+)\)', moved).groups()
            x, y = x + float(dx), y + float(dy)
        if element.tag == f'{SVG}text':
            cells = sum(
                2 if unicodedata.east_asian_width(c) in 'WF' else 1
                for c in element.text
            )
            left = x + float(element.get('x'))
            base_line = y + float(element.get('y'))
            self.texts.append(
                (
                    element.text,
                    left,
                    base_line - boxes.SIZE * 0.8,
                    cells * boxes.SIZE * 0.62,
                    boxes.SIZE,
                )
            )
        if element.tag == f'{SVG}rect' and element.get('stroke'):
            self.frames.append(
                (
                    x + float(element.get('x', 0)),
                    y + float(element.get('y', 0)),
                    float(element.get('width')),
                    float(element.get('height')),
                    element.get('fill'),
                    element.get('stroke'),
                    element.get('stroke-dasharray'),
                )
            )
        for child in element:
            self._walk(child, x, y)

    def words(self):
        return [text for text, *_ in self.texts]

    def titles(self):
        return [title.text for title in self.root.iter(f'{SVG}title')]


class PictureTestCase(base.TestCase):
    def draw(self, problem, answer):
        drawing = Drawing(picture.draw(problem, answer))
        self.assertNothingOverlaps(drawing)
        return drawing

    def assertNothingOverlaps(self, drawing):
        width, height = drawing.size
        for text, x, y, across, down in drawing.texts:
            self.assertTrue(x >= 0 and x + across <= width, text)
            self.assertTrue(y >= 0 and y + down <= height, text)
        ordered = sorted(drawing.texts, key=lambda text: text[2])
        for one, other in itertools.combinations(ordered, 2):
            if other[2] >= one[2] + one[4]:
                continue
            apart = (
                one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1]
            )
            self.assertTrue(apart, f'{one} and {other}')

    def assertNames(self, problem, drawing):
        """Every member is there, in full when pointed at."""
        told = {title.partition(':')[0] for title in drawing.titles()}
        for demand in problem.demands:
            self.assertIn(demand.member, told)

    def test_a_plan_of_every_kind_of_rule(self):
        problem = saved('every-rule-at-once')
        answer = joint.JointSolver().solve(problem, deadline=300.0)
        drawing = self.draw(problem, answer)
        self.assertNames(problem, drawing)
        words = drawing.words()
        for rule in problem.rules:
            if rule.name != 'everything':  # a set, no rule
                self.assertTrue(
                    any(word.startswith(f'{rule.name}: ') for word in words),
                    rule.name,
                )
        for host in problem.snapshot.hosts:
            name = f'{host.name} *' if host.is_busy else host.name
            self.assertIn(name, words)
        self.assertIn('pool vault', words)

    def test_what_is_given_up_is_broken_where_it_is_broken(self):
        problem = saved('webs-share-a-host')
        answer = planned(
            problem,
            {
                'db': 'e0-a',
                'web-0': 'e0-b',
                'web-1': 'e0-b',
                'db-disk': 'e0-pool',
                'backup': 'anywhere',
            },
        )
        drawing = self.draw(problem, answer)
        self.assertIn(
            'webs: soft anti-affinity at host, given up by 1, cost 3',
            drawing.words(),
        )
        self.assertIn('cell: hard affinity at rack, kept', drawing.words())
        # In the legend, and around the host.
        broken = [frame for frame in drawing.frames if frame[-1]]
        self.assertEqual(2, len(broken))
        ((name, x, y, *_),) = [t for t in drawing.texts if t[0] == 'e0-b']
        left, top, across, down = max(broken, key=lambda f: f[2])[:4]
        self.assertTrue(left < x < left + across, name)
        self.assertTrue(top < y < top + down, name)

    def test_members_stand_in_their_host(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 2)),
            tuple(worlds.servers('m', 4)),
            (),
        )
        places = ('r0-h0', 'r0-h1', 'r1-h0', 'r1-h0')
        placement = {f'm-{n}': place for n, place in enumerate(places)}
        drawing = self.draw(problem, planned(problem, placement))
        spots = {text: (x, y) for text, x, y, *_ in drawing.texts}
        hosts = [f for f in drawing.frames if f[4] == '#ffffff' and f[2] > 100]
        for member, host in placement.items():
            (frame,) = [
                (x, y, across, down)
                for x, y, across, down, *_ in hosts
                if x <= spots[host][0] <= x + across
                and y <= spots[host][1] <= y + down
            ]
            x, y = spots[member]
            self.assertTrue(frame[0] < x < frame[0] + frame[2], member)
            self.assertTrue(frame[1] < y < frame[1] + frame[3], member)

    def test_of_a_large_cloud_what_is_used(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(300, 4)),
            tuple(worlds.servers('m', 3)),
            (worlds.rule('affinity', 'rack', 'm-0', 'm-1'),),
        )
        placement = {'m-0': 'r7-h0', 'm-1': 'r7-h2', 'm-2': 'r250-h1'}
        drawing = self.draw(problem, planned(problem, placement))
        words = drawing.words()
        self.assertIn('rack r7', words)
        self.assertIn('rack r250', words)
        self.assertNotIn('rack r8', words)
        self.assertIn('and 298 other racks', words)
        self.assertIn('and 2 other hosts', words)
        self.assertIn('and 3 other hosts', words)

    def test_many_rules_are_told_by_kind(self):
        names = [f'm-{n}' for n in range(40)]
        rules = [
            worlds.rule(
                'anti-affinity', 'host', *names[n : n + 2], name=f'pair-{n}'
            )
            for n in range(0, 40, 2)
        ]
        problem = model.Problem(
            worlds.snapshot(worlds.racks(4, 5)),
            tuple(worlds.servers('m', 40)),
            tuple(rules),
        )
        hosts = [host.name for host in problem.snapshot.hosts]
        placement = {m: hosts[n % 20] for n, m in enumerate(names)}
        drawing = self.draw(problem, planned(problem, placement))
        self.assertIn(
            'hard anti-affinity at host: 20 rules, all kept', drawing.words()
        )
        self.assertNames(problem, drawing)

    def test_without_a_plan_the_members_wait(self):
        problem = saved('three-racks-of-two')
        answer = model.Answer(
            model.Verdict.INFEASIBLE, rules=('dbs', 'fit:db-0')
        )
        drawing = self.draw(problem, answer)
        self.assertNames(problem, drawing)
        words = drawing.words()
        self.assertIn('dbs: hard anti-affinity at rack, in conflict', words)
        self.assertIn('all: soft affinity at zone, asked', words)
        # Once for the members, once in the legend.
        self.assertEqual(2, words.count('without a place'))

    def test_names_of_any_length_and_letters(self):
        odd = ['x' * 200, '<b>&"', '\u4e2d\u6587' * 30, 'a\x01b', '\U0001f600']
        problem = model.Problem(
            worlds.snapshot(
                worlds.host(name, 9, rack='<r>&', zone='z' * 90)
                for name in ('h' * 120, 'h&')
            ),
            tuple(worlds.server(name) for name in odd),
            (worlds.rule('affinity', 'rack', *odd, name='<rule>' * 20),),
        )
        placement = dict.fromkeys(odd, 'h&')
        drawing = self.draw(problem, planned(problem, placement))
        told = '\n'.join(drawing.titles())
        for name in (*odd[:3], 'a\ufffdb', odd[4]):
            self.assertIn(name, told)

    def test_a_name_of_thousands_of_letters_is_cut_in_the_legend(self):
        name, level = 'r' * 5000, 'v' * 3000
        hosts = [
            model.Host(f'h{number}', {level: f'd{number}'}, {}, {})
            for number in range(60)
        ]
        problem = model.Problem(
            model.Snapshot((level,), tuple(hosts)),
            (worlds.server('a', 0),),
            (worlds.rule('affinity', 'host', 'a', name=name),),
        )
        drawing = self.draw(problem, planned(problem, {'a': 'h0'}))
        self.assertLess(drawing.size[0], 1500)
        for text in drawing.words():
            self.assertLessEqual(len(text), 90, text)
        whole = f'{name}: hard affinity at host, kept'
        self.assertIn(whole, drawing.titles())
        self.assertIn(f'and 59 other {level}s', drawing.titles())
        cut = [word for word in drawing.words() if word.startswith('rrr')]
        self.assertTrue(cut[0].endswith('r: hard affinity at host, kept'))
        self.assertIn('\N{HORIZONTAL ELLIPSIS}', cut[0])

    @hypothesis.settings(
        max_examples=100, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(
        st.builds(
            placement_oracle.drawn,
            st.randoms(use_true_random=False),
            st.booleans(),
        )
    )
    def test_any_answer_can_be_drawn(self, problem):
        best = placement_oracle.best(problem)
        answer = (
            model.Answer(model.Verdict.INFEASIBLE)
            if best is None
            else planned(problem, best.placement)
        )
        self.assertNames(problem, self.draw(problem, answer))

    def test_pools_where_no_host_is(self):
        problem = model.Problem(
            worlds.snapshot(
                worlds.racks(1, 1),
                [worlds.pool('far', rack='bare', zone='empty')],
            ),
            (model.VolumeDemand('v', 1),),
            (),
        )
        words = self.draw(problem, planned(problem, {'v': 'far'})).words()
        self.assertIn('rack bare', words)
        self.assertIn('no known zone', words)

    def test_a_cloud_of_nothing(self):
        problem = model.Problem(worlds.snapshot([]), (worlds.server('m'),), ())
        answer = model.Answer(model.Verdict.INFEASIBLE, rules=('fit:m',))
        self.assertIn('m', self.draw(problem, answer).words())

    def test_equal_answers_are_equal_pictures(self):
        problem = saved('webs-share-a-host')
        answer = joint.JointSolver().solve(problem, deadline=300.0)
        self.assertEqual(
            picture.draw(problem, answer), picture.draw(problem, answer)
        )

    def test_members_that_were_there_before_take_no_more_room(self):
        problem = model.Problem(
            worlds.snapshot([worlds.host('h', 6, total=8, rack='r')]),
            (worlds.server('old', 2), worlds.server('new', 3)),
            (),
            {'old': 'h', 'older': 'h'},
        )
        placement = {'old': 'h', 'older': 'h', 'new': 'h'}
        drawing = self.draw(problem, planned(problem, placement))
        self.assertIn('62 %', drawing.words())  # (2 + 3) / 8
        self.assertIn('older', drawing.words())
