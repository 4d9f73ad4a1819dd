# SPDX-License-Identifier: Apache-2.0
"""The blueprint's use cases can be said, with the installed policies."""

from heat_vcluster.spec import loader
from tests.unit.spec import base

U1 = """
instances:
- {name: server, type: server, spec: {flavor: f, image: i, volumes: [data]}}
- {name: data, type: volume, spec: {size: 10}}
groups:
- {name: together, spec: {policy: affinity}, members: [server, data]}
"""

U2 = """
instances:
- name: db
  type: server
  count: 2
  spec: {flavor: f, image: i, volumes: ['data-%index%']}
- {name: data, type: volume, count: 2, spec: {size: 10}}
groups:
- name: pair-0
  spec: {policy: affinity, scope: rack}
  members: [db-0, data-0]
- name: pair-1
  spec: {policy: affinity, scope: rack}
  members: [db-1, data-1]
- {name: apart, spec: {policy: anti-affinity, scope: rack}, members: [db]}
"""

U3 = """
name: web
instances:
- name: net
  type: network
  spec:
    subnets: [{cidr: 10.1.0.0/24, dns: [9.9.9.9]}]
    router: {external_network: public}
- name: lb
  type: server
  count: 2
  spec:
    flavor: f
    image: i
    networks: [{network: net, floating_ip: public}]
- name: db
  type: server
  count: 2
  spec: {flavor: f, image: i, networks: [net], volumes: ['data-%index%']}
- {name: data, type: volume, count: 2, spec: {size: 10}}
- name: web
  type: server
  count: 4
  depends_on: [db]
  spec: {flavor: f, image: i, networks: [net]}
groups:
- {name: lbs, spec: {policy: anti-affinity, scope: rack}, members: [lb]}
- {name: dbs, spec: {policy: anti-affinity, scope: rack}, members: [db]}
- name: webs
  spec: {policy: spread, scope: host, max_per_domain: 1}
  members: [web]
- name: chain-0
  spec: {policy: affinity, scope: rack}
  members: [lb-0, db-0, data-0, web-0, web-2]
- name: chain-1
  spec: {policy: affinity, scope: rack, strict: false, weight: 5}
  members: [lb-1, db-1, data-1, web-1, web-3]
"""


class UseCaseTest(base.SpecTest):
    def load(self, text):
        return loader.load(text, scopes=('host', 'rack', 'zone'))

    def rules(self, loaded):
        return {
            g.name: (g.policy, g.scope, g.weight, g.members)
            for g in loaded.groups
        }

    def test_volume_and_server_together(self):
        loaded = self.load(U1)
        self.assertEqual(
            {'together': ('affinity', 'host', None, ('server', 'data'))},
            self.rules(loaded),
        )
        self.assertEqual({'data'}, loaded.member('server').depends_on)

    def test_redundant_data_servers(self):
        loaded = self.load(U2)
        self.assertEqual(
            {
                'pair-0': ('affinity', 'rack', None, ('db-0', 'data-0')),
                'pair-1': ('affinity', 'rack', None, ('db-1', 'data-1')),
                'apart': ('anti-affinity', 'rack', None, ('db-0', 'db-1')),
            },
            self.rules(loaded),
        )
        self.assertEqual({'data-1'}, loaded.member('db-1').depends_on)

    def test_web_cluster(self):
        loaded = self.load(U3)
        rules = self.rules(loaded)
        self.assertEqual(11, len(loaded.members))
        self.assertEqual(
            (
                'affinity',
                'rack',
                5,
                ('lb-1', 'db-1', 'data-1', 'web-1', 'web-3'),
            ),
            rules['chain-1'],
        )
        self.assertEqual({'max_per_domain': 1}, loaded.groups[2].options)
        self.assertEqual(
            {'net', 'db-0', 'db-1'}, loaded.member('web-3').depends_on
        )
        self.assertEqual({'net', 'data-0'}, loaded.member('db-0').depends_on)

    def test_three_sizes(self):
        [eight, *sixes] = self.load("""
instances:
- {name: big, type: server, spec: {flavor: v8, image: i}}
- {name: mid, type: server, count: 2, spec: {flavor: v6, image: i}}
""").members
        self.assertEqual('v8', eight.spec.flavor)
        self.assertEqual(['v6', 'v6'], [m.spec.flavor for m in sixes])
