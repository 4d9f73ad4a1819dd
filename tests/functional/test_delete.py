# SPDX-License-Identifier: Apache-2.0
"""Deleting: of anything, at any moment, with a cloud that refuses.

Where a call is disturbed after its effect, every other one will do: before
the next is after this one, but for its answer.
"""

import dataclasses

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import DELETING, FakeCloud
from tests.functional import base, documents, numbered

Kind = model.Kind
ENOUGH = 60
IN_USE = 'fake: it is in use'


def refusal():
    return exception.CloudError('fake', 'it is in use')


class NumberedTest(base.EngineTest):
    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud


class DeleteTest(NumberedTest):
    def test_order_spares_refusals(self):
        view = self.build(documents.SMALL)
        before = len(self.cloud.calls)
        self.assertIsNone(self.delete(view['id']))
        kinds = []
        for call in self.cloud.calls[before:]:
            if call.name == 'delete':
                kind = call.arguments['thing_kind']
                if kind not in kinds[-1:]:
                    kinds.append(kind)
        # Of a cluster that has no snapshots.
        self.assertEqual(
            [kind for kind in Kind if kind in model.OF_MEMBERS], kinds
        )

    def test_deleted_cluster_is_found_by_nobody_but_its_events(self):
        view = self.build(documents.SMALL)
        self.assertIsNone(self.delete(view['id']))
        self.assertRaises(
            exception.ClusterNotFound,
            self.service.delete,
            base.ANN,
            view['id'],
        )
        self.assertEqual('deleted', self.events(view['id'])[-1])

    def test_two_deletes_at_once_are_one(self):
        view = self.build(documents.SMALL)
        self.service.delete(base.ANN, view['id'])
        self.service.delete(base.ANN, view['id'])
        self.assertIsNone(self.settle(view['id']))
        self.assertEqual(1, self.events(view['id']).count('delete'))

    def test_cluster_is_deleting_when_the_verb_returns(self):
        self.cloud.faults.stick(Kind.SERVER, 'db', phase=DELETING)
        view = self.build(documents.SMALL)
        self.service.delete(base.ANN, view['id'])
        self.assertEqual('DELETING', self.show(view['id'])['status'])
        self.cloud.faults.clear()
        self.assertIsNone(self.settle(view['id']))

    def test_things_that_vanished_already_are_no_trouble(self):
        view = self.build(documents.SMALL)
        for member in view['members'].values():
            self.cloud.lose(member['id'])
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def every_call(self, late):
        for number in range(1, ENOUGH, 1 + late):
            view = self.build(documents.SMALL)
            self.cloud.faults.at(number, numbered.raising(refusal), late=late)
            self.assertIsNone(self.delete(view['id']), number)
            self.assert_nothing_left()
            if self.cloud.faults.hit is None:
                self.assertGreater(number, 15)
                return
        self.fail('a delete has more calls than expected')

    def test_any_call_may_fail_once_without_effect(self):
        self.every_call(late=False)

    def test_any_call_may_fail_once_after_its_effect(self):
        self.every_call(late=True)


class RefusalTest(base.EngineTest):
    """What cannot be removed is named, and removed later."""

    settings = dataclasses.replace(base.FAST, removal_timeout=0.8)

    def left_behind(self, view):
        return {(each['member'], each['kind']) for each in view['leftovers']}

    def check_left(self, view, member, kind, reason=IN_USE):
        self.assertEqual('ERROR', view['status'])
        self.assertIn((member, str(kind)), self.left_behind(view))
        (told,) = [
            each for each in view['leftovers'] if each['kind'] == str(kind)
        ]
        self.assertEqual(reason, told['reason'])
        self.assertIn(f'{kind} {told["id"]}', view['status_reason'])
        self.assertIn(reason, view['status_reason'])
        self.assertIn('delete', view['status_reason'])
        self.assertEqual('ERROR', view['members'][member]['status'])
        self.assertIn(reason, view['members'][member]['reason'])
        self.assertEqual(
            {thing.id for thing in self.cloud.leftovers()},
            {each['id'] for each in view['leftovers']},
        )
        self.assert_secret(view)

    def refuse(self, kind, member=None, **options):
        self.cloud.faults.refuse_delete(
            kind, member, error=refusal(), **options
        )

    def test_refusals_for_a_while_are_borne(self):
        view = self.build(documents.SMALL)
        for kind in Kind:
            self.refuse(kind, times=3)
        self.service = self.make_service(settings=base.FAST)
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def test_refusals_for_ever_in_a_delete(self):
        hasty = self.service
        for kind, member in (
            (Kind.VOLUME, 'data'),
            (Kind.ROUTER, 'net'),
            (Kind.PORT, 'web'),
        ):
            view = self.build(documents.SMALL)
            self.refuse(kind, member)
            view = self.delete(view['id'])
            self.check_left(view, member, kind)
            self.assertEqual('vcluster.leftovers', view['error_code'])
            self.assertEqual('failed', self.events(view['id'])[-1])
            spared = {name for name, _ in self.left_behind(view)}
            for name, each in view['members'].items():
                if name not in spared:
                    self.assertEqual('DELETED', each['status'], name)
            again = self.delete(view['id'])
            self.check_left(again, member, kind)
            self.delete_for_good(view['id'])
            self.service = hasty

    def test_refusals_for_ever_in_a_rollback(self):
        self.cloud.faults.ruin(Kind.SERVER, 'web', reason='it broke')
        self.refuse(Kind.VOLUME, 'data')
        view = self.build(documents.SMALL)
        self.check_left(view, 'data', Kind.VOLUME)
        self.assertTrue(
            view['status_reason'].startswith('member web: it broke. 1 left')
        )
        self.assertEqual('vcluster.member_failed', view['error_code'])
        self.assertEqual('DELETED', view['members']['web']['status'])
        self.delete_for_good(view['id'])

    def test_lack_of_rights_is_not_waited_for(self):
        view = self.build(documents.SMALL)
        self.cloud.faults.refuse_delete(
            Kind.ROUTER, error=exception.CloudForbidden('neutron', 'no')
        )
        view = self.delete(view['id'])
        self.check_left(view, 'net', Kind.ROUTER, 'neutron: no')

    def test_server_that_never_goes(self):
        view = self.build(documents.SMALL)
        self.cloud.faults.stick(Kind.SERVER, 'db', phase=DELETING)
        view = self.delete(view['id'])
        self.assertEqual('ERROR', view['status'])
        self.assertIn(('db', 'server'), self.left_behind(view))
        self.assertIn('still there', view['status_reason'])
        self.assertIn(('data', 'volume'), self.left_behind(view))
        self.delete_for_good(view['id'])

    def test_cloud_that_does_not_tell_what_is_left(self):
        self.cloud.faults.ruin(Kind.SERVER, 'web')
        self.cloud.faults.fail('find', error=refusal(), times=None)
        view = self.build(documents.SMALL)
        self.assert_failed(
            view, 'vcluster.member_failed', 'could not be verified', 'delete'
        )
        self.assertEqual('ERROR', view['members']['db']['status'])
        view = self.delete(view['id'])
        self.assert_failed(view, 'vcluster.leftovers', 'not be verified')
        self.delete_for_good(view['id'])

    def test_holds_that_cannot_be_given_back(self):
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, watch_interval=3600.0)
        )
        self.cloud.faults.ruin(Kind.SERVER, 'db')
        self.cloud.faults.fail(
            'release', member='web', error=refusal(), times=None
        )
        self.cloud.faults.fail('release_holds', error=refusal(), times=None)
        view = self.build(documents.SMALL)
        self.assert_failed(
            view, 'vcluster.member_failed', 'held could not be given back'
        )
        self.assertEqual(1, len(self.cloud.world.holds))
        view = self.delete(view['id'])
        self.assert_failed(view, 'vcluster.leftovers', 'given back')
        self.delete_for_good(view['id'])

    def test_holds_are_given_back_later_without_a_delete(self):
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, watch_interval=3600.0)
        )
        self.cloud.faults.ruin(Kind.SERVER, 'db')
        for name in ('release', 'release_holds'):
            self.cloud.faults.fail(
                name, member='web', error=refusal(), times=None
            )
        view = self.build(documents.SMALL)
        self.rest(view['id'])
        self.service.engine.attend()
        self.assertEqual(1, len(self.cloud.world.holds))
        self.cloud.faults.clear()
        self.service.engine.attend()
        self.assert_nothing_left()
        self.assertEqual('released', self.events(view['id'])[-1])
        told = len(self.events(view['id']))
        self.service.engine.attend()
        self.assertEqual(told, len(self.events(view['id'])))


class UnlistedTest(base.EngineTest):
    """Things without their tags, or in no list for another reason."""

    def hide(self, *kinds):
        for item in self.cloud.leftovers():
            if item.kind in kinds:
                item.owner = None

    def test_what_is_on_record_goes_too(self):
        # A server group is of a rule: no member has it on record.
        for kind in model.OF_MEMBERS - {Kind.SERVER_GROUP}:
            view = self.build(documents.SMALL)
            self.hide(kind)
            self.assertIsNone(self.delete(view['id']), kind)
            self.assert_nothing_left()

    def test_it_goes_in_a_rollback(self):
        self.cloud.faults.ruin(Kind.SERVER, 'web')
        self.cloud.faults.before(
            'ensure_server', 'web', lambda call: self.hide(Kind.SERVER)
        )
        self.assertEqual('ERROR', self.build(documents.SMALL)['status'])
        self.assert_nothing_left()

    def test_what_refuses_to_go_is_left_behind(self):
        view = self.build(documents.SMALL)
        self.hide(Kind.SERVER)
        self.cloud.faults.refuse_delete(
            Kind.SERVER, error=exception.CloudForbidden('nova', 'no')
        )
        view = self.delete(view['id'])
        self.assert_failed(view, 'vcluster.leftovers', 'nova: no')
        self.assertEqual('ERROR', view['members']['db']['status'])
        self.delete_for_good(view['id'])

    def test_what_was_listed_is_not_asked_for_twice(self):
        view = self.build(documents.SMALL)
        things = len(self.cloud.leftovers())
        before = len(self.cloud.calls)
        self.assertIsNone(self.delete(view['id']))
        asked = {
            call.arguments['thing_id']
            for call in self.cloud.calls[before:]
            if call.name == 'delete'
        }
        self.assertEqual(things, len(asked))


class AnyMomentTest(NumberedTest):
    """A delete comes while the cluster is being built."""

    def test_delete_at_once(self):
        cluster = self.create(documents.SMALL)
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()

    def every_moment(self, late):
        for number in range(1, ENOUGH, 1 + late):
            statuses = self.story(number, late)
            if self.cloud.faults.hit is None:
                self.assertGreater(number, 25)
                return
            self.assertNotIn('ERROR', statuses)
        self.fail('a build has more calls than expected')

    def story(self, number, late):
        """Delete at the n-th call; return the statuses seen until gone."""
        cluster = f'00000000-0000-0000-{int(late):04}-{number:012}'

        def delete(call):
            self.service.delete(base.ANN, cluster)

        self.cloud.faults.at(number, delete, late=late)
        self.create(documents.SMALL, cluster_id=cluster)
        statuses = []

        def is_over():
            view = self.show(cluster)
            status = view and view['status']
            if status not in statuses[-1:]:
                statuses.append(status)
            was_missed = self.cloud.faults.hit is None
            return status in (None, 'ERROR') or (
                was_missed and status == 'ACTIVE'
            )

        self.until(is_over, 'the end of the cluster')
        if statuses[-1] == 'ACTIVE':
            self.delete(cluster)
        self.assert_nothing_left()
        self.assertEqual('deleted', self.events(cluster)[-1])
        return statuses

    def test_delete_before_any_call(self):
        self.every_moment(late=False)

    def test_delete_after_any_call(self):
        self.every_moment(late=True)

    def test_delete_in_a_rollback(self):
        for number in range(1, ENOUGH, 3):
            self.cloud.faults.clear()
            self.cloud.faults.ruin(Kind.SERVER, 'web')
            self.cloud.faults.before('find', None, self.order_delete(number))
            # Known before it is there: the rollback may be as quick as that.
            self.cluster = f'00000000-0000-0000-0000-{number:012}'
            self.create(documents.SMALL, cluster_id=self.cluster)
            self.until(
                lambda: (
                    (self.show(self.cluster) or {'status': 'gone'})['status']
                    in ('ERROR', 'gone')
                ),
                'the end',
            )
            if self.cloud.faults.hit is None:
                return
            self.assertIsNone(self.settle(self.cluster))
            self.assert_nothing_left()
        self.fail('a rollback has more calls than expected')

    def order_delete(self, number):
        def order(call):
            self.cloud.faults.at(
                number,
                lambda call: self.service.delete(base.ANN, self.cluster),
            )

        return order
