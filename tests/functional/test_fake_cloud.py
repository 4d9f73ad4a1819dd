# SPDX-License-Identifier: Apache-2.0
"""The fake cloud keeps the contract, and goes wrong exactly as ordered."""

import testtools

from heat_vcluster import context, exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import (
    ATTACHMENT,
    DELETING,
    CloudDeath,
    FakeCloud,
)
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec
from tests.functional import cloud_contract

Kind = model.Kind
Progress = model.Progress
ANN = context.Context('alpha', 'ann')
BOB = context.Context('beta', 'bob')


class FakeCloudTest(cloud_contract.CloudContract, testtools.TestCase):
    def setUp(self):
        self.opener = FakeCloud()
        self.context = ANN
        self.cloud = self.opener.open(ANN)
        self.other_cloud = self.opener.open(BOB)
        super().setUp()
        self.addCleanup(self._sweep)

    def leave_attached(self, server_id, volume_id):
        self.opener.item(volume_id).stale.add(server_id)

    def _sweep(self):
        # Cleanups run last to first: the contract's own has yet to come.
        self.addCleanup(lambda: self.assertEqual((), self.opener.leftovers()))
        self._clean()


class WorldTest(testtools.TestCase):
    """How the fake is set up, and what its operator may do."""

    def test_default_is_the_development_cloud(self):
        outside = FakeCloud()
        snapshot, _ = outside.open(ANN).snapshot(())
        self.assertEqual(12, len(snapshot.hosts))
        hosts = {host.name: host for host in snapshot.hosts}
        self.assertEqual(
            {'zone': 'az1', 'rack': 'rack2'}, hosts['r2h3'].domains
        )
        self.assertEqual('az2', hosts['r3h1'].domains['zone'])
        self.assertEqual(
            {'VCPU': 16, 'MEMORY_MB': 32768, 'DISK_GB': 500},
            hosts['r4h3'].free,
        )
        pools = {pool.name: pool for pool in snapshot.pools}
        self.assertEqual(
            {f'rack{n}@rack{n}#rack{n}' for n in range(1, 5)}, set(pools)
        )
        rack3 = pools['rack3@rack3#rack3']
        self.assertEqual('rack3', rack3.domain('rack'))
        self.assertIsNone(rack3.domain('host'))

    def test_its_names_are_those_of_the_development_cloud(self):
        from heat_vcluster.cloud.fake import opener
        from heat_vcluster.devcloud import bootstrap

        self.assertEqual(bootstrap.FLAVORS, opener.FLAVORS)
        self.assertEqual(bootstrap.IMAGE, opener.IMAGE)
        self.assertEqual(bootstrap.PUBLIC_NETWORK, opener.PUBLIC_NETWORK)
        self.assertEqual(bootstrap.PUBLIC_SUBNET, opener.PUBLIC_CIDR)

    def test_pool_may_be_local_to_a_host_or_missing(self):
        local, _ = FakeCloud(backends='host').open(ANN).snapshot(())
        self.assertEqual(
            {host.name for host in local.hosts},
            {pool.domain('host') for pool in local.pools},
        )
        none, _ = FakeCloud(backends=None).open(ANN).snapshot(())
        self.assertEqual((), none.pools)

    def test_hosts_may_be_given_with_room_taken(self):
        total = {'VCPU': 16, 'MEMORY_MB': 4096, 'DISK_GB': 10}
        host = placement.Host(
            'h', {}, {**total, 'VCPU': 10}, total, is_busy=True
        )
        outside = FakeCloud(hosts=[host], pools=[], levels=[])
        snapshot, _ = outside.open(ANN).snapshot(())
        self.assertEqual((host,), snapshot.hosts)

    def test_disabled_host_is_no_candidate_and_builds_nothing(self):
        outside = FakeCloud(racks=1, hosts_per_rack=2, zones=1)
        demand = placement.ServerDemand('m', {'VCPU': 1})
        cloud = outside.open(ANN)
        outside.disable_host('r1h1')
        _, (narrowed,) = cloud.snapshot([demand])
        self.assertEqual({'r1h2'}, narrowed.candidates)
        outside.enable_host('r1h1')
        _, (narrowed,) = cloud.snapshot([demand])
        self.assertEqual({'r1h1', 'r1h2'}, narrowed.candidates)

    def test_typed_volume_fits_only_where_its_type_is_offered(self):
        outside = FakeCloud()
        cloud = outside.open(ANN)
        wanted = [
            placement.VolumeDemand('v', 10, 'rack2'),
            placement.VolumeDemand('w', 10, 'standard'),
            placement.VolumeDemand('x', 10),
        ]
        outside.fill_pool('rack1@rack1#rack1')
        _, (typed, general, free) = cloud.snapshot(wanted)
        self.assertEqual({'rack2@rack2#rack2'}, typed.candidates)
        self.assertEqual(3, len(general.candidates))
        self.assertEqual(general.candidates, free.candidates)

    def test_zone_of_a_server_bounds_its_candidates(self):
        outside = FakeCloud(racks=2, hosts_per_rack=1, zones=2)
        cloud = outside.open(ANN)
        member = spec.Member(
            'm',
            'server',
            spec.ServerSpec('tiny', image='cirros', availability_zone='az2'),
            'm',
            None,
            'instances[0]',
        )
        wanted = spec.GroupSpec(None, (member,), (), {})
        found = cloud.resolve(wanted)
        _, (demand,) = cloud.snapshot(found.demands)
        self.assertEqual({'r2h1'}, demand.candidates)


class QuotaTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.outside = FakeCloud()
        self.cloud = self.outside.open(ANN)
        self.members = tuple(
            spec.Member(
                f'v-{n}', 'volume', spec.VolumeSpec(5), 'v', n, 'instances[0]'
            )
            for n in range(2)
        )

    def make(self, cluster_id='c', number=0):
        return self.cloud.ensure_volume(
            model.Owner(cluster_id, f'v-{number}'),
            model.VolumeRequest('v', self.members[number].spec),
        )

    def test_quota_that_cannot_suffice_is_told_before(self):
        self.outside.set_quota('alpha', volumes=1, gigabytes=9)
        wanted = spec.GroupSpec(None, self.members, (), {})
        error = self.assertRaises(
            exception.InvalidDocument, self.cloud.resolve, wanted
        )
        self.assertEqual(2, len(error.faults))
        self.assertIn('volumes', str(error))
        self.assertIn('gigabytes', str(error))
        self.outside.open(BOB).resolve(wanted)

    def test_quota_used_up_halfway_refuses_the_rest(self):
        self.outside.set_quota('alpha', volumes=1)
        first = self.make()
        self.assertRaises(exception.QuotaExceeded, self.make, number=1)
        self.assertEqual(first, self.make())

    def test_unknown_quota_is_no_quota(self):
        self.assertRaises(
            ValueError, self.outside.set_quota, 'alpha', volume=1
        )


class FaultsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.outside = FakeCloud(claim_polls=1, build_polls=1)
        self.cloud = self.outside.open(ANN)
        self.faults = self.outside.faults

    def make_volume(self, member='v'):
        return self.cloud.ensure_volume(
            model.Owner('c', member),
            model.VolumeRequest(member, spec.VolumeSpec(1)),
        )

    def make_server(self, member='s', host='r1h1'):
        (image_id,) = self.outside.world.images
        flavor = next(
            each
            for each in self.outside.world.flavors.values()
            if each.name == 'tiny'
        )
        return self.cloud.ensure_server(
            model.Owner('c', member),
            model.ServerRequest(
                member,
                spec.ServerSpec('tiny', image='cirros'),
                host,
                flavor.id,
                (),
                image_id=image_id,
            ),
        )

    def poll_server(self, server_id, times=5):
        for _ in range(times):
            state = self.cloud.server_state(server_id)
        return state

    def poll_volume(self, volume_id, times=5):
        for _ in range(times):
            state = self.cloud.volume_state(volume_id)
        return state

    def test_ordered_failure_hits_its_member_and_only_as_often(self):
        error = exception.CloudError('cinder', 'out of luck')
        self.faults.fail('ensure_volume', member='db-1', error=error, times=2)
        self.make_volume('db-0')
        for _ in range(2):
            raised = self.assertRaises(
                exception.CloudError, self.make_volume, 'db-1'
            )
            self.assertIs(error, raised)
        self.make_volume('db-1')
        self.assertEqual(2, len(self.outside.leftovers()))

    def test_late_failure_leaves_its_effect(self):
        self.faults.fail_late(
            'ensure_volume', error=exception.CloudError('cinder', 'cut off')
        )
        self.assertRaises(exception.CloudError, self.make_volume)
        (there,) = self.outside.leftovers()
        self.assertEqual(there.id, self.make_volume())

    def test_rival_can_take_the_host_in_the_window(self):
        self.faults.before(
            'ensure_server',
            's',
            lambda call: self.outside.fill_host(call.arguments['wanted'].host),
        )
        server_id = self.make_server()
        state = self.poll_server(server_id)
        self.assertEqual(Progress.FAILED, state.progress)
        self.assertTrue(state.no_valid_host)

    def test_host_can_be_disabled_after_the_plan(self):
        server_id = self.make_server()
        self.assertFalse(self.cloud.is_claimed(server_id))
        self.outside.disable_host('r1h1')
        self.assertFalse(self.cloud.is_claimed(server_id))
        self.assertTrue(self.cloud.server_state(server_id).no_valid_host)

    def test_claim_comes_after_the_polls_it_takes(self):
        server_id = self.make_server()
        self.assertFalse(self.cloud.is_claimed(server_id))
        self.assertEqual({}, self.outside.used('r1h1'))
        self.assertTrue(self.cloud.is_claimed(server_id))
        self.assertEqual(1, self.outside.used('r1h1')['VCPU'])
        self.assertEqual({'s': 'r1h1'}, self.outside.places('c'))

    def test_lost_reservation(self):
        hold = model.Hold('h', 's', 'r1h1', {'VCPU': 1})
        self.faults.lose_reservations(times=1)
        self.assertRaises(
            exception.ReservationConflict, self.cloud.reserve, [hold]
        )
        self.cloud.reserve([hold])
        self.assertEqual((hold,), self.outside.leftovers())

    def test_server_and_volume_can_break_while_they_build(self):
        self.faults.ruin(Kind.SERVER, 's', reason='no image')
        self.faults.ruin(Kind.VOLUME, 'v', reason='disk on fire')
        state = self.poll_server(self.make_server())
        self.assertEqual(
            (Progress.FAILED, 'no image', False),
            (state.progress, state.reason, state.no_valid_host),
        )
        volume_id = self.make_volume()
        state = self.poll_volume(volume_id)
        self.assertEqual(
            (Progress.FAILED, 'error', 'disk on fire'),
            (state.progress, state.status, state.reason),
        )
        self.cloud.delete(Kind.VOLUME, volume_id)

    def test_attachment_can_be_given_up(self):
        server_id, volume_id = self.make_server(), self.make_volume()
        self.poll_server(server_id)
        self.poll_volume(volume_id)
        self.faults.ruin(ATTACHMENT, 's')
        self.cloud.attach_volume(server_id, volume_id, None)
        state = self.poll_volume(volume_id)
        self.assertEqual('available', state.status)
        self.assertEqual(
            frozenset(), self.cloud.server_state(server_id).attached
        )

    def test_stuck_thing_stays_as_it_is(self):
        self.faults.stick(Kind.SERVER, 's')
        self.faults.stick(Kind.VOLUME, 'v', phase=DELETING)
        state = self.poll_server(self.make_server(), 20)
        self.assertEqual(Progress.BUILDING, state.progress)
        volume_id = self.make_volume()
        self.poll_volume(volume_id)
        self.cloud.delete(Kind.VOLUME, volume_id)
        self.poll_volume(volume_id, 20)
        self.assertFalse(self.cloud.is_gone(Kind.VOLUME, volume_id))
        self.faults.clear()
        self.poll_volume(volume_id)
        self.assertTrue(self.cloud.is_gone(Kind.VOLUME, volume_id))

    def test_removal_can_be_refused_so_often(self):
        volume_id, other = self.make_volume(), self.make_volume('w')
        self.poll_volume(volume_id)
        self.poll_volume(other)
        self.faults.refuse_delete(Kind.VOLUME, 'v', times=2)
        self.cloud.delete(Kind.VOLUME, other)
        for _ in range(2):
            self.assertRaises(
                exception.CloudError,
                self.cloud.delete,
                Kind.VOLUME,
                volume_id,
            )
        self.cloud.delete(Kind.VOLUME, volume_id)

    def test_volume_can_be_removed_once_it_is_made(self):
        volume_id = self.make_volume()
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.VOLUME, volume_id
        )
        for _ in range(3):
            try:
                self.cloud.delete(Kind.VOLUME, volume_id)
            except exception.CloudError:
                continue
        self.assertTrue(
            self.cloud.is_gone(Kind.VOLUME, volume_id)
            or self.cloud.is_gone(Kind.VOLUME, volume_id)
        )

    def test_death_ends_all_calls_until_a_new_life(self):
        self.faults.crash_at(2, 'ensure_volume')
        volume_id = self.make_volume('v')
        self.assertRaises(CloudDeath, self.make_volume, 'w')
        self.assertRaises(CloudDeath, self.cloud.volume_state, volume_id)
        self.assertRaises(CloudDeath, self.outside.release_holds, [])
        self.assertEqual(1, len(self.outside.leftovers()))
        self.faults.revive()
        self.assertEqual(volume_id, self.make_volume('v'))

    def test_death_may_come_between_effect_and_answer(self):
        self.faults.crash_at(1, at='after')
        self.assertRaises(CloudDeath, self.make_volume)
        self.assertRaises(CloudDeath, self.make_volume)
        self.assertEqual(1, len(self.outside.leftovers()))

    def test_calls_are_on_record(self):
        server_id = self.make_server('web-0')
        self.cloud.server_state(server_id)
        first, second = self.outside.calls
        self.assertEqual(
            ('ensure_server', 'alpha', {'web-0'}),
            (first.name, first.project_id, first.members),
        )
        self.assertEqual(
            ('server_state', {'web-0'}, 2),
            (second.name, second.members, second.number),
        )

    def test_volume_that_has_no_pool_left_fails(self):
        for pool in list(self.outside.world.pools):
            self.outside.fill_pool(pool)
        state = self.poll_volume(self.make_volume())
        self.assertEqual(Progress.FAILED, state.progress)
        self.assertIn('backend', state.reason)
