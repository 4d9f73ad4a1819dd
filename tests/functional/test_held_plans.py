# SPDX-License-Identifier: Apache-2.0
"""Plans whose room is held, when things go wrong meanwhile."""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, deaths, documents
from tests.functional.deaths import ENOUGH


class HeldPlanTest(deaths.DeathCase):
    """An hour later, when ``heir`` lives, each of these plans is expired."""

    plan_id = '00000000-0000-0000-0000-000000000001'

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def hold(self, service=None):
        return (service or self.service).plan(
            base.ANN,
            documents.SMALL,
            hold_seconds=60,
            plan_id=self.plan_id,
        )

    def held(self):
        """Return member -> host of what really is held."""
        holds = self.cloud.world.holds.values()
        return {hold.member: hold.place for hold in holds}

    def build_planned(self):
        self.service.create_planned(base.ANN, self.plan_id)
        return self.settle(self.plan_id)

    def servers(self):
        places = self.cloud.places(self.plan_id)
        return {name: places[name] for name in ('db', 'web')}

    def assert_plan_gone(self):
        self.assertEqual({}, self.held())
        self.assertRaises(
            exception.PlanNotFound,
            self.service.show_plan,
            base.ANN,
            self.plan_id,
        )

    def test_release_that_is_refused_is_made_up_for(self):
        self.hold()
        self.cloud.faults.fail(
            'release_holds',
            error=exception.CloudError('placement', 'away'),
            times=3,
        )
        self.service.release_plan(base.ANN, self.plan_id)
        self.assertNotEqual({}, self.held())
        self.attend_by_heir()
        self.assert_plan_gone()

    def attend_by_heir(self):
        self.heir.engine.attend()
        self.rest(self.plan_id, self.heir)

    def test_expired_plan_is_given_back(self):
        self.hold()
        self.attend_by_heir()
        self.assert_nothing_left()
        self.assertRaises(
            exception.PlanNotFound,
            self.service.create_planned,
            base.ANN,
            self.plan_id,
        )
        self.assert_nothing_left()

    def test_room_that_an_audit_took_is_held_again(self):
        self.hold()
        held = self.held()
        self.cloud.lose_holds()
        self.assert_built(documents.SMALL, self.build_planned())
        self.assertEqual(held, self.servers())
        self.assertEqual(2, self.calls()['reserve'])

    def test_member_whose_room_went_to_others_moves(self):
        self.hold()
        held = self.held()
        self.cloud.lose_holds()
        self.cloud.fill_host(held['web'])
        self.assert_built(documents.SMALL, self.build_planned())
        servers = self.servers()
        self.assertEqual(held['db'], servers['db'])
        self.assertNotEqual(held['web'], servers['web'])
        self.assertEqual(1, self.events(self.plan_id).count('moved'))

    def test_claimed_plan_can_be_deleted(self):
        self.hold()
        self.cloud.faults.stick('server', 'web')
        self.service.create_planned(base.ANN, self.plan_id)
        self.assertIsNone(self.delete(self.plan_id))
        self.assert_nothing_left()

    def test_death_while_it_is_held(self):
        for number in range(1, ENOUGH):
            self.cluster = self.plan_id = f'{number:08}-0000-0000-0000-{0:012}'
            has_died = self.die(
                lambda doomed: self.hold(service=doomed), number
            )
            self.attend_by_heir()
            self.assert_nothing_left()
            if not has_died:
                self.assertGreater(number, 3)
                return
        self.fail('a hold has more calls than expected')

    def test_death_when_it_is_built(self):
        # The first call is for the trust: it is not claimed before that.
        for number in range(2, ENOUGH):
            self.cluster = self.plan_id = f'{number:08}-0000-0000-0000-{0:012}'
            self.hold()
            held = self.held()
            has_died = self.die(
                lambda doomed: doomed.create_planned(base.ANN, self.plan_id),
                number,
            )
            self.attend_by_heir()
            self.assert_built(documents.SMALL, self.show(self.plan_id))
            self.assertEqual(held, self.servers())
            self.assertIsNone(self.delete(self.plan_id))
            self.assert_nothing_left()
            if not has_died:
                self.assertGreater(number, 20)
                return
        self.fail('a build has more calls than expected')
