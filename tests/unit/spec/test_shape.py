# SPDX-License-Identifier: Apache-2.0
"""What has the wrong shape is named with what would be right."""

import jsonschema

from heat_vcluster import registry
from heat_vcluster.spec import schema
from tests.unit.spec import base


class SchemaTest(base.SpecTest):
    def test_is_itself_valid(self):
        for scopes in (None, ('host', 'rack')):
            made = schema.document(base.POLICIES, scopes)
            jsonschema.Draft202012Validator.check_schema(made)
            self.assertEqual(
                'https://json-schema.org/draft/2020-12/schema',
                made['$schema'],
            )

    def test_with_the_installed_policies(self):
        policies = registry.load('policies')
        made = schema.document(policies, ('host', 'rack'))
        jsonschema.Draft202012Validator.check_schema(made)
        self.assertLessEqual(
            {'affinity', 'anti-affinity', 'spread'}, set(policies)
        )


class ShapeTest(base.SpecTest):
    def test_no_mapping(self):
        for source in ('[]', 'text', '3'):
            [(path, message)] = self.faults_of(source)
            self.assertEqual('', path)
            self.assertIn('must be a mapping of name, instances', message)

    def test_no_instances(self):
        for source in ({}, {'instances': None}, {'instances': []}):
            [(path, message)] = self.faults_of(source)
            self.assertEqual('instances', path)
            self.assertIn('at least one instance', message)

    def test_instances_of_the_wrong_kind(self):
        source = {'instances': {'web': {'type': 'server'}}}
        [(path, message)] = self.faults_of(source)
        self.assertEqual('instances', path)
        self.assertIn('this is a mapping', message)

    def test_unknown_keys_and_near_misses(self):
        found = dict(
            self.faults_of(
                {
                    'instances': [
                        base.server('a', flavour='x', Volumes=[], zzz=1)
                        | {'counts': 2},
                        base.volume('v', sice=1),
                    ],
                    'group': [],
                }
            )
        )
        for path, ending in (
            ('group', "did you mean 'groups'?"),
            ('instances[0].counts', "did you mean 'count'?"),
            ('instances[0].spec.flavour', "did you mean 'flavor'?"),
            ('instances[0].spec.Volumes', "did you mean 'volumes'?"),
            ('instances[1].spec.sice', "did you mean 'size'?"),
            ('instances[0].spec.zzz', 'availability_zone, tags'),
        ):
            self.assertTrue(found[path].endswith(ending), found[path])
        self.assertEqual(6, len(found))

    def test_kinds_of_values(self):
        self.assert_faults(
            {
                'instances[0].count': "from 1 to 1000000; this is '2'",
                'instances[0].spec.config_drive': "true or false; this is 'y'",
                'instances[0].spec.networks[0]': 'the name of a network, or',
                'instances[0].spec.flavor': 'a flavor; this is 3',
                'instances[1].spec.size': 'this is 1.5',
                'instances[1].spec.metadata.x': 'this is a list',
                'instances[2].spec.mtu': 'from 68 to 65535; this is 10',
                'instances[2].depends_on': 'a list of names, each once; this '
                "is 'a'",
            },
            base.server(
                'a', count='2', flavor=3, networks=[7], config_drive='y'
            ),
            base.volume('v', size=1.5, metadata={'x': []}),
            base.network('n', mtu=10, depends_on='a'),
        )

    def test_what_is_missing(self):
        source = {
            'instances': [
                {'type': 'server', 'name': 'a'},
                {'type': 'volume', 'name': 'v', 'spec': None},
                {'spec': {}},
                {
                    'type': 'network',
                    'name': 'n',
                    'spec': {'subnets': [{'name': 'x'}], 'router': {}},
                },
            ],
            'groups': [{'name': 'g', 'spec': {'policy': 'spread'}}],
        }
        found = self.faults_of(source)
        self.assertEqual(
            [
                'groups[0].members',
                'groups[0].spec.max_per_domain',
                'instances[0].spec',
                'instances[0].spec.flavor',
                'instances[1].spec.size',
                'instances[2].name',
                'instances[2].type',
                'instances[3].spec.router.external_network',
                'instances[3].spec.subnets[0].cidr',
            ],
            sorted(path for path, _ in found),
        )
        for path, message in found:
            if path != 'instances[0].spec':
                self.assertIn('is missing', message)

    def test_no_text_has_a_nul(self):
        nul = 'a\0b'
        for source in ({}, {'groups': [base.group('g', 'a', nul)]}):
            whole = base.document(
                base.server('a', key_name=nul, networks=[nul], volumes=[nul])
            )
            found = self.faults_of({**whole, 'name': nul, **source})
            self.assertLessEqual(
                {
                    'name',
                    'instances[0].spec.key_name',
                    'instances[0].spec.networks[0]',
                    'instances[0].spec.volumes[0]',
                },
                {path for path, _ in found},
            )

    def test_names(self):
        for name in ('', '1a', '-a', 'a b', 'a/b', 'a' * 64, 'ä', 'a\n'):
            self.assert_faults(
                {'instances[0].name': 'a letter, then at most 62 letters'},
                base.volume(name),
            )
        for name in ('a', 'A1', 'a_b-c.d', 'a' * 63):
            self.assertEqual(
                name, base.load(base.volume(name)).members[0].name
            )

    def test_an_odd_name_makes_no_further_faults(self):
        self.assert_faults(
            {'instances[0].name': 'a letter'},
            base.volume('1v'),
            base.server('a', volumes=['1v'], depends_on=['1v']),
            base.group('g', '1v'),
        )

    def test_texts(self):
        self.assert_faults(
            {
                'instances[0].spec.tags[0]': 'without comma',
                'instances[0].spec.tags[1]': 'at most 60',
                'instances[0].spec.volumes[0].device': '/dev/vdb',
                "instances[0].spec.metadata['a/b']": 'the key must be',
                'instances[0].spec.metadata.long': 'at most 255',
                'instances[0].spec.key_name': 'a key pair',
            },
            base.server(
                'a',
                tags=['a,b', 'x' * 61],
                volumes=[{'volume': 'v', 'device': 'vdb'}],
                metadata={'a/b': 'c', 'long': 'x' * 256},
                key_name='',
            ),
        )

    def test_numbers_have_bounds(self):
        counted = base.volume('data', count=10**6 + 1)
        whole = base.document(base.server('a'), counted)
        whole['update_policy'] = {
            'batch_size': 10**6 + 1,
            'min_in_service': 10**6 + 1,
        }
        whole['survive'] = [
            {
                'lose': {'count': 10**6 + 1, 'scope': 'rack'},
                'keep': {'a': 10**6 + 1},
            }
        ]
        whole['sources'] = {'a': {'image': 'x', 'again': 10**6 + 1}}
        found = self.faults_of(whole)
        self.assertEqual(
            {
                'instances[1].count',
                'update_policy.batch_size',
                'update_policy.min_in_service',
                'survive[0].lose.count',
                'survive[0].keep.a',
                'sources.a.again',
            },
            {path for path, _ in found},
        )
        for _, message in found:
            self.assertIn('to 1000000', message)

    def test_long_values_are_cut_in_messages(self):
        [(_, message)] = self.faults_of(
            base.document(base.server('a', key_name='x' * 5000))
        )
        self.assertLess(len(message), 150)

    def test_policies_and_scopes(self):
        self.assert_faults(
            {
                'groups[0].spec.policy': 'affinity, anti-affinity, spread',
                'groups[1].spec.scope': "one of host, rack; this is 'zone'",
                'groups[2].spec.max_per_domain': 'at least 1; this is 0',
                'groups[3].spec.max_per_domain': 'is not a known key',
                'groups[4].spec.weight': 'from 0 to 1000; this is -1',
                'groups[5].spec': 'must be a mapping',
            },
            base.volume('v'),
            base.group('a', 'v', policy='near'),
            base.group('b', 'v', scope='zone'),
            base.group('c', 'v', policy='spread', max_per_domain=0),
            base.group('d', 'v', policy='affinity', max_per_domain=1),
            base.group('e', 'v', strict=False, weight=-1),
            base.group('f', 'v') | {'spec': 'affinity'},
            scopes=('host', 'rack'),
        )

    def test_any_scope_where_levels_are_not_known(self):
        loaded = base.load(base.volume('v'), base.group('g', 'v', scope='row'))
        self.assertEqual('row', loaded.groups[0].scope)

    def test_limit_of_members(self):
        entries = [base.server('a', count=3), base.volume('v', count=2)]
        self.assertEqual(5, len(base.load(*entries, max_members=5).members))
        self.assert_faults(
            {'instances': 'there are 5 members; at most 4'},
            *entries,
            max_members=4,
        )

    def test_a_huge_count_costs_nothing(self):
        self.assert_faults(
            {'instances': 'at most 1000'}, base.server('a', count=10**6)
        )

    def test_copies_of_large_specs(self):
        metadata = {f'k{n}': 'x' * 255 for n in range(100)}
        user_data = 'x' * 49_000
        self.assert_faults(
            {'instances': 'too large'},
            base.server(
                'a', count=1000, metadata=metadata, user_data=user_data
            ),
        )

    def test_endless_faults_end(self):
        source = {'instances': [{} for _ in range(1000)]}
        found = self.faults_of(source)
        self.assertEqual(501, len(found))
        self.assertEqual(
            ('', 'there may be more faults than these 500'), found[-1]
        )

    def test_long_lists_of_names(self):
        self.assert_faults(
            {
                'instances[0].depends_on': 'each once',
                'groups[0].members': 'a list of 1 to 1000 names',
            },
            base.server('a', count=900, depends_on=['b'] * 100_000),
            base.server('b'),
            base.group('g', *['a'] * 1001),
        )

    def test_one_wrong_entry_does_not_hide_faults_of_the_others(self):
        source = {
            'instances': [
                'text',
                {'name': 'odd', 'type': 'disk', 'spec': {}},
                base.server(
                    'web', volumes=[{'volume': 'x'}, {'volume': 'web'}]
                ),
            ],
            'groups': [base.group('g', 'odd', 'nobody')],
        }
        self.assertEqual(
            [
                'instances[0]',
                'instances[1].type',
                'instances[2].spec.volumes[1].volume',
                'groups[0].members[1]',
            ],
            [path for path, _ in self.faults_of(source)],
        )

    def test_faults_come_in_the_order_of_the_document(self):
        source = {
            'groups': [{}],
            'instances': [base.volume(f'v{n}', size=0) for n in range(11)],
            'name': 1,
        }
        paths = [path for path, _ in self.faults_of(source)]
        self.assertEqual(
            ['name', *(f'instances[{n}].spec.size' for n in range(11))],
            paths[:12],
        )
        self.assertTrue(all(p.startswith('groups') for p in paths[12:]))
