# SPDX-License-Identifier: Apache-2.0
"""Whatever fails, nothing is left and the reason is told: one call a time.

The stories here do not choose where it goes wrong: they go through every
call of a build, so a call that is added later is covered too.
"""

import re

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import ATTACHMENT, FakeCloud
from tests.functional import base, documents, numbered

Kind = model.Kind
#: More calls than a build of SMALL has under any order of its threads.
ENOUGH = 90
REASON = 'the disk of the service is full'


def broken():
    return exception.CloudError('fake', REASON)


def named(view):
    """Return the member whom the reason names; there must be one."""
    _, name, _ = re.split(r'^member (\S+): ', view['status_reason'])
    return name


class EveryCallTest(base.EngineTest):
    """The first, second, ... call of one build goes wrong."""

    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def every_call(self, late):
        hit = set()
        for number in range(1, ENOUGH):
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            view = self.build(documents.SMALL)
            call = self.cloud.faults.hit
            if call is None:
                self.assert_built(documents.SMALL, view)
                self.assertGreater(number, 25)
                self.assertIn('ensure_server_group', hit)
                return
            hit.add(call.name)
            if call.name == 'ensure_server_group':
                self.check_ungrouped(view)
            else:
                self.check(view, call)
        self.fail('a build has more calls than expected')

    def check_ungrouped(self, view):
        """A server group that cannot be had is done without."""
        self.assert_built(documents.SMALL, view)
        (rule,) = view['server_groups']
        self.assertEqual(
            ('spread-of-db', False), (rule['group'], rule['held'])
        )
        self.assertIn('ungrouped', self.events(view['id']))
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def check(self, view, call):
        self.assert_failed(view, 'vcluster.cloud_error', REASON)
        self.assert_nothing_left()
        self.assertEqual([], view['leftovers'])
        if len(call.members) == 1:
            name = named(view)
            self.assertIn(REASON, view['members'][name]['reason'], call)
            if 'owner' in call.arguments:
                self.assertEqual(call.arguments['owner'].member, name)
        self.assertEqual(
            {'DELETED'},
            {member['status'] for member in view['members'].values()},
            call,
        )
        self.assertEqual('failed', self.events(view['id'])[-1])
        self.assertIsNone(self.delete(view['id']))

    def test_call_that_fails_without_effect(self):
        self.every_call(late=False)

    def test_call_that_fails_after_its_effect(self):
        self.every_call(late=True)


class RollbackTroubleTest(base.EngineTest):
    """The cloud also refuses while what was made is being removed."""

    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def ruin_last_server(self):
        self.cloud.faults.clear()
        self.cloud.faults.ruin(Kind.SERVER, 'web')

    def every_call_of_the_rollback(self, late):
        self.ruin_last_server()
        self.build(documents.SMALL)
        names = [call.name for call in self.cloud.calls]
        first = names.index('find') + 1
        for number in range(first, first + ENOUGH, 1 + late):
            self.ruin_last_server()
            self.cloud.faults.at(number, numbered.raising(broken), late=late)
            view = self.build(documents.SMALL)
            self.assert_failed(view, 'vcluster.member_failed', 'member web')
            self.assert_nothing_left()
            self.assertEqual([], view['leftovers'])
            if self.cloud.faults.hit is None:
                self.assertGreater(number, first + 20)
                return
        self.fail('a rollback has more calls than expected')

    def test_call_of_a_rollback_fails_without_effect(self):
        self.every_call_of_the_rollback(late=False)

    def test_call_of_a_rollback_fails_after_its_effect(self):
        self.every_call_of_the_rollback(late=True)

    def test_defect_in_a_rollback_stops_nothing(self):
        self.ruin_last_server()
        self.cloud.faults.fail('delete', error=RuntimeError('a defect'))
        self.cloud.faults.fail(
            'find', member='db', error=RuntimeError('a defect')
        )
        view = self.build(documents.SMALL)
        self.assert_failed(view, 'vcluster.member_failed', 'member web')
        self.assertNotIn('defect', repr(view))
        self.assert_nothing_left()


class CauseTest(base.EngineTest):
    """What is told of a failure that the cloud found later."""

    def story(self, code, *words, document=documents.SMALL):
        view = self.build(document)
        self.assert_failed(view, code, *words)
        self.assert_nothing_left()
        self.assertIsNone(self.delete(view['id']))
        return view

    def test_server_that_breaks(self):
        self.cloud.faults.ruin(Kind.SERVER, 'db', reason='no such boot disk')
        view = self.story(
            'vcluster.member_failed', 'member db: no such boot disk'
        )
        self.assertEqual(
            'member db: no such boot disk', view['members']['db']['reason']
        )
        self.assertIsNone(view['members']['web']['reason'])
        self.assertIn('failed', self.events(view['id'], 'db'))
        self.assertNotIn('failed', self.events(view['id'], 'web'))

    def test_volume_that_breaks(self):
        self.cloud.faults.ruin(Kind.VOLUME, 'data', reason='it lost a disk')
        self.story('vcluster.member_failed', 'member data: it lost a disk')

    def test_attachment_that_is_given_up(self):
        self.cloud.faults.ruin(ATTACHMENT, 'db')
        self.story('vcluster.member_failed', 'member db', 'volume')

    def test_server_that_vanishes(self):
        self.cloud.faults.after(
            'is_claimed',
            'db',
            lambda call: self.cloud.lose(call.arguments['server_id']),
        )
        self.story('vcluster.member_failed', 'member db')

    def test_quota_that_is_used_up_halfway(self):
        def use_up(call):
            self.cloud.set_quota('alpha', volumes=1)

        self.cloud.faults.after('ensure_volume', None, use_up)
        document = documents.of_template('redundant_data.yaml')
        self.story(
            'vcluster.quota_exceeded',
            'member data-',
            'Quota exceeded for volumes',
            document=document,
        )

    def test_quota_of_servers_that_is_used_up_halfway(self):
        self.cloud.faults.before(
            'ensure_server',
            'm-2',
            lambda call: self.cloud.set_quota('alpha', instances=0),
        )
        self.story(
            'vcluster.quota_exceeded',
            'Quota exceeded for instances',
            document=documents.servers(4),
        )

    def test_defect_is_not_told_to_the_tenant(self):
        self.cloud.faults.fail(
            'ensure_port', member='web', error=KeyError('password=geheim')
        )
        view = self.story(
            'vcluster.error', 'member web: internal error (KeyError)'
        )
        self.assertNotIn('geheim', repr(view))

    def test_defect_before_anything_is_held(self):
        self.cloud.faults.fail('snapshot', error=ZeroDivisionError('x'))
        self.story('vcluster.error', 'internal error (ZeroDivisionError)')

    def test_pool_that_fills_up_after_the_plan(self):
        def fill(call):
            for pool in self.cloud.world.pools:
                self.cloud.fill_pool(pool)

        self.cloud.faults.after('reserve', None, fill)
        self.story('vcluster.member_failed', 'member data: ', 'backend')


class UntouchedTest(base.EngineTest):
    """What cannot be is found before anything is made."""

    def story(self, document, code, *words):
        view = self.build(document)
        self.assert_failed(view, code, *words)
        made = {name for name in self.calls() if name.startswith('ensure_')}
        self.assertEqual(set(), made)
        self.assertNotIn('reserve', self.calls())
        self.assertNotIn('delete', self.calls())
        self.assertEqual(
            {'DELETED'},
            {member['status'] for member in view['members'].values()},
        )
        self.assertIsNone(self.delete(view['id']))
        return view

    def test_unknown_names_are_told_all_at_once(self):
        document = documents.servers(1, flavor='huge', image='nothing')
        self.story(
            document, 'vcluster.invalid_document', 'huge', 'nothing', 'flavor'
        )

    def test_quota_that_cannot_suffice(self):
        self.cloud.set_quota('alpha', instances=3)
        self.story(
            documents.servers(4), 'vcluster.invalid_document', 'instances'
        )

    def test_rules_that_cannot_be_obeyed_together(self):
        document = documents.servers(
            2,
            documents.group('affinity', 'm', scope='rack'),
            documents.group('anti-affinity', 'm', scope='zone'),
        )
        self.story(
            document,
            'vcluster.no_valid_placement',
            'affinity-of-m',
            'anti-affinity-of-m',
        )

    def test_more_than_there_is_room_for(self):
        self.story(
            documents.servers(25, flavor='c8'), 'vcluster.no_valid_placement'
        )

    def test_more_apart_than_there_are_racks(self):
        document = documents.servers(
            5, documents.group('anti-affinity', 'm', scope='rack')
        )
        self.story(
            document, 'vcluster.no_valid_placement', 'anti-affinity-of-m'
        )
