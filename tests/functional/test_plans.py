# SPDX-License-Identifier: Apache-2.0
"""Plans whose room is held: nobody else gets it, until time runs out."""

import concurrent.futures
import datetime
import pathlib
import uuid

import fixtures

from heat_vcluster import conf, deploy, exception, quota
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents

Kind = model.Kind

#: As many as the cloud below has room for.
ALL = documents.servers(8, flavor='medium')
APART = documents.servers(
    4, documents.group('anti-affinity', 'm', scope='host'), flavor='medium'
)


class PlanTest(base.EngineTest):
    def make_cloud(self):
        return FakeCloud(racks=2, hosts_per_rack=2, vcpus=4)

    def hold(self, document=ALL, context=base.ANN, seconds=600, **options):
        return self.service.plan(
            context, document, hold_seconds=seconds, **options
        )

    def pass_seconds(self, seconds):
        """Let so much time be over, as far as the record can tell."""
        store = self.service._store
        before = store._clock
        self.patch(
            store,
            '_clock',
            lambda: before() + datetime.timedelta(seconds=seconds),
        )

    def verdict(self, document=ALL, context=base.BOB):
        return self.service.plan(context, document)['verdict']

    def used(self, context=base.ANN):
        return {
            resource: each['used']
            for resource, each in self.service.limits(context).items()
        }

    def assert_gone(self, plan_id, error, context=base.ANN):
        for verb in (
            self.service.show_plan,
            self.service.release_plan,
            self.service.create_planned,
        ):
            self.assertRaises(error, verb, context, plan_id)


class HoldTest(PlanTest):
    def test_room_of_a_held_plan_is_nobody_elses_until_it_is_released(self):
        self.assertEqual('feasible', self.verdict())
        plan = self.hold()
        self.assertEqual('feasible', plan['verdict'])
        self.assertEqual(8, len(self.cloud.world.holds))
        self.assertEqual('infeasible', self.verdict())
        self.assertEqual(plan, self.service.show_plan(base.ANN, plan['id']))
        self.service.release_plan(base.ANN, plan['id'])
        self.assertEqual('feasible', self.verdict())
        self.assert_gone(plan['id'], exception.PlanNotFound)
        self.assert_nothing_left()

    def test_plan_that_is_held_is_told_as_one_that_is_not(self):
        held = self.hold(APART)
        free = self.service.plan(base.BOB, APART)
        self.service.release_plan(base.ANN, held['id'])
        self.assertEqual({*free}, {*held})
        self.assertEqual({*free['members']}, {*held['members']})
        hosts = {m['domains']['host'] for m in held['members'].values()}
        self.assertEqual({f'host-{n}' for n in (1, 2, 3, 4)}, hosts)
        self.assertIsNotNone(held['expires_at'])
        self.assertEqual([], held['reasons'])

    def test_what_cannot_be_held_is_told_and_leaves_nothing(self):
        plan = self.hold(documents.servers(9, flavor='medium'))
        self.assertEqual('infeasible', plan['verdict'])
        self.assertIsNone(plan['id'])
        self.assertNotEqual([], plan['reasons'])
        self.assertEqual(0, self.used()['held_plans'])
        self.assert_nothing_left()

    def test_time_that_is_over_gives_the_room_back(self):
        plan = self.hold(seconds=600)
        self.pass_seconds(601)
        self.until(lambda: not self.cloud.world.holds, 'the room')
        self.assert_gone(plan['id'], exception.PlanExpired)
        self.until(lambda: not self.used()['held_plans'], 'the end')
        self.assertEqual('feasible', self.verdict())

    def test_engine_that_comes_later_ends_what_has_expired(self):
        plan = self.hold(seconds=600)
        self.service.stop(self.patience)
        self.assertEqual(8, len(self.cloud.world.holds))
        self.service = self.make_service()
        self.pass_seconds(601)
        self.service.engine.watch()
        self.until(lambda: not self.cloud.world.holds, 'the room')
        self.assert_gone(plan['id'], exception.PlanExpired)

    def test_same_hold_twice_is_one(self):
        plan_id = str(uuid.uuid4())
        plans = [self.hold(APART, plan_id=plan_id) for _ in range(2)]
        self.assertEqual(plan_id, plans[0]['id'])
        self.assertEqual(plans[0], plans[1])
        self.assertEqual(4, len(self.cloud.world.holds))

    def test_held_plan_is_no_cluster(self):
        plan_id = self.hold()['id']
        for verb in (
            self.service.show,
            self.service.delete,
            self.service.events,
            self.service.members,
            self.service.topology,
        ):
            self.assertRaises(
                exception.ClusterNotFound, verb, base.ANN, plan_id
            )
        self.assertEqual([], self.service.list(base.ANN))
        self.assertEqual(8, len(self.cloud.world.holds))

    def test_plan_of_another_project_is_not_there(self):
        plan_id = self.hold()['id']
        self.assert_gone(plan_id, exception.PlanNotFound, base.BOB)
        self.assertEqual(8, len(self.cloud.world.holds))

    def test_longest_time_is_the_operators(self):
        self.service = self.make_service(
            quota=quota.Quota(max_hold_seconds=10)
        )
        refused = self.assertRaises(
            exception.InvalidRequest, self.hold, seconds=11
        )
        self.assertEqual('hold_seconds', refused.faults[0].path)
        self.assertEqual('feasible', self.hold(seconds=10)['verdict'])


class BuildTest(PlanTest):
    def test_cluster_is_built_exactly_as_planned(self):
        plan = self.hold(APART)
        view = self.service.create_planned(
            base.ANN,
            plan['id'],
            name='web',
            metadata={'a': 'b'},
            tags=['x'],
        )
        self.assertEqual(plan['id'], view['id'])
        view = self.settle(view['id'])
        self.assert_built(APART, view)
        self.assertEqual(
            {name: m['domains'] for name, m in plan['members'].items()},
            {name: m['domains'] for name, m in view['members'].items()},
        )
        self.assertEqual(1, self.calls()['reserve'])
        self.assertEqual(
            ('web', {'a': 'b'}, ['x']),
            (view['name'], view['metadata'], view['tags']),
        )
        self.assertEqual('web-m-0', view['members']['m-0']['name'])
        self.assert_gone_as_plan(plan['id'])

    def assert_gone_as_plan(self, plan_id):
        for verb in (self.service.show_plan, self.service.release_plan):
            self.assertRaises(exception.PlanNotFound, verb, base.ANN, plan_id)

    def test_plan_is_built_though_its_time_runs_out_meanwhile(self):
        self.cloud.faults.stick(Kind.SERVER, 'm-0')
        plan = self.hold(APART, seconds=5)
        cluster = self.service.create_planned(base.ANN, plan['id'])['id']
        end = datetime.datetime.fromisoformat(plan['expires_at'])
        self.until(
            lambda: datetime.datetime.now(datetime.UTC) > end, 'the end'
        )
        self.service.engine.attend()
        self.assertEqual('CREATING', self.show(cluster)['status'])
        self.cloud.faults.clear()
        self.assert_built(APART, self.settle(cluster))

    def test_of_many_that_build_it_at_once_all_get_the_one(self):
        plan_id = self.hold(APART)['id']
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            made = pool.map(
                lambda n: self.service.create_planned(
                    base.ANN, plan_id, name=f'n{n}'
                )['name'],
                range(6),
            )
        self.assertEqual(1, len({*made}))
        self.assert_built(APART, self.settle(plan_id))
        self.assertEqual(1, self.events(plan_id).count('create'))

    def test_build_that_fails_gives_all_of_it_back(self):
        plan_id = self.hold(APART)['id']
        self.cloud.faults.ruin(Kind.SERVER, 'm-1')
        self.service.create_planned(base.ANN, plan_id)
        self.assertEqual('ERROR', self.settle(plan_id)['status'])
        self.assert_nothing_left()
        self.assertIsNone(self.delete(plan_id))

    def test_deleted_cluster_is_not_built_of_its_plan_again(self):
        plan_id = self.hold(APART)['id']
        self.service.create_planned(base.ANN, plan_id)
        self.settle(plan_id)
        self.assertIsNone(self.delete(plan_id))
        self.assertRaises(
            exception.ClusterNotFound,
            self.service.create_planned,
            base.ANN,
            plan_id,
        )
        self.assert_nothing_left()

    def test_cluster_is_no_plan_to_build(self):
        cluster = self.create(APART)
        self.assert_gone(cluster, exception.PlanNotFound)
        self.assert_built(APART, self.settle(cluster))


class QuotaTest(PlanTest):
    def make_service(self, **options):
        limits = quota.Quota(clusters=2, members=9, held_plans=1)
        return super().make_service(**{'quota': limits, **options})

    def refused(self, resource, verb, *arguments, **options):
        error = self.assertRaises(
            exception.LimitExceeded, verb, *arguments, **options
        )
        self.assertEqual(resource, error.resource)

    def test_limits_are_shown_with_what_is_used(self):
        self.hold(APART)
        self.assertEqual(
            {
                'clusters': {'limit': 2, 'used': 0},
                'members': {'limit': 9, 'used': 4},
                'held_plans': {'limit': 1, 'used': 1},
            },
            self.service.limits(base.ANN),
        )
        self.assertEqual({0}, {*self.used(base.BOB).values()})

    def test_each_limit_is_kept_and_nothing_is_left_of_the_refused(self):
        one = documents.servers(1, flavor='tiny')
        self.hold(one)
        self.refused('held_plans', self.hold, one)
        self.refused('members', self.create, documents.servers(9))
        made = [self.create(one) for _ in range(2)]
        self.refused('clusters', self.create, one)
        for cluster in made:
            self.settle(cluster)
        self.assertEqual(2, len(self.service.list(base.ANN)))
        self.delete(made[0])
        self.settle(self.create(one))

    def test_project_with_limits_of_its_own(self):
        self.service._store.set_limit('alpha', 'clusters', 0)
        one = documents.servers(1, flavor='tiny')
        plan_id = self.hold(one)['id']
        self.refused('clusters', self.create, one)
        self.refused(
            'clusters', self.service.create_planned, base.ANN, plan_id
        )
        self.service._store.set_limit('alpha', 'clusters', None)
        self.service.create_planned(base.ANN, plan_id)
        self.assertEqual('ACTIVE', self.settle(plan_id)['status'])

    def test_limits_are_those_of_the_configuration(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'c'
        path.write_text('[quota]\nclusters = 3\nmax_hold_seconds = 5\n')
        self.assertEqual(
            quota.Quota(3, 1000, 10, 5),
            deploy.quota_of(conf.load(config_files=[path])),
        )

    def test_many_at_once_cannot_pass_it_together(self):
        one = documents.servers(1, flavor='tiny')

        def create(_):
            try:
                return self.create(one)
            except exception.LimitExceeded:
                return None

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            made = [each for each in pool.map(create, range(6)) if each]
        self.assertEqual(2, len(made))
        for cluster in made:
            self.assertEqual('ACTIVE', self.settle(cluster)['status'])
