# SPDX-License-Identifier: Apache-2.0
"""What a tenant has made by himself is brought under a cluster, and lives."""

from __future__ import annotations

from typing import Any

from heat_vcluster import VCluster, conf, context, exception
from heat_vcluster.cloud.openstack import OpenStackOpener
from tests.acceptance import base, built, test_cloud_contract, world

NETWORK = 'made-by-hand'
DOCUMENT = {
    'name': 'taken-in',
    'instances': [
        base.volume('data'),
        base.server(
            'db', networks=[{'network': NETWORK}], volumes=[{'volume': 'data'}]
        ),
        base.server('web', networks=[{'network': NETWORK}]),
    ],
    'groups': [base.group('apart', 'anti-affinity', 'rack', ['db', 'web'])],
}
NAMED = {'data': 'old-data', 'db': 'old-db', 'web': 'old-web'}


class Adoption(built.BuiltTestCase):
    """Two servers and a volume, made by nothing but openstacksdk."""

    def setUp(self) -> None:
        super().setUp()
        self.program = self.open()
        network = self.alpha.network
        made = network.create_network(name=NETWORK)
        self.addCleanup(network.delete_network, made)
        network.create_subnet(
            network_id=made.id, ip_version=4, cidr='10.91.0.0/24'
        )
        self.addCleanup(self.remove_what_is_there)
        self.volume = self.alpha.block_storage.create_volume(
            name='old-data', size=1
        )
        self.servers = {
            name: self.make_server(f'old-{name}', made.id)
            for name in ('db', 'web')
        }
        for server in self.servers.values():
            self.alpha.compute.wait_for_server(server)
        self.alpha.block_storage.wait_for_status(self.volume, 'available')
        self.alpha.compute.create_volume_attachment(
            self.servers['db'], volume_id=self.volume.id
        )
        self.await_volume('in-use')
        self.hosts = self.two_hosts()

    def open(self) -> VCluster:
        cloud = self.world.settings
        config = test_cloud_contract.config_file(cloud.state_dir)
        session = self.alpha.session
        program = VCluster(
            OpenStackOpener.from_config(conf.load(config_files=[config])),
            context.Context(
                session.get_project_id(), session.get_user_id(), session
            ),
        )
        self.addCleanup(program.close)
        return program

    def make_server(self, name: str, network_id: str) -> Any:
        compute = self.alpha.compute
        return compute.create_server(
            name=name,
            image_id=self.alpha.image.find_image('cirros').id,
            flavor_id=compute.find_flavor('tiny').id,
            networks=[{'uuid': network_id}],
        )

    def await_volume(self, status: str) -> None:
        storage = self.alpha.block_storage
        world.until(
            lambda: storage.get_volume(self.volume.id).status == status,
            f'the volume is {status}',
        )

    def two_hosts(self) -> tuple[str, str]:
        """The first hosts of two racks."""
        racks = world.by_value(self.world.rack_of_host())
        first, second, *_ = (sorted(hosts)[0] for hosts in racks.values())
        return first, second

    def put(self, name: str, host: str) -> None:
        server_id = self.servers[name].id
        if self.world.host_of(server_id) != host:
            self.world.migrate(server_id, host)

    def remove_what_is_there(self) -> None:
        compute, storage = self.alpha.compute, self.alpha.block_storage
        for server in list(compute.servers()):
            compute.delete_server(server)
        world.until(lambda: not list(compute.servers()), 'no server is left')
        for volume in list(storage.volumes()):
            world.until(
                lambda v=volume: storage.get_volume(v).status == 'available',
                'the volume is let go',
            )
            storage.delete_volume(volume)
        world.until(lambda: not list(storage.volumes()), 'no volume is left')

    def adopt(self, **options: Any) -> dict[str, Any]:
        view = self.program.adopt(DOCUMENT, NAMED, **options)
        return self.program.wait(view['id'], timeout=200)

    def marks(self) -> list[str]:
        """All in which the tenant's things are not as he made them."""
        found = []
        for server in self.servers.values():
            now = self.alpha.compute.get_server(server.id)
            ports = self.alpha.network.ports(device_id=server.id)
            tags = [tag for port in ports for tag in port.tags]
            found += [*now.metadata, *(now.tags or ()), *tags]
        volume = self.alpha.block_storage.get_volume(self.volume.id)
        return [*found, *volume.metadata]

    def assert_there(self, members: dict[str, Any]) -> None:
        """As for any cluster; but where the volume is, no tenant is told."""
        self.assertEqual({}, members['data']['domains'])
        self.assert_exists('data', members['data'], members)
        self.assert_built({n: members[n] for n in self.servers})

    def test_it_is_given_up_taken_in_again_healed_and_deleted(self) -> None:
        self.put('db', self.hosts[0])
        self.put('web', self.hosts[0])
        before = self.world.everything()
        error = self.assertRaises(exception.RulesBroken, self.adopt)
        self.assertIn('apart', str(error))
        self.assertNotIn(self.hosts[0], str(error))
        self.assertEqual([], self.marks())

        view = self.adopt(allow_drifted=True)
        self.assertEqual('DRIFTED', view['compliance']['status'])
        self.assertNotEqual([], self.marks())
        self.program.release(view['id'])
        self.program.wait_deleted(view['id'], timeout=100)
        self.assertEqual([], self.marks())
        self.assertEqual(before, self.world.everything())

        self.put('web', self.hosts[1])
        view = self.adopt()
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assertEqual(
            {name: server.id for name, server in self.servers.items()},
            {name: view['members'][name]['id'] for name in self.servers},
        )
        self.assert_there(view['members'])
        healed = self.heal(view['id'])
        self.assertEqual(
            view['members']['db']['addresses'],
            healed['members']['db']['addresses'],
        )
        self.program.delete(view['id'])
        self.program.wait_deleted(view['id'], timeout=200)
        self.assertEqual([], list(self.alpha.compute.servers()))
        self.assertEqual([], list(self.alpha.block_storage.volumes()))

    def heal(self, cluster_id: str) -> dict[str, Any]:
        """Lose a server, whose port nova takes away with it."""
        lost = self.servers['db'].id
        self.alpha.compute.delete_server(lost)
        world.until(
            lambda: self.alpha.compute.find_server(lost) is None,
            'the server is gone',
        )
        self.program.heal(cluster_id)
        healed = self.program.wait_settled(cluster_id, timeout=200)
        self.assertEqual('COMPLIANT', healed['compliance']['status'])
        self.assertNotEqual(lost, healed['members']['db']['id'])
        self.assert_there(healed['members'])
        self.assert_attached(healed['members'], 'data', 'db')
        return healed
