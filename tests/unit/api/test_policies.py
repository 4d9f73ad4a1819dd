# SPDX-License-Identifier: Apache-2.0
"""The defaults of the policies, and that the routes ask for them."""

import pathlib

import fixtures
from oslo_context import context

from heat_vcluster import conf as configuration
from heat_vcluster import exception
from heat_vcluster.api import access, policies, routes
from tests import base

LOOK = {
    'clusters:list',
    'clusters:show',
    'clusters:validate',
    'plans:show',
    'members:list',
    'members:show',
    'events:list',
    'snapshots:list',
    'snapshots:show',
    'topology:show',
    'limits:show',
}
CHANGE = {
    'clusters:create',
    'clusters:adopt',
    'clusters:release',
    'clusters:update',
    'clusters:change',
    'clusters:delete',
    'clusters:check',
    'clusters:heal',
    'clusters:repair',
    'clusters:stop',
    'clusters:start',
    'clusters:suspend',
    'clusters:resume',
    'plans:create',
    'plans:delete',
    'snapshots:create',
    'snapshots:delete',
    'snapshots:restore',
}
#: What takes the tenant's own rights in the cloud.
OWN = {
    'clusters:create',
    'clusters:adopt',
    'clusters:change',
    'plans:create',
    'snapshots:restore',
}
#: What is asked for beside an operation's own rule.
BESIDE = {access.LIST_ALL, access.CHANGE}


class PoliciesTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.conf = configuration.load(config_files=[])

    def allowed(self, *roles, project_id='alpha', scope=None):
        """Return what one may with a project alpha."""
        asking = context.RequestContext(
            user_id='ann',
            project_id=None if scope else project_id,
            system_scope=scope,
            roles=roles,
        )
        enforcer = policies.enforcer(self.conf)
        return {
            rule.name.removeprefix('vcluster:')
            for rule in policies.RULES
            if enforcer.authorize(
                rule.name, {'project_id': 'alpha'}, asking, do_raise=False
            )
        }

    def test_a_reader_looks(self):
        self.assertEqual(LOOK, self.allowed('reader'))

    def test_a_member_changes(self):
        self.assertEqual(LOOK | CHANGE, self.allowed('reader', 'member'))

    def test_a_stranger_does_nothing(self):
        self.assertEqual(set(), self.allowed('stranger'))

    def test_the_roles_of_another_project_do_not_count(self):
        found = self.allowed('reader', 'member', project_id='beta')
        self.assertEqual(set(), found)

    def test_an_administrator_sees_and_removes_what_any_project_has(self):
        found = self.allowed('admin', 'member', 'reader', project_id='ops')
        self.assertEqual(
            (LOOK | CHANGE | {access.LIST_ALL}) - OWN,
            found,
        )

    def test_a_token_of_no_project_does_nothing(self):
        found = self.allowed('admin', 'member', 'reader', scope='all')
        self.assertEqual(set(), found)

    def test_the_operator_may_decide_otherwise(self):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (folder / 'policy.yaml').write_text('"vcluster:clusters:show": "!"\n')
        policies.enforcer(self.conf)  # knows the option
        self.conf.set_override(
            'policy_file', str(folder / 'policy.yaml'), 'oslo_policy'
        )
        self.assertEqual(LOOK - {'clusters:show'}, self.allowed('reader'))

    def test_a_file_of_the_operator_is_there_and_has_rules(self):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (folder / 'list.yaml').write_text('["vcluster:clusters:show"]')
        (folder / 'torn.yaml').write_text('"vcluster:clusters:show": "!')
        policies.enforcer(self.conf)  # knows the option
        for name in ('list.yaml', 'torn.yaml', 'none.yaml', '.'):
            self.conf.set_override(
                'policy_file', str(folder / name), 'oslo_policy'
            )
            error = self.assertRaises(
                exception.InvalidConfiguration, policies.enforcer, self.conf
            )
            self.assertIn('[oslo_policy]/policy_file: ', str(error))

    def test_each_operation_has_a_rule_that_tells_of_it(self):
        told = {
            (rule.name, operation['method'], operation['path'])
            for rule in policies.RULES
            for operation in rule.operations
            if rule.name.removeprefix('vcluster:') not in BESIDE
        }
        asked = {
            (f'vcluster:{declared.rule}', method.upper(), path)
            for path, method, declared in routes.operations()
            if declared.rule
        }
        self.assertEqual(asked, told)
