# SPDX-License-Identifier: Apache-2.0
"""Rules over hosts are given to nova as well, and never stand in the way."""

import dataclasses

from heat_vcluster import exception
from heat_vcluster.cloud import grouping
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.cloud.fake import world as fake_world
from tests.functional import base, documents


def apart(count, **spec):
    return documents.servers(
        count, documents.group('anti-affinity', 'm', scope='host', **spec)
    )


RULE = 'anti-affinity-of-m'


class ServerGroupsTest(base.EngineTest):
    def groups(self):
        """Return rule -> the members in its server group."""
        world = self.cloud.world
        return {
            group.owner.member: {
                server.member
                for server in world.of(fake_world.Server)
                if server.group_id == group.id
            }
            for group in world.of(fake_world.ServerGroup)
        }

    def told(self, view):
        return {
            rule['group']: rule['why'] if not rule['held'] else True
            for rule in view['server_groups']
        }

    def gone(self, view):
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()


class HeldTest(ServerGroupsTest):
    def test_servers_of_a_strict_rule_are_in_one_group(self):
        document = apart(4)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual({RULE: {'m-0', 'm-1', 'm-2', 'm-3'}}, self.groups())
        self.assertEqual({RULE: True}, self.told(view))
        self.assertEqual(1, self.calls()['ensure_server_group'])
        self.gone(view)

    def test_a_wish_is_left_to_us(self):
        view = self.build(apart(3, weight=5))
        self.assertEqual(({}, {}), (self.groups(), self.told(view)))

    def test_a_second_rule_on_a_server_is_told(self):
        document = documents.servers(
            3,
            documents.group('spread', 'm', scope='host', max_per_domain=2),
            documents.group('affinity', 'm-0', 'm-1', scope='host'),
        )
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual({'spread-of-m': {'m-0', 'm-1', 'm-2'}}, self.groups())
        self.assertEqual(
            {
                'spread-of-m': True,
                'affinity-of-m-0': grouping.TAKEN.format('spread-of-m'),
            },
            self.told(view),
        )
        self.assertIn('ungrouped', self.events(view['id']))

    def test_a_server_that_moves_stays_in_its_group(self):
        def steal(call):
            self.cloud.fill_host(call.arguments['wanted'].host)

        self.cloud.faults.before('ensure_server', 'm-1', steal)
        document = apart(3)
        view = self.build(document)
        self.assert_built(document, view)
        told = self.events(view['id'], 'm-1')
        self.assertIn('space_lost', told)
        self.assertNotIn('ungrouped', told)
        self.assertEqual({RULE: {'m-0', 'm-1', 'm-2'}}, self.groups())
        self.assertEqual({RULE: True}, self.told(view))


class UngroupedTest(ServerGroupsTest):
    def test_quotas_are_known_before_and_done_without(self):
        for quota, why in (
            ('groups', grouping.NO_GROUPS),
            ('members', grouping.TOO_MANY.format(3, 2)),
        ):
            self.cloud = FakeCloud()
            self.service = self.make_service()
            if quota == 'groups':
                self.cloud.world.limits('alpha')['server_groups'] = 0
            else:
                self.cloud.world.group_members = 2
            document = apart(3)
            view = self.build(document)
            self.assert_built(document, view)
            self.assertEqual({RULE: why}, self.told(view))
            self.assertEqual(0, self.calls()['ensure_server_group'])
            self.assertIn('ungrouped', self.events(view['id']))

    def test_quota_that_others_used_up_in_the_meantime(self):
        def others(call):
            self.cloud.world.limits('alpha')['server_groups'] = 0

        self.cloud.faults.after('reserve', None, others)
        document = apart(3)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual({RULE: False}, {r: False for r in self.told(view)})
        self.assertFalse(view['server_groups'][0]['held'])
        (event,) = [
            event
            for event in self.service.events(base.ANN, view['id'])
            if event['kind'] == 'ungrouped'
        ]
        self.assertIn('Quota exceeded', event['message'])
        self.assertIn(RULE, event['message'])

    def test_a_right_that_is_missing(self):
        self.cloud.faults.fail(
            'ensure_server_group',
            error=exception.CloudForbidden('nova', 'not for you'),
            times=None,
        )
        document = apart(3)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertFalse(view['server_groups'][0]['held'])
        self.assertEqual(1, self.calls()['ensure_server_group'])

    def test_a_nova_that_heeds_no_groups_does_not_stand_in_the_way(self):
        self.cloud.world.heeds_groups = False
        document = apart(3)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertEqual({RULE: set()}, self.groups())
        self.assertFalse(view['server_groups'][0]['held'])
        for member in ('m-0', 'm-1', 'm-2'):
            told = self.events(view['id'], member)
            self.assertEqual(1, told.count('ungrouped'))
            self.assertNotIn('space_lost', told)
            self.assertNotIn('moved', told)
        self.gone(view)

    def test_a_host_that_is_disabled_is_no_fault_of_the_group(self):
        def disable(call):
            self.cloud.disable_host(call.arguments['wanted'].host)

        self.cloud.faults.before('ensure_server', 'm-1', disable)
        document = apart(3)
        view = self.build(document)
        self.assert_built(document, view)
        told = self.events(view['id'], 'm-1')
        self.assertEqual(
            ['ungrouped', 'space_lost', 'moved'],
            [k for k in told if k in ('ungrouped', 'space_lost', 'moved')],
        )
        self.assertEqual({RULE: {'m-0', 'm-1', 'm-2'}}, self.groups())
        self.assertEqual({RULE: True}, self.told(view))


class LeftoverTest(ServerGroupsTest):
    settings = dataclasses.replace(base.FAST, removal_timeout=0.8)

    def test_one_that_refuses_to_go_is_told_and_removed_later(self):
        view = self.build(apart(2))
        self.cloud.faults.refuse_delete('server_group', RULE)
        left = self.delete(view['id'])
        self.assertEqual(
            [(RULE, 'server_group')],
            [(each['member'], each['kind']) for each in left['leftovers']],
        )
        self.cloud.faults.clear()
        self.gone(view)
