# SPDX-License-Identifier: Apache-2.0
"""What the store keeps, and what it gives back."""

import datetime

import sqlalchemy as sa

from heat_vcluster import db, exception, states
from heat_vcluster.cloud import model as cloud
from heat_vcluster.placement import model as placement
from tests.unit.db import base

Cluster = states.ClusterStatus
Member = states.MemberStatus


class ClusterTest(base.StoreTest):
    def test_new_cluster_is_planning_and_its_members_planned(self):
        made = self.create()
        self.assertEqual(made, self.store.get_cluster(made.id))
        self.assertEqual(Cluster.PLANNING, made.status)
        self.assertEqual(self.clock.now, made.created_at)
        self.assertIsNone(made.owner)
        self.assertIsNone(made.plan)
        members = self.store.get_members(made.id)
        self.assertEqual(['b', 'a', 'v'], [m.name for m in members])
        self.assertEqual({Member.PLANNED}, {m.status for m in members})
        self.assertEqual({'flavor': 'small'}, members[0].desired)

    def test_same_create_twice_gives_the_first_cluster(self):
        made = self.create()
        self.clock.pass_seconds(5)
        again = self.create(id=made.id)
        self.assertEqual(made, again)
        self.assertEqual(3, len(self.store.get_members(made.id)))

    def test_tuples_in_a_document_do_not_make_it_another(self):
        made = self.create(document={'a': (1, 2)})
        self.assertEqual(made, self.create(id=made.id, document={'a': [1, 2]}))

    def test_id_of_another_cluster_is_refused(self):
        made = self.create()
        self.assertRaises(
            exception.ClusterExists,
            self.create,
            id=made.id,
            document={'instances': []},
        )
        self.assertRaises(
            exception.ClusterExists,
            self.create,
            id=made.id,
            project_id='beta',
        )
        self.assertEqual(made, self.store.get_cluster(made.id))

    def test_cluster_of_another_project_is_not_found(self):
        made = self.create()
        self.assertEqual(made, self.store.get_cluster(made.id, 'alpha'))
        for arguments in ((made.id, 'beta'), ('none',)):
            self.assertRaises(
                exception.ClusterNotFound, self.store.get_cluster, *arguments
            )

    def test_list_has_only_the_own_project_oldest_first(self):
        ours = []
        for _ in range(3):
            ours.append(self.create().id)
            self.clock.pass_seconds(1)
        theirs = self.create(project_id='beta').id
        listed = self.store.list_clusters('alpha')
        self.assertEqual(ours, [each.id for each in listed])
        self.assertEqual(
            ours[:2],
            [each.id for each in self.store.list_clusters('alpha', limit=2)],
        )
        self.assertEqual(
            [*ours, theirs], [each.id for each in self.store.list_clusters()]
        )

    def test_deleted_cluster_leaves_the_list_and_later_the_store(self):
        made = self.create()
        writer = self.store.writer(self.lease(made))
        writer.set_status(Cluster.DELETING)
        self.clock.pass_seconds(1)
        writer.set_status(Cluster.DELETED)
        self.assertEqual((), self.store.list_clusters('alpha'))
        kept = self.store.get_cluster(made.id)
        self.assertEqual(self.clock.now, kept.deleted_at)
        self.assertEqual(
            (kept,), self.store.list_clusters('alpha', with_deleted=True)
        )
        self.assertEqual(0, self.store.purge(self.clock.now))
        self.clock.pass_seconds(1)
        self.assertEqual(1, self.store.purge(self.clock.now))
        self.assertRaises(
            exception.ClusterNotFound, self.store.get_cluster, made.id
        )
        self.assertEqual((), self.store.get_members(made.id))

    def test_times_come_back_aware_and_to_the_microsecond(self):
        east = datetime.timezone(datetime.timedelta(hours=5))
        deadline = datetime.datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=east)
        made = self.create(deadline=deadline)
        self.assertEqual(deadline, made.deadline)
        self.assertEqual(datetime.UTC, made.deadline.tzinfo)

    def test_time_without_zone_is_refused(self):
        self.assertRaises(
            sa.exc.StatementError,
            self.create,
            deadline=datetime.datetime(2031, 1, 1),
        )
        self.assertEqual((), self.store.list_clusters())


class WriterTest(base.StoreTest):
    def setUp(self):
        super().setUp()
        self.cluster = self.create()
        self.writer = self.store.writer(self.lease(self.cluster))

    def member(self, name):
        members = self.store.get_members(self.cluster.id)
        return {each.name: each for each in members}[name]

    def test_status_moves_by_the_table_with_its_reasons(self):
        self.clock.pass_seconds(1)
        self.writer.set_status(Cluster.ERROR, 'no room', 'vcluster.x')
        now = self.store.get_cluster(self.cluster.id)
        self.assertEqual(
            (Cluster.ERROR, 'no room', 'vcluster.x', self.clock.now),
            (now.status, now.status_reason, now.error_code, now.updated_at),
        )
        self.writer.set_status(Cluster.DELETING)
        now = self.store.get_cluster(self.cluster.id)
        self.assertEqual((None, None), (now.status_reason, now.error_code))

    def test_illegal_move_changes_nothing(self):
        before = self.store.get_cluster(self.cluster.id)
        self.assertRaises(
            exception.IllegalMove, self.writer.set_status, Cluster.ACTIVE
        )
        self.assertRaises(
            exception.IllegalMove,
            self.writer.set_member,
            'a',
            Member.STOPPED,
            reason='oh',
        )
        self.assertEqual(before, self.store.get_cluster(self.cluster.id))
        self.assertIsNone(self.member('a').reason)

    def test_member_keeps_what_is_not_named(self):
        self.writer.set_member(
            'a', Member.HELD, place='r1h1', domains={'rack': 'rack-1'}
        )
        self.writer.set_member(
            'a', Member.BUILDING, resource_id='id-1', reason='soon'
        )
        self.writer.set_member('a', reason=None)
        now = self.member('a')
        self.assertEqual(
            (Member.BUILDING, 'r1h1', {'rack': 'rack-1'}, 'id-1', None),
            (now.status, now.place, now.domains, now.resource_id, now.reason),
        )
        self.assertEqual(Member.PLANNED, self.member('b').status)

    def test_facts_are_merged_and_none_drops(self):
        self.writer.set_member('a', facts={'ports': ['p1'], 'x': 1})
        self.writer.set_member('a', facts={'addresses': ['10.0.0.3']})
        self.writer.set_member('a', facts={'x': None})
        self.assertEqual(
            {'ports': ['p1'], 'addresses': ['10.0.0.3']},
            self.member('a').facts,
        )

    def test_unknown_member_is_an_error(self):
        self.assertRaises(KeyError, self.writer.set_member, 'z', reason='x')

    def test_plan_comes_back_equal(self):
        plan = placement.Plan(
            placement={'a': 'r1h1', 'b': 'r1h2'},
            soft_cost=3,
            objective=250,
            given_up=(
                placement.Violation('near', 1, 3, (('rack', 'rack-1'),)),
            ),
            unsteered=(('near', 'v'),),
        )
        self.writer.set_plan(plan)
        kept = self.store.get_cluster(self.cluster.id).plan
        self.assertEqual(plan, kept)
        self.assertEqual((('rack', 'rack-1'),), kept.given_up[0].where)
        self.writer.set_plan(None)
        self.assertIsNone(self.store.get_cluster(self.cluster.id).plan)

    def test_pseudonyms_stay_and_new_ones_join(self):
        self.writer.set_domains({'rack': {'r9': 'rack-1'}})
        self.writer.set_domains(
            {'rack': {'r9': 'rack-1', 'r2': 'rack-2'}, 'host': {'h': 'host-1'}}
        )
        self.assertEqual(
            (
                db.DomainRecord('host', 'h', 'host-1'),
                db.DomainRecord('rack', 'r2', 'rack-2'),
                db.DomainRecord('rack', 'r9', 'rack-1'),
            ),
            self.store.get_domains(self.cluster.id),
        )
        self.assertRaises(
            ValueError, self.writer.set_domains, {'rack': {'r9': 'rack-3'}}
        )

    def test_holds_are_held_until_dropped(self):
        first = cloud.Hold('h1', 'a', 'r1h1', {'VCPU': 1})
        second = cloud.Hold('h2', 'b', 'r1h2', {'VCPU': 2})
        self.writer.add_holds([first, second])
        self.writer.add_holds([first])
        self.writer.drop_holds(['h1', 'unknown'])
        got = {h.id: h for h in self.store.get_holds(self.cluster.id)}
        self.assertEqual(db.HoldState.RELEASED, got['h1'].state)
        self.assertEqual({'VCPU': 2}, got['h2'].resources)
        held = self.store.get_holds(self.cluster.id, db.HoldState.HELD)
        self.assertEqual(['h2'], [h.id for h in held])

    def test_leftover_has_its_last_reason_until_removed(self):
        self.writer.add_leftover(cloud.Kind.PORT, 'p1', 'a', 'in use')
        self.writer.add_leftover(cloud.Kind.PORT, 'p1', 'a', 'still in use')
        self.writer.add_leftover(cloud.Kind.SERVER, 's1', None, 'no rights')
        self.assertEqual(
            [('port', 'p1', 'still in use'), ('server', 's1', 'no rights')],
            [
                (each.kind, each.thing_id, each.reason)
                for each in self.store.get_leftovers(self.cluster.id)
            ],
        )
        self.writer.remove_leftover(cloud.Kind.PORT, 'p1')
        self.writer.remove_leftover(cloud.Kind.PORT, 'p1')
        self.assertEqual(1, len(self.store.get_leftovers(self.cluster.id)))
        self.writer.clear_leftovers()
        self.assertEqual((), self.store.get_leftovers(self.cluster.id))

    def test_events_can_be_followed(self):
        for word in ('one', 'two', 'three'):
            self.writer.add_event('a', 'note', word)
        first, second, third = self.store.get_events(self.cluster.id)
        self.assertEqual(
            ('one', 'a', self.clock.now),
            (first.message, first.member, first.at),
        )
        self.assertEqual(
            (second, third),
            self.store.get_events(self.cluster.id, after=first.id),
        )
        self.assertEqual(
            (second,),
            self.store.get_events(self.cluster.id, after=first.id, limit=1),
        )

    def test_cancel_is_asked_without_a_lease_and_cleared_with_it(self):
        self.assertFalse(self.store.is_cancel_requested(self.cluster.id))
        self.store.want_absent(self.cluster.id)
        self.assertTrue(self.store.is_cancel_requested(self.cluster.id))
        self.writer.clear_cancel()
        self.assertFalse(self.store.is_cancel_requested(self.cluster.id))
        self.assertRaises(
            exception.ClusterNotFound, self.store.want_absent, 'none'
        )
