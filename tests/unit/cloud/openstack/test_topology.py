# SPDX-License-Identifier: Apache-2.0
import dataclasses

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import places, settings, topology
from tests.unit.cloud.openstack.wire import Wire


class QualifyTest(testtools.TestCase):
    LEVELS = ('zone', 'rack')

    def test_one_name_in_two_wider_domains_is_two_domains(self):
        columns = {
            'zone': {'a': 'az1', 'b': 'az2', 'c': 'az2'},
            'rack': {'a': 'r1', 'b': 'r1', 'c': 'r2'},
        }
        self.assertEqual(
            {
                'a': {'zone': 'az1', 'rack': 'az1/r1'},
                'b': {'zone': 'az2', 'rack': 'az2/r1'},
                'c': {'zone': 'az2', 'rack': 'r2'},
            },
            places.qualify(self.LEVELS, columns, 'abc'),
        )

    def test_what_is_not_known_is_left_out(self):
        columns = {'zone': {'a': 'az1'}, 'rack': {'b': 'r1'}}
        self.assertEqual(
            {'a': {'zone': 'az1'}, 'b': {'rack': 'r1'}},
            places.qualify(self.LEVELS, columns, 'ab'),
        )


@dataclasses.dataclass
class Services:
    placement: object
    compute: object


class ReaderTest(testtools.TestCase):
    """Two hosts, a provider below one of them, and an aggregate each."""

    def setUp(self):
        super().setUp()
        self.placement = ByTrait(self)
        self.nova = Wire(self)
        self.nova.answer(
            'GET',
            '/os-aggregates',
            (
                200,
                {
                    'aggregates': [
                        {'uuid': 'g1', 'metadata': {'rack': 'r1'}},
                        {
                            'uuid': 'g2',
                            'metadata': {
                                'rack': 'r2',
                                'availability_zone': 'z',
                            },
                        },
                    ]
                },
            ),
        )

    def reader(self, *levels, **options):
        services = Services(self.placement.service(), self.nova.service())
        return topology.TopologyReader(
            services,
            settings.Settings(levels=settings.parse_levels(levels), **options),
        )

    def test_levels_come_from_where_they_are_said_to(self):
        known = self.reader(
            'zone=availability_zone',
            'row=trait:CUSTOM_ROW_',
            'rack=aggregate:rack',
        ).read()
        self.assertEqual({'u1', 'u2'}, set(known.places))
        self.assertEqual(
            {'zone': 'nova', 'row': 'X', 'rack': 'r1'},
            known.named('h1').domains,
        )
        self.assertEqual(
            {'zone': 'z', 'rack': 'r2'}, known.named('h2').domains
        )
        self.assertEqual({'h2'}, known.in_zone('z'))
        self.assertIsNone(known.named('cell'))

    def test_sections_are_what_placement_can_be_asked_about(self):
        known = self.reader(
            'zone=availability_zone',
            'row=trait:CUSTOM_ROW_',
            'rack=aggregate:rack',
        ).read()
        self.assertEqual(
            {
                'r1': places.Section(
                    'r1',
                    frozenset({'u1'}),
                    {'zone': 'nova', 'row': 'X', 'rack': 'r1'},
                    frozenset({'g1'}),
                ),
                'r2': places.Section(
                    'r2',
                    frozenset({'u2'}),
                    {'zone': 'z', 'rack': 'r2'},
                    frozenset({'g2'}),
                ),
            },
            known.sections['rack'],
        )
        # Hosts of the default zone are in no aggregate of it.
        self.assertEqual({'z'}, {*known.sections['zone']})
        (row,) = known.sections['row'].values()
        self.assertEqual({'CUSTOM_ROW_X'}, row.traits)

    def test_aggregates_whose_hosts_are_known_are_not_asked_for(self):
        self.nova = Wire(self)
        self.nova.answer(
            'GET',
            '/os-aggregates',
            (
                200,
                {
                    'aggregates': [
                        {
                            'uuid': 'g1',
                            'metadata': {'rack': 'r1'},
                            'hosts': ['h1'],
                        },
                        {
                            'uuid': 'g2',
                            'metadata': {'rack': 'r2'},
                            'hosts': ['by-another-name'],
                        },
                    ]
                },
            ),
        )
        known = self.reader('rack=aggregate:rack').read()
        self.assertEqual('r1', known.named('h1').domains['rack'])
        self.assertEqual('r2', known.named('h2').domains['rack'])
        asked = [query for *_, query, _ in self.placement.seen]
        self.assertIn({'member_of': ['g2']}, asked)
        self.assertNotIn({'member_of': ['g1']}, asked)

    def test_it_is_remembered_until_something_new_appears(self):
        reader = self.reader('rack=aggregate:rack')
        first = reader.read(['u1'])
        self.assertIs(first, reader.read(['u1', 'u2']))
        self.assertIsNot(first, reader.read(['u3']))

    def test_it_is_read_again_when_old(self):
        reader = self.reader('rack=aggregate:rack', topology_ttl=-1)
        self.assertIsNot(reader.read(), reader.read())

    def test_closed_aggregates_are_told_if_needed(self):
        self.nova = Wire(self)
        self.nova.answer('GET', '/os-aggregates', (403, {}))
        self.assertRaises(
            exception.CloudForbidden, self.reader('r=aggregate:rack').read
        )
        self.assertEqual(
            {'row': 'X'},
            self.reader('row=trait:CUSTOM_ROW_').read().named('h1').domains,
        )


class ByTrait(Wire):
    """Placement with two hosts; it answers by the query, not the path."""

    ROOTS = {'u1': 'h1', 'u2': 'h2'}
    FOUND = {
        ('required', 'COMPUTE_NODE'): ['u1', 'u2', 'n1'],
        ('required', 'CUSTOM_ROW_X'): ['u1'],
        ('member_of', 'g1'): ['u1'],
        ('member_of', 'g2'): ['u2'],
    }

    def _next(self, method, path):
        if path == '/traits':
            return 200, {'traits': ['CUSTOM_ROW_X']}
        ((key, (value,)),) = self.seen[-1][2].items()
        return 200, {
            'resource_providers': [
                {
                    'uuid': uuid,
                    'name': self.ROOTS.get(uuid, 'cell'),
                    'root_provider_uuid': 'u1' if uuid == 'n1' else uuid,
                }
                for uuid in self.FOUND.get((key, value), [])
            ]
        }
