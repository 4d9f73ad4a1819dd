# SPDX-License-Identifier: Apache-2.0
"""The documentation's diagrams show what the code says."""

import importlib.util
import sys
from pathlib import Path

from oslotest import base

DOC = Path(__file__).parents[2] / 'doc/source'


def load_drawings():
    """It belongs to no package: sphinx finds it by its directory."""
    spec = importlib.util.spec_from_file_location(
        'drawings', DOC / '_ext/drawings.py'
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


drawings = load_drawings()


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
