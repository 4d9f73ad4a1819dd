# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document is whole, and says what the documents are."""

import json

import jsonschema

from heat_vcluster import arguments
from heat_vcluster.api import openapi, routes
from heat_vcluster.api.schemas import clusters, components
from heat_vcluster.db import listing
from tests import base
from tests.functional import documents


def parts(value):
    """Give every mapping in a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from parts(each)


class OpenApiTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.document = openapi.document('http://vcluster.test')

    def test_it_is_plain_json(self):
        written = json.loads(json.dumps(self.document))
        self.assertEqual(self.document, written)

    def test_each_reference_leads_somewhere(self):
        known = {
            f'#/components/schemas/{name}' for name in components.schemas()
        }
        used = {
            part['$ref']
            for part in parts(self.document)
            if isinstance(part.get('$ref'), str)
        }
        self.assertEqual(known, used)

    def test_each_shape_is_one_of_json_schema(self):
        for schema in components.schemas().values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_each_operation_has_a_name_of_its_own(self):
        names = [entry.operation.id for entry in routes.operations()]
        self.assertEqual(len(names), len({*names}))

    def test_only_what_is_for_anybody_needs_no_token(self):
        free = {
            path
            for path, methods in self.document['paths'].items()
            for operation in methods.values()
            if not operation['security']
        }
        self.assertEqual(
            {'/', '/v2', '/v2/openapi.json', '/healthcheck'}, free
        )

    def test_the_shipped_templates_fit(self):
        validator = jsonschema.Draft202012Validator(
            {**clusters.CREATE_BODY, 'components': self.document['components']}
        )
        for path in documents.TEMPLATES.glob('*.yaml'):
            if path.stem in ('counted', 'web_cluster'):
                wanted = documents.of_template(path.name)
                validator.validate({'vcluster': {**wanted, 'tags': ['a']}})

    def test_what_can_be_sorted_by_is_what_the_record_sorts_by(self):
        self.assertEqual(listing.SORT_KEYS, clusters.SORT_KEYS)

    def test_what_the_schema_takes_the_service_takes(self):
        longest = {
            'name': 'n' * 255,
            'metadata': {'k' * 255: 'v' * 255},
            'tags': ['t' * 80],
            'timeout': arguments.LONGEST,
        }
        jsonschema.Draft202012Validator(
            {
                **clusters.OF_PLAN,
                'required': [],
            }
        ).validate(longest)
        arguments.check(**longest)
