# SPDX-License-Identifier: Apache-2.0
"""The shell's client asks at the right address, whatever the catalog has."""

import types

import requests
from keystoneauth1 import access, fixture, session
from keystoneauth1.identity import access as known

from heat_vcluster import exception
from heat_vcluster.osc import plugin
from tests import base
from tests.unit import test_wire


class Config:
    """A cloud in clouds.yaml that has nothing to say of the service."""

    def get_region_name(self, kind):
        return None

    def get_interface(self, kind):
        return None

    def get_endpoint(self, kind):
        return None


class AddressTest(base.TestCase):
    def asked(self, endpoint, project_id=None):
        """Return the URL that a member of the project alpha asks for."""
        token = fixture.V3Token(project_id='alpha')
        if endpoint:
            token.add_service('vcluster').add_standard_endpoints(
                public=endpoint
            )
        answers = test_wire.Answers(test_wire.FINE)
        carrier = requests.Session()
        carrier.mount('http://', answers)
        reference = access.create(body=token, auth_token='secret')
        shell = types.SimpleNamespace(
            session=session.Session(
                known.AccessInfoPlugin(reference), session=carrier
            ),
            sdk_connection=types.SimpleNamespace(config=Config()),
        )
        plugin.make_client(shell, project_id).show('x')
        (request,) = answers.requests
        return request.url

    def test_another_project_is_in_place_of_ones_own(self):
        for endpoint in (
            'http://a:1',
            'http://a:1/v2',
            'http://a:1/v2/',
            'http://a:1/v2/alpha',
        ):
            for project_id in ('alpha', 'beta'):
                self.assertEqual(
                    f'http://a:1/v2/{project_id}/vclusters/x',
                    self.asked(endpoint, project_id),
                )
            self.assertEqual(
                'http://a:1/v2/alpha/vclusters/x', self.asked(endpoint)
            )

    def test_a_project_stays_one_part_of_the_address(self):
        self.assertEqual(
            'http://a:1/v2/b%2F..%2Fc/vclusters/x',
            self.asked('http://a:1', 'b/../c'),
        )

    def test_without_an_endpoint_there_is_no_service(self):
        for project_id in (None, 'beta'):
            self.assertRaises(
                exception.ServiceUnavailable, self.asked, None, project_id
            )
