# SPDX-License-Identifier: Apache-2.0
"""What the provider keeps back, and forbids, is so in every verb."""

import collections
import pathlib

import fixtures

from heat_vcluster import deploy, exception
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.conf import load
from tests.functional import base, documents

TOGETHER = documents.group('affinity', 'm', scope='rack')


class LimitedTest(base.EngineTest):
    """Two racks of two hosts with 16 processors each, and some limits."""

    def make_cloud(self):
        return FakeCloud(racks=2, hosts_per_rack=2, zones=1)

    def limit(self, **options):
        config = self.config(**options)
        self.service = self.make_service(limits=deploy.limits_of(config))

    def config(self, **options):
        folder = self.useFixture(fixtures.TempDir()).path
        path = pathlib.Path(folder) / 'vcluster.conf'
        lines = [f'{name} = {value}' for name, value in options.items()]
        path.write_text('\n'.join(['[limits]', *lines]))
        return load(config_files=[path])

    def refused(self, document, *words, context=base.ANN):
        """Return what ``plan`` and a create that failed say, being equal."""
        planned = self.service.plan(context, document)
        self.assertEqual('infeasible', planned['verdict'])
        told = '; '.join(planned['reasons'])
        view = self.settle(self.create(document, context), context)
        self.assertEqual('ERROR', view['status'])
        self.assertEqual('vcluster.no_valid_placement', view['error_code'])
        for said in (told, view['status_reason']):
            for word in words:
                self.assertIn(word, said)
            self.assertNotRegex(said, 'rack1|rack2|r1h|r2h')
        return told


class ForbiddenRulesTest(LimitedTest):
    def setUp(self):
        super().setUp()
        self.limit(forbidden_rules='affinity@host:strict,exclusive@*')

    def faults(self, *groups):
        document = documents.servers(2, *groups, flavor='tiny')
        planned = self.assertRaises(
            exception.InvalidDocument, self.service.plan, base.ANN, document
        )
        created = self.assertRaises(
            exception.InvalidDocument, self.service.create, base.ANN, document
        )
        self.assertEqual(planned.faults, created.faults)
        self.assertEqual([], self.service.list(base.ANN))
        return planned.faults

    def test_all_are_told_at_once_with_path_and_owner(self):
        faults = self.faults(
            documents.group('affinity', 'm', scope='host'),
            documents.group('exclusive', 'm', scope='rack', strict=False),
        )
        self.assertEqual(
            ['groups[0].spec.scope', 'groups[1].spec.scope'],
            [fault.path for fault in faults],
        )
        for fault in faults:
            self.assertIn("the provider's rule", fault.message)

    def test_what_is_not_forbidden_is_built(self):
        document = documents.servers(
            2,
            documents.group('affinity', 'm', scope='host', strict=False),
            {**TOGETHER, 'name': 'one-rack'},
            flavor='tiny',
        )
        self.assert_built(document, self.build(document))

    def test_what_was_there_before_stays_and_goes(self):
        document = documents.servers(
            2, documents.group('affinity', 'm', scope='host'), flavor='tiny'
        )
        unlimited = self.make_service()
        cluster = self.create(document, service=unlimited)
        self.assertEqual('ACTIVE', self.settle(cluster)['status'])
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()


class HeadroomTest(LimitedTest):
    def test_host_keeps_so_much_free(self):
        self.limit(host_headroom='VCPU=25%')
        document = documents.servers(8, flavor='c6')
        built = self.build(documents.servers(8, flavor='c6'))
        self.assert_built(document, built)
        self.assertEqual({12}, {*self.vcpus().values()})
        self.refused(
            documents.servers(1, flavor='large'),
            "the provider's limits stand",
        )
        self.refused(
            documents.servers(1, flavor='c6'), "it is not the provider's"
        )

    def test_rack_keeps_so_much_free(self):
        self.limit(domain_headroom='rack:VCPU=16')
        document = documents.servers(4, TOGETHER, flavor='medium')
        self.assert_built(document, self.build(document))
        # 8 of 32 are taken in one rack, 0 in the other; 16 are to stay.
        self.refused(
            documents.servers(9, TOGETHER, flavor='medium'),
            "the provider's limits stand",
        )
        document = documents.servers(8, TOGETHER, flavor='medium')
        self.assert_built(document, self.build(document))

    def test_refusal_that_is_not_the_providers_is_yours(self):
        self.limit(domain_headroom='rack:VCPU=16')
        self.refused(
            documents.servers(
                3,
                documents.group('anti-affinity', 'm', scope='rack'),
                flavor='tiny',
            ),
            "it is not the provider's limits",
        )

    def vcpus(self):
        return {
            host: self.cloud.used(host).get('VCPU', 0)
            for host in self.cloud.world.hosts
        }


class ShareTest(LimitedTest):
    """No tenant has more than 8 of a rack's 32 processors."""

    def setUp(self):
        super().setUp()
        self.limit(tenant_share='rack:VCPU=25%')

    def test_share_is_spread_over_racks(self):
        document = documents.servers(8, flavor='medium')
        view = self.build(document)
        self.assert_built(document, view)
        racks = [
            self.cloud.domain(place, 'rack')
            for place in self.cloud.places(view['id']).values()
        ]
        self.assertEqual(
            {'rack1': 4, 'rack2': 4}, dict(collections.Counter(racks))
        )

    def test_what_the_tenant_has_counts_and_what_others_have_does_not(self):
        self.build(documents.servers(4, flavor='medium'))
        self.build(documents.servers(4, flavor='medium'))
        self.refused(
            documents.servers(1, flavor='medium'),
            "the provider's limits stand",
        )
        theirs = self.create(documents.servers(4, flavor='medium'), base.BOB)
        self.assertEqual('ACTIVE', self.settle(theirs, base.BOB)['status'])

    def test_what_is_held_for_another_cluster_counts(self):
        document = documents.servers(8, flavor='medium')
        first = self.create(document)
        self.until(lambda: self.cloud.world.holds, 'the holds')
        second = self.create(document)
        views = [self.settle(first), self.settle(second)]
        self.assertEqual(
            {'ACTIVE', 'ERROR'}, {view['status'] for view in views}
        )
        for rack in ('rack1', 'rack2'):
            used = sum(
                self.cloud.used(host).get('VCPU', 0)
                for host in self.cloud.world.hosts
                if self.cloud.domain(host, 'rack') == rack
            )
            self.assertEqual(8, used)

    def test_cluster_too_large_for_it_is_refused(self):
        self.refused(
            documents.servers(5, TOGETHER, flavor='medium'),
            "the provider's limits stand",
        )


class ConfigurationTest(LimitedTest):
    def test_what_cannot_be_meant_is_told_at_the_start(self):
        for option, value in (
            ('forbidden_rules', 'affinity'),
            ('host_headroom', 'VCPU'),
            ('domain_headroom', 'VCPU=1'),
            ('tenant_share', 'rack:VCPU=200%'),
        ):
            error = self.assertRaises(
                exception.InvalidConfiguration,
                deploy.limits_of,
                self.config(**{option: value}),
            )
            self.assertIn(f'[limits]/{option}: ', str(error))

    def refusal(self, **options):
        """Return what a service with such options says at its start."""
        error = self.assertRaises(
            exception.InvalidConfiguration, self.limit, **options
        )
        return str(error)

    def test_rules_that_there_are_not_cannot_be_forbidden(self):
        told = self.refusal(forbidden_rules='afinity@host:strict')
        self.assertIn('[limits]/forbidden_rules: there is no policy', told)
        self.assertIn("'afinity'", told)
        self.assertIn('affinity, anti-affinity, exclusive', told)
        told = self.refusal(forbidden_rules='affinity@racks')
        self.assertIn("there is no scope 'racks'", told)
        self.assertIn('zone, rack, host', told)

    def test_all_that_there_is_can_be_forbidden(self):
        self.limit(
            forbidden_rules='*@host, survive@*, proximity @ rack : strict'
        )

    def test_level_must_be_one_of_the_clouds(self):
        for option in ('domain_headroom', 'tenant_share'):
            for level in ('row', 'host'):
                told = self.refusal(**{option: f'{level}:*=10%'})
                self.assertIn(f'[limits]/{option}: {level!r}', told)
