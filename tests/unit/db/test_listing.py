# SPDX-License-Identifier: Apache-2.0
"""Lists of clusters: filtered, sorted, and page by page."""

import itertools

from heat_vcluster import db, exception, states
from heat_vcluster.db import listing
from tests.unit.db import base

Cluster = states.ClusterStatus


class ListTest(base.StoreTest):
    def names(self, **options):
        return [
            each.name for each in self.store.list_clusters('alpha', **options)
        ]

    def test_filters_are_met_together(self):
        self.create(name='a', tags=['x', 'y'])
        failed = self.create(name='a', tags=['x'])
        self.create(name='b', tags=['x'])
        self.store.writer(self.lease(failed)).set_status(Cluster.ERROR)
        self.assertEqual(3, len(self.names(tags=['x'])))
        self.assertEqual(['a'], self.names(tags=['x', 'y']))
        self.assertEqual(['a', 'a'], self.names(name='a'))
        self.assertEqual(
            [failed.id],
            [
                each.id
                for each in self.store.list_clusters(
                    name='a', status=Cluster.ERROR, tags=['x']
                )
            ],
        )
        self.assertEqual([], self.names(tags=['z']))

    def test_tags_differ_by_case(self):
        self.create(name='a', tags=['Web', 'web'])
        self.create(name='b', tags=['web'])
        self.assertEqual(['a'], self.names(tags=['Web']))

    def test_names_differ_by_case(self):
        made = self.create(
            name='Web',
            members=[db.NewMember(n, 'server', {}) for n in ('a', 'A')],
        )
        self.create(name='web')
        self.assertEqual(['Web'], self.names(name='Web'))
        self.assertEqual(
            ['a', 'A'],
            [member.name for member in self.store.get_members(made.id)],
        )

    def test_sorted_by_several_keys(self):
        for name in ('b', None, 'a', 'b'):
            self.create(name=name)
            self.clock.pass_seconds(1)
        self.assertEqual(
            [None, 'a', 'b', 'b'], self.names(sort=(('name', 'asc'),))
        )
        newest = self.store.list_clusters(
            sort=(('name', 'desc'), ('created_at', 'desc'))
        )
        self.assertEqual(['b', 'b', 'a', None], [c.name for c in newest])
        self.assertLess(newest[1].created_at, newest[0].created_at)

    def test_pages_have_every_cluster_once_in_any_order(self):
        for number in range(7):
            self.create(name=(None, 'a', 'b')[number % 3])
            self.clock.pass_seconds(number % 2)
        for first, second in itertools.permutations(listing.SORT_KEYS, 2):
            for directions in itertools.product(('asc', 'desc'), repeat=2):
                sort = list(zip((first, second), directions, strict=True))
                whole = self.store.list_clusters(sort=sort)
                self.assertEqual(whole, self.pages(sort), sort)

    def pages(self, sort):
        """Return what pages of two have together."""
        found = ()
        while True:
            marker = found[-1].id if found else None
            page = self.store.list_clusters(sort=sort, limit=2, marker=marker)
            found += page
            if not page:
                return found

    def test_page_follows_a_marker_that_was_deleted(self):
        first, second = self.create(), self.create()
        first, second = sorted((first, second), key=lambda each: each.id)
        writer = self.store.writer(self.lease(first))
        writer.set_status(Cluster.DELETING)
        writer.set_status(Cluster.DELETED)
        self.assertEqual(
            (second,),
            self.store.list_clusters(sort=(('id', 'asc'),), marker=first.id),
        )


class UpdateTest(base.StoreTest):
    def test_what_is_not_named_stays(self):
        made = self.create(metadata={'a': '1'}, tags=['x'])
        self.clock.pass_seconds(1)
        for changes in (
            {'name': 'new'},
            {'metadata': {'b': '2'}},
            {'tags': ['z', 'y', 'z']},
        ):
            changed = self.store.update_cluster(made.id, 'alpha', **changes)
        self.assertEqual(
            ('new', 'web', {'b': '2'}, ('y', 'z'), self.clock.now),
            (
                changed.name,
                changed.built_as,
                changed.metadata,
                changed.tags,
                changed.updated_at,
            ),
        )
        emptied = self.store.update_cluster(
            made.id, 'alpha', metadata={}, tags=[]
        )
        self.assertEqual(({}, ()), (emptied.metadata, emptied.tags))

    def test_engine_at_work_is_not_disturbed(self):
        made = self.create()
        writer = self.store.writer(self.lease(made))
        self.store.update_cluster(made.id, 'alpha', name='new')
        writer.set_status(Cluster.ERROR, 'no room')
        now = self.store.get_cluster(made.id)
        self.assertEqual(('new', Cluster.ERROR), (now.name, now.status))

    def test_cluster_of_another_project_cannot_be_changed(self):
        made = self.create(tags=['x'])
        self.assertRaises(
            exception.ClusterNotFound,
            self.store.update_cluster,
            made.id,
            'beta',
            name='new',
            tags=[],
        )
        self.assertEqual(made, self.store.get_cluster(made.id))

    def test_tags_go_with_their_cluster(self):
        made = self.create(tags=['x'])
        writer = self.store.writer(self.lease(made))
        writer.set_status(Cluster.DELETING)
        writer.set_status(Cluster.DELETED)
        self.clock.pass_seconds(1)
        self.assertEqual(1, self.store.purge(self.clock.now))
        self.assertEqual((), self.create(id=made.id).tags)
