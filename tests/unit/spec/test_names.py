# SPDX-License-Identifier: Apache-2.0
"""Counted instances are written out, and every name is had once."""

from tests.unit.spec import base


class CountTest(base.SpecTest):
    def test_copies_have_a_number(self):
        loaded = base.load(base.server('db', count=2), base.server('web'))
        self.assertEqual(
            [('db-0', 'db', 0), ('db-1', 'db', 1), ('web', 'web', None)],
            [(m.name, m.base, m.index) for m in loaded.members],
        )
        self.assertEqual(
            ['instances[0]', 'instances[0]', 'instances[1]'],
            [m.path for m in loaded.members],
        )

    def test_one_copy_has_a_number_too(self):
        [member] = base.load(base.server('db', count=1)).members
        self.assertEqual(
            ('db-0', 'db', 0), (member.name, member.base, member.index)
        )

    def test_index_is_replaced_in_all_texts_of_the_spec(self):
        loaded = base.load(
            base.server(
                'db',
                count=2,
                user_data='I am %index% of db-%index%',
                metadata={'n': '%index%'},
                tags=['t%index%'],
                networks=[{'network': 'n', 'fixed_ip': '10.0.0.1%index%'}],
                volumes=['data-%index%'],
                depends_on=['first-%index%'],
            ),
            base.volume('data', count=2),
            base.volume('first', count=2),
            base.network('n'),
        )
        db = loaded.member('db-1')
        self.assertEqual('I am 1 of db-1', db.spec.user_data)
        self.assertEqual({'n': '1'}, db.spec.metadata)
        self.assertEqual(('t1',), db.spec.tags)
        self.assertEqual('10.0.0.11', db.spec.networks[0].fixed_ip)
        self.assertEqual('data-1', db.spec.volumes[0].volume.name)
        self.assertEqual({'n', 'data-1', 'first-1'}, db.depends_on)

    def test_index_stays_in_the_text_of_what_is_not_counted(self):
        [member] = base.load(base.server('a', user_data='%index%')).members
        self.assertEqual('%index%', member.spec.user_data)


class NamesTest(base.SpecTest):
    def test_two_instances_of_one_name(self):
        self.assert_faults(
            {'instances[1].name': "'a' is taken by another instance"},
            base.server('a'),
            base.volume('a'),
        )

    def test_a_copy_and_an_instance(self):
        taken = "'db-0' is taken by a copy of the counted instance 'db'"
        self.assert_faults(
            {'instances[1].name': taken},
            base.server('db', count=2),
            base.server('db-0'),
        )
        self.assert_faults(
            {'instances[1].name': "'db-0' is taken by another instance"},
            base.server('db-0'),
            base.server('db', count=2),
        )

    def test_a_counted_instance_and_another_of_its_name(self):
        self.assert_faults(
            {'instances[1].name': "taken by the counted instance 'db'"},
            base.server('db', count=2),
            base.server('db'),
        )
        self.assert_faults(
            {'instances[1].name': "taken by the counted instance 'db'"},
            base.server('db', count=2),
            base.server('db', count=3),
        )

    def test_groups(self):
        self.assert_faults(
            {
                'groups[0].name': 'taken by another instance',
                'groups[1].name': 'taken by a copy',
                'groups[3].name': 'taken by another group',
            },
            base.server('a'),
            base.server('db', count=1),
            base.group('a', 'db'),
            base.group('db-0', 'a'),
            base.group('g', 'a'),
            base.group('g', 'db'),
        )

    def test_copies_of_a_long_name(self):
        self.assert_faults(
            {'instances[0].name': 'more than 63 characters'},
            base.server('a' * 62, count=2),
        )
        self.assertEqual(
            10, len(base.load(base.server('a' * 61, count=10)).members)
        )
