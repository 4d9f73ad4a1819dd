# SPDX-License-Identifier: Apache-2.0

import copy
from xml.etree import ElementTree

from heat_vcluster.osc import drawing, tree
from tests import base


def domain(level, name, *inner, members=()):
    return {
        'level': level,
        'name': name,
        'domains': [*inner],
        'members': [*members],
    }


def rule(name, holds, *members, **more):
    return {
        'name': name,
        'policy': 'anti-affinity',
        'scope': 'rack',
        'strict': holds is not False,
        'weight': None,
        'members': [*members],
        'holds': holds,
        **more,
    }


TOPOLOGY = {
    'levels': ['zone', 'rack', 'host'],
    'domains': [
        domain(
            'zone',
            'zone-1',
            domain(
                'rack',
                'rack-1',
                domain('host', 'host-1', members=['a', 'b']),
                domain('host', 'host-2', members=['c']),
                members=['data'],
            ),
            domain('rack', 'rack-2', domain('host', 'host-3', members=['d'])),
        ),
        domain('zone', 'zone-2'),
    ],
    'unplaced': ['net', 'late'],
    'rules': [
        rule('apart', True, 'a', 'c'),
        rule('wished', False, 'a', 'b'),
        rule('near', True, 'a', 'd', policy='proximity', scope=None),
    ],
}
KINDS = {'data': 'volume', 'net': 'network'}
MEMBERS = {
    name: {'member': name, 'type': KINDS.get(name, 'server'), 'status': status}
    for name, status in (
        *((name, 'ACTIVE') for name in ('a', 'b', 'c', 'data', 'net')),
        ('d', 'ERROR'),
        ('late', 'PLANNED'),
    )
}


class TreeTest(base.TestCase):
    def test_domains_are_drawn_within_each_other(self):
        self.assertEqual(
            [
                'zone-1',
                '├─ rack-1: data',
                '│  ├─ host-1: a, b',
                '│  └─ host-2: c',
                '└─ rack-2',
                '   └─ host-3: d (ERROR)',
                'zone-2',
                'without a place: late (PLANNED)',
                '',
                'apart: hard anti-affinity at rack, kept: a, c',
                'wished: soft anti-affinity at rack, GIVEN UP: a, b',
                'near: hard proximity, kept: a, d',
            ],
            [*tree.lines(TOPOLOGY, MEMBERS)],
        )

    def test_a_rule_of_nothing_placed_is_asked_only(self):
        self.assertIn(', asked: a', tree.rule(rule('r', None, 'a')))

    def test_nothing_is_drawn_of_nothing(self):
        nothing = {key: [] for key in ('domains', 'unplaced', 'rules')}
        self.assertEqual([], [*tree.lines(nothing, {})])


class DrawingTest(base.TestCase):
    def texts(self, topology=TOPOLOGY):
        document = drawing.draw('id', topology, MEMBERS)
        return [*ElementTree.fromstring(document).itertext()]

    def test_all_that_the_tree_has_is_in_the_picture(self):
        texts = self.texts()
        for told in (
            'cluster id',
            *('zone-1', 'zone-2', 'rack-1', 'rack-2'),
            *('host-1', 'host-2', 'host-3'),
            *('a', 'b', 'c', 'd', 'data', 'late', 'without a place'),
            'd: server, ERROR',
            *map(tree.rule, TOPOLOGY['rules']),
        ):
            self.assertIn(told, texts)
        self.assertNotIn('net', texts)

    def test_what_is_given_up_stands_out(self):
        document = drawing.draw('id', TOPOLOGY, MEMBERS)
        self.assertEqual(1, document.count('stroke-dasharray'))
        kept = copy.deepcopy(TOPOLOGY)
        kept['rules'][1]['holds'] = True
        document = drawing.draw('id', kept, MEMBERS)
        self.assertEqual(0, document.count('stroke-dasharray'))

    def test_any_number_of_rules_has_colours(self):
        many = copy.deepcopy(TOPOLOGY)
        many['rules'] = [rule(f'rule-{n}', n % 2 == 0, 'a') for n in range(60)]
        self.assertIn(tree.rule(many['rules'][59]), self.texts(many))

    def test_names_cannot_break_out_of_the_picture(self):
        odd = copy.deepcopy(TOPOLOGY)
        odd['unplaced'] = ['</svg><script>']
        self.assertIn('</svg><script>', self.texts(odd))
