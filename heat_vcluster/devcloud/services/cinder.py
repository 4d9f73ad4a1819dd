# SPDX-License-Identifier: Apache-2.0
"""What cinder is here: one backend per rack or per host, storing nothing."""

from __future__ import annotations

from heat_vcluster.devcloud.services import base
from heat_vcluster.devcloud.settings import REGION, Settings

CAPACITY_GB = 10000
"""What each backend reports as its size."""

FILTERS = (
    'AvailabilityZoneFilter',
    'CapacityFilter',
    'CapabilitiesFilter',
    # Ships with cinder, is off by default: pins a volume to a chosen pool.
    'JsonFilter',
)


LOG_LEVELS = (
    'keystonemiddleware=WARN',
    # Repeated at every use of the key manager named in the configuration.
    'castellan=ERROR',
    'cinder.keymgr=ERROR',
    'stevedore=ERROR',
)

POLICY = {
    # Which pools there are and how full, for our service's own user.
    'scheduler_extension:scheduler_stats:get_pools': (
        'rule:admin_api or role:vcluster'
    ),
    # That rule alone is not enough: the scheduler reads its table of
    # services for "admin" contexts only. So our role makes one...
    'context_is_admin': 'role:admin or role:vcluster',
    # ...and what is an administrator's stays so, by its role.
    'admin_api': 'role:admin and is_admin_project:True',
    'admin_or_owner': (
        '(role:admin and is_admin_project:True) or project_id:%(project_id)s'
    ),
}


class Cinder(base.Service):
    name = 'cinder'
    wsgi_app = 'cinder.wsgi.api:application'
    runtime = 'heat_vcluster.devcloud.runtime.cinder'
    databases = ('cinder',)

    def write_config(self, cloud: Settings) -> None:
        etc = cloud.etc(self.name)
        base.write_ini(etc / 'cinder.conf', _sections(cloud))
        base.policy(etc / 'policy.yaml', POLICY)

    def environment(self, cloud: Settings) -> dict[str, str]:
        return {'OS_CINDER_DISABLE_EVENTLET_PATCHING': '1'}

    def database_commands(self, cloud: Settings) -> list[list[str]]:
        conf = str(cloud.etc(self.name) / 'cinder.conf')
        return [
            [cloud.bin('cinder-manage'), '--config-file', conf, 'db', 'sync']
        ]


def _sections(cloud: Settings) -> base.Ini:
    etc = cloud.etc('cinder')
    shared = cloud.venv_dir / 'etc/cinder'
    lib = cloud.files('cinder')
    backends = {name: _backend(name) for name in cloud.backend_names}
    sections: base.Ini = {
        'DEFAULT': base.default_section(cloud)
        | {
            'state_path': lib,
            'default_log_levels': ','.join(LOG_LEVELS),
            'auth_strategy': 'keystone',
            'api_paste_config': shared / 'api-paste.ini',
            'resource_query_filters_file': shared / 'resource_filters.json',
            'my_ip': '127.0.0.1',
            'host': 'cinder',
            'glance_api_servers': cloud.url('glance'),
            'enabled_backends': ','.join(cloud.backend_names),
            'default_volume_type': 'standard',
            'allow_availability_zone_fallback': True,
            'scheduler_default_filters': ','.join(FILTERS),
            # The runtime waits for the reports, and knows sooner.
            'scheduler_driver_init_wait_time': 1,
            'backend_stats_polling_interval': 10,
            'periodic_interval': 10,
            'periodic_fuzzy_delay': 0,
            # They live and die with this process; a slow machine must not
            # make them look dead.
            'report_interval': 30,
            'service_down_time': 3600,
            'quota_volumes': 1000,
            'quota_snapshots': 1000,
            'quota_gigabytes': 100000,
        },
        'database': base.database(cloud, 'cinder'),
        'keystone_authtoken': base.keystone_authtoken(cloud, 'cinder'),
        'nova': base.password_auth(cloud, 'cinder') | {'region_name': REGION},
        'service_user': base.password_auth(cloud, 'cinder')
        | {'send_service_user_token': True},
        'key_manager': {
            'backend': 'cinder.keymgr.conf_key_mgr.ConfKeyManager',
            'fixed_key': cloud.secret('cinder_volume_key') * 2,
        },
        'coordination': {'backend_url': f'file://{lib}/coordination'},
        'oslo_concurrency': base.concurrency(cloud, 'cinder'),
        'oslo_policy': {'policy_file': etc / 'policy.yaml'},
    }
    return {**sections, **backends}


def _backend(name: str) -> dict[str, base.Value]:
    """Its pool is ``name@name#name``."""
    return {
        'volume_driver': (
            'heat_vcluster.devcloud.runtime.cinder_driver.RecordOnlyDriver'
        ),
        'volume_backend_name': name,
        'backend_host': name,
        'devcloud_capacity_gb': CAPACITY_GB,
    }
