# SPDX-License-Identifier: Apache-2.0
"""An operator's audit takes what is held for plans; it is held again."""

import dataclasses
import threading

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents

AWAY = exception.CloudError('placement', 'away')


class AuditTest(base.EngineTest):
    # Nobody looks but by order.
    settings = dataclasses.replace(base.FAST, watch_interval=3600.0)

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def setUp(self):
        super().setUp()
        plan = self.service.plan(base.ANN, documents.SMALL, hold_seconds=3600)
        self.plan_id = plan['id']
        self.held = dict(self.cloud.world.holds)
        self.place = {hold.member: hold.place for hold in self.held.values()}

    def audit(self):
        self.service.engine.audit()

    def holds(self):
        return dict(self.cloud.world.holds)

    def build(self):
        self.service.create_planned(base.ANN, self.plan_id)
        view = self.settle(self.plan_id)
        self.assert_built(documents.SMALL, view)
        places = self.cloud.places(self.plan_id)
        return {name: places[name] for name in self.place}

    def test_what_was_lost_is_held_again_before_others_take_it(self):
        self.cloud.lose_holds()
        self.service.engine.attend()
        self.assertEqual(self.held, self.holds())
        self.assertEqual(self.place, self.build())

    def test_what_is_held_is_left_alone(self):
        before = len(self.cloud.calls)
        self.audit()
        self.assertEqual({'missing_holds': 1}, self.calls(before))

    def test_place_that_others_took_is_given_up_and_the_rest_held(self):
        self.cloud.lose_holds()
        self.cloud.fill_host(self.place['web'])
        self.audit()
        self.assertEqual(
            {'db': self.place['db']},
            {hold.member: hold.place for hold in self.holds().values()},
        )
        self.assertEqual(['space_lost'], self.events_of_plan('web'))
        before = len(self.cloud.calls)
        self.audit()
        self.assertEqual({'missing_holds': 1}, self.calls(before))
        places = self.build()
        self.assertEqual(self.place['db'], places['db'])
        self.assertNotEqual(self.place['web'], places['web'])

    def events_of_plan(self, member):
        events = self.service.engine._store.get_events(self.plan_id)
        return [each.kind for each in events if each.member == member]

    def test_cloud_that_is_away_is_asked_again(self):
        self.cloud.lose_holds()
        for name in ('missing_holds', 'reserve'):
            self.cloud.faults.fail(name, error=AWAY)
            self.audit()
            self.assertEqual({}, self.holds())
        self.audit()
        self.assertEqual(self.held, self.holds())

    def test_plan_that_is_released_meanwhile_is_not_held_again(self):
        self.cloud.lose_holds()
        self.cloud.faults.after(
            'missing_holds',
            None,
            lambda call: self.service.release_plan(base.ANN, self.plan_id),
        )
        self.audit()
        self.assert_nothing_left()

    def test_plan_that_is_built_meanwhile_is_not_held_again(self):
        self.cloud.lose_holds()
        built = []
        self.cloud.faults.after(
            'missing_holds', None, lambda call: built.append(self.build())
        )
        self.audit()
        self.assertEqual([self.place], built)
        self.assertEqual({}, self.holds())

    def test_who_comes_to_build_it_waits_until_it_is_held(self):
        self.cloud.lose_holds()
        has_claimed = threading.Event()

        def claim(call):
            self.service.create_planned(base.ANN, self.plan_id)
            has_claimed.set()

        self.cloud.faults.before('reserve', None, claim)
        self.audit()
        self.assertTrue(has_claimed.is_set())
        self.assert_built(documents.SMALL, self.settle(self.plan_id))
