# SPDX-License-Identifier: Apache-2.0
"""What is to survive a loss: how it is written, and what cannot be meant."""

from heat_vcluster import exception
from heat_vcluster.spec import loader
from tests.unit.spec import base


def document(*survive, groups=()):
    return {
        'instances': [
            base.server('db', count=3),
            base.server('web', count=5),
            base.volume('data'),
            base.network('net'),
        ],
        'groups': list(groups),
        'survive': list(survive),
    }


class SurvivalTest(base.SpecTest):
    def load(self, *survive, **more):
        loaded = loader.load(
            document(*survive, **more), scopes=('host', 'rack', 'zone')
        )
        self.assertEqual(loaded, loader.load(loaded.document))
        return loaded

    def faults(self, *survive, **more):
        error = self.assertRaises(
            exception.InvalidDocument, self.load, *survive, **more
        )
        return {fault.path: fault.message for fault in error.faults}


class MeaningTest(SurvivalTest):
    def test_each_number_is_a_rule_named_by_its_place(self):
        loaded = self.load({'lose': '1 rack', 'keep': {'db': 2, 'web': '50%'}})
        self.assertEqual(
            [
                ('survive[0].keep.db', 'rack', {'lose': 1, 'keep': 2}),
                ('survive[0].keep.web', 'rack', {'lose': 1, 'keep': 3}),
            ],
            [(g.name, g.scope, dict(g.options)) for g in loaded.groups],
        )
        self.assertEqual(
            {('survive', None, True)},
            {(g.policy, g.weight, g.is_derived) for g in loaded.groups},
        )
        self.assertEqual(
            (('db-0',), ('db-1',), ('db-2',)), loaded.groups[0].units
        )

    def test_spellings_of_a_loss(self):
        for lose, count, scope in (
            ('1 rack', 1, 'rack'),
            ('2 racks', 2, 'rack'),
            (' 2  rack ', 2, 'rack'),
            ({'count': 2, 'scope': 'zone'}, 2, 'zone'),
        ):
            (loss,) = self.load({'lose': lose, 'keep': {'web': 1}}).survive
            self.assertEqual((count, scope), (loss.count, loss.scope))

    def test_words_that_are_no_plural(self):
        for scope in ('chassis', 'bus', 'glass'):
            asked = {'lose': f'2 {scope}', 'keep': {'web': 1}}
            loaded = loader.load(document(asked), scopes=('host', scope))
            self.assertEqual(scope, loaded.survive[0].scope)

    def test_spellings_of_what_is_left(self):
        for asked, least in ((2, 2), ('2', 2), ('60%', 3), (' 61 % ', 4)):
            loaded = self.load({'lose': '1 host', 'keep': {'web': asked}})
            self.assertEqual(least, loaded.survive[0].keep[0].least)

    def test_groups_and_single_copies_can_be_named(self):
        loaded = self.load(
            {'lose': '1 rack', 'keep': {'all': 3, 'pair': 1}},
            groups=[
                base.group('all', 'db', 'data', weight=0),
                base.group('pair', 'db-0', 'web-4', weight=0),
            ],
        )
        self.assertEqual(
            [('db-0', 'db-1', 'db-2', 'data'), ('db-0', 'web-4')],
            [kept.members for kept in loaded.survive[0].keep],
        )

    def test_a_weight_makes_it_a_wish(self):
        loaded = self.load(
            {'lose': '1 rack', 'keep': {'db': 2}, 'weight': 7},
            {'lose': '1 host', 'keep': {'db': 2}, 'strict': False},
        )
        self.assertEqual([7, 1], [g.weight for g in loaded.groups])


class FaultsTest(SurvivalTest):
    def test_all_at_once_each_with_its_place(self):
        faults = self.faults(
            {'lose': 'everything', 'keep': {'db': 2}},
            {'lose': '2 rucks', 'keep': {'wbe': 2, 'net': 1, 'web': 'some'}},
            {'lose': '1 rack', 'keep': {'db': 0}, 'kept': 1},
            {'lose': '1 rack', 'keep': {}},
            {'keep': {'db': 1}, 'strict': True, 'weight': 3},
            'nonsense',
        )
        for path, words in {
            'survive[0].lose': "such as '1 rack'",
            'survive[1].lose': "'rack'",
            'survive[1].keep.wbe': "did you mean 'web'",
            'survive[1].keep.net': 'only servers and volumes',
            'survive[1].keep.web': 'such as 60%',
            'survive[2].keep.db': 'from 1 to',
            'survive[2].kept': "did you mean 'keep'",
            'survive[3].keep': 'a mapping',
            'survive[4].lose': 'is missing',
            'survive[4].weight': 'no weight',
            'survive[5]': 'mapping',
        }.items():
            self.assertIn(words, faults.pop(path), path)
        self.assertEqual({}, faults)

    def test_more_than_can_be_left_is_refused(self):
        faults = self.faults(
            {'lose': '1 rack', 'keep': {'db': 3, 'web': '90%', 'data': 1}},
            {'lose': '3 hosts', 'keep': {'db': 1, 'web': 2}},
            groups=[
                base.group('g', 'db', policy='survive', lose=2, keep=2),
                base.group('h', 'db', policy='survive', lose=2, keep=1),
            ],
        )
        self.assertEqual(
            {
                'groups[0].spec.keep': "'g' has 3 members: the loss of 2 "
                'hosts can leave 1 of them at the most, not 2',
                'survive[0].keep.data': "'data' has 1 member: the loss of 1 "
                'rack can leave 0 of them at the most, not 1',
                'survive[0].keep.db': "'db' has 3 members: the loss of 1 "
                'rack can leave 2 of them at the most, not 3',
                'survive[0].keep.web': "'web' has 5 members: the loss of 1 "
                'rack can leave 4 of them at the most, not 5 (90%)',
                'survive[1].keep.db': "'db' has 3 members: the loss of 3 "
                'hosts can leave 0 of them at the most, not 1',
            },
            faults,
        )

    def test_a_count_that_is_wrong_leads_to_no_more_faults(self):
        wrong = document({'lose': '1 rack', 'keep': {'db': 2}})
        wrong['instances'][0]['count'] = 'three'
        error = self.assertRaises(
            exception.InvalidDocument, loader.load, wrong
        )
        self.assertEqual(
            ['instances[0].count'], [fault.path for fault in error.faults]
        )
