# SPDX-License-Identifier: Apache-2.0
"""The verbs: who may, what twice means, and what time is allowed."""

import dataclasses
import uuid

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import base, documents

Kind = model.Kind


class TenantTest(base.EngineTest):
    """Another project sees nothing, and can do nothing."""

    def setUp(self):
        super().setUp()
        self.view = self.build(documents.SMALL)

    def test_other_project_finds_no_cluster(self):
        cluster = self.view['id']
        for verb in (
            self.service.show,
            self.service.delete,
            self.service.events,
        ):
            self.assertRaises(
                exception.ClusterNotFound, verb, base.BOB, cluster
            )
        self.assertEqual([], self.service.list(base.BOB))
        self.assertEqual('ACTIVE', self.show(cluster)['status'])

    def test_other_project_cannot_take_the_id(self):
        self.assertRaises(
            exception.ClusterExists,
            self.service.create,
            base.BOB,
            documents.SMALL,
            cluster_id=self.view['id'],
        )

    def test_both_projects_build_the_same_document(self):
        other = self.create(documents.SMALL, base.BOB)
        self.assertEqual('ACTIVE', self.settle(other, base.BOB)['status'])
        self.service.delete(base.BOB, other)
        self.assertIsNone(self.settle(other, base.BOB))
        self.assert_built(documents.SMALL, self.show(self.view['id']))

    def test_members_belong_to_the_tenant(self):
        made = [
            item
            for item in self.cloud.leftovers()
            if isinstance(item, model.Hold) or item.project_id != 'alpha'
        ]
        self.assertEqual([], made)


class TwiceTest(base.EngineTest):
    """The caller chose the id, and says the same again."""

    def setUp(self):
        super().setUp()
        self.cluster = str(uuid.uuid4())

    def test_same_create_is_the_same_cluster(self):
        for _ in range(3):
            self.assertEqual(
                self.cluster,
                self.create(documents.SMALL, cluster_id=self.cluster),
            )
        self.assert_built(documents.SMALL, self.settle(self.cluster))
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertEqual(1, self.calls()['reserve'])
        self.assertEqual(1, self.events(self.cluster).count('create'))

    def test_other_document_is_refused(self):
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertRaises(
            exception.ClusterExists,
            self.create,
            documents.servers(1),
            cluster_id=self.cluster,
        )
        self.assert_built(documents.SMALL, self.settle(self.cluster))

    def test_create_after_a_failure_is_no_new_attempt(self):
        self.cloud.faults.ruin(Kind.SERVER, 'web')
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.settle(self.cluster)
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertEqual('ERROR', self.settle(self.cluster)['status'])

    def test_create_after_the_delete_builds_nothing(self):
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.settle(self.cluster)
        self.assertIsNone(self.delete(self.cluster))
        self.assertRaises(
            exception.ClusterNotFound,
            self.create,
            documents.SMALL,
            cluster_id=self.cluster,
        )
        self.assert_nothing_left()


class DocumentTest(base.EngineTest):
    """What is wrong with the words alone is told at once."""

    def test_faults_are_told_and_nothing_is_recorded(self):
        document = documents.servers(
            2, documents.group('affinity', 'n', scope='shelf')
        )
        refused = self.assertRaises(
            exception.InvalidDocument, self.create, document
        )
        self.assertEqual(2, len(refused.faults), refused.faults)
        self.assertEqual([], self.service.list(base.ANN))
        self.assertEqual((), self.cloud.calls)


class PlanTest(base.EngineTest):
    def test_plan_is_told_in_pseudonyms_and_nothing_is_made(self):
        view = self.service.plan(base.ANN, documents.SMALL)
        members = view['members']
        self.assertEqual({'db', 'web', 'data'}, {*members})
        self.assertEqual(
            members['db']['domains']['rack'],
            members['data']['domains']['rack'],
        )
        self.assertEqual({'resolve': 1, 'snapshot': 1}, dict(self.calls()))
        self.assert_nothing_left()

    def test_no_plan_says_which_rules(self):
        refused = self.service.plan(
            base.ANN,
            documents.servers(
                5, documents.group('anti-affinity', 'm', scope='rack')
            ),
        )
        self.assertEqual('infeasible', refused['verdict'])
        self.assertEqual(['anti-affinity-of-m'], refused['rules'])
        self.assertEqual(
            (None, {}, None),
            (refused['id'], refused['members'], refused['placement']),
        )

    def test_a_refusal_says_what_would_fit(self):
        document = documents.servers(
            5, documents.group('anti-affinity', 'm', scope='rack')
        )
        view = self.build(document)
        self.assert_failed(
            view,
            'vcluster.no_valid_placement',
            '. What would fit: ',
            "make anti-affinity group 'anti-affinity-of-m' soft",
        )

    def test_a_smaller_flavor_is_proposed_where_it_fits(self):
        refused = self.service.plan(
            base.ANN, documents.servers(40, flavor='c8')
        )
        self.assertTrue(
            any('the flavor' in each for each in refused['repairs']),
            refused['repairs'],
        )

    def test_soft_rule_that_is_given_up_is_told(self):
        document = documents.servers(
            5,
            documents.group(
                'anti-affinity', 'm', scope='rack', strict=False, weight=7
            ),
        )
        view = self.build(document)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual(
            [('anti-affinity-of-m', 7)],
            [
                (each['group'], each['cost'])
                for each in view['placement']['given_up']
            ],
        )


class TimeTest(base.EngineTest):
    """Nothing waits for ever."""

    def story(self, document=documents.SMALL, **options):
        return self.check(self.build(document, **options))

    def check(self, view):
        self.assert_failed(view, 'vcluster.timed_out', 'run out')
        self.assert_nothing_left()
        return view

    def run_out(self, *late, document=documents.SMALL):
        """Let the time run out while those members are waited for."""
        cluster = self.create(document)

        def are_waited_for():
            members = self.show(cluster)['members']
            asked = {
                call.arguments.get(
                    'server_id', call.arguments.get('volume_id')
                )
                for call in self.cloud.calls
                if call.name in ('server_state', 'volume_state')
            }
            return {members[name]['id'] for name in late} <= asked

        self.until(are_waited_for, late)
        self.service.engine._operations[cluster]._signal.deadline = 0.0
        return self.check(self.settle(cluster))

    def test_server_that_stays_in_build(self):
        self.cloud.faults.stick(Kind.SERVER, 'db')
        view = self.run_out('db')
        self.assertIn('member db', view['status_reason'])
        self.assertNotIn('web', view['status_reason'])

    def test_volume_that_stays_in_creating(self):
        self.cloud.faults.stick(Kind.VOLUME)
        self.cloud.faults.before(
            'delete', 'data', lambda call: self.cloud.faults.clear()
        )
        view = self.run_out('data')
        self.assertIn('member data', view['status_reason'])

    def test_many_that_are_late_are_not_all_named(self):
        self.cloud.faults.stick(Kind.SERVER)
        names = [f'm-{number}' for number in range(7)]
        view = self.run_out(*names, document=documents.servers(7))
        self.assertIn('m-4, 2 more', view['status_reason'])

    def test_time_is_that_of_the_configuration_without_another(self):
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, create_timeout=0.8)
        )
        self.cloud.faults.stick(Kind.SERVER, 'web')
        self.story()

    def test_no_time_at_all(self):
        self.story(timeout=0.001)
        self.assertNotIn('reserve', self.calls())
