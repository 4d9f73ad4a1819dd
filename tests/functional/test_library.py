# SPDX-License-Identifier: Apache-2.0
"""The package as a Python program uses it."""

import os

import fixtures

from heat_vcluster import FakeCloud, Settings, VCluster, exception, load
from heat_vcluster.cloud import model
from heat_vcluster.engine import engine, removal
from tests import base
from tests.functional import documents, rules

FAST = Settings(poll_interval=0.01, removal_timeout=1.0)


class LibraryTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.patch(removal, 'time', base.SleptTime())
        self.patch(engine, 'BEGIN_SECONDS', self.patience)
        self.cloud = FakeCloud()
        self.vclusters = VCluster(self.cloud, settings=FAST)
        self.addCleanup(self.vclusters.close)
        self.quick = {'timeout': self.patience, 'interval': 0.005}

    def test_from_a_document_to_nothing_left(self):
        spec = load(documents.SMALL)
        cluster = self.vclusters.create(spec)
        kinds = [
            event['kind']
            for event in self.vclusters.follow(cluster['id'], interval=0.005)
        ]
        self.assertEqual(('create', 'active'), (kinds[0], kinds[-1]))
        view = self.vclusters.wait(cluster['id'], **self.quick)
        (summary,) = self.vclusters.list()
        self.assertEqual(
            (cluster['id'], view['status']), (summary['id'], summary['status'])
        )
        self.assertEqual(
            [],
            rules.broken(
                documents.SMALL,
                self.cloud.places(cluster['id']),
                self.cloud.domain,
            ),
        )
        self.vclusters.delete(cluster['id'])
        self.vclusters.wait_deleted(cluster['id'], **self.quick)
        self.assertEqual((), self.cloud.leftovers())
        self.assertEqual([], self.vclusters.list())

    def test_followed_events_are_all_there_are(self):
        for _ in range(5):
            cluster = self.vclusters.create(documents.SMALL)['id']
            followed = list(self.vclusters.follow(cluster, interval=0.001))
            self.vclusters.wait(cluster)
            client = self.vclusters._client
            self.assertEqual(client.events(cluster), followed)
            self.vclusters.delete(cluster)
            list(self.vclusters.follow(cluster, interval=0.001))
            self.vclusters.wait_deleted(cluster, **self.quick)

    def test_failure_brings_the_whole_view(self):
        self.cloud.faults.ruin(model.Kind.SERVER, 'web', reason='it broke')
        cluster = self.vclusters.create(documents.SMALL)['id']
        failed = self.assertRaises(
            exception.ClusterFailed, self.vclusters.wait, cluster, **self.quick
        )
        self.assertEqual('member web: it broke', str(failed))
        self.assertEqual('ERROR', failed.view['status'])

    def test_wait_has_an_end_and_the_build_goes_on(self):
        self.cloud.faults.stick(model.Kind.SERVER, 'web')
        cluster = self.vclusters.create(documents.SMALL)['id']
        self.assertRaises(
            exception.TimedOut,
            self.vclusters.wait,
            cluster,
            timeout=0.1,
            interval=0.01,
        )
        self.cloud.faults.clear()
        self.vclusters.wait(cluster, **self.quick)

    def test_delete_that_leaves_things_fails(self):
        cluster = self.vclusters.create(documents.SMALL)['id']
        self.vclusters.wait(cluster, **self.quick)
        self.cloud.faults.refuse_delete(model.Kind.VOLUME)
        self.vclusters.delete(cluster)
        failed = self.assertRaises(
            exception.ClusterFailed,
            self.vclusters.wait_deleted,
            cluster,
            **self.quick,
        )
        self.assertEqual(
            ['volume'], [each['kind'] for each in failed.view['leftovers']]
        )
        self.cloud.faults.clear()
        self.vclusters.delete(cluster)
        self.vclusters.wait_deleted(cluster, **self.quick)

    def test_close_rolls_back_what_is_being_built(self):
        with VCluster(self.cloud, settings=FAST) as vclusters:
            self.cloud.faults.stick(model.Kind.SERVER, 'web')
            cluster = vclusters.create(documents.SMALL)['id']
            for event in vclusters.follow(cluster, interval=0.005):
                if (event['member'], event['kind']) == ('web', 'server'):
                    break
        self.assertEqual((), self.cloud.leftovers())
        self.assertIn('delete', {call.name for call in self.cloud.calls})

    def test_plan_that_is_held_is_built_as_it_is(self):
        plan = self.vclusters.hold(documents.SMALL, 600)
        self.assertEqual(plan, self.vclusters.show_plan(plan['id']))
        self.vclusters.create_planned(plan['id'], name='web')
        view = self.vclusters.wait(plan['id'], **self.quick)
        for name, member in plan['members'].items():
            self.assertEqual(
                member['domains'], view['members'][name]['domains']
            )
        self.assertEqual(
            ['x'], self.vclusters.update(plan['id'], tags=['x'])['tags']
        )
        (found,) = self.vclusters.list(tags=['x'])
        self.assertEqual('web', found['name'])
        tree = self.vclusters.topology(plan['id'])
        self.assertEqual(['zone', 'rack', 'host'], tree['levels'])

    def test_plan_that_is_released_leaves_nothing(self):
        plan = self.vclusters.hold(documents.SMALL, 600)
        self.vclusters.release_plan(plan['id'])
        self.assertEqual((), self.cloud.leftovers())
        self.assertRaises(
            exception.PlanNotFound, self.vclusters.show_plan, plan['id']
        )

    def test_plan_that_there_is_not_is_raised_with_its_reasons(self):
        document = documents.servers(
            5, documents.group('anti-affinity', 'm', scope='rack')
        )
        for verb in (
            self.vclusters.plan,
            lambda document: self.vclusters.hold(document, 600),
        ):
            refused = self.assertRaises(
                exception.NoValidPlacement, verb, document
            )
            self.assertEqual(('anti-affinity-of-m',), refused.rules)
            self.assertTrue(refused.proven)
            self.assertNotEqual((), refused.repairs)

    def test_what_is_built_is_checked(self):
        view = self.vclusters.create(documents.SMALL)
        self.vclusters.wait(view['id'])
        self.vclusters.check(view['id'])
        found = self.vclusters.wait_settled(view['id'], **self.quick)
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        for verb, status in (
            ('stop', 'STOPPED'),
            ('start', 'ACTIVE'),
            ('suspend', 'SUSPENDED'),
            ('resume', 'ACTIVE'),
            ('heal', 'ACTIVE'),
            ('repair', 'ACTIVE'),
        ):
            getattr(self.vclusters, verb)(view['id'])
            found = self.vclusters.wait_settled(view['id'], **self.quick)
            self.assertEqual(status, found['status'])
        self.assertEqual([], self.vclusters.plan_repair(view['id'])['moves'])

    def test_close_may_be_said_twice(self):
        vclusters = VCluster(self.cloud)
        vclusters.close()
        vclusters.close()

    def test_record_outlives_the_program_in_a_database_of_ones_own(self):
        folder = self.useFixture(fixtures.TempDir()).path
        database = f'sqlite:///{os.path.join(folder, "kept.sqlite")}'
        with VCluster(
            self.cloud, database=database, settings=FAST
        ) as vclusters:
            cluster = vclusters.create(documents.SMALL)['id']
            view = vclusters.wait(cluster, **self.quick)
        with VCluster(
            self.cloud, database=database, settings=FAST
        ) as vclusters:
            self.assertEqual(view, vclusters.show(cluster))
            self.assertEqual(
                [cluster], [each['id'] for each in vclusters.list()]
            )
            vclusters.delete(cluster)
            vclusters.wait_deleted(cluster, **self.quick)
        self.assertEqual((), self.cloud.leftovers())
