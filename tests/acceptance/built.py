# SPDX-License-Identifier: Apache-2.0
"""What a cluster has to be in the cloud once its tenant is told ACTIVE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.acceptance import base


class BuiltTestCase(base.AcceptanceTestCase):
    """``members`` are as the tenant sees them: name -> what is told."""

    def assert_built(self, members: Mapping[str, Mapping[str, Any]]) -> None:
        """Every member is ready, really there, and where it is said to be."""
        for name, member in members.items():
            self.assertEqual('ACTIVE', member['status'], name)
            self.assert_exists(name, member, members)
        self.assert_pseudonyms_tell_the_truth(members)

    def assert_exists(
        self,
        name: str,
        member: Mapping[str, Any],
        members: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Each service has the member, in the tenant's own project."""
        if member['type'] == 'server':
            found = self.alpha.compute.get_server(member['id'])
            self.assertEqual('ACTIVE', found.status, name)
            self.assertEqual(
                sorted(member['addresses']), self.addresses(found), name
            )
        elif member['type'] == 'volume':
            found = self.alpha.block_storage.get_volume(member['id'])
            self.assertIn(found.status, ('available', 'in-use'), name)
        else:
            found = self.alpha.network.get_network(member['id'])
            self.assertEqual('ACTIVE', found.status, name)
        self.assertEqual(self.alpha.current_project_id, found.project_id)

    def addresses(self, server: Any) -> list[str]:
        return sorted(
            one['addr'] for found in server.addresses.values() for one in found
        )

    def assert_attached(
        self, members: Mapping[str, Any], volume: str, server: str
    ) -> None:
        found = self.alpha.block_storage.get_volume(members[volume]['id'])
        self.assertEqual('in-use', found.status)
        self.assertEqual(
            [members[server]['id']],
            [one['server_id'] for one in found.attachments],
        )

    def assert_pseudonyms_tell_the_truth(
        self, members: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Two members have one pseudonym if and only if one rack."""
        placed = {
            name: member
            for name, member in members.items()
            if member['type'] != 'network'
        }
        pairs = {
            (member['domains']['rack'], self.world.rack_of(member))
            for member in placed.values()
        }
        self.assertEqual(len(pairs), len({told for told, _ in pairs}), pairs)
        self.assertEqual(len(pairs), len({real for _, real in pairs}), pairs)
        hosts = {
            (member['domains']['host'], self.world.host_of(member['id']))
            for member in placed.values()
            if member['type'] == 'server'
        }
        self.assertEqual(len(hosts), len({told for told, _ in hosts}), hosts)
        self.assertEqual(len(hosts), len({real for _, real in hosts}), hosts)

    # Templates

    def assert_web_cluster(
        self, members: Mapping[str, Mapping[str, Any]], webs: int
    ) -> None:
        """The rules of ``web_cluster.yaml`` hold, and all is connected."""
        self.assert_apart(self.racks(members, 'lb-0', 'lb-1'))
        self.assert_apart(self.racks(members, 'db-0', 'db-1'))
        names = [f'web-{n}' for n in range(webs)]
        self.assert_spread(self.racks(members, *names), 2)
        for chain in (
            ('lb-0', 'db-0', 'data-0', 'web-0', 'web-2'),
            ('lb-1', 'db-1', 'data-1', 'web-1', 'web-3'),
        ):
            self.assert_together(self.racks(members, *chain))
        self.assert_attached(members, 'data-0', 'db-0')
        self.assert_attached(members, 'data-1', 'db-1')
        self.assert_reachable(members, 'lb-0')
        self.assert_reachable(members, 'lb-1')
        self.assert_ports_active(members)

    def assert_reachable(self, members: Mapping[str, Any], name: str) -> None:
        """It has a floating IP that leads to a port of its own."""
        ports = {
            port.id
            for port in self.alpha.network.ports(device_id=members[name]['id'])
        }
        floating = [
            ip.floating_ip_address
            for ip in self.alpha.network.ips()
            if ip.port_id in ports
        ]
        self.assertEqual(1, len(floating), name)
        self.assertIn(floating[0], members[name]['addresses'])

    def assert_ports_active(self, members: Mapping[str, Any]) -> None:
        for name, member in members.items():
            if member['type'] == 'server':
                for port in self.alpha.network.ports(device_id=member['id']):
                    self.assertEqual('ACTIVE', port.status, name)
