# SPDX-License-Identifier: Apache-2.0
"""Held plans in the store: one claim wins, and time runs out."""

import concurrent.futures
import datetime

from heat_vcluster import exception, states
from tests.unit.db import base

Cluster = states.ClusterStatus


class PlanTest(base.StoreTest):
    def hold(self, seconds=60, **changes):
        """Return a plan that is held for that long."""
        expires_at = self.clock.now + datetime.timedelta(seconds=seconds)
        plan = self.create(expires_at=expires_at, **changes)
        lease = self.lease(plan)
        self.store.writer(lease).set_status(Cluster.HELD)
        self.store.surrender(lease)
        return self.store.get_cluster(plan.id)

    def claim(self, plan, project_id='alpha', **changes):
        return self.store.claim_plan(
            plan.id, project_id, **{'user_id': 'ann', **changes}
        )

    def assert_gone(self, error, plan, project_id='alpha'):
        for verb in (self.store.get_plan, self.store.drop_plan):
            self.assertRaises(error, verb, plan.id, project_id)
        self.assertRaises(error, self.claim, plan, project_id)


class HeldPlanTest(PlanTest):
    def test_held_plan_is_shown_as_such_and_listed_nowhere(self):
        plan = self.hold()
        self.assertTrue(plan.is_plan)
        self.assertEqual(plan, self.store.get_plan(plan.id, 'alpha'))
        self.assertEqual((), self.store.list_clusters())
        self.assertEqual((), self.store.with_idle_holds())

    def test_plan_that_is_being_made_is_neither(self):
        plan = self.create(expires_at=self.clock.now)
        self.assertEqual((), self.store.list_clusters())
        self.clock.pass_seconds(-1)
        self.assert_gone(exception.PlanNotFound, plan)

    def test_plan_of_another_project_is_not_found(self):
        plan = self.hold()
        self.assert_gone(exception.PlanNotFound, plan, 'beta')
        self.assertEqual(plan, self.store.get_plan(plan.id, 'alpha'))

    def test_cluster_is_no_plan(self):
        self.assert_gone(exception.PlanNotFound, self.create())

    def test_plans_are_looked_after_while_somebody_may_build_them(self):
        plan, released, claimed = self.hold(60), self.hold(60), self.hold(60)
        self.create()
        self.store.drop_plan(released.id, 'alpha')
        self.claim(claimed)
        self.assertEqual(
            [plan.id], [each.id for each in self.store.held_plans()]
        )
        self.clock.pass_seconds(60)
        self.assertEqual((), self.store.held_plans())

    def test_plan_expires(self):
        plan = self.hold(60)
        self.clock.pass_seconds(60)
        self.assert_gone(exception.PlanExpired, plan)

    def test_dropped_plan_is_not_found_also_when_its_time_is_over(self):
        plan = self.hold(60)
        self.store.drop_plan(plan.id, 'alpha')
        self.assert_gone(exception.PlanNotFound, plan)
        self.clock.pass_seconds(61)
        self.assert_gone(exception.PlanNotFound, plan)

    def test_id_of_a_plan_is_no_cluster_to_create_again(self):
        plan = self.hold()
        self.assertRaises(exception.ClusterExists, self.create, id=plan.id)


class ClaimTest(PlanTest):
    def test_claimed_plan_is_a_cluster_that_does_not_expire(self):
        plan = self.hold(60)
        self.clock.pass_seconds(30)
        made = self.claim(
            plan,
            user_id='bob',
            name='db',
            metadata={'a': 'b'},
            tags=['x'],
            deadline=self.clock.now,
            trust_id='t',
            request_id='req-1',
        )
        self.assertEqual(
            (Cluster.HELD, None, self.clock.now, 'bob', 'db', 'db'),
            (
                made.status,
                made.expires_at,
                made.claimed_at,
                made.user_id,
                made.name,
                made.built_as,
            ),
        )
        self.assertEqual(
            ({'a': 'b'}, ('x',), self.clock.now, 't', 'req-1'),
            (
                made.metadata,
                made.tags,
                made.deadline,
                made.trust_id,
                made.request_id,
            ),
        )
        self.clock.pass_seconds(60)
        self.assertEqual((made,), self.store.list_clusters('alpha'))

    def test_second_claim_gives_what_the_first_has_made(self):
        plan = self.hold(60)
        made = self.claim(plan, name='one')
        self.clock.pass_seconds(61)
        self.assertEqual(made, self.claim(plan, name='two'))
        self.assertRaises(
            exception.PlanNotFound, self.store.get_plan, plan.id, 'alpha'
        )

    def test_of_many_claims_at_once_one_wins(self):
        plan = self.hold()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(
                pool.map(
                    lambda n: self.claim(plan, name=f'n{n}', tags=[f't{n}']),
                    range(8),
                )
            )
        self.assertEqual(1, len({each.name for each in made}))
        self.assertEqual(
            (made[0].name.replace('n', 't'),),
            self.store.get_cluster(plan.id).tags,
        )

    def test_claim_keeps_the_name_of_the_plan_without_another(self):
        self.assertEqual('web', self.claim(self.hold()).name)

    def test_claimed_plan_cannot_expire_under_its_engine(self):
        plan = self.hold(60)
        writer = self.store.writer(self.lease(plan))
        self.claim(plan)
        self.assertFalse(writer.expire_plan())
        self.assertEqual(Cluster.HELD, self.store.get_cluster(plan.id).status)

    def test_expiring_plan_cannot_be_claimed(self):
        plan = self.hold(60)
        self.assertTrue(self.store.writer(self.lease(plan)).expire_plan())
        self.assert_gone(exception.PlanNotFound, plan)
        self.assertEqual(
            Cluster.DELETING, self.store.get_cluster(plan.id).status
        )


class UnattendedTest(PlanTest):
    """What needs an engine and has none."""

    def unattended(self):
        return [each.id for each in self.store.unattended()]

    def settle(self, cluster, *statuses):
        lease = self.lease(cluster)
        writer = self.store.writer(lease)
        for status in statuses:
            writer.set_status(status)
        self.store.surrender(lease)

    def test_held_plan_is_left_alone_until_it_expires(self):
        plan = self.hold(60)
        self.clock.pass_seconds(59)
        self.assertEqual([], self.unattended())
        self.clock.pass_seconds(1)
        self.assertEqual([plan.id], self.unattended())

    def test_released_plan_that_nobody_gave_back(self):
        plan = self.hold(60)
        self.store.drop_plan(plan.id, 'alpha')
        self.clock.pass_seconds(31)
        self.assertEqual([plan.id], self.unattended())
        self.settle(plan, Cluster.DELETING, Cluster.DELETED)
        self.clock.pass_seconds(60)
        self.assertEqual([], self.unattended())

    def test_claimed_plan_that_nobody_began_to_build(self):
        plan = self.hold(600)
        self.clock.pass_seconds(60)
        self.claim(plan)
        self.assertEqual([], self.unattended())
        self.clock.pass_seconds(31)
        self.assertEqual([plan.id], self.unattended())

    def test_delete_that_nobody_began(self):
        cluster = self.create()
        self.settle(cluster, Cluster.CREATING, Cluster.ACTIVE)
        self.clock.pass_seconds(60)
        self.assertEqual([], self.unattended())
        self.store.want_absent(cluster.id)
        self.assertEqual([cluster.id], self.unattended())

    def test_delete_that_failed_waits_to_be_asked_for_again(self):
        cluster = self.create()
        self.store.want_absent(cluster.id)
        self.settle(cluster, Cluster.DELETING, Cluster.ERROR)
        self.clock.pass_seconds(60)
        self.assertEqual([], self.unattended())
        self.store.want_absent(cluster.id)
        self.assertEqual([cluster.id], self.unattended())

    def test_living_engine_is_left_to_work(self):
        cluster = self.create()
        self.store.want_absent(cluster.id)
        self.lease(cluster, seconds=100)
        self.clock.pass_seconds(99)
        self.assertEqual([], self.unattended())
        self.clock.pass_seconds(2)
        self.assertEqual([cluster.id], self.unattended())
