# SPDX-License-Identifier: Apache-2.0
"""The service's doors: the shell and Heat, and who may go through them."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

from openstack.connection import Connection

from tests.acceptance import base, through_service, world

PAIR = {
    'name': 'pair',
    'instances': [base.network('net'), base.volume('data')],
}


class Shell(through_service.ServiceTestCase):
    def test_u3_from_create_to_delete(self) -> None:
        self.addCleanup(self.delete)
        path = str(self.write_document())
        created = self.ask(
            *('vcluster', 'create', '--file', path, '--wait'),
            *('--id', self.cluster_id, 'web'),
        )
        self.assertEqual('ACTIVE', created['status'])
        found = self.show()
        assert found is not None
        self.assert_web_cluster_once(found)
        (listed,) = self.ask('vcluster', 'list')
        self.assertEqual(self.cluster_id, listed['ID'])
        drawn = self.openstack('vcluster', 'topology', 'show', 'web')
        for name in ('lb-0', 'web-3', 'chain-1'):
            self.assertIn(name, drawn.output)
        # Neither host nor rack by their real names, wherever one looks.
        told = [
            self.openstack(*command, '-f', 'json').output
            for command in (
                ('vcluster', 'show', 'web'),
                ('vcluster', 'member', 'list', 'web'),
                ('vcluster', 'event', 'list', 'web'),
            )
        ]
        settings = self.world.settings
        for text in (drawn.output, *told):
            for name in (*settings.host_names, *settings.rack_names):
                self.assertNotIn(name, text)
        said = self.openstack('vcluster', 'delete', '--wait', 'web')
        self.assertEqual(0, said.code, said.text)
        self.assert_nothing_left()

    def test_a_held_plan_is_built_as_it_was_told(self) -> None:
        self.addCleanup(self.delete)
        path = str(self.write_document())
        plan = self.ask('vcluster', 'plan', '--file', path, '--hold', '300')
        self.cluster_id = plan['id']
        self.ask('vcluster', 'create', '--plan', plan['id'], '--wait')
        found = self.show()
        assert found is not None
        self.assert_web_cluster_once(found)
        self.assertEqual(
            {name: told['domains'] for name, told in plan['members'].items()},
            {
                name: told['domains']
                for name, told in found['members'].items()
                if told['type'] != 'network'
            },
        )


class Heat(through_service.ServiceTestCase):
    """Where the catalog has the service, Heat asks it."""

    def find(self) -> dict[str, Any] | None:
        """Return the stack's cluster as the service shows it."""
        answer = self.request('GET', '/vclusters').json()['vclusters']
        for summary in answer:
            if summary['name'].startswith(self.name):
                return self.show(summary['id'])
        return None

    def test_the_stacks_cluster_is_one_of_the_service(self) -> None:
        members = self.create_active_stack(base.TEMPLATES / 'web_cluster.yaml')
        found = self.find()
        assert found is not None
        self.assertEqual(
            {name: told['id'] for name, told in members.items()},
            {name: told['id'] for name, told in found['members'].items()},
        )
        self.assert_web_cluster_once(found)
        self.delete_stack()
        self.assertIsNone(self.find())

    def test_a_killed_heat_engine_loses_nothing_of_the_cluster(self) -> None:
        said = self.create_stack(
            base.TEMPLATES / 'web_cluster.yaml', wait=False
        )
        self.assertEqual(0, said.code, said.text)
        found = world.until(
            lambda: (
                (seen := self.find())
                and any(m['id'] for m in seen['members'].values())
                and seen
            ),
            'the first member is there',
        )
        self.assertEqual('CREATING', found['status'])
        self.addCleanup(self.world.start, 'heat')
        self.world.kill('heat')
        settled = self.settle(found['id'])
        assert settled is not None
        self.assert_web_cluster_once(settled)
        self.world.start('heat')
        self.delete_stack()
        self.assert_nothing_left()


class Isolation(through_service.ServiceTestCase):
    """Each tenant, at each verb, against the cluster of the other."""

    def setUp(self) -> None:
        super().setUp()
        self.tenants = (self.alpha, self.beta)

    def make(self, tenant: Connection) -> str:
        """Build a small cluster; return its id."""
        cluster_id = str(uuid.uuid4())
        path = f'/vclusters/{cluster_id}'
        answer = self.request(
            'POST',
            '/vclusters',
            {'vcluster': {'id': cluster_id, **PAIR}},
            tenant,
        )
        self.assertEqual(202, answer.status_code, answer.text)

        def remove() -> None:
            self.request('DELETE', path, tenant=tenant)
            self.until_answer(path, tenant, None)

        self.addCleanup(remove)
        self.until_answer(path, tenant, 'ACTIVE')
        return cluster_id

    def until_answer(
        self, path: str, tenant: Connection, status: str | None
    ) -> None:
        """Wait for a status; None: there is no such cluster."""

        def is_so() -> bool:
            answer = self.request('GET', path, tenant=tenant)
            if answer.status_code == 404:
                return status is None
            told = answer.json()['vcluster']
            self.assertNotEqual('ERROR', told['status'], answer.text)
            return bool(told['status'] == status)

        world.until(is_so, f'{path} is {status}')

    def hold(self, tenant: Connection) -> str:
        """Hold a plan; return its id."""
        answer = self.request(
            'POST',
            '/vclusters/plan',
            {'vcluster': PAIR, 'hold_seconds': 600},
            tenant,
        )
        self.assertEqual(201, answer.status_code, answer.text)
        plan_id = str(answer.json()['plan']['id'])
        self.addCleanup(
            self.request,
            'DELETE',
            f'/vclusters/plan/{plan_id}',
            tenant=tenant,
        )
        return plan_id

    def test_no_verb_reaches_what_is_anothers(self) -> None:
        made = {
            tenant: (self.make(tenant), self.hold(tenant))
            for tenant in self.tenants
        }
        before = {tenant: self.everything_of(tenant) for tenant in made}
        for owner, other in itertools.permutations(self.tenants):
            cluster_id, plan_id = made[owner]
            one = f'/vclusters/{cluster_id}'
            plan = f'/vclusters/plan/{plan_id}'
            verbs: list[tuple[str, str, object]] = [
                ('GET', one, None),
                ('PUT', one, {'vcluster': {'name': 'mine'}}),
                ('DELETE', one, None),
                ('GET', f'{one}/members', None),
                ('GET', f'{one}/members/net', None),
                ('GET', f'{one}/events', None),
                ('GET', f'{one}/topology', None),
                ('GET', plan, None),
                ('DELETE', plan, None),
                ('POST', '/vclusters', {'vcluster': {'plan_id': plan_id}}),
            ]
            for method, path, body in verbs:
                self.assert_hidden(method, path, body, other)
            for method, path, body in [
                *verbs,
                ('GET', '/vclusters', None),
                ('GET', '/limits', None),
                ('POST', '/vclusters', {'vcluster': PAIR}),
                ('POST', '/vclusters/plan', {'vcluster': PAIR}),
                ('POST', '/vclusters/validate', {'vcluster': PAIR}),
            ]:
                project = owner.session.get_project_id()
                self.assert_hidden(method, path, body, other, project)
        for tenant, was in before.items():
            self.assertEqual(was, self.everything_of(tenant))

    def test_an_administrator_deletes_what_is_anothers(self) -> None:
        path = f'/vclusters/{self.make(self.alpha)}'
        plan = f'/vclusters/plan/{self.hold(self.alpha)}'
        project = self.alpha.session.get_project_id()
        for each, code in ((path, 202), (plan, 204)):
            answer = self.request('DELETE', each, None, self.beta, project)
            self.assertEqual(404, answer.status_code, answer.text)
            admin = self.world.admin
            answer = self.request('DELETE', each, None, admin, project)
            self.assertEqual(code, answer.status_code, answer.text)
        self.until_answer(path, self.alpha, None)
        self.assert_nothing_left()

    def assert_hidden(
        self,
        method: str,
        path: str,
        body: object,
        tenant: Connection,
        project: str | None = None,
    ) -> None:
        answer = self.request(method, path, body, tenant, project)
        self.assertEqual(
            404, answer.status_code, f'{method} {path}: {answer.text}'
        )

    def everything_of(self, tenant: Connection) -> str:
        """All that the service tells a tenant, without the request's id."""
        told = [self.request('GET', '/limits', tenant=tenant).json()]
        for summary in self.request('GET', '/vclusters', tenant=tenant).json()[
            'vclusters'
        ]:
            path = f'/vclusters/{summary["id"]}'
            told += [
                self.request('GET', f'{path}{part}', tenant=tenant).json()
                for part in ('', '/members', '/events', '/topology')
            ]
        return json.dumps(told, indent=1)

    def test_lists_have_only_what_is_ones_own(self) -> None:
        made = {tenant: self.make(tenant) for tenant in self.tenants}
        for tenant, account in zip(
            self.tenants, ('alpha', 'beta'), strict=True
        ):
            listed = self.ask('vcluster', 'list', account=account)
            self.assertEqual([made[tenant]], [one['ID'] for one in listed])
        said = self.openstack(
            *('vcluster', 'list', '--all-projects'), account='beta'
        )
        self.assertNotEqual(0, said.code, said.text)
        every = self.ask('vcluster', 'list', '--all-projects', account='admin')
        self.assertEqual(set(made.values()), {one['ID'] for one in every})
