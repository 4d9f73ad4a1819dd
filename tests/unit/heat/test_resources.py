# SPDX-License-Identifier: Apache-2.0

from heat.common import exception as heat_exception
from heat.common import timeutils
from heat.engine import scheduler

from heat_vcluster import exception
from heat_vcluster.heat import resources
from tests.unit.heat import base

MEMBERS = {
    'net': {
        'id': 'n-1',
        'type': 'network',
        'status': 'ACTIVE',
        'name': 'net',
        'addresses': [],
        'domains': {},
    },
    'data': {
        'id': 'v-1',
        'type': 'volume',
        'status': 'ACTIVE',
        'name': 'data',
        'addresses': [],
        'domains': {'rack': 'rack-1'},
    },
    'db': {
        'id': 's-1',
        'type': 'server',
        'status': 'ACTIVE',
        'name': 'db',
        'addresses': ['10.0.0.7', '203.0.113.9'],
        'domains': {'rack': 'rack-1', 'host': 'host-1'},
    },
}

COMPLIANT = {
    'status': 'COMPLIANT',
    'checked_at': '2026-11-28T15:15:48.396+00:00',
    'rules': [],
    'members': [],
    'not_judged': [],
}


class CreateTest(base.HeatTest):
    def setUp(self):
        super().setUp()
        self.resource = self.cluster(base.PAIR)

    def test_the_document_goes_to_the_service_as_it_stands(self):
        self.run_task(self.resource.create)
        (document,) = self.service.documents.values()
        written = self.resource.t._properties
        self.assertEqual(written['instances'], document['instances'])
        self.assertEqual(written['groups'], document['groups'])
        self.assertTrue(document['name'].startswith('s0-cluster-'))
        self.assertEqual(3600, self.service.timeout)

    def test_the_id_is_kept_before_anything_can_go_wrong(self):
        self.service.refusal = exception.CloudError('nova', 'no answer')
        self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.create,
        )
        self.assertIn(self.resource.resource_id, self.service.documents)

    def test_it_polls_until_the_cluster_is_active(self):
        self.service.script = ['PLANNING', 'CREATING', 'CREATING', 'ACTIVE']
        self.run_task(self.resource.create)
        self.assertEqual(('CREATE', 'COMPLETE'), self.resource.state)
        self.assertEqual(4, self.service.calls.count('show'))

    def adopting(self):
        return self.cluster(
            base.PAIR
            + '      adopt: {members: {net: n-1, data: v-1, db: s-1}}\n'
        )

    def test_what_is_there_is_adopted(self):
        self.service.script = ['ADOPTING', 'ACTIVE']
        resource = self.adopting()
        self.run_task(resource.create)
        self.assertEqual(('CREATE', 'COMPLETE'), resource.state)
        members = {'net': 'n-1', 'data': 'v-1', 'db': 's-1'}
        self.assertEqual((members, False), self.service.adopted)
        self.assertEqual(1, self.service.calls.count('adopt'))
        self.assertNotIn('create', self.service.calls)

    def test_what_is_not_adopted_says_why(self):
        self.service.script = ['ADOPTING', 'RELEASING', 'ERROR']
        self.service.reason = 'member db: it was changed'
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.adopting().create,
        )
        self.assertIn('it was changed', str(failure))

    def test_an_impossible_cluster_is_asked_for_once_only(self):
        self.service.script = ['PLANNING', 'ERROR']
        self.service.reason = 'No placement obeys these rules together: dbs'
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.create,
        )
        self.assertEqual(1, self.service.calls.count('create'))
        self.assertEqual(('CREATE', 'FAILED'), self.resource.state)
        self.assertEqual(
            'ClusterFailed: resources.cluster: '
            'No placement obeys these rules together: dbs',
            str(failure),
        )

    def test_a_failure_is_told_after_the_rollback(self):
        self.service.script = ['CREATING', 'ROLLING_BACK', 'ERROR']
        self.service.reason = 'member db: quota exceeded'
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.create,
        )
        self.assertIn('member db: quota exceeded', str(failure))
        self.assertEqual(3, self.service.calls.count('show'))

    def test_cancelling_stops_the_service(self):
        self.service.script = ['CREATING']
        runner = scheduler.TaskRunner(self.resource.create)
        runner.start()
        runner.step()
        runner.cancel()
        self.assertEqual('delete', self.service.calls[-1])

    def test_running_out_of_time_stops_the_service(self):
        self.service.script = ['CREATING']
        runner = scheduler.TaskRunner(self.resource.create)
        runner.start(timeout=3600)
        runner.step()
        self.later(timeutils, 'wallclock', 3601)
        self.assertRaises(scheduler.Timeout, runner.step)
        self.assertEqual('delete', self.service.calls[-1])
        self.assertEqual(('CREATE', 'FAILED'), self.resource.state)


class TimeoutsTest(base.HeatTest):
    def test_they_may_be_given(self):
        resource = self.cluster(base.PAIR + '      timeouts: {create: 90}\n')
        self.run_task(resource.create)
        self.assertEqual(90, self.service.timeout)


class DeleteTest(base.HeatTest):
    def setUp(self):
        super().setUp()
        self.resource = self.cluster(base.PAIR)

    def create(self):
        self.run_task(self.resource.create)
        self.service.calls.clear()

    def test_it_waits_until_the_cluster_is_no_more(self):
        self.create()
        self.service.script = ['ACTIVE', 'DELETING', 'DELETING', 'GONE']
        self.run_task(self.resource.delete)
        self.assertEqual(
            ['delete', 'show', 'show', 'show', 'show'], self.service.calls
        )
        self.assertEqual(('DELETE', 'COMPLETE'), self.resource.state)

    def test_what_was_never_asked_for_needs_no_delete(self):
        self.service.refusal = exception.CloudError('nova', 'no answer')
        self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.create,
        )
        self.service.documents.clear()
        self.run_task(self.resource.delete)
        self.assertEqual(('DELETE', 'COMPLETE'), self.resource.state)

    def test_an_id_that_was_not_stored_is_nothing_to_delete(self):
        self.create()
        self.resource.resource_id = None
        self.run_task(self.resource.delete)
        self.assertEqual([], self.service.calls)

    def test_an_error_on_the_way_is_met_by_asking_again(self):
        self.create()
        self.service.script = ['ROLLING_BACK', 'ERROR', 'DELETING', 'GONE']
        self.run_task(self.resource.delete)
        self.assertEqual(2, self.service.calls.count('delete'))

    def test_an_old_error_is_not_taken_for_an_answer(self):
        self.create()
        self.service.script = ['ERROR']
        runner = scheduler.TaskRunner(self.resource.delete)
        runner.start()
        for _ in range(10):
            self.assertFalse(runner.step())
        self.service.script = ['DELETING', 'GONE']
        runner.run_to_completion(wait_time=0)
        self.assertEqual(1, self.service.calls.count('delete'))

    def leave_a_port(self):
        self.service.script = ['DELETING', 'ERROR'] * 3
        self.service.reason = '1 left behind: port p-1 (busy)'
        return self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.delete,
        )

    def test_what_stays_is_named(self):
        self.create()
        failure = self.leave_a_port()
        self.assertIn('1 left behind: port p-1 (busy)', str(failure))
        self.assertEqual(3, self.service.calls.count('delete'))

    def test_a_failed_delete_can_be_repeated(self):
        self.create()
        self.leave_a_port()
        self.service.script = ['ERROR', 'DELETING', 'GONE']
        self.run_task(self.resource.delete)
        self.assertEqual(('DELETE', 'COMPLETE'), self.resource.state)

    def test_it_does_not_wait_for_ever(self):
        resource = self.cluster(base.PAIR + '      timeouts: {delete: 90}\n')
        self.run_task(resource.create)
        self.service.script = ['DELETING']
        runner = scheduler.TaskRunner(resource.delete)
        runner.start()
        self.later(resources.time, 'monotonic', 91)
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            runner.run_to_completion,
            wait_time=0,
        )
        self.assertIn('The cluster is still DELETING', str(failure))


class ChangeTest(base.HeatTest):
    """An update changes the cluster where it is."""

    def setUp(self):
        super().setUp()
        self.begin()

    def begin(self):
        self.service.script = ['ACTIVE']
        self.resource = self.cluster(base.PAIR)
        self.run_task(self.resource.create)
        self.cluster_id = self.resource.resource_id
        self.service.calls.clear()

    def definition(self, old='size: 1', new='size: 2'):
        """Return how the resource is defined in a changed template."""
        other = self.stack(base.PAIR.replace(old, new))
        return other.t.resource_definitions(other)['cluster']

    def update(self, *what):
        self.run_task(self.resource.update, after=self.definition(*what))

    def fail(self, *what):
        return self.assertRaises(
            heat_exception.ResourceFailure, self.update, *what
        )

    def test_the_whole_document_goes_to_the_service(self):
        self.service.script = ['ACTIVE', 'UPDATING', 'FINISHING', 'ACTIVE']
        self.update()
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)
        self.assertEqual(self.cluster_id, self.resource.resource_id)
        self.assertEqual(
            {'size': 2}, self.service.asked['instances'][1]['spec']
        )
        self.assertEqual(3600, self.service.timeout)
        # The name is the one that it was given when it was made.
        (document,) = self.service.documents.values()
        self.assertEqual(document['name'], self.service.asked['name'])
        self.assertEqual(1, self.service.calls.count('update'))

    def test_a_failure_is_told_once_all_is_as_before(self):
        self.service.script = ['ACTIVE', 'UPDATING', 'REVERTING', 'ACTIVE']
        self.service.reason = 'The update failed: member db: no disk'
        self.service.error_code = 'vcluster.member_failed'
        failure = self.fail()
        self.assertIn('member db: no disk', str(failure))
        self.assertEqual(('UPDATE', 'FAILED'), self.resource.state)
        self.assertEqual(4, self.service.calls.count('show'))
        # What is there is the cluster as it was: it is not replaced.
        self.assertFalse(self.resource.needs_replace_failed())

    def test_what_is_left_of_old_members_is_no_failure(self):
        self.service.reason = '1 left behind: port p-1 (busy)'
        self.service.error_code = 'vcluster.leftovers'
        self.update()
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)

    def test_after_a_failure_the_old_definition_is_asked_for(self):
        self.service.refusals = [exception.CloudError('nova', 'no answer')]
        self.fail()
        self.service.calls.clear()
        self.update('size: 1', 'size: 1')  # as a rollback of the stack does
        self.assertEqual(
            {'size': 1}, self.service.asked['instances'][1]['spec']
        )
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)

    def test_new_timeouts_are_for_the_next_action(self):
        longer = '      timeouts: {delete: 90}\n      groups:'
        self.update('      groups:', longer)
        self.assertNotIn('update', self.service.calls)
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)

    def test_new_timeouts_after_a_failure_are_not_all_there_is_to_do(self):
        """The service may have completed what Heat takes for failed."""
        self.service.refusals = [exception.CloudError('nova', 'no answer')]
        self.fail()
        self.service.calls.clear()
        longer = '      timeouts: {update: 9000}\n      groups:'
        self.update('      groups:', longer)
        self.assertEqual(
            {'size': 1}, self.service.asked['instances'][1]['spec']
        )
        self.assertEqual(9000, self.service.timeout)
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)
        # That is made good now.
        self.service.calls.clear()
        self.update('      groups:', longer.replace('9000', '90'))
        self.assertNotIn('update', self.service.calls)

    def test_cancelling_asks_for_what_there_was(self):
        self.service.script = ['ACTIVE', 'UPDATING']
        runner = scheduler.TaskRunner(
            self.resource.update, after=self.definition()
        )
        runner.start()
        runner.step()
        runner.cancel()
        self.assertEqual(
            {'size': 1}, self.service.asked['instances'][1]['spec']
        )
        self.assertFalse(self.resource.needs_replace_failed())

    def test_one_under_way_is_taken_back_before_the_next(self):
        self.service.script = ['UPDATING', 'REVERTING', 'ACTIVE']
        self.update()
        self.assertEqual(
            {'size': 2}, self.service.asked['instances'][1]['spec']
        )
        self.assertEqual(2, self.service.calls.count('update'))

    def test_one_that_cannot_be_taken_back_is_waited_for(self):
        self.service.script = ['UPDATING', 'FINISHING', 'ACTIVE']
        self.service.refusals = [exception.NotChangeable('it is FINISHING')]
        self.update()
        self.assertEqual(
            {'size': 2}, self.service.asked['instances'][1]['spec']
        )

    def test_what_else_is_done_to_it_is_waited_for(self):
        for script in (
            ['CHECKING', 'CHECKING', 'ACTIVE'],
            ['ACTIVE', 'UPDATING', 'ACTIVE', 'SNAPSHOTTING', 'ACTIVE'],
            ['ACTIVE', 'HEALING', 'ACTIVE'],
        ):
            self.begin()
            self.service.script = script
            self.update()
            self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)
            self.assertEqual(1, self.service.calls.count('update'))
            self.assertEqual(
                {'size': 2}, self.service.asked['instances'][1]['spec']
            )

    def test_what_begins_just_before_it_is_waited_for(self):
        self.service.script = ['ACTIVE', 'CHECKING', 'ACTIVE']
        self.service.refusals = [exception.NotChangeable('it is CHECKING')]
        self.update()
        self.assertEqual(('UPDATE', 'COMPLETE'), self.resource.state)
        self.assertEqual(2, self.service.calls.count('update'))

    def test_what_ends_otherwise_is_a_failure(self):
        self.service.script = ['ACTIVE', 'STOPPING', 'STOPPED']
        self.assertIn('STOPPED', str(self.fail()))

    def test_a_preview_says_that_it_is_changed_where_it_is(self):
        diff = self.resource.update_template_diff_properties(
            self.definition().properties(
                self.resource.properties_schema, self.resource.context
            ),
            self.resource.properties,
        )
        self.assertEqual(['instances'], [*diff])
        for name in ('name', 'instances', 'groups', 'timeouts'):
            schema = self.resource.properties_schema[name]
            self.assertTrue(schema.update_allowed, name)

    def preview(self, *what):
        after = self.definition(*what)

        def properties(definition):
            return definition.properties(
                self.resource.properties_schema, self.resource.context
            )

        before = self.resource.frozen_definition()
        return self.resource.preview_update(
            after, before, properties(after), properties(before), None
        )

    def test_a_preview_asks_what_the_service_would_do(self):
        self.assertTrue(self.preview())
        self.assertEqual(
            {'size': 2}, self.service.asked['instances'][1]['spec']
        )
        self.assertEqual(['plan'], self.service.calls)
        self.assertFalse(self.preview('size: 1', 'size: 1'))
        self.assertEqual(['plan'], self.service.calls)

    def test_a_preview_tells_what_may_not_be_replaced(self):
        fault = exception.Fault('instances[2].spec.image', 'say so')
        self.service.refusals = [exception.InvalidDocument([fault])]
        error = self.assertRaises(
            heat_exception.StackValidationFailed, self.preview
        )
        self.assertIn('instances[2].spec.image', str(error))

    def test_an_update_that_may_not_be_replaces_no_resource(self):
        fault = exception.Fault('instances[2].spec.image', 'say so')
        self.service.refusals = [exception.InvalidDocument([fault])]
        self.assertIn('instances[2].spec.image', str(self.fail()))
        self.assertEqual(('UPDATE', 'FAILED'), self.resource.state)
        self.assertFalse(self.resource.needs_replace_failed())

    def test_one_that_is_no_more_is_replaced(self):
        self.service.script = ['GONE']
        self.fail()
        self.assertTrue(self.resource.needs_replace_failed())


class UpdateTest(base.HeatTest):
    def setUp(self):
        super().setUp()
        self.resource = self.cluster(base.PAIR)

    def test_a_cluster_that_came_up_after_all_is_kept(self):
        self.service.script = ['ERROR']
        self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.create,
        )
        self.assertTrue(self.resource.needs_replace_failed())
        for built in ('ACTIVE', 'STOPPED', 'SUSPENDED', 'CHECKING'):
            self.service.script = [built]
            self.assertFalse(self.resource.needs_replace_failed(), built)
        self.service.script = ['GONE']
        self.assertTrue(self.resource.needs_replace_failed())

    def test_a_check_is_waited_for(self):
        self.run_task(self.resource.create)
        self.service.script = ['CHECKING', 'CHECKING', 'ACTIVE']
        self.service.compliance = COMPLIANT
        self.run_task(self.resource.check)
        self.assertEqual(('CHECK', 'COMPLETE'), self.resource.state)
        self.assertEqual(1, self.service.calls.count('check'))
        self.assertEqual(COMPLIANT, self.resource.FnGetAtt('compliance'))

    def check_fails(self, *words):
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.check,
        )
        for word in words:
            self.assertIn(word, str(failure))
        self.assertEqual(('CHECK', 'FAILED'), self.resource.state)

    def test_a_check_tells_what_is_wrong(self):
        self.run_task(self.resource.create)
        rule = {'group': 'apart', 'members': ['db-0', 'db-1'], 'where': []}
        self.service.compliance = {
            **COMPLIANT,
            'status': 'DRIFTED',
            'rules': [rule],
        }
        self.check_fails('DRIFTED', 'group apart does not hold for db-0, db-1')
        self.service.compliance = {
            **COMPLIANT,
            'status': 'DEGRADED',
            'members': [{'member': 'db', 'reason': 'its server is gone'}],
        }
        self.check_fails('DEGRADED', 'member db: its server is gone')

    def test_a_check_that_could_not_be_made_says_why(self):
        self.run_task(self.resource.create)
        self.service.error_code = 'vcluster.cloud_error'
        self.service.reason = 'check: nova: it is away'
        self.check_fails('nova: it is away')

    def test_suspend_and_resume_are_waited_for(self):
        self.run_task(self.resource.create)
        self.service.script = ['SUSPENDING', 'SUSPENDING', 'SUSPENDED']
        self.run_task(self.resource.suspend)
        self.assertEqual(('SUSPEND', 'COMPLETE'), self.resource.state)
        self.service.script = ['RESUMING', 'ACTIVE']
        self.run_task(self.resource.resume)
        self.assertEqual(('RESUME', 'COMPLETE'), self.resource.state)
        self.assertEqual(
            (1, 1),
            (
                self.service.calls.count('suspend'),
                self.service.calls.count('resume'),
            ),
        )

    def test_a_suspend_that_fails_says_why(self):
        self.run_task(self.resource.create)
        self.service.script = ['SUSPENDING', 'ACTIVE']
        self.service.error_code = 'vcluster.member_failed'
        self.service.reason = 'suspend: member db: no more disk'
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_task,
            self.resource.suspend,
        )
        self.assertIn('no more disk', str(failure))


class AttributesTest(base.HeatTest):
    def setUp(self):
        super().setUp()
        self.resource = self.cluster(base.PAIR)
        self.service.members = MEMBERS

    def attribute(self, *path):
        return self.resource.FnGetAtt(*path)

    def test_nothing_is_known_of_what_does_not_exist(self):
        self.assertIsNone(self.attribute('members'))

    def test_a_path_leads_into_the_members(self):
        self.run_task(self.resource.create)
        self.assertEqual(
            '10.0.0.7', self.attribute('members', 'db', 'addresses', 0)
        )
        self.assertEqual(
            'rack-1', self.attribute('members', 'data', 'domains', 'rack')
        )
        self.assertIsNone(self.attribute('members', 'nobody', 'id'))

    def test_members_by_type(self):
        self.run_task(self.resource.create)
        self.assertEqual({'db': 's-1'}, self.attribute('servers'))
        self.assertEqual({'data': 'v-1'}, self.attribute('volumes'))
        self.assertEqual({'net': 'n-1'}, self.attribute('networks'))
        self.assertEqual(
            {'db': ['10.0.0.7', '203.0.113.9']}, self.attribute('addresses')
        )
        self.assertEqual('ACTIVE', self.attribute('status'))
        self.assertEqual(
            self.resource.resource_id, self.attribute('show')['id']
        )

    def test_what_losses_leave(self):
        self.run_task(self.resource.create)
        self.assertEqual(
            'so many are left', self.attribute('survival', 0, 'says')
        )

    def test_rules_that_nova_holds(self):
        self.run_task(self.resource.create)
        self.assertIs(True, self.attribute('server_groups', 0, 'held'))

    def test_they_are_never_stale(self):
        self.run_task(self.resource.create)
        self.attribute('status')
        self.service.script = ['ERROR']
        self.assertEqual('ERROR', self.attribute('status'))

    def test_a_vanished_cluster_has_no_attributes(self):
        self.run_task(self.resource.create)
        self.service.script = ['GONE']
        self.assertIsNone(self.attribute('members'))
        self.assertRaises(
            heat_exception.EntityNotFound, self.resource.get_live_state, {}
        )


class SnapshotTest(base.HeatTest):
    def setUp(self):
        super().setUp()
        self.resource = self.cluster(base.PAIR)
        self.run_task(self.resource.create)
        self.service.script = ['ACTIVE']

    def take(self):
        self.run_task(self.resource.snapshot)
        return {
            'resource_id': self.resource.resource_id,
            'resource_data': dict(self.resource.data()),
        }

    def test_it_is_waited_for_and_known_by_the_resources_data(self):
        taken = self.take()
        self.assertEqual(('SNAPSHOT', 'COMPLETE'), self.resource.state)
        self.assertEqual(
            [taken['resource_data']['snapshot_id']], [*self.service.copies]
        )

    def test_one_that_fails_says_why(self):
        self.service.snapshot_script = ['ERROR']
        self.service.reason = 'member db: glance: no more room'
        failure = self.assertRaises(heat_exception.ResourceFailure, self.take)
        self.assertIn('no more room', str(failure))

    def test_it_goes_and_that_is_waited_for(self):
        taken = self.take()
        self.run_task(lambda: self.resource.delete_snapshot(taken))
        self.assertEqual({}, self.service.copies)
        self.assertEqual(1, self.service.calls.count('delete_snapshot'))

    def test_its_removal_waits_for_a_cluster_at_work(self):
        taken = self.take()
        busy = exception.WrongStatus('c', 'UPDATING', ['ACTIVE'])
        self.service.refusals = [busy, busy]
        self.run_task(lambda: self.resource.delete_snapshot(taken))
        self.assertEqual({}, self.service.copies)

    def test_it_goes_along_with_its_cluster(self):
        taken = self.take()
        self.service.script = ['DELETING']
        self.run_task(lambda: self.resource.delete_snapshot(taken))
        self.assertNotIn('delete_snapshot', self.service.calls)

    def test_a_removal_that_fails_says_why(self):
        taken = self.take()
        self.service.removal_script = ['DELETING', 'ERROR']
        self.service.reason = '1 left behind: image x'
        failure = self.assertRaises(
            heat_exception.Error,
            self.run_task,
            lambda: self.resource.delete_snapshot(taken),
        )
        self.assertIn('1 left behind', str(failure))

    def test_to_restore_names_what_each_member_is_made_of(self):
        taken = self.take()
        defn = self.resource.handle_restore(self.resource.t, taken)
        found = defn.properties(
            self.resource.properties_schema, self.resource.context
        )
        self.assertEqual({'db': {'image': 'copy'}}, found['sources'])
        self.assertEqual({'replace_on': 'any'}, found['update_policy'])
        self.assertEqual(
            [each['name'] for each in self.resource.properties['instances']],
            [each['name'] for each in found['instances']],
        )
