# SPDX-License-Identifier: Apache-2.0
"""Trusts in a real keystone: made, used, lost and ended."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import fixtures
import testtools
from keystoneauth1 import session as ks
from keystoneauth1.identity import access as identity
from keystoneauth1.identity import v3

from heat_vcluster import conf, context, exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.cmd import manage, orphans
from heat_vcluster.db import api as db
from heat_vcluster.spec import model as spec
from tests.acceptance import test_cloud_contract, world


class TrustTest(testtools.TestCase):
    """``ann`` is a user of her own, as her account is tampered with."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud = world.settings()
        self.config = test_cloud_contract.config_file(self.cloud.state_dir)
        self.opener = OpenStackOpener.from_config(
            conf.load(config_files=[self.config])
        )
        self.admin = world.connect(self.cloud, 'admin').identity
        self.project = self.admin.create_project(name='of-ann')
        self.addCleanup(self.admin.delete_project, self.project)
        self.user = self.admin.create_user(
            name='ann', password='secret', is_enabled=True
        )
        self.addCleanup(self.admin.delete_user, self.user)
        self.role = self.admin.find_role('member', ignore_missing=False)
        self.admin.assign_project_role_to_user(
            self.project, self.user, self.role
        )
        self.auth_url = self.cloud.auth_url
        self.ann = self.context(
            v3.Password(
                self.auth_url,
                user_id=self.user.id,
                password='secret',
                project_id=self.project.id,
            )
        )

    def context(self, auth: Any) -> context.Context:
        return context.Context(
            self.project.id, self.user.id, ks.Session(auth=auth)
        )

    def entrust(self) -> str:
        """Entrust us by nothing but a token, as the API has it."""
        token = self.ann.auth.auth.get_access(self.ann.auth)
        user = self.context(identity.AccessInfoPlugin(token))
        trust_id = self.opener.entrust(user)
        assert trust_id is not None
        return trust_id

    def trusted(self, trust_id: str) -> context.Context:
        return self.opener.trusted(self.project.id, self.user.id, trust_id)

    def trusted_again(self, trust_id: str) -> context.Context | None:
        try:
            return self.trusted(trust_id)
        except exception.TrustLost:
            return None

    def trusts(self) -> list[str]:
        answer = self.ann.auth.get(
            '/OS-TRUST/trusts',
            endpoint_filter={'service_type': 'identity'},
            params={'trustor_user_id': self.user.id},
        )
        return [trust['id'] for trust in answer.json()['trusts']]

    def test_what_we_make_by_it_is_hers(self) -> None:
        trusted = self.trusted(self.entrust())
        outside = self.opener.open(trusted)
        owner = model.Owner('trusted', 'net')
        network = outside.ensure_network(owner, 'net', spec.NetworkSpec())
        self.addCleanup(outside.delete, model.Kind.NETWORK, network)
        found = self.opener.open(self.ann).find('trusted')
        self.assertEqual([network], [thing.id for thing in found])

    def test_it_ends_when_we_say_so(self) -> None:
        trust_id = self.entrust()
        self.assertEqual([trust_id], self.trusts())
        self.opener.end_trust(trust_id)
        self.assertEqual([], self.trusts())
        self.assertRaises(exception.TrustLost, self.trusted, trust_id)
        self.opener.end_trust(trust_id)

    def test_it_is_lost_with_her_role(self) -> None:
        trust_id = self.entrust()
        self.admin.unassign_project_role_from_user(
            self.project, self.user, self.role
        )
        self.assertRaises(exception.TrustLost, self.trusted, trust_id)

    def test_it_is_lost_with_her(self) -> None:
        trust_id = self.entrust()
        self.admin.update_user(self.user, is_enabled=False)
        self.assertRaises(exception.TrustLost, self.trusted, trust_id)

    def test_it_is_lost_with_the_project(self) -> None:
        trust_id = self.entrust()
        self.admin.update_project(self.project, is_enabled=False)
        self.assertRaises(exception.TrustLost, self.trusted, trust_id)
        self.admin.update_project(self.project, is_enabled=True)
        # Tokens of the second of the change count as older than it, and what
        # keystone remembers of the project is a little older, too.
        found = world.until(
            lambda: self.trusted_again(trust_id), 'she is trusted again', 30
        )
        self.assertEqual(self.user.id, found.user_id)

    def test_on_no_record_it_is_an_orphan(self) -> None:
        kept, _ = self.entrust(), self.entrust()
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        database = f'sqlite:///{folder}/vcluster.sqlite'
        store = db.Store(database)
        self.addCleanup(store.close)
        store.create_cluster(
            id=str(uuid.uuid4()),
            project_id=self.project.id,
            user_id=self.user.id,
            document={},
            members=[],
            trust_id=kept,
        )
        path = folder / 'vcluster.conf'
        path.write_text(f'[database]\nconnection = {database}\n')
        self.patch(orphans, 'TRUST_GRACE', 0.0)
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_CLIENT_CONFIG_FILE', str(self.cloud.clouds_yaml)
            )
        )
        code = manage.main(
            [
                'orphans',
                '--os-cloud=devcloud-admin',
                f'--config-file={self.config}',
                f'--config-file={path}',
                f'--project={self.project.id}',
                '--delete',
                '--yes',
            ]
        )
        self.assertEqual(0, code)
        self.assertEqual([kept], self.trusts())

    def test_it_is_nobody_elses(self) -> None:
        trust_id = self.entrust()
        for project_id, user_id in (
            (self.project.id, 'somebody'),
            ('elsewhere', self.user.id),
        ):
            self.assertRaises(
                exception.TrustLost,
                self.opener.trusted,
                project_id,
                user_id,
                trust_id,
            )

    def test_it_cannot_be_handed_on(self) -> None:
        trusted = self.trusted(self.entrust())
        self.assertIsNone(self.opener.entrust(trusted))

    def test_application_credentials_have_none(self) -> None:
        made = self.ann.auth.post(
            f'/users/{self.user.id}/application_credentials',
            endpoint_filter={'service_type': 'identity'},
            json={'application_credential': {'name': 'restricted'}},
        ).json()['application_credential']
        user = self.context(
            v3.ApplicationCredential(
                self.auth_url,
                application_credential_id=made['id'],
                application_credential_secret=made['secret'],
            )
        )
        self.assertIsNone(self.opener.entrust(user))
