# SPDX-License-Identifier: Apache-2.0
"""The shipped templates, read by Heat itself and by our loader."""

from pathlib import Path

import yaml

from heat_vcluster import load
from tests.unit.heat import base

POLICY = ('replace_on', 'batch_size', 'min_in_service', 'pause_seconds')
TEMPLATES = Path(__file__).parents[2] / 'templates'


class TemplatesTest(base.HeatTest):
    def test_all_are_valid_with_their_defaults(self):
        paths = sorted(TEMPLATES.glob('*.yaml'))
        self.assertEqual(12, len(paths))
        for path in paths:
            stack = self.stack(path.read_text())
            stack.validate()
            self.assertTrue(stack.outputs, path)
        self.assertEqual(['validate'] * len(paths), self.service.calls)

    def spec(self, name, **parameters):
        stack = self.stack((TEMPLATES / name).read_text(), **parameters)
        self.run_task(stack['cluster'].create)
        *_, document = self.service.documents.values()
        return load(document)

    def rules(self, spec):
        return {
            group.name: (group.policy, group.scope, set(group.members))
            for group in spec.groups
        }

    def test_the_web_cluster_has_peers_apart_and_chains_together(self):
        rules = self.rules(self.spec('web_cluster.yaml'))
        self.assertEqual(
            ('anti-affinity', 'rack', {'lb-0', 'lb-1'}), rules['lbs-apart']
        )
        self.assertEqual(
            ('anti-affinity', 'rack', {'db-0', 'db-1'}), rules['dbs-apart']
        )
        self.assertEqual(
            (
                'affinity',
                'rack',
                {'lb-0', 'db-0', 'data-0', 'web-0', 'web-2'},
            ),
            rules['chain-0'],
        )
        self.assertEqual(
            (
                'affinity',
                'rack',
                {'lb-1', 'db-1', 'data-1', 'web-1', 'web-3'},
            ),
            rules['chain-1'],
        )

    def test_the_web_cluster_as_a_document_is_the_same(self):
        path = TEMPLATES / 'documents' / 'web_cluster.yaml'
        document = yaml.safe_load(path.read_text())
        self.assertEqual('shop', document.pop('name'))
        spec = self.spec('web_cluster.yaml')
        self.assertEqual(spec.members, load(document).members)
        self.assertEqual(spec.groups, load(document).groups)

    def test_the_web_cluster_can_have_more_web_servers(self):
        spec = self.spec(
            'web_cluster.yaml', web_servers=10, web_servers_per_rack=4
        )
        spread = next(g for g in spec.groups if g.name == 'webs-spread')
        self.assertEqual(10, len(spread.members))
        self.assertEqual({'max_per_domain': 4}, dict(spread.options))

    def test_each_counted_node_has_its_own_volume(self):
        spec = self.spec('counted.yaml', nodes=3)
        self.assertEqual(
            ['data-0', 'data-1', 'data-2'],
            [s.spec.volumes[0].volume.name for s in spec.of_type('server')],
        )

    def test_redundant_data_pairs_are_each_together_and_apart(self):
        rules = self.rules(self.spec('redundant_data.yaml', scope='host'))
        self.assertEqual(
            {
                'pair-0': ('affinity', 'host', {'db-0', 'data-0'}),
                'pair-1': ('affinity', 'host', {'db-1', 'data-1'}),
                'apart': ('anti-affinity', 'host', {'db-0', 'db-1'}),
            },
            rules,
        )

    def test_shards_are_units_of_the_group_that_keeps_them_apart(self):
        spec = self.spec('groups_of_groups.yaml')
        groups = {group.name: group for group in spec.groups}
        self.assertEqual(
            tuple((f'db-{n}', f'data-{n}', f'cache-{n}') for n in range(3)),
            groups['shards-apart'].units,
        )
        self.assertEqual(
            ('proximity', {'at_least': 'rack'}, 1),
            (
                groups['shard-0'].policy,
                dict(groups['shard-0'].options),
                groups['shard-0'].weight,
            ),
        )

    def test_the_even_spread_names_no_domain(self):
        spec = self.spec('even_spread.yaml', workers=9, skew=2)
        (group,) = spec.groups
        self.assertEqual(
            {'min_domains': 2, 'max_skew': 2}, dict(group.options)
        )
        self.assertEqual(9, len(group.members))

    def test_what_survives_a_rack_and_two(self):
        spec = self.spec('survive.yaml', web_servers=10, web_left='75%')
        self.assertEqual(
            [(1, 'rack', {'db': 2, 'web': 8}), (2, 'rack', {'db': 1})],
            [
                (loss.count, loss.scope, {k.name: k.least for k in loss.keep})
                for loss in spec.survive
            ],
        )

    def test_replicas_are_replaced_one_by_one(self):
        spec = self.spec('rolling.yaml', pause=60)
        policy = spec.document['update_policy']
        self.assertEqual(
            (['image'], 1, 2, 60), tuple(policy[key] for key in POLICY)
        )
        self.assertEqual(3, len(spec.groups[0].members))

    def test_the_keys_are_alone_and_all_of_it_is_near(self):
        spec = self.spec('near_and_alone.yaml', nearness=3)
        groups = {group.name: group for group in spec.groups}
        self.assertEqual('exclusive', groups['keys-alone'].policy)
        self.assertTrue(groups['keys-alone'].is_hard)
        self.assertEqual(3, groups['near'].weight)
        self.assertEqual({'at_least': 'zone'}, dict(groups['near'].options))
