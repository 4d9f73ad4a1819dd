# SPDX-License-Identifier: Apache-2.0
"""The blueprint's spellings mean the same as the canonical ones."""

import json

from heat_vcluster.spec import loader
from tests.unit.spec import base

OLD = {
    'vcluster': {
        'name': 'new-virtual-cluster',
        'instances': {
            'instance': [
                {
                    'name': 'db-server-1',
                    'type': 'server',
                    'spec': {'imageRef': 'linux', 'flavorRef': 'small'},
                },
                {
                    'name': 'db-vol-1',
                    'type': 'block-storage',
                    'spec': {'size': 1, 'imageRef': 'linux'},
                },
            ]
        },
        'groupings': {
            'grouping': {
                'name': 'group-1',
                'membersRef': '["db-server-1", "db-vol-1"]',
                'spec': {'rule': 'affinity'},
            }
        },
    }
}
NEW = {
    'name': 'new-virtual-cluster',
    'instances': [
        {
            'name': 'db-server-1',
            'type': 'server',
            'spec': {'image': 'linux', 'flavor': 'small'},
        },
        {
            'name': 'db-vol-1',
            'type': 'volume',
            'spec': {'size': 1, 'image': 'linux'},
        },
    ],
    'groups': [
        {
            'name': 'group-1',
            'members': ['db-server-1', 'db-vol-1'],
            'spec': {'policy': 'affinity'},
        }
    ],
}


def load(source):
    return loader.load(source, policies=base.POLICIES)


class SpellingsTest(base.SpecTest):
    def test_blueprint_document(self):
        self.assertEqual(load(NEW), load(OLD))
        self.assertEqual(load(NEW), load(json.dumps(OLD)))

    def test_each_spelling_alone(self):
        expected = load(NEW)
        for change in (
            lambda d: d | {'groupings': d.pop('groups')},
            lambda d: d | {'groups': {'grouping': d['groups']}},
            lambda d: d | {'groups': {'group': d['groups'][0]}},
            lambda d: d | {'groups': [{'group': d['groups'][0]}]},
            lambda d: d | {'instances': {'instance': d['instances']}},
            lambda d: (
                d | {'instances': [{'instance': i} for i in d['instances']]}
            ),
            lambda d: {'vcluster': d},
        ):
            self.assertEqual(expected, load(change(dict(NEW))))

    def test_members_as_list_under_the_old_key(self):
        old = json.loads(json.dumps(NEW))
        old['groups'][0]['membersRef'] = old['groups'][0].pop('members')
        self.assertEqual(load(NEW), load(old))

    def test_a_sole_instance(self):
        inner = NEW['instances'][0]
        sole = {'instances': {'instance': inner}}
        self.assertEqual(load({'instances': [inner]}), load(sole))

    def test_names_instead_of_mappings(self):
        short = base.load(
            base.server('a', networks=['net'], volumes=['v']),
            base.volume('v'),
        )
        long = base.load(
            base.server(
                'a', networks=[{'network': 'net'}], volumes=[{'volume': 'v'}]
            ),
            base.volume('v'),
        )
        self.assertEqual(long, short)

    def test_floating_ip_as_mapping(self):
        def interface(floating_ip):
            return {'network': 'net', 'floating_ip': floating_ip}

        self.assertEqual(
            base.load(base.server('a', networks=[interface('ext')])),
            base.load(
                base.server('a', networks=[interface({'network': 'ext'})])
            ),
        )

    def test_null_is_not_set(self):
        bare = base.load(base.server('a'), base.volume('v'))
        source = base.document(
            base.server(
                'a', key_name=None, networks=None, metadata={'x': None}
            ),
            base.volume('v', image=None),
        )
        source['instances'][0]['depends_on'] = None
        source['name'] = None
        loaded = load(source)
        self.assertEqual(
            [m.spec for m in bare.members][1:],
            [m.spec for m in loaded.members][1:],
        )
        self.assertEqual(bare.members[0].spec, loaded.members[0].spec)
        self.assertIsNone(loaded.name)

    def test_metadata_numbers_and_flags_become_text(self):
        [member] = base.load(
            base.server('a', metadata={'n': 3, 'f': 1.5, 'b': True, 't': 'x'})
        ).members
        self.assertEqual(
            {'n': '3', 'f': '1.5', 'b': 'true', 't': 'x'},
            member.spec.metadata,
        )


class WrittenPlaceTest(base.SpecTest):
    """A fault names the place in the document as it was written."""

    def test_in_the_blueprint_form(self):
        source = json.loads(json.dumps(OLD))
        instances = source['vcluster']['instances']['instance']
        instances[0]['spec']['imageRef'] = 3
        instances[1]['type'] = 'disk'
        grouping = source['vcluster']['groupings']['grouping']
        grouping['spec']['rule'] = 'nearby'
        grouping['membersRef'] = '["db-server-1", "nobody"]'
        self.assertEqual(
            [
                'vcluster.instances.instance[0].spec.imageRef',
                'vcluster.instances.instance[1].type',
                'vcluster.groupings.grouping.spec.rule',
                'vcluster.groupings.grouping.membersRef[1]',
            ],
            [path for path, _ in self.faults_of(source)],
        )

    def test_of_short_forms(self):
        self.assert_faults(
            {
                'instances[0].spec.networks[0]': 'is a volume',
                'instances[0].spec.volumes[0].volume': 'is a network',
            },
            base.server('a', networks=['v'], volumes=[{'volume': 'n'}]),
            base.volume('v'),
            base.network('n'),
        )

    def test_membersref_that_holds_no_list(self):
        for text in ("['a']", '{"a": 1}', 'a', '[1]'):
            source = json.loads(json.dumps(NEW))
            del source['groups'][0]['members']
            source['groups'][0]['membersRef'] = text
            [(path, message)] = self.faults_of(source)
            self.assertEqual('groups[0].membersRef', path)
            self.assertIn('must be a list', message)

    def test_both_spellings_of_one_thing(self):
        source = {
            'instances': {
                'instance': [
                    base.server('a', imageRef='x', flavorRef='y'),
                ]
            },
            'groups': [base.group('g', 'a', rule='affinity')],
            'groupings': [],
        }
        source['groups'][0]['membersRef'] = ['a']
        found = self.faults_of(source)
        self.assertEqual(
            {
                'instances.instance[0].spec.imageRef',
                'instances.instance[0].spec.flavorRef',
                'groups[0].spec.rule',
                'groups[0].membersRef',
                'groupings',
            },
            {path for path, _ in found},
        )
        for _, message in found:
            self.assertIn('says the same as', message)

    def test_something_beside_the_wrapper(self):
        source = OLD | {'groups': []}
        [(path, message)] = self.faults_of(source)
        self.assertEqual('groups', path)
        self.assertIn('vcluster', message)
