# SPDX-License-Identifier: Apache-2.0
"""A real Heat stack on a service that is not in Heat's process."""

import types

import fixtures
from heat.common import exception as heat_exception

from heat_vcluster import context, exception
from tests.functional import served
from tests.unit.heat import base as heat_base

TEMPLATE = """
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - {name: data, type: volume, spec: {size: 1}}
        - name: db
          type: server
          spec: {image: cirros, flavor: small, volumes: [data]}
      groups:
        - name: together
          spec: {policy: affinity, scope: rack}
          members: [db, data]
"""


class HeatTest(served.ServedTest, heat_base.HeatTest):
    def setUp(self):
        super().setUp()
        self.endpoints = {'public': self.address}

    def tenant(self, cluster):
        return context.Context(cluster.context.project_id, 'ann')

    def test_a_stack_is_built_and_deleted_there(self):
        cluster = self.cluster(TEMPLATE)
        self.run_heat(cluster.create)
        self.assertEqual((cluster.CREATE, cluster.COMPLETE), cluster.state)

        tenant = self.tenant(cluster)
        view = self.show(cluster.resource_id, tenant)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual(
            {'db': view['members']['db']['id']}, cluster.FnGetAtt('servers')
        )

        self.run_heat(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        self.assertIsNone(self.show(cluster.resource_id, tenant))
        self.assert_nothing_left()

    def snapshot(self, stack):
        """Return what Heat keeps of a snapshot of the stack."""
        kept = []
        stack.snapshot(lambda s, *ended: kept.append(s.prepare_abandon()))
        self.assertEqual((stack.SNAPSHOT, stack.COMPLETE), stack.state)
        return types.SimpleNamespace(data=kept[0])

    def test_a_stack_is_copied_restored_and_rid_of_the_copy(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat.engine.notification.notify', lambda *args, **more: None
            )
        )
        stack = self.stack(TEMPLATE)
        stack.store()
        stack.create()
        tenant = self.tenant(stack['cluster'])
        cluster_id = stack['cluster'].resource_id
        taken = self.snapshot(stack)
        [made] = self.service.snapshots(tenant, cluster_id)
        copies = {each['member']: each['id'] for each in made['members']}

        stack.restore(taken)
        self.assertEqual(
            (stack.RESTORE, stack.COMPLETE), stack.state, stack.status_reason
        )
        members = self.show(cluster_id, tenant)['members']
        for name, source in (('db', 'image_id'), ('data', 'asked')):
            made_of = getattr(self.cloud.item(members[name]['id']), source)
            made_of = getattr(made_of, 'snapshot_id', made_of)
            self.assertEqual(copies[name], made_of)

        stack.delete_snapshot(taken)
        self.assertEqual([], [*self.service.snapshots(tenant, cluster_id)])
        # As Heat has it for each request: read anew.
        gone = type(stack).load(stack.context, stack_id=stack.id)
        self.stacks.append(gone)
        gone.delete()
        self.assertEqual((gone.DELETE, gone.COMPLETE), gone.state)
        self.assert_nothing_left()

    def test_its_faults_are_told_before_anything_is_made(self):
        wrong = TEMPLATE.replace('affinity', 'afinity')
        error = self.assertRaises(
            heat_exception.StackValidationFailed, self.cluster(wrong).validate
        )
        self.assertIn("did you mean 'affinity'?", str(error))

    def test_what_it_cannot_build_is_told_by_heat(self):
        refusal = exception.QuotaExceeded('compute', 'too many cores')
        self.cloud.faults.fail('ensure_server', error=refusal, times=None)
        cluster = self.cluster(TEMPLATE)
        failure = self.assertRaises(
            heat_exception.ResourceFailure, self.run_heat, cluster.create
        )
        self.assertIn('too many cores', str(failure))

    def definition(self, text):
        stack = self.stack(text)
        return stack.t.resource_definitions(stack)['cluster']

    def test_an_update_changes_it_where_it_is_or_leaves_it(self):
        cluster = self.cluster(TEMPLATE)
        self.run_heat(cluster.create)
        tenant = self.tenant(cluster)
        before = self.show(cluster.resource_id, tenant)['members']

        larger = TEMPLATE.replace('size: 1', 'size: 2').replace(
            'flavor: small', 'metadata: {role: db}, flavor: small'
        )
        self.run_heat(cluster.update, after=self.definition(larger))
        self.assertEqual((cluster.UPDATE, cluster.COMPLETE), cluster.state)
        after = self.show(cluster.resource_id, tenant)['members']
        for name in ('data', 'db'):
            self.assertEqual(before[name]['id'], after[name]['id'])
        self.assertEqual(2, self.cloud.item(after['data']['id']).size_gb)

        self.cloud.faults.ruin('server', reason='no disk')
        other = larger.replace('flavor: small', 'flavor: medium') + (
            '      update_policy: {replace_on: [flavor]}\n'
        )
        failure = self.assertRaises(
            heat_exception.ResourceFailure,
            self.run_heat,
            cluster.update,
            after=self.definition(other),
        )
        self.assertIn('member db: no disk', str(failure))
        self.assertEqual(
            after, self.show(cluster.resource_id, tenant)['members']
        )
        # The rollback of the stack.
        self.run_heat(cluster.update, after=self.definition(larger))
        self.assertEqual((cluster.UPDATE, cluster.COMPLETE), cluster.state)
        view = self.show(cluster.resource_id, tenant)
        self.assertEqual(after, view['members'])
        self.assertIsNone(view['status_reason'])

        self.run_heat(cluster.delete)
        self.assert_nothing_left()

    def run_heat(self, task, **arguments):
        """Run a task of a resource to its end, a look every moment."""
        heat_base.scheduler.TaskRunner(task, **arguments)(wait_time=0.05)
