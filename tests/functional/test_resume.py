# SPDX-License-Identifier: Apache-2.0
"""An engine dies at any moment; by a trust another one goes on for it."""

import collections
import datetime

import fixtures

from heat_vcluster import db, exception
from heat_vcluster.cloud import fake, model
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, deaths, documents
from tests.functional.deaths import ENOUGH


class ResumeTest(deaths.DeathCase):
    def make_cloud(self):
        return FakeCloud(trusts=True)

    def assert_complete(self, view):
        """It is ACTIVE, whole, and nothing is there twice."""
        self.assert_built(documents.SMALL, view)
        made = collections.Counter(
            (thing.kind, thing.owner)
            for thing in self.cloud.open(base.ANN).find(self.cluster)
        )
        self.assertEqual({1}, set(made.values()), made)
        self.assertEqual(10, len(made))
        self.assertEqual(1, len(self.cloud.world.trusts))

    def every_call_of_a_create(self, at):
        # The first call is for the trust: nothing is on record before it.
        for number in range(2, ENOUGH):
            has_died = self.create_and_die(number, at=at)
            view = self.settle_by_heir()
            self.assert_complete(view)
            told = self.events(self.cluster, None)
            self.assertEqual(1, told.count('active'))
            if not has_died:
                self.assertGreater(number, 25)
                return
            self.delete_by_heir()
        self.fail('a build has more calls than expected')

    def test_death_before_any_call_of_a_create(self):
        self.every_call_of_a_create('before')

    def test_death_after_any_call_of_a_create(self):
        self.every_call_of_a_create('after')

    def test_places_keep_the_names_that_the_dead_gave_them(self):
        def die(*arguments):
            self.cloud.faults._die()

        with fixtures.MonkeyPatch(
            'heat_vcluster.db.writer.Writer.set_plan', die
        ):
            self.assertTrue(self.create_and_die(ENOUGH))
        store = db.Store(self.url)
        self.addCleanup(store.close)
        before = {
            row.real: row.pseudonym
            for row in store.get_domains(self.cluster)
            if row.scope == 'rack'
        }
        # Whoever plans anew begins with another rack.
        for host in list(self.cloud.world.hosts.values()):
            if before.get(host.domains['rack']) == 'rack-1':
                self.cloud.disable_host(host.name)
        self.assert_complete(self.settle_by_heir())
        after = {
            row.real: row.pseudonym
            for row in store.get_domains(self.cluster)
            if row.scope == 'rack'
        }
        self.assertLess(before.items(), after.items())  # as sets

    def test_death_in_a_delete(self):
        for number in range(1, ENOUGH):
            self.cluster = self.create(documents.SMALL)
            self.settle(self.cluster)
            has_died = self.die(
                lambda doomed: doomed.delete(base.ANN, self.cluster), number
            )
            self.assertIsNone(self.settle_by_heir())
            self.assert_nothing_left()
            if not has_died:
                self.assertGreater(number, 15)
                return
        self.fail('a delete has more calls than expected')

    def test_death_in_a_rollback(self):
        for number in range(1, ENOUGH, 2):
            self.cloud.faults.ruin(model.Kind.SERVER, 'web')
            self.cloud.faults.before(
                'find',
                None,
                lambda call, n=number: self.cloud.faults.crash_at(n),
            )
            has_died = self.create_and_die(1000 + number)
            self.cloud.faults.clear()
            view = self.settle_by_heir()
            self.assert_failed(view, 'vcluster.member_failed', 'member web')
            self.assertEqual(
                {'DELETED'}, {m['status'] for m in view['members'].values()}
            )
            (left,) = self.cloud.leftovers()
            self.assertEqual([left], [*self.cloud.world.trusts])
            self.delete_by_heir()
            if not has_died:
                self.assertGreater(number, 15)
                return
        self.fail('a rollback has more calls than expected')

    def test_death_of_the_heir_too(self):
        """The second one dies at work on what the first one left."""
        for first in (8, 14, 22):
            for number in range(1, ENOUGH, 4):
                self.assertTrue(self.create_and_die(first))
                has_died = self.die_as_heir(number)
                self.assert_complete(self.settle_by_heir())
                self.delete_by_heir()
                self.forget()
                if not has_died:
                    break

    def die_as_heir(self, number):
        """Let a second one go on, and meet its death."""
        return self.die(
            lambda doomed: doomed.engine.attend(), number, clock=deaths.between
        )

    def forget(self):
        """Let the id be free for the next story."""
        db.Store(self.url).purge(deaths.later())

    def test_death_while_a_member_loses_its_place(self):
        """What is there of it then is not adopted, however good it looks."""
        rivals = []

        def steal(call):
            host = call.arguments['wanted'].host
            rivals.append(self.cloud.fill_host(host))

        for number in range(2, ENOUGH):
            self.cloud.faults.before('ensure_server', 'web', steal)
            has_died = self.create_and_die(number)
            self.assert_complete(self.settle_by_heir())
            self.assertEqual(1, self.events(self.cluster).count('moved'))
            self.delete_by_heir()
            self.cloud.vacate(rivals.pop())
            if not has_died:
                self.assertGreater(number, 35)
                return
        self.fail('a build has more calls than expected')

    def test_holds_that_were_lost_meanwhile_are_taken_again(self):
        self.assertTrue(self.create_and_die(10))
        self.assertEqual(2, len(self.cloud.world.holds))
        self.cloud.lose_holds()
        self.assert_complete(self.settle_by_heir())

    def test_member_whose_place_was_taken_meanwhile_moves(self):
        self.assertTrue(self.create_and_die(10))
        held = {h.member: h.place for h in self.cloud.world.holds.values()}
        self.cloud.lose_holds()
        self.cloud.fill_host(held['web'])
        self.assert_complete(self.settle_by_heir())
        places = self.cloud.places(self.cluster)
        self.assertEqual(held['db'], places['db'])
        self.assertNotEqual(held['web'], places['web'])

    def test_host_that_is_gone_meanwhile_still_counts_in_the_rules(self):
        """The finished peer sits there: the rules are about it, too."""
        self.assertTrue(self.create_and_die(1, name='attach_volume'))
        places = self.cloud.places(self.cluster)
        self.cloud.disable_host(places['db'])
        held = {h.member: h.place for h in self.cloud.world.holds.values()}
        self.cloud.lose_holds()
        self.cloud.fill_host(held['web'])
        self.assert_complete(self.settle_by_heir())
        self.assertEqual(places['db'], self.cloud.places(self.cluster)['db'])

    def test_quota_for_one_cluster_is_enough_to_go_on_with_it(self):
        self.cloud.set_quota('alpha', instances=2, volumes=1, networks=1)
        self.assertTrue(self.create_and_die(20))
        self.assert_complete(self.settle_by_heir())

    def test_member_that_failed_meanwhile_fails_the_cluster(self):
        self.cloud.faults.ruin(model.Kind.VOLUME, 'data', reason='bad disk')
        self.assertTrue(self.create_and_die(1, name='volume_state'))
        for item in list(self.cloud.world.items.values()):
            if item.kind is model.Kind.VOLUME:
                volume = self.cloud.open(base.ANN).volume_state
                self.until(
                    lambda v=volume, i=item: (
                        v(i.id).progress is model.Progress.FAILED
                    ),
                    'the failure',
                )
        view = self.settle_by_heir()
        self.assert_failed(
            view, 'vcluster.member_failed', 'member data', 'bad disk'
        )
        self.assertEqual(1, len(self.cloud.leftovers()))
        self.delete_by_heir()

    def test_heir_undoes_what_is_in_the_way_first(self):
        """Also what the dead made of members that it has not begun with."""

        def made(kind):
            there = self.cloud.open(base.ANN).find(self.cluster, kinds=[kind])
            return [thing.id for thing in there]

        def die(call):
            self.until(lambda: len(made(model.Kind.PORT)) == 2, 'the ports')
            self.cloud.faults.die()

        def delete(call):
            self.heir.delete(base.ANN, self.cluster)

        self.cloud.faults.before('ensure_router', None, die)
        self.assertTrue(self.create_and_die(ENOUGH))
        ports, nets = made(model.Kind.PORT), made(model.Kind.SUBNET)
        self.cloud.faults.after('ensure_subnet', None, delete)
        self.heir.engine.attend()
        self.until(lambda: self.show(self.cluster) is None, 'the end of it')
        self.assert_nothing_left()
        asked = [
            call.arguments['thing_id']
            for call in self.cloud.calls
            if call.name == 'delete'
        ]
        self.assertLess(
            max(map(asked.index, ports)), min(map(asked.index, nets))
        )

    def test_time_runs_out_while_nobody_is_there(self):
        self.assertTrue(self.create_and_die(20))
        store = db.Store(self.url, clock=deaths.later)
        lease = store.acquire(self.cluster, 'nobody', 0.0)
        past = datetime.datetime.fromtimestamp(0, datetime.UTC)
        store.writer(lease).set_deadline(past)
        view = self.settle_by_heir()
        self.assert_failed(view, 'vcluster.timed_out')
        self.assertEqual(1, len(self.cloud.leftovers()))
        self.delete_by_heir()

    def test_trust_that_is_gone_is_told(self):
        self.assertTrue(self.create_and_die(20))
        self.cloud.revoke_trusts()
        made = self.cloud.open(base.ANN).find(self.cluster)
        view = self.settle_by_heir()
        self.assert_failed(view, 'vcluster.trust_lost', 'trust')
        self.assertEqual({}, self.cloud.world.holds)
        self.assertEqual(made, self.cloud.open(base.ANN).find(self.cluster))
        self.delete_by_heir()

    def test_identity_service_that_is_away_is_asked_again(self):
        self.assertTrue(self.create_and_die(20))
        self.cloud.faults.fail(
            'trusted', error=exception.CloudError('keystone', 'away')
        )
        self.assertEqual('CREATING', self.settle_by_heir()['status'])
        self.assert_complete(self.settle_by_heir())

    def test_engine_that_stops_leaves_its_work_to_others(self):
        self.cloud.faults.stick(model.Kind.SERVER, 'web')
        self.cluster = self.create(documents.SMALL)
        self.until(
            lambda: 'web' in self.cloud.places(self.cluster), 'the server'
        )
        self.service.engine.stop(self.patience)
        view = self.show(self.cluster)
        self.assertEqual('CREATING', view['status'])
        self.cloud.faults.clear()
        other = self.make_service()
        other.engine.attend()  # there is no lease to wait for
        self.rest(self.cluster, other)
        after = self.show(self.cluster)
        self.assert_complete(after)
        self.assertEqual(
            {name: m['id'] for name, m in view['members'].items()},
            {name: m['id'] for name, m in after['members'].items()},
        )

    def test_engine_that_stops_leaves_a_delete_to_others(self):
        self.cluster = self.create(documents.SMALL)
        self.settle(self.cluster)
        self.cloud.faults.stick(model.Kind.SERVER, 'web', phase=fake.DELETING)
        self.service.delete(base.ANN, self.cluster)
        self.service.engine.stop(self.patience)
        self.assertEqual('DELETING', self.show(self.cluster)['status'])
        self.cloud.faults.clear()
        other = self.make_service()
        other.engine.attend()
        self.rest(self.cluster, other)
        self.assertIsNone(self.show(self.cluster))
        self.assert_nothing_left()
