# SPDX-License-Identifier: Apache-2.0
"""What a Prometheus reads, and what it takes for there to be something."""

import subprocess
import sys

import prometheus_client

from heat_vcluster.cloud import model
from tests import base as tests
from tests.functional import base, documents

SEEN = prometheus_client.REGISTRY.get_sample_value


def seen(name, **labels):
    return SEEN(f'vcluster_{name}', labels) or 0.0


class MetricsTest(base.EngineTest):
    """Other tests count in the same process: only differences tell."""

    def differences(self, *samples):
        """Run the rest of the test; a function tells what has been added."""
        before = {sample: self.value(sample) for sample in samples}
        return lambda: [
            self.value(sample) - value for sample, value in before.items()
        ]

    def value(self, sample):
        name, *labels = sample
        return seen(name, **dict(labels))

    def phase(self, name):
        return ('phase_seconds_count', ('phase', name))

    def test_a_cluster_that_is_built(self):
        added = self.differences(
            ('decisions_total', ('verdict', 'feasible')),
            ('holds_total', ('outcome', 'held')),
            ('holds_total', ('outcome', 'refused')),
            ('rollbacks_total',),
            *map(self.phase, ('resolve', 'read', 'solve', 'hold', 'build')),
        )
        view = self.build(documents.SMALL)
        servers = sum(
            member['type'] == 'server' for member in view['members'].values()
        )
        self.assertEqual([1, servers, 0, 0, 1, 1, 1, 1, 1], added())

    def test_room_that_went_to_others_before_it_was_held(self):
        added = self.differences(
            ('holds_total', ('outcome', 'refused')), self.phase('solve')
        )
        self.cloud.faults.lose_reservations(times=1)
        view = self.build(documents.SMALL)
        servers = sum(
            member['type'] == 'server' for member in view['members'].values()
        )
        self.assertEqual([servers, 2], added())

    def test_a_place_that_was_lost_when_it_was_handed_over(self):
        added = self.differences(('places_lost_total',))
        self.cloud.faults.before('ensure_server', 'web', self.steal)
        self.build(documents.SMALL)
        self.assertEqual([1], added())

    def steal(self, call):
        """A rival fills the host for which a server is being asked."""
        self.cloud.fill_host(call.arguments['wanted'].host)

    def test_a_cluster_that_is_rolled_back(self):
        added = self.differences(
            ('rollbacks_total',), self.phase('rollback'), self.phase('build')
        )
        self.cloud.faults.ruin(model.Kind.SERVER)
        self.assertEqual('ERROR', self.build(documents.SMALL)['status'])
        self.assertEqual([1, 1, 1], added())

    def test_a_proof_that_there_is_no_placement(self):
        added = self.differences(
            ('decisions_total', ('verdict', 'infeasible')),
            ('decisions_total', ('verdict', 'feasible')),
        )
        members = len(self.cloud.world.hosts) + 1
        self.build(documents.servers(members, documents.APART))
        self.assertEqual([1, 0], added())


#: As where the package was never installed.
WITHOUT = """
import sys
sys.modules['prometheus_client'] = None
from heat_vcluster import exception, metrics
metrics.HOLDS.labels('held').inc(3)
with metrics.PHASES.labels('solve').time():
    assert list(metrics.timed('read', [1, 2])) == [1, 2]
try:
    metrics.serve('127.0.0.1', 0, dict)
except exception.InvalidConfiguration as error:
    print(error)
"""


class WithoutTest(tests.TestCase):
    def test_nothing_is_measured_and_a_port_for_it_is_refused(self):
        ran = subprocess.run(
            [sys.executable, '-c', WITHOUT],
            capture_output=True,
            text=True,
            timeout=600,
        )
        self.assertEqual(0, ran.returncode, ran.stderr)
        self.assertIn('prometheus_client is not installed', ran.stdout)
