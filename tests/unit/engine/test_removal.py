# SPDX-License-Identifier: Apache-2.0
"""One thing is removed, or it is said why it stays."""

from heat_vcluster import context, exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import DELETING, FakeCloud
from heat_vcluster.engine import base, removal
from heat_vcluster.spec import model as spec
from tests import base as test_base

Kind = model.Kind
QUICK = base.Settings(poll_interval=0.002, removal_timeout=0.2)


class RemovalTest(test_base.TestCase):
    def setUp(self):
        super().setUp()
        self.patch(removal, 'time', test_base.SleptTime())
        self.outside = FakeCloud()
        self.cloud = self.outside.open(context.Context('alpha', 'ann'))
        self.cloud.ensure_network(
            model.Owner('c', 'net'), 'net', spec.NetworkSpec()
        )
        (self.thing,) = self.cloud.find('c')

    def remove(self, **options):
        return removal.remove(self.cloud, self.thing, QUICK, **options)

    def refuse(self, times, error=None):
        self.outside.faults.refuse_delete(
            Kind.NETWORK,
            times=times,
            error=error or exception.CloudError('neutron', 'in use'),
        )

    def deletes(self):
        names = [call.name for call in self.outside.calls]
        return names.count('delete')

    def test_it_is_gone(self):
        self.assertIsNone(self.remove())
        self.assertEqual((), self.outside.leftovers())

    def test_gone_already_is_gone(self):
        self.outside.lose(self.thing.id)
        self.assertIsNone(self.remove())

    def test_refusals_are_borne(self):
        self.refuse(4)
        self.assertIsNone(self.remove())
        self.assertEqual(5, self.deletes())

    def test_it_stays_with_the_reason_of_the_service(self):
        self.refuse(None)
        left = self.remove()
        self.assertEqual(self.thing, left.thing)
        self.assertEqual('neutron: in use', left.reason)

    def test_whoever_may_act_no_more_tries_no_more(self):
        self.refuse(None, exception.LeaseLost('gone'))
        self.assertIn('interrupted', self.remove().reason)
        self.assertEqual(1, self.deletes())

    def give_up_sooner(self, error):
        self.refuse(None, error)
        self.remove()
        patient = self.deletes()
        self.remove(is_patient=False)
        self.assertLess(self.deletes() - patient, patient)

    def test_the_impatient_give_up_sooner(self):
        self.give_up_sooner(exception.CloudError('neutron', 'in use'))

    def test_the_impatient_do_not_wait_for_a_defect_either(self):
        self.give_up_sooner(ValueError('secret'))

    def test_the_impatient_wait_for_what_is_on_its_way(self):
        """Being deleted is no refusal, however long it takes."""
        polls = iter(range(20))

        class Slow:
            def delete(self, kind, thing_id):
                pass

            def is_gone(self, kind, thing_id):
                return next(polls) == 19

        slow = base.Settings(poll_interval=0.001, removal_timeout=20.0)
        self.assertIsNone(
            removal.remove(Slow(), self.thing, slow, is_patient=False)
        )

    def test_lack_of_rights_is_final(self):
        self.refuse(None, exception.CloudForbidden('neutron', 'no'))
        self.assertEqual('neutron: no', self.remove().reason)
        self.assertEqual(1, self.deletes())

    def test_defect_is_a_reason_too(self):
        self.refuse(None, ValueError('secret'))
        self.assertEqual('unexpected: ValueError', self.remove().reason)

    def test_stuck_thing(self):
        self.outside.faults.stick(Kind.VOLUME, phase=DELETING)
        self.cloud.ensure_volume(
            model.Owner('v', 'data'),
            model.VolumeRequest('data', spec.VolumeSpec(1)),
        )
        (thing,) = self.cloud.find('v')
        self.assertIsNotNone(self.cloud.volume_state(thing.id))
        left = removal.remove(self.cloud, thing, QUICK)
        self.assertIn('still there', left.reason)

    def test_abandoned_is_left_alone(self):
        left = self.remove(is_abandoned=lambda: True)
        self.assertIn('interrupted', left.reason)
        self.assertEqual(0, self.deletes())


class FindTest(test_base.TestCase):
    def setUp(self):
        super().setUp()
        self.outside = FakeCloud()
        self.cloud = self.outside.open(context.Context('alpha', 'ann'))
        for member in ('one', 'two'):
            self.cloud.ensure_network(
                model.Owner('c', member), member, spec.NetworkSpec()
            )

    def fail(self, times):
        self.outside.faults.fail(
            'find', error=exception.CloudError('fake', 'away'), times=times
        )

    def test_all_of_a_cluster_or_of_a_member(self):
        self.assertEqual(2, len(removal.find(self.cloud, QUICK, 'c')))
        (found,) = removal.find(self.cloud, QUICK, 'c', 'two', [Kind.NETWORK])
        self.assertEqual('two', found.owner.member)
        self.assertEqual(
            (), removal.find(self.cloud, QUICK, 'c', 'two', [Kind.PORT])
        )

    def test_cloud_is_asked_again(self):
        self.fail(removal.ATTEMPTS - 1)
        self.assertEqual(2, len(removal.find(self.cloud, QUICK, 'c')))

    def test_cloud_is_not_asked_for_ever(self):
        self.fail(removal.ATTEMPTS)
        self.assertRaises(
            exception.CloudError, removal.find, self.cloud, QUICK, 'c'
        )
