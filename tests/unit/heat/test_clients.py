# SPDX-License-Identifier: Apache-2.0

import fixtures
from oslo_config import cfg
from oslotest import base

from heat_vcluster import exception, http
from tests.unit.heat import base as heat_base


class ClientsTest(base.BaseTestCase):
    """Which service is asked, by what is in the catalog of a real token."""

    def setUp(self):
        super().setUp()
        heat_base.load_plugins()
        self.here = heat_base.ObedientClient()
        self.owners = []
        self.patch_deploy()

    def patch_deploy(self):
        def client(owner):
            self.owners.append(owner)
            return self.here

        self.useFixture(
            fixtures.MonkeyPatch('heat_vcluster.deploy.client', client)
        )

    def plugin(self, **urls):
        """Make the plug-in for a token with endpoints of these interfaces."""
        context = heat_base.heat_utils.dummy_context(tenant_id='alpha')
        heat_base.give_token(context, **urls)
        self.context = context
        return context.clients.client_plugin('vcluster')

    def test_without_an_endpoint_the_service_is_in_this_process(self):
        self.assertIs(self.here, self.plugin().client())
        (owner,) = self.owners
        self.assertEqual('alpha', owner.project_id)
        self.assertIs(self.context.keystone_session, owner.auth)

    def test_where_the_catalog_has_one_it_is_asked(self):
        made = self.plugin(public='http://service/v2/alpha').client()
        self.assertIsInstance(made, http.HttpClient)
        self.assertEqual([], self.owners)
        self.assertEqual(
            'http://service/v2/alpha', made._adapter.get_endpoint()
        )
        self.assertIs(self.context.keystone_session, made._adapter.session)

    def test_the_interface_is_the_one_that_heat_is_configured_for(self):
        cfg.CONF.set_override('endpoint_type', 'internalURL', 'clients')
        self.addCleanup(cfg.CONF.clear_override, 'endpoint_type', 'clients')
        made = self.plugin(public='http://out', internal='http://in').client()
        self.assertEqual('http://in', made._adapter.get_endpoint())

    def test_its_errors_mean_to_heat_what_they_are(self):
        plugin = self.plugin()
        self.assertTrue(plugin.is_not_found(exception.ClusterNotFound('id')))
        self.assertTrue(
            plugin.is_over_limit(exception.LimitExceeded('clusters', 1, 1, 1))
        )
        self.assertFalse(plugin.is_conflict(exception.ClusterExists('id')))
        self.assertFalse(
            plugin.is_not_found(exception.ServiceError('not here', None))
        )
