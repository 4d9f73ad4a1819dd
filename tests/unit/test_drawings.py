# SPDX-License-Identifier: Apache-2.0
"""The documentation's diagrams show what the code says."""

import importlib.util
import re
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import yaml
from oslotest import base

from heat_vcluster import registry

DOC = Path(__file__).parents[2] / 'doc/source'


def load_module(name):
    """It belongs to no package: sphinx finds it by its directory."""
    spec = importlib.util.spec_from_file_location(
        name, DOC / f'_ext/{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


drawings = load_module('drawings')
scenes = load_module('scenes')


class DrawingsTest(base.BaseTestCase):
    def test_every_state_and_every_move_is_drawn(self):
        for kind, moves in drawings.TABLES.values():
            drawing = drawings.states_drawing([str(s) for s in kind], moves)
            for state in kind:
                self.assertIn(f'>{state}</text>', drawing)
            for why in moves.values():
                self.assertIn(f'>{why}</text>', drawing)
            self.assertEqual(len(moves), drawing.count('url(#tip)'))

    def test_moves_share_no_lane_where_they_meet(self):
        spans = [(0, 10), (5, 15), (11, 20), (0, 20)]
        lanes = drawings.assign_lanes(spans)
        for number, (low, high) in enumerate(spans):
            for other in range(number):
                if lanes[other] == lanes[number]:
                    a, b = spans[other]
                    self.assertTrue(high < a or low > b)
        self.assertEqual(3, len(set(lanes)))

    def test_the_flow_of_a_server_begins_with_its_network_and_volume(self):
        flow = drawings.create_flow(DOC / 'library/examples/pair.yaml')
        self.assertEqual(frozenset(), flow['resolve names'])
        self.assertEqual({'resolve names'}, flow['reserve placement'])
        before = drawings.ancestors('db-0:server', flow)
        for name in ('net:network', 'data-0:volume', 'db-0:ports'):
            self.assertIn(name, before)
        self.assertNotIn('data-1:volume', before)

    def test_a_wait_that_another_implies_is_left_out(self):
        waits = {
            'a': frozenset(),
            'b': frozenset({'a'}),
            'c': frozenset({'a', 'b'}),
        }
        self.assertEqual({'b'}, drawings.without_detours(waits)['c'])


class ScenesTest(base.BaseTestCase):
    """The pictures of groups on the page of the policies."""

    PAGE = (DOC / 'user/policies.rst').read_text(encoding='utf-8')
    SCENES = [
        textwrap.dedent(text)
        for text in re.findall(
            r'\.\. vcluster-rule::\n\n((?:   .*\n|\n)+)', PAGE
        )
    ]

    def verdicts(self, text):
        """Return what becomes of each group, at each set of places."""
        asked = yaml.safe_load(text)
        for places in asked['places']:
            scene = scenes.Scene(asked, places)
            yield {each.rule: each.rank for each in scene.verdicts}

    def test_every_policy_is_shown_obeyed_and_not(self):
        shown = {}
        for text in self.SCENES:
            kinds = {
                group['name']: group['spec']['policy']
                for group in yaml.safe_load(text).get('groups', ())
            }
            for verdicts in self.verdicts(text):
                for name, rank in verdicts.items():
                    # What is no group is what the key survive stands for.
                    kind = kinds.get(name, 'survive')
                    shown.setdefault(kind, set()).add(bool(rank))
        self.assertEqual(
            {name: {True, False} for name in registry.load('policies')},
            shown,
        )

    def test_the_first_places_obey_all_that_is_strict(self):
        for text in self.SCENES:
            self.assertNotIn(2, next(self.verdicts(text)).values(), text)

    def test_a_picture_names_every_member_and_place(self):
        for text in self.SCENES:
            drawing = scenes.rule_drawing(text)
            ElementTree.fromstring(drawing)
            asked = yaml.safe_load(text)
            for places in asked['places']:
                scene = scenes.Scene(asked, places)
                for name in (*scene.placement, *places):
                    self.assertIn(f'>{name}</text>', drawing)
