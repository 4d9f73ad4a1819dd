# SPDX-License-Identifier: Apache-2.0
"""References lead to members or to what exists, and never in a circle."""

import itertools

from heat_vcluster.spec import model
from tests.unit.spec import base


class ReferencesTest(base.SpecTest):
    def test_members_and_existing_things(self):
        loaded = base.load(
            base.server(
                'a',
                networks=['net', 'shared'],
                volumes=['data', '2a5b'],
            ),
            base.network('net'),
            base.volume('data'),
        )
        spec = loaded.member('a').spec
        self.assertEqual(
            [model.Reference('net', True), model.Reference('shared', False)],
            [interface.network for interface in spec.networks],
        )
        self.assertEqual(
            [model.Reference('data', True), model.Reference('2a5b', False)],
            [attachment.volume for attachment in spec.volumes],
        )

    def test_references_are_dependencies(self):
        loaded = base.load(
            base.server(
                'a', image=None, boot_volume='root', networks=['net', 'ext']
            ),
            base.server('b', volumes=['data'], depends_on=['a']),
            base.volume('root', image='linux'),
            base.volume('data'),
            base.network('net', depends_on=['data']),
        )
        self.assertEqual(
            {
                'a': {'root', 'net'},
                'b': {'data', 'a'},
                'root': set(),
                'data': set(),
                'net': {'data'},
            },
            {m.name: set(m.depends_on) for m in loaded.members},
        )

    def test_depends_on_all_copies(self):
        loaded = base.load(
            base.server('web', depends_on=['db']), base.server('db', count=3)
        )
        self.assertEqual(
            {'db-0', 'db-1', 'db-2'}, loaded.member('web').depends_on
        )

    def test_members_of_the_wrong_type(self):
        self.assert_faults(
            {
                'instances[0].spec.networks[0]': "'v' is a volume of this "
                'document, not a network',
                'instances[0].spec.volumes[0]': "'n' is a network",
                'instances[0].spec.boot_volume': "'a' is a server",
            },
            base.server(
                'a', image=None, networks=['v'], volumes=['n'], boot_volume='a'
            ),
            base.volume('v'),
            base.network('n'),
        )

    def test_a_counted_name_where_one_is_needed(self):
        self.assert_faults(
            {
                'instances[0].spec.volumes[0]': "write 'data-%index%'",
                'instances[0].spec.networks[0]': 'stands for 2 copies',
                'instances[1].spec.boot_volume': 'name one (data-0, data-1)',
            },
            base.server('a', count=2, volumes=['data'], networks=['n']),
            base.server('b', image=None, boot_volume='data'),
            base.volume('data', count=2, image='linux'),
            base.network('n', count=2),
        )

    def test_a_copy_that_is_not_there(self):
        self.assert_faults(
            {
                'instances[0].spec.volumes[0]': "no copy 'data-2'; the copies "
                'are data-0, data-1'
            },
            base.server('a', count=3, volumes=['data-%index%']),
            base.volume('data', count=2),
        )

    def test_index_in_what_is_not_counted(self):
        self.assert_faults(
            {
                'instances[0].spec.volumes[0]': 'in counted instances only',
                'instances[0].depends_on[0]': "no instance 'data-%index%'",
            },
            base.server(
                'a', volumes=['data-%index%'], depends_on=['data-%index%']
            ),
            base.volume('data', count=2),
        )

    def test_an_unclear_count_makes_no_further_faults(self):
        self.assert_faults(
            {'instances[1].count': 'from 1 to'},
            base.server('a', volumes=['data-0'], depends_on=['data-5']),
            base.volume('data', count='two'),
            base.group('g', 'a', 'data-1'),
        )

    def test_external_networks_are_no_members(self):
        self.assert_faults(
            {
                'instances[0].spec.networks[0].floating_ip': 'exists already',
                'instances[1].spec.router.external_network': 'exists already',
            },
            base.server('a', networks=[{'network': 'n', 'floating_ip': 'x'}]),
            base.network('n', router={'external_network': 'x'}),
            base.network('x'),
        )


class DependsOnTest(base.SpecTest):
    def test_unknown_names(self):
        self.assert_faults(
            {
                'instances[0].depends_on[0]': "'dbs'; did you mean 'db'?",
                'instances[0].depends_on[1]': "'zz'; there are web, db-0, db",
                'instances[0].depends_on[2]': "'g' is a group; name its",
                'instances[0].depends_on[3]': "'db-1'",
            },
            base.server('web', depends_on=['dbs', 'zz', 'g', 'db-1']),
            base.server('db', count=1),
            base.group('g', 'db'),
        )

    def test_named_twice(self):
        self.assert_faults(
            {'instances[0].depends_on': 'each once'},
            base.server('web', depends_on=['db', 'db']),
            base.server('db'),
        )

    def test_on_itself(self):
        self.assert_faults(
            {'instances[0].depends_on[0]': 'a needs a'},
            base.server('a', depends_on=['a']),
        )
        self.assert_faults(
            {'instances[0].depends_on[0]': 'goes in a circle: a-'},
            base.server('a', count=2, depends_on=['a']),
        )

    def test_a_circle(self):
        [(path, message)] = self.faults_of(
            base.document(
                base.volume('x', depends_on=['y']),
                base.volume('y', depends_on=['z']),
                base.volume('z', depends_on=['x']),
            )
        )
        self.assertIn(
            path, [f'instances[{n}].depends_on[0]' for n in range(3)]
        )
        circle = message.partition(': ')[2].split(' needs ')
        self.assertEqual({'x', 'y', 'z'}, set(circle))
        self.assertEqual(circle[0], circle[-1])
        after = dict(zip('xyz', 'yzx', strict=True))
        for name, needed in itertools.pairwise(circle):
            self.assertEqual(after[name], needed)

    def test_a_circle_through_a_reference_is_put_at_depends_on(self):
        self.assert_faults(
            {'instances[1].depends_on[1]': 'needs'},
            base.server('a', networks=['n']),
            base.network('n', depends_on=['v', 'a']),
            base.volume('v'),
        )

    def test_all_circles_are_found(self):
        found = self.faults_of(
            base.document(
                base.volume('a', depends_on=['b']),
                base.volume('b', depends_on=['a']),
                base.volume('c', depends_on=['d']),
                base.volume('d', depends_on=['c']),
            )
        )
        self.assertEqual(2, len(found), found)

    def test_a_diamond_is_no_circle(self):
        loaded = base.load(
            base.volume('a', depends_on=['b', 'c']),
            base.volume('b', depends_on=['d']),
            base.volume('c', depends_on=['d']),
            base.volume('d'),
        )
        self.assertEqual({'b', 'c'}, loaded.member('a').depends_on)
