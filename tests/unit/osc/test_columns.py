# SPDX-License-Identifier: Apache-2.0

from heat_vcluster.osc import columns
from tests import base

VIEW = {
    'id': 'x',
    'metadata': {'a': 'b'},
    'members': {
        'db': {
            'status': 'ACTIVE',
            'addresses': ['10.0.0.3', '203.0.113.2'],
            'domains': {'zone': 'zone-1', 'host': 'host-1'},
        },
        'net': {'status': 'BUILDING', 'addresses': [], 'domains': {}},
    },
    'placement': {
        'soft_cost': 3,
        'given_up': [
            {'group': 'apart', 'violation': 1, 'cost': 3, 'where': ['rack-1']}
        ],
        'not_applied': [{'group': 'near', 'member': 'data'}],
    },
    'leftovers': [
        {'member': 'db', 'kind': 'server', 'id': 'y', 'reason': 'timeout'}
    ],
    'instances': [
        {'name': 'db', 'type': 'server', 'count': 2},
        {'name': 'net', 'type': 'network'},
    ],
    'groups': [
        {
            'name': 'apart',
            'spec': {'policy': 'spread', 'scope': 'rack'},
            'members': ['db'],
        },
        {'name': 'near', 'spec': {'policy': 'proximity'}, 'members': ['db']},
    ],
    'survive': [
        {
            'lose': {'count': 2, 'scope': 'rack'},
            'keep': {'db': 2, 'web': '60%'},
        }
    ],
    'survival': [
        {'says': 'losing any one rack leaves 2 of 3 db', 'holds': True},
        {'says': 'losing any one host leaves 1 of 3 db', 'holds': False},
        {'says': None, 'holds': None},
    ],
    'server_groups': [
        {'group': 'apart', 'held': True, 'why': None},
        {'group': 'near', 'held': False, 'why': 'there is no room'},
    ],
    'links': [],
}


class ColumnsTest(base.TestCase):
    def told(self, view):
        return dict(zip(*columns.of_view(view), strict=True))

    def test_people_read_lines(self):
        told = {key: str(value) for key, value in self.told(VIEW).items()}
        self.assertEqual(
            {
                'id': 'x',
                'properties': "a='b'",
                'members': 'db  ACTIVE  10.0.0.3,203.0.113.2  zone-1/host-1\n'
                'net  BUILDING',
                'placement': 'soft cost 3\napart is given up (rack-1)\n'
                'near could not count data',
                'leftovers': 'server y: timeout',
                'instances': 'db (server x 2)\nnet (network)',
                'groups': 'apart: spread at rack: db\nnear: proximity: db',
                'server_groups': 'apart\nnear: no, there is no room',
                'survive': 'lose 2 rack, keep db 2, web 60%',
                'survival': 'losing any one rack leaves 2 of 3 db\n'
                'losing any one host leaves 1 of 3 db: too few',
            },
            told,
        )

    def test_programs_get_what_the_service_tells(self):
        told = self.told(VIEW)
        for key in ('members', 'placement', 'leftovers', 'groups'):
            self.assertEqual(VIEW[key], told[key].machine_readable())

    def test_nothing_is_told_of_nothing(self):
        told = self.told({'members': {}, 'placement': None, 'reasons': []})
        self.assertEqual('', str(told['members']))
        self.assertIsNone(told['placement'])
        self.assertEqual('', str(told['reasons']))

    def test_a_list_has_the_columns_that_are_asked_for(self):
        names, rows = columns.of_views(
            [{'id': 1, 'tags': ['a']}, {'id': 2}],
            {'id': 'ID', 'tags': 'Tags'},
        )
        self.assertEqual(['ID', 'Tags'], names)
        self.assertEqual(
            [['1', 'a'], ['2', 'None']],
            [[str(each) for each in row] for row in rows],
        )
