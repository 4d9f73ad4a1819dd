# SPDX-License-Identifier: Apache-2.0
"""What neutron is here: ML2 with one reported agent for every fake host."""

from __future__ import annotations

from heat_vcluster.devcloud.services import base
from heat_vcluster.devcloud.settings import REGION, Settings

PUBLIC_PHYSNET = 'public'
"""The physical network on which the external network is made."""


LOG_LEVELS = (
    'keystonemiddleware=WARN',
    # Each start registers every resource twice, and says so.
    'neutron.quota=ERROR',
    'stevedore=CRITICAL',
)


class Neutron(base.Service):
    name = 'neutron'
    wsgi_app = 'neutron.wsgi.api:application'
    runtime = 'heat_vcluster.devcloud.runtime.neutron'
    databases = ('neutron',)

    def write_config(self, cloud: Settings) -> None:
        etc = cloud.etc(self.name)
        base.write_ini(etc / 'neutron.conf', _sections(cloud))
        base.write_ini(etc / 'ml2.ini', _ml2())

    def environment(self, cloud: Settings) -> dict[str, str]:
        return {
            'OS_NEUTRON_CONFIG_DIR': str(cloud.etc(self.name)),
            'OS_NEUTRON_CONFIG_FILES': 'neutron.conf;ml2.ini',
        }

    def database_commands(self, cloud: Settings) -> list[list[str]]:
        return [
            [
                str(cloud.python),
                '-m',
                'heat_vcluster.devcloud.runtime.neutron_schema',
                base.database_url(cloud, 'neutron'),
            ]
        ]


def _sections(cloud: Settings) -> base.Ini:
    return {
        'DEFAULT': base.default_section(cloud)
        | {
            'default_log_levels': ','.join(LOG_LEVELS),
            'auth_strategy': 'keystone',
            'api_paste_config': cloud.venv_dir / 'etc/neutron/api-paste.ini',
            'core_plugin': 'ml2',
            'service_plugins': 'router',
            # No DHCP or L3 agent runs: networks and routers are records.
            'enable_traditional_dhcp': False,
            'enable_dvr': False,
            'l3_ha': False,
            'rpc_workers': 1,
            'rpc_state_report_workers': 0,
            # Agents live and die with this process; a slow machine must not
            # make them look dead.
            'agent_down_time': 86400,
            'notify_nova_on_port_status_changes': True,
            'notify_nova_on_port_data_changes': True,
            'send_events_interval': 1,
        },
        'database': base.database(cloud, 'neutron'),
        'keystone_authtoken': base.keystone_authtoken(cloud, 'neutron'),
        'nova': base.password_auth(cloud, 'neutron') | {'region_name': REGION},
        'oslo_concurrency': base.concurrency(cloud, 'neutron'),
        'quotas': {
            'quota_network': 1000,
            'quota_subnet': 1000,
            'quota_port': 10000,
            'quota_router': 1000,
            'quota_floatingip': 1000,
            'quota_security_group': 1000,
            'quota_security_group_rule': 10000,
        },
    }


def _ml2() -> base.Ini:
    return {
        'ml2': {
            'type_drivers': 'flat,vxlan',
            'tenant_network_types': 'vxlan',
            'mechanism_drivers': 'openvswitch',
            # Without the second, tags in POST /ports are dropped in silence.
            'extension_drivers': (
                'port_security,tag_ports_during_bulk_creation'
            ),
        },
        'ml2_type_flat': {'flat_networks': PUBLIC_PHYSNET},
        # Each number is a row that is written at the first start.
        'ml2_type_vxlan': {'vni_ranges': '1:1000'},
        'securitygroup': {'enable_security_group': True},
    }
