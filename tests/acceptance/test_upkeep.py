# SPDX-License-Identifier: Apache-2.0
"""What is done about built clusters, by nova's own means and moods."""

from __future__ import annotations

from typing import Any

from tests.acceptance import base, through_service, world

DOCUMENT = {
    'name': 'kept',
    'instances': [
        base.network('net'),
        base.volume('data'),
        base.server('db', networks=['net'], volumes=['data']),
        {**base.server('web', networks=['net']), 'depends_on': ['db']},
    ],
    'groups': [base.group('apart', 'anti-affinity', 'rack', ['db', 'web'])],
}


class Upkeep(through_service.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.document = DOCUMENT
        self.begin()
        found = self.settle()
        assert found is not None
        self.assertEqual('ACTIVE', found['status'], found['status_reason'])
        self.members = found['members']

    def act(self, verb: str, body: object = None) -> dict[str, Any]:
        """Have it done and wait; nobody is told a real name by it."""
        answer = self.request(
            'POST', f'/vclusters/{self.cluster_id}/actions/{verb}', body
        )
        self.assertEqual(202, answer.status_code, answer.text)
        found = self.settle()
        assert found is not None
        self.assertIsNone(found['error_code'], found['status_reason'])
        events = self.request(
            'GET', f'/vclusters/{self.cluster_id}/events'
        ).text
        settings = self.world.settings
        for name in (*settings.host_names, *settings.rack_names):
            self.assertNotIn(name, f'{found} {events}')
        return found

    def check(self) -> dict[str, Any]:
        found: dict[str, Any] = self.act('check')['compliance']
        return found

    def drift(self) -> str:
        """Let an operator move web to its peer's host; return which."""
        host = self.world.host_of(self.members['db']['id'])
        self.world.migrate(self.members['web']['id'], host)
        return host

    def test_what_an_operator_moved_is_moved_back(self) -> None:
        self.assertEqual('COMPLIANT', self.check()['status'])
        self.drift()
        found = self.check()
        self.assertEqual('DRIFTED', found['status'])
        (rule,) = found['rules']
        self.assertEqual(
            ('apart', ['db', 'web']), (rule['group'], rule['members'])
        )
        answer = self.request(
            'POST',
            f'/vclusters/{self.cluster_id}/actions/repair',
            {'dry_run': True},
        )
        self.assertEqual(200, answer.status_code, answer.text)
        planned = answer.json()['repair']
        self.assertEqual(1, len(planned['moves']), planned)
        self.assertTrue(planned['is_least'])

        found = self.act('repair', {})
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assert_apart(self.racks(found['members'], 'db', 'web'))
        self.assert_built(found['members'])
        self.assert_attached(found['members'], 'data', 'db')
        self.assertEqual(
            {name: m['id'] for name, m in self.members.items()},
            {name: m['id'] for name, m in found['members'].items()},
        )

    def test_rules_that_do_not_hold_yet_are_rebuilt_into(self) -> None:
        policy = {'allow_drifted': True}
        wanted = {
            **self.document,
            'groups': [base.group('one', 'affinity', 'host', ['db', 'web'])],
            'update_policy': policy,
        }
        answer = self.request(
            'PUT', f'/vclusters/{self.cluster_id}', {'vcluster': wanted}
        )
        self.assertEqual(202, answer.status_code, answer.text)
        found = self.settle()
        assert found is not None
        self.assertIsNone(found['error_code'], found['status_reason'])
        self.assertEqual('DRIFTED', found['compliance']['status'])
        found = self.act('repair', {'rebuild': True})
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        hosts = {
            found['members'][name]['domains']['host'] for name in ('db', 'web')
        }
        self.assertEqual(1, len(hosts))
        self.assert_attached(found['members'], 'data', 'db')
        self.assertEqual(
            1,
            sum(
                found['members'][name]['id'] == self.members[name]['id']
                for name in ('db', 'web')
            ),
        )

    def test_the_shell_repairs_with_servers_off(self) -> None:
        self.drift()
        said = self.openstack('vcluster', 'check', '--wait', self.cluster_id)
        self.assertEqual(2, said.code, said.text)
        self.assertIn('DRIFTED', said.output)
        told = self.ask(
            'vcluster', 'repair', '--cold', '--wait', self.cluster_id
        )
        self.assertEqual('COMPLIANT', told['compliance']['status'])
        self.assert_apart(self.racks(told['members'], 'db', 'web'))

    def test_what_was_deleted_behind_our_back_is_made_again(self) -> None:
        lost = self.members['db']['id']
        self.alpha.compute.delete_server(lost)
        world.until(
            lambda: self.alpha.compute.find_server(lost) is None,
            'the server is gone',
        )
        found = self.check()
        self.assertEqual('DEGRADED', found['status'])
        self.assertEqual(
            [{'member': 'db', 'reason': 'its server is gone'}],
            found['members'],
        )
        healed = self.act('heal')
        self.assertEqual('COMPLIANT', healed['compliance']['status'])
        members = healed['members']
        self.assertNotEqual(lost, members['db']['id'])
        self.assertEqual(
            self.members['db']['addresses'], members['db']['addresses']
        )
        self.assertEqual(self.members['data']['id'], members['data']['id'])
        self.assert_attached(members, 'data', 'db')
        self.assert_apart(self.racks(members, 'db', 'web'))
        self.assert_built(members)

    def test_servers_go_off_and_on(self) -> None:
        servers = [self.members[name]['id'] for name in ('db', 'web')]

        def shown() -> set[str]:
            return {
                self.alpha.compute.get_server(server).status
                for server in servers
            }

        for verb, status, server in (
            ('stop', 'STOPPED', 'SHUTOFF'),
            ('start', 'ACTIVE', 'ACTIVE'),
            ('suspend', 'SUSPENDED', 'SUSPENDED'),
            ('resume', 'ACTIVE', 'ACTIVE'),
        ):
            self.assertEqual(status, self.act(verb)['status'])
            self.assertEqual({server}, shown())
            found = self.act('check')
            self.assertEqual(status, found['status'])
            self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.act('suspend')
        self.delete()
        self.assert_nothing_left()


class Stack(through_service.ServiceTestCase):
    """Heat's own verbs are those of the cluster."""

    def test_check_suspend_and_resume(self) -> None:
        template = self.write_template(
            DOCUMENT['instances'], DOCUMENT['groups']
        )
        members = self.create_active_stack(template)
        self.act('suspend', 'SUSPEND_COMPLETE')
        shown = self.alpha.compute.get_server(members['db']['id'])
        self.assertEqual('SUSPENDED', shown.status)
        self.act('resume', 'RESUME_COMPLETE')
        # Heat lets a stack whose check has failed do nothing but change.
        host = self.world.host_of(members['db']['id'])
        self.world.migrate(members['web']['id'], host)
        self.act('check', 'CHECK_FAILED')
        resource = self.cluster_resource()
        self.assertIn(
            'apart does not hold', resource['resource_status_reason']
        )
        self.assertEqual(
            'DRIFTED', resource['attributes']['compliance']['status']
        )
        self.delete_stack()
        self.assert_nothing_left()

    def act(self, verb: str, status: str) -> None:
        """Ask Heat for an action, and wait for that end of it."""
        self.openstack('stack', verb, '--wait', self.name)
        self.assertEqual(status, self.stack_status(), self.reason())
