# SPDX-License-Identifier: Apache-2.0
"""A server that is lost is made again, with all that hung on it."""

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents, upkeep

BOOTED = {
    'instances': [
        {
            'name': 'root',
            'type': 'volume',
            'spec': {'size': 1, 'image': 'cirros'},
        },
        {
            'name': 'm',
            'type': 'server',
            'spec': {'boot_volume': 'root', 'flavor': 'small'},
        },
    ],
    'groups': [documents.group('affinity', 'm', 'root', scope='rack')],
}


class HealTest(upkeep.UpkeepCase):
    def heal(self, cluster_id, document):
        """Heal, and see that all is as if it had just been built."""
        view = self.do('heal', cluster_id)
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assert_built(document, view)
        return view

    def facts(self, cluster_id):
        rows = self.service._store.get_members(cluster_id)
        return {row.name: row.facts for row in rows}

    def test_a_server_that_is_gone_comes_back_with_all_it_had(self):
        before = self.build(documents.SMALL)
        facts = self.facts(before['id'])
        self.cloud.lose(self.server(before, 'db'))
        view = self.heal(before['id'], documents.SMALL)
        now = self.facts(before['id'])
        self.assertNotEqual(now['db']['server_id'], facts['db']['server_id'])
        for part in ('ports', 'floating_ips'):
            self.assertEqual(facts['db'][part], now['db'][part])
        self.assertEqual(
            before['members']['db']['addresses'],
            view['members']['db']['addresses'],
        )
        self.assertEqual(
            {facts['data']['volume_id']},
            {*self.cloud.item(now['db']['server_id']).links},
        )
        for name in ('net', 'data', 'web'):
            self.assertEqual(before['members'][name], view['members'][name])

    def test_one_in_error_is_removed_first(self):
        before = self.build(documents.SMALL)
        for name in ('db', 'web'):
            self.cloud.spoil(self.server(before, name))
        self.heal(before['id'], documents.SMALL)
        self.assertIn('place_again', self.events(before['id']))

    def test_it_boots_from_the_volume_it_had(self):
        before = self.build(BOOTED)
        self.cloud.spoil(self.server(before, 'm'))
        view = self.heal(before['id'], BOOTED)
        self.assertEqual(
            self.server(before, 'root'),
            self.cloud.item(self.server(view, 'm')).boot_volume_id,
        )

    def test_volumes_are_taken_from_a_server_that_never_let_go(self):
        for document, name in ((documents.SMALL, 'db'), (BOOTED, 'm')):
            before = self.build(document)
            lost = self.server(before, name)
            self.cloud.lose(lost, is_stale=True)
            view = self.heal(before['id'], document)
            (volume,) = (
                each['id']
                for each in view['members'].values()
                if each['type'] == 'volume'
            )
            state = self.cloud.open(base.ANN).volume_state(volume)
            self.assertEqual({self.server(view, name)}, {*state.attached_to})

    def test_its_place_fits_the_others_where_they_really_are(self):
        """The place it had is taken by a peer that was moved there."""
        document = documents.servers(3, documents.APART)
        view = self.build(document)
        places = self.cloud.places(view['id'])
        self.cloud.lose(self.server(view, 'm-0'))
        self.cloud.migrate(self.server(view, 'm-1'), places['m-0'])
        self.heal(view['id'], document)
        self.assertEqual(places['m-0'], self.cloud.places(view['id'])['m-1'])

    def test_nothing_lost_is_nothing_done(self):
        before = self.build(documents.SMALL)
        since = len(self.cloud.calls)
        view = self.heal(before['id'], documents.SMALL)
        self.assertEqual(before['members'], view['members'])
        changing = {'delete', 'reserve', 'ensure_server'}
        self.assertFalse(changing & {*self.calls(since)})

    def test_no_place_leaves_it_as_it_was(self):
        document = documents.servers(3, documents.APART)
        view = self.build(document)
        lost = self.server(view, 'm-0')
        self.cloud.spoil(lost)
        self.cloud.migrate(lost, self.cloud.places(view['id'])['m-1'])
        for host in self.cloud.world.hosts:
            self.cloud.fill_host(host)
        view = self.do('heal', view['id'])
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.no_valid_placement', view['error_code'])
        self.assertEqual('DEGRADED', view['compliance']['status'])
        self.assertEqual('ERROR', view['members']['m-0']['status'])
        self.cloud.item(lost)  # it is still there
        self.assertEqual({}, self.cloud.world.holds)

    def test_the_room_of_the_one_that_failed_is_room_for_the_next(self):
        view = self.build(documents.servers(3, documents.APART))
        for host in self.cloud.world.hosts:
            self.cloud.fill_host(host)
        places = self.cloud.places(view['id'])
        self.cloud.spoil(self.server(view, 'm-0'))
        self.heal(view['id'], documents.servers(3, documents.APART))
        self.assertEqual(places, self.cloud.places(view['id']))

    def test_room_that_goes_to_others_meanwhile_is_planned_again(self):
        document = documents.servers(2, documents.APART)
        view = self.build(document)
        self.cloud.lose(self.server(view, 'm-0'))
        self.cloud.faults.lose_reservations(times=2)
        self.heal(view['id'], document)

    def test_a_place_lost_in_the_hand_over_is_found_again(self):
        document = documents.servers(2, documents.APART)
        view = self.build(document)
        self.cloud.lose(self.server(view, 'm-0'))

        def take(call):
            request = call.arguments['wanted']
            self.cloud.fill_host(request.host)

        self.cloud.faults.before('ensure_server', 'm-0', take)
        self.heal(view['id'], document)
        self.assertIn('space_lost', self.events(view['id'], 'm-0'))

    def heal_whatever(self, cluster_id):
        view = self.do('heal', cluster_id)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual({}, self.cloud.world.holds)
        return view

    def test_what_was_in_a_volume_does_not_come_back(self):
        view = self.build(documents.SMALL)
        for name in ('db', 'data', 'web'):
            self.cloud.lose(self.server(view, name))
        view = self.heal_whatever(view['id'])
        self.assertIn('cannot be made again', view['status_reason'])
        self.assertEqual('DEGRADED', view['compliance']['status'])
        statuses = {n: m['status'] for n, m in view['members'].items()}
        self.assertEqual(
            {'net': 'ACTIVE', 'data': 'ERROR', 'db': 'ERROR', 'web': 'ACTIVE'},
            statuses,
        )

    def test_one_that_breaks_again_leaves_nothing_half_made(self):
        view = self.build(documents.SMALL)
        self.cloud.lose(self.server(view, 'web'))
        self.cloud.faults.ruin('server', 'web', reason='no luck')
        view = self.heal_whatever(view['id'])
        self.assertIn('heal: member web: no luck', view['status_reason'])
        self.assertEqual('DEGRADED', view['compliance']['status'])
        self.assertEqual('ERROR', view['members']['web']['status'])
        cloud = self.cloud.open(base.ANN)
        kinds = [t.kind for t in cloud.find(view['id'], 'web')]
        self.assertEqual(['port'], kinds)
        self.heal(view['id'], documents.SMALL)

    def test_a_delete_ends_it(self):
        view = self.build(documents.SMALL)
        self.cloud.lose(self.server(view, 'web'))
        self.cloud.faults.stick('server', 'web')
        self.service.heal(base.ANN, view['id'])
        self.until(
            lambda: (
                self.show(view['id'])['members']['web']['status'] == 'BUILDING'
            ),
            'the server',
        )
        self.service.delete(base.ANN, view['id'])
        self.cloud.faults.clear()
        self.until(lambda: self.show(view['id']) is None, 'the delete')
        self.assert_nothing_left()

    def test_only_what_runs_is_healed(self):
        view = self.build(documents.SMALL)
        self.do('stop', view['id'])
        self.assertRaises(
            exception.WrongStatus, self.service.heal, base.ANN, view['id']
        )


class FailingHealTest(upkeep.FailingCase):
    def harm(self, view):
        self.cloud.spoil(self.server(view, 'db'))
        self.cloud.lose(self.server(view, 'web'))

    def test_a_fault_at_every_call(self):
        def judge(view):
            self.assertEqual('ACTIVE', view['status'])
            statuses = {m['status'] for m in view['members'].values()}
            if view['error_code'] is None:
                self.assertEqual({'ACTIVE'}, statuses)
                return
            self.assertIn('heal: ', view['status_reason'])
            self.assertLessEqual(statuses, {'ACTIVE', 'ERROR'})

        failed = self.fail_every_call(
            documents.SMALL, 'heal', judge, self.harm
        )
        self.assertGreater(failed, 16)


class DyingHealTest(upkeep.DyingCase):
    harm = FailingHealTest.harm

    def test_an_heir_with_a_trust_goes_on(self):
        def judge(view):
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual('COMPLIANT', view['compliance']['status'])
            self.assert_built(documents.SMALL, view)

        self.die_everywhere(documents.SMALL, 'heal', judge, self.harm)


class DyingHealWithoutTrustTest(upkeep.DyingCase):
    trusts = False

    def prepare(self):
        view = self.build(documents.SMALL)
        self.cloud.spoil(self.server(view, 'db'))
        self.cloud.lose(self.server(view, 'web'))
        return view['id']

    def test_what_was_half_made_is_made_when_it_is_asked_for_again(self):
        for number in range(8, 60):
            self.cluster = self.prepare()
            if self.die(lambda s: s.heal(base.ANN, self.cluster), number):
                view = self.settle_by_heir()
                self.assertEqual('ACTIVE', view['status'])
                self.assertIn('heal: its engine died', view['status_reason'])
                self.assertEqual({}, self.cloud.world.holds)
            view = self.do('heal', self.cluster, service=self.heir)
            self.assert_built(documents.SMALL, view)
            self.delete_by_heir()


class OneHostTest(upkeep.UpkeepCase):
    def make_cloud(self):
        return FakeCloud(racks=1, hosts_per_rack=1)

    def test_it_comes_back_to_the_only_host_there_is(self):
        view = self.build(documents.servers(1))
        self.cloud.spoil(self.server(view, 'm-0'))
        self.cloud.fill_host('r1h1')
        view = self.do('heal', view['id'])
        self.assert_built(documents.servers(1), view)
