# SPDX-License-Identifier: Apache-2.0
"""What every cloud must do, whatever is behind it.

The same stories run on the fake cloud and on a real one: a fake that is
kinder than the real thing would let the engine's tests lie.
"""

import contextlib
import dataclasses
import ipaddress
import time
import uuid

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import reach
from heat_vcluster.spec import load
from heat_vcluster.spec import model as spec

Kind = model.Kind
Progress = model.Progress


class CloudContract:
    """Mix into a test case that offers what is named here.

    ``opener`` is the CloudOpener, ``cloud`` and ``other_cloud`` two
    different tenants' clouds; both know the flavor, image and external
    network below. ``context`` is that by which ``cloud`` was opened.
    ``pause`` is slept between two polls. ``leave_attached`` has a volume in
    use by a server that is no more.
    """

    flavor = 'tiny'
    larger_flavor = 'small'
    image = 'cirros'
    external_network = 'public'
    volume_type = 'standard'
    pause = 0.0
    patience = 180.0

    def setUp(self):
        super().setUp()
        self.cluster_id = str(uuid.uuid4())
        self.hold_ids = []
        self.addCleanup(self._clean)

    # Tools of the stories

    def owner(self, member='m', part=''):
        return model.Owner(self.cluster_id, member, part)

    def until(self, check, what='it'):
        give_up = time.monotonic() + self.patience
        while True:
            result = check()
            if result is not None and result is not False:
                return result
            if time.monotonic() > give_up:
                self.fail(f'waited in vain for {what}')
            time.sleep(self.pause)

    def _clean(self):
        self.opener.release_holds(self.hold_ids)

        def clean():
            for thing in self.cloud.find(self.cluster_id, kinds=[*Kind]):
                with contextlib.suppress(exception.CloudError):
                    self.cloud.delete(thing.kind, thing.id)
                self.cloud.is_gone(thing.kind, thing.id)
            return not self.cloud.find(self.cluster_id, kinds=[*Kind])

        self.until(clean, 'the end of all things')

    def delete(self, kind, thing_id):
        """Delete with the patience that late letting go asks for."""

        def attempt():
            with contextlib.suppress(exception.CloudError):
                self.cloud.delete(kind, thing_id)
                return True

        self.until(attempt, f'the removal of a {kind} to be accepted')
        self.until(
            lambda: self.cloud.is_gone(kind, thing_id), f'the {kind} to go'
        )

    def server_document(self, **changes):
        asked = {'image': self.image, 'flavor': self.flavor, **changes}
        return {'name': 'm', 'type': 'server', 'spec': asked}

    def resolve(self, *instances):
        wanted = load({'instances': list(instances)})
        return wanted, self.cloud.resolve(wanted)

    def look(self, member='m'):
        """Return a server's demand with candidates, and the snapshot."""
        _, found = self.resolve(self.server_document())
        snapshot, demands = self.cloud.snapshot(found.demands)
        return snapshot, demands[0]

    def hold(self, member, place, resources):
        hold = model.Hold(str(uuid.uuid4()), member, place, resources)
        self.hold_ids.append(hold.id)
        return hold

    def free(self, place):
        snapshot, _ = self.look()
        hosts = {host.name: host.free for host in snapshot.hosts}
        return hosts[place]

    def make_network(self, member='net', cidr='10.20.0.0/24'):
        network_id = self.cloud.ensure_network(
            self.owner(member), f'{member}-name', spec.NetworkSpec()
        )
        subnet_id = self.cloud.ensure_subnet(
            self.owner(member, 'subnet-0'),
            f'{member}-subnet',
            network_id,
            spec.SubnetSpec(cidr),
        )
        return network_id, subnet_id

    def make_port(self, network_id, member='m', **wanted):
        return self.cloud.ensure_port(
            self.owner(member, 'nic-0'),
            model.PortRequest(f'{member}-port', network_id, **wanted),
        )

    def external_id(self):
        _, found = self.resolve(
            {
                'name': 'n',
                'type': 'network',
                'spec': {
                    'subnets': [{'cidr': '10.9.0.0/24'}],
                    'router': {'external_network': self.external_network},
                },
            }
        )
        return found.networks[self.external_network]

    def make_group(self, rule='apart', most=1, policy='anti-affinity'):
        return self.cloud.ensure_server_group(
            self.owner(rule),
            grouping.ServerGroup(rule, policy, ('a', 'b'), most),
        )

    def request_server(self, host, member='m', port_ids=(), group_id=None):
        wanted, found = self.resolve(self.server_document())
        return self.cloud.ensure_server(
            self.owner(member),
            model.ServerRequest(
                name=member,
                spec=wanted.members[0].spec,
                host=host,
                flavor_id=found.flavors[self.flavor],
                port_ids=tuple(port_ids),
                image_id=found.images[self.image],
                group_id=group_id,
            ),
        )

    def settled_server(self, server_id):
        def state():
            found = self.cloud.server_state(server_id)
            return None if found.progress is Progress.BUILDING else found

        return self.until(state, 'the server to settle')

    def make_server(self, member='m', port_ids=()):
        _, demand = self.look()
        host = min(demand.candidates)
        server_id = self.request_server(host, member, port_ids)
        state = self.settled_server(server_id)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        return server_id, host

    def request_volume(self, member='v', pool=None):
        asked = spec.VolumeSpec(size=1, volume_type=self.volume_type)
        _, found = self.resolve(
            {
                'name': member,
                'type': 'volume',
                'spec': {'size': 1, 'volume_type': self.volume_type},
            }
        )
        return self.cloud.ensure_volume(
            self.owner(member),
            model.VolumeRequest(
                member, asked, pool, None, found.volume_types[self.volume_type]
            ),
        )

    def settled_volume(self, volume_id):
        def state():
            found = self.cloud.volume_state(volume_id)
            return None if found.progress is Progress.BUILDING else found

        return self.until(state, 'the volume to settle')

    # Names

    def test_names_become_ids_and_demands(self):
        wanted, found = self.resolve(
            self.server_document(),
            {
                'name': 'v',
                'type': 'volume',
                'spec': {'size': 2, 'volume_type': self.volume_type},
            },
        )
        self.assertIn(self.flavor, found.flavors)
        self.assertIn(self.image, found.images)
        self.assertIn(self.volume_type, found.volume_types)
        demands = {demand.member: demand for demand in found.demands}
        self.assertGreater(demands['m'].resources['VCPU'], 0)
        self.assertGreater(demands['m'].resources['MEMORY_MB'], 0)
        if 'v' in demands:
            self.assertEqual(2, demands['v'].size_gb)
        self.assertEqual(found.flavors, self.cloud.resolve(wanted).flavors)

    def test_smaller_flavors_are_told_for_each_server(self):
        _, found = self.resolve(
            self.server_document(flavor='small'),
            {**self.server_document(), 'name': 'n'},
        )
        own = {d.member: d.resources for d in found.demands}
        offered = dict(found.choices['m'])
        self.assertIn(self.flavor, offered)
        self.assertEqual(own['n'], offered[self.flavor])
        self.assertNotIn('small', offered)
        self.assertNotIn('medium', offered)
        self.assertNotIn('small', dict(found.choices['n']))

    def test_ids_are_as_good_as_names(self):
        _, found = self.resolve(self.server_document())
        flavor, image = found.flavors[self.flavor], found.images[self.image]
        _, again = self.resolve(
            self.server_document(flavor=flavor, image=image)
        )
        self.assertEqual(flavor, again.flavors[flavor])
        self.assertEqual(image, again.images[image])

    def test_all_unknown_names_are_told_at_once(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.resolve,
            self.server_document(
                flavor='none-such', image='no-image', key_name='no-key'
            ),
            {
                'name': 'v',
                'type': 'volume',
                'spec': {'size': 1, 'volume_type': 'no-type'},
            },
            {
                'name': 'n',
                'type': 'network',
                'spec': {
                    'subnets': [{'cidr': '10.9.0.0/24'}],
                    'router': {'external_network': 'no-network'},
                },
            },
        )
        self.assertEqual(
            {
                'instances[0].spec.flavor',
                'instances[0].spec.image',
                'instances[0].spec.key_name',
                'instances[1].spec.volume_type',
                'instances[2].spec.router.external_network',
            },
            {fault.path for fault in error.faults},
        )

    # Room

    def test_snapshot_tells_hosts_and_candidates(self):
        snapshot, demand = self.look()
        hosts = {host.name: host for host in snapshot.hosts}
        self.assertTrue(demand.candidates)
        self.assertLessEqual(demand.candidates, hosts.keys())
        for name in demand.candidates:
            for resource, amount in demand.resources.items():
                self.assertGreaterEqual(hosts[name].free[resource], amount)
                self.assertGreaterEqual(
                    hosts[name].total[resource], hosts[name].free[resource]
                )
            for level in snapshot.levels:
                self.assertIsNotNone(hosts[name].domain(level))
        self.assertEqual(
            tuple(self.opener.scopes), (*snapshot.levels, placement.HOST)
        )

    def test_readings_widen_until_they_have_everything(self):
        _, found = self.resolve(self.server_document())
        seen = set()
        for reading in self.cloud.readings(found.demands, reach.Reach('x')):
            hosts = {host.name for host in reading.snapshot.hosts}
            self.assertLessEqual(seen, hosts)
            self.assertLessEqual(reading.demands[0].candidates, hosts)
            self.assertEqual(
                [d.member for d in found.demands],
                [d.member for d in reading.demands],
            )
            seen = hosts
        self.assertTrue(reading.is_whole)
        self.assertEqual(
            {host.name for host in self.cloud.snapshot(())[0].hosts}, seen
        )

    def test_reading_tells_what_rules_of_a_whole_domain_take(self):
        _, demand = self.look()
        place = min(demand.candidates)
        self.cloud.reserve([self.hold('m', place, demand.resources)])
        narrowest = self.opener.scopes[-2]
        *_, last = self.cloud.readings(
            [demand],
            reach.Reach(
                'x',
                entire=frozenset({narrowest}),
                measured=frozenset({narrowest}),
                even=frozenset({narrowest}),
            ),
        )
        hosts = {host.name: host for host in last.snapshot.hosts}
        self.assertTrue(hosts[place].is_busy)
        self.assertIn(place, last.demands[0].suitable)
        for name, amount in demand.resources.items():
            self.assertGreaterEqual(hosts[place].total[name], amount)

    def test_hold_takes_room_until_released(self):
        _, demand = self.look()
        place = min(demand.candidates)
        before = self.free(place)
        hold = self.hold('m', place, demand.resources)
        self.cloud.reserve([hold])
        self.cloud.reserve([hold])
        held = self.free(place)
        for name, amount in demand.resources.items():
            self.assertEqual(before[name] - amount, held[name])
        self.assertEqual({hold.id}, self.cloud.find_holds([hold.id, 'x']))
        self.cloud.release([hold.id])
        self.cloud.release([hold.id])
        self.assertEqual(before, self.free(place))
        self.assertEqual(frozenset(), self.cloud.find_holds([hold.id]))

    def test_hold_that_was_lost_is_taken_up_without_the_tenant(self):
        _, demand = self.look()
        places = sorted(demand.candidates)[:2]
        kept, lost = (
            self.hold(f'm-{place}', place, demand.resources)
            for place in places
        )
        self.cloud.reserve([kept, lost])
        before = [self.free(place) for place in places]
        ids = [kept.id, lost.id]
        self.assertEqual(frozenset(), self.opener.missing_holds(ids))
        self.opener.release_holds([lost.id])
        self.assertEqual({lost.id}, self.opener.missing_holds(ids))
        whose = (self.context.project_id, self.context.user_id)
        self.opener.hold_again(*whose, [kept, lost])
        self.assertEqual(frozenset(), self.opener.missing_holds(ids))
        self.assertEqual(before, [self.free(place) for place in places])

    def test_all_holds_or_none(self):
        _, demand = self.look()
        place = min(demand.candidates)
        before = self.free(place)
        good = self.hold('a', place, demand.resources)
        bad = self.hold(
            'b', place, {**demand.resources, 'VCPU': before['VCPU'] + 1}
        )
        self.assertRaises(
            exception.ReservationConflict, self.cloud.reserve, [good, bad]
        )
        self.assertEqual(frozenset(), self.cloud.find_holds([good.id, bad.id]))
        self.assertEqual(before, self.free(place))

    def test_hold_can_be_released_without_its_tenant(self):
        _, demand = self.look()
        hold = self.hold('m', min(demand.candidates), demand.resources)
        self.cloud.reserve([hold])
        self.opener.release_holds([hold.id, str(uuid.uuid4())])
        self.assertEqual(frozenset(), self.cloud.find_holds([hold.id]))

    # The right to change anything

    def test_whoever_may_act_no_more_changes_nothing(self):
        _, demand = self.look()
        held, more = (
            self.hold(name, min(demand.candidates), demand.resources)
            for name in ('m', 'more')
        )
        self.cloud.reserve([held])
        network_id, subnet_id = self.make_network()
        there = self.cloud.find(self.cluster_id)

        def check():
            raise exception.LeaseLost('it is over')

        opener = self.opener.guarded(check)
        cloud = opener.open(self.context)
        whose = (self.context.project_id, self.context.user_id)
        owner = self.owner('other')
        for call, *args in (
            (cloud.reserve, [more]),
            (cloud.release, [held.id]),
            (opener.hold_again, *whose, [more]),
            (opener.release_holds, [held.id]),
            (cloud.ensure_network, owner, 'other', spec.NetworkSpec()),
            (cloud.delete, Kind.SUBNET, subnet_id),
            (cloud.delete, Kind.NETWORK, network_id),
        ):
            self.assertRaises(exception.LeaseLost, call, *args)
        self.assertEqual(there, cloud.find(self.cluster_id))
        self.assertEqual({held.id}, cloud.find_holds([held.id, more.id]))

    # Networks

    def test_network_is_made_once_and_removed_bottom_up(self):
        network_id, subnet_id = self.make_network()
        self.assertEqual((network_id, subnet_id), self.make_network())
        router = (
            self.owner('net', 'router'),
            'net-router',
            self.external_id(),
            [subnet_id],
        )
        router_id = self.cloud.ensure_router(*router)
        self.assertEqual(router_id, self.cloud.ensure_router(*router))
        self.assertEqual(
            [
                (Kind.ROUTER, router_id),
                (Kind.SUBNET, subnet_id),
                (Kind.NETWORK, network_id),
            ],
            [(t.kind, t.id) for t in self.cloud.find(self.cluster_id)],
        )
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.NETWORK, network_id
        )
        for thing in self.cloud.find(self.cluster_id):
            self.delete(thing.kind, thing.id)
        self.assertEqual((), self.cloud.find(self.cluster_id))

    def test_port_has_its_address_before_any_server(self):
        network_id, _ = self.make_network(cidr='10.21.0.0/24')
        port = self.make_port(network_id)
        self.assertEqual(port, self.make_port(network_id))
        (address,) = port.addresses
        self.assertIn(
            ipaddress.ip_address(address),
            ipaddress.ip_network('10.21.0.0/24'),
        )
        fixed = self.make_port(network_id, 'other', fixed_ip='10.21.0.77')
        self.assertEqual(('10.21.0.77',), fixed.addresses)
        self.assertRaises(
            exception.CloudError,
            self.make_port,
            network_id,
            'third',
            fixed_ip='10.21.0.77',
        )

    def test_network_with_a_port_stays(self):
        network_id, _ = self.make_network()
        port = self.make_port(network_id)
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.NETWORK, network_id
        )
        self.assertFalse(self.cloud.is_gone(Kind.NETWORK, network_id))
        self.delete(Kind.PORT, port.id)
        self.delete(Kind.NETWORK, network_id)

    def test_floating_ip_needs_a_way_to_its_port(self):
        network_id, subnet_id = self.make_network()
        port = self.make_port(network_id)
        external_id = self.external_id()
        floating = (self.owner('m', 'fip-0'), external_id, port.id)
        self.assertRaises(
            exception.CloudError, self.cloud.ensure_floating_ip, *floating
        )
        router_id = self.cloud.ensure_router(
            self.owner('net', 'router'), 'r', external_id, [subnet_id]
        )
        made = self.cloud.ensure_floating_ip(*floating)
        self.assertEqual(made, self.cloud.ensure_floating_ip(*floating))
        self.assertTrue(ipaddress.ip_address(made.address))
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.ROUTER, router_id
        )
        self.delete(Kind.FLOATING_IP, made.id)
        self.delete(Kind.ROUTER, router_id)

    # Volumes

    def test_volume_goes_to_its_pool_and_is_made_once(self):
        snapshot, _ = self.look()
        pool = max((p.name for p in snapshot.pools), default=None)
        volume_id = self.request_volume(pool=pool)
        self.assertEqual(volume_id, self.request_volume(pool=pool))
        state = self.settled_volume(volume_id)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        self.assertEqual('available', state.status)
        self.assertIn(state.pool, (None, pool) if pool else (state.pool,))
        self.assertEqual(frozenset(), state.attached_to)
        self.delete(Kind.VOLUME, volume_id)
        gone = self.cloud.volume_state(volume_id)
        self.assertEqual(Progress.GONE, gone.progress)

    # Servers

    def test_server_takes_the_place_of_its_hold(self):
        _, demand = self.look()
        place = min(demand.candidates)
        before = self.free(place)
        hold = self.hold('m', place, demand.resources)
        self.cloud.reserve([hold])
        held = self.free(place)
        network_id, _ = self.make_network()
        port = self.make_port(network_id)
        self.cloud.release([hold.id])
        server_id = self.request_server(place, port_ids=[port.id])
        self.assertEqual(
            server_id, self.request_server(place, port_ids=[port.id])
        )
        self.until(lambda: self.cloud.is_claimed(server_id), 'the claim')
        self.assertEqual(held, self.free(place))
        state = self.settled_server(server_id)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        self.assertEqual('ACTIVE', state.status)
        self.assertIn(state.host, (None, place))
        self.assertFalse(state.no_valid_host)
        ours = self.cloud.usage()[place]
        for name, amount in demand.resources.items():
            self.assertGreaterEqual(ours[name], amount)
        self.assertNotIn(place, self.other_cloud.usage())
        self.delete(Kind.SERVER, server_id)
        gone = self.cloud.server_state(server_id)
        self.assertEqual(Progress.GONE, gone.progress)
        self.assertFalse(self.cloud.is_claimed(server_id))
        self.until(lambda: before == self.free(place), 'the room to be free')
        # Nova does not remove ports that it did not make.
        self.assertFalse(self.cloud.is_gone(Kind.PORT, port.id))

    def test_it_is_told_where_a_server_is_and_who_else_is_there(self):
        _, demand = self.look()
        server_id, host = self.make_server()
        seat = self.cloud.locate(server_id)
        self.assertEqual(host, seat.host)
        self.assertEqual(demand.resources, seat.resources)
        self.assertEqual(
            frozenset(), self.cloud.shared_hosts([host], [server_id])
        )
        self.assertEqual({host}, self.cloud.shared_hosts([host], []))
        self.cloud.reserve([self.hold('other', host, demand.resources)])
        self.assertEqual({host}, self.cloud.shared_hosts([host], [server_id]))
        self.delete(Kind.SERVER, server_id)
        self.assertIsNone(self.cloud.locate(server_id))

    def test_server_is_stopped_and_suspended_and_runs_again(self):
        server_id, host = self.make_server()
        for power, status in (
            (model.Power.STOP, 'SHUTOFF'),
            (model.Power.START, 'ACTIVE'),
            (model.Power.SUSPEND, 'SUSPENDED'),
            (model.Power.RESUME, 'ACTIVE'),
        ):
            for _ in 'twice':
                self.cloud.change_power(server_id, power)
                self.until(
                    lambda status=status: (
                        self.cloud.server_state(server_id).status == status
                    ),
                    status,
                )
            state = self.cloud.server_state(server_id)
            self.assertEqual(Progress.READY, state.progress)
            self.assertEqual(host, self.cloud.locate(server_id).host)
        self.assertRaises(
            exception.CloudError,
            self.cloud.change_power,
            str(uuid.uuid4()),
            model.Power.STOP,
        )

    def test_server_moves_to_the_host_it_is_told_and_takes_its_room(self):
        server_id, host = self.make_server()
        _, demand = self.look()
        for live in (True, False):
            target = max(demand.candidates - {host})
            before = self.free(target)
            self.cloud.migrate(server_id, target, live=live)
            self.until(lambda: not self.cloud.is_moving(server_id), 'the move')
            seat = self.cloud.locate(server_id)
            self.assertEqual(target, seat.host)
            state = self.cloud.server_state(server_id)
            self.assertEqual('ACTIVE', state.status, state.reason)
            for name, amount in demand.resources.items():
                self.assertEqual(
                    before[name] - amount, self.free(target)[name]
                )
            host = target

    def test_server_is_resized_and_goes_back_or_stays_so(self):
        server_id, host = self.make_server()
        small, large = (
            self.cloud.resolve(
                load(
                    {
                        'instances': [
                            {
                                'name': 'm',
                                'type': 'server',
                                'spec': {'image': self.image, 'flavor': name},
                            }
                        ]
                    }
                ),
                is_begun=True,
            )
            for name in (self.flavor, self.larger_flavor)
        )
        for flavor in (self.flavor, self.larger_flavor):
            self.assertIn(flavor, small.disks)
        first = small.flavors[self.flavor]
        other = large.flavors[self.larger_flavor]
        (demand,) = large.demands

        def state(**wanted):
            found = self.cloud.resize_state(server_id)
            is_it = all(getattr(found, k) == v for k, v in wanted.items())
            return found if is_it and not found.is_under_way else None

        def resize():
            for _ in 'twice':
                self.cloud.resize(server_id, other)
            found = self.until(lambda: state(is_open=True), 'the resize')
            self.assertEqual(other, found.flavor_id)
            seat = self.cloud.locate(server_id)
            self.assertEqual(demand.resources, seat.resources)
            # The old room is taken until it is confirmed.
            taken = demand.resources if seat.host == host else {}
            for name, amount in self.free(host).items():
                self.assertEqual(before[name] - taken.get(name, 0), amount)
            return seat

        self.assertEqual(first, state(is_open=False).flavor_id)
        before = self.free(host)
        resize()
        for _ in 'twice':
            self.cloud.revert_resize(server_id)
            self.until(lambda: state(is_open=False), 'the revert')
        self.assertEqual(first, state(is_open=False).flavor_id)
        self.assertEqual(host, self.cloud.locate(server_id).host)
        self.until(lambda: before == self.free(host), 'the room to be free')

        seat = resize()
        for _ in 'twice':
            self.cloud.confirm_resize(server_id)
            self.until(lambda: state(is_open=False), 'the confirmation')
        self.assertEqual(other, state(is_open=False).flavor_id)
        self.assertEqual(seat, self.cloud.locate(server_id))
        self.assertEqual('ACTIVE', self.cloud.server_state(server_id).status)
        self.cloud.revert_resize(server_id)
        self.assertEqual(other, state(is_open=False).flavor_id)
        self.assertRaises(
            exception.CloudError, self.cloud.resize, str(uuid.uuid4()), other
        )

    def test_server_stays_where_it_is_if_there_is_no_room_for_it(self):
        server_id, host = self.make_server()
        _, demand = self.look()
        target = min(demand.candidates - {host})
        self.cloud.reserve(
            [
                self.hold(f'rival-{n}', target, {'VCPU': 1})
                for n in range(self.free(target)['VCPU'])
            ]
        )
        with contextlib.suppress(exception.CloudError):
            self.cloud.migrate(server_id, target, live=True)
        self.until(lambda: not self.cloud.is_moving(server_id), 'the end')
        self.assertEqual(host, self.cloud.locate(server_id).host)
        self.assertEqual('ACTIVE', self.cloud.server_state(server_id).status)

    def test_server_whose_place_is_taken_fails_as_such(self):
        _, demand = self.look()
        place = min(demand.candidates)
        free = self.free(place)
        rivals = [
            self.hold(f'rival-{n}', place, {'VCPU': 1})
            for n in range(free['VCPU'])
        ]
        self.cloud.reserve(rivals)
        server_id = self.request_server(place)
        state = self.settled_server(server_id)
        self.assertEqual(Progress.FAILED, state.progress)
        self.assertTrue(state.no_valid_host)
        self.assertTrue(state.reason)
        self.assertNotIn(place, state.reason)
        self.assertFalse(self.cloud.is_claimed(server_id))
        self.assertEqual(
            [server_id], [t.id for t in self.cloud.find(self.cluster_id)]
        )
        self.cloud.release([hold.id for hold in rivals])
        second = self.request_server(place)
        self.assertNotEqual(server_id, second)
        self.delete(Kind.SERVER, server_id)
        state = self.settled_server(second)
        self.assertEqual(Progress.READY, state.progress, state.reason)

    def test_server_group_is_made_once_and_found_by_its_rule(self):
        group_id = self.make_group()
        self.assertEqual(group_id, self.make_group())
        other = self.make_group('survive[0].keep.db', 2)
        self.assertNotEqual(group_id, other)
        self.assertEqual(
            {
                model.Thing(Kind.SERVER_GROUP, group_id, self.owner('apart')),
                model.Thing(
                    Kind.SERVER_GROUP, other, self.owner('survive[0].keep.db')
                ),
            },
            {*self.cloud.find(self.cluster_id)},
        )
        (found,) = self.cloud.find(self.cluster_id, 'apart')
        self.assertEqual(group_id, found.id)
        self.assertEqual((), self.other_cloud.find(self.cluster_id))
        self.other_cloud.delete(Kind.SERVER_GROUP, group_id)
        self.assertFalse(self.cloud.is_gone(Kind.SERVER_GROUP, group_id))
        self.delete(Kind.SERVER_GROUP, group_id)
        self.assertNotEqual(group_id, self.make_group())

    def test_server_group_keeps_its_servers_apart(self):
        group_id = self.make_group()
        _, demand = self.look()
        here, there = sorted(demand.candidates)[:2]
        first = self.request_server(here, 'a', group_id=group_id)
        state = self.settled_server(first)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        same = self.request_server(here, 'b', group_id=group_id)
        state = self.settled_server(same)
        self.assertEqual(Progress.FAILED, state.progress)
        self.assertTrue(state.no_valid_host)
        self.assertFalse(self.cloud.is_claimed(same))
        self.delete(Kind.SERVER, same)
        second = self.request_server(there, 'b', group_id=group_id)
        state = self.settled_server(second)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        # After its servers, and before nothing that would need it.
        self.assertEqual(
            [Kind.SERVER, Kind.SERVER, Kind.SERVER_GROUP],
            [thing.kind for thing in self.cloud.find(self.cluster_id)],
        )

    def test_server_group_of_so_many_on_a_host(self):
        group_id = self.make_group(most=2)
        _, demand = self.look()
        place = min(demand.candidates)
        progress = []
        for member in ('a', 'b', 'c'):
            server_id = self.request_server(place, member, group_id=group_id)
            progress.append(self.settled_server(server_id).progress)
        self.assertEqual(
            [Progress.READY, Progress.READY, Progress.FAILED], progress
        )

    def test_server_group_keeps_its_servers_together(self):
        group_id = self.make_group(policy='affinity')
        _, demand = self.look()
        here, there = sorted(demand.candidates)[:2]
        progress = []
        for member, place in (('a', here), ('b', there), ('c', here)):
            server_id = self.request_server(place, member, group_id=group_id)
            progress.append(self.settled_server(server_id).progress)
        self.assertEqual(
            [Progress.READY, Progress.FAILED, Progress.READY], progress
        )

    def test_volume_is_attached_kept_and_detached(self):
        server_id, _ = self.make_server()
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        self.cloud.attach_volume(server_id, volume_id, None)
        self.until(
            lambda: (
                server_id in self.cloud.volume_state(volume_id).attached_to
            ),
            'the attachment',
        )
        self.assertIn(volume_id, self.cloud.server_state(server_id).attached)
        self.cloud.attach_volume(server_id, volume_id, None)
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.VOLUME, volume_id
        )
        self.cloud.detach_volume(server_id, volume_id)
        self.until(
            lambda: self.cloud.volume_state(volume_id).status == 'available',
            'the detachment',
        )
        self.cloud.detach_volume(server_id, volume_id)
        self.assertEqual(
            frozenset(), self.cloud.server_state(server_id).attached
        )

    def settled_copy(self, state, copy_id):
        def settled():
            found = state(copy_id)
            return None if found.progress is Progress.BUILDING else found

        return self.until(settled, 'the copy to settle')

    def test_volume_is_copied_and_kept_for_that(self):
        server_id, _ = self.make_server()
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        self.cloud.attach_volume(server_id, volume_id, None)
        self.until(
            lambda: (
                server_id in self.cloud.volume_state(volume_id).attached_to
            ),
            'the attachment',
        )

        def ensure(part):
            return self.cloud.ensure_volume_snapshot(
                self.owner('v', part), 'a copy', volume_id
            )

        one, two = ensure('one'), ensure('two')
        self.assertEqual(one, ensure('one'))
        for copy_id in (one, two):
            state = self.settled_copy(
                self.cloud.volume_snapshot_state, copy_id
            )
            self.assertEqual(Progress.READY, state.progress, state.reason)
        kinds = {Kind.VOLUME_SNAPSHOT}
        found = self.cloud.find(self.cluster_id, kinds=kinds)
        self.assertEqual(
            {(one, self.owner('v', 'one')), (two, self.owner('v', 'two'))},
            {(thing.id, thing.owner) for thing in found},
        )
        self.assertFalse(kinds & self.kinds_found())
        self.cloud.detach_volume(server_id, volume_id)
        self.until(
            lambda: self.cloud.volume_state(volume_id).status == 'available',
            'the volume to be free',
        )
        self.assertRaises(
            exception.CloudError, self.cloud.delete, Kind.VOLUME, volume_id
        )
        self.resolve(self.volume_document(one))
        self.delete(Kind.VOLUME_SNAPSHOT, one)
        self.delete(Kind.VOLUME_SNAPSHOT, two)
        self.delete(Kind.VOLUME, volume_id)
        gone = self.cloud.volume_snapshot_state(one)
        self.assertEqual(Progress.GONE, gone.progress)

    def kinds_found(self):
        return {thing.kind for thing in self.cloud.find(self.cluster_id)}

    def volume_document(self, snapshot_id):
        return {
            'name': 'v',
            'type': 'volume',
            'spec': {'size': 1, 'snapshot_id': snapshot_id},
        }

    def test_server_is_copied(self):
        server_id, _ = self.make_server()

        def ensure(part):
            return self.cloud.ensure_image(
                self.owner('m', part), 'a copy', server_id
            )

        one = ensure('one')
        self.assertEqual(one, ensure('one'))
        state = self.settled_copy(self.cloud.image_state, one)
        self.assertEqual(Progress.READY, state.progress, state.reason)
        [thing] = self.cloud.find(self.cluster_id, kinds={Kind.IMAGE})
        self.assertEqual(
            (one, self.owner('m', 'one')), (thing.id, thing.owner)
        )
        self.assertNotIn(Kind.IMAGE, self.kinds_found())
        _, found = self.resolve(self.server_document(image=one))
        self.assertEqual({one: one}, found.images)
        self.assertEqual(
            (), self.other_cloud.find(self.cluster_id, kinds={Kind.IMAGE})
        )
        self.delete(Kind.IMAGE, one)
        gone = self.cloud.image_state(one)
        self.assertEqual(Progress.GONE, gone.progress)

    def test_volume_is_extended_also_while_it_is_attached(self):
        server_id, _ = self.make_server()
        volume_id = self.request_volume()
        self.assertEqual(1, self.settled_volume(volume_id).size_gb)
        self.extend(volume_id, 2)
        self.cloud.attach_volume(server_id, volume_id, None)
        self.until(
            lambda: (
                server_id in self.cloud.volume_state(volume_id).attached_to
            ),
            'the attachment',
        )
        self.extend(volume_id, 3)
        self.cloud.extend_volume(volume_id, 2)  # it is larger already
        self.assertEqual(3, self.settled_volume(volume_id).size_gb)
        self.cloud.detach_volume(server_id, volume_id)

    def extend(self, volume_id, size_gb):
        self.cloud.extend_volume(volume_id, size_gb)
        self.until(
            lambda: self.settled_volume(volume_id).size_gb == size_gb,
            f'{size_gb} GiB',
        )

    def test_what_is_marked_otherwise_is_still_its_owners(self):
        """To drop what is not there, and to set again, is no error."""
        network_id, _ = self.make_network()
        port = self.make_port(network_id)
        server_id, _ = self.make_server(port_ids=[port.id])
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        before = self.cloud.find(self.cluster_id)
        marks = model.Marks(
            {'role': 'front', 'with space': 'x'},
            frozenset({'not there'}),
            frozenset({'blue'}),
            frozenset({'green'}),
        )
        back = model.Marks(
            {}, frozenset(marks.metadata), frozenset(), marks.tags
        )
        for each in (marks, marks, back, back):
            self.cloud.mark_server(server_id, each)
            self.cloud.mark_volume(
                volume_id,
                dataclasses.replace(
                    each, tags=frozenset(), no_tags=frozenset()
                ),
            )
        for groups in ((), None, None):
            self.cloud.secure_port(port.id, groups)
        self.assertEqual(before, self.cloud.find(self.cluster_id))

    def test_what_is_left_alone_is_there_and_can_be_adopted(self):
        network_id, subnet_id = self.make_network()
        port = self.make_port(network_id)
        server_id, _ = self.make_server(port_ids=[port.id])
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        self.cloud.tell_domains(server_id, {'rack': 'rack-1'})
        things = self.cloud.find(self.cluster_id)
        self.assertEqual(
            {network_id, subnet_id, port.id, server_id, volume_id},
            {thing.id for thing in things},
        )
        for thing in things:
            # Not ours: nothing is changed.
            self.cloud.disown(thing.kind, thing.id, 'other')
        self.assertEqual(things, self.cloud.find(self.cluster_id))
        try:
            for _ in range(2):
                for thing in things:
                    self.cloud.disown(thing.kind, thing.id, self.cluster_id)
            self.assertEqual((), self.cloud.find(self.cluster_id))
            (server,) = self.cloud.existing_servers(server_id)
            self.assertIsNone(server.owner)
            self.assertEqual({}, dict(server.metadata))
            self.assertEqual(frozenset(), server.tags)
            self.assertEqual(
                [(port.id, network_id, port.addresses)],
                [(p.id, p.network_id, p.addresses) for p in server.interfaces],
            )
            self.assertEqual(self.flavor, server.flavor)
            (volume,) = self.cloud.existing_volumes(volume_id)
            self.assertIsNone(volume.owner)
            self.assertEqual((1, 'available'), (volume.size_gb, volume.status))
            self.assertEqual((), self.other_cloud.existing_servers(server_id))
            self.assertEqual((), self.other_cloud.existing_volumes(volume_id))
        finally:
            for thing in (*things, *things):
                self.cloud.adopt(thing.kind, thing.id, thing.owner)
        self.assertEqual(things, self.cloud.find(self.cluster_id))
        again = self.make_port(network_id)
        self.assertEqual(port.id, again.id)

    def test_volume_outlives_its_server(self):
        server_id, _ = self.make_server()
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        self.cloud.attach_volume(server_id, volume_id, None)
        self.until(
            lambda: (
                server_id in self.cloud.volume_state(volume_id).attached_to
            ),
            'the attachment',
        )
        self.delete(Kind.SERVER, server_id)
        self.until(
            lambda: self.cloud.volume_state(volume_id).status == 'available',
            'the volume to be free',
        )

    def test_only_a_server_that_is_gone_is_freed_of_its_volume(self):
        server_id, _ = self.make_server()
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        self.cloud.attach_volume(server_id, volume_id, None)

        def attached():
            return self.cloud.volume_state(volume_id).attached_to

        self.until(lambda: server_id in attached(), 'the attachment')
        self.cloud.drop_attachment(server_id, volume_id)
        self.assertEqual({server_id}, {*attached()})
        self.delete(Kind.SERVER, server_id)
        self.until(lambda: not attached(), 'the volume to be free')
        self.leave_attached(server_id, volume_id)
        self.assertEqual({server_id}, {*attached()})
        self.cloud.drop_attachment(server_id, volume_id)
        self.until(
            lambda: self.cloud.volume_state(volume_id).status == 'available',
            'the volume to be free',
        )
        self.cloud.drop_attachment(server_id, volume_id)

    # Finding and removing

    def test_things_are_found_by_member_and_kind(self):
        network_id, subnet_id = self.make_network()
        port = self.make_port(network_id, 'm')
        volume_id = self.request_volume('v')
        self.settled_volume(volume_id)

        def ids(*arguments):
            found = self.cloud.find(self.cluster_id, *arguments)
            return [thing.id for thing in found]

        self.assertEqual([port.id, volume_id, subnet_id, network_id], ids())
        self.assertEqual([subnet_id, network_id], ids('net'))
        self.assertEqual([network_id], ids('net', {Kind.NETWORK}))
        self.assertEqual([port.id], ids(None, {Kind.PORT, Kind.SERVER}))
        self.assertEqual([], ids('m', {Kind.VOLUME}))
        (thing,) = self.cloud.find(self.cluster_id, 'm')
        self.assertEqual(
            model.Thing(Kind.PORT, port.id, self.owner('m', 'nic-0')), thing
        )

    def test_what_is_not_there_is_gone(self):
        for kind in Kind:
            thing_id = str(uuid.uuid4())
            self.cloud.delete(kind, thing_id)
            self.assertTrue(self.cloud.is_gone(kind, thing_id))
        unknown = str(uuid.uuid4())
        self.assertFalse(self.cloud.is_claimed(unknown))
        self.assertEqual(
            Progress.GONE, self.cloud.server_state(unknown).progress
        )
        self.assertEqual(
            Progress.GONE, self.cloud.volume_state(unknown).progress
        )
        self.assertEqual((), self.cloud.find(unknown))

    def test_tenants_do_not_see_each_other(self):
        network_id, _ = self.make_network()
        volume_id = self.request_volume()
        self.settled_volume(volume_id)
        other = self.other_cloud
        self.assertEqual((), other.find(self.cluster_id))
        for kind, thing_id in (
            (Kind.VOLUME, volume_id),
            (Kind.NETWORK, network_id),
        ):
            other.delete(kind, thing_id)
            self.assertTrue(other.is_gone(kind, thing_id))
            self.assertFalse(self.cloud.is_gone(kind, thing_id))
        self.assertEqual(Progress.GONE, other.volume_state(volume_id).progress)
