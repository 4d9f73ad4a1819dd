# SPDX-License-Identifier: Apache-2.0
"""A cluster is copied whole or not at all, built of that, and restored."""

import threading

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents, upkeep

#: ``web`` has a volume, ``db`` boots from one.
DOCUMENT = {
    'instances': [
        {'name': 'data', 'type': 'volume', 'spec': {'size': 2}},
        {
            'name': 'root',
            'type': 'volume',
            'spec': {'size': 3, 'image': 'cirros'},
        },
        documents.server('web', volumes=['data']),
        {
            'name': 'db',
            'type': 'server',
            'spec': {'flavor': 'tiny', 'boot_volume': 'root'},
        },
    ],
    'groups': [],
}


class SnapshotCase(upkeep.UpkeepCase):
    def take(self, cluster_id, **asked):
        made = self.service.create_snapshot(base.ANN, cluster_id, **asked)
        self.settle(cluster_id)
        return self.service.snapshot(base.ANN, cluster_id, made['id'])

    def drop(self, cluster_id, snapshot_id):
        self.service.delete_snapshot(base.ANN, cluster_id, snapshot_id)
        return self.settle(cluster_id)

    def restore(self, cluster_id, snapshot_id):
        self.service.restore(base.ANN, cluster_id, snapshot_id)
        view = self.settle(cluster_id)
        self.assertEqual('ACTIVE', view['status'])
        self.assertIsNone(view['error_code'], view['status_reason'])
        return view

    def ids(self, view):
        return {name: m['id'] for name, m in view['members'].items()}

    def there(self, *kinds):
        return {
            item.id
            for item in self.cloud.world.items.values()
            if item.kind in kinds and not item.is_preset
        }

    def copies(self):
        return self.there('image', 'volume_snapshot')


class SnapshotTest(SnapshotCase):
    def test_all_that_is_on_disks_is_copied(self):
        cluster_id = self.build(DOCUMENT)['id']
        made = self.take(cluster_id, name='before')
        self.assertEqual('AVAILABLE', made['status'], made['status_reason'])
        self.assertEqual(
            {'data', 'root', 'web'}, {m['member'] for m in made['members']}
        )
        self.assertEqual(self.copies(), {m['id'] for m in made['members']})
        self.assertEqual('ACTIVE', self.show(cluster_id)['status'])
        [listed] = self.service.snapshots(base.ANN, cluster_id)
        self.assertEqual(made, {**listed, 'document': made['document']})

    def test_it_goes_alone_and_leaves_nothing(self):
        cluster_id = self.build(DOCUMENT)['id']
        one, two = (self.take(cluster_id)['id'] for _ in range(2))
        self.drop(cluster_id, one)
        [left] = self.service.snapshots(base.ANN, cluster_id)
        self.assertEqual(two, left['id'])
        self.assertEqual(self.copies(), {m['id'] for m in left['members']})
        self.drop(cluster_id, two)
        self.assertEqual(set(), self.copies())
        self.assertIsNone(self.delete(cluster_id))
        self.assert_nothing_left()

    def test_a_cluster_takes_its_snapshots_along(self):
        cluster_id = self.build(DOCUMENT)['id']
        self.take(cluster_id)
        self.assertIsNone(self.delete(cluster_id))
        self.assert_nothing_left()

    def test_it_is_taken_of_what_is_off(self):
        cluster_id = self.build(DOCUMENT)['id']
        self.do('stop', cluster_id)
        made = self.take(cluster_id)
        self.assertEqual('AVAILABLE', made['status'])
        self.assertEqual('STOPPED', self.show(cluster_id)['status'])

    def test_its_document_builds_another_cluster(self):
        cluster_id = self.build(DOCUMENT)['id']
        made = self.take(cluster_id)
        other = self.build(made['document'])
        self.assertEqual('ACTIVE', other['status'], other['status_reason'])
        ours = {m['member']: m['id'] for m in made['members']}
        made_of = self.cloud.item(other['members']['web']['id']).image_id
        self.assertEqual(ours['web'], made_of)
        for name in ('data', 'root'):
            asked = self.cloud.item(other['members'][name]['id']).asked
            self.assertEqual(ours[name], asked.snapshot_id)
        self.assertIsNone(self.delete(other['id']))
        self.assertIsNone(self.delete(cluster_id))
        self.assert_nothing_left()

    def test_to_restore_makes_all_anew_as_often_as_one_likes(self):
        view = self.build(DOCUMENT)
        made = self.take(view['id'])
        for _ in range(3):
            before = self.ids(view)
            view = self.restore(view['id'], made['id'])
            after = self.ids(view)
            self.assertEqual([*before], [*after])
            self.assertFalse({*before.values()} & {*after.values()})

    def test_volumes_stay_for_as_long_as_a_snapshot_needs_them(self):
        view = self.build(DOCUMENT)
        one = self.take(view['id'])['id']
        two = self.take(view['id'])['id']
        first = {self.ids(view)[name] for name in ('data', 'root')}
        view = self.restore(view['id'], one)
        second = {self.ids(view)[name] for name in ('data', 'root')}
        self.assertEqual(first | second, self.there('volume'))
        self.drop(view['id'], one)
        self.assertEqual(first | second, self.there('volume'))
        self.drop(view['id'], two)
        self.assertEqual(second, self.there('volume'))
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_kept_volumes_go_with_the_cluster(self):
        view = self.build(DOCUMENT)
        self.restore(view['id'], self.take(view['id'])['id'])
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_copies_have_their_own_sources_and_their_numbers(self):
        web = {**documents.server('web'), 'count': 2}
        group = {
            'name': 'apart',
            'spec': {'policy': 'anti-affinity'},
            'members': ['web'],
        }
        document = {'instances': [web], 'groups': [group]}
        view = self.build(document)
        made = self.take(view['id'])
        grown = {**document, 'instances': [{**web, 'count': 3}]}
        self.service.update(base.ANN, view['id'], document=grown)
        view = self.settle(view['id'])
        self.assertEqual(3, len(view['members']))
        view = self.restore(view['id'], made['id'])
        ours = {m['member']: m['id'] for m in made['members']}
        self.assertEqual({'web-0', 'web-1'}, {*view['members']})
        for name, server in self.ids(view).items():
            self.assertEqual(ours[name], self.cloud.item(server).image_id)

    def test_a_failed_one_leaves_nothing_and_says_why(self):
        cluster_id = self.build(DOCUMENT)['id']
        self.cloud.set_quota('alpha', images=0)
        made = self.take(cluster_id)
        self.assertEqual('ERROR', made['status'])
        self.assertIn('Quota exceeded for images', made['status_reason'])
        self.assertEqual(set(), self.copies())
        view = self.show(cluster_id)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.quota_exceeded', view['error_code'])
        self.assertIn('snapshot: member web', view['status_reason'])
        self.assertRaises(
            exception.SnapshotNotReady,
            self.service.restore,
            base.ANN,
            cluster_id,
            made['id'],
        )
        self.drop(cluster_id, made['id'])
        self.assertEqual([], self.service.snapshots(base.ANN, cluster_id))

    def test_a_copy_that_the_service_gives_up_is_told(self):
        cluster_id = self.build(DOCUMENT)['id']
        for kind, member in (('image', 'web'), ('volume_snapshot', 'data')):
            self.cloud.faults.ruin(kind, member, reason='no room')
            made = self.take(cluster_id)
            self.assertEqual('ERROR', made['status'])
            self.assertIn(f'member {member}', made['status_reason'])
            self.assertEqual(set(), self.copies())

    def test_what_is_restored_outlives_its_snapshot(self):
        view = self.build(SMALL)
        made = self.take(view['id'])['id']
        view = self.restore(view['id'], made)
        self.drop(view['id'], made)
        view = self.do('check', view['id'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        more = {
            'instances': [*view['instances'], documents.server('app')],
            'groups': [],
            'sources': view['sources'],
        }
        before = self.ids(view)
        self.service.update(base.ANN, view['id'], document=more)
        view = self.settle(view['id'])
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.assertLessEqual(before.items(), self.ids(view).items())

    def test_what_has_no_disks_has_an_empty_one(self):
        network = {'name': 'net', 'type': 'network', 'spec': {}}
        view = self.build({'instances': [network], 'groups': []})
        made = self.take(view['id'])
        self.assertEqual('AVAILABLE', made['status'], made['status_reason'])
        self.assertEqual([], made['members'])

    def test_another_tenants_is_not_found(self):
        cluster_id = self.build(DOCUMENT)['id']
        other = self.build(DOCUMENT)['id']
        made = self.take(cluster_id)['id']
        self.assertRaises(
            exception.SnapshotNotFound,
            self.service.snapshot,
            base.ANN,
            other,
            made,
        )
        self.assertRaises(
            exception.ClusterNotFound,
            self.service.snapshot,
            base.BOB,
            cluster_id,
            made,
        )

    def test_said_again_with_its_id_it_is_the_same(self):
        cluster_id = self.build(DOCUMENT)['id']
        made = self.take(cluster_id)
        again = self.take(cluster_id, snapshot_id=made['id'])
        self.assertEqual(made, again)


#: No more than one of each kind: every call is a story of its own.
SMALL = {
    'instances': [
        {'name': 'data', 'type': 'volume', 'spec': {'size': 1}},
        documents.server('web', volumes=['data']),
    ],
    'groups': [],
}


#: What making one asks of the cloud.
CALLS = (
    'delete',
    'ensure_image',
    'ensure_volume_snapshot',
    'find',
    'image_state',
    'is_gone',
    'volume_snapshot_state',
)


class FailingSnapshotTest(SnapshotCase):
    def fail_every_call(self, names, act, judge):
        """A fault at each call of these names; ``act()`` has them made."""
        for number in range(1, upkeep.ENOUGH):
            count = iter(range(1, upkeep.ENOUGH * 10))

            def refuse(call, count=count, number=number):
                if next(count) == number:
                    raise upkeep.REFUSAL

            for name in names:
                self.cloud.faults.before(name, None, refuse, times=None)
            made = act()
            self.cloud.faults.clear()
            if next(count) <= number:
                return number
            judge(made)
        self.fail('there are more calls than expected')

    def test_a_fault_at_every_call_of_making_one(self):
        cluster_id = self.build(SMALL)['id']

        def judge(made):
            if made['status'] == 'ERROR':
                self.assertEqual(set(), self.copies(), made['status_reason'])
                self.assertIn('it is broken', made['status_reason'])
            self.assertEqual('ACTIVE', self.show(cluster_id)['status'])
            self.drop(cluster_id, made['id'])
            self.assertEqual(set(), self.copies())

        calls = self.fail_every_call(
            CALLS, lambda: self.take(cluster_id), judge
        )
        self.assertGreater(calls, 6)

    def test_a_fault_at_every_call_of_removing_one(self):
        cluster_id = self.build(SMALL)['id']

        def act():
            made = self.take(cluster_id)['id']
            self.drop(cluster_id, made)
            return made

        def judge(made):
            left = self.service.snapshots(base.ANN, cluster_id)
            if left:
                self.assertEqual('ERROR', left[0]['status'])
                self.drop(cluster_id, made)
            self.assertEqual([], self.service.snapshots(base.ANN, cluster_id))
            self.assertEqual(set(), self.copies())

        self.fail_every_call(('find', 'delete', 'is_gone'), act, judge)

    def test_a_cluster_is_not_released_from_its_snapshots(self):
        cluster_id = self.build(SMALL)['id']
        made = self.take(cluster_id)['id']
        self.assertRaises(
            exception.HasSnapshots, self.service.release, base.ANN, cluster_id
        )
        self.assertEqual('ACTIVE', self.show(cluster_id)['status'])
        self.assertEqual(2, len(self.copies()))
        self.drop(cluster_id, made)
        self.service.release(base.ANN, cluster_id)
        self.assertIsNone(self.settle(cluster_id))

    def test_what_stays_is_told_and_goes_at_the_next_attempt(self):
        view = self.build(SMALL)
        made = self.take(view['id'])['id']
        self.cloud.faults.fail(
            'delete',
            member='data',
            error=exception.CloudForbidden('cinder', 'not you'),
        )
        settled = self.drop(view['id'], made)
        self.assertEqual('vcluster.snapshot_left', settled['error_code'])
        found = self.service.snapshot(base.ANN, view['id'], made)
        self.assertEqual('ERROR', found['status'])
        self.assertIn('cinder: not you', found['status_reason'])
        self.assertIsNone(found['document'])
        # It still keeps the volume: cinder would not let go of it.
        other = {**SMALL, 'instances': [documents.server('web')]}
        self.service.update(base.ANN, view['id'], document=other)
        view = self.settle(view['id'])
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.drop(view['id'], made)
        self.assertEqual(set(), self.copies() | self.there('volume'))

    def test_a_restore_that_fails_leaves_the_cluster_as_it_is(self):
        view = self.build(SMALL)
        made = self.take(view['id'])['id']
        before = self.ids(view)
        self.cloud.faults.ruin('server', reason='no more disk')
        self.service.restore(base.ANN, view['id'], made)
        view = self.settle(view['id'])
        self.assertEqual('ACTIVE', view['status'])
        self.assertIn('no more disk', view['status_reason'])
        self.assertEqual(before, self.ids(view))
        self.assertEqual({before['data']}, self.there('volume'))

    def test_one_that_is_being_made_cannot_be_deleted_yet(self):
        cluster_id = self.build(SMALL)['id']
        self.cloud.faults.stick('image', 'web', phase='building')
        made = self.service.create_snapshot(base.ANN, cluster_id)
        self.until(lambda: self.there('image'), 'the image to be begun')
        self.assertRaises(
            exception.WrongStatus,
            self.service.delete_snapshot,
            base.ANN,
            cluster_id,
            made['id'],
        )
        self.cloud.faults.clear()
        self.settle(cluster_id)
        made = self.service.snapshot(base.ANN, cluster_id, made['id'])
        self.assertEqual('AVAILABLE', made['status'])
        self.drop(cluster_id, made['id'])
        self.assertEqual([], self.service.snapshots(base.ANN, cluster_id))

    def test_one_that_is_being_deleted_can_be_deleted_again(self):
        cluster_id = self.build(SMALL)['id']
        made = self.take(cluster_id)
        go_on = threading.Event()
        self.cloud.faults.before('delete', None, lambda call: go_on.wait(60))
        for _ in range(2):
            self.service.delete_snapshot(base.ANN, cluster_id, made['id'])
            told = self.service.snapshot(base.ANN, cluster_id, made['id'])
            self.assertEqual('DELETING', told['status'])
        go_on.set()
        self.settle(cluster_id)
        self.assertEqual([], self.service.snapshots(base.ANN, cluster_id))

    def test_a_cluster_that_is_deleted_meanwhile_takes_all_along(self):
        cluster_id = self.build(SMALL)['id']
        self.cloud.faults.stick('image', 'web', phase='building')
        self.service.create_snapshot(base.ANN, cluster_id)
        self.until(lambda: self.there('image'), 'the image to be begun')
        self.assertIsNone(self.delete(cluster_id))
        self.cloud.faults.clear()
        self.assert_nothing_left()


class DyingSnapshotTest(upkeep.DyingCase):
    def judge_making(self, view):
        self.assertIn(view['status'], ('ACTIVE',), view['status_reason'])
        found = self.heir.snapshots(base.ANN, self.cluster)
        copies = {
            item.id
            for item in self.cloud.world.items.values()
            if item.kind in ('image', 'volume_snapshot')
        }
        told = {m['id'] for each in found for m in each['members']}
        self.assertEqual(copies, told)
        for each in found:
            self.assertEqual('AVAILABLE', each['status'])

    def test_an_heir_with_a_trust_completes_it(self):
        def clear(view):
            for each in self.service.snapshots(base.ANN, view['id']):
                self.service.delete_snapshot(base.ANN, view['id'], each['id'])
                self.settle(view['id'])

        self.die_everywhere(SMALL, 'create_snapshot', self.judge_making, clear)

    def test_an_heir_with_a_trust_removes_it(self):
        def make(view):
            made = self.service.create_snapshot(base.ANN, view['id'])
            self.settle(view['id'])
            self.snapshot = made['id']

        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual([], self.heir.snapshots(base.ANN, view['id']))
            kinds = {item.kind for item in self.cloud.world.items.values()}
            self.assertFalse(kinds & {'image', 'volume_snapshot'})

        self.die_everywhere(SMALL, 'drop_snapshot', judge, make)

    def ask(self, service, verb, cluster_id, **asked):
        if verb == 'drop_snapshot':
            return service.delete_snapshot(base.ANN, cluster_id, self.snapshot)
        return super().ask(service, verb, cluster_id, **asked)


class DyingSnapshotWithoutTrustTest(upkeep.DyingCase):
    trusts = False

    def test_what_is_half_made_is_told_and_can_be_removed(self):
        self.cluster = self.build(SMALL)['id']
        self.assertTrue(
            self.die(
                lambda s: s.create_snapshot(base.ANN, self.cluster),
                1,
                at='after',
                name='ensure_image',
            )
        )
        view = self.settle_by_heir()
        self.assertEqual('ACTIVE', view['status'])
        [found] = self.heir.snapshots(base.ANN, self.cluster)
        self.assertEqual('ERROR', found['status'])
        self.assertIn('its engine died', found['status_reason'])
        self.heir.delete_snapshot(base.ANN, self.cluster, found['id'])
        self.settle(self.cluster, service=self.heir)
        self.assertEqual([], self.heir.snapshots(base.ANN, self.cluster))
        self.delete_by_heir()


class StoppingSnapshotTest(SnapshotCase):
    def make_cloud(self):
        return FakeCloud(trusts=True)

    def test_an_engine_that_goes_down_leaves_it_to_another(self):
        cluster_id = self.build(SMALL)['id']
        self.cloud.faults.stick('image', 'web', phase='building')
        made = self.service.create_snapshot(base.ANN, cluster_id)['id']
        self.until(lambda: self.there('image'), 'the image to be begun')
        begun = self.there('image')
        self.service.stop()
        self.cloud.faults.clear()
        self.service = self.make_service()
        self.service.engine.attend()
        self.settle(cluster_id)
        found = self.service.snapshot(base.ANN, cluster_id, made)
        self.assertEqual('AVAILABLE', found['status'], found['status_reason'])
        self.assertEqual(begun, self.there('image'))
