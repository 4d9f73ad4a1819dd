# SPDX-License-Identifier: Apache-2.0
"""Whatever fits the OpenAPI document, or just not, is answered by it.

No answer is a defect (5xx), none of a kind that the document does not tell.
"""

import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode, checks
from schemathesis.core import failures
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks as openapi_checks

from heat_vcluster import quota
from heat_vcluster.api import routes
from tests.functional import api, base, documents

NETWORK = {'instances': [{'name': 'net', 'type': 'network', 'spec': {}}]}
#: A document may fit its schema and break a rule that no schema can tell.
BEYOND_SCHEMAS = [openapi_checks.positive_data_acceptance]
BOUNDED = hypothesis.settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


class FuzzTest(api.ApiTest):
    def setUp(self):
        super().setUp()
        self.described = schemathesis.openapi.from_wsgi(
            '/v2/openapi.json', self.app
        )
        held = self.service.plan(
            base.ANN, documents.servers(1), hold_seconds=3000
        )
        cluster = self.create(NETWORK)
        self.settle(cluster)
        copied = self.service.create_snapshot(base.ANN, cluster)
        self.settle(cluster)
        self.ours = {
            'project_id': 'alpha',
            'cluster_id': cluster,
            'snapshot_id': copied['id'],
            'plan_id': held['id'],
            'name': 'net',
        }

    def make_service(self, **options):
        # What is created by chance is built too: not without bound.
        return super().make_service(
            quota=quota.Quota(clusters=20, held_plans=5), **options
        )

    def try_out(self):
        name = self._testMethodName.removeprefix('test_')
        operation = self.described.find_operation_by_id(name)
        for mode in modes(operation):
            self.answers(operation.as_strategy(generation_mode=mode))

    def answers(self, cases):
        headers = {'X-Auth-Token': api.ANN}

        @BOUNDED
        @hypothesis.given(cases, strategies.sampled_from((True, True, False)))
        def is_as_described(case, is_ours):
            made_right = {ParameterLocation.HEADER}
            if is_ours:
                made_right.add(ParameterLocation.PATH)
            beyond = list(BEYOND_SCHEMAS)
            if not is_still_wrong(case, made_right):
                beyond.append(openapi_checks.negative_data_rejection)
            for name in case.path_parameters or {} if is_ours else ():
                case.path_parameters[name] = self.ours[name]
            # A wrong parameter that is an empty list is not sent at all.
            hypothesis.assume([] not in (case.query or {}).values())
            response = case.call(headers=headers)
            case.validate_response(
                response, headers=headers, excluded_checks=beyond
            )

        try:
            is_as_described()
        except failures.FailureGroup as found:
            # It is none of the exceptions that a test runner catches.
            self.fail(str(found))


def modes(operation):
    """What takes nothing cannot be given anything wrong."""
    yield GenerationMode.POSITIVE
    if operation.path_parameters or operation.query or operation.body:
        yield GenerationMode.NEGATIVE


def is_still_wrong(case, made_right):
    """Tell whether what is made right leaves wrong what was to be wrong."""
    wrong = {
        place
        for place, how in case.meta.components.items()
        if how.mode.is_negative
    }
    return bool(wrong - made_right)


checks.load_all_checks()
for entry in routes.operations():
    setattr(FuzzTest, f'test_{entry.operation.id}', FuzzTest.try_out)
