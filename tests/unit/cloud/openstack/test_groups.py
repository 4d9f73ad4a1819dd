# SPDX-License-Identifier: Apache-2.0
"""Nova's server groups: whose they are stands in their names."""

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model
from heat_vcluster.cloud.openstack import (
    compute,
    errors,
    groups,
    made,
    session,
)
from heat_vcluster.spec import model as spec
from tests.unit.cloud.openstack.wire import HANG_UP, Wire

PATH = groups.PATH
CLUSTER = '6f1c1f0e-9d4d-4d5a-8c7b-0a52a9c3a1de'
OWNER = model.Owner(CLUSTER, 'survive[0].keep.db')
NAME = f'vcluster:{CLUSTER} survive[0].keep.db'


def group(group_id, name=NAME):
    return {'id': group_id, 'name': name}


def page(*found):
    return 200, {'server_groups': list(found)}


class ServerGroupsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        self.service = self.wire.service(session.COMPUTE)
        self.groups = groups.ServerGroups(
            self.service,
            made.Made(lambda kind, cluster: self.groups.find(cluster), 5.0),
        )

    def ensure(self, policy='anti-affinity', most=2):
        return self.groups.ensure(
            OWNER,
            grouping.ServerGroup(OWNER.member, policy, ('a', 'b', 'c'), most),
        )

    def made(self):
        return [body['server_group'] for body in self.wire.asked('POST', PATH)]

    def test_it_is_made_with_the_mark_as_its_name(self):
        self.wire.answer('GET', PATH, page())
        self.wire.answer('POST', PATH, (200, {'server_group': group('g')}))
        self.assertEqual('g', self.ensure())
        self.assertEqual(
            [
                {
                    'name': NAME,
                    'policy': 'anti-affinity',
                    'rules': {'max_server_per_host': 2},
                }
            ],
            self.made(),
        )

    def test_affinity_has_no_rules(self):
        self.wire.answer('GET', PATH, page())
        self.wire.answer('POST', PATH, (200, {'server_group': group('g')}))
        self.ensure('affinity')
        self.assertEqual([{'name': NAME, 'policy': 'affinity'}], self.made())

    def test_one_of_an_earlier_run_is_found_on_a_later_page(self):
        self.wire.answer(
            'GET',
            PATH,
            page(),
            page(group('x', 'theirs'), group('y', f'{NAME}-too')),
            page(group('g')),
            page(),
        )
        self.wire.answer(
            'GET', f'{PATH}/g', (200, {'server_group': group('g')})
        )
        self.assertEqual('g', self.ensure())
        self.assertEqual([], self.made())
        offsets = [
            seen[2]['offset']
            for seen in self.wire.seen
            if seen[:2] == ('GET', PATH) and 'offset' in seen[2]
        ]
        self.assertEqual([['0'], ['2'], ['3']], offsets)

    def test_who_may_not_look_at_them_has_none(self):
        refusal = {'forbidden': {'message': 'not for you'}}
        self.wire.answer('GET', PATH, (403, refusal))
        self.assertEqual((), self.groups.find(CLUSTER))
        self.assertRaises(exception.CloudForbidden, self.ensure)
        self.assertEqual([], self.made())

    def test_a_lost_answer_does_not_make_two(self):
        self.wire.answer('GET', PATH, page(), page(), page(group('g')), page())
        self.wire.answer('POST', PATH, HANG_UP)
        self.wire.answer(
            'GET', f'{PATH}/g', (200, {'server_group': group('g')})
        )
        self.assertEqual('g', self.ensure())
        self.assertEqual(1, len(self.made()))

    def test_a_server_is_asked_for_with_its_group(self):
        self.wire.answer('POST', '/servers', (202, {'server': {'id': 's'}}))
        nova = compute.Compute(
            self.service, made.Made(lambda *_: (), 1.0), errors.Secrets()
        )
        for group_id in ('g', None):
            nova.ensure(
                model.Owner(CLUSTER, f'db-{group_id}'),
                model.ServerRequest(
                    'db',
                    spec.ServerSpec('f', image='i'),
                    'h1',
                    'f-id',
                    (),
                    image_id='i-id',
                    group_id=group_id,
                ),
            )
        grouped, alone = self.wire.asked('POST', '/servers')
        self.assertEqual({'group': 'g'}, grouped['os:scheduler_hints'])
        self.assertNotIn('os:scheduler_hints', alone)

    def test_a_nova_without_the_filters_says_so_in_the_fault(self):
        fault = 'ServerGroup policy is not supported: not configured'
        self.wire.answer(
            'GET',
            '/servers/s',
            (
                200,
                {
                    'server': {
                        'id': 's',
                        'status': 'ERROR',
                        'fault': {'message': fault},
                    }
                },
            ),
        )
        nova = compute.Compute(
            self.service, made.Made(lambda *_: (), 1.0), errors.Secrets()
        )
        self.assertTrue(nova.state('s').no_valid_host)


class RoomTest(testtools.TestCase):
    def test_what_the_quotas_leave(self):
        for limits, room in (
            (
                {
                    'maxServerGroups': 10,
                    'totalServerGroupsUsed': 4,
                    'maxServerGroupMembers': 7,
                },
                grouping.Room(6, 7),
            ),
            (
                {
                    'maxServerGroups': 3,
                    'totalServerGroupsUsed': 4,
                    'maxServerGroupMembers': -1,
                },
                grouping.Room(0, None),
            ),
            ({'maxServerGroups': -1}, grouping.Room()),
            ({}, grouping.Room()),
        ):
            self.assertEqual(room, groups.room(limits))
