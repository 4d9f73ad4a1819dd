# SPDX-License-Identifier: Apache-2.0
"""Nova: servers, on hypervisors that only pretend."""

from __future__ import annotations

import shutil

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services import base

RUNTIME = 'heat_vcluster.devcloud.runtime.nova'

POLICY = {
    # Pinning a server to a host: for the tenant, through our service alone.
    'compute:servers:create:requested_destination': (
        'rule:context_is_admin or (service_roles:vcluster and role:member)'
    ),
    # Which host stands in which rack: for our service's own user.
    'os_compute_api:os-aggregates:index': (
        'rule:context_is_admin or role:vcluster'
    ),
    # Moving a server back into its rules: as with the pinning.
    **dict.fromkeys(
        (
            'os_compute_api:os-migrate-server:migrate_live:host',
            'os_compute_api:os-migrate-server:migrate:host',
        ),
        'rule:context_is_admin or (service_roles:vcluster and role:member)',
    ),
}


class Nova(base.Service):
    name = 'nova'
    wsgi_app = 'nova.wsgi.osapi_compute:application'
    runtime = RUNTIME
    threads = 24
    databases = ('nova_api', 'nova_cell0', 'nova')

    def write_config(self, cloud: settings.Settings) -> None:
        etc = cloud.etc(self.name)
        etc.mkdir(parents=True, exist_ok=True)
        own = base.password_auth(cloud, 'nova')
        base.write_ini(
            etc / 'nova.conf',
            {
                'DEFAULT': base.default_section(cloud)
                | {
                    'host': 'devcloud',
                    'my_ip': settings.ADDRESS,
                    'state_path': cloud.files(self.name),
                    'instances_path': cloud.files(self.name) / 'instances',
                    'compute_driver': 'fake.DevelopmentDriver',
                    'initial_cpu_allocation_ratio': 1.0,
                    'initial_ram_allocation_ratio': 1.0,
                    'initial_disk_allocation_ratio': 1.0,
                    'reserved_host_memory_mb': 0,
                    'allow_resize_to_same_host': True,
                    # The fake hypervisor forgets its servers on a restart;
                    # nova would believe it and stop them.
                    'sync_power_state_interval': -1,
                    'heal_instance_info_cache_interval': -1,
                    # A busy machine is late, not down.
                    'report_interval': 30,
                    'service_down_time': 300,
                },
                'api_database': base.database(cloud, 'nova_api'),
                'database': base.database(cloud, 'nova'),
                'keystone_authtoken': base.keystone_authtoken(cloud, 'nova'),
                'keystone': own,
                'service_user': own | {'send_service_user_token': True},
                'placement': base.password_auth(cloud, 'placement'),
                'neutron': base.password_auth(cloud, 'neutron'),
                'cinder': own | {'os_region_name': settings.REGION},
                'glance': own,
                'vnc': {'enabled': False},
                'image_cache': {'manager_interval': -1},
                'oslo_concurrency': base.concurrency(cloud, self.name),
                'oslo_policy': {'policy_file': etc / 'policy.yaml'},
            },
        )
        base.policy(etc / 'policy.yaml', POLICY)
        shutil.copy(
            cloud.venv_dir / 'etc' / 'nova' / 'api-paste.ini',
            etc / 'api-paste.ini',
        )
        (cloud.files(self.name) / 'instances').mkdir(
            parents=True, exist_ok=True
        )

    def environment(self, cloud: settings.Settings) -> dict[str, str]:
        return {
            'OS_NOVA_CONFIG_DIR': str(cloud.etc(self.name)),
            # nova-manage alone would still choose eventlet.
            'OS_NOVA_DISABLE_EVENTLET_PATCHING': '1',
        }

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        return [
            [
                str(cloud.python),
                '-m',
                'heat_vcluster.devcloud.runtime.nova_databases',
                '--config-file',
                str(cloud.etc(self.name) / 'nova.conf'),
                base.database_url(cloud, 'nova_cell0'),
            ]
        ]
