# SPDX-License-Identifier: Apache-2.0
"""The use cases, from a document to a cluster and back, all told."""

import collections
import json

from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.placement import model as placement
from tests.functional import base, documents


class UseCaseTest(base.EngineTest):
    """U1, U2, U3 and more, as the shipped templates say them."""

    def story(self, document):
        view = self.build(document)
        self.assert_built(document, view)
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()
        return view

    def test_volume_and_server_together(self):
        view = self.story(documents.of_template('volume_server.yaml'))
        server, data = (view['members'][name] for name in ('server', 'data'))
        self.assertEqual(server['domains']['rack'], data['domains']['rack'])
        self.assertEqual(['10.10.0.2'], server['addresses'])

    def test_volume_and_server_on_one_host(self):
        self.cloud = FakeCloud(backends='host')
        self.service = self.make_service()
        view = self.story(
            documents.of_template('volume_server.yaml', scope='host')
        )
        server, data = (view['members'][name] for name in ('server', 'data'))
        self.assertEqual(server['domains'], data['domains'])

    def test_redundant_data_servers(self):
        view = self.story(documents.of_template('redundant_data.yaml'))
        racks = {
            name: member['domains'].get('rack')
            for name, member in view['members'].items()
        }
        self.assertEqual(racks['db-0'], racks['data-0'])
        self.assertEqual(racks['db-1'], racks['data-1'])
        self.assertNotEqual(racks['db-0'], racks['db-1'])

    def test_web_cluster(self):
        view = self.story(documents.of_template('web_cluster.yaml'))
        floating = view['members']['lb-0']['floating_addresses']
        self.assertEqual(
            floating, view['members']['lb-0']['addresses'][1:], view
        )
        self.assertEqual(2, len(view['members']['web-3']['addresses']))

    def test_jigsaw_that_fits_in_one_way_only(self):
        hosts = [
            placement.Host(
                name,
                {},
                {'VCPU': free, 'MEMORY_MB': 9999, 'DISK_GB': 99},
                {'VCPU': 16, 'MEMORY_MB': 9999, 'DISK_GB': 99},
            )
            for name, free in (('h-ten', 10), ('h-twelve', 12))
        ]
        self.cloud = FakeCloud(hosts=hosts, pools=(), levels=())
        self.service = self.make_service()
        document = documents.of_template('jigsaw.yaml')
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual(
            {
                'large': 'h-ten',
                'middle-0': 'h-twelve',
                'middle-1': 'h-twelve',
            },
            self.cloud.places(view['id']),
        )

    def test_counted_servers_with_volumes(self):
        self.story(documents.of_template('counted.yaml'))

    def test_one_of_everything(self):
        self.story(documents.SMALL)


class RecordTest(base.EngineTest):
    """What is told of a build that goes well."""

    def setUp(self):
        super().setUp()
        self.view = self.build(documents.SMALL)

    def test_events_come_in_the_order_of_the_graph(self):
        told = [
            (event['member'], event['kind'])
            for event in self.service.events(base.ANN, self.view['id'])
        ]
        self.assertEqual(len(told), len({*told}) + 2)  # active is said twice
        order = {event: number for number, event in enumerate(told)}
        for before, after in (
            ((None, 'create'), (None, 'resolve_names')),
            ((None, 'resolve_names'), (None, 'reserve_placement')),
            ((None, 'reserve_placement'), ('net', 'network')),
            ((None, 'reserve_placement'), ('data', 'volume')),
            (('net', 'network'), ('net', 'router')),
            (('net', 'network'), ('db', 'ports')),
            (('net', 'network'), ('web', 'ports')),
            (('db', 'ports'), ('db', 'server')),
            (('data', 'volume'), ('db', 'server')),
            (('db', 'server'), ('db', 'attachments')),
            (('db', 'attachments'), ('db', 'floating_ips')),
            (('db', 'floating_ips'), ('web', 'server')),
            (('web', 'server'), ('web', 'active')),
            (('web', 'active'), (None, 'active')),
        ):
            self.assertLess(order[before], order[after], (before, after))
        self.assertEqual((None, 'active'), told[-1])

    def test_events_can_be_read_on_from_any(self):
        whole = self.service.events(base.ANN, self.view['id'])
        self.assertEqual(
            whole[4:],
            self.service.events(base.ANN, self.view['id'], whole[3]['id']),
        )

    def test_view_is_plain_json(self):
        self.assertEqual(self.view, json.loads(json.dumps(self.view)))

    def test_pseudonyms_say_who_is_together(self):
        domains = {
            name: member['domains']
            for name, member in self.view['members'].items()
        }
        self.assertEqual({}, domains['net'])
        self.assertEqual(domains['db']['rack'], domains['data']['rack'])
        self.assertNotEqual(domains['db']['rack'], domains['web']['rack'])
        self.assertEqual(
            {'zone-1', 'rack-1', 'host-1'}, {*domains['db'].values()}
        )

    def test_every_thing_is_asked_for_once(self):
        asked = collections.Counter(
            call.arguments['owner']
            for call in self.cloud.calls
            if call.name.startswith('ensure_')
        )
        self.assertEqual({1}, {*asked.values()}, asked)
        self.assertEqual(1, self.calls()['reserve'])
        self.assertEqual(2, self.calls()['release'])

    def test_servers_are_where_the_record_says(self):
        members = self.service._store.get_members(self.view['id'])
        self.assertEqual(
            self.cloud.places(self.view['id']),
            {each.name: each.place for each in members if each.place},
        )
        holds = self.service._store.get_holds(self.view['id'])
        self.assertEqual({'released'}, {str(hold.state) for hold in holds})

    def test_deletion_is_told_too(self):
        self.assertIsNone(self.delete(self.view['id']))
        self.assertEqual(
            ['delete', 'deleted'], self.events(self.view['id'])[-2:]
        )
        self.assertEqual([], self.service.list(base.ANN))
