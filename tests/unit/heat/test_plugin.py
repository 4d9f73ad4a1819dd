# SPDX-License-Identifier: Apache-2.0

import sys

import fixtures
from heat.engine import resources as heat_resources

from tests.unit.heat import base


class PluginTest(base.HeatTest):
    def types(self):
        registry = heat_resources.global_env().registry
        return registry.get_types(
            self.stack(base.PAIR).context, type_name='OS::VCluster'
        )

    def test_heat_finds_the_type_in_plugin_dirs(self):
        self.assertEqual([base.TYPE], self.types())

    def test_a_package_that_cannot_be_used_does_not_stop_heat(self):
        logged = self.useFixture(fixtures.FakeLogger('heat_vcluster.heat'))
        # None in sys.modules fails an import as if it were not installed.
        absent = dict(sys.modules, **{'heat_vcluster.heat.resources': None})
        self.useFixture(fixtures.MonkeyPatch('sys.modules', absent))
        self.useFixture(
            fixtures.MonkeyPatch('heat.engine.resources._environment', None)
        )
        heat_resources.initialise()
        self.assertIn('OS::VCluster::Cluster is not available', logged.output)
        registry = heat_resources.global_env().registry
        self.assertNotIn(base.TYPE, registry.get_types())
        self.assertIn('OS::Heat::Value', registry.get_types())
