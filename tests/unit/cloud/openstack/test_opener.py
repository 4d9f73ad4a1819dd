# SPDX-License-Identifier: Apache-2.0
"""Who is guarded is so on all ways to the services."""

import testtools
from keystoneauth1 import noauth
from keystoneauth1 import session as ks

from heat_vcluster import context, exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import OpenStackOpener
from heat_vcluster.spec import model as spec
from tests.unit.cloud.openstack.wire import Wire

OWNER = model.Owner('c', 'm')


class GuardedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.wire = Wire(self)
        session = ks.Session(auth=noauth.NoAuth(endpoint=self.wire.url))
        self.plain = OpenStackOpener(session)
        self.opener = self.plain.guarded(self.check)
        self.cloud = self.opener.open(context.Context('alpha', 'ann', session))

    def check(self):
        raise exception.LeaseLost('gone')

    def assert_kept_from(self, call, *args):
        self.assertRaises(exception.LeaseLost, call, *args)
        self.assertEqual(
            [], [seen for seen in self.wire.seen if seen[0] != 'GET']
        )

    def test_with_the_rights_of_the_service(self):
        self.assert_kept_from(self.opener.release_holds, ['h'])
        self.assert_kept_from(self.cloud.release, ['h'])

    def test_with_those_of_the_tenant(self):
        self.wire.answer('GET', '/networks', (200, {'networks': []}))
        self.assert_kept_from(
            self.cloud.ensure_network, OWNER, 'n', spec.NetworkSpec()
        )
        self.wire.answer('GET', '/ports', (200, {'ports': []}))
        for kind in model.Kind:
            self.assert_kept_from(self.cloud.delete, kind, 'x')

    def test_others_of_the_process_are_not(self):
        self.plain.release_holds(['h'])
        self.assertEqual(['DELETE'], [seen[0] for seen in self.wire.seen])
