# SPDX-License-Identifier: Apache-2.0
"""Limits of a project hold, also against many at once."""

import concurrent.futures
import datetime
import multiprocessing
import uuid

from heat_vcluster import db, exception, states
from tests.unit.db import base

Cluster = states.ClusterStatus


def _create_some(url, start, made):
    """Create until it is refused; another process does the same."""
    store = db.Store(url)
    start.wait()
    try:
        while True:
            store.create_cluster(
                id=str(uuid.uuid4()),
                project_id='alpha',
                user_id='ann',
                document={},
                members=[],
                limits={'clusters': 20},
            )
            made.put(1)
    except exception.LimitExceeded:
        store.close()


class UsageTest(base.StoreTest):
    def usage(self, project_id='alpha'):
        used = self.store.count_usage(project_id)
        return used['clusters'], used['members'], used['held_plans']

    def later(self):
        return self.clock.now + datetime.timedelta(seconds=60)

    def test_what_counts(self):
        self.assertEqual((0, 0, 0), self.usage())
        cluster = self.create()
        self.create(project_id='beta')
        self.assertEqual((1, 3, 0), self.usage())
        self.create(expires_at=self.later())
        self.assertEqual((1, 6, 1), self.usage())
        writer = self.store.writer(self.lease(cluster))
        writer.set_member('a', states.MemberStatus.DELETED)
        writer.set_status(Cluster.ERROR)
        self.assertEqual((1, 5, 1), self.usage())
        writer.set_status(Cluster.DELETING)
        writer.set_status(Cluster.DELETED)
        self.assertEqual((0, 3, 1), self.usage())

    def test_one_more_than_the_limit_is_refused(self):
        limits = {'clusters': 2, 'members': -1}
        for _ in range(2):
            self.create(limits=limits)
        refused = self.assertRaises(
            exception.LimitExceeded, self.create, limits=limits
        )
        self.assertEqual(
            ('clusters', 2, 2, 1),
            (refused.resource, refused.limit, refused.used, refused.asked),
        )
        self.create(project_id='beta', limits=limits)
        self.create(expires_at=self.later(), limits=limits)
        self.assertEqual((2, 9, 1), self.usage())

    def test_members_are_counted_as_asked(self):
        self.create(limits={'members': 5})
        refused = self.assertRaises(
            exception.LimitExceeded, self.create, limits={'members': 5}
        )
        self.assertIn('3 more of members', str(refused))
        self.create(members=[db.NewMember('a', 'server', {})])

    def test_repeated_create_is_no_further_one(self):
        made = self.create(limits={'clusters': 1})
        again = self.create(id=made.id, limits={'clusters': 1})
        self.assertEqual(made, again)

    def test_claim_counts_as_a_cluster(self):
        plan = self.create(expires_at=self.later(), limits={'held_plans': 1})
        self.store.writer(self.lease(plan)).set_status(Cluster.HELD)
        for limit in (0, 1):
            claim = (self.store.claim_plan, plan.id, 'alpha')
            options = {'user_id': 'ann', 'limits': {'clusters': limit}}
            if not limit:
                self.assertRaises(exception.LimitExceeded, *claim, **options)
        claim[0](*claim[1:], **options)
        self.assertEqual((1, 3, 0), self.usage())

    def test_own_limits_of_a_project(self):
        self.assertEqual({}, self.store.get_limits('alpha'))
        self.store.set_limit('alpha', 'clusters', 5)
        self.store.set_limit('alpha', 'clusters', 7)
        self.store.set_limit('alpha', 'members', -1)
        self.assertRaises(
            ValueError, self.store.set_limit, 'alpha', 'floppies', 1
        )
        self.assertEqual(
            {'clusters': 7, 'members': -1}, self.store.get_limits('alpha')
        )
        self.assertEqual({}, self.store.get_limits('beta'))
        self.store.set_limit('alpha', 'clusters', None)
        self.assertEqual({'members': -1}, self.store.get_limits('alpha'))

    def test_threads_cannot_pass_a_limit_together(self):
        def one(_):
            try:
                return self.create(limits={'clusters': 5}).id
            except exception.LimitExceeded:
                return None

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = [each for each in pool.map(one, range(16)) if each]
        self.assertEqual(5, len(made))
        self.assertEqual(5, self.usage()[0])

    def test_processes_cannot_pass_a_limit_together(self):
        self.store.upgrade()
        spawn = multiprocessing.get_context('spawn')
        start, made = spawn.Event(), spawn.Queue()
        children = [
            spawn.Process(target=_create_some, args=(self.url, start, made))
            for _ in range(3)
        ]
        for child in children:
            child.start()
        start.set()
        for child in children:
            child.join(600)
        self.assertEqual([0] * 3, [child.exitcode for child in children])
        self.assertEqual(20, self.usage()[0])
