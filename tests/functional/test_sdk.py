# SPDX-License-Identifier: Apache-2.0
"""connection.vcluster of openstacksdk, on the real API."""

import openstack
from openstack import exceptions

from heat_vcluster import sdk
from tests.functional import api, documents, keystone, served


class SdkTest(served.ServedTest):
    def setUp(self):
        super().setUp()
        self.patch(sdk, 'INTERVAL', 0.01)
        self.vcluster = self.connect().vcluster

    def connect(self, token=api.ANN):
        return sdk.connect(load_yaml_config=False, **self.options(token))

    def options(self, token):
        return {
            'load_envvars': False,
            'auth_type': 'admin_token',
            'auth': {'endpoint': f'{self.address}/v2/alpha', 'token': token},
        }

    def test_a_cluster_lives_and_dies(self):
        cluster = self.vcluster.create_cluster(
            **documents.SMALL, tags=['x'], metadata={'a': 'b'}
        )
        cluster = self.vcluster.wait_for_cluster(cluster)
        self.assert_built(documents.SMALL, self.show(cluster.id))
        self.assertEqual('ACTIVE', cluster.members['db']['status'])

        changed = self.vcluster.update_cluster(cluster.id, name='shop')
        self.assertEqual('shop', changed.name)
        self.assertEqual({'a': 'b'}, self.show(cluster.id)['metadata'])

        found = self.vcluster.find_cluster('shop')
        self.assertEqual(cluster.id, found.id)
        self.assertIsNone(self.vcluster.find_cluster('none'))

        self.vcluster.delete_cluster(found)
        self.vcluster.wait_for_cluster_delete(found)
        self.assert_nothing_left()
        self.assertRaises(
            exceptions.NotFoundException,
            self.vcluster.get_cluster,
            cluster.id,
        )

    def test_a_cluster_is_given_up_and_adopted_again(self):
        document = documents.servers(2, documents.APART)
        cluster = self.vcluster.create_cluster(**document)
        cluster = self.vcluster.wait_for_cluster(cluster)
        members = {n: m['id'] for n, m in cluster.members.items()}
        self.vcluster.release_cluster(cluster)
        self.vcluster.wait_for_cluster_delete(cluster)
        planned = self.vcluster.plan_adoption(document, members)
        self.assertEqual('COMPLIANT', planned['compliance']['status'])
        again = self.vcluster.adopt_cluster(document, members, tags=['x'])
        again = self.vcluster.wait_for_cluster(again)
        self.assertEqual(['x'], again.tags)
        self.assert_built(document, self.show(again.id))

    def test_a_failure_is_told(self):
        cluster = self.vcluster.create_cluster(
            **documents.servers(200, documents.APART)
        )
        self.assertRaises(
            exceptions.ResourceFailure,
            self.vcluster.wait_for_cluster,
            cluster,
        )

    def test_all_sides_of_a_cluster_are_shown(self):
        cluster = self.build(documents.SMALL)
        self.assert_built(documents.SMALL, cluster)
        self.assertEqual(
            ['net', 'data', 'db', 'web'],
            [each.member for each in self.vcluster.members(cluster['id'])],
        )
        member = self.vcluster.get_member(cluster['id'], 'db')
        self.assertEqual(cluster['members']['db']['id'], member.id)
        self.assertEqual(cluster['members']['db']['domains'], member.domains)
        events = [*self.vcluster.events(cluster['id'], after=2, limit=3)]
        self.assertEqual([3, 4, 5], [event.id for event in events])
        topology = self.vcluster.get_topology(cluster['id'])
        self.assertEqual(['zone', 'rack', 'host'], topology.levels)
        self.assertEqual(1, self.vcluster.get_limits().clusters['used'])

    def test_a_cluster_is_checked(self):
        cluster = self.vcluster.get_cluster(self.build(documents.SMALL)['id'])
        checked = self.vcluster.check_cluster(cluster)
        self.assertEqual('CHECKING', checked.status)
        checked = self.vcluster.wait_for_cluster(checked)
        self.assertEqual('COMPLIANT', checked.compliance['status'])

    def test_its_servers_are_stopped_and_made_again(self):
        cluster = self.vcluster.get_cluster(self.build(documents.SMALL)['id'])
        for verb, status in (
            ('stop', 'STOPPED'),
            ('start', 'ACTIVE'),
            ('suspend', 'SUSPENDED'),
            ('resume', 'ACTIVE'),
            ('heal', 'ACTIVE'),
        ):
            asked = getattr(self.vcluster, f'{verb}_cluster')(cluster)
            self.assertNotEqual(status, asked.status)
            self.vcluster.wait_for_cluster(asked, status=status)

    def test_it_is_repaired(self):
        view = self.build(documents.servers(2, documents.APART))
        places = self.cloud.places(view['id'])
        self.cloud.migrate(view['members']['m-0']['id'], places['m-1'])
        planned = self.vcluster.plan_repair(view['id'])
        self.assertEqual(1, len(planned['moves']))
        cluster = self.vcluster.repair_cluster(view['id'])
        cluster = self.vcluster.wait_for_cluster(cluster)
        self.assertEqual('COMPLIANT', cluster.compliance['status'])

    def test_it_is_copied_and_restored(self):
        cluster = self.vcluster.get_cluster(self.build(documents.SMALL)['id'])
        made = self.vcluster.create_snapshot(cluster, name='before')
        self.assertEqual(('before', cluster.id), (made.name, made.cluster_id))
        self.settle(cluster.id)
        [listed] = self.vcluster.snapshots(cluster)
        found = self.vcluster.get_snapshot(cluster, listed)
        self.assertEqual(('AVAILABLE', made.id), (found.status, found.id))
        self.assertIn('sources', found.document)
        restored = self.vcluster.restore_snapshot(cluster, found)
        self.assertEqual('UPDATING', restored.status)
        self.settle(cluster.id)
        self.vcluster.delete_snapshot(cluster, found)
        self.settle(cluster.id)
        self.assertEqual([], [*self.vcluster.snapshots(cluster)])

    def test_lists_are_filtered(self):
        for name, tags in (('a', ['x']), ('b', ['x', 'y']), ('c', [])):
            self.create(documents.servers(1), name=name, tags=tags)

        def names(**query):
            return [each.name for each in self.vcluster.clusters(**query)]

        self.assertEqual([*'abc'], names())
        self.assertEqual([*'abc'], names(limit=1))
        self.assertEqual(['b'], names(tags=['x', 'y']))
        self.assertEqual([*'cba'], names(sort='name:desc'))

    def test_a_plan_is_held_and_built_or_given_back(self):
        document = documents.servers(2, documents.APART)
        plan = self.vcluster.plan(document)
        self.assertEqual(('feasible', None), (plan.verdict, plan.id))

        plan = self.vcluster.plan(document, hold_seconds=600)
        self.assertEqual(plan.members, self.vcluster.get_plan(plan.id).members)
        self.vcluster.release_plan(plan.id)

        plan = self.vcluster.plan(document, hold_seconds=600)
        cluster = self.vcluster.create_cluster(plan_id=plan.id, name='a')
        self.assertEqual(plan.id, cluster.id)
        self.vcluster.wait_for_cluster(cluster)

    def test_faults_are_told_with_their_places(self):
        error = self.assertRaises(
            exceptions.BadRequestException,
            self.vcluster.create_cluster,
            instances=[documents.server('a', nonsense=1)],
        )
        self.assertIn('instances[0].spec.nonsense: ', str(error))

    def test_a_cloud_may_name_it_as_its_hook(self):
        connection = openstack.connect(
            load_yaml_config=False,
            vendor_hook='heat_vcluster.sdk:add_to',
            **self.options(api.ANN),
        )
        self.assertEqual([], [*connection.vcluster.clusters()])

    def test_it_is_found_by_the_catalog(self):
        self.create(documents.servers(1), name='one')
        gate = keystone.Keystone(api.ANN, 'alpha', {'vcluster': self.address})
        self.addCleanup(gate.stop)
        connection = sdk.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth={
                'auth_url': gate.url,
                'username': 'ann',
                'password': 'secret',
                'user_domain_id': 'default',
                'project_id': 'alpha',
            },
        )
        self.assertEqual('one', next(connection.vcluster.clusters()).name)
