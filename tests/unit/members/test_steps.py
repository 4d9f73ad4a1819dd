# SPDX-License-Identifier: Apache-2.0
"""The steps of every member, and what each of them waits for."""

import networkx
import testtools

from heat_vcluster import load
from heat_vcluster.cloud import model
from heat_vcluster.members import base

Kind = model.Kind


def graph(wanted):
    """Return the steps by symbol and the graph that they are."""
    steps = {step.symbol: step for step in base.all_steps(wanted)}
    edges = networkx.DiGraph()
    for step in steps.values():
        edges.add_node(step.symbol)
        edges.add_edges_from((before, step.symbol) for before in step.requires)
    return steps, edges


class StepsTest(testtools.TestCase):
    document = {
        'instances': [
            {
                'name': 'net',
                'type': 'network',
                'spec': {
                    'subnets': [{'cidr': '10.1.0.0/24'}],
                    'router': {'external_network': 'public'},
                },
            },
            {
                'name': 'data',
                'type': 'volume',
                'count': 2,
                'spec': {'size': 1},
            },
            {
                'name': 'db',
                'type': 'server',
                'count': 2,
                'spec': {
                    'image': 'i',
                    'flavor': 'f',
                    'networks': [{'network': 'net', 'floating_ip': 'public'}],
                    'volumes': ['data-%index%'],
                },
            },
            {
                'name': 'web',
                'type': 'server',
                'depends_on': ['db'],
                'spec': {'image': 'i', 'flavor': 'f', 'networks': ['net']},
            },
            {
                'name': 'bare',
                'type': 'server',
                'spec': {'image': 'i', 'flavor': 'f'},
            },
        ]
    }

    def setUp(self):
        super().setUp()
        self.wanted = load(self.document)
        self.steps, self.graph = graph(self.wanted)

    def names(self, member):
        return [s.name for s in self.steps.values() if s.member == member]

    def before(self, symbol):
        return networkx.ancestors(self.graph, symbol)

    def test_each_member_has_the_steps_it_needs_and_no_others(self):
        self.assertEqual(['network', 'router'], self.names('net'))
        self.assertEqual(['volume'], self.names('data-0'))
        self.assertEqual(
            ['ports', 'server', 'active', 'attachments', 'floating_ips'],
            self.names('db-0'),
        )
        self.assertEqual(['ports', 'server', 'active'], self.names('web'))
        self.assertEqual(['server', 'active'], self.names('bare'))

    def test_names_can_be_told_without_the_steps(self):
        for member in self.wanted.members:
            kind = base.member_type(member.type)
            self.assertEqual(
                tuple(self.names(member.name)), kind.step_names(member.spec)
            )

    def test_nothing_begins_before_all_is_held(self):
        self.assertTrue(networkx.is_directed_acyclic_graph(self.graph))
        for symbol in self.steps:
            self.assertIn(base.RESERVATION, self.before(symbol))

    def test_every_step_waited_for_exists(self):
        for step in self.steps.values():
            self.assertLessEqual(
                step.requires - {base.RESERVATION}, {*self.steps}
            )

    def test_server_waits_for_what_it_uses_and_not_for_more(self):
        self.assertEqual(
            {
                base.RESERVATION,
                'net:network',
                'net:router',
                'data-0:volume',
                'db-0:ports',
            },
            self.before('db-0:server'),
        )
        self.assertNotIn('net:router', self.before('db-0:ports'))

    def test_dependent_waits_until_others_are_complete(self):
        self.assertIn('db-1:floating_ips', self.before('web:server'))
        self.assertNotIn('db-1:server', self.before('web:ports'))

    def test_all_kinds_that_are_made_are_unmade(self):
        made = {kind for step in self.steps.values() for kind in step.makes}
        # A server group is of no member: the sweep removes it.
        self.assertEqual(model.OF_MEMBERS - {Kind.SERVER_GROUP}, made)

    def test_unknown_type_has_no_steps(self):
        self.assertRaises(KeyError, base.member_type, 'toaster')


class FactsTest(testtools.TestCase):
    """What is known of a member, from what was recorded of it."""

    def test_own_id(self):
        for kind in ('server', 'volume', 'network'):
            member = base.member_type(kind)
            self.assertEqual('x', member.resource_id({f'{kind}_id': 'x'}))
            self.assertIsNone(member.resource_id({}))
            self.assertEqual([], member.addresses({}))

    def test_addresses_in_the_order_of_the_interfaces(self):
        facts = {
            'ports': [
                {'id': 'p', 'addresses': ['10.0.0.9', '2001:db8::1']},
                {'id': 'q', 'addresses': ['10.0.0.1']},
            ]
        }
        self.assertEqual(
            ['10.0.0.9', '2001:db8::1', '10.0.0.1'],
            base.member_type('server').addresses(facts),
        )
