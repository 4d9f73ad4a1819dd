# SPDX-License-Identifier: Apache-2.0
"""Every error has its status, and what is not ours tells nothing."""

import falcon

from heat_vcluster import exception
from heat_vcluster.api import errors
from tests import base

FAULT = exception.Fault('instances[0].name', 'is missing')


class ErrorsTest(base.TestCase):
    def assert_told(self, status, code, error):
        told = errors.read(error)
        self.assertEqual((status, code), (told.status, told.code))
        return told

    def test_each_fact_has_its_status(self):
        for status, code, error in (
            (400, 'invalid_document', exception.InvalidDocument([FAULT])),
            (400, 'invalid_request', exception.InvalidRequest([FAULT])),
            (401, 'unauthorized', exception.Unauthorized()),
            (403, 'not_allowed', exception.NotAllowed()),
            (403, 'forbidden', exception.CloudForbidden('nova', 'no')),
            (403, 'quota_exceeded', exception.QuotaExceeded('nova', 'no')),
            (
                403,
                'limit_exceeded',
                exception.LimitExceeded('members', 3, 3, 1),
            ),
            (403, 'trust_refused', exception.TrustRefused('no')),
            (404, 'project_not_found', exception.ProjectNotFound('p')),
            (404, 'not_found', exception.ClusterNotFound('c')),
            (404, 'member_not_found', exception.MemberNotFound('c', 'm')),
            (404, 'plan_not_found', exception.PlanNotFound('p')),
            (409, 'exists', exception.ClusterExists('taken')),
            (409, 'busy', exception.ClusterBusy('busy')),
            (409, 'reservation_conflict', exception.ReservationConflict('x')),
            (409, 'no_valid_placement', exception.NoValidPlacement(['x'])),
            (409, 'not_entrusted', exception.NotEntrusted('no')),
            (409, 'trust_lost', exception.TrustLost('gone')),
            (410, 'plan_expired', exception.PlanExpired('p')),
            (502, 'cloud_error', exception.CloudError('nova', 'gone')),
            (503, 'unavailable', exception.ServiceUnavailable('later')),
        ):
            self.assert_told(status, f'vcluster.{code}', error)

    def test_not_now_says_when(self):
        told = errors.read(exception.ServiceUnavailable('later'))
        self.assertEqual({'Retry-After': '5'}, told.headers)

    def test_faults_are_told_once(self):
        told = errors.read(exception.InvalidDocument([FAULT]))
        self.assertEqual('1 fault in the document', told.message)
        self.assertEqual(
            ({'path': 'instances[0].name', 'message': 'is missing'},),
            told.details,
        )

    def test_reasons_are_details(self):
        told = errors.read(exception.NoValidPlacement(['too few racks']))
        self.assertEqual(
            ({'path': '', 'message': 'too few racks'},), told.details
        )

    def test_a_reason_that_is_the_operators_is_not_told(self):
        error = exception.NoValidPlacement(
            ['too few racks'], operator_reasons=['r1h1 is full']
        )
        self.assertNotIn('r1h1', repr(errors.read(error)))

    def test_a_defect_tells_nothing(self):
        for error in (
            ValueError('r1h1'),
            exception.LeaseLost('r1h1'),
            exception.InvalidPlan(['r1h1']),
        ):
            told = self.assert_told(500, 'vcluster.internal', error)
            self.assertNotIn('r1h1', repr(told))

    def test_what_the_framework_refuses_has_our_codes(self):
        for status, code, error in (
            (404, 'no_such_address', falcon.HTTPNotFound()),
            (405, 'method_not_allowed', falcon.HTTPMethodNotAllowed(['GET'])),
            (413, 'too_large', falcon.HTTPContentTooLarge()),
            (
                415,
                'unsupported_media_type',
                falcon.HTTPUnsupportedMediaType(),
            ),
        ):
            self.assert_told(status, f'vcluster.{code}', error)
