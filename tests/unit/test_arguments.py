# SPDX-License-Identifier: Apache-2.0
"""What may stand beside a document, and what may not."""

import uuid

from heat_vcluster import arguments, exception
from tests import base


class ArgumentsTest(base.TestCase):
    def faults(self, **given):
        error = self.assertRaises(
            exception.InvalidRequest, arguments.check, **given
        )
        return [fault.path for fault in error.faults]

    def test_what_is_right_passes(self):
        arguments.check(
            id=str(uuid.uuid4()),
            name='web',
            metadata={'owner': '', 'größe': '3'},
            tags=('a', 'b'),
            timeout=0.5,
            hold_seconds=60,
            status='ACTIVE',
            sort='name:desc,id',
            marker=str(uuid.uuid4()),
            limit=1,
            after=0,
        )

    def test_none_is_not_looked_at(self):
        arguments.check(**dict.fromkeys(arguments._CHECKS))

    def test_all_faults_are_told_each_with_its_place(self):
        self.assertEqual(
            ['name', 'metadata.a', 'tags[1]', 'timeout'],
            self.faults(name='', metadata={'a': 1}, tags=['x', ''], timeout=0),
        )

    def test_ids(self):
        good = str(uuid.uuid4())
        for wrong in (good.upper(), f'{{{good}}}', good[:-1], '', 7, 'a\0'):
            self.assertEqual(['id'], self.faults(id=wrong), wrong)

    def test_text_that_no_database_takes(self):
        for wrong in ('a\0b', '\ud800', 'x' * 256, 5, ['a']):
            self.assertEqual(['name'], self.faults(name=wrong), wrong)

    def test_tags(self):
        for wrong in ('abc', {'a': 'b'}, 5):
            self.assertEqual(['tags'], self.faults(tags=wrong), wrong)
        self.assertEqual(['tags'], self.faults(tags=map(str, range(51))))
        self.assertEqual(['tags[0]'], self.faults(tags=['x' * 81]))

    def test_metadata(self):
        for wrong in ('a', ['a'], {str(n): '' for n in range(129)}):
            self.assertEqual(['metadata'], self.faults(metadata=wrong))

    def test_seconds(self):
        for wrong in (0, -1, True, '5', float('nan'), float('inf'), 10**9):
            for name in ('timeout', 'hold_seconds'):
                self.assertEqual([name], self.faults(**{name: wrong}), wrong)

    def test_of_a_list(self):
        for name, wrong in (
            ('status', 'active'),
            ('sort', 'age'),
            ('sort', 'name:up'),
            ('sort', ''),
            ('sort', 'name,'),
            ('marker', 'x'),
            ('limit', 0),
            ('limit', True),
            ('after', -1),
            ('after', 2**63),
        ):
            self.assertEqual([name], self.faults(**{name: wrong}), wrong)

    def test_sort_is_read_in_order(self):
        self.assertEqual(
            [('name', 'desc'), ('id', 'asc')],
            arguments.parse_sort('name:desc, id'),
        )
