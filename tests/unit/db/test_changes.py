# SPDX-License-Identifier: Apache-2.0
"""A change on record: begun once, decided, and over in one moment."""

from heat_vcluster import exception, states
from heat_vcluster.db import records
from heat_vcluster.placement import model as placement
from tests.unit.db import base

Cluster = states.ClusterStatus
Role = records.Role
LARGER = {'name': 'new', 'instances': [{'name': 'b'}]}


class ChangeTest(base.StoreTest):
    def setUp(self):
        super().setUp()
        self.cluster = self.create()
        self.writer = self.store.writer(self.lease(self.cluster, 'engine'))
        self.change = records.ChangeRecord(LARGER, ('a',))

    def activate(self):
        for status in (Cluster.CREATING, Cluster.ACTIVE):
            self.writer.set_status(status)

    def begin(self, change=None, **options):
        return self.store.begin_change(
            self.cluster.id,
            self.cluster.project_id,
            change or self.change,
            **options,
        )

    def roles(self):
        members = self.store.get_members(self.cluster.id)
        return {member.name: member.role for member in members}

    def test_only_one_that_is_active_begins(self):
        self.assertEqual(Cluster.PLANNING, self.begin().status)
        self.activate()
        begun = self.begin()
        self.assertEqual(Cluster.UPDATING, begun.status)
        self.assertEqual((self.change, 1), (begun.change, begun.changes))

    def test_trust_is_of_the_user_on_record(self):
        self.activate()
        begun = self.begin(trust=('trust', 'carl'))
        self.assertEqual(('trust', 'carl'), (begun.trust_id, begun.user_id))

    def test_without_a_trust_it_stays_its_users(self):
        self.activate()
        begun = self.begin()
        self.assertEqual((None, 'ann'), (begun.trust_id, begun.user_id))

    def test_of_two_at_once_one_begins(self):
        self.activate()
        self.begin()
        other = records.ChangeRecord({'instances': []})
        self.assertEqual(self.change, self.begin(other).change)

    def test_it_is_none_of_another_projects(self):
        self.activate()
        self.assertRaises(
            exception.ClusterNotFound,
            self.store.begin_change,
            self.cluster.id,
            'other',
            self.change,
        )

    def test_more_members_than_allowed_do_not_begin(self):
        self.activate()
        self.assertRaises(
            exception.LimitExceeded,
            self.begin,
            more_members=2,
            limits={'members': 2},
        )
        there = self.store.get_cluster(self.cluster.id)
        self.assertEqual(Cluster.ACTIVE, there.status)

    def decide(self):
        self.activate()
        self.begin()
        before = set(self.roles())
        decided = records.ChangeRecord(
            LARGER,
            document=LARGER,
            plan=placement.Plan({'b~1': 'h'}),
            is_held=True,
        )
        self.writer.decide_change(
            decided, [records.NewMember('b~1', 'server', {})]
        )
        self.assertEqual(
            {**dict.fromkeys(before), 'b~1': Role.COMING}, self.roles()
        )
        return decided

    def test_what_is_decided_is_read_back(self):
        decided = self.decide()
        found = self.store.get_cluster(self.cluster.id)
        self.assertEqual(decided, found.change)
        # Who comes is none of the cluster's members yet.
        counts = self.store.count_members([found.id])
        self.assertEqual(len(self.roles()) - 1, counts[found.id][0])

    def test_all_of_it_counts_in_one_moment(self):
        decided = self.decide()
        self.writer.commit_change(decided, ['b~1'])
        found = self.store.get_cluster(self.cluster.id)
        self.assertEqual(Cluster.FINISHING, found.status)
        self.assertEqual(LARGER, found.document)
        self.assertEqual('new', found.name)
        self.assertEqual(decided.plan, found.plan)
        self.assertIsNone(self.roles().pop('b~1'))
        self.assertEqual(
            {Role.GOING}, {r for n, r in self.roles().items() if n != 'b~1'}
        )
        self.writer.end_change()
        self.assertEqual({'b~1': None}, self.roles())
        found = self.store.get_cluster(self.cluster.id)
        self.assertEqual((Cluster.ACTIVE, None), (found.status, found.change))

    def test_one_that_failed_leaves_what_there_was(self):
        self.decide()
        self.writer.set_status(Cluster.REVERTING, 'why', 'vcluster.x')
        self.writer.end_change('why', 'vcluster.x')
        found = self.store.get_cluster(self.cluster.id)
        self.assertEqual(Cluster.ACTIVE, found.status)
        self.assertEqual(
            ('why', 'vcluster.x'), (found.status_reason, found.error_code)
        )
        self.assertEqual(self.cluster.document, found.document)
        self.assertNotIn('b~1', self.roles())
        self.assertEqual(1, found.changes)  # its number is used up

    def test_one_that_counts_cannot_be_taken_back(self):
        decided = self.decide()
        self.store.want_change_undone(self.cluster.id)
        self.assertTrue(self.store.is_cancel_requested(self.cluster.id))
        self.writer.commit_change(decided, ['b~1'])
        self.writer.end_change()
        self.store.want_change_undone(self.cluster.id)
        self.assertFalse(self.store.is_cancel_requested(self.cluster.id))
        self.assertRaises(
            exception.IllegalMove, self.writer.set_status, Cluster.REVERTING
        )
