# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import errors


@dataclasses.dataclass
class Answer:
    status_code: int
    text: str


def translate(status, body, *names):
    secrets = errors.Secrets()
    secrets.add(frozenset(names))
    text = body if isinstance(body, str) else json.dumps(body)
    return errors.translate('svc', Answer(status, text), secrets)


class TranslateTest(testtools.TestCase):
    """Bodies as the services of 2026.2 write them."""

    def test_nova_quota(self):
        body = {
            'forbidden': {
                'code': 403,
                'message': 'Quota exceeded for cores: Requested 4, but '
                'already used 10 of 10 cores',
            }
        }
        error = translate(403, body)
        self.assertIsInstance(error, exception.QuotaExceeded)
        self.assertIn('10 of 10 cores', str(error))

    def test_nova_policy(self):
        body = {
            'forbidden': {
                'code': 403,
                'message': "Policy doesn't allow "
                'compute:servers:create:requested_destination to be '
                'performed.',
            }
        }
        error = translate(403, body)
        self.assertIsInstance(error, exception.CloudForbidden)
        self.assertNotIsInstance(error, exception.QuotaExceeded)

    def test_cinder_quota(self):
        body = {
            'overLimit': {
                'code': 413,
                'message': 'VolumeLimitExceeded: Maximum number of volumes '
                "allowed (1) exceeded for quota 'volumes'.",
            }
        }
        self.assertIsInstance(translate(413, body), exception.QuotaExceeded)

    def test_neutron_quota(self):
        body = {
            'NeutronError': {
                'type': 'OverQuota',
                'message': "Quota exceeded for resources: ['port'].",
                'detail': '',
            }
        }
        self.assertIsInstance(translate(409, body), exception.QuotaExceeded)

    def test_neutron_conflict_has_its_type(self):
        body = {
            'NeutronError': {
                'type': 'NetworkInUse',
                'message': 'Unable to complete operation on network 1.',
                'detail': '',
            }
        }
        error = translate(409, body)
        self.assertIsInstance(error, errors.Refused)
        self.assertEqual('NetworkInUse', error.kind)

    def test_placement_has_a_code(self):
        body = {
            'errors': [
                {
                    'status': 409,
                    'title': 'Conflict',
                    'detail': 'There was a conflict.\n\n Inventory and/or '
                    'allocations changed  ',
                    'code': 'placement.concurrent_update',
                }
            ]
        }
        error = translate(409, body)
        self.assertEqual('placement.concurrent_update', error.kind)
        self.assertIn(
            'conflict. Inventory and/or allocations changed', error.reason
        )

    def test_glance_answers_in_html(self):
        text = '<html><body><h1>404</h1>No image found</body></html>'
        error = translate(404, text)
        self.assertIsInstance(error, errors.NotFound)
        self.assertEqual('404 No image found', error.reason)

    def test_empty_answer_has_its_status(self):
        error = translate(500, '')
        self.assertIsInstance(error, errors.Unclear)
        self.assertEqual('HTTP status 500', error.reason)

    def test_host_is_not_told(self):
        body = {
            'badRequest': {
                'code': 400,
                'message': 'Compute host r1h1.example.org could not be found.',
            }
        }
        error = translate(400, body, 'r1h1.example.org')
        self.assertEqual(
            'Compute host <hidden> could not be found.', error.reason
        )


class SecretsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.secrets = errors.Secrets()
        self.secrets.add(frozenset({'r1', 'rack1@rack1#rack1'}))

    def test_only_whole_names_are_hidden(self):
        self.assertEqual(
            'on <hidden>, r12, <hidden>: (<hidden>)',
            self.secrets.hide('on r1, r12, rack1@rack1#rack1: (r1)'),
        )

    def test_names_add_up(self):
        self.secrets.add(frozenset({'r2'}))
        self.assertEqual('<hidden> <hidden> r3', self.secrets.hide('r1 r2 r3'))
