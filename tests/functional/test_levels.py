# SPDX-License-Identifier: Apache-2.0
"""What was built under names that the operator has changed since."""

from heat_vcluster import exception
from tests.functional import base, changes, documents, upkeep

RACKS = {
    **documents.group('anti-affinity', 'm', scope='rack'),
    'name': 'racks',
}
ROWS = documents.group('anti-affinity', 'm', scope='row')
ZONES = documents.group(
    'spread', 'm', scope='zone', max_skew=0, domains=['az1', 'az2']
)


class RenamedTest(changes.ChangeCase, upkeep.UpkeepCase):
    """What were racks are rows from now on."""

    def setUp(self):
        super().setUp()
        self.document = documents.servers(2, RACKS, documents.APART)
        self.document['survive'] = [{'lose': '1 rack', 'keep': {'m': 1}}]
        self.view = self.build(self.document)
        self.cluster = self.view['id']
        self.rename(rack='row')

    def rename(self, **names):
        """Give levels other names, as an operator does; by a restart."""
        world = self.cloud.world
        world.levels = tuple(names.get(n, n) for n in world.levels)
        self.cloud.scopes = (*world.levels, 'host')
        for each in (*world.hosts.values(), *world.pools.values()):
            each.domains = {
                names.get(n, n): d for n, d in each.domains.items()
            }

    def test_it_is_looked_at_and_what_cannot_be_judged_is_told(self):
        told = self.service.topology(base.ANN, self.cluster)
        self.assertEqual(['zone', 'row', 'host'], told['levels'])
        self.assertEqual(
            ['rack', 'host', 'rack'], [rule['scope'] for rule in told['rules']]
        )
        found = self.do('check', self.cluster)
        self.assertIsNone(found['error_code'], found['status_reason'])
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assertEqual(
            ['racks', 'survive[0].keep.m'], found['compliance']['not_judged']
        )
        self.assertEqual(
            {'zone', 'row', 'host'}, {*found['members']['m-0']['domains']}
        )

    def test_what_can_be_judged_is_repaired(self):
        self.cloud.migrate(
            self.server(self.view, 'm-1'),
            self.cloud.places(self.cluster)['m-0'],
        )
        planned = self.service.plan_repair(base.ANN, self.cluster)
        self.assertEqual(1, len(planned['moves']))
        found = self.do('repair', self.cluster)
        self.assertIsNone(found['error_code'], found['status_reason'])
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assertIn('racks', found['compliance']['not_judged'])

    def test_a_document_with_the_new_names_is_put_in_place_of_it(self):
        document = documents.servers(3, ROWS)
        planned = self.service.plan_change(base.ANN, self.cluster, document)
        self.assertEqual('feasible', planned['verdict'], planned['reasons'])
        view = self.change(self.cluster, document)
        self.assert_is(view, 'm-0', 'm-1', 'm-2')
        hosts = self.cloud.world.hosts
        rows = {
            hosts[place].domains['row']
            for place in self.cloud.places(self.cluster).values()
        }
        self.assertEqual(3, len(rows))
        self.assertIsNone(self.delete(self.cluster))
        self.assert_nothing_left()

    def test_a_document_with_the_old_names_is_refused(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.service.update,
            base.ANN,
            self.cluster,
            document=self.document,
        )
        self.assertIn('groups[0].spec.scope', {f.path for f in error.faults})

    def test_a_zone_that_is_no_more_is_not_judged(self):
        view = self.build(documents.servers(2, ZONES))
        world = self.cloud.world
        for each in (*world.hosts.values(), *world.pools.values()):
            each.domains = {**each.domains, 'zone': 'az9'}
        found = self.do('check', view['id'])
        self.assertIsNone(found['error_code'], found['status_reason'])
        self.assertEqual(['spread-of-m'], found['compliance']['not_judged'])
