# SPDX-License-Identifier: Apache-2.0
"""What heat is here: the convergence engine with our plugin loaded.

It finds our service in the catalog, as any client does.
"""

from __future__ import annotations

from pathlib import Path

from heat_vcluster.devcloud.services import base
from heat_vcluster.devcloud.settings import Settings

STACK_DOMAIN = 'heat'
STACK_DOMAIN_ADMIN = 'heat_domain_admin'

LOG_LEVELS = (
    'keystonemiddleware=WARN',
    # One line for each of the hundreds of resource types.
    'heat.engine.environment=WARN',
)

PLUGIN_DIR = Path(__file__).parents[2] / 'heat' / 'plugin'
"""The directory with the shim through which heat finds our resources."""


class Heat(base.Service):
    name = 'heat'
    wsgi_app = 'heat.wsgi.api:application'
    runtime = 'heat_vcluster.devcloud.runtime.heat'
    databases = ('heat',)

    def write_config(self, cloud: Settings) -> None:
        base.write_ini(cloud.etc(self.name) / 'heat.conf', _sections(cloud))

    def database_commands(self, cloud: Settings) -> list[list[str]]:
        conf = str(cloud.etc(self.name) / 'heat.conf')
        return [[cloud.bin('heat-manage'), '--config-file', conf, 'db_sync']]

    def health_url(self, cloud: Settings) -> str:
        return cloud.url(self.name) + '/healthcheck'


def _sections(cloud: Settings) -> base.Ini:
    shared = cloud.venv_dir / 'etc/heat'
    return {
        'DEFAULT': base.default_section(cloud)
        | {
            'host': 'heat',
            'default_log_levels': ','.join(LOG_LEVELS),
            'plugin_dirs': PLUGIN_DIR,
            'environment_dir': shared / 'environment.d',
            'template_dir': shared / 'templates',
            'auth_encryption_key': cloud.secret('heat_encryption'),
            'stack_user_domain_name': STACK_DOMAIN,
            'stack_domain_admin': STACK_DOMAIN_ADMIN,
            'stack_domain_admin_password': cloud.secret(STACK_DOMAIN_ADMIN),
            # No CloudFormation API runs: no fake server would ask it.
            'heat_metadata_server_url': cloud.url('heat'),
            'max_resources_per_stack': -1,
            'max_stacks_per_tenant': 5000,
        },
        'database': base.database(cloud, 'heat'),
        'keystone_authtoken': base.keystone_authtoken(cloud, 'heat'),
        'trustee': _trustee(cloud),
        'clients_keystone': {'auth_uri': cloud.auth_url},
        'paste_deploy': {'api_paste_config': shared / 'api-paste.ini'},
        'oslo_concurrency': base.concurrency(cloud, 'heat'),
    }


def _trustee(cloud: Settings) -> dict[str, base.Value]:
    """Heat's own user with no project: the trust gives one."""
    return {
        key: value
        for key, value in base.password_auth(cloud, 'heat').items()
        if not key.startswith('project_') and key != 'region_name'
    }
